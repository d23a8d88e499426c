"""Pay-outs: money to a bank account. The room above that pays registers itself here."""

from __future__ import annotations

from collections.abc import Callable

from palier.rewards.document import Payout
from palier.rewards.kinds.contract import Leaf, Work, makes, takes_back
from palier.rewards.order_store import Item, NewItem
from palier.rewards.refusals import OrderRefusal, OrderRefused

PAYOUT = "payout"
Pay = Callable[[Work, Leaf, int, int], dict[str, object]]
"""Asks for a payment of (minor units) for a unit of an order; what it answers stands in the item's details."""
Withdraw = Callable[[Work, Item], None]
"""Takes a payment back that was not made yet; refuses (OrderRefused) where it was."""

_hooks: list[tuple[Pay, Withdraw]] = []


def register(pay: Pay, withdraw: Withdraw) -> None:
    """Names what pays, and what takes a payment back."""
    _hooks[:] = [(pay, withdraw)]


@makes(Payout)
def payout(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """A payment that was asked for: `amount` in minor units of the program's money."""
    gives = leaf.reward.gives
    assert isinstance(gives, Payout)
    if not _hooks:
        raise OrderRefused(
            OrderRefusal.REWARD_NOT_AVAILABLE,
            "nothing pays out here",
            field="reward",
            remedy="order another reward",
        )
    amount = work.money(gives.worth, leaf.variant)
    told = _hooks[0][0](work, leaf, unit, amount)
    details = {"amount": amount, "currency": work.plan.program.currency, "purpose": gives.purpose, **told}
    return [NewItem(unit, leaf.reward.key, PAYOUT, "open", None, work.now, 0, details)]


@takes_back(PAYOUT)
def withdraw(work: Work, item: Item) -> None:
    """Takes the payment back."""
    if _hooks:
        _hooks[0][1](work, item)
