"""Commands on points: redemptions (at once, or held, captured and released), refunds, adjustments, transfers."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.activities import adjustments, operations, queries
from palier.activities.adjustments import Adjustment
from palier.activities.answers import Result
from palier.activities.queries import Redemption
from palier.api.approvals import approval_shown
from palier.api.calls import ApiKey, Call, answer, call, encode, refusal_of, write
from palier.api.partners import foreign_source, other_partner
from palier.api.problems import Problem, not_found, of_refusal
from palier.api.schemas import (
    AdjustmentAnswer,
    ApprovalAnswer,
    Capture,
    IdempotencyKey,
    NewAdjustment,
    NewRedemption,
    NewTransfer,
    RedemptionAnswer,
    RedemptionRef,
    Refund,
    Release,
    TransferMade,
    problems,
)
from palier.api.views import Views
from palier.members import refs
from palier.staff.approvals import Approval
from palier.staff.operations import Answer, write_log

router = Router(tags=["Points"])
READ: Final = ApiKey("members:read", partners=True)
WRITE: Final = ApiKey("points:write", partners=True)
OWN: Final = ApiKey("points:write")


@router.post(
    "/redemptions",
    auth=WRITE,
    operation_id="create_redemption",
    summary="Redeem or hold points",
    response={201: RedemptionAnswer, **problems(404, 409, 413, 415)},
)
def create_redemption(
    request: HttpRequest, body: NewRedemption, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Spends points at once, or holds them (`capture`: false) until they are captured or released.

    What is spent comes from the points that expire first. A sale that is paid in part with points names the
    redemption by `source` and `id`, so that a return of the sale gives them back. Points used with a partner of a
    coalition name it: it is paid for them.
    """
    if body.capture and body.hold_minutes is not None:
        raise Problem(
            422, "malformed", "Only a hold has a duration.",
            field="hold_minutes", remedy="leave it out, or send capture: false",
        )  # fmt: skip

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.member(body.member)
        points = operations.points_minor(made.runtime, body.currency, body.points)
        source, own = name_of(made, body.source, body.id, identifier)
        partner = body.partner or made.key.partner or None
        refusal = other_partner(made.key, partner)
        if refusal is not None:
            raise of_refusal(refusal)
        if body.capture:
            result = operations.redeem(
                made.connection,
                made.runtime,
                member_id=member_id,
                currency=body.currency,
                points=points,
                source=source,
                id=own,
                now=made.now,
                partner=partner,
            )
        else:
            result = operations.hold(
                made.connection,
                made.runtime,
                member_id=member_id,
                currency=body.currency,
                points=points,
                minutes=body.hold_minutes,
                source=source,
                id=own,
                now=made.now,
                partner=partner,
            )
        return refusal_of(result) or _redeemed(
            made, result.member_id, result.activity_id, result, 201, created=True
        )

    return write(request, "redemption", idempotency_key, act)


def name_of(made: Call, source: str | None, own: str | None, identifier: str) -> tuple[str, str]:
    """Source and id of a command: as sent, else the key's own source and an id of its own."""
    if source is not None:
        operations.refuse_foreign_source(source, made.source)
        refusal = foreign_source(made.key, source, "source")
        if refusal is not None:
            raise of_refusal(refusal)
    return source or made.source, own or identifier


def _redeemed(
    made: Call, member_id: int, activity_id: int, result: Result, status: int, *, created: bool = False
) -> Answer:
    found = queries.redemption(made.connection, made.key.program_id, member_id, activity_id, now=made.now)
    assert found is not None
    shown = Views(made.runtime).redemption(found)
    if created and found.expires_at:
        # As it was made, also when the call is repeated after the hold has ended.
        shown["status"], shown["captured"] = "open", made.points(found.currency, 0)
    return Answer(status, encode(shown), result.status == "duplicate")


@router.get(
    "/redemptions/{redemption}",
    auth=READ,
    operation_id="read_redemption",
    summary="Read a redemption",
    response={200: RedemptionAnswer, **problems(404)},
)
def read_redemption(request: HttpRequest, redemption: RedemptionRef) -> HttpResponse:
    """A redemption as it stands: a hold whose time is over is expired, also before the points are posted."""
    with call(request, snapshot=True) as made:
        return answer(Views(made.runtime).redemption(_find(made, redemption)))


def _find(made: Call, ref: str) -> Redemption:
    ids = queries.decode_redemption_ref(ref)
    found = queries.redemption(made.connection, made.key.program_id, *ids, now=made.now) if ids else None
    if found is None or (made.key.partner and found.partner != made.key.partner):
        raise not_found("redemption")
    return found


@router.post(
    "/redemptions/{redemption}/capture",
    auth=WRITE,
    operation_id="capture_redemption",
    summary="Spend held points",
    response={200: RedemptionAnswer, **problems(404, 409, 413, 415)},
)
def capture_redemption(
    request: HttpRequest, redemption: RedemptionRef, body: Capture, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Spends what is held, or a part of it; the rest is free again. A hold is captured or released once."""

    def act(made: Call, identifier: str) -> Answer:
        found = _find(made, redemption)
        operations.refuse_own_hold(found)
        points = None
        if body.points is not None:
            points = operations.points_minor(made.runtime, found.currency, body.points)
        result = operations.capture(
            made.connection,
            made.runtime,
            found,
            points=points,
            source=made.source,
            id=identifier,
            now=made.now,
        )
        return refusal_of(result) or _redeemed(made, found.member_id, found.activity_id, result, 200)

    return write(request, "capture", idempotency_key, act)


@router.post(
    "/redemptions/{redemption}/release",
    auth=WRITE,
    operation_id="release_redemption",
    summary="Free held points",
    response={200: RedemptionAnswer, **problems(404, 409, 413, 415)},
)
def release_redemption(
    request: HttpRequest,
    redemption: RedemptionRef,
    body: Release | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Frees what is held. A hold is captured or released once."""

    def act(made: Call, identifier: str) -> Answer:
        found = _find(made, redemption)
        operations.refuse_own_hold(found)
        result = operations.release(
            made.connection, made.runtime, found, source=made.source, id=identifier, now=made.now
        )
        return refusal_of(result) or _redeemed(made, found.member_id, found.activity_id, result, 200)

    return write(request, "release", idempotency_key, act)


@router.post(
    "/redemptions/{redemption}/refund",
    auth=WRITE,
    operation_id="refund_redemption",
    summary="Give spent points back",
    response={200: RedemptionAnswer, **problems(404, 409, 413, 415)},
)
def refund_redemption(
    request: HttpRequest, redemption: RedemptionRef, body: Refund, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Gives what was spent back, or a part of it, to the lots it came from, the last taken first.

    Each keeps its own expiry: what comes back to points that have lapsed expires at once, or ends with the grace that
    the currency gives returns. In all no more comes back than was spent. A redemption that paid for a sale is not
    refunded: a return of the sale gives its points back.
    """

    def act(made: Call, identifier: str) -> Answer:
        found = _find(made, redemption)
        operations.refuse_own_hold(found)
        points = None
        if body.points is not None:
            points = operations.points_minor(made.runtime, found.currency, body.points)
        result = operations.refund(
            made.connection,
            made.runtime,
            found,
            points=points,
            source=made.source,
            id=identifier,
            now=made.now,
            reason=body.reason or "",
        )
        return refusal_of(result) or _redeemed(made, found.member_id, found.activity_id, result, 200)

    return write(request, "refund", idempotency_key, act)


@router.post(
    "/adjustments",
    auth=OWN,
    operation_id="create_adjustment",
    summary="Give or take points by hand",
    response={201: AdjustmentAnswer, 202: ApprovalAnswer, **problems(404, 409, 413, 415)},
)
def create_adjustment(
    request: HttpRequest, body: NewAdjustment, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Gives (positive) or takes (negative) points, with the reason, which stays in the member's history.

    No more can be taken than can be spent, and by one key no more than the program's `adjustments` say. What is
    above `approval_above` is answered with 202: it is done once a second person approves it, by another key.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.member(body.member)
        points = operations.points_minor(made.runtime, body.currency, body.points, signed=True)
        source, own = name_of(made, body.source, body.id, identifier)
        actor = body.actor or made.person.actor
        code = body.reason_code or ""
        wanted = Adjustment(member_id, body.currency, points, body.reason, code, actor, source, own)
        result = adjustments.adjust(made.connection, made.runtime, wanted, by=made.person, now=made.now)
        if isinstance(result, Approval):
            return Answer(202, encode(approval_shown(result, made.now)))
        refused = refusal_of(result)
        if refused is not None:
            return refused
        ref = refs.encode(member_id)
        if result.status == "applied":
            write_log(
                made.connection, made.person.actor, made.person.role, "points.adjust", ref,
                at=made.now, reason=code,
            )  # fmt: skip
        shown = {
            "member": ref,
            "currency": body.currency,
            "points": made.points(body.currency, points),
            "spendable": _spendable(made, result, body.currency),
            "reason": body.reason,
            "reason_code": code,
            "actor": actor,
            "source": source,
            "id": own,
        }
        return Answer(201, encode(shown), result.status == "duplicate")

    return write(request, "adjustment", idempotency_key, act)


def _spendable(made: Call, result: Result, currency: str) -> str:
    """What could be spent just after a command, as recorded with it."""
    after = result.trace.after if result.trace is not None else {}
    return made.points(currency, after.get(currency, 0))


@router.post(
    "/transfers",
    auth=OWN,
    operation_id="create_transfer",
    summary="Move points to another member",
    response={201: TransferMade, **problems(404, 409, 413, 415)},
    by_alias=True,
)
def create_transfer(
    request: HttpRequest, body: NewTransfer, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Moves points between two members, where the program allows it; they keep their expiry."""

    def act(made: Call, identifier: str) -> Answer:
        sender_id = made.member(body.sender, "from")
        receiver_id = made.member(body.to, "to")
        points = operations.points_minor(made.runtime, body.currency, body.points)
        source, own = name_of(made, body.source, body.id, identifier)
        result = operations.transfer(
            made.connection,
            made.runtime,
            sender_id=sender_id,
            receiver_id=receiver_id,
            currency=body.currency,
            points=points,
            source=source,
            id=own,
            now=made.now,
        )
        shown = {
            "from": refs.encode(sender_id),
            "to": refs.encode(receiver_id),
            "currency": body.currency,
            "points": made.points(body.currency, points),
            "spendable": _spendable(made, result, body.currency),
            "source": source,
            "id": own,
        }
        return refusal_of(result) or Answer(201, encode(shown), result.status == "duplicate")

    return write(request, "transfer", idempotency_key, act)
