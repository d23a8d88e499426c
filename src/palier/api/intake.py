"""The fast path of POST /v1/activities: requests gathered into batches, each durable before it is answered.

The event loop reads requests and writes answers; one thread per process takes all requests that wait, applies
them as one batch, commits, and hands the answers back. While it works the next batch gathers: no timer, no
wait. An activity is answered only after the commit that holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import threading
from collections import deque
from typing import Any, Final

import msgspec
import psycopg

from palier.activities import batch, wire
from palier.activities.answers import Result, body, counts
from palier.activities.runtime import Runtime, last_known, runtime
from palier.api.limits import allow
from palier.engine.refusals import Refusal
from palier.site import arrays, clock, database, disk
from palier.site.bridge import BodyTooLarge, HttpProtocol, Scope, has_body, read_body
from palier.site.environment import environment
from palier.staff.queries import Key, authenticate, cached

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 20_000
"""Activities that may wait in one process; beyond, callers are told to come back."""
MOST_IN_BATCH: Final = 2_000
LAST_ANSWERS_S: Final = 1.0
"""How long a process whose intake has failed still writes answers before it ends."""
RIGHT: Final = "activities:write"
JSON: Final = [("content-type", "application/json")]
PROBLEM: Final = [("content-type", "application/problem+json")]

_encode = msgspec.json.Encoder().encode

Answer = tuple[int, list[tuple[str, str]], bytes]


class _Request:
    """One request that waits: its lines, whose they are, and the future that its answer completes."""

    __slots__ = ("done", "dry_run", "key", "lines", "many")

    def __init__(
        self,
        key: Key,
        lines: list[wire.WireActivity | Refusal],
        many: bool,
        dry_run: bool,
        done: asyncio.Future[Answer],
    ) -> None:
        self.key = key
        self.lines = lines
        self.many = many
        self.dry_run = dry_run
        self.done = done


def problem(status: int, code: str, detail: str, **more: str) -> Answer:
    """A problem document (RFC 9457) as an answer."""
    from http import HTTPStatus

    content = {
        "type": f"urn:palier:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **{name: value for name, value in more.items() if value},
    }
    return status, PROBLEM, _encode(content)


def _retry(status: int, code: str, detail: str, after_s: int) -> Answer:
    status, headers, content = problem(status, code, detail)
    return status, [*headers, ("retry-after", str(after_s))], content


class Intake:
    """One process's intake: a bounded queue, and the thread that empties it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[_Request] = deque()
        self._lines = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._under_way: list[_Request] = []
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = threading.Thread(target=self._work, name="intake", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Applies what waits, then ends the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(10)

    def put(self, request: _Request) -> bool:
        """Queues a request; False when the queue is full."""
        with self._wake:
            if self._stopping or self._lines + len(request.lines) > MOST_WAITING:
                return False
            self._waiting.append(request)
            self._lines += len(request.lines)
            self._wake.notify()
        return True

    def _take(self) -> list[_Request]:
        """Waits for requests and takes those of one program, up to a batch's size, in order of arrival."""
        with self._wake:
            while not self._waiting and not self._stopping:
                self._wake.wait()
            taken: list[_Request] = []
            lines = 0
            while self._waiting:
                request = self._waiting[0]
                if taken and (
                    lines + len(request.lines) > MOST_IN_BATCH
                    or request.key.program_id != taken[0].key.program_id
                    or request.dry_run
                    or taken[0].dry_run
                ):
                    break
                self._waiting.popleft()
                if request.done.cancelled():
                    self._lines -= len(request.lines)
                    continue
                lines += len(request.lines)
                taken.append(request)
            self._lines -= lines
            self._under_way = taken
            return taken

    def _work(self) -> None:
        try:
            self._empty()
        except BaseException:
            # Nothing would empty the queue any more: whoever waits is told, and a new process takes over.
            logger.critical("the intake failed, and its process ends", exc_info=True)
            last = threading.Timer(LAST_ANSWERS_S, _end_process)
            last.daemon = True
            last.start()
            with self._wake:
                self._stopping = True
                requests = [*self._under_way, *self._waiting]
                self._waiting.clear()
            detail = "The outcome is not known; send the same activities again, with the same ids."
            answers = [_retry(503, "try_again", detail, 1)] * len(requests)
            # A loop that has ended has nobody to tell.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_deliver, requests, answers)

    def _empty(self) -> None:
        while True:
            requests = self._take()
            if not requests:
                if self._stopping:
                    return
                continue
            answers = self._answers(requests)
            try:
                self._loop.call_soon_threadsafe(_deliver, requests, answers)
            except RuntimeError:
                # The loop has ended; what was committed is answered when the sender repeats it.
                return

    def _answers(self, requests: list[_Request]) -> list[Answer]:
        """Applies requests as one batch; when that fails as a whole, in halves, so that one does not fail all."""
        try:
            return self._apply(requests)
        except (psycopg.errors.DataError, psycopg.errors.IntegrityError) as error:
            if len(requests) > 1:
                half = len(requests) // 2
                return self._answers(requests[:half]) + self._answers(requests[half:])
            logger.exception("an activity could not be written: %s", type(error).__name__)
            return [_retry(503, "not_applied", "The activity could not be written; nothing was changed.", 60)]
        except (psycopg.Error, batch.Conflict):
            logger.warning("a batch was not applied", exc_info=True)
            self._forget_connection()
            detail = "The outcome is not known; send the same activities again, with the same ids."
            return [_retry(503, "try_again", detail, 1)] * len(requests)
        except Exception:
            if len(requests) > 1:
                half = len(requests) // 2
                return self._answers(requests[:half]) + self._answers(requests[half:])
            logger.exception("a defect in the intake")
            self._forget_connection()
            return [problem(500, "defect", "The platform failed on this request; nothing was changed.")]

    def _forget_connection(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            finally:
                self._connection = None

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = database.connect("app")
            arrays.register(self._connection)
            self._connection.execute("set statement_timeout = '10s'")
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
            return [problem(404, "unknown_program", "The program of this key is not published.")] * len(
                requests
            )
        now = clock.now()
        timeline, key = program.timeline, program.key
        lines: list[wire.Read | Refusal] = []
        sent: list[tuple[str, str]] = []
        for request in requests:
            for line in request.lines:
                if isinstance(line, Refusal):
                    lines.append(line)
                    sent.append(("", ""))
                else:
                    read = wire.to_fact(line, timeline, key, now=now)
                    lines.append(read)
                    sent.append(wire.sent_as(line) if isinstance(read, Refusal) else ("", ""))
        results = batch.apply(
            connection, program, lines, now=now, dry_run=requests[0].dry_run, sent=sent
        )  # fmt: skip
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
        content = {"counts": counts(results), "results": [body(result, plan) for result in results]}
        return 200, JSON, _encode(content)
    result = results[0]
    if result.refusal is not None:
        refusal = result.refusal
        return problem(
            422, refusal.code.value, refusal.message, field=refusal.field, remedy=refusal.remedy,
            source=result.source, id=result.id,
        )  # fmt: skip
    return 200, JSON, _encode(body(result, plan))


def _end_process() -> None:
    """Ends this process at once, as a failure: whoever keeps it starts another."""
    os._exit(70)


def _deliver(requests: list[_Request], answers: list[Answer]) -> None:
    for request, answer in zip(requests, answers, strict=True):
        if not request.done.done():
            request.done.set_result(answer)


# --- the request's side -----------------------------------------------------------------------------------

_intake: Intake | None = None
_keys_lock = threading.Lock()
_keys: psycopg.Connection[Any] | None = None


def start(loop: asyncio.AbstractEventLoop) -> None:
    """Starts this process's intake; called once per process, in its event loop's thread."""
    global _intake
    # A batch makes hundred thousands of objects and hardly a cycle: cycles are looked for when more objects than
    # the largest batch has at once were not freed.
    gc.set_threshold(500_000, 20, 50)
    _intake = Intake(loop)


def stop() -> None:
    """Ends the intake after what waits is applied."""
    if _intake is not None:
        _intake.stop()


def _authenticate(header: str) -> Key | None:
    """The key of a request's header; asks the database only for keys not seen in the last seconds."""
    global _keys
    with _keys_lock:
        if _keys is None or _keys.closed:
            _keys = database.connect("app", autocommit=True)
        try:
            return authenticate(_keys, header)
        except psycopg.OperationalError:
            _keys.close()
            raise


async def handle(scope: Scope, protocol: HttpProtocol) -> None:
    """Answers one POST /v1/activities."""
    status, headers, content = await _handle(scope, protocol)
    protocol.response_bytes(status, headers, content)


async def _handle(scope: Scope, protocol: HttpProtocol) -> Answer:
    header = scope.headers.get("authorization") or ""
    key = cached(header)
    if key is None:
        try:
            key = await asyncio.get_running_loop().run_in_executor(None, _authenticate, header)
        except psycopg.Error:
            return _retry(503, "database_unreachable", "The database does not answer; try again.", 1)
        if key is None:
            status, headers, content = problem(
                401, "unauthorized", "Send a valid API key as 'Authorization: Bearer pk_...'."
            )
            return status, [*headers, ("www-authenticate", "Bearer")], content
    if RIGHT not in key.rights:
        return problem(403, "forbidden", f"This key lacks the right {RIGHT}.")
    wait_s = allow(key.prefix)
    if wait_s is not None:
        return _retry(
            429, "too_many_requests", "This key sends too fast; wait before the next.", max(1, round(wait_s))
        )
    if disk.full():
        return _retry(503, "disk_full", disk.DETAIL, disk.RETRY_AFTER_S)
    dry_run = False
    if scope.query_string:
        if scope.query_string in ("dry_run=true", "dry_run=1"):
            dry_run = True
        elif scope.query_string not in ("dry_run=false", "dry_run=0"):
            return problem(422, "invalid_query", "The only query parameter is dry_run=true or false.")
    if not has_body(scope):
        return problem(400, "invalid_body", "The body is empty; send one activity, or an array of them.")
    try:
        raw = await read_body(scope, protocol, wire.MAX_BYTES - 1)
    except BodyTooLarge:
        return problem(
            413, "body_too_large", "A body must be smaller than 2 MB; send fewer activities at a time."
        )
    kind = scope.headers.get("content-type") or "application/json"
    if not kind.startswith("application/json"):
        return problem(415, "unsupported_media_type", "Send the body as application/json.")
    try:
        lines = wire.split(raw)
    except wire.BodyError as error:
        return problem(400, "invalid_body", f"{str(error)[:1].upper()}{str(error)[1:]}.")
    many = raw.lstrip()[:1] == b"["
    assert _intake is not None
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Answer] = loop.create_future()
    if not _intake.put(_Request(key, lines, many, dry_run, done)):
        return _retry(503, "overloaded", "Too many activities wait already; send these again later.", 1)
    timer = loop.call_later(environment().web_deadline_s, _expire, done)
    try:
        return await done
    finally:
        timer.cancel()


def _expire(done: asyncio.Future[Answer]) -> None:
    if not done.done():
        detail = "The deadline passed and the outcome is not known; send the same activities again."
        done.set_result(_retry(503, "deadline", detail, 1))
