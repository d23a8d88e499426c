"""The door: one field by which who is a member signs in and who is not joins, and the ways out."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, loads
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.activities import batch
from palier.activities.enrolment import enrol
from palier.activities.operations import NotDone
from palier.engine.amounts import to_minor
from palier.engine.describe import describe
from palier.members import operations as membership
from palier.members import queries as members
from palier.members import refs, signing
from palier.members.operations import NewMember
from palier.members.queries import IdentityError
from palier.privacy import messages, terms
from palier.site.ciphers import Unreadable, decrypted, encrypted
from palier.site.environment import environment
from palier.staff.throttle import Throttled
from palier.web.portal import keeping, letters
from palier.web.portal.visits import Visit, go_on, of_anyone, of_member, sign_in, sign_out

CAMPAIGN: Final = "campaign"
"""Where it keeps the campaign whose link was followed, by program."""
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
CONTACT: Final = "contact"
"""Where a browser's session keeps the contact that a code was asked for, by program, encrypted."""


@require_http_methods(["GET", "POST"])
@of_anyone
def door(made: Visit) -> HttpResponse:
    """One field: whoever is a member signs in by it, whoever is not joins."""
    if made.member is not None:
        return made.go("home")
    request = made.request
    content: dict[str, Any] = {
        "page": describe(made.runtime.latest.document, made.language),
        "referred_by": _referred(made),
        "gifts": _gifts(made),
        "removed": request.session.pop("removed", False),
        "waits": keeping.waits(request, made.runtime.key),
        "not_done": "not-done" in request.GET,
    }
    _campaign(made)
    if request.method == "GET":
        return made.page("portal/account/door.html", content)
    contact = request.POST.get("contact", "").strip()
    content["contact"] = contact
    try:
        if not contact:
            raise IdentityError("empty")
        members.normalized(signing.kind_of(contact), contact)
        if "@" in contact and not _is_address(contact):
            raise IdentityError("address")
        if not letters.can_send(contact) and not environment().demo:
            content["error"] = (
                _("No letters can be sent from here yet. Whoever runs this site sets up a mail server first.")
                if signing.kind_of(contact) == "email"
                else _("No text messages can be sent from here. Write your e-mail address.")
            )
            return made.page("portal/account/door.html", content, 422)
        code = signing.ask(made.connection, made.runtime.program_id, contact, _address(request), now=made.now)
        if letters.can_send(contact):
            letters.send_code(contact, code, made.words.text(made.program.name))
    except IdentityError:
        content["error"] = _(
            "Write an e-mail address, such as name@example.org, or a mobile number with its country code."
        )
        return made.page("portal/account/door.html", content, 422)
    except Throttled as throttled:
        minutes = max(1, round(throttled.wait_s / 60))
        content["error"] = _(
            "Too many codes were asked for. Use the last one, or try again in %(minutes)d minutes."
        ) % {"minutes": minutes}
        return made.page("portal/account/door.html", content, 429)
    except letters.NotSent:
        content["error"] = _("The code could not be sent. Nothing was changed; try again in a moment.")
        return made.page("portal/account/door.html", content, 503)
    _keep(request, made.runtime.key, contact)
    if environment().demo and not letters.can_send(contact):
        request.session["demo_code"] = code
    return made.go("code")


@require_http_methods(["GET", "POST"])
@of_anyone
def enter(made: Visit) -> HttpResponse:
    """The code that was sent: right, it signs in, and enrols whoever was no member."""
    request = made.request
    contact = _kept(request, made.runtime.key)
    if not contact:
        return made.go("door")
    content: dict[str, Any] = {
        "contact": signing.shown(contact),
        "minutes": 10,
        "demo_code": request.session.get("demo_code") if environment().demo else None,
    }
    if request.method == "GET":
        return made.page("portal/account/code.html", content)
    given = "".join(request.POST.get("code", "").split())
    proved = signing.prove(made.connection, made.runtime.program_id, contact, given, now=made.now)
    if not proved:
        content["error"] = _("This code is not right, or its ten minutes are over. Ask for a new one.")
        return made.page("portal/account/code.html", content, 422)
    joined = _join(made, contact, _referred(made))
    if joined is None:
        content["error"] = _("This account cannot be used here. Ask the shop.")
        return made.page("portal/account/code.html", content, 422)
    ref, created = joined
    for name in ("demo_code", CONTACT, "from", CAMPAIGN):
        request.session.pop(name, None)
    sign_in(made, ref, "code", members.hashed(signing.kind_of(contact), contact))
    if created:
        request.session["welcome"] = made.runtime.key
    return go_on(made, ref)


def _join(made: Visit, contact: str, referred_by: str) -> tuple[str, bool] | None:
    """The member of a contact that was proved, enrolled now where there was none; None where that is refused."""
    new = NewMember({signing.kind_of(contact): contact}, {}, made.language, None)

    def act(code: str | None) -> tuple[str, bool] | None:
        found = enrol(made.connection, made.runtime, new, code, now=made.now).enrolled
        if found.problem:
            return None
        view = members.read(made.connection, made.runtime.program_id, found.member_id)
        if view is None or view.status == "erased":
            return None
        if found.created:
            _welcome(made, found.member_id)
        return refs.encode(found.member_id), found.created

    try:
        return batch.attempt(made.connection, lambda: act(referred_by or None))
    except NotDone:
        # A code that is wrong, or one's own, keeps nobody from joining.
        return batch.attempt(made.connection, lambda: act(None))


def _welcome(made: Visit, member_id: int) -> None:
    """What goes with joining: the terms that were shown, through which door, and a first message."""
    connection, program_id = made.connection, made.runtime.program_id
    terms.accept(
        connection,
        made.runtime,
        member_id,
        kind="accepted",
        language=made.language,
        via="portal",
        now=made.now,
    )
    membership.note_origin(
        connection, program_id, member_id, via="portal", campaign=_campaign(made), now=made.now
    )
    facts = {"benefit": ", ".join(_gifts(made))}
    messages.tell(connection, program_id, member_id, "welcome", facts, once="welcome", now=made.now)


def _gifts(made: Visit) -> list[str]:
    """What whoever joins is given at once, as the program's rules say: "50 stars"."""
    plan, found = made.runtime.latest, []
    for rule in made.program.rules:
        if rule.on == "joined" and rule.fixed is not None and rule.when is None:
            minor = to_minor(rule.fixed, plan.currencies[rule.currency].scale)
            found.append(made.words.points(minor, rule.currency))
    return found


def _campaign(made: Visit) -> str:
    """The campaign of a link (`?c=KEY`), kept for the session; empty for what is no key."""
    given = made.request.GET.get("c", "")
    if _KEY.fullmatch(given):
        made.request.session[CAMPAIGN] = {made.runtime.key: given}
    kept = made.request.session.get(CAMPAIGN, {})
    return str(kept.get(made.runtime.key, "")) if isinstance(kept, dict) else ""


def join(request: HttpRequest, program: str, code: str) -> HttpResponse:
    """The short address under which friends join: to the door, with the code."""
    address = reverse("portal:door", args=[program])
    return HttpResponseRedirect(f"{address}?{urlencode({'from': code[:40]})}")


@require_GET
@of_anyone
def erased(made: Visit) -> HttpResponse:
    """What is left to say to somebody who was forgotten."""
    return made.page("portal/account/erased.html", {})


def _keep(request: HttpRequest, program: str, contact: str) -> None:
    sealed = encrypted(CONTACT, contact.encode(), program.encode()).hex()
    request.session[CONTACT] = {program: sealed}


def _kept(request: HttpRequest, program: str) -> str:
    """The contact that a code was asked for; empty where there is none."""
    held: Any = request.session.get(CONTACT)
    try:
        return decrypted(CONTACT, bytes.fromhex(held[program]), program.encode()).decode()
    except (KeyError, TypeError, ValueError, Unreadable):
        return ""


def _referred(made: Visit) -> str:
    """The referral code of a link (`?from=CODE`), kept for the session."""
    given = made.request.GET.get("from", "")[:40]
    if given:
        made.request.session["from"] = {made.runtime.key: given}
    kept = made.request.session.get("from", {})
    return str(kept.get(made.runtime.key, "")) if isinstance(kept, dict) else ""


def _is_address(contact: str) -> bool:
    try:
        validate_email(contact)
    except ValidationError:
        return False
    return True


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


@require_POST
@of_anyone
def leave(made: Visit) -> HttpResponse:
    """Ends the session on this device."""
    sign_out(made)
    return made.go("door")


@require_GET
@of_anyone
def demonstrate(made: Visit) -> HttpResponse:
    """Signs in by a link that `palier demo` prints; there is no such page outside a demonstration."""
    if not environment().demo:
        raise Http404
    try:
        ref = loads(made.request.GET.get("as", ""), salt=f"demo {made.runtime.key}")
    except BadSignature:
        raise Http404 from None
    if not isinstance(ref, str) or members.resolve(made.connection, made.runtime.program_id, ref) is None:
        raise Http404
    sign_in(made, ref, "link")
    return go_on(made, ref)


@require_GET
@of_member
def again(made: Visit) -> HttpResponse:
    """The form that came after its session had ended, to be sent by whoever wrote it; shown once."""
    assert made.member is not None
    form = keeping.take(made.request, made.runtime.key, made.member.ref)
    return made.page("portal/account/again.html", {"form": form}) if form is not None else made.go("home")
