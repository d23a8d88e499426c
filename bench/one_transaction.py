"""The product's own batch, one activity and one transaction a request: what gathering requests is measured by.

The same reading, deciding and writing as the intake, on a pool of threads with a connection each.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from palier.activities import batch, wire
from palier.activities.answers import body
from palier.activities.runtime import runtime
from palier.site import clock, ids
from palier.site.database import connect

CONNECTIONS = 16
_HEADERS = [("content-type", "application/json")]
_own = threading.local()
_encode = msgspec.json.Encoder().encode


class Application:
    """The RSGI application: POST one activity to any path."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        with connect() as connection:
            ids.take_node(connection)
        self.threads = ThreadPoolExecutor(CONNECTIONS)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        raw = await protocol()
        status, content = await asyncio.get_running_loop().run_in_executor(self.threads, _apply, raw)
        protocol.response_bytes(status, _HEADERS, content)


def _apply(raw: bytes) -> tuple[int, bytes]:
    connection = getattr(_own, "connection", None)
    if connection is None:
        connection = _own.connection = connect()
    program = runtime(connection, "bench")
    assert program is not None
    now = clock.now()
    (line,) = wire.split(raw)
    read = (
        wire.to_fact(line, program.timeline, program.key, now=now)
        if isinstance(line, wire.WireActivity)
        else line
    )
    (result,) = batch.apply(connection, program, [read], now=now)
    return 200 if result.status == "applied" else 422, _encode(body(result, program.latest))


app = Application()
