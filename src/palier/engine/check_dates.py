"""Checks of what is over before the version of the document starts.

A program that has gone on keeps rules that have run, and points that nobody earns any more: both are only told.
Points that are all gone as they come cannot have been meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from palier.engine.checker import Checker
from palier.engine.conditions import day_ordinal
from palier.engine.document import Expiry, ExpiryFixedDate
from palier.engine.instants import ends_at, parse_instant
from palier.engine.mechanics import Grant, WindowDates
from palier.engine.program import Rule
from palier.engine.sentences import Sentence, sentence


class DatesChecker(Checker):
    """The checks against `effective_from`. Where it is left out, the version starts when it is applied: at
    `published_at`, where somebody is about to. What the clock alone makes worse is only told."""

    published_at: int | None
    starts: int
    """When the version starts, in microseconds UTC."""

    def dates(self) -> None:
        starts = self._starts()
        if starts is None or self.clock is None:
            return
        self.starts = starts
        lasting: set[str] = set()
        gone: dict[str, list[str]] = defaultdict(list)
        for currency, path in self._earned():
            if path:
                gone[currency].append(path)
            else:
                lasting.add(currency)
        for currency, paths in gone.items():
            for path in dict.fromkeys(paths):
                message = sentence("this date lies before the version starts: points are gone as they come")
                remedy = sentence("write a later date, or end what brings these points")
                told = currency in lasting or self.program.effective_from is None
                self.add(path, "contradiction", message, remedy, "warning" if told else "error")

    def _starts(self) -> int | None:
        if self.program.effective_from is None:
            return self.published_at
        try:
            return parse_instant(self.program.effective_from)
        except ValueError:  # told where effective_from is checked
            return None

    def _earned(self) -> Iterator[tuple[str, str]]:
        """Each point currency that something brings, with the path of the date by which it is gone as it comes."""
        expiries = {
            currency.key: (currency.expiry, f"point_currencies[{index}].expiry")
            for index, currency in enumerate(self.program.point_currencies)
        }
        for rule, path in self._rules():
            own = (rule.expiry, f"{path}.expiry") if rule.expiry is not None else expiries.get(rule.currency)
            if own is not None:
                yield rule.currency, self._gone_by(*own)
        for currency in self._granted():
            if currency in expiries:
                yield currency, self._gone_by(*expiries[currency])

    def _rules(self) -> Iterator[tuple[Rule, str]]:
        """The rules that still act, with their paths; those that do not are told."""
        for index, rule in enumerate(self.program.rules):
            if not self._over(rule.active_until, f"rules[{index}].active_until", sentence("rule")):
                yield rule, f"rules[{index}]"
        for number, campaign in enumerate(self.program.campaigns):
            path = f"campaigns[{number}]"
            if self._over(campaign.active_until, f"{path}.active_until", sentence("campaign")):
                continue
            for index, rule in enumerate(campaign.rules):
                where = f"{path}.rules[{index}]"
                if not self._over(rule.active_until, f"{where}.active_until", sentence("rule")):
                    yield rule, where

    def _granted(self) -> Iterator[str]:
        """The point currencies of everything that is given beside rules."""
        program = self.program
        given: list[Iterable[Grant]] = []
        if program.tiers is not None:
            given += [tier.grants for tier in program.tiers.tiers]
        for index, goal in enumerate(program.goals):
            until = goal.window.until if isinstance(goal.window, WindowDates) else None
            if not self._over(until, f"goals[{index}].window.until", sentence("goal")):
                given += [step.grants for step in goal.steps]
        for index, game in enumerate(program.games):
            if not self._over(game.active_until, f"games[{index}].active_until", sentence("game")):
                given += [prize.grants for prize in game.prizes]
        given += [step.grants for streak in program.streaks for step in streak.steps]
        given += [step.grants for quiz in program.quizzes for step in quiz.steps]
        if program.referral is not None:
            given += [program.referral.referrer, program.referral.friend]
        given += [prize.grants for board in program.leaderboards for prize in board.prizes]
        for membership in program.memberships:
            given.append(membership.grants)
            if membership.dividend is not None:
                yield membership.dividend.currency
        yield from (grant.currency for grants in given for grant in grants)

    def _over(self, until: str | None, path: str, what: Sentence) -> bool:
        """Whether something ends before the version starts, which is told."""
        assert self.clock is not None
        try:
            if until is None or ends_at(until, self.clock) > self.starts:
                return False
        except (ValueError, OverflowError):  # told where it is read
            return False
        message = sentence("the %(what)s ends before this version starts", what=what)
        self.add(path, "no_effect", message, sentence("leave it out, or write a later date"), "warning")
        return True

    def _gone_by(self, expiry: Expiry, path: str) -> str:
        """The path of a fixed date that is past when the version starts, its days of grace too; else nothing."""
        assert self.clock is not None
        if isinstance(expiry, ExpiryFixedDate):
            try:
                last = self.clock.start_of_day(day_ordinal(expiry.date) + 1)
                if self.clock.add_days(last, expiry.grace_days) <= self.starts:
                    return f"{path}.date"
            except (ValueError, OverflowError):  # told where it is read
                pass
        return ""
