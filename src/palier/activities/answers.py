"""What is answered about one line: the outcome, and for an applied activity what it brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from palier.engine.amounts import from_minor
from palier.engine.plan import Plan
from palier.engine.refusals import Refusal
from palier.engine.trace import Trace

Status = Literal["applied", "duplicate", "refused", "parked"]


class Result(Struct, frozen=True):
    """The outcome of one line. `activity_id` and `member_id` are 0 where there is none.

    `said` is what was made of it as soon as it was decided, where that was asked for; it has no trace then.
    """

    source: str
    id: str
    status: Status
    member_id: int = 0
    activity_id: int = 0
    version: int = 0
    tier: str = ""
    trace: Trace | None = None
    refusal: Refusal | None = None
    replayed: Status | None = None
    said: bytes = b""


class NotDone(Exception):
    """A command was refused in a way that leaves nothing behind; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def points_text(minor: int, plan: Plan, currency: str) -> str:
    """Points of a currency as decimal text at its scale."""
    found = plan.currencies.get(currency)
    return from_minor(minor, found.scale if found is not None else 0)


def drawn(trace: Trace) -> list[dict[str, Any]]:
    """What was drawn: the field, counted from 1, and its prize; None where it was sold out."""
    return [{"game": game, "field": field + 1, "prize": prize or None} for game, field, prize in trace.draws]


def granted(trace: Trace, plan: Plan) -> list[dict[str, Any]]:
    """What mechanics gave, or took back."""
    return [
        {
            "cause": item.cause,
            "currency": item.currency,
            "points": points_text(item.points, plan, item.currency),
            "pending": item.pending,
        }
        for item in trace.grants
    ]


def body(result: Result, plan: Plan) -> dict[str, Any]:
    """The JSON form of a result: what a till shows and an integrator stores."""
    answer: dict[str, Any] = {"source": result.source, "id": result.id, "status": result.status}
    if result.refusal is not None:
        answer["code"] = result.refusal.code.value
        answer["message"] = result.refusal.message
        if result.refusal.field:
            answer["field"] = result.refusal.field
        if result.refusal.remedy:
            answer["remedy"] = result.refusal.remedy
    trace = result.trace
    if trace is None:
        return answer
    answer["program_version"] = result.version
    answer["tier"] = result.tier
    earned: dict[str, int] = {}
    for item in trace.rules:
        earned[item.currency] = earned.get(item.currency, 0) + item.earned
    answer["points"] = {currency: points_text(minor, plan, currency) for currency, minor in earned.items()}
    answer["rules"] = [
        {
            "rule": item.rule,
            "currency": item.currency,
            "points": points_text(item.earned, plan, item.currency),
            "pending": item.pending,
            **({"limit": item.limit} if item.limit else {}),
        }
        for item in trace.rules
    ]
    if trace.after:
        answer["spendable"] = {key: points_text(value, plan, key) for key, value in trace.after.items()}
    if trace.tier_after:
        answer["tier_reached"] = trace.tier_after
    if trace.draws:
        answer["draws"] = drawn(trace)
    if trace.grants:
        answer["granted"] = granted(trace, plan)
    if trace.score >= 0:
        answer["score"] = trace.score
    if trace.cut:
        answer["warning"] = "more was returned than was left of the sale; the rest was ignored"
    return answer


def counts(results: Mapping[int, Result] | list[Result]) -> dict[str, int]:
    """How many lines came out each way; the four add up to the lines sent."""
    values = results.values() if isinstance(results, Mapping) else results
    tally = {"applied": 0, "duplicate": 0, "refused": 0, "parked": 0}
    for result in values:
        tally[result.status] += 1
    return tally
