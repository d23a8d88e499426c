"""What an activity would bring a member if he did it now: decided like any other, and rolled back."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, queries, wire
from palier.activities.doing import SOURCE
from palier.activities.runtime import Runtime
from palier.engine import explain
from palier.engine.amounts import from_minor
from palier.engine.clock import moment
from palier.engine.explain import Step, Told
from palier.engine.facts import SALE, Fact, Inputs
from palier.engine.plan import PERIODS, Plan
from palier.engine.refusals import Refusal
from palier.engine.trace import Trace
from palier.members import refs


class Foretold(Struct, frozen=True):
    """What a sale of so much would bring now: sums by currency, and what explains them.

    What chance brings is not foretold.
    """

    plan: Plan
    fact: Fact
    inputs: Inputs
    trace: Trace
    points: dict[str, int]

    def steps(self, language: str) -> list[Step]:
        """One line for each thing that would bring something; where nothing would, none."""
        told = Told(self.fact.type, self.trace, self.fact.at, (), self.fact)
        return [step for step in explain.lines(told, self.plan, language) if step.title or step.points]

    def why_not(self, language: str) -> list[str]:
        """Rules that would bring nothing but nearly would, with the smallest change that makes them."""
        return explain.why_not(self.plan, self.fact, self.trace, language, self.inputs)


class Room(Struct, frozen=True):
    """What a cap still leaves in its period: `period` is day, week, month, year or lifetime; points in minor units."""

    rule: str
    period: str
    currency: str
    left: int
    limit: int


class Rooms(Struct, frozen=True):
    """What caps leave a member now, rule by rule, the tightest period first; the version in force, and his tier."""

    plan: Plan
    tier: str
    rooms: tuple[Room, ...]


def sale(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    amount: int,
    *,
    attributes: dict[str, str | int | bool],
    now: int,
) -> Foretold | None:
    """What a purchase of `amount` minor units would bring now; None where it would be refused. Writes nothing.

    `attributes` are the member's, as conditions read them.
    """
    wired = wire.WireActivity(
        SOURCE, f"foretold:{refs.encode(member_id)}", SALE, moment(now).isoformat(),
        amount=msgspec.Raw(from_minor(amount, runtime.latest.exponent).encode()), channel=SOURCE,
    )  # fmt: skip
    read = wire.to_fact(wired, runtime.timeline, runtime.key, now=now)
    if isinstance(read, Refusal):
        return None
    result = batch.apply(connection, runtime, [read], now=now, dry_run=True, known_members=[member_id])[0]
    if result.trace is None:
        return None
    points: dict[str, int] = {}
    for rule in result.trace.rules:
        points[rule.currency] = points.get(rule.currency, 0) + rule.earned
    for grant in result.trace.grants:
        if not grant.cause.startswith("game:"):
            points[grant.currency] = points.get(grant.currency, 0) + grant.points
    plan = runtime.timeline.plan_of(result.trace.version) or runtime.latest
    return Foretold(plan, read.fact, Inputs(member=attributes), result.trace, points)


def rooms(connection: Connection[Any], runtime: Runtime, member_id: int, *, now: int) -> Rooms:
    """What caps leave a member now."""
    state = queries.state_now(connection, runtime, member_id, now=now)
    plan = runtime.at(now)
    today = plan.clock.periods(plan.clock.local(now)[0])
    names = {number: name for name, number in PERIODS.items()}
    found = []
    for rule in plan.program.rules:
        compiled = plan.rules[rule.key]
        for cap in sorted(
            (cap for caps in plan.caps_of(compiled) for cap in caps.periods), key=lambda cap: cap.period
        ):
            counter = state.used.get(cap.key)
            used = counter[1] if counter is not None and counter[0] == today[cap.period] else 0
            found.append(
                Room(rule.key, names[cap.period], compiled.currency, max(0, cap.limit - used), cap.limit)
            )
    return Rooms(plan, state.tier.key or plan.levels[0], tuple(found))
