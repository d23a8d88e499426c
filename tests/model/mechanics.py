"""The small model of goals and streaks: what must stand, recomputed from what is kept of each activity.

Like the rest of the model it is written from the meaning of the words, shares nothing with the engine but the
document's types and the engine's facts, and keeps no state that could be wrong: each activity has one entry of
what it counts, a place in a goal is the sum of entries, and a run of a streak is a list of periods with the
activities in each.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from palier.engine import mechanics as words
from palier.engine import program as document
from palier.engine.facts import Fact, Known
from tests.model.model import add_days, day_start, exact, kept_of, local

Ref = tuple[str, str]


@dataclass
class Entry:
    """What one activity counts for one goal: at most `most`, now `counted`; the distinct values it brought."""

    window: Any
    day: date
    most: int
    counted: int
    keys: list[str] = field(default_factory=list)


@dataclass
class Run:
    """Consecutive periods from `first` on, each with the activities in it; whether it is over."""

    first: int
    periods: list[list[Ref]]
    zone: ZoneInfo
    over: bool = False


class Kept:
    """An activity, its returns so far, and what is kept of it."""

    def __init__(self, fact: Fact) -> None:
        self.fact = fact
        self.returns: list[Fact] = []

    @property
    def sale(self) -> dict[str, Any]:
        fact = self.fact
        told = {
            "amount": fact.amount,
            "lines": [
                {
                    "category": line.category,
                    "sku": line.sku,
                    "quantity": line.quantity,
                    "amount": line.amount,
                    "kind": line.kind,
                }
                for line in fact.lines
            ],
        }
        returns = [
            {
                "whole": back.whole,
                "amount": back.amount,
                "lines": [
                    {"line": item.line, "amount": item.amount, "quantity": item.quantity}
                    for item in back.returned
                ],
            }
            for back in self.returns
        ]
        return kept_of(told, returns)

    @property
    def gone(self) -> bool:
        if self.fact.amount or self.fact.type == "sale":
            return bool(self.sale["amount"] == 0)
        return any(back.whole for back in self.returns)


def order(knowns: list[Known]) -> list[tuple[int, Known]]:
    """(instant at which it acts, fact), in the order of the fold."""
    own = {(known.fact.source, known.fact.id): known.fact for known in knowns}
    ranked = []
    for known in knowns:
        fact = known.fact
        place: tuple[Any, ...] = (fact.at, 1 if fact.type == "redeem" else 0, fact.source, fact.id)
        if fact.type == "return":
            assert fact.sale is not None
            sale = own[fact.sale.source, fact.sale.id]
            if fact.at <= sale.at:
                place = (sale.at, 0, sale.source, sale.id, *place)
        ranked.append((place, known))
    ranked.sort(key=lambda item: item[0])
    return [(place[0], known) for place, known in ranked]


class Mechanics:
    """One member's goals and streaks after his facts. `points_of` says what rules brought an activity, kept."""

    def __init__(self, program: document.Program) -> None:
        self.program = program
        self.zone = ZoneInfo(program.time_zone)
        self.kept: dict[Ref, Kept] = {}
        self.entries: dict[str, dict[Ref, Entry]] = {goal.key: {} for goal in program.goals}
        self.joined: set[str] = set()
        self.began: dict[str, int] = {}
        self.runs: dict[str, list[Run]] = {streak.key: [] for streak in program.streaks}

    def act(self, at: int, known: Known) -> None:
        self.lapse(at)
        fact = known.fact
        if fact.type == "return":
            self.back(at, fact)
            return
        self.kept[fact.source, fact.id] = Kept(fact)
        if fact.type == "sale" and not fact.amount:
            return
        for goal in self.program.goals:
            if fact.type in goal.on and (not goal.opt_in or goal.key in self.joined):
                self.count(goal, fact)
        for streak in self.program.streaks:
            if fact.type in streak.on:
                zone = (
                    ZoneInfo(known.inputs.zone)
                    if streak.zone == "member" and known.inputs.zone
                    else self.zone
                )
                self.visit(streak, fact, zone)
        goal_key = str(fact.attributes.get("goal", ""))
        if fact.type == "opt_in":
            goal = next(goal for goal in self.program.goals if goal.key == goal_key)
            window = goal.window
            if isinstance(window, words.WindowFromStart):
                began = self.began.get(goal_key, 0)
                if goal_key not in self.joined or at >= add_days(began, window.days, self.zone):
                    self.began[goal_key] = at
            self.joined.add(goal_key)
        elif fact.type == "opt_out":
            self.joined.discard(goal_key)

    def back(self, at: int, fact: Fact) -> None:
        assert fact.sale is not None
        name = (fact.sale.source, fact.sale.id)
        kept = self.kept[name]
        was_gone = kept.gone
        kept.returns.append(fact)
        for goal in self.program.goals:
            entry = self.entries[goal.key].get(name)
            if entry is not None:
                self.recount(goal, entry, kept)
        if kept.gone and not was_gone:
            for streak in self.program.streaks:
                self.leave(streak, name, at)

    # -- goals --

    def measured(self, goal: words.Goal, kept: Kept, day: date) -> tuple[int, list[str]]:
        """How much, and which distinct values, what is kept of an activity has by the goal's measure."""
        fact, sale = kept.fact, kept.sale
        if kept.gone or not self.meets(goal, sale):
            return 0, []
        lines = [line for line in sale["lines"] if not line.get("gone")]
        if goal.lines is not None:
            lines = [line for line in lines if line["category"] == goal.lines.is_]
        if goal.measure == "activities":
            return 1, []
        if goal.measure == "spend":
            return sale["amount"], []
        if goal.measure == "units":
            return sum(line["quantity"] for line in lines), []
        if goal.measure == "points":
            raise NotImplementedError("what rules bring is the concern of the other model")
        if goal.distinct == "day":
            return 1, [day.isoformat()]
        assert goal.distinct == "category", fact
        values = sorted({line["category"] for line in lines})
        return len(values), values

    def meets(self, goal: words.Goal, sale: dict[str, Any]) -> bool:
        if goal.when is None:
            return True
        assert goal.when.field == "amount"
        return bool(sale["amount"] >= exact(str(goal.when.at_least), 2))

    def window_of(self, goal: words.Goal, at: int) -> Any:
        """What names the window in which an instant lies: its first day or instant; None outside."""
        window = goal.window
        if isinstance(window, words.WindowDates):
            first, last = date.fromisoformat(window.from_), date.fromisoformat(window.until)
            return 0 if first <= local(at, self.zone).date() <= last else None
        if isinstance(window, words.WindowFromStart):
            began = self.began.get(goal.key)
            if began is None or at >= add_days(began, window.days, self.zone):
                if goal.opt_in:
                    return None
                began = self.began[goal.key] = at
            return began
        if isinstance(window, words.WindowPeriod):
            return first_day(local(at, self.zone).date(), window.period)
        return 0

    def position(self, goal: words.Goal, window: Any) -> Fraction:
        """The place in a window: the head start, and what every activity in it counts."""
        start = exact(goal.head_start, self.places(goal))
        entries = [entry for entry in self.entries[goal.key].values() if entry.window == window]
        if goal.measure == "distinct":
            return start + len({key for entry in entries for key in entry.keys})
        return start + sum(entry.counted for entry in entries)

    def places(self, goal: words.Goal) -> int:
        return 2 if goal.measure == "spend" else 0

    def steps_at(self, goal: words.Goal, position: Fraction) -> list[int]:
        """The steps (from 0) that stand at a place, round after round."""
        thresholds = [exact(step.at, self.places(goal)) for step in goal.steps]
        found: list[int] = []
        rounds = (goal.most_rounds or 10**9) if goal.repeat else 1
        done = Fraction(0)
        while thresholds and rounds:
            found += [number for number, threshold in enumerate(thresholds) if done + threshold <= position]
            if done + thresholds[-1] > position:
                break
            done += thresholds[-1]
            rounds -= 1
        return found

    def count(self, goal: words.Goal, fact: Fact) -> None:
        day = local(fact.at, self.zone).date()
        amount, keys = self.measured(goal, self.kept[fact.source, fact.id], day)
        if not amount:
            return
        window = self.window_of(goal, fact.at)
        if window is None:
            return
        if goal.most_per_day is not None:
            whole = goal.most_per_day * 10 ** self.places(goal)
            same_day = [entry for entry in self.entries[goal.key].values() if entry.day == day]
            amount = min(amount, whole - sum(entry.counted for entry in same_day))
        before = self.position(goal, window)
        if keys:
            there = [entry for entry in self.entries[goal.key].values() if entry.window == window]
            seen = {key for entry in there for key in entry.keys}
            amount = len([key for key in keys if key not in seen])
        left = self.to_the_end(goal, before)
        if left is not None and amount > left:
            amount = int(left)
            assert not keys, "which of several new values is dropped is not the model's concern"
        self.entries[goal.key][fact.source, fact.id] = Entry(window, day, amount, amount, keys)

    def to_the_end(self, goal: words.Goal, position: Fraction) -> Fraction | None:
        """What is missing to the end of the round, where more than that is dropped."""
        if not goal.repeat or goal.surplus != "reset":
            return None
        last = exact(goal.steps[-1].at, self.places(goal))
        return last - position % last

    def recount(self, goal: words.Goal, entry: Entry, kept: Kept) -> None:
        amount, keys = self.measured(goal, kept, entry.day)
        entry.counted = min(entry.counted, amount)
        entry.keys = [key for key in entry.keys if key in keys]

    # -- streaks --

    def number(self, streak: words.Streak, day: date) -> int:
        if streak.period == "day":
            return day.toordinal()
        if streak.period == "week":
            return (day - timedelta(days=day.weekday())).toordinal() // 7
        return day.year * 12 + day.month

    def ends(self, streak: words.Streak, number: int, zone: ZoneInfo) -> int:
        """The first instant behind a period."""
        if streak.period == "day":
            return day_start(date.fromordinal(number + 1), zone)
        if streak.period == "week":
            monday = date.fromordinal(number * 7 + 1)
            monday -= timedelta(days=monday.weekday())
            return day_start(monday + timedelta(days=7), zone)
        return day_start(date(number // 12, number % 12 + 1, 1), zone)

    def lapse(self, at: int) -> None:
        for streak in self.program.streaks:
            assert streak.freeze is None
            for run in self.runs[streak.key]:
                if not run.over and run.periods:
                    done = len(run.periods[-1]) >= streak.least
                    missed = run.first + len(run.periods) - (0 if done else 1)
                    run.over = self.ends(streak, missed, run.zone) <= at

    def visit(self, streak: words.Streak, fact: Fact, zone: ZoneInfo) -> None:
        number = self.number(streak, local(fact.at, zone).date())
        name = (fact.source, fact.id)
        running = [run for run in self.runs[streak.key] if not run.over and run.periods]
        if running:
            [run] = running
            if number < run.first:
                return
            place = number - run.first
            if place < len(run.periods):
                run.periods[place].append(name)
                run.zone = zone
                return
            if place == len(run.periods) and len(run.periods[-1]) >= streak.least:
                run.periods.append([name])
                run.zone = zone
                return
            run.over = True
        self.runs[streak.key].append(Run(number, [[name]], zone))

    def leave(self, streak: words.Streak, name: Ref, at: int) -> None:
        for run in [*self.runs[streak.key]]:
            for place, there in enumerate(run.periods):
                if name not in there:
                    continue
                there.remove(name)
                past = place < len(run.periods) - 1 or run.over
                past = past or self.ends(streak, run.first + place, run.zone) <= at
                if len(there) < streak.least and past:
                    self.runs[streak.key].append(Run(run.first, run.periods[:place], run.zone, over=True))
                    run.first += place + 1
                    del run.periods[: place + 1]
                if not any(run.periods):
                    run.periods = []
                break

    def length(self, streak: words.Streak, run: Run) -> int:
        return sum(len(there) >= streak.least for there in run.periods)

    # -- what stands --

    def given(self) -> Counter[tuple[str, str]]:
        """(goal or streak, point currency) -> units that its steps have given and not taken back."""
        found: Counter[tuple[str, str]] = Counter()
        for goal in self.program.goals:
            for window in {entry.window for entry in self.entries[goal.key].values()}:
                for number in self.steps_at(goal, self.position(goal, window)):
                    for grant in goal.steps[number].grants:
                        found[goal.key, grant.currency] += int(grant.points)
        for streak in self.program.streaks:
            for run in self.runs[streak.key]:
                reached = self.length(streak, run)
                for step in streak.steps:
                    times = int(reached >= step.at)
                    if streak.repeat and step is streak.steps[-1]:
                        times = reached // step.at
                    for grant in step.grants:
                        found[streak.key, grant.currency] += times * int(grant.points)
        return Counter({key: number for key, number in found.items() if number})


def first_day(day: date, period: str) -> date:
    """The first day of the calendar period of a day."""
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "day":
        return day
    month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}[period]
    return date(day.year, month, 1)


def mechanics_of(program: document.Program, knowns: list[Known], as_of: int) -> Mechanics:
    """What goals and streaks come to at an instant."""
    model = Mechanics(program)
    for at, known in order(knowns):
        model.act(at, known)
    model.lapse(as_of)
    return model


__all__ = ["Mechanics", "mechanics_of"]
