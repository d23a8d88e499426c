"""Pay-outs that orders have paid for with points: a bill, a loan's instalment, cash for points.

They go to the account that is set for the member. One that is taken back, or that the bank returns, gives the order's
unit back: its points are in the lots that they came from.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.payouts import operations, queries
from palier.payouts.queries import Payout
from palier.payouts.refusals import PayoutRefused
from palier.rewards import orders
from palier.rewards.document import Payout as Gives
from palier.rewards.kinds.contract import Leaf, Work
from palier.rewards.kinds.payouts import register
from palier.rewards.order_store import Item
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.staff.approvals import Person


def pay(work: Work, leaf: Leaf, unit: int, amount: int) -> dict[str, object]:
    """Asks for the payment of a unit of an order; refused where the member has no account."""
    gives = leaf.reward.gives
    assert isinstance(gives, Gives)
    try:
        made = operations.ask_for_order(
            work.connection,
            work.runtime,
            member_id=work.order.member_id,
            order_id=work.order.order_id,
            unit=unit,
            purpose=gives.purpose,
            amount=amount,
            actor=work.actor,
            now=work.now,
        )
    except PayoutRefused as refused:
        raise OrderRefused(
            OrderRefusal.REWARD_NOT_AVAILABLE, refused.message, field="member", remedy=refused.remedy
        ) from None
    return {"payout": made.ref, "reference": made.reference}


def withdraw(work: Work, item: Item) -> None:
    """Takes a payment back that is in no batch; refused where it is on its way to the bank."""
    ids = queries.decode_payout_ref(str(item.details.get("payout", "")))
    found = queries.read(work.connection, work.order.program_id, *ids) if ids is not None else None
    if found is None or found.state in ("returned", "refused"):
        return
    try:
        operations.withdraw(work.connection, found, reason="order taken back", actor=work.actor, now=work.now)
    except PayoutRefused as refused:
        raise OrderRefused(
            OrderRefusal.NOT_REFUNDABLE,
            f"{refused.message}: the money is on its way to the bank",
            field="order",
            remedy="wait for what the bank does, or stop the batch",
        ) from None


def _came_back(
    connection: Connection[Any], runtime: Runtime, payout: Payout, reason: str, by: Person, now: int
) -> None:
    """What was not paid in the end is given back by its order."""
    if payout.order_id is not None and payout.unit is not None:
        orders.undelivered(
            connection, runtime, payout.member_id, payout.order_id, payout.unit,
            actor=by.actor, now=now, reason=reason or "not paid",
        )  # fmt: skip


register(pay, withdraw)
operations.when_not_paid(_came_back)
