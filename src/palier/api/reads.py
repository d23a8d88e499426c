"""The fast path of what is read most: a member's wallets, expiry and progress as they are now.

Requests are gathered while the database answers those before them, and read together by one statement, on the
event loop alone: no thread is handed anything. What the slow path (`palier.api.members`) would refuse, wait
for or look at more closely is left to it: the fast path answers what it knows to be the same answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from palier.activities import queries
from palier.activities.operations import unknown_member
from palier.activities.runtime import known_runtime
from palier.api.calls import COST, encode
from palier.api.limits import allow
from palier.api.problems import CONTENT_TYPE, of_refusal
from palier.api.views import Views
from palier.engine.state import MemberState, decode_state
from palier.members import refs
from palier.site import clock, database
from palier.site.bridge import Headers, HttpProtocol, Scope, has_body, unreadable_headers
from palier.site.environment import environment
from palier.staff.queries import Key, cached

logger = logging.getLogger(__name__)

RIGHT: Final = "members:read"
BEFORE: Final = "/v1/members/"
MOST_TOGETHER: Final = 256
"""Members read by one statement; the loop is not held longer than it takes to tell of so many."""
MOST_WAITING: Final = 5_000
"""Requests that may wait here in one process; more are left to the slow path, which bounds its own."""
_MOST_HEADS: Final = 256

Slow = Callable[[Scope, HttpProtocol], Awaitable[None]]
Told = Callable[[Views, int, MemberState, int], Any]


def _wallets(views: Views, member_id: int, state: MemberState, now: int) -> Any:
    return views.wallets(member_id, queries.wallets_now(views.runtime, state, now=now))


def _expiry(views: Views, member_id: int, state: MemberState, now: int) -> Any:
    found = queries.wallets_now(views.runtime, state, now=now)
    return views.expiries(member_id, found.as_of, queries.expiries(found))


def _progress(views: Views, member_id: int, state: MemberState, now: int) -> Any:
    return views.progress(member_id, queries.standing_now(views.runtime, state, now=now))


TOLD: Final[dict[str, Told]] = {"/wallets": _wallets, "/expiry": _expiry, "/progress": _progress}
"""What follows the member's reference in an address, and what is told there."""


class _Heads:
    """Which headers answers bear, learnt from the slow path's own, by what these depend on."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, ...], Headers] = {}

    @staticmethod
    def key(scope: Scope) -> tuple[str | None, ...]:
        """All of a request that its answer's headers may depend on."""
        headers = scope.headers
        return (
            scope.scheme,
            scope.authority,
            headers.get("host"),
            headers.get("accept-language"),
            headers.get("x-forwarded-proto"),
        )

    def find(self, key: tuple[str | None, ...]) -> Headers | None:
        return self._known.get(key)

    def learn(self, key: tuple[str | None, ...], headers: Headers) -> None:
        """Keeps the headers of an answer apart from those that tell of its body."""
        if len(self._known) >= _MOST_HEADS:
            self._known.clear()
        own = ("content-type", "content-length")
        self._known[key] = [(name, value) for name, value in headers if name not in own]


class _Overheard:
    """A protocol that lets the headers of a whole answer be learnt while it is given."""

    def __init__(self, protocol: HttpProtocol, heads: _Heads, key: tuple[str | None, ...]) -> None:
        self._protocol = protocol
        self._heads = heads
        self._key = key

    async def __call__(self) -> bytes:
        return await self._protocol()

    def __aiter__(self) -> Any:
        return self._protocol.__aiter__()

    def response_empty(self, status: int, headers: Headers) -> None:
        self._protocol.response_empty(status, headers)

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        if status == 200:
            self._heads.learn(self._key, headers)
        self._protocol.response_bytes(status, headers, body)

    def response_stream(self, status: int, headers: Headers) -> Any:
        return self._protocol.response_stream(status, headers)


class _Request:
    """One request that waits. `done` is completed by its body, by b"" for nobody of this program, or by None:
    the slow path shall answer."""

    __slots__ = ("done", "key", "member_id", "told")

    def __init__(self, key: Key, member_id: int, told: Told, done: asyncio.Future[bytes | None]) -> None:
        self.key = key
        self.member_id = member_id
        self.told = told
        self.done = done


class Reads:
    """One process's fast reads: what waits, and the one task that reads and tells."""

    def __init__(self, loop: asyncio.AbstractEventLoop, slow: Slow) -> None:
        self._loop = loop
        self._slow = slow
        self._heads = _Heads()
        self._waiting: list[_Request] = []
        self._task: asyncio.Task[None] | None = None
        self._connection: database.AsyncConnection | None = None

    async def handle(self, scope: Scope, protocol: HttpProtocol) -> bool:
        """Answers a GET if it is one of these; False where nothing was done and the slow path is to answer."""
        ref, slash, tail = scope.path[len(BEFORE) :].partition("/")
        told = TOLD.get(slash + tail)
        headers = scope.headers
        if told is None or scope.query_string or "cookie" in headers or has_body(scope):
            return False
        if unreadable_headers(scope) or len(self._waiting) >= MOST_WAITING:
            return False
        key = cached(headers.get("authorization") or "")
        if key is None or RIGHT not in key.rights or key.partner:
            return False
        try:
            member_id = refs.decode(ref)
        except ValueError:
            return False
        head_key = self._heads.key(scope)
        head = self._heads.find(head_key)
        if head is None:
            await self._slow(scope, _Overheard(protocol, self._heads, head_key))
            return True
        if allow(key.prefix, COST) is not None:
            return False
        body = await self._read(_Request(key, member_id, told, self._loop.create_future()))
        if body is None:
            return False
        status, kind = 200, "application/json"
        if not body:
            refusal = of_refusal(unknown_member("member"))
            status, kind, body = refusal.status, CONTENT_TYPE, encode(refusal.document())
        own = [("content-type", kind), ("content-length", str(len(body)))]
        protocol.response_bytes(status, own + head, body)
        return True

    async def _read(self, request: _Request) -> bytes | None:
        self._waiting.append(request)
        if self._task is None:
            self._task = self._loop.create_task(self._work())
        return await request.done

    async def _work(self) -> None:
        """Reads what waits, together, until nothing waits."""
        try:
            while self._waiting:
                requests = self._take()
                try:
                    async with asyncio.timeout(environment().web_deadline_s):
                        await self._answer(requests)
                except Exception:
                    # The slow path tells the caller what is the matter, and opens a connection of its own.
                    logger.warning("reads are left to the slow path", exc_info=True)
                    await self._forget_connection()
                    for request in requests:
                        _complete(request, None)
        finally:
            self._task = None

    def _take(self) -> list[_Request]:
        """The first that wait of one program."""
        program = self._waiting[0].key.program
        taken: list[_Request] = []
        rest: list[_Request] = []
        for request in self._waiting:
            fits = request.key.program == program and len(taken) < MOST_TOGETHER
            (taken if fits else rest).append(request)
        self._waiting = rest
        return taken

    async def _answer(self, requests: list[_Request]) -> None:
        key = requests[0].key
        connection = await self._open()
        head, found = await queries.standings(
            connection, key.program, sorted({request.member_id for request in requests})
        )
        runtime = known_runtime(key.program, head) if head is not None else None
        if runtime is None or runtime.program_id != key.program_id:
            # Not compiled in this process since it was published: the slow path does that.
            for request in requests:
                _complete(request, None)
            return
        views = Views(runtime)
        now = clock.now()
        for request in requests:
            _complete(request, _body(request, views, found.get(request.member_id), now))

    async def _open(self) -> database.AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await database.connect_async(environment().web_deadline_s)
        return self._connection

    async def _forget_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _body(request: _Request, views: Views, found: tuple[bytes, str] | None, now: int) -> bytes | None:
    if found is None or found[1] == "erased":
        return b""
    try:
        return encode(request.told(views, request.member_id, decode_state(found[0]), now))
    except Exception:
        logger.exception("a read is left to the slow path")
        return None


def _complete(request: _Request, body: bytes | None) -> None:
    if not request.done.done():
        request.done.set_result(body)


# --- the process's own ------------------------------------------------------------------------------------

_reads: Reads | None = None


def start(loop: asyncio.AbstractEventLoop, slow: Slow) -> None:
    """Starts this process's fast reads; `slow` answers whatever else comes."""
    global _reads
    _reads = Reads(loop, slow)


def is_read(scope: Scope) -> bool:
    """Whether a request may be one of these: cheap, and not the last word."""
    return scope.method == "GET" and scope.path.startswith(BEFORE)


async def handle(scope: Scope, protocol: HttpProtocol) -> bool:
    """Answers a GET if it is one of these; False where the slow path is to answer."""
    return _reads is not None and await _reads.handle(scope, protocol)
