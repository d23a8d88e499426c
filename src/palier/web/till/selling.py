"""Forms of the counter that sell: a member found or enrolled, a basket, and its sale credited."""

from __future__ import annotations

import re
from secrets import choice

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpResponse
from django.utils.translation import gettext as _

from palier.activities import batch, queries
from palier.activities.enrolment import enrol as enrol_member
from palier.engine.amounts import from_minor
from palier.members import refs, signing
from palier.members.operations import NewMember
from palier.members.queries import IdentityError, normalized
from palier.tills import baskets, journal, lookups, sales, shifts
from palier.tills.journal import EntryLine, Sent, Taken
from palier.tills.refusals import TillRefusal, TillRefused
from palier.web.till import words
from palier.web.till.acts import acts, receipts_of, said_balance
from palier.web.till.counter import amount_of, minor_of, no_amount, shown
from palier.web.till.visits import (
    SWAPPED,
    TillVisit,
)

# --- who is served --------------------------------------------------------------------------------------


@acts
def find(made: TillVisit) -> HttpResponse | None:
    """The member whom a scan or an exact entry names; nobody is listed, and nothing is guessed."""
    text = made.request.POST.get("who", "")[: lookups.LONGEST].strip()
    made.counter.done = {}
    made.counter.unknown = ""
    if not text:
        return shown(made, error=_("Scan the card, or write a card number, phone or e-mail."), status=422)
    found = lookups.find(made.connection, made.runtime, made.device, made.worker, text, now=made.now)
    if found is None:
        made.counter.member = 0
        # What was typed helps to enrol; a card's code does not.
        made.counter.unknown = text if not text.upper().startswith("PAL") else "?"
        return shown(made, status=404)
    made.counter.member = found.member_id
    if made.counter.panel == "join":
        made.counter.close()
    return None


@acts
def clear(made: TillVisit) -> None:
    """The next customer: the counter is empty."""
    made.counter.clear()
    made.counter.done = {}


@acts
def close(made: TillVisit) -> None:
    """Closes what is open beside the basket."""
    made.counter.close()


@acts
def join(made: TillVisit) -> None:
    """The field by which somebody is enrolled is opened, with what was typed before."""
    unknown = made.counter.unknown
    made.counter.close()
    made.counter.done = {}
    made.counter.panel = "join"
    made.counter.unknown = "" if unknown == "?" else unknown


@acts
def enrol(made: TillVisit) -> HttpResponse | None:
    """Enrols somebody: one field, and a first name if he likes. Without any, a card is made and printed."""
    held, form = made.counter, made.request.POST
    contact = lookups.read(form.get("contact", ""))
    name = " ".join(form.get("first_name", "").split())[:40]
    fresh_card = "" if contact else _new_card()
    try:
        kind = "card" if fresh_card else _kind(contact)
        normalized(kind, fresh_card or contact)
        if kind == "email":
            validate_email(contact)
    except (IdentityError, ValidationError):
        held.panel, held.unknown = "join", contact
        return shown(
            made,
            error=_(
                "Write an e-mail address, a phone or a card number, or nothing at all for a printed card."
            ),
            status=422,
        )
    new = NewMember({kind: fresh_card or contact}, {"first_name": name} if name else {}, made.language, None)
    # Counted before: who is enrolled twice is found, and finding has its limit.
    shifts.count_lookup(made.connection, made.worker, now=made.now)
    joined = batch.attempt(
        made.connection, lambda: enrol_member(made.connection, made.runtime, new, None, now=made.now)
    ).enrolled
    if joined.problem:
        raise TillRefused(TillRefusal.UNKNOWN_MEMBER)
    shifts.log_lookup(made.connection, made.worker, "enrolled", joined.member_id, now=made.now)
    if joined.created:
        shifts.followed(made.connection, made.worker)
    made.connection.commit()
    held.close()
    held.member = joined.member_id
    if not joined.created:
        held.done = {"title": _("Already a member."), "text": _("Nothing was changed; this is the account.")}
        return None
    held.done = {
        "title": _("Welcome!"),
        "text": _("Enrolled under the terms of version %(version)s, which are on the members' pages.")
        % {"version": made.runtime.latest.version},
        "card": fresh_card,
        "join": True,
        "fresh": True,
    }
    return None


def _kind(contact: str) -> str:
    """What a contact is: an address has an @, a phone begins with + or 0 and has digits alone; else it is a card."""
    if "@" in contact:
        return signing.kind_of(contact)
    return "phone" if re.fullmatch(r"(\+|00?)[0-9 .()-]{5,24}", contact) else "card"


def _new_card() -> str:
    """The number of a new card: sixty random bits, in groups as people read them."""
    letters = "".join(choice(refs.ALPHABET) for _ in range(12)).upper()
    return f"P-{letters[:4]}-{letters[4:8]}-{letters[8:]}"


# --- the basket -----------------------------------------------------------------------------------------


@acts
def amount(made: TillVisit) -> HttpResponse | None:
    """The basket as one amount."""
    held = made.counter
    text = made.request.POST.get("amount", "")
    found = amount_of(made, text)
    held.done = {}
    held.lines, held.ticket = [], ""
    if found is None:
        held.amount = ""
        if text.strip() in ("", "0"):
            return None
        return shown(made, error=no_amount(), status=422, typed={"amount": text})
    held.amount = found
    return None


@acts
def line(made: TillVisit) -> HttpResponse | None:
    """One more line of the basket, with its category; or (`drop`) one less."""
    held = made.counter
    held.done = {}
    dropped = made.request.POST.get("drop", "")
    if dropped:
        kept = [item for number, item in enumerate(held.lines) if str(number) != dropped]
        if len(kept) == len(held.lines):
            # It is gone already: the basket stays as it is.
            return None
        held.lines = kept
    else:
        text = made.request.POST.get("amount", "")
        found = amount_of(made, text)
        if found is None:
            return shown(made, error=no_amount(), status=422, typed={"line": text})
        if not held.lines and held.amount:
            held.lines = [EntryLine(held.amount)]
        if len(held.lines) >= journal.LINES:
            return shown(made, error=_("A basket has at most a hundred lines."), status=422)
        held.lines = [*held.lines, EntryLine(found, made.request.POST.get("category", "")[:100])]
    total = sum(minor_of(made, item.amount) for item in held.lines)
    held.amount = from_minor(total, made.runtime.latest.exponent) if total else ""
    held.ticket = ""
    return None


@acts
def ticket(made: TillVisit) -> None:
    """The basket that a register announced."""
    held = made.counter
    wanted = made.request.POST.get("ticket", "")[:60].strip()
    found = baskets.read(made.connection, made.runtime.program_id, wanted, made.device.location, now=made.now)
    if found is None or found.state != "open":
        raise TillRefused(TillRefusal.UNKNOWN_TICKET)
    held.done = {}
    held.ticket = found.ticket
    held.amount = from_minor(found.amount, made.runtime.latest.exponent)
    held.lines = list(found.lines) if len(found.lines) > 1 or found.lines[0].category else []


@acts
def credit(made: TillVisit) -> HttpResponse | None:
    """Credits the sale: as the device signed it, or, where no script did, as it lies on the counter."""
    held, form = made.counter, made.request.POST
    once = form.get("once", "")
    basket = held.basket
    ticket = basket.ticket if basket is not None else None
    if form.get("entry") and form.get("signature"):
        sent = Sent(form["entry"], form["signature"])
        taken = journal.take(made.connection, made.runtime, made.device, [sent], now=made.now)[0]
    elif not held.member or basket is None or once != held.once:
        # The form was sent twice: what it did stands on the counter.
        return None
    else:
        taken = sales.credit(
            made.connection,
            made.runtime,
            made.device,
            made.worker,
            held.member,
            basket,
            once=f"F{once}",
            now=made.now,
        )
    if taken.status == "refused":
        return _marked(shown(made, error=words.refused(taken.code), status=422), taken)
    if form.get("entry") and form.get("signature"):
        # What was signed is what was credited, whatever lies on the counter by now.
        ticket = journal.ticket_of(form["entry"])
    sales.follow(made.connection, made.device, made.worker, [taken], ticket, now=made.now)
    _credited(made, taken)
    held.clear()
    if made.request.headers.get("X-Requested-With") == SWAPPED:
        return _marked(shown(made, fresh=True), taken)
    return None


def _marked(response: HttpResponse, taken: Taken) -> HttpResponse:
    """Says to the script what became of its entry, so that it forgets it, or keeps it."""
    response["X-Till"] = f"{taken.status} {taken.number}"
    return response


def _credited(made: TillVisit, taken: Taken) -> None:
    """What is said, and handed over, once a sale is credited: all of it by what the ledger has of it."""
    found = queries.find_activity(made.connection, made.runtime.program_id, made.device.source, taken.number)
    if found is None or found.line is None:
        made.counter.done = {"title": _("Credited."), "fresh": True}
        return
    brought = sales.told_of(found.line.trace)
    member_id = found.line.member_id
    wallets = queries.wallets(made.connection, made.runtime, member_id, now=made.now)
    assert wallets is not None
    points = [made.words.points(minor, key) for key, minor in brought.points.items()]
    money, _back = queries.sold_and_returned(made.connection, member_id, found.line.activity_id)
    number = sales.receipt_number(made.device, taken.number)
    made.counter.done = {
        "title": "+" + _(" and ").join(points) if points else _("Credited: no points this time."),
        "text": said_balance(made, wallets),
        "rise": _("New tier: %(tier)s") % {"tier": made.words.tier(brought.tier_reached)}
        if brought.tier_reached
        else "",
        "number": number,
        "receipts": receipts_of(
            made,
            number,
            money,
            brought.points,
            wallets,
        ),
        "undo": True,
        "fresh": True,
    }
