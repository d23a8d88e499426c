"""Drafts: saves that lose nothing, whoever saves at the same time, and going back along them."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from palier.engine.clock import MINUTE
from palier.engine.instants import parse_instant
from palier.programs import drafts
from palier.programs.drafts import Saved
from palier.site import database as platform_database
from palier.site.refusal import Refused
from palier.staff.approvals import Person

Connection = psycopg.Connection[tuple[Any, ...]]
NOW = parse_instant("2026-05-01T12:00:00Z")
ANN = Person("staff:1", "Ann", "staff")
BEN = Person("staff:2", "Ben", "staff")
PROGRAM = 7


def begun(connection: Connection, text: str = "a: 1\n") -> int:
    return drafts.begin(
        connection, PROGRAM, name=" Summer  offer ", text=text, began_from="version:1", by=ANN, now=NOW
    )


def shown(connection: Connection, draft: int) -> str:
    found = drafts.read(connection, PROGRAM, draft)
    assert found is not None
    save = drafts.save_of(connection, PROGRAM, draft, found.head)
    assert save is not None
    return save.text


def test_a_draft_is_saved_with_author_and_time_and_goes_back(connection: Connection) -> None:
    draft = begun(connection)
    found = drafts.read(connection, PROGRAM, draft)
    assert found is not None
    assert (found.name, found.head, found.began_from) == ("Summer offer", 1, "version:1")
    saved = drafts.save(connection, PROGRAM, draft, text="a: 2\r\n", made_from=1, by=BEN, now=NOW + MINUTE)
    assert saved == Saved(2)
    assert drafts.save(connection, PROGRAM, draft, text="a: 2\n", made_from=2, by=ANN, now=NOW) == Saved(2)
    found = drafts.read(connection, PROGRAM, draft)
    assert found is not None
    assert (found.saved_by, found.saved_name, found.saved_at) == ("staff:2", "Ben", NOW + MINUTE)
    assert shown(connection, draft) == "a: 2\n"
    # Undo, write something else, undo, and redo leads to what was written last; the other branch is still there.
    assert drafts.show(connection, PROGRAM, draft, number=1, instead_of=2)
    assert drafts.redone(connection, PROGRAM, draft, 1) == 2
    assert drafts.save(connection, PROGRAM, draft, text="a: 3\n", made_from=1, by=ANN, now=NOW) == Saved(3)
    assert drafts.show(connection, PROGRAM, draft, number=1, instead_of=3)
    assert drafts.redone(connection, PROGRAM, draft, 1) == 3
    assert [(save.number, save.before) for save in drafts.saves(connection, PROGRAM, draft)] == [
        (3, 1),
        (2, 1),
        (1, 0),
    ]
    assert not drafts.show(connection, PROGRAM, draft, number=2, instead_of=3)
    assert not drafts.show(connection, PROGRAM, draft, number=9, instead_of=1)


def test_what_two_people_write_at_once_stands_side_by_side(connection: Connection) -> None:
    draft = begun(connection)
    ready = threading.Barrier(2)
    found: dict[str, Saved] = {}

    def write(person: Person, text: str) -> None:
        with platform_database.connect("app") as own:
            ready.wait()
            found[text] = drafts.save(own, PROGRAM, draft, text=text, made_from=1, by=person, now=NOW)

    writers = [threading.Thread(target=write, args=item) for item in ((ANN, "a: 2\n"), (BEN, "a: 3\n"))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    first = next(text for text, saved in found.items() if saved.meanwhile is None)
    second = next(text for text in found if text != first)
    assert shown(connection, draft) == first
    meanwhile = found[second].meanwhile
    assert meanwhile is not None
    assert meanwhile.text == first
    aside = drafts.save_of(connection, PROGRAM, draft, found[second].number)
    assert aside is not None
    assert (aside.text, aside.before) == (second, 1)
    # Its author may still choose it.
    assert drafts.show(connection, PROGRAM, draft, number=aside.number, instead_of=meanwhile.number)
    assert shown(connection, draft) == second


def test_old_saves_are_dropped_but_never_those_that_are_kept(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "KEPT_SAVES", 3)
    draft = begun(connection)
    drafts.keep(connection, PROGRAM, draft, 2)
    for number in range(2, 8):
        drafts.save(connection, PROGRAM, draft, text=f"a: {number}\n", made_from=number - 1, by=ANN, now=NOW)
        if number == 2:
            drafts.keep(connection, PROGRAM, draft, 2)
    assert [save.number for save in drafts.saves(connection, PROGRAM, draft)] == [7, 6, 5, 2]


def test_drafts_are_listed_renamed_and_put_away_by_program(connection: Connection) -> None:
    one, two = begun(connection), begun(connection)
    drafts.save(connection, PROGRAM, one, text="b: 1\n", made_from=1, by=BEN, now=NOW + MINUTE)
    drafts.rename(connection, PROGRAM, two, name="Winter")
    assert [(draft.draft_id, draft.name) for draft in drafts.listed(connection, PROGRAM)] == [
        (one, "Summer offer"),
        (two, "Winter"),
    ]
    assert drafts.listed(connection, PROGRAM + 1) == []
    assert drafts.read(connection, PROGRAM + 1, one) is None
    drafts.discard(connection, PROGRAM + 1, one, now=NOW)
    drafts.discard(connection, PROGRAM, two, now=NOW)
    assert [draft.draft_id for draft in drafts.listed(connection, PROGRAM)] == [one]
    with pytest.raises(Refused, match="discarded"):
        drafts.save(connection, PROGRAM, two, text="c: 1\n", made_from=1, by=ANN, now=NOW)


def test_what_cannot_be_a_draft_is_refused(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = begun(connection)
    for text, words in (("x" * 2_000_000, "at most 1,000,000"), ("é" * 500_001, "Shorten"), ("a\0", "NUL")):
        with pytest.raises(Refused, match=words):
            drafts.save(connection, PROGRAM, draft, text=text, made_from=1, by=ANN, now=NOW)
    for name, words in ((" \n", "needs a name"), ("x" * 81, "at most 80")):
        with pytest.raises(Refused, match=words):
            drafts.rename(connection, PROGRAM, draft, name=name)
    monkeypatch.setattr(drafts, "MOST_DRAFTS", 1)
    with pytest.raises(Refused, match="discard one"):
        begun(connection)
    assert shown(connection, draft) == "a: 1\n"
