"""Files for banks: what the schema accepts, sums, characters, days, and the same bytes again."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from palier.connectors import bank_files
from palier.connectors.bank_files import (
    FileRefused,
    Payer,
    Payment,
    csv_file,
    easter,
    is_target_day,
    next_target_day,
    pain_001,
    sepa_text,
)

PAYER = Payer("Épicerie du Palier", "FR1420041010050500013M02606", "PSSTFRPP")
NAMES = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}
MADE = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def payments(*amounts: int) -> list[Payment]:
    return [
        Payment(f"PO-{number}", f"Zoë {number}", "DE89370400440532013000", amount, "Cashback")
        for number, amount in enumerate(amounts)
    ]


def made(*amounts: int, **more: Any) -> bytes:
    given = {"message_id": "PALIER-1", "made_at": MADE, "execution_on": date(2026, 3, 3), **more}
    return pain_001(given.pop("payer", PAYER), given.pop("payments", payments(*amounts)), **given)


def test_a_file_says_what_is_paid() -> None:
    root = ElementTree.fromstring(made(1000, 1, 1234567))

    def texts(path: str) -> list[str | None]:
        return [found.text for found in root.findall(path, NAMES)]

    head, block = "p:CstmrCdtTrfInitn/p:GrpHdr/", "p:CstmrCdtTrfInitn/p:PmtInf/"
    assert texts(head + "p:MsgId") == ["PALIER-1"]
    assert texts(head + "p:CreDtTm") == ["2026-03-02T09:30:00Z"]
    assert texts(head + "p:NbOfTxs") + texts(head + "p:CtrlSum") == ["3", "12355.68"]
    assert texts(block + "p:NbOfTxs") + texts(block + "p:CtrlSum") == ["3", "12355.68"]
    assert texts(block + "p:ReqdExctnDt/p:Dt") == ["2026-03-03"]
    assert texts(block + "p:DbtrAcct/p:Id/p:IBAN") == [PAYER.iban]
    assert texts(block + "p:CdtTrfTxInf/p:PmtId/p:EndToEndId") == ["PO-0", "PO-1", "PO-2"]
    assert texts(block + "p:CdtTrfTxInf/p:Amt/p:InstdAmt") == ["10.00", "0.01", "12345.67"]
    assert texts(block + "p:CdtTrfTxInf/p:Cdtr/p:Nm") == ["Zoe 0", "Zoe 1", "Zoe 2"]
    assert texts(block + "p:Dbtr/p:Nm") == ["Epicerie du Palier"]


def test_the_same_payments_are_the_same_bytes() -> None:
    assert made(1000, 5) == made(1000, 5)
    assert made(1000, 5) != made(1000, 6)
    assert made(1000, payer=Payer("x", PAYER.iban))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"payments": []}, "no payment"),
        ({"execution_on": date(2026, 3, 1)}, "take 2026-03-02"),
        ({"execution_on": date(2026, 4, 3)}, "take 2026-04-07"),
        ({"payments": payments(5) * 2}, "one reference"),
        ({"payments": payments(0)}, "0.01 to"),
        ({"payments": payments(100_000_000_000)}, "0.01 to"),
        ({"payments": [Payment("PO-1", "&&", "DE89370400440532013000", 5, "x")]}, "no letter"),
        ({"payments": [Payment("PO-1", "Ann", "not an account", 5, "x")]}, "does not accept"),
        ({"payments": [Payment("x" * 36, "Ann", "DE89370400440532013000", 5, "x")]}, "does not accept"),
        ({"message_id": "x" * 36}, "does not accept"),
    ],
)
def test_what_no_bank_would_take_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(FileRefused, match=said):
        made(5, **more)


def test_the_schema_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the validation a wrong file would be made: the check is what refuses it."""
    monkeypatch.setattr(bank_files, "_validate", lambda written: None)
    assert made(5, message_id="x" * 36)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("Zoë Lefèvre", "Zoe Lefevre"),
        ("Œuvre & Fils", "OEuvre Fils"),
        ("a//b/", "a/b"),
        ("<script>", "script"),
        ("x" * 80, "x" * 70),
        ("李明", "Li Ming"),
    ],
)
def test_texts_in_characters_that_banks_take(text: str, taken: str) -> None:
    assert sepa_text(text, 70) == taken


def test_days_of_target() -> None:
    closed = [date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1), date(2026, 12, 25)]
    assert not any(is_target_day(day) for day in closed)
    assert not is_target_day(date(2025, 12, 26))
    assert all(is_target_day(date(2026, 4, day)) for day in (2, 7))
    assert next_target_day(date(2026, 12, 25)) == date(2026, 12, 28)
    assert next_target_day(date(2026, 3, 4)) == date(2026, 3, 4)


def test_easter() -> None:
    known = {
        1961: (4, 2),
        2000: (4, 23),
        2008: (3, 23),
        2024: (3, 31),
        2025: (4, 20),
        2026: (4, 5),
        2038: (4, 25),
    }
    assert {year: (easter(year).month, easter(year).day) for year in known} == known
    assert all(easter(year).weekday() == 6 for year in range(1900, 2200))


def test_csv_computes_nothing() -> None:
    evil = Payment("PO-1", "=1+1", "TR330006100519786457841326", 1234, "@SUM(A1)")
    written = csv_file(PAYER, [evil], money="TRY", exponent=2, execution_on=date(2026, 3, 3)).decode()
    head, row = csv.reader(io.StringIO(written))
    assert dict(zip(head, row, strict=True)) == {
        "reference": "PO-1", "name": "'=1+1", "iban": "TR330006100519786457841326", "amount": "12.34",
        "money": "TRY", "execution_on": "2026-03-03", "text": "'@SUM(A1)",
    }  # fmt: skip
