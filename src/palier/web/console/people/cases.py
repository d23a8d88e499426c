"""Cases: what members say is wrong, those that wait longest first, beside the line they are about."""

from __future__ import annotations

from typing import Final, get_args

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from palier.activities import queries
from palier.care import cases
from palier.care.cases import Case
from palier.care.refusals import CareRefused
from palier.members import queries as members
from palier.members import refs
from palier.site.ids import read_id
from palier.web.console.people.acts import done, once
from palier.web.console.people.lists import ROWS, Row, actor_words, after, moment_words, pages
from palier.web.console.people.seen import TooMany, head, of_ref, rows_of
from palier.web.console.visits import StaffVisit, of_staff

STATES: Final = get_args(cases.State)


def state_words(state: str) -> str:
    """How a case stands, for staff."""
    return {"open": _("waits for an answer"), "answered": _("answered"), "closed": _("closed")}.get(
        state, state
    )


_KINDS: Final = {"open": "warn", "answered": "accent"}


def row(made: StaffVisit, found: Case, heir: members.Heir | None) -> Row:
    """A case as it is listed: with the member who opened it, or whom he was merged into."""
    return {
        "ref": found.ref,
        "member": refs.encode(found.member_id if heir is None else heir.member_id),
        "merged": refs.encode(found.member_id) if heir is not None else "",
        "state": state_words(found.state),
        "raw": found.state,
        "kind": _KINDS.get(found.state, ""),
        "line": bool(found.activity_id),
        "opened": moment_words(made, found.opened_at),
        "changed": moment_words(made, found.changed_at),
    }


@require_GET
@of_staff("members:write")
def listed(made: StaffVisit) -> HttpResponse:
    """Cases of a state, those that wait longest first."""
    given = made.request.GET.get("state", "open")
    state: cases.State = "open"
    for known in STATES:
        state = known if known == given else state
    key = after(made, 2)
    found = cases.in_state(
        made.connection,
        made.program_id,
        state,
        after=(min(key[0], made.now), key[1]) if key is not None else (0, 0),
        limit=ROWS + 1,
    )
    shown = found[:ROWS]
    last = shown[-1] if len(found) > ROWS else None
    counts = cases.counts(made.connection, made.program_id)
    heirs = members.heirs(made.connection, made.program_id, [item.member_id for item in shown])
    return made.page(
        "console/people/cases.html",
        {
            "state": state,
            "states": [(name, state_words(name), counts.get(name)) for name in STATES],
            "cases": [row(made, item, heirs.get(item.member_id)) for item in shown],
            "pages": pages(made, (last.changed_at, last.case_id) if last is not None else None, state=state),
            "open": counts["open"],
        },
    )


def _find(made: StaffVisit, ref: str) -> Case:
    ids = cases.decode_case_ref(ref)
    found = cases.read(made.connection, made.program_id, *ids) if ids is not None else None
    if found is None:
        raise Http404
    return found


@require_GET
@of_staff("members:write")
def case(made: StaffVisit, ref: str) -> HttpResponse:
    """One case: what was said, the line it is about with its arithmetic, and the answer. The member is looked at."""
    found = _find(made, ref)
    heir = members.heirs(made.connection, made.program_id, [found.member_id]).get(found.member_id)
    try:
        view = of_ref(made, refs.encode(found.member_id if heir is None else heir.member_id))
    except TooMany as many:
        return many.page
    line = cases.line_of(made.connection, found)
    about = queries.find_activity(made.connection, made.program_id, *line) if line is not None else None
    lines = [about.line, *about.corrections] if about is not None and about.line is not None else []
    return made.page(
        "console/people/case.html",
        {
            **head(made, view),
            "case": row(made, found, heir),
            "messages_of": [
                {
                    "shop": said.author == "shop",
                    "who": actor_words(made, said.actor) if said.author == "shop" else "",
                    "text": said.text,
                    "when": moment_words(made, said.at),
                }
                for said in cases.messages(made.connection, found)
            ],
            "about": rows_of(made, found.member_id, lines),
            "text": made.request.session.pop("case_text", ""),
            "most": cases.LONGEST_TEXT,
        },
    )


@require_POST
@of_staff("members:write")
def answer(made: StaffVisit, ref: str) -> HttpResponse:
    """Answers a case, with `close` as the last word; or closes it."""
    found = _find(made, ref)
    made.connection.rollback()
    said = made.request.POST.get("text", "")
    close = made.request.POST.get("close") == "yes"

    def act() -> Case:
        if close and not said.strip():
            return cases.close(made.connection, found, by=made.person, now=made.now)
        return cases.answer(
            made.connection, found, text=said, once=once(made), by=made.person, now=made.now, close=close
        )

    try:
        now = done(made, act)
    except CareRefused as refused:
        made.request.session["case_text"] = said[: cases.LONGEST_TEXT]
        made.say(why_not(refused), "bad")
        return made.go("people:case", found.ref)
    made.say(
        _("The case is closed.")
        if now.state == "closed"
        else _("Answered. The member sees it on the portal.")
    )
    return made.go("people:case", found.ref)


def why_not(refused: CareRefused) -> str:
    """Why an answer was not taken."""
    return {
        "invalid_text": _("Write an answer of up to %(most)d characters.") % {"most": cases.LONGEST_TEXT},
        "payment_card_number": _("The text holds the number of a payment card. Leave it out."),
        "case_closed": _("The case is closed. The member can open another."),
    }.get(refused.code.value, _("It could not be done. Nothing was changed."))


@require_POST
@of_staff("members:write")
def begin(made: StaffVisit, ref: str) -> HttpResponse:
    """Opens a case for a member who says it at the counter or on the phone, about a line where one is named."""
    try:
        view = of_ref(made, ref)
    except TooMany as many:
        return many.page
    line = made.request.POST.get("line", "")
    activity_id = read_id(line)

    def act() -> Case:
        return cases.open_case(
            made.connection, made.runtime, member_id=view.member_id, text=made.request.POST.get("text", ""),
            once=once(made), activity_id=activity_id, by=made.person, now=made.now,
        )  # fmt: skip

    try:
        found = done(made, act)
    except CareRefused as refused:
        made.request.session["new_case"] = [
            view.ref,
            line,
            made.request.POST.get("text", "")[: cases.LONGEST_TEXT],
        ]
        made.say(why_not(refused), "bad")
        return made.go("people:member", view.ref)
    made.say(_("The case is open."))
    return made.go("people:case", found.ref)
