"""Files that people bring in through the pages: received in pieces, judged before, imported by the worker."""

from __future__ import annotations

import contextlib
import random
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from palier.activities import import_files, imports, uploads
from palier.activities.runtime import Runtime
from palier.activities.uploads import Options, Upload, UploadRefused
from palier.connectors.rows import FileMapping
from palier.site.environment import environment
from palier.staff.approvals import Person
from tests.activities.program import NOW, Connection, program, published

BY = Person("staff:7", "Nadia", "operator")
HEADER = "source,id,date,customer,total"


@pytest.fixture
def shop(connection: Connection) -> Runtime:
    return published(connection, program())


def rows(count: int, first: int = 0) -> list[str]:
    return [
        f"till,u{n},2023-11-15T10:{n % 60:02}:00Z,c{n % 7},12.{n % 100:02}"
        for n in range(first, first + count)
    ]


def content(lines: list[str], header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def brought(connection: Connection, shop: Runtime, body: bytes, name: str = "year.csv") -> Upload:
    upload = uploads.begin(connection, shop, name, len(body), by=BY, now=NOW)
    for start in range(0, len(body), 700):
        upload = uploads.append(connection, upload, start, body[start : start + 700], now=NOW)
    assert upload.state == "ready"
    return upload


def imported(connection: Connection, shop: Runtime, upload: Upload, options: Options) -> Upload:
    uploads.ask(connection, upload, options, by=BY, now=NOW)
    connection.commit()
    taken = uploads.take_next(connection, now=NOW)
    assert taken is not None
    uploads.run(connection, taken, clock=lambda: NOW)
    found = uploads.read(connection, shop.program_id, upload.upload_id)
    connection.rollback()
    assert found is not None
    return found


def test_a_file_comes_in_pieces_in_any_repetition(connection: Connection, shop: Runtime) -> None:
    """Pieces sent again change nothing; one that leaves a gap or goes past the end is refused."""
    body = content(rows(200))
    upload = uploads.begin(connection, shop, "C:\\exports\\year.csv", len(body), by=BY, now=NOW)
    assert upload.name == "year.csv"
    pieces = [(start, body[start : start + 900]) for start in range(0, len(body), 900)]
    with pytest.raises(UploadRefused):
        uploads.append(connection, upload, 900, pieces[1][1], now=NOW)
    connection.rollback()
    chance = random.Random(7)
    for number, (start, piece) in enumerate(pieces):
        upload = uploads.append(connection, upload, start, piece, now=NOW)
        if number < len(pieces) - 1:
            again = pieces[chance.randrange(number + 1)]
            assert uploads.append(connection, upload, *again, now=NOW).size == upload.size
    assert upload.state == "ready"
    assert uploads.path_of(upload).read_bytes() == body
    assert uploads.path_of(upload).stat().st_mode & 0o077 == 0
    with pytest.raises(UploadRefused):
        uploads.append(connection, upload, len(body) - 1, b"xx", now=NOW)
    connection.rollback()


@pytest.mark.parametrize(
    ("name", "length"),
    [("a.csv", 0), ("a.csv", uploads.MOST_BYTES + 1), ("4111111111111111.csv", 10), ("a\nb.csv", 10)],
)
def test_what_cannot_be_brought_is_said(
    connection: Connection, shop: Runtime, name: str, length: int
) -> None:
    with pytest.raises(UploadRefused):
        uploads.begin(connection, shop, name, length, by=BY, now=NOW)


def test_a_look_tells_what_the_import_does(connection: Connection, shop: Runtime) -> None:
    """Columns are guessed, with samples; the first rows are judged as the import judges them; nothing is kept."""
    lines = [*rows(40), "till,u1,never,c1,3.00", "till,u99,2023-11-15T10:00:00Z,c1,-x"]
    upload = brought(connection, shop, content(lines))
    found = uploads.look(connection, shop, upload, Options(), now=NOW)
    assert [(column.name, column.field) for column in found.columns] == [
        ("source", "source"), ("id", "id"), ("date", "occurred_at"),
        ("customer", "member.external_id"), ("total", "amount"),
    ]  # fmt: skip
    assert found.columns[1].samples == ("u0", "u1", "u2")
    assert (found.rows, found.unknown, [item.line for item in found.refused]) == (42, 40, [42, 43])
    assert connection.execute("select count(*) from activity_claim").fetchone() == (0,)
    done = imported(connection, shop, upload, Options(enrol=True))
    assert (done.state, done.told.applied, done.told.refused, done.told.enrolled) == ("done", 40, 2, 7)
    assert not uploads.path_of(upload).exists()
    told = uploads.refused_path(upload).read_text().splitlines()
    assert [line.split(",")[0] for line in told[1:]] == ["42", "43"]


def test_columns_are_mapped_and_left_out(connection: Connection, shop: Runtime) -> None:
    upload = brought(
        connection, shop, content(["T1;2023-11-15T10:00:00Z;k1;5,00;9,99"], "Ticket;Quand;Client;Net;Total")
    )
    unread = uploads.look(connection, shop, upload, Options(), now=NOW)
    assert "occurred_at" in str(unread.problem)
    assert [column.field for column in unread.columns] == ["id", "", "member.external_id", "", "amount"]
    mapping = {
        "columns": {"Quand": "occurred_at", "Net": "amount"}, "constants": {"source": "till"}, "decimal": ",",
        "left_out": ["Total"],
    }  # fmt: skip
    found = uploads.look(connection, shop, upload, Options(mapping), now=NOW)
    assert (str(found.problem), found.rows, found.unknown) == ("", 1, 1)
    assert [column.field for column in found.columns] == [
        "id",
        "occurred_at",
        "member.external_id",
        "amount",
        "",
    ]
    assert imported(connection, shop, upload, Options(mapping, enrol=True)).told.applied == 1
    row = connection.execute("select payload ->> 'amount' from activity where external_id = 'T1'").fetchone()
    assert row == ("500",)


@pytest.mark.parametrize("body", [b"PK\x03\x04 no sheet", b"\xff\xfea\x00", b"a,a\n1,2\n", b"\x1f\x8b..."])
def test_bad_files_are_named_by_the_name_they_came_with(
    connection: Connection, shop: Runtime, body: bytes
) -> None:
    upload = brought(connection, shop, body, "odd.csv")
    found = uploads.look(connection, shop, upload, Options(), now=NOW)
    assert found.problem
    assert str(environment().directory) not in str(found.problem)
    assert str(upload.upload_id) not in str(found.problem)


def test_the_same_file_again_changes_nothing(connection: Connection, shop: Runtime) -> None:
    """By whom and how often it is brought: also through the command."""
    body = content(rows(30))
    assert imported(connection, shop, brought(connection, shop, body), Options(enrol=True)).told.applied == 30
    again = imported(connection, shop, brought(connection, shop, body, "other.csv"), Options(enrol=True))
    assert (again.told.unchanged, again.told.applied) == (True, 0)
    path = environment().directory / "by-hand.csv"
    path.write_bytes(body)
    summary, _ = import_files.import_path(
        connection, shop, path, FileMapping(), clock=lambda: NOW, refused=Path(f"{path}.refused")
    )
    assert summary.unchanged


def begun(connection: Connection, upload: Upload) -> Upload:
    """A file that is asked for, as the worker that takes it up has it."""
    uploads.ask(connection, upload, Options(enrol=True), by=BY, now=NOW)
    connection.commit()
    taken = uploads.take_next(connection, now=NOW)
    assert taken is not None
    return taken


def test_an_import_that_lost_its_worker_goes_on(
    connection: Connection, shop: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker ended in the middle: after the lease another takes it up, and each line counts once."""
    upload = brought(connection, shop, content(rows(60)))
    taken = begun(connection, upload)
    assert uploads.take_next(connection, now=NOW + uploads.LEASE - 1) is None
    uploads.run(connection, taken, clock=lambda: NOW, ending=lambda: True)
    later = NOW + uploads.LEASE
    again = uploads.take_next(connection, now=later)
    assert again is not None
    uploads.run(connection, again, clock=lambda: later)
    found = uploads.read(connection, shop.program_id, upload.upload_id)
    assert found is not None
    assert found.state == "done"
    assert connection.execute("select count(*) from activity where type = 'sale'").fetchone() == (60,)


def test_lines_refused_before_a_worker_was_lost_are_counted_and_told(
    connection: Connection, shop: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next worker goes on behind them: they stand in the file of refused lines, each once."""
    monkeypatch.setattr(import_files, "import_rows", partial(imports.import_rows, window=20))
    lines = [line[:-1] + "x" if number % 3 == 0 else line for number, line in enumerate(rows(60))]
    upload = brought(connection, shop, content(lines))
    taken = begun(connection, upload)
    uploads.run(connection, taken, clock=lambda: NOW, ending=lambda: refused_so_far(connection) > 0)
    before = refused_so_far(connection)
    assert 0 < before < 20
    again = uploads.take_next(connection, now=NOW + uploads.LEASE)
    assert again is not None
    uploads.run(connection, again, clock=lambda: NOW)
    found = uploads.read(connection, shop.program_id, upload.upload_id)
    assert found is not None
    assert (found.state, found.refused_lines) == ("done", 20)
    counts = found.told
    assert (counts.refused, counts.applied + counts.duplicate + counts.resumed) == (20, 40)
    assert 0 < counts.resumed < 40
    told = list(uploads.refused_lines(found, str))
    assert sorted(int(line[0]) for line in told[1:]) == [2 + 3 * number for number in range(20)]


def refused_so_far(connection: Connection) -> int:
    row = connection.execute("select coalesce(sum(refused_lines), 0) from import_file").fetchone()
    connection.rollback()
    assert row is not None
    return int(row[0])


def test_an_import_that_ended_when_it_was_stopped_is_told_as_ended(
    connection: Connection, shop: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while its last rows were written: all of it is in, and its file is not needed any more."""
    monkeypatch.setattr(import_files, "import_rows", partial(imports.import_rows, window=2))
    upload = brought(connection, shop, content([*rows(3), "till,x,never,c,1.00"]))
    taken = begun(connection, upload)

    moved = iter(range(100))

    def stopped() -> bool:
        if next(moved) and uploads.stop(connection, taken, by=BY, now=NOW):
            connection.commit()
        return False

    uploads.run(connection, taken, clock=lambda: NOW, ending=stopped)
    found = uploads.read(connection, shop.program_id, upload.upload_id)
    assert found is not None
    assert (found.state, found.told.applied, found.refused_lines) == ("done", 3, 1)
    assert not uploads.path_of(upload).exists()


@pytest.mark.parametrize("database_is_back", [False, True])
def test_a_defect_ends_an_import_and_a_lost_database_does_not(
    connection: Connection, shop: Runtime, monkeypatch: pytest.MonkeyPatch, database_is_back: bool
) -> None:
    """What would fail again and again is told; what comes back is waited for. Both go on where they were."""
    upload = brought(connection, shop, content(rows(20)))
    taken = begun(connection, upload)

    def fails(*_: Any, **__: Any) -> None:
        raise psycopg.OperationalError if database_is_back else ZeroDivisionError

    monkeypatch.setattr(import_files, "import_path", fails)
    with pytest.raises(psycopg.OperationalError) if database_is_back else contextlib.nullcontext():
        uploads.run(connection, taken, clock=lambda: NOW)
    monkeypatch.undo()
    found = uploads.read(connection, shop.program_id, upload.upload_id)
    assert found is not None
    connection.rollback()
    later = NOW + uploads.LEASE
    if database_is_back:
        assert found.state == "running"
        taken = uploads.take_next(connection, now=later)
        assert taken is not None
        uploads.run(connection, taken, clock=lambda: later)
    else:
        assert (found.state, "its log says why" in str(found.problem)) == ("failed", True)
        assert uploads.take_next(connection, now=later) is None
        imported(connection, shop, upload, Options(enrol=True))
    found = uploads.read(connection, shop.program_id, upload.upload_id)
    assert found is not None
    assert (found.state, found.told.applied) == ("done", 20)


def test_an_import_is_stopped_and_taken_up_again(connection: Connection, shop: Runtime) -> None:
    upload = brought(connection, shop, content(rows(20)))
    with pytest.raises(UploadRefused):
        uploads.ask(
            connection, uploads.begin(connection, shop, "b.csv", 9, by=BY, now=NOW), Options(), by=BY, now=NOW
        )
    connection.rollback()
    uploads.ask(connection, upload, Options(enrol=True), by=BY, now=NOW)
    assert uploads.stop(connection, upload, by=BY, now=NOW)
    connection.commit()
    assert uploads.take_next(connection, now=NOW) is None
    assert imported(connection, shop, upload, Options(enrol=True)).told.applied == 20
    assert not uploads.stop(connection, upload, by=BY, now=NOW)
    with pytest.raises(UploadRefused):
        uploads.ask(connection, upload, Options(), by=BY, now=NOW)


def test_files_do_not_stay(connection: Connection, shop: Runtime) -> None:
    left = brought(connection, shop, content(rows(3)))
    done = imported(
        connection,
        shop,
        brought(connection, shop, content(["till,x,never,c,1.00", *rows(2)])),
        Options(enrol=True),
    )
    soon: Any = NOW + (uploads.KEPT_DAYS - 1) * 86_400_000_000
    assert uploads.drop_old(connection, now=soon) == 0
    assert uploads.refused_path(done).exists()
    assert uploads.drop_old(connection, now=NOW + (uploads.KEPT_DAYS + 1) * 86_400_000_000) == 2
    assert not uploads.path_of(left).exists()
    assert not uploads.refused_path(done).exists()
    assert uploads.drop_old(connection, now=NOW + (uploads.KEPT_DAYS + 1) * 86_400_000_000) == 0
