"""Entries of sweepstakes. The draw itself is in `palier.rewards.sweepstakes`."""

from __future__ import annotations

from palier.activities import draws
from palier.engine.instants import parse_instant
from palier.rewards.document import Sweepstake
from palier.rewards.kinds.contract import Leaf, Work, makes
from palier.rewards.order_store import NewItem
from palier.rewards.sweepstakes import announce

ENTRY = "entry"


@makes(Sweepstake)
def entry(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """An entry in the draw. With the first of all, the month's seed is committed to."""
    gives = leaf.reward.gives
    assert isinstance(gives, Sweepstake)
    at = parse_instant(gives.draw_at)
    period = draws.month_of(work.clock, at)
    announce(work.connection, work.order.program_id, leaf.reward.key, at, period, now=work.now)
    return [NewItem(unit, leaf.reward.key, ENTRY, "open", None, work.now, at, {"draw_at": gives.draw_at})]
