"""The console's rail: which pages there are, in what order, and the right that each asks for."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from msgspec import Struct


class Entry(Struct, frozen=True):
    """A page of the rail: its word, its address by name (it takes the program's key), its drawing, its right.

    `right` None: for everybody who works in the program. `everywhere`: it must hold in all programs.
    """

    label: Promise
    url: str
    icon: str
    right: str | None
    everywhere: bool = False


class Group(Struct, frozen=True):
    """Pages that belong together, under a word; without one they stand at the top."""

    label: Promise | None
    entries: tuple[Entry, ...]


RAIL: Final[tuple[Group, ...]] = (
    Group(
        None,
        (
            Entry(_("Overview"), "console:program", "house", None),
            Entry(_("Cost"), "console:cost", "coins", "insights:read"),
            Entry(_("Who leaves"), "console:leaving", "door-open", "insights:read"),
            Entry(_("How far"), "console:progress", "trending-up", "insights:read"),
        ),
    ),
    Group(
        _("Program"),
        (
            Entry(_("Studio"), "console:studio:front", "pencil-ruler", "programs:read"),
            Entry(_("Brand"), "console:brand", "palette", "programs:read"),
            Entry(_("Rules"), "console:rules", "list-checks", "programs:read"),
            Entry(_("Tiers"), "console:tiers", "layers", "programs:read"),
            Entry(_("Goals"), "console:goals", "target", "programs:read"),
            Entry(_("Campaigns"), "console:campaigns", "megaphone", "programs:read"),
            Entry(_("Rewards"), "console:rewards", "gift", "rewards:read"),
            Entry(_("Games"), "console:games", "dices", "programs:read"),
            Entry(_("Partners"), "console:partners", "handshake", "programs:read"),
        ),
    ),
    Group(
        _("People"),
        (
            Entry(_("Members"), "console:people:members", "users", "members:read"),
            Entry(_("Cases"), "console:people:cases", "mail", "members:write"),
            Entry(_("Orders"), "console:people:orders", "package", "orders:write"),
            Entry(_("Pay-outs"), "console:people:payouts", "banknote", "payouts:write"),
            Entry(_("Settlements"), "console:people:settlements", "handshake", "settlements:read"),
            Entry(_("Imports"), "console:people:imports", "upload", "imports:write"),
        ),
    ),
    Group(
        _("Administration"),
        (
            Entry(_("Approvals"), "console:desk:approvals", "badge-check", "approvals:write"),
            Entry(_("Staff"), "console:desk:staff", "shield", "staff:write"),
            Entry(_("Tills"), "console:desk:tills", "store", "tills:write"),
            Entry(_("API keys"), "console:desk:keys", "lock", "keys:write"),
            Entry(_("Audit log"), "console:desk:log", "file-text", "audit:read", everywhere=True),
        ),
    ),
)
"""The pages in the order of the rail. An area adds its own entries here."""
