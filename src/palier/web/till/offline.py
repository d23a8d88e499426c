"""The till without the network: what it kept is taken, and the page by which it keeps is given to the tablet."""

from __future__ import annotations

from functools import partial

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

import palier
from palier.activities.runtime import Runtime
from palier.engine.words import ProgramWords
from palier.staff.session import AnyConnection
from palier.tills import baskets, journal
from palier.tills.journal import Sent
from palier.tills.refusals import TillRefused
from palier.web.portal.visits import language_of
from palier.web.till import words
from palier.web.till.visits import (
    TillVisit,
    finished,
    of_anyone,
    of_device,
    place,
)
from palier.web.ui import pictures


class _Journal(msgspec.Struct, forbid_unknown_fields=True):
    entries: list[Sent]


# A forged call brings nothing: the cookie is not sent from other sites, and every entry bears the device's signature.
@csrf_exempt
@require_POST
@partial(of_device, revoked_too=True)
def kept(made: TillVisit) -> HttpResponse:
    """Takes what the device kept while the network was away; what became of each entry."""
    try:
        body = msgspec.json.decode(made.request.body, type=_Journal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        ended = made.device.state == "revoked"
        return finished(JsonResponse({"error": "malformed"}, status=401 if ended else 400))
    try:
        taken = journal.take(made.connection, made.runtime, made.device, body.entries, now=made.now)
    except TillRefused as refused:
        return finished(
            JsonResponse({"error": refused.code, "said": words.refused(refused.code)}, status=401)
        )
    for sent, item in zip(body.entries, taken, strict=False):
        if item.status in ("applied", "duplicate"):
            ticket_ = journal.ticket_of(sent.text)
            if ticket_ is not None:
                baskets.done(made.connection, made.device, ticket_, item.number, now=made.now)
    made.connection.commit()
    return finished(
        JsonResponse(
            {
                "results": [
                    {
                        "number": item.number,
                        "status": item.status,
                        "code": item.code,
                        "said": words.refused(item.code) if item.code else "",
                    }
                    for item in taken
                ]
            }
        )
    )


@require_GET
@of_anyone
def shell(request: HttpRequest, connection: AnyConnection, found: Runtime, now: int) -> HttpResponse:
    """The till as it is without the network: nothing of anybody, and a place to keep sales."""
    content = place(request, connection, found, ProgramWords(found.latest.program, language_of(request)))
    content["offline_words"] = [(str(code), words.refused(code)) for code in words.OFFLINE_CODES]
    content["exponent"] = found.latest.exponent
    return finished(render(request, "till/shell.html", content))


@require_GET
@of_anyone
def worker(request: HttpRequest, connection: AnyConnection, found: Runtime, now: int) -> HttpResponse:
    """The script that keeps the till's shell on the tablet; it has to come from the till's own address."""
    logo = pictures.logo(connection, found, ProgramWords(found.latest.program, language_of(request)))
    response = finished(
        render(
            request,
            "till/sw.js",
            {
                "kept_version": f"{palier.__version__}, {found.latest.version}",
                "root": reverse("till:counter", args=[found.key]),
                "shell": reverse("till:shell", args=[found.key]),
                "files": [
                    static(f"ui/{name}")
                    for name in (
                        "tokens.css", "ui.css", "till.css", "till.js", "till-journal.js", "till-scan.js",
                        "icons.svg", "app.svg", "fonts/source-sans-3.woff2",
                    )
                ]
                + [reverse("portal:brand", args=[found.key])]
                + ([logo.small, logo.medium, logo.large] if logo is not None else []),
            },
            content_type="text/javascript; charset=utf-8",
        )
    )  # fmt: skip
    response["Cache-Control"] = "no-cache"
    return response


@require_GET
@of_anyone
def manifest(request: HttpRequest, connection: AnyConnection, found: Runtime, now: int) -> HttpResponse:
    """What installs the till on a tablet."""
    root = reverse("till:counter", args=[found.key])
    language = language_of(request)
    with override(language):
        name = _("Till")
    return finished(
        JsonResponse(
            {
                "name": f"{name} · {ProgramWords(found.latest.program, language).text(found.latest.program.name)}",
                "short_name": name,
                "start_url": root,
                "scope": root,
                "display": "standalone",
                "orientation": "any",
                "background_color": "#fbfaf7",
                "theme_color": "#fbfaf7",
                "icons": pictures.installed(
                    pictures.logo(connection, found, ProgramWords(found.latest.program, language))
                ),
            },
            content_type="application/manifest+json",
        )
    )
