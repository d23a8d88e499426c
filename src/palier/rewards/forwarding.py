"""Sending what waits for suppliers: each supplier has a courier of its own, so that none waits for another.

A courier is a thread with one connection to the database; it takes what is due, asks the supplier on up to `at_once`
threads, and records each answer as it comes. The network is never waited for inside a transaction. A supplier that
fails is left alone for longer and longer, and then asked one thing until it answers again.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, Final

import psycopg
from msgspec import Struct, structs
from psycopg import Connection

from palier.activities import batch
from palier.connectors.suppliers.contract import (
    Absent,
    Declined,
    NotKnown,
    Standing,
    Supplier,
    TryLater,
    Unanswered,
)
from palier.connectors.suppliers.mapping import SupplierDocument
from palier.engine.clock import SECOND
from palier.rewards import dispatch, suppliers
from palier.rewards.dispatch import Dispatch, Orders, Question, Step, judged
from palier.rewards.suppliers import Configured
from palier.site import ciphers, clock

logger = logging.getLogger(__name__)

MOST_COURIERS: Final = 32
"""Suppliers that are asked at a time; each costs a connection to the database while it has something to do."""
_WAIT_S: Final = 0.2

Connect = Callable[[], Connection[Any]]


def lease_s(document: SupplierDocument) -> int:
    """How long a message that was taken stays taken: longer than every question about it can last."""
    return 8 * document.deadline_s + 30


class Asked(Struct, frozen=True):
    """A question, and its answer."""

    dispatch: Dispatch
    question: Question | None
    answer: Standing | Absent | Unanswered
    look: Standing | Absent | Unanswered | None = None


def ask(supplier: Supplier, found: Dispatch, document: SupplierDocument) -> Asked:
    """Asks a supplier what is to be asked next about a dispatch. Knows no database."""
    question = dispatch.question(found, document)
    if question is None:
        return Asked(found, None, NotKnown("the first question was not answered, and none must be repeated"))
    answer: Standing | Absent | Unanswered
    look = None
    if question == "place":
        answer = supplier.place(found.order)
        if isinstance(answer, Declined) and found.unsure:
            look = supplier.status(found.request_id, found.reference)
    elif question == "status":
        answer = supplier.status(found.request_id, found.reference)
    else:
        answer = supplier.cancel(found.request_id, found.reference)
    return Asked(found, question, answer, look)


def settle(
    connection: Connection[Any],
    asked: Asked,
    document: SupplierDocument,
    orders: Orders,
    *,
    claimed_at: int,
    now: int,
    chance: Random,
) -> Step | None:
    """Records the answer to a question and commits; what the dispatch became, None where it came too late."""
    found = asked.dispatch
    if asked.question is None:
        step = Step(
            "dead", unsure=True, reason=str(getattr(asked.answer, "reason", "")), attempts=found.attempts
        )
    else:
        step = judged(found, asked.question, asked.answer, document, now=now, chance=chance, look=asked.look)

    def once() -> bool:
        return dispatch.record(
            connection, found, asked.question, step, orders, claimed_at=claimed_at, now=now
        )

    if not batch.attempt(connection, once):
        logger.warning("supplier %s: an answer about %s came too late", found.supplier, found.request_id)
        return None
    if step.state == "dead":
        logger.error("supplier %s: %s is a dead letter: %s", found.supplier, found.request_id, step.reason)
    return step


def note(
    connection: Connection[Any], configured: Configured, answer: object, failures: int, *, now: int
) -> int:
    """Remembers whether the supplier answered; how many failures there are now, one after the other. Commits."""
    key, program_id = configured.key, configured.program_id
    if not isinstance(answer, (TryLater, NotKnown)):
        if failures:
            suppliers.note_answer(connection, program_id, key)
            connection.commit()
        return 0
    rest_s = dispatch.rest_s(failures + 1)
    if isinstance(answer, TryLater) and answer.after_s is not None:
        rest_s = max(rest_s, min(answer.after_s, dispatch.LONGEST_REST_S))
    until = now + rest_s * SECOND if rest_s else 0
    suppliers.note_failure(connection, program_id, key, until=until, reason=answer.reason)
    connection.commit()
    return failures + 1


class Courier:
    """What one supplier has to be told, until nothing is due or the supplier rests."""

    def __init__(
        self,
        configured: Configured,
        connect: Connect,
        orders: Orders,
        *,
        supplier: Supplier | None = None,
        now: Callable[[], int] | None = None,
    ) -> None:
        self.configured = configured
        self._supplier = supplier or suppliers.reached(configured)
        self._connect = connect
        self._orders = orders
        self._now = now or clock.now
        self._chance = Random()  # noqa: S311 (jitter, no secret)
        self._answers: queue.SimpleQueue[tuple[Asked, int]] = queue.SimpleQueue()
        self._asking = 0

    def run(self, stopping: threading.Event | None = None) -> int:
        """Asks and records until nothing is due; how many answers were recorded."""
        done = 0
        with self._connect() as connection:
            health = suppliers.health(connection, self.configured.program_id, self.configured.key)
            connection.commit()
            failures = health.failures
            resting = health.rests_until > self._now()
            while True:
                ending = resting or (stopping is not None and stopping.is_set())
                if not ending:
                    most = 1 if failures >= dispatch.FAILURES_UNTIL_REST else self.configured.document.at_once
                    self._take(connection, most - self._asking)
                if not self._asking:
                    return done
                try:
                    asked, claimed_at = self._answers.get(timeout=_WAIT_S)
                except queue.Empty:
                    continue
                self._asking -= 1
                now = self._now()
                document = self.configured.document
                settle(
                    connection,
                    asked,
                    document,
                    self._orders,
                    claimed_at=claimed_at,
                    now=now,
                    chance=self._chance,
                )
                done += 1
                if asked.question is not None:
                    failures = note(connection, self.configured, asked.answer, failures, now=now)
                if failures:
                    health = suppliers.health(connection, self.configured.program_id, self.configured.key)
                    connection.commit()
                    resting = health.rests_until > now

    def _take(self, connection: Connection[Any], limit: int) -> None:
        if limit <= 0:
            return
        now = self._now()
        lease = lease_s(self.configured.document)
        taken = dispatch.claim(
            connection, self.configured.program_id, self.configured.key, now=now, lease_s=lease, limit=limit
        )
        until = time.monotonic() + lease
        for each in taken:
            found = each
            if each.sent:
                address = self._orders.address(connection, each)
                found = structs.replace(each, order=structs.replace(each.order, delivery=address))
            self._asking += 1
            threading.Thread(target=self._ask, args=(found, now, until), daemon=True, name="supplier").start()
        connection.commit()

    def _ask(self, found: Dispatch, claimed_at: int, until: float) -> None:
        answer: Standing | Absent | Unanswered
        try:
            # A worker that was asleep so long has lost the message to another by now.
            if time.monotonic() > until:
                asked = Asked(found, dispatch.question(found, self.configured.document), TryLater("too late"))
            else:
                asked = ask(self._supplier, found, self.configured.document)
        except Exception:
            logger.exception("supplier %s: the connector failed at %s", found.supplier, found.request_id)
            answer = NotKnown("the connector failed; its error is in the log")
            asked = Asked(found, "place" if found.state != "accepted" else "status", answer)
        self._answers.put((asked, claimed_at))


class Couriers:
    """The couriers of all suppliers, each begun when there is something to do for it."""

    def __init__(self, connect: Connect, orders: Orders) -> None:
        self._connect = connect
        self._orders = orders
        self._running: dict[tuple[int, str], threading.Thread] = {}

    def begin(self, connection: Connection[Any], stopping: threading.Event | None = None) -> int:
        """Begins a courier for each supplier that has something due and is not asked yet; how many. Never waits."""
        self._running = {key: thread for key, thread in self._running.items() if thread.is_alive()}
        begun = 0
        try:
            known = suppliers.listed(connection)
        except ciphers.Unreadable as error:
            logger.error("suppliers' secrets cannot be read: %s", error)
            return 0
        now = clock.now()
        for found in known:
            key = (found.program_id, found.key)
            if found.paused or key in self._running or len(self._running) >= MOST_COURIERS:
                continue
            if suppliers.health(connection, *key).rests_until > now:
                continue
            if not dispatch.is_waiting(connection, *key, now=now):
                continue
            thread = threading.Thread(
                target=self._run, args=(found, stopping), daemon=True, name=f"supplier {found.key}"
            )
            self._running[key] = thread
            thread.start()
            begun += 1
        connection.rollback()
        return begun

    def wait(self, timeout_s: float) -> None:
        """Waits until every courier has come to its end, at most so long each."""
        for thread in list(self._running.values()):
            thread.join(timeout_s)

    def _run(self, found: Configured, stopping: threading.Event | None) -> None:
        try:
            with suppress(psycopg.OperationalError):
                Courier(found, self._connect, self._orders).run(stopping)
        except Exception:
            logger.exception("supplier %s: its courier broke off; another is begun", found.key)
