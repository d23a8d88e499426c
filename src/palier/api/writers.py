"""A writer: the process that applies activities, many requests as one batch, each durable before it is answered.

Web processes hand over bodies as they came. Here they are read, all that wait are applied as one batch, the batch
is committed, and each is answered. No event loop shares the interpreter, so that neither waits for the other, and
there are two such processes: while one waits for the database the other decides.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import psycopg

from palier.activities import batch, wire
from palier.activities.answers import Result, body, counts
from palier.activities.runtime import Runtime, last_known, runtime
from palier.api import frames
from palier.api.frames import Answered, Sent
from palier.api.partners import own_answer, own_line
from palier.engine.plan import Plan
from palier.engine.refusals import Refusal
from palier.site import clock, database, ids
from palier.staff.queries import Key

logger = logging.getLogger(__name__)

MOST_IN_BATCH: Final = 2_000
DRAIN_S: Final = 15.0
"""How long, when told to end, it waits for web processes that still bring requests."""
_PATIENCE_S: Final = 10.0
"""How long a web process may leave an answer untaken before it is given up."""
_LOOK_S: Final = 0.2
_MOST_READ: Final = 1 << 20

_encode = msgspec.json.Encoder().encode

Answer = tuple[int, int, bytes]
"""Status, seconds until a retry (0: none asked for), body."""


class _Caller:
    """A web process's connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE_S)
        self.connection = connection
        self._frames = frames.Frames()

    def read(self) -> list[Sent] | None:
        """What has come; None at the end."""
        try:
            more = self.connection.recv(_MOST_READ)
        except OSError:
            return None
        return (
            [sent for frame in self._frames.take(more) for sent in frames.read_sent(frame)] if more else None
        )

    def answer(self, answers: list[Answered]) -> None:
        """Sends answers; one who is gone, or takes none, sends the same again to another."""
        try:
            self.connection.sendall(frames.frame(answers))
        except OSError:
            logger.warning("a web process took no answer")
            # Whoever reads here finds its end, and closes it.
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)


class _Request:
    """One request that waits: its lines, whose they are, and who is to be answered under which number."""

    __slots__ = ("caller", "dry_run", "key", "lines", "many", "number")

    def __init__(self, caller: _Caller, sent: Sent, lines: list[wire.WireActivity | Refusal]) -> None:
        self.caller = caller
        self.number = sent.number
        self.key = sent.key
        self.lines = lines
        self.many = sent.body.lstrip()[:1] == b"["
        self.dry_run = sent.dry_run


def run(listener: socket.socket, stop: threading.Event) -> None:
    """Writes what web processes bring to this socket until `stop` is set and none is left, for DRAIN_S at most."""
    # A batch makes hundred thousands of objects and hardly a cycle: cycles are looked for when more objects than
    # the largest batch has at once were not freed.
    gc.set_threshold(500_000, 20, 50)
    try:
        with database.connect("app") as connection:
            ids.take_node(connection)
    except psycopg.Error:
        # The database may come later; until then the node number is the random one.
        logger.warning("no node number from the database; a random one is used")
    gc.collect()
    gc.freeze()
    _Writer(listener).run(stop)


class _Writer:
    """Reads what web processes bring, and writes what waits to the database, a batch at a time."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._callers = 0
        self._waiting: deque[_Request] = deque()
        self._connection: psycopg.Connection[Any] | None = None

    def run(self, stop: threading.Event) -> None:
        until: float | None = None
        while until is None or (self._callers and time.monotonic() < until):
            self._read(0.0 if self._waiting else _LOOK_S)
            requests = list(self._take())
            if requests:
                _deliver(requests, self._answers(requests))
            if until is None and stop.is_set():
                until = time.monotonic() + DRAIN_S

    def _read(self, wait_s: float) -> None:
        """Queues what has come; waits so long for it where nothing has."""
        for found, _ in self._selector.select(wait_s):
            caller: _Caller | None = found.data
            if caller is None:
                connection, _ = self._listener.accept()
                self._selector.register(connection, selectors.EVENT_READ, _Caller(connection))
                self._callers += 1
                continue
            sent = caller.read()
            if sent is None:
                self._selector.unregister(caller.connection)
                caller.connection.close()
                self._callers -= 1
                continue
            for request in sent:
                self._queue(caller, request)

    def _queue(self, caller: _Caller, sent: Sent) -> None:
        try:
            self._waiting.append(_Request(caller, sent, wire.split(sent.body)))
        except wire.BodyError as error:
            detail = f"{str(error)[:1].upper()}{str(error)[1:]}."
            content = frames.problem(400, "invalid_body", detail, remedy=frames.A_BODY)
            caller.answer([Answered(sent.number, 400, 0, content)])

    def _take(self) -> Iterator[_Request]:
        """What waits of one program, up to a batch's size, in order of arrival."""
        first: _Request | None = None
        lines = 0
        while self._waiting:
            request = self._waiting[0]
            lines += len(request.lines)
            if first is None:
                first = request
            elif (
                lines > MOST_IN_BATCH
                or request.key.program_id != first.key.program_id
                or request.dry_run
                or first.dry_run
            ):
                break
            yield self._waiting.popleft()

    def _answers(self, requests: list[_Request]) -> list[Answer]:
        """Applies requests as one batch; when that fails as a whole, in halves, so that one does not fail all."""
        try:
            return self._apply(requests)
        except (psycopg.errors.DataError, psycopg.errors.IntegrityError) as error:
            if len(requests) > 1:
                half = len(requests) // 2
                return self._answers(requests[:half]) + self._answers(requests[half:])
            logger.exception("an activity could not be written: %s", type(error).__name__)
            detail = "The activity could not be written; nothing was changed."
            return [(503, 60, frames.problem(503, "not_applied", detail))]
        except (psycopg.Error, batch.Conflict):
            logger.warning("a batch was not applied", exc_info=True)
            self._forget_connection()
            return [(503, 1, frames.UNKNOWN_OUTCOME)] * len(requests)
        except Exception:
            if len(requests) > 1:
                half = len(requests) // 2
                return self._answers(requests[:half]) + self._answers(requests[half:])
            logger.exception("a defect in the intake")
            self._forget_connection()
            detail = "The platform failed on this request; nothing was changed."
            return [(500, 0, frames.problem(500, "defect", detail))]

    def _forget_connection(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            finally:
                self._connection = None

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = database.connect("app")
            self._connection.execute("set statement_timeout = '10s'")
            # All that a batch asks goes by keys: a plan made anew for a few of them is no better, and costs more
            # than running it.
            self._connection.execute("set plan_cache_mode = force_generic_plan")
            self._connection.commit()
        return self._connection

    def _apply(self, requests: list[_Request]) -> list[Answer]:
        connection = self._open()
        try:
            return self._apply_on(connection, requests)
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise

    def _apply_on(self, connection: psycopg.Connection[Any], requests: list[_Request]) -> list[Answer]:
        name = requests[0].key.program
        program = last_known(name) or runtime(connection, name)
        if program is None:
            detail = "The program of this key is not published."
            return [(404, 0, frames.problem(404, "unknown_program", detail))] * len(requests)
        now = clock.now()
        timeline, key = program.timeline, program.key
        lines: list[wire.Read | Refusal] = []
        sent: list[tuple[str, str]] = []
        keys: list[Key] = []
        for request in requests:
            keys += [request.key] * len(request.lines)
            for line in request.lines:
                if isinstance(line, Refusal):
                    lines.append(line)
                    sent.append(("", ""))
                else:
                    read = wire.to_fact(line, timeline, key, now=now)
                    if request.key.partner:
                        read = own_line(request.key, read, program.latest)
                    lines.append(read)
                    sent.append(wire.sent_as(line) if isinstance(read, Refusal) else ("", ""))
        told: list[tuple[list[Result], list[Answer]]] = []

        def tell(place: int, result: Result) -> bytes:
            return _encode(_told(keys[place], result, (last_known(name) or program).latest))

        def meanwhile(results: list[Result]) -> None:
            told.append((results, _answers(requests, results, last_known(name) or program)))
            self._read(0)

        results = batch.apply(
            connection,
            program,
            lines,
            now=now,
            dry_run=requests[0].dry_run,
            sent=sent,
            # Small batches are told of while the database writes.
            tell=tell if any(request.many for request in requests) else None,
            meanwhile=meanwhile,
        )
        if told and told[-1][0] is results:
            return told[-1][1]
        # What was published meanwhile may have brought a currency.
        return _answers(requests, results, last_known(name) or program)


def _answers(requests: list[_Request], results: list[Result], program: Runtime) -> list[Answer]:
    answers = []
    start = 0
    for request in requests:
        end = start + len(request.lines)
        answers.append(_answer(request, results[start:end], program))
        start = end
    return answers


def _answer(request: _Request, results: list[Result], program: Runtime) -> Answer:
    plan = program.latest
    if request.many:
        told = [
            msgspec.Raw(result.said) if result.said else _told(request.key, result, plan)
            for result in results
        ]
        return 200, 0, _encode({"counts": counts(results), "results": told})
    result = results[0]
    if result.said:
        return 200, 0, result.said
    told_one = _told(request.key, result, plan)
    refusal = result.refusal
    if refusal is not None:
        content = frames.problem(
            422, refusal.code.value, told_one["message"], field=refusal.field, remedy=refusal.remedy,
            source=result.source, id=result.id,
        )  # fmt: skip
        return 422, 0, content
    return 200, 0, _encode(told_one)


def _told(key: Key, result: Result, plan: Plan) -> dict[str, Any]:
    return own_answer(key, body(result, plan), plan)


def _deliver(requests: list[_Request], answers: list[Answer]) -> None:
    """Answers each web process once."""
    by_caller: dict[_Caller, list[Answered]] = {}
    for request, answer in zip(requests, answers, strict=True):
        by_caller.setdefault(request.caller, []).append(Answered(request.number, *answer))
    for caller, answered in by_caller.items():
        caller.answer(answered)
