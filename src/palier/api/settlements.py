"""Settlements: what partners of a coalition owe and are owed, line by line."""

from __future__ import annotations

import io
from typing import Annotated, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from palier.activities import settlements, statements
from palier.activities.settlements import After, Question
from palier.api.calls import ApiKey, Call, answer, call
from palier.api.cursors import read_cursor, write_cursor
from palier.api.problems import Problem, not_found
from palier.api.schemas import PAGE, Instant, Key, Limit, SettlementAnswer, problems
from palier.site.refusal import Refused

router = Router(tags=["Settlements"])
READ: Final = ApiKey("settlements:read", partners=True)


@router.get(
    "/settlements",
    auth=READ,
    operation_id="read_settlements",
    summary="Read a period's settlement",
    response={200: SettlementAnswer, **problems(404)},
)
def read_settlements(
    request: HttpRequest,
    period: Annotated[str, Query(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$", description="A month: 2026-03.")],
    partner: Annotated[Key | None, Query(description="One partner, as it reads its own statement.")] = None,
    known_at: Annotated[
        Instant | None, Query(description="By what had been recorded then; now by default.")
    ] = None,
    known_after: Annotated[
        Instant | None, Query(description="Only what was recorded after this instant: what came late.")
    ] = None,
    limit: Limit = PAGE,
    cursor: Annotated[
        str | None,
        Query(
            min_length=1, max_length=80, description="`next` of the page before; without it, the first page."
        ),
    ] = None,
) -> HttpResponse:
    """The statements of a month and a page of their lines, in the order in which they took effect.

    Without `partner` it is the operator's side: all statements, what the operator pays in all, and every line with
    the opposite sign. A partner's key reads its own statement, whatever it asks. Statements come with the first
    page; all pages show what was known at the first. The same `known_at` gives the same answer for ever.
    """
    with call(request, snapshot=True) as made:
        if made.key.partner:
            if partner not in (None, made.key.partner):
                raise not_found("partner")
            partner = made.key.partner
        if partner is not None and partner not in settlements.known_partners(made.runtime):
            raise not_found("partner")
        places = read_cursor(request, cursor, 4)
        try:
            month = settlements.month(made.runtime, period)
        except Refused as refused:
            raise Problem(422, "malformed", str(refused), field="period") from None
        known = places[0] if places is not None else _known(made, known_at)
        question = Question(month, known, known_after or 0, partner)
        operator = partner is None
        if places is None:
            settled = settlements.settle(made.connection, made.runtime, question)
        else:
            settled = settlements.Settled(question, [], 0, {})
        shown = settlements.settled_shown(made.runtime, settled, operator=operator)
        if places is not None:
            shown["statements"] = shown["clearing"] = shown["expired"] = None
        found = list(
            settlements.lines(
                made.connection,
                made.runtime,
                question,
                after=After(*places[1:]) if places is not None else None,
                limit=limit + 1,
            )
        )
        page = found[:limit]
        shown["lines"] = [settlements.line_shown(made.runtime, line, operator=operator) for _, line in page]
        shown["next"] = write_cursor(request, known, *page[-1][0]) if len(found) > limit else None
        return answer(shown)


Month = Annotated[str, Query(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$", description="A month: 2026-03.")]
Whose = Annotated[Key | None, Query(description="One partner, as it reads its own statement.")]
Known = Annotated[Instant | None, Query(description="By what had been recorded then; now by default.")]
Since = Annotated[Instant | None, Query(description="Only what was recorded after this instant.")]


def _question(
    made: Call, period: str, partner: str | None, known_at: int | None, known_after: int | None
) -> Question:
    """What is asked, as far as the key may: a partner's key reads its own side, whatever it asks."""
    if made.key.partner:
        if partner not in (None, made.key.partner):
            raise not_found("partner")
        partner = made.key.partner
    if partner is not None and partner not in settlements.known_partners(made.runtime):
        raise not_found("partner")
    try:
        month = settlements.month(made.runtime, period)
    except Refused as refused:
        raise Problem(422, "malformed", str(refused), field="period") from None
    return Question(month, _known(made, known_at), known_after or 0, partner)


def _known(made: Call, known_at: int | None) -> int:
    """The instant by which it is told: that which is asked for, 1970 too, and nothing that is still to come.

    What was recorded by then is all there from here on, and stays all.
    """
    return made.tell(made.now if known_at is None else known_at)


def _binary(kind: str, name: str, content: bytes) -> HttpResponse:
    found = HttpResponse(content, content_type=kind)
    found["Content-Disposition"] = f'attachment; filename="{name}"'
    return found


@router.get(
    "/settlements/statement",
    auth=READ,
    operation_id="read_settlement_statement",
    summary="Read a period's statement as PDF",
    response=problems(404),
    openapi_extra={
        "responses": {
            200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
        }
    },
)
def read_settlement_statement(
    request: HttpRequest,
    period: Month,
    partner: Whose = None,
    known_at: Known = None,
    known_after: Since = None,
    language: Annotated[Literal["en", "fr"], Query()] = "en",
) -> HttpResponse:
    """The statement of a partner, or the operator's side, as a paper for the books: the same figures."""
    with call(request, snapshot=True) as made:
        question = _question(made, period, partner, known_at, known_after)
        settled = settlements.settle(made.connection, made.runtime, question)
        lines = (line for _, line in settlements.lines(made.connection, made.runtime, question))
        sheet = statements.sheet(made.runtime, settled, lines, language)
    return _binary("application/pdf", f"{sheet.name}.pdf", sheet.pdf())


@router.get(
    "/settlements/lines",
    auth=READ,
    operation_id="read_settlement_lines",
    summary="Read a period's lines as CSV",
    response=problems(404),
    openapi_extra={
        "responses": {200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}}
    },
)
def read_settlement_lines(
    request: HttpRequest,
    period: Month,
    partner: Whose = None,
    known_at: Known = None,
    known_after: Since = None,
) -> HttpResponse:
    """Every line of a period as CSV, on the partner's side or the operator's: together they are nothing."""
    with call(request, snapshot=True) as made:
        question = _question(made, period, partner, known_at, known_after)
        operator = question.partner is None
        to = io.StringIO(newline="")
        rows = (
            settlements.line_shown(made.runtime, line, operator=operator)
            for _, line in settlements.lines(made.connection, made.runtime, question)
        )
        statements.write_csv(rows, made.runtime.latest.program.currency, to)
        name = f"{made.runtime.key}-{period}-{question.partner or 'operator'}.csv"
    return _binary("text/csv; charset=utf-8", name, to.getvalue().encode())
