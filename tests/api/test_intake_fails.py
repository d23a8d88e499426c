"""What the intake does when its own thread fails: whoever waits is told, and the process ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from palier.api import intake
from palier.staff.queries import RIGHTS, Key

KEY = Key("prefix", 1, "shop", "test", frozenset(RIGHTS))


def test_a_failed_intake_answers_who_waits_and_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(intake, "_end_process", ended.set)
    monkeypatch.setattr(intake, "LAST_ANSWERS_S", 0.2)
    entered, fail = threading.Event(), threading.Event()

    def broken(self: Any, requests: Any) -> Any:
        entered.set()
        assert fail.wait(20)
        raise MemoryError("planted")

    monkeypatch.setattr(intake._Writer, "_answers", broken)

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        found = intake.Intake(loop)
        requests = [intake._Request(KEY, [], False, False, loop.create_future()) for _ in range(3)]
        assert found.put(requests[0])
        assert await loop.run_in_executor(None, entered.wait, 20)
        # The first is in the hands of the thread, the others wait behind it.
        assert found.put(requests[1])
        assert found.put(requests[2])
        fail.set()
        for request in requests:
            status, headers, content = await asyncio.wait_for(request.done, 20)
            assert status == 503
            assert ("retry-after", "1") in headers
            assert b"send the same activities again" in content
        late = intake._Request(KEY, [], False, False, loop.create_future())
        assert not found.put(late), "what comes later waits for nobody"

    asyncio.run(scene())
    assert ended.wait(20), "the process goes on without an intake"


def test_the_process_ends_though_its_loop_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(intake, "_end_process", ended.set)
    monkeypatch.setattr(intake, "LAST_ANSWERS_S", 0.05)
    monkeypatch.setattr(intake._Writer, "_take", lambda self: 1 / 0)
    loop = asyncio.new_event_loop()
    loop.close()
    intake.Intake(loop)
    assert ended.wait(20)
