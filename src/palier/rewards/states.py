"""The states of an order, and what follows what.

waiting -> reserved -> fulfilling -> done -> partly_refunded -> refunded
   |          |            |           |           |
   |          |            |           +-----------+--> cancelled
   |          +-> expired  +-> cancelled
   |          +-> failed   +-> failed
   +----------+-> released
"""

from __future__ import annotations

from typing import Final

FOLLOWS: Final[dict[str, frozenset[str]]] = {
    "": frozenset({"waiting", "reserved"}),
    "waiting": frozenset({"reserved", "released", "expired"}),
    "reserved": frozenset({"fulfilling", "done", "released", "expired", "failed"}),
    "fulfilling": frozenset({"done", "failed", "cancelled"}),
    "done": frozenset({"partly_refunded", "refunded", "cancelled"}),
    "partly_refunded": frozenset({"partly_refunded", "refunded", "cancelled"}),
    "refunded": frozenset(),
    "released": frozenset(),
    "expired": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
"""State -> the states that may follow; "" is before the beginning."""

OPEN: Final = frozenset({"waiting", "reserved", "fulfilling"})
"""States in which an order is not settled yet."""
FULFILLED: Final = frozenset({"done", "partly_refunded"})
"""States in which the member holds something of the order."""
COUNTED: Final = frozenset({"waiting", "reserved", "fulfilling", "done", "partly_refunded", "refunded"})
"""States whose units, less those refunded, count towards a member's limits."""


def may_follow(state: str, after: str) -> bool:
    """Whether an order in a state may go on to another."""
    return after in FOLLOWS[state]
