"""The console's rail: which pages there are, in what order, and the right that each asks for."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from msgspec import Struct


class Entry(Struct, frozen=True):
    """A page of the rail: its word, its address by name (it takes the program's key), its drawing, its right.

    `right` None: for everybody who works in the program.
    """

    label: Promise
    url: str
    icon: str
    right: str | None


class Group(Struct, frozen=True):
    """Pages that belong together, under a word; without one they stand at the top."""

    label: Promise | None
    entries: tuple[Entry, ...]


RAIL: Final[tuple[Group, ...]] = (
    Group(None, (Entry(_("Overview"), "console:program", "house", None),)),
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
    Group(_("Program"), (Entry(_("Studio"), "console:studio:front", "pencil-ruler", "programs:read"),)),
)
"""The pages in the order of the rail. An area adds its own entries here."""
