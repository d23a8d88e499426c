"""Backtests: the same engine in memory, equal to the ledger after all that can happen to a member."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import msgspec
import psycopg
import pytest

from palier.activities import backtest as backtests
from palier.activities import batch, due, operations, queries
from palier.activities.backtest import Order, from_rows, judges_by, judges_of, live, over_file
from palier.activities.imports import rows_of
from palier.activities.runtime import Runtime
from palier.engine.backtest import CurrencyTotals, Threshold, percentile
from palier.engine.clock import DAY, HOUR, instant
from palier.engine.facts import Fact, Reference, Tender
from palier.engine.program import Program
from palier.programs.operations import publish
from tests.activities.program import BEGINNING, NOW, Connection, line, member, program, published
from tests.activities.test_imports import sale, whole_return

STARS = program().point_currencies[0]


def rich(**settings: Any) -> Program:
    """Expiry, pending points, caps, tiers with their multiplier, and transferable points."""
    name = {"en": "x", "fr": "x"}
    plain = msgspec.to_builtins(program())
    plain["point_currencies"][0] |= {
        "expiry": {"kind": "end_of_month", "after_months": 1, "grace_days": 3},
        "transferable": True,
        "value": "0.02",
    }
    plain["rules"][0] |= {"tier_multipliers": {"gold": "1.5"}, "caps": {"day": "400"}}
    plain["rules"].append(
        {
            "key": "bonus",
            "name": name,
            "on": "sale",
            "currency": "stars",
            "fixed": "25",
            "when": {"field": "amount", "at_least": "50"},
            "pending": {"kind": "days", "days": 5},
        }
    )
    plain["tiers"] = {
        "tiers": [
            {"key": "green", "name": name},
            {"key": "gold", "name": name, "qualify": {"all": [{"metric": "spend", "at_least": "300"}]}},
        ],
        "window": {"kind": "rolling", "days": 60},
    }
    return msgspec.convert({**plain, **settings}, Program)


class Till:
    """Sends to the platform what shops and members do, on a clock of its own."""

    def __init__(self, connection: Connection, shop: Runtime) -> None:
        self.connection = connection
        self.shop = shop
        self.now = NOW
        self.number = 0

    def id(self) -> str:
        self.number += 1
        return f"n{self.number}"

    def send(self, card: str, fact: Fact) -> str:
        answer = batch.apply(self.connection, self.shop, [line(fact, card)], now=self.now)[0]
        assert answer.status in ("applied", "parked"), answer
        return fact.id

    def buy(self, card: str, cents: int, back: int = 0, **content: Any) -> str:
        return self.send(card, Fact("till", self.id(), "sale", self.now - back, cents, **content))

    def give_back(self, card: str, of: str, cents: int = 0, back: int = 0) -> str:
        named = Reference("till", of)
        fact = Fact("till", self.id(), "return", self.now - back, cents, sale=named, whole=not cents)
        return self.send(card, fact)

    def command(self, what: Any, *positional: Any, **content: Any) -> Any:
        def act() -> Any:
            return what(
                self.connection, self.shop, *positional, source="app", id=self.id(), now=self.now, **content
            )

        return batch.attempt(self.connection, act)


def eventful(connection: Connection, shop: Runtime, seed: int = 7) -> list[int]:
    """A history with returns, late arrivals, parked returns, redemptions, holds, adjustments, transfers."""
    till = Till(connection, shop)
    draw = random.Random(seed)
    cards = [f"c{number}" for number in range(6)]
    ids = {card: member(connection, shop.program_id, card) for card in cards}
    bought: dict[str, list[str]] = {card: [] for card in cards}
    for step in range(90):
        till.now += draw.randrange(1, 40) * HOUR
        card = draw.choice(cards)
        member_id = ids[card]
        what = draw.randrange(10)
        if what == 0 and bought[card]:
            till.give_back(card, draw.choice(bought[card]), draw.choice([0, 500]))
        elif what == 1:
            # Late, and now and then too late to have anything decided again.
            bought[card].append(till.buy(card, draw.randrange(100, 20_000), back=draw.choice([3, 45]) * DAY))
        elif what == 2:
            till.command(
                operations.redeem, member_id=member_id, currency="stars", points=draw.randrange(1, 60)
            )
        elif what == 3:
            held = till.command(
                operations.hold,
                member_id=member_id,
                currency="stars",
                points=10,
                minutes=draw.choice([None, 30]),
            )
            if held.status == "applied" and step % 2:
                found = queries.redemption(
                    connection, shop.program_id, member_id, held.activity_id, now=till.now
                )
                assert found is not None
                connection.rollback()
                till.command(operations.capture, found, points=4)
        elif what == 4:
            points = draw.choice([-5, 30])
            till.command(
                operations.adjust, member_id=member_id, currency="stars", points=points, reason="r", actor="a"
            )
        elif what == 5 and card != "c0":
            till.command(
                operations.transfer, sender_id=member_id, receiver_id=ids["c0"], currency="stars", points=7
            )
        elif what == 6:
            unknown = f"later{step}"
            till.send(
                card, Fact("till", till.id(), "return", till.now, sale=Reference("till", unknown), whole=True)
            )
            till.send(card, Fact("till", unknown, "sale", till.now, 7_000))
        elif what == 7:
            spent = till.command(operations.redeem, member_id=member_id, currency="stars", points=5)
            if spent.status == "applied":
                tender = Tender("points", 100, Reference("app", spent.id))
                paid = (tender, Tender("card", 5_900))
                bought[card].append(till.buy(card, 6_000, tenders=paid))
        else:
            bought[card].append(till.buy(card, draw.randrange(100, 20_000)))
    due.advance_all(connection, shop, till.now + 20 * DAY, now=till.now + 20 * DAY)
    connection.commit()
    rows = connection.execute("select type, count(*) from activity group by 1").fetchall()
    connection.rollback()
    kinds = {row[0] for row in rows}
    assert kinds >= {"sale", "return", "redeem", "hold", "capture", "adjust", "transfer_out", "expired",
                     "released", "correction", "tier_changed"}  # fmt: skip
    return list(ids.values())


def order_of(shop: Runtime, **settings: Any) -> Order:
    return Order(judges_of(shop), NOW + 400 * DAY, **{"exact": True, **settings})


@pytest.mark.parametrize("workers", [1, 2])
def test_the_live_history_equals_the_ledger(connection: Connection, workers: int) -> None:
    shop = published(connection, rich())
    members = eventful(connection, shop)
    totals = live(connection, shop, order_of(shop), workers=workers)
    assert (totals.members, totals.compared) == (len(members), len(members))
    assert totals.differences == []
    assert totals.differing == 0
    stars = totals.currencies["stars"]
    assert 0 not in (stars.issued, stars.redeemed, stars.expired, stars.reversed)
    assert stars.issued + stars.adjusted + stars.received == (
        stars.reversed + stars.redeemed + stars.expired + stars.outstanding - stars.debt
    )
    assert stars.received == 0  # what one member gave another received


def test_equal_where_several_versions_judged(connection: Connection) -> None:
    shop = published(connection, rich())
    later = rich(effective_from="2027-02-01T00:00:00+00:00", hold_minutes=90)
    richer = msgspec.to_builtins(later)
    richer["rules"][0]["per_spend"] = {"points": "3"}
    publish(connection, msgspec.convert(richer, Program), now=BEGINNING + DAY, published_by="test")
    connection.commit()
    shop = published(connection, msgspec.convert(richer, Program), now=BEGINNING + DAY)
    assert len(shop.stored.documents) == 2
    eventful(connection, shop)
    totals = live(connection, shop, order_of(shop), workers=1)
    assert (totals.differing, totals.differences) == (0, [])


@pytest.mark.plants_violation
def test_a_wallet_that_was_tampered_with_is_seen(
    connection: Connection, superuser_connection: psycopg.Connection[Any]
) -> None:
    shop = published(connection, rich())
    eventful(connection, shop)
    superuser_connection.execute(
        "update wallet set posted = posted + 1 where member_id = (select min(member_id) from wallet)"
    )
    totals = live(connection, shop, order_of(shop), workers=1)
    assert totals.differing == 1
    difference = totals.differences[0]
    assert difference.what == "stars posted"
    assert int(difference.expected) == int(difference.found) + 1


def test_another_rule_is_seen_and_told_by_member(connection: Connection) -> None:
    shop = published(connection, rich())
    eventful(connection, shop)
    changed = msgspec.to_builtins(rich())
    changed["rules"][1]["fixed"] = "26"
    other = judges_by(msgspec.convert(changed, Program))
    exact = live(connection, shop, Order(other, NOW, exact=True), workers=1)
    assert exact.differing > 0
    told = live(connection, shop, Order(other, NOW + 400 * DAY), workers=1)
    assert told.better > 0
    assert told.worse == 0
    assert all(change.points > 0 for change in told.changes)
    against = live(connection, shop, Order(judges_by(rich()), NOW + 400 * DAY, against=other), workers=1)
    assert (against.better, against.worse) == (0, told.better)


def test_a_file_by_hand() -> None:
    document = program(
        point_currencies=[msgspec.to_builtins(STARS) | {"value": "0.01"}],
        tiers={
            "tiers": [
                {"key": "green", "name": {"en": "g", "fr": "g"}},
                {
                    "key": "gold",
                    "name": {"en": "o", "fr": "o"},
                    "qualify": {"all": [{"metric": "visits", "at_least": "3"}]},
                },
            ],
            "window": {"kind": "lifetime"},
        },
    )
    day = 24 * 60
    activities = [
        sale(0, 1, 1000),
        sale(2 * day, 1, 3000),
        sale(9 * day, 1, 1050),
        sale(3 * day, 2, 2000),
        whole_return(10 * day, 9 * day),
        sale(3 * day, 2, 2000),  # the same id again
        {**sale(4 * day, 2), "amount": "NaN"},
    ]
    history = from_rows(rows_of([activities]))
    order = Order(judges_by(document), 0, Threshold("stars", 40))
    totals = over_file(history, order, now=NOW, workers=1)
    assert (totals.members, totals.activities, totals.passed_over) == (2, 5, 2)
    assert totals.spend == 6000
    assert totals.currencies["stars"] == CurrencyTotals(issued=70, reversed=10, spendable=60)
    assert totals.tiers == {"green": 2}  # the third visit came back
    assert totals.reached == {"green": 2, "gold": 1}
    assert totals.waits == [2]
    assert msgspec.structs.asdict(over_file(history, order, now=NOW, workers=2)) == msgspec.structs.asdict(
        totals
    )


def test_what_happened_after_its_end_is_left_out(connection: Connection) -> None:
    day = 24 * 60
    activities = [sale(0, 1, 1000), sale(2 * day, 1, 3000), sale(3 * day, 2, 2000), sale(9 * day, 1, 1050)]
    end = instant(datetime.fromisoformat(str(activities[1]["occurred_at"])))
    order = Order(judges_by(program()), end, cut=True)
    history = from_rows(rows_of([activities]))
    for workers in (1, 2):
        totals = over_file(history, order, now=NOW, workers=workers)
        assert (totals.members, totals.activities, totals.spend) == (1, 2, 4000)
    before = over_file(history, msgspec.structs.replace(order, until=end - 1), now=NOW, workers=1)
    assert (before.members, before.activities, before.spend) == (1, 1, 1000)
    shop = published(connection, program())
    for card in (1, 2):
        member(connection, shop.program_id, f"c{card}")
    facts = [(Fact("till", f"s{n}", "sale", BEGINNING + n * DAY, 1000), f"c{1 + n % 2}") for n in range(1, 7)]
    batch.apply(connection, shop, [line(fact, card) for fact, card in facts], now=NOW)
    connection.commit()
    richer = program(hold_minutes=90)
    for against in (None, judges_of(shop)):
        part = Order(judges_by(richer), BEGINNING + 3 * DAY, cut=True, against=against)
        for workers in (1, 2):
            totals = live(connection, shop, part, workers=workers)
            assert (totals.members, totals.activities, totals.spend) == (2, 3, 3000)
            # The ledger has what came after it, and is not compared with.
            assert (totals.compared, totals.differing) == (0 if against is None else 2, 0)


def test_to_fall_to_a_tier_is_not_to_reach_it() -> None:
    def tier(key: str, **qualify: str) -> dict[str, Any]:
        needed = {"qualify": {"all": [{"metric": "spend", **qualify}]}} if qualify else {}
        return {"key": key, "name": {"en": key, "fr": key}, **needed}

    ladder = [tier("green"), tier("silver", at_least="20"), tier("gold", at_least="30")]
    document = program(tiers={"tiers": ladder, "window": {"kind": "lifetime"}})
    activities = [
        sale(0, 1, 4000),  # to gold at once
        whole_return(10, 0),  # and down to green
        sale(1, 2, 2500),  # to silver at once
        sale(2, 3, 100),
    ]
    totals = over_file(from_rows(rows_of([activities])), Order(judges_by(document), 0), now=NOW, workers=1)
    assert totals.tiers == {"green": 2, "silver": 1}
    assert totals.reached == {"green": 3, "silver": 2, "gold": 1}


def test_percentiles_are_by_nearest_rank() -> None:
    assert percentile([], 50) is None
    assert percentile([3], 10) == 3
    assert [percentile([1, 2, 3, 4], rank) for rank in (25, 26, 50, 75, 90, 100)] == [1, 2, 2, 3, 4, 4]


def test_parts_add_up_to_the_whole(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = published(connection, rich())
    eventful(connection, shop)
    whole = live(connection, shop, order_of(shop), workers=1)
    monkeypatch.setattr(backtests, "CHUNK", 2)
    parts = live(connection, shop, order_of(shop), workers=1)
    assert msgspec.structs.asdict(parts) == msgspec.structs.asdict(whole)
