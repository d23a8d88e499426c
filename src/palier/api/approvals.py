"""Approvals: what waits for a second person, and that person's answer."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, Field

from palier.api.calls import ApiKey, Call, answer, call, encode, text_only, write, written
from palier.api.cursors import read_cursor, write_cursor
from palier.api.problems import Problem, not_found
from palier.api.schemas import (
    PAGE,
    ApprovalAnswer,
    ApprovalsAnswer,
    Decision,
    IdempotencyKey,
    Key,
    Limit,
    problems,
)
from palier.engine.payment_cards import holds_number
from palier.members import refs
from palier.programs import publishing  # noqa: F401 (says what follows a decision on a version)
from palier.staff import approvals
from palier.staff.approvals import Approval, NotDecided
from palier.staff.operations import Answer

router = Router(tags=["Approvals"])
WRITE: Final = ApiKey("approvals:write")
PREFIX: Final = "ap"

ApprovalRef = Annotated[
    str,
    Field(min_length=1, max_length=64, description="An approval's id.", examples=["ap_00q5d2m8x4k7s"]),
    AfterValidator(text_only),
]

_STATUS: Final = {
    "unknown_approval": 404,
    "same_person": 403,
    "approval_decided": 409,
    "not_publishable": 409,
}


def approval_ref(found: Approval) -> str:
    """The public id of an approval."""
    return refs.encode_as(PREFIX, found.approval_id)


def approval_shown(found: Approval, now: int) -> dict[str, Any]:
    """An approval as it stands now."""
    return {
        "approval": approval_ref(found),
        "kind": found.kind,
        "object": found.object,
        "details": found.payload,
        "reason": found.reason,
        "state": found.standing(now),
        "asked_by": found.asked_by,
        "asked_name": found.asked_name,
        "asked_at": written(found.asked_at),
        "expires_at": written(found.expires_at),
        "decided_by": found.decided_by,
        "decided_at": written(found.decided_at) if found.decided_at else None,
        "decision": found.decision,
    }


@router.get(
    "/approvals",
    auth=WRITE,
    operation_id="list_approvals",
    summary="List approvals",
    response={200: ApprovalsAnswer, **problems()},
)
def list_approvals(
    request: HttpRequest,
    state: Annotated[Literal["asked", "approved", "refused", "expired"] | None, Query()] = None,
    kind: Annotated[Key | None, Query(description="adjustment, payout_batch.")] = None,
    limit: Limit = PAGE,
    cursor: Annotated[
        str | None,
        Query(min_length=1, max_length=80, description="`next` of the page before."),
    ] = None,
) -> HttpResponse:
    """What was asked of a second person, the latest first: what waits (`state=asked`) and what was decided."""
    with call(request, snapshot=True) as made:
        after = read_cursor(request, cursor, 1)
        before = after[0] if after is not None else None
        found = approvals.listed(
            made.connection, made.key.program_id, now=made.now, state=state, kind=kind, before=before,
            limit=limit + 1,
        )  # fmt: skip
        page = found[:limit]
        more = write_cursor(request, page[-1].approval_id) if len(found) > limit else None
        return answer({"approvals": [approval_shown(item, made.now) for item in page], "next": more})


@router.get(
    "/approvals/{approval}",
    auth=WRITE,
    operation_id="read_approval",
    summary="Read an approval",
    response={200: ApprovalAnswer, **problems(404)},
)
def read_approval(request: HttpRequest, approval: ApprovalRef) -> HttpResponse:
    """What was asked by whom and when, and who decided it."""
    with call(request, snapshot=True) as made:
        found = approvals.read(made.connection, made.key.program_id, _id(approval))
        if found is None:
            raise not_found("approval")
        return answer(approval_shown(found, made.now))


def _id(ref: str) -> int:
    found = refs.decode_as(PREFIX, ref)
    if found is None:
        raise not_found("approval")
    return found


@router.post(
    "/approvals/{approval}/approve",
    auth=WRITE,
    operation_id="approve",
    summary="Approve as the second person",
    response={200: ApprovalAnswer, **problems(404, 409, 413, 415)},
)
def approve(
    request: HttpRequest,
    approval: ApprovalRef,
    body: Decision | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Does what was asked, in one transaction with the decision. Who asked cannot approve.

    The second person is another key, of another name: `same_person` otherwise. What cannot be done now is refused
    as it would be to who asked, and stays asked for.
    """
    return _decide(request, approval, body, idempotency_key, approve=True)


@router.post(
    "/approvals/{approval}/refuse",
    auth=WRITE,
    operation_id="refuse",
    summary="Refuse what was asked",
    response={200: ApprovalAnswer, **problems(404, 409, 413, 415)},
)
def refuse(
    request: HttpRequest,
    approval: ApprovalRef,
    body: Decision | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Ends a request without doing it. Who asked may do so too, and takes it back."""
    return _decide(request, approval, body, idempotency_key, approve=False)


def _decide(
    request: HttpRequest, ref: str, body: Decision | None, idempotency_key: str | None, *, approve: bool
) -> HttpResponse:
    reason = (body.reason if body is not None else None) or ""
    if holds_number(reason):
        raise Problem(
            422, "payment_card_number", "The reason holds the number of a payment card.",
            field="reason", remedy="leave the number out",
        )  # fmt: skip

    def act(made: Call, identifier: str) -> Answer:
        try:
            found = approvals.decide(
                made.connection,
                made.key.program_id,
                _id(ref),
                approve=approve,
                by=made.person,
                decision=reason,
                now=made.now,
            )
        except NotDecided as error:
            raise Problem(_STATUS[error.code], error.code, str(error), remedy=error.remedy) from None
        return Answer(200, encode(approval_shown(found, made.now)))

    return write(request, "approve" if approve else "refuse", idempotency_key, act)
