"""What the intake does when a writer fails: whoever waits is told, and what comes later waits for the next writer."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from palier.api import frames, intake, writers
from palier.staff.queries import RIGHTS, Key

KEY = Key("prefix", 1, "shop", "test", frozenset(RIGHTS))


@pytest.fixture
def listeners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """The sockets of writers of this test's own, with nobody behind them."""
    monkeypatch.setattr(frames.embedded, "socket_directory", lambda _: tmp_path / "run")
    monkeypatch.setenv(frames.PLACE, "")
    found = frames.listen()
    yield found
    for listener in found:
        listener.close()


def taken(listener: socket.socket, count: int) -> tuple[socket.socket, list[frames.Sent]]:
    """A web process's connection, once so many requests have come over it."""
    listener.settimeout(20)
    connection, _ = listener.accept()
    connection.settimeout(20)
    parts, sent = frames.Frames(), []
    while len(sent) < count:
        for frame in parts.take(connection.recv(1 << 20)):
            sent += frames.read_sent(frame)
    return connection, sent


def test_who_waits_is_told_when_a_writer_ends_and_the_next_one_takes_what_comes(
    listeners: list[socket.socket],
) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        found = intake.Intake(loop)
        asked = [asyncio.create_task(found.apply(KEY, False, b"{}")) for _ in range(3)]
        connection, sent = await loop.run_in_executor(None, taken, listeners[0], 3)
        connection.sendall(frames.frame([frames.Answered(sent[1].number, 200, 0, b"told")]))
        assert await asyncio.wait_for(asked[1], 20) == (200, intake.JSON, b"told")
        connection.close()
        for task in (asked[0], asked[2]):
            answer = await asyncio.wait_for(task, 20)
            assert answer is not None
            assert answer[0] == 503
            assert ("retry-after", "1") in answer[1]
            assert b"send the same activities again" in answer[2]
        late = asyncio.create_task(found.apply(KEY, False, b"{}"))
        connection, sent = await loop.run_in_executor(None, taken, listeners[0], 1)
        connection.sendall(frames.frame([frames.Answered(sent[0].number, 200, 0, b"again")]))
        assert await asyncio.wait_for(late, 20) == (200, intake.JSON, b"again")
        found.stop()
        connection.close()

    asyncio.run(scene())


def test_too_much_that_waits_is_refused(listeners: list[socket.socket]) -> None:
    async def scene() -> None:
        found = intake.Intake(asyncio.get_running_loop())
        body = b"{" + b" " * (intake.LARGE_BYTES - 2)
        fitting = intake.MOST_WAITING_MB * 1_000_000 // intake.LARGE_BYTES - 1
        waiting = [asyncio.create_task(found.apply(KEY, False, body)) for _ in range(fitting)]
        await asyncio.sleep(0)
        answers = [await found.apply(KEY, True, b" " * 2 * intake.LARGE_BYTES) for _ in range(3)]
        assert answers == [None] * 3
        assert not any(task.done() for task in waiting)
        found.stop()
        for task in waiting:
            task.cancel()

    asyncio.run(scene())


def test_a_large_request_is_shared_out_by_member_and_told_in_its_order(
    listeners: list[socket.socket],
) -> None:
    lines = [{"id": str(n), "member": {"card": str(n % 40)}, "note": "x" * 400} for n in range(200)]

    def part(listener: socket.socket, last: threading.Event | None, mine: threading.Event) -> set[str]:
        connection, (sent,) = taken(listener, 1)
        if last is not None:
            assert last.wait(20)
        found = json.loads(sent.body)
        results = [{"id": line["id"]} for line in found]
        content = json.dumps({"counts": {"applied": len(found), "refused": 0}, "results": results}).encode()
        connection.sendall(frames.frame([frames.Answered(sent.number, 200, 0, content)]))
        mine.set()
        return {line["member"]["card"] for line in found}

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        found = intake.Intake(loop)
        task = asyncio.create_task(found.apply(KEY, False, json.dumps(lines).encode()))
        first, second = threading.Event(), threading.Event()
        parts = await asyncio.gather(
            loop.run_in_executor(None, part, listeners[0], second, first),
            loop.run_in_executor(None, part, listeners[1], None, second),
        )
        assert not parts[0] & parts[1], "lines of one member come to one writer"
        assert len(parts[0] | parts[1]) == 40
        answer = await asyncio.wait_for(task, 20)
        assert answer is not None
        told = json.loads(answer[2])
        assert told["counts"] == {"applied": 200, "refused": 0}
        assert [line["id"] for line in told["results"]] == [line["id"] for line in lines]
        found.stop()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "line",
    [
        {"id": "r", "member": {"card": "1"}, "sale": {"source": "till", "id": "s"}},
        {"id": "r", "member": {"card": "1"}, "tenders": [{"kind": "points"}]},
        {"id": "r", "sale": {"source": "till", "id": "s"}},
        {"id": "r"},
        17,
    ],
)
def test_lines_that_build_on_others_or_cannot_be_read_stay_together(line: Any) -> None:
    sales: list[Any] = [{"id": str(n), "member": {"card": str(n)}} for n in range(20)]
    assert len(intake.shared_out(json.dumps(sales).encode())) == 2
    body = json.dumps([*sales, line]).encode()
    assert intake.shared_out(body) == [(body, [])]


@pytest.mark.parametrize("body", [b"[1,", b'{"a": 1}', b"[]", b'["\xff"]', b"[" * 5000 + b"]" * 5000])
def test_what_is_no_array_of_activities_is_one_writers_to_refuse(body: bytes) -> None:
    assert intake.shared_out(body) == [(body, [])]


def test_a_writer_ends_when_told_and_answers_what_it_has(
    listeners: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go = threading.Event(), threading.Event()

    def slow(self: Any, requests: list[Any]) -> list[writers.Answer]:
        entered.set()
        assert go.wait(20)
        return [(200, 0, b"done") for _ in requests]

    monkeypatch.setattr(writers._Writer, "_answers", slow)
    stop = threading.Event()
    thread = threading.Thread(target=writers._Writer(listeners[0]).run, args=(stop,), daemon=True)
    thread.start()
    web = socket.socket(socket.AF_UNIX)
    web.settimeout(20)
    web.connect(frames.address(0))
    web.sendall(frames.frame([frames.Sent(7, KEY, False, b'{"id": "1"}'), frames.Sent(8, KEY, False, b"no")]))
    assert entered.wait(20)
    stop.set()
    go.set()
    told: dict[int, frames.Answered] = {}
    parts = frames.Frames()
    while len(told) < 2:
        for frame in parts.take(web.recv(1 << 20)):
            told.update((answered.number, answered) for answered in frames.read_answered(frame))
    assert (told[7].status, told[7].body) == (200, b"done")
    assert told[8].status == 400
    assert thread.is_alive(), "a web process is still there"
    web.close()
    thread.join(20)
    assert not thread.is_alive()


def test_sockets_of_processes_that_are_gone_are_removed(listeners: list[socket.socket]) -> None:
    folder = Path(frames.address(0)).parent
    (folder / "4194305.0").touch()
    (folder / f"{os.getppid()}.0").touch()
    for listener in frames.listen():
        listener.close()
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [f"{os.getpid()}.0", f"{os.getpid()}.1", f"{os.getppid()}.0"]
    )
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_deadline_is_told_though_nobody_takes_anything(
    listeners: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "environment", lambda: SimpleNamespace(web_deadline_s=0.2))

    async def scene() -> None:
        found = intake.Intake(asyncio.get_running_loop())
        began = time.monotonic()
        answer = await found.apply(KEY, False, b"{}")
        assert answer is not None
        assert answer[0] == 503
        assert b"deadline" in answer[2]
        assert time.monotonic() - began < 10
        found.stop()

    asyncio.run(scene())


def test_a_body_is_given_up_by_the_deadline_and_by_whoever_ends_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Coming:
        """A request whose body needs so long."""

        headers: ClassVar = {"content-length": "2"}

        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        async def __call__(self) -> bytes:
            await asyncio.sleep(self.seconds)
            return b"{}"

    async def scene() -> None:
        bodies = intake.Bodies(asyncio.get_running_loop())

        async def read(seconds: float) -> bytes | str:
            coming: Any = Coming(seconds)
            try:
                return await bodies.read(coming, coming)
            except TimeoutError:
                await asyncio.sleep(0)
                return "given up"

        ended = asyncio.create_task(read(60))
        soon, late = asyncio.create_task(read(0.01)), asyncio.create_task(read(60))
        assert await soon == b"{}"
        ended.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ended
        assert await asyncio.wait_for(late, 20) == "given up"
        assert await read(0.01) == b"{}"

    monkeypatch.setattr(intake, "environment", lambda: SimpleNamespace(web_deadline_s=0.2))
    monkeypatch.setattr(intake, "_BODIES_S", 0.05)
    asyncio.run(scene())
