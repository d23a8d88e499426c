"""Baskets that registers announce: a register names its ticket, a till takes it up, it is credited once.

A basket says what is bought, never how it is paid. It waits for a few hours, and goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection
from psycopg.types.json import Json

from palier.engine.clock import HOUR, instant, moment
from palier.tills.devices import Device
from palier.tills.journal import EntryLine

LASTS: Final = 4 * HOUR
State = Literal["open", "done", "withdrawn", "over"]


class Announced(Struct, frozen=True):
    """A basket as a register announced it; `amount` in minor units of money, instants microseconds UTC."""

    ticket: str
    location: str
    amount: int
    lines: tuple[EntryLine, ...]
    state: State
    posted_at: int
    ends_at: int


class AlreadyDone(Exception):
    """The ticket was credited: its basket does not change any more."""


_PUT: Final = """
-- tills.announce
insert into till_basket
  (ticket, location, program_id, amount, lines, state, posted_at, posted_by, ends_at, device_id, entry)
values (%(ticket)s, %(location)s, %(program)s, %(amount)s, %(lines)s, 'open', %(now)s, %(by)s, %(ends)s, null, null)
on conflict (ticket, location, program_id) do update
set amount = excluded.amount, lines = excluded.lines, state = 'open', posted_at = excluded.posted_at,
    posted_by = excluded.posted_by, ends_at = excluded.ends_at
where till_basket.state <> 'done'
returning ticket
"""

_READ: Final = """
-- tills.basket
select ticket, location, amount, lines::text, state, posted_at, ends_at from till_basket
where ticket = %(ticket)s and location = %(location)s and program_id = %(program)s
"""


def announce(
    connection: Connection[Any],
    program_id: int,
    ticket: str,
    location: str,
    amount: int,
    lines: Sequence[EntryLine],
    *,
    by: str,
    now: int,
) -> Announced:
    """Announces a basket under a ticket, or changes it while it is not credited (AlreadyDone). Does not commit."""
    values = {
        "ticket": ticket,
        "location": location,
        "program": program_id,
        "amount": amount,
        "lines": Json(msgspec.to_builtins(list(lines))),
        "by": by,
        "now": moment(now),
        "ends": moment(now + LASTS),
    }
    if connection.execute(_PUT, values).fetchone() is None:
        raise AlreadyDone
    found = read(connection, program_id, ticket, location, now=now)
    assert found is not None
    return found


def read(
    connection: Connection[Any], program_id: int, ticket: str, location: str, *, now: int
) -> Announced | None:
    """The basket of a ticket at a place."""
    row = connection.execute(
        _READ, {"ticket": ticket, "location": location, "program": program_id}
    ).fetchone()
    if row is None:
        return None
    state: State = "over" if row[4] == "open" and instant(row[6]) <= now else row[4]
    return Announced(
        row[0],
        row[1],
        row[2],
        tuple(msgspec.convert(msgspec.json.decode(row[3]), list[EntryLine])),
        state,
        instant(row[5]),
        instant(row[6]),
    )


def withdraw(connection: Connection[Any], program_id: int, ticket: str, location: str, *, now: int) -> bool:
    """Takes a basket back that no till has credited. Does not commit."""
    row = connection.execute(
        """
        -- tills.withdraw
        update till_basket set state = 'withdrawn', ends_at = %s
        where ticket = %s and location = %s and program_id = %s and state = 'open' returning ticket
        """,
        (moment(now), ticket, location, program_id),
    ).fetchone()
    return row is not None


def waiting(
    connection: Connection[Any], program_id: int, location: str, *, now: int, most: int = 8
) -> list[Announced]:
    """The baskets that wait at a place, the latest first."""
    rows = connection.execute(
        """
        -- tills.baskets
        select ticket, location, amount, lines::text, state, posted_at, ends_at from till_basket
        where program_id = %s and location = %s and state = 'open' and ends_at > %s
        order by posted_at desc limit %s
        """,
        (program_id, location, moment(now), most),
    ).fetchall()
    return [
        Announced(
            row[0],
            row[1],
            row[2],
            tuple(msgspec.convert(msgspec.json.decode(row[3]), list[EntryLine])),
            row[4],
            instant(row[5]),
            instant(row[6]),
        )
        for row in rows
    ]


def done(connection: Connection[Any], device: Device, ticket: str, entry: str, *, now: int) -> None:
    """Marks a ticket as credited by an entry of a device. Does not commit."""
    connection.execute(
        """
        -- tills.basket_done
        update till_basket set state = 'done', device_id = %s, entry = %s
        where ticket = %s and location = %s and program_id = %s and state = 'open'
        """,
        (device.device_id, entry, ticket, device.location, device.program_id),
    )
