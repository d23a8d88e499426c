"""API keys of a program: which there are, a new one whose token is shown once, and the end of one."""

from __future__ import annotations

from secrets import token_hex
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from palier.engine.clock import DAY
from palier.members import page_tokens
from palier.site.refusal import Refused
from palier.staff import operations, queries
from palier.staff.queries import PARTNER_RIGHTS, KeyView
from palier.web.console.desk import telling
from palier.web.console.people.lists import ROWS, pages
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import told

RIGHT: Final = "keys:write"
DAYS: Final = (30, 90, 365, 0)
"""For how long a key may be good; 0 is without end."""


@require_GET
@of_staff(RIGHT)
def listed(made: StaffVisit) -> HttpResponse:
    """The keys, those that work first, the latest first; `?after=` names the last key of the page before."""
    found = queries.list_keys(made.connection, made.runtime.key)
    found.sort(key=lambda key: (_state(made, key)[1] != "good", -key.created_at, key.prefix))
    last = made.request.GET.get("after", "")
    start = next((place for place, key in enumerate(found, 1) if key.prefix == last), 0)
    shown = found[start : start + ROWS]
    return made.page(
        "console/desk/keys.html",
        {
            "keys": [_shown(made, key) for key in shown],
            "pages": pages(made, [shown[-1].prefix] if len(found) > start + ROWS else None),
            "widget": made.program.widget is not None,
        },
    )


def _state(made: StaffVisit, key: KeyView) -> tuple[str, str]:
    if key.revoked_at is not None:
        return _("revoked"), "bad"
    if key.expires_at is not None and key.expires_at <= made.now:
        return _("over"), ""
    return _("works"), "good"


def _shown(made: StaffVisit, key: KeyView) -> dict[str, Any]:
    words = made.words
    return {
        "key": key,
        "state": _state(made, key),
        "rights": [(right, telling.RIGHTS.get(right, right)) for right in key.rights],
        "created": words.day(key.created_at),
        "ends": words.day(key.revoked_at or key.expires_at or 0) if key.revoked_at or key.expires_at else "",
        "partner": _partners(made).get(key.partner, key.partner),
    }


def _partners(made: StaffVisit) -> dict[str, str]:
    return {partner.key: made.words.text(partner.name) for partner in made.program.partners}


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT, sure=True)
def create(made: StaffVisit) -> HttpResponse:
    """A new key. No more rights than the person who makes it; its token stands on the answer and nowhere else."""
    form = made.request.POST
    chosen = [right for right in telling.RIGHTS if right in form.getlist("right")]
    days = int(form["days"]) if form.get("days", "") in map(str, DAYS) else 365
    content: dict[str, Any] = {
        "rights": [
            {"key": right, "may": may, "chosen": right in chosen, "partners": right in PARTNER_RIGHTS}
            for right, may in telling.RIGHTS.items()
            if right in made.rights
        ],
        "partners": _partners(made),
        "partner": form.get("partner", ""),
        "name": form.get("name", "")[: operations.LONGEST_NAME],
        "days": [(day, day == days) for day in DAYS],
        "once": form.get("once", "")[:40] or token_hex(12),
    }
    if made.request.method == "GET":
        return made.page("console/desk/new_key.html", content)
    once = form.get("once", "")[:40]
    made_before = made.request.session.get("made_keys", [])
    if once and once in made_before:
        # The page that showed it was loaded anew: one key is made, and its secret is shown once.
        made.say(
            _("This key was made already, and its token is not shown again. Revoke it if nobody has it."),
            "warn",
        )
        return made.go("desk:keys")
    error = ""
    if not content["name"].strip():
        error = _("Name the system that will use the key.")
    elif not chosen:
        error = _("Choose at least one right.")
    elif content["partner"] and content["partner"] not in content["partners"]:
        error = _("Choose one of the partners.")
    elif not set(chosen) <= made.rights:
        raise Http404
    if not error:
        try:
            key = operations.create_key(
                made.connection,
                made.program_id,
                name=content["name"].strip(),
                rights=chosen,
                now=made.now,
                expires_at=made.now + days * DAY if days else None,
                actor=made.account.actor,
                partner=content["partner"],
            )
            made.connection.commit()
        except Refused as refused:
            made.connection.rollback()
            error = told(refused)
        else:
            if once:
                made.request.session["made_keys"] = [*made_before[-20:], once]
            return made.page("console/desk/key.html", {"token": key.token, "name": content["name"].strip()})
    content["error"] = error
    return made.page("console/desk/new_key.html", content, 422)


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT)
def revoke(made: StaffVisit, prefix: str) -> HttpResponse:
    """The end of a key. It needs no new proof: a leaked key must be ended at once."""
    found = next(
        (key for key in queries.list_keys(made.connection, made.runtime.key) if key.prefix == prefix), None
    )
    if found is None:
        raise Http404
    if made.request.method == "GET":
        return made.page("console/desk/revoke.html", {"one": _shown(made, found)})
    made.connection.rollback()
    operations.revoke_key(made.connection, prefix, now=made.now, actor=made.account.actor)
    made.connection.commit()
    made.say(_("The key %(name)s is revoked; within ten seconds nothing takes it.") % {"name": found.name})
    return made.go("desk:keys")


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT)
def end_tokens(made: StaffVisit) -> HttpResponse:
    """The end of all page tokens of the widget that are out. It needs no new proof: leaked ones end at once."""
    if made.program.widget is None:
        raise Http404
    if made.request.method == "GET":
        return made.page("console/desk/end_tokens.html", {"origins": made.program.widget.origins})
    made.connection.rollback()
    page_tokens.end_all(made.connection, made.program_id, by=made.account.actor, role="staff", now=made.now)
    made.connection.commit()
    made.say(_("All page tokens are ended. Pages show members again as soon as the shop asks for new ones."))
    return made.go("desk:keys")
