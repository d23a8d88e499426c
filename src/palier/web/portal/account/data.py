"""One's data: what is kept, in words; and all of it, to take along."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from palier.privacy import export as exporting
from palier.web.downloads import json_file
from palier.web.portal.visits import Visit, of_member


@require_GET
@of_member
def data(made: Visit) -> HttpResponse:
    """What is known of the member, by kind, and the way to all of it."""
    return made.page("portal/account/data.html", {"here": "me"})


@require_GET
@of_member
def export(made: Visit) -> HttpResponse:
    """All that is known of the member, as JSON to take along."""
    assert made.member is not None
    content = exporting.everything(made.connection, made.runtime, made.member_id, made.language, now=made.now)
    return json_file(f"{made.runtime.key}-{made.member.ref}", content)
