"""A member looked at: found by what he shows, counted and logged; who he is, and his lines as receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from palier.activities import queries
from palier.activities.queries import Line
from palier.activities.telling import Story, tell
from palier.members import card, lookups, refs
from palier.members import queries as members
from palier.members.queries import IdentityError, MemberView
from palier.staff.throttle import Throttled
from palier.web.console.people.acts import once
from palier.web.console.people.lists import Row, actor_words, moment_words
from palier.web.console.visits import StaffVisit
from palier.web.portal import telling


def found_by(made: StaffVisit, given: str) -> dict[int, str]:
    """Who has it, with the kind as which; every try is counted and logged, also those in vain."""
    found: dict[int, str] = {}
    kinds = []
    if given.lower().startswith("m_"):
        kinds.append("ref")
        try:
            member_id = refs.decode(given)
            if members.read(made.connection, made.program_id, member_id) is not None:
                found[member_id] = "ref"
        except ValueError:
            pass
    elif (shown := card.read(made.runtime.key, given, made.now)) is not None:
        kinds.append("qr")
        found[shown] = "qr"
    else:
        hashes: dict[bytes, str] = {}
        for kind in members.KINDS:
            try:
                hashes[members.hashed(kind, given)] = kind
            except IdentityError:
                continue
        kinds = list(hashes.values())
        known = members.find_hashes(made.connection, made.program_id, hashes)
        found = {member_id: hashes[value_hash] for value_hash, member_id in known.items()}
    made.connection.rollback()
    if not found:
        lookups.find(
            made.connection,
            made.program_id,
            None,
            ", ".join(kinds) or "nothing",
            by=made.person,
            now=made.now,
        )
    for member_id, kind in found.items():
        lookups.find(made.connection, made.program_id, member_id, kind, by=made.person, now=made.now)
    return found


def kind_words(kind: str) -> str:
    """The name of a kind of identity."""
    return {
        "card": _("card"),
        "email": _("e-mail"),
        "phone": _("phone"),
        "external_id": _("id of your system"),
        "ref": _("reference"),
        "qr": _("card on the phone"),
    }.get(kind, kind)


def too_many(made: StaffVisit, throttled: Throttled) -> HttpResponse:
    minutes = max(1, round(throttled.wait_s / 60))
    content = {"most": lookups.MOST_AN_HOUR, "minutes": minutes}
    return made.page("console/people/too_many.html", content, 429)


class TooMany(Exception):
    """The person has looked at as many members as one may in an hour; `page` says so."""

    def __init__(self, page: HttpResponse) -> None:
        super().__init__("too many members in an hour")
        self.page = page


def of_ref(made: StaffVisit, ref: str) -> MemberView:
    """The member of an address, looked at: counted and logged once in a shift.

    Http404 for whoever is no member of the program, or gone. Raises TooMany beyond what one may look at.
    """
    try:
        member_id = refs.decode(ref)
    except ValueError:
        raise Http404 from None
    view = members.read(made.connection, made.program_id, member_id)
    if view is None or view.status == "erased":
        raise Http404
    made.connection.rollback()
    try:
        lookups.look(made.connection, made.program_id, member_id, by=made.person, now=made.now)
    except Throttled as throttled:
        raise TooMany(too_many(made, throttled)) from None
    return view


def head(made: StaffVisit, view: MemberView) -> dict[str, Any]:
    """Who the member is, on each page about him, and what may be done."""
    kinds: dict[str, list[int]] = {}
    for item in members.identities(made.connection, made.program_id, view.member_id):
        kinds.setdefault(item.kind, []).append(item.since)
    personal = made.may("members:write")
    return {
        "member": view,
        "once": once(made),
        "name": str(view.attributes.get("first_name") or view.attributes.get("name") or "")
        if personal
        else "",
        "status": status_words(view.status),
        "status_kind": {"active": "good", "frozen": "warn"}.get(view.status, ""),
        "since": made.words.day(view.enrolled_at),
        "language_of": {"fr": _("French"), "en": _("English")}.get(view.locale[:2], view.locale),
        "identities": [
            {
                "kind": kind_words(kind),
                "count": len(since),
                "since": made.words.day(min(since)),
            }
            for kind, since in kinds.items()
        ],
        "attributes": sorted((key, str(value)) for key, value in view.attributes.items()) if personal else [],
        "taken_over": [
            {
                "ref": item.ref,
                "day": made.words.day(item.merged_at),
                "reason": item.reason,
                "by": actor_words(made, item.actor),
            }
            for item in members.taken_over(made.connection, made.program_id, view.member_id)
        ],
        "acts": {
            "points": made.may("points:write") and view.merged_into is None,
            "write": made.may("members:write") and view.merged_into is None,
            "merge": made.may("members:merge"),
            "transfer": any(item.transferable for item in made.program.point_currencies),
        },
    }


def status_words(status: str) -> str:
    """How a member stands."""
    return {
        "active": _("active"),
        "frozen": _("frozen: earns, cannot spend"),
        "merged": _("merged into another"),
    }.get(status, status)


def stories_of(
    made: StaffVisit, member_id: int, before: int | None, limit: int
) -> tuple[list[Story], int | None]:
    found = queries.history(made.connection, made.program_id, member_id, before=before, limit=limit + 1)
    shown = found[:limit]
    return (
        tell(made.connection, made.runtime, member_id, shown),
        shown[-1].activity_id if len(found) > limit else None,
    )


def page_of(made: StaffVisit, member_id: int, before: int | None, limit: int) -> tuple[list[Row], int | None]:
    """Receipt lines: what, when, how much; and what opens: the arithmetic, and how it came here."""
    stories, more = stories_of(made, member_id, before, limit)
    return _rows(made, stories), more


def rows_of(made: StaffVisit, member_id: int, lines: Sequence[Line]) -> list[Row]:
    """These lines of a member as receipt lines."""
    return _rows(made, tell(made.connection, made.runtime, member_id, lines))


def _rows(made: StaffVisit, stories: Sequence[Story]) -> list[Row]:
    words = made.words
    rows = []
    for story in stories:
        said = story.said(made.language)
        line = story.line
        fact = story.fact
        rows.append(
            {
                "id": line.activity_id,
                "when": moment_words(made, line.acts_at),
                "heading": telling.heading(words, story),
                "sentence": said.sentence,
                "moved": [
                    {"text": ("+" if minor > 0 else "") + words.points(minor, key), "plus": minor > 0}
                    for key, minor in said.moved.items()
                    if minor
                ],
                "steps": said.steps,
                "why_not": story.why_not(made.language),
                "source": line.source,
                "own": line.id,
                "version": line.version,
                "tier": words.tier(line.tier) if line.tier else "",
                "recorded": moment_words(made, line.recorded_at),
                "late": line.recorded_at - line.acts_at > 60_000_000,
                "reason": fact.reason if fact is not None else "",
                "actor": actor_words(made, fact.actor) if fact is not None and fact.actor else "",
            }
        )
    return rows
