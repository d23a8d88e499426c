"""Reads one sheet of a workbook, as a process of its own: `python -m palier.connectors.sheets FILE [SHEET]`.

A sheet is held in memory as the rectangle around its cells, and the parser ends its process where that is too large: a
few bytes with one cell in the last row and column are enough. So it is read here, where nothing else can end with it.

Writes the names of the sheets as one line of JSON, and after it the sheet as an Arrow stream, all cells as text: that
which was asked for, or the only one.
"""

from __future__ import annotations

import json
import resource
import sys
from contextlib import suppress
from typing import Final

MEMORY_BYTES: Final = 4_000_000_000
CPU_SECONDS: Final = 120


def main(path: str, sheet: str | None = None) -> None:
    import fastexcel
    import polars as pl

    book = fastexcel.read_excel(path)
    names = book.sheet_names
    out = sys.stdout.buffer
    out.write(json.dumps(names).encode() + b"\n")
    wanted = sheet if sheet is not None else names[0] if len(names) == 1 else None
    if wanted in names:
        # skip_rows=0 keeps blank rows on top, so that row numbers are those of the sheet.
        loaded = book.load_sheet(wanted, header_row=None, skip_rows=0, dtypes="string")
        pl.DataFrame(loaded).write_ipc_stream(out)


def _bound(what: int, most: int) -> None:
    # A system that has no such bound reads without it.
    with suppress(OSError, ValueError):
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    _bound(resource.RLIMIT_DATA, MEMORY_BYTES)
    _bound(resource.RLIMIT_CPU, CPU_SECONDS)
    _bound(resource.RLIMIT_CORE, 0)
    main(*sys.argv[1:])
