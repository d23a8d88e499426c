"""Orders that suppliers fulfil: one order there, one capture here, the same lots back where it fails."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from palier.connectors.suppliers.sample import TOKEN
from palier.engine.clock import HOUR
from palier.ledger.verify import verify
from palier.rewards import dispatch, fulfilment, suppliers
from palier.rewards.forwarding import Courier
from palier.rewards.fulfilment import StoredOrders
from palier.rewards.kinds.contract import Work
from palier.rewards.order_store import Order
from palier.rewards.refusals import OrderRefused
from palier.site import database
from palier.site.environment import environment
from tests.activities.program import NOW
from tests.connectors.sample_supplier import Running
from tests.rewards import killed_courier
from tests.rewards.ordering import ADDRESS, Shelf, reward


class Supplied:
    """A shelf whose gift cards and goods come from the sample supplier."""

    def __init__(self, connection: Connection[Any], sample: Running) -> None:
        self.connection = connection
        self.sample = sample
        self.now = NOW
        self.shelf = Shelf(connection)
        self.set_up()
        self.shelf.put(
            card(),
            card("gone", sku="NOT-SOLD"),
            reward("lamp", gives={"kind": "merchandise"}, supplier={"key": "sample", "sku": "GOODS-LAMP"}),
            reward(
                "both",
                gives={"kind": "bundle", "rewards": [{"reward": "card"}, {"reward": "gone"}]},
            ),
        )
        self.shelf.member(points=100)

    def set_up(self, **changes: Any) -> None:
        suppliers.put(
            self.connection,
            self.shelf.runtime.program_id,
            self.sample.document(**changes),
            by="test",
            now=self.now,
        )
        self.connection.commit()

    def run(self, rounds: int = 1) -> None:
        for number in range(rounds):
            self.now += HOUR if number else 0
            found = suppliers.needed(self.connection, self.shelf.runtime.program_id, "sample")
            self.connection.commit()
            Courier(found, lambda: database.connect("app"), StoredOrders(), now=lambda: self.now).run()

    def at_supplier(self, order: Order) -> list[dict[str, Any]]:
        return [
            found for found in self.sample.orders() if found["reference"].split("-")[0] == str(order.order_id)
        ]

    def lots(self) -> list[Any]:
        """What the member's lots hold, each with its end."""
        found = self.connection.execute(
            "select lot_id, remaining, held, expires_at from lot where member_id = any(%s) order by lot_id",
            (list(self.shelf.members.values()),),
        ).fetchall()
        self.connection.rollback()
        return found

    def captures(self) -> int:
        row = self.connection.execute(
            "select count(*) from activity where type = 'capture' and member_id = any(%s)",
            (list(self.shelf.members.values()),),
        ).fetchone()
        self.connection.rollback()
        assert row is not None
        return int(row[0])


def card(key: str = "card", sku: str = "CARD-BOOKS-10", **more: Any) -> dict[str, Any]:
    return reward(
        key, gives={"kind": "gift_card", "worth": "10.00"}, supplier={"key": "sample", "sku": sku}, **more
    )


@pytest.fixture
def supplied(
    connection: Connection[Any], sample_server: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Supplied]:
    sample_server.calm()
    monkeypatch.setenv("PALIER_PRIVATE_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("PALIER_SUPPLIER_SAMPLE_TOKEN", TOKEN)
    environment.cache_clear()
    found = Supplied(connection, sample_server)
    yield found
    monkeypatch.undo()
    environment.cache_clear()


def test_points_are_spent_when_the_supplier_has_delivered_and_not_before(supplied: Supplied) -> None:
    placed = supplied.shelf.place("card", quantity=2, confirm=True)
    assert placed.order.state == "fulfilling"
    assert supplied.shelf.wallet() == (80, 20)
    supplied.run()
    assert supplied.shelf.order(placed.order).state == "done"
    assert supplied.shelf.wallet() == (80, 0)
    items = supplied.shelf.items(placed.order)
    assert [item.unit for item in items] == [1, 2]
    order = supplied.shelf.order(placed.order)
    work = Work(supplied.connection, supplied.shelf.runtime, order, "member", supplied.now)
    told = [fulfilment.reveal(work, item) for item in items]
    cards = supplied.at_supplier(order)[0]["cards"]
    assert [(each["code"], each["pin"]) for each in told] == [(each["code"], each["pin"]) for each in cards]


@pytest.mark.parametrize(
    "does", ["lost", "half", "error", "error_after", "garbage", "later", "pending", "dropped"]
)
def test_lost_replies_lead_to_one_order_and_one_capture(supplied: Supplied, does: str) -> None:
    supplied.sample.behave(does, times=2, seconds=0)
    placed = supplied.shelf.place("card", confirm=True)
    supplied.run(rounds=5)
    assert supplied.shelf.order(placed.order).state == "done"
    assert len(supplied.at_supplier(placed.order)) == 1
    assert supplied.captures() == 1
    assert supplied.shelf.wallet() == (90, 0)


@pytest.mark.parametrize("does", ["refuse", "out_of_stock", "fail_later"])
def test_a_failed_fulfilment_gives_back_the_same_lots_with_the_same_end(
    supplied: Supplied, does: str
) -> None:
    before = supplied.lots()
    supplied.sample.behave(does, seconds=0)
    placed = supplied.shelf.place("card", confirm=True)
    assert supplied.lots() != before
    supplied.run(rounds=4)
    assert supplied.shelf.order(placed.order).state == "failed"
    assert supplied.lots() == before
    assert supplied.captures() == 0


def test_goods_are_sent_to_the_address_of_the_order(supplied: Supplied) -> None:
    placed = supplied.shelf.place("lamp", confirm=True, address=ADDRESS)
    supplied.run()
    assert supplied.shelf.order(placed.order).state == "done"
    assert supplied.at_supplier(placed.order)[0]["delivery"] == {
        "name": "N", "line1": "1 rue X", "postcode": "75001", "city": "Paris", "country": "FR",
    }  # fmt: skip


def test_an_order_is_called_off_before_it_is_sent_and_by_the_supplier_after(supplied: Supplied) -> None:
    before = supplied.lots()
    first = supplied.shelf.place("card", confirm=True)
    assert supplied.shelf.step("cancel", first.order).order.state == "cancelled"
    supplied.sample.behave("pending", seconds=60)
    second = supplied.shelf.place("card", confirm=True)
    supplied.run()
    assert supplied.shelf.step("cancel", second.order, now=supplied.now).order.state == "fulfilling"
    supplied.run()
    assert supplied.shelf.order(second.order).state == "cancelled"
    assert supplied.at_supplier(first.order) == []
    assert supplied.at_supplier(second.order)[0]["status"] == "CANCELLED"
    assert supplied.lots() == before


def test_what_was_delivered_before_it_could_be_called_off_is_the_member_s(supplied: Supplied) -> None:
    supplied.sample.behave("lost")
    placed = supplied.shelf.place("card", confirm=True)
    supplied.run()
    supplied.shelf.step("cancel", placed.order, now=supplied.now)
    supplied.run(rounds=3)
    assert supplied.shelf.order(placed.order).state == "done"
    assert supplied.captures() == 1


def test_a_bundle_whose_part_is_refused_fails_as_a_whole_or_waits_for_a_person(supplied: Supplied) -> None:
    supplied.set_up(at_once=1)
    placed = supplied.shelf.place("both", confirm=True)
    supplied.run(rounds=3)
    # The card was delivered before the other was refused: nothing is spent or given back by itself.
    assert supplied.shelf.order(placed.order).state == "fulfilling"
    assert [letter.reason for letter in dispatch.dead(supplied.connection)] == [
        "a part of the order was delivered, and another was not"
    ]
    supplied.connection.rollback()
    supplied.shelf.step("fail", placed.order, now=supplied.now, reason="the supplier took the card back")
    assert supplied.shelf.wallet() == (100, 0)
    assert dispatch.dead(supplied.connection) == []


def test_what_a_person_settled_is_not_asked_about_any_more(supplied: Supplied) -> None:
    supplied.sample.behave("error", times=0)
    placed = supplied.shelf.place("card", confirm=True)
    supplied.run()
    supplied.shelf.step("fail", placed.order, now=supplied.now, reason="they are closed")
    supplied.sample.calm()
    supplied.run(rounds=3)
    assert supplied.at_supplier(placed.order) == []
    assert supplied.shelf.wallet() == (100, 0)


def test_a_delivery_for_an_order_that_is_over_is_a_dead_letter_and_spends_nothing(supplied: Supplied) -> None:
    supplied.sample.behave("pending", seconds=0)
    placed = supplied.shelf.place("card", confirm=True)
    supplied.run()
    assert dispatch.of_orders(supplied.connection, [placed.order.order_id])
    supplied.shelf.step("fail", placed.order, now=supplied.now, reason="by mistake")
    # As if the message had not been ended with it.
    supplied.connection.execute("update dispatch set state = 'accepted', next_at = %s", ("2000-01-01",))
    supplied.connection.commit()
    supplied.run(rounds=2)
    assert [letter.reason for letter in dispatch.dead(supplied.connection)] == [
        "the supplier delivered, and the order is failed"
    ]
    assert supplied.shelf.wallet() == (100, 0)


def test_an_order_of_a_supplier_that_is_not_set_up_is_refused(supplied: Supplied) -> None:
    supplied.shelf.put(
        reward("far", gives={"kind": "gift_card", "worth": "5.00"}, supplier={"key": "nobody", "sku": "X"})
    )
    with pytest.raises(OrderRefused, match="supplier is not set up"):
        supplied.shelf.place("far", confirm=True)
    assert supplied.shelf.wallet() == (100, 0)


# --- the proof --------------------------------------------------------------------------------------------

BROKEN = {
    "dispatch.lost": "update dispatch set state = 'cancelled', done_at = created_at",
    "dispatch.order": "update reward_order set state = 'failed'",
    "dispatch.once": "update dispatch set request_id = 'another'",
    "dispatch.delivered": "update reward_order set state = 'done'",
}


@pytest.mark.plants_violation
@pytest.mark.parametrize("invariant", BROKEN)
def test_each_invariant_of_messages_is_seen_to_fail(
    supplied: Supplied, superuser_connection: Connection[Any], invariant: str
) -> None:
    supplied.shelf.place("card", confirm=True)
    assert verify(supplied.connection) == []
    supplied.connection.rollback()
    superuser_connection.execute(BROKEN[invariant])  # type: ignore[arg-type]
    assert invariant in {found.invariant for found in verify(supplied.connection)}


def test_the_outbox_shows_each_message(supplied: Supplied) -> None:
    supplied.shelf.place("card", confirm=True)
    supplied.shelf.place("card", confirm=True)
    supplied.run()
    with database.connect("auditor") as auditor:
        rows = auditor.execute(
            "select stream, seq, type, endpoint, state, attempts from audit.outbox order by msg_id"
        ).fetchall()
        payload = auditor.execute(
            "select has_column_privilege('dispatch', 'units', 'select'),"
            " has_column_privilege('supplier', 'secrets', 'select')"
        ).fetchone()
    assert rows == [
        ("shop/sample", 1, "order", "sample", "delivered", 1),
        ("shop/sample", 2, "order", "sample", "delivered", 1),
    ]
    assert payload == (False, False)


# --- killed at each step ----------------------------------------------------------------------------------


@pytest.mark.parametrize("does", ["deliver", "refuse"])
@pytest.mark.parametrize("step", killed_courier.STEPS)
def test_a_worker_that_is_killed_loses_and_doubles_nothing(supplied: Supplied, step: str, does: str) -> None:
    before = supplied.lots()
    if does == "refuse":
        supplied.sample.behave("refuse", times=0)
    placed = supplied.shelf.place("card", confirm=True)
    killed = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.rewards.killed_courier",
            step,
            str(supplied.shelf.runtime.program_id),
            str(supplied.now),
        ],
        check=False,
        timeout=120,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    # Whoever comes next finds it taken until the killed one's time is over.
    supplied.now += HOUR
    supplied.run(rounds=2)
    if does == "deliver":
        assert supplied.shelf.order(placed.order).state == "done"
        assert len(supplied.at_supplier(placed.order)) == supplied.captures() == 1
        assert supplied.shelf.wallet() == (90, 0)
    else:
        assert supplied.shelf.order(placed.order).state == "failed"
        assert supplied.at_supplier(placed.order) == []
        assert supplied.lots() == before
