"""Pay-outs of orders: points become money on its way to the bank, and points again where it comes back."""

from __future__ import annotations

import pytest

from palier.activities import batch
from palier.payouts import operations, queries
from palier.payouts.queries import Payout
from palier.rewards import orders
from palier.rewards.orders import Placed, Wanted
from palier.rewards.refusals import OrderRefusal, OrderRefused
from tests.activities.program import NOW, Connection
from tests.payouts.shop import ANN, Desk, cashback
from tests.rewards.ordering import put

BILL = {
    "key": "bill", "name": {"en": "A bill", "fr": "Une facture"},
    "gives": {"kind": "payout", "purpose": "bill", "worth": "5"}, "prices": [{"points": {"cash": "4.00"}}],
}  # fmt: skip


@pytest.fixture
def desk(connection: Connection) -> Desk:
    made = Desk(connection, cashback())
    put(connection, made.runtime, BILL)
    return made


def order(desk: Desk, who: int, quantity: int = 2) -> Placed:
    wanted = Wanted("bill", quantity=quantity)
    return desk.do(
        lambda: orders.place(
            desk.connection,
            desk.runtime,
            member_id=who,
            wanted=wanted,
            source="app",
            id="o",
            confirm=True,
            actor="app",
            now=NOW,
        )
    )


def payouts(desk: Desk) -> list[Payout]:
    return queries.listed(desk.connection, desk.program_id)[::-1]


def refund(desk: Desk, placed: Placed) -> Placed:
    return desk.do(
        lambda: orders.refund(
            desk.connection, desk.runtime, placed.order.member_id, placed.order.order_id, units=None,
            actor="staff", now=NOW, reason="test",
        )
    )  # fmt: skip


def test_an_order_pays_a_bill_and_the_bank_returns_one_unit(desk: Desk) -> None:
    who = desk.member(25)
    placed = order(desk, who)
    assert [(item.purpose, item.amount, item.state) for item in payouts(desk)] == [("bill", 500, "asked")] * 2
    assert desk.wallet(who) == (1700, 0)
    found = desk.propose()
    with pytest.raises(OrderRefused) as refused:
        refund(desk, placed)
    assert refused.value.code is OrderRefusal.NOT_REFUNDABLE
    desk.decide(found)
    assert b"10.00" in desk.file(found).content
    desk.sent(found)
    desk.returned(payouts(desk)[1])
    assert desk.wallet(who) == (2100, 0)
    assert desk.states() == ["sent", "returned"]
    desk.paid(found)
    again = orders.find(desk.connection, desk.runtime, who, placed.order.order_id)
    assert (again.state, again.refunded_units) == ("partly_refunded", 1)


def test_what_is_taken_back_before_it_is_collected(desk: Desk) -> None:
    who = desk.member(25)
    placed = order(desk, who)
    first = payouts(desk)[0]
    batch.attempt(
        desk.connection,
        lambda: operations.cancel(desk.connection, desk.runtime, first, reason="", by=ANN, now=NOW),
    )
    assert desk.wallet(who) == (2100, 0)
    refund(desk, placed)
    assert (desk.wallet(who), desk.states()) == ((2500, 0), ["refused", "refused"])


def test_without_an_account_nothing_is_ordered(desk: Desk) -> None:
    who = desk.member(25, iban="")
    with pytest.raises(OrderRefused) as refused:
        order(desk, who)
    assert refused.value.code is OrderRefusal.REWARD_NOT_AVAILABLE
    assert desk.wallet(who) == (2500, 0)
