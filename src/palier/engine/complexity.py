"""How much a member must keep in mind to know what a program gives: a score, with the parts it is made of.

The score is a sum of points; more is harder. Only what members meet is counted, never how the program is run. Each
part has a weight and a reason:

* *concepts* (2 each): every kind of thing that has to be explained once: points, levels, a card, a wheel;
* *currencies* (3 for each beyond the first): what one is worth in another has to be learned;
* *conditions* (1 for each comparison): each has to be checked before knowing whether something counts;
* *exceptions* (2 each): a limit, another rate, "only the best of": each makes a rule already learned untrue;
* *thresholds* (1 each): levels and steps, which are at least shown one after the other;
* *numbers* (1 for each distinct one beyond four): working memory holds about four things at once (Cowan, "The
  magical number 4 in short-term memory", Behavioral and Brain Sciences 24, 2001);
* *sums* (3 for each beyond the first): what has to be reckoned from a price to what it brings: multiplications, and
  a limit on one sale; one can be done in the head;
* *reading* (1 for each year of age beyond ten, 1 for each 100 words beyond the first 100): of the program described
  in full, in the hardest of its languages (see `readability`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Literal

from msgspec import Struct

from palier.engine.conditions import leaves
from palier.engine.document import (
    Base,
    Condition,
    ExpiryEndOfMonth,
    ExpiryEndOfYear,
    ExpiryInactivity,
    ExpiryNever,
    ExpiryRolling,
    PendingDays,
    WindowLifetime,
    WindowRolling,
)
from palier.engine.mechanics import Grant, WindowFromStart
from palier.engine.program import Caps, Program, Rule
from palier.engine.readability import grade

SIMPLE: Final = 20
"""Up to here a program is simple: one currency, one rate, a card or a few levels, told in a few sentences."""
MODERATE: Final = 30
"""Up to here it is moderate, half as much again; beyond, complex. Both bounds are judgements, not measurements."""

HELD_IN_MIND: Final = 4
_PERIODS: Final = ("activity", "day", "week", "month", "year", "lifetime")


class Part(Struct, frozen=True):
    """One part of the score: how many there are, what each beyond `free` costs, and the points of all."""

    name: Literal[
        "concepts", "currencies", "conditions", "exceptions", "thresholds", "numbers", "sums", "reading"
    ]
    count: int
    free: int
    weight: int

    @property
    def points(self) -> int:
        """What the part adds to the score."""
        return max(0, self.count - self.free) * self.weight


class Complexity(Struct, frozen=True):
    """The score of a program and its parts."""

    parts: tuple[Part, ...]

    @property
    def score(self) -> int:
        """The sum of the parts."""
        return sum(part.points for part in self.parts)

    @property
    def level(self) -> Literal["simple", "moderate", "complex"]:
        """In one word."""
        return "simple" if self.score <= SIMPLE else "moderate" if self.score <= MODERATE else "complex"


def complexity(program: Program, pages: dict[str, str]) -> Complexity:
    """The score of a valid program. `pages`: language -> the program in plain words, all of it."""
    counted = _Counted(program)
    hardest = max((_reading(text, language) for language, text in pages.items()), default=0)
    return Complexity(
        (
            Part("concepts", len(counted.concepts), 0, 2),
            Part("currencies", counted.currencies, 1, 3),
            Part("conditions", counted.conditions, 0, 1),
            Part("exceptions", counted.exceptions, 0, 2),
            Part("thresholds", counted.thresholds, 0, 1),
            Part("numbers", len(counted.numbers), HELD_IN_MIND, 1),
            Part("sums", counted.sums, 1, 3),
            Part("reading", hardest, 0, 1),
        )
    )


def all_rules(program: Program) -> list[Rule]:
    """The program's rules and then those of its campaigns, in the order in which they act."""
    return [*program.rules, *(rule for campaign in program.campaigns for rule in campaign.rules)]


def _reading(text: str, language: str) -> int:
    measured = grade(text, language)
    return max(0, measured.age - 10) + max(0, measured.words - 1) // 100


class _Counted:
    """One pass over a program, counting what a member meets."""

    def __init__(self, program: Program) -> None:
        self.concepts: set[str] = set()
        self.currencies = sum(currency.kind in ("points", "cash") for currency in program.point_currencies)
        self.conditions = 0
        self.exceptions = 0
        self.thresholds = 0
        self.numbers: set[tuple[str, Fraction]] = set()
        self.sums = 0
        for currency in program.point_currencies:
            if currency.kind != "reward":  # a reward is what it is all for, and explains itself
                self.concepts.add(currency.kind)
            self._fate(currency.expiry, currency.pending)
            if currency.pay_out_from is not None:
                self.exceptions += 1
                self._number("money", currency.pay_out_from)
        for rule in all_rules(program):
            self._rule(rule)
        self._sums(program)
        self._limits(program)
        self._ladder(program)
        self._campaigns(program)
        self._goals(program)
        self._streaks(program)
        self._games(program)
        self._people(program)

    def _number(self, kind: str, *values: str | int | None) -> None:
        """Numbers to be remembered; one of anything is no number to remember."""
        for value in values:
            if value is not None and Fraction(value) not in (0, 1):
                self.numbers.add((kind, Fraction(value)))

    def _condition(self, *conditions: Condition | None) -> None:
        for condition in conditions:
            for leaf in leaves(condition):
                self.conditions += 1
                for bound in (leaf.at_least, leaf.at_most, leaf.above, leaf.below, leaf.every):
                    if bound is not None and not isinstance(bound, bool):
                        try:
                            self._number(leaf.field or "", bound)
                        except ValueError:  # a tier or a date, which is no number
                            continue

    def _grants(self, grants: list[Grant]) -> None:
        self._number("points", *(grant.points for grant in grants))

    def _caps(self, caps: Caps | None) -> None:
        for period in _PERIODS:
            limit = getattr(caps, period) if caps is not None else None
            if limit is not None:
                self.exceptions += 1
                self._number("points", limit)

    def _fate(self, expiry: object, pending: object) -> None:
        if expiry is not None and not isinstance(expiry, ExpiryNever):
            self.concepts.add("expiry")
            match expiry:
                case ExpiryRolling() | ExpiryInactivity():
                    self._number("days", expiry.days)
                case ExpiryEndOfMonth():
                    self._number("months", expiry.after_months)
                case ExpiryEndOfYear():
                    self._number("years", expiry.after_years)
                case _:
                    pass
        if pending is not None:
            self.concepts.add("pending")
            self.exceptions += 1
            if isinstance(pending, PendingDays):
                self._number("days", pending.days)

    def _base(self, base: Base) -> None:
        self.exceptions += sum(
            getattr(base, name) != getattr(Base(), name) for name in Base.__struct_fields__
        )

    def _rule(self, rule: Rule) -> None:
        self._condition(rule.when, rule.lines)
        self._base(rule.base)
        self._caps(rule.caps)
        if rule.per_spend is not None:
            self._number("points", rule.per_spend.points)
            self._number("money", rule.per_spend.every)
        self._number("points", rule.per_unit, rule.fixed)
        self._number("factor", rule.multiply)
        if rule.tenders is not None:
            self.exceptions += len(rule.tenders)
            self._number("points", *rule.tenders.values())
        if rule.tier_multipliers is not None:
            self.exceptions += len(set(rule.tier_multipliers.values()))
            self._number("factor", *rule.tier_multipliers.values())
        if rule.lines is not None:
            self.exceptions += 1
        if rule.expiry is not None or rule.pending is not None:
            self.exceptions += rule.expiry is not None
            self._fate(rule.expiry, rule.pending)

    def _sums(self, program: Program) -> None:
        """The most that has to be reckoned on the way from a price to what it brings."""
        rules = all_rules(program)
        for rule in rules:
            if rule.per_spend is None:
                continue
            steps = 1 + (Fraction(rule.per_spend.every) != 1 and Fraction(rule.per_spend.points) != 1)
            steps += bool(rule.tier_multipliers)
            # A limit on one sale is one more thing to reckon; another rate for a tender takes the place of this.
            steps += rule.caps is not None and rule.caps.activity is not None
            steps += sum(
                other.multiply is not None and (other.on, other.currency) == (rule.on, rule.currency)
                for other in rules
            )
            self.sums = max(self.sums, steps)

    def _limits(self, program: Program) -> None:
        for group in program.groups:
            self.exceptions += group.stacking == "best"
            self._caps(group.caps)
        for cap in program.caps:
            self._caps(cap.caps)

    def _ladder(self, program: Program) -> None:
        ladder = program.tiers
        if ladder is None or len(ladder.tiers) < 2:
            return
        self.concepts.add("levels")
        if isinstance(ladder.window, WindowRolling):
            self._number("days", ladder.window.days)
        if not isinstance(ladder.window, WindowLifetime):
            self.concepts.add("keeping a level")
        self.exceptions += ladder.soft_landing
        for tier in ladder.tiers:
            for qualify in (tier.qualify, tier.keep):
                if qualify is not None:
                    self.thresholds += len(qualify.all or ()) + len(qualify.any or ())
            self.exceptions += tier.keep is not None
            self._grants(tier.grants)

    def _campaigns(self, program: Program) -> None:
        for campaign in program.campaigns:
            if campaign.paused:
                continue
            self.concepts.add("campaigns")
            self._condition(campaign.audience)
            if campaign.calendar is not None:
                calendar = campaign.calendar
                asked = (calendar.days_of_month, calendar.weekdays, calendar.from_ or calendar.until)
                self.conditions += sum(part is not None for part in asked)
            self.exceptions += campaign.budget is not None
        self.exceptions += len({c.exclusive for c in program.campaigns if c.exclusive is not None})

    def _goals(self, program: Program) -> None:
        for goal in program.goals:
            if goal.steps:
                self.concepts.add(goal.kind)
            self._condition(goal.when, goal.lines)
            self._base(goal.base)
            self.thresholds += len(goal.steps)
            self.exceptions += (goal.most_per_day is not None) + goal.opt_in + (goal.surplus == "reset")
            self.exceptions += goal.free_unit is not None
            self._number("times", goal.most_per_day, goal.most_rounds)
            if isinstance(goal.window, WindowFromStart):
                self._number("days", goal.window.days)
            for step in goal.steps:
                self._grants(step.grants)

    def _streaks(self, program: Program) -> None:
        for streak in program.streaks:
            self.concepts |= {"streak", "pair"} if streak.of == "pair" else {"streak"}
            self._condition(streak.when)
            self.thresholds += len(streak.steps)
            self._number("times", streak.least)
            for step in streak.steps:
                self._grants(step.grants)

    def _games(self, program: Program) -> None:
        for game in program.games:
            self.concepts.add(game.kind)
            self._condition(game.when)
            self.exceptions += game.cool_down_days > 0
            if game.price is not None:
                self._grants([game.price])
            if game.limits is not None:
                limits = [game.limits.day, game.limits.week, game.limits.month, game.limits.lifetime]
                self.exceptions += sum(limit is not None for limit in limits)
        for quiz in program.quizzes:
            self.concepts.add("quiz")
            self.thresholds += len(quiz.steps)

    def _people(self, program: Program) -> None:
        referral = program.referral
        if referral is not None:
            self.concepts.add("referral")
            self._condition(referral.when)
            self._number("days", referral.within_days, referral.wait_days)
            self.exceptions += referral.most is not None
            self._grants([*referral.referrer, *referral.friend])
        for membership in program.memberships:
            self.concepts.add("membership")
            self._number("money", membership.fee)
            self._number("months", membership.months)
            self._grants(membership.grants)
            if membership.dividend is not None:
                self.concepts.add("dividend")
                self.thresholds += membership.dividend.least is not None
        if program.partners:
            self.concepts.add("partners")
        if program.leaderboards:
            self.concepts.add("ranking")


__all__ = ["MODERATE", "SIMPLE", "Complexity", "Part", "all_rules", "complexity"]
