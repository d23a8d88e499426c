"""Why an order is not taken, or not moved on: stable codes, in order of precedence."""

from __future__ import annotations

from enum import StrEnum


class OrderRefusal(StrEnum):
    """Every reason for which orders say no; docs/guides/orders.md tells each with its remedy."""

    PAYMENT_CARD_NUMBER = "payment_card_number"
    INVALID_ORDER = "invalid_order"
    UNKNOWN_REWARD = "unknown_reward"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_ITEM = "unknown_item"
    CONTENT_DIFFERS = "content_differs"
    MEMBER_NOT_ACTIVE = "member_not_active"
    ORDER_NOT_OPEN = "order_not_open"
    REWARD_NOT_AVAILABLE = "reward_not_available"
    UNKNOWN_OPTION = "unknown_option"
    ADDRESS_NEEDED = "address_needed"
    LIMIT_REACHED = "limit_reached"
    OUT_OF_STOCK = "out_of_stock"
    INSUFFICIENT_POINTS = "insufficient_points"
    NOT_CANCELLABLE = "not_cancellable"
    NOT_REFUNDABLE = "not_refundable"
    ITEM_NOT_USABLE = "item_not_usable"
    NOT_FULFILLED_HERE = "not_fulfilled_here"


class OrderRefused(Exception):
    """Something about an order was refused: nothing is left behind. `code` is stable, `message` one sentence."""

    def __init__(self, code: OrderRefusal, message: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.remedy = remedy
