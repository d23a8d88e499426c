"""Tickets: a register announces the basket it has, so that the till beside it need not type it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, Field

from palier.activities import batch
from palier.api.calls import ApiKey, answer, call, text_only, written
from palier.api.problems import Problem, not_found
from palier.api.schemas import Answered, Body, DecimalText, InstantText, Points, problems
from palier.engine.amounts import AmountError, from_minor, to_minor
from palier.engine.payment_cards import holds_number
from palier.tills import baskets
from palier.tills.baskets import Announced
from palier.tills.journal import LINES, EntryLine

router = Router(tags=["Tills"])
WRITE: Final = ApiKey("activities:write")

Ticket = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(text_only)]
Place = Annotated[Ticket, Field(description="Where the till stands, as it was named when it was enrolled.")]


class TicketLine(Body):
    """One line: what its units cost together, tax included."""

    amount: Points
    category: Annotated[str, Field(max_length=200), AfterValidator(text_only)] = ""
    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 1


class NewTicket(Body):
    """A basket that waits for a till. There is no place for how it is paid: that is the register's alone."""

    ticket: Ticket
    location: Place
    lines: Annotated[list[TicketLine], Field(min_length=1, max_length=LINES)]


class TicketLineAnswer(Answered):
    amount: DecimalText
    category: str
    quantity: int


class TicketAnswer(Answered):
    """A basket as it was announced: `open` until a till credits it (`done`), it is withdrawn, or its time is `over`."""

    ticket: str
    location: str
    amount: DecimalText
    currency: str
    lines: list[TicketLineAnswer]
    state: Literal["open", "done", "withdrawn", "over"]
    posted_at: InstantText
    ends_at: InstantText


@router.post(
    "/tickets",
    auth=WRITE,
    operation_id="announce_ticket",
    summary="Announce a basket to the till",
    response={200: TicketAnswer, **problems(404, 409, 413, 415)},
)
def announce_ticket(request: HttpRequest, body: NewTicket) -> HttpResponse:
    """Announces what a customer buys, under the register's own ticket, for the till at the same place.

    Sent again it takes the place of what was announced before, until the ticket is credited. It waits four hours. A
    sale credited from it carries the ticket as its `ticket_number`, so that a program whose `sale_key` names tickets
    does not count it a second time when the register sends it too.
    """
    with call(request) as made:
        for field, text in (("ticket", body.ticket), ("location", body.location)):
            if holds_number(text, "id"):
                raise Problem(
                    422, "payment_card_number", "This holds the number of a payment card.", field=field,
                    remedy="send the register's own number of the ticket",
                )  # fmt: skip
        exponent = made.runtime.latest.exponent
        lines: list[EntryLine] = []
        total = 0
        for number, line in enumerate(body.lines):
            try:
                total += to_minor(line.amount, exponent)
            except AmountError as error:
                raise Problem(
                    422, "invalid_amount", f"{str(error)[:1].upper()}{str(error)[1:]}.",
                    field=f"lines[{number}].amount", remedy=f"send plain decimals with at most {exponent}",
                ) from None  # fmt: skip
            lines.append(EntryLine(line.amount, line.category, line.quantity))

        def act() -> Announced:
            return baskets.announce(
                made.connection,
                made.key.program_id,
                body.ticket,
                body.location,
                total,
                lines,
                by=f"key:{made.key.prefix}",
                now=made.now,
            )

        try:
            found = batch.attempt(made.connection, act)
        except baskets.AlreadyDone:
            raise Problem(
                409, "ticket_done", "A till has credited this ticket already.", field="ticket",
                remedy="announce another basket under another ticket",
            ) from None  # fmt: skip
        return answer(_shown(found, exponent, made.runtime.latest.program.currency))


@router.get(
    "/tickets",
    auth=WRITE,
    operation_id="read_ticket",
    summary="Read what became of a basket",
    response={200: TicketAnswer, **problems(404)},
)
def read_ticket(
    request: HttpRequest,
    ticket: Annotated[Ticket, Query()],
    location: Annotated[Ticket, Query()],
) -> HttpResponse:
    """Whether a till has credited a basket that was announced."""
    with call(request, snapshot=True) as made:
        found = baskets.read(made.connection, made.key.program_id, ticket, location, now=made.now)
        if found is None:
            raise not_found("ticket")
        plan = made.runtime.latest
        return answer(_shown(found, plan.exponent, plan.program.currency))


@router.delete(
    "/tickets",
    auth=WRITE,
    operation_id="withdraw_ticket",
    summary="Withdraw a basket",
    response={200: TicketAnswer, **problems(404, 409)},
)
def withdraw_ticket(
    request: HttpRequest,
    ticket: Annotated[Ticket, Query()],
    location: Annotated[Ticket, Query()],
) -> HttpResponse:
    """Takes a basket back that no till has credited; one that was withdrawn already is answered alike."""
    with call(request) as made:

        def act() -> Announced | None:
            baskets.withdraw(made.connection, made.key.program_id, ticket, location, now=made.now)
            return baskets.read(made.connection, made.key.program_id, ticket, location, now=made.now)

        found = batch.attempt(made.connection, act)
        if found is None:
            raise not_found("ticket")
        if found.state == "done":
            raise Problem(
                409, "ticket_done", "A till has credited this ticket already.", field="ticket",
                remedy="send its return as an activity",
            )  # fmt: skip
        plan = made.runtime.latest
        return answer(_shown(found, plan.exponent, plan.program.currency))


def _shown(found: Announced, exponent: int, currency: str) -> dict[str, object]:
    return {
        "ticket": found.ticket,
        "location": found.location,
        "amount": from_minor(found.amount, exponent),
        "currency": currency,
        "lines": [
            {"amount": line.amount, "category": line.category, "quantity": line.quantity}
            for line in found.lines
        ],
        "state": found.state,
        "posted_at": written(found.posted_at),
        "ends_at": written(found.ends_at),
    }
