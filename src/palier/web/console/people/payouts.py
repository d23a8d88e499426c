"""Pay-outs: what is asked for, the batches that take it to the bank, and the second pair of eyes."""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from palier.engine.amounts import from_minor
from palier.engine.currencies import money
from palier.engine.phrases import date_words
from palier.members import refs
from palier.payouts import accounts, operations, queries
from palier.payouts.queries import Batch, Payout
from palier.staff import approvals
from palier.staff.approvals import NotDecided
from palier.web.console.people.acts import (
    REFUSED,
    NotSaid,
    address,
    ask,
    done,
    reason,
    rehearsed,
    sure,
    text,
    why_not,
)
from palier.web.console.people.lists import ROWS, Row, actor_words, after, moment_words, pages, step_row
from palier.web.console.people.orders import instant_text
from palier.web.console.people.sheets import PART, Rows, sheet
from palier.web.console.visits import StaffVisit, of_staff

STATES: Final = ("asked", "approved", "in_file", "sent", "paid", "returned", "refused")
BATCHES: Final = 12
"""Batches beside the list."""


def state_words(state: str) -> str:
    """How a pay-out, or a batch, stands."""
    return {
        "asked": _("asked for"),
        "approved": _("approved"),
        "in_file": _("in a bank file"),
        "written": _("file written"),
        "sent": _("with the bank"),
        "paid": _("paid"),
        "closed": _("paid"),
        "returned": _("came back"),
        "refused": _("refused"),
    }.get(state, state)


_KINDS: Final = {"asked": "warn", "approved": "accent", "paid": "good", "closed": "good", "returned": "bad"}


def _row(made: StaffVisit, found: Payout) -> Row:
    return {
        "ref": found.ref,
        "reference": found.reference,
        "member": refs.encode(found.member_id),
        "amount": money(found.amount, found.money, made.language),
        "state": state_words(found.state),
        "kind": _KINDS.get(found.state, ""),
        "purpose": purpose_words(found.purpose),
        "to": f"{found.country} … {found.last4}",
        "batch": refs.encode_as("pb", found.batch_id) if found.batch_id is not None else "",
        "when": moment_words(made, found.asked_at),
    }


def purpose_words(purpose: str) -> str:
    """What is paid for."""
    return {"cashback": _("cash of the wallet"), "bill": _("a bill"), "loan": _("a loan")}.get(
        purpose, purpose
    )


def _batch_row(made: StaffVisit, found: Batch) -> Row:
    return {
        "ref": found.ref,
        "state": state_words(found.state),
        "kind": _KINDS.get(found.state, ""),
        "payouts": found.payouts,
        "total": money(found.total, found.money, made.language),
        "method": _("SEPA file") if found.method == "sepa" else _("CSV file"),
        "when": moment_words(made, found.created_at),
        "by": actor_words(made, found.created_by),
    }


def _state(made: StaffVisit) -> str | None:
    given = made.request.GET.get("state", "asked")
    return given if given in STATES else None


@require_GET
@of_staff("payouts:write")
def listed(made: StaffVisit) -> HttpResponse:
    """Pay-outs of a state, the latest first, and the batches that were made."""
    state = _state(made)
    key = after(made)
    found = queries.listed(
        made.connection,
        made.program_id,
        state=state,
        before=key[0] if key is not None else None,
        limit=ROWS + 1,
    )
    shown = found[:ROWS]
    return made.page(
        "console/people/payouts.html",
        {
            "state": state or "all",
            "states": [(name, state_words(name)) for name in STATES],
            "payouts": [_row(made, item) for item in shown],
            "pages": pages(made, (shown[-1].payout_id,) if len(found) > ROWS else None, state=state or "all"),
            "batches": [
                _batch_row(made, item)
                for item in queries.batches(made.connection, made.program_id, limit=BATCHES)
            ],
            "payer": accounts.read_payer(made.connection, made.program_id),
            "may_look": made.may("members:read"),
        },
    )


@require_GET
@of_staff("payouts:write")
def sheet_of(made: StaffVisit) -> HttpResponseBase:
    """Pay-outs of a state as CSV, the latest first. Accounts stand by their last four characters."""
    state = _state(made)
    exponent = made.runtime.latest.exponent

    def part(made: StaffVisit, before: int | None) -> tuple[Rows, int | None]:
        found = queries.listed(made.connection, made.program_id, state=state, before=before, limit=PART)
        rows: Rows = [
            [
                item.ref, item.reference, refs.encode(item.member_id), item.purpose,
                from_minor(item.amount, exponent), item.money, item.state, item.country, item.last4,
                refs.encode_as("pb", item.batch_id) if item.batch_id is not None else "",
                instant_text(item.asked_at), instant_text(item.changed_at), item.reason,
            ]
            for item in found
        ]  # fmt: skip
        return rows, found[-1].payout_id if len(found) == PART else None

    header = (
        "payout", "reference", "member", "purpose", "amount", "money", "state", "country", "last4", "batch",
        "asked_at", "changed_at", "reason",
    )  # fmt: skip
    return sheet(made, f"{made.runtime.key}-payouts-{state or 'all'}", header, part)


# --- one pay-out ------------------------------------------------------------------------------------------


def _find(made: StaffVisit, ref: str) -> Payout:
    ids = queries.decode_payout_ref(ref)
    found = queries.read(made.connection, made.program_id, *ids) if ids is not None else None
    if found is None:
        raise Http404
    return found


@require_GET
@of_staff("payouts:write")
def payout(made: StaffVisit, ref: str) -> HttpResponse:
    """One pay-out with each of its steps."""
    found = _find(made, ref)
    return made.page(
        "console/people/payout.html",
        {
            "payout": _row(made, found),
            "reason": found.reason,
            "by": actor_words(made, found.asked_by),
            "events": [
                step_row(made, state_words(event.to_state), event.at, event.actor, event.reason)
                for event in queries.events(made.connection, found)
            ],
            "steps": {
                "cancel": found.state == "asked" and found.batch_id is None,
                "returned": found.state in ("in_file", "sent", "paid"),
            },
            "may_look": made.may("members:read"),
        },
    )


@require_POST
@of_staff("payouts:write")
def payout_step(made: StaffVisit, ref: str, step: str) -> HttpResponse:
    """Refuses a pay-out that is in no batch, or takes note that the bank sent the money back."""
    if step not in ("cancel", "returned"):
        raise Http404
    found = _find(made, ref)
    made.connection.rollback()

    def act() -> Payout:
        now = _find(made, ref)
        if step == "cancel":
            return operations.cancel(
                made.connection, made.runtime, now, reason=why, by=made.person, now=made.now
            )
        return operations.returned(
            made.connection, made.runtime, now, reason=why, by=made.person, now=made.now
        )

    try:
        why = reason(made)
        if not sure(made):
            rehearsed(made, act)
            amount = money(found.amount, found.money, made.language)
            title = _("Refuse the pay-out") if step == "cancel" else _("The bank sent it back")
            return ask(
                made,
                title=title,
                will=[
                    _("%(amount)s is in the member's wallet again, with the day on which it expires.")
                    % {"amount": amount}
                    if found.points
                    else _("%(amount)s is not paid; what the order cost comes back by the order's terms.")
                    % {"amount": amount}
                ],
                button=title,
                back=address(made, "payout", found.ref),
                danger=True,
                note=why,
                fields=("reason",),
            )
        moved = done(made, act)
    except (NotSaid, *REFUSED) as refused:
        made.say(why_not(refused), "bad")
        return made.go("people:payout", found.ref)
    made.say(_("The pay-out is now: %(state)s.") % {"state": state_words(moved.state)})
    return made.go("people:payout", found.ref)


# --- batches ----------------------------------------------------------------------------------------------


@require_POST
@of_staff("payouts:write")
def propose(made: StaffVisit) -> HttpResponse:
    """Collects what is asked for into a batch, for a second person to approve."""
    method = made.request.POST.get("method", "")

    def act() -> Batch:
        return operations.propose(
            made.connection, made.runtime, method="sepa" if method == "sepa" else "csv", by=made.person,
            reason=text(made, "reason"), now=made.now,
        )  # fmt: skip

    try:
        if not sure(made):
            found = rehearsed(made, act)
            return ask(
                made,
                title=_("Collect pay-outs into a batch"),
                will=[
                    ngettext(
                        "%(count)d pay-out, %(total)s in all, from the account of %(payer)s.",
                        "%(count)d pay-outs, %(total)s in all, from the account of %(payer)s.",
                        found.payouts,
                    )
                    % {
                        "count": found.payouts,
                        "total": money(found.total, found.money, made.language),
                        "payer": found.payer.name,
                    },
                    _("Nothing is paid until a second person approves it and the file is at the bank."),
                ],
                button=_("Collect them"),
                back=address(made, "payouts"),
                note=text(made, "reason"),
                fields=("method", "reason"),
            )
        found = done(made, act)
    except (NotSaid, *REFUSED) as refused:
        made.say(why_not(refused), "bad")
        return made.go("people:payouts")
    made.say(_("Collected. A second person approves it."), "warn")
    return made.go("people:batch", found.ref)


def _batch(made: StaffVisit, ref: str) -> Batch:
    batch_id = refs.decode_as("pb", ref)
    found = queries.read_batch(made.connection, made.program_id, batch_id) if batch_id is not None else None
    if found is None:
        raise Http404
    return found


@require_GET
@of_staff("payouts:write")
def batch(made: StaffVisit, ref: str) -> HttpResponse:
    """One batch: who asked, who approved, its file, and what is in it."""
    found = _batch(made, ref)
    key = after(made)
    inside = queries.listed(
        made.connection, made.program_id, batch_id=found.batch_id, before=key[0] if key is not None else None,
        limit=ROWS + 1,
    )  # fmt: skip
    shown = inside[:ROWS]
    known = approvals.find(made.connection, made.program_id, operations.KIND, found.ref)
    given = queries.of_batch(made.connection, made.program_id, found.batch_id) if found.written_at else []
    came_back = [item.amount for item in given if item.state == "returned"]
    return made.page(
        "console/people/batch.html",
        {
            "batch": {
                **_batch_row(made, found),
                "payer": f"{found.payer.name}, …{found.payer.iban[-4:]}",
                "message_id": found.message_id,
                "execution_on": date_words(found.execution_on.isoformat(), made.language)
                if found.execution_on is not None
                else "",
                "came_back": len(came_back),
                "came_back_total": money(sum(came_back), found.money, made.language),
                "sha256": found.sha256.hex() if found.sha256 is not None else "",
                "raw": found.state,
            },
            "approval": _approval(made, known) if known is not None else None,
            "payouts": [_row(made, item) for item in shown],
            "pages": pages(made, (shown[-1].payout_id,) if len(inside) > ROWS else None),
            "may_approve": made.may("approvals:write"),
            "may_look": made.may("members:read"),
        },
    )


def _approval(made: StaffVisit, known: approvals.Approval) -> Row:
    standing = known.standing(made.now)
    return {
        "state": standing,
        "asked_by": known.asked_name,
        "mine": known.asked_by == made.person.actor,
        "until": made.words.day(known.expires_at),
        "decided_by": actor_words(made, known.decided_by),
        "reason": known.reason,
        "decision": known.decision,
    }


@require_POST
@of_staff("payouts:write")
def batch_step(made: StaffVisit, ref: str, step: str) -> HttpResponse:
    """The second person decides; the file is at the bank, is paid, or the batch is taken back."""
    found = _batch(made, ref)
    if step not in ("approve", "refuse", "stop", "sent", "paid"):
        raise Http404
    if step in ("approve", "refuse") and not made.may("approvals:write"):
        raise Http404
    made.connection.rollback()
    total = money(found.total, found.money, made.language)

    def act() -> str:
        return _moved(made, found, step, why)

    try:
        why = reason(made) if step in ("refuse", "stop") else text(made, "reason")
        if not sure(made):
            rehearsed(made, act)
            count = found.payouts
            waits = ngettext(
                "%(count)d pay-out, %(total)s in all, waits again and can go into another batch.",
                "%(count)d pay-outs, %(total)s in all, wait again and can go into another batch.",
                count,
            )
            will = {
                "approve": ngettext(
                    "%(count)d pay-out may be written to a bank file: %(total)s in all.",
                    "%(count)d pay-outs may be written to a bank file: %(total)s in all.",
                    count,
                ),
                "refuse": waits,
                "stop": waits,
                "sent": ngettext(
                    "The bank has the file with %(count)d pay-out, %(total)s in all.",
                    "The bank has the file with %(count)d pay-outs, %(total)s in all.",
                    count,
                ),
                "paid": ngettext(
                    "The bank has paid %(count)d pay-out, %(total)s in all, unless it sent it back.",
                    "The bank has paid %(count)d pay-outs, %(total)s in all, but those it sent back.",
                    count,
                ),
            }[step]
            title = step_words(step)
            return ask(
                made,
                title=title,
                will=[will % {"count": count, "total": total}],
                button=title,
                back=address(made, "batch", found.ref),
                danger=step in ("refuse", "stop"),
                note=why,
                fields=("reason",),
            )
        made.say(done(made, act))
    except NotDecided as refused:
        made.say(not_decided(refused), "bad")
    except (NotSaid, *REFUSED) as refused:
        made.say(why_not(refused), "bad")
    return made.go("people:batch", found.ref)


def step_words(step: str) -> str:
    """The name of a step of a batch, as its button says it."""
    return {
        "approve": _("Approve the batch"),
        "refuse": _("Refuse the batch"),
        "stop": _("Take the batch back"),
        "sent": _("The bank has the file"),
        "paid": _("The bank has paid"),
    }[step]


def not_decided(refused: NotDecided) -> str:
    """Why a decision was not taken."""
    return {
        "same_person": _("Who asked for it cannot approve it. Let a second person do so."),
        "approval_decided": _("It is decided already, or its time is over."),
    }.get(refused.code, _("There is nothing to decide any more."))


def _moved(made: StaffVisit, found: Batch, step: str, why: str) -> str:
    if step in ("approve", "refuse"):
        known = approvals.find(made.connection, made.program_id, operations.KIND, found.ref)
        if known is None:
            raise Http404
        approvals.decide(
            made.connection, made.program_id, known.approval_id, approve=step == "approve", by=made.person,
            decision=why, now=made.now,
        )  # fmt: skip
        return _("Approved. The file can be written.") if step == "approve" else _("Refused.")
    move = {"stop": operations.stop, "sent": operations.sent, "paid": operations.paid}[step]
    moved = move(made.connection, made.program_id, found.batch_id, reason=why, by=made.person, now=made.now)
    return _("The batch is now: %(state)s.") % {"state": state_words(moved.state)}


@require_POST
@of_staff("payouts:write")
def file(made: StaffVisit, ref: str) -> HttpResponse:
    """The file for the bank: written once, and the same bytes ever after."""
    found = _batch(made, ref)
    made.connection.rollback()
    try:
        written = done(
            made,
            lambda: operations.write_file(
                made.connection, made.runtime, found.batch_id, by=made.person, now=made.now
            ),
        )
    except REFUSED as refused:
        made.say(why_not(refused), "bad")
        return made.go("people:batch", found.ref)
    kind = "application/xml" if found.method == "sepa" else "text/csv; charset=utf-8"
    response = HttpResponse(written.content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{written.name}"'
    response["Cache-Control"] = "private, no-store"
    return response
