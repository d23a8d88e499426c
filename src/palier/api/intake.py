"""POST /v1/activities in a web process: who may send, and what is handed to the writers (`palier.api.writers`).

The event loop reads requests and writes answers; what is in a body is the writers' matter. They are processes of
their own, which all web processes share, and answer after the commit that holds an activity.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, cast
from zlib import crc32

import msgspec
import psycopg

from palier.activities import wire
from palier.api import frames
from palier.api.frames import WRITERS, Sent
from palier.api.limits import allow
from palier.site import database, disk
from palier.site.bridge import TOO_SLOW, BodyBroken, BodyTooLarge, HttpProtocol, Scope, has_body, read_body
from palier.site.environment import environment
from palier.staff.queries import Key, authenticate, cached

logger = logging.getLogger(__name__)

MOST_WAITING_MB: Final = 8
"""Bodies that may wait for the writers in one web process, some 20,000 activities; beyond, callers are told to
come back."""
RIGHT: Final = "activities:write"
JSON: Final = [("content-type", "application/json")]
PROBLEM: Final = [("content-type", "application/problem+json")]
LARGE_BYTES: Final = 50_000
"""From here on a body is shared out: some 120 activities."""
_HEAD_BYTES: Final = 200
"""What a waiting request takes beside its body."""
_AGAIN_S: Final = 0.05
_BODIES_S: Final = 1.0

Answer = tuple[int, list[tuple[str, str]], bytes]


def problem(status: int, code: str, detail: str, **more: str) -> Answer:
    """A problem document (RFC 9457) as an answer; `more` is its field and remedy."""
    return status, PROBLEM, frames.problem(status, code, detail, **more)


def _retry(status: int, code: str, detail: str, after_s: int) -> Answer:
    return _answered(status, after_s, frames.problem(status, code, detail))


def _answered(status: int, retry_s: int, content: bytes) -> Answer:
    if status == 200:
        return status, JSON, content
    return status, [*PROBLEM, ("retry-after", str(retry_s))] if retry_s else PROBLEM, content


class _Part(msgspec.Struct):
    """What has to be known of an activity to share it out: whose it is, and whether it builds on another."""

    member: msgspec.Raw = msgspec.Raw(b"")
    sale: msgspec.Raw = msgspec.Raw(b"")
    tenders: msgspec.Raw = msgspec.Raw(b"")


class _Told(msgspec.Struct):
    """What a writer told of an array: how many came to what, and each line's result."""

    counts: dict[str, int]
    results: list[msgspec.Raw]


_lines: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_part: Final = msgspec.json.Decoder(_Part).decode
_told: Final = msgspec.json.Decoder(_Told).decode


def shared_out(body: bytes) -> list[tuple[bytes, list[int]]]:
    """A large array by member, one for each writer, with the places of its lines in the whole.

    Members of one writer do not wait for those of the other. Whole, as [(body, [])], where lines build on one
    another or are not all readable: that is for one writer to tell.
    """
    whole: list[tuple[bytes, list[int]]] = [(body, [])]
    try:
        lines = _lines(body)
        if len(lines) > wire.MAX_LINES:
            return whole
        shares: list[tuple[list[bytes], list[int]]] = [([], []) for _ in range(WRITERS)]
        for place, line in enumerate(lines):
            part = _part(line)
            if not part.member or part.sale or part.tenders:
                return whole
            share = shares[crc32(part.member) % WRITERS]
            share[0].append(bytes(line))
            share[1].append(place)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return whole
    parts = [(b"[" + b",".join(found) + b"]", places) for found, places in shares if found]
    return parts if len(parts) > 1 else whole


def put_together(parts: list[tuple[list[int], bytes]]) -> bytes:
    """The answer to a request that was shared out, from the places and answers of its parts."""
    counts: Counter[str] = Counter()
    results: dict[int, msgspec.Raw] = {}
    for places, content in parts:
        told = _told(content)
        for status, count in told.counts.items():
            counts[status] += count
        results.update(zip(places, told.results, strict=True))
    return msgspec.json.encode(_Told(dict(counts), [results[place] for place in sorted(results)]))


class Intake:
    """What is open in this process, and the writers that it is handed to. For the event loop's thread only.

    Small requests are cheaper together than apart: the first writer takes them all. Large ones are shared out by
    member.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open: dict[int, tuple[asyncio.Future[Answer], int, asyncio.TimerHandle]] = {}
        self._bytes = 0
        self._number = 0
        self._stopped = False
        self._writers = [_Writer(loop, number, self._complete) for number in range(WRITERS)]

    async def apply(self, key: Key, dry_run: bool, body: bytes) -> Answer | None:
        """What an activity, or an array of them, came to. None when too much waits already."""
        if len(body) < LARGE_BYTES or dry_run:
            done = self._put(Sent(0, key, dry_run, body), self._writers[0])
            return await done if done is not None else None
        parts = shared_out(body)
        asked = [
            self._put(Sent(0, key, False, part), writer)
            for (part, _), writer in zip(parts, self._writers, strict=False)
        ]
        answers = [await done for done in asked if done is not None]
        if len(answers) < len(parts):
            return None
        failed = next((answer for answer in answers if answer[0] != 200), None)
        if failed is not None or len(parts) == 1:
            return failed or answers[0]
        found = [(places, content) for (_, places), (_, _, content) in zip(parts, answers, strict=True)]
        return 200, JSON, put_together(found)

    def stop(self) -> None:
        """Lets the writers go: nothing more comes from here."""
        self._stopped = True
        for writer in self._writers:
            writer.stop()

    def _put(self, sent: Sent, writer: _Writer) -> asyncio.Future[Answer] | None:
        size = len(sent.body) + _HEAD_BYTES
        if self._stopped or self._bytes + size > MOST_WAITING_MB * 1_000_000:
            return None
        self._number += 1
        self._bytes += size
        sent.number = self._number
        done: asyncio.Future[Answer] = self._loop.create_future()
        timer = self._loop.call_later(environment().web_deadline_s, _expire, done)
        self._open[self._number] = (done, size, timer)
        writer.put(sent)
        return done

    def _complete(self, number: int, answer: Answer) -> None:
        done, size, timer = self._open.pop(number)
        self._bytes -= size
        timer.cancel()
        if not done.done():
            done.set_result(answer)


class _Writer(asyncio.Protocol):
    """The connection to one writer, made again whenever it breaks."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, number: int, complete: Callable[[int, Answer], None]
    ) -> None:
        self._loop = loop
        self._number = number
        self._complete = complete
        self._transport: asyncio.WriteTransport | None = None
        self._frames = frames.Frames()
        self._unsent: list[Sent] = []
        self._open: set[int] = set()
        self._stopped = False
        self._connecting = loop.create_task(self._connect())

    def put(self, sent: Sent) -> None:
        """Hands a request over, together with what else the loop reads in this turn."""
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(sent)

    def _send(self) -> None:
        if self._transport is not None and self._unsent:
            self._open.update(sent.number for sent in self._unsent)
            self._transport.write(frames.frame(self._unsent))
            self._unsent = []

    def stop(self) -> None:
        self._stopped = True
        self._connecting.cancel()
        if self._transport is not None:
            self._transport.close()

    async def _connect(self) -> None:
        """Tries until it is there; meanwhile what comes waits, each until its deadline."""
        address = frames.address(self._number)
        while True:
            try:
                await self._loop.create_unix_connection(lambda: self, address)
                return
            except OSError:
                await asyncio.sleep(_AGAIN_S)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports write, and are no subclasses of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._frames = frames.Frames()
        self._send()

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.take(data):
            for answered in frames.read_answered(frame):
                self._open.discard(answered.number)
                self._complete(answered.number, _answered(answered.status, answered.retry_s, answered.body))

    def connection_lost(self, error: Exception | None) -> None:
        """Whatever was handed over may be applied or not: whoever sent it sends it again."""
        self._transport = None
        for number in self._open:
            self._complete(number, _answered(503, 1, frames.UNKNOWN_OUTCOME))
        self._open = set()
        if not self._stopped:
            logger.warning("writer %s has ended; waiting for the next", self._number)
            self._connecting = self._loop.create_task(self._connect())


# --- the request's side -----------------------------------------------------------------------------------


class Bodies:
    """Bodies that are on their way. One look a second gives up those that take too long: a timer for each would
    cost more than all else that is done with a small body. For the event loop's thread only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._looking = False

    async def read(self, scope: Scope, protocol: HttpProtocol) -> bytes:
        """A request's body. Raises TimeoutError past the deadline, and what `read_body` raises."""
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = self._loop.time() + environment().web_deadline_s
        if not self._looking:
            self._looking = True
            self._loop.call_later(_BODIES_S, self._look)
        try:
            return await read_body(scope, protocol, wire.MAX_BYTES - 1)
        except asyncio.CancelledError:
            if task in self._reading:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._reading.pop(task, None)

    def _look(self) -> None:
        now = self._loop.time()
        for task in [task for task, until in self._reading.items() if until <= now]:
            del self._reading[task]
            task.cancel()
        self._looking = bool(self._reading)
        if self._looking:
            self._loop.call_later(_BODIES_S, self._look)


_intake: Intake | None = None
_bodies: Bodies | None = None
_keys_lock = threading.Lock()
_keys: psycopg.Connection[Any] | None = None


def start(loop: asyncio.AbstractEventLoop) -> None:
    """Connects this process to the writers; called once per process, in its event loop's thread."""
    global _intake, _bodies
    _intake = Intake(loop)
    _bodies = Bodies(loop)


def stop() -> None:
    """Lets the writers go, once no request waits."""
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
    try:
        status, headers, content = await _handle(scope, protocol)
    except BodyBroken:
        return
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
                401, "unauthorized", "The call bears no valid API key.",
                field="Authorization", remedy="send it as 'Authorization: Bearer pk_...'",
            )  # fmt: skip
            return status, [*headers, ("www-authenticate", "Bearer")], content
    if RIGHT not in key.rights:
        return problem(
            403, "forbidden", f"This key lacks the right {RIGHT}.", remedy="ask for a key with this right"
        )
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
            return problem(
                422, "invalid_query", "The only query parameter is dry_run=true or false.",
                field="query", remedy="send dry_run once, as true or false, or leave it out",
            )  # fmt: skip
    if not has_body(scope):
        return problem(400, "invalid_body", "The body is empty.", remedy=frames.A_BODY)
    assert _bodies is not None
    try:
        raw = await _bodies.read(scope, protocol)
    except TimeoutError:
        return problem(408, "body_too_slow", TOO_SLOW)
    except BodyTooLarge:
        return problem(
            413, "body_too_large", "A body must be smaller than 2 MB; send fewer activities at a time."
        )
    kind = scope.headers.get("content-type") or ""
    if kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
        return problem(
            415, "unsupported_media_type", "The body is not of a type that is read here.",
            field="Content-Type", remedy="send application/json",
        )  # fmt: skip
    # Looked for where it matters alone: what is packed does not begin as JSON does.
    if raw[:1] not in (b"{", b"[") and (scope.headers.get("content-encoding") or "identity") != "identity":
        return problem(
            415, "unsupported_media_type", "A packed body is not read here.",
            field="Content-Encoding", remedy="send the body as it is, without Content-Encoding",
        )  # fmt: skip
    assert _intake is not None
    answer = await _intake.apply(key, dry_run, raw)
    if answer is None:
        return _retry(503, "overloaded", "Too many activities wait already; send these again later.", 1)
    return answer


def _expire(done: asyncio.Future[Answer]) -> None:
    if not done.done():
        detail = "The deadline passed and the outcome is not known; send the same activities again."
        done.set_result(_retry(503, "deadline", detail, 1))
