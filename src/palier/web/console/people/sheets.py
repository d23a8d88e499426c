"""Tables to take along: CSV of which no cell is computed by a spreadsheet, sent as it is read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from django.http import StreamingHttpResponse

from palier.connectors.bank_files import plain_cell
from palier.connectors.rows import MARK
from palier.staff.session import session
from palier.web.console.visits import StaffVisit

PART: Final = 1_000
"""About how many rows are read at once."""
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)

Key = TypeVar("Key")
Rows = list[list[object]]
ReadPart = Callable[[StaffVisit, Key | None], tuple[Rows, Key | None]]
"""Reads the rows after a place (None: the first ones), and the place after them (None: there are no more)."""


def sheet(
    made: StaffVisit, name: str, header: Sequence[str], read_part: ReadPart[Key]
) -> StreamingHttpResponse:
    """A CSV (RFC 4180, with the mark by which spreadsheets know UTF-8), to be kept under a name.

    It is as long as the table. Each part is read as it stands then: whoever takes it slowly keeps no transaction open.
    """

    def lines() -> Iterator[str]:
        yield MARK + _lines([[plain_cell(title) for title in header]])
        place: Key | None = None
        while True:
            with session(snapshot=True) as reading:
                rows, place = read_part(replace(made, connection=reading), place)
            yield _lines([[_cell(str(cell)) for cell in row] for row in rows])
            if place is None:
                return

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _cell(text: str) -> str:
    """A cell as it is written: a number as it is, and what looks like a formula behind an apostrophe."""
    return text if _NUMBER.fullmatch(text) else plain_cell(text)


def _lines(rows: Sequence[Sequence[str]]) -> str:
    to = io.StringIO(newline="")
    csv.writer(to, lineterminator="\r\n").writerows(rows)
    return to.getvalue()
