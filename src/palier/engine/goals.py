"""Goals: what activities count, the steps they reach, and what a return undoes.

A member's place in a window of a goal is one number, the position; the steps reached follow from it alone. What
each activity counted is frozen in its trace, so a return moves the position by exactly the difference, and the
newest steps that no longer stand give back what they gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from palier.engine.amounts import shares
from palier.engine.compiled import DATES, LIFE, START, CompiledGoal, period_number
from palier.engine.decisions import Transfer
from palier.engine.facts import SALE, Fact
from palier.engine.plan import ActivityPlan, Plan
from palier.engine.rating import Basket
from palier.engine.state import GRANTS_KEPT, GoalState, Granted, Window
from palier.engine.tiers import Tiers
from palier.engine.trace import GoalTrace, RuleTrace, Trace

CLOSED_KEPT = 36
"""Closed windows of a goal that a late return can still reach."""


def day_room(goal: CompiledGoal) -> str:
    """The name of a goal's cap by day, among the rooms that an activity saw."""
    return f"goal:{goal.key}"


class Counted:
    """What one activity counts for one goal: an amount, the distinct values, the (price, units) it brought."""

    __slots__ = ("amount", "keys", "units")

    def __init__(self, amount: int, keys: Sequence[str] = (), units: Sequence[tuple[int, int]] = ()) -> None:
        self.amount, self.keys, self.units = amount, list(keys), list(units)


NOTHING = Counted(0)


def measured(
    goal: CompiledGoal, fact: Fact, basket: Basket, results: Sequence[RuleTrace], day: int
) -> Counted:
    """What an activity counts by the goal's measure, before the day's cap."""
    measure = goal.measure
    if basket.nothing and fact.type == SALE:
        return NOTHING
    if measure == "activities":
        return Counted(1)
    if measure == "spend":
        if goal.lines is None:
            return Counted(basket.spend(goal.base))
        return Counted(_own_part(basket, goal))
    if measure == "points":
        return Counted(sum(item.earned for item in results if item.currency == goal.currency))
    if measure == "units":
        units = _units(goal, basket, basket)
        return Counted(sum(count for _, count in units), units=units)
    if goal.distinct in ("category", "sku"):
        found = [
            getattr(line, goal.distinct) for line in basket.lines if goal.lines is None or goal.lines(line)
        ]
    elif goal.distinct == "day":
        found = [str(day)]
    else:
        found = [getattr(fact, goal.distinct) or ""]
    keys = list(dict.fromkeys(key for key in found if key))
    return Counted(len(keys), keys)


def _units(goal: CompiledGoal, sold: Basket, basket: Basket) -> list[tuple[int, int]]:
    """The (price, units) of the lines of a basket that count, at the prices at which they were sold."""
    units = []
    for first, line, paid in zip(sold.lines, basket.lines, sold.held, strict=False):
        if line.kind == "product" and line.quantity and (goal.lines is None or goal.lines(line)):
            units.append((paid // first.quantity, line.quantity))
    return units


def _own_part(basket: Basket, goal: CompiledGoal) -> int:
    """The spend on the lines that count, without its share that points paid."""
    base = basket.base(goal.base, goal.lines)
    paying = [tender.amount for tender in basket.tenders]
    if goal.base.points_part == "in" or all(tender.kind != "points" for tender in basket.tenders):
        return base
    parts = shares(base, paying)
    return sum(part for tender, part in zip(basket.tenders, parts, strict=True) if tender.kind != "points")


def is_kept(goal: CompiledGoal, window: Window) -> bool:
    """Whether a window is kept when it is closed: it gave something, stands somewhere, or is looked at by others."""
    moved = bool(window.granted) or window.position != goal.head_start
    return moved or (goal.measures and window.counted_at > 0)


class Goals(Tiers):
    """The goals of one member."""

    __slots__ = ()

    def _goal_window(self, plan: Plan, goal: CompiledGoal, state: GoalState, at: int, day: int) -> int | None:
        """The number of the window in which an activity of this instant counts; None where it counts in none."""
        if goal.window == LIFE:
            return 0
        if goal.window == DATES:
            return 0 if goal.since <= at < goal.until else None
        if goal.window == START:
            if state.began and at < state.began:
                return None
            if not state.began or at >= plan.clock.add_days(state.began, goal.days):
                if goal.opt_in:
                    return None
                state.began = at
            return state.began
        return period_number(plan.clock, goal.period, day)

    def _opened(self, goal: CompiledGoal, state: GoalState, number: int) -> Window | None:
        """The window with this number: the open one, a new one, or a closed one that was kept."""
        window = state.window
        if window.number == number:
            return window
        if number < window.number:
            return next((closed for closed in state.closed if closed.number == number), None)
        if is_kept(goal, window):
            state.closed = [*state.closed, window][-CLOSED_KEPT:]
        state.window = Window(number, goal.head_start)
        return state.window

    def _goal_state(self, goal: CompiledGoal) -> GoalState:
        state = self.state.goals.get(goal.key)
        if state is None:
            state = self.state.goals[goal.key] = GoalState(Window(0, goal.head_start), kind=goal.numbered)
        elif state.kind != goal.numbered:
            state.window, state.closed, state.began = Window(0, goal.head_start), [], 0
            state.kind = goal.numbered
        return state

    def _count_goals(
        self,
        plan: Plan,
        rules: ActivityPlan,
        context: Any,
        fact: Fact,
        basket: Basket,
        at: int,
        day: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Counts an activity for every goal that it meets, and gives what the steps reached bring."""
        for goal in rules.goals:
            known = self.state.goals.get(goal.key)
            if goal.opt_in and (known is None or not known.joined):
                continue
            match = goal.matches[fact.type]
            if match is not None and not match(context):
                continue
            counted = measured(goal, fact, basket, trace.rules, day)
            if not counted.amount:
                continue
            state = self._goal_state(goal)
            number = self._goal_window(plan, goal, state, fact.at, day)
            window = self._opened(goal, state, number) if number is not None else None
            if window is None:
                continue
            room = -1
            amount = min(counted.amount, goal.at_once)
            if goal.most_per_day >= 0:
                if day > state.day:
                    state.day, state.counted = day, 0
                room = trace.rooms.get(day_room(goal), 0) if trace.late else self.goal_room(goal, day)
                amount = min(amount, room)
            before = window.position
            keys = counted.keys
            if keys:
                # What is dropped behind the last step was not seen: it may come again.
                fresh = [key for key in keys if key not in window.seen]
                amount = goal.moved(before, len(fresh)) - before
                keys = [key for key in keys if key not in fresh[amount:]]
                for key in keys:
                    window.seen[key] = window.seen.get(key, 0) + 1
            window.position = goal.moved(before, amount)
            if state.day == day:
                state.counted += window.position - before
            if window.position > before:
                window.counted_at = fact.at
            if goal.free_unit:
                window.units.extend(_first(counted.units, window.position - before))
            trace.goals.append(
                GoalTrace(
                    goal.key,
                    window.number,
                    window.position - before,
                    before,
                    window.position,
                    room,
                    keys,
                )
            )
            self._reach(plan, goal, window, fact, at, transfers, trace)

    def _reach(
        self,
        plan: Plan,
        goal: CompiledGoal,
        window: Window,
        fact: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Gives the steps newly reached, or takes back the newest that no longer stand."""
        reached = goal.reached(window.position)
        steps = len(goal.thresholds)
        # What one activity brings can come back whole.
        kept = max(GRANTS_KEPT, reached - window.reached)
        while window.reached < reached:
            step = window.reached
            used: list[tuple[int, int]] = []
            worth = 0
            if goal.free_unit and step % steps == steps - 1:
                filled = goal.last - (goal.head_start if step < steps else 0)
                used = _first(window.units, filled)
                window.units = _after(window.units, filled)
                worth = _worth(used, goal.free_unit)
            cause = f"goal:{goal.key}:{step + 1}"
            lots = self._grant(plan, goal.given[step % steps], cause, fact, at, transfers, trace, worth=worth)
            window.granted = [*window.granted, Granted(lots, used)][-kept:]
            window.reached += 1
        while window.reached > reached and window.granted:
            undone = window.granted.pop()
            window.units = [*undone.units, *window.units]
            cause = f"goal:{goal.key}:{window.reached}"
            self._ungrant(plan, undone.lots, cause, fact, at, transfers, trace)
            window.reached -= 1

    def goal_room(self, goal: CompiledGoal, day: int) -> int:
        """What may still count for a goal on a local day that is the latest in which anything counted, or later."""
        state = self.state.goals.get(goal.key)
        counted = state.counted if state is not None and state.day == day else 0
        return max(0, goal.most_per_day - counted)

    def count_of_day(self, goal: CompiledGoal, day: int, counted: int) -> None:
        """Takes room under a goal's cap of a local day that is the latest in which anything counted, or later."""
        state = self._goal_state(goal)
        if day > state.day:
            state.day, state.counted = day, 0
        if state.day == day:
            state.counted += counted

    def _recount_goals(
        self,
        plan: Plan,
        judged: Plan,
        context: Any,
        sale: Fact,
        counted_before: Sequence[GoalTrace],
        held: Basket,
        kept: Basket,
        results: Sequence[RuleTrace],
        fact: Fact,
        at: int,
        day: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """What still counts of an activity after a return; `trace.goals` tells it for the next one.

        It is measured by the version that judged the activity; steps stand or fall by the present one.
        """
        for old in counted_before:
            goal = judged.goals.get(old.goal)
            state = self.state.goals.get(old.goal)
            if goal is None or state is None or state.kind != goal.numbered:
                continue
            counted = NOTHING
            if not kept.nothing:
                match = goal.matches[sale.type]
                if match is None or match(context):
                    counted = measured(goal, sale, kept, results, day)
            amount = min(counted.amount, old.counted)
            if old.room >= 0:
                amount = min(amount, old.room)
            window = next((item for item in (state.window, *state.closed) if item.number == old.window), None)
            if window is None:
                continue
            before = window.position
            if goal.measure == "distinct":
                amount = old.counted
                for key in old.keys:
                    if key not in counted.keys and key in window.seen:
                        window.seen[key] -= 1
                        if not window.seen[key]:
                            del window.seen[key]
                            amount -= 1
            window.position += amount - old.counted
            if state.day == day:
                state.counted += amount - old.counted
            kept_keys = [key for key in old.keys if key in counted.keys]
            trace.goals.append(
                GoalTrace(old.goal, old.window, amount, before, window.position, old.room, kept_keys)
            )
            self._reach(plan, plan.goals.get(old.goal, goal), window, fact, at, transfers, trace)
            if goal.free_unit:
                # What came back of an amount before makes no other units of those that are left.
                sold = Basket(sale)
                left = _units(goal, sold, kept) if counted.amount else []
                gone = _less_units(_units(goal, sold, held), left)
                window.units = _without(window.units, gone, old.counted - amount)

    def _opt(self, plan: Plan, fact: Fact, at: int, joins: bool) -> None:
        """Opts in to a goal or out of it. A window that counts from its start begins with opting in, each time anew."""
        goal = plan.goals.get(str(fact.attributes.get("goal", "")))
        if goal is None:
            return
        state = self._goal_state(goal)
        over = not state.joined or at >= plan.clock.add_days(state.began, goal.days)
        if joins and goal.window == START and over:
            state.began = at
            self._opened(goal, state, at)
        state.joined = joins


def _first(units: Sequence[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """The first so many units of a list of (price, units)."""
    taken = []
    for price, number in units:
        part = min(number, count)
        if part:
            taken.append((price, part))
            count -= part
    return taken


def _after(units: Sequence[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """What is left of (price, units) behind the first so many."""
    left = []
    for price, number in units:
        part = min(number, count)
        count -= part
        if number > part:
            left.append((price, number - part))
    return left


def _less_units(units: Sequence[tuple[int, int]], kept: Sequence[tuple[int, int]]) -> dict[int, int]:
    """How many units of each price are among these and not among those."""
    gone: dict[int, int] = {}
    for parts, sign in ((units, 1), (kept, -1)):
        for price, number in parts:
            gone[price] = gone.get(price, 0) + sign * number
    return gone


def _without(units: Sequence[tuple[int, int]], gone: dict[int, int], count: int) -> list[tuple[int, int]]:
    """The units without so many: the last ones of the prices that came back, then the last of all."""
    left = []
    for price, number in reversed(units):
        part = max(0, min(number, count, gone.get(price, 0)))
        if part:
            gone[price] -= part
            count -= part
        if number > part:
            left.append((price, number - part))
    return _after(left, count)[::-1]


def _worth(units: Sequence[tuple[int, int]], policy: str) -> int:
    """The most a free unit is worth by the units that filled its card: the cheapest's price, or the average."""
    if not units:
        return 0
    if policy == "cheapest":
        return min(price for price, _ in units)
    return sum(price * number for price, number in units) // sum(number for _, number in units)
