"""A disk that is nearly full: writes are refused, reads go on, and writes come back with the room."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from palier.activities.imports import ImportFailed, import_rows, rows_of
from palier.activities.runtime import runtime
from palier.api import intake
from palier.jobs import worker
from palier.site import clock, database, disk
from palier.site.environment import environment
from palier.site.health import health
from tests.api.shop import Shop, now_text

Usage = namedtuple("Usage", "total used free")
Free = Callable[[int], None]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[Free]:
    """Plants how many megabytes are free, where the system is asked."""

    def plant(megabytes: int) -> None:
        disk.forget()
        monkeypatch.setattr(disk, "disk_usage", lambda path: Usage(10**12, 0, megabytes * disk.MEGABYTE))

    yield plant
    monkeypatch.undo()
    disk.forget()


def sale(ref: str, id: str = "s") -> dict[str, Any]:
    return {
        "source": "till", "id": id, "type": "sale", "occurred_at": now_text(), "member": ref, "amount": "10.00",
    }  # fmt: skip


def test_writes_are_refused_and_reads_go_on(shop: Shop, free: Free) -> None:
    ref = shop.enrol()
    points = {"member": ref, "currency": "stars", "points": "1.00"}
    writes: list[tuple[str, str, Any]] = [
        ("POST", "/activities", sale(ref)),
        ("POST", "/activities", [sale(ref)]),
        ("POST", "/adjustments", {**points, "reason": "gift"}),
        ("POST", "/redemptions", points),
        ("POST", "/members", {"identities": {"card": "77"}}),
        ("PATCH", f"/members/{ref}", {"status": "frozen"}),
    ]
    free(environment().disk_floor_mb - 1)
    for method, path, body in writes:
        found = shop.call(method, path, body, idempotency=f"{method} {path}")
        found.problem(503, "disk_full")
        assert found.headers["Retry-After"] == "30"
    assert shop.get(f"/members/{ref}").json["status"] == "active"
    assert shop.wallet(ref)["spendable"] == "0.00"
    assert shop.get("/members?card=77").status == 404
    # The room is back: the same calls, with the same ids and keys, are decided now.
    free(environment().disk_floor_mb + 1)
    for method, path, body in writes:
        assert shop.call(method, path, body, idempotency=f"{method} {path}").status in (200, 201), path
    assert shop.wallet(ref)["spendable"] == "10.00"


def test_the_fast_intake_refuses_too(shop: Shop, free: Free) -> None:
    headers = {"authorization": f"Bearer {shop.token}", "content-length": "0"}
    scope = SimpleNamespace(headers=headers, query_string="", method="POST", path="/v1/activities")

    async def ask() -> intake.Answer:
        return await intake._handle(scope, SimpleNamespace())  # type: ignore[arg-type]

    free(1)
    status, given, content = asyncio.run(ask())
    assert (status, json.loads(content)["code"]) == (503, "disk_full")
    assert ("content-type", "application/problem+json") in given
    assert ("retry-after", "30") in given
    free(10_000)
    assert asyncio.run(ask())[0] == 400, "the empty body is looked at again"


def test_health_warns_before_and_says_when_it_is_so_far(
    database: str, free: Free, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = environment()
    free(settings.disk_warn_mb + 1)
    assert (health().document()["status"], health().findings) == ("ok", [])
    free(settings.disk_warn_mb - 1)
    low = health()
    assert low.ok
    assert (low.document()["status"], low.document()["disk"]) == ("degraded", "low")
    assert str(settings.disk_warn_mb - 1) in low.findings[0]
    free(settings.disk_floor_mb - 1)
    full = health()
    assert full.ok, "what is there is still served"
    assert (full.document()["disk"], full.document()["disk_free_mb"]) == ("full", settings.disk_floor_mb - 1)
    assert "PALIER_DISK_FLOOR_MB" in full.findings[0]
    monkeypatch.setattr(settings, "disk_floor_mb", 0)
    assert not disk.full(), "a floor of 0 is none"


def test_an_import_stops_and_goes_on_when_there_is_room(shop: Shop, free: Free) -> None:
    ref = shop.enrol()
    rows = [sale(ref, f"s{number}") for number in range(3)]
    with database.connect("app") as connection:
        program = runtime(connection, shop.key)
        assert program is not None
        free(1)
        with pytest.raises(ImportFailed, match="make room and run the same import again"):
            import_rows(connection, program, rows_of([rows]), clock=clock.now, sha256="x")
        free(10_000)
        summary = import_rows(connection, program, rows_of([rows]), clock=clock.now, sha256="x")
    assert (summary.applied, summary.sent) == (3, 3)


def test_the_worker_waits(free: Free, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    called: list[int] = []

    def work() -> None:
        called.append(1)
        stop.set()

    task = worker.PeriodicTask("test", 1, work)
    monkeypatch.setattr(worker, "TASKS", [task])
    monkeypatch.setattr(worker, "import_module", lambda name: None)
    free(1)
    running = threading.Thread(target=worker.run, args=[stop])
    running.start()
    running.join(0.5)
    assert running.is_alive()
    assert not called
    free(10_000)
    running.join(10)
    assert called == [1]


def test_a_database_elsewhere_has_a_disk_of_its_own(free: Free, monkeypatch: pytest.MonkeyPatch) -> None:
    free(1)
    monkeypatch.setattr(database, "is_embedded", lambda: False)
    assert disk.state() == "unknown"
    assert not disk.full()
