"""What members allow, and what they may ask for: to be forgotten."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.api.calls import ApiKey, Call, answer, call, encode, write, written
from palier.api.problems import Problem
from palier.api.schemas import (
    ConsentsAnswer,
    ErasureAnswer,
    IdempotencyKey,
    NewConsent,
    NewErasure,
    Ref,
    problems,
)
from palier.members import refs
from palier.privacy import consents, erasure
from palier.privacy.purposes import questions
from palier.staff.operations import Answer

router = Router(tags=["Privacy"])
READ: Final = ApiKey("members:read")
WRITE: Final = ApiKey("members:write")


@router.post(
    "/members/{ref}/erasure",
    auth=WRITE,
    operation_id="erase_member",
    summary="Erase a member, or ask for it",
    response={200: ErasureAnswer, **problems(404, 409, 413, 415)},
)
def erase_member(
    request: HttpRequest, ref: Ref, body: NewErasure, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Forgets who a member is: identities, attributes, addresses, bank details, codes, messages, sessions, and of his
    decisions baskets, places and typed words. What he did stays as amounts under a reference that finds nobody.

    With `wait_days` it is asked for and carried out then, unless it is undone. Points that are left lapse. Refused
    with 409 as long as the member is frozen (`member_not_active`), an order is on its way (`orders_under_way`), or a
    pay-out is at the bank (`payouts_under_way`).
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(ref)
        told: dict[str, Any] = {"member": refs.encode(member_id), "due_at": None, "settled": None}
        if body.wait_days:
            asked = erasure.ask(
                made.connection, made.runtime, member_id,
                via="api", by=made.person, wait_days=body.wait_days, now=made.now,
            )  # fmt: skip
            return Answer(200, encode({**told, "status": "asked", "due_at": written(asked.due_at)}))
        try:
            settled = erasure.carry_out(
                made.connection, made.runtime, member_id,
                via="api", by=made.person, reason=body.reason, now=made.now,
            )  # fmt: skip
        except erasure.NotErased as refused:
            detail = f"{refused.message[:1].upper()}{refused.message[1:]}."
            raise Problem(409, refused.code.value, detail, field="member", remedy=refused.remedy) from None
        figures = msgspec.structs.asdict(settled)
        figures["lapsed"] = {key: made.points(key, minor) for key, minor in settled.lapsed.items()}
        del figures["others"]
        return Answer(200, encode({**told, "status": "erased", "settled": figures}))

    return write(request, "erasure", idempotency_key, act)


@router.delete(
    "/members/{ref}/erasure",
    auth=WRITE,
    operation_id="undo_erasure",
    summary="Take a request to be erased back",
    response={200: ErasureAnswer, **problems(404)},
)
def undo_erasure(request: HttpRequest, ref: Ref, idempotency_key: IdempotencyKey = None) -> HttpResponse:
    """Takes back a request that is not carried out yet. What is erased does not come back."""

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(ref)
        if not erasure.undo(made.connection, made.runtime, member_id, by=made.person, now=made.now):
            raise Problem(
                404, "unknown_erasure", "The member has no open request to be erased.",
                field="member", remedy="there is nothing to take back",
            )  # fmt: skip
        told = {"member": refs.encode(member_id), "status": "undone", "due_at": None, "settled": None}
        return Answer(200, encode(told))

    return write(request, "erasure-undo", idempotency_key, act)


@router.get(
    "/members/{ref}/consents",
    auth=READ,
    operation_id="read_consents",
    summary="Read what a member allows",
    response={200: ConsentsAnswer, **problems(404)},
)
def read_consents(request: HttpRequest, ref: Ref) -> HttpResponse:
    """Every leave that the program asks for, with how it stands. Ask it when a message is sent, not before."""
    with call(request, snapshot=True) as made:
        return answer(_consents(made, made.acting(ref), "en"))


@router.post(
    "/members/{ref}/consents",
    auth=WRITE,
    operation_id="set_consent",
    summary="Note that a member allows something, or withdraws it",
    response={200: ConsentsAnswer, **problems(404, 409, 413, 415)},
)
def set_consent(
    request: HttpRequest, ref: Ref, body: NewConsent, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Notes a consent that was given or withdrawn at a till, on paper or in another system: a row for each change.

    Giving needs a `proof`; withdrawing needs none. Answered with all of the member's consents.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(ref)
        key = f"{body.purpose}.{body.channel}.{body.recipient}"
        try:
            question = consents.question_of(made.runtime, key, body.language)
        except consents.UnknownPurpose:
            raise Problem(
                422, "unknown_purpose", "The program asks for no such leave.",
                field="purpose", remedy="take one of GET /v1/members/{ref}/consents",
            ) from None  # fmt: skip
        if body.state == "given" and not body.proof:
            raise Problem(
                422, "malformed", "A consent that was given elsewhere needs its proof.",
                field="proof", remedy="name the form or ticket that shows it",
            )  # fmt: skip
        consents.set_consent(
            made.connection, made.runtime, member_id, question,
            given=body.state == "given", via=body.via, by=made.person, proof=body.proof, now=made.now,
        )  # fmt: skip
        return Answer(200, encode(_consents(made, member_id, body.language)))

    return write(request, "consent", idempotency_key, act)


def _consents(made: Call, member_id: int, language: str) -> dict[str, Any]:
    held = consents.standing(made.connection, made.key.program_id, member_id)
    shown = []
    for question in questions(made.runtime.latest.program, language):
        known = held.get(question.key)
        shown.append(
            {
                "purpose": question.purpose,
                "channel": question.channel,
                "recipient": question.recipient,
                "state": known.state if known is not None else "never_given",
                "since": written(known.at) if known is not None else None,
                "via": known.via if known is not None else None,
                "text": question.body,
            }
        )
    return {"member": refs.encode(member_id), "consents": shown}
