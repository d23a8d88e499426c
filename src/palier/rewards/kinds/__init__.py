"""What the kinds of rewards come to in a member's hands: one module for each family of kinds.

A kind makes the items of one unit of an order, and takes them back. It works in the transaction of the order, under
the member's lock and after stock was settled, and reaches nothing outside the database.
"""

from __future__ import annotations

from palier.rewards.kinds.contract import (
    KINDS,
    REVEAL,
    UNDO,
    Leaf,
    Work,
    expand,
    expand_each,
    look_at,
    make,
    undo,
    untouched,
)
from palier.rewards.kinds.sets import address_needed, chances, sent_of

__all__ = [
    "KINDS",
    "REVEAL",
    "UNDO",
    "Leaf",
    "Work",
    "address_needed",
    "chances",
    "expand",
    "expand_each",
    "look_at",
    "make",
    "sent_of",
    "undo",
    "untouched",
]

from palier.rewards.kinds import (  # noqa: F401 -- each names its kinds when it is read
    donations,
    experiences,
    gift_cards,
    goods,
    payouts,
    rights,
    sets,
    subscriptions,
    sweepstakes,
    tiers,
    vouchers,
)
