"""The commands on pictures, as a person runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from palier.programs import files
from tests.cli.test_programs import palier
from tests.connectors.drawings import file
from tests.engine.documents import program

REWARDS = """
palier: 1
program: club
rewards:
  - key: mug
    name: {en: Mug, fr: Tasse}
    gives: {kind: merchandise}
    prices: [{points: {stars: "5"}}]
"""
SAID = ("--alt-en", "A red mug", "--alt-fr", "Une tasse rouge")


@pytest.fixture
def folder(tmp_path: Path, database: str) -> Path:
    """A published program with one reward, and a picture."""
    (tmp_path / "club.yaml").write_text(files.write(program()), encoding="utf-8")
    (tmp_path / "rewards.yaml").write_text(REWARDS, encoding="utf-8")
    (tmp_path / "mug.png").write_bytes(file())
    assert palier("apply", str(tmp_path / "club.yaml"), "--yes")[0] == 0
    assert palier("rewards", "apply", str(tmp_path / "rewards.yaml"), "-y")[0] == 0
    return tmp_path


def test_a_picture_and_a_logo_from_the_command_line(folder: Path) -> None:
    mug = str(folder / "mug.png")
    code, out, _ = palier("rewards", "picture", "club", "mug", mug, *SAID)
    assert code == 0
    source = out.split()[-1]
    assert out == f"Version 2 of mug shows {source}\n"
    assert palier("rewards", "picture", "club", "mug", mug, *SAID)[1].startswith("No change: version 2")
    assert palier("programs", "logo", "club", mug, *SAID, "--says-name")[1].startswith(
        "Version 2 of club shows /"
    )

    # Written out and in again, nothing changes; elsewhere the pictures are said to be missing.
    again = folder / "again.yaml"
    again.write_text(palier("rewards", "export", "club")[1], encoding="utf-8")
    assert palier("rewards", "plan", str(again)) == (
        0,
        "No change: the catalogue of club says the same.\n",
        "",
    )
    again.write_text(palier("export", "club")[1], encoding="utf-8")
    assert "No change: version 2" in palier("apply", str(again), "--yes")[1]

    gone = palier("programs", "forget-picture", "club", source, "--reason", "not ours", "-y")
    assert gone == (0, "It is taken away.\n", "")
    again.write_text(palier("rewards", "export", "club")[1], encoding="utf-8")
    assert f"the picture {source} is not stored here" in palier("rewards", "plan", str(again))[2]
    assert palier("rewards", "picture", "club", "mug", "--remove")[1] == "Version 3 of mug has no picture.\n"
    assert palier("programs", "logo", "club", "--remove")[1] == "Version 3 of club has no logo.\n"


def test_what_is_refused_says_why_and_changes_nothing(folder: Path) -> None:
    mug, cut, svg = folder / "mug.png", folder / "cut.png", folder / "logo.svg"
    cut.write_bytes(mug.read_bytes()[:-9])
    svg.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    for arguments, said in (
        (("rewards", "picture", "club", "mug", str(cut), *SAID), "broken or cut off"),
        (("programs", "logo", "club", str(svg), *SAID), "no PNG, JPEG or WebP"),
        (("rewards", "picture", "club", "mug", str(folder), *SAID), "is a folder"),
        (("rewards", "picture", "club", "mug", str(folder / "none.png"), *SAID), "cannot be read"),
        (("rewards", "picture", "club", "mug", str(mug)), "add --alt-en"),
        (("rewards", "picture", "club", "mug"), "write --remove"),
        (("rewards", "picture", "club", "cup", str(mug), *SAID), 'no reward "cup"'),
        (("programs", "logo", "club", str(mug), "--alt-en", "A mug"), 'no "fr" text'),
        (
            ("programs", "forget-picture", "club", "/x.webp", "--reason", "a", "-y"),
            "is no address of a picture",
        ),
    ):
        code, out, error = palier(*arguments)
        assert (code, out) == (2, ""), arguments
        assert said in error, (said, error)
        assert "Traceback" not in error
    assert "picture" not in palier("rewards", "export", "club")[1]
    assert "logo" not in palier("export", "club")[1]
