"""Devices: where the member is signed in, ended one by one or all but this one."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from palier.activities import batch
from palier.members import passkeys, sessions
from palier.site.ids import read_id
from palier.web.portal import telling
from palier.web.portal.visits import Visit, of_member


@require_http_methods(["GET", "POST"])
@of_member
def devices(made: Visit) -> HttpResponse:
    """Sessions and passkeys of the member; what is ended is ended at once."""
    assert made.session is not None
    own = made.session.session_id
    program_id = made.runtime.program_id
    if made.request.method == "POST":
        given, key = made.request.POST.get("session", ""), made.request.POST.get("passkey", "")

        def act() -> None:
            if given == "others":
                sessions.end(made.connection, program_id, made.member_id, but=own, now=made.now)
            elif (session_id := read_id(given)) is not None:
                sessions.end(made.connection, program_id, made.member_id, session_id=session_id, now=made.now)
            elif key:
                passkeys.remove(made.connection, program_id, made.member_id, key)

        batch.attempt(made.connection, act)
        made.request.session["said"] = _("Removed.") if key else _("Signed out there.")
        return made.go("devices")
    return made.page(
        "portal/account/devices.html",
        {
            "here": "me",
            "said": made.request.session.pop("said", None),
            "sessions": [
                {
                    "id": item.session_id,
                    "device": item.device or _("An unknown browser"),
                    "own": item.session_id == own,
                    "way": item.way,
                    "since": made.words.day(item.started_at),
                    "seen": telling.ago(made.words, item.seen_at, made.now),
                }
                for item in sessions.listed(made.connection, program_id, made.member_id, now=made.now)
            ],
            "passkeys": [
                {
                    "id": item.name,
                    "device": item.device or _("An unknown browser"),
                    "since": made.words.day(item.added_at),
                    "used": made.words.day(item.used_at) if item.used_at else "",
                }
                for item in passkeys.listed(made.connection, program_id, made.member_id)
            ],
        },
    )
