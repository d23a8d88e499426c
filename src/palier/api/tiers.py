"""Tiers that are given to a member, and taken back."""

from __future__ import annotations

from typing import Annotated, Final

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import AfterValidator, Field

from palier.activities import operations, queries
from palier.activities.answers import Result
from palier.api.calls import ApiKey, Call, encode, refusal_of, text_only, write, written
from palier.api.schemas import (
    Answered,
    Body,
    IdempotencyKey,
    Instant,
    InstantText,
    Key,
    ReasonText,
    Ref,
    problems,
)
from palier.engine.facts import Reference
from palier.members import refs
from palier.staff.operations import Answer, write_log

router = Router(tags=["Members"])
WRITE: Final = ApiKey("points:write")


class GivenTier(Body):
    """A tier, the instant at which it ends, and why it is given."""

    tier: Key
    until: Instant
    reason: ReasonText


class TakenTier(Body):
    """Which gift is taken back, by the `source` and `id` that giving it answered, and why."""

    source: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(text_only)]
    id: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(text_only)]
    reason: ReasonText


class TierAnswer(Answered):
    """The tier that the member now holds, and the end of it where it is a given one."""

    member: str
    tier: str
    given_until: InstantText | None
    source: str
    id: str


@router.post(
    "/members/{ref}/tier",
    auth=WRITE,
    operation_id="grant_tier",
    summary="Give a member a tier",
    response={201: TierAnswer, **problems(404, 409, 413, 415)},
)
def grant_tier(
    request: HttpRequest, ref: Ref, body: GivenTier, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Gives a tier until an instant, above the one that the member earns, which goes on beneath it.

    It judges and entitles like a tier that was earned, and brings no gift for reaching it.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(ref)
        actor = f"key:{made.key.prefix}"
        result = operations.grant_tier(
            made.connection,
            made.runtime,
            member_id=member_id,
            tier=body.tier,
            until=body.until,
            source=made.source,
            id=identifier,
            now=made.now,
            reason=body.reason,
            actor=actor,
        )
        return refusal_of(result) or _held(made, member_id, result, "member.grant_tier", body.reason, 201)

    return write(request, "tier", idempotency_key, act)


@router.post(
    "/members/{ref}/tier/revoke",
    auth=WRITE,
    operation_id="revoke_tier",
    summary="Take a given tier back",
    response={200: TierAnswer, **problems(404, 409, 413, 415)},
)
def revoke_tier(
    request: HttpRequest, ref: Ref, body: TakenTier, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Takes a given tier back at once; what the member earned by himself he keeps."""

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(ref)
        result = operations.revoke_tier(
            made.connection,
            made.runtime,
            member_id=member_id,
            given=Reference(body.source, body.id),
            source=made.source,
            id=identifier,
            now=made.now,
            reason=body.reason,
            actor=f"key:{made.key.prefix}",
        )
        return refusal_of(result) or _held(made, member_id, result, "member.revoke_tier", body.reason, 200)

    return write(request, "tier-revoke", idempotency_key, act)


def _held(made: Call, member_id: int, result: Result, action: str, reason: str, status: int) -> Answer:
    member = refs.encode(member_id)
    if result.status == "applied":
        write_log(
            made.connection,
            f"key:{made.key.prefix}",
            made.person.role,
            action,
            member,
            at=made.now,
            reason=reason,
        )
    standing = queries.standing(made.connection, made.runtime, member_id, now=made.now)
    assert standing is not None
    shown = {
        "member": member,
        "tier": standing.tier,
        "given_until": written(standing.given_until) if standing.given_until else None,
        "source": result.source,
        "id": result.id,
    }
    return Answer(status, encode(shown), result.status == "duplicate")
