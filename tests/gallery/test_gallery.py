"""Every program of the gallery is valid, and its stories come out as told: in memory and on a database."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palier.activities.stories import Played, play_text, read_activity
from palier.engine.rehearsal import Rehearsal
from palier.engine.story import Outcome, parts, play
from palier.programs import files, gallery
from palier.programs.gallery import Entry
from tests.activities.program import Connection
from tests.docs.stories import DatabaseStage

ENTRIES = gallery.entries()
PAGES = [(entry, path) for entry in ENTRIES for path in entry.stories]
CORNERS = Entry("corners", Path(__file__).parent / "corners")
MECHANICS = Entry("mechanics", Path(__file__).parent / "mechanics")
PLAYED = [*PAGES, *((entry, path) for entry in (CORNERS, MECHANICS) for path in entry.stories)]
COVERED = {
    "en": ("The ordinary path", "The boundary", "The return", "The expiry", "A refusal"),
    "fr": ("Le parcours ordinaire", "La limite", "Le retour", "L'expiration", "Un refus"),
}


def by_key(value: object) -> str:
    match value:
        case Entry(key=key):
            return key
        case Path(name=name):
            return name
    return ""


def wrong(outcomes: list[Outcome]) -> list[str]:
    return [str(outcome) for outcome in outcomes if not outcome.ok]


def played(entry: Entry, path: Path) -> list[Played]:
    return play_text(path.read_text(encoding="utf-8"), entry.program(), gallery.language_of(path))


@pytest.mark.parametrize("entry", ENTRIES, ids=by_key)
def test_programs_are_valid(entry: Entry) -> None:
    document = files.read(entry.document)
    assert document.problems == ()
    assert document.program is not None
    assert document.program.key == entry.key
    assert document.program.description is not None
    assert files.read(files.write(document.program).encode()).program == document.program


@pytest.mark.parametrize("entry", ENTRIES, ids=by_key)
def test_each_program_has_its_story_in_both_languages(entry: Entry) -> None:
    assert sorted(map(gallery.language_of, entry.stories)) == ["en", "fr"]


@pytest.mark.parametrize(("entry", "path"), PAGES, ids=by_key)
def test_stories_cover_what_matters(entry: Entry, path: Path) -> None:
    titles = {part.title for part in parts(path.read_text(encoding="utf-8"))}
    assert set(COVERED[gallery.language_of(path)]) <= titles


@pytest.mark.parametrize(("entry", "path"), PLAYED, ids=by_key)
def test_stories_in_memory(entry: Entry, path: Path) -> None:
    for part in played(entry, path):
        assert not wrong(list(part.outcomes)), part.part.title


@pytest.mark.parametrize(("entry", "path"), PLAYED, ids=by_key)
def test_stories_on_a_database(entry: Entry, path: Path, connection: Connection) -> None:
    """The platform answers as the engine alone does, line by line, down to the ends of lots."""
    language = gallery.language_of(path)
    program = entry.program()
    for number, part in enumerate(parts(path.read_text(encoding="utf-8"))):
        own = msgspec.structs.replace(program, key=f"{program.key[:40]}_{number}")
        outcomes = play(part.text, DatabaseStage(connection, own), language)
        assert not wrong(outcomes), part.title
        rehearsed = play(part.text, Rehearsal(own, read_activity), language)
        for mine, other in zip(outcomes, rehearsed, strict=True):
            assert mine.after == other.after, mine.line.text
            assert mine.answer is None or other.answer is not None
            assert _told(mine) == _told(other), mine.line.text


def _told(outcome: Outcome) -> Any:
    return outcome.answer and (outcome.answer.status, outcome.answer.code, dict(outcome.answer.earned))


def test_stories_in_any_order() -> None:
    """Nothing that one story leaves behind reaches another: all of them, mixed, in one process."""
    tables = [
        (entry.program(), part, gallery.language_of(path))
        for entry, path in PLAYED
        for part in parts(path.read_text(encoding="utf-8"))
    ]
    seed = random.randrange(2**32)
    random.Random(seed).shuffle(tables)
    for program, part, language in tables:
        outcomes = play(part.text, Rehearsal(program, read_activity), language)
        assert not wrong(outcomes), f"{program.key}, {part.title}, seed {seed}"


_AMOUNT = re.compile(r"(?<=[ +-])\d+(?= [^\d\s])")


@pytest.mark.parametrize(("entry", "path"), PLAYED, ids=by_key)
def test_a_wrong_figure_is_found(entry: Entry, path: Path) -> None:
    """In each table one amount, drawn anew for each, is told by one too many: the story says where it is wrong."""
    draw = random.Random(entry.key)
    program = entry.program()
    for part in parts(path.read_text(encoding="utf-8")):
        places = [
            found
            for line in re.finditer(r"->.*$", part.text, re.M)
            for found in _AMOUNT.finditer(part.text, line.start(), line.end())
        ]
        if not places:
            continue
        place = draw.choice(places)
        number = int(place[0]) + 1
        text = part.text[: place.start()] + str(number) + part.text[place.end() :]
        outcomes = play(text, Rehearsal(program, read_activity), gallery.language_of(path))
        (found,) = [outcome for outcome in outcomes if not outcome.ok]
        assert found.line.number == part.text.count("\n", 0, place.start()) + 1
        (check,) = [check for check in found.checks if not check.ok]
        assert str(number) in check.expected
        assert place[0] in check.found
