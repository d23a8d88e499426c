"""The console's door: address and password, second factor, a new password by a link, and the choice of a program."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final

import segno
from django.conf import settings
from django.core.signing import BadSignature, loads
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.activities.runtime import runtime
from palier.engine.words import ProgramWords
from palier.site import clock
from palier.site.ciphers import Unreadable, decrypted, encrypted
from palier.site.environment import environment
from palier.site.refusal import Refused
from palier.staff import accounts, admission, factors, signing_in
from palier.staff.accounts import Account
from palier.staff.session import session
from palier.staff.signing_in import NotSignedIn
from palier.staff.throttle import Throttled
from palier.web.console.visits import NEXT, SESSION, StaffVisit, of_staff, programs_of, to_the_door
from palier.web.portal.visits import language_of
from palier.web.refusals import told

KNOWN: Final = "known"
"""The cookie of a browser in which somebody has signed in wholly; it opens nothing."""
KNOWN_FOR_S: Final = 180 * 24 * 3600
OFFERED: Final = "offered"
"""Where a browser's session keeps the secret of an authenticator that is being set up, encrypted."""


def bare_page(
    request: HttpRequest, template: str, content: dict[str, Any], status: int = 200
) -> HttpResponse:
    response = render(request, template, content, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


def next_page(request: HttpRequest) -> str:
    """Where the person wanted to go: a page of this site, or the console's front."""
    wanted = request.POST.get(NEXT) or request.GET.get(NEXT) or ""
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/console/"):
        return wanted
    return reverse("console:front")


def too_often(throttled: Throttled) -> str:
    minutes = max(1, round(throttled.wait_s / 60))
    return _("Too many tries. Wait %(minutes)d minutes, then try again.") % {"minutes": minutes}


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Address and password. What is wrong is not said, so that nobody learns who has an account."""
    content: dict[str, Any] = {"next": next_page(request), "email": request.POST.get("email", "")[:254]}
    if request.method == "GET":
        with session() as connection:
            content["empty"] = accounts.is_empty(connection)
        return bare_page(request, "console/sign_in.html", content)
    now = clock.now()
    with session() as connection:
        try:
            account, session_id = signing_in.sign_in(
                connection,
                content["email"],
                request.POST.get("password", ""),
                face="console",
                address=str(request.META.get("REMOTE_ADDR", "")),
                agent=request.headers.get("User-Agent", ""),
                now=now,
                known=request.COOKIES.get(KNOWN, "")[:200],
            )
        except NotSignedIn:
            content["error"] = _(
                "Address and password do not belong together. Nothing was changed; try again."
            )
            return bare_page(request, "console/sign_in.html", content, 422)
        except Throttled as throttled:
            content["error"] = too_often(throttled)
            return bare_page(request, "console/sign_in.html", content, 429)
        connection.commit()
    begin(request, account, session_id)
    request.session[NEXT] = content["next"]
    return HttpResponseRedirect(reverse("console:second"))


def begin(request: HttpRequest, account: Account, session_id: int) -> None:
    """A new browser session, so that an id somebody else knew is worth nothing."""
    request.session.cycle_key()
    request.session[SESSION] = session_id
    request.session.pop(OFFERED, None)


def remember(response: HttpResponse, account: Account) -> HttpResponse:
    """Lets this browser be known to the door: wrong tries of others do not close it to whoever signed in here."""
    response.set_cookie(
        KNOWN, signing_in.known_browser(account.email), max_age=KNOWN_FOR_S, path=reverse("console:sign-in"),
        secure=bool(settings.SESSION_COOKIE_SECURE), httponly=True, samesite="Strict",
    )  # fmt: skip
    return response


@require_http_methods(["GET", "POST"])
def second(request: HttpRequest) -> HttpResponse:
    """The second factor: its code, or its first set-up for whoever has none."""
    now = clock.now()
    with session() as connection:
        session_id = request.session.get(SESSION)
        known = signing_in.signed_in(connection, session_id, now=now) if isinstance(session_id, int) else None
        connection.rollback()
        if known is None:
            return to_the_door(request)
        account, held = known
        if held.proved_at is not None:
            return HttpResponseRedirect(request.session.pop(NEXT, reverse("console:front")))
        code = request.POST.get("code", "")[:40]
        content: dict[str, Any] = {"account": account}
        secret = b""
        if not account.has_second_factor:
            secret = offered_secret(request, account)
            content["picture"] = mark_safe(  # noqa: S308 - drawn here, of a link that is written here
                segno.make(factors.second_factor_link(account, secret)).svg_inline(
                    scale=4, border=2, dark="#000"
                )
            )
            content["secret"] = factors.second_factor_text(secret)
        status = 200
        if request.method == "POST":
            try:
                if secret:
                    codes = factors.confirm_second_factor(
                        connection, account, secret, code, session_id=held.session_id, now=now
                    )
                    connection.commit()
                    request.session.cycle_key()
                    request.session.pop(OFFERED, None)
                    ahead = request.session.pop(NEXT, reverse("console:front"))
                    shown = bare_page(request, "console/recovery.html", {"codes": codes, "next": ahead})
                    return remember(shown, account)
                factors.prove_second_factor(connection, account, code, session_id=held.session_id, now=now)
                request.session.cycle_key()
                ahead = request.session.pop(NEXT, reverse("console:front"))
                return remember(HttpResponseRedirect(ahead), account)
            except NotSignedIn:
                status = 422
                content["error"] = _(
                    "This code is not right, or was used. Wait for the next one and write that."
                )
            except Throttled as throttled:
                status = 429
                content["error"] = too_often(throttled)
        return bare_page(request, "console/second.html", content, status)


def offered_secret(request: HttpRequest, account: Account) -> bytes:
    """The secret that this browser is being shown; the same until it is confirmed."""
    place = account.account_id.to_bytes(8, "big")
    kept = request.session.get(OFFERED)
    if isinstance(kept, str):
        try:
            return decrypted("offered factors", b64decode(kept), place)
        except (Unreadable, ValueError):
            pass
    secret = factors.new_second_factor()
    request.session[OFFERED] = b64encode(encrypted("offered factors", secret, place)).decode()
    return secret


@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """A link of an invitation: whom it invites chooses a password and goes on to the second factor."""
    now = clock.now()
    with session() as connection:
        account = admission.invited(connection, token, now=now)
        if account is None:
            return bare_page(request, "console/welcome.html", {"over": True}, 404)
        content: dict[str, Any] = {"account": account, "shortest": signing_in.SHORTEST_PASSWORD}
        if request.method == "POST":
            try:
                admission.accept(connection, token, request.POST.get("password", ""), now=now)
            except Refused as refused:
                connection.rollback()
                content["error"] = told(refused)
                return bare_page(request, "console/welcome.html", content, 422)
            session_id = signing_in.open_session(
                connection,
                account,
                face="console",
                address=str(request.META.get("REMOTE_ADDR", "")),
                agent=request.headers.get("User-Agent", ""),
                now=now,
            )
            connection.commit()
            begin(request, account, session_id)
            return HttpResponseRedirect(reverse("console:second"))
    return bare_page(request, "console/welcome.html", content)


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Ends this session, here and in the database."""
    session_id = request.session.get(SESSION)
    if isinstance(session_id, int):
        now = clock.now()
        with session() as connection:
            known = signing_in.signed_in(connection, session_id, now=now)
            if known is not None:
                signing_in.end_session(connection, known[0].account_id, session_id, now=now)
                connection.commit()
    request.session.flush()
    return HttpResponseRedirect(reverse("console:sign-in"))


@require_GET
def demonstrate(request: HttpRequest) -> HttpResponse:
    """Signs in by a link that `palier demo` prints; there is no such page outside a demonstration."""
    if not environment().demo:
        raise Http404
    try:
        email = str(loads(request.GET.get("as", ""), salt="demo console"))
    except BadSignature:
        raise Http404 from None
    now = clock.now()
    with session() as connection:
        account = accounts.find(connection, email)
        if account is None or account.closed_at is not None:
            raise Http404
        session_id = signing_in.open_session(
            connection, account, face="console", address="", agent="demonstration", now=now, proved=True
        )
        connection.commit()
    begin(request, account, session_id)
    return HttpResponseRedirect(reverse("console:front"))


@require_GET
@of_staff(None, program=False)
def front(made: StaffVisit) -> HttpResponse:
    """The programs in which the person works; straight into it where there is one."""
    keys = programs_of(made.connection, made.account)
    if len(keys) == 1:
        return HttpResponseRedirect(reverse("console:program", args=[keys[0]]))
    programs = []
    for key in keys:
        found = runtime(made.connection, key)
        assert found is not None
        words = ProgramWords(found.latest.program, language_of(made.request))
        programs.append(
            {"key": key, "name": words.text(found.latest.program.name), "version": found.latest.version}
        )
    return made.page("console/programs.html", {"programs": programs})
