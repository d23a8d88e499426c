"""Draws: the secret of each month, committed to before and shown after, and the bytes drawn for an activity.

The bytes of an activity are HMAC-SHA256 of its source and id under the seed of the month in which it was decided,
written "2026-03:hexadecimal". They are recorded with it; whoever knows the seed can draw again. A play repeated
with the same id is the same activity, and is answered with the prize it had.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Any

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import LocalClock, moment
from palier.engine.facts import Fact

_INSERT = """
-- draws.commit
insert into draw_seed (program_id, period, seed, commitment, created_at)
values (%(program)s, %(period)s, %(seed)s, %(commitment)s, %(now)s)
on conflict (program_id, period) do nothing
"""


class Month(Struct, frozen=True):
    """The draws of one month: what was committed to, and the seed ("" until the month has passed)."""

    period: str
    commitment: str
    seed: str


def month_of(clock: LocalClock, at: int) -> str:
    """The month of an instant in a program's zone, such as 2026-03."""
    month = clock.periods(clock.local(at)[0])[2]
    return f"{month // 12}-{month % 12 + 1:02d}"


def commit_to(connection: Connection[Any], program_id: int, clock: LocalClock, now: int) -> None:
    """Makes the seeds of this month and the next, where they are not there yet. Does not commit."""
    month = clock.periods(clock.local(now)[0])[2]
    for number in (month, month + 1):
        seed = secrets.token_bytes(32)
        connection.execute(
            _INSERT,
            {
                "program": program_id,
                "period": f"{number // 12}-{number % 12 + 1:02d}",
                "seed": seed,
                "commitment": sha256(seed).digest(),
                "now": moment(now),
            },
        )


def seed_of(connection: Connection[Any], program_id: int, clock: LocalClock, now: int) -> tuple[str, bytes]:
    """The month of an instant and its seed, made where it is not there yet. Does not commit."""
    period = month_of(clock, now)
    query = "-- draws.seed\nselect seed from draw_seed where program_id = %s and period = %s"
    row = connection.execute(query, (program_id, period)).fetchone()
    if row is None:
        commit_to(connection, program_id, clock, now)
        row = connection.execute(query, (program_id, period)).fetchone()
    assert row is not None
    return period, bytes(row[0])


def drawn(period: str, seed: bytes, fact: Fact) -> str:
    """The bytes drawn for an activity, with their month."""
    told = f"{fact.source}\0{fact.id}".encode()
    return f"{period}:{hmac.new(seed, told, sha256).hexdigest()}"


def months(connection: Connection[Any], program_id: int, clock: LocalClock, now: int) -> list[Month]:
    """The months of a program's draws, the latest first; seeds only of months that have passed."""
    this = month_of(clock, now)
    rows = connection.execute(
        "-- draws.months\nselect period, commitment, seed from draw_seed where program_id = %s"
        " order by period desc",
        (program_id,),
    )
    return [
        Month(period, bytes(commitment).hex(), bytes(seed).hex() if period < this else "")
        for period, commitment, seed in rows
    ]
