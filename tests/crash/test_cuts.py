"""The line to the database cut at every named statement, and on both sides of COMMIT: unknown, then settled.

The platform is served on a database of its own behind a proxy. A cut before COMMIT leaves nothing; a cut after
it leaves everything, and nobody was told: the same ids sent again are answered with what was decided.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from palier.activities import store
from palier.site import embedded
from tests.crash.harness import PATIENCE_S, Figures, Instance, Load, describe, judge, wait_for
from tests.crash.proxy import COMMIT, CUT_AFTER, CUT_BEFORE, Proxy

ONCE: Final = ("staff.begin_once", "staff.settle_once")
STATEMENTS: Final = (
    *sorted(
        found.group(1)
        for text in vars(store).values()
        if isinstance(text, str)
        and text != store.COMMIT
        and (found := re.match(r"\s*-- (activities\.[a-z_]+)", text))
    ),
    *ONCE,
)
"""The names of all statements of a batch, and of the stored answers to repeated calls."""
SOON_S: Final = 1.0
"""How long a statement is waited for by itself; one that is rarer is put off, and waited for with its like."""
RARE_S: Final = 10.0
"""How long is waited for any of those put off; some are for cases that the load does not bring about."""
MOST_MISSED: Final = 6


class Trap:
    """Waits for one of some statements to go by, on any connection, and springs once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self._answer: str | None = None
        self._action: Callable[[], None] | None = None
        self.sprung_at = 0.0
        self.sprung_by = ""

    def set(
        self, names: Iterable[str], answer: str | None = None, action: Callable[[], None] | None = None
    ) -> None:
        with self._lock:
            self._names, self._answer, self._action = frozenset(names), answer, action
            self.sprung_at, self.sprung_by = 0.0, ""

    def watch(self, name: str) -> str | None:
        with self._lock:
            if name not in self._names:
                return None
            self._names = frozenset()
            self.sprung_by, self.sprung_at = name, time.monotonic()
            if self._action is not None:
                self._action()
            return self._answer


@contextlib.contextmanager
def behind_a_proxy(trap: Trap, package: Path | None = None) -> Iterator[Instance]:
    """An instance on a database that is reached through the proxy."""
    instance = Instance(package=package)
    proxy = None
    try:
        restart(instance)
        folder = instance.directory / "proxy"
        folder.mkdir(mode=0o700)
        proxy = Proxy(folder, embedded.socket_directory(instance.directory), trap.watch)
        instance.database_url = f"postgresql://postgres@/palier?host={folder}"
        instance.run("migrate")
        instance.serve()
        instance.prepare()
        yield instance
    finally:
        if proxy is not None:
            proxy.stop()
        embedded.release(instance.directory)
        instance.stop()


def restart(instance: Instance) -> None:
    """Starts the database, as its operator would, once what was killed is gone."""
    wait_for("the killed database to be gone", lambda: instance.server.pid() is None)
    embedded.bootstrap(embedded.start(instance.directory), "palier")


def run(
    points: list[tuple[str, str]],
    *,
    seed: int,
    package: Path | None = None,
    prepare: Callable[[Instance], object] = lambda instance: None,
    patience_s: float = PATIENCE_S,
) -> Figures:
    """Springs the trap at each point under load, waits for the recovery, and judges the ledger.

    A point is a statement's name and what happens there: "before" and "after" cut the connection, any other
    is a part to kill as the statement goes by. `package` serves a copy of the platform; `prepare` is called
    before the load begins.
    """
    trap = Trap()
    figures = Figures()
    missed: set[str] = set()
    with behind_a_proxy(trap, package) as instance:
        prepare(instance)
        load = Load(instance, seed=seed, patience_s=patience_s)
        load.enrol()
        load.start()
        try:
            load.recovered(0.0)
            rare: list[tuple[str, str]] = []
            for name, what in points:
                if not sprung(trap, {name}, what, instance, load, figures, SOON_S):
                    rare.append((name, what))
            while rare and not load.defects:
                what = rare[0][1]
                names = {name for name, each in rare if each == what}
                found_by = sprung(trap, names, what, instance, load, figures, RARE_S)
                if found_by:
                    rare.remove((found_by, what))
                else:
                    missed |= names
                    rare = [point for point in rare if point[1] != what]
        finally:
            trap.set(())
            load.finish()
        found = judge(instance, load, figures)
        describe("cuts", found)
        print("not gone by:", ", ".join(sorted(missed)) or "none")
        if not found.clean:
            print(instance.said()[-3000:])
    return found


def sprung(
    trap: Trap, names: set[str], what: str, instance: Instance, load: Load, figures: Figures, wait_s: float
) -> str:
    """Springs the trap at the first of these statements and waits for the recovery; empty where none went by."""
    if load.defects:
        return ""
    if what in (CUT_BEFORE, CUT_AFTER):
        trap.set(names, what)
    else:
        trap.set(names, action=lambda: instance.kill(what) and None)
    until = time.monotonic() + wait_s
    while not trap.sprung_at and not load.defects and time.monotonic() < until:
        time.sleep(0.005)
    if load.defects:
        return ""
    if not trap.sprung_at:
        trap.set(())
        return ""
    if what == "postmaster":
        restart(instance)
    name = trap.sprung_by
    figures.recovered(f"{what} {COMMIT}" if name == COMMIT else what, load.recovered(trap.sprung_at))
    return name


@pytest.mark.slow
def test_a_line_cut_anywhere_loses_and_doubles_nothing() -> None:
    commits = [(COMMIT, side) for side in (CUT_BEFORE, CUT_AFTER) for _ in range(10)]
    figures = run([*commits, *((name, CUT_AFTER) for name in STATEMENTS)], seed=5)
    assert figures.clean, figures.told()
    assert sum(figures.points.values()) >= 20 + len(STATEMENTS) - MOST_MISSED
    # Ten answers at least were lost after their commit, and each was found again.
    assert figures.unknown_committed >= 10
    assert figures.unknown > figures.unknown_committed


@pytest.mark.crash
def test_a_kill_at_every_statement_loses_and_doubles_nothing() -> None:
    rounds = int(os.environ.get("PALIER_CRASH_ROUNDS", "2"))
    names = [*STATEMENTS, COMMIT]
    points = [(name, what) for name in names for what in ("web process", "postmaster", CUT_BEFORE, CUT_AFTER)]
    figures = run(points * rounds, seed=rounds)
    assert figures.clean, figures.told()
    assert sum(figures.points.values()) >= (len(names) - MOST_MISSED) * 4 * rounds
