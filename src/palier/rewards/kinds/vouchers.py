"""Vouchers: money or percent off a basket, a product free at the till. The code is the member's proof."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from palier.rewards.document import AmountOff, PercentOff, Product
from palier.rewards.kinds.contract import Leaf, Work, looks_at, makes, reveals, takes_back
from palier.rewards.order_store import Item, NewItem
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.vouchers import operations, queries
from palier.vouchers.refusals import VoucherRefused

VOUCHER = "voucher"


@makes(PercentOff, AmountOff, Product)
def voucher(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """A voucher of the member's own. What it brings is what the reward gives, with the worth of its variant.

    Its effect names the reward and its version, what it gives, and how it stands beside others in a basket.
    """
    gives = leaf.reward.gives
    assert isinstance(gives, PercentOff | AmountOff | Product)
    if isinstance(gives, AmountOff) and gives.amount is None and leaf.variant is not None:
        gives = msgspec.structs.replace(gives, amount=leaf.variant.worth)
    uses = gives.quantity if isinstance(gives, Product) else gives.uses
    ends = work.until(gives.valid_days)
    order = work.order
    made = operations.issue(
        work.connection,
        order.program_id,
        member_id=order.member_id,
        effect={
            "reward": leaf.reward.key,
            "version": leaf.version,
            "gives": msgspec.to_builtins(gives),
            "stacking": msgspec.to_builtins(leaf.reward.stacking),
        },
        max_uses=uses,
        valid_from=work.now,
        expires_at=ends or None,
        origin=f"order:{order.ref}",
        partner=order.partner or "",
        now=work.now,
    )
    details = {"voucher": made.voucher_ref, "uses": uses}
    return [NewItem(unit, leaf.reward.key, VOUCHER, "open", uses, work.now, ends, details)]


@looks_at(VOUCHER)
def look(work: Work, items: Sequence[Item]) -> None:
    """What is left of vouchers is told by the vouchers themselves."""
    found = {
        standing.voucher_ref: standing
        for standing in queries.of_member(work.connection, work.order.program_id, work.order.member_id)
    }
    for item in items:
        standing = found.get(str(item.details["voucher"]))
        if standing is not None:
            item.uses_left = standing.uses_left
            state = queries.state_at(standing, work.now)
            item.state = {"active": "open", "cancelled": "void"}.get(state, state)


@takes_back(VOUCHER)
def cancel(work: Work, item: Item) -> None:
    """Ends the voucher. One that was used, or is over, stays as it is: staff takes back its points all the same."""
    try:
        operations.cancel(work.connection, work.order.program_id, str(item.details["voucher"]), now=work.now)
    except VoucherRefused:
        return


@reveals(VOUCHER)
def code(work: Work, item: Item) -> dict[str, str]:
    """The code, for its member."""
    found = queries.code_of(
        work.connection,
        work.order.program_id,
        str(item.details["voucher"]),
        member_id=work.order.member_id,
    )
    if found is None:
        raise OrderRefused(
            OrderRefusal.ITEM_NOT_USABLE,
            "the code is kept no more",
            field="item",
            remedy="have another voucher issued",
        )
    return {"code": found.code, **({"pin": found.pin} if found.pin else {})}
