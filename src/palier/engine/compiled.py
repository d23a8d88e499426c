"""The mechanics of a program version compiled for deciding: thresholds as integers, conditions as functions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from typing import Any

from msgspec import Struct

from palier.engine import mechanics as doc
from palier.engine.amounts import ratio, to_minor
from palier.engine.clock import LocalClock
from palier.engine.conditions import compile_condition, compile_line_condition
from palier.engine.document import Condition, WindowLifetime
from palier.engine.instants import ends_at, starts_at
from palier.engine.program import PointCurrency, Program
from palier.engine.state import NEVER

PRICE_DECIMALS = 6
"""As many as a decimal of a document has at most."""

MOST_ROUNDS = 1_000
"""How many times one activity fills a goal that repeats, at most: what it brings is decided step by step."""

LIFE, DATES, START, PERIOD = range(4)
"""Kinds of a goal's window."""

Given = list[tuple[str, int]]
"""What a mechanic gives: (point currency, points in minor units)."""

Match = Callable[[Any], bool]


class Scales:
    """How the point currencies of a program count, for turning written amounts into minor units."""

    def __init__(self, program: Program, exponent: int) -> None:
        self.program = program
        self.exponent = exponent
        self.currencies: dict[str, PointCurrency] = {c.key: c for c in program.point_currencies}

    def given(self, grants: list[doc.Grant]) -> Given:
        """Grants in minor units."""
        return [(g.currency, to_minor(g.points, self.currencies[g.currency].scale)) for g in grants]

    def budget(self, budget: doc.Budget, currency: str) -> int:
        """The limit of a budget in minor units of one point currency; a money budget by the currency's value."""
        found = self.currencies[currency]
        if budget.points is not None:
            return to_minor(budget.points, found.scale)
        assert budget.money is not None
        return self.points_for(to_minor(budget.money, self.exponent), found.value or "1", found.scale)

    def points_for(self, money: int, price: str, scale: int) -> int:
        """The most points (minor units) that money (minor units) covers at a price for one whole point."""
        value, per = ratio(price)
        return money * per * 10**scale // (value * 10**self.exponent) if value else NEVER


def _matches(condition: Condition | None, program: Program, types: list[str]) -> dict[str, Match | None]:
    if condition is None:
        return dict.fromkeys(types)
    return {kind: compile_condition(condition, program, kind) for kind in types}


class CompiledGoal:
    """One goal. `thresholds` stand in minor units of the measure; `last` is the length of a round.

    `numbered` is the kind of its windows, by which their numbers can be compared.
    """

    __slots__ = (
        "at_once",
        "base",
        "currency",
        "days",
        "distinct",
        "free_unit",
        "given",
        "head_start",
        "key",
        "last",
        "lines",
        "matches",
        "measure",
        "measures",
        "most_per_day",
        "most_rounds",
        "numbered",
        "opt_in",
        "period",
        "repeat",
        "reset",
        "since",
        "thresholds",
        "until",
        "when",
        "window",
    )

    def __init__(self, goal: doc.Goal, scales: Scales, clock: LocalClock) -> None:
        program = scales.program
        self.key = goal.key
        self.when = goal.when
        self.matches = _matches(goal.when, program, goal.on)
        self.lines = compile_line_condition(goal.lines, program) if goal.lines is not None else None
        self.measure = goal.measure
        # Others look at its closed windows, whatever they gave: a ranking, or a dividend.
        self.measures = any(board.goal == goal.key for board in program.leaderboards) or any(
            item.dividend is not None and item.dividend.goal == goal.key for item in program.memberships
        )
        self.currency = goal.currency or ""
        self.distinct = goal.distinct or ""
        self.base = goal.base
        places = 0
        if goal.measure == "spend":
            places = scales.exponent
        elif goal.measure == "points":
            places = scales.currencies[self.currency].scale
        self.most_per_day = goal.most_per_day * 10**places if goal.most_per_day is not None else -1
        window = goal.window
        self.since, self.until, self.days, self.period = 0, NEVER, 0, ""
        if isinstance(window, WindowLifetime):
            self.window = LIFE
        elif isinstance(window, doc.WindowDates):
            self.window = DATES
            self.since, self.until = starts_at(window.from_, clock), ends_at(window.until, clock)
        elif isinstance(window, doc.WindowFromStart):
            self.window, self.days = START, window.days
        else:
            self.window, self.period = PERIOD, window.period
        self.numbered = self.period or str(self.window)
        self.opt_in = goal.opt_in
        self.head_start = to_minor(goal.head_start, places)
        self.repeat = goal.repeat
        self.most_rounds = goal.most_rounds or 0
        self.reset = goal.surplus == "reset" and goal.repeat
        self.free_unit = goal.free_unit or ""
        self.thresholds = [to_minor(step.at, places) for step in goal.steps]
        self.given = [scales.given(step.grants) for step in goal.steps]
        self.last = self.thresholds[-1] if self.thresholds else 0
        self.at_once = MOST_ROUNDS * self.last if self.repeat and self.last else NEVER

    def reached(self, position: int) -> int:
        """How many steps stand at or below a position, over all rounds."""
        if not self.thresholds:
            return 0
        if not self.repeat:
            return bisect_right(self.thresholds, position)
        rounds, rest = divmod(position, self.last)
        if self.most_rounds and rounds >= self.most_rounds:
            return self.most_rounds * len(self.thresholds)
        return rounds * len(self.thresholds) + bisect_right(self.thresholds, rest)

    def moved(self, position: int, amount: int) -> int:
        """Where a position comes to when an activity brings `amount`: past a round's end only without reset."""
        there = position + amount
        return min(there, (position // self.last + 1) * self.last) if self.reset else there


_PLACES = {"day": 0, "week": 1, "month": 2, "year": 3}


def period_number(clock: LocalClock, period: str, day: int) -> int:
    """The number of the calendar period (day, week, month, quarter, year) in which a local day lies."""
    if period == "quarter":
        return clock.periods(day)[2] // 3
    return clock.periods(day)[_PLACES[period]]


def period_start(clock: LocalClock, period: str, number: int) -> int:
    """The first instant of a calendar period."""
    if period == "day":
        return clock.start_of_day(number)
    if period == "week":
        return clock.start_of_day(number * 7 + 1)
    return clock.start_of_month(number * {"month": 1, "quarter": 3, "year": 12}[period])


class CompiledStreak:
    """One streak."""

    __slots__ = (
        "freeze",
        "given",
        "key",
        "least",
        "lengths",
        "matches",
        "member_zone",
        "pair",
        "period",
        "repeat",
        "when",
    )

    def __init__(self, streak: doc.Streak, scales: Scales) -> None:
        self.key = streak.key
        self.when = streak.when
        self.matches = _matches(streak.when, scales.program, streak.on)
        self.period = streak.period
        self.least = streak.least
        self.pair = streak.of == "pair"
        self.member_zone = streak.zone == "member" and not self.pair
        self.freeze = streak.freeze or ""
        self.repeat = streak.repeat
        self.lengths = [step.at for step in streak.steps]
        self.given = [scales.given(step.grants) for step in streak.steps]

    def reached(self, length: int) -> int:
        """How many steps a length has reached; the last one again and again where the streak repeats."""
        if not self.lengths:
            return 0
        count = bisect_right(self.lengths, length)
        if self.repeat and count == len(self.lengths):
            count += (length - self.lengths[-1]) // self.lengths[-1]
        return count

    def length(self, step: int) -> int:
        """The length that reaches the step with this number (from 0)."""
        return self.lengths[min(step, len(self.lengths) - 1)] + self.lengths[-1] * max(
            0, step - len(self.lengths) + 1
        )

    def gives(self, step: int) -> Given:
        """What the step with this number (from 0) gives."""
        return self.given[min(step, len(self.given) - 1)]


class CompiledGame:
    """One game: its fields by cumulative weight."""

    __slots__ = (
        "active_from",
        "active_until",
        "budget",
        "cool_down_days",
        "cumulative",
        "currency",
        "key",
        "limits",
        "matches",
        "price",
        "prizes",
        "surprise",
        "total",
        "when",
    )

    def __init__(self, game: doc.Game, scales: Scales, clock: LocalClock) -> None:
        self.key = game.key
        self.when = game.when
        self.surprise = game.kind == "surprise"
        self.matches = _matches(game.when, scales.program, game.on if self.surprise else ["play"])
        self.price = scales.given([game.price])[0] if game.price is not None else None
        limits = game.limits or doc.PlayLimits()
        self.limits = [
            (number, most)
            for number, most in ((0, limits.day), (1, limits.week), (2, limits.month), (4, limits.lifetime))
            if most is not None
        ]
        self.cool_down_days = game.cool_down_days
        self.active_from = starts_at(game.active_from, clock) if game.active_from is not None else 0
        self.active_until = ends_at(game.active_until, clock) if game.active_until is not None else NEVER
        self.prizes = [(prize.key, scales.given(prize.grants), prize.stock or 0) for prize in game.prizes]
        self.cumulative = []
        self.total = 0
        for prize in game.prizes:
            self.total += prize.weight
            self.cumulative.append(self.total)
        brought = [currency for _, given, _ in self.prizes for currency, _ in given]
        self.currency = brought[0] if brought else ""
        self.budget = scales.budget(game.budget, self.currency) if game.budget and brought else 0

    def rooms(self) -> dict[str, int]:
        """The limits that all members share: the budget, and the stock of each prize that has one."""
        rooms = {f"prize:{self.key}:{key}": stock for key, _, stock in self.prizes if stock}
        if self.budget:
            rooms[f"game:{self.key}"] = self.budget
        return rooms

    def field(self, drawn: str) -> int:
        """The field that recorded bytes (in hexadecimal) draw.

        SHA-256 of "bytes:game key" as a number below 2**256, times the sum of the weights, over 2**256: each
        field has its weight's share of the draws to within 2**-200.
        """
        number = int.from_bytes(sha256(f"{drawn}:{self.key}".encode()).digest(), "big")
        return bisect_right(self.cumulative, number * self.total >> 256)


class CompiledQuiz:
    """One quiz: the right answers by question (from 1), and the scores that give."""

    __slots__ = ("attempts", "given", "key", "right", "scores")

    def __init__(self, quiz: doc.Quiz, scales: Scales) -> None:
        self.key = quiz.key
        self.attempts = quiz.attempts
        self.right = [
            {str(number) for number, answer in enumerate(question.answers, 1) if answer.right}
            for question in quiz.questions
        ]
        self.scores = [to_minor(step.at, 0) for step in quiz.steps]
        self.given = [scales.given(step.grants) for step in quiz.steps]

    def score(self, answers: str) -> int:
        """The score of answers written "2,1,3": one point for each right one."""
        given = [part.strip() for part in answers.split(",")]
        return sum(part in right for part, right in zip(given, self.right, strict=False))


class CompiledReferral:
    """What bringing a friend gives."""

    __slots__ = ("friend", "matches", "most", "referrer", "wait_days", "when", "within_days")

    def __init__(self, referral: doc.Referral, scales: Scales) -> None:
        self.when = referral.when
        self.matches = _matches(referral.when, scales.program, referral.on)
        self.within_days = referral.within_days
        self.wait_days = referral.wait_days
        self.most = referral.most or 0
        self.referrer = scales.given(referral.referrer)
        self.friend = scales.given(referral.friend)


class Terms(Struct, frozen=True):
    """One agreement: from which instant it holds, and its prices of a whole point.

    Prices are in millionths of the program's money; `prepaid` and `monthly` in minor units of points, 0: no limit.
    """

    since: int
    from_: str
    issue_price: int
    burn_price: int
    prepaid: int
    monthly: int


class CompiledPartner:
    """One partner: its agreements, and what it may still issue by agreement and month."""

    __slots__ = ("agreements", "currency", "key")

    def __init__(self, partner: doc.Partner, scales: Scales, clock: LocalClock) -> None:
        self.key = partner.key
        self.currency = partner.currency
        scale = scales.currencies[partner.currency].scale
        self.agreements = [
            Terms(
                clock.start_of_day(date.fromisoformat(item.from_).toordinal()),
                item.from_,
                to_minor(item.issue_price, PRICE_DECIMALS),
                to_minor(item.burn_price, PRICE_DECIMALS),
                scales.points_for(to_minor(item.prepaid, scales.exponent), item.issue_price, scale)
                if item.prepaid is not None
                else 0,
                to_minor(item.most_points_month, scale) if item.most_points_month is not None else 0,
            )
            for item in partner.agreements
        ]

    def rooms(self, at: int, month: int) -> dict[str, int]:
        """The limits in force at an instant of a local month, shared by all members."""
        rooms: dict[str, int] = {}
        terms = self.terms(at)
        if terms is not None and terms.prepaid:
            rooms[f"partner:{self.key}:{terms.from_}"] = terms.prepaid
        if terms is not None and terms.monthly:
            rooms[f"partner:{self.key}:{month // 12}-{month % 12 + 1:02d}"] = terms.monthly
        return rooms

    def limits(self, key: str) -> list[int]:
        """What agreements allow under a name that `rooms` gives: of one of them, or a month."""
        own, _, period = key.rpartition(":")
        if own != f"partner:{self.key}":
            return []
        if len(period) == len("2026-03"):
            return [terms.monthly for terms in self.agreements if terms.monthly]
        return [terms.prepaid for terms in self.agreements if terms.prepaid and terms.from_ == period]

    def terms(self, at: int) -> Terms | None:
        """The agreement in force at an instant; None before the first."""
        return next((terms for terms in reversed(self.agreements) if terms.since <= at), None)


class CompiledMembership:
    """One membership."""

    __slots__ = ("fee", "given", "key", "months")

    def __init__(self, membership: doc.Membership, scales: Scales) -> None:
        self.key = membership.key
        self.fee = to_minor(membership.fee, scales.exponent)
        self.months = membership.months or 0
        self.given = scales.given(membership.grants)
