"""What was told as known at an instant stays: beside batches that are still open, and long runs dated before it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from palier.activities import batch, due, rerate, settlements
from palier.activities.runtime import runtime
from palier.activities.settlements import Question
from palier.engine.clock import DAY, MINUTE, SECOND, instant, moment
from palier.engine.facts import Fact
from palier.programs import telling
from palier.programs.operations import publish, rerate_judging
from palier.programs.telling import StillWritten, tell
from palier.site import clock
from palier.site import database as platform_database
from tests.activities.program import Connection, line
from tests.activities.test_settlements import Town, coalition

MONTH = "2026-03"
WHEN = 1_772_700_000_000_000
"""A day of March 2026."""


@pytest.fixture
def other(database: str) -> Iterator[Connection]:
    with contextlib.closing(platform_database.connect("app")) as opened:
        yield opened


def begin(connection: Connection, town: Town, card: str, name: str, *, now: int) -> None:
    """A sale of March, written and not committed."""
    fact = Fact("till", name, "sale", WHEN, 10_00, partner="bakery")
    found = batch.apply_within(connection, town.runtime, [line(fact, card)], now=now)
    assert found[0].status == "applied"


def names(town: Town, *, known_at: int, known_after: int = 0) -> set[str]:
    question = Question(settlements.month(town.runtime, MONTH), known_at, known_after, "bakery")
    found = {item.entry.activity for item in town.lines(question)}
    town.connection.rollback()
    return found


def test_a_statement_has_what_was_begun_before_it_and_what_begins_meanwhile_comes_after(
    connection: Connection, other: Connection
) -> None:
    town = Town(connection)
    start = clock.now()
    begin(other, town, "100", "open", now=start)
    found: list[int] = []

    def read() -> None:
        with contextlib.closing(platform_database.connect("app")) as own:
            found.append(tell(own, town.runtime.program_id, clock.now()))

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(0.3)
    assert reader.is_alive(), "it does not wait for what is being written"
    # Whoever writes does not wait, though he began before what was told.
    begin(connection, town, "101", "meanwhile", now=start)
    connection.commit()
    assert reader.is_alive()
    other.commit()
    reader.join(10)
    told = found[0]
    assert names(town, known_at=told) == {"open"}
    begin(connection, town, "102", "later", now=start)
    connection.commit()
    assert names(town, known_at=told) == {"open"}
    assert names(town, known_at=clock.now(), known_after=told) == {"meanwhile", "later"}
    assert names(town, known_at=clock.now()) == {"open", "meanwhile", "later"}


def test_what_was_told_before_is_told_again_without_waiting(
    connection: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(connection)
    monkeypatch.setattr(telling, "WAIT_S", 0.1)
    told = tell(connection, town.runtime.program_id, clock.now())
    begin(other, town, "100", "open", now=told)
    assert tell(connection, town.runtime.program_id, told - DAY) == told - DAY
    assert tell(connection, town.runtime.program_id, told) == told
    with pytest.raises(StillWritten, match="ask again in a moment"):
        tell(connection, town.runtime.program_id, clock.now())
    # It said that it would tell: that alone does not mean that all is there.
    with pytest.raises(StillWritten):
        tell(connection, town.runtime.program_id, told + 1)
    other.commit()
    assert names(town, known_at=tell(connection, town.runtime.program_id, clock.now())) == {"open"}
    assert names(town, known_at=told) == set()


def test_nothing_to_come_is_told(connection: Connection) -> None:
    town = Town(connection)
    before = clock.now()
    assert before <= tell(connection, town.runtime.program_id, before + DAY) <= clock.now()


def recorded(town: Town) -> list[int]:
    """When the rows of the ledger were recorded, in order."""
    rows = town.connection.execute("select recorded_at from transfer order by recorded_at").fetchall()
    town.connection.rollback()
    return [instant(row[0]) for row in rows]


def rate_again(town: Town, now: int) -> None:
    publish(town.connection, coalition(rules=[]), now=now, published_by="test")
    rerate_judging(
        town.connection,
        "shop",
        from_at=WHEN - DAY,
        until_at=None,
        version=2,
        now=now,
        reason="promised earlier",
    )
    town.connection.commit()
    judged = runtime(town.connection, "shop")
    assert judged is not None
    town.connection.rollback()
    rerate.rerate(town.connection, judged, WHEN - DAY, now=now, post=True)


def expire(town: Town, now: int) -> None:
    due.advance_all(town.connection, town.runtime, WHEN + 50 * DAY, now=now)


@pytest.mark.parametrize("run", [rate_again, expire])
def test_a_long_run_that_began_before_dates_what_it_writes_after(
    connection: Connection, run: Callable[[Town, int], None]
) -> None:
    town = Town(connection)
    begin(connection, town, "100", "sale", now=WHEN)
    connection.commit()
    before = len(recorded(town))
    start = clock.now() - 20 * MINUTE
    told = tell(connection, town.runtime.program_id, start + MINUTE)
    run(town, start)
    written = recorded(town)[before:]
    assert written
    assert set(written) == {told + 1}


@pytest.mark.parametrize(("ahead", "moved"), [(4 * MINUTE, True), (6 * MINUTE, False)])
def test_a_clock_that_goes_wrong_dates_nobodys_rows(connection: Connection, ahead: int, moved: bool) -> None:
    town = Town(connection)
    now = clock.now()
    connection.execute(telling.TELL, {"program": town.runtime.program_id, "at": moment(now + ahead + SECOND)})
    begin(connection, town, "100", "sale", now=now)
    connection.commit()
    assert set(recorded(town)) == {now + ahead + SECOND + 1 if moved else now}
