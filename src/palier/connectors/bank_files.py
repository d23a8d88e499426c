"""Files for banks: SEPA credit transfers (ISO 20022 pain.001.001.09), and CSV for any other way of paying.

The same payments, identifier and instants give the same bytes. Amounts are minor units.
Sources: ISO 20022 pain.001.001.09; EPC 217-08 for the characters that every bank takes; the TARGET calendar of the
European Central Bank (closed on Saturdays, Sundays, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from palier.connectors.rows import DANGEROUS
from palier.engine.amounts import from_minor

SCHEMA: Final = "pain.001.001.09"
MONEY: Final = "EUR"
"""The money of SEPA: a file has no other."""
LONGEST_NAME: Final = 70
LONGEST_TEXT: Final = 140
LARGEST_AMOUNT: Final = 99_999_999_999
"""999,999,999.99 EUR, the most of one transfer."""

_NOT_SEPA: Final = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
COLUMNS: Final = ("reference", "name", "iban", "amount", "money", "execution_on", "text")


class Payer(Struct, frozen=True):
    """Whose account is debited. `bic` may be empty: an IBAN is enough within SEPA."""

    name: str
    iban: str
    bic: str = ""


class Payment(Struct, frozen=True):
    """One transfer: its unique reference (end to end), who receives it, how much, and what he reads."""

    reference: str
    name: str
    iban: str
    amount: int
    text: str


class FileRefused(ValueError):
    """A file cannot be made of these payments; the text says why and what to do."""


def sepa_text(text: str, longest: int) -> str:
    """The text in the characters that every bank of SEPA takes, accents off, at most so long."""
    from text_unidecode import unidecode

    plain = _NOT_SEPA.sub(" ", unidecode(text))
    # No bank takes a text that begins or ends with a slash, or has two.
    plain = re.sub(r"/{2,}", "/", re.sub(r" {2,}", " ", plain)).strip(" /")
    return plain[:longest].strip(" /")


def pain_001(
    payer: Payer, payments: Sequence[Payment], *, message_id: str, made_at: datetime, execution_on: date
) -> bytes:
    """A file of credit transfers in one block, validated against the schema before it is returned.

    `message_id` (at most 35 characters) is what banks know a file by that comes twice; `made_at` is in UTC. Refuses a
    day on which TARGET is closed, no payment, a reference that is there twice, and amounts beyond what SEPA takes.
    """
    if not payments:
        raise FileRefused("There is no payment to write.")
    if not is_target_day(execution_on):
        raise FileRefused(f"Banks do not settle on {execution_on}; take {next_target_day(execution_on)}.")
    references = {payment.reference for payment in payments}
    if len(references) < len(payments):
        raise FileRefused("Two payments have one reference; each needs its own.")
    for payment in payments:
        if not 0 < payment.amount <= LARGEST_AMOUNT:
            raise FileRefused(f"{payment.reference}: a transfer is 0.01 to 999999999.99 {MONEY}.")
        if not sepa_text(payment.name, LONGEST_NAME):
            raise FileRefused(f"{payment.reference}: the name has no letter that banks take.")
    made = _transfer(payer, message_id, made_at)
    for payment in payments:
        made.add_payment(
            {
                "name": sepa_text(payment.name, LONGEST_NAME),
                "IBAN": payment.iban,
                "amount": payment.amount,
                "execution_date": execution_on,
                "description": sepa_text(payment.text, LONGEST_TEXT) or payment.reference,
                "endtoend_id": payment.reference,
            }
        )
    written: bytes = made.export(validate=False)
    _validate(written)
    return written


def _transfer(payer: Payer, message_id: str, made_at: datetime) -> Any:
    """The library's transfer with our identifiers and instants in place of its random and present ones."""
    from sepaxml import SepaTransfer

    class Transfer(SepaTransfer):  # type: ignore[misc]
        def _create_header(self) -> None:
            self.msg_id = message_id
            super()._create_header()
            header = self._xml.find("CstmrCdtTrfInitn/GrpHdr")
            header.find("CreDtTm").text = made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

        def _finalize_batch(self) -> None:
            super()._finalize_batch()
            for number, block in enumerate(self._xml.iter("PmtInfId"), 1):
                block.text = f"{message_id}-{number}"

    config = {
        "name": sepa_text(payer.name, LONGEST_NAME),
        "IBAN": payer.iban,
        "batch": True,
        "currency": MONEY,
        **({"BIC": payer.bic} if payer.bic else {}),
    }
    return Transfer(config, schema=SCHEMA, clean=True)


def _validate(written: bytes) -> None:
    from sepaxml.validation import ValidationError, try_valid_xml

    try:
        try_valid_xml(written, SCHEMA)
    except ValidationError as error:
        reason = getattr(error.__cause__, "reason", None) or error
        raise FileRefused(f"The schema {SCHEMA} does not accept the file: {reason}.") from error


def csv_file(
    payer: Payer, payments: Sequence[Payment], *, money: str, exponent: int, execution_on: date
) -> bytes:
    """The same payments as CSV (RFC 4180, UTF-8); no cell is computed by a spreadsheet."""
    to = io.StringIO(newline="")
    writer = csv.writer(to, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for payment in payments:
        writer.writerow(
            [
                plain_cell(payment.reference),
                plain_cell(payment.name),
                payment.iban,
                from_minor(payment.amount, exponent),
                money,
                execution_on.isoformat(),
                plain_cell(payment.text),
            ]
        )
    return to.getvalue().encode()


def plain_cell(text: str) -> str:
    """A text that no spreadsheet computes: what looks like a formula is put behind an apostrophe."""
    return f"'{text}" if text.startswith(DANGEROUS) else text


# --- the calendar of settlement ---------------------------------------------------------------------------


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous computus, Nature 1876; Meeus, Astronomical
    Algorithms, chapter 8)."""
    golden, century = year % 19, year // 100
    correction = century - century // 4 - (8 * century + 13) // 25
    epact = (correction + 19 * golden + 15) % 30
    epact -= (epact // 28) * (1 - (epact // 28) * (29 // (epact + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + epact + 2 - century + century // 4) % 7
    shift = epact - weekday
    month = 3 + (shift + 40) // 44
    return date(year, month, shift + 28 - 31 * (month // 4))


def is_target_day(day: date) -> bool:
    """Whether TARGET settles payments on a day."""
    if day.weekday() > 4:
        return False
    if (day.month, day.day) in ((1, 1), (5, 1), (12, 25), (12, 26)):
        return False
    return (day - easter(day.year)).days not in (-2, 1)


def next_target_day(day: date) -> date:
    """The day itself where TARGET is open, else the first after it."""
    while not is_target_day(day):
        day += timedelta(days=1)
    return day
