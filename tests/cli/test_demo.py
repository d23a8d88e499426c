"""`palier demo` over one household in twenty: everything it does, found sound, and not done again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars
import pytest

from palier.cli import demo
from palier.cli.demo import doors, history
from palier.connectors import complete_journey
from palier.ledger.verify import verify
from palier.programs import queries
from tests.activities.program import Connection
from tests.commands import said as palier

KEPT = frozenset(f"household-{number}" for number in range(0, 2_500, 20)) | {"household-1", "household-7"}


@pytest.mark.slow
def test_the_demo_is_whole_and_the_second_run_changes_nothing(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = complete_journey._baskets
    coupons = [item for item in complete_journey.redemptions() if item.household in KEPT]
    counted: list[int] = []

    def few(weeks: int) -> polars.DataFrame:
        rows = every(weeks).filter(polars.col("member.external_id").is_in(list(KEPT)))
        counted.append(len(rows))
        monkeypatch.setattr(history, "BASKETS", len(rows))
        return rows

    monkeypatch.setattr(complete_journey, "_baskets", few)
    monkeypatch.setattr(complete_journey, "redemptions", lambda: coupons)
    summary, violations, key = demo._prepare(quiet=True, weeks=None)
    assert violations == 0
    imported: dict[str, Any] = summary["import"]
    assert (imported["applied"], imported["refused"], imported["violations"]) == (counted[0], 0, [])
    assert summary["redemptions"]["redemptions"] == len(coupons) > 0
    assert key.startswith("pk_")
    assert [one.standing for one in doors.visitors()] == ["new", "middle", "top"]
    document = queries.document(connection, demo.PROGRAM)
    assert document is not None
    assert document.brand is not None
    assert document.brand.logo is not None

    again, _, _ = demo._prepare(quiet=True, weeks=None)
    same = ("members", "activities", "spend", "currencies", "tiers", "redemptions")
    assert {name: again[name] for name in same} == {name: summary[name] for name in same}
    assert verify(connection, demo.PROGRAM) == []

    # As the README has it: what was exported and changed is told, and can be applied.
    exported = palier("export", demo.PROGRAM)[1]
    assert 'points: "1"' in exported
    file = tmp_path / "stars.yaml"
    file.write_text(exported.replace('points: "1"', 'points: "2"', 1), encoding="utf-8")
    code, out, _ = palier("plan", str(file))
    assert (code, out[:1]) == (0, "~")
    assert "This would be version" in out


def test_a_taken_port_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = subprocess.run(
            [sys.executable, "-m", "palier", "demo", "--port", str(taken.getsockname()[1])],
            env={**os.environ, "PALIER_DATA_DIR": str(tmp_path / "data")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 2
    assert "choose another with --port" in result.stderr
    assert not (tmp_path / "data").exists()
