"""The points of an order: set aside, spent, freed, given back; each by a decision of the engine."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection

from palier.activities import operations
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.engine.clock import MINUTE
from palier.engine.refusals import Refusal
from palier.rewards import order_store
from palier.rewards.order_store import FACTS, Order, Paid
from palier.rewards.refusals import OrderRefusal, OrderRefused

MARGIN_MINUTES: Final = 24 * 60
"""How much longer points are held than the order waits: its own end comes first, and frees them."""
LONG_HOLD_MINUTES: Final = operations.LONGEST_HOLD_MINUTES
"""How long points are held of an order that somebody has to fulfil."""


def hold(
    connection: Connection[Any], runtime: Runtime, order: Order, long: bool, now: int, *, at_once: bool
) -> None:
    """Sets the points of an order aside, or (`at_once`) spends them."""
    waits = max(order.expires_at - now, 0) // MINUTE + 1
    minutes = LONG_HOLD_MINUTES if long else min(waits + MARGIN_MINUTES, LONG_HOLD_MINUTES)
    for currency, points in sorted(order.price.points.items()):
        if not points:
            continue
        id = f"{order.order_id}:{currency}"
        if at_once:
            result = operations.redeem(
                connection, runtime, member_id=order.member_id, currency=currency, points=points,
                source=FACTS, id=id, now=now, partner=order.partner,
            )  # fmt: skip
        else:
            result = operations.hold(
                connection, runtime, member_id=order.member_id, currency=currency, points=points,
                minutes=minutes, source=FACTS, id=id, now=now, partner=order.partner,
            )  # fmt: skip
        _done(result)
        order.points.append(
            Paid(currency, points, id, result.activity_id, not at_once, "spent" if at_once else "held")
        )


def spend(connection: Connection[Any], runtime: Runtime, order: Order, now: int) -> None:
    """Spends what an order holds."""
    for paid in order.points:
        if paid.state == "held":
            result = operations.capture(
                connection, runtime, order.redemption(paid), points=None,
                source=FACTS, id=f"{paid.id}:capture", now=now,
            )  # fmt: skip
            if result.refusal is not None:
                raise OrderRefused(
                    OrderRefusal.ORDER_NOT_OPEN,
                    "the points are not held any more",
                    field="order",
                    remedy="read the order to see where it stands",
                )
            paid.state = "spent"


def free(connection: Connection[Any], runtime: Runtime, order: Order, now: int) -> None:
    """Frees what an order holds: the same points, with the end they had. Held no more, they were freed in time."""
    for paid in order.points:
        if paid.state == "held":
            operations.release(
                connection, runtime, order.redemption(paid), source=FACTS, id=f"{paid.id}:release", now=now
            )
            paid.state = "free"


def give_back(
    connection: Connection[Any], runtime: Runtime, order: Order, units: int, now: int, reason: str
) -> None:
    """Gives back the share of so many units more of what was spent, to the lots it came from."""
    until = order.refunded_units + units
    for paid in order.points:
        if paid.state != "spent":
            continue
        points = order_store.share(paid.points, until, order.units) - paid.refunded
        if points:
            _done(
                operations.refund(
                    connection, runtime, order.redemption(paid), points=points, source=FACTS,
                    id=f"{paid.id}:refund:{until}", now=now, reason=reason,
                )
            )  # fmt: skip
            paid.refunded += points


def _done(result: Result) -> None:
    """Refuses the order where a command of its points was refused."""
    refusal = result.refusal
    if refusal is not None:
        raise _refused(refusal)


def _refused(refusal: Refusal) -> OrderRefused:
    known = {"member_not_active", "insufficient_points", "limit_reached"}
    code = refusal.code.value
    return OrderRefused(
        OrderRefusal(code) if code in known else OrderRefusal.REWARD_NOT_AVAILABLE,
        refusal.message,
        field="reward",
        remedy=refusal.remedy,
    )
