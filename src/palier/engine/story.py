"""Stories: aligned tables of what happens to members and what it brings, read and checked line by line.

    2026-03-01 10:00  anna  sale s1 42.10 card        -> +42 stars (2026-09-30), tier green

When, who, what; after the arrow what can be read back. A story is played on a stage: in memory
(palier.engine.rehearsal), or on a database. Reading and checking are the same for both, so that both must
agree. The words are described in docs/guides/stories.md, and a story in French has its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from palier.engine.amounts import AmountError, from_minor, to_minor
from palier.engine.clock import instant, moment
from palier.engine.facts import MADE
from palier.engine.plan import Plan
from palier.engine.state import NEVER

SOURCE: Final = "till"
"""The source of all that a story sends."""
BEGINNING: Final = 1_400_000_000_000_000
"""The instant at which a story's program starts and its members enrol: before every line (May 2014)."""
ALONE: Final = "A"
"""The member of lines that name none."""

_LINE = re.compile(r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?:[+-]\d\d:\d\d)?)\s+(?P<rest>\S.*)")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_COMMA = re.compile(r",(?![^()]*\))")
_BLOCK = re.compile(r"^#+ +([^\n]*)$|^```story[^\n]*\n(.*?)^```", re.M | re.S)

MAKING: Final = ("joins", "is", "birthday", "anniversary", "pairs", "dividend")
COMMANDS: Final = (
    "redeem", "hold", "capture", "release", "refund", "adjust", "transfer", "grant_tier", "revoke_tier",
    "leave",
)  # fmt: skip
ANSWERS: Final = ("refused", "duplicate", "parked", "applied")
MEASURES: Final = ("spendable", "pending", "held", "owed", "expired")
_WIRE: Final = frozenset(
    {"tax", "shipping", "discount", "channel", "location", "partner", "currency", "dated"}
)

# A story in French says the same with these words, and a decimal comma.
FRENCH: Final[dict[str, str]] = {
    "achat": "sale", "retour": "return", "visite": "visit", "de": "of", "entier": "whole", "ligne": "line",
    "utiliser": "redeem", "réserver": "hold", "encaisser": "capture", "libérer": "release", "plus-tard": "look",
    "rembourser": "refund", "accorder": "grant_tier", "retirer": "revoke_tier", "partir": "leave", "jusqu'au": "until",
    "ajuster": "adjust", "donner": "transfer", "à": "to", "disponible": "spendable", "attente": "pending",
    "réservé": "held", "dû": "owed", "expiré": "expired", "niveau": "tier", "gagné": "earned",
    "refusé": "refused", "doublon": "duplicate", "parqué": "parked", "appliqué": "applied", "rien": "nothing",
    "avec": "with", "payé": "paid", "chez": "at", "canal": "channel", "avertissement": "warning",
    "jamais": "never", "s'inscrit": "joins", "est": "is", "anniversaire": "birthday", "parrainé-par": "invited-by",
    "s'allie": "pairs", "dividende": "dividend", "tirage": "drawing", "gain": "won", "série": "streak",
    "menacée": "at-risk", "adhésion": "membership", "à-vie": "for-life", "sans": "none", "épargne": "saving",
    "objectif": "goal", "cotisation": "fee", "joue": "play", "score": "score",
}  # fmt: skip
_FRENCH_OF: Final = {english: french for french, english in FRENCH.items()}


class StoryError(ValueError):
    """A line that cannot be read: its number in the text, what is wrong, and the remedy."""

    def __init__(self, number: int, message: str, remedy: str) -> None:
        super().__init__(f"line {number}: {message}; {remedy}")
        self.number, self.message, self.remedy = number, message, remedy


# --- what a story is made of ------------------------------------------------------------------------------


class Send(Struct, frozen=True):
    """An activity in the form in which it is sent, without its source, instant and member."""

    activity: dict[str, Any]
    dated: str = ""
    drawing: str = ""


class Command(Struct, frozen=True):
    """What somebody asks of the points; `points` as written, "" for all that is held, or left of a redemption.

    `hold` is what a capture or a release names, the redemption of a refund, or the tier given that is taken back.
    `until` is the last day of a tier that is given.
    """

    verb: str
    id: str
    currency: str = ""
    points: str = ""
    hold: str = ""
    minutes: int | None = None
    reason: str = ""
    other: str = ""
    partner: str | None = None
    tier: str = ""
    until: str = ""


class Publish(Struct, frozen=True):
    """A new version of the program, as the stage understands the text."""

    text: str


class Made(Struct, frozen=True):
    """What the platform itself makes of what happens to a member: he joins, pairs, has a birthday, gets a dividend.

    `is` says what is known of the member from then on, and is no activity.
    """

    kind: str
    known: dict[str, str] = {}
    other: str = ""
    subject: str = ""
    year: int = 0
    rate: str = ""


class Look(Struct, frozen=True):
    """Nothing but time."""


Act = Send | Command | Made | Publish | Look


class Expected(Struct, frozen=True):
    """One thing said after the arrow.

    `what` is one of MEASURES, ANSWERS, or earned, tier, mark, won, score, warning, nothing. `value` is what is said
    of it: minor units for amounts; `mark` names what else stands (see Standing). `change` tells that the amount
    is what the line brought, not what is there after it.
    `dates` are last days (of pending points: the days on which they are released), None where nothing is said.
    """

    text: str
    member: str
    what: str
    value: int | str = 0
    currency: str = ""
    change: bool = False
    dates: tuple[str, ...] | None = None
    as_of: str = ""
    known_at: str = ""
    style: str = "unit"
    mark: str = ""


class Line(Struct, frozen=True):
    """One line of a story: its number in the text, when, who, what, and what must be read back."""

    number: int
    text: str
    at: str
    member: str
    act: Act
    expected: tuple[Expected, ...]


class Part(Struct, frozen=True):
    """One table of a file with the heading above it; `first` is the number of the line before it."""

    title: str
    text: str
    first: int = 0


# --- what is read back ------------------------------------------------------------------------------------


class Answer(Struct, frozen=True):
    """How a line was answered: a status of ANSWERS, with the code of a refusal and its sentence."""

    status: str
    code: str = ""
    message: str = ""
    earned: Mapping[str, int] = {}
    warning: bool = False
    won: str = ""
    score: int = -1


class Purse(Struct, frozen=True):
    """One member's points of one currency, in minor units, with the ends of its lots.

    `lots`: (expires_at, spendable); `waiting`: (release_at, pending).
    """

    spendable: int = 0
    pending: int = 0
    held: int = 0
    owed: int = 0
    expired: int = 0
    lots: tuple[tuple[int, int], ...] = ()
    waiting: tuple[tuple[int, int], ...] = ()


class Standing(Struct, frozen=True):
    """What can be read back of a member at an instant.

    `marks` are the other things that stand, as they are written: "goal KEY" -> "7/10", "streak KEY" -> "5" or
    "5 at-risk", "membership KEY" -> its last day, "saving" -> "250/400".
    """

    purses: Mapping[str, Purse] = {}
    tier: str = ""
    marks: Mapping[str, str] = {}


class Stage(Protocol):
    """Where a story is played. Instants are microseconds UTC; `now` is the server's clock."""

    @property
    def plan(self) -> Plan:
        """The version that was published last."""

    def enrol(self, members: Sequence[str]) -> None:
        """Makes the members."""

    def publish(self, text: str, now: int) -> None:
        """Publishes a new version."""

    def send(self, member: str, activity: dict[str, Any], now: int, drawing: str) -> Answer:
        """Sends one activity; `drawing` is the prize that chance brings with it, or ""."""

    def made(self, member: str, made: Made, now: int) -> Answer | None:
        """Has the platform make something of what happens to a member."""

    def command(self, member: str, command: Command, now: int) -> Answer:
        """Asks for one command."""

    def standing(
        self, member: str, now: int, *, as_of: int | None = None, known_at: int | None = None
    ) -> Standing:
        """Where a member stands."""


class Check(Struct, frozen=True):
    """One thing said, and what was found, in the same words."""

    expected: str
    found: str
    ok: bool


class Outcome(Struct, frozen=True):
    """One line as it came out; `after` is where every member of the story then stood."""

    line: Line
    answer: Answer | None
    checks: tuple[Check, ...]
    after: Mapping[str, Standing] = {}

    @property
    def ok(self) -> bool:
        """Whether all came out as told."""
        return all(check.ok for check in self.checks)

    def __str__(self) -> str:
        wrong = "; ".join(
            f"expected {check.expected!r}, found {check.found!r}" for check in self.checks if not check.ok
        )
        return f"line {self.line.number}: {self.line.text}\n  {wrong or 'as told'}"


def parts(text: str) -> list[Part]:
    """The tables of a file: the blocks named `story` of a Markdown page, or the whole of a plain text."""
    if "```story" not in text:
        return [Part("", text)]
    found = []
    title = ""
    for match in _BLOCK.finditer(text):
        if match[1] is not None:
            title = match[1]
        else:
            found.append(Part(title, match[2], text.count("\n", 0, match.start(2))))
    return found


# --- reading ----------------------------------------------------------------------------------------------


class Words:
    """The words of one program: its activity types, point currencies and tiers, by key and by name."""

    def __init__(self, plan: Plan, language: str) -> None:
        program = plan.program
        self.plan = plan
        self.language = language
        self.units: dict[tuple[str, ...], str] = {}
        for currency in program.point_currencies:
            nouns = [noun for noun in (currency.name.en, currency.name.fr) if noun is not None]
            for text in (currency.key, *(text for noun in nouns for text in (noun.one, noun.other))):
                self.units.setdefault(tuple(_read_as(text, language).split()), currency.key)
        self.types = {key: key for key in plan.activities if key not in MADE} | {"return": "return"}
        for kind in program.activity_types:
            for text in (kind.name.en, kind.name.fr):
                self.types.setdefault(text.casefold().replace(" ", "-"), kind.key)
        self.goals = _named(program.goals, language)
        self.streaks = _named(program.streaks, language)
        self.memberships = _named(program.memberships, language)
        self.tiers: dict[str, str] = {}
        for tier in program.tiers.tiers if program.tiers is not None else []:
            for text in (tier.key, tier.name.en, tier.name.fr):
                self.tiers.setdefault(_read_as(text, language), tier.key)

    def is_verb(self, word: str) -> bool:
        """Whether a line's doing may begin with this word."""
        return word in ("look", "publish", *COMMANDS, *MAKING) or word in self.types

    def unit(self, words: Sequence[str]) -> tuple[str, int]:
        """The point currency that the first words name, and how many words that took; ("", 0): none."""
        for count in range(min(len(words), 5), 0, -1):
            found = self.units.get(tuple(word.casefold() for word in words[:count]))
            if found is not None:
                return found, count
        return "", 0

    def unit_name(self, currency: str, minor: int) -> str:
        """What members call so much of a currency."""
        found = next(item for item in self.plan.program.point_currencies if item.key == currency)
        noun = (found.name.fr if self.language == "fr" else found.name.en) or found.name.en or found.name.fr
        if noun is None:
            return currency
        one = 10**found.scale
        single = abs(minor) < 2 * one if self.language == "fr" else abs(minor) == one
        return noun.one if single else noun.other

    def amount(self, currency: str, minor: int) -> str:
        """So much of a currency as it is written: without decimals that are zeros all."""
        text = from_minor(minor, self.plan.currencies[currency].scale)
        whole, _, fraction = text.partition(".")
        if not fraction.strip("0"):
            return whole
        return f"{whole},{fraction}" if self.language == "fr" else text

    def word(self, english: str) -> str:
        """A word of the table in the story's language."""
        return _FRENCH_OF.get(english, english) if self.language == "fr" else english


def _read_as(name: str, language: str) -> str:
    """A name as its words come out of a line: in French, some of them are words of the table too."""
    words = name.split()
    return " ".join(FRENCH.get(word, word) if language == "fr" else word for word in words).casefold()


def _named(items: Iterable[Any], language: str) -> dict[str, str]:
    """Keys by key and by name, in both languages."""
    found: dict[str, str] = {}
    for item in items:
        for text in (item.key, item.name.en, item.name.fr):
            found.setdefault(_read_as(text, language), item.key)
    return found


class _Reader:
    """Reads lines in order; ids that a line does not give are counted."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.counted: dict[str, int] = {}
        self.members: dict[str, None] = {}
        self.number = 0
        self.member = ALONE

    def lines(self, text: str) -> list[Line]:
        found = []
        for self.number, written in enumerate(text.splitlines(), 1):
            line = written.strip()
            if line and not line.startswith("#"):
                found.append(self.line(line))
        if not found:
            raise StoryError(self.number, "there is no line that says what happens", "write one")
        return found

    def wrong(self, message: str, remedy: str) -> StoryError:
        return StoryError(self.number, message, remedy)

    def line(self, text: str) -> Line:
        match = _LINE.fullmatch(text)
        if match is None:
            raise self.wrong(
                f"{text[:60]!r} does not begin with a date and a time",
                "write: 2026-03-01 10:00  anna  sale s1 42.10  -> +42 stars",
            )
        rest = match["rest"]
        if self.words.language == "fr":
            rest = re.sub(r"(?<=[0-9]),(?=[0-9])", ".", rest)
        what, arrow, then = rest.partition("->")
        if arrow and not then.strip():
            raise self.wrong(
                "nothing stands after the arrow", "say what can be read back, or leave the arrow out"
            )
        words = self._english(what)
        self.member = ALONE
        if words and not self.words.is_verb(words[0]) and len(words) > 1 and self.words.is_verb(words[1]):
            self.member = words.pop(0)
        self.members.setdefault(self.member)
        act = self.act(words)
        said = _COMMA.split(then) if arrow else []
        return Line(
            self.number,
            text,
            match["at"],
            self.member,
            act,
            tuple(self.expected(item.strip()) for item in said),
        )

    def _english(self, text: str) -> list[str]:
        words = text.split()
        return [FRENCH.get(word, word) for word in words] if self.words.language == "fr" else words

    def named(self, kind: str) -> str:
        """An id for what the story gives none."""
        self.counted[kind] = self.counted.get(kind, 0) + 1
        return f"{kind}-{self.counted[kind]}"

    # --- what happens ---------------------------------------------------------------------------------

    def act(self, words: list[str]) -> Act:
        if not words or not self.words.is_verb(words[0]):
            known = ", ".join(sorted({*self.words.types, "look", *COMMANDS, *MAKING}))
            raise self.wrong(f"{' '.join(words[:2])!r} is nothing that happens here", f"use one of: {known}")
        verb, *rest = words
        if verb == "look":
            if rest:
                raise self.wrong(f"look takes no {rest[0]!r}", "leave it out")
            return Look()
        if verb == "publish":
            return Publish(" ".join(rest))
        try:
            if verb in MAKING:
                return self.made(verb, rest)
            return self.command(verb, rest) if verb in COMMANDS else self.send(self.words.types[verb], rest)
        except IndexError:
            raise self.wrong(
                f"{' '.join(words)!r} ends too early", "see how it is written in the guide"
            ) from None

    def command(self, verb: str, rest: list[str]) -> Command:
        rest = list(rest)
        if verb in ("capture", "release", "refund"):
            identifier = self.named(verb)
            if len(rest) > 1 and rest[1] == "of":
                identifier = rest.pop(0)
                rest.pop(0)
            return self._done(
                Command(verb, identifier, hold=rest.pop(0), points=rest.pop(0) if rest else ""), rest
            )
        if verb == "leave":
            return self._done(Command(verb, self.named(verb)), rest)
        if verb == "revoke_tier":
            return self._done(Command(verb, self.named(verb), hold=rest.pop(0)), rest)
        if verb == "grant_tier":
            return self._tier(rest)
        identifier = self.named(verb) if _NUMBER.fullmatch(rest[0]) else rest.pop(0)
        points = rest.pop(0)
        currency, taken = self.words.unit(rest)
        rest = rest[taken:]
        made = Command(verb, identifier, currency or self._only_unit(), points)
        if verb == "adjust":
            made, rest = _with(made, reason=" ".join(rest) or "story"), []
        elif verb == "hold" and rest[:1] == ["minutes"]:
            made, rest = _with(made, minutes=int(rest[1])), rest[2:]
        if verb in ("redeem", "hold") and rest[:1] == ["at"]:
            made, rest = _with(made, partner=rest[1]), rest[2:]
        if verb == "transfer":
            if rest[:1] != ["to"]:
                raise self.wrong("a transfer says to whom", "write: transfer 10 stars to ben")
            made, rest = _with(made, other=rest[1]), rest[2:]
            self.members.setdefault(made.other)
        return self._done(made, rest)

    def _tier(self, rest: list[str]) -> Command:
        """`grant_tier gold until 2026-06-30`, or with an id before the tier."""
        if "until" not in rest[1:]:
            raise self.wrong(
                "a tier is given until a day", "write: grant_tier gold until 2026-06-30, its last day"
            )
        end = rest.index("until", 1)
        words = rest[:end]
        key = self.words.tiers.get(" ".join(words).casefold())
        identifier = self.named("grant_tier") if key is not None else words.pop(0)
        key = key or self.words.tiers.get(" ".join(words).casefold(), "")
        if not _DATE.fullmatch(rest[end + 1]):
            raise self.wrong(f"{rest[end + 1]!r} is no day", "write its last day, such as 2026-06-30")
        made = Command("grant_tier", identifier, tier=key or " ".join(words), until=rest[end + 1])
        return self._done(made, rest[end + 2 :])

    def made(self, verb: str, rest: list[str]) -> Made:
        """What the platform makes: `joins [invited-by anna]`, `pairs flame with ben`, `dividend club 2026 0.10`."""
        made = Made(verb)
        if verb == "pairs":
            made = replace(made, subject=rest[0], other=rest[2])
            self.members.setdefault(made.other)
            rest = rest[3:]
        elif verb == "dividend":
            made = replace(made, subject=rest[0], year=int(rest[1]), rate=rest[2])
            rest = rest[3:]
        elif rest[:1] == ["invited-by"]:
            made = replace(made, other=rest[1])
            self.members.setdefault(made.other)
            rest = rest[2:]
        for word in rest:
            name, equals, value = word.partition("=")
            if not equals or verb not in ("joins", "is"):
                raise self.wrong(f"{word!r} does not belong to {verb}", "write what is known as name=value")
            made.known[name] = value
        return made

    def _done(self, made: Command, rest: list[str]) -> Command:
        if rest:
            raise self.wrong(f"{rest[0]!r} does not belong to {made.verb}", "leave it out")
        return made

    def _only_unit(self) -> str:
        return self.words.plan.program.point_currencies[0].key

    def send(self, kind: str, rest: list[str]) -> Send:
        rest = list(rest)
        activity: dict[str, Any] = {"type": kind}
        attributes: dict[str, Any] = {}
        subject = _SUBJECT.get(kind)
        if kind == "save_for":
            points = rest.pop(0)
            currency, taken = self.words.unit(rest)
            attributes = {"points": int(points), "currency": currency or self._only_unit()}
            attributes["name"] = " ".join(rest[taken:]) or "wish"
            rest = []
        elif subject is not None:
            attributes[subject] = rest.pop(0)
        elif kind == "return" and (len(rest) < 2 or rest[1] != "of"):
            activity["sale"] = {"source": SOURCE, "id": rest.pop(0)}
        elif rest and rest[0] not in _KEYWORDS and "=" not in rest[0] and not _NUMBER.fullmatch(rest[0]):
            activity["id"] = rest.pop(0)
        dated = drawing = ""
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if word == "of":
                activity["sale"] = {"source": SOURCE, "id": rest.pop(0)}
            elif word == "whole":
                activity["whole"] = True
            elif word == "line":
                activity.setdefault("returned", []).append(self._returned(rest))
            elif word == "with":
                activity["lines"] = [self._bought(item) for item in _items(rest)]
            elif word == "paid":
                activity["tenders"] = [self._tender(item) for item in _items(rest)]
            elif word == "at":
                activity["partner"] = rest.pop(0)
            elif word == "channel":
                activity["channel"] = rest.pop(0)
            elif word == "drawing":
                drawing = rest.pop(0)
            elif not equals and "amount" not in activity:
                activity["amount"] = word
            elif not equals and "tenders" not in activity:
                activity["tenders"] = [{"kind": word, "amount": activity["amount"]}]
            elif not equals:
                raise self.wrong(f"{word!r} is one word too many", "see how it is written in the guide")
            elif name == "dated":
                dated = value
            elif name == "id":
                activity["id"] = value
            elif name == "lines":
                activity["lines"] = [self._bought(item.rpartition(":")[::2]) for item in value.split("+")]
            elif name == "paid":
                activity["tenders"] = [
                    self._tender(item.replace(":", " ").replace("@", " @").split())
                    for item in value.split("+")
                ]
            elif name in _WIRE:
                activity[name] = value
            else:
                attributes[name] = self._attribute(kind, name, value)
        if attributes:
            activity["attributes"] = attributes
        activity.setdefault("id", "")
        if not activity["id"]:
            activity["id"] = self.named(kind)
        return Send(activity, dated, drawing)

    def _attribute(self, kind: str, name: str, value: str) -> str | int | bool:
        """An attribute's value in the type that is declared; what does not fit is left for the platform."""
        if (kind, name) == ("quiz", "answers"):
            return value.replace(".", ",")  # in French, a comma between digits was read as a decimal one
        declared = self.words.plan.declared.get(kind)
        attribute = declared.attributes.get(name) if declared is not None else None
        if attribute is not None and attribute.type == "integer" and _NUMBER.fullmatch(value):
            return int(value)
        if attribute is not None and attribute.type == "boolean" and value in ("yes", "no", "oui", "non"):
            return value in ("yes", "oui")
        return value

    def _returned(self, rest: list[str]) -> dict[str, Any]:
        line = {"line": int(rest.pop(0))}
        value = rest.pop(0)
        return {**line, **({"quantity": int(value[1:])} if value.startswith("x") else {"amount": value})}

    def _bought(self, words: Sequence[str]) -> dict[str, Any]:
        """One line of a basket: [units] category amount."""
        if len(words) == 3 and words[0].isdecimal():
            return {**self._bought(words[1:]), "quantity": int(words[0])}
        if len(words) != 2:
            raise self.wrong(
                f"{' '.join(words)!r} is no line of a basket", "write: with 2 coffee 8.00 + cake 4.00"
            )
        category, amount = words
        kind = category if category in ("gift_card", "shipping") else "product"
        return {"category": category, "amount": amount, "kind": kind}

    def _tender(self, words: Sequence[str]) -> dict[str, Any]:
        if len(words) == 3 and words[2].startswith("@"):
            redemption = {"source": SOURCE, "id": words[2][1:]}
            return {"kind": words[0], "amount": words[1], "redemption": redemption}
        if len(words) != 2:
            raise self.wrong(
                f"{' '.join(words)!r} is no payment", "write: paid card 30.00 + points 12.10 @r1"
            )
        return {"kind": words[0], "amount": words[1]}

    # --- what is read back ----------------------------------------------------------------------------

    def expected(self, text: str) -> Expected:
        words = self._english(text.replace("(", " (", 1))
        member = self.member
        if not words:
            raise self.wrong("something is missing between two commas", "say what can be read back")
        named = len(words) > 1 and (words[0] in self.members or words[0] in _TABLE_MEMBERS)
        if named:
            member = words.pop(0)
            self.members.setdefault(member)
        first = words[0]
        if first in ANSWERS or first == "warning":
            value = words[1] if first == "refused" and len(words) > 1 else ""
            return Expected(text, member, first, value)
        if first == "nothing":
            return Expected(text, member, "nothing")
        if first == "tier":
            key = self.words.tiers.get(" ".join(words[1:]).casefold())
            if key is None:
                raise self.wrong(
                    f"the program has no tier {' '.join(words[1:])!r}",
                    "use one of: " + ", ".join(dict.fromkeys(self.words.tiers.values())),
                )
            return Expected(text, member, "tier", key)
        mark = self._mark(text, member, words)
        return mark if mark is not None else self._amount(text, member, words, named)

    def _mark(self, text: str, member: str, words: list[str]) -> Expected | None:
        """`ten stamps 7/10`, `streak daily 5`, `membership club 2027-03-01`, `saving 250/400`, `won mug`, `score 3`."""
        first, last = words[0], words[-1]
        if first in ("won", "score") and len(words) > 1:
            return Expected(text, member, first, " ".join(words[1:]))
        if first == "saving":
            return Expected(text, member, "mark", last, mark="saving")
        if first in ("streak", "membership"):
            known = self.words.streaks if first == "streak" else self.words.memberships
            count = 2 if last == "at-risk" else 1
            name, value = words[1:-count], " ".join(words[-count:])
        elif first == "goal" or _PLACE.fullmatch(last):
            known, name, value = self.words.goals, words[first == "goal" : -1], last
            first = "goal"
        else:
            return None
        key = known.get(" ".join(name).casefold()) if name else next(iter(known.values()), None)
        if key is None:
            raise self.wrong(
                f"the program has no {first} {' '.join(name)!r}",
                "use one of: " + (", ".join(dict.fromkeys(known.values())) or "none"),
            )
        return Expected(text, member, "mark", value, mark=f"{first} {key}")

    def _amount(self, text: str, member: str, words: list[str], named: bool) -> Expected:
        """An amount: `+42 stars pending (2026-03-24)`, or `spendable 42`."""
        dates: tuple[str, ...] | None = None
        written = " ".join(words)
        if written.endswith(")"):
            written, _, inside = written[:-1].partition("(")
            dates = tuple(item.strip() for item in inside.split(","))
            words = written.split()
        what = ""
        if words[0] in (*MEASURES, "earned"):
            what = words.pop(0)
        if not words or not _NUMBER.fullmatch(words[0]):
            raise self.wrong(
                f"{text!r} is nothing that can be read back",
                "write such as +42 stars, tier gold, refused CODE",
            )
        number = words.pop(0)
        currency, taken = self.words.unit(words)
        words = words[taken:]
        if not taken and not what and not named:
            raise self.wrong(f"{text!r} does not say of what", "name the points: " + self._unit_names())
        style = "measure" if what else "member" if not taken else "unit"
        if words and words[0] in MEASURES and not what:
            what = words.pop(0)
        as_of = known_at = ""
        while len(words) > 1 and words[0] in ("on", "known"):
            as_of, known_at = (words[1], known_at) if words[0] == "on" else (as_of, words[1])
            words = words[2:]
        if words:
            raise self.wrong(f"{' '.join(words)!r} is not understood in {text!r}", "leave it out")
        currency = currency or self._only_unit()
        try:
            minor = to_minor(number.lstrip("+-"), self.words.plan.currencies[currency].scale)
        except AmountError as error:
            raise self.wrong(str(error), "write the amount as members see it") from None
        return Expected(
            text,
            member,
            what or "spendable",
            -minor if number.startswith("-") else minor,
            currency,
            number[0] in "+-",
            dates,
            as_of,
            known_at,
            style,
        )

    def _unit_names(self) -> str:
        return ", ".join(dict.fromkeys(self.words.units.values()))


_TABLE_MEMBERS: Final = frozenset({"A", "B"})
_SUBJECT: Final = {
    "fee": "membership", "opt_in": "goal", "opt_out": "goal", "play": "game", "quiz": "quiz",
    "paired": "streak",
}  # fmt: skip
_KEYWORDS: Final = frozenset({"of", "whole", "line", "with", "paid", "at", "channel", "drawing"})
_PLACE = re.compile(r"[0-9.]+/[0-9.]+", re.ASCII)


def _with(command: Command, **changes: Any) -> Command:
    return replace(command, **changes)


def _items(rest: list[str]) -> list[list[str]]:
    """The words up to the next keyword, taken from `rest`, in groups between plus signs."""
    groups: list[list[str]] = [[]]
    while rest and rest[0] not in _KEYWORDS and "=" not in rest[0]:
        word = rest.pop(0)
        if word == "+":
            groups.append([])
        else:
            groups[-1].append(word)
    return groups


def read(text: str, plan: Plan, language: str = "en") -> tuple[list[Line], list[str]]:
    """The lines of a table and its members in the order in which they appear. Raises StoryError."""
    reader = _Reader(Words(plan, language))
    return reader.lines(text), list(reader.members)


# --- playing ----------------------------------------------------------------------------------------------


def play(text: str, stage: Stage, language: str = "en") -> list[Outcome]:
    """Plays a table on a stage, line by line; what came out is compared with what it says. Raises StoryError."""
    lines, members = read(text, stage.plan, language)
    words = Words(stage.plan, language)
    stage.enrol(members)
    player = _Player(stage, words, members)
    return [player.play(line) for line in lines]


class _Player:
    """Plays lines. What a line brought is the standing after it less the standing just before it, at its instant."""

    def __init__(self, stage: Stage, words: Words, members: Sequence[str]) -> None:
        self.stage = stage
        self.words = words
        self.told_at = BEGINNING
        self.after = {member: stage.standing(member, BEGINNING) for member in members}

    def play(self, line: Line) -> Outcome:
        self.told_at = max(self.told_at, self.instant(line, line.at))
        watched = dict.fromkeys(item.member for item in line.expected)
        if isinstance(line.act, Look):
            before = dict(self.after)
        else:
            before = {member: self.stage.standing(member, self.told_at) for member in watched}
        answer = self.happen(line)
        for member in self.after:
            self.after[member] = self.stage.standing(member, self.told_at)
        checks = tuple(
            self.check(line, item, answer, before[item.member], self.after[item.member])
            for item in line.expected
        )
        refused = answer is not None and answer.status == "refused"
        if refused and not any(item.what in ANSWERS for item in line.expected):
            assert answer is not None
            checks += (Check("applied", f"refused {answer.code}: {answer.message}", False),)
        return Outcome(line, answer, checks, dict(self.after))

    def instant(self, line: Line, text: str) -> int:
        try:
            told = datetime.fromisoformat(text)
        except ValueError as error:
            raise StoryError(
                line.number, f"{text!r} is no date ({error})", "write 2026-03-01 10:00"
            ) from None
        return instant(told if told.tzinfo is not None else told.replace(tzinfo=self.words.plan.clock.zone))

    def happen(self, line: Line) -> Answer | None:
        match line.act:
            case Send(activity, dated, drawing):
                at = self.instant(line, dated or line.at)
                zone = self.words.plan.clock.zone
                sent = {**activity, "source": SOURCE, "occurred_at": moment(at).astimezone(zone).isoformat()}
                return self.stage.send(line.member, sent, self.told_at, drawing)
            case Made():
                return self.stage.made(line.member, line.act, self.told_at)
            case Command():
                return self.stage.command(line.member, line.act, self.told_at)
            case Publish(text):
                self.stage.publish(text, self.told_at)
                self.words = Words(self.stage.plan, self.words.language)
        return None

    def check(
        self, line: Line, said: Expected, answer: Answer | None, before: Standing, after: Standing
    ) -> Check:
        """One thing said against what was found."""
        words = self.words
        if said.what in ANSWERS:
            found = answer.status if answer is not None else "nothing"
            code = answer.code if answer is not None else ""
            ok = found == said.what and said.value in ("", code)
            return Check(said.text, " ".join([words.word(found), code]).strip(), ok)
        if said.what == "warning":
            ok = answer is not None and answer.warning
            return Check(said.text, words.word("warning") if ok else words.word("nothing"), ok)
        if said.what == "tier":
            return Check(said.text, f"{words.word('tier')} {after.tier}", after.tier == said.value)
        if said.what == "mark":
            stands = after.marks.get(said.mark, "none")
            name = (
                said.text[: len(said.text) - len(str(said.value))]
                if said.text.endswith(str(said.value))
                else ""
            )
            told = " ".join(words.word(word) for word in stands.split())
            return Check(said.text, f"{name.strip()} {told}".strip(), stands == said.value)
        if said.what in ("won", "score"):
            value = (answer.won if said.what == "won" else str(answer.score)) if answer is not None else ""
            value = value or "nothing"
            return Check(said.text, f"{words.word(said.what)} {words.word(value)}", value == said.value)
        if said.what == "nothing":
            changes = _changes(words, before, after)
            return Check(said.text, ", ".join(changes) or words.word("nothing"), not changes)
        if said.what == "earned":
            return self._amount(said, answer.earned.get(said.currency, 0) if answer is not None else 0, None)
        if said.as_of or said.known_at:
            as_of = self.instant(line, f"{said.as_of} 23:59") if said.as_of else None
            known_at = self.instant(line, f"{said.known_at} 23:59") if said.known_at else None
            after = self.stage.standing(said.member, self.told_at, as_of=as_of, known_at=known_at)
        mine = after.purses.get(said.currency, Purse())
        minor = int(getattr(mine, said.what))
        old = before.purses.get(said.currency, Purse()) if said.change else Purse()
        if said.change:
            minor -= int(getattr(old, said.what))
        dates = None
        if said.dates is not None:
            pending = said.what == "pending"
            dates = self._dates(
                mine.waiting if pending else mine.lots, old.waiting if pending else old.lots, pending
            )
            if not said.change:
                dates = dates[:1]
        return self._amount(said, minor, dates)

    def _amount(self, said: Expected, value: int, dates: tuple[str, ...] | None) -> Check:
        words = self.words
        amount = ("+" if said.change and value >= 0 else "") + words.amount(said.currency, value)
        own = f"{said.member} " if said.text.startswith(f"{said.member} ") else ""
        ok = value == said.value and (
            dates is None or said.dates == tuple(words.word(item) for item in dates)
        )
        if ok:
            return Check(said.text, said.text, True)
        if said.style == "measure":
            found = f"{own}{words.word(said.what)} {amount}"
        elif said.style == "member":
            found = f"{own}{amount}"
        else:
            found = f"{own}{amount} {words.unit_name(said.currency, value)}"
            if said.what != "spendable":
                found += f" {words.word(said.what)}"
        if said.as_of:
            found += f" on {said.as_of}" + (f" known {said.known_at}" if said.known_at else "")
        if dates is not None:
            found += f" ({', '.join(words.word(item) for item in dates)})"
        return Check(said.text, found, False)

    def _dates(
        self, mine: Iterable[tuple[int, int]], old: Iterable[tuple[int, int]], pending: bool
    ) -> tuple[str, ...]:
        """The days of what grew: the last days of lots, or the days on which pending points are released."""
        had: dict[int, int] = {}
        for at, points in old:
            had[at] = had.get(at, 0) + points
        has: dict[int, int] = {}
        for at, points in mine:
            has[at] = has.get(at, 0) + points
        grown = sorted(at for at, points in has.items() if points > had.get(at, 0))
        return tuple("never" if at >= NEVER else self._day(at if pending else at - 1) for at in grown)

    def _day(self, at: int) -> str:
        return date.fromordinal(self.words.plan.clock.local(at)[0]).isoformat()


def _changes(words: Words, before: Standing, after: Standing) -> list[str]:
    """All in which two standings differ, in words."""
    found = []
    for currency in words.plan.currencies:
        old, new = before.purses.get(currency, Purse()), after.purses.get(currency, Purse())
        for what in MEASURES:
            change = int(getattr(new, what)) - int(getattr(old, what))
            if change:
                sign = "+" if change > 0 else ""
                unit = words.unit_name(currency, change)
                found.append(f"{sign}{words.amount(currency, change)} {unit} {words.word(what)}")
    if before.tier != after.tier:
        found.append(f"{words.word('tier')} {after.tier}")
    for mark in sorted(before.marks.keys() | after.marks.keys()):
        if before.marks.get(mark) != after.marks.get(mark) and "at-risk" not in after.marks.get(mark, ""):
            found.append(f"{mark} {after.marks.get(mark, 'none')}")
    return found


__all__ = [
    "Answer",
    "Check",
    "Command",
    "Expected",
    "Line",
    "Made",
    "Outcome",
    "Part",
    "Purse",
    "Stage",
    "Standing",
    "StoryError",
    "parts",
    "play",
    "read",
]
