"""Rewards made of others: bundles, mysteries of which one is drawn, choices of which the member picks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

import msgspec
from psycopg import Connection

from palier.activities import draws
from palier.engine.facts import Fact
from palier.rewards import stock
from palier.rewards.document import Bundle, Chance, Choice, Merchandise, Mystery, Subscription, parts_of
from palier.rewards.kinds.contract import Leaf, Work, expand, make, makes, part_of
from palier.rewards.order_store import Item, NewItem
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.rewards.stock import Need

CHOICE: Final = "choice"


@makes(Bundle)
def bundle(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """Nothing by itself: its parts stand beside it among the rewards of the order."""
    return []


def needs_of(leaves: Iterable[Leaf], units: int) -> dict[str, Need]:
    """What so many units of rewards that come together take of stock."""
    found: dict[str, Need] = {}
    for leaf in leaves:
        for key, need in leaf.needs(units).items():
            before = found[key].units if key in found else 0
            found[key] = msgspec.structs.replace(need, units=need.units + before)
    return found


def sent_of(connection: Connection[Any], program_id: int, leaves: Iterable[Leaf], *, at: int) -> Leaf | None:
    """The first thing that is sent to an address, of all that rewards may hand out by themselves; None: nothing is.

    What a mystery may draw counts, and what a subscription delivers. What a choice lets pick counts when it is picked.
    """
    for leaf in leaves:
        gives = leaf.reward.gives
        if isinstance(gives, Merchandise) and gives.shipped:
            return leaf
        if isinstance(gives, Mystery | Subscription):
            for _, part in parts_of(leaf.reward):
                inner = part_of(connection, program_id, part.reward, part.variant, 1, at=at)
                within = expand(connection, program_id, inner, at=at)
                found = sent_of(connection, program_id, within, at=at)
                if found is not None:
                    return found
    return None


def address_needed(leaf: Leaf) -> OrderRefused:
    """Something is sent, and nobody knows where to."""
    return OrderRefused(
        OrderRefusal.ADDRESS_NEEDED,
        f"{leaf.reward.key} is sent, and the order has no address",
        field="address",
        remedy="send the address it goes to",
    )


# --- mysteries ------------------------------------------------------------------------------------------------


def chances(connection: Connection[Any], program_id: int, leaf: Leaf, *, at: int) -> dict[str, int | None]:
    """The rows of stock that a draw may take, with their totals: all are locked before anything is drawn."""
    gives = leaf.reward.gives
    assert isinstance(gives, Mystery)
    found: dict[str, int | None] = {}
    for number, chance in enumerate(gives.options):
        for key, need in _of_chance(connection, program_id, leaf, number, chance, at)[1].items():
            found[key] = need.total
    return found


def _of_chance(
    connection: Connection[Any], program_id: int, leaf: Leaf, number: int, chance: Chance, at: int
) -> tuple[list[Leaf], dict[str, Need]]:
    """The rewards that come out with one of the chances, and what they take of stock."""
    inner = part_of(connection, program_id, chance.reward, chance.variant, 1, at=at)
    leaves = expand(connection, program_id, inner, at=at)
    needs = needs_of(leaves, 1)
    if chance.stock is not None:
        needs[stock.of_chance(leaf.reward.key, number)] = Need(1, chance.stock, what="chance")
    return leaves, needs


def number_drawn(drawn: str, reward: str, unit: int, nth: int) -> int:
    """The number below 2**256 that recorded bytes (in hexadecimal) draw for one thing of a unit of an order."""
    return int.from_bytes(sha256(f"{drawn}:{reward}:{unit}:{nth}".encode()).digest(), "big")


def field_drawn(number: int, weights: list[int]) -> int:
    """The field on which a number below 2**256 falls: each has its weight's share to within 2**-200."""
    total, cumulative = 0, []
    for weight in weights:
        total += weight
        cumulative.append(total)
    return bisect_right(cumulative, number * total >> 256)


@makes(Mystery)
def mystery(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """One of the rewards that are left, drawn by bytes that follow from the order's id and the month's seed.

    The same order draws the same, so repeating a call that was not answered draws nothing anew. What was drawn among,
    and what came out, is recorded with the order. Refused where nothing is left.
    """
    gives = leaf.reward.gives
    assert isinstance(gives, Mystery)
    order = work.order
    if "draw" not in order.details:
        named = Fact(order.source, order.id, "", 0)
        seed = draws.seed_of(work.connection, order.program_id, work.clock, work.now)
        order.details["draw"] = draws.drawn(*seed, named)
        order.details["drawn"] = []
    options = [
        _of_chance(work.connection, order.program_id, leaf, number, chance, order.created_at)
        for number, chance in enumerate(gives.options)
    ]
    keys = {key: need.total for _, needs in options for key, need in needs.items()}
    levels = stock.read(work.connection, order.program_id, keys)
    weights = [
        0 if stock.short(levels, needs) is not None else chance.weight
        for chance, (_, needs) in zip(gives.options, options, strict=True)
    ]
    if not any(weights):
        raise OrderRefused(
            OrderRefusal.OUT_OF_STOCK,
            "nothing is left to draw",
            field="reward",
            remedy="order another reward",
        )
    drawn: list[dict[str, Any]] = order.details["drawn"]
    field = field_drawn(number_drawn(str(order.details["draw"]), leaf.reward.key, unit, len(drawn)), weights)
    leaves, needs = options[field]
    taken = {key: need.units for key, need in needs.items()}
    stock.hand_out(work.connection, order.program_id, taken)
    for key, units in taken.items():
        order.stock_sold[key] = order.stock_sold.get(key, 0) + units
    drawn.append(
        {"unit": unit, "weights": weights, "field": field + 1, "reward": gives.options[field].reward}
    )
    return [item for one in leaves for item in make(work, one, unit)]


# --- choices --------------------------------------------------------------------------------------------------


@makes(Choice)
def choice(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """The right to pick, until it is too late."""
    gives = leaf.reward.gives
    assert isinstance(gives, Choice)
    details = {
        "pick": gives.pick,
        "among": [msgspec.to_builtins(part) for part in gives.rewards],
        "uses": gives.pick,
    }
    return [
        NewItem(
            unit, leaf.reward.key, CHOICE, "open", gives.pick, work.now,
            work.clock.add_days(work.now, gives.days_to_choose), details,
        )
    ]  # fmt: skip


def pick(work: Work, item: Item, reward: str, variant: str | None, *, addressed: bool) -> list[NewItem]:
    """What a member has from a choice when he picks one of its rewards; the choice has a pick less.

    Refused where it is not among them, where none of it is left, and where it is sent and the order is not
    `addressed`. Does not write the item.
    """
    parts = [
        part
        for part in item.details["among"]
        if part["reward"] == reward and (variant is None or part.get("variant") == variant)
    ]
    if not parts:
        raise OrderRefused(
            OrderRefusal.UNKNOWN_OPTION,
            "this is not among what can be chosen",
            field="reward",
            remedy="choose one of: " + ", ".join(part["reward"] for part in item.details["among"]),
        )
    part = parts[0]
    order = work.order
    inner = part_of(
        work.connection, order.program_id, reward, part.get("variant"), part.get("quantity", 1), at=work.now
    )
    leaves = expand(work.connection, order.program_id, inner, at=work.now)
    sent = sent_of(work.connection, order.program_id, leaves, at=work.now)
    if sent is not None and not addressed:
        raise address_needed(sent)
    needs = needs_of(leaves, 1)
    lacking = stock.reserve(work.connection, order.program_id, needs)
    if lacking is not None:
        raise OrderRefused(
            OrderRefusal.OUT_OF_STOCK, "none of it is left", field="reward", remedy="choose another"
        )
    taken = {key: need.units for key, need in needs.items()}
    stock.sell(work.connection, order.program_id, taken)
    for key, units in taken.items():
        order.stock_sold[key] = order.stock_sold.get(key, 0) + units
    assert item.uses_left is not None
    item.uses_left -= 1
    item.details.setdefault("chosen", []).append(reward)
    if not item.uses_left:
        item.state = "used"
    return [made for one in leaves for made in make(work, one, item.unit)]
