"""People: referral codes and pairs; duplicates merged, and households."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.activities import enrolment, merging, pairing
from palier.api.calls import ApiKey, Call, encode, write, written
from palier.api.members import refuse_identities
from palier.api.schemas import (
    HouseholdAnswer,
    IdempotencyKey,
    MemberAnswer,
    MergeAnswer,
    NewMerge,
    NewPair,
    PairAnswer,
    Person,
    Ref,
    ReferralCodeAnswer,
    Unmerge,
    problems,
)
from palier.api.views import Views
from palier.members import queries, refs
from palier.staff.operations import Answer

router = Router(tags=["People"])
WRITE: Final = ApiKey("members:write")
MERGE: Final = ApiKey("members:merge")


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


# --- members that are one ---------------------------------------------------------------------------------


@router.post(
    "/members/{ref}/merge",
    auth=MERGE,
    operation_id="merge_members",
    summary="Merge a duplicate into a member",
    response={201: MergeAnswer, 200: MergeAnswer, **problems(404, 409, 413, 415)},
)
def merge_members(
    request: HttpRequest, ref: Ref, body: NewMerge, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Merges the member `from` into the one addressed, with all it has: points, metrics, goals, identities.

    No balance of both together changes. What is sent later for the merged member, its identities or its sales acts
    on the member that took over. Merged again, the answer is 200 and nothing happens.
    """

    def act(made: Call, identifier: str) -> Answer:
        done = merging.merge(
            made.connection,
            made.runtime,
            from_id=made.member(body.member, "from"),
            into_id=made.member(ref),
            reason=body.reason,
            source=made.source,
            id=identifier,
            now=made.now,
            **_actor(made, body.actor),
        )
        return Answer(201 if done.done else 200, encode(_merged(done, "merged")))

    return write(request, "merge", idempotency_key, act)


@router.post(
    "/members/{ref}/unmerge",
    auth=MERGE,
    operation_id="unmerge_member",
    summary="Undo a merge",
    response={200: MergeAnswer, **problems(404, 409, 413, 415)},
)
def unmerge_member(
    request: HttpRequest, ref: Ref, body: Unmerge, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Undoes the merge of this member, within 30 days: both members stand as if it had never been.

    What came in between stays with the member that had taken over. Refused once something was done there to a sale
    or redemption of this member.
    """

    def act(made: Call, identifier: str) -> Answer:
        done = merging.unmerge(
            made.connection,
            made.runtime,
            from_id=made.member(ref),
            reason=body.reason,
            source=made.source,
            id=identifier,
            now=made.now,
            **_actor(made, body.actor),
        )
        return Answer(200, encode(_merged(done, "undone")))

    return write(request, "unmerge", idempotency_key, act)


@router.post(
    "/members/{ref}/persons",
    auth=MERGE,
    operation_id="add_person",
    summary="Add a person to a household",
    response={200: HouseholdAnswer, **problems(404, 409, 413, 415)},
)
def add_person(
    request: HttpRequest, ref: Ref, body: Person, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """A member is a household when several persons' identities find it: this adds one person's.

    Whoever is enrolled under one of them is merged in.
    """

    def act(made: Call, identifier: str) -> Answer:
        refuse_identities(body.identities)
        done = merging.add_person(
            made.connection,
            made.runtime,
            member_id=made.acting(ref),
            identities={str(kind): value for kind, value in body.identities.items()},
            reason=body.reason,
            source=made.source,
            id=identifier,
            now=made.now,
            **_actor(made, body.actor),
        )
        shown = {
            "member": refs.encode(done.member_id),
            "identities": done.identities,
            "merged": [refs.encode(member_id) for member_id in done.merged],
        }
        return Answer(200, encode(shown))

    return write(request, "person", idempotency_key, act)


@router.post(
    "/members/{ref}/persons/leave",
    auth=MERGE,
    operation_id="let_person_leave",
    summary="Let a person leave a household",
    response={201: MemberAnswer, **problems(404, 409, 413, 415)},
)
def let_person_leave(
    request: HttpRequest, ref: Ref, body: Person, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Makes a new member of a person, who takes these identities along and begins with nothing.

    Points, tier and history stay with the household, which keeps at least one identity.
    """

    def act(made: Call, identifier: str) -> Answer:
        refuse_identities(body.identities)
        person = merging.let_leave(
            made.connection,
            made.runtime,
            member_id=made.acting(ref),
            identities={str(kind): value for kind, value in body.identities.items()},
            reason=body.reason,
            now=made.now,
            **_actor(made, body.actor),
        )
        view = queries.read(made.connection, made.key.program_id, person)
        assert view is not None
        return Answer(201, encode(Views(made.runtime).member(view)))

    return write(request, "person-leave", idempotency_key, act)


def _actor(made: Call, actor: str | None) -> dict[str, str]:
    return {"actor": actor or f"key:{made.key.prefix}", "role": "integration"}


def _merged(done: merging.Merged, status: str) -> dict[str, str | None]:
    return {
        "member": refs.encode(done.into_id),
        "merged": refs.encode(done.member_id),
        "status": status,
        "merged_at": written(done.merged_at),
    }
