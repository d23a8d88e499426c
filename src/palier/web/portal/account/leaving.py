"""Erasure: what would be lost, in figures; asked for in one confirmation, undone as easily."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from palier.activities import batch
from palier.activities.operations import NotDone
from palier.engine.clock import DAY
from palier.members import operations as membership
from palier.members import queries as members
from palier.privacy import erasure, messages
from palier.web.portal.account.allowing import MEMBER
from palier.web.portal.visits import Visit, of_member, sign_out


def waiting_words(code: str) -> str:
    """For what an erasure that is due waits, and what comes next."""
    return {
        "orders_under_way": _(
            "An order is still on its way to you. You are erased as soon as it has arrived."
        ),
        "payouts_under_way": _("A payment to you is at the bank. You are erased as soon as it has arrived."),
        "member_not_active": _(
            "Your account is on hold, and somebody has to look at it first. Ask the shop."
        ),
    }.get(code, "")


def _content(made: Visit) -> dict[str, Any]:
    lost = erasure.consequences(made.connection, made.runtime, made.member_id, now=made.now)
    assert lost is not None
    open_request = erasure.request_of(made.connection, made.runtime.program_id, made.member_id)
    words = made.words
    return {
        "here": "me",
        "points": [words.points(minor, key) for key, minor in lost.points.items()],
        "pending": [words.points(minor, key) for key, minor in lost.pending.items()],
        "lost": lost,
        "until": words.day(made.now + erasure.WAIT_DAYS * DAY),
        "wait_days": erasure.WAIT_DAYS,
        "request_day": words.day(open_request.due_at) if open_request is not None else "",
        "waits": waiting_words(open_request.waits_for) if open_request is not None else "",
        "others": _others(made),
    }


def _others(made: Visit) -> bool:
    """Whether somebody else of a household comes in by an address of his own."""
    came_by = made.session.came_by if made.session is not None else None
    known = membership.identities_of(made.connection, made.runtime.program_id, [made.member_id])
    contacts = {value for value, kind in known if kind in ("email", "phone")}
    return came_by in contacts and len(contacts) > 1 and len([1 for _v, k in known if k in members.KINDS]) > 1


@require_http_methods(["GET", "POST"])
@of_member
def erase(made: Visit) -> HttpResponse:
    """Asks for the erasure, after the days of grace or at once; once more is asked nowhere."""
    if made.request.method == "GET":
        return made.page("portal/account/erase.html", _content(made))
    form = made.request.POST
    when = form.get("when", "")
    if form.get("sure") != "yes" or when not in ("later", "now", "me"):
        refusal = _("Choose when, and tick that you are sure. Nothing has happened yet.")
        return made.page("portal/account/erase.html", {**_content(made), "error": refusal}, 422)
    if when == "later":
        return _later(made)
    if when == "me":
        return _only_me(made)
    try:
        batch.attempt(
            made.connection,
            lambda: erasure.carry_out(
                made.connection, made.runtime, made.member_id, via="portal", by=MEMBER, now=made.now
            ),
        )
    except erasure.NotErased as refused:
        text = waiting_words(refused.code.value)
        return made.page("portal/account/erase.html", {**_content(made), "error": text}, 409)
    except NotDone:
        text = _("It could not be done now. Nothing was changed; try again in a moment.")
        return made.page("portal/account/erase.html", {**_content(made), "error": text}, 409)
    made.request.session.flush()
    return made.go("erased")


def _later(made: Visit) -> HttpResponse:
    def act() -> None:
        asked = erasure.ask(
            made.connection, made.runtime, made.member_id,
            via="portal", by=MEMBER, wait_days=erasure.WAIT_DAYS, now=made.now,
        )  # fmt: skip
        messages.tell(
            made.connection, made.runtime.program_id, made.member_id, "erasure_asked", {},
            once=f"erasure:{asked.request_id}", now=made.now,
        )  # fmt: skip

    batch.attempt(made.connection, act)
    return made.go("erase")


def _only_me(made: Visit) -> HttpResponse:
    came_by = made.session.came_by if made.session is not None else None
    if came_by is None or not _others(made):
        return made.go("erase")
    batch.attempt(
        made.connection,
        lambda: erasure.forget_person(
            made.connection, made.runtime, made.member_id, came_by, by=MEMBER, now=made.now
        ),
    )
    sign_out(made)
    return made.go("erased")


@require_POST
@of_member
def undo(made: Visit) -> HttpResponse:
    """Takes the request back: everything is as it was."""
    batch.attempt(
        made.connection,
        lambda: erasure.undo(made.connection, made.runtime, made.member_id, by=MEMBER, now=made.now),
    )
    made.request.session["said"] = _("Taken back: you stay, with all you have.")
    return made.go("me")
