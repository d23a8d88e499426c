"""What suppliers hand out: orders tell whoever sends to suppliers what to order, and what to call off.

The sender registers itself here, so that orders need not know how suppliers are reached. Both run in the order's
transaction, under the member's lock, and write messages; nothing is sent before the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from palier.rewards.kinds.contract import Leaf, Work
from palier.rewards.order_store import Item
from palier.rewards.refusals import OrderRefusal, OrderRefused

Send = Callable[[Work, Sequence[Leaf]], None]
"""Writes the messages for what suppliers hand out of an order."""
CallOff = Callable[[Work], bool]
"""Calls an order off; True where nothing was sent yet, so that it ends here and now."""
Close = Callable[[Work, bool], None]
"""Ends what is under way of an order that a person settled: whether it was handed out."""
Reveal = Callable[[Work, Item], dict[str, str]]
"""Tells what the supplier delivered for an item: its code, PIN or address."""

_senders: list[tuple[Send, CallOff, Close, Reveal]] = []


def register(send: Send, call_off: CallOff, close: Close, reveal: Reveal) -> None:
    """Names who sends orders to suppliers."""
    _senders[:] = [(send, call_off, close, reveal)]


def send(work: Work, leaves: Sequence[Leaf]) -> None:
    """Has suppliers asked for what they hand out. Refused where nothing reaches suppliers."""
    if not _senders:
        raise OrderRefused(
            OrderRefusal.REWARD_NOT_AVAILABLE,
            "no supplier is reached from here",
            field="reward",
            remedy="set a supplier up, or have staff hand the reward out",
        )
    _senders[0][0](work, leaves)


def call_off(work: Work) -> bool:
    """Calls off what suppliers were asked for; True where nothing was sent yet."""
    return not _senders or _senders[0][1](work)


def reveal(work: Work, item: Item) -> dict[str, str]:
    """What the supplier delivered for an item."""
    if not _senders:
        raise OrderRefused(
            OrderRefusal.ITEM_NOT_USABLE,
            "no supplier is reached from here",
            field="item",
            remedy="ask the shop",
        )
    return _senders[0][3](work, item)


def close(work: Work, delivered: bool) -> None:
    """Asks suppliers nothing more about an order that a person settled."""
    if _senders:
        _senders[0][2](work, delivered)
