"""The guide to imports does what it says: its files are written, its commands run, their outcomes are as shown."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.commands import said as palier
from tests.connectors.test_files import text_cell, workbook
from tests.docs.test_docs import ROOT, blocks

GUIDE = ROOT / "docs" / "guides" / "imports.md"


def sheet(path: Path, content: str) -> None:
    """A workbook of two sheets that hold these rows as texts."""
    rows = "".join(
        f'<row r="{number}">'
        + "".join(text_cell(f"{chr(65 + column)}{number}", cell) for column, cell in enumerate(cells))
        + "</row>"
        for number, cells in enumerate(csv.reader(content.splitlines()), 1)
    )
    workbook(path, rows, sheets=2)


def test_the_guide_does_what_it_says(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert palier("apply", str(ROOT / "gallery" / "grocery" / "program.yaml"), "--yes")[0] == 0
    monkeypatch.chdir(tmp_path)
    out, ran = "", 0
    for kind, content in blocks(GUIDE):
        match kind.split():
            case ["csv", name, "shown"]:
                assert (tmp_path / name).read_text(encoding="utf-8").splitlines() == content.splitlines()
            case ["csv", name] if name.endswith(".xlsx"):
                sheet(tmp_path / name, content)
            case ["csv" | "yaml", name]:
                (tmp_path / name).write_text(content, encoding="utf-8")
            case ["sh"]:
                for line in content.splitlines():
                    code, out, error = palier(*line.split()[1:])
                    assert code == 0, f"{line}: {out}{error}"
                    ran += 1
            case ["text"]:
                for line in content.splitlines():
                    assert line.split() in [found.split() for found in out.splitlines()], f"{line}: {out}"
            case _:
                raise AssertionError(f"a block of kind {kind}")
    assert ran == 10
