"""Members who look at their pages: sessions of their own, and the pages of the portal that each asks for."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from palier.members import refs

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGES = {"home": "", "history": "history", "rewards": "rewards", "card": "card"}
"""The pages that are measured, below the portal's address."""


def path(page: str) -> str:
    """The address of a page of the benches' program."""
    return f"/portal/bench/{PAGES[page]}"


def sign_in(members: Sequence[int]) -> list[str]:
    """Begins a session for each member, as the portal's door does; the headers that bring them back."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    import django

    django.setup(set_prefix=False)
    from django.conf import settings
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.db import connections
    from django.utils import timezone

    from palier.web.portal.visits import SIGNED_IN

    store = SessionStore()
    until = timezone.now() + timedelta(days=1)
    sessions = [
        Session(f"bench{number:027}", store.encode({SIGNED_IN: {"bench": refs.encode(member)}}), until)
        for number, member in enumerate(members)
    ]
    Session.objects.all().delete()
    Session.objects.bulk_create(sessions, batch_size=1000)
    connections.close_all()
    return [f"Cookie: {settings.SESSION_COOKIE_NAME}={session.session_key}\r\n" for session in sessions]
