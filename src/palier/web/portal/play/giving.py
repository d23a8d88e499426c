"""Points given to another member: named by the code that he shares, seen before it is done, done once.

A code says nothing of who has it: one that nobody has, one of somebody who cannot be given anything and one that is
mistyped are answered alike, and whoever tries many is made to wait.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from palier.activities import batch, enrolment, operations, queries
from palier.activities.answers import Result
from palier.activities.operations import NotDone
from palier.engine.clock import HOUR
from palier.engine.program import PointCurrency, Program
from palier.engine.refusals import RefusalCode
from palier.members import queries as members
from palier.members import referral
from palier.privacy import messages
from palier.staff import throttle
from palier.staff.session import leave_snapshot
from palier.staff.throttle import Limit, Throttled
from palier.web.numbers import typed
from palier.web.portal.visits import Visit, of_member

SOURCE: Final = "portal"
WRONG_CODES: Final = 10
"""Codes that one member may try within an hour without finding anybody."""


class NotGiven(Exception):
    """Why nothing is given, in a sentence, and the field that it is about."""

    def __init__(self, said: str, field: str = "") -> None:
        super().__init__(said)
        self.field = field


def movable(program: Program) -> list[PointCurrency]:
    """The kinds of points that members may give to each other."""
    return [item for item in program.point_currencies if item.transferable]


@require_http_methods(["GET", "POST"])
@of_member
def give(made: Visit) -> HttpResponse:
    """The form, what would come of it, and the giving; and the code by which others give to this member."""
    kinds = movable(made.program)
    if not kinds:
        raise Http404
    form = made.request.POST
    given = {
        "to": (form.get("to") or made.request.GET.get("to", ""))[:20].strip(),
        "points": form.get("points", "")[:40].strip(),
        "currency": form.get("currency", kinds[0].key)[:64],
        "once": form.get("once", "")[:64] or token_hex(12),
    }
    if made.request.method == "GET" or form.get("back") == "yes":
        return _page(made, given)
    try:
        points = _points(made, given["currency"], given["points"])
        if form.get("sure") != "yes":
            return _asked(made, given, points)
        _done(made, given, points)
    except NotGiven as refused:
        return _page(made, given, str(refused), refused.field, 422)
    except Throttled as throttled:
        minutes = max(1, round(throttled.wait_s / 60))
        said = ngettext(
            "Too many wrong codes. Nothing was given; try again in %(count)d minute.",
            "Too many wrong codes. Nothing was given; try again in %(count)d minutes.",
            minutes,
        )
        return _page(made, given, said % {"count": minutes}, "to", 429)
    made.request.session["said"] = _("Given: %(points)s.") % {
        "points": made.words.points(points, given["currency"])
    }
    return made.go("home")


def _page(
    made: Visit, given: dict[str, str], error: str = "", field: str = "", status: int = 200
) -> HttpResponse:
    leave_snapshot(made.connection)
    code, _path, _new = batch.attempt(
        made.connection,
        lambda: enrolment.referral_code(made.connection, made.runtime, made.member_id, now=made.now),
    )
    have = _spendable(made)
    own = made.request.build_absolute_uri(reverse("portal:give", args=[made.runtime.key]) + f"?to={code}")
    content: dict[str, Any] = {
        "here": "me",
        "given": given,
        "kinds": [
            (item.key, made.words.noun(item.key, False), made.words.points(have.get(item.key, 0), item.key))
            for item in movable(made.program)
        ],
        "code": f"{code[:4]} {code[4:]}",
        "link": own,
        "error": error,
        "wrong": field,
        "again": _again(made, given),
    }
    return made.page("portal/play/give.html", content, status)


def _asked(made: Visit, given: dict[str, str], points: int) -> HttpResponse:
    """What leaves and what arrives, before anything does."""
    _receiver(made, given["to"])
    currency = given["currency"]
    left = _spendable(made).get(currency, 0) - points
    if left < 0:
        raise _too_few(made, currency)
    content = {
        "here": "me",
        "given": {**given, "to": _written(given["to"])},
        "points": made.words.points(points, currency),
        "left": made.words.points(left, currency),
        "again": _again(made, given),
    }
    return made.page("portal/play/give_sure.html", content)


def _done(made: Visit, given: dict[str, str], points: int) -> None:
    currency, receiver_id = given["currency"], _receiver(made, given["to"])
    name = f"give-{made.act_id(given['once'])}"

    def act() -> Result:
        result = operations.transfer(
            made.connection, made.runtime, sender_id=made.member_id, receiver_id=receiver_id,
            currency=currency, points=points, source=SOURCE, id=name, now=made.now,
        )  # fmt: skip
        if result.status == "applied":
            facts = {"currency": currency, "minor": str(points)}
            told: list[tuple[int, messages.Kind]] = [
                (made.member_id, "points_given"),
                (receiver_id, "points_received"),
            ]
            for member_id, kind in told:
                messages.tell(
                    made.connection, made.runtime.program_id, member_id, kind, facts, once=name, now=made.now
                )
        return result

    try:
        result = batch.attempt(made.connection, act)
    except NotDone as refused:
        raise _why(made, refused.refusal.code, currency, refused.refusal.field) from None
    if result.refusal is not None:
        raise _why(made, result.refusal.code, currency)


def _why(made: Visit, code: RefusalCode, currency: str, field: str | None = None) -> NotGiven:
    if code is RefusalCode.INSUFFICIENT_POINTS:
        return _too_few(made, currency)
    if code is RefusalCode.MEMBER_NOT_ACTIVE and field != "to":
        return NotGiven(_("Your account is on hold. Nothing was given; ask the shop."))
    if code is RefusalCode.CONTENT_DIFFERS:
        return NotGiven(_("This form was used already. Nothing more was given; begin anew from “Me”."))
    return _nobody()


def _nobody() -> NotGiven:
    return NotGiven(
        _("Nobody can be given anything under this code. Nothing was given; read it again, or ask for it."),
        "to",
    )


def _too_few(made: Visit, currency: str) -> NotGiven:
    have = made.words.points(_spendable(made).get(currency, 0), currency)
    return NotGiven(_("You have %(points)s to give. Nothing was given.") % {"points": have}, "points")


def _points(made: Visit, currency: str, text: str) -> int:
    """What was written, in minor units."""
    kind = next((item for item in movable(made.program) if item.key == currency), None)
    if kind is None:
        raise NotGiven(_("Choose what to give. Nothing was given."), "currency")
    try:
        return operations.points_minor(made.runtime, currency, typed(text, kind.scale))
    except NotDone:
        raise NotGiven(
            _("Write how many, in digits with nothing between the thousands, such as 20. Nothing was given."),
            "points",
        ) from None


def _receiver(made: Visit, text: str) -> int:
    """The member who shares this code. Refused, alike, where nobody can be given anything by it. Commits."""
    taken = throttle.take(
        made.connection, [Limit(f"give {made.runtime.program_id} {made.member_id}", WRONG_CODES, HOUR)],
        now=made.now,
    )  # fmt: skip
    try:
        found = referral.member_of(made.connection, made.runtime.program_id, referral.read_code(text))
    except referral.CodeError:
        found = None
    view = members.read(made.connection, made.runtime.program_id, found) if found is not None else None
    made.connection.rollback()
    if view is None or view.status != "active" or view.merged_into is not None:
        raise _nobody()
    throttle.give_back(made.connection, taken)
    if view.member_id == made.member_id:
        raise NotGiven(_("This is your own code. Nothing was given; write the other member’s."), "to")
    return view.member_id


def _again(made: Visit, given: dict[str, str]) -> str:
    """The page in another language, with the code that was written."""
    to = f"?{urlencode({'to': given['to']})}" if given["to"] else ""
    return reverse("portal:give", args=[made.runtime.key]) + to


def _written(text: str) -> str:
    code = referral.read_code(text)
    return f"{code[:4]} {code[4:]}"


def _spendable(made: Visit) -> dict[str, int]:
    """What this member has of each kind of points."""
    found = queries.wallets(made.connection, made.runtime, made.member_id, now=made.now)
    assert found is not None
    return {key: wallet.spendable for key, wallet in found.wallets.items()}
