"""What each kind of reward puts into a member's hands, and how it is taken back."""

from __future__ import annotations

from typing import Any

import pytest

from palier.activities import batch
from palier.engine.clock import DAY, moment
from palier.rewards import addresses, handing_out
from palier.rewards.kinds.subscriptions import after
from palier.rewards.refusals import OrderRefused
from palier.vouchers import operations as vouchers
from palier.vouchers import pools
from palier.vouchers.operations import Presented
from tests.activities.program import NOW, Connection, program
from tests.rewards.ordering import ADDRESS, Shelf, reward

BACK = {"cancellable": "until_used"}
TIERS = {
    "tiers": [
        {"key": "green", "name": {"en": "Green", "fr": "Vert"}},
        {
            "key": "gold",
            "name": {"en": "Gold", "fr": "Or"},
            "qualify": {"all": [{"metric": "spend", "at_least": "1000000"}]},
        },
    ],
    "window": {"kind": "rolling", "days": 365},
}


@pytest.fixture
def shelf(connection: Connection) -> Shelf:
    made = Shelf(connection, program(tiers=TIERS))
    made.member()
    return made


def act(shelf: Shelf, name: str, order: Any, *, now: int = NOW, **more: Any) -> Any:
    operation = getattr(handing_out, name)
    return batch.attempt(
        shelf.connection, lambda: operation(shelf.connection, shelf.runtime, order.member_id, now=now, **more)
    )


@pytest.mark.parametrize(
    "gives",
    [
        {"kind": "percent_off", "percent": "10"},
        {"kind": "amount_off", "amount": "5", "uses": 2},
        {"kind": "product", "sku": "mug", "quantity": 2, "valid_days": 30},
    ],
)
def test_vouchers(shelf: Shelf, gives: dict[str, Any]) -> None:
    shelf.put(reward("off", gives=gives, giving_back=BACK))
    order = shelf.place("off", quantity=2, confirm=True).order
    items = shelf.items(order)
    assert [item.kind for item in items] == ["voucher", "voucher"]
    told = act(shelf, "reveal", order, item_id=items[0].item_id, actor="test")
    found = vouchers.proven(shelf.connection, order.program_id, Presented(told["code"]))
    assert found.effect["reward"] == "off"
    assert found.effect["gives"]["kind"] == gives["kind"]
    assert found.max_uses == items[0].uses_left
    shelf.connection.rollback()
    batch.attempt(
        shelf.connection,
        lambda: vouchers.use(
            shelf.connection, order.program_id, Presented(told["code"]), source="till", id="t", channel="",
            location="", actor="test", now=NOW,
        ),
    )  # fmt: skip
    with pytest.raises(OrderRefused, match="was used"):
        shelf.step("cancel", order)
    refunded = shelf.step("refund", order, units=1, reason="unused").order
    assert (refunded.state, refunded.refunded_units) == ("partly_refunded", 1)
    second = act(shelf, "reveal", order, item_id=items[0].item_id, actor="test")
    assert second == told


def test_rights_are_used_until_the_last(shelf: Shelf) -> None:
    shelf.put(
        reward("wash", gives={"kind": "service", "uses": 2, "valid_days": 10}),
        reward("lounge", gives={"kind": "entitlement", "starts": "2030-01-01", "valid_days": 5}),
        reward("course", gives={"kind": "course", "module": "m-1"}),
    )
    order = shelf.place("wash", confirm=True).order
    (item,) = shelf.items(order)
    assert item.valid_until == shelf.runtime.latest.clock.add_days(NOW, 10)
    for left in (1, 0):
        assert act(shelf, "use", order, item_id=item.item_id, uses=1).uses_left == left
    with pytest.raises(OrderRefused, match="it is used"):
        act(shelf, "use", order, item_id=item.item_id, uses=1)
    other = shelf.place("wash", confirm=True).order
    (item,) = shelf.items(other)
    with pytest.raises(OrderRefused, match="2 uses are left"):
        act(shelf, "use", other, item_id=item.item_id, uses=3)
    with pytest.raises(OrderRefused, match="it is expired"):
        act(shelf, "use", other, item_id=item.item_id, uses=1, now=NOW + 11 * DAY)
    lounge = shelf.place("lounge", confirm=True).order
    (item,) = shelf.items(lounge)
    with pytest.raises(OrderRefused, match="not begun"):
        act(shelf, "use", lounge, item_id=item.item_id, uses=1)
    course = shelf.place("course", confirm=True).order
    assert shelf.items(course)[0].details == {"module": "m-1"}


def test_gift_cards_come_from_a_pool(shelf: Shelf) -> None:
    pools.create(shelf.connection, shelf.runtime.program_id, "cinema", name="Cinema", low_at=0, now=NOW)
    pools.import_codes(
        shelf.connection,
        shelf.runtime.program_id,
        "cinema",
        [pools.NewCode(1, "AAAA-1111"), pools.NewCode(2, "BBBB-2222")],
        now=NOW,
    )
    shelf.connection.commit()
    shelf.put(reward("card", gives={"kind": "gift_card", "pool": "cinema", "worth": "20"}, giving_back=BACK))
    order = shelf.place("card", quantity=2, confirm=True).order
    with pytest.raises(OrderRefused, match="no code is left") as refused:
        shelf.place("card", confirm=True)
    assert refused.value.code == "out_of_stock"
    assert shelf.wallet() == (80, 0)
    items = shelf.items(order)
    assert items[0].details["worth"] == 2000
    first = act(shelf, "reveal", order, item_id=items[0].item_id, actor="test")
    assert first["code"] in ("AAAA-1111", "BBBB-2222")
    with pytest.raises(OrderRefused, match="was used"):
        shelf.step("cancel", order)
    shelf.step("refund", order, units=1, reason="unseen")
    other = shelf.place("card", confirm=True).order
    again = act(shelf, "reveal", other, item_id=shelf.items(other)[0].item_id, actor="test")
    assert {first["code"], again["code"]} == {"AAAA-1111", "BBBB-2222"}


def test_goods_are_sent_step_by_step(shelf: Shelf) -> None:
    variants = [{"key": "red", "name": {"en": "Red"}, "stock": 1, "sku": "R-1"}]
    shelf.put(reward("shirt", gives={"kind": "merchandise"}, variants=variants))
    order = shelf.place("shirt", variant="red", confirm=True, address=ADDRESS).order
    with pytest.raises(OrderRefused, match="none of this variant"):
        shelf.place("shirt", variant="red", address=ADDRESS)
    assert (order.state, shelf.wallet()) == ("fulfilling", (90, 10))
    kept = addresses.read(shelf.connection, order.member_id, order.order_id)
    assert kept is not None
    assert kept.city == "Paris"
    row = shelf.connection.execute("select sealed from order_address").fetchone()
    assert row is not None
    assert b"Paris" not in bytes(row[0])
    shelf.connection.rollback()
    sent = act(
        shelf, "ship", order, order_id=order.order_id, state="shipped", carrier="Post", tracking="T1",
        items=None, actor="test",
    )  # fmt: skip
    assert (sent.order.state, sent.items[0].state) == ("done", "shipped")
    assert sent.items[0].details["tracking"] == "T1"
    assert shelf.wallet() == (90, 0)
    more = {"carrier": "", "tracking": "", "items": None, "actor": "test"}
    with pytest.raises(OrderRefused, match="nothing of the order can be handed out"):
        act(shelf, "ship", order, order_id=order.order_id, state="handed_out", **more)
    act(shelf, "ship", order, order_id=order.order_id, state="delivered", **more)
    act(shelf, "ship", order, order_id=order.order_id, state="returned", **more)
    assert addresses.erase(shelf.connection, order.program_id, order.member_id) == 1
    shelf.connection.commit()
    assert addresses.read(shelf.connection, order.member_id, order.order_id) is None
    shelf.connection.rollback()


def test_donations_say_what_is_given_to_whom(shelf: Shelf) -> None:
    gives = {"kind": "donation", "beneficiary": {"en": "Trees", "fr": "Arbres"}, "campaign": "trees"}
    variants = [{"key": "two", "name": {"en": "2"}, "worth": "2"}]
    shelf.put(reward("tree", gives=gives, variants=variants))
    order = shelf.place("tree", variant="two", quantity=3, confirm=True).order
    assert [item.details["amount"] for item in shelf.items(order)] == [200] * 3
    assert shelf.items(order)[0].details["campaign"] == "trees"


def test_a_tier_is_given_for_a_time_and_taken_back(shelf: Shelf) -> None:
    shelf.put(reward("gold", gives={"kind": "tier_upgrade", "tier": "gold", "days": 30}, giving_back=BACK))
    order = shelf.place("gold", confirm=True).order
    assert tier(shelf) == "gold"
    shelf.step("cancel", order)
    assert tier(shelf) == "green"
    assert shelf.wallet() == (100, 0)


def tier(shelf: Shelf) -> str:
    from palier.activities.queries import standing

    found = standing(shelf.connection, shelf.runtime, shelf.members["a"], now=NOW)
    shelf.connection.rollback()
    assert found is not None
    return found.tier


def test_subscriptions_come_n_times(shelf: Shelf) -> None:
    shelf.put(reward("box", gives={"kind": "subscription", "deliveries": 3}, stock=2))
    order = shelf.place("box", confirm=True).order
    clock = shelf.runtime.latest.clock
    assert [item.valid_from for item in shelf.items(order)] == [
        after(clock, NOW, "month", n) for n in range(3)
    ]
    assert (order.units, shelf.stock("box")) == (3, (2, 0, 1))
    shelf.step("refund", order, units=2, reason="stopped")
    assert [item.state for item in shelf.items(order)] == ["planned", "void", "void"]
    assert shelf.stock("box") == (2, 0, 1)
    shelf.step("refund", order, units=1, reason="stopped")
    assert (shelf.wallet(), shelf.stock("box")) == ((100, 0), (2, 0, 0))


def test_the_last_day_of_a_month_comes_in_shorter_months(shelf: Shelf) -> None:
    clock = shelf.runtime.latest.clock
    from datetime import UTC, datetime

    from palier.engine.clock import instant

    start = instant(datetime(2027, 1, 31, 12, tzinfo=UTC))
    days = [moment(after(clock, start, "month", n)).day for n in range(4)]
    assert days == [31, 28, 31, 30]


def test_bundles_hand_out_their_parts_and_take_their_stock(shelf: Shelf) -> None:
    shelf.put(
        reward("wash", prices=[], stock=5),
        reward("tree", prices=[], gives={"kind": "donation", "beneficiary": {"en": "T"}, "worth": "1"}),
        reward(
            "set",
            stock=2,
            gives={"kind": "bundle", "rewards": [{"reward": "wash", "quantity": 2}, {"reward": "tree"}]},
            giving_back=BACK,
        ),
    )
    order = shelf.place("set", quantity=2).order
    assert (shelf.stock("set"), shelf.stock("wash")) == ((2, 2, 0), (5, 4, 0))
    shelf.step("confirm", order)
    held = [(item.unit, item.reward) for item in shelf.items(order)]
    assert held == [(1, "wash"), (1, "wash"), (1, "tree"), (2, "wash"), (2, "wash"), (2, "tree")]
    shelf.step("refund", order, units=1, reason="one too many")
    assert (shelf.stock("set"), shelf.stock("wash")) == ((2, 0, 1), (5, 0, 2))
    with pytest.raises(OrderRefused, match="comes only with another"):
        shelf.place("wash")


def test_a_choice_is_made_once_and_in_time(shelf: Shelf) -> None:
    among = [{"reward": "wash"}, {"reward": "rare"}]
    shelf.put(
        reward("wash", prices=[]),
        reward("rare", prices=[], stock=1),
        reward("pick", gives={"kind": "choice", "rewards": among, "days_to_choose": 5}),
    )
    order, other = (shelf.place("pick", confirm=True).order for _ in range(2))
    choose = {"order_id": order.order_id, "item_id": None, "variant": None, "actor": "test"}
    with pytest.raises(OrderRefused, match="not among"):
        act(shelf, "choose", order, reward="mug", **choose)
    act(shelf, "choose", order, reward="rare", **choose)
    assert [item.reward for item in shelf.items(order)] == ["pick", "rare"]
    with pytest.raises(OrderRefused, match="nothing to choose"):
        act(shelf, "choose", order, reward="wash", **choose)
    choose["order_id"] = other.order_id
    with pytest.raises(OrderRefused, match="none of it is left"):
        act(shelf, "choose", other, reward="rare", **choose)
    with pytest.raises(OrderRefused, match="too late"):
        act(shelf, "choose", other, reward="wash", now=NOW + 5 * DAY, **choose)
    act(shelf, "choose", other, reward="wash", now=NOW + 5 * DAY - 1, **choose)


def test_what_is_picked_and_sent_needs_an_address(shelf: Shelf) -> None:
    among = [{"reward": "wash"}, {"reward": "lamp"}]
    shelf.put(
        reward("wash", prices=[]),
        reward("lamp", prices=[], gives={"kind": "merchandise"}),
        reward("pick", gives={"kind": "choice", "rewards": among, "pick": 2}),
    )
    order, second = (shelf.place("pick", confirm=True).order for _ in range(2))
    here = {"order_id": order.order_id, "item_id": None, "variant": None, "actor": "test"}
    with pytest.raises(OrderRefused, match="lamp is sent") as refused:
        act(shelf, "choose", order, reward="lamp", **here)
    assert (refused.value.code.value, refused.value.field) == ("address_needed", "address")
    assert [item.uses_left for item in shelf.items(order)] == [2]
    home = addresses.Address(**{**ADDRESS, "lines": ("1 rue X",)})
    numbered = addresses.Address(**{**ADDRESS, "lines": ("4111 1111 1111 1111",)})
    with pytest.raises(OrderRefused, match="payment card"):
        act(shelf, "choose", order, reward="lamp", address=numbered, **here)
    act(shelf, "choose", order, reward="wash", **here)
    assert addresses.read(shelf.connection, order.member_id, order.order_id) is None
    act(shelf, "choose", order, reward="lamp", address=home, **here)
    assert addresses.read(shelf.connection, order.member_id, order.order_id) == home
    # One address for an order: the second thing goes there too, and no other is taken.
    here["order_id"] = second.order_id
    act(shelf, "choose", second, reward="lamp", address=home, **here)
    with pytest.raises(OrderRefused, match="has an address"):
        act(shelf, "choose", second, reward="lamp", address=home, **here)
    act(shelf, "choose", second, reward="lamp", **here)


def test_nothing_pays_out_where_no_one_does(shelf: Shelf) -> None:
    from palier.rewards.kinds import payouts

    if payouts._hooks:
        pytest.skip("the room of pay-outs is there")
    shelf.put(reward("cash", gives={"kind": "payout", "worth": "5"}))
    with pytest.raises(OrderRefused, match="nothing pays out here"):
        shelf.place("cash", confirm=True)
