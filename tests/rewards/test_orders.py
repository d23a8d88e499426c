"""Orders: every state, every refusal with nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from palier.engine.clock import DAY, MINUTE
from palier.rewards.models import ORDER_STATES
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.rewards.states import FOLLOWS
from tests.activities.program import NOW, Connection
from tests.rewards.ordering import Shelf, reward


@pytest.fixture
def shelf(connection: Connection) -> Shelf:
    made = Shelf(connection)
    made.put(reward(stock=3, hold_minutes=15))
    made.member()
    return made


def test_a_reserved_order_holds_points_and_stock(shelf: Shelf) -> None:
    order = shelf.place(quantity=2).order
    assert (order.state, order.units, order.expires_at) == ("reserved", 2, NOW + 15 * MINUTE)
    assert shelf.wallet() == (80, 20)
    assert shelf.stock() == (3, 2, 0)
    assert shelf.items(order) == []


def test_confirming_spends_and_hands_out(shelf: Shelf) -> None:
    order = shelf.place(quantity=2).order
    placed = shelf.step("confirm", order)
    assert placed.order.state == "done"
    assert shelf.wallet() == (80, 0)
    assert shelf.stock() == (3, 0, 2)
    assert [(item.unit, item.kind, item.uses_left) for item in shelf.items(order)] == [
        (1, "right", 2),
        (2, "right", 2),
    ]


def test_ordering_and_confirming_at_once(shelf: Shelf) -> None:
    placed = shelf.place(confirm=True)
    assert (placed.order.state, len(placed.items)) == ("done", 1)
    assert shelf.wallet() == (90, 0)
    assert shelf.stock() == (3, 0, 1)


def test_releasing_and_failing_give_everything_back(shelf: Shelf) -> None:
    for step, more in (("release", {}), ("fail", {"reason": "broken"})):
        order = shelf.place().order
        assert shelf.step(step, order, **more).order.state == ("released" if step == "release" else "failed")
        assert shelf.wallet() == (100, 0)
        assert shelf.stock() == (3, 0, 0)
        with pytest.raises(OrderRefused, match="the order is"):
            shelf.step("confirm", order)


def test_a_reservation_expires(shelf: Shelf) -> None:
    order = shelf.place().order
    late = NOW + 15 * MINUTE
    with pytest.raises(OrderRefused, match="the order is expired"):
        shelf.step("confirm", order, now=late)
    # The member's next order ends what is over, so that it counts no more.
    shelf.place(now=late, quantity=3)
    assert shelf.order(order).state == "expired"
    assert shelf.stock() == (3, 3, 0)
    assert shelf.wallet() == (70, 30)


def test_an_id_is_taken_once(shelf: Shelf) -> None:
    first = shelf.place(id="x")
    again = shelf.place(id="x")
    assert (again.replayed, again.order.order_id) == (True, first.order.order_id)
    with pytest.raises(OrderRefused, match="with other content"):
        shelf.place(id="x", quantity=2)
    assert shelf.wallet() == (90, 10)


@pytest.mark.parametrize(
    ("wanted", "code", "field"),
    [
        ({"reward": "none"}, "unknown_reward", "reward"),
        ({"quantity": 4}, "out_of_stock", "reward"),
        ({"quantity": 11}, "insufficient_points", "reward"),
        ({"quantity": 0}, "invalid_order", "quantity"),
        ({"price": "gold"}, "unknown_option", "price"),
        ({"variant": "red"}, "unknown_option", "variant"),
        ({"slot": "monday"}, "unknown_option", "slot"),
        ({"reward": "sent"}, "address_needed", "address"),
        ({"reward": "lucky"}, "address_needed", "address"),
        ({"reward": "monthly"}, "address_needed", "address"),
        ({"reward": "few", "quantity": 2}, "limit_reached", "quantity"),
        ({"reward": "paused"}, "reward_not_available", "reward"),
    ],
)
def test_what_is_refused_leaves_nothing(
    shelf: Shelf, wanted: dict[str, object], code: str, field: str
) -> None:
    shelf.put(
        reward("sent", gives={"kind": "merchandise"}),
        reward("lucky", gives={"kind": "mystery", "options": [{"reward": "mug"}, {"reward": "sent"}]}),
        reward("monthly", gives={"kind": "subscription", "deliveries": 2, "every": "day", "reward": "sent"}),
        reward("few", limits={"per_member": 1}),
        reward("paused", state="paused"),
    )
    before = shelf.rows()
    with pytest.raises(OrderRefused) as refused:
        shelf.place(**wanted)  # type: ignore[arg-type]
    assert (refused.value.code.value, refused.value.field) == (code, field)
    assert refused.value.remedy
    assert shelf.rows() == before


def test_limits_of_a_member_and_of_a_period(shelf: Shelf) -> None:
    shelf.put(
        reward("few", limits={"per_member": 2}),
        reward("daily", limits={"per_member_period": {"n": 1, "period": "day"}}),
        reward("shared", limits={"per_period": {"n": 2, "period": "month"}}),
    )
    order = shelf.place("few").order
    shelf.place("few")
    with pytest.raises(OrderRefused, match="a member may have 2"):
        shelf.place("few")
    shelf.step("release", order)
    shelf.place("few")
    shelf.place("daily")
    with pytest.raises(OrderRefused, match="in a day"):
        shelf.place("daily")
    shelf.place("daily", now=NOW + DAY)
    shelf.member("b")
    shelf.place("shared")
    shelf.place("shared", "b")
    with pytest.raises(OrderRefused, match="all 2 of this period"):
        shelf.place("shared", "b")


@pytest.mark.guard
def test_every_refusal_of_orders_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "orders.md").read_text()
    table = page[page.index("## What is refused") :]
    assert [code.value for code in OrderRefusal if f"`{code.value}`" not in table] == []


def test_every_state_has_its_successors_in_the_guide() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "orders.md").read_text()
    assert set(ORDER_STATES) == set(FOLLOWS) - {""}
    assert [state for state in ORDER_STATES if f"`{state}`" not in page] == []
