"""Goods: sent to an address or handed out, with the states of their shipment."""

from __future__ import annotations

from typing import Final

import msgspec

from palier.rewards.document import Merchandise
from palier.rewards.kinds.contract import Leaf, Work, makes
from palier.rewards.order_store import NewItem

GOODS: Final = "goods"
SHIPMENT: Final[dict[str, frozenset[str]]] = {
    "preparing": frozenset({"shipped", "handed_out"}),
    "shipped": frozenset({"delivered", "returned"}),
    "delivered": frozenset({"returned"}),
    "handed_out": frozenset({"returned"}),
    "returned": frozenset(),
}
"""State of what is sent -> those that may follow."""


@makes(Merchandise)
def goods(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """Something that is being prepared to be sent, or handed out."""
    gives = leaf.reward.gives
    assert isinstance(gives, Merchandise)
    details: dict[str, object] = {"shipped": gives.shipped}
    if leaf.variant is not None:
        details["variant"] = leaf.variant.key
        if leaf.variant.sku:
            details["sku"] = leaf.variant.sku
    if gives.pickup is not None:
        details["pickup"] = msgspec.to_builtins(gives.pickup)
    return [NewItem(unit, leaf.reward.key, GOODS, "preparing", None, work.now, 0, details)]
