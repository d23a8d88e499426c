"""Passkeys: added by who is signed in, and the way in by one. The browser's part is `ui/passkeys.js`."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from palier.activities import batch
from palier.engine.clock import HOUR, MINUTE
from palier.members import passkeys, refs, sessions
from palier.members import queries as members
from palier.members.passkeys import Site
from palier.staff import throttle
from palier.staff.throttle import Limit, Throttled
from palier.web.portal.visits import Visit, go_on, of_anyone, of_member, sign_in

CEREMONY: Final = "ceremony"
"""Where a browser's session keeps what its answer must fit."""
LASTS: Final = 5 * MINUTE
MOST_BYTES: Final = 20_000
PER_ADDRESS: Final = 60


def _site(made: Visit) -> Site:
    request = made.request
    host = request.get_host()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return Site(name, made.words.text(made.program.name), f"{request.scheme}://{host}")


def _keep(made: Visit, kind: str, state: dict[str, Any]) -> None:
    kept = {"kind": kind, "program": made.runtime.key, "until": made.now + LASTS, "state": state}
    made.request.session[CEREMONY] = kept


def _take(made: Visit, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what was kept, what the browser answers); raises NotProved for what does not fit. Kept once."""
    kept = made.request.session.pop(CEREMONY, None)
    if (
        not isinstance(kept, dict)
        or (kept["kind"], kept["program"]) != (kind, made.runtime.key)
        or made.now > kept["until"]
        or len(made.request.body) > MOST_BYTES
    ):
        raise passkeys.NotProved("no ceremony")
    try:
        answer = json.loads(made.request.body)
    except (ValueError, RecursionError):
        raise passkeys.NotProved("no answer") from None
    if not isinstance(answer, dict):
        raise passkeys.NotProved("no answer")
    return kept["state"], answer


def _refused(status: int = 422) -> HttpResponse:
    text = _("This passkey was not accepted. Nothing was changed; try again, or use a code.")
    return JsonResponse({"error": text}, status=status)


@require_POST
@of_member
def begin(made: Visit) -> HttpResponse:
    """What the browser asks the device for, to add a passkey."""
    options, state = passkeys.begin_adding(
        made.connection, _site(made), made.runtime.program_id, made.member_id
    )
    _keep(made, "add", state)
    return JsonResponse(options)


@require_POST
@of_member
def add(made: Visit) -> HttpResponse:
    """Adds the passkey that the device made."""
    try:
        state, answer = _take(made, "add")
        batch.attempt(
            made.connection,
            lambda: passkeys.add(
                made.connection, _site(made), made.runtime.program_id, made.member_id, state, answer,
                device=sessions.device_of(made.request.headers.get("User-Agent", "")), now=made.now,
            ),
        )  # fmt: skip
    except passkeys.NotProved:
        return _refused()
    made.request.session["said"] = _("Your passkey is kept. Next time it signs you in.")
    return JsonResponse({"to": reverse("portal:devices", args=[made.runtime.key])})


@require_POST
@of_anyone
def begin_entering(made: Visit) -> HttpResponse:
    """What the browser asks the device for, to come in; the same for everybody."""
    options, state = passkeys.begin_proving(_site(made))
    _keep(made, "enter", state)
    return JsonResponse(options)


@require_POST
@of_anyone
def enter(made: Visit) -> HttpResponse:
    """Signs in whoever's passkey answered. What is wrong is answered alike, whatever it is."""
    address = sha256(str(made.request.META.get("REMOTE_ADDR", "")).encode()).hexdigest()
    limit = Limit(f"passkey {made.runtime.program_id} from {address}", PER_ADDRESS, HOUR)
    try:
        taken = throttle.take(made.connection, [limit], now=made.now)
        state, answer = _take(made, "enter")
        site = _site(made)
        member_id = batch.attempt(
            made.connection,
            lambda: passkeys.prove(
                made.connection, site, made.runtime.program_id, state, answer, now=made.now
            ),
        )
    except Throttled:
        return _refused(429)
    except passkeys.NotProved:
        return _refused()
    throttle.give_back(made.connection, taken)
    view = members.read(made.connection, made.runtime.program_id, member_id)
    if view is None or view.status == "erased":
        return _refused()
    sign_in(made, refs.encode(member_id), "passkey")
    return JsonResponse({"to": go_on(made, refs.encode(member_id))["Location"]})
