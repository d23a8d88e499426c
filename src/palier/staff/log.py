"""The audit log: read by people, and proved: its chain recomputed from its rows, held against heads kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.staff.operations import FIRST_PREVIOUS, log_hash

LOG = """
-- staff.log
select seq, actor, role, action, object, at, reason, hash, prev_hash from audit_log order by seq
"""


class LogHead(NamedTuple):
    """The newest row of the audit log, exported so that a later cut shows. `hash` is hexadecimal."""

    log_seq: int
    hash: str
    at: str


class Logged(NamedTuple):
    """One row of the audit log, as people read it. `at` is in microseconds UTC."""

    seq: int
    actor: str
    role: str
    action: str
    object: str
    at: int
    reason: str


class LogFilter(NamedTuple):
    """What of the log is wanted; "" is anything. `since` and `until` bound `at`, the second excluded (0: no bound)."""

    actor: str = ""
    action: str = ""
    object: str = ""
    since: int = 0
    until: int = 0


_LOGGED = """
-- staff.logged
select seq, actor, role, action, object, at, reason from audit_log
where (%(actor)s = '' or actor = %(actor)s) and (%(action)s = '' or starts_with(action, %(action)s))
  and (%(object)s = '' or object = %(object)s)
  and (%(since)s::timestamptz is null or at >= %(since)s) and (%(until)s::timestamptz is null or at < %(until)s)
  and (%(before)s::bigint is null or seq < %(before)s)
order by seq desc limit %(limit)s
"""


def logged(
    connection: Connection[Any], wanted: LogFilter, *, before: int | None = None, limit: int = 50
) -> list[Logged]:
    """Rows of the log, the latest first, before one of them (keyset paging). `action` is a beginning: "staff."."""
    rows = connection.execute(
        _LOGGED,
        {
            "actor": wanted.actor,
            "action": wanted.action,
            "object": wanted.object,
            "since": moment(wanted.since) if wanted.since else None,
            "until": moment(wanted.until) if wanted.until else None,
            "before": before,
            "limit": limit,
        },
    )
    return [Logged(row[0], row[1], row[2], row[3], row[4], instant(row[5]), row[6]) for row in rows]


class LogFault(NamedTuple):
    """The first place where the audit log is not what was written."""

    place: str
    expected: str
    found: str


def log_head(connection: Connection[Any]) -> LogHead | None:
    """The newest row of the log; None where it is empty."""
    row = connection.execute(
        "-- staff.log_head\nselect seq, hash, at from audit_log order by seq desc limit 1"
    ).fetchone()
    return LogHead(row[0], bytes(row[1]).hex(), row[2].isoformat()) if row is not None else None


def check_log(connection: Connection[Any], kept: Iterable[LogHead] = ()) -> LogFault | None:
    """Recomputes the chain of the audit log; the first row that differs, or None.

    Finds a row that was changed, removed, added or put elsewhere. A tail that was cut, and a log that was
    written anew from some row on, are found by the heads that were `kept` outside the database. Runs in a
    transaction, a few thousand rows in memory at a time.
    """
    wanted = {head.log_seq: head.hash for head in kept}
    previous = FIRST_PREVIOUS
    with connection.cursor(name="audit_log") as cursor:
        cursor.itersize = 5000
        cursor.execute(LOG)
        for seq, actor, role, action, object, at, reason, stored, stored_previous in cursor:
            if bytes(stored_previous) != previous:
                return LogFault(
                    f"audit log, row {seq}",
                    f"after hash {previous.hex()}",
                    f"after hash {bytes(stored_previous).hex()}",
                )
            recomputed = log_hash(previous, actor, role, action, object, instant(at), reason)
            if bytes(stored) != recomputed:
                return LogFault(
                    f"audit log, row {seq}", f"hash {recomputed.hex()}", f"hash {bytes(stored).hex()}"
                )
            if wanted.get(seq, recomputed.hex()) != recomputed.hex():
                return LogFault(f"audit log, row {seq}", f"hash {wanted[seq]}", f"hash {recomputed.hex()}")
            wanted.pop(seq, None)
            previous = recomputed
    for seq in sorted(wanted):
        return LogFault(f"audit log, row {seq}", f"hash {wanted[seq]}", "no such row: the tail is cut")
    return None
