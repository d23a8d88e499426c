"""People: referral codes and pairs; duplicates merged, and households."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.activities import enrolment, pairing
from palier.api.calls import ApiKey, Call, encode, write
from palier.api.schemas import (
    IdempotencyKey,
    NewPair,
    PairAnswer,
    Ref,
    ReferralCodeAnswer,
    problems,
)
from palier.members import refs
from palier.staff.operations import Answer

router = Router(tags=["People"])
WRITE: Final = ApiKey("members:write")


@router.post(
    "/members/{ref}/referral-code",
    auth=WRITE,
    operation_id="referral_code",
    summary="A member's referral code",
    response={201: ReferralCodeAnswer, 200: ReferralCodeAnswer, **problems(404, 409)},
)
def referral_code(request: HttpRequest, ref: Ref, idempotency_key: IdempotencyKey = None) -> HttpResponse:
    """The code by which this member brings friends, made when it is first asked for; always the same one.

    Letters and digits without 0, 1, I, L and O, the last of which checks the others. Spaces, hyphens and small
    letters do not matter when it is sent back as `referred_by`.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(ref)
        code, link, new = enrolment.referral_code(made.connection, made.runtime, member_id, now=made.now)
        shown = {"member": refs.encode(member_id), "code": code, "link": link}
        return Answer(201 if new else 200, encode(shown))

    return write(request, "referral-code", idempotency_key, act)


@router.post(
    "/members/{ref}/pairs",
    auth=WRITE,
    operation_id="create_pair",
    summary="Pair two members",
    response={201: PairAnswer, **problems(404, 409, 413, 415)},
    by_alias=True,
)
def create_pair(
    request: HttpRequest, ref: Ref, body: NewPair, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Makes two members a pair of a streak `of: pair`: from now on it runs while both act."""

    def act(made: Call, identifier: str) -> Answer:
        found = pairing.pair(
            made.connection,
            made.runtime,
            body.streak,
            made.acting(ref),
            made.acting(body.other, "with"),
            now=made.now,
        )
        return Answer(201, encode(_pair(found, "paired")))

    return write(request, "pair", idempotency_key, act)


@router.delete(
    "/members/{ref}/pairs",
    auth=WRITE,
    operation_id="end_pair",
    summary="End a pair",
    response={200: PairAnswer, **problems(404, 409, 413, 415)},
    by_alias=True,
)
def end_pair(
    request: HttpRequest, ref: Ref, body: NewPair, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Ends the pair of two members. What its streak gave stays given."""

    def act(made: Call, identifier: str) -> Answer:
        found = pairing.unpair(
            made.connection,
            made.runtime,
            body.streak,
            made.acting(ref),
            made.acting(body.other, "with"),
            now=made.now,
        )
        return Answer(200, encode(_pair(found, "ended")))

    return write(request, "pair-end", idempotency_key, act)


def _pair(found: pairing.Pair, status: str) -> dict[str, str]:
    return {
        "member": refs.encode(found.member_id),
        "with": refs.encode(found.other_id),
        "streak": found.streak,
        "status": status,
    }
