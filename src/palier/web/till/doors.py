"""How a tablet becomes a till, how a person begins to work at it, and how it is locked and opened again."""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

from django.core.signing import BadSignature, loads
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.activities.runtime import Runtime
from palier.engine.words import ProgramWords
from palier.site.environment import environment
from palier.site.refusal import Refused
from palier.staff import accounts, factors, signing_in
from palier.staff.accounts import Account
from palier.staff.session import AnyConnection
from palier.staff.signing_in import NotSignedIn
from palier.staff.throttle import Throttled
from palier.tills import devices, shifts
from palier.tills.devices import Device
from palier.tills.refusals import TillRefusal, TillRefused
from palier.tills.shifts import Shift
from palier.web.portal.visits import language_of
from palier.web.refusals import told
from palier.web.till import words
from palier.web.till.visits import (
    COOKIE,
    COOKIE_LASTS,
    COUNTER,
    RIGHT,
    SHIFT,
    TillVisit,
    enter,
    finished,
    of_anyone,
    of_device,
    place,
)

BEGINNING: Final = "till_beginning"
"""Where a browser keeps the staff's session of somebody who has not shown the second factor, or has no PIN yet."""


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


# --- the device -------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_anyone
def enrol(request: HttpRequest, connection: AnyConnection, found: Runtime, now: int) -> HttpResponse:
    """A tablet that is no till yet: the one-time code makes it one."""
    content = place(request, connection, found, ProgramWords(found.latest.program, language_of(request)))
    if request.method == "GET":
        return finished(render(request, "till/enrol.html", content))
    status = 422
    try:
        key = b64decode(request.POST.get("public_key", "")[:400], validate=True)
        device, token = devices.enrol(
            connection,
            found.program_id,
            request.POST.get("code", "")[:40],
            key,
            address=address_of(request),
            now=now,
        )
    except ValueError:
        content["error"] = words.refused(TillRefusal.INVALID_KEY)
    except TillRefused as refused:
        content["error"] = words.refused(refused.code)
    except Throttled as throttled:
        content["error"], status = words.too_often(throttled.wait_s), 429
    else:
        shown = _demonstrator(connection, found, request.POST.get("as", ""))
        if shown is not None:
            _demonstrated(request, connection, found, device, shown, now)
        name = "counter" if shown is not None else "sign-in"
        response = finished(HttpResponseRedirect(reverse(f"till:{name}", args=[found.key])))
        response.set_cookie(
            COOKIE,
            token,
            max_age=COOKIE_LASTS,
            path=f"/till/{found.key}/",
            secure=request.is_secure(),
            httponly=True,
            samesite="Strict",
        )
        return response
    return finished(render(request, "till/enrol.html", content, status=status))


# --- the person -------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_device
def sign_in(made: TillVisit) -> HttpResponse:
    """Who works here: by name and password once a shift; whoever has done so takes over with the PIN alone."""
    content: dict[str, Any] = {"shifts": shifts.at_device(made.connection, made.device, now=made.now)}
    made.connection.rollback()
    request = made.request
    if request.method == "GET":
        return made.page("till/sign_in.html", content)
    content["email"] = request.POST.get("email", "")[:254]
    try:
        account, session_id = signing_in.sign_in(
            made.connection,
            content["email"],
            request.POST.get("password", ""),
            face="till",
            address=address_of(request),
            agent=request.headers.get("User-Agent", ""),
            now=made.now,
        )
    except NotSignedIn:
        content["error"] = _("Address and password do not belong together. Nothing was changed; try again.")
        return made.page("till/sign_in.html", content, 422)
    except Throttled as throttled:
        content["error"] = words.too_often(throttled.wait_s)
        return made.page("till/sign_in.html", content, 429)
    if RIGHT not in account.rights_in(made.runtime.program_id):
        made.connection.rollback()
        content["error"] = _("Address and password do not belong together. Nothing was changed; try again.")
        return made.page("till/sign_in.html", content, 422)
    made.connection.commit()
    request.session.cycle_key()
    request.session[BEGINNING] = session_id
    return begun(made, account, session_id)


def begun(made: TillVisit, account: Account, session_id: int) -> HttpResponse:
    """What comes next for somebody who has signed in: the second factor, a PIN, or the counter."""
    known = signing_in.signed_in(made.connection, session_id, now=made.now)
    made.connection.rollback()
    if known is not None and account.has_second_factor and known[1].proved_at is None:
        return made.go("second")
    if not account.has_pin:
        return made.go("pin")
    begin(made, account, session_id)
    return made.go("counter")


def begin(made: TillVisit, account: Account, session_id: int) -> None:
    """Begins the shift, or goes on with the one that the person has at this device."""
    shift = shifts.begin(
        made.connection,
        made.device,
        account_id=account.account_id,
        session_id=session_id,
        name=account.name,
        email=account.email,
        now=made.now,
    )
    made.connection.commit()
    take_over(made, shift)


def take_over(made: TillVisit, shift: Shift) -> None:
    """This browser works in that shift from now on; what lay on the counter was somebody else's."""
    session = made.request.session
    if session.get(SHIFT) != shift.shift_id:
        session.pop(COUNTER, None)
    session.cycle_key()
    session[SHIFT] = shift.shift_id
    session.pop(BEGINNING, None)


def beginning(made: TillVisit) -> tuple[Account, int] | None:
    """Who is on the way in, and the staff's session."""
    session_id = made.request.session.get(BEGINNING)
    if not isinstance(session_id, int):
        return None
    known = signing_in.signed_in(made.connection, session_id, now=made.now)
    made.connection.rollback()
    return (known[0], session_id) if known is not None and known[1].face == "till" else None


@require_http_methods(["GET", "POST"])
@of_device
def second(made: TillVisit) -> HttpResponse:
    """The second factor of somebody who has one."""
    held = beginning(made)
    if held is None:
        return made.go("sign-in")
    account, session_id = held
    if made.request.method == "GET":
        return made.page("till/second.html")
    try:
        factors.prove_second_factor(
            made.connection,
            account,
            made.request.POST.get("code", "")[:40],
            session_id=session_id,
            now=made.now,
        )
    except NotSignedIn:
        error = _("This code is not right, or was used. Wait for the next one and write that.")
        return made.page("till/second.html", {"error": error}, 422)
    except Throttled as throttled:
        return made.page("till/second.html", {"error": words.too_often(throttled.wait_s)}, 429)
    made.connection.rollback()
    return begun(made, account, session_id)


@require_http_methods(["GET", "POST"])
@of_device
def pin(made: TillVisit) -> HttpResponse:
    """The first PIN of somebody who has none: by it the till is opened again after a rest."""
    held = beginning(made)
    if held is None:
        return made.go("sign-in")
    account, session_id = held
    known = signing_in.signed_in(made.connection, session_id, now=made.now)
    made.connection.rollback()
    if known is None or (account.has_second_factor and known[1].proved_at is None):
        return made.go("sign-in")
    if account.has_pin:
        return begun(made, account, session_id)
    if made.request.method == "GET":
        return made.page("till/pin.html")
    given = made.request.POST.get("pin", "")[:20]
    try:
        factors.set_pin(made.connection, account, given, now=made.now)
    except Refused as refused:
        made.connection.rollback()
        return made.page("till/pin.html", {"error": told(refused)}, 422)
    made.connection.commit()
    begin(made, account, session_id)
    return made.go("counter")


# --- locked, opened, left ---------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_device
def unlock(made: TillVisit) -> HttpResponse:
    """The PIN of whoever's shift it is, or of a colleague who works at this till too."""
    content: dict[str, Any] = {"shifts": shifts.at_device(made.connection, made.device, now=made.now)}
    made.connection.rollback()
    own = made.request.session.get(SHIFT)
    asked = made.request.POST.get("shift") or made.request.GET.get("shift") or ""
    chosen = next(
        (item for item in content["shifts"] if item.ref == asked or (not asked and item.shift_id == own)),
        None,
    )
    if chosen is None:
        return made.go("sign-in")
    content["chosen"] = chosen
    if made.request.method == "GET":
        return made.page("till/unlock.html", content)
    account = accounts.read(made.connection, chosen.account_id)
    made.connection.rollback()
    try:
        if account is None or RIGHT not in account.rights_in(made.runtime.program_id):
            raise NotSignedIn
        factors.prove_pin(
            made.connection,
            account,
            made.request.POST.get("pin", ""),
            place=made.device.ref,
            now=made.now,
        )
    except NotSignedIn:
        content["error"] = _("This is not the PIN. Nothing was changed; try again.")
        return made.page("till/unlock.html", content, 422)
    except Throttled:
        # Too many wrong ones: the PIN is no proof any more, and the person signs in anew.
        shifts.end(made.connection, chosen, now=made.now)
        made.connection.commit()
        made.request.session.pop(SHIFT, None)
        made.request.session.pop(COUNTER, None)
        content["error"] = _("Five wrong PINs. The till is closed; sign in with your password.")
        content["shifts"] = []
        return made.page("till/sign_in.html", content, 429)
    shifts.set_locked(made.connection, chosen, False, now=made.now)
    made.connection.commit()
    take_over(made, chosen)
    return made.go("counter")


@require_POST
@of_device
def lock(made: TillVisit) -> HttpResponse:
    """Locks the till; what lies on the counter stays for its own person."""
    if enter(made, locked_too=True) is not None:
        return made.go("sign-in")
    shifts.set_locked(made.connection, made.worker, True, now=made.now)
    made.connection.commit()
    return made.go("unlock")


@require_POST
@of_device
def leave(made: TillVisit) -> HttpResponse:
    """Ends the shift and the sign-in."""
    if enter(made, locked_too=True) is None:
        shifts.end(made.connection, made.worker, now=made.now)
        signing_in.end_session(made.connection, made.worker.account_id, made.worker.session_id, now=made.now)
        made.connection.commit()
    made.request.session.flush()
    return made.go("sign-in")


@require_GET
@of_anyone
def demonstrate(request: HttpRequest, connection: AnyConnection, found: Runtime, now: int) -> HttpResponse:
    """A tablet of the demonstration: its code is there already, and its cashier; no such page outside one."""
    account = _demonstrator(connection, found, request.GET.get("as", ""))
    if account is None:
        raise Http404
    expected = devices.expect(
        connection, found.program_id, name="Demo", location="1", by=account.actor, role="staff", now=now
    )
    connection.commit()
    content = place(request, connection, found, ProgramWords(found.latest.program, language_of(request)))
    return finished(
        render(
            request,
            "till/enrol.html",
            {**content, "code": expected.code, "as_demo": request.GET.get("as", "")},
        )
    )


def _demonstrator(connection: AnyConnection, found: Runtime, signature: str) -> Account | None:
    """The cashier of a demonstration, by the link that `palier demo` prints."""
    if not environment().demo or not signature:
        return None
    try:
        email = str(loads(signature, salt=f"demo till {found.key}"))
    except BadSignature:
        return None
    account = accounts.find(connection, email)
    connection.rollback()
    return account if account is not None and account.closed_at is None else None


def _demonstrated(
    request: HttpRequest,
    connection: AnyConnection,
    found: Runtime,
    device: Device,
    account: Account,
    now: int,
) -> None:
    session_id = signing_in.open_session(
        connection, account, face="till", address="", agent="demo", now=now, proved=True
    )
    connection.commit()
    begin(TillVisit(request, connection, found, device, now, language_of(request)), account, session_id)
