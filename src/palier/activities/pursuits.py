"""What a member is after, as of now: goals, streaks, badges, games, quizzes, memberships and what he saves for.

Everything is told by the state stored of the member, carried forward to the instant asked for: a window that has
ended and a streak past its deadline are told as such, whether or not the worker has run. Nothing is written.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from msgspec import Struct

from palier.engine.clock import HOUR, clock_of
from palier.engine.compiled import (
    DATES,
    LIFE,
    START,
    CompiledGame,
    CompiledGoal,
    CompiledStreak,
    Given,
    period_number,
    period_start,
)
from palier.engine.document import Text
from palier.engine.facts import VISIT
from palier.engine.mechanics import Game, Goal, Membership, Quiz, Streak
from palier.engine.plan import Plan
from palier.engine.program import PointCurrency
from palier.engine.state import NEVER, GoalState, MemberState, StreakState, Window
from palier.engine.streaks import complete, deadline


class StepNow(Struct, frozen=True):
    """One step of a goal or streak: where it stands, its name, what it gives, and whether it is reached."""

    at: int
    name: Text
    given: tuple[tuple[str, int], ...]
    reached: bool


class GoalNow(Struct, frozen=True):
    """A goal as it stands for one member, amounts in minor units of its measure (`decimals` places).

    `position` is the place in the present round, `next` what is missing to the step after it (None: none is left).
    `rounds` were finished in this window. `starts_at` and `ends_at` bound the window (NEVER: it does not end; 0:
    it has not begun). States: planned, open, done (nothing is left to reach in this window), ended.
    `joining`: none is needed, open (the member may opt in), joined, or closed.
    `counts`: what one of a number is: a kind of distinct value, unit, visit; "" where it is anything that counts.
    """

    key: str
    name: Text
    kind: str
    icon: str
    measure: str
    currency: str
    decimals: int
    position: int
    steps: tuple[StepNow, ...]
    missing: int | None
    rounds: int
    starts_at: int
    ends_at: int
    state: Literal["planned", "open", "done", "ended"]
    joining: Literal["none", "open", "joined", "closed"]
    counts: str = ""


class StreakNow(Struct, frozen=True):
    """A streak as it stands: `length` periods of `period` in a row, `best` ever; `deadline` (NEVER: none).

    `at_risk`: nobody has acted in the present period and little time is left. `other` is the other member of a
    pair, `pair` its name. `tokens`: freeze tokens that are left (None where none can be used).
    """

    key: str
    pair: str
    other: str
    name: Text
    icon: str
    period: str
    length: int
    best: int
    deadline: int
    state: Literal["not_begun", "running", "at_risk", "lapsed"]
    tokens: int | None
    steps: tuple[StepNow, ...]
    missing: int | None


class BadgeNow(Struct, frozen=True):
    """Badges held of one kind: how many, and since when the oldest of them."""

    currency: str
    name: dict[str, str]
    icon: str
    count: int
    earned_at: int


class PrizeNow(Struct, frozen=True):
    """One field of a game with its chance."""

    key: str
    name: Text
    chance: Fraction
    given: tuple[tuple[str, int], ...]


class GameNow(Struct, frozen=True):
    """A game that is open: its odds, what a play costs, whether the member has it, and plays left (None: no limit).

    `wins_from`: until this instant the member wins nothing, because he won (0: he may).
    """

    key: str
    name: Text
    kind: str
    price: tuple[str, int] | None
    affordable: bool
    plays_left: int | None
    ends_at: int
    wins_from: int
    prizes: tuple[PrizeNow, ...]


class QuizNow(Struct, frozen=True):
    """A quiz: attempts left, the best score so far (None: not answered yet) of so many questions."""

    key: str
    name: Text
    questions: int
    attempts_left: int
    best: int | None
    steps: tuple[StepNow, ...]


class MembershipNow(Struct, frozen=True):
    """A membership: it never began, runs until `ends_at` (NEVER: for life), or has ended then. `fee` in money."""

    key: str
    name: Text
    state: Literal["none", "active", "ended"]
    ends_at: int
    fee: int
    months: int
    benefits: tuple[Text, ...]


class SavingNow(Struct, frozen=True):
    """What the member saves for: `points` of a currency in all, `missing` beyond what can be spent now."""

    currency: str
    name: str
    points: int
    missing: int


class Pursuits(Struct, frozen=True):
    """All of it, in the order of the document."""

    goals: tuple[GoalNow, ...] = ()
    streaks: tuple[StreakNow, ...] = ()
    badges: tuple[BadgeNow, ...] = ()
    games: tuple[GameNow, ...] = ()
    quizzes: tuple[QuizNow, ...] = ()
    memberships: tuple[MembershipNow, ...] = ()
    saving: SavingNow | None = None


def pursuits(plan: Plan, state: MemberState, at: int) -> Pursuits:
    """What a member is after at an instant, by a state carried forward to it."""
    program = plan.program
    return Pursuits(
        tuple(_goal(plan, goal, state.goals.get(goal.key), at) for goal in program.goals),
        tuple(found for streak in program.streaks for found in _streaks(plan, streak, state, at)),
        tuple(
            badge
            for currency in program.point_currencies
            if currency.kind == "badge" and (badge := _badge(currency, state)) is not None
        ),
        tuple(
            _game(plan, game, plan.games[game.key], state, at)
            for game in program.games
            if game.kind != "surprise"
            and plan.games[game.key].active_from <= at < plan.games[game.key].active_until
        ),
        tuple(_quiz(plan, quiz, state) for quiz in program.quizzes),
        tuple(_membership(plan, item, state, at) for item in program.memberships),
        _saving(state),
    )


def _spendable(state: MemberState, currency: str) -> int:
    wallet = state.wallets.get(currency)
    return wallet.spendable if wallet is not None else 0


def _given(given: Given) -> tuple[tuple[str, int], ...]:
    return tuple(given)


# --- goals ------------------------------------------------------------------------------------------------


def decimals_of(plan: Plan, goal: CompiledGoal) -> int:
    """The decimals of a goal's measure: those of money, of its points, or none."""
    if goal.measure == "spend":
        return plan.exponent
    return plan.currencies[goal.currency].scale if goal.measure == "points" else 0


def _window(plan: Plan, goal: CompiledGoal, state: GoalState | None, at: int) -> tuple[Window, int, int]:
    """The window of an instant, as it stands, and its bounds (0: it has not begun; NEVER: it does not end)."""
    empty = Window(0, goal.head_start)
    window = state.window if state is not None else empty
    if goal.window == LIFE:
        return window, 0, NEVER
    if goal.window == DATES:
        return window, goal.since, goal.until
    if goal.window == START:
        began = state.began if state is not None else 0
        ends = plan.clock.add_days(began, goal.days) if began else NEVER
        if began and at >= ends and not goal.opt_in:
            # The next activity begins another.
            return empty, 0, NEVER
        return (window if window.number == began else empty), began, ends
    number = period_number(plan.clock, goal.period, plan.clock.local(at)[0])
    starts = period_start(plan.clock, goal.period, number)
    return (
        window if window.number == number else Window(number, goal.head_start),
        starts,
        period_start(plan.clock, goal.period, number + 1),
    )


def _goal(plan: Plan, written: Goal, state: GoalState | None, at: int) -> GoalNow:
    goal = plan.goals[written.key]
    window, starts, ends = _window(plan, goal, state, at)
    position = max(0, window.position)
    rounds, finished = 0, False
    if goal.last:
        rounds = position // goal.last
        if goal.repeat:
            finished = bool(goal.most_rounds) and rounds >= goal.most_rounds
            rounds = min(rounds, goal.most_rounds) if goal.most_rounds else rounds
            position = goal.last if finished else position % goal.last
        else:
            finished, rounds = rounds > 0, min(rounds, 1)
    following = next((least for least in goal.thresholds if least > position), None)
    told: Literal["planned", "open", "done", "ended"] = "open"
    if at < starts:
        told = "planned"
    elif at >= ends:
        told = "ended"
    elif finished:
        told = "done"
    joined = state is not None and state.joined
    joining: Literal["none", "open", "joined", "closed"] = "none"
    if goal.opt_in:
        joining = "joined" if joined else "open" if told in ("planned", "open") else "closed"
    return GoalNow(
        goal.key,
        written.name,
        written.kind,
        written.icon,
        goal.measure,
        goal.currency,
        decimals_of(plan, goal),
        position,
        tuple(
            StepNow(least, step.name, _given(given), least <= position)
            for least, step, given in zip(goal.thresholds, written.steps, goal.given, strict=True)
        ),
        None if following is None or told == "ended" else following - position,
        rounds,
        starts,
        ends,
        told,
        joining,
        _counts(written),
    )


def _counts(written: Goal) -> str:
    if written.measure == "activities":
        return "visit" if written.on == [VISIT] else ""
    return written.distinct or ("unit" if written.measure == "units" else "")


# --- streaks ----------------------------------------------------------------------------------------------


def _streaks(plan: Plan, written: Streak, state: MemberState, at: int) -> list[StreakNow]:
    streak = plan.streaks[written.key]
    if not streak.pair:
        own = state.streaks.get(streak.key) or StreakState()
        return [_streak(plan, written, streak, streak.key, own, state, at)]
    return [
        _streak(plan, written, streak, name, own, state, at)
        for name, own in sorted(state.streaks.items())
        if name.partition(":")[0] == streak.key
    ]


def _streak(
    plan: Plan,
    written: Streak,
    streak: CompiledStreak,
    name: str,
    own: StreakState,
    state: MemberState,
    at: int,
) -> StreakNow:
    now = own.length
    until = deadline(plan, streak, own)
    told: Literal["not_begun", "running", "at_risk", "lapsed"]
    if not own.counts:
        told = "lapsed" if own.best else "not_begun"
    else:
        told = "running"
        if at >= until - written.at_risk_hours * HOUR and _in_missing_period(plan, streak, own, at):
            told = "at_risk"
    following = next((least for least in streak.lengths if least > now), None)
    tokens = None
    if streak.freeze:
        tokens = _spendable(state, streak.freeze) // 10 ** plan.currencies[streak.freeze].scale
    return StreakNow(
        streak.key,
        name.partition(":")[2],
        own.other,
        written.name,
        written.icon,
        streak.period,
        now,
        own.best,
        until,
        told,
        tokens,
        tuple(
            StepNow(least, Text(), _given(given), least <= now)
            for least, given in zip(streak.lengths, streak.given, strict=True)
        ),
        None if following is None else following - now,
    )


def _in_missing_period(plan: Plan, streak: CompiledStreak, own: StreakState, at: int) -> bool:
    """Whether the period of an instant is the one in which somebody must still act."""
    clock = clock_of(own.zone) if own.zone else plan.clock
    last = len(own.counts) - 1
    missing = own.start + last + (1 if complete(streak, own, last) else 0)
    return at >= period_start(clock, streak.period, missing)


# --- badges, games, quizzes, memberships, saving ----------------------------------------------------------


def named(currency: PointCurrency) -> dict[str, str]:
    """The name of one unit of a point currency by language."""
    nouns = {"en": currency.name.en, "fr": currency.name.fr}
    return {language: noun.one for language, noun in nouns.items() if noun is not None}


def _badge(currency: PointCurrency, state: MemberState) -> BadgeNow | None:
    wallet = state.wallets.get(currency.key)
    held = [lot for lot in wallet.lots if lot.remaining or lot.held] if wallet is not None else []
    count = sum(lot.remaining + lot.held for lot in held) // 10**currency.scale
    if not count:
        return None
    return BadgeNow(
        currency.key, named(currency), currency.icon, count, min(lot.first_earned for lot in held)
    )


def odds(written: Game, game: CompiledGame) -> tuple[PrizeNow, ...]:
    """The fields of a game with their chances, which add up to 1."""
    return tuple(
        PrizeNow(prize.key, prize.name, Fraction(prize.weight, game.total), _given(given))
        for prize, (_, given, _) in zip(written.prizes, game.prizes, strict=True)
    )


def _game(plan: Plan, written: Game, game: CompiledGame, state: MemberState, at: int) -> GameNow:
    periods = plan.clock.periods(plan.clock.local(at)[0])
    left = None
    for number, most in game.limits:
        counter = state.used.get(f"play:{game.key}:{number}")
        played = counter[1] if counter is not None and counter[0] == periods[number] else 0
        left = max(0, most - played) if left is None else min(left, max(0, most - played))
    won = state.won_at.get(game.key)
    wins_from = 0
    if won is not None and game.cool_down_days:
        until = plan.clock.add_days(won, game.cool_down_days)
        wins_from = until if until > at else 0
    affordable = game.price is None or _spendable(state, game.price[0]) >= game.price[1]
    return GameNow(
        game.key,
        written.name,
        written.kind,
        game.price,
        affordable,
        left,
        game.active_until,
        wins_from,
        odds(written, game),
    )


def _quiz(plan: Plan, written: Quiz, state: MemberState) -> QuizNow:
    quiz = plan.quizzes[written.key]
    attempts, best = state.quizzes.get(quiz.key, (0, -1))
    return QuizNow(
        quiz.key,
        written.name,
        len(quiz.right),
        max(0, quiz.attempts - attempts),
        best if attempts else None,
        tuple(
            StepNow(least, step.name, _given(given), attempts > 0 and least <= best)
            for least, step, given in zip(quiz.scores, written.steps, quiz.given, strict=True)
        ),
    )


def _membership(plan: Plan, written: Membership, state: MemberState, at: int) -> MembershipNow:
    membership = plan.memberships[written.key]
    ends = state.memberships.get(membership.key, 0)
    told: Literal["none", "active", "ended"] = "none" if not ends else "active" if ends > at else "ended"
    return MembershipNow(
        membership.key,
        written.name,
        told,
        ends,
        membership.fee,
        membership.months,
        tuple(written.benefits),
    )


def _saving(state: MemberState) -> SavingNow | None:
    if state.saving is None:
        return None
    currency, points, name = state.saving
    return SavingNow(currency, name, points, max(0, points - _spendable(state, currency)))
