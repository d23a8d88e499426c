"""Rights: services with uses left, entitlements with a window, own courses."""

from __future__ import annotations

from palier.engine.instants import ends_at, starts_at
from palier.rewards.document import Course, Entitlement, Service
from palier.rewards.kinds.contract import Leaf, Work, makes
from palier.rewards.order_store import NewItem

RIGHT = "right"


@makes(Service)
def service(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """So many uses, until the last or the end."""
    gives = leaf.reward.gives
    assert isinstance(gives, Service)
    return [
        NewItem(
            unit, leaf.reward.key, RIGHT, "open", gives.uses, work.now, work.until(gives.valid_days),
            {"uses": gives.uses},
        )
    ]  # fmt: skip


@makes(Entitlement)
def entitlement(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """A right from its first day, or from now, until its last."""
    gives = leaf.reward.gives
    assert isinstance(gives, Entitlement)
    starts = starts_at(gives.starts, work.clock) if gives.starts is not None else work.now
    ends = ends_at(gives.ends, work.clock) if gives.ends is not None else 0
    if gives.valid_days is not None:
        ends = work.clock.add_days(max(starts, work.now), gives.valid_days)
    details = {"uses": gives.uses} if gives.uses is not None else {}
    return [NewItem(unit, leaf.reward.key, RIGHT, "open", gives.uses, starts, ends, details)]


@makes(Course)
def course(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """A module that is open to the member."""
    gives = leaf.reward.gives
    assert isinstance(gives, Course)
    return [
        NewItem(
            unit, leaf.reward.key, RIGHT, "open", None, work.now, work.until(gives.valid_days),
            {"module": gives.module},
        )
    ]  # fmt: skip
