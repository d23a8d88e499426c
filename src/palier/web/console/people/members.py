"""Members: found by what they show or say, exactly; one member, with each line opening to its arithmetic."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from palier.activities import queries
from palier.activities.queries import Expiry, Wallets
from palier.activities.telling import Story
from palier.care import cases as care
from palier.engine.amounts import to_minor
from palier.engine.state import NEVER
from palier.members import lookups, refs
from palier.members import queries as members
from palier.privacy import export as exporting
from palier.rewards import order_queries, order_store
from palier.staff import approvals
from palier.staff.operations import write_log
from palier.staff.throttle import Throttled
from palier.web.console.people import cases, orders
from palier.web.console.people.lists import Row, after, as_of, pages
from palier.web.console.people.seen import (
    TooMany,
    found_by,
    head,
    kind_words,
    of_ref,
    page_of,
    stories_of,
    too_many,
)
from palier.web.console.people.sheets import PART, Rows, sheet
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.downloads import json_file
from palier.web.portal import telling

LINES: Final = 15
"""Lines of history on a member's page."""
MORE_LINES: Final = 50
"""Lines of a page of his history."""


# --- finding ----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff("members:read")
def find(made: StaffVisit) -> HttpResponse:
    """One field: whatever a member shows or says himself, exactly. There is no list to read."""
    content: dict[str, Any] = {"most": lookups.MOST_AN_HOUR}
    if made.request.method == "GET":
        return made.page("console/people/members.html", content)
    given = made.request.POST.get("what", "").strip()[: members.LONGEST]
    content["what"] = given
    if not given:
        content["error"] = _("Write what the member shows or says: a card, an e-mail, a phone, a reference.")
        return made.page("console/people/members.html", content, 422)
    ids = order_store.decode_order_ref(given) if "." in given else None
    if (
        ids is not None
        and made.may("orders:write")
        and order_store.read(made.connection, made.program_id, *ids) is not None
    ):
        return made.go("people:order", given.lower())
    try:
        found = found_by(made, given)
    except Throttled as throttled:
        return too_many(made, throttled)
    if not found:
        content["error"] = _(
            "Nobody has this in the program. Check each character: names and parts of numbers find nobody."
        )
        return made.page("console/people/members.html", content, 404)
    if len(found) == 1:
        return made.go("people:member", refs.encode(next(iter(found))))
    content["found"] = [
        {"ref": refs.encode(member_id), "kind": kind_words(kind)} for member_id, kind in found.items()
    ]
    return made.page("console/people/members.html", content)


# --- one member -------------------------------------------------------------------------------------------


@require_GET
@of_staff("members:read")
def member(made: StaffVisit, ref: str) -> HttpResponse:
    """What a member has, where he stands, what happened; now, or at the end of a day."""
    try:
        view = of_ref(made, ref)
    except TooMany as many:
        return many.page
    at, day = as_of(made)
    wallets = queries.wallets(made.connection, made.runtime, view.member_id, as_of=at, now=made.now)
    standing = queries.standing(made.connection, made.runtime, view.member_id, as_of=at, now=made.now)
    assert wallets is not None
    assert standing is not None
    lines, more = page_of(made, view.member_id, None, LINES)
    kept = made.request.session.pop("new_case", ["", "", ""])
    waiting = approvals.listed(
        made.connection,
        made.program_id,
        now=made.now,
        state="asked",
        kind="adjustment",
        object=view.ref,
        limit=20,
    )
    return made.page(
        "console/people/member.html",
        {
            **head(made, view),
            "as_of": day,
            "as_of_words": made.words.day(at) if at is not None else "",
            "wallets": _wallets(made, wallets),
            "expiries": [_expiry(made, item) for item in queries.expiries(wallets)[:24]],
            "tier_way": telling.tier_way(made.runtime.latest, made.words, standing),
            "goals": [
                telling.goal_way(made.words, goal, made.now)
                for goal in standing.pursuits.goals
                if goal.steps and goal.state in ("open", "done")
            ],
            "lines": lines,
            "kept_case": {"line": kept[1], "text": kept[2]} if kept[0] == view.ref else {},
            "more": more is not None,
            "orders": _orders(made, view.member_id),
            "cases": [
                cases.row(made, item, None)
                for item in care.of_member(made.connection, made.program_id, view.member_id, limit=5)
            ]
            if made.may("members:write")
            else [],
            "waiting": [_waiting(made, item) for item in waiting],
        },
    )


def _wallets(made: StaffVisit, found: Wallets) -> list[Row]:
    words = made.words
    rows = []
    for item in made.program.point_currencies:
        wallet = found.wallets.get(item.key)
        if wallet is None:
            continue
        rows.append(
            {
                "name": words.noun(item.key, False),
                "spendable": words.number(wallet.spendable, item.key),
                "pending": words.number(wallet.pending, item.key),
                "held": words.number(wallet.held, item.key),
                "debt": words.number(wallet.debt, item.key),
                "owes": bool(wallet.debt),
                "lots": [
                    {
                        "points": words.points(lot.spendable + lot.held, item.key),
                        "earned": words.day(lot.first_earned),
                        "until": words.day(lot.expires_at - 1) if lot.expires_at < NEVER else "",
                        "moving": lot.moving,
                        "funder": lot.funder,
                    }
                    for lot in wallet.lots[:24]
                ],
                "waiting": [
                    {
                        "points": words.points(entry.points, item.key),
                        "when": words.day(entry.release_at) if entry.release_at < NEVER else "",
                        "until": entry.until,
                    }
                    for entry in wallet.waiting[:24]
                ],
            }
        )
    return rows


def _expiry(made: StaffVisit, item: Expiry) -> Row:
    words = made.words
    return {
        "day": words.day(item.spendable_until - 1),
        "when": telling.until(words, item.spendable_until, made.now),
        "points": words.points(item.spendable + item.held + item.pending, item.currency),
        "held": words.points(item.held, item.currency) if item.held else "",
        "pending": words.points(item.pending, item.currency) if item.pending else "",
        "moving": item.moving,
    }


def _orders(made: StaffVisit, member_id: int) -> list[Row]:
    found = order_queries.of_member(made.connection, made.program_id, member_id, before=None, limit=5)
    return orders.rows(made, found)


def _signed(made: StaffVisit, points: str, currency: str) -> str:
    found = made.runtime.latest.currencies.get(currency)
    if found is None:
        return f"{points} {currency}"
    minor = to_minor(points.lstrip("-"), found.scale)
    return ("\u2212" if points.startswith("-") else "+") + made.words.points(minor, currency)


def _waiting(made: StaffVisit, item: approvals.Approval) -> Row:
    told = item.payload
    return {
        "ref": refs.encode_as("ap", item.approval_id),
        "points": _signed(made, told["points"], told["currency"]),
        "reason": item.reason,
        "by": item.asked_name,
        "until": made.words.day(item.expires_at),
    }


# --- his history ------------------------------------------------------------------------------------------


@require_GET
@of_staff("members:read")
def history(made: StaffVisit, ref: str) -> HttpResponse:
    """All lines of a member, a page at a time."""
    try:
        view = of_ref(made, ref)
    except TooMany as many:
        return many.page
    before = after(made)
    lines, more = page_of(made, view.member_id, before[0] if before is not None else None, MORE_LINES)
    return made.page(
        "console/people/history.html",
        {
            **head(made, view),
            "lines": lines,
            "pages": pages(made, (more,) if more is not None else None),
        },
    )


@require_GET
@of_staff("members:read")
def history_sheet(made: StaffVisit, ref: str) -> HttpResponseBase:
    """The lines of a member as CSV, the latest first: one row for each amount that moved."""
    try:
        view = of_ref(made, ref)
    except TooMany as many:
        return many.page
    header = (
        "at", "recorded_at", "type", "source", "id", "said", "currency", "points", "version", "tier", "reason",
    )  # fmt: skip
    member_id = view.member_id

    def part(made: StaffVisit, before: int | None) -> tuple[Rows, int | None]:
        stories, before = stories_of(made, member_id, before, PART // 2)
        return _history_rows(made, stories), before

    return sheet(made, f"{made.runtime.key}-{view.ref}-history", header, part)


def _history_rows(made: StaffVisit, stories: list[Story]) -> Rows:
    plan = made.runtime.latest
    rows: Rows = []
    for story in stories:
        line = story.line
        said = story.said(made.language)
        for currency, minor in (said.moved or {"": 0}).items():
            rows.append(
                [
                    orders.instant_text(line.acts_at),
                    orders.instant_text(line.recorded_at),
                    line.type,
                    line.source,
                    line.id,
                    said.sentence,
                    currency,
                    orders.points_text(plan, minor, currency) if currency else "",
                    line.version,
                    line.tier,
                    story.fact.reason if story.fact is not None else "",
                ]
            )
    return rows


@require_GET
@of_staff("members:write")
def export(made: StaffVisit, ref: str) -> HttpResponse:
    """All that is known of a member, as JSON, for whoever asks for his data: what his own pages give. Logged."""
    try:
        view = of_ref(made, ref)
    except TooMany as many:
        return many.page
    content = exporting.everything(made.connection, made.runtime, view.member_id, view.locale, now=made.now)
    made.connection.rollback()
    write_log(made.connection, made.person.actor, made.person.role, "member.export", view.ref, at=made.now)
    made.connection.commit()
    return json_file(f"{made.runtime.key}-{view.ref}", content)
