"""What a till says to the person at it: what happened, what did not, what to do."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from palier.engine.refusals import RefusalCode
from palier.rewards.refusals import OrderRefusal
from palier.tills.refusals import TillRefusal
from palier.vouchers.refusals import VoucherRefusal


def refused(code: TillRefusal | str) -> str:
    """Why a till did not do something."""
    said: dict[str, str] = {
        TillRefusal.WRONG_CODE: _(
            "No till is expected under this code, or its half hour is over. Ask for a new one."
        ),
        TillRefusal.INVALID_KEY: _(
            "This browser could not make a key. Nothing was changed; load the page anew and try again."
        ),
        TillRefusal.TOO_MANY_LOOKUPS: _(
            "This shift has looked up as many members as it may. Nothing was shown; a manager signs in anew."
        ),
        TillRefusal.OWN_ACCOUNT: _("This is your own account. Nothing was done; let a colleague serve you."),
        TillRefusal.TOO_OFTEN: _(
            "You have credited this member as often as a day may see. Nothing was credited; ask a manager."
        ),
        TillRefusal.CODE_USED: _(
            "This code was used already. Nothing was done; let the member's phone show the next one."
        ),
        TillRefusal.CODE_NEEDED: _(
            "This is not the member's code for using points, or its half minute is over. Nothing was taken; "
            "let him open it again and scan it."
        ),
        TillRefusal.NOTHING_OFF: _(
            "This reward takes nothing off this basket. No points were used; type the amount first, or choose another."
        ),
        TillRefusal.UNKNOWN_SALE: _(
            "No sale has this number. Nothing was changed; read it from the receipt, such as 3-42."
        ),
        TillRefusal.SALE_CHANGED: _(
            "The sale has changed meanwhile. Nothing was taken back; look at it again."
        ),
        TillRefusal.NOTHING_LEFT: _("This sale was taken back already. Nothing was changed."),
        TillRefusal.UNKNOWN_TICKET: _(
            "No basket waits under this ticket. Type the amount, or let the register send it again."
        ),
        TillRefusal.UNKNOWN_MEMBER: _(
            "No member has this card. Nothing was credited; enrol him with it, then send the sale again."
        ),
        TillRefusal.NOT_LOOKED_UP: _(
            "This till did not find the member before the sale. Nothing was credited; find him and enter it anew."
        ),
        TillRefusal.ENTRY_TOO_OLD: _(
            "The sale was kept for more than two weeks. It was not credited; a manager reviews it."
        ),
        TillRefusal.SET_ASIDE: _(
            "The office reviewed this sale and set it aside. Nothing more is to be done."
        ),
        TillRefusal.ENTRY_DIFFERS: _(
            "Another sale has this number. This one was not credited; enter it anew."
        ),
        TillRefusal.WRONG_SIGNATURE: _(
            "The sale is not as this till signed it. It was not credited; enter it anew."
        ),
        TillRefusal.MALFORMED_ENTRY: _(
            "The sale cannot be read, or its amount has no such form. It was not credited; enter it anew."
        ),
        TillRefusal.DEVICE_REVOKED: _("This till was ended. What it kept waits for a review."),
        RefusalCode.MEMBER_NOT_ACTIVE: _(
            "The member's account is on hold. Nothing was changed; the office can tell why."
        ),
        RefusalCode.SALE_KNOWN: _(
            "The register has sent this sale already, so it is credited. Nothing more is to be done."
        ),
        RefusalCode.IN_THE_FUTURE: _(
            "The tablet's clock is ahead. The sale was not credited; set the clock, and enter it anew."
        ),
        RefusalCode.INVALID_AMOUNT: _(
            "The amount is not one. Write digits, with nothing between the thousands, such as 1250 or 12.50."
        ),
        RefusalCode.BEFORE_PROGRAM: _("The program did not run at that moment. Nothing was credited."),
        RefusalCode.POINTS_ALREADY_SPENT: _(
            "The points of this sale are spent, and the program takes none back that are. Nothing was changed."
        ),
        RefusalCode.RETURN_DOES_NOT_FIT: _("More was to be taken back than was bought. Nothing was changed."),
        RefusalCode.CONTENT_DIFFERS: _(
            "Another sale has this number. This one was not credited; enter it anew."
        ),
    }
    return said.get(
        code, _("It was not done, and nothing was changed. Try again; if it stays so, tell the office.")
    )


OFFLINE_CODES = (
    TillRefusal.OWN_ACCOUNT,
    TillRefusal.TOO_OFTEN,
    TillRefusal.CODE_USED,
    TillRefusal.UNKNOWN_MEMBER,
    TillRefusal.NOT_LOOKED_UP,
    TillRefusal.SET_ASIDE,
    TillRefusal.ENTRY_TOO_OLD,
    TillRefusal.ENTRY_DIFFERS,
    TillRefusal.WRONG_SIGNATURE,
    TillRefusal.MALFORMED_ENTRY,
    RefusalCode.MEMBER_NOT_ACTIVE,
    RefusalCode.SALE_KNOWN,
    RefusalCode.IN_THE_FUTURE,
    RefusalCode.INVALID_AMOUNT,
)
"""Why a sale that was kept can be refused once the network is back."""


def order_refused(code: OrderRefusal) -> str:
    """Why a reward was not given."""
    return {
        OrderRefusal.OUT_OF_STOCK: _("The last one has just gone. No points were taken; choose another."),
        OrderRefusal.INSUFFICIENT_POINTS: _("The member has not enough for it. No points were taken."),
        OrderRefusal.LIMIT_REACHED: _(
            "The member has had as many as there are for one person. No points were taken."
        ),
        OrderRefusal.MEMBER_NOT_ACTIVE: _("The member's account is on hold. No points were taken."),
        OrderRefusal.CONTENT_DIFFERS: _(
            "This was asked for before in another way. No points were taken; begin anew."
        ),
    }.get(code, _("It cannot be had just now. No points were taken."))


def voucher_refused(code: VoucherRefusal) -> str:
    """Why a voucher was not used."""
    return {
        VoucherRefusal.MISTYPED_CODE: _("This is no voucher's code. Read it again; nothing was used."),
        VoucherRefusal.UNKNOWN_VOUCHER: _(
            "No voucher has this code, or it belongs to somebody else. Find its member first, or read it again."
        ),
        VoucherRefusal.VOUCHER_CANCELLED: _("The voucher was cancelled. Nothing was used."),
        VoucherRefusal.VOUCHER_NOT_YET_VALID: _("The voucher is not valid yet. Nothing was used."),
        VoucherRefusal.VOUCHER_EXPIRED: _("The voucher has expired. Nothing was used."),
        VoucherRefusal.VOUCHER_USED_UP: _("The voucher was used already. Nothing more was used."),
        VoucherRefusal.MEMBER_NOT_ACTIVE: _("The member's account is on hold. Nothing was used."),
    }.get(code, _("The voucher cannot be used. Nothing was changed."))


def too_often(wait_s: float) -> str:
    """How long to wait after too many tries."""
    minutes = max(1, round(wait_s / 60))
    return ngettext(
        "Too many tries. Nothing was changed; wait %(count)d minute.",
        "Too many tries. Nothing was changed; wait %(count)d minutes.",
        minutes,
    ) % {"count": minutes}
