"""What was told as known at an instant stays as it was told.

What is written bears the instant at which its writer began, and is seen when he commits: a whole run later where many
members are rated again. So whoever tells what had been recorded by an instant says so first (`tell`). Writers that
begin afterwards date what they record later than that (`dated`), and those that are under way are waited for.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from palier.engine.clock import MINUTE, instant, moment
from palier.engine.sentences import sentence
from palier.site import clock
from palier.site.refusal import Refused

DRIFT: Final = 5 * MINUTE
"""How far the clocks of machines may differ. What was told by a clock further ahead dates nobody's rows."""
WAIT_S: Final = 8.0
_POLL_S: Final = (0.001, 0.05)
"""The first and the longest pause between two looks."""

TOLD: Final = """
-- programs.told
select settled_at from program_told where program_id = %(program)s
"""

TELL: Final = """
-- programs.tell
insert into program_told (program_id, told_at) values (%(program)s, %(at)s)
on conflict (program_id) do update set told_at = greatest(program_told.told_at, excluded.told_at)
"""

SETTLED: Final = """
-- programs.settled
update program_told set settled_at = greatest(settled_at, %(at)s) where program_id = %(program)s
"""

UNDER_WAY: Final = """
-- programs.under_way
-- transactions that hold what judges (programs.share_judging); who waits for it has not looked what was told yet
select l.pid, l.virtualtransaction from pg_locks l
join pg_database d on d.oid = l.database and d.datname = current_database()
where l.locktype = 'advisory' and l.objsubid = 1 and l.mode = 'ShareLock' and l.granted
  and l.classid = (%(program)s::bigint >> 32)::oid and l.objid = (%(program)s::bigint & 4294967295)::oid
"""


class StillWritten(Refused):
    """What was begun before the instant is still being written; the same question can be asked again."""


def dated(told_at: datetime | None, now: int) -> int:
    """The instant at which a transaction that began at `now` records: later than what has been told."""
    if told_at is None:
        return now
    told = instant(told_at)
    return told + 1 if now <= told <= clock.now() + DRIFT else now


def tell(connection: Connection[Any], program_id: int, at: int) -> int:
    """Sees to it that nothing more is recorded at or before an instant, and gives it back; one to come is now.

    It commits, and leaves the connection outside a transaction: what is read next is all that there will be.
    Nobody who writes waits. Refuses (StillWritten) where what was begun before is not ended within WAIT_S.
    """
    at = min(at, clock.now())
    isolation = connection.isolation_level
    connection.rollback()
    connection.isolation_level = None
    try:
        row = connection.execute(TOLD, {"program": program_id}).fetchone()
        if row is None or row[0] is None or instant(row[0]) < at:
            parameters = {"program": program_id, "at": moment(at)}
            connection.execute(TELL, parameters)
            connection.commit()
            _outlast(connection, program_id)
            connection.execute(SETTLED, parameters)
        connection.commit()
    finally:
        connection.rollback()
        connection.isolation_level = isolation
    return at


def _outlast(connection: Connection[Any], program_id: int) -> None:
    """Waits until every transaction that now decides by the program has ended."""

    def under_way() -> set[tuple[Any, ...]]:
        found = set(connection.execute(UNDER_WAY, {"program": program_id}).fetchall())
        connection.commit()
        return found

    until, pause = time.monotonic() + WAIT_S, _POLL_S[0]
    first = waiting = under_way()
    while waiting:
        if time.monotonic() > until:
            raise StillWritten(
                sentence(
                    "What was begun before this instant is still being written; ask again in a moment, or for what "
                    "was known earlier."
                )
            )
        time.sleep(pause)
        pause = min(pause * 2, _POLL_S[1])
        waiting = first & under_way()
