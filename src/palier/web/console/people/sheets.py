"""Tables to take along: CSV of which no cell is computed by a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from django.http import HttpResponse

from palier.connectors.bank_files import plain_cell

MOST_ROWS: Final = 10_000
"""Rows of one sheet: the first of what was asked for."""


_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def _cell(text: str) -> str:
    """A cell as it is written: a number as it is, and what looks like a formula behind an apostrophe."""
    return text if _NUMBER.fullmatch(text) else plain_cell(text)


def sheet(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """A CSV (RFC 4180, with the mark by which spreadsheets know UTF-8), to be kept under a name."""
    to = io.StringIO(newline="")
    writer = csv.writer(to, lineterminator="\r\n")
    writer.writerow([plain_cell(title) for title in header])
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            break
        writer.writerow([_cell(str(cell)) for cell in row])
    response = HttpResponse("\ufeff" + to.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response
