"""The fast path of POST /v1/activities: requests gathered into batches, each durable before it is answered.

The event loop reads requests and writes answers; a thread takes all requests that wait, applies them as one
batch, commits, and hands the answers back. While it works the next batch gathers: no timer, no wait. Large
requests are shared out by member between two such threads, so that one decides while the other waits for the
database. An activity is answered only after the commit that holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import psycopg

from palier.activities import batch, wire
from palier.activities.answers import Result, body, counts
from palier.activities.runtime import Runtime, last_known, runtime
from palier.api.limits import allow
from palier.api.partners import own_answer, own_line
from palier.engine.refusals import Refusal
from palier.site import arrays, clock, database, disk
from palier.site.bridge import BodyTooLarge, HttpProtocol, Scope, has_body, read_body
from palier.site.environment import environment
from palier.staff.queries import Key, authenticate, cached

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 20_000
"""Activities that may wait in one process; beyond, callers are told to come back."""
MOST_IN_BATCH: Final = 2_000
WRITERS: Final = 2
"""Threads that write: while one waits for the database the other decides. Small requests are cheaper together, so
the first takes them all; large ones are shared out by member, so that the two do not wait for each other."""
SPLIT_FROM: Final = 200
LAST_ANSWERS_S: Final = 1.0
"""How long a process whose intake has failed still writes answers before it ends."""
RIGHT: Final = "activities:write"
JSON: Final = [("content-type", "application/json")]
PROBLEM: Final = [("content-type", "application/problem+json")]

_encode = msgspec.json.Encoder().encode

Answer = tuple[int, list[tuple[str, str]], bytes]


class _Request:
    """One request that waits: its lines, whose they are, and the future that its answer completes.

    A part of a larger request says of which, and where its lines stand in it.
    """

    __slots__ = ("done", "dry_run", "key", "lines", "many", "places", "whole")

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
        self.whole: _Whole | None = None
        self.places: list[int] = []


class _Whole:
    """What has come out of a request that is applied in parts; the last part answers."""

    __slots__ = ("_lock", "_open", "_results")

    def __init__(self, parts: Sequence[_Request]) -> None:
        self._lock = threading.Lock()
        self._open = set(parts)
        self._results: list[Result | None] = [None] * sum(len(part.lines) for part in parts)

    def take(self, part: _Request, results: list[Result]) -> list[Result] | None:
        """Takes what came out of a part; all results once no part is missing."""
        with self._lock:
            self._open.discard(part)
            for place, result in zip(part.places, results, strict=True):
                self._results[place] = result
            if self._open:
                return None
            return [result for result in self._results if result is not None]


def _parts(request: _Request) -> list[_Request]:
    """A large request in two, the lines of one member together; whole where lines build on one another."""
    if len(request.lines) < SPLIT_FROM or request.dry_run:
        return [request]
    parts = [_Request(request.key, [], True, False, request.done) for _ in range(WRITERS)]
    for place, line in enumerate(request.lines):
        if isinstance(line, Refusal) or line.member is None or line.sale is not None or line.tenders:
            return [request]
        member = line.member if isinstance(line.member, str) else min(line.member.items(), default=())
        part = parts[hash(member) % WRITERS]
        part.lines.append(line)
        part.places.append(place)
    parts = [part for part in parts if part.lines]
    if len(parts) == 1:
        return [request]
    whole = _Whole(parts)
    for part in parts:
        part.whole = whole
    return parts


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
    """One process's intake: its writers, and what is done when one fails."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._writers = [_Writer(loop, number, self._fail) for number in range(WRITERS)]
        for writer in self._writers:
            writer.start()

    def stop(self) -> None:
        """Applies what waits, then ends the writers."""
        for writer in self._writers:
            writer.end()
        for writer in self._writers:
            writer.join()

    def put(self, request: _Request) -> bool:
        """Queues a request; False when a queue is full. For the event loop's thread only."""
        parts = _parts(request)
        if not all(writer.takes(part) for writer, part in zip(self._writers, parts, strict=False)):
            return False
        for writer, part in zip(self._writers, parts, strict=False):
            writer.put(part)
        return True

    def _fail(self) -> None:
        """A writer failed, so that nothing would empty its queue: who waits is told, and a new process takes over."""
        logger.critical("the intake failed, and its process ends", exc_info=True)
        last = threading.Timer(LAST_ANSWERS_S, _end_process)
        last.daemon = True
        last.start()
        waiting = [request for writer in self._writers for request in writer.drain()]
        detail = "The outcome is not known; send the same activities again, with the same ids."
        told: list[Answer | None] = [_retry(503, "try_again", detail, 1)] * len(waiting)
        # A loop that has ended has nobody to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_deliver, waiting, told)


class _Writer:
    """A bounded queue, and the thread that empties it into the database on a connection of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int, fail: Callable[[], None]) -> None:
        self._loop = loop
        self._fail = fail
        self._waiting: deque[_Request] = deque()
        self._lines = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._under_way: list[_Request] = []
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = threading.Thread(target=self._work, name=f"intake-{number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def join(self) -> None:
        self._thread.join(10)

    def takes(self, request: _Request) -> bool:
        with self._wake:
            return not self._stopping and self._lines + len(request.lines) <= MOST_WAITING

    def drain(self) -> list[_Request]:
        """Takes nothing more; all that was not answered yet."""
        with self._wake:
            self._stopping = True
            left = [*self._under_way, *self._waiting]
            self._waiting.clear()
            return left

    def put(self, request: _Request) -> None:
        with self._wake:
            self._waiting.append(request)
            self._lines += len(request.lines)
            self._wake.notify()

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
            self._fail()

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

    def _answers(self, requests: list[_Request]) -> list[Answer | None]:
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

    def _apply(self, requests: list[_Request]) -> list[Answer | None]:
        connection = self._open()
        try:
            return self._apply_on(connection, requests)
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise

    def _apply_on(self, connection: psycopg.Connection[Any], requests: list[_Request]) -> list[Answer | None]:
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
                    if request.key.partner:
                        read = own_line(request.key, read, program.latest)
                    lines.append(read)
                    sent.append(wire.sent_as(line) if isinstance(read, Refusal) else ("", ""))
        results = batch.apply(
            connection, program, lines, now=now, dry_run=requests[0].dry_run, sent=sent
        )  # fmt: skip
        # What was published meanwhile may have brought a currency.
        program = last_known(name) or program
        answers: list[Answer | None] = []
        start = 0
        for request in requests:
            end = start + len(request.lines)
            found: list[Result] | None = results[start:end]
            if request.whole is not None and found is not None:
                found = request.whole.take(request, found)
            answers.append(_answer(request, found, program) if found is not None else None)
            start = end
        return answers


def _answer(request: _Request, results: list[Result], program: Runtime) -> Answer:
    plan = program.latest
    if request.many:
        told = [own_answer(request.key, body(result, plan), plan) for result in results]
        content = {"counts": counts(results), "results": told}
        return 200, JSON, _encode(content)
    result = results[0]
    if result.refusal is not None:
        refusal = result.refusal
        told_one = own_answer(request.key, body(result, plan), plan)
        return problem(
            422, refusal.code.value, told_one["message"], field=refusal.field, remedy=refusal.remedy,
            source=result.source, id=result.id,
        )  # fmt: skip
    return 200, JSON, _encode(own_answer(request.key, body(result, plan), plan))


def _end_process() -> None:
    """Ends this process at once, as a failure: whoever keeps it starts another."""
    os._exit(70)


def _deliver(requests: list[_Request], answers: list[Answer | None]) -> None:
    for request, answer in zip(requests, answers, strict=True):
        if answer is not None and not request.done.done():
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
