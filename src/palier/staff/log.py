"""Proof of the audit log: its chain recomputed from its rows, and held against heads kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from psycopg import Connection

from palier.engine.clock import instant
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
