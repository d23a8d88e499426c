"""What waits for a second person: the queue, and one request with its decision."""

from __future__ import annotations

from typing import Any, Final, get_args

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from palier.activities import batch
from palier.activities.operations import NotDone
from palier.engine.payment_cards import holds_number
from palier.site.ids import read_id
from palier.site.refusal import Refused
from palier.staff import approvals
from palier.staff.approvals import Approval, NotDecided
from palier.web.console.desk import telling
from palier.web.console.people.lists import actor_words
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import part, told

RIGHT: Final = "approvals:write"
LINES: Final = 30
LONGEST_REASON: Final = 500


@require_GET
@of_staff(RIGHT)
def listed(made: StaffVisit) -> HttpResponse:
    """What waits, or what was decided; the latest first."""
    given = made.request.GET
    state = given.get("state", "asked")
    chosen = next((known for known in get_args(approvals.State) if known == state), None)
    before = given.get("before", "")
    found = approvals.listed(
        made.connection,
        made.program_id,
        now=made.now,
        state=chosen,
        before=read_id(before),
        limit=LINES + 1,
    )
    page = found[:LINES]
    return made.page(
        "console/desk/approvals.html",
        {
            "requests": [_shown(made, item) for item in page],
            "state": chosen or "",
            "states": [(key, name, key == chosen) for key, (name, _colour) in telling.STATES.items()],
            "following": page[-1].approval_id if len(found) > LINES else None,
        },
    )


def _shown(made: StaffVisit, item: Approval) -> dict[str, Any]:
    standing = item.standing(made.now)
    words = made.words
    return {
        "id": item.approval_id,
        "kind": telling.KINDS.get(item.kind, item.kind),
        "said": telling.said(item.payload, words),
        # What was asked for may name its reason itself: it is said once.
        "reason": item.reason if item.reason != item.payload.get("reason") else "",
        "asked_by": item.asked_name or item.asked_by,
        "asked_at": words.day(item.asked_at),
        "until": words.day(item.expires_at),
        "state": telling.STATES[standing],
        "waits": standing == "asked",
        "decided_by": actor_words(made, item.decided_by),
        "decided_at": words.day(item.decided_at) if item.decided_at else "",
        "decision": item.decision,
        "own": item.asked_by == made.person.actor or item.asked_name.lower() == made.person.name.lower(),
    }


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT)
def one(made: StaffVisit, approval_id: int) -> HttpResponse:
    """One request: what was asked by whom, and the decision. Who asked can only take it back."""
    found = approvals.read(made.connection, made.program_id, approval_id)
    if found is None:
        raise Http404
    content: dict[str, Any] = {"one": _shown(made, found), "longest": LONGEST_REASON}
    if made.request.method == "GET":
        return made.page("console/desk/approval.html", content)
    made.connection.rollback()
    reason = made.request.POST.get("reason", "").strip()[:LONGEST_REASON]
    approve = made.request.POST.get("decision") == "approve"
    content["written"] = reason
    if not reason:
        content["error"] = _("Write why, in a sentence. It stays with the request.")
    elif holds_number(reason):
        content["error"] = _("The reason holds the number of a payment card. Leave it out.")
    else:

        def act() -> None:
            approvals.decide(
                made.connection,
                made.program_id,
                approval_id,
                approve=approve,
                by=made.person,
                decision=reason,
                now=made.now,
            )

        try:
            batch.attempt(made.connection, act)
        except NotDecided as why:
            content["error"] = {
                "same_person": _("Who asked for it cannot approve it. Another person must."),
                "approval_decided": _("It was decided meanwhile. Nothing was changed."),
                "not_publishable": _(
                    "It cannot be published any more: another version came meanwhile, or the draft was put away. "
                    "Refuse it, and publish the draft as it should be now."
                ),
            }.get(why.code, told(why))
        except NotDone as why:
            content["error"] = _("It cannot be done now: %(why)s. It still waits.") % {
                "why": part(why.refusal.said)
            }
        except Refused as refused:
            content["error"] = told(refused)
        else:
            made.say(_("Approved and done.") if approve else _("Refused. Nothing was done."))
            return made.go("desk:approvals")
        found = approvals.read(made.connection, made.program_id, approval_id)
        assert found is not None
        content["one"] = _shown(made, found)
    return made.page("console/desk/approval.html", content, 422)
