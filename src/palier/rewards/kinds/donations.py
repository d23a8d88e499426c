"""Donations: money for a beneficiary, which adds to the total of its campaign."""

from __future__ import annotations

import msgspec

from palier.rewards.document import Donation
from palier.rewards.kinds.contract import Leaf, Work, makes
from palier.rewards.order_store import NewItem

DONATION = "donation"


@makes(Donation)
def donation(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """What is given: `amount` in minor units of the program's money."""
    gives = leaf.reward.gives
    assert isinstance(gives, Donation)
    details = {
        "amount": work.money(gives.worth, leaf.variant),
        "currency": work.plan.program.currency,
        "beneficiary": msgspec.to_builtins(gives.beneficiary),
        "receipt": gives.receipt,
    }
    if gives.campaign is not None:
        details["campaign"] = gives.campaign
    return [NewItem(unit, leaf.reward.key, DONATION, "open", None, work.now, 0, details)]
