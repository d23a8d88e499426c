"""The portal without a network: a service worker that keeps a shell, and what the phone may keep of the member.

Kept on the device are the first name, the main balance with its instant, and the member's reference as a code that
tills read for earning alone. The shell holds nothing of anybody; the rest is removed with the session.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import segno
from django.http import HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.views.decorators.http import require_GET

from palier.activities import queries
from palier.web.portal import telling
from palier.web.portal.visits import Visit, of_anyone, of_member
from palier.web.ui import pictures

KEPT: Final = (
    "ui/tokens.css", "ui/ui.css", "ui/portal.css", "ui/play.css", "ui/icons.svg", "ui/app.svg", "ui/pocket.js",
    "ui/offline.js", "ui/fonts/source-sans-3.woff2",
)  # fmt: skip
"""The static files of the shell."""
_STATIC: Final = Path(__file__).parents[2] / "static"


@cache
def _version() -> str:
    """Changes with any file of the shell, and with the worker's own."""
    found = sha256()
    for name in (*KEPT, "ui/worker.js"):
        found.update((_STATIC / name).read_bytes())
    return found.hexdigest()[:16]


@require_GET
@of_anyone
def worker(made: Visit) -> HttpResponse:
    """The service worker of this program's pages: what it keeps, then the file that says how."""
    shell = reverse("portal:offline", args=[made.runtime.key])
    logo = pictures.logo(made.connection, made.runtime, made.words)
    kept = {
        "version": f"{_version()}-{made.runtime.latest.version}",
        "name": f"palier {made.runtime.key} ",
        "shells": {language: f"{shell}?lang={language}" for language in ("en", "fr")},
        "files": [
            *(static(name) for name in KEPT),
            reverse("portal:brand", args=[made.runtime.key]),
            *([logo.small, logo.medium, logo.large] if logo is not None else []),
        ],
    }
    text = f"const KEPT = {msgspec.json.encode(kept).decode()};\n" + (_STATIC / "ui/worker.js").read_text()
    response = HttpResponse(text, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


@require_GET
@of_anyone
def shell(made: Visit) -> HttpResponse:
    """The page that is shown without a network; a script fills in what the phone has kept."""
    asked = made.request.GET.get("lang")
    language = asked if asked in ("en", "fr") else made.language
    with translation.override(language):
        return made.page("portal/play/offline.html", {"member": None, "shell": True})


@require_GET
@of_member
def pocket(made: Visit) -> HttpResponse:
    """What the phone may keep of the member: first name, main balance as it is now, and his reference."""
    assert made.member is not None
    words = made.words
    wallets = queries.wallets(made.connection, made.runtime, made.member_id, now=made.now)
    assert wallets is not None
    balances = [
        telling.balance(words, wallets, key)
        for key in telling.currencies_of(made.runtime.latest, "points", "cash")
        if key in wallets.wallets
    ]
    first = next((item for item in balances if not item.empty), balances[0] if balances else None)
    rows = [
        "".join("1" if dark else "0" for dark in row) for row in segno.make_qr(made.member.ref.upper()).matrix
    ]
    response = JsonResponse(
        {
            "name": telling.first_name(made.member.attributes),
            "number": first.number if first is not None else "",
            "unit": first.unit if first is not None else "",
            "at": made.now // 1_000_000,
            "language": made.language,
            "card": made.member.ref,
            "qr": rows,
        }
    )
    response["Cache-Control"] = "private, no-store"
    return response
