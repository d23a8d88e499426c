"""Orders as they are stored: their rows read and written, always under the member's lock."""

# ruff: noqa: S608 -- statements are put together from the constants of this file alone

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection
from psycopg.types.json import Json

from palier.activities.queries import Redemption
from palier.engine.clock import instant, moment
from palier.members import refs
from palier.rewards.states import may_follow
from palier.site.ids import new_ids

FACTS: Final = "palier:orders"
"""The source of the facts by which orders hold, spend and give back points."""

_COLUMNS: Final = (
    "member_id, order_id, program_id, reward_id, reward_key, version, kind, state, quantity, units, refunded_units,"
    " price::text, points::text, stock_held::text, stock_sold::text, variant, slot, source, external_id, partner,"
    " channel, location, created_at, expires_at, done_at, steps, details::text"
)

READ: Final = f"""
-- orders.read
select {_COLUMNS} from reward_order where member_id = %(member)s and order_id = any(%(orders)s)
order by order_id
"""

INSERT: Final = """
-- orders.insert
insert into reward_order
  (member_id, order_id, program_id, reward_id, reward_key, version, kind, state, quantity, units, refunded_units,
   price, points, stock_held, stock_sold, variant, slot, source, external_id, partner, channel, location,
   created_at, expires_at, done_at, steps, details)
values
  (%(member)s, %(order)s, %(program)s, %(reward_id)s, %(reward)s, %(version)s, %(kind)s, %(state)s, %(quantity)s,
   %(units)s, 0, %(price)s, %(points)s, %(stock_held)s, %(stock_sold)s, %(variant)s, %(slot)s, %(source)s, %(id)s,
   %(partner)s, %(channel)s, %(location)s, %(created)s, %(expires)s, %(done)s, %(steps)s, %(details)s)
"""

# The state before stands in the condition: whoever did not hold the member's lock changes nothing.
UPDATE: Final = """
-- orders.update
update reward_order
set state = %(state)s, refunded_units = %(refunded)s, points = %(points)s, stock_held = %(stock_held)s,
    stock_sold = %(stock_sold)s, expires_at = %(expires)s, done_at = %(done)s, steps = %(steps)s, details = %(details)s
where member_id = %(member)s and order_id = %(order)s and state = %(before)s
"""

EVENT: Final = """
-- orders.event
insert into order_event (member_id, order_id, number, program_id, from_state, to_state, units, at, actor, reason)
values (%(member)s, %(order)s, %(number)s, %(program)s, %(before)s, %(state)s, %(units)s, %(at)s, %(actor)s,
        %(reason)s)
"""

TO_BE_COUNTED: Final = """
-- orders.to_be_counted
insert into uncounted (program_id, what, member_ids, row_ids)
values (%(program)s, 'order', array[%(member)s::bigint], array[%(order)s::bigint])
"""

CLAIM: Final = """
-- orders.claim
insert into order_claim (external_id, source, program_id, member_id, order_id, sha256, claimed_at)
values (%(id)s, %(source)s, %(program)s, %(member)s, %(order)s, %(sha256)s, %(now)s)
on conflict (external_id, source, program_id) do nothing
returning order_id
"""

FIND_CLAIM: Final = """
-- orders.find_claim
select member_id, order_id, sha256 from order_claim
where external_id = %(id)s and source = %(source)s and program_id = %(program)s
"""

INSERT_ITEMS: Final = """
-- orders.insert_items
insert into reward_item
  (member_id, item_id, program_id, order_id, unit, reward_key, kind, state, uses_left, valid_from, valid_until,
   details)
select %(member)s, i, %(program)s, %(order)s, u, r, k, s, l, f, e, d::json
from unnest(%(items)s::bigint[], %(units)s::bigint[], %(rewards)s::text[], %(kinds)s::text[], %(states)s::text[],
            %(uses)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(details)s::text[])
     as t(i, u, r, k, s, l, f, e, d)
"""

ITEMS: Final = """
-- orders.items
select item_id, order_id, unit, reward_key, kind, state, uses_left, valid_from, valid_until, details::text
from reward_item where member_id = %(member)s and order_id = any(%(orders)s)
order by order_id, unit, item_id
"""

UPDATE_ITEM: Final = """
-- orders.update_item
update reward_item set state = %(state)s, uses_left = %(uses)s, details = %(details)s
where member_id = %(member)s and item_id = %(item)s
"""


class Agreed(Struct, frozen=True, omit_defaults=True):
    """The price of one unit as agreed: points in minor units by currency, money in minor units of its currency."""

    key: str
    points: dict[str, int] = {}
    money: int = 0
    money_currency: str = ""


class Paid(Struct, omit_defaults=True):
    """The points of one currency that an order holds or spent, and the fact that did; `refunded` of them came back.

    `hold` tells whether they were held first; `state` is held, spent or free (given back unspent).
    """

    currency: str
    points: int
    id: str
    activity_id: int
    hold: bool = True
    state: str = "held"
    refunded: int = 0


class Order(Struct):
    """One order of one member. Instants are microseconds UTC, 0 where there is none."""

    member_id: int
    order_id: int
    program_id: int
    reward_id: int
    reward: str
    version: int
    kind: str
    state: str
    quantity: int
    units: int
    refunded_units: int
    price: Agreed
    points: list[Paid]
    stock_held: dict[str, int]
    stock_sold: dict[str, int]
    variant: str | None
    slot: str | None
    source: str
    id: str
    partner: str | None
    channel: str | None
    location: str | None
    created_at: int
    expires_at: int = 0
    done_at: int = 0
    steps: int = 0
    details: dict[str, Any] = {}

    @property
    def ref(self) -> str:
        """The public id: the member's reference, a point, and the order's id in the same alphabet."""
        return order_ref(self.member_id, self.order_id)

    def state_at(self, now: int) -> str:
        """The state as of an instant: a reservation whose time is over is expired, also before it is posted."""
        if self.state in ("reserved", "waiting") and 0 < self.expires_at <= now:
            return "expired"
        return self.state

    def redemption(self, paid: Paid) -> Redemption:
        """The redemption that stands behind a part of the price."""
        return Redemption(
            self.member_id,
            paid.activity_id,
            FACTS,
            paid.id,
            paid.currency,
            paid.points,
            paid.points if paid.state == "spent" else 0,
            "captured" if paid.state == "spent" else "open",
            self.created_at,
            0,
            self.partner,
        )


class NewItem(Struct):
    """Something that a member is to hold from one unit of an order. `details` has no secrets."""

    unit: int
    reward: str
    kind: str
    state: str = "open"
    uses_left: int | None = None
    valid_from: int = 0
    valid_until: int = 0
    details: dict[str, Any] = {}


class Item(Struct):
    """Something that a member holds from one unit of an order. Instants are microseconds UTC, 0 for none."""

    item_id: int
    order_id: int
    unit: int
    reward: str
    kind: str
    state: str
    uses_left: int | None
    valid_from: int
    valid_until: int
    details: dict[str, Any]

    def state_at(self, now: int) -> str:
        """The state as of an instant: what was open and is past its end has expired, an entry waits for its draw."""
        if self.state == "open" and self.kind != "entry" and 0 < self.valid_until <= now:
            return "expired"
        return self.state


def order_ref(member_id: int, order_id: int) -> str:
    """The public id of an order, or of an item."""
    return f"{refs.encode(member_id)}.{refs.encode(order_id).removeprefix('m_')}"


def decode_order_ref(ref: str) -> tuple[int, int] | None:
    """(member id, order id) of a public id; None for text that cannot be one."""
    member, _, order = ref.partition(".")
    try:
        return refs.decode(member), refs.decode(f"m_{order}")
    except ValueError:
        return None


_decode_agreed = msgspec.json.Decoder(Agreed).decode
_decode_paid = msgspec.json.Decoder(list[Paid]).decode
_decode_counts = msgspec.json.Decoder(dict[str, int]).decode


def of_row(row: Sequence[Any]) -> Order:
    """An order from the columns of `COLUMNS`."""
    member, order, program, reward_id, reward, version, kind, state, quantity, units, refunded = row[:11]
    variant, slot, source, id, partner, channel, location = row[15:22]
    return Order(
        member,
        order,
        program,
        reward_id,
        reward,
        version,
        kind,
        state,
        quantity,
        units,
        refunded,
        _decode_agreed(row[11]),
        _decode_paid(row[12]),
        _decode_counts(row[13]),
        _decode_counts(row[14]),
        variant,
        slot,
        source,
        id,
        partner,
        channel,
        location,
        instant(row[22]),
        instant(row[23]) if row[23] is not None else 0,
        instant(row[24]) if row[24] is not None else 0,
        row[25],
        msgspec.json.decode(row[26]),
    )


COLUMNS: Final = _COLUMNS
"""The columns that `of_row` reads, in its order."""


def read(connection: Connection[Any], program_id: int, member_id: int, order_id: int) -> Order | None:
    """One order of a member of this program; None where there is none."""
    row = connection.execute(READ, {"member": member_id, "orders": [order_id]}).fetchone()
    return of_row(row) if row is not None and row[2] == program_id else None


def _json(value: object) -> Json:
    return Json(value, dumps=lambda found: msgspec.json.encode(found).decode())


def _at(at: int) -> Any:
    return moment(at) if at else None


def insert(connection: Connection[Any], order: Order, *, actor: str, reason: str = "") -> None:
    """Writes a new order and its first event. Does not commit."""
    order.steps = 1
    parameters = _parameters(order)
    connection.execute(
        INSERT,
        {
            **parameters,
            "reward_id": order.reward_id,
            "reward": order.reward,
            "version": order.version,
            "kind": order.kind,
            "quantity": order.quantity,
            "units": order.units,
            "price": _json(order.price),
            "variant": order.variant,
            "slot": order.slot,
            "source": order.source,
            "id": order.id,
            "partner": order.partner,
            "channel": order.channel,
            "location": order.location,
            "created": moment(order.created_at),
        },
    )
    connection.execute(TO_BE_COUNTED, parameters)
    _event(connection, order, None, 0, order.created_at, actor, reason)


def move(
    connection: Connection[Any],
    order: Order,
    state: str,
    *,
    at: int,
    actor: str,
    reason: str = "",
    units: int = 0,
) -> None:
    """Writes an order as it is now, in its new state, and the event. Does not commit.

    `units` is how many units the change concerns (0: all).
    """
    before = order.state
    if not may_follow(before, state):
        raise AssertionError(f"an order that is {before} cannot become {state}")
    order.state = state
    order.steps += 1
    save(connection, order, before)
    _event(connection, order, before, units, at, actor, reason)


def save(connection: Connection[Any], order: Order, before: str | None = None) -> None:
    """Writes an order as it is now. Does not commit."""
    written = connection.execute(
        UPDATE,
        {**_parameters(order), "before": before or order.state, "refunded": order.refunded_units},
    )
    if written.rowcount != 1:
        raise AssertionError(f"order {order.order_id} was changed without its member's lock")


def _parameters(order: Order) -> dict[str, Any]:
    return {
        "member": order.member_id,
        "order": order.order_id,
        "program": order.program_id,
        "state": order.state,
        "points": _json(order.points),
        "stock_held": _json(order.stock_held),
        "stock_sold": _json(order.stock_sold),
        "expires": _at(order.expires_at),
        "done": _at(order.done_at),
        "steps": order.steps,
        "details": _json(order.details),
    }


def _event(
    connection: Connection[Any],
    order: Order,
    before: str | None,
    units: int,
    at: int,
    actor: str,
    reason: str,
) -> None:
    connection.execute(
        EVENT,
        {
            "member": order.member_id,
            "number": order.steps,
            "program": order.program_id,
            "order": order.order_id,
            "before": before,
            "state": order.state,
            "units": units,
            "at": moment(at),
            "actor": actor,
            "reason": reason,
        },
    )


def claim(
    connection: Connection[Any],
    program_id: int,
    source: str,
    id: str,
    member_id: int,
    order_id: int,
    sha256: bytes,
    *,
    now: int,
) -> tuple[int, int, bytes] | None:
    """Takes the id of an order for ever; where it was taken, (member, order, hash) of who has it. Does not commit.

    Raises LookupError where whoever has it has not committed.
    """
    parameters: dict[str, Any] = {
        "id": id,
        "source": source,
        "program": program_id,
        "member": member_id,
        "order": order_id,
        "sha256": sha256,
        "now": moment(now),
    }
    if connection.execute(CLAIM, parameters).fetchone() is not None:
        return None
    row = connection.execute(FIND_CLAIM, parameters).fetchone()
    if row is None:
        raise LookupError("a claim was lost to a transaction that has not committed")
    return row[0], row[1], bytes(row[2])


def items(connection: Connection[Any], member_id: int, order_ids: Iterable[int]) -> dict[int, list[Item]]:
    """The items of a member's orders, by order."""
    wanted = list(order_ids)
    found: dict[int, list[Item]] = {order_id: [] for order_id in wanted}
    for row in connection.execute(ITEMS, {"member": member_id, "orders": wanted}):
        item, order, unit, reward, kind, state, uses, starts, ends = row[:9]
        found[order].append(
            Item(
                item,
                order,
                unit,
                reward,
                kind,
                state,
                uses,
                instant(starts) if starts is not None else 0,
                instant(ends) if ends is not None else 0,
                msgspec.json.decode(row[9]),
            )
        )
    return found


def add_items(connection: Connection[Any], order: Order, made: Sequence[NewItem]) -> list[Item]:
    """Writes what the member holds from an order. Does not commit."""
    if not made:
        return []
    ids = new_ids(len(made))
    connection.execute(
        INSERT_ITEMS,
        {
            "member": order.member_id,
            "program": order.program_id,
            "order": order.order_id,
            "items": ids,
            "units": [item.unit for item in made],
            "rewards": [item.reward for item in made],
            "kinds": [item.kind for item in made],
            "states": [item.state for item in made],
            "uses": [item.uses_left for item in made],
            "starts": [_at(item.valid_from) for item in made],
            "ends": [_at(item.valid_until) for item in made],
            "details": [msgspec.json.encode(item.details).decode() for item in made],
        },
    )
    return [
        Item(
            item_id,
            order.order_id,
            item.unit,
            item.reward,
            item.kind,
            item.state,
            item.uses_left,
            item.valid_from,
            item.valid_until,
            item.details,
        )
        for item_id, item in zip(ids, made, strict=True)
    ]


def save_item(connection: Connection[Any], member_id: int, item: Item) -> None:
    """Writes an item as it is now. Does not commit."""
    connection.execute(
        UPDATE_ITEM,
        {
            "member": member_id,
            "item": item.item_id,
            "state": item.state,
            "uses": item.uses_left,
            "details": _json(item.details),
        },
    )


def share(total: int, units: int, of: int) -> int:
    """What so many of `of` units are of a total: floored, so that shares of all of them add up to it."""
    return total * units // of


def less(counts: Mapping[str, int], taken: Mapping[str, int]) -> dict[str, int]:
    """Counts without those taken; none is left at 0."""
    left = {key: count - taken.get(key, 0) for key, count in counts.items()}
    return {key: count for key, count in left.items() if count}
