"""Orders: a member redeems a reward of the catalogue, in one transaction for each step.

Every step takes, in this order: what judges (shared), the member's lock, the points (which may lock shared limits),
the rows of stock in the order of their keys, then vouchers and pools. None commits: they run inside `batch.attempt`.
What is refused (OrderRefused) leaves nothing behind, nor does it take the order's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, operations
from palier.activities.runtime import Runtime, settled
from palier.activities.store import LOCK
from palier.engine.clock import HOUR, MINUTE, moment
from palier.engine.instants import parse_instant
from palier.engine.payment_cards import holds_number
from palier.engine.state import MemberState, decode_state
from palier.members import queries as members
from palier.rewards import addresses, catalogue, kinds, order_limits, order_points, order_store, stock, supply
from palier.rewards.catalogue import Asked, MemberStanding, Terms
from palier.rewards.document import (
    Experience,
    Mystery,
    Reward,
    Subscription,
    Sweepstake,
)
from palier.rewards.kinds import Leaf, Work
from palier.rewards.order_store import Agreed, Item, Order
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.rewards.states import FULFILLED
from palier.rewards.stock import Need
from palier.site.ids import new_id

MOST_UNITS: Final = 1000
"""The most units of one order."""


class Wanted(Struct, frozen=True, omit_defaults=True):
    """What is ordered: a reward by its key, so many, at one of its prices, in one of its forms.

    `wait`: whether to stand in line where the slot is full. `address` is whoever it is sent to. `points_alone`:
    not at a price with money beside the points, for where nobody collects money.
    """

    reward: str
    quantity: int = 1
    price: str | None = None
    variant: str | None = None
    slot: str | None = None
    address: addresses.Address | None = None
    wait: bool = False
    channel: str | None = None
    location: str | None = None
    points_alone: bool = False


class Placed(Struct, frozen=True):
    """An order after a step, with what the member holds from it. `replayed`: an earlier call did it."""

    order: Order
    items: tuple[Item, ...] = ()
    replayed: bool = False


# --- placing --------------------------------------------------------------------------------------------------


def place(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    wanted: Wanted,
    source: str,
    id: str,
    confirm: bool,
    actor: str,
    now: int,
) -> Placed:
    """Reserves a reward for a member: points held, stock held; with `confirm`, also what `confirm` does.

    The id is taken for ever: sent again with the same content it is answered with the order as it is now. Refused
    where the reward is not there or not for this member, where a limit or the stock is used up, and where the points
    do not suffice. Where its slot is full and `wait` is asked for, the order waits, and holds no points.
    """
    texts = {"source": source, "id": id, "channel": wanted.channel or "", "location": wanted.location or ""}
    refuse_card_numbers(texts, wanted.address)
    runtime, state = locked(connection, runtime, member_id)
    content = sha256(b"order\0" + msgspec.json.encode([member_id, wanted, confirm])).digest()
    try:
        mine = order_store.claim(
            connection, runtime.program_id, source, id, member_id, order_id := new_id(), content, now=now
        )
    except LookupError as error:
        raise batch.Conflict(str(error)) from None
    if mine is not None:
        return _again(connection, runtime, mine, member_id, content)
    _lapse(connection, runtime, member_id, now=now)
    terms = catalogue.terms(connection, runtime.program_id, wanted.reward, now)
    if terms is None:
        raise OrderRefused(
            OrderRefusal.UNKNOWN_REWARD,
            "the catalogue has no such reward",
            field="reward",
            remedy="use the key of a reward of the catalogue",
        )
    view = members.read(connection, runtime.program_id, member_id)
    if view is None:
        raise operations.NotDone(operations.unknown_member("member"))
    leaf = _chosen(terms, wanted)
    asked = _offered(runtime, terms.reward, wanted, catalogue.standing_of(runtime, view, state, now=now), now)
    leaves = kinds.expand(connection, runtime.program_id, leaf, at=now)
    _refuse_unsuitable(runtime, wanted, leaves, now)
    if wanted.address is None:
        sent = kinds.sent_of(connection, runtime.program_id, leaves, at=now)
        if sent is not None:
            raise kinds.address_needed(sent)
    order = _new(runtime, terms, wanted, asked, member_id, order_id, source, id, now)
    order_limits.refuse_beyond(connection, runtime, order, terms.reward, now)
    needs = order_limits.needs(runtime, terms.reward, leaves, wanted.quantity, now)
    levels = stock.read(connection, runtime.program_id, needs)
    lacking = stock.short(levels, needs)
    if lacking is not None:
        if needs[lacking].what != "slot" or not _can_wait(leaf, wanted):
            raise order_limits.none_left(needs[lacking])
        return _stand_in_line(connection, order, leaf, needs[lacking], lacking, wanted, actor)
    at_once = confirm and not _awaited(leaves)
    order_points.hold(connection, runtime, order, bool(_awaited(leaves)), now, at_once=at_once)
    if at_once:
        order_limits.lock_chances(connection, runtime, leaves, needs, now)
    lacking = stock.reserve(connection, runtime.program_id, needs)
    if lacking is not None:
        if needs[lacking].what == "slot" and _can_wait(leaf, wanted):
            raise batch.Conflict("the last place went meanwhile: the order stands in line")
        raise order_limits.none_left(needs[lacking])
    order.stock_held = {key: need.units for key, need in needs.items()}
    order_store.insert(connection, order, actor=actor)
    if wanted.address is not None:
        addresses.keep(connection, order, wanted.address)
    if not confirm:
        return Placed(order)
    return _go_on(connection, runtime, order, leaves, actor, now)


def refuse_card_numbers(texts: Mapping[str, str], address: addresses.Address | None) -> None:
    """Refused where one of the texts, by field, or the address holds the number of a payment card."""
    if address is not None:
        texts = {**texts, "address": "\n".join((address.name, *address.lines, address.city))}
    for field, text in texts.items():
        if holds_number(text, "id"):
            raise OrderRefused(
                OrderRefusal.PAYMENT_CARD_NUMBER,
                "this holds the number of a payment card",
                field=field,
                remedy="send the payment provider's token, or an id of your own",
            )


def locked(connection: Connection[Any], runtime: Runtime, member_id: int) -> tuple[Runtime, MemberState]:
    """The program as it judges, and the member's state, both held until the transaction ends."""
    runtime = settled(connection, runtime)
    row = connection.execute(LOCK, {"members": [member_id]}).fetchone()
    if row is None:
        raise _unknown_order()
    return runtime, decode_state(row[1])


def _unknown_order() -> OrderRefused:
    return OrderRefused(
        OrderRefusal.UNKNOWN_ORDER, "there is no such order", field="order", remedy="check its reference"
    )


def _again(
    connection: Connection[Any],
    runtime: Runtime,
    mine: tuple[int, int, bytes],
    member_id: int,
    content: bytes,
) -> Placed:
    owner, order_id, stored = mine
    if owner != member_id or stored != content:
        raise OrderRefused(
            OrderRefusal.CONTENT_DIFFERS,
            "this id was used before, with other content",
            field="id",
            remedy="use a new id for a new order",
        )
    order = order_store.read(connection, runtime.program_id, owner, order_id)
    if order is None:
        raise batch.Conflict("a claim is seen before its order")
    return Placed(order, tuple(order_store.items(connection, owner, [order_id])[order_id]), replayed=True)


def _new(
    runtime: Runtime,
    terms: Terms,
    wanted: Wanted,
    asked: Asked,
    member_id: int,
    order_id: int,
    source: str,
    id: str,
    now: int,
) -> Order:
    reward = terms.reward
    minutes = reward.hold_minutes if reward.hold_minutes is not None else runtime.latest.hold_minutes
    units = wanted.quantity * (reward.gives.deliveries if isinstance(reward.gives, Subscription) else 1)
    declared = {partner.key for partner in runtime.latest.program.partners}
    return Order(
        member_id,
        order_id,
        runtime.program_id,
        terms.reward_id,
        reward.key,
        terms.version,
        reward.kind,
        "reserved",
        wanted.quantity,
        units,
        0,
        Agreed(asked.key, asked.points, asked.money, asked.money_currency),
        [],
        {},
        {},
        wanted.variant,
        wanted.slot,
        source,
        id,
        reward.partner if reward.partner in declared else None,
        wanted.channel,
        wanted.location,
        now,
        now + minutes * MINUTE,
    )


def _chosen(terms: Terms, wanted: Wanted) -> Leaf:
    """The reward in the form that was asked for."""
    reward = terms.reward
    variant = reward.variant(wanted.variant) if wanted.variant is not None else None
    slot = reward.slot(wanted.slot) if wanted.slot is not None else None
    for name, asked, found, there in (
        ("variant", wanted.variant, variant, reward.variants),
        ("slot", wanted.slot, slot, reward.slots),
    ):
        if (asked is not None and found is None) or (asked is None and there):
            keys = ", ".join(item.key for item in there[:20])
            raise OrderRefused(
                OrderRefusal.UNKNOWN_OPTION,
                f"the reward has no such {name}" if asked is not None else f"the order names no {name}",
                field=name,
                remedy=f"use one of: {keys}" if keys else "leave it out",
            )
    return Leaf(terms.reward_id, terms.version, reward, variant, slot)


def _offered(runtime: Runtime, reward: Reward, wanted: Wanted, standing: MemberStanding, now: int) -> Asked:
    """The price at which the member may have it. Refused where he may not."""
    found = catalogue.offer(
        runtime, reward, standing, at=now, variant=wanted.variant, quantity=wanted.quantity
    )
    asked = found.in_points if wanted.points_alone else found.price(wanted.price)
    for reason in found.reasons:
        if reason.code == "member_not_active":
            raise OrderRefused(
                OrderRefusal.MEMBER_NOT_ACTIVE,
                f"the member is {standing.status}",
                field="member",
                remedy="nothing can be spent until the member is active again",
            )
        if reason.code not in ("too_few_points", "below_minimum"):
            raise OrderRefused(
                OrderRefusal.REWARD_NOT_AVAILABLE,
                f"the reward cannot be had: {reason.en}",
                field="reward",
                remedy="show members only what they are offered",
            )
    if asked is None and wanted.points_alone:
        raise OrderRefused(
            OrderRefusal.REWARD_NOT_AVAILABLE,
            "the reward has no price in points alone",
            field="reward",
            remedy="whoever collects the money orders it, and names the price",
        )
    if asked is None:
        raise OrderRefused(
            OrderRefusal.UNKNOWN_OPTION,
            "the reward has no such price",
            field="price",
            remedy="use one of: " + ", ".join(price.key for price in found.prices),
        )
    if not asked.allowed:
        raise OrderRefused(
            OrderRefusal.REWARD_NOT_AVAILABLE,
            "the price is not for the member's tier",
            field="price",
            remedy="name another price, or none",
        )
    lacking = next((r.en for r in found.reasons if r.code in ("too_few_points", "below_minimum")), None)
    if lacking is None and asked.missing:
        lacking = "points are missing for this price"
    if lacking is not None:
        raise OrderRefused(
            OrderRefusal.INSUFFICIENT_POINTS, lacking, field="reward", remedy="let the member earn them first"
        )
    return asked


def _refuse_unsuitable(runtime: Runtime, wanted: Wanted, leaves: Sequence[Leaf], now: int) -> None:
    """Refuses what the things that are handed out cannot be ordered with, or no more."""
    if not 1 <= wanted.quantity <= MOST_UNITS:
        raise OrderRefused(
            OrderRefusal.INVALID_ORDER,
            f"an order is for 1 to {MOST_UNITS}",
            field="quantity",
            remedy="split the order",
        )
    for leaf in leaves:
        gives = leaf.reward.gives
        if leaf.slot is not None and parse_instant(leaf.slot.starts_at) <= now:
            raise OrderRefused(
                OrderRefusal.REWARD_NOT_AVAILABLE,
                "the date has begun",
                field="slot",
                remedy="choose a later date",
            )
        if isinstance(gives, Sweepstake) and parse_instant(gives.draw_at) <= now:
            raise OrderRefused(
                OrderRefusal.REWARD_NOT_AVAILABLE,
                "the draw is closed",
                field="reward",
                remedy="order another reward",
            )


# --- going on --------------------------------------------------------------------------------------------------


def find(connection: Connection[Any], runtime: Runtime, member_id: int, order_id: int) -> Order:
    """An order of a member of the program; refused (unknown_order) where there is none."""
    order = order_store.read(connection, runtime.program_id, member_id, order_id)
    if order is None:
        raise _unknown_order()
    return order


def held(connection: Connection[Any], runtime: Runtime, order: Order, *, now: int) -> list[Item]:
    """What a member holds from an order, as it stands: uses of vouchers are counted by the vouchers."""
    return held_of(connection, runtime, [order], now=now)[order.order_id]


def held_of(
    connection: Connection[Any], runtime: Runtime, found: Sequence[Order], *, now: int
) -> dict[int, list[Item]]:
    """What one member holds from some of his orders, by order, as it stands."""
    if not found:
        return {}
    held = order_store.items(connection, found[0].member_id, [order.order_id for order in found])
    kinds.look_at(
        Work(connection, runtime, found[0], "", now), [item for items in held.values() for item in items]
    )
    return held


def confirm(
    connection: Connection[Any], runtime: Runtime, member_id: int, order_id: int, *, actor: str, now: int
) -> Placed:
    """Fulfils a reserved order: what the system hands out is handed out and the points are spent, at once.

    Where staff or a supplier hands out a part, the order is being fulfilled, and its points stay held until that is
    done. Refused where the order is not reserved, or its time is over.
    """
    runtime, _ = locked(connection, runtime, member_id)
    order = _open(connection, runtime, member_id, order_id, {"reserved"}, now)
    leaves = leaves_of(connection, order)
    return _go_on(connection, runtime, order, leaves, actor, now)


def _open(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    states: frozenset[str] | set[str],
    now: int,
) -> Order:
    order = find(connection, runtime, member_id, order_id)
    state = order.state_at(now)
    if state not in states:
        raise _not_open(f"the order is {state.replace('_', ' ')}")
    return order


def _not_open(message: str) -> OrderRefused:
    return OrderRefused(
        OrderRefusal.ORDER_NOT_OPEN, message, field="order", remedy="read the order to see where it stands"
    )


def leaves_of(connection: Connection[Any], order: Order) -> list[Leaf]:
    """The rewards that an order hands out, as they were agreed on."""
    reward = catalogue.document(connection, order.program_id, order.reward_id, order.version)
    leaf = Leaf(
        order.reward_id,
        order.version,
        reward,
        reward.variant(order.variant) if order.variant is not None else None,
        reward.slot(order.slot) if order.slot is not None else None,
    )
    return kinds.expand(connection, order.program_id, leaf, at=order.created_at)


def _awaited(leaves: Iterable[Leaf]) -> list[str]:
    """Who has to hand out a part beside the system: staff, supplier."""
    return sorted({leaf.reward.fulfilment for leaf in leaves if not leaf.is_whole} - {"system"})


def _go_on(
    connection: Connection[Any],
    runtime: Runtime,
    order: Order,
    leaves: Sequence[Leaf],
    actor: str,
    now: int,
) -> Placed:
    awaited = _awaited(leaves)
    if not awaited:
        return _finish(connection, runtime, order, leaves, {}, actor, now)
    order.details["awaits"] = awaited
    order.expires_at = 0
    order_store.move(connection, order, "fulfilling", at=now, actor=actor)
    if "supplier" in awaited:
        supply.send(Work(connection, runtime, order, actor, now), leaves)
    return Placed(order)


def _finish(
    connection: Connection[Any],
    runtime: Runtime,
    order: Order,
    leaves: Sequence[Leaf],
    given: Mapping[str, Any],
    actor: str,
    now: int,
    reason: str = "",
) -> Placed:
    """Spends the points, sells the stock, and hands everything out."""
    order_points.spend(connection, runtime, order, now)
    needs = {key: Need(units, None) for key, units in order.stock_held.items()}
    order_limits.lock_chances(connection, runtime, leaves, needs, order.created_at)
    stock.sell(connection, order.program_id, order.stock_held)
    order.stock_held, order.stock_sold = {}, order.stock_held
    work = Work(connection, runtime, order, actor, now, given)
    made = [
        item for unit in range(1, order.units + 1) for leaf in leaves for item in kinds.make(work, leaf, unit)
    ]
    order.expires_at, order.done_at = 0, now
    order.details.pop("awaits", None)
    items = order_store.add_items(connection, order, made)
    order_store.move(connection, order, "done", at=now, actor=actor, reason=reason)
    return Placed(order, tuple(items))


def fulfil(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    *,
    by: str,
    given: Mapping[str, Any],
    actor: str,
    now: int,
    reason: str = "",
) -> Placed:
    """Staff or the supplier (`by`) has handed out its part; with the last part the order is done.

    `given` is what was told of it, as the supplier's number. Refused where the order does not wait for it.
    """
    runtime, _ = locked(connection, runtime, member_id)
    order = _open(connection, runtime, member_id, order_id, {"fulfilling"}, now)
    awaits = list(order.details.get("awaits", ()))
    if by not in awaits:
        raise OrderRefused(
            OrderRefusal.NOT_FULFILLED_HERE,
            f"the order waits for {' and '.join(awaits) or 'nobody'}",
            field="order",
            remedy="leave it to them",
        )
    awaits.remove(by)
    if by == "supplier":
        supply.close(Work(connection, runtime, order, actor, now), True)
    if given:
        order.details[by] = dict(given)
    if awaits:
        order.details["awaits"] = awaits
        order_store.save(connection, order)
        return Placed(order)
    return _finish(
        connection,
        runtime,
        order,
        leaves_of(connection, order),
        order.details.get("supplier", {}),
        actor,
        now,
        reason,
    )


def release(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    *,
    actor: str,
    now: int,
    reason: str = "",
) -> Placed:
    """Lets a reservation go: its points and stock are free again. Refused once it was confirmed, or is over."""
    runtime, _ = locked(connection, runtime, member_id)
    order = _open(connection, runtime, member_id, order_id, {"reserved", "waiting"}, now)
    return Placed(_let_go(connection, runtime, order, "released", actor, now, reason))


def fail(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    *,
    actor: str,
    now: int,
    reason: str,
    cancelled: bool = False,
) -> Placed:
    """It cannot be fulfilled: the member has the same points back, with the end they had. Refused once it is done.

    `cancelled`: because the member wanted it called off, and the supplier did so.
    """
    runtime, _ = locked(connection, runtime, member_id)
    order = _open(connection, runtime, member_id, order_id, {"reserved", "fulfilling"}, now)
    if "supplier" in order.details.get("awaits", ()):
        supply.close(Work(connection, runtime, order, actor, now), False)
    state = "cancelled" if cancelled and order.state == "fulfilling" else "failed"
    return Placed(_let_go(connection, runtime, order, state, actor, now, reason))


def expire(
    connection: Connection[Any], runtime: Runtime, member_id: int, order_id: int, *, actor: str, now: int
) -> bool:
    """Ends a reservation, or a wait, whose time is over; False where it is not, or is no more."""
    runtime, _ = locked(connection, runtime, member_id)
    order = order_store.read(connection, runtime.program_id, member_id, order_id)
    if order is None or order.state == "expired" or order.state_at(now) != "expired":
        return False
    _let_go(connection, runtime, order, "expired", actor, now, "")
    return True


def _let_go(
    connection: Connection[Any],
    runtime: Runtime,
    order: Order,
    state: str,
    actor: str,
    now: int,
    reason: str,
) -> Order:
    """Frees all that an order holds, and ends it."""
    order_points.free(connection, runtime, order, now)
    if order.state == "waiting":
        line = str(order.details["line"])
        stock.lock(connection, order.program_id, {line: None})
        stock.queue(connection, order.program_id, line, -1)
    stock.free(connection, order.program_id, order.stock_held)
    order.stock_held = {}
    order_store.move(connection, order, state, at=now, actor=actor, reason=reason)
    return order


LAPSED: Final = """
-- orders.lapsed_of_member
select order_id from reward_order
where member_id = %(member)s and program_id = %(program)s and state in ('reserved', 'waiting')
  and expires_at <= %(now)s
order by order_id
"""


def _lapse(connection: Connection[Any], runtime: Runtime, member_id: int, *, now: int) -> None:
    """Ends the member's own reservations whose time is over, so that their points and units count as free."""
    rows = connection.execute(
        LAPSED, {"member": member_id, "program": runtime.program_id, "now": moment(now)}
    ).fetchall()
    for (order_id,) in rows:
        expire(connection, runtime, member_id, order_id, actor="palier", now=now)


# --- taking back -----------------------------------------------------------------------------------------------


def cancel(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    *,
    actor: str,
    now: int,
    reason: str = "",
) -> Placed:
    """The member no longer wants it: all of it is taken back, as far as the reward allows.

    What is only reserved, or waits, is released. Refused where the order is settled (order_not_open), and where the
    reward does not allow it, not any more, or something of it was used (not_cancellable).
    """
    runtime, _ = locked(connection, runtime, member_id)
    order = _open(
        connection, runtime, member_id, order_id, {"waiting", "reserved", "fulfilling", *FULFILLED}, now
    )
    if order.state in ("waiting", "reserved"):
        return Placed(_let_go(connection, runtime, order, "released", actor, now, reason))
    leaves = leaves_of(connection, order)
    _refuse_uncancellable(runtime, order, leaves, now)
    if order.state == "fulfilling":
        work = Work(connection, runtime, order, actor, now)
        if "supplier" in order.details.get("awaits", ()) and not supply.call_off(work):
            # The supplier was asked already: what it answers decides.
            return Placed(order)
        return Placed(_let_go(connection, runtime, order, "cancelled", actor, now, reason))
    items = held(connection, runtime, order, now=now)
    if not all(kinds.untouched(item) for item in items if item.state != "void"):
        raise _not_cancellable("something of it was used")
    return _take_back(
        connection, runtime, order, items, order.units - order.refunded_units, "cancelled", actor, now, reason
    )


def _refuse_uncancellable(runtime: Runtime, order: Order, leaves: Sequence[Leaf], now: int) -> None:
    rules = leaves[0].reward.giving_back
    if rules.cancellable == "never" or (rules.cancellable == "until_done" and order.state in FULFILLED):
        raise _not_cancellable("the reward is not taken back")
    if any(isinstance(leaf.reward.gives, Mystery) for leaf in leaves) and order.state in FULFILLED:
        raise _not_cancellable("what was drawn stays")
    clock = runtime.at(now).clock
    if rules.cancellable_days is not None and clock.add_days(order.created_at, rules.cancellable_days) <= now:
        raise _not_cancellable("it is too late")
    for leaf in leaves:
        before = (rules.hours_before or 0) * HOUR
        if leaf.slot is not None and parse_instant(leaf.slot.starts_at) - before <= now:
            raise _not_cancellable("it is too late")
        if isinstance(leaf.reward.gives, Sweepstake) and parse_instant(leaf.reward.gives.draw_at) <= now:
            raise _not_cancellable("the draw is closed")


def _not_cancellable(message: str) -> OrderRefused:
    return OrderRefused(OrderRefusal.NOT_CANCELLABLE, message, field="order", remedy="staff may refund it")


def refund(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    *,
    units: int | None,
    also_used: bool = False,
    restock: bool = True,
    actor: str,
    now: int,
    reason: str,
) -> Placed:
    """Staff takes back so many units (None: all that are left), and gives back their share of the points.

    The share is cumulative and rounded down, so that all units together bring back exactly what was paid. Units of
    which nothing was used come first; those that were used only with `also_used`. With `restock` the units can be
    had again. Refused where the order was not handed out, or is past the days that the reward allows.
    """
    runtime, _ = locked(connection, runtime, member_id)
    order = _open(connection, runtime, member_id, order_id, FULFILLED, now)
    reward = catalogue.document(connection, order.program_id, order.reward_id, order.version)
    days = reward.giving_back.refundable_days
    if days is not None and (not days or runtime.at(now).clock.add_days(order.done_at, days) <= now):
        raise _not_refundable("the days in which it is refunded are over" if days else "it is not refunded")
    left = order.units - order.refunded_units
    wanted = units if units is not None else left
    if not 1 <= wanted <= left:
        raise _not_refundable(f"{left} units are left to refund", "units")
    items = held(connection, runtime, order, now=now)
    if any(item.kind == "entry" and item.state == "open" and item.valid_until <= now for item in items):
        raise _not_refundable("the draw is under way")
    chosen = _units_to_take(items, wanted, also_used)
    if len(chosen) < wanted:
        raise _not_refundable(f"of {wanted} units only {len(chosen)} were not used", "units")
    state = "refunded" if wanted == left else "partly_refunded"
    kept = [item for item in items if item.unit in chosen]
    return _take_back(connection, runtime, order, kept, wanted, state, actor, now, reason, restock=restock)


def undelivered(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    order_id: int,
    unit: int,
    *,
    actor: str,
    now: int,
    reason: str,
) -> Placed:
    """What a unit gave did not arrive after all: its share of the points is given back, however long ago it was.

    A unit that was given back before stays so. Refused where the order was not handed out.
    """
    runtime, _ = locked(connection, runtime, member_id)
    order = _open(connection, runtime, member_id, order_id, FULFILLED, now)
    items = held(connection, runtime, order, now=now)
    kept = [item for item in items if item.unit == unit and item.state != "void"]
    if not kept:
        return Placed(order, tuple(items))
    state = "refunded" if order.units - order.refunded_units == 1 else "partly_refunded"
    return _take_back(connection, runtime, order, kept, 1, state, actor, now, reason)


def _units_to_take(items: Sequence[Item], wanted: int, also_used: bool) -> set[int]:
    """The units that a refund takes: those of which nothing was used, the last first."""
    units: dict[int, bool] = {}
    for item in items:
        if item.state != "void":
            units[item.unit] = units.get(item.unit, True) and kinds.untouched(item)
    whole = sorted((unit for unit, free in units.items() if free), reverse=True)
    used = sorted((unit for unit, free in units.items() if not free), reverse=True) if also_used else []
    return set([*whole, *used][:wanted])


def _not_refundable(message: str, field: str = "order") -> OrderRefused:
    return OrderRefused(
        OrderRefusal.NOT_REFUNDABLE,
        message,
        field=field,
        remedy="refund what was not used, or adjust the points",
    )


def _take_back(
    connection: Connection[Any],
    runtime: Runtime,
    order: Order,
    items: Sequence[Item],
    units: int,
    state: str,
    actor: str,
    now: int,
    reason: str,
    *,
    restock: bool = True,
) -> Placed:
    """Gives points back for units, makes their items void, and puts their stock back."""
    order_points.give_back(connection, runtime, order, units, now, reason)
    left = order.units - order.refunded_units
    back = {key: sold - -(-sold * (left - units) // left) for key, sold in order.stock_sold.items()}
    if restock:
        stock.take_back(connection, order.program_id, {key: count for key, count in back.items() if count})
        order.stock_sold = order_store.less(order.stock_sold, back)
    work = Work(connection, runtime, order, actor, now)
    for item in items:
        if item.state != "void":
            kinds.undo(work, item)
            order_store.save_item(connection, order.member_id, item)
    order.refunded_units += units
    order_store.move(connection, order, state, at=now, actor=actor, reason=reason, units=units)
    return Placed(
        order, tuple(order_store.items(connection, order.member_id, [order.order_id])[order.order_id])
    )


# --- standing in line ------------------------------------------------------------------------------------------


def _can_wait(leaf: Leaf, wanted: Wanted) -> bool:
    gives = leaf.reward.gives
    return wanted.wait and leaf.slot is not None and isinstance(gives, Experience) and gives.waiting_list


def _stand_in_line(
    connection: Connection[Any],
    order: Order,
    leaf: Leaf,
    need: Need,
    line: str,
    wanted: Wanted,
    actor: str,
) -> Placed:
    """The order waits for a place until its date begins. It holds no points meanwhile."""
    assert leaf.slot is not None
    levels = stock.lock(connection, order.program_id, {line: need.total})
    if stock.short(levels, {line: need}) is None:
        raise batch.Conflict("a place was freed meanwhile")
    stock.queue(connection, order.program_id, line, 1)
    order.state, order.expires_at = "waiting", parse_instant(leaf.slot.starts_at)
    order.details["line"] = line
    order_store.insert(connection, order, actor=actor)
    if wanted.address is not None:
        addresses.keep(connection, order, wanted.address)
    return Placed(order)


def move_up(
    connection: Connection[Any], runtime: Runtime, member_id: int, order_id: int, *, actor: str, now: int
) -> str:
    """Gives a freed place to the order in front of its line; what the order is after it.

    It is reserved then, for as long as a reservation lasts. Where the member can no longer have it (too few points,
    frozen), the order is released, and the next is asked. "waiting" where no place is free.
    """
    runtime, _ = locked(connection, runtime, member_id)
    order = order_store.read(connection, runtime.program_id, member_id, order_id)
    if order is None or order.state != "waiting":
        return order.state if order is not None else ""
    if order.state_at(now) == "expired":
        return _let_go(connection, runtime, order, "expired", actor, now, "").state
    leaves = leaves_of(connection, order)
    reward = leaves[0].reward
    needs = order_limits.needs(runtime, reward, leaves, order.quantity, now)
    if stock.short(stock.read(connection, runtime.program_id, needs), needs, queued=True) is not None:
        return "waiting"
    minutes = reward.hold_minutes if reward.hold_minutes is not None else runtime.latest.hold_minutes
    order.expires_at = min(now + minutes * MINUTE, order.expires_at)
    try:
        with connection.transaction():
            order_points.hold(connection, runtime, order, bool(_awaited(leaves)), now, at_once=False)
    except (OrderRefused, operations.NotDone) as refused:
        order.points = []
        return _let_go(connection, runtime, order, "released", actor, now, str(refused)).state
    if stock.reserve(connection, runtime.program_id, needs, queued=True) is not None:
        raise batch.Conflict("the freed place went meanwhile")
    stock.queue(connection, runtime.program_id, str(order.details["line"]), -1)
    order.stock_held = {key: need.units for key, need in needs.items()}
    order_store.move(connection, order, "reserved", at=now, actor=actor, reason="a place was freed")
    return order.state
