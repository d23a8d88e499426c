"""Reads of orders: one with its history, a member's, those that wait for somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.rewards import catalogue, order_store
from palier.rewards.document import Reward
from palier.rewards.order_store import COLUMNS, FACTS, Order

# ruff: noqa: S608 -- statements are put together from the constants of this room alone

OF_MEMBER: Final = f"""
-- orders.of_member
select {COLUMNS} from reward_order
where member_id = %(member)s and program_id = %(program)s and (%(before)s::bigint is null or order_id < %(before)s)
  and (%(state)s::text is null or state = %(state)s)
order by order_id desc
limit %(limit)s
"""

NAMED: Final = f"""
-- orders.named
select {COLUMNS} from reward_order
where member_id = %(member)s and program_id = %(program)s and order_id = any(%(orders)s)
order by order_id desc
"""

OPEN: Final = f"""
-- orders.open
-- all members: what waits for somebody, by an index of open orders
select {COLUMNS} from reward_order
where program_id = %(program)s and state = %(state)s and state in ('waiting', 'reserved', 'fulfilling')
  and (order_id, member_id) > (%(order)s, %(member)s)
order by order_id, member_id
limit %(limit)s
"""

OF_STATE: Final = f"""
-- orders.of_state
-- all members: a page of the orders in one state, by an index of their own
select {COLUMNS} from reward_order
where program_id = %(program)s and state = %(state)s and (order_id, member_id) < (%(order)s, %(member)s)
order by order_id desc, member_id desc
limit %(limit)s
"""

DUE: Final = """
-- orders.due
-- all members: reservations and waits whose time is over, by an index of them
select member_id, order_id from reward_order
where program_id = %(program)s and state in ('waiting', 'reserved') and expires_at <= %(now)s
order by expires_at, member_id, order_id
limit %(limit)s
"""

IN_FRONT: Final = """
-- orders.in_front
-- all members: who stands in front of a line in which a place is free
select member_id, order_id from reward_order
where program_id = %(program)s and state = 'waiting' and details ->> 'line' = %(line)s
order by created_at, order_id, member_id
limit 1
"""

LINES: Final = """
-- orders.lines_with_room
select key from reward_stock
where program_id = %(program)s and waiting > 0 and (total is null or held + sold < total)
order by key
"""

EVENTS: Final = """
-- orders.events
select order_id, to_state, at, actor, reason, units from order_event
where member_id = %(member)s and order_id = any(%(orders)s)
order by order_id, number
"""


class Event(Struct, frozen=True):
    """One step of an order; `at` in microseconds UTC."""

    state: str
    at: int
    actor: str
    reason: str
    units: int


def of_member(
    connection: Connection[Any],
    program_id: int,
    member_id: int,
    *,
    before: int | None,
    limit: int,
    state: str | None = None,
) -> list[Order]:
    """A page of a member's orders, the latest first."""
    parameters = {
        "member": member_id,
        "program": program_id,
        "before": before,
        "limit": limit,
        "state": state,
    }
    return [order_store.of_row(row) for row in connection.execute(OF_MEMBER, parameters)]


def of_lines(
    connection: Connection[Any], program_id: int, member_id: int, lines: Mapping[int, tuple[str, str]]
) -> dict[int, Order]:
    """The orders that lines of the member's history are about: line -> order. Lines are given as (source, id)."""
    named = {
        line: int(number)
        for line, (source, id) in lines.items()
        if source == FACTS and (number := id.partition(":")[0]).isascii() and number.isdigit()
    }
    if not named:
        return {}
    parameters = {"member": member_id, "program": program_id, "orders": sorted(set(named.values()))}
    found = {
        order.order_id: order for order in map(order_store.of_row, connection.execute(NAMED, parameters))
    }
    return {line: found[number] for line, number in named.items() if number in found}


def open_orders(
    connection: Connection[Any], program_id: int, state: str, *, after: tuple[int, int], limit: int
) -> list[Order]:
    """A page of open orders of a program in a state, the first made first; `after` is (order, member)."""
    parameters = {
        "program": program_id,
        "state": state,
        "order": after[0],
        "member": after[1],
        "limit": limit,
    }
    return [order_store.of_row(row) for row in connection.execute(OPEN, parameters)]


def of_state(
    connection: Connection[Any],
    program_id: int,
    state: str,
    *,
    before: tuple[int, int] = (2**63 - 1, 2**63 - 1),
    limit: int,
) -> list[Order]:
    """A page of a program's orders in a state, the latest first; `before` is (order, member)."""
    parameters = {
        "program": program_id,
        "state": state,
        "order": before[0],
        "member": before[1],
        "limit": limit,
    }
    return [order_store.of_row(row) for row in connection.execute(OF_STATE, parameters)]


def due(connection: Connection[Any], program_id: int, *, now: int, limit: int) -> Sequence[tuple[int, int]]:
    """Orders (member, order) whose reservation or wait is over."""
    parameters = {"program": program_id, "now": moment(now), "limit": limit}
    return connection.execute(DUE, parameters).fetchall()


def lines_with_room(connection: Connection[Any], program_id: int) -> list[str]:
    """Rows of stock with members in line, and room for one."""
    return [row[0] for row in connection.execute(LINES, {"program": program_id})]


def in_front(connection: Connection[Any], program_id: int, line: str) -> tuple[int, int] | None:
    """The order (member, order) in front of a line; None where nobody stands in it."""
    row = connection.execute(IN_FRONT, {"program": program_id, "line": line}).fetchone()
    return (row[0], row[1]) if row is not None else None


def rewards_of(connection: Connection[Any], program_id: int, found: Sequence[Order]) -> dict[str, Reward]:
    """The rewards of orders as they were when they were ordered, by key; of the latest where there are several."""
    versions = {order.reward: (order.reward_id, order.version) for order in reversed(found)}
    documents = catalogue.documents(connection, program_id, versions.values())
    return {key: documents[version] for key, version in versions.items()}


def events(connection: Connection[Any], member_id: int, order_id: int) -> list[Event]:
    """The steps of an order, the first first."""
    return events_of(connection, member_id, [order_id]).get(order_id, [])


def events_of(
    connection: Connection[Any], member_id: int, order_ids: Sequence[int]
) -> dict[int, list[Event]]:
    """The steps of several orders of a member, the first first, by order."""
    found: dict[int, list[Event]] = {}
    for row in connection.execute(EVENTS, {"member": member_id, "orders": list(order_ids)}):
        found.setdefault(row[0], []).append(Event(row[1], instant(row[2]), row[3], row[4], row[5]))
    return found
