"""What every check of a program document needs: adding problems, and the checks of its smallest parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final, Literal

from palier.engine.amounts import MAXIMUM_MINOR, from_minor
from palier.engine.clock import LocalClock
from palier.engine.conditions import Problem, day_ordinal, nearest
from palier.engine.facts import FEE, OCCASIONS, SALE, VISIT
from palier.engine.instants import ends_at, starts_at
from palier.engine.program import (
    Expiry,
    ExpiryEndOfMonth,
    ExpiryEndOfYear,
    ExpiryRolling,
    Pending,
    PendingDays,
    Program,
    Rule,
    Text,
)
from palier.engine.sentences import Sentence, sentence

MAX_NAME: Final = 200
MAX_TEXT: Final = 4096
LONGEST_SOURCE: Final = 500
SIZES: Final = {
    "activity_types": 100,
    "groups": 200,
    "caps": 20,
    "attributes": 100,
    "choices": 500,
    "tiers": 50,
    "benefits": 50,
    "tenders": 50,
    "thresholds": 10,
    "grants": 20,
    "on": 50,
    "scores": 50,
    "agreements": 200,
    "prizes": 100,
}
"""The most entries of lists and mappings that the types leave open."""

CODES: Final = {
    "unreadable": "The text is no YAML or JSON that is read here.",
    "type": "A value is of another type than its setting takes.",
    "size": "A list has too few or too many entries for its type.",
    "range": "A number is outside what its setting allows.",
    "format": "A text has not the form that its setting asks for: a key, a decimal, a currency code.",
    "missing": "A setting is needed here, by its type or by another setting beside it.",
    "choice": "A value is none of those that its setting knows.",
    "unknown_key": "No such setting exists here.",
    "condition": "A condition cannot be judged, or can never hold.",
    "duplicate_key": "Two parts have one name, or one entry is there twice.",
    "reserved_name": "The name belongs to something that every program has.",
    "unknown_reference": "A key is named that is declared nowhere.",
    "missing_text": "A text is missing in one of the declared languages.",
    "too_long": "A text is longer than its place allows.",
    "too_many": "A list has more entries than are allowed.",
    "too_many_decimals": "An amount is finer than its scale.",
    "too_large": "An amount is beyond the largest that is counted.",
    "zero": "An amount of 0 where it has no effect, or would stop everything.",
    "no_effect": "A setting that changes nothing here: it would be read as if it did.",
    "contradiction": "Two settings that cannot both be meant.",
    "one_effect": "A rule has no effect, or more than one.",
    "order": "Entries that must rise, or follow each other in time, do not.",
    "date": "A date or instant that cannot be read.",
    "time": "A time of day that cannot be read.",
    "icon": "The name of a drawing is no short key.",
    "cash": "A cash currency does not count the program's money.",
    "tiers": "The ladder of tiers does not hold together.",
    "rounding": "Rounding will not do what it seems to say.",
    "unknown_time_zone": "No such time zone exists.",
    "unknown_currency": "No such currency of money exists.",
}
"""Every code of a problem, and what it means."""


def is_zero(text: str) -> bool:
    """Whether a decimal text is 0."""
    return not text.replace(".", "").strip("0")


def less(first: str, second: str) -> bool:
    """Whether one decimal is below another, exactly."""
    return Fraction(first) < Fraction(second)


class Checker:
    """One pass over one document. Every method adds to `problems` and goes on."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.problems: list[Problem] = []
        self.currencies = {currency.key: currency for currency in program.point_currencies}
        self.types = {activity_type.key for activity_type in program.activity_types}
        self.tiers = [tier.key for tier in program.tiers.tiers] if program.tiers is not None else []
        self.withdrawing = {
            kind.key: kind.withdraws for kind in program.activity_types if kind.withdraws is not None
        }
        self.measured = {
            *(board.goal for board in program.leaderboards),
            *(kind.dividend.goal for kind in program.memberships if kind.dividend is not None),
        }
        self.before: list[Rule] = []
        """The rules checked so far: those that a rule which multiplies may act on."""
        self.clock: LocalClock | None = None

    def add(
        self,
        path: str,
        code: str,
        message: Sentence,
        remedy: Sentence,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        self.problems.append(Problem(path, message, remedy, code, severity))

    # --- what every part needs ------------------------------------------------------------------------

    def source(self, source: str, path: str, *, uploaded: bool = False) -> None:
        """The address of a picture; with `uploaded`, only one of the site itself."""
        plain = source.isascii() and source.isprintable() and not set(source) & set(" \"'<>\\`")
        local = source.startswith("/") and not source.startswith("//") and ".." not in source
        outside = source.startswith("https://") and not uploaded
        if not plain or len(source) > LONGEST_SOURCE or not (local or outside):
            remedy = (
                sentence("upload the picture, and write the address that it is given")
                if uploaded
                else sentence(
                    "upload the picture, and write the address that it is given, or one that begins with https://"
                )
            )
            self.add(
                path,
                "format",
                sentence('"%(source)s" is no address of a picture', source=source[:40]),
                remedy,
            )

    def unique(self, keys: Sequence[str], path: str) -> None:
        first: dict[str, int] = {}
        for index, key in enumerate(keys):
            if key in first:
                message = sentence(
                    'the key "%(key)s" is already that of %(path)s[%(first)s]',
                    key=key,
                    path=path,
                    first=first[key],
                )
                self.add(
                    f"{path}[{index}].key", "duplicate_key", message, sentence("give it a key of its own")
                )
            first.setdefault(key, index)

    def size(self, items: Sequence[object] | Mapping[str, object], path: str, name: str) -> None:
        if len(items) > SIZES[name]:
            message = sentence(
                "there are %(count)s entries; at most %(sizes)s are allowed",
                count=len(items),
                sizes=SIZES[name],
            )
            self.add(path, "too_many", message, sentence("remove those that are not used"))

    def text(self, text: Text, path: str, limit: int = MAX_NAME) -> None:
        """A text must be there in every declared language, and no longer than its place allows."""
        for language, words in (("en", text.en), ("fr", text.fr)):
            if language in self.program.languages and not words.strip():
                message = sentence(
                    'there is no "%(language)s" text, which `languages` declares', language=language
                )
                remedy = sentence(
                    "add %(language)s:, or take %(language)s out of languages", language=language
                )
                self.add(f"{path}.{language}", "missing_text", message, remedy)
            if len(words) > limit:
                message = sentence("the text is longer than %(limit)s characters", limit=limit)
                self.add(f"{path}.{language}", "too_long", message, sentence("shorten it"))

    def reference(self, key: str, known: Sequence[str], path: str, what: Sentence) -> bool:
        """Whether `key` is among `known`; if not, a problem that suggests the nearest."""
        if key in known:
            return True
        close = nearest(key, known)
        if close is not None:
            remedy = sentence('did you mean "%(close)s"?', close=close)
        elif known:
            remedy = sentence("use one of %(names)s, or declare it", names=", ".join(known[:40]))
        else:
            remedy = sentence("declare it first")
        self.add(
            path,
            "unknown_reference",
            sentence('there is no %(what)s "%(key)s"', what=what, key=key[:60]),
            remedy,
        )
        return False

    def decimals(self, text: str, places: int, path: str, what: Sentence, *, scaled: bool = False) -> bool:
        """Whether the amount is exact, and not beyond what the platform counts.

        `scaled`: it is of a point currency, whose scale the document says.
        """
        exact = Fraction(text) * 10**places
        if exact.denominator != 1:
            limit = (
                sentence("at most %(places)s decimals", places=places) if places else sentence("no decimals")
            )
            message = sentence(
                '"%(given)s" is too fine: %(what)s have %(limit)s', given=text, what=what, limit=limit
            )
            if scaled:
                remedy = sentence("round it, or raise the scale")
            else:
                remedy = sentence("round it") if places else sentence("write a whole number")
            self.add(path, "too_many_decimals", message, remedy)
            return False
        if exact > MAXIMUM_MINOR:
            message = sentence(
                '"%(given)s" is beyond the largest amount, %(maximum_minor)s',
                given=text,
                maximum_minor=from_minor(MAXIMUM_MINOR, places),
            )
            self.add(path, "too_large", message, sentence("write a smaller amount"))
            return False
        return True

    def positive(self, text: str, path: str, what: Sentence) -> bool:
        """Whether an amount is one that has an effect."""
        message = sentence("%(what)s of 0 has no effect", what=what)
        return self._not_zero(text, path, message, sentence("write an amount above 0, or leave it out"))

    def open(self, text: str, path: str, what: Sentence) -> bool:
        """Whether a limit lets anything through."""
        message = sentence("%(what)s of 0 lets nothing through", what=what)
        remedy = sentence("write an amount above 0, or leave out what is not to bring anything")
        return self._not_zero(text, path, message, remedy)

    def _not_zero(self, text: str, path: str, message: Sentence, remedy: Sentence) -> bool:
        zero = is_zero(text)
        if zero:
            self.add(path, "zero", message, remedy)
        return not zero

    def no_effect(self, path: str, message: Sentence) -> None:
        self.add(path, "no_effect", message, sentence("leave it out"))

    def date(self, text: str, path: str) -> int | None:
        """The ordinal of a date, or None and a problem."""
        try:
            return day_ordinal(text)
        except ValueError:
            self.add(
                path,
                "date",
                sentence('"%(given)s" is no date', given=text[:40]),
                sentence('write it like "2026-12-31"'),
            )
            return None

    def active(self, since: str | None, until: str | None, path: str, what: Sentence) -> None:
        """From when to when something acts: both readable, and in order."""
        self.period(
            (("active_from", since), ("active_until", until)),
            path,
            sentence("the %(what)s ends before it starts", what=what),
        )

    def period(
        self, written: tuple[tuple[str, str | None], tuple[str, str | None]], path: str, message: Sentence
    ) -> None:
        """A start and an end, each a date or an instant; `message` says what is wrong where they are in no order."""
        if self.clock is None:
            return
        found: list[int] = []
        for (name, text), reading in zip(written, (starts_at, ends_at), strict=True):
            if text is None:
                continue
            try:
                found.append(reading(text, self.clock))
            except (ValueError, OverflowError):
                wrong = sentence(
                    '"%(given)s" is neither a date nor an instant with its offset', given=text[:40]
                )
                self.add(f"{path}.{name}", "date", wrong, sentence('write it like "2026-12-31"'))
        if len(found) == 2 and found[0] >= found[1]:
            self.add(f"{path}.{written[1][0]}", "contradiction", message, sentence("correct one of the two"))

    def earning_types(self) -> list[str]:
        """The activity types on which something may be earned."""
        return [SALE, VISIT, FEE, *sorted(OCCASIONS), *sorted(self.types)]

    def pending_against_expiry(self, pending: Pending | None, expiry: Expiry, path: str) -> None:
        """Expiry counts from the sale: points that wait as long as they live could never be spent."""
        longest = _longest_life(expiry)
        if isinstance(pending, PendingDays) and longest is not None and pending.days >= longest:
            message = sentence(
                "points wait %(days)s days and live %(value)s: none is spent",
                days=pending.days,
                value=longest,
            )
            self.add(f"{path}.days", "contradiction", message, sentence("shorten pending or lengthen expiry"))


def _longest_life(expiry: Expiry) -> int | None:
    """The local days within which what is earned can be spent at most; None where it is not told by days."""
    match expiry:
        case ExpiryRolling():
            return expiry.days + expiry.grace_days
        case ExpiryEndOfMonth():
            return 31 * (expiry.after_months + 1) + expiry.grace_days
        case ExpiryEndOfYear():
            return 366 * (expiry.after_years + 1) + expiry.grace_days
        case _:
            return None
