"""Refusals: the answers that say no. They are values, each with a stable code.

The enum is declared in order of precedence: when several codes apply, the first is answered.
`claims` tells whether the refusal settles the activity's id: a structural refusal (the line could not be
read, or names what does not exist) does not, so that the sender can repair the line and send it again;
a business refusal does.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from palier.engine.sentences import NOTHING, Advised, Sentence, sentence


class RefusalCode(StrEnum):
    """Every reason for which a line or a command is refused, in order of precedence."""

    MALFORMED = "malformed"
    UNKNOWN_PROGRAM = "unknown_program"
    OTHER_PROGRAM = "other_program"
    RESERVED_SOURCE = "reserved_source"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_AMOUNT = "invalid_amount"
    WRONG_CURRENCY = "wrong_currency"
    INVALID_LINES = "invalid_lines"
    INVALID_TENDERS = "invalid_tenders"
    INVALID_ATTRIBUTE = "invalid_attribute"
    INVALID_INSTANT = "invalid_instant"
    IN_THE_FUTURE = "in_the_future"
    BEFORE_PROGRAM = "before_program"
    PAYMENT_CARD_NUMBER = "payment_card_number"
    UNKNOWN_MEMBER = "unknown_member"
    MEMBER_NOT_ACTIVE = "member_not_active"
    MEMBER_MERGED = "member_merged"
    NOT_MERGED = "not_merged"
    HOLDS_OPEN = "holds_open"
    UNKNOWN_REFERRAL_CODE = "unknown_referral_code"
    SELF_REFERRAL = "self_referral"
    REFERRAL_RING = "referral_ring"
    UNKNOWN_STREAK = "unknown_streak"
    ALREADY_PAIRED = "already_paired"
    NOT_PAIRED = "not_paired"
    UNKNOWN_SALE = "unknown_sale"
    UNKNOWN_REDEMPTION = "unknown_redemption"
    REDEMPTION_ALREADY_USED = "redemption_already_used"
    UNKNOWN_HOLD = "unknown_hold"
    HOLD_CLOSED = "hold_closed"
    TIER_NOT_GIVEN = "tier_not_given"
    UNKNOWN_POINT_CURRENCY = "unknown_point_currency"
    UNKNOWN_TIER = "unknown_tier"
    UNKNOWN_PARTNER = "unknown_partner"
    UNKNOWN_REASON = "unknown_reason"
    NOT_TRANSFERABLE = "not_transferable"
    SAME_MEMBER = "same_member"
    CONTENT_DIFFERS = "content_differs"
    CAP_REACHED = "cap_reached"
    SALE_KNOWN = "sale_known"
    GAME_CLOSED = "game_closed"
    LIMIT_REACHED = "limit_reached"
    RETURN_DOES_NOT_FIT = "return_does_not_fit"
    REFUND_DOES_NOT_FIT = "refund_does_not_fit"
    INSUFFICIENT_POINTS = "insufficient_points"
    POINTS_ALREADY_SPENT = "points_already_spent"

    @property
    def claims(self) -> bool:
        """Whether this refusal settles the activity id for good (a business refusal)."""
        return self in _CLAIMING


_CLAIMING = frozenset(
    {
        RefusalCode.HOLD_CLOSED,
        RefusalCode.TIER_NOT_GIVEN,
        RefusalCode.SALE_KNOWN,
        RefusalCode.GAME_CLOSED,
        RefusalCode.LIMIT_REACHED,
        RefusalCode.RETURN_DOES_NOT_FIT,
        RefusalCode.REFUND_DOES_NOT_FIT,
        RefusalCode.INSUFFICIENT_POINTS,
        RefusalCode.POINTS_ALREADY_SPENT,
    }
)


class Refusal(Struct, Advised, frozen=True):
    """A refusal of one line: its code, where in the line, and what to do about it."""

    code: RefusalCode
    said: Sentence
    field: str = ""
    advice: Sentence = NOTHING

    @property
    def whole(self) -> Sentence:
        """What is wrong and what to do about it."""
        if not self.advice:
            return self.said
        return sentence("%(message)s; %(remedy)s", message=self.said, remedy=self.advice)
