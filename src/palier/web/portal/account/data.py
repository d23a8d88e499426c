"""One's data: what is kept, in words; and all of it, to take along."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from palier.privacy import export as exporting
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
    response = JsonResponse(content, json_dumps_params={"ensure_ascii": False, "indent": 1})
    response["Content-Disposition"] = f'attachment; filename="{made.runtime.key}-{made.member.ref}.json"'
    response["Cache-Control"] = "private, no-store"
    return response
