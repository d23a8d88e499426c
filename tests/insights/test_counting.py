"""Figures counted by differences, in any order and any chunks, are those counted from nothing.

After each test every invariant is verified, those of the figures too: each recomputes them in its own way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from palier.activities import backtest, batch, figures
from palier.activities.operations import redeem
from palier.activities.rerate import rerate
from palier.activities.runtime import Runtime
from palier.activities.runtime import runtime as runtime_of
from palier.engine.clock import DAY, HOUR, instant
from palier.engine.facts import Fact, Reference
from palier.insights import operations, proof, queries
from palier.ledger.seal import seal
from palier.programs.operations import rerate_judging
from tests.activities.program import Connection, line, member, program, published

MARCH = instant(datetime.fromisoformat("2026-03-02T10:00:00+01:00"))
TIERS = {
    "window": {"kind": "rolling", "days": 60},
    "tiers": [
        {"key": "green", "name": {"en": "Green", "fr": "Vert"}},
        {
            "key": "gold",
            "name": {"en": "Gold", "fr": "Or"},
            "qualify": {"all": [{"metric": "spend", "at_least": "120"}]},
        },
    ],
}


def shop() -> Any:
    return program(late_window_days=400, tiers=TIERS)


def stir(connection: Connection, runtime: Runtime, members: list[int], seed: int) -> Iterator[None]:
    """Sales, visits, returns and redemptions of half a year, a fifth of them late; a step after each."""
    chance = random.Random(seed)
    sold: list[tuple[str, str, int]] = []
    now = MARCH
    for number in range(60):
        now += chance.randrange(4 * DAY)
        card = f"c{chance.randrange(len(members))}"
        at = now if chance.random() < 0.8 else now - chance.randrange(90) * DAY
        what = chance.random()
        fact = Fact("till", f"a{number}", "sale", at, chance.randrange(100, 9_000))
        if what < 0.1:
            fact = Fact("till", f"a{number}", "visit", at)
        elif what < 0.25 and sold:
            name, card, at = sold.pop(chance.randrange(len(sold)))
            fact = Fact("till", f"a{number}", "return", at + HOUR, sale=Reference("till", name), whole=True)
        elif what < 0.35:
            redeem(
                connection, runtime, member_id=members[int(card[1:])], currency="stars", points=1, source="portal",
                id=f"a{number}", now=now,
            )  # fmt: skip
            connection.commit()
            yield
            continue
        if fact.type == "sale":
            sold.append((fact.id, card, at))
        batch.apply(connection, runtime, [line(fact, card)], now=now)
        yield


def days(connection: Connection) -> list[tuple[Any, ...]]:
    found = connection.execute(
        "select measure, key, day, value from insight_day where value <> 0 order by 1, 2, 3"
    ).fetchall()
    connection.rollback()
    return found


def sealed(connection: Connection) -> None:
    seal(connection, now=datetime(2026, 3, 2, tzinfo=UTC))
    connection.commit()


@pytest.mark.parametrize("seed", range(4))
def test_counted_in_pieces_is_what_is_counted_from_nothing(connection: Connection, seed: int) -> None:
    runtime = published(connection, shop())
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(4)]
    chance = random.Random(-seed)
    for _ in stir(connection, runtime, members, seed):
        if chance.random() < 0.4:
            sealed(connection)
        if chance.random() < 0.4:
            operations.count_up(connection, runtime, now=MARCH, most=chance.randrange(1, 9))
    sealed(connection)
    operations.count_all(connection, runtime, now=MARCH)
    kept = days(connection)
    # By another way altogether: the whole ledger added up at once.
    whole = figures.figures(connection, runtime)
    connection.rollback()
    sums: dict[tuple[str, str], int] = {}
    for measure, key, _, value in kept:
        sums[measure, key] = sums.get((measure, key), 0) + value
    stars = whole.currencies[0]
    assert sums["debit", "stars|issuance"] == int(stars.issued) > 0
    assert sums["joined", ""] == whole.members == 4
    assert sums["spend", ""] == round(100 * float(whole.spend))
    assert {key: value for (measure, key), value in sums.items() if measure == "tier" and value} == {
        key: value for key, value in whole.tiers.items() if value
    }
    operations.recount(connection, runtime, now=MARCH)
    assert days(connection) == []
    operations.count_all(connection, runtime, now=MARCH)
    assert days(connection) == kept


def test_a_late_day_changes_only_what_lies_around_it() -> None:
    def changes(*order: int) -> dict[tuple[str, str, int], int]:
        deltas: operations.Deltas = operations.Deltas()
        one = operations.Counted(0, [], None, "", 0, 0, set())
        for day in order:
            one.be_active(day, deltas)
        return {place: value for place, value in deltas.items() if value}

    every = (3, 20, 40, 200, 229, 230)
    told = changes(*every)
    assert told == changes(*sorted(every, reverse=True)) == changes(40, 3, 230, 20, 229, 200, 40, 3)
    within = [value for day in range(300) if (value := sum(
        change for (name, _, at), change in told.items() if name == "active_30" and at <= day
    ))]  # fmt: skip
    # Active within 30 days on each day from 3 to 69, and from 200 to 259.
    assert within == [1] * (67 + 60)


def test_a_program_that_changes_its_time_zone_is_counted_again(connection: Connection) -> None:
    runtime = published(connection, shop())
    member(connection, runtime.program_id, "c0")
    late = instant(datetime.fromisoformat("2026-03-02T23:30:00+01:00"))
    batch.apply(connection, runtime, [line(Fact("till", "s", "sale", late, 1_000), "c0")], now=late)
    sealed(connection)
    operations.count_all(connection, runtime, now=late)
    assert ("spend", "", date(2026, 3, 2), 1_000) in days(connection)
    moved = published(
        connection,
        program(
            late_window_days=400,
            tiers=TIERS,
            time_zone="Asia/Tokyo",
            effective_from="2026-03-05T00:00:00+01:00",
        ),
        late + DAY,
    )
    # Published for later: until then the days are those of the zone in force.
    operations.count_all(connection, moved, now=late + DAY)
    assert ("spend", "", date(2026, 3, 2), 1_000) in days(connection)
    assert queries.period_of(moved, 1, now=late + DAY).last == (date(2026, 3, 3) - queries.EPOCH).days
    operations.count_all(connection, moved, now=late + 3 * DAY)
    assert ("spend", "", date(2026, 3, 3), 1_000) in days(connection)
    assert queries.period_of(moved, 1, now=late + 3 * DAY).last == (date(2026, 3, 6) - queries.EPOCH).days


def test_who_counts_waits_for_nobody_and_counts_nothing_twice(
    connection: Connection, owner_connection: Connection
) -> None:
    runtime = published(connection, shop())
    member(connection, runtime.program_id, "c0")
    operations.count_all(connection, runtime, now=MARCH)
    batch.apply(connection, runtime, [line(Fact("till", "s", "sale", MARCH, 1_000), "c0")], now=MARCH)
    # What is not sealed yet does not count yet.
    assert operations.count_up(connection, runtime, now=MARCH) == 0
    sealed(connection)
    owner_connection.execute("select 1 from insight_state for update")
    assert operations.count_up(connection, runtime, now=MARCH) == 0
    owner_connection.rollback()
    assert operations.count_up(connection, runtime, now=MARCH) == 2
    assert operations.count_up(connection, runtime, now=MARCH) == 0


FAULTS = {
    "insight.transfers": "update insight_day set value = value + 1 where measure = 'debit'",
    "insight.activities": "update insight_day set value = value - 1 where measure = 'brought'",
    "insight.members": "delete from insight_day where measure = 'joined'",
    "insight.active": "update insight_day set day = day + 1 where measure = 'cohort'",
    "insight.active_within": "update insight_day set value = 2 where measure = 'active_90' and value = 1",
    "insight.tiers": "insert into insight_day select program_id, 'tier', 'gold', day, 1 from insight_day "
    "where measure = 'joined'",
    "insight.orders": "insert into insight_day select program_id, 'ordered', 'cup', day, 1 from insight_day "
    "where measure = 'joined'",
}


@pytest.mark.plants_violation
def test_each_planted_fault_is_named(connection: Connection, superuser_connection: Connection) -> None:
    assert FAULTS.keys() == proof.INVARIANTS.keys()
    runtime = published(connection, shop())
    member(connection, runtime.program_id, "c0")
    batch.apply(connection, runtime, [line(Fact("till", "s", "sale", MARCH, 1_000), "c0")], now=MARCH)
    sealed(connection)
    operations.count_all(connection, runtime, now=MARCH)
    assert list(proof.insights(superuser_connection, "shop")) == []
    for invariant, fault in FAULTS.items():
        with superuser_connection.transaction(force_rollback=True):
            superuser_connection.execute(fault)
            found = {violation.invariant for violation in proof.insights(superuser_connection, "shop")}
            assert found == {invariant}


def test_what_was_corrected_counts_as_it_is_now(connection: Connection) -> None:
    """A late sale and judging again post corrections; what is issued and taken back is what a fold of it all says."""
    runtime = published(connection, shop())
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(3)]
    for _ in stir(connection, runtime, members, 5):
        pass
    now = MARCH + 300 * DAY
    double = [{**msgspec.to_builtins(shop().rules[0]), "per_spend": {"points": "2", "every": "1"}}]
    for version, rules in ((1, None), (2, double), (3, None)):
        if version > 1:
            changed = program(late_window_days=400, tiers=TIERS, **({"rules": rules} if rules else {}))
            published(connection, changed, now=now + version)
            rerate_judging(
                connection,
                "shop",
                from_at=MARCH - 90 * DAY,
                until_at=now,
                version=version,
                now=now + version,
                reason="test",
            )
            connection.commit()
            found = runtime_of(connection, "shop")
            assert found is not None
            runtime = found
            rerate(connection, runtime, MARCH - 90 * DAY, now=now + version, post=True)
        sealed(connection)
        operations.count_all(connection, runtime, now=now)
        read = queries.read(connection, runtime, queries.period_of(runtime, 730, now=now), now=now)
        told = figures.figures(connection, runtime).currencies[0]
        order = backtest.Order(backtest.judges_of(runtime), now, exact=True)
        folded = backtest.live(connection, runtime, order, workers=1).currencies["stars"]
        assert (folded.issued, folded.reversed) == (int(told.issued), int(told.reversed))
        stars = read.currencies[0]
        assert (stars.issued.now, stars.taken_back.now) == (folded.issued, folded.reversed)
        assert stars.issued_worth.now == 0 < folded.reversed < folded.issued
