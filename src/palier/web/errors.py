"""What is said where no page answers: nothing is there, a form is no longer good, too much was sent, the database is
away, a defect.

Whoever reads pages gets one in his language, which says what to do and leads back; a script or a system gets a problem
document. None of them asks the database or the session, so that they are said whatever else is broken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from palier.site.problem import problem_body, wants_page
from palier.staff.session import AWAY

_TOO_MUCH = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


def _said(request: HttpRequest, status: int, code: str, title: str, text: str) -> HttpResponse:
    if wants_page(request.path_info, request.headers.get("Accept", "")):
        content = {"title": title, "text": text, "back": _back(request.path_info)}
        response = HttpResponse(render_to_string("web/error.html", content), status=status)
    else:
        response = HttpResponse(
            problem_body(status, code, f"{title}. {text}"),
            status=status,
            content_type="application/problem+json",
        )
    response["Cache-Control"] = "private, no-store"
    return response


def _back(path: str) -> str:
    """Where one goes on from: the face to which the address belongs."""
    face, _slash, rest = path.lstrip("/").partition("/")
    program, _slash, rest = rest.partition("/")
    if face in ("portal", "till") and program.isidentifier() and program.isascii() and rest:
        return f"/{face}/{program}/"
    return "/console/" if face == "console" and program else "/"


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """What cannot be understood (400), or is more than is taken (413)."""
    if isinstance(exception, _TOO_MUCH):
        return _said(
            request, 413, "body_too_large", _("This is too much at once"),
            _("A form may have 2 MiB and a thousand fields. Nothing was changed; send less at a time."),
        )  # fmt: skip
    if isinstance(exception, DisallowedHost):
        return _said(
            request, 400, "unknown_host", _("This server does not answer to that name"),
            _("Whoever runs it adds the name to PALIER_ALLOWED_HOSTS and starts it again."),
        )  # fmt: skip
    return _said(
        request, 400, "bad_request", _("This cannot be read"),
        _("The address or the form holds something that no text has. Nothing was changed; go back and write it anew."),
    )  # fmt: skip


def denied(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """What is not for whoever asks (403)."""
    return _said(
        request,
        403,
        "forbidden",
        _("This is not for you"),
        _("Nothing was changed. Go back, or sign in anew."),
    )


def form_over(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token (403): its page is old, the browser keeps no cookies, or another site sent it."""
    return _said(
        request, 403, "form_over", _("This form is no longer good"),
        _("Nothing was changed. Go back, load the page again and send it once more; cookies must be allowed."),
    )  # fmt: skip


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Nothing is there, or nothing for whoever asks (404): which of the two is not said."""
    return _said(
        request, 404, "unknown_address", _("There is nothing here"),
        _("The address may be mistyped, or what was here is gone, or it is not for this account."),
    )  # fmt: skip


def forms_alone(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A page that answered a form, opened by its address (405): by another language, a bookmark, the address bar."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        asked = wants_page(request.path_info, request.headers.get("Accept", ""))
        if response.status_code != 405 or request.method != "GET" or not asked:
            return response
        said = _said(
            request, 405, "forms_alone", _("This page answers a form"),
            _("Opened by its address alone it has nothing to show. Nothing was changed; go on from the first page."),
        )  # fmt: skip
        said["Allow"] = response["Allow"]
        return said

    return answer


def defect(request: HttpRequest) -> HttpResponse:
    """Something inside broke (500): it stands in the server's log. A database that is away is none (503)."""
    if isinstance(sys.exception(), AWAY):
        said = _said(
            request, 503, "unavailable", _("This cannot be answered just now"),
            _("Try again in a moment. Look whether it was done before you do it again."),
        )  # fmt: skip
        said["Retry-After"] = "1"
        return said
    return _said(
        request, 500, "defect", _("Something went wrong on our side"),
        _("It is written down. Look whether it was done before you do it again."),
    )  # fmt: skip
