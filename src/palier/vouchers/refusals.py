"""Why a voucher or a pool's code is not had: stable codes, in order of precedence."""

from __future__ import annotations

from enum import StrEnum


class VoucherRefusal(StrEnum):
    """Every reason for which this room says no; docs/guides/vouchers.md tells each with its remedy."""

    PAYMENT_CARD_NUMBER = "payment_card_number"
    INVALID_VOUCHER = "invalid_voucher"
    MISTYPED_CODE = "mistyped_code"
    UNKNOWN_VOUCHER = "unknown_voucher"
    MEMBER_NOT_ACTIVE = "member_not_active"
    CONTENT_DIFFERS = "content_differs"
    USE_RELEASED = "use_released"
    VOUCHER_CANCELLED = "voucher_cancelled"
    VOUCHER_NOT_YET_VALID = "voucher_not_yet_valid"
    VOUCHER_EXPIRED = "voucher_expired"
    VOUCHER_USED_UP = "voucher_used_up"
    VOUCHER_IN_USE = "voucher_in_use"
    UNKNOWN_USE = "unknown_use"
    UNKNOWN_POOL = "unknown_pool"
    INVALID_POOL = "invalid_pool"
    ALREADY_REVEALED = "already_revealed"
    UNKNOWN_CODE = "unknown_code"


class VoucherRefused(Exception):
    """Something of this room was refused: nothing is left behind. `code` is stable, `message` one sentence."""

    def __init__(self, code: VoucherRefusal, message: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.remedy = remedy
