"""What a history brought by mechanics and by rules: steps reached, lengths, prizes, shared limits, points by rule.

Over the whole history, from the traces of decisions; what members met in its last year, which the linter asks
about, is in `palier.engine.observe`.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from palier.engine.decisions import Decision
from palier.engine.facts import MADE_SOURCE, RETURN, Fact
from palier.engine.plan import Plan, Timeline
from palier.engine.trace import RuleTrace

STEPS_TOLD: Final = 12
"""Steps of a goal that are told apart; later rounds of one that repeats count with the last."""


class Mechanics(Struct):
    """What mechanics brought, over one member or all of them.

    `granted`: mechanic ("goal:KEY", "game:KEY", "referral") -> point currency -> units, less those taken back.
    `steps`: goal -> step (from 1, over the rounds of a window) -> members who reached it in some window, whatever
    it gives. `best`: streak -> longest length -> members. `plays`: game -> draws; `won`: "game:prize" -> times.
    `used`: shared limit -> what was used of it. `converted`: friends who converted. `paying`: membership ->
    members who paid at least once.
    """

    granted: dict[str, dict[str, int]] = {}
    steps: dict[str, dict[int, int]] = {}
    best: dict[str, dict[int, int]] = {}
    plays: dict[str, int] = {}
    won: dict[str, int] = {}
    used: dict[str, int] = {}
    converted: int = 0
    paying: dict[str, int] = {}

    def merge(self, other: Mechanics) -> None:
        """Adds what mechanics brought to others."""
        for mine, theirs in (
            (self.plays, other.plays),
            (self.won, other.won),
            (self.used, other.used),
            (self.paying, other.paying),
        ):
            _add(mine, theirs)
        for name, units in other.granted.items():
            _add(self.granted.setdefault(name, {}), units)
        for told, other_told in ((self.steps, other.steps), (self.best, other.best)):
            for name, counts in other_told.items():
                known = told.setdefault(name, {})
                for number, count in counts.items():
                    known[number] = known.get(number, 0) + count
        self.converted += other.converted

    def note(self, decision: Decision, timeline: Timeline) -> None:
        """Notes what one decision brought by mechanics, of one member."""
        trace = decision.trace
        for counted in trace.goals:
            plan = timeline.plan_of(decision.version)
            goal = plan.goals.get(counted.goal) if plan is not None else None
            if goal is not None:
                steps = self.steps.setdefault(counted.goal, {})
                for step in range(len(steps) + 1, min(goal.reached(counted.after), STEPS_TOLD) + 1):
                    steps[step] = 1
        for item in trace.grants:
            kind, _, rest = item.cause.partition(":")
            key, _, _ = rest.partition(":")
            units = self.granted.setdefault(f"{kind}:{key}" if key else kind, {})
            units[item.currency] = units.get(item.currency, 0) + item.points
            if kind == "referral" and item.points > 0 and decision.source != MADE_SOURCE:
                self.converted = 1
        for streak in trace.streaks:
            longest = self.best.setdefault(streak.streak.partition(":")[0], {0: 1})
            length = max(streak.after, *longest)
            longest.clear()
            longest[length] = 1
        for game, _, prize in trace.draws:
            self.plays[game] = self.plays.get(game, 0) + 1
            if prize:
                self.won[f"{game}:{prize}"] = self.won.get(f"{game}:{prize}", 0) + 1
        if decision.type != RETURN:
            _add(self.used, trace.budgets)
        for key, amount in decision.freed.items():
            self.used[key] = self.used.get(key, 0) - amount
        if trace.membership is not None:
            self.paying[trace.membership[0]] = 1


class RuleTotals(Struct):
    """What one rule brought, in minor units of its currency, and what returns took from that."""

    issued: int = 0
    reversed: int = 0


class ByRule:
    """Adds up what each rule brought to one member; `merge` puts members together.

    A return rates again what is kept of its activity; each rule loses what it brings less, and is counted for
    what it brings more.
    """

    __slots__ = ("_kept", "totals")

    def __init__(self) -> None:
        self.totals: dict[str, RuleTotals] = {}
        self._kept: dict[tuple[str, str], dict[str, int]] = {}

    def note(self, fact: Fact, decision: Decision) -> None:
        """Notes the decision on a fact that came from outside."""
        named = fact.sale if fact.type == RETURN and fact.sale is not None else fact
        before = self._kept.get((named.source, named.id), {})
        after = _earned(decision.trace.rules)
        for rule in sorted(before.keys() | after.keys()):
            change = after.get(rule, 0) - before.get(rule, 0)
            totals = self.totals.setdefault(rule, RuleTotals())
            totals.issued += max(change, 0)
            totals.reversed += max(-change, 0)
        if after or before:
            self._kept[(named.source, named.id)] = after


def merge_rules(mine: dict[str, RuleTotals], other: dict[str, RuleTotals]) -> None:
    """Adds what rules brought to other members."""
    for rule, totals in other.items():
        own = mine.setdefault(rule, RuleTotals())
        own.issued += totals.issued
        own.reversed += totals.reversed


def limit_of(plan: Plan, key: str) -> tuple[int, str]:
    """The whole of a shared limit and the point currency it counts in ("" for prizes); (0, "") if there is none.

    A partner's limit of a month is the one in force at its end.
    """
    kind, _, rest = key.partition(":")
    name, _, last = rest.partition(":")
    if kind == "campaign" and key in plan.budgets:
        rules = next(item.rules for item in plan.document.campaigns if item.key == name)
        return plan.budgets[key], rules[0].currency
    if kind in ("game", "prize") and name in plan.games:
        game = plan.games[name]
        return game.rooms().get(key, 0), game.currency if kind == "game" else ""
    if kind == "partner" and name in plan.partners:
        partner = plan.partners[name]
        prepaid = {terms.from_: terms.prepaid for terms in partner.agreements}
        year, month, *day = map(int, last.split("-"))
        if day:
            return prepaid.get(last, 0), partner.currency
        number = year * 12 + month - 1
        end = plan.clock.start_of_month(number + 1) - 1
        return partner.rooms(end, number).get(key, 0), partner.currency
    return 0, ""


def _add(mine: dict[str, int], other: dict[str, int]) -> None:
    for key, count in other.items():
        mine[key] = mine.get(key, 0) + count


def _earned(results: list[RuleTrace]) -> dict[str, int]:
    earned: dict[str, int] = {}
    for item in results:
        if item.earned:
            earned[item.rule] = earned.get(item.rule, 0) + item.earned
    return earned


__all__ = ["STEPS_TOLD", "ByRule", "Mechanics", "RuleTotals", "limit_of", "merge_rules"]
