"""Pay-outs: members' bank accounts, money asked for, and the batches in which it goes to the bank.

Files for the bank are written on the server (`palier payouts file`): bank details never leave by the API.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, Field

from palier.activities import operations as commands
from palier.api.calls import ApiKey, Call, answer, call, encode, text_only, write, written
from palier.api.cursors import read_cursor, write_cursor
from palier.api.points import name_of
from palier.api.problems import not_found
from palier.api.schemas import (
    PAGE,
    Answered,
    Body,
    CommandId,
    DecimalText,
    IdempotencyKey,
    InstantText,
    Key,
    Limit,
    Points,
    ReasonText,
    Ref,
    Source,
    problems,
)
from palier.engine.amounts import from_minor
from palier.members import refs
from palier.payouts import accounts, operations, queries
from palier.payouts.accounts import Account
from palier.payouts.queries import Batch, Payout
from palier.staff import approvals
from palier.staff.operations import Answer

router = Router(tags=["Pay-outs"])
WRITE: Final = ApiKey("payouts:write")

PayoutRef = Annotated[
    str,
    Field(
        min_length=1, max_length=64, description="A pay-out's id.",
        examples=["m_01h2xcejqtf2n.00q5d2m8x4k7s"],
    ),
    AfterValidator(text_only),
]  # fmt: skip
BatchRef = Annotated[
    str,
    Field(min_length=1, max_length=64, description="A batch's id.", examples=["pb_00q5d2m8x4k7s"]),
    AfterValidator(text_only),
]


class NewBankAccount(Body):
    """Where a member wants money to go. It is shown to nobody again, but for its last four characters."""

    iban: Annotated[str, Field(min_length=5, max_length=50, examples=["FR14 2004 1010 0505 0001 3M02 606"])]
    holder: Annotated[str, Field(min_length=1, max_length=70, description="The name on the account.")]


class BankAccountAnswer(Answered):
    member: str
    country: str
    last4: str
    set_at: InstantText


class BankAccountRemoved(Answered):
    member: str
    removed: bool


class NewPayout(Body):
    """Money to be paid out of a cash wallet; without `points`, all that can be spent."""

    member: Ref
    currency: Key
    points: Points | None = None
    source: Source = None
    id: CommandId = None


class PayoutStep(Answered):
    state: str
    at: InstantText
    by: str
    reason: str


class PayoutAnswer(Answered):
    payout: str
    member: str
    purpose: Literal["cashback", "bill", "loan"]
    currency: str
    amount: DecimalText
    money: str
    state: Literal["asked", "approved", "in_file", "sent", "paid", "returned", "refused"]
    reference: str = Field(description="What the bank and the statement call it, from end to end.")
    to: str = Field(description="Country and last four characters of the account.")
    batch: str | None
    asked_at: InstantText
    changed_at: InstantText
    reason: str
    steps: list[PayoutStep] | None = Field(description="Told where one pay-out is read.")


class PayoutsAnswer(Answered):
    payouts: list[PayoutAnswer]
    next: str | None


class Reason(Body):
    """Why, as it stands in the pay-out's steps: the bank's reason code, for one."""

    reason: ReasonText | None = None


class NewBatch(Body):
    """What is asked for is collected: by SEPA what it reaches, by CSV the rest."""

    method: Literal["sepa", "csv"] = "sepa"
    reason: ReasonText | None = None


class BatchAnswer(Answered):
    batch: str
    method: Literal["sepa", "csv"]
    state: Literal["asked", "approved", "refused", "written", "sent", "closed"]
    payouts: int
    total: DecimalText
    money: str
    approval: str | None
    message_id: str
    execution_on: str | None
    sha256: str | None = Field(description="Of the file, once it is written.")
    created_at: InstantText
    created_by: str
    changed_at: InstantText


class BatchesAnswer(Answered):
    batches: list[BatchAnswer]
    next: str | None


def _payout_shown(made: Call, payout: Payout, *, steps: bool = False) -> dict[str, Any]:
    batch = refs.encode_as("pb", payout.batch_id) if payout.batch_id is not None else None
    return {
        "payout": payout.ref,
        "member": refs.encode(payout.member_id),
        "purpose": payout.purpose,
        "currency": payout.currency,
        "amount": from_minor(payout.amount, made.runtime.latest.exponent),
        "money": payout.money,
        "state": payout.state,
        "reference": payout.reference,
        "to": f"{payout.country} … {payout.last4}",
        "batch": batch,
        "asked_at": written(payout.asked_at),
        "changed_at": written(payout.changed_at),
        "reason": payout.reason,
        "steps": [
            {"state": step.to_state, "at": written(step.at), "by": step.actor, "reason": step.reason}
            for step in queries.events(made.connection, payout)
        ]
        if steps
        else None,
    }


def _batch_shown(made: Call, batch: Batch) -> dict[str, Any]:
    approval = approvals.find(made.connection, batch.program_id, operations.KIND, batch.ref)
    return {
        "batch": batch.ref,
        "method": batch.method,
        "state": batch.state,
        "payouts": batch.payouts,
        "total": from_minor(batch.total, made.runtime.latest.exponent),
        "money": batch.money,
        "approval": refs.encode_as("ap", approval.approval_id) if approval is not None else None,
        "message_id": batch.message_id,
        "execution_on": _day(batch.execution_on),
        "sha256": batch.sha256.hex() if batch.sha256 is not None else None,
        "created_at": written(batch.created_at),
        "created_by": batch.created_by,
        "changed_at": written(batch.changed_at),
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


# --- bank accounts ----------------------------------------------------------------------------------------


@router.put(
    "/members/{ref}/bank-account",
    auth=WRITE,
    operation_id="set_bank_account",
    summary="Set a member's bank account",
    response={200: BankAccountAnswer, **problems(404, 409, 413, 415)},
)
def set_bank_account(
    request: HttpRequest, ref: Ref, body: NewBankAccount, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Keeps where money goes, encrypted, in place of what was known. The IBAN's check digits are checked."""

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.member(ref, "ref")
        found = accounts.set_account(
            made.connection, made.key.program_id, member_id,
            iban=body.iban, holder=body.holder, by=made.person, now=made.now,
        )  # fmt: skip
        return Answer(200, encode(_account_shown(found)))

    return write(request, "bank-account", idempotency_key, act)


def _account_shown(found: Account) -> dict[str, Any]:
    return {
        "member": refs.encode(found.member_id),
        "country": found.country,
        "last4": found.last4,
        "set_at": written(found.set_at),
    }


@router.get(
    "/members/{ref}/bank-account",
    auth=WRITE,
    operation_id="read_bank_account",
    summary="Read a member's bank account",
    response={200: BankAccountAnswer, **problems(404)},
)
def read_bank_account(request: HttpRequest, ref: Ref) -> HttpResponse:
    """Its country and last four characters: no more is ever shown."""
    with call(request, snapshot=True) as made:
        found = accounts.read_account(made.connection, made.key.program_id, made.member(ref, "ref"))
        if found is None:
            raise not_found("bank_account")
        return answer(_account_shown(found))


@router.delete(
    "/members/{ref}/bank-account",
    auth=WRITE,
    operation_id="remove_bank_account",
    summary="Forget a member's bank account",
    response={200: BankAccountRemoved, **problems(404, 409)},
)
def remove_bank_account(
    request: HttpRequest, ref: Ref, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Removes it. What is in a batch already still goes there."""

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.member(ref, "ref")
        removed = accounts.remove_account(
            made.connection, made.key.program_id, member_id, by=made.person, now=made.now
        )
        if not removed:
            raise not_found("bank_account")
        return Answer(200, encode({"member": refs.encode(member_id), "removed": True}))

    return write(request, "bank-account-removal", idempotency_key, act)


# --- pay-outs ---------------------------------------------------------------------------------------------


@router.post(
    "/payouts",
    auth=WRITE,
    operation_id="create_payout",
    summary="Ask for money to be paid out",
    response={201: PayoutAnswer, **problems(404, 409, 413, 415)},
)
def create_payout(
    request: HttpRequest, body: NewPayout, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Holds cash of a member's wallet until a batch takes it to the bank. At least `pay_out_from` is paid out."""

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.member(body.member)
        points = None
        if body.points is not None:
            points = commands.points_minor(made.runtime, body.currency, body.points)
        source, own = name_of(made, body.source, body.id, identifier)
        found = operations.ask(
            made.connection, made.runtime, member_id=member_id, currency=body.currency, points=points,
            source=source, id=own, by=made.person, now=made.now,
        )  # fmt: skip
        return Answer(201, encode(_payout_shown(made, found, steps=True)))

    return write(request, "payout", idempotency_key, act)


@router.get(
    "/payouts",
    auth=WRITE,
    operation_id="list_payouts",
    summary="List pay-outs",
    response={200: PayoutsAnswer, **problems(404)},
)
def list_payouts(
    request: HttpRequest,
    state: Annotated[
        Literal["asked", "approved", "in_file", "sent", "paid", "returned", "refused"] | None, Query()
    ] = None,
    member: Annotated[Ref | None, Query()] = None,
    batch: Annotated[BatchRef | None, Query()] = None,
    limit: Limit = PAGE,
    cursor: Annotated[
        str | None, Query(min_length=1, max_length=80, description="`next` of the page before.")
    ] = None,
) -> HttpResponse:
    """Pay-outs, the latest first: of a state, of a member, of a batch."""
    with call(request, snapshot=True) as made:
        after = read_cursor(request, cursor, 1)
        found = queries.listed(
            made.connection,
            made.key.program_id,
            state=state,
            member_id=made.member(member) if member is not None else None,
            batch_id=_batch_id(batch) if batch is not None else None,
            before=after[0] if after is not None else None,
            limit=limit + 1,
        )
        page = found[:limit]
        more = write_cursor(request, page[-1].payout_id) if len(found) > limit else None
        return answer({"payouts": [_payout_shown(made, payout) for payout in page], "next": more})


def _find(made: Call, ref: str) -> Payout:
    ids = queries.decode_payout_ref(ref)
    found = queries.read(made.connection, made.key.program_id, *ids) if ids is not None else None
    if found is None:
        raise not_found("payout")
    return found


@router.get(
    "/payouts/{payout}",
    auth=WRITE,
    operation_id="read_payout",
    summary="Read a pay-out",
    response={200: PayoutAnswer, **problems(404)},
)
def read_payout(request: HttpRequest, payout: PayoutRef) -> HttpResponse:
    """A pay-out with each of its steps: who, when and why."""
    with call(request, snapshot=True) as made:
        return answer(_payout_shown(made, _find(made, payout), steps=True))


@router.post(
    "/payouts/{payout}/cancel",
    auth=WRITE,
    operation_id="cancel_payout",
    summary="Take back a pay-out",
    response={200: PayoutAnswer, **problems(404, 409, 413, 415)},
)
def cancel_payout(
    request: HttpRequest,
    payout: PayoutRef,
    body: Reason | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Frees what was held, as long as the pay-out is in no batch."""

    def act(made: Call, identifier: str) -> Answer:
        found = operations.cancel(
            made.connection,
            made.runtime,
            _find(made, payout),
            reason=_why(body),
            by=made.person,
            now=made.now,
        )
        return Answer(200, encode(_payout_shown(made, found, steps=True)))

    return write(request, "payout-cancel", idempotency_key, act)


@router.post(
    "/payouts/{payout}/returned",
    auth=WRITE,
    operation_id="return_payout",
    summary="Tell that the bank sent it back",
    response={200: PayoutAnswer, **problems(404, 409, 413, 415)},
)
def return_payout(
    request: HttpRequest,
    payout: PayoutRef,
    body: Reason | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Puts the money back into the wallet, into the lots that it came from."""

    def act(made: Call, identifier: str) -> Answer:
        found = operations.returned(
            made.connection,
            made.runtime,
            _find(made, payout),
            reason=_why(body),
            by=made.person,
            now=made.now,
        )
        return Answer(200, encode(_payout_shown(made, found, steps=True)))

    return write(request, "payout-return", idempotency_key, act)


def _why(body: Reason | NewBatch | None) -> str:
    return (body.reason if body is not None else None) or ""


# --- batches ----------------------------------------------------------------------------------------------


@router.post(
    "/payout-batches",
    auth=WRITE,
    operation_id="create_payout_batch",
    summary="Collect pay-outs into a batch",
    response={201: BatchAnswer, **problems(409, 413, 415)},
)
def create_payout_batch(
    request: HttpRequest, body: NewBatch | None = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Collects what is asked for and asks a second person to approve it (`approval`)."""

    def act(made: Call, identifier: str) -> Answer:
        found = operations.propose(
            made.connection, made.runtime, method=body.method if body is not None else "sepa",
            by=made.person, reason=_why(body), now=made.now,
        )  # fmt: skip
        return Answer(201, encode(_batch_shown(made, found)))

    return write(request, "payout-batch", idempotency_key, act)


@router.get(
    "/payout-batches",
    auth=WRITE,
    operation_id="list_payout_batches",
    summary="List batches of pay-outs",
    response={200: BatchesAnswer, **problems()},
)
def list_payout_batches(
    request: HttpRequest,
    limit: Limit = PAGE,
    cursor: Annotated[
        str | None, Query(min_length=1, max_length=80, description="`next` of the page before.")
    ] = None,
) -> HttpResponse:
    """Batches, the latest first."""
    with call(request, snapshot=True) as made:
        after = read_cursor(request, cursor, 1)
        before = after[0] if after is not None else None
        found = queries.batches(made.connection, made.key.program_id, before=before, limit=limit + 1)
        page = found[:limit]
        more = write_cursor(request, page[-1].batch_id) if len(found) > limit else None
        return answer({"batches": [_batch_shown(made, batch) for batch in page], "next": more})


def _batch_id(ref: str) -> int:
    found = refs.decode_as("pb", ref)
    if found is None:
        raise not_found("batch")
    return found


@router.get(
    "/payout-batches/{batch}",
    auth=WRITE,
    operation_id="read_payout_batch",
    summary="Read a batch of pay-outs",
    response={200: BatchAnswer, **problems(404)},
)
def read_payout_batch(request: HttpRequest, batch: BatchRef) -> HttpResponse:
    """A batch with its sums; its pay-outs are listed by `GET /v1/payouts?batch=`."""
    with call(request, snapshot=True) as made:
        found = queries.read_batch(made.connection, made.key.program_id, _batch_id(batch))
        if found is None:
            raise not_found("batch")
        return answer(_batch_shown(made, found))


@router.post(
    "/payout-batches/{batch}/stop",
    auth=WRITE,
    operation_id="stop_payout_batch",
    summary="Stop an approved batch",
    response={200: BatchAnswer, **problems(404, 409, 413, 415)},
)
def stop_payout_batch(
    request: HttpRequest,
    batch: BatchRef,
    body: Reason | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Takes back a batch that is approved and not written; what it held waits for another."""

    def act(made: Call, identifier: str) -> Answer:
        found = operations.stop(
            made.connection, made.key.program_id, _batch_id(batch), reason=_why(body), by=made.person, now=made.now
        )  # fmt: skip
        return Answer(200, encode(_batch_shown(made, found)))

    return write(request, "payout-batch-stop", idempotency_key, act)


@router.post(
    "/payout-batches/{batch}/sent",
    auth=WRITE,
    operation_id="send_payout_batch",
    summary="Tell that the bank has the file",
    response={200: BatchAnswer, **problems(404, 409, 413, 415)},
)
def send_payout_batch(
    request: HttpRequest,
    batch: BatchRef,
    body: Reason | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """The file was given to the bank."""

    def act(made: Call, identifier: str) -> Answer:
        found = operations.sent(
            made.connection, made.key.program_id, _batch_id(batch), reason=_why(body), by=made.person, now=made.now
        )  # fmt: skip
        return Answer(200, encode(_batch_shown(made, found)))

    return write(request, "payout-batch-sent", idempotency_key, act)


@router.post(
    "/payout-batches/{batch}/paid",
    auth=WRITE,
    operation_id="pay_payout_batch",
    summary="Tell that the bank has paid it",
    response={200: BatchAnswer, **problems(404, 409, 413, 415)},
)
def pay_payout_batch(
    request: HttpRequest,
    batch: BatchRef,
    body: Reason | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """All of it is paid but what came back; what comes back later is still told by `returned`."""

    def act(made: Call, identifier: str) -> Answer:
        found = operations.paid(
            made.connection, made.key.program_id, _batch_id(batch), reason=_why(body), by=made.person, now=made.now
        )  # fmt: skip
        return Answer(200, encode(_batch_shown(made, found)))

    return write(request, "payout-batch-paid", idempotency_key, act)
