"""The benches' command: one that fails is told, the others are measured, and the status says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench import product, run
from bench.floors import Conditions

Bench = Callable[[Conditions], list[float]]


def given(values: list[float]) -> Bench:
    return lambda _: values


def refuses(_: Conditions) -> list[float]:
    raise SystemExit("nothing expired")


def breaks(_: Conditions) -> list[float]:
    raise ValueError("a defect")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs the command with these measures; its status and what it wrote."""

    @contextmanager
    def nowhere() -> Iterator[None]:
        yield

    def command(**measures: Bench) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(run, "FLOORS", {"F1": given([10.0]), "F2": given([10.0])})
        monkeypatch.setattr(run, "MEASURES", measures)
        path = tmp_path / "told.json"
        status = run.main(["--json", str(path)])
        return status, msgspec.json.decode(path.read_bytes())

    monkeypatch.setattr(run.database, "server", nowhere)
    monkeypatch.setattr(run, "_machine", lambda _: {"load_before": 0.0})
    return command


def test_one_that_fails_does_not_stop_the_others(told: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    status, content = told(expiry=refuses, http_batch=breaks, http_single=given([20.0, 30.0, 10.0]))
    assert status == 1
    assert content["failed"] == {"expiry": "nothing expired", "http_batch": "ValueError: a defect"}
    assert content["medians"]["http_single"] == 20.0
    assert [line["measure"] for line in content["targets"]] == ["http_single"]


def test_all_that_is_required_is_status_0(told: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    assert told(http_single=given([20.0]))[0] == 0
    assert told(http_single=given([2.0]))[0] == 1


def test_what_measures_share_is_run_once_and_fails_each_of_them() -> None:
    asked: list[Conditions] = []

    def measure(conditions: Conditions) -> list[float]:
        asked.append(conditions)
        raise SystemExit("nothing expired")

    shared = product._once(measure)
    conditions = Conditions(server=None, rounds=1, seconds=1.0)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(SystemExit, match="nothing expired"):
            shared(conditions)
    assert len(asked) == 1


def test_the_pace_of_expiry_is_that_of_the_time_in_which_it_went_on() -> None:
    samples = [(0.0, 0), (1.0, 1000), (2.0, 600), (3.0, 200), (4.0, 0), (5.0, 0)]
    assert product._pace(samples) == product._LOTS_A_MEMBER * 1000 / 3
    assert product._pace(samples[:4]) == product._LOTS_A_MEMBER * 800 / 2
    with pytest.raises(SystemExit, match="due"):
        product._pace([(0.0, 0), (1.0, 0)])
