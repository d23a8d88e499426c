"""Django behind RSGI: a bounded pool of threads answers requests, each with its own database connection.

Granian can serve WSGI itself, but one port has one interface; the intake needs RSGI. What this adds over the
server's own WSGI are a queue that refuses when full, and a deadline after which the caller is told so.
"""

import asyncio
import io
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from palier.site.problem import CONTENT_SECURITY_POLICY, problem_body, problem_page, wants_page

logger = logging.getLogger(__name__)

BODY_LIMIT: Final = 2 * 1024 * 1024
STREAM_LIMIT_S: Final = 600
TOO_SLOW: Final = "The body did not arrive in time; send it again."
_BODYLESS: Final = frozenset(("GET", "HEAD", "DELETE", "OPTIONS", "TRACE"))

Headers = list[tuple[str, str]]
# As PEP 3333 has it: (status, headers, exc_info) -> write.
StartResponse = Callable[..., Any]
WsgiApplication = Callable[[dict[str, Any], StartResponse], Any]


class Scope(Protocol):
    """What RSGI tells about a request."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None

    @property
    def headers(self) -> Any: ...


class HttpProtocol(Protocol):
    """How RSGI takes the body and gives the answer."""

    async def __call__(self) -> bytes: ...
    def __aiter__(self) -> Any: ...
    def response_empty(self, status: int, headers: Headers) -> None: ...
    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...
    def response_stream(self, status: int, headers: Headers) -> Any: ...


class BodyTooLarge(Exception):
    """The request's body is longer than the limit; the rest was not read."""


class BodyBroken(Exception):
    """The connection ended before the request's body: nobody is left to be answered."""


def unreadable_headers(scope: Scope) -> bool:
    """Whether a header has a value that is not text. The server would leave it out: a caller's Idempotency-Key
    must not vanish on the way."""
    headers = scope.headers
    return set(headers.keys()) != {name for name, _ in headers.items()}


def repeats_its_key(scope: Scope) -> bool:
    """Whether a call has more than one Idempotency-Key: joined they would be a third, that nobody sent."""
    return [name for name, _ in scope.headers.items()].count("idempotency-key") > 1


def has_body(scope: Scope) -> bool:
    """Whether a body follows the head. HTTP/2 need not announce one, so only methods without are sure."""
    headers = scope.headers
    declared = headers.get("content-length")
    if declared is not None:
        return bool(declared != "0")
    return scope.method not in _BODYLESS or "transfer-encoding" in headers


async def read_body(scope: Scope, protocol: HttpProtocol, limit: int = BODY_LIMIT) -> bytes:
    """The whole body, at most `limit` bytes. Raises BodyTooLarge before reading more than that, and BodyBroken."""
    declared = scope.headers.get("content-length")
    try:
        if declared is not None:
            if int(declared) > limit:
                raise BodyTooLarge
            return bytes(await protocol())
        chunks: list[bytes] = []
        size = 0
        async for chunk in protocol:
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge
            chunks.append(bytes(chunk))
    except ProtocolClosed:
        raise BodyBroken from None
    return b"".join(chunks)


def refuse(
    protocol: HttpProtocol,
    status: int,
    code: str,
    detail: str,
    retry_after_s: int = 0,
    *,
    scope: Scope | None = None,
) -> None:
    """Answer with a problem document, or with a page where the `scope` is a person's, at a browser."""
    headers = [("retry-after", str(retry_after_s))] if retry_after_s else []
    if scope is not None and wants_page(scope.path, scope.headers.get("accept") or ""):
        headers += [
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", CONTENT_SECURITY_POLICY),
            ("cache-control", "private, no-store"),
            ("x-content-type-options", "nosniff"),
        ]
        body = problem_page(code, scope.headers.get("accept-language") or "")
    else:
        headers.append(("content-type", "application/problem+json"))
        body = problem_body(status, code, detail)
    protocol.response_bytes(status, headers, body)


def refuse_large_body(protocol: HttpProtocol, limit: int = BODY_LIMIT, *, scope: Scope | None = None) -> None:
    detail = f"A request's body may have {limit // 2**20} MiB; send less at a time."
    refuse(protocol, 413, "body_too_large", detail, scope=scope)


@dataclass(slots=True, eq=False)
class _Request:
    scope: Scope
    environ: dict[str, Any]
    protocol: HttpProtocol
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"
    deadline: float
    # Set by whoever answers first, the thread or the deadline, under `lock`.
    answered: bool
    streaming: bool
    lock: threading.Lock


class Bridge:
    """Runs a WSGI application on `threads` threads; `waiting` may wait, each `deadline_s` at most."""

    def __init__(self, application: WsgiApplication, threads: int, waiting: int, deadline_s: float) -> None:
        self._application = application
        self._deadline_s = deadline_s
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._waiting = waiting
        self._threads = [
            threading.Thread(target=self._work, name=f"pages-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def close(self, patience_s: float = 10) -> None:
        """Let the threads finish what they have, and end them."""
        for _ in self._threads:
            self._requests.put(None)
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    async def handle(self, scope: Scope, protocol: HttpProtocol) -> None:
        """Answer one request."""
        if unreadable_headers(scope):
            detail = "A header's value is not plain text; send ASCII."
            refuse(protocol, 400, "unreadable_header", detail, scope=scope)
            return
        if repeats_its_key(scope):
            detail = "The request has two headers Idempotency-Key; send one."
            refuse(protocol, 400, "repeated_header", detail, scope=scope)
            return
        if self._requests.qsize() >= self._waiting:
            detail = "Too many requests wait already; repeat this one later."
            refuse(protocol, 503, "overloaded", detail, 1, scope=scope)
            return
        body = b""
        if has_body(scope):
            try:
                async with asyncio.timeout(self._deadline_s):
                    body = await read_body(scope, protocol)
            except BodyTooLarge:
                refuse_large_body(protocol, scope=scope)
                return
            except TimeoutError:
                refuse(protocol, 408, "body_too_slow", TOO_SLOW, scope=scope)
                return
            except BodyBroken:
                return
        loop = asyncio.get_running_loop()
        request = _Request(
            scope=scope,
            environ=_environ(scope, body),
            protocol=protocol,
            loop=loop,
            done=loop.create_future(),
            deadline=time.monotonic() + self._deadline_s,
            answered=False,
            streaming=False,
            lock=threading.Lock(),
        )
        timer = loop.call_later(self._deadline_s, self._give_up, request)
        self._requests.put(request)
        try:
            await request.done
        finally:
            timer.cancel()

    def _give_up(self, request: _Request) -> None:
        """The deadline: what the thread does may still happen, so the caller is told to repeat the same."""
        with request.lock:
            if request.answered:
                return
            request.answered = True
        refuse(
            request.protocol,
            503,
            "deadline",
            "The answer took too long and its outcome is not known; repeat the same request.",
            1,
            scope=request.scope,
        )
        if not request.done.done():
            request.done.set_result(None)

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            if request.answered or time.monotonic() > request.deadline:
                continue
            try:
                self._answer(request)
            except Exception:
                logger.exception("a request was not answered")
                self._finish(
                    request, 500, [], problem_body(500, "defect", "Something went wrong inside Palier.")
                )

    def _answer(self, request: _Request) -> None:
        status = 500
        headers: Headers = []

        def start_response(line: str, given: Headers, exc_info: Any = None) -> None:
            nonlocal status, headers
            status = int(line[:3])
            headers = [(name.lower(), value) for name, value in given]

        response = self._application(request.environ, start_response)
        try:
            if getattr(response, "streaming", False):
                self._stream(request, status, headers, response)
                return
            body = b"".join(response)
        finally:
            # Tells Django that the request is over: unusable database connections are closed here.
            response.close()
        self._finish(request, status, headers, body)

    def _finish(self, request: _Request, status: int, headers: Headers, body: bytes) -> None:
        with request.lock:
            if request.answered:
                return
            request.answered = True
        request.loop.call_soon_threadsafe(_send, request, status, headers, body)

    def _stream(self, request: _Request, status: int, headers: Headers, chunks: Any) -> None:
        """Send a long answer as it is made, no faster than the caller takes it."""
        with request.lock:
            if request.answered:
                return
            request.answered = request.streaming = True
        until = time.monotonic() + STREAM_LIMIT_S

        async def begin() -> Any:
            return request.protocol.response_stream(status, headers)

        try:
            transport = asyncio.run_coroutine_threadsafe(begin(), request.loop).result(self._deadline_s)

            async def send(piece: bytes) -> None:
                # The server's own awaitable is no coroutine, and is made in the loop's thread.
                await transport.send_bytes(piece)

            for chunk in chunks:
                sent = asyncio.run_coroutine_threadsafe(send(bytes(chunk)), request.loop)
                sent.result(max(0.0, until - time.monotonic()))
        except Exception as error:
            # The head is sent: a broken stream is all that can still be said.
            logger.warning("a stream ended early: %s", type(error).__name__)
        finally:
            request.loop.call_soon_threadsafe(_settle, request)


def _send(request: _Request, status: int, headers: Headers, body: bytes) -> None:
    try:
        if body:
            request.protocol.response_bytes(status, headers, body)
        else:
            request.protocol.response_empty(status, headers)
    finally:
        _settle(request)


def _settle(request: _Request) -> None:
    if not request.done.done():
        request.done.set_result(None)


def _environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """The request in WSGI's words (PEP 3333)."""
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        # PEP 3333: bytes of the path, each as the character of that number.
        "PATH_INFO": scope.path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host.strip("[]") or "localhost",
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        # `a_b` and `a-b` would become one name, and let a caller pose as the proxy in front.
        if "_" in name or name == "content-length":
            continue
        key = "CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")
        if key in environ:
            environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + value
        else:
            environ[key] = value
    if scope.authority and "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority
    return environ
