"""Plays the backtests that people ask for in the console, one at a time, and says how far it is."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import msgspec
from psycopg import Connection

from palier.activities.comparison import compare
from palier.activities.runtime import Runtime, runtime
from palier.engine.amounts import AmountError, to_minor
from palier.engine.backtest import Threshold
from palier.engine.program import Program
from palier.engine.sentences import packed, reason_of, sentence
from palier.jobs.worker import ending
from palier.programs import backtests, queries
from palier.programs.backtests import Run
from palier.programs.publishing import Origin, document_of
from palier.site import clock, database
from palier.site.refusal import Refused

logger = logging.getLogger(__name__)

SMALL: Final = 300
"""Members up to whom starting processes takes longer than playing."""
PROCESSES: Final = 2
"""Processes that play: what the worker has to do besides must not wait for them."""
WORD_S: Final = 0.5
"""Seconds between two words of how far it is."""


class _Ending(Exception):
    """The worker is to end: what it played is played anew by the next one."""


def play_next(connection: Connection[Any]) -> bool:
    """Plays the oldest run that waits, to its end; False where none waits. Commits."""
    run = backtests.take(connection, now=clock.now())
    if run is None:
        return False
    try:
        with database.connect("app") as speaking:
            result = _played(connection, speaking, run)
    except Refused as refused:
        connection.rollback()
        backtests.fail(connection, run.run_id, problem=packed(reason_of(refused)), now=clock.now())
    except _Ending:
        connection.rollback()
        backtests.put_back(connection, run.run_id)
        return False
    except Exception:
        # The next worker would fail in the same way: it ends here, and the log has the reason.
        logger.exception("backtest %s failed", run.run_id)
        connection.rollback()
        backtests.fail(connection, run.run_id, problem="", now=clock.now())
    else:
        backtests.finish(connection, run.run_id, result=result, now=clock.now())
    return True


def _played(connection: Connection[Any], speaking: Connection[Any], run: Run) -> bytes:
    program = _program(connection, run)
    draft = document_of(connection, run.program_id, program.key, Origin(run.draft_id, run.save_number))
    row = connection.execute(
        """
        -- backtests.few_members
        -- all members: whether there are many, of whom no more are counted than it takes to know
        select count(*) from (select 1 from progress where program_id = %s limit %s) few
        """,
        (run.program_id, SMALL + 1),
    ).fetchone()
    workers = PROCESSES if row is not None and row[0] > SMALL else 1
    last = 0.0

    def told(done: int, parts: int) -> None:
        nonlocal last
        if ending():
            raise _Ending
        if time.monotonic() - last >= WORD_S:
            last = time.monotonic()
            backtests.note(speaking, run.run_id, done=done, parts=parts, now=clock.now())

    backtests.note(speaking, run.run_id, done=0, parts=1, now=clock.now())
    compared = compare(
        connection,
        program,
        draft,
        threshold=_threshold(run.request, draft),
        now=clock.now(),
        workers=workers,
        told=told,
    )
    return msgspec.json.encode(compared)


def _program(connection: Connection[Any], run: Run) -> Runtime:
    for version in queries.list_programs(connection):
        if version.program_id == run.program_id:
            found = runtime(connection, version.key)
            if found is not None:
                return found
    raise Refused(sentence("The program is not there any more."))


def _threshold(request: dict[str, Any], draft: Program) -> Threshold | None:
    """The price of the first reward that was asked with, in a currency of the draft."""
    key, text = request.get("currency"), request.get("points")
    currency = next((item for item in draft.point_currencies if item.key == key), None)
    if currency is None or not text:
        return None
    try:
        return Threshold(currency.key, to_minor(str(text), currency.scale))
    except AmountError:
        return None
