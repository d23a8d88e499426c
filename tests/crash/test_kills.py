"""Kills under load: a short run with every test run, a long one by `make crash` (PALIER_CRASH_POINTS)."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.crash.harness import Figures, Instance, Load, describe, judge, served

SHORT = {"backend": 6, "web process": 6, "postmaster": 5, "immediate stop": 3, "web": 2, "worker": 2}
WEIGHTS = {
    "backend": 26,
    "web process": 26,
    "postmaster": 20,
    "immediate stop": 12,
    "worker": 10,
    "web": 5,
    "everything": 1,
}
LONGEST_RECOVERY_MS = 60_000


def run(
    instance: Instance,
    targets: list[str],
    *,
    seed: int,
    verify_every: int = 0,
    pause_s: tuple[float, float] = (0.02, 0.4),
) -> Figures:
    """Kills these parts one after the other under load, waits for each recovery, and judges the ledger."""
    chance = random.Random(seed)
    figures = Figures()
    load = Load(instance, seed=seed)
    load.enrol()
    load.start()
    try:
        load.recovered(0.0)
        for number, target in enumerate(targets, 1):
            time.sleep(chance.uniform(*pause_s))
            figures.recovered(target, load.recovered(instance.kill(target)))
            if load.defects:
                break
            if verify_every and number % verify_every == 0:
                figures.violations += instance.verify()["violations"]
                print(f"{number} of {len(targets)}: {len(load.sent)} sent", flush=True)
        for part in ("web", "worker"):
            instance.child(part)
    except AssertionError:
        print(dict(load.statuses), instance.said()[-6000:])
        raise
    finally:
        load.finish()
    found = judge(instance, load, figures)
    describe("kills", found)
    return found


@pytest.mark.slow
def test_kills_under_load_lose_and_double_nothing() -> None:
    targets = [target for target, count in SHORT.items() for _ in range(count)]
    random.Random(11).shuffle(targets)
    with served() as instance:
        figures = run(instance, targets, seed=11)
        said = instance.said()
    assert figures.clean, f"{figures.told()}\n{said[-3000:]}"
    assert sum(figures.points.values()) >= 20
    assert figures.acked > 500
    assert max(figures.recovery_ms) < LONGEST_RECOVERY_MS


@pytest.mark.crash
def test_hundreds_of_kills_lose_and_double_nothing() -> None:
    points = int(os.environ.get("PALIER_CRASH_POINTS", "300"))
    seed = int(os.environ.get("PALIER_CRASH_SEED", "0")) or random.randrange(1 << 30)
    print(f"{points} kills, PALIER_CRASH_SEED={seed}", flush=True)
    targets = random.Random(seed).choices(list(WEIGHTS), list(WEIGHTS.values()), k=points)
    with served() as instance:
        figures = run(instance, targets, seed=seed, verify_every=50)
        said = instance.said()
    assert figures.clean, f"seed {seed}: {figures.told()}\n{said[-3000:]}"
    assert max(figures.recovery_ms) < LONGEST_RECOVERY_MS
