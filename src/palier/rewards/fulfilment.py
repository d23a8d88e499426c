"""Orders and suppliers brought together: what an order has sent, and what it becomes of what suppliers answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from palier.activities.runtime import Runtime, runtime, settled
from palier.activities.store import LOCK
from palier.connectors.suppliers.contract import Money, Order, Standing
from palier.rewards import addresses, dispatch, order_store, orders, suppliers, supply
from palier.rewards.dispatch import Dispatch
from palier.rewards.document import GiftCard
from palier.rewards.kinds import Leaf, Work
from palier.rewards.order_store import Item
from palier.rewards.refusals import OrderRefusal, OrderRefused

logger = logging.getLogger(__name__)


def send(work: Work, leaves: Sequence[Leaf]) -> None:
    """Writes a message for each part of an order that a supplier hands out, in the order's own transaction.

    Refused where the program has no such supplier, so that no order waits for one that nobody will ask.
    """
    order = work.order
    sent_to = addresses.read(work.connection, order.member_id, order.order_id) is not None
    for part, leaf in enumerate(_parts(leaves)):
        named = leaf.reward.supplier
        if named is None or suppliers.find(work.connection, order.program_id, named.key) is None:
            raise OrderRefused(
                OrderRefusal.REWARD_NOT_AVAILABLE,
                "the reward's supplier is not set up",
                field="reward",
                remedy="set it up with `palier suppliers apply`, or have staff hand the reward out",
            )
        variant, gives = leaf.variant, leaf.reward.gives
        worth = work.money(gives.worth, variant) if isinstance(gives, GiftCard) else 0
        dispatch.enqueue(
            work.connection,
            order.program_id,
            member_id=order.member_id,
            order_id=order.order_id,
            part=part,
            supplier=named.key,
            order=Order(
                request_id="",
                sku=variant.sku if variant is not None and variant.sku else named.sku,
                quantity=order.quantity * leaf.count,
                amount=Money(worth, work.plan.program.currency) if worth else None,
                country=leaf.reward.countries[0] if len(leaf.reward.countries) == 1 else "",
            ),
            sent=sent_to,
            now=work.now,
        )


def call_off(work: Work) -> bool:
    """Calls an order's messages off; True where nothing was sent, so that the order ends here and now."""
    done = dispatch.call_off(work.connection, work.order.program_id, work.order.order_id, now=work.now)
    return done != "asked"


def close(work: Work, delivered: bool) -> None:
    """Asks suppliers nothing more about an order that a person settled."""
    dispatch.close(
        work.connection,
        work.order.program_id,
        work.order.order_id,
        delivered=delivered,
        reason=f"settled by {work.actor}",
        now=work.now,
    )


def reveal(work: Work, item: Item) -> dict[str, str]:
    """What the supplier delivered for one item of an order. Refused where it delivered no code for it."""
    order = work.order
    parts = [
        part
        for part, leaf in enumerate(_parts(orders.leaves_of(work.connection, order)))
        if leaf.reward.key == item.reward
    ]
    delivered = dispatch.units_of(work.connection, order.order_id)
    units = [unit for part in parts for unit in delivered.get(part, ())]
    items = order_store.items(work.connection, order.member_id, [order.order_id])[order.order_id]
    alike = [each.item_id for each in items if each.reward == item.reward]
    place = alike.index(item.item_id)
    if place >= len(units):
        raise OrderRefused(
            OrderRefusal.ITEM_NOT_USABLE,
            "the supplier delivered no code for it",
            field="item",
            remedy="ask the shop",
        )
    unit = units[place]
    told = {"code": unit.code, "pin": unit.pin, "url": unit.link, "valid_until": unit.valid_until}
    return {name: text for name, text in told.items() if text}


def _parts(leaves: Sequence[Leaf]) -> list[Leaf]:
    """What suppliers hand out of an order, in the order of its messages."""
    return [leaf for leaf in leaves if not leaf.is_whole and leaf.reward.fulfilment == "supplier"]


supply.register(send, call_off, close, reveal)


class StoredOrders:
    """What becomes of the orders of the database."""

    def address(self, connection: Connection[Any], dispatch: Dispatch) -> dict[str, str]:
        """Where the order is sent."""
        found = addresses.read(connection, dispatch.member_id, dispatch.order_id)
        if found is None:
            return {}
        lines = (*found.lines, "", "")
        parts = {
            "name": found.name,
            "line1": lines[0],
            "line2": lines[1],
            "postcode": found.postcode,
            "city": found.city,
            "country": found.country,
            "phone": found.phone,
        }
        return {name: text for name, text in parts.items() if text}

    def lock(self, connection: Connection[Any], dispatch: Dispatch) -> None:
        """What judges, then the member, as every step of an order takes them."""
        settled(connection, _program(connection, dispatch))
        connection.execute(LOCK, {"members": [dispatch.member_id]})

    def fulfilled(
        self, connection: Connection[Any], dispatch: Dispatch, standing: Standing, *, now: int
    ) -> str:
        """Points are spent, and the member holds what was delivered; or why the order cannot take it any more."""
        try:
            with connection.transaction():
                orders.fulfil(
                    connection,
                    _program(connection, dispatch),
                    dispatch.member_id,
                    dispatch.order_id,
                    by="supplier",
                    given={"supplier": dispatch.supplier, "reference": standing.reference},
                    actor=f"supplier:{dispatch.supplier}",
                    now=now,
                )
        except OrderRefused as refused:
            return f"the supplier delivered, and {refused.message}"
        return ""

    def failed(
        self, connection: Connection[Any], dispatch: Dispatch, *, cancelled: bool, reason: str, now: int
    ) -> None:
        """The member has the points back; nothing more where the order is settled already."""
        try:
            with connection.transaction():
                orders.fail(
                    connection,
                    _program(connection, dispatch),
                    dispatch.member_id,
                    dispatch.order_id,
                    actor=f"supplier:{dispatch.supplier}",
                    now=now,
                    reason=reason or "the supplier refuses it",
                    cancelled=cancelled,
                )
        except OrderRefused as refused:
            logger.warning(
                "order %s of a supplier that does not deliver: %s", dispatch.order_id, refused.message
            )


def _program(connection: Connection[Any], dispatch: Dispatch) -> Runtime:
    row = connection.execute(
        "-- fulfilment.program\nselect key from program where program_id = %s", (dispatch.program_id,)
    ).fetchone()
    found = runtime(connection, row[0]) if row is not None else None
    assert found is not None, f"dispatch {dispatch.dispatch_id} is of no program"
    return found
