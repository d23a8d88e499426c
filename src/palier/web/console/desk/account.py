"""One's own account: language, password, authenticator, recovery codes, PIN, sessions; and proving oneself again."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

import segno
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from palier.site.ids import read_id
from palier.site.refusal import Refused
from palier.staff import accounts, factors, signing_in
from palier.staff.signing_in import NotSignedIn, Session
from palier.staff.throttle import Throttled
from palier.web.console import views
from palier.web.console.desk import telling
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import told

_BROWSERS: Final = ("Edg", "Firefox", "Chrome", "Safari")
_SYSTEMS: Final = ("Windows", "Android", "iPhone", "iPad", "Mac OS", "Linux")


@require_http_methods(["GET", "POST"])
@of_staff(None, program=False)
def prove_again(made: StaffVisit) -> HttpResponse:
    """Password and second factor once more, before something dangerous; then back to it.

    A form that was being sent is shown to be sent again, by whoever wrote it: it does not go by itself.
    """
    request = made.request
    back = views.next_page(request)
    waits = "sent" in request.POST
    content: dict[str, Any] = {
        "next": back,
        "error": "",
        "sent": request.POST.get("sent", ""),
        "waits": waits,
    }
    if request.method == "GET":
        return made.page("console/desk/prove_again.html", content)
    made.connection.rollback()
    try:
        factors.prove_again(
            made.connection,
            made.account,
            request.POST.get("password", ""),
            request.POST.get("code", "")[:40],
            session_id=made.session_id,
            now=made.now,
        )
    except NotSignedIn:
        content["error"] = _("Password or code is not right, or the code was used. Nothing was done.")
        return made.page("console/desk/prove_again.html", content, 422)
    except Throttled as throttled:
        content["error"] = views.too_often(throttled)
        return made.page("console/desk/prove_again.html", content, 429)
    request.session.cycle_key()
    if not waits:
        return HttpResponseRedirect(back)
    return made.page("console/desk/proved.html", {**content, "fields": parse_qsl(content["sent"], True)})


@require_http_methods(["GET", "POST"])
@of_staff(None, program=False)
def own(made: StaffVisit) -> HttpResponse:
    """What one has: language, password, second factor, PIN, and where one is signed in."""
    if made.request.method == "POST":
        language = "fr" if made.request.POST.get("language") == "fr" else "en"
        made.connection.rollback()
        accounts.prefer_language(made.connection, made.account.account_id, language)  # type: ignore[arg-type]
        made.connection.commit()
        with translation.override(language):
            made.say(_("Saved."))
        response = HttpResponseRedirect(reverse("console:own"))
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=settings.SESSION_COOKIE_AGE, samesite="Lax",
            secure=bool(settings.SESSION_COOKIE_SECURE), httponly=True,
        )  # fmt: skip
        return response
    found = signing_in.sessions(made.connection, made.account.account_id, now=made.now)
    return made.page(
        "console/desk/own.html",
        {
            "sessions": [_session(made, one) for one in found],
            "others": len(found) > 1,
            "chosen": made.account.language,
            "pin_digits": factors.PIN_DIGITS,
        },
    )


def _session(made: StaffVisit, one: Session) -> dict[str, Any]:
    system = next((name for name in _SYSTEMS if name in one.agent), "")
    browser = next((name for name in _BROWSERS if name in one.agent), "")
    return {
        "session": one,
        "here": one.session_id == made.session_id,
        "device": " · ".join(
            part for part in (browser.replace("Edg", "Edge"), system) if part
        ) or one.agent[:40],
        "face": _("till") if one.face == "till" else _("console"),
        "seen": telling.ago(made.now - one.seen_at),
        "since": telling.ago(made.now - one.created_at),
    }  # fmt: skip


@require_POST
@of_staff(None, program=False)
def end_sessions(made: StaffVisit) -> HttpResponse:
    """Ends one session of one's own, or all but this one."""
    wanted = made.request.POST.get("session", "")
    own_id = made.account.account_id
    made.connection.rollback()
    if wanted == "others":
        ended = signing_in.end_sessions(made.connection, own_id, now=made.now, but=made.session_id)
        made.say(ngettext("%(count)d session ended.", "%(count)d sessions ended.", ended) % {"count": ended})
    elif (session_id := read_id(wanted)) is not None and signing_in.end_session(
        made.connection, own_id, session_id, now=made.now
    ):
        made.say(_("Session ended."))
    made.connection.commit()
    return HttpResponseRedirect(reverse("console:own"))


@require_http_methods(["GET", "POST"])
@of_staff(None, program=False, sure=True)
def password(made: StaffVisit) -> HttpResponse:
    """A new password; every session ends, this one too."""
    content: dict[str, Any] = {"shortest": signing_in.SHORTEST_PASSWORD}
    if made.request.method == "GET":
        return made.page("console/desk/own_password.html", content)
    given = made.request.POST.get("password", "")
    made.connection.rollback()
    try:
        signing_in.set_password(made.connection, made.account, given, now=made.now)
        made.connection.commit()
    except Refused as refused:
        made.connection.rollback()
        content["error"] = told(refused)
        return made.page("console/desk/own_password.html", content, 422)
    made.request.session.flush()
    return HttpResponseRedirect(reverse("console:sign-in"))


@require_http_methods(["GET", "POST"])
@of_staff(None, program=False, sure=True)
def authenticator(made: StaffVisit) -> HttpResponse:
    """Another authenticator in the place of the one there is; new recovery codes with it."""
    secret = views.offered_secret(made.request, made.account)
    drawn = segno.make(factors.second_factor_link(made.account, secret)).svg_inline(
        scale=4, border=2, dark="#000"
    )
    content: dict[str, Any] = {
        "picture": mark_safe(drawn),  # noqa: S308 - drawn here, of a link that is written here
        "secret": factors.second_factor_text(secret),
    }
    if made.request.method == "GET":
        return made.page("console/desk/own_authenticator.html", content)
    made.connection.rollback()
    try:
        codes = factors.confirm_second_factor(
            made.connection, made.account, secret, made.request.POST.get("code", "")[:40],
            session_id=made.session_id, now=made.now,
        )  # fmt: skip
    except NotSignedIn:
        made.connection.rollback()
        content["error"] = _("This code is not right. Wait for the next one and write that.")
        return made.page("console/desk/own_authenticator.html", content, 422)
    made.connection.commit()
    made.request.session.pop(views.OFFERED, None)
    made.request.session.cycle_key()
    return made.page("console/recovery.html", {"codes": codes, "next": reverse("console:own")})


@require_http_methods(["GET", "POST"])
@of_staff(None, program=False, sure=True)
def recovery(made: StaffVisit) -> HttpResponse:
    """New recovery codes; the old ones are worth nothing from then on."""
    if made.request.method == "GET":
        return made.page("console/desk/own_recovery.html", {"left": made.account.recovery_codes})
    made.connection.rollback()
    codes = factors.new_recovery_codes(made.connection, made.account, now=made.now)
    made.connection.commit()
    return made.page("console/recovery.html", {"codes": codes, "next": reverse("console:own")})


@require_http_methods(["GET", "POST"])
@of_staff(None, program=False, sure=True)
def pin(made: StaffVisit) -> HttpResponse:
    """The PIN that opens a locked till again."""
    content: dict[str, Any] = {"least": factors.PIN_DIGITS[0], "most": factors.PIN_DIGITS[1]}
    if made.request.method == "GET":
        return made.page("console/desk/own_pin.html", content)
    made.connection.rollback()
    try:
        factors.set_pin(made.connection, made.account, made.request.POST.get("pin", "").strip(), now=made.now)
        made.connection.commit()
    except Refused as refused:
        made.connection.rollback()
        content["error"] = told(refused)
        return made.page("console/desk/own_pin.html", content, 422)
    made.say(_("Your PIN is kept."))
    return HttpResponseRedirect(reverse("console:own"))
