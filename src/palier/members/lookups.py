"""Staff who look at members: each look is logged, and nobody looks at many in a short time.

A member is found by what he shows or says himself, exactly, or by his reference; there is no list of members to read.
Looking at the same member again within a shift is the same look.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection

from palier.engine.clock import HOUR
from palier.members import refs
from palier.staff import throttle
from palier.staff.approvals import Person
from palier.staff.operations import write_log
from palier.staff.throttle import Limit

MOST_AN_HOUR: Final = 60
"""Members at whom one person may look within an hour, and what he tries to find in vain."""
SHIFT: Final = 8 * HOUR
"""How long a look at one member lasts: it is logged and counted once in it."""


def find(
    connection: Connection[Any], program_id: int, member_id: int | None, kind: str, *, by: Person, now: int
) -> None:
    """Counts and logs that a person looked for whoever has an identity of a kind; None: nobody has it.

    Raises `Throttled` beyond MOST_AN_HOUR. Commits; call it outside a transaction. The log has no value.
    """
    throttle.take(connection, [_hourly(program_id, by)], now=now)
    found = refs.encode(member_id) if member_id is not None else "nobody"
    if member_id is not None:
        throttle.count(connection, _shift(program_id, member_id, by), now=now)
    write_log(connection, by.actor, by.role, "member.find", found, at=now, reason=kind)
    connection.commit()


def look(connection: Connection[Any], program_id: int, member_id: int, *, by: Person, now: int) -> None:
    """Counts and logs that a person looks at a member, where he did not do so in this shift already.

    Raises `Throttled` beyond MOST_AN_HOUR. Commits; call it outside a transaction.
    """
    shift = _shift(program_id, member_id, by)
    if throttle.counted(connection, shift.scope, now=now):
        return
    throttle.take(connection, [_hourly(program_id, by)], now=now)
    throttle.count(connection, shift, now=now)
    write_log(connection, by.actor, by.role, "member.look", refs.encode(member_id), at=now)
    connection.commit()


def _hourly(program_id: int, by: Person) -> Limit:
    return Limit(f"looks {program_id} {by.actor}", MOST_AN_HOUR, HOUR)


def _shift(program_id: int, member_id: int, by: Person) -> Limit:
    return Limit(f"look {program_id} {by.actor} {member_id}", 1, SHIFT)
