"""Experiences: a place at a date."""

from __future__ import annotations

from palier.engine.instants import starts_at
from palier.rewards.document import Experience
from palier.rewards.kinds.contract import Leaf, Work, makes
from palier.rewards.order_store import NewItem

PLACE = "place"


@makes(Experience)
def place(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """A place at the date of the order's slot, until the date is over."""
    slot = leaf.slot
    if slot is None:
        return [NewItem(unit, leaf.reward.key, PLACE, "open", 1, work.now, 0, {"uses": 1})]
    details = {"uses": 1, "slot": slot.key, "starts_at": slot.starts_at, "ends_at": slot.ends_at}
    if slot.place:
        details["place"] = slot.place
    ends = starts_at(slot.ends_at, work.clock)
    return [NewItem(unit, leaf.reward.key, PLACE, "open", 1, work.now, ends, details)]
