"""Files in: what is read, what is refused, and with which remedy."""

from __future__ import annotations

import contextlib
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier.activities import wire
from palier.connectors.files import (
    FileMapping,
    FileProblem,
    Reader,
    RefusedRow,
    Row,
    digest,
    load_mapping,
    mapping_from_options,
    write_refused,
)

HEADER = "source,id,member.card,occurred_at,amount"
LINE = "till,T1,C1,2026-03-01T10:00:00Z,42.10"


def rows(path: Path, mapping: FileMapping | None = None, **options: Any) -> list[Row]:
    reader = Reader(path, time_zone="Europe/Paris", mapping=mapping, **options)
    return [row for batch in reader.batches() for row in batch]


def csv_file(tmp_path: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path = tmp_path / "sales.csv"
    path.write_bytes(end.join([*lines, ""]).encode(encoding))
    return path


def problem(path: Path, mapping: FileMapping | None = None, **options: Any) -> FileProblem:
    with pytest.raises(FileProblem) as caught:
        rows(path, mapping, **options)
    assert caught.value.message
    assert caught.value.remedy
    return caught.value


def workbook(path: Path, sheet_rows: str, *, sheets: int = 1, more: dict[str, bytes] | None = None) -> Path:
    """A minimal XLSX workbook; style 1 is a date with time."""
    office = "http://schemas.openxmlformats.org"
    main, relations = f"{office}/spreadsheetml/2006/main", f"{office}/package/2006/relationships"
    document = f"{office}/officeDocument/2006/relationships"
    numbers = range(1, sheets + 1)
    names = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{document}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{relations}"><Relationship Id="rId1" '
        f'Type="{document}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{document}">'
        f"<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{relations}">{links}'
        f'<Relationship Id="rId99" Type="{document}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
        for number in numbers:
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{sheet_rows}</sheetData></worksheet>',
            )
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return path


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def sheet_header(row: int) -> str:
    names = ("source", "id", "card", "date", "amount")
    cells = "".join(text_cell(f"{c}{row}", n) for c, n in zip("ABCDE", names, strict=True))
    return f'<row r="{row}">{cells}</row>'


# --- what is read -----------------------------------------------------------------------------------


def test_a_row_in_wire_form(tmp_path: Path) -> None:
    assert rows(csv_file(tmp_path, HEADER, LINE)) == [
        Row(
            2,
            {
                "type": "sale",
                "source": "till",
                "id": "T1",
                "occurred_at": "2026-03-01T10:00:00Z",
                "amount": "42.10",
                "member": {"card": "C1"},
            },
            None,
            (["till", "T1", "C1", "2026-03-01T10:00:00Z", "42.10"],),
        )
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_line_ends_are_found(tmp_path: Path, delimiter: str, encoding: str, end: str) -> None:
    lines = (text.replace(",", delimiter) for text in (HEADER, LINE))
    found = rows(csv_file(tmp_path, *lines, encoding=encoding, end=end))
    assert [row.activity["id"] for row in found] == ["T1"]


def test_excel_delimiter_hint(tmp_path: Path) -> None:
    found = rows(csv_file(tmp_path, "sep=;", HEADER.replace(",", ";"), LINE.replace(",", ";")))
    assert [(row.line, row.activity["id"]) for row in found] == [(3, "T1")]


def test_line_numbers_are_those_of_an_editor(tmp_path: Path) -> None:
    found = rows(
        csv_file(tmp_path, HEADER + ",channel", LINE + ',"two\nlines"', "", LINE + ",x", ",,,,,", LINE + ",")
    )
    assert [row.line for row in found] == [2, 5, 7]
    assert found[0].activity["channel"] == "two\nlines"
    assert "channel" not in found[2].activity


def test_synonyms_in_french(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, "Numéro ticket;Carte;Date heure;Montant;Magasin", "T1;C1;2026-03-01 10:00;42,10;Lyon"
    )
    (row,) = rows(path, FileMapping(constants={"source": "till", "currency": "EUR"}, decimal=","))
    assert row.activity == {
        "type": "sale",
        "source": "till",
        "currency": "EUR",
        "id": "T1",
        "member": {"card": "C1"},
        "occurred_at": "2026-03-01T09:00:00Z",
        "amount": "42.10",
        "location": "Lyon",
    }


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-01", "2026-02-28T23:00:00Z"),
        ("2026-07-01 10:00", "2026-07-01T08:00:00Z"),
        ("2026-07-01T10:00:00.25", "2026-07-01T08:00:00.250000Z"),
        ("2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"),
        ("2026-07-01 10:00:00 +05:30", "2026-07-01T04:30:00Z"),
        # The hour that comes twice counts as its first pass, the hour that is skipped moves on.
        ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),
    ],
)
def test_instants(tmp_path: Path, written: str, instant: str) -> None:
    (row,) = rows(csv_file(tmp_path, HEADER, f"till,T1,C1,{written},1"))
    assert row.activity["occurred_at"] == instant


def test_time_zone_and_format_of_the_mapping(tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEADER, "till,T1,C1,01/03/2026 10:00,1")
    (row,) = rows(path, FileMapping(time_zone="America/New_York", date_format="%d/%m/%Y %H:%M"))
    assert row.activity["occurred_at"] == "2026-03-01T15:00:00Z"


def test_mapped_columns_tenders_attributes_and_sale(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "No,Shop,Who,When,Sum,Cash,Pts,Colour,Of,Kind",
        "R1,till,m@example.org,2026-03-01T10:00:00Z,5.00,3.00,0.00,red,T1,return",
    )
    options = [
        "id=No",
        "source=Shop",
        "member.email=Who",
        "occurred_at=When",
        "amount=Sum",
        "tender.cash=Cash",
    ]
    options += ["tender.points=Pts", "attributes.colour=Colour", "sale.id=Of", "type=Kind"]
    (row,) = rows(path, mapping_from_options(options))
    assert row.activity == {
        "type": "return",
        "source": "till",
        "id": "R1",
        "member": {"email": "m@example.org"},
        "occurred_at": "2026-03-01T10:00:00Z",
        "amount": "5.00",
        "tenders": [{"kind": "cash", "amount": "3.00"}],
        "attributes": {"colour": "red"},
        "sale": {"source": "till", "id": "T1"},
    }


def test_values_are_sent_in_their_declared_type(tmp_path: Path) -> None:
    header = HEADER + ",whole,attributes.stars,attributes.gift,attributes.note,attributes.weight"
    path = csv_file(tmp_path, header, LINE + ",true,5,0,12,1.50", LINE + ",perhaps,five,maybe,,")
    types = {"stars": "integer", "gift": "boolean", "note": "text", "weight": "decimal"}
    first, second = rows(path, attribute_types=types)
    assert first.activity["attributes"] == {"stars": 5, "gift": False, "note": "12", "weight": "1.50"}
    assert first.activity["whole"] is True
    # What does not fit is sent as it is, for the intake to refuse with the field's name.
    assert second.activity["attributes"] == {"stars": "five", "gift": "maybe"}
    assert second.activity["whole"] == "perhaps"


def test_rows_are_in_the_form_the_intake_reads(tmp_path: Path) -> None:
    header, *lines = BASKETS
    for row in rows(csv_file(tmp_path, header, *lines), FileMapping(lines=True)):
        assert isinstance(wire.from_mapping(row.activity), wire.WireActivity)


def test_json_cells_keep_every_digit(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, HEADER + ",lines", LINE + ',"[{""sku"":""A"",""quantity"":2,""amount"":42.10}]"'
    )
    (row,) = rows(path)
    assert row.activity["lines"] == [{"sku": "A", "quantity": 2, "amount": "42.10"}]


def test_one_line_of_a_single_row_is_worth_the_row(tmp_path: Path) -> None:
    (row,) = rows(csv_file(tmp_path, HEADER + ",category,qty", LINE + ",FUEL,"))
    assert row.activity["lines"] == [{"category": "FUEL", "amount": "42.10"}]


BASKETS = (
    "source,id,member.card,occurred_at,sku,qty,line_amount",
    "till,T1,C1,2026-03-01T10:00:00Z,A,1,0.10",
    "till,T1,C1,2026-03-01T10:00:00Z,B,2,0.20",
    "till,T2,C1,2026-03-01T11:00:00Z,A,1,7",
)


@pytest.mark.parametrize("lines", [True, "scattered"])
def test_baskets_of_several_rows(tmp_path: Path, lines: Any) -> None:
    found = rows(csv_file(tmp_path, *BASKETS), FileMapping(lines=lines))
    assert [(row.line, row.activity["id"], row.activity["amount"], len(row.cells)) for row in found] == [
        (2, "T1", "0.30", 2),
        (4, "T2", "7", 1),
    ]
    assert found[0].activity["lines"] == [
        {"sku": "A", "quantity": 1, "amount": "0.10"},
        {"sku": "B", "quantity": 2, "amount": "0.20"},
    ]


def test_scattered_baskets(tmp_path: Path) -> None:
    header, first, second, other = BASKETS
    path = csv_file(tmp_path, header, first, other, second)
    found = rows(path, FileMapping(lines="scattered"))
    assert [(row.line, row.activity["id"], row.activity["amount"]) for row in found] == [
        (2, "T1", "0.30"),
        (3, "T2", "7"),
    ]
    apart = problem(path, FileMapping(lines=True))
    assert apart.line == 4
    assert "scattered" in apart.remedy


def test_a_basket_that_contradicts_itself_is_one_problem(tmp_path: Path) -> None:
    header, first, second, other = BASKETS
    found = rows(
        csv_file(tmp_path, header, first, second.replace("C1", "C2"), other), FileMapping(lines=True)
    )
    assert found[0].problem is not None
    assert [str(told) for told in found[0].problem] == [
        "mixed_basket", "line 3 says another member.card than line 2",
    ]  # fmt: skip
    assert found[1].problem is None


def test_no_basket_is_taken_without_a_malformed_line(tmp_path: Path) -> None:
    header, first, second, other = BASKETS
    broken = "till,T2,C1"
    last = other.replace("T2", "T3")
    found = rows(csv_file(tmp_path, header, first, second, broken, other, last), FileMapping(lines=True))
    assert [(row.line, row.problem and row.problem[0]) for row in found] == [
        (2, "malformed_line"),
        (5, "malformed_line"),
        (6, None),
    ]
    assert problem(csv_file(tmp_path, header, first, broken, other), FileMapping(lines="scattered")).line == 3


def test_rows_without_an_id_are_not_one_basket(tmp_path: Path) -> None:
    header, first, *_ = BASKETS
    nameless = first.replace(",T1,", ",,")
    for mapping in (FileMapping(lines=True), FileMapping(lines="scattered")):
        found = rows(csv_file(tmp_path, header, first, nameless, nameless), mapping)
        assert [("id" in row.activity, len(row.cells)) for row in found] == [
            (True, 1),
            (False, 1),
            (False, 1),
        ]


@pytest.mark.parametrize(
    ("header", "good", "bad", "reason"),
    [
        (
            "source,No,Date,card,Total",
            "t,1,2026-03-01,C,1",
            "t,,2026-03-01,C,1",
            "the column 'No' is empty (id); fill it",
        ),
        (
            "source,No,Date,card,Total",
            "t,1,2026-03-01,C,1",
            "t,1,,C,1",
            "the column 'Date' is empty (occurred_at); fill it",
        ),
        (
            "source,No,Date,card,sku,Total",
            "t,1,2026-03-01,C,A,1",
            "t,1,2026-03-01,C,A,",
            "the column 'Total' is empty (amount); fill it",
        ),
        (
            "source,No,Date,card,sku,line.amount",
            "t,1,2026-03-01,C,A,1",
            "t,1,2026-03-01,C,A,",
            "the column 'line.amount' is empty (line.amount); fill it",
        ),
        (
            "source,No,Date,card,sku",
            "t,1,2026-03-01,C,",
            "t,1,2026-03-01,C,A",
            "there is no column for amount; map one to it",
        ),
    ],
)
def test_an_empty_cell_is_named(tmp_path: Path, header: str, good: str, bad: str, reason: str) -> None:
    mapping = FileMapping(columns={"No": "id"})
    first, second = rows(csv_file(tmp_path, header, good, bad), mapping)
    assert first.problem is None
    assert second.problem is not None
    assert (second.problem[0], str(second.problem[1])) == ("malformed", reason)


def test_an_empty_cell_of_a_basket_is_named(tmp_path: Path) -> None:
    header, first, second, _ = BASKETS
    empty = second.replace("0.20", "")
    mapping = FileMapping(lines=True)
    _, found = rows(csv_file(tmp_path, header, first.replace("T1", "T0"), first, empty), mapping)
    assert found.problem is not None
    assert str(found.problem[1]) == "the column 'line_amount' is empty (line.amount); fill it"


def test_batches_and_resuming(tmp_path: Path) -> None:
    lines = [LINE.replace("T1", f"T{number}") for number in range(1, 12)]
    reader = Reader(csv_file(tmp_path, HEADER, *lines), time_zone="UTC")
    assert [len(batch) for batch in reader.batches(size=4)] == [4, 4, 3]
    assert [row.line for batch in reader.batches(size=4, after_line=10) for row in batch] == [11, 12]
    assert reader.fraction_read() == 1.0


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "sales.parquet"
    pl.DataFrame(
        {
            "source": ["till", "till"],
            "id": [7, 8],
            "card": ["C1", "C2"],
            "occurred_at": [datetime.fromisoformat(f"2026-0{month}-01 10:00") for month in (3, 7)],
            "amount": [42.1, 0.1 + 0.2],
            "lines": [[{"sku": "A", "amount": 42.1, "category": None}], None],
            "tax": [Decimal("1.50"), None],
            "picture": [b"", b""],
        }
    ).write_parquet(path)
    first, second = rows(path)
    assert first.line == 2
    assert first.activity == {
        "type": "sale",
        "source": "till",
        "id": "7",
        "member": {"card": "C1"},
        "occurred_at": "2026-03-01T09:00:00Z",
        "amount": "42.1",
        "lines": [{"sku": "A", "amount": "42.1"}],
        "tax": "1.50",
    }
    assert second.activity["amount"] == "0.30000000000000004"
    assert rows(path, FileMapping(round_to=2))[1].activity["amount"] == "0.30"


def test_parquet_instants_with_a_zone_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "sales.parquet"
    frame = {"source": ["till"], "id": ["1"], "card": ["C1"], "amount": [1]}
    pl.DataFrame({**frame, "date": [datetime(2026, 7, 1, 10, tzinfo=UTC)]}).write_parquet(path)
    assert rows(path)[0].activity["occurred_at"] == "2026-07-01T10:00:00.000000Z"
    pl.DataFrame({**frame, "date": [date(2026, 7, 1)]}).write_parquet(path)
    assert rows(path)[0].activity["occurred_at"] == "2026-06-30T22:00:00Z"


def test_xlsx(tmp_path: Path) -> None:
    cells = text_cell("A4", "till") + '<c r="B4"><v>12345</v></c>' + text_cell("C4", "007")
    cells += '<c r="D4" s="1"><v>45292.416666666664</v></c><c r="E4"><v>0.30000000000000004</v></c>'
    path = workbook(tmp_path / "sales.xlsx", sheet_header(3) + f'<row r="4">{cells}</row>')
    (row,) = rows(path)
    assert (row.line, row.activity) == (
        4,
        {
            "type": "sale",
            "source": "till",
            "id": "12345",
            "member": {"card": "007"},
            "occurred_at": "2024-01-01T09:00:00Z",
            "amount": "0.3",
        },
    )


def test_dates_of_a_workbook_that_counts_from_1904(tmp_path: Path) -> None:
    cells = "".join(text_cell(f"{place}2", "1") for place in "ABC")
    cells += '<c r="D2" s="1"><v>43830.416666666664</v></c><c r="E2"><v>2</v></c>'
    path = workbook(tmp_path / "sales.xlsx", sheet_header(1) + f'<row r="2">{cells}</row>')
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(
        b"<sheets>", b'<workbookPr date1904="1"/><sheets>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert rows(path)[0].activity["occurred_at"] == "2024-01-01T09:00:00Z"


# --- what is refused --------------------------------------------------------------------------------


def test_a_cell_far_away_from_the_others_ends_nothing_but_the_reading(tmp_path: Path) -> None:
    """A sheet is held as the rectangle around its cells: this one would take half a terabyte."""
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    found = problem(workbook(tmp_path / "far.xlsx", sheet_header(1) + far))
    assert found.message == "far.xlsx takes more memory or time than a sheet may"
    assert "far below or beside the table" in found.remedy


def test_bad_rows_among_good_ones_are_told_apart(tmp_path: Path) -> None:
    found = rows(
        csv_file(
            tmp_path,
            HEADER,
            LINE,
            'till,T2,C1,2026-03-01T10:00:00Z,"1,50"',
            "till,T3,C1,01/03/2026,1.50",
            "till,T4,C1,2026-03-01T10:00:00Z",
            "till,T5,C1,2026-02-30 10:00,1.50",
            "till,T6,C1,2026-03-01T10:00:00Z,1.50,more",
            "till,T7,C1,0001-01-01 00:00,1.50",
        )
    )
    assert [row.problem and row.problem[0] for row in found] == [
        None,
        "decimal_comma",
        "bad_instant",
        "malformed_line",
        "bad_instant",
        "malformed_line",
        "bad_instant",
    ]
    assert all(row.activity == {} for row in found[1:])


def test_a_decimal_comma_throughout_is_refused_with_the_remedy(tmp_path: Path) -> None:
    lines = [f'till,T{number},C1,2026-03-01T10:00:00Z,"1,50"' for number in range(5)]
    path = csv_file(tmp_path, HEADER, *lines)
    assert 'decimal: ","' in str(problem(path))
    assert [row.activity["amount"] for row in rows(path, FileMapping(decimal=","))] == ["1.50"] * 5


@pytest.mark.parametrize(
    ("amount", "taken"),
    [("1.234,50", False), ("1,234,50", False), ("1234,50", True), ("1234", True), ("1 234,50", True)],
)
def test_decimal_comma_allows_no_other_separator(tmp_path: Path, amount: str, taken: bool) -> None:
    path = csv_file(tmp_path, HEADER, f'till,T1,C1,2026-03-01T10:00:00Z,"{amount}"')
    (row,) = rows(path, FileMapping(decimal=","))
    assert (row.problem is None) is taken


@pytest.mark.parametrize("amount", ["1e400", "NaN", "-5", "１２", " 1.50", "10000000000000000"])
def test_other_amounts_are_left_for_the_intake_to_judge(tmp_path: Path, amount: str) -> None:
    (row,) = rows(
        csv_file(tmp_path, HEADER, f"till,T1,C1,2026-03-01T10:00:00Z,{amount}"), FileMapping(round_to=None)
    )
    assert row.activity["amount"] == amount


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n\n", "no header"),
        ("id;é".encode("latin-1"), "not UTF-8"),
        ("\ufeffid,x".encode("utf-16-le"), "not UTF-8"),
        (b"\x1f\x8b....", "compressed"),
        (b"\xd0\xcf\x11\xe0....", "old Excel"),
        (b"PK\x03\x04garbage", "not a readable XLSX"),
        (b"PAR1garbagePAR1", "not a readable Parquet"),
        (b"id,id,x\n", "two columns"),
        (b"id\tx;y\n", "may be split"),
        (b"id,amount\n1,2\n", "no column for source, occurred_at, member"),
        (b'source,id,card,date,amount\ntill,"T1"x,C1,2026-03-01,1\n', "not readable as CSV"),
        (b'source,id,card,date,amount\ntill,"T1,C1,2026-03-01,1\n', "not readable as CSV"),
        (
            b"source,id,card,date,amount\ntill," + b"x" * 200_000 + b",C1,2026-03-01,1\n",
            "not readable as CSV",
        ),
    ],
)
def test_malformed_files(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "sales.csv"
    path.write_bytes(content)
    assert words in str(problem(path))


def test_the_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_bytes(f"{HEADER}\n{LINE}\n{LINE},".encode() + "é\n".encode("latin-1"))
    assert problem(path).line == 3


def test_absent_files_and_folders(tmp_path: Path) -> None:
    assert "cannot be read" in str(problem(tmp_path / "none.csv"))
    assert "cannot be read" in str(problem(tmp_path))
    with pytest.raises(FileProblem):
        digest(tmp_path / "none.csv")
    assert len(digest(csv_file(tmp_path, HEADER))) == 64


def test_size_limit(tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEADER, *[LINE] * 1000)
    assert "more than the limit" in str(problem(path, maximum_bytes=10_000))


def test_zip_bombs_are_counted_not_believed(tmp_path: Path) -> None:
    bomb = workbook(tmp_path / "bomb.xlsx", sheet_header(1), more={"xl/media/zeros.bin": b"\0" * 30_000_000})
    assert bomb.stat().st_size < 100_000
    assert "when unpacked" in str(problem(bomb))
    # The same with its declared sizes forged to 1 byte, in both places where they are written.
    content = bomb.read_bytes().replace((30_000_000).to_bytes(4, "little"), (1).to_bytes(4, "little"))
    forged = tmp_path / "forged.xlsx"
    forged.write_bytes(content)
    assert problem(forged).remedy
    crowd = workbook(tmp_path / "crowd.xlsx", "", more={f"x{number}": b"" for number in range(1000)})
    assert "parts" in str(problem(crowd))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("sales.csv", HEADER)
    assert "not an XLSX" in str(problem(tmp_path / "other.zip"))


def test_the_sheet_must_be_named_when_there_are_several(tmp_path: Path) -> None:
    path = workbook(tmp_path / "sales.xlsx", sheet_header(1), sheets=2)
    assert "Sheet1, Sheet2" in str(problem(path))
    assert rows(path, FileMapping(sheet="Sheet2")) == []
    assert "Sheet1, Sheet2" in problem(path, FileMapping(sheet="Other")).remedy


def test_broken_sheets_end_in_a_problem(tmp_path: Path) -> None:
    for broken in (
        '<row r="x"><c r="!!">',
        "<row><c t='s'><v>99999</v></c></row>",
        "<row r='0'><c r='A0'/></row>",
    ):
        problem(workbook(tmp_path / "sales.xlsx", broken))


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (FileMapping(columns={"amout": "amount"}), "Did you mean 'amount'"),
        (FileMapping(columns={"amount": "amout"}), "Did you mean amount"),
        (FileMapping(columns={"amount": "tax", "id": "tax"}), "both"),
        (FileMapping(constants={"id": "1"}), "cannot be a constant"),
        (FileMapping(columns={"source": "source"}, constants={"source": "x"}), "both a constant"),
        (FileMapping(time_zone="Europe/Lyon"), "not a time zone"),
        (FileMapping(lines=True), "may be the amount of a line"),
        (FileMapping(lines=True, columns={"amount": "amount"}), "no column is a field of a line"),
        (FileMapping(columns={"amount": "line.colour"}), "not a field"),
    ],
)
def test_mappings_that_do_not_fit(tmp_path: Path, mapping: FileMapping, words: str) -> None:
    assert words in str(problem(csv_file(tmp_path, HEADER, LINE), mapping))


def test_ambiguous_synonyms(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "source,ticket,receipt,card,date,total", "till,1,2,C1,2026-03-01,1")
    assert "'ticket', 'receipt' could all be id" in str(problem(path))
    (row,) = rows(path, mapping_from_options(["id=receipt"]))
    assert row.activity["id"] == "2"


def test_mapping_files(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(
        "columns: {No: id}\nconstants: {source: till}\nlines: true\ndecimal: ','\n", encoding="utf-8"
    )
    assert load_mapping(path) == FileMapping(
        columns={"No": "id"}, constants={"source": "till"}, lines=True, decimal=","
    )
    for text, words in [
        ("column: {}", "column"),
        ("lines: 3", "lines"),
        ("round_to: 40", "round_to"),
        ("a: [", "not YAML"),
        ("decimal: ';'", "decimal"),
        ("[" * 5000, "not YAML"),
        ("- a", "object"),
    ]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(FileProblem) as caught:
            load_mapping(path)
        assert words in str(caught.value)
    for option in ("id", "=x", "id="):
        with pytest.raises(FileProblem, match="FIELD=COLUMN"):
            mapping_from_options([option])


# --- refused lines ----------------------------------------------------------------------------------


def test_refused_lines_can_be_imported_again(tmp_path: Path) -> None:
    header = (*HEADER.split(","), "channel")
    cells = ("till", "=1+1", "'-5", "2026-03-01T10:00:00Z", "1.50", "\tx")
    path = tmp_path / "refused.csv"
    assert write_refused(path, header, [RefusedRow(7, "unknown_member", "-no such member", (cells,))]) == 1
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith("\ufeffrefused_line,refused_code,refused_reason,source,id")
    assert "7,unknown_member,'-no such member,till,'=1+1,''-5," in text
    (row,) = rows(path)
    assert row.activity["id"] == "=1+1"
    assert row.activity["member"] == {"card": "'-5"}
    assert row.activity["channel"] == "\tx"
    assert write_refused(path, header, [RefusedRow(8, "x", "y", (cells, cells))], append=True) == 2
    text = path.read_text(encoding="utf-8")
    assert (len(text.splitlines()), text.count("\ufeff")) == (4, 1)
    with pytest.raises(FileProblem, match="cannot be written"):
        write_refused(tmp_path / "no" / "folder.csv", header, [])


def test_refusing_a_refused_file_again_keeps_one_reason(tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEADER, LINE)
    first = Reader(path, time_zone="UTC")
    row = next(first.batches())[0]
    write_refused(tmp_path / "a.csv", first.header, [RefusedRow(row.line, "a", "a", row.cells)])
    second = Reader(tmp_path / "a.csv", time_zone="UTC")
    row = next(second.batches())[0]
    write_refused(tmp_path / "b.csv", second.header, [RefusedRow(row.line, "b", "b", row.cells)])
    assert (tmp_path / "b.csv").read_text(encoding="utf-8").count("refused_code") == 1
    assert rows(tmp_path / "b.csv")[0].activity == row.activity


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_no_bytes_end_in_anything_but_a_problem(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.csv"
    for start in (b"", HEADER.encode() + b"\n", b"PK\x03\x04", b"PAR1"):
        path.write_bytes(start + content)
        with contextlib.suppress(FileProblem):
            rows(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1
    )
)
def test_text_cells_come_back_as_they_were_after_a_refusal(tmp_path: Path, ids: list[str]) -> None:
    path = tmp_path / "refused.csv"
    header = ("source", "id", "card", "date")
    refused = [RefusedRow(2, "code", "reason", (("till", text, "C1", "2026-03-01"),)) for text in ids]
    write_refused(path, header, refused)
    assert [row.activity["id"] for row in rows(path)] == ids
