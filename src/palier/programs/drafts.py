"""Drafts: program documents that are being written, saved as often as somebody stops typing, with who and when.

A save is never changed. It names the save it was made from, so that undoing is going back along these names and
nothing is lost where two people write at once: what is made from a save that is not the head any more stands aside,
and its author is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.engine.sentences import Thousands, sentence
from palier.programs.source import MAX_BYTES
from palier.site.ids import new_id
from palier.site.refusal import Refused
from palier.staff.approvals import Person

MOST_DRAFTS: Final = 100
"""Drafts of one program that are open at a time."""
KEPT_SAVES: Final = 200
"""Saves of one draft that can be gone back to; of older ones only those stay that were published."""
LONGEST_NAME: Final = 80


class Draft(Struct, frozen=True):
    """A draft as it stands: its name, what it began from ("version:3", "gallery:KEY"), the save that is shown.

    Instants are microseconds UTC. `saved_*` are those of the head.
    """

    draft_id: int
    name: str
    began_from: str
    head: int
    begun_at: int
    saved_at: int
    saved_by: str
    saved_name: str


class Save(Struct, frozen=True):
    """One save: its number in its draft, the one it was made from (0: none), its text, who and when."""

    number: int
    before: int
    text: str
    saved_at: int
    saved_by: str
    saved_name: str


class Saved(Struct, frozen=True):
    """What became of a save: its number, and the head that somebody else had saved meanwhile (None: nobody had).

    With `meanwhile`, the draft still shows that head, and `number` stands aside until it is chosen.
    """

    number: int
    meanwhile: Save | None = None


_DRAFT: Final = """
select d.draft_id, d.name, d.began_from, d.head, d.begun_at, s.saved_at, s.saved_by, s.saved_name
from program_draft d
join program_draft_save s on s.program_id = d.program_id and s.draft_id = d.draft_id and s.save_number = d.head
where d.program_id = %(program)s and d.discarded_at is null
"""


def _draft(row: Sequence[Any]) -> Draft:
    return Draft(row[0], row[1], row[2], row[3], instant(row[4]), instant(row[5]), row[6], row[7])


def _save(row: Sequence[Any]) -> Save:
    return Save(row[0], row[1], row[2], instant(row[3]), row[4], row[5])


# --- reading ------------------------------------------------------------------------------------------


def listed(connection: Connection[Any], program_id: int) -> list[Draft]:
    """The open drafts of a program, the one saved last first."""
    rows = connection.execute(
        f"-- drafts.list{_DRAFT} order by s.saved_at desc, d.draft_id desc limit {MOST_DRAFTS}",
        {"program": program_id},
    ).fetchall()
    return [_draft(row) for row in rows]


def read(connection: Connection[Any], program_id: int, draft_id: int) -> Draft | None:
    """One open draft; None where there is none."""
    row = connection.execute(
        f"-- drafts.read{_DRAFT} and d.draft_id = %(draft)s", {"program": program_id, "draft": draft_id}
    ).fetchone()
    return _draft(row) if row is not None else None


def save_of(connection: Connection[Any], program_id: int, draft_id: int, number: int) -> Save | None:
    """One save; None where there is none, or it was dropped."""
    row = connection.execute(
        """
        -- drafts.save_of
        select save_number, before, document, saved_at, saved_by, saved_name from program_draft_save
        where program_id = %s and draft_id = %s and save_number = %s
        """,
        (program_id, draft_id, number),
    ).fetchone()
    return _save(row) if row is not None else None


def saves(
    connection: Connection[Any], program_id: int, draft_id: int, *, limit: int = KEPT_SAVES
) -> list[Save]:
    """The latest saves of a draft, the latest first, without their texts."""
    rows = connection.execute(
        """
        -- drafts.saves
        select save_number, before, '', saved_at, saved_by, saved_name from program_draft_save
        where program_id = %s and draft_id = %s order by save_number desc limit %s
        """,
        (program_id, draft_id, limit),
    ).fetchall()
    return [_save(row) for row in rows]


def redone(connection: Connection[Any], program_id: int, draft_id: int, number: int) -> int | None:
    """The latest save that was made from this one: what redoing leads to; None where there is none."""
    row = connection.execute(
        """
        -- drafts.redone
        select max(save_number) from program_draft_save where program_id = %s and draft_id = %s and before = %s
        """,
        (program_id, draft_id, number),
    ).fetchone()
    assert row is not None
    return int(row[0]) if row[0] is not None else None


# --- writing ------------------------------------------------------------------------------------------


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise Refused(sentence("A draft needs a name, so that others know what it is for."))
    if len(name) > LONGEST_NAME:
        raise Refused(
            sentence(
                "The name has %(count)s letters; a draft's name has at most %(longest_name)s.",
                count=len(name),
                longest_name=LONGEST_NAME,
            )
        )
    return name


def _text(text: str) -> str:
    """The text with plain line ends. Refuses what no document may be: too long, or with a NUL."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_BYTES:
        raise Refused(
            sentence(
                "The document has %(size)s bytes; at most %(max_bytes)s are kept. Shorten it.",
                size=Thousands(size),
                max_bytes=Thousands(MAX_BYTES),
            )
        )
    if "\0" in text:
        raise Refused(sentence("The document holds a character that no text has (NUL). Remove it."))
    return text


_ADD: Final = """
-- drafts.add_save
insert into program_draft_save (program_id, draft_id, save_number, before, document, saved_at, saved_by, saved_name,
                                kept)
values (%(program)s, %(draft)s, %(number)s, %(before)s, %(text)s, %(now)s, %(by)s, %(name)s, false)
"""


def begin(
    connection: Connection[Any],
    program_id: int,
    *,
    name: str,
    text: str,
    began_from: str,
    by: Person,
    now: int,
) -> int:
    """Begins a draft with a first save; its id. Commits.

    Refuses, in this order: a name that is empty or too long, a text that is too long, more drafts than there may be.
    """
    name, text = _named(name), _text(text)
    with connection.transaction():
        row = connection.execute(
            """
            -- drafts.count_open
            select count(*) from program_draft where program_id = %s and discarded_at is null
            """,
            (program_id,),
        ).fetchone()
        assert row is not None
        if row[0] >= MOST_DRAFTS:
            raise Refused(
                sentence(
                    "There are %(row)s drafts already; discard one that nobody needs any more.", row=row[0]
                )
            )
        draft_id = new_id()
        connection.execute(
            """
            -- drafts.begin
            insert into program_draft (program_id, draft_id, name, began_from, head, last_save, begun_at)
            values (%s, %s, %s, %s, 1, 1, %s)
            """,
            (program_id, draft_id, name, began_from, moment(now)),
        )
        _add(connection, program_id, draft_id, 1, 0, text, by, now)
    connection.commit()
    return draft_id


def _add(
    connection: Connection[Any],
    program_id: int,
    draft_id: int,
    number: int,
    before: int,
    text: str,
    by: Person,
    now: int,
) -> None:
    connection.execute(
        _ADD,
        {
            "program": program_id,
            "draft": draft_id,
            "number": number,
            "before": before,
            "text": text,
            "now": moment(now),
            "by": by.actor,
            "name": by.name,
        },
    )


def _locked(connection: Connection[Any], program_id: int, draft_id: int) -> tuple[int, int]:
    """(head, last save) of a draft, which stays as it is to the end of the transaction."""
    row = connection.execute(
        """
        -- drafts.lock
        select head, last_save from program_draft
        where program_id = %s and draft_id = %s and discarded_at is null for update
        """,
        (program_id, draft_id),
    ).fetchone()
    if row is None:
        raise Refused(sentence("This draft was discarded; begin another one."))
    return int(row[0]), int(row[1])


def save(
    connection: Connection[Any],
    program_id: int,
    draft_id: int,
    *,
    text: str,
    made_from: int,
    by: Person,
    now: int,
) -> Saved:
    """Saves what somebody made from the save `made_from`. Commits.

    Where the head is another one by now and says something else, the save stands aside and the head is answered with
    it; a text that is the head's already is no save. Refuses a text that is too long, and a draft that is gone.
    """
    text = _text(text)
    with connection.transaction():
        head, last = _locked(connection, program_id, draft_id)
        shown = save_of(connection, program_id, draft_id, head)
        assert shown is not None, "the head of a draft is never dropped"
        if shown.text == text:
            saved = Saved(head)
        else:
            before = made_from if 0 < made_from <= last else 0
            aside = before != head
            _add(connection, program_id, draft_id, last + 1, before, text, by, now)
            connection.execute(
                """
                -- drafts.advance
                update program_draft set last_save = %s, head = %s where program_id = %s and draft_id = %s
                """,
                (last + 1, head if aside else last + 1, program_id, draft_id),
            )
            connection.execute(
                """
                -- drafts.drop_oldest
                delete from program_draft_save
                where program_id = %s and draft_id = %s and save_number <= %s and save_number <> %s and not kept
                """,
                (program_id, draft_id, last + 1 - KEPT_SAVES, head),
            )
            saved = Saved(last + 1, shown if aside else None)
    connection.commit()
    return saved


def show(
    connection: Connection[Any], program_id: int, draft_id: int, *, number: int, instead_of: int
) -> bool:
    """Lets a draft show another of its saves: undoing, redoing, choosing. Commits.

    False where somebody saved meanwhile (the head is not `instead_of` any more) or the save was dropped.
    """
    with connection.transaction():
        head, _ = _locked(connection, program_id, draft_id)
        chosen = head == instead_of and save_of(connection, program_id, draft_id, number) is not None
        if chosen:
            connection.execute(
                "-- drafts.show\nupdate program_draft set head = %s where program_id = %s and draft_id = %s",
                (number, program_id, draft_id),
            )
    connection.commit()
    return chosen


def rename(connection: Connection[Any], program_id: int, draft_id: int, *, name: str) -> None:
    """Gives a draft another name. Commits. Refuses a name that is empty or too long, and a draft that is gone."""
    name = _named(name)
    with connection.transaction():
        _locked(connection, program_id, draft_id)
        connection.execute(
            "-- drafts.rename\nupdate program_draft set name = %s where program_id = %s and draft_id = %s",
            (name, program_id, draft_id),
        )
    connection.commit()


def discard(connection: Connection[Any], program_id: int, draft_id: int, *, now: int) -> None:
    """Puts a draft away; its saves stay in the database. Commits. A draft that is gone already stays so."""
    connection.execute(
        """
        -- drafts.discard
        update program_draft set discarded_at = %s
        where program_id = %s and draft_id = %s and discarded_at is null
        """,
        (moment(now), program_id, draft_id),
    )
    connection.commit()


def keep(connection: Connection[Any], program_id: int, draft_id: int, number: int) -> None:
    """Marks a save that must stay: it is published, or somebody is asked about it. Does not commit."""
    connection.execute(
        """
        -- drafts.keep
        update program_draft_save set kept = true where program_id = %s and draft_id = %s and save_number = %s
        """,
        (program_id, draft_id, number),
    )
