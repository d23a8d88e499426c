"""Why money is not paid out: stable codes, in order of precedence."""

from __future__ import annotations

from enum import StrEnum


class PayoutRefusal(StrEnum):
    """Every reason for which pay-outs say no; docs/guides/payouts.md tells each with its remedy."""

    INVALID_IBAN = "invalid_iban"
    INVALID_HOLDER = "invalid_holder"
    UNKNOWN_PAYOUT = "unknown_payout"
    UNKNOWN_BATCH = "unknown_batch"
    NO_BANK_ACCOUNT = "no_bank_account"
    NO_PAYER = "no_payer"
    NOT_CASH = "not_cash"
    BELOW_THRESHOLD = "below_threshold"
    CONTENT_DIFFERS = "content_differs"
    NOTHING_TO_PAY = "nothing_to_pay"
    PAYOUT_NOT_OPEN = "payout_not_open"
    BATCH_NOT_OPEN = "batch_not_open"
    NO_TARGET_DAY = "no_target_day"
    FILE_REFUSED = "file_refused"


class PayoutRefused(Exception):
    """Something about a pay-out was refused: nothing is left behind. `message` is one sentence."""

    def __init__(self, code: PayoutRefusal, message: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.remedy = remedy
