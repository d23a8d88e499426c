"""A load generator of our own: N keep-alive connections, each sending as soon as it is answered.

It runs in a process of its own, so that it shares no interpreter with whatever it loads. Raw sockets under
asyncio: an HTTP client library would measure itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRACE_S = 30.0
"""How long answers are waited for after the last request."""


class Result(msgspec.Struct, frozen=True):
    """What was answered in the measured window. Rates per second, latencies in milliseconds.

    `statuses` counts HTTP statuses; `broken` connections lost; `unanswered` requests still open at the end;
    `found` how often `count_in_body` occurred; `ran_out` says that the bodies ended before the seconds did.
    """

    rate: float
    p50: float
    p95: float
    p99: float
    maximum: float
    requests: int
    seconds: float
    statuses: dict[int, int]
    broken: int
    unanswered: int
    found: int
    ran_out: bool

    @property
    def clean(self) -> bool:
        """Every request answered, and with success."""
        return (
            not self.broken and not self.unanswered and all(200 <= status < 300 for status in self.statuses)
        )


class _Order(msgspec.Struct):
    host: str
    port: int
    requests: list[bytes]
    connections: int
    seconds: float | None
    warmup_s: float
    count_in_body: bytes | None


def run(
    url: str,
    bodies: Sequence[bytes] | None = None,
    connections: int = 64,
    *,
    seconds: float | None = None,
    count: int | None = None,
    paths: Sequence[str] | None = None,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
    own_headers: Sequence[str] | None = None,
    warmup_s: float = 0.5,
    count_in_body: bytes | None = None,
) -> Result:
    """Send each body once (or GET each path, when there are `paths` and no bodies), for `seconds` or `count`.

    Requests are handed out in order over all connections and never repeated; `own_headers` has what each path's
    request says beside the `headers` of all, as whole lines. What is answered within
    `warmup_s` is left out of rate and latencies, but not of statuses and `found`.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    method = method or ("GET" if bodies is None else "POST")
    common = {"Host": f"{host}:{port}", "Content-Type": "application/json", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in common.items()).encode()
    own_path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if bodies is None:
        paths = paths or [own_path]
        requests = [
            f"{method} {path} HTTP/1.1\r\n{own}".encode() + lines + b"\r\n"
            for path, own in zip(paths, own_headers or [""] * len(paths), strict=True)
        ]
    else:
        start = f"{method} {own_path} HTTP/1.1\r\n".encode() + lines
        requests = [start + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies]
    if count is not None:
        requests = requests[:count]
    order = _Order(host, port, requests, connections, seconds, warmup_s, count_in_body)
    allowed = (seconds if seconds is not None else 600) + warmup_s + GRACE_S + 60
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve())],
        input=pickle.dumps(msgspec.structs.asdict(order)),
        stdout=subprocess.PIPE,
        check=True,
        timeout=allowed,
    )
    return msgspec.json.decode(done.stdout, type=Result)


class _Run:
    """What all connections share."""

    def __init__(self, order: _Order) -> None:
        self.order = order
        self.next = 0
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.found = 0
        self.broken = 0
        self.open = 0
        self.started = time.perf_counter()
        self.measured_from = self.started + order.warmup_s
        self.until = self.measured_from + order.seconds if order.seconds is not None else float("inf")
        self.last_answer = self.started
        self.ran_out = False
        self.done = asyncio.Event()

    def take(self, now: float) -> bytes | None:
        if now >= self.until:
            return None
        if self.next == len(self.order.requests):
            self.ran_out = True
            return None
        self.next += 1
        return self.order.requests[self.next - 1]


class _Connection(asyncio.Protocol):
    def __init__(self, shared: _Run) -> None:
        self.shared = shared
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.sent_at = 0.0
        self.waiting = False
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not derived from asyncio's, only alike.
        self.transport = cast("asyncio.Transport", transport)
        self.send(time.perf_counter())

    def send(self, now: float) -> None:
        request = self.shared.take(now)
        if request is None:
            self.end()
            return
        assert self.transport is not None
        self.sent_at = now
        self.waiting = True
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer = self.buffer + data if self.buffer else data
        head = buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        fields = buffer[:head].lower()
        at = fields.find(b"content-length:")
        if at >= 0:
            end = fields.find(b"\r\n", at)
            length = head + 4 + int(fields[at + 15 : end if end >= 0 else head])
            if len(buffer) < length:
                return
        elif b"chunked" in fields:
            if not buffer.endswith(b"0\r\n\r\n"):
                return
            length = len(buffer)
        else:
            length = head + 4
        self.answered(int(buffer[9:12]), buffer[head + 4 : length])
        self.buffer = buffer[length:]
        self.send(time.perf_counter())

    def answered(self, status: int, body: bytes) -> None:
        shared = self.shared
        now = time.perf_counter()
        self.waiting = False
        shared.statuses[status] += 1
        if shared.order.count_in_body is not None:
            shared.found += body.count(shared.order.count_in_body)
        if shared.measured_from <= now <= shared.until:
            shared.latencies.append(now - self.sent_at)
            shared.last_answer = now

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended:
            self.shared.broken += 1
            self.end()

    def end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.shared.open -= 1
        if self.transport is not None:
            self.transport.close()
        if self.shared.open == 0:
            self.shared.done.set()


async def _generate(order: _Order) -> Result:
    loop = asyncio.get_running_loop()
    shared = _Run(order)
    shared.open = order.connections
    made = []
    for _ in range(order.connections):
        connection = _Connection(shared)
        made.append(connection)
        await loop.create_connection(lambda connection=connection: connection, order.host, order.port)  # type: ignore[misc]
    allowed = None if order.seconds is None else order.warmup_s + order.seconds + GRACE_S
    # What is still open then is told as unanswered.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(shared.done.wait(), allowed)
    latencies = sorted(shared.latencies)
    end = shared.until if order.seconds is not None and not shared.ran_out else shared.last_answer
    window = max(end - shared.measured_from, 1e-9)

    def percentile(percent: int) -> float:
        if not latencies:
            return 0.0
        return latencies[min(len(latencies) - 1, len(latencies) * percent // 100)] * 1000

    return Result(
        rate=len(latencies) / window,
        p50=percentile(50),
        p95=percentile(95),
        p99=percentile(99),
        maximum=percentile(100),
        requests=len(latencies),
        seconds=window,
        statuses=dict(shared.statuses),
        broken=shared.broken,
        unanswered=sum(connection.waiting for connection in made),
        found=shared.found,
        ran_out=shared.ran_out,
    )


if __name__ == "__main__":
    import gc

    import uvloop

    ordered = _Order(**pickle.loads(sys.stdin.buffer.read()))
    gc.freeze()
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_generate(ordered))))
