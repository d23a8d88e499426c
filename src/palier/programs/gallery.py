"""The gallery: programs that run, each with the stories that show what it does."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

import palier
from palier.engine.program import Program
from palier.programs import files


class Entry(Struct, frozen=True):
    """One program of the gallery: its key and its folder."""

    key: str
    folder: Path

    @property
    def document(self) -> Path:
        """The program's file."""
        return self.folder / "program.yaml"

    @property
    def rewards(self) -> Path | None:
        """The file of its rewards, where it has a catalogue."""
        found = self.folder / "rewards.yaml"
        return found if found.exists() else None

    @property
    def stories(self) -> tuple[Path, ...]:
        """Its story files, the English one first."""
        return tuple(
            sorted(self.folder.glob("story*.md"), key=lambda path: (path.name.count("."), path.name))
        )

    def program(self) -> Program:
        """The program, as it is published. Every program of the gallery can be."""
        found = files.read(self.document)
        if found.program is None:
            raise ValueError(f"{self.document}: {found.problems[0]}")
        return found.program


def folder() -> Path:
    """Where the gallery lies: in the installed package, or beside the source of a checkout."""
    inside = Path(palier.__file__).parent / "gallery"
    beside = Path(palier.__file__).parents[2] / "gallery"
    return inside if inside.is_dir() else beside


def entries() -> list[Entry]:
    """All programs of the gallery by key; none where it is not installed."""
    return [Entry(path.parent.name, path.parent) for path in sorted(folder().glob("*/program.yaml"))]


def find(key: str) -> Entry | None:
    """One program of the gallery."""
    return next((entry for entry in entries() if entry.key == key), None)


def with_key(document: str, key: str) -> str:
    """The text of a gallery's document as a program of its own: another key, all else as it is written."""
    return re.sub(r"^key: .*$", f"key: {key}", document, count=1, flags=re.M)


def language_of(path: Path) -> str:
    """The language in which a story file is written: story.fr.md is in French."""
    return "fr" if path.suffixes[-2:-1] == [".fr"] else "en"
