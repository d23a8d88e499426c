"""The proof: every invariant of the ledger, recomputed from its rows and compared with what is stored.

Each invariant is one set-based statement that returns only what breaks it, so a clean ledger answers with
nothing. All of them read one snapshot. The engine's own state is compared by a check that the room which
stores it registers here.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus

from palier.engine.clock import instant, moment
from palier.ledger.invariants import BROKEN, COUNTS, INVARIANTS
from palier.ledger.seal import check_chain, read_heads
from palier.staff.log import LogHead, check_log

MOST_PER_INVARIANT: Final = 100
"""Violations reported of each invariant; one is enough to fail, a few to find the cause."""


class Violation(NamedTuple):
    """One broken promise: which invariant, where, what the transfers say and what is stored."""

    invariant: str
    place: str
    expected: str
    found: str


class Report(NamedTuple):
    """What `report` read: rows by table, invariants checked, seconds taken, and what is broken."""

    violations: list[Violation]
    invariants: list[str]
    rows: dict[str, int]
    seconds: float


_ALL_PROGRAMS: Final = 0

StateCheck = Callable[[psycopg.Connection[Any], str | None], Iterable[Violation]]

_state_checks: list[StateCheck] = []


def register_state_check(check: StateCheck) -> StateCheck:
    """Add a check that runs with every verification: `check(connection, program key or None)`.

    For state that this room cannot read, such as the engine's. Registering twice does nothing more.
    """
    if check not in _state_checks:
        _state_checks.append(check)
    return check


def verify(connection: psycopg.Connection[Any], program: str | None = None) -> list[Violation]:
    """Check every invariant for one program (its key) or all; the violations found, none if all holds.

    Amounts are minor units. Reads only, in one snapshot when the connection is outside a transaction.
    """
    return report(connection, program).violations


def report(
    connection: psycopg.Connection[Any], program: str | None = None, head: Path | None = None
) -> Report:
    """As `verify`, with counts and time; `head` is an exported file of heads that the chains must still hold.

    The audit log is one for all programs, and verified whichever is asked for.

    Refuses an unknown program with ValueError.
    """
    started = time.monotonic()
    outside = connection.info.transaction_status == TransactionStatus.IDLE
    with connection.transaction():
        if outside:
            connection.execute("set transaction isolation level repeatable read, read only")
        # Each invariant reads whole tables: with stale statistics the planner would loop over them instead.
        connection.execute("set local enable_nestloop = off")
        program_id = _program_id(connection, program)
        parameters = {"program_id": program_id, "most": MOST_PER_INVARIANT}
        violations = [
            Violation(invariant, *row)
            for invariant, query in INVARIANTS.items()
            for row in connection.execute(BROKEN.format(invariant=query), parameters)
        ]
        fault = check_chain(connection, head, program)
        if fault is not None:
            violations.append(Violation("block.chain", fault.place, fault.expected, fault.found))
        kept = read_heads(head) if head is not None else []
        log_fault = check_log(connection, (item for item in kept if isinstance(item, LogHead)))
        if log_fault is not None:
            violations.append(Violation("log.chain", *log_fault))
        for check in _state_checks:
            violations += check(connection, program)
        rows = connection.execute(COUNTS, parameters).fetchall()
    names = [*INVARIANTS, "block.chain", "log.chain", *(f"state.{check.__name__}" for check in _state_checks)]
    return Report(violations, names, dict(rows), time.monotonic() - started)


def _program_id(connection: psycopg.Connection[Any], program: str | None) -> int | None:
    if program is None:
        return None
    row = connection.execute("select program_id from program where key = %s", [program]).fetchone()
    if row is None:
        raise ValueError(f"there is no program {program!r}; `palier programs` lists those there are")
    return int(row[0])


def keep(connection: psycopg.Connection[Any], program: str | None, found: Report, *, now: int) -> None:
    """Keeps what a proof of one program (its key) or of all found, in the place of what the last one did. Commits."""
    first = found.violations[0] if found.violations else None
    connection.execute(
        """
        -- ledger.keep_verification
        insert into verification (program_id, at, violations, invariant, place) values (%s, %s, %s, %s, %s)
        on conflict (program_id) do update
        set at = excluded.at, violations = excluded.violations, invariant = excluded.invariant, place = excluded.place
        """,
        (
            _program_id(connection, program) or _ALL_PROGRAMS,
            moment(now),
            len(found.violations),
            first.invariant if first is not None else "",
            first.place[:500] if first is not None else "",
        ),
    )
    connection.commit()


class LastProof(NamedTuple):
    """What the last proof that looked at a program found; `invariant` and `place` are of the first violation."""

    at: int
    violations: int
    invariant: str
    place: str


def last_proof(connection: psycopg.Connection[Any], program_id: int) -> LastProof | None:
    """The last proof of a program, alone or with all; None where there was none."""
    row = connection.execute(
        """
        -- ledger.last_verification
        select at, violations, invariant, place from verification where program_id in (%s, %s)
        order by at desc limit 1
        """,
        (program_id, _ALL_PROGRAMS),
    ).fetchone()
    return LastProof(instant(row[0]), row[1], row[2], row[3]) if row is not None else None
