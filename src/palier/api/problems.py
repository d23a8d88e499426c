"""Problem documents (RFC 9457): one form for every refusal and error of the API."""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from django.http import HttpResponse

from palier.care.refusals import CareRefusal, CareRefused
from palier.engine.payment_cards import masked
from palier.engine.refusals import Refusal, RefusalCode
from palier.payouts.refusals import PayoutRefusal, PayoutRefused
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.site import disk
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused

CONTENT_TYPE: Final = "application/problem+json"
_NOT_FOUND: Final = frozenset(
    {
        RefusalCode.UNKNOWN_PROGRAM,
        RefusalCode.UNKNOWN_MEMBER,
        RefusalCode.UNKNOWN_HOLD,
        RefusalCode.UNKNOWN_REDEMPTION,
        RefusalCode.UNKNOWN_POINT_CURRENCY,
        RefusalCode.UNKNOWN_PARTNER,
    }
)


class Problem(Exception):
    """What is answered instead of a result: `code` is stable, `detail` one sentence, `remedy` what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str = "",
        remedy: str = "",
        retry_after_s: float = 0,
        errors: Sequence[dict[str, str]] = (),
    ) -> None:
        # Problems quote what was sent; the number of a payment card is never among it.
        detail, field = masked(detail), masked(field)
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.remedy = remedy
        self.retry_after_s = retry_after_s
        self.errors = [{name: masked(text) for name, text in error.items()} for error in errors]

    def document(self) -> dict[str, Any]:
        """The JSON of the problem."""
        content: dict[str, Any] = {
            "type": f"urn:palier:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.field:
            content["field"] = self.field
        if self.remedy:
            content["remedy"] = self.remedy
        if self.errors:
            content["errors"] = self.errors
        return content

    def response(self) -> HttpResponse:
        """The answer over HTTP."""
        found = HttpResponse(
            msgspec.json.encode(self.document()), status=self.status, content_type=CONTENT_TYPE
        )
        if self.retry_after_s:
            found["Retry-After"] = str(math.ceil(self.retry_after_s))
        if self.status == HTTPStatus.UNAUTHORIZED:
            found["WWW-Authenticate"] = "Bearer"
        return found


def no_such_address() -> Problem:
    """What an address is answered at which there is nothing, or nothing for the key that calls."""
    return Problem(
        404, "unknown_address", "There is nothing at this address.", remedy="see the operations in /v1/docs"
    )


def of_refusal(refusal: Refusal) -> Problem:
    """A refusal as a problem: 404 where what was named does not exist, else 422."""
    status = 404 if refusal.code in _NOT_FOUND else 422
    return Problem(status, refusal.code.value, refusal.message, field=refusal.field, remedy=refusal.remedy)


RoomRefused = OrderRefused | VoucherRefused | PayoutRefused | CareRefused
"""What the rooms refuse, all of one form: a code, a sentence, a field and a remedy."""

_ROOM_STATUS: Final[dict[str, int]] = {
    OrderRefusal.UNKNOWN_REWARD: 404,
    OrderRefusal.UNKNOWN_ORDER: 404,
    OrderRefusal.UNKNOWN_ITEM: 404,
    OrderRefusal.ORDER_NOT_OPEN: 409,
    VoucherRefusal.UNKNOWN_VOUCHER: 404,
    VoucherRefusal.UNKNOWN_USE: 404,
    VoucherRefusal.UNKNOWN_POOL: 404,
    VoucherRefusal.UNKNOWN_CODE: 404,
    PayoutRefusal.UNKNOWN_PAYOUT: 404,
    PayoutRefusal.UNKNOWN_BATCH: 404,
    PayoutRefusal.PAYOUT_NOT_OPEN: 409,
    PayoutRefusal.BATCH_NOT_OPEN: 409,
    CareRefusal.UNKNOWN_CASE: 404,
    CareRefusal.UNKNOWN_SURVEY: 404,
    CareRefusal.CASE_CLOSED: 409,
    CareRefusal.TOO_MANY_CASES: 409,
}


def of_room(refused: RoomRefused) -> Problem:
    """What a room refused, as a problem: 404 for what is not there, 409 for what went on meanwhile, else 422."""
    detail = f"{refused.message[:1].upper()}{refused.message[1:]}."
    return Problem(
        _ROOM_STATUS.get(refused.code, 422),
        refused.code.value,
        detail,
        field=refused.field,
        remedy=refused.remedy,
    )


def refuse_when_full() -> None:
    """Raises the problem of a disk without room: nothing is written then, and reads go on."""
    if disk.full():
        raise Problem(
            503, "disk_full", disk.DETAIL, remedy="make room on the server's disk",
            retry_after_s=disk.RETRY_AFTER_S,
        )  # fmt: skip


def not_found(what: str = "member") -> Problem:
    """The one answer for what does not exist here, belongs to another program, or was erased."""
    whose = "for this key" if what == "program" else "in this program"
    return Problem(
        404, f"unknown_{what}", f"There is no such {what.replace('_', ' ')} {whose}.",
        field=what, remedy="check what the call names it by",
    )  # fmt: skip
