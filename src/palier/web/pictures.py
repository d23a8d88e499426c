"""Pictures to everybody who knows their address, under /pictures/PROGRAM/.

What stands at an address never changes, so whoever has it need not ask again. Shops' pages may show it too. It is
answered as what it is and nothing else: no browser takes it for a page.
"""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from palier.programs import pictures
from palier.staff.session import session

KEPT_FOR_S: Final = 365 * 24 * 3600
POLICY: Final = "default-src 'none'; sandbox"


@require_safe
def picture(request: HttpRequest, program: str, file: str) -> HttpResponse:
    """One size of a picture; 404 for whatever is not one, in the same words."""
    asked = pictures.part_of(file)
    if asked is None:
        raise Http404
    with session() as connection:
        found = pictures.body(connection, program, *asked)
    if found is None:
        raise Http404
    response = HttpResponse(found, content_type="image/png" if asked[1] == "icon" else "image/webp")
    response["Cache-Control"] = f"public, max-age={KEPT_FOR_S}, immutable"
    response["Content-Security-Policy"] = POLICY
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["X-Content-Type-Options"] = "nosniff"
    return response
