"""What is counted, by name: each figure of a program is made from these, and from nothing else.

A name stands in `insight_day.measure`; what it is of stands in the key beside it. docs/concepts/measures.md says
the same for readers, and what is made of them.
"""

from __future__ import annotations

from typing import Final

from palier.engine.facts import COMMANDS, MADE_SOURCE, OWN_SOURCE, RETURN

DEBIT: Final = "debit"
"""Points that left an account, what was corrected taken off. Key: currency|account."""
CREDIT: Final = "credit"
"""Points that came to an account, what was corrected taken off. Key: currency|account."""
ACTIVITY: Final = "activity"
"""Decided activities and commands, those of the platform itself left out. Key: type."""
SPEND: Final = "spend"
"""Money of sales in minor units, returns not taken off."""
JOINED: Final = "joined"
"""Members who joined."""
GONE: Final = "gone"
"""Members who went: erased, or merged into another; less those who came back as a merge was undone."""
ACTIVE: Final = "active"
"""Members who did something themselves on the day."""
STAYS: Final = {30: "active_30", 90: "active_90"}
"""By how many the members who were active within so many days changed: the sum up to a day is how many there are."""
COHORT: Final = "cohort"
"""Members who were active in a month, on its first day. Key: the month in which they joined, as 2026-03."""
WAITED: Final = "waited"
"""Members who had their first reward in a month, on its first day, less those who went, on that day. Key: days since
they joined."""
ORDERED: Final = "ordered"
"""Units of rewards ordered. Key: reward."""
TIER: Final = "tier"
"""By how many the members of a tier changed. Key: tier."""
MOVED: Final = "moved"
"""Members who changed tier. Key: from|to."""
FIRED: Final = "fired"
"""Activities for which a rule brought points, as first decided. Key: rule."""
BROUGHT: Final = "brought"
"""Points that a rule brought, as first decided. Key: rule|currency."""
REACHED: Final = "reached"
"""Members to whom a rule brought points for the first time. Key: rule."""
GRANTED: Final = "granted"
"""Units that a mechanic gave, less those taken back, as first decided. Key: cause|currency."""
DRAWN: Final = "drawn"
"""Draws of a game. Key: game|prize; nothing after the bar where the prize was sold out."""
STEPPED: Final = "stepped"
"""Times that a goal's step was reached, as first decided. Key: cause."""

NOT_DONE_BY_MEMBERS: Final = frozenset((COMMANDS - {"redeem", "hold"}) | {RETURN})
"""Types of activities that do not make their member active: what others do to him, and taking back."""

REWARDING: Final = frozenset({"redeem", "capture"})
"""Commands by which a member has a reward; an order is one too, whatever it costs."""


def is_active(source: str, kind: str) -> bool:
    """Whether an activity is something that the member did: a purchase, a visit, a redemption, an act of his own."""
    return source not in (OWN_SOURCE, MADE_SOURCE) and kind not in NOT_DONE_BY_MEMBERS


__all__ = [
    "ACTIVE",
    "ACTIVITY",
    "BROUGHT",
    "COHORT",
    "CREDIT",
    "DEBIT",
    "DRAWN",
    "FIRED",
    "GONE",
    "GRANTED",
    "JOINED",
    "MOVED",
    "NOT_DONE_BY_MEMBERS",
    "ORDERED",
    "REACHED",
    "REWARDING",
    "SPEND",
    "STAYS",
    "STEPPED",
    "TIER",
    "WAITED",
    "is_active",
]
