"""Imports: each row once, whatever is repeated, killed, split or out of order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palier.activities import batch, imports
from palier.activities.imports import ImportSummary, Progress, RefusedLine, import_rows, rows_of
from palier.activities.runtime import Runtime
from palier.connectors.files import FileMapping, Reader, Row
from palier.engine.refusals import RefusalCode
from tests.activities.program import NOW, Connection, member, program, published

START = 1_700_000_000


def sale(number: int, member_number: int, cents: int = 1234, **content: Any) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number * 60))
    return {
        "source": "till",
        "id": f"s{number}",
        "type": "sale",
        "member": {"card": f"c{member_number}"},
        "occurred_at": moment,
        "amount": f"{cents // 100}.{cents % 100:02}",
        **content,
    }


def whole_return(number: int, of: int, **content: Any) -> dict[str, Any]:
    named = {"sale": {"source": "till", "id": f"s{of}"}, "whole": True, "type": "return", "id": f"r{number}"}
    made = {**sale(number, 0), **named, **content}
    del made["amount"]
    if "member" not in content:
        del made["member"]
    return made


def run(
    connection: Connection, shop: Runtime, activities: list[dict[str, Any]], **settings: Any
) -> ImportSummary:
    chosen = {"enrol_unknown": True, "clock": lambda: NOW, **settings}
    return import_rows(connection, shop, rows_of([activities]), **chosen)


def counts(summary: ImportSummary) -> tuple[int, int, int, int]:
    assert summary.sent == summary.applied + summary.duplicate + summary.refused + summary.parked
    return summary.applied, summary.duplicate, summary.refused, summary.parked


def balances(connection: Connection) -> list[tuple[str, int]]:
    rows = connection.execute(
        "select encode(i.value_hash, 'hex'), w.posted from wallet w join identity i using (member_id) order by 1"
    ).fetchall()
    connection.rollback()
    return [(row[0], row[1]) for row in rows]


def count_of(connection: Connection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    connection.rollback()
    assert row is not None
    return int(row[0])


@pytest.fixture
def shop(connection: Connection) -> Runtime:
    return published(connection, program())


def test_once_and_again(connection: Connection, shop: Runtime) -> None:
    activities = [sale(number, number % 7) for number in range(50)]
    first = run(connection, shop, activities)
    assert counts(first) == (50, 0, 0, 0)
    assert first.enrolled == 7
    before = balances(connection)
    assert sum(points for _, points in before) == 50 * 12
    again = run(connection, shop, activities)
    assert counts(again) == (0, 50, 0, 0)
    assert again.enrolled == 0
    assert balances(connection) == before


def test_the_same_content_again_is_all_duplicates_even_when_told_by_its_digest(
    connection: Connection, shop: Runtime
) -> None:
    activities = [sale(number, 1) for number in range(20)]
    assert counts(run(connection, shop, activities, name="a.csv", sha256="x")) == (20, 0, 0, 0)
    again = run(connection, shop, activities, name="a.csv", sha256="x", again=True)
    assert counts(again) == (0, 20, 0, 0)
    assert again.resumed == 0
    states = connection.execute("select name, lines, done_lines, state from import_file").fetchall()
    connection.rollback()
    assert states == [("a.csv", 20, 20, "done")] * 2


def test_a_file_that_was_imported_whole_is_not_read_again(connection: Connection, shop: Runtime) -> None:
    read = []

    def rows() -> Iterator[Row]:
        for row in rows_of([[sale(number, 1) for number in range(20)]]):
            read.append(row.line)
            yield row

    settings: dict[str, Any] = {"clock": lambda: NOW, "enrol_unknown": True, "name": "a.csv", "sha256": "w"}
    first = import_rows(connection, shop, rows(), **settings)
    assert (first.applied, first.unchanged, len(read)) == (20, False, 20)
    again = import_rows(connection, shop, rows(), **settings)
    assert (again.sent, again.resumed, again.unchanged, len(read)) == (0, 20, True, 20)
    other = import_rows(connection, shop, rows(), **{**settings, "sha256": "v"})
    assert (other.duplicate, other.unchanged, len(read)) == (20, False, 40)


def test_a_file_of_which_a_line_was_refused_is_read_again(connection: Connection, shop: Runtime) -> None:
    activities = [sale(number, 1) for number in range(5)]
    settings: dict[str, Any] = {"name": "a.csv", "sha256": "u", "enrol_unknown": False}
    assert counts(run(connection, shop, activities, **settings)) == (0, 0, 5, 0)
    member(connection, shop.program_id, "c1")
    assert counts(run(connection, shop, activities, **settings)) == (5, 0, 0, 0)
    assert run(connection, shop, activities, **settings).unchanged


def test_rows_of_a_file_are_read_where_they_are_decided(
    connection: Connection, shop: Runtime, tmp_path: Path
) -> None:
    """Cells go to the workers as they stand: JSON, decimal commas, local instants, returns, lines refused."""
    path = tmp_path / "till.csv"
    lines = ["source;id;type;date;amount;card;lines;sale.id;whole"]
    for number in range(60):
        cell = '"[{""category"": ""food"", ""amount"": 4.50}]"' if number % 2 else ""
        lines.append(f"till;s{number};sale;2026-03-01 10:{number:02};{number + 1},00;c{number % 7};{cell};;")
    lines.append("till;r1;return;2026-03-02 10:00;;;;s5;true")
    lines.append("till;x1;sale;2026-03-01 10:00;1,00;c1;[{;;")
    lines.append("till;x2;sale;yesterday;1,00;c1;;;")
    lines.append('till;x3;sale;2026-03-01 10:00;1,00;c1;"[],""amount"":""9""";;')
    path.write_text("\n".join(lines))
    told: dict[str, tuple[str, ...]] = {}
    for workers in (0, 2):
        refused: list[RefusedLine] = []
        reader = Reader(path, time_zone="Europe/Paris", mapping=FileMapping(decimal=","))
        summary = import_rows(
            connection, shop, reader, clock=lambda: NOW, enrol_unknown=True, workers=workers, window=25,
            on_refused=refused.extend,
        )  # fmt: skip
        assert counts(summary) == ((61, 0, 3, 0) if not workers else (0, 61, 3, 0))
        told[str(workers)] = tuple(f"{item.row.line} {item.code} {item.row.cells[0][1]}" for item in refused)
    assert told["0"] == told["2"] == ("63 bad_json x1", "64 bad_instant x2", "65 bad_json x3")
    assert sum(points for _, points in balances(connection)) == sum(range(1, 61)) - 6


def shuffled_file(path: Path, rows: int, members: int) -> Reader:
    numbers = list(range(rows))
    random.Random(3).shuffle(numbers)
    lines = ["source,id,date,amount,card"]
    for number in numbers:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number * 60))
        lines.append(f"till,s{number},{moment},12.34,c{number % members}")
    path.write_text("\n".join(lines))
    return Reader(path, time_zone="UTC")


def test_a_long_file_in_no_order_is_decided_in_each_members_order(
    connection: Connection, shop: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = []
    monkeypatch.setattr(batch._Batch, "decide_anew", lambda self, works: again.extend(works))
    reader = shuffled_file(tmp_path / "a.csv", 300, 17)
    seen: list[Progress] = []
    summary = import_rows(
        connection, shop, reader, clock=lambda: NOW, enrol_unknown=True, window=40, sha256="l",
        on_progress=seen.append,
    )  # fmt: skip
    assert counts(summary) == (300, 0, 0, 0)
    assert again == []  # nothing was late: nothing had to be decided twice
    assert (seen[-1].done, seen[-1].read, seen[-1].ended) == (300, 300, True)
    assert sorted({item.read for item in seen})[-1] == 300


def test_a_long_file_that_was_cut_off_is_gone_on_with(
    connection: Connection, shop: Runtime, tmp_path: Path
) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.done >= 100:
            raise Stop

    settings: dict[str, Any] = {"clock": lambda: NOW, "enrol_unknown": True, "window": 40, "sha256": "m"}
    with pytest.raises(Stop):
        import_rows(
            connection, shop, shuffled_file(tmp_path / "a.csv", 300, 17), on_progress=stop, **settings
        )
    summary = import_rows(connection, shop, shuffled_file(tmp_path / "a.csv", 300, 17), **settings)
    assert summary.resumed in (80, 120)
    assert summary.resumed + summary.sent == 300
    assert summary.refused == 0
    assert count_of(connection, "activity_claim") == 300
    assert sum(points for _, points in balances(connection)) == 300 * 12


@pytest.mark.parametrize("workers", [0, 2])
def test_order_windows_and_processes_change_nothing(
    connection: Connection, shop: Runtime, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 10)
    activities = [sale(number, number % 5, 100 * (number + 1)) for number in range(120)]
    activities += [whole_return(200 + number, number) for number in range(0, 40, 3)]
    random.Random(workers).shuffle(activities)
    summary = run(connection, shop, activities, workers=workers, window=31)
    assert summary.refused == summary.duplicate == 0
    # A return that comes a window before its sale waits for it.
    assert summary.applied + summary.parked == 134
    assert count_of(connection, "parked_activity") == 0
    kept = [number for number in range(120) if not (number < 40 and number % 3 == 0)]
    assert sum(points for _, points in balances(connection)) == sum(number + 1 for number in kept)


def test_a_member_with_more_rows_than_a_batch_is_cut_in_order(
    connection: Connection, shop: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 10)
    activities = [sale(number, 1) for number in range(95)]
    activities.reverse()
    assert counts(run(connection, shop, activities)) == (95, 0, 0, 0)
    row = connection.execute("select count(*) from activity where type = 'correction'").fetchone()
    connection.rollback()
    assert row == (0,)  # nothing was late: nothing had to be decided twice


def test_refused_rows_are_told_with_their_reasons(connection: Connection, shop: Runtime) -> None:
    told: list[RefusedLine] = []
    good, unknown = sale(1, 1), sale(2, 2)
    member(connection, shop.program_id, "c1")
    rows = [
        Row(2, good, None, (["a"],)),
        Row(3, {}, ("bad_instant", "'yesterday' is no instant"), (["b"],)),
        Row(4, unknown, None, (["c"],)),
        Row(5, {**sale(3, 1), "amount": "1.234"}, None, (["d"],)),
        Row(6, {**sale(4, 1), "colour": "red"}, None, (["e"],)),
    ]
    summary = import_rows(connection, shop, rows, clock=lambda: NOW, on_refused=told.extend)
    assert counts(summary) == (1, 0, 4, 0)
    assert [(item.row.line, item.code) for item in told] == [
        (3, "bad_instant"),
        (4, RefusalCode.UNKNOWN_MEMBER.value),
        (5, RefusalCode.INVALID_AMOUNT.value),
        (6, RefusalCode.MALFORMED.value),
    ]
    assert "enrol the member first" in told[1].reason
    # What was refused can be repaired and sent again: the id was not taken.
    mended = import_rows(connection, shop, [Row(2, unknown, None, ())], clock=lambda: NOW, enrol_unknown=True)
    assert counts(mended) == (1, 0, 0, 0)


def test_an_identity_that_cannot_be_one_is_refused_not_enrolled(
    connection: Connection, shop: Runtime
) -> None:
    odd = {**sale(1, 1), "member": {"email": "nobody"}}
    assert counts(run(connection, shop, [odd])) == (0, 0, 1, 0)
    assert count_of(connection, "member") == 0


def test_members_are_enrolled_as_of_their_first_activity(connection: Connection, shop: Runtime) -> None:
    run(connection, shop, [sale(9, 1), sale(3, 1)])
    row = connection.execute("select extract(epoch from enrolled_at)::bigint from member").fetchone()
    connection.rollback()
    assert row == (START + 180,)


def test_progress_ends_at_all_rows(connection: Connection, shop: Runtime) -> None:
    seen: list[Progress] = []
    run(connection, shop, [sale(n, n % 3) for n in range(25)], window=10, on_progress=seen.append)
    assert [item.done for item in seen] == sorted(item.done for item in seen)
    assert (seen[-1].done, seen[-1].read, seen[-1].ended) == (25, 25, True)


def test_a_source_that_breaks_is_gone_on_with(connection: Connection, shop: Runtime) -> None:
    activities = [sale(number, number % 3) for number in range(40)]

    def broken() -> Iterator[Row]:
        for number, row in enumerate(rows_of([activities])):
            if number == 25:
                raise OSError("the disk is gone")
            yield row

    settings: dict[str, Any] = {"clock": lambda: NOW, "enrol_unknown": True, "window": 10, "sha256": "y"}
    with pytest.raises(OSError, match="the disk is gone"):
        import_rows(connection, shop, broken(), **settings)
    row = connection.execute("select done_lines, state from import_file").fetchone()
    connection.rollback()
    assert row == (20, "failed")
    resumed: list[int] = []
    summary = import_rows(connection, shop, rows_of([activities]), on_resume=resumed.append, **settings)
    assert (summary.resumed, resumed) == (20, [20])
    assert counts(summary) == (20, 0, 0, 0)
    assert count_of(connection, "activity") == 40


def test_a_worker_that_dies_ends_the_import_with_its_remedy(connection: Connection, shop: Runtime) -> None:
    import psutil

    def rows() -> Iterator[Row]:
        for number, row in enumerate(rows_of([[sale(n, n % 3) for n in range(40)]])):
            if number == 25:
                for server in psutil.Process().children():
                    # A worker is a child of the process that it was forked from.
                    for child in server.children():
                        if "forkserver" in " ".join(child.cmdline()):
                            child.send_signal(signal.SIGKILL)
            yield row

    with pytest.raises(imports.ImportFailed, match="run the same import again"):
        import_rows(
            connection, shop, rows(), clock=lambda: NOW, enrol_unknown=True, workers=1, window=10, sha256="z"
        )
    summary = run(connection, shop, [sale(n, n % 3) for n in range(40)], sha256="z", window=10)
    assert summary.applied + summary.duplicate + summary.resumed == 40
    assert count_of(connection, "activity") == 40


DRIVER = """
from palier.activities import batch, imports
from palier.activities.runtime import runtime
from palier.site import clock, database
from tests.activities.test_imports import sale, whole_return
imports.BATCH = 50
with database.connect() as connection:
    shop = runtime(connection, "shop")
    rows = imports.rows_of([[sale(n, n % 40) for n in range(4000)], [whole_return(5000 + n, n) for n in range(100)]])
    summary = imports.import_rows(connection, shop, rows, clock=clock.now, name="kill", sha256="kill",
                                  enrol_unknown=True, workers=2, window=500)
    print(summary.sent, summary.resumed, summary.applied, summary.duplicate)
"""


def test_killed_anywhere_and_resumed_each_row_counts_once(connection: Connection, shop: Runtime) -> None:
    draw = random.Random()
    command = [sys.executable, "-c", DRIVER]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    kills = 0
    for most in sorted(draw.sample(range(1, 3900), 3)):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            while process.poll() is None and count_of(connection, "activity") < most:
                time.sleep(0.002)
            kills += process.poll() is None
        finally:
            process.kill()  # SIGKILL: nothing of it can tidy up
            process.wait()
    assert kills
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    sent, resumed, _, _ = map(int, done.stdout.split())
    assert sent + resumed == 4100
    assert count_of(connection, "activity") == 4100
    assert count_of(connection, "activity_claim") == 4100
    assert sum(points for _, points in balances(connection)) == 3900 * 12
    rows = connection.execute("select done_lines, state from import_file").fetchall()
    connection.rollback()
    assert rows == [(4100, "done")]
