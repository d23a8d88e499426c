"""The contract of kinds: making the items of one unit of a reward, and taking an item back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.amounts import to_minor
from palier.engine.clock import LocalClock
from palier.engine.document import Decimal
from palier.engine.plan import Plan
from palier.rewards import catalogue, stock
from palier.rewards.catalogue import Terms
from palier.rewards.document import Bundle, Reward, Slot, Variant
from palier.rewards.order_store import Item, NewItem, Order
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.rewards.stock import Need

DEEPEST: Final = 5
"""How deep rewards may be made of others."""


class Leaf(Struct, frozen=True):
    """One reward that an order hands out, `count` times for each of its units."""

    reward_id: int
    version: int
    reward: Reward
    variant: Variant | None = None
    slot: Slot | None = None
    count: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether it gives nothing by itself, but is made of others."""
        return isinstance(self.reward.gives, Bundle)

    def needs(self, units: int) -> dict[str, Need]:
        """What so many units of the order take of stock."""
        key, wanted = self.reward.key, units * self.count
        found: dict[str, Need] = {}
        if self.reward.stock is not None:
            found[stock.of_reward(key)] = Need(wanted, self.reward.stock)
        if self.variant is not None and self.variant.stock is not None:
            found[stock.of_variant(key, self.variant.key)] = Need(wanted, self.variant.stock, what="variant")
        if self.slot is not None:
            found[stock.of_slot(key, self.slot.key)] = Need(wanted, self.slot.capacity, what="slot")
        return found


@dataclass(slots=True)
class Work:
    """One order being handed out or taken back: its connection, program, order, who does it, and the instant.

    `given` is what the supplier or staff told of it.
    """

    connection: Connection[Any]
    runtime: Runtime
    order: Order
    actor: str
    now: int
    given: Mapping[str, Any] = field(default_factory=dict)
    numbered: int = 0

    @property
    def plan(self) -> Plan:
        """The program's version in force."""
        return self.runtime.timeline.at(self.now) or self.runtime.latest

    @property
    def clock(self) -> LocalClock:
        """The program's calendar."""
        return self.plan.clock

    def next_number(self) -> int:
        """A number for each thing of the order, from 1: the same things have the same numbers."""
        self.numbered += 1
        return self.numbered

    def until(self, days: int | None) -> int:
        """The same local time so many days from now; 0 without end."""
        return self.clock.add_days(self.now, days) if days is not None else 0

    def money(self, worth: Decimal | None, variant: Variant | None) -> int:
        """What one is worth in minor units of the program's money: its own, or its variant's, else 0."""
        text = worth if worth is not None else variant.worth if variant is not None else None
        return to_minor(text, self.plan.exponent) if text is not None else 0


Make = Callable[[Work, Leaf, int], list[NewItem]]
"""Makes the items of one of a reward for a unit of the order."""
Undo = Callable[[Work, Item], None]
"""Takes an item back: after it the item is void."""
Look = Callable[[Work, Sequence[Item]], None]
"""Brings items up to date with what stands elsewhere, such as the uses of a voucher."""
Reveal = Callable[[Work, Item], dict[str, str]]
"""Tells the secret of an item to its member: a code, a PIN, an address."""

KINDS: Final[dict[type, Make]] = {}
"""What a reward gives -> what makes it."""
UNDO: Final[dict[str, Undo]] = {}
"""Kind of item -> what takes it back beside making it void."""
LOOK: Final[dict[str, Look]] = {}
"""Kind of item -> what brings it up to date."""
REVEAL: Final[dict[str, Reveal]] = {}
"""Kind of item -> what tells its secret."""


def makes(*gives: type) -> Callable[[Make], Make]:
    """Names the function as what makes these."""

    def name(function: Make) -> Make:
        KINDS.update(dict.fromkeys(gives, function))
        return function

    return name


def takes_back(kind: str) -> Callable[[Undo], Undo]:
    """Names the function as what takes items of this kind back."""

    def name(function: Undo) -> Undo:
        UNDO[kind] = function
        return function

    return name


def looks_at(kind: str) -> Callable[[Look], Look]:
    """Names the function as what brings items of this kind up to date."""

    def name(function: Look) -> Look:
        LOOK[kind] = function
        return function

    return name


def reveals(kind: str) -> Callable[[Reveal], Reveal]:
    """Names the function as what tells the secret of items of this kind."""

    def name(function: Reveal) -> Reveal:
        REVEAL[kind] = function
        return function

    return name


def make(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """The items of one unit of an order from one of its rewards. Writes what stands behind them, not them."""
    found: list[NewItem] = []
    for _ in range(leaf.count):
        found += KINDS[type(leaf.reward.gives)](work, leaf, unit)
    return found


def untouched(item: Item) -> bool:
    """Whether nothing of an item was used, chosen, drawn, shown or sent."""
    if item.state not in ("open", "planned", "preparing"):
        return False
    return item.uses_left is None or item.uses_left == item.details.get("uses", item.uses_left)


def look_at(work: Work, items: Sequence[Item]) -> None:
    """Brings items up to date with what stands elsewhere. Writes nothing."""
    for kind, look in LOOK.items():
        wanted = [item for item in items if item.kind == kind and item.state != "void"]
        if wanted:
            look(work, wanted)


def undo(work: Work, item: Item) -> None:
    """Takes an item back; it is void. Does not write the item."""
    found = UNDO.get(item.kind)
    if found is not None:
        found(work, item)
    item.state = "void"


def expand(
    connection: Connection[Any],
    program_id: int,
    leaf: Leaf,
    *,
    at: int,
) -> list[Leaf]:
    """The rewards that one is made of, as of an instant; itself where it is no bundle.

    A bundle's own stock counts too: it comes first, and gives nothing by itself. Refused where a part is not there
    any more.
    """
    [found] = expand_each(connection, program_id, [leaf], at=at)
    if isinstance(found, OrderRefused):
        raise found
    return found


def expand_each(
    connection: Connection[Any], program_id: int, leaves: Sequence[Leaf], *, at: int
) -> list[list[Leaf] | OrderRefused]:
    """The same of several rewards, whose parts are read together; in place of one that lacks a part, its refusal."""
    known: dict[str, Terms] = {}
    asked: set[str] = set()
    level = [leaf.reward for leaf in leaves]
    for _ in range(DEEPEST):
        wanted = {
            part.reward
            for reward in level
            if isinstance(reward.gives, Bundle)
            for part in reward.gives.rewards
        }
        if wanted <= asked:
            break
        read = catalogue.terms_each(connection, program_id, wanted - asked, at)
        asked |= wanted
        known |= read
        level = [terms.reward for terms in read.values()]
    found: list[list[Leaf] | OrderRefused] = []
    for leaf in leaves:
        try:
            found.append(_expanded(leaf, known, 0))
        except OrderRefused as refused:
            found.append(refused)
    return found


def _expanded(leaf: Leaf, known: Mapping[str, Terms], depth: int) -> list[Leaf]:
    gives = leaf.reward.gives
    if not isinstance(gives, Bundle):
        return [leaf]
    if depth >= DEEPEST:
        raise AssertionError(f"{leaf.reward.key} is made of rewards more than {DEEPEST} deep")
    found = [leaf]
    for part in gives.rewards:
        inner = _part(known.get(part.reward), part.reward, part.variant, part.quantity * leaf.count)
        found += _expanded(inner, known, depth + 1)
    return found


def part_of(
    connection: Connection[Any], program_id: int, key: str, variant: str | None, count: int, *, at: int
) -> Leaf:
    """A reward that comes with another, as of an instant. Refused where it is not there any more."""
    return _part(catalogue.terms(connection, program_id, key, at), key, variant, count)


def _part(terms: Terms | None, key: str, variant: str | None, count: int) -> Leaf:
    found = terms.reward.variant(variant) if terms is not None and variant is not None else None
    if terms is None or (variant is not None and found is None):
        raise OrderRefused(
            OrderRefusal.REWARD_NOT_AVAILABLE,
            f"{key} is a part of this reward, and is not in the catalogue",
            field="reward",
            remedy="order another reward",
        )
    return Leaf(terms.reward_id, terms.version, terms.reward, found, None, count)
