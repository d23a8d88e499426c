"""Backtests that are asked of the worker: which save of which draft, how far it is, and what came out.

The worker takes one at a time and says while it plays that it is still there; what a worker left behind when it
stopped is taken by the next. What is asked and what came out is data of whoever plays (`palier.jobs.backtests`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import SECOND, instant, moment
from palier.engine.sentences import Sentence, sentence, unpacked
from palier.programs import drafts
from palier.site.ids import new_id
from palier.site.refusal import Refused
from palier.staff.approvals import Person

State = Literal["asked", "running", "done", "failed"]

MOST_WAITING: Final = 5
"""Runs of one program that wait or run at a time."""
SILENT: Final = 300 * SECOND
"""After so long without a word of its worker a run is taken by another."""


class Run(Struct, frozen=True):
    """One backtest that was asked for. Instants are microseconds UTC, 0 where there is none yet."""

    run_id: int
    program_id: int
    draft_id: int
    save_number: int
    request: dict[str, Any]
    asked_at: int
    asked_by: str
    asked_name: str
    state: State
    done: int
    parts: int
    ended_at: int
    result: bytes | None
    problem: str

    @property
    def why(self) -> Sentence:
        """The problem, as the sentence that it was kept of."""
        return unpacked(self.problem)

    @property
    def percent(self) -> int:
        """How far it is."""
        return self.done * 100 // self.parts if self.parts else 0


_COLUMNS: Final = (
    "run_id, program_id, draft_id, save_number, request::text, asked_at, asked_by, asked_name, state, done, parts, "
    "ended_at, result::text, problem"
)


def _run(row: Sequence[Any]) -> Run:
    return Run(
        row[0],
        row[1],
        row[2],
        row[3],
        msgspec.json.decode(row[4]),
        instant(row[5]),
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        instant(row[11]) if row[11] is not None else 0,
        row[12].encode() if row[12] is not None else None,
        row[13],
    )


def ask(
    connection: Connection[Any],
    program_id: int,
    draft_id: int,
    number: int,
    *,
    request: dict[str, Any],
    by: Person,
    now: int,
) -> int:
    """Asks for a backtest of a draft's save; its id. Commits. One that waits already for the same is answered again.

    Refuses more than `MOST_WAITING` at a time.
    """
    asked = msgspec.json.encode(request, order="deterministic").decode()
    open_runs = connection.execute(
        """
        -- backtests.open
        select run_id, draft_id, save_number, request::text from backtest_run
        where program_id = %s and state in ('asked', 'running') order by run_id desc
        """,
        (program_id,),
    ).fetchall()
    for run_id, draft, save, known in open_runs:
        if (draft, save, known) == (draft_id, number, asked):
            return int(run_id)
    if len(open_runs) >= MOST_WAITING:
        raise Refused(
            sentence(
                "%(count)s backtests wait or run already; wait until one of them is done.",
                count=len(open_runs),
            )
        )
    run_id = new_id()
    drafts.keep(connection, program_id, draft_id, number)
    connection.execute(
        """
        -- backtests.ask
        insert into backtest_run (run_id, program_id, draft_id, save_number, request, asked_at, asked_by, asked_name,
                                  state, seen_at, done, parts, ended_at, result, problem)
        values (%s, %s, %s, %s, %s::json, %s, %s, %s, 'asked', null, 0, 0, null, null, '')
        """,
        (run_id, program_id, draft_id, number, asked, moment(now), by.actor, by.name),
    )
    connection.commit()
    return run_id


def read(connection: Connection[Any], program_id: int, run_id: int) -> Run | None:
    """One run of a program; None where there is none."""
    row = connection.execute(
        f"-- backtests.read\nselect {_COLUMNS} from backtest_run where run_id = %s and program_id = %s",
        (run_id, program_id),
    ).fetchone()
    return _run(row) if row is not None else None


def listed(connection: Connection[Any], program_id: int, draft_id: int, *, limit: int = 20) -> list[Run]:
    """The latest runs of a draft, the latest first, without their results."""
    rows = connection.execute(
        """
        -- backtests.list
        select run_id, program_id, draft_id, save_number, request::text, asked_at, asked_by, asked_name, state, done,
               parts, ended_at, null, problem
        from backtest_run where program_id = %s and draft_id = %s order by run_id desc limit %s
        """,
        (program_id, draft_id, limit),
    ).fetchall()
    return [_run(row) for row in rows]


def take(connection: Connection[Any], *, now: int) -> Run | None:
    """The oldest run that waits, or whose worker has fallen silent, now this one's; None if there is none. Commits."""
    row = connection.execute(
        """
        -- backtests.take
        update backtest_run set state = 'running', seen_at = %(now)s, done = 0
        where run_id = (
          select run_id from backtest_run
          where state = 'asked' or (state = 'running' and seen_at < %(silent)s)
          order by run_id limit 1 for update skip locked
        )
        returning program_id, run_id
        """,
        {"now": moment(now), "silent": moment(now - SILENT)},
    ).fetchone()
    found = read(connection, row[0], row[1]) if row is not None else None
    connection.commit()
    return found


def note(connection: Connection[Any], run_id: int, *, done: int, parts: int, now: int) -> None:
    """How far a run is: so many of so many parts. Commits."""
    connection.execute(
        """
        -- backtests.note
        update backtest_run set done = %s, parts = %s, seen_at = %s where run_id = %s and state = 'running'
        """,
        (min(done, parts), parts, moment(now), run_id),
    )
    connection.commit()


def finish(connection: Connection[Any], run_id: int, *, result: bytes, now: int) -> None:
    """What came out of a run, as JSON. Commits."""
    connection.execute(
        """
        -- backtests.finish
        update backtest_run set state = 'done', done = parts, result = %s::json, ended_at = %s, seen_at = %s
        where run_id = %s and state = 'running'
        """,
        (result.decode(), moment(now), moment(now), run_id),
    )
    connection.commit()


def fail(connection: Connection[Any], run_id: int, *, problem: str, now: int) -> None:
    """Why a run came to nothing, for people. Commits."""
    connection.execute(
        """
        -- backtests.fail
        update backtest_run set state = 'failed', problem = %s, ended_at = %s, seen_at = %s
        where run_id = %s and state = 'running'
        """,
        (problem, moment(now), moment(now), run_id),
    )
    connection.commit()


def put_back(connection: Connection[Any], run_id: int) -> None:
    """Lets a run wait again for a worker that has the time. Commits."""
    connection.execute(
        """
        -- backtests.put_back
        update backtest_run set state = 'asked', done = 0 where run_id = %s and state = 'running'
        """,
        (run_id,),
    )
    connection.commit()
