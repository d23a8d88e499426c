"""Due work: what time alone brings about (releases, expiry, falls of tier), done for members in batches.

Whether or not it has run makes no difference to any read or decision; running it posts it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, store
from palier.activities.lapses import Lapses
from palier.activities.runtime import Runtime, settled_from
from palier.engine.clock import instant, moment
from palier.engine.decide import Fold
from palier.engine.state import decode_state
from palier.site.ids import new_ids

CHUNK: Final = 2_000
"""Members per transaction: few enough that the intake does not notice."""
LONGEST_JUMP: Final = 24 * 3600 * 1_000_000
LONGEST_SILENCE: Final = 7 * LONGEST_JUMP

DUE: Final = """
-- due.members
-- all members: whoever has something due, soonest first
select p.member_id from progress p
where p.program_id = %(program)s and p.due_at <= %(until)s
order by p.due_at
limit %(limit)s
"""


def due_members(connection: Connection[Any], program_id: int, until: int, limit: int = CHUNK) -> list[int]:
    """Members of a program with something due by an instant, soonest first."""
    rows = connection.execute(DUE, {"program": program_id, "until": moment(until), "limit": limit}).fetchall()
    return [row[0] for row in rows]


def advance(
    connection: Connection[Any], runtime: Runtime, member_ids: Sequence[int], until: int, *, now: int
) -> int:
    """Does the due work of these members up to an instant and commits it; the number of decisions made.

    Run twice, late, or by two workers at once, it leaves the same: each decision is dated when it was due.
    """

    def once() -> int:
        made = 0
        program, at = settled_from(connection, runtime, now)
        timeline = program.timeline
        for lane in batch.lanes(sorted(member_ids)):
            rows = connection.execute(store.LOCK, {"members": sorted(lane)}, binary=True).fetchall()
            lapses = Lapses()
            works = []
            for member_id, stored in rows:
                engine = Fold(timeline, decode_state(stored))
                engine.advance(until)
                state, decisions = engine.state, engine.decisions
                made += len(decisions)
                if not lapses.takes(member_id, state, decisions):
                    named = list(zip(new_ids(len(decisions)), decisions, strict=True))
                    works.append(batch.Work(member_id, state, named))
            lapses.write(connection, program.program_id, at)
            if works:
                batch.write(connection, program, works, {}, at)
        return made

    return batch.attempt(connection, once)


def advance_all(
    connection: Connection[Any],
    runtime: Runtime,
    until: int,
    *,
    now: int,
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Does all due work of a program up to an instant, in chunks; the number of decisions made."""
    made = 0
    while True:
        member_ids = due_members(connection, runtime.program_id, until)
        connection.rollback()
        if not member_ids:
            return made
        made += advance(connection, runtime, member_ids, until, now=now)
        if on_progress is not None:
            on_progress(len(member_ids))


# --- the guard against a clock that jumps -----------------------------------------------------------------


class ClockStanding(Struct, frozen=True):
    """Whether due work may run: `stopped_at` is the instant at which a jump stopped it (0: it may)."""

    last_seen_at: int
    stopped_at: int


def see_clock(
    connection: Connection[Any], now: int, *, running: bool, moved_on_purpose: bool
) -> ClockStanding:
    """Notes the server's instant and tells whether due work may run; commits.

    A clock that jumps ahead by more than 24 hours while the worker runs stops due work until somebody
    confirms it (`palier clock confirm`), so that a wrong clock expires nobody's points. After a silence (the
    worker was off) a week is allowed. A clock moved by the documented switch needs no confirmation.
    """
    row = connection.execute("select last_seen_at, stopped_at from clock").fetchone()
    if row is None:
        connection.execute(
            "-- due.first_seen\ninsert into clock (only_row, last_seen_at) values (true, %s)"
            " on conflict (only_row) do nothing",
            (moment(now),),
        )
        connection.commit()
        return ClockStanding(now, 0)
    last, stopped = instant(row[0]), row[1]
    if stopped is not None and not moved_on_purpose:
        connection.rollback()
        return ClockStanding(last, instant(stopped))
    jump = now - last
    if jump > (LONGEST_JUMP if running else LONGEST_SILENCE) and not moved_on_purpose:
        connection.execute("-- due.stop\nupdate clock set stopped_at = %s", (moment(now),))
        connection.commit()
        return ClockStanding(last, now)
    connection.execute("-- due.seen\nupdate clock set last_seen_at = %s, stopped_at = null", (moment(now),))
    connection.commit()
    return ClockStanding(now, 0)


def confirm_clock(connection: Connection[Any], now: int) -> None:
    """Confirms the server's clock after a jump: due work goes on. Does not commit."""
    connection.execute(
        "-- due.confirm\ninsert into clock (only_row, last_seen_at, stopped_at) values (true, %(at)s, null)"
        " on conflict (only_row) do update set last_seen_at = %(at)s, stopped_at = null",
        {"at": moment(now)},
    )
