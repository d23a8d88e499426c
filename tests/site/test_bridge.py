"""Django behind RSGI: limits, deadlines, order of headers; against a WSGI application that does as told."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from palier.site.bridge import BODY_LIMIT, Bridge, Headers


class Pairs:
    """Request headers as RSGI gives them: lower case, repeated names kept."""

    def __init__(self, pairs: Headers) -> None:
        self._pairs = pairs

    def get(self, name: str, default: str | None = None) -> str | None:
        return next((value for key, value in self._pairs if key == name), default)

    def items(self) -> Headers:
        return self._pairs

    def keys(self) -> list[str]:
        return [key for key, _ in self._pairs]

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._pairs)


class Request:
    """Scope and protocol of one request, and what was answered."""

    http_version = "1.1"
    server = "127.0.0.1:8000"
    scheme = "http"
    authority: str | None = None

    def __init__(
        self,
        method: str = "GET",
        path: str = "/",
        body: bytes = b"",
        headers: Headers | None = None,
        client: str = "10.0.0.7:5000",
        chunked: bool = False,
    ) -> None:
        self.method, self.path, self.query_string, self.client = method, path, "a=b%20c", client
        pairs = list(headers or [])
        if chunked:
            pairs.append(("transfer-encoding", "chunked"))
        elif body:
            pairs.append(("content-length", str(len(body))))
        self.headers = Pairs(pairs)
        self.body = body
        self.status = 0
        self.answer = b""
        self.sent: dict[str, str] = {}
        self.read = 0

    async def __call__(self) -> bytes:
        self.read = len(self.body)
        return self.body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), 65536):
            self.read += 65536
            yield self.body[start : start + 65536]

    def response_empty(self, status: int, headers: Headers) -> None:
        self.response_bytes(status, headers, b"")

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        assert self.status == 0, "answered twice"
        self.status, self.sent, self.answer = status, dict(headers), body

    def response_stream(self, status: int, headers: Headers) -> "Request":
        assert self.status == 0, "answered twice"
        self.status, self.sent = status, dict(headers)
        return self

    async def send_bytes(self, data: bytes) -> None:
        self.answer += data


class Response(list[bytes]):
    """What a WSGI application returns; counts its closing, as Django needs it."""

    closed = 0
    streaming = False

    def close(self) -> None:
        Response.closed += 1


def telling(environ: dict[str, Any], start_response: Callable[..., Any]) -> Response:
    """Answers with what it was told."""
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    told["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Kept", "1")])
    return Response([json.dumps(told).encode()])


@contextmanager
def bridge(
    application: Any = telling, threads: int = 2, waiting: int = 4, deadline_s: float = 5
) -> Iterator[Bridge]:
    made = Bridge(application, threads, waiting, deadline_s)
    yield made
    made.close(5)


def told(request: Request) -> dict[str, str]:
    with bridge() as made:
        asyncio.run(made.handle(request, request))
    assert request.status == 200
    return dict(json.loads(request.answer))


def test_a_request_arrives_whole() -> None:
    request = Request(
        "POST",
        "/é",
        b"hello",
        [
            ("host", "shop.example"),
            ("content-type", "text/plain"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("x-a", "1"),
            ("x-a", "2"),
        ],
    )
    environ = told(request)
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/é"
    assert environ["QUERY_STRING"] == "a=b%20c"
    assert environ["body"] == "hello"
    assert environ["CONTENT_LENGTH"] == "5"
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_X_A"] == "1,2"
    assert environ["REMOTE_ADDR"] == "10.0.0.7"
    assert request.sent["x-kept"] == "1"


def test_an_underscore_does_not_pose_as_a_hyphen() -> None:
    environ = told(Request(headers=[("x_forwarded_proto", "https"), ("x-real", "1")]))
    assert "HTTP_X_FORWARDED_PROTO" not in environ
    assert environ["HTTP_X_REAL"] == "1"


def test_two_keys_of_a_call_are_refused() -> None:
    request = Request("POST", headers=[("idempotency-key", "a"), ("idempotency-key", "b")])
    with bridge() as made:
        asyncio.run(made.handle(request, request))
    assert (request.status, json.loads(request.answer)["code"]) == (400, "repeated_header")


def test_http_2_and_ipv6() -> None:
    request = Request(client="[2001:db8::1]:9")
    request.authority = "shop.example"
    environ = told(request)
    assert environ["HTTP_HOST"] == "shop.example"
    assert environ["REMOTE_ADDR"] == "2001:db8::1"


def test_a_body_of_the_limit_passes() -> None:
    assert len(told(Request("POST", body=b"x" * BODY_LIMIT))["body"]) == BODY_LIMIT


@pytest.mark.parametrize("chunked", [False, True])
def test_a_larger_body_is_413_and_not_read(chunked: bool) -> None:
    request = Request("POST", body=b"x" * (BODY_LIMIT + 200_000), chunked=chunked)
    with bridge() as made:
        asyncio.run(made.handle(request, request))
    assert request.status == 413
    assert request.sent["content-type"] == "application/problem+json"
    assert json.loads(request.answer)["code"] == "body_too_large"
    assert request.read <= BODY_LIMIT + 65536


def test_a_browser_is_told_by_a_page_in_its_language() -> None:
    accepts = [("accept", "text/html,*/*"), ("accept-language", "fr-FR,fr;q=0.9")]
    request = Request("POST", path="/portal/club/door", body=b"x" * (BODY_LIMIT + 1), headers=accepts)
    with bridge() as made:
        asyncio.run(made.handle(request, request))
    assert request.status == 413
    assert request.sent["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in request.sent["content-security-policy"]
    assert "C’est trop à la fois" in request.answer.decode()
    of_the_api = Request("POST", path="/v1/members", body=b"x" * (BODY_LIMIT + 1), headers=accepts)
    with bridge() as made:
        asyncio.run(made.handle(of_the_api, of_the_api))
    assert of_the_api.sent["content-type"] == "application/problem+json"


def test_a_slow_body_is_408() -> None:
    class Slow(Request):
        async def __call__(self) -> bytes:
            await asyncio.sleep(30)
            return b""

    request = Slow("POST", body=b"x")
    with bridge(deadline_s=0.1) as made:
        asyncio.run(made.handle(request, request))
    assert request.status == 408


def test_past_the_deadline_the_caller_is_told_once() -> None:
    release = threading.Event()

    def stuck(environ: dict[str, Any], start_response: Callable[..., Any]) -> Response:
        release.wait(10)
        start_response("200 OK", [])
        return Response([b"late"])

    async def run(made: Bridge) -> Request:
        request = Request()
        await made.handle(request, request)
        release.set()
        # Time for the late answer to arrive, which must be dropped: `answered twice` would be raised.
        await asyncio.sleep(0.2)
        return request

    with bridge(stuck, deadline_s=0.2) as made:
        request = asyncio.run(run(made))
    assert request.status == 503
    assert request.sent["retry-after"] == "1"
    assert json.loads(request.answer)["code"] == "deadline"


def test_a_full_queue_refuses_and_recovers() -> None:
    release = threading.Event()
    served: list[float] = []

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Response:
        release.wait(10)
        served.append(time.monotonic())
        start_response("200 OK", [])
        return Response([b"ok"])

    async def run(made: Bridge) -> tuple[list[Request], Request]:
        requests = [Request() for _ in range(20)]
        tasks = []
        for request in requests:
            tasks.append(asyncio.create_task(made.handle(request, request)))
            await asyncio.sleep(0.005)
        release.set()
        await asyncio.gather(*tasks)
        after = Request()
        await made.handle(after, after)
        return requests, after

    with bridge(slow, threads=2, waiting=4) as made:
        requests, after = asyncio.run(run(made))
    statuses = [request.status for request in requests]
    assert statuses.count(200) == 6
    assert statuses.count(503) == 14
    assert all(request.sent["retry-after"] for request in requests if request.status == 503)
    assert after.status == 200
    assert len(served) == 7


def test_what_waited_past_its_deadline_is_not_begun() -> None:
    begun: list[str] = []
    release = threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Response:
        begun.append(environ["PATH_INFO"])
        release.wait(10)
        start_response("200 OK", [])
        return Response([b"ok"])

    async def run(made: Bridge) -> None:
        first, second = Request(path="/first"), Request(path="/second")
        await asyncio.gather(made.handle(first, first), made.handle(second, second))
        assert (first.status, second.status) == (503, 503)
        release.set()

    with bridge(slow, threads=1, deadline_s=0.2) as made:
        asyncio.run(run(made))
    assert begun == ["/first"]


def test_an_application_that_breaks_is_500_and_the_thread_lives() -> None:
    def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> Response:
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError("planted")
        return telling(environ, start_response)

    first, second = Request(path="/broken"), Request(path="/well")
    with bridge(broken, threads=1) as made:
        asyncio.run(made.handle(first, first))
        asyncio.run(made.handle(second, second))
    assert (first.status, second.status) == (500, 200)
    assert b"planted" not in first.answer


def test_a_long_answer_is_streamed_and_closed() -> None:
    class Stream(Response):
        streaming = True

    def long(environ: dict[str, Any], start_response: Callable[..., Any]) -> Response:
        start_response("200 OK", [("Content-Type", "text/csv")])
        return Stream([b"line\n"] * 100)

    request = Request()
    before = Response.closed
    with bridge(long) as made:
        asyncio.run(made.handle(request, request))
    assert request.answer == b"line\n" * 100
    assert Response.closed == before + 1
