"""After an order is done: things are used, chosen, sent; deliveries come, sweepstakes are drawn.

Each runs under the member's lock, inside `batch.attempt`, and leaves nothing behind where it refuses (OrderRefused).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.rewards import addresses, kinds, order_store, orders
from palier.rewards.addresses import Address
from palier.rewards.kinds import Work
from palier.rewards.kinds.gift_cards import CODE
from palier.rewards.kinds.goods import SHIPMENT
from palier.rewards.kinds.sets import CHOICE, pick
from palier.rewards.order_store import Item, Order
from palier.rewards.orders import Placed
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.rewards.states import FULFILLED

FIND_ITEM: Final = """
-- orders.find_item
select order_id from reward_item where member_id = %(member)s and item_id = %(item)s and program_id = %(program)s
"""
USED: Final = frozenset({"right", "place"})
"""Kinds of items that are used here: vouchers and codes are used where they are shown."""


def _items(connection: Connection[Any], order: Order) -> list[Item]:
    return order_store.items(connection, order.member_id, [order.order_id])[order.order_id]


def _item(connection: Connection[Any], runtime: Runtime, member_id: int, item_id: int) -> tuple[Order, Item]:
    row = connection.execute(
        FIND_ITEM, {"member": member_id, "item": item_id, "program": runtime.program_id}
    ).fetchone()
    if row is None:
        raise OrderRefused(
            OrderRefusal.UNKNOWN_ITEM, "there is no such thing", field="item", remedy="check its reference"
        )
    order = orders.find(connection, runtime, member_id, row[0])
    return order, next(item for item in _items(connection, order) if item.item_id == item_id)


def _unusable(message: str, remedy: str = "read the order to see what the member holds") -> OrderRefused:
    return OrderRefused(OrderRefusal.ITEM_NOT_USABLE, message, field="item", remedy=remedy)


def use(
    connection: Connection[Any], runtime: Runtime, member_id: int, item_id: int, *, uses: int, now: int
) -> Item:
    """A service, a right or a place is used so many times.

    Refused where the member has no such thing, it is of a kind that is not used here, has not begun, is over, was
    taken back, or has fewer uses left.
    """
    runtime, _ = orders.locked(connection, runtime, member_id)
    _, item = _item(connection, runtime, member_id, item_id)
    if item.kind not in USED:
        raise _unusable(f"a {item.kind} is not used here", "use it where its code is shown")
    if item.state_at(now) != "open":
        raise _unusable(f"it is {item.state_at(now)}")
    if item.valid_from > now:
        raise _unusable("it has not begun")
    if item.uses_left is None:
        return item
    if item.uses_left < uses:
        raise _unusable(f"{item.uses_left} uses are left")
    item.uses_left -= uses
    if not item.uses_left:
        item.state = "used"
    order_store.save_item(connection, member_id, item)
    return item


def reveal(
    connection: Connection[Any], runtime: Runtime, member_id: int, item_id: int, *, actor: str, now: int
) -> dict[str, str]:
    """The code, PIN or address of a voucher or a gift card, for its member. A supplier's code counts as used from then.

    Refused where there is no such thing, or it was taken back, or it has no code.
    """
    runtime, _ = orders.locked(connection, runtime, member_id)
    order, item = _item(connection, runtime, member_id, item_id)
    tell = kinds.REVEAL.get(item.kind)
    if tell is None:
        raise _unusable(f"a {item.kind} has no code")
    if item.state == "void":
        raise _unusable("it was taken back")
    told = tell(Work(connection, runtime, order, actor, now), item)
    if item.kind == CODE and item.state == "open":
        item.state = "revealed"
        order_store.save_item(connection, member_id, item)
    return told


def choose(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    *,
    item_id: int | None,
    reward: str,
    variant: str | None,
    address: Address | None = None,
    actor: str,
    now: int,
) -> Placed:
    """The member picks one of the rewards of a choice. Refused without a choice that is open.

    `address` is where it is sent, where it is and the order has none yet; refused where the order has one.
    """
    orders.refuse_card_numbers({}, address)
    runtime, _ = orders.locked(connection, runtime, member_id)
    order = orders.find(connection, runtime, member_id, order_id)
    held = _items(connection, order)
    found = [
        item
        for item in held
        if item.kind == CHOICE
        and item.state_at(now) == "open"
        and (item_id is None or item.item_id == item_id)
    ]
    if order.state not in FULFILLED or not found:
        raise _unusable("there is nothing to choose, or it is too late", "read the order to see until when")
    there = addresses.there(connection, order)
    if there and address is not None:
        raise OrderRefused(
            OrderRefusal.INVALID_ORDER,
            "the order has an address, to which it is sent",
            field="address",
            remedy="leave it out",
        )
    work = Work(connection, runtime, order, actor, now)
    made = pick(work, found[0], reward, variant, addressed=there or address is not None)
    if address is not None:
        addresses.keep(connection, order, address)
    order_store.save_item(connection, member_id, found[0])
    order_store.add_items(connection, order, made)
    order_store.save(connection, order)
    return Placed(order, tuple(_items(connection, order)))


def ship(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    *,
    state: str,
    carrier: str,
    tracking: str,
    items: Sequence[int] | None,
    actor: str,
    now: int,
) -> Placed:
    """Goods of an order, and deliveries, are shipped, handed out, delivered, or came back.

    An order that waits for staff is fulfilled by it first. Refused where nothing of the order can become that now.
    """
    runtime, _ = orders.locked(connection, runtime, member_id)
    order = orders.find(connection, runtime, member_id, order_id)
    if order.state == "fulfilling" and "staff" in order.details.get("awaits", ()):
        order = orders.fulfil(
            connection, runtime, member_id, order_id, by="staff", given={}, actor=actor, now=now
        ).order
    held = _items(connection, order)
    moved = [
        item
        for item in held
        if state in SHIPMENT.get(item.state, ()) and (items is None or item.item_id in items)
    ]
    if not moved or (items is not None and len(moved) < len(set(items))):
        raise _unusable(f"nothing of the order can be {state.replace('_', ' ')} now")
    for item in moved:
        item.state = state
        item.details = {**item.details, **({"carrier": carrier} if carrier else {})}
        if tracking:
            item.details["tracking"] = tracking
        order_store.save_item(connection, member_id, item)
    return Placed(order, tuple(held))
