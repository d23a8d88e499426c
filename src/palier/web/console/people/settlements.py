"""Settlements: what partners owe and are owed for a month, down to each line, and the papers for the books."""

from __future__ import annotations

import io
import re
from datetime import date
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from palier.activities import settlements, statements
from palier.activities.settlements import After, Question
from palier.engine.clock import DAY
from palier.engine.currencies import localized, money
from palier.engine.phrases import MONTHS, date_words
from palier.engine.settlement import Statement
from palier.members import refs
from palier.programs.telling import StillWritten, tell
from palier.site.refusal import Refused
from palier.staff.session import Unavailable
from palier.web.console.people.lists import ROWS, Row, pages
from palier.web.console.visits import StaffVisit, of_staff

MONTHS_BACK: Final = 24
"""Months to choose from."""
_PLACE: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19}){3}", re.ASCII)


def _this_month(made: StaffVisit) -> int:
    day = date.fromordinal(made.words.clock.local(made.now)[0])
    return day.year * 12 + day.month - 1


def _name(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def month_words(name: str, language: str) -> str:
    """A month as it is read: "March 2026", "mars 2026"."""
    return f"{MONTHS[language][int(name[5:]) - 1]} {name[:4]}"


def _question(made: StaffVisit, known_at: int | None = None) -> Question:
    """What is asked: last month and all partners unless said otherwise; a partner's person asks of its own alone."""
    given = made.request.GET.get("period", "") or _name(_this_month(made) - 1)
    try:
        period = settlements.month(made.runtime, given)
    except Refused:
        raise Http404 from None
    partner = made.request.GET.get("partner", "") or None
    own = made.account.partner_in(made.program_id)
    if own:
        if partner not in (None, own):
            raise Http404
        partner = own
    if partner is not None and partner not in settlements.known_partners(made.runtime):
        raise Http404
    try:
        known = tell(made.connection, made.program_id, min(known_at or made.now, made.now))
    except StillWritten as refused:
        raise Unavailable(str(refused)) from None
    return Question(period, known, 0, partner)


@require_GET
@of_staff("settlements:read")
def month(made: StaffVisit) -> HttpResponse:
    """The statements of a month, and a page of their lines in the order in which they took effect."""
    place = made.request.GET.get("after", "")
    parts = [int(part) for part in place.split(".")] if _PLACE.fullmatch(place) else []
    if any(part >= 2**63 for part in parts) or any(at > made.now + DAY for at in parts[:2]):
        raise Http404
    question = _question(made, parts[0] if parts else None)
    operator = question.partner is None
    settled = settlements.settle(made.connection, made.runtime, question)
    found = list(
        settlements.lines(
            made.connection,
            made.runtime,
            question,
            after=After(*parts[1:]) if parts else None,
            limit=ROWS + 1,
        )
    )
    shown = found[:ROWS]
    more = (question.known_at, *shown[-1][0]) if len(found) > ROWS else None
    partners = sorted(settlements.known_partners(made.runtime))
    own = made.account.partner_in(made.program_id)
    return made.page(
        "console/people/settlements.html",
        {
            "period": question.period.name,
            "period_words": month_words(question.period.name, made.language),
            "months": [
                (_name(number), month_words(_name(number), made.language))
                for number in range(_this_month(made), _this_month(made) - MONTHS_BACK, -1)
            ],
            "partner": question.partner or "",
            "partner_name": _partner(made, question.partner) if question.partner else "",
            "partners": [(key, _partner(made, key)) for key in partners] if not own else [],
            "any": bool(partners),
            "statements": [_statement(made, item, operator=operator) for item in settled.statements],
            "ahead": any(item.paid_ahead for item in settled.statements),
            "clearing": money(settled.clearing, made.program.currency, made.language) if operator else "",
            "lines": [
                _line(made, settlements.line_shown(made.runtime, line, operator=operator))
                for _, line in shown
            ],
            "pages": pages(made, more, period=question.period.name, partner=question.partner or ""),
            "may_look": made.may("members:read"),
        },
    )


def _partner(made: StaffVisit, key: str | None) -> str:
    for partner in made.program.partners:
        if partner.key == key:
            return made.words.text(partner.name)
    return key or ""


def _statement(made: StaffVisit, found: Statement, *, operator: bool) -> Row:
    words = made.words

    def cash(minor: int) -> str:
        return money(minor, made.program.currency, made.language)

    return {
        "partner": found.partner,
        "name": _partner(made, found.partner),
        "currency": words.noun(found.currency, False),
        "issued": words.number(found.sums.issued - found.sums.reversed, found.currency),
        "used": words.number(found.sums.used - found.sums.given_back, found.currency),
        "owed": cash(found.owed),
        "paid_ahead": cash(found.paid_ahead),
        "owing": cash(found.owing),
        "net": cash(found.net),
        "lines": found.lines,
        "unpriced": found.unpriced,
    }


def _line(made: StaffVisit, shown: dict[str, Any]) -> Row:
    member, _dot, _transfer = str(shown["line"]).partition(".")

    def number(text: str) -> str:
        return localized(text, made.language).replace("-", "\u2212")

    return {
        **shown,
        "member": member if refs.decode(member) >= 0 else "",
        "name": _partner(made, shown["partner"]),
        "day": date_words(shown["day"], made.language),
        "kind": {
            "issued": pgettext("points", "issued"),
            "reversed": pgettext("points", "taken back"),
            "used": pgettext("points", "used"),
            "given_back": pgettext("points", "given back"),
        }[shown["kind"]],
        "points": number(shown["points"]),
        "price": number(shown["price"]),
        "amount": number(shown["amount"]),
    }


@require_GET
@of_staff("settlements:read")
def paper(made: StaffVisit) -> HttpResponse:
    """The statement as PDF, for the books: the same figures."""
    question = _question(made)
    settled = settlements.settle(made.connection, made.runtime, question)
    found = (line for _, line in settlements.lines(made.connection, made.runtime, question))
    sheet = statements.sheet(made.runtime, settled, found, "fr" if made.language == "fr" else "en")
    return _file("application/pdf", f"{sheet.name}.pdf", sheet.pdf())


@require_GET
@of_staff("settlements:read")
def lines(made: StaffVisit) -> HttpResponse:
    """Every line of a month as CSV, on the partner's side or the operator's."""
    question = _question(made)
    operator = question.partner is None
    to = io.StringIO(newline="")
    rows = (
        settlements.line_shown(made.runtime, line, operator=operator)
        for _, line in settlements.lines(made.connection, made.runtime, question)
    )
    statements.write_csv(rows, made.program.currency, to)
    name = f"{made.runtime.key}-{question.period.name}-{question.partner or 'operator'}.csv"
    return _file("text/csv; charset=utf-8", name, to.getvalue().encode())


def _file(kind: str, name: str, content: bytes) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
