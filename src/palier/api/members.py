"""Members: enrolling, finding and reading them, their wallets, expiry, history and progress."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from palier.activities import freezing, queries
from palier.activities.enrolment import enrol
from palier.activities.operations import lock_member, member_attributes
from palier.activities.telling import tell
from palier.api.bodies import Number
from palier.api.calls import ApiKey, Call, answer, call, encode, write, written
from palier.api.cursors import read_cursor, write_cursor
from palier.api.problems import Problem, not_found
from palier.api.schemas import (
    PAGE,
    Cursor,
    ExpiryAnswer,
    HistoryAnswer,
    IdempotencyKey,
    Instant,
    Limit,
    MemberAnswer,
    MemberChange,
    MemberKnown,
    NewMember,
    NewPageToken,
    PageTokenAnswer,
    ProgressAnswer,
    Ref,
    Short,
    WalletsAnswer,
    problems,
)
from palier.api.views import Views
from palier.engine.clock import MINUTE, SECOND, is_zone
from palier.members import operations as enrolment
from palier.members import page_tokens, refs
from palier.members import queries as members
from palier.staff.operations import Answer

router = Router(tags=["Members"])
READ: Final = ApiKey("members:read")
KNOWN: Final = ApiKey("members:read", partners=True)
WRITE: Final = ApiKey("members:write")


@router.post(
    "/members",
    auth=WRITE,
    operation_id="create_member",
    summary="Enrol a member",
    response={201: MemberAnswer, 200: MemberAnswer, **problems(409, 413, 415)},
)
def create_member(
    request: HttpRequest, body: NewMember, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Enrols a member by one or more identities.

    Each identity belongs to one member of the program: when it is enrolled already, its member is answered
    with 200, unchanged. Identities that belong to different members are refused.

    With `referred_by`, whoever has that code is recorded as having brought the member, and `referral` in the
    answer says so. One's own code and a ring of referrers are refused; what is only doubtful keeps nobody from
    joining, and records no referral.
    """

    def act(made: Call, identifier: str) -> Answer:
        refuse_identities(body.identities)
        if body.time_zone is not None and not is_zone(body.time_zone):
            raise Problem(
                422, "invalid_time_zone", "This is no IANA time zone.",
                field="time_zone", remedy="write one such as Europe/Paris",
            )  # fmt: skip
        joining = enrol(
            made.connection,
            made.runtime,
            enrolment.NewMember(
                {str(kind): value for kind, value in body.identities.items()},
                _attributes(made, body.attributes),
                body.locale,
                body.time_zone,
            ),
            body.referred_by,
            now=made.now,
        )
        found = joining.enrolled
        if found.problem:
            raise Problem(
                422, "identities_differ", "These identities belong to different members, or some are new.",
                field="identities", remedy="send the identities of one member",
            )  # fmt: skip
        view = members.read(made.connection, made.key.program_id, found.member_id)
        if view is None or view.status == "erased":
            raise not_found()
        shown = Views(made.runtime).member(view)
        if joining.referral:
            shown["referral"] = {"status": joining.referral, "why": joining.why or None}
        return Answer(201 if found.created else 200, encode(shown))

    return write(request, "member", idempotency_key, act)


def refuse_identities(identities: dict[Any, str]) -> None:
    for kind, value in identities.items():
        try:
            members.normalized(kind, value)
        except members.PaymentCardNumber as error:
            raise Problem(
                422, "payment_card_number", f"{str(error)[:1].upper()}{str(error)[1:]}.",
                field=f"identities.{kind}", remedy="send another identity",
            ) from None  # fmt: skip
        except members.IdentityError as error:
            raise Problem(
                422, "invalid_identity", f"{str(error)[:1].upper()}{str(error)[1:]}.",
                field=f"identities.{kind}", remedy="correct the identity",
            ) from None  # fmt: skip


def _attributes(made: Call, given: dict[str, Any]) -> dict[str, str | int | bool]:
    return member_attributes(
        made.runtime,
        {name: value.text if isinstance(value, Number) else value for name, value in given.items()},
    )


@router.get(
    "/members",
    auth=KNOWN,
    operation_id="find_member",
    summary="Find a member",
    response={200: MemberAnswer | MemberKnown, **problems(404)},
)
def find_member(
    request: HttpRequest,
    card: Annotated[Short | None, Query(description="The number of a card.")] = None,
    email: Annotated[Short | None, Query(description="An e-mail address.")] = None,
    phone: Annotated[Short | None, Query(description="A phone number.")] = None,
    external_id: Annotated[Short | None, Query(description="The id in the shop's own system.")] = None,
) -> HttpResponse:
    """Finds the member who has an identity; give exactly one. Unknown ones are answered all alike."""
    given = {
        kind: value
        for kind, value in (("card", card), ("email", email), ("phone", phone), ("external_id", external_id))
        if value is not None
    }
    if len(given) != 1:
        raise Problem(
            422, "malformed", "A member is found by exactly one identity.",
            field="query", remedy="send one of card, email, phone or external_id",
        )  # fmt: skip
    refuse_identities(given)
    with call(request) as made:
        member_id = members.find(made.connection, made.key.program_id, given)
        return _read(made, member_id)


def _read(made: Call, member_id: int | None) -> HttpResponse:
    view = members.read(made.connection, made.key.program_id, member_id) if member_id is not None else None
    if view is None or view.status == "erased":
        raise not_found()
    if made.key.partner:
        # A partner's till needs to know who it is and whether points can be used; nothing more of a person.
        return answer({"member": view.ref, "status": view.status})
    return answer(Views(made.runtime).member(view))


@router.get(
    "/members/{ref}",
    auth=KNOWN,
    operation_id="read_member",
    summary="Read a member",
    response={200: MemberAnswer | MemberKnown, **problems(404)},
)
def read_member(request: HttpRequest, ref: Ref) -> HttpResponse:
    """What is known of a member. Identities are stored as keyed hashes and cannot be read back.

    One that was merged into another says which in `merged_into`; what is sent for it acts there.
    """
    with call(request) as made:
        return _read(made, made.member(ref))


@router.patch(
    "/members/{ref}",
    auth=WRITE,
    operation_id="change_member",
    summary="Change a member",
    response={200: MemberAnswer, **problems(404, 409, 413, 415)},
)
def change_member(
    request: HttpRequest, ref: Ref, body: MemberChange, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Changes attributes (those not named stay; null removes one), freezes or unfreezes the member, or takes him out
    of rankings.

    A frozen member goes on earning and cannot spend. Decisions already made keep what they saw.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.member(ref)
        program_id = made.key.program_id
        lock_member(made.connection, member_id)
        view = members.read(made.connection, program_id, member_id)
        assert view is not None
        freezing.refuse_merged(view)
        shown = Views(made.runtime).member(view)
        if body.attributes is not None:
            declared = made.runtime.latest.program.member_attributes
            kept = {name: value for name, value in shown["attributes"].items() if name in declared}
            attributes = _attributes(made, {**kept, **body.attributes})
            enrolment.set_attributes(made.connection, program_id, member_id, attributes)
        if body.status is not None:
            freezing.set_frozen(
                made.connection, made.runtime, member_id, body.status == "frozen",
                reason="", by=made.person, now=made.now,
            )  # fmt: skip
        if body.ranked is not None:
            enrolment.set_ranked(made.connection, program_id, member_id, body.ranked, now=made.now)
        changed = members.read(made.connection, program_id, member_id)
        assert changed is not None
        return Answer(200, encode(Views(made.runtime).member(changed)))

    return write(request, "member-change", idempotency_key, act)


@router.get(
    "/members/{ref}/wallets",
    auth=READ,
    operation_id="read_wallets",
    summary="Read a member's wallets",
    response={200: WalletsAnswer, **problems(404)},
)
def read_wallets(
    request: HttpRequest,
    ref: Ref,
    as_of: Annotated[
        Instant | None, Query(description="When: what had happened by then. Now by default; may lie ahead.")
    ] = None,
    known_at: Annotated[
        Instant | None, Query(description="As known when: what had been recorded by then. Now by default.")
    ] = None,
) -> HttpResponse:
    """What a member had, has or will have, by point currency, with what it consists of.

    `spendable` can be spent; `held` is set aside; `posted` is both together; `pending` waits; `debt` is owed.
    With `as_of` ahead, what is there now is carried forward, at most twenty years: `as_of` in the answer
    tells the instant it is for.
    """
    with call(request, snapshot=True) as made:
        member_id = made.member(ref)
        known = made.tell(known_at) if known_at is not None else None
        found = queries.wallets(
            made.connection, made.runtime, member_id, as_of=as_of, known_at=known, now=made.now
        )
        if found is None:
            raise not_found()
        return answer(Views(made.runtime).wallets(member_id, found))


@router.get(
    "/members/{ref}/expiry",
    auth=READ,
    operation_id="read_expiry",
    summary="Read what expires when",
    response={200: ExpiryAnswer, **problems(404)},
)
def read_expiry(request: HttpRequest, ref: Ref) -> HttpResponse:
    """What the member has now that expires unless it is used, soonest first."""
    with call(request, snapshot=True) as made:
        member_id = made.member(ref)
        found = queries.wallets(made.connection, made.runtime, member_id, now=made.now)
        if found is None:
            raise not_found()
        return answer(Views(made.runtime).expiries(member_id, found.as_of, queries.expiries(found)))


@router.get(
    "/members/{ref}/history",
    auth=READ,
    operation_id="read_history",
    summary="Read a member's history",
    response={200: HistoryAnswer, **problems(404)},
)
def read_history(
    request: HttpRequest,
    ref: Ref,
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> HttpResponse:
    """A page of a member's decisions, the latest in time first, each with its trace.

    Corrections are lines of their own that name what they correct.
    """
    after = read_cursor(request, cursor, 1)
    before = after[0] if after is not None else None
    with call(request, snapshot=True) as made:
        member_id = made.member(ref)
        lines = queries.history(
            made.connection, made.key.program_id, member_id, before=before, limit=limit + 1
        )
        views = Views(made.runtime)
        shown = lines[:limit]
        return answer(
            {
                "member": refs.encode(member_id),
                "lines": [
                    views.line(story) for story in tell(made.connection, made.runtime, member_id, shown)
                ],
                "next": write_cursor(request, shown[-1].activity_id) if len(lines) > limit else None,
            }
        )


@router.post(
    "/members/{ref}/page-token",
    auth=READ,
    operation_id="create_page_token",
    summary="Let a shop's page show a member",
    response={201: PageTokenAnswer, **problems(404, 413, 415)},
)
def create_page_token(request: HttpRequest, ref: Ref, body: NewPageToken) -> HttpResponse:
    """A token by which a page of the shop shows the member's balance, tier and next step for some minutes.

    The shop's server asks for it once it knows who is signed in there, and puts it into that page alone. Nothing is
    stored, and nothing else can be done with the token. All of a program can be ended at once, one cannot: so it should
    be short.
    """
    with call(request) as made:
        member_id = made.acting(ref)
        ends_at = made.now + body.minutes * MINUTE
        generation = page_tokens.generation(made.connection, made.key.program_id)
        token = page_tokens.make(made.runtime.key, generation, member_id, ends_at)
        return answer({"token": token, "expires_at": written(ends_at // SECOND * SECOND)}, 201)


@router.get(
    "/members/{ref}/progress",
    auth=READ,
    operation_id="read_progress",
    summary="Read a member's progress",
    response={200: ProgressAnswer, **problems(404)},
    by_alias=True,
)
def read_progress(request: HttpRequest, ref: Ref) -> HttpResponse:
    """The tier, what is missing for the next, the points that wait; goals, streaks, badges, open games, quizzes,
    memberships, and what the member saves for.

    As of now: a window that has ended and a streak past its deadline are told as such at once.
    """
    with call(request, snapshot=True) as made:
        member_id = made.member(ref)
        found = queries.standing(made.connection, made.runtime, member_id, now=made.now)
        if found is None:
            raise not_found()
        return answer(Views(made.runtime).progress(member_id, found))
