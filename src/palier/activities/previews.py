"""What activities would bring a member, each by itself: decided in memory, nothing written, nothing locked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import sharing, store
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY
from palier.engine.decide import Fold
from palier.engine.facts import SALE, Fact, Inputs, Known
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.refusals import Refusal
from palier.engine.state import NEVER, MemberState, copied, decode_state
from palier.engine.trace import Trace

YEAR = 365 * DAY

_STATE = """
-- activities.state_for_preview
select state from progress where member_id = %s and program_id = %s
"""


class Preview(Struct, frozen=True):
    """What one activity would bring, in minor units by point currency, without what chance brings; and the tier
    it would take the member to ("": none)."""

    points: dict[str, int]
    tier_reached: str


def previews(
    connection: Connection[Any], runtime: Runtime, member_id: int | None, facts: Sequence[Fact], *, now: int
) -> list[Preview | None]:
    """What each of these activities would bring if it alone came now; None for one that would be refused.

    Without a member, it is what somebody new gets who is nothing yet. The instants of the facts are put at `now`
    (microseconds UTC) or just after what was decided already. Decided as the intake decides, by the same inputs: the
    member's attributes and time zone, and what is left of limits that all members share. Two reads for a member, at
    most one for nobody.
    """
    attributes, zone, state = _known(connection, runtime, member_id)
    if state is None:
        return [None] * len(facts)
    shared: dict[str, int] | None = None
    found: list[Preview | None] = []
    for fact in facts:
        fresh = copied(state)
        dated = msgspec.structs.replace(fact, at=max(now, fresh.latest + 1, fresh.due_done))
        plan = runtime.timeline.at(dated.at)
        if plan is None:
            found.append(None)
            continue
        limits = plan.shared_limits(dated) if plan.shares else {}
        if limits and shared is None:
            shared = sharing.used(connection, runtime.program_id)
        used = shared or {}
        inputs = Inputs(
            member={name: attributes[name] for name in plan.member_fields if name in attributes},
            zone=zone if plan.zoned else "",
            allotted={key: max(0, most - used.get(key, 0)) for key, most in limits.items()},
        )
        decided = Fold(runtime.timeline, fresh).decide(Known(dated, inputs), live=True)
        if isinstance(decided, Refusal):
            found.append(None)
            continue
        found.append(Preview(brought(decided.trace), decided.trace.tier_after))
    return found


def _known(
    connection: Connection[Any], runtime: Runtime, member_id: int | None
) -> tuple[dict[str, Any], str, MemberState | None]:
    if member_id is None:
        return {}, "", MemberState()
    row = connection.execute(
        store.STANDING, {"members": [member_id], "program": runtime.program_id}
    ).fetchone()
    state = connection.execute(_STATE, (member_id, runtime.program_id)).fetchone()
    if row is None or state is None or row[1] == "erased":
        return {}, "", None
    return msgspec.json.decode(row[2]), row[3] or "", decode_state(state[0])


class Year(Struct, frozen=True):
    """What a year of equal sales brings: `spent` and `points` in minor units, the tier held at its end ("": none)."""

    sales: int
    spent: int
    points: dict[str, int]
    tier: str


def yearly(program: Program, amount: int, a_month: int, *, now: int) -> Year:
    """What somebody new gets who buys for `amount` (minor units) so many times a month in the year after `now`.

    Decided by the engine, in memory, by the document alone: what depends on anybody else, on chance or on what is in
    the basket is not in it. What is refused brings nothing.
    """
    plan = Plan(program, 1)
    timeline = Timeline([(min(now, 0), NEVER, plan)])
    state = MemberState()
    fold = Fold(timeline, state)
    every = YEAR // (12 * a_month)
    points: dict[str, int] = {}
    for number in range(12 * a_month):
        at = now + number * every
        fact = Fact("preview", f"s{number}", SALE, at, amount=amount)
        limits = plan.shared_limits(fact) if plan.shares else {}
        decided = fold.decide(Known(fact, Inputs(allotted=dict(limits))))
        if not isinstance(decided, Refusal):
            for key, minor in brought(decided.trace).items():
                points[key] = points.get(key, 0) + minor
    return Year(12 * a_month, 12 * a_month * amount, points, state.tier.key)


def brought(trace: Trace) -> dict[str, int]:
    """What an activity brings by its trace, in minor units by point currency; what chance brings is left out."""
    points: dict[str, int] = {}
    for rule in trace.rules:
        points[rule.currency] = points.get(rule.currency, 0) + rule.earned
    for grant in trace.grants:
        if not grant.cause.startswith("game:"):
            points[grant.currency] = points.get(grant.currency, 0) + grant.points
    return {key: minor for key, minor in points.items() if minor}
