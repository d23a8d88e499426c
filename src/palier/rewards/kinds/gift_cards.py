"""Gift cards: a code of a pool that was brought in, or of the reward's supplier, shown to the member alone."""

from __future__ import annotations

from palier.members import refs
from palier.rewards import supply
from palier.rewards.document import GiftCard
from palier.rewards.kinds.contract import Leaf, Work, makes, reveals, takes_back
from palier.rewards.order_store import Item, NewItem
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.vouchers import pools
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused

CODE = "code"


@makes(GiftCard)
def gift_card(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """The code of the pool that ends soonest, or what the supplier delivered. Refused where the pool has none."""
    gives = leaf.reward.gives
    assert isinstance(gives, GiftCard)
    ends = work.until(gives.valid_days)
    details: dict[str, object] = {
        "worth": work.money(gives.worth, leaf.variant),
        "currency": work.plan.program.currency,
    }
    if leaf.reward.fulfilment == "supplier":
        details["from"] = "supplier"
        return [NewItem(unit, leaf.reward.key, CODE, "open", None, work.now, ends, details)]
    pool = leaf.variant.pool if leaf.variant is not None and leaf.variant.pool is not None else gives.pool
    assert pool is not None, "the check of a reward asks for a pool or a supplier"
    name = f"{work.order.ref}/{work.next_number()}"
    try:
        taken = pools.take(
            work.connection, work.order.program_id, pool, name, work.now, usable_until=ends or None
        )
    except VoucherRefused as refused:
        raise _none_left(refused.message) from None
    if taken is None:
        raise _none_left("no code is left")
    details |= {"from": "pool", "code": name}
    expires = min(end for end in (ends, taken.expires_at or 0) if end) if ends or taken.expires_at else 0
    return [NewItem(unit, leaf.reward.key, CODE, "open", None, work.now, expires, details)]


def _none_left(message: str) -> OrderRefused:
    return OrderRefused(
        OrderRefusal.OUT_OF_STOCK, message, field="reward", remedy="choose another, or try again later"
    )


@takes_back(CODE)
def give_back(work: Work, item: Item) -> None:
    """The code is free again, unless somebody has seen it: then it is the supplier's to end it."""
    if item.details.get("from") == "pool":
        pools.give_back(work.connection, work.order.program_id, str(item.details["code"]), now=work.now)


@reveals(CODE)
def code(work: Work, item: Item) -> dict[str, str]:
    """The code, shown once to the member: from then on it counts as used."""
    if item.details.get("from") == "supplier":
        return supply.reveal(work, item)
    try:
        found = pools.reveal(
            work.connection,
            work.order.program_id,
            str(item.details["code"]),
            to=refs.encode(work.order.member_id),
            now=work.now,
        )
    except VoucherRefused as refused:
        unknown = refused.code == VoucherRefusal.UNKNOWN_CODE
        raise OrderRefused(
            OrderRefusal.UNKNOWN_ITEM if unknown else OrderRefusal.ITEM_NOT_USABLE,
            refused.message,
            field="item",
            remedy=refused.remedy or "ask the shop",
        ) from None
    told = {"code": found.code, "pin": found.pin, "url": found.url}
    return {name: text for name, text in told.items() if text}
