"""The commands on stories and the gallery, as a person runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from palier.programs import files, gallery
from tests.commands import said as palier

ROOT = Path(__file__).parents[2]
WRONG = "2026-03-02 10:00  anna  sale s1 42.90   -> +43 points\n2026-03-02 10:01  anna  look  -> 42 points\n"


def test_a_story_is_told_with_what_is_wrong(tmp_path: Path) -> None:
    folder = gallery.folder() / "simple_points"
    code, out, _ = palier("story", str(folder / "story.md"))
    assert code == 0
    assert "✓" in out
    assert "✗" not in out
    assert "lines as told." in out

    page = tmp_path / "mine.txt"
    page.write_text(WRONG)
    code, out, _ = palier("story", str(page), "--program", str(folder / "program.yaml"))
    assert code == 1
    assert "found: +42 points" in out
    assert "1 of 2 lines are not as told." in out
    code, out, _ = palier("story", str(page), "--program", str(folder / "program.yaml"), "--json")
    told = json.loads(out)
    assert (code, told["ok"]) == (1, False)
    assert told["parts"][0]["lines"][0]["checks"] == [
        {"expected": "+43 points", "found": "+42 points", "ok": False}
    ]


def test_what_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    program = str(gallery.folder() / "simple_points" / "program.yaml")
    page = tmp_path / "mine.md"
    page.write_text("# Mine\n\n```story\n2026-03-02 10:00  anna  buys s1 42.90  -> 42 points\n```\n")
    code, _, problem = palier("story", str(page), "--program", program)
    assert code == 2
    assert problem.startswith(f"{page}:4: 'anna buys' is nothing that happens here. Use one of: ")
    assert palier("story", str(page))[2].startswith(f"{tmp_path / 'program.yaml'} cannot be read: ")


def test_a_program_of_ones_own(tmp_path: Path) -> None:
    output = tmp_path / "mine.yaml"
    arguments = ("new", "--from", "cafe_stars", "--key", "my_cafe", "--output", str(output))
    assert palier(*arguments)[0] == 0
    made = files.read(output).program
    assert made is not None
    assert made.key == "my_cafe"
    assert "# A cafe's stars" in output.read_text()  # comments stay
    written = output.read_text()
    code, _, problem = palier(*arguments)
    assert (code, problem) == (2, f"{output} is there already; name another file with --output.\n")
    assert output.read_text() == written
    assert palier("new", "--from", "nothing")[0] == 2
    code, _, problem = palier("new", "--from", "cafe_stars", "--key", "My Cafe", "--output", "x.yaml")
    assert code == 2
    assert problem.startswith("--key My Cafe does not fit: ")


def test_the_gallery_is_listed_and_played() -> None:
    code, out, _ = palier("gallery")
    assert code == 0
    for entry in gallery.entries():
        assert f"\n{entry.key} " in f"\n{out}"
    code, out, _ = palier("gallery", "--run", "--json")
    assert code == 0
    assert all(story["ok"] for story in json.loads(out))


def test_an_installed_package_has_the_gallery(tmp_path: Path) -> None:
    """As the wheel lays it out: the gallery within the package, and no checkout around it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    assert settings["force-include"] == {"gallery": "palier/gallery"}
    shutil.copytree(
        ROOT / "src" / "palier", tmp_path / "palier", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "gallery", tmp_path / "palier" / "gallery")
    done = subprocess.run(
        [sys.executable, "-m", "palier", "gallery", "--run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "lines as told." in done.stdout
