"""One history told to the engine and to the small model, and both end states in one plain form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from palier.engine.decide import Fold
from palier.engine.decisions import key_of
from palier.engine.facts import (
    COMMANDS,
    DERIVED,
    RETURN,
    Fact,
    Inputs,
    Known,
    Line,
    Reference,
    ReturnedLine,
    Tender,
)
from palier.engine.history import fold
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.state import NEVER
from tests.model import model

COLUMNS = ("earned", "redeemed", "expired", "reversed", "held", "remaining")
METRICS = ("spend", "points", "visits")


def timeline(program: Program) -> Timeline:
    """One version that judges every instant."""
    return Timeline([(0, NEVER, Plan(program, 1))])


def reference(value: dict[str, str] | None) -> Reference | None:
    return Reference(value["source"], value["id"]) if value else None


def fact_of(told: model.Fact) -> Fact:
    """A fact of the model as the engine takes it."""
    is_return = told["type"] == "return"
    lines = told.get("lines") or []
    return Fact(
        told["source"],
        told["id"],
        told["type"],
        told["at"],
        amount=told.get("amount", 0),
        tax=told.get("tax", 0),
        shipping=told.get("shipping", 0),
        discount=told.get("discount", 0),
        lines=()
        if is_return
        else tuple(
            Line(
                each["category"],
                each["sku"],
                each.get("quantity", 1),
                each["amount"],
                each.get("kind", "product"),
            )
            for each in lines
        ),
        tenders=tuple(
            Tender(each["kind"], each["amount"], reference(each.get("redemption")))
            for each in told.get("tenders") or []
        ),
        channel=told.get("channel"),
        location=told.get("location"),
        partner=told.get("partner"),
        attributes=told.get("attributes") or {},
        sale=reference(told.get("sale")),
        returned=tuple(ReturnedLine(each["line"], each["amount"]) for each in lines) if is_return else (),
        whole=bool(told.get("whole")),
        points=told.get("points", 0),
        currency=told.get("currency", ""),
        hold=reference(told.get("hold")),
        hold_until=told.get("hold_until", 0),
        undoes=reference(told.get("undoes")),
    )


def known_of(told: model.Fact, activity_id: int = 0) -> Known:
    inputs = Inputs(member=told.get("member") or {}, segments=tuple(told.get("segments") or ()))
    return Known(fact_of(told), inputs, activity_id)


def knowns_of(history: Iterable[model.Fact]) -> list[Known]:
    return [known_of(told, number) for number, told in enumerate(history, start=1)]


def engine_end(
    program: Program, history: Iterable[model.Fact], as_of: int, line: Timeline | None = None
) -> dict[str, Any]:
    """What the engine comes to at an instant, from the facts that act until then."""
    engine = fold(line or timeline(program), knowns_of(history), until=as_of)
    engine.advance(as_of)
    return state_of(engine, program, as_of)


def state_of(engine: Fold, program: Program, as_of: int) -> dict[str, Any]:
    """A fold in plain form. Brings the tier's metrics to the instant."""
    plan = engine.timeline.at(as_of)
    assert plan is not None
    state = engine.state
    result: dict[str, Any] = {}
    for currency in program.point_currencies:
        wallet = state.wallets.get(currency.key)
        lots: dict[tuple[int | None, str], dict[str, int]] = {}
        for lot in wallet.lots if wallet is not None else []:
            if not lot.earned:
                continue
            place = (lot.expires_at if lot.expires_at < NEVER else None, lot.funder)
            row = lots.setdefault(place, {**dict.fromkeys(COLUMNS, 0), "first_earned": lot.first_earned})
            for column in COLUMNS:
                row[column] += getattr(lot, column)
            row["first_earned"] = min(row["first_earned"], lot.first_earned)
        result[currency.key] = {
            "lots": lots,
            "pending": sum(entry.amount for entry in wallet.pending) if wallet is not None else 0,
            "debt": wallet.debt if wallet is not None else 0,
            "posted": sum(row["remaining"] + row["held"] for row in lots.values()),
            "held": sum(row["held"] for row in lots.values()),
        }
    result["tier"] = None
    result["tier_until"] = None
    result["tier_history"] = []
    result["metrics"] = []
    ladder = plan.ladder
    if ladder is not None:
        engine._roll(plan, as_of)
        result["tier"] = state.tier.key or ladder.keys[0]
        result["tier_until"] = state.tier.held_until or None
        result["tier_history"] = [
            (decision.at, decision.trace.tier_after)
            for decision in engine.decisions
            if decision.trace.tier_after
        ]
        windows = [state.tier.current]
        if ladder.kind == "calendar":
            windows.append(state.tier.previous)
        result["metrics"] = [dict(zip(METRICS, window, strict=True)) for window in windows]
    earned: dict[tuple[str, str], dict[str, int]] = {}
    for decision in engine.decisions:
        if decision.type == RETURN or decision.type in COMMANDS or decision.type in DERIVED:
            continue
        record = engine.sales.get(key_of(decision.source, decision.id))
        sums = dict.fromkeys((currency.key for currency in program.point_currencies), 0)
        for item in record.results if record is not None else decision.trace.rules:
            sums[item.currency] += item.earned
        earned[decision.source, decision.id] = sums
    result["earned"] = earned
    return result


def model_end(program: Program, history: list[model.Fact], as_of: int) -> dict[str, Any]:
    """What the small model comes to at an instant, in the same form."""
    end = model.fold(program, history).end(as_of)
    result: dict[str, Any] = {}
    for key, wallet in end.currencies.items():
        result[key] = {
            "lots": wallet.lots,
            "pending": wallet.pending,
            "debt": wallet.debt,
            "posted": wallet.posted,
            "held": wallet.held,
        }
    result["tier"] = end.tier
    result["tier_until"] = end.tier_until
    result["tier_history"] = end.tier_history
    result["metrics"] = end.metrics
    result["earned"] = end.earned
    return result


def disagreements(ours: dict[str, Any], theirs: dict[str, Any], path: str = "") -> list[str]:
    """Where two end states differ, one line each: the engine's value first."""
    found = []
    for key in sorted({*ours, *theirs}, key=str):
        here = f"{path}.{key}" if path else str(key)
        left, right = ours.get(key), theirs.get(key)
        if isinstance(left, dict) and isinstance(right, dict):
            found += disagreements(left, right, here)
        elif left != right:
            found.append(f"{here}: engine {left!r}, model {right!r}")
    return found


def compare(program: Program, history: list[model.Fact], as_of: int) -> list[str]:
    return disagreements(engine_end(program, history, as_of), model_end(program, history, as_of))
