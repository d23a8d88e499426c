"""Expiry written in few columns leaves what the generic writing leaves, whatever else is due of a member."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from palier.activities import batch, due
from palier.activities.lapses import Lapses
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, instant
from palier.engine.facts import Fact
from tests.activities.program import Connection, line, member, program, published

MARCH = instant(datetime.fromisoformat("2026-03-01T10:00:00+01:00"))

NAME = {"en": {"one": "x", "other": "x"}, "fr": {"one": "x", "other": "x"}}
RULE = {"name": {"en": "R", "fr": "R"}, "on": "sale", "per_spend": {"points": "1", "every": "1"}}
SILVER = {"all": [{"metric": "spend", "at_least": "100.00"}]}
TWO = program(
    point_currencies=[
        {"key": "stars", "name": NAME, "expiry": {"kind": "rolling", "days": 30, "grace_days": 2}},
        {"key": "stamps", "name": NAME, "expiry": {"kind": "inactivity", "days": 40}},
        {"key": "gifts", "name": NAME, "pending": {"kind": "days", "days": 5}},
    ],
    rules=[
        {"key": "base", "currency": "stars", **RULE},
        {"key": "stamp", "currency": "stamps", **RULE},
        {"key": "gift", "currency": "gifts", **RULE, "when": {"field": "amount", "at_least": "150.00"}},
    ],
    tiers={
        "tiers": [
            {"key": "green", "name": {"en": "G", "fr": "V"}},
            {"key": "silver", "name": {"en": "S", "fr": "A"}, "qualify": SILVER},
        ],
        "window": {"kind": "rolling", "days": 20},
    },
)

WITHOUT_IDS = {
    "activity": "type, external_id, occurred_at, acts_at, version, payload::text, inputs::text, trace::text,"
    " tier, transfer_count, transfer_sum, corrects_id, sale_id",
    "transfer": "kind, debit, credit, currency, lot_id, amount, effective_at, version, corrects_id",
    "wallet": "currency, posted, pending, held, debt",
    "lot": "lot_id, currency, funder, expires_at, first_earned_at, earned, redeemed, expired, reversed, held,"
    " remaining",
    "progress": "state, due_at",
}


def stored(connection: Connection, member_id: int) -> dict[str, list[tuple[Any, ...]]]:
    """All that is kept of a member, apart from what differs between two who did the same (c1 and c2)."""
    found = {
        table: connection.execute(
            f"select {columns} from {table} where member_id = %s"
            f" and {'source' if table == 'activity' else repr('palier')} = 'palier' order by 1, 2".encode(),
            (member_id,),
        ).fetchall()
        for table, columns in WITHOUT_IDS.items()
    }
    found["progress"] = [(bytes(state).replace(b"c2-", b"c1-"), at) for state, at in found["progress"]]
    return found


def played(connection: Connection, runtime: Runtime, card: str, sales: list[tuple[int, int]]) -> int:
    who = member(connection, runtime.program_id, card)
    for number, (day, amount) in enumerate(sales):
        at = MARCH + day * DAY
        fact = Fact("till", f"{card}-{number}", "sale", at, amount)
        assert batch.apply(connection, runtime, [line(fact, card)], now=at)[0].status == "applied"
    return who


@pytest.mark.parametrize(
    "sales",
    [
        [(0, 5_000)],
        [(0, 5_000), (3, 2_000)],
        [(0, 5_000), (0, 2_000)],
        [(0, 9_000), (1, 9_000)],
        [(0, 20_000), (10, 1_000)],
        [],
    ],
    ids=["one lot", "two instants", "one lot of two sales", "and a tier falls", "and points come", "nothing"],
)
def test_expiry_is_written_as_by_the_generic_writing(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, sales: list[tuple[int, int]]
) -> None:
    runtime = published(connection, TWO)
    first = played(connection, runtime, "c1", sales)
    second = played(connection, runtime, "c2", sales)
    until = MARCH + 100 * DAY
    made = due.advance(connection, runtime, [first], until, now=until)
    monkeypatch.setattr(Lapses, "takes", lambda *_: False)
    assert due.advance(connection, runtime, [second], until, now=until) == made
    assert stored(connection, first) == stored(connection, second)
    due_lots = connection.execute(
        "select count(*) from lot where member_id = %s and currency <> 'gifts' and remaining > 0", (first,)
    ).fetchone()
    assert due_lots == (0,)


def test_expiry_alone_is_written_in_few_columns(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = published(connection, TWO)
    lone = played(connection, runtime, "c1", [(0, 5_000), (3, 2_000)])
    falling = played(connection, runtime, "c2", [(0, 9_000), (1, 9_000)])
    generic: list[int] = []
    write = batch.write

    def noted(connection: Connection, runtime: Runtime, works: list[batch.Work], *more: Any) -> None:
        generic.extend(work.member_id for work in works)
        write(connection, runtime, works, *more)

    monkeypatch.setattr(batch, "write", noted)
    until = MARCH + 100 * DAY
    made = due.advance_all(connection, runtime, until, now=until)
    assert generic == [falling]
    assert due.due_members(connection, runtime.program_id, until) == []
    assert stored(connection, lone)["wallet"] == [("stamps", 0, 0, 0, 0), ("stars", 0, 0, 0, 0)]
    assert due.advance_all(connection, runtime, until, now=until) == 0 < made
