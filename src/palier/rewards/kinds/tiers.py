"""Tiers given for a time, above the one that the member earns meanwhile."""

from __future__ import annotations

from palier.activities import operations
from palier.engine.facts import Reference
from palier.rewards.document import TierUpgrade
from palier.rewards.kinds.contract import Leaf, Work, makes, takes_back
from palier.rewards.order_store import FACTS, Item, NewItem
from palier.rewards.refusals import OrderRefusal, OrderRefused

TIER = "tier"


@makes(TierUpgrade)
def tier(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """The tier until the same local time so many days on. Refused where the program has it no more."""
    gives = leaf.reward.gives
    assert isinstance(gives, TierUpgrade)
    until = work.until(gives.days)
    id = f"{work.order.order_id}:tier:{work.next_number()}"
    result = operations.grant_tier(
        work.connection,
        work.runtime,
        member_id=work.order.member_id,
        tier=gives.tier,
        until=until,
        source=FACTS,
        id=id,
        now=work.now,
        actor=work.actor,
    )
    if result.refusal is not None:
        raise OrderRefused(
            OrderRefusal.REWARD_NOT_AVAILABLE,
            result.refusal.message,
            field="reward",
            remedy="order another reward",
        )
    return [
        NewItem(unit, leaf.reward.key, TIER, "open", None, work.now, until, {"tier": gives.tier, "fact": id})
    ]


@takes_back(TIER)
def take(work: Work, item: Item) -> None:
    """Takes the tier back at once. One that is over is over."""
    operations.revoke_tier(
        work.connection,
        work.runtime,
        member_id=work.order.member_id,
        given=Reference(FACTS, str(item.details["fact"])),
        source=FACTS,
        id=f"{item.details['fact']}:back",
        now=work.now,
        actor=work.actor,
    )
