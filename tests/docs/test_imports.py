"""The guides to imports do what they say: their files are written, their commands run, the outcomes are as shown."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.commands import said as palier
from tests.connectors.test_files import text_cell, workbook
from tests.docs.test_docs import ROOT, blocks


def sheet(path: Path, content: str) -> None:
    """A workbook of two sheets that hold these rows as texts."""
    rows = "".join(
        f'<row r="{number}">'
        + "".join(text_cell(f"{chr(65 + column)}{number}", cell) for column, cell in enumerate(cells))
        + "</row>"
        for number, cells in enumerate(csv.reader(content.splitlines()), 1)
    )
    workbook(path, rows, sheets=2)


@pytest.mark.parametrize(
    ("guide", "program", "commands"),
    [("guides/imports.md", "grocery", 10), ("fr/imports.md", "", 8)],
)
def test_the_guide_does_what_it_says(
    guide: str, program: str, commands: int, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if program:
        assert palier("apply", str(ROOT / "gallery" / program / "program.yaml"), "--yes")[0] == 0
    monkeypatch.chdir(tmp_path)
    out, ran = "", 0
    for kind, content in blocks(ROOT / "docs" / guide):
        match kind.split():
            case ["csv", name, "shown"]:
                assert (tmp_path / name).read_text(encoding="utf-8-sig").splitlines() == content.splitlines()
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
    assert ran == commands
