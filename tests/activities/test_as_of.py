"""How a member stood at an instant: the tier held then, and the ends that points had by what there was then."""

from __future__ import annotations

from datetime import datetime

from palier.activities import batch, queries
from palier.engine.clock import DAY, instant
from palier.engine.facts import Fact
from tests.activities.program import Connection, line, member, program, published

MARCH = instant(datetime.fromisoformat("2026-03-01T10:00:00+01:00"))
NAME = {"en": {"one": "x", "other": "x"}, "fr": {"one": "x", "other": "x"}}
PROGRAM = program(
    point_currencies=[{"key": "stars", "name": NAME, "expiry": {"kind": "inactivity", "days": 90}}],
    tiers={
        "tiers": [
            {"key": "green", "name": {"en": "G", "fr": "V"}},
            {
                "key": "gold",
                "name": {"en": "O", "fr": "O"},
                "qualify": {"all": [{"metric": "spend", "at_least": "100.00"}]},
            },
        ],
        "window": {"kind": "rolling", "days": 30},
    },
)


def test_tier_and_ends_of_then(connection: Connection) -> None:
    runtime = published(connection, PROGRAM)
    who = member(connection, runtime.program_id, "c1")
    for number, (day, amount) in enumerate([(0, 5_000), (10, 6_000), (60, 1_000)]):
        at = MARCH + day * DAY
        fact = Fact("till", f"s{number}", "sale", at, amount)
        assert batch.apply(connection, runtime, [line(fact, "c1")], now=at)[0].status == "applied"
    now = MARCH + 61 * DAY

    def tier(day: int, known: int | None = None) -> str:
        known_at = None if known is None else MARCH + known * DAY
        found = queries.standing(
            connection, runtime, who, as_of=MARCH + day * DAY, known_at=known_at, now=now
        )
        assert found is not None
        assert found.as_of == MARCH + day * DAY
        return found.tier

    assert [tier(day) for day in (1, 10, 29, 30, 61, 70)] == [
        "green",
        "gold",
        "gold",
        "green",
        "green",
        "green",
    ]
    assert [tier(11, known) for known in (5, 10)] == ["green", "gold"]

    def end(day: int) -> tuple[int, int]:
        found = queries.wallets(connection, runtime, who, as_of=MARCH + day * DAY, now=now)
        assert found is not None
        (lot,) = found.wallets["stars"].lots
        return lot.spendable, lot.expires_at

    add = runtime.latest.clock.add_days
    assert end(1) == (50, add(MARCH, 90))
    assert end(11) == (110, add(MARCH + 10 * DAY, 90))
    assert end(61) == (120, add(MARCH + 60 * DAY, 90))
