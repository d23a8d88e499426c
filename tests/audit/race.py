"""Races: work started by many threads at one instant, each on a connection of its own to a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, TypeVar

import msgspec
import psycopg

from palier.activities import batch, operations
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.activities.store import activities
from palier.engine.facts import OWN_SOURCE, Fact
from palier.engine.history import fold
from palier.engine.program import Program
from palier.engine.state import MemberState, decode_state
from palier.ledger.verify import verify
from palier.site import database
from tests.activities.program import NOW, Connection, line, member, program, published
from tests.activities.test_batch_order import standing

Answer = TypeVar("Answer")
Job = Callable[[Connection], Answer]

STARS = {"en": {"one": "star", "other": "stars"}, "fr": {"one": "étoile", "other": "étoiles"}}
PATIENCE_S = 120
DAY = 24 * 3600 * 1_000_000


def transferable(**settings: Any) -> Program:
    """The small program with points that may move between members; debt when what was earned is gone."""
    return program(point_currencies=[{"key": "stars", "name": STARS, "transferable": True, **settings}])


def together(jobs: Sequence[Job[Answer]], threads: int) -> list[Answer]:
    """Runs jobs on `threads` threads that start at one instant; answers in the order of the jobs.

    Each thread takes every n-th job and has its own connection. The first error of any is raised.
    """
    threads = min(threads, len(jobs))
    barrier = threading.Barrier(threads)
    answers: dict[int, Answer] = {}
    errors: list[BaseException] = []

    def run(first: int) -> None:
        try:
            with closing(database.connect("app")) as connection:
                barrier.wait(PATIENCE_S)
                for number in range(first, len(jobs), threads):
                    answers[number] = jobs[number](connection)
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=run, args=(first,), daemon=True) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in running), "a thread does not come back"
    if errors:
        raise errors[0]
    return [answers[number] for number in range(len(jobs))]


def deadlocks(connection: Connection) -> int:
    """Deadlocks counted in this database by closed connections."""
    row = connection.execute(
        "select deadlocks from pg_stat_database where datname = current_database()"
    ).fetchone()
    assert row is not None
    return int(row[0])


class Stage:
    """A published program, its members by card, and what jobs do to them."""

    def __init__(self, connection: Connection, document: Program | None = None) -> None:
        self.connection = connection
        self.runtime: Runtime = published(connection, document or transferable())
        self.members: dict[str, int] = {}

    def member(self, card: str, points: int = 0) -> int:
        """A new member who earned these points by one sale, a day ago."""
        self.members[card] = member(self.connection, self.runtime.program_id, card)
        if points:
            assert self.sale(f"first-{card}", card, points, at=NOW - DAY)(self.connection).status == "applied"
        return self.members[card]

    def sale(self, identifier: str, card: str, euros: int, *, at: int = NOW, **more: Any) -> Job[Result]:
        return self.send(Fact("till", identifier, "sale", at, euros * 100, **more), card)

    def send(self, fact: Fact, card: str, *, now: int = NOW) -> Job[Result]:
        def job(connection: Connection) -> Result:
            return batch.apply(connection, self.runtime, [line(fact, card)], now=now)[0]

        return job

    def command(self, name: str, identifier: str, *, now: int = NOW, **more: Any) -> Job[Result]:
        """An operation of this name, committed."""
        operation = getattr(operations, name)

        def job(connection: Connection) -> Result:
            result: Result = batch.attempt(
                connection,
                lambda: operation(
                    connection, self.runtime, currency="stars", source="till", id=identifier, now=now, **more
                ),
            )
            return result

        return job

    def redeem(self, identifier: str, card: str, points: int) -> Job[Result]:
        return self.command("redeem", identifier, member_id=self.members[card], points=points)

    def transfer(self, identifier: str, sender: str, receiver: str, points: int) -> Job[Result]:
        return self.command(
            "transfer",
            identifier,
            sender_id=self.members[sender],
            receiver_id=self.members[receiver],
            points=points,
        )

    def state(self, card: str) -> MemberState:
        """The member's stored state, after it was found equal to a fold of the stored facts."""
        member_id = self.members[card]
        row = self.connection.execute(
            "select state from progress where member_id = %s", (member_id,)
        ).fetchone()
        assert row is not None
        stored = decode_state(row[0])
        rows = self.connection.execute(
            "select member_id, activity_id, source, external_id, type, payload::text, inputs::text, trace::text,"
            " corrects_id, sale_id, transfer_count from activity where member_id = %s order by activity_id",
            (member_id,),
        ).fetchall()
        self.connection.rollback()
        whole = fold(self.runtime.timeline, [a.known for a in activities(rows) if a.source != OWN_SOURCE])
        whole.advance(stored.due_done)
        ours, again = standing(stored), standing(whole.state)
        assert ours == again, f"{card}: stored {ours}, folded {again}"
        return stored

    def spendable(self, card: str) -> int:
        wallet = self.state(card).wallets.get("stars")
        return wallet.spendable if wallet is not None else 0

    def debt(self, card: str) -> int:
        wallet = self.state(card).wallets.get("stars")
        return wallet.debt if wallet is not None else 0

    def sound(self) -> None:
        """Fails when any invariant of the ledger is broken."""
        self.connection.rollback()
        violations = verify(self.connection)
        self.connection.rollback()
        assert not violations, violations[:5]


def refused(results: Sequence[Result]) -> list[str]:
    """The codes of those that were refused."""
    return [result.refusal.code.value for result in results if result.refusal is not None]


def plain(result: Result, runtime: Runtime) -> bytes:
    """A result's body without its status: what a repetition must bring back byte for byte."""
    from palier.activities.answers import body

    content = body(result, runtime.latest)
    content.pop("status")
    return msgspec.json.encode(content)


__all__ = ["NOW", "Job", "Stage", "deadlocks", "plain", "psycopg", "refused", "together"]
