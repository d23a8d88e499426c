"""Goals and streaks of the engine beside those of the small model, on random histories."""

from __future__ import annotations

import os
from collections import Counter
from datetime import date
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from palier.engine.compiled import PERIOD, CompiledGoal, period_start
from palier.engine.decide import Fold
from palier.engine.facts import Known
from palier.engine.history import fold
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.state import NEVER
from tests.engine import mechanics
from tests.model.cases import DAY
from tests.model.mechanics import Mechanics, mechanics_of

EXAMPLES = int(os.environ.get("MECHANICS_EXAMPLES", "60")) * 3


def told_alike(program: Program) -> Program:
    """The program without what the model leaves to others: points of rules, tokens."""
    return msgspec.structs.replace(
        program,
        goals=[goal for goal in program.goals if goal.measure != "points"],
        streaks=[msgspec.structs.replace(streak, freeze=None) for streak in program.streaks],
    )


def windows(engine: Fold, plan: Plan) -> dict[tuple[str, Any], int]:
    """(goal, first day or instant of the window) -> the position, of every window that the state has."""

    def named(goal: CompiledGoal, number: int) -> Any:
        if goal.window != PERIOD:
            return number
        return date.fromordinal(plan.clock.local(period_start(plan.clock, goal.period, number))[0])

    return {
        (key, named(plan.goals[key], window.number)): window.position
        for key, goal in engine.state.goals.items()
        for window in (goal.window, *goal.closed)
        if window.number or plan.goals[key].window != PERIOD
    }


def net(engine: Fold) -> Counter[tuple[str, str]]:
    """What goals and streaks gave and did not take back, by the traces of all decisions."""
    found: Counter[tuple[str, str]] = Counter()
    for decision in engine.decisions:
        for item in decision.trace.grants:
            if item.cause.startswith(("goal:", "streak:")):
                found[item.cause.split(":")[1], item.currency] += item.points
    return Counter({key: number for key, number in found.items() if number})


def disagreements(engine: Fold, plan: Plan, model: Mechanics) -> list[str]:
    found = []
    for (key, window), position in windows(engine, plan).items():
        goal = next(goal for goal in model.program.goals if goal.key == key)
        there = model.position(goal, window)
        if position != there:
            found.append(f"goal {key} in {window}: engine {position}, model {there}")
    if net(engine) != model.given():
        found.append(f"given: engine {net(engine)}, model {model.given()}")
    for streak in model.program.streaks:
        state = engine.state.streaks.get(streak.key)
        running = [run for run in model.runs[streak.key] if not run.over]
        there = max((model.length(streak, run) for run in running), default=0)
        if (state.length if state is not None else 0) != there:
            found.append(f"streak {streak.key}: engine {state}, model {there}")
    return found


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(st.data())
def test_goals_and_streaks_are_what_is_kept_of_the_activities(data: st.DataObject) -> None:
    program = told_alike(data.draw(mechanics.programs()))
    knowns: list[Known] = data.draw(mechanics.histories(program, 14))
    last = max(known.fact.at for known in knowns) + data.draw(st.sampled_from([0, DAY, 40 * DAY]))
    plan = Plan(program, 1)
    engine = fold(Timeline([(0, NEVER, plan)]), knowns)
    engine.advance(last)
    assert disagreements(engine, plan, mechanics_of(program, knowns, last)) == []
