"""Pools of suppliers' codes: brought in once, kept unreadable, handed out once, seen by one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from palier.connectors.tables import FileProblem, open_table
from palier.engine.clock import DAY
from palier.vouchers import pools
from palier.vouchers.pools import Imported, NewCode, NotTaken
from palier.vouchers.refusals import VoucherRefusal
from tests.connectors.test_files import text_cell, workbook
from tests.vouchers.conftest import Desk
from tests.vouchers.test_operations import refused


def fill(desk: Desk, codes: list[str], pool: str = "cinema", **settings: Any) -> Imported:
    """Codes brought into a pool, which is made where it is not there."""
    if not pools.list_pools(desk.connection, desk.program_id, now=desk.now, key=pool):
        pools.create(desk.connection, desk.program_id, pool, name=pool, low_at=2, now=desk.now)
    lines = [NewCode(number, code) for number, code in enumerate(codes, start=2)]
    found = pools.import_codes(desk.connection, desk.program_id, pool, lines, **{"now": desk.now, **settings})
    desk.connection.commit()
    return found


def stock(desk: Desk, pool: str = "cinema") -> pools.Pool:
    return pools.read(desk.connection, desk.program_id, pool, now=desk.now)


def take(desk: Desk, order: str, pool: str = "cinema", **settings: Any) -> pools.Taken | None:
    found = pools.take(desk.connection, desk.program_id, pool, order, desk.now, **settings)
    desk.connection.commit()
    return found


def test_codes_are_brought_in_once(desk: Desk) -> None:
    first = fill(desk, ["AA-1", "BB-2", "aa-1", "CC-3"])
    assert (first.lines, first.added) == (4, 3)
    assert first.duplicates == [NotTaken(4, "the same code stands on line 2")]
    again = fill(desk, ["BB-2", "DD-4", "", "x\ny", "6.00649E+15"], pool="other")
    assert (again.lines, again.added) == (5, 1)
    assert again.duplicates == [NotTaken(2, "the code is in the pool cinema")]
    assert again.refused == [
        NotTaken(4, "the code is empty"),
        NotTaken(5, "the code has characters that cannot be shown"),
        NotTaken(
            6, "a spreadsheet has shortened this number; give the column the format text and fill it anew"
        ),
    ]
    assert (stock(desk).free, stock(desk).imported) == (3, 3)


def test_a_dry_run_says_the_same_and_writes_nothing(desk: Desk) -> None:
    fill(desk, ["A", "B"])
    for dry_run in (True, True, False):
        found = fill(desk, ["B", "C", "D", "C"], dry_run=dry_run)
        assert (found.added, [item.line for item in found.duplicates]) == (2, [2, 5])
    assert stock(desk).free == 4


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_files(desk: Desk, tmp_path: Path, kind: str) -> None:
    rows = {
        "Card number": ["C-1", "C-2", "C-1", "C-4"],
        "PIN": ["11", "22", "33", "44"],
        "Expiration date": ["2090-12-31", "2020-01-01", "2090-12-31", "soon"],
    }
    frame = pl.DataFrame(rows)
    path = tmp_path / f"codes.{kind}"
    if kind == "csv":
        frame.write_csv(path, separator=";")
    else:
        table = [frame.columns, *frame.rows()]
        cells = [
            "".join(text_cell(f"{'ABC'[place]}{row}", text) for place, text in enumerate(texts))
            for row, texts in enumerate(table, start=1)
        ]
        workbook(path, "".join(f'<row r="{row}">{text}</row>' for row, text in enumerate(cells, start=1)))
    pools.create(desk.connection, desk.program_id, "gift", name="Gift", low_at=0, now=desk.now)
    lines = pools.lines_of(open_table(path))
    found = pools.import_codes(desk.connection, desk.program_id, "gift", lines, now=desk.now)
    desk.connection.commit()
    assert (found.lines, found.added) == (4, 1)
    assert found.duplicates == [NotTaken(4, "the same code stands on line 2")]
    assert found.refused == [
        NotTaken(3, "the code ended on 2020-01-01"),
        NotTaken(5, "the end is no day such as 2027-12-31"),
    ]
    assert take(desk, "o1", "gift") is not None
    seen = pools.reveal(desk.connection, desk.program_id, "o1", to="m_1", now=desk.now)
    desk.connection.commit()
    assert (seen.code, seen.pin) == ("C-1", "11")


@pytest.mark.parametrize(
    ("header", "said"),
    [("name;value", "no column is the code"), ("code;voucher", "could both be the code")],
)
def test_files_without_a_code(tmp_path: Path, header: str, said: str) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(f"{header}\n1;2\n")
    with pytest.raises(FileProblem, match=said):
        list(pools.lines_of(open_table(path)))


def test_a_code_is_taken_given_back_and_taken_again(desk: Desk) -> None:
    fill(desk, ["A"])
    first = take(desk, "order-1")
    assert first is not None
    assert take(desk, "order-1") == first
    assert take(desk, "order-2") is None
    assert pools.give_back(desk.connection, desk.program_id, "order-1", now=desk.now)
    assert not pools.give_back(desk.connection, desk.program_id, "order-1", now=desk.now)
    desk.connection.commit()
    second = take(desk, "order-2")
    assert second is not None
    assert second.code_id == first.code_id


def test_a_code_that_was_seen_never_comes_back(desk: Desk) -> None:
    fill(desk, ["SECRET-7"])
    take(desk, "order-1")

    def reveal(to: str) -> pools.Revealed:
        seen = pools.reveal(desk.connection, desk.program_id, "order-1", to=to, now=desk.now)
        desk.connection.commit()
        return seen

    seen = reveal("m_ann")
    assert (seen.code, seen.first, seen.revealed_at) == ("SECRET-7", True, desk.now)
    # The reply may have been lost: the same person may look again, and the first time stays the first.
    again = pools.reveal(desk.connection, desk.program_id, "order-1", to="m_ann", now=desk.later(1))
    assert (again.code, again.first, again.revealed_at) == ("SECRET-7", False, desk.now)
    with refused(VoucherRefusal.ALREADY_REVEALED):
        reveal("m_bob")
    desk.connection.rollback()
    assert not pools.give_back(desk.connection, desk.program_id, "order-1", now=desk.now)
    with refused(VoucherRefusal.UNKNOWN_CODE):
        pools.reveal(desk.connection, desk.program_id, "order-9", to="m_ann", now=desk.now)
    assert (stock(desk).revealed, stock(desk).state) == (1, "empty")


def test_the_soonest_end_goes_first_and_none_that_has_ended(desk: Desk) -> None:
    pools.create(desk.connection, desk.program_id, "cinema", name="Cinema", low_at=0, now=desk.now)
    lines = [
        NewCode(1, "NEVER"),
        NewCode(2, "LATE", expires_on="2091-01-01"),
        NewCode(3, "SOON", expires_on="2090-01-01"),
    ]
    pools.import_codes(desk.connection, desk.program_id, "cinema", lines, now=desk.now)
    desk.connection.commit()
    year = 366 * DAY
    ahead = desk.now + 200 * year
    assert take(desk, "far", usable_until=ahead) is not None
    names = []
    for number in range(2):
        assert take(desk, f"o{number}") is not None
        names.append(pools.reveal(desk.connection, desk.program_id, f"o{number}", to="x", now=desk.now).code)
    desk.connection.commit()
    assert names == ["SOON", "LATE"]
    fill(desk, ["MORE"])
    desk.connection.execute("select 1")
    assert pools.read(desk.connection, desk.program_id, "cinema", now=ahead).free == 1


def test_low_stock_is_told_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    fill(desk, ["A", "B", "C", "D"])
    caplog.set_level(logging.WARNING, "palier.vouchers.pools")
    caplog.clear()
    states = []
    for number in range(4):
        take(desk, f"o{number}")
        states.append(stock(desk).state)
    assert states == ["stocked", "low", "low", "empty"]
    assert [record.getMessage() for record in caplog.records] == [
        "the pool cinema of codes is low: 2 are left",
        "the pool cinema of codes is empty: 0 are left",
    ]
    assert pools.look_at_all(desk.connection, desk.program_id, now=desk.now) == ["cinema"]
    fill(desk, ["E", "F", "G"])
    assert pools.look_at_all(desk.connection, desk.program_id, now=desk.now) == []
    desk.connection.commit()


def test_withdrawn_codes_are_not_handed_out(desk: Desk) -> None:
    fill(desk, ["A", "B"])
    take(desk, "o1")
    assert pools.withdraw(desk.connection, desk.program_id, "cinema", now=desk.now) == 1
    desk.connection.commit()
    assert take(desk, "o2") is None
    assert (stock(desk).withdrawn, stock(desk).taken) == (1, 1)


def test_no_suppliers_code_stands_in_the_database(
    desk: Desk, superuser_connection: psycopg.Connection[tuple[Any, ...]]
) -> None:
    fill(desk, ["GIFTCODE-123456"])
    take(desk, "o1")
    pools.reveal(desk.connection, desk.program_id, "o1", to="m_1", now=desk.now)
    desk.connection.commit()
    row = superuser_connection.execute("select c::text, p::text from pool_code c, code_pool p").fetchone()
    assert row is not None
    dump = " ".join(row)
    for form in ("GIFTCODE", b"GIFTCODE".hex(), "123456"):
        assert form not in dump


def test_another_programs_codes_are_not_there(desk: Desk) -> None:
    fill(desk, ["A"])
    take(desk, "o1")
    with refused(VoucherRefusal.UNKNOWN_CODE):
        pools.reveal(desk.connection, desk.program_id + 1, "o1", to="x", now=desk.now)
    with refused(VoucherRefusal.UNKNOWN_POOL):
        pools.take(desk.connection, desk.program_id + 1, "cinema", "o2", desk.now)
    assert not pools.give_back(desk.connection, desk.program_id + 1, "o1", now=desk.now)


@pytest.mark.parametrize(
    ("key", "settings", "field"),
    [
        ("Cinema 20", {}, "key"),
        ("", {}, "key"),
        ("cinema", {"name": " "}, "name"),
        ("cinema", {"name": "x" * 201}, "name"),
        ("cinema", {"low_at": -1}, "low_at"),
    ],
)
def test_bad_pools_are_not_made(desk: Desk, key: str, settings: dict[str, Any], field: str) -> None:
    with refused(VoucherRefusal.INVALID_POOL) as error:
        pools.create(
            desk.connection, desk.program_id, key, **{"name": "n", "low_at": 1, "now": desk.now, **settings}
        )
    assert error.value.field == field
