"""How this member earns: each rule in plain words with his own rate and what its caps leave; a purchase tried out."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from palier.activities import foretelling
from palier.engine import program as doc
from palier.engine.amounts import AmountError, from_minor, to_minor
from palier.engine.currencies import exponent, localized
from palier.engine.describe.page import typeset
from palier.engine.describe.people import People
from palier.engine.facts import SALE
from palier.engine.instants import ends_at, starts_at
from palier.engine.words import ProgramWords
from palier.staff.session import leave_snapshot
from palier.web.numbers import typed
from palier.web.portal.visits import Visit, of_member

LARGEST = 10_000
"""Whole units of money that can be tried out."""
TYPICAL = 20
"""Whole units of money tried out where nothing was asked."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to earn, for one member: the rule's words, his own rate, what caps leave, and why not now."""

    name: str
    text: str
    own: str
    left: list[str]
    full: bool
    not_now: str


def ways(made: Visit, plan_rooms: foretelling.Rooms) -> list[Way]:
    """The rules of the version in force, each for the member of the visit."""
    program, clock = plan_rooms.plan.program, plan_rooms.plan.clock
    people = People(program, made.language)
    words = ProgramWords(program, made.language)
    found = []
    for rule in program.rules:
        own = ""
        factor = (rule.tier_multipliers or {}).get(plan_rooms.tier)
        if factor is not None:
            own = _("As %(tier)s, times %(factor)s.") % {
                "tier": words.tier(plan_rooms.tier),
                "factor": words.decimal(factor),
            }
        left = [room for room in plan_rooms.rooms if room.rule == rule.key]
        not_now = ""
        if rule.active_from is not None and made.now < starts_at(rule.active_from, clock):
            not_now = _("Not yet: it begins %(day)s.") % {
                "day": words.day(starts_at(rule.active_from, clock))
            }
        elif rule.active_until is not None and made.now >= ends_at(rule.active_until, clock):
            continue
        found.append(
            Way(
                words.text(rule.name) or rule.key,
                typeset(people.rule_text(rule), made.language),
                own,
                [_left(words, room) for room in left],
                any(room.left == 0 for room in left),
                not_now,
            )
        )
    return found


def _left(words: ProgramWords, room: foretelling.Room) -> str:
    points = words.points(room.left, room.currency)
    if not room.left:
        return {
            "day": _("Nothing more today: you have earned all that a day allows."),
            "week": _("Nothing more this week: you have earned all that a week allows."),
            "month": _("Nothing more this month: you have earned all that a month allows."),
            "year": _("Nothing more this year: you have earned all that a year allows."),
            "lifetime": _("You have earned all that this brings."),
        }[room.period]
    return {
        "day": _("%(points)s left to earn today."),
        "week": _("%(points)s left to earn this week."),
        "month": _("%(points)s left to earn this month."),
        "year": _("%(points)s left to earn this year."),
        "lifetime": _("%(points)s left to earn in all."),
    }[room.period] % {"points": points}


def _amount(made: Visit) -> tuple[int, str, str]:
    """The amount to try out in minor units, as it was written, and what is wrong with it."""
    program = made.program
    decimals = exponent(program.currency)
    text = made.request.GET.get("amount", "").strip()
    if not text:
        return TYPICAL * 10**decimals, "", ""
    try:
        minor = to_minor(typed(text, decimals), decimals)
        if not 0 < minor <= LARGEST * 10**decimals:
            raise AmountError("too large")
    except AmountError:
        return (
            TYPICAL * 10**decimals,
            text[:20],
            _("Write an amount up to %(most)s, such as %(such)s.")
            % {
                "most": made.words.money(LARGEST * 10**decimals),
                "such": localized(from_minor(1250 * 10**decimals // 100, decimals), made.language),
            },
        )
    return minor, text[:20], ""


def sale_rules(program: doc.Program) -> bool:
    """Whether purchases earn anything at all by rules or campaigns."""
    rules = [*program.rules, *(rule for campaign in program.campaigns for rule in campaign.rules)]
    return any(rule.on == SALE for rule in rules)


@require_GET
@of_member
def earn(made: Visit) -> HttpResponse:
    """How to earn, computed for the member who asks, and what a purchase of some amount would bring him now."""
    assert made.member is not None
    words = made.words
    minor, written, wrong = _amount(made)
    found = ways(made, foretelling.rooms(made.connection, made.runtime, made.member_id, now=made.now))
    tried = None
    if sale_rules(made.program) and made.member.status == "active":
        # What is tried out is decided by the intake and rolled back: it needs a transaction that may write.
        leave_snapshot(made.connection)
        tried = foretelling.sale(
            made.connection,
            made.runtime,
            made.member_id,
            minor,
            attributes=made.member.attributes,
            now=made.now,
        )
    return made.page(
        "portal/play/earn.html",
        {
            "here": "home",
            "ways": found,
            "can_try": tried is not None,
            "amount": words.money(minor),
            "written": written,
            "error": wrong,
            "brings": [words.points(points, key) for key, points in tried.points.items() if points]
            if tried is not None
            else [],
            "steps": tried.steps(made.language) if tried is not None else [],
            "why_not": tried.why_not(made.language) if tried is not None else [],
            "money": made.program.currency,
            "boards": bool(made.program.leaderboards),
            "friends": made.program.referral is not None,
        },
        422 if wrong else 200,
    )
