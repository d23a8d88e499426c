"""Tills of a program: which there are, the code by which a tablet becomes one, its end, and what waits in them."""

from __future__ import annotations

from collections import defaultdict
from secrets import token_hex
from typing import Any, Final

import segno
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.engine.clock import MINUTE
from palier.engine.payment_cards import holds_number
from palier.engine.refusals import RefusalCode
from palier.members import refs
from palier.site.refusal import Refused
from palier.staff import accounts
from palier.tills import devices, journal
from palier.tills.devices import Device, Expected
from palier.tills.journal import Kept
from palier.tills.queries import Standing, standings
from palier.tills.refusals import TillRefusal
from palier.web.console.desk import telling
from palier.web.console.visits import StaffVisit, of_staff

RIGHT: Final = "tills:write"
ROLE: Final = "staff"
LINES: Final = 100
"""Sales to review on one page: the oldest; the next come once these are done."""
LONGEST_REASON: Final = 200

WHY: Final[dict[str, Promise]] = {
    TillRefusal.DEVICE_REVOKED: gettext_lazy(
        "It came after the till was ended. Credit it if you know that the sale was made there."
    ),
    TillRefusal.ENTRY_TOO_OLD: gettext_lazy(
        "It came more than two weeks after the sale. Crediting it counts it on the day of the sale."
    ),
    TillRefusal.TOO_OFTEN: gettext_lazy(
        "The same cashier had credited this member ten times that day. Ask before you credit one more."
    ),
    TillRefusal.OWN_ACCOUNT: gettext_lazy(
        "The cashier is this member. Nobody credits himself, so it cannot be credited: set it aside."
    ),
    TillRefusal.UNKNOWN_MEMBER: gettext_lazy(
        "No member had this card. Give the card to its member first, then credit the sale."
    ),
    TillRefusal.CODE_USED: gettext_lazy(
        "The card's code had been used at another till. One code counts once, so it cannot be credited: set it aside."
    ),
    TillRefusal.NOT_LOOKED_UP: gettext_lazy(
        "The till had not found this member before the sale, so it cannot be credited from here: "
        "set it aside, and let it be entered anew."
    ),
    TillRefusal.MALFORMED_ENTRY: gettext_lazy("It cannot be read as a sale: set it aside."),
    RefusalCode.MEMBER_NOT_ACTIVE: gettext_lazy(
        "The member's account is on hold. Take it off hold first, then credit the sale."
    ),
    RefusalCode.SALE_KNOWN: gettext_lazy(
        "The register sent this sale too, and it is credited: set this one aside."
    ),
    RefusalCode.IN_THE_FUTURE: gettext_lazy(
        "The tablet's clock was ahead. Once that moment is past the sale can be credited."
    ),
    RefusalCode.BEFORE_PROGRAM: gettext_lazy("The program did not run at that moment: set it aside."),
}
"""Why a sale waits, and what the reviewer can do about it."""
_OTHERWISE: Final = gettext_lazy(
    "It was refused (%(code)s). Crediting tries it again, and changes nothing if it fails."
)


# --- which there are --------------------------------------------------------------------------------------


@require_GET
@of_staff(RIGHT)
def listed(made: StaffVisit) -> HttpResponse:
    """All tills with who works at them; those that were ended last."""
    found = standings(made.connection, made.program_id, now=made.now)
    found.sort(key=lambda one: (one.device.state == "revoked", one.device.number))
    waiting = sum(one.to_review for one in found)
    cashiers = sum(
        "till:use" in one.rights_in(made.program_id)
        for one in accounts.listed(made.connection, made.program_id)
        if one.closed_at is None
    )
    return made.page(
        "console/desk/tills.html",
        {
            "tills": [_shown(made, one) for one in found],
            "working": sum(bool(one.workers) for one in found),
            "waiting": waiting,
            "cashiers": cashiers,
        },
    )


def _shown(made: StaffVisit, one: Standing) -> dict[str, Any]:
    device = one.device
    return {
        "device": device,
        "state": _state(made, one),
        "seen": telling.ago(made.now - device.seen_at) if device.seen_at else "",
        "workers": one.workers,
        "to_review": one.to_review,
        "amount": made.words.money(one.amount),
        "ended": made.words.day(device.revoked_at) if device.revoked_at else "",
        "enrolled": made.words.day(device.enrolled_at) if device.enrolled_at else "",
    }


def _state(made: StaffVisit, one: Standing) -> tuple[str, str]:
    if one.device.state == "revoked":
        return pgettext("till", "ended"), ""
    if one.device.state == "enrolled":
        return _("works"), "good"
    if one.code_ends_at > made.now:
        return _("waits for its tablet"), "warn"
    return _("its code is over"), "bad"


def _one(made: StaffVisit, number: int) -> Standing:
    for found in standings(made.connection, made.program_id, now=made.now):
        if found.device.number == number:
            return found
    raise Http404


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT)
def one(made: StaffVisit, number: int) -> HttpResponse:
    """One till: how it stands, its name and place to change, and what can be done."""
    found = _one(made, number)
    content: dict[str, Any] = {
        "one": _shown(made, found),
        "name": found.device.name,
        "location": found.device.location,
        "longest": devices.LONGEST_NAME,
    }
    if made.request.method == "GET":
        return made.page("console/desk/till.html", content)
    made.connection.rollback()
    content |= _names(made)
    try:
        devices.rename(
            made.connection, found.device, name=content["name"], location=content["location"],
            by=made.account.actor, role=ROLE, now=made.now,
        )  # fmt: skip
        made.connection.commit()
    except Refused:
        made.connection.rollback()
        content["error"] = _names_refused()
        return made.page("console/desk/till.html", content, 422)
    made.say(_("Saved."))
    return made.go("desk:till", number)


def _names(made: StaffVisit) -> dict[str, str]:
    form = made.request.POST
    return {
        "name": form.get("name", "")[: devices.LONGEST_NAME + 1].strip(),
        "location": form.get("location", "")[: devices.LONGEST_NAME + 1].strip(),
    }


def _names_refused() -> str:
    return _("Name and place are 1 to %(most)d characters each. Nothing was changed.") % {
        "most": devices.LONGEST_NAME
    }


# --- a tablet becomes one ---------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT, sure=True)
def expect(made: StaffVisit) -> HttpResponse:
    """A new till: its name and place, then the code for the tablet, which stands on the answer and nowhere else.

    The answer loaded anew sends the form again: that is one till, with a new code.
    """
    once = made.request.POST.get("once", "")[:40]
    content: dict[str, Any] = {
        "longest": devices.LONGEST_NAME, "name": "", "location": "", "once": once or token_hex(12),
    }  # fmt: skip
    if made.request.method == "GET":
        known = devices.devices(made.connection, made.program_id)
        content["location"] = known[-1].location if known else ""
        return made.page("console/desk/new_till.html", content)
    content |= _names(made)
    made_before: dict[str, int] = made.request.session.get("made_tills", {})
    if once in made_before:
        return _another_code(made, _one(made, made_before[once]))
    made.connection.rollback()
    try:
        expected = devices.expect(
            made.connection, made.program_id, name=content["name"], location=content["location"],
            by=made.account.actor, role=ROLE, now=made.now,
        )  # fmt: skip
        made.connection.commit()
    except Refused:
        made.connection.rollback()
        content["error"] = _names_refused()
        return made.page("console/desk/new_till.html", content, 422)
    if once:
        kept = list(made_before.items())[-20:]
        made.request.session["made_tills"] = {**dict(kept), once: expected.device.number}
    return _code_shown(made, expected)


@require_POST
@of_staff(RIGHT, sure=True)
def expect_again(made: StaffVisit, number: int) -> HttpResponse:
    """A new code for a till whose tablet did not come yet."""
    return _another_code(made, _one(made, number))


def _another_code(made: StaffVisit, found: Standing) -> HttpResponse:
    made.connection.rollback()
    expected = devices.expect_again(
        made.connection,
        made.program_id,
        found.device.device_id,
        by=made.account.actor,
        role=ROLE,
        now=made.now,
    )
    made.connection.commit()
    if expected is None:
        made.say(_("This till needs no code any more. Nothing was changed."), "warn")
        return made.go("desk:till", found.device.number)
    return _code_shown(made, expected)


def _code_shown(made: StaffVisit, expected: Expected) -> HttpResponse:
    address = made.request.build_absolute_uri(reverse("till:enrol", args=[made.runtime.key]))
    # What stands behind the # stays in the tablet: no server's log has the code.
    drawn = segno.make(f"{address}#{expected.code}", error="m").svg_inline(scale=4, border=2, dark="#000")
    return made.page(
        "console/desk/till_code.html",
        {
            "device": expected.device,
            "code": expected.code,
            "address": address,
            "picture": mark_safe(drawn),  # noqa: S308 - drawn here, of an address that is written here
            "minutes": devices.CODE_LASTS // MINUTE,
            "until": telling.time_of_day(made.words, expected.ends_at),
        },
    )


# --- its end ----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT)
def end(made: StaffVisit, number: int) -> HttpResponse:
    """The end of a till, said in figures first. It needs no new proof: a lost tablet is ended at once."""
    found = _one(made, number)
    if found.device.state == "revoked":
        raise Http404
    if made.request.method == "GET":
        return made.page("console/desk/till_end.html", {"one": _shown(made, found)})
    made.connection.rollback()
    devices.revoke(
        made.connection,
        made.program_id,
        found.device.device_id,
        by=made.account.actor,
        role=ROLE,
        now=made.now,
    )
    made.connection.commit()
    made.say(_("The till %(name)s is ended; its next call is refused.") % {"name": found.device.name})
    return made.go("desk:tills")


# --- what waits in them -----------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT)
def review(made: StaffVisit) -> HttpResponse:
    """Sales that a till signed and that were not credited, with the reason; chosen ones are credited or set aside."""
    form = made.request.POST
    chosen = form.getlist("sale")[:LINES] if made.request.method == "POST" else []
    known = {
        found.device.device_id: found for found in standings(made.connection, made.program_id, now=made.now)
    }
    kept = journal.to_review(made.connection, made.program_id, limit=LINES)
    content: dict[str, Any] = {
        "sales": [_sale(made, known[item.device_id].device, item, chosen) for item in kept],
        "waiting": sum(found.to_review for found in known.values()),
        "money": made.words.money(sum(found.amount for found in known.values())),
        "longest": LONGEST_REASON,
        "reason": form.get("reason", "").strip()[:LONGEST_REASON],
    }
    wanted: dict[int, list[Kept]] = defaultdict(list)
    for item in kept:
        if _key(known[item.device_id].device, item) in chosen:
            wanted[item.device_id].append(item)
    if made.request.method == "GET":
        return made.page("console/desk/till_review.html", content)
    made.connection.rollback()
    if not wanted:
        content["error"] = _("Choose at least one sale. Nothing was changed.")
        return made.page("console/desk/till_review.html", content, 422)
    if form.get("act") == "credit":
        _credit(made, known, wanted)
        return made.go("desk:till-review")
    count = sum(map(len, wanted.values()))
    content |= {
        "count": count,
        "chosen_money": made.words.money(sum(item.amount for items in wanted.values() for item in items)),
        "chosen": chosen,
    }
    if form.get("act") != "drop":
        return made.page("console/desk/till_drop.html", content)
    if not content["reason"]:
        content["error"] = _("Write why, in a sentence. It stays in the audit log.")
    elif holds_number(content["reason"]):
        content["error"] = _("The reason holds the number of a payment card. Leave it out.")
    if "error" in content:
        return made.page("console/desk/till_drop.html", content, 422)
    gone = sum(
        journal.drop_kept(
            made.connection, known[device_id].device, [item.number for item in items], by=made.account.actor,
            role=ROLE, reason=content["reason"], now=made.now,
        )
        for device_id, items in wanted.items()
    )  # fmt: skip
    made.connection.commit()
    made.say(
        ngettext("%(count)d sale was set aside.", "%(count)d sales were set aside.", gone) % {"count": gone}
    )
    return made.go("desk:till-review")


def _key(device: Device, item: Kept) -> str:
    return f"{device.number}-{item.number}"


def _sale(made: StaffVisit, device: Device, item: Kept, chosen: list[str]) -> dict[str, Any]:
    clock = made.words.clock
    late = clock.local(item.received_at)[0] != clock.local(item.at)[0]
    member = refs.encode(item.member_id) if item.member_id is not None else ""
    why = WHY.get(item.code)
    return {
        "key": _key(device, item),
        "chosen": _key(device, item) in chosen,
        "device": device,
        "day": made.words.day(item.at),
        "time": telling.time_of_day(made.words, item.at),
        "came": made.words.day(item.received_at) if late else "",
        "amount": made.words.money(item.amount),
        "member": member,
        "member_url": reverse("console:people:member", args=[made.runtime.key, member])
        if member and made.may("members:read")
        else "",
        "card": item.card,
        "worker": item.worker,
        "why": why or _OTHERWISE % {"code": item.code},
    }


def _credit(made: StaffVisit, known: dict[int, Standing], wanted: dict[int, list[Kept]]) -> None:
    """Credits what was chosen, each once, and says what became of it."""
    taken = [
        item
        for device_id, items in wanted.items()
        for item in journal.apply_kept(
            made.connection, made.runtime, known[device_id].device, [one.number for one in items],
            by=made.account.actor, role=ROLE, now=made.now,
        )
    ]  # fmt: skip
    done = sum(item.status in ("applied", "duplicate") for item in taken)
    if done:
        made.say(
            ngettext("%(count)d sale was credited.", "%(count)d sales were credited.", done) % {"count": done}
        )
    if done < len(taken):
        left = len(taken) - done
        made.say(
            ngettext(
                "%(count)d sale could not be credited; it waits still, with its reason.",
                "%(count)d sales could not be credited; they wait still, each with its reason.",
                left,
            )
            % {"count": left},
            "warn",
        )
