"""What members are told of the versions of a program: since when, announced when, and what reads differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from psycopg import Connection

from palier.engine.describe import Page, describe
from palier.engine.mechanics import Notice
from palier.engine.program import Program
from palier.engine.words import NO_BREAK
from palier.programs.plan import Change, difference
from palier.programs.queries import Judging, Version, list_versions, timeline


class Reads(Struct, frozen=True):
    """One subject that reads differently: sentences that are gone, and sentences that are new."""

    key: str
    title: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Told(Struct, frozen=True):
    """One version as members are told of it. The first has nothing to differ from."""

    version: Version
    notice: Notice | None
    reads: tuple[Reads, ...]
    settings: tuple[Change, ...]


def changes(connection: Connection[Any], key: str, language: str, limit: int) -> list[Told]:
    """The latest versions of a program, the latest first, each with what it changed; empty for an unknown one.

    A version is compared with the one that was in force when it took effect.
    """
    found = timeline(connection, key)
    if found is None:
        return []
    told = []
    for version in reversed(list_versions(connection, key)[-limit:]):
        document = found.documents.get(version.version)
        if document is None:
            continue
        before = _before(found.documents, found.entries, version)
        told.append(
            Told(
                version,
                document.notice,
                _differently(before, document, language) if before is not None else (),
                tuple(difference(before, document)) if before is not None else (),
            )
        )
    return told


def _before(documents: dict[int, Program], entries: Sequence[Judging], version: Version) -> Program | None:
    """The document that judged the instant before a version took effect, by what had been published before it."""
    just_before = version.effective_from - 1
    covering = [
        entry.version
        for entry in entries
        if entry.version < version.version and entry.from_at <= just_before < entry.until_at
    ]
    return documents.get(covering[-1]) if covering else None


def _differently(before: Program, after: Program, language: str) -> tuple[Reads, ...]:
    old, new = (_sentences(describe(version, language), language) for version in (before, after))
    titles = {key: title for page in (old, new) for key, (title, _) in page.items()}
    found = []
    for key, title in titles.items():
        gone, come = old.get(key, ("", []))[1], new.get(key, ("", []))[1]
        if gone != come:
            left = tuple(line for line in gone if line not in come)
            added = tuple(line for line in come if line not in gone)
            if left or added:
                found.append(Reads(key, title, left, added))
    return tuple(found)


def _sentences(page: Page, language: str) -> dict[str, tuple[str, list[str]]]:
    """What a page says, by section: a line for each text and each entry of a list, under its part's title."""
    told: dict[str, tuple[str, list[str]]] = {}
    colon = f"{NO_BREAK}: " if language == "fr" else ": "
    for section in page.sections:
        if section.key == "changes":
            continue
        lines = []
        for part in section.parts:
            head = f"{part.title}{colon}" if part.title else ""
            lines += [f"{head}{text}" for text in (part.text, *part.items) if text]
        told[section.key] = (section.title, lines)
    return told
