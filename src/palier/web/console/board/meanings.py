"""What each figure means, in one sentence: shown under the charts and tables that tell it."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

MEANINGS: Final[dict[str, tuple[Promise, Promise]]] = {
    "members": (
        _("Members"),
        _("Everyone who joined, less those who were erased or merged into another member."),
    ),
    "joined": (_("Joined"), _("Members by the day on which they joined.")),
    "active": (
        _("Active"),
        _(
            "Members who did something themselves in the 30 (or 90) days up to the day: "
            "bought, visited, used points, played. What others did for them, returns, and "
            "what time brings do not count."
        ),
    ),
    "spend": (
        _("Sales of members"),
        _("What was paid in the sales that were sent; returns are not taken off."),
    ),
    "issued": (
        _("Issued"),
        _("Points given for activities and by mechanics, on the day of the activity, pending ones too."),
    ),
    "taken_back": (
        _("Taken back"),
        _("Points taken back by returns. What a correction takes off was never issued."),
    ),
    "redeemed": (_("Used"), _("Points used for rewards and pay-outs, less what was given back.")),
    "expired": (_("Expired"), _("Points whose time was over, on the day they expired.")),
    "outstanding": (
        _("Outstanding"),
        _("Points that can be used or are held at the end of the period; pending ones are not yet in it."),
    ),
    "liability": (
        _("Liability"),
        _("Outstanding and pending points at the value that the program gives them."),
    ),
    "breakage": (
        _("Expected breakage"),
        _(
            "The share that expired among the points that were used or expired in the last "
            "twelve whole months; the range is twice its standard error over these months. "
            "Not estimated with less than six months, or before anything was used."
        ),
    ),
    "retention": (
        _("Came back"),
        _("Of those who joined in a month, how many did something themselves in a later month."),
    ),
    "first_reward": (
        _("Time to the first reward"),
        _("Days from joining to the first points used or the first order, of the members who had one."),
    ),
    "tier": (
        _("Tier"),
        _("The tier held after a member's latest decision; who has done nothing yet stands at the start."),
    ),
    "fired": (
        _("Times"),
        _("Activities for which the rule brought points, as first decided; returns are not taken off."),
    ),
    "brought": (
        _("Points brought"),
        _("What the rule brought as first decided, after tiers and caps; returns are not taken off."),
    ),
    "reached": (_("Members reached"), _("Members to whom the rule has ever brought points.")),
    "budget": (_("Budget"), _("What of the campaign's budget is used now; it can never be exceeded.")),
}
"""Figure -> its name and its meaning; docs/concepts/measures.md says the same at more length."""


def means(*keys: str) -> list[tuple[str, str]]:
    """The meanings of some figures, in the reader's language."""
    return [(str(MEANINGS[key][0]), str(MEANINGS[key][1])) for key in keys]


__all__ = ["MEANINGS", "means"]
