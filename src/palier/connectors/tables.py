"""Tables in files: CSV, XLSX and Parquet, read as rows of text with their line numbers.

Nothing is trusted: formats are told by content, archives are inflated and counted before they are parsed,
and whatever is malformed ends in a `FileProblem` that says what to do. CSV and Parquet are streamed; a
sheet is held in memory, which the limits bound.

Every cell is text, so that no amount becomes a binary fraction on the way. Numbers of a sheet are written
as the shortest decimal that a spreadsheet would show (at most 9 decimals); error cells (#N/A) are empty.

What reads sheets and Parquet is loaded when such a file is opened: it is a fifth of what a process would load.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from palier.connectors.rows import Cells
from palier.engine.sentences import Sentence, Thousands, one_of, sentence

if TYPE_CHECKING:
    import polars as pl

MAXIMUM_BYTES = 200_000_000
MAXIMUM_RATIO = 50
MAXIMUM_MEMBERS = 1_000
_RATIO_MATTERS_FROM = 20_000_000
"""Below this, a repetitive sheet may well shrink more than fifty times, and does no harm."""

_DELIMITERS = (",", ";", "\t", "|")
_CHUNK = 10_000


class FileProblem(Exception):
    """A file that cannot be read as asked: what is wrong, on which line if known, and the remedy."""

    def __init__(self, message: Sentence, remedy: Sentence, line: int | None = None) -> None:
        super().__init__(message)
        self.message, self.remedy = str(message), str(remedy)
        self.line = line
        self.said = (
            sentence("%(message)s. %(remedy)s.", message=message, remedy=remedy)
            if line is None
            else sentence(
                "line %(line)s: %(message)s. %(remedy)s.", line=line, message=message, remedy=remedy
            )
        )

    def __str__(self) -> str:
        return str(self.said)


class Table(Protocol):
    """A header and the rows below it."""

    header: tuple[str, ...]

    def records(self) -> Iterator[tuple[int, Cells]]:
        """Each row that is not blank, with its line number (the header of a plain file is line 1)."""
        ...

    def fraction_read(self) -> float:
        """How much of the file is behind, 0 to 1, for a progress bar."""
        ...


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal: tells an import of the same file again."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def open_table(
    path: Path, *, delimiter: str | None = None, sheet: str | None = None, maximum_bytes: int = MAXIMUM_BYTES
) -> Table:
    """Open a CSV, XLSX or Parquet file, told apart by content.

    Refuses (`FileProblem`) what is absent, too large, of another format, malformed, or has no usable header.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8192)
    except OSError as error:
        raise _unreadable(path, error) from error
    if size == 0:
        raise FileProblem(
            sentence("%(name)s is empty", name=path.name), sentence("Export it again, with a header line")
        )
    if size > maximum_bytes:
        raise FileProblem(
            sentence(
                "%(name)s has %(size)s bytes, more than the limit of %(maximum_bytes)s",
                name=path.name,
                size=Thousands(size),
                maximum_bytes=Thousands(maximum_bytes),
            ),
            sentence("Split it into smaller files; each line is imported once, whichever file it is in"),
        )
    if head.startswith(b"PAR1"):
        return _ParquetTable(path)
    if head.startswith(b"PK"):
        return _SheetTable(path, sheet, maximum_bytes)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileProblem(
            sentence("%(name)s is in the old Excel format", name=path.name),
            sentence("Save it as .xlsx or as CSV UTF-8"),
        )
    if head.startswith(b"\x1f\x8b"):
        raise FileProblem(
            sentence("%(name)s is compressed", name=path.name), sentence("Unpack it first (gunzip)")
        )
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise FileProblem(
            sentence("%(name)s is not UTF-8 text (UTF-16 or binary)", name=path.name),
            sentence("Save it as CSV UTF-8"),
        )
    return _CsvTable(path, delimiter, size)


def _unreadable(path: Path, error: OSError) -> FileProblem:
    return FileProblem(
        sentence("%(path)s cannot be read: %(reason)s", path=path, reason=error),
        sentence("Check the path and the permissions"),
    )


def _checked_header(path: Path, cells: Cells, line: int) -> tuple[str, ...]:
    names = [(cell or "").strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    named = [name for name in names if name]
    if not named:
        raise FileProblem(
            sentence("%(name)s has no header", name=path.name),
            sentence("Put the column names on the first line"),
            line,
        )
    for name in named:
        if named.count(name) > 1:
            raise FileProblem(
                sentence("two columns are named %(name)r", name=name),
                sentence("Give every column a name of its own"),
                line,
            )
    return tuple(names)


class _CsvTable:
    """RFC 4180 with a comma, semicolon, tab or bar; line numbers are those a text editor shows."""

    def __init__(self, path: Path, delimiter: str | None, size: int) -> None:
        self._path = path
        self._size = size
        self._file: BinaryIO | None = None
        self._first = 1
        with path.open(encoding="utf-8-sig", newline="") as file:
            try:
                line = file.readline(1_000_000)
                if line.rstrip("\r\n").lower() in {f"sep={candidate}" for candidate in _DELIMITERS}:
                    # Excel's own hint, which it writes above the header.
                    delimiter = delimiter or line[4]
                    self._first = 2
                    line = file.readline(1_000_000)
            except UnicodeDecodeError as error:
                raise self._encoding_problem() from error
        self._delimiter = delimiter or self._detect(line)
        for number, cells in self._rows():
            self.header = _checked_header(path, cells, number)
            break
        else:
            raise FileProblem(
                sentence("%(name)s has no header", name=path.name),
                sentence("Put the column names on the first line"),
            )

    def _detect(self, line: str) -> str:
        widths = {}
        for candidate in _DELIMITERS:
            try:
                widths[candidate] = len(next(csv.reader([line], delimiter=candidate)))
            except (csv.Error, StopIteration):
                widths[candidate] = 0
        best = max(widths.values())
        if best <= 1:
            return ","
        found = [candidate for candidate, width in widths.items() if width == best]
        if len(found) > 1:
            raise FileProblem(
                sentence("the header may be split by %(names)s", names=one_of(map(repr, found))),
                sentence(
                    "Keep one of them in the first line, or name it (delimiter) in a mapping file for palier import"
                ),
                self._first,
            )
        return found[0]

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with (
            self._path.open("rb") as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file,
        ):
            self._file = raw
            for _ in range(self._first - 1):
                file.readline()
            reader = csv.reader(file, delimiter=self._delimiter, strict=True)
            before = 0
            try:
                for cells in reader:
                    if any(cells):
                        yield self._first + before, cells
                    before = reader.line_num
            except UnicodeDecodeError as error:
                raise self._encoding_problem() from error
            except csv.Error as error:
                raise FileProblem(
                    sentence("not readable as CSV (%(error)s)", error=error),
                    sentence("Check the quotes around this line: a quote inside a cell is written twice"),
                    self._first + before,
                ) from error

    def _encoding_problem(self) -> FileProblem:
        # A second pass over the bytes, only now, to name the line.
        line: int | None = None
        with self._path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                try:
                    text.decode("utf-8")
                except UnicodeDecodeError:
                    line = number
                    break
        return FileProblem(
            sentence("%(name)s is not UTF-8 text", name=self._path.name),
            sentence("Save it as CSV UTF-8 (in Excel: Save as, CSV UTF-8)"),
            line,
        )

    def records(self) -> Iterator[tuple[int, Cells]]:
        rows = self._rows()
        next(rows, None)
        yield from rows

    def fraction_read(self) -> float:
        if self._file is None:
            return 0.0
        return 1.0 if self._file.closed else self._file.tell() / self._size


class _SheetTable:
    def __init__(self, path: Path, sheet: str | None, maximum_bytes: int) -> None:
        _check_archive(path, maximum_bytes)
        self._path = path
        frame = self._load(sheet)
        self._frame = frame
        self._position = 0
        for index, cells in enumerate(frame.iter_rows()):
            if any(cells):
                self._header_at = index
                self.header = _checked_header(path, cells, index + 1)
                break
        else:
            raise FileProblem(
                sentence("%(name)s has no header", name=path.name),
                sentence("Put the column names on the first row of the sheet"),
            )

    def _load(self, sheet: str | None) -> pl.DataFrame:
        import polars as pl

        names, content = self._read(sheet)
        if sheet is None and len(names) != 1:
            raise FileProblem(
                sentence(
                    "%(name)s has %(count)s sheets: %(names)s",
                    name=self._path.name,
                    count=len(names),
                    names=", ".join(names),
                ),
                sentence(
                    "Save the one you mean as a file of its own, or name it (sheet) in a mapping file"
                    " for palier import"
                ),
            )
        if sheet is not None and sheet not in names:
            raise FileProblem(
                sentence("%(name)s has no sheet %(sheet)r", name=self._path.name, sheet=sheet),
                sentence("Name one of its sheets: %(names)s", names=", ".join(names)),
            )
        return pl.read_ipc_stream(content)

    def _read(self, sheet: str | None) -> tuple[list[str], bytes]:
        """The names of the sheets, and the one that is meant as an Arrow stream (nothing where none of them is)."""
        asked = [sheet] if sheet is not None else []
        done = subprocess.run(
            [sys.executable, "-m", "palier.connectors.sheets", str(self._path.absolute()), *asked],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "POLARS_MAX_THREADS": "1"},
            check=False,
        )
        if done.returncode < 0:
            raise FileProblem(
                sentence("%(name)s takes more memory or time than a sheet may", name=self._path.name),
                sentence("Delete what stands far below or beside the table, or save it as CSV UTF-8"),
            )
        if done.returncode:
            raise FileProblem(
                sentence("%(name)s is not a readable XLSX workbook", name=self._path.name),
                sentence("Open it in a spreadsheet and save it again"),
            )
        names, _, content = done.stdout.partition(b"\n")
        return json.loads(names), content

    def records(self) -> Iterator[tuple[int, Cells]]:
        start = self._header_at + 1
        for index, cells in enumerate(self._frame.slice(start).iter_rows(), start=start):
            self._position = index
            if any(cells):
                yield index + 1, cells

    def fraction_read(self) -> float:
        return (self._position + 1) / max(1, self._frame.height)


def _check_archive(path: Path, maximum_bytes: int) -> None:
    """Inflate every member and count the real bytes: the sizes an archive declares can be forged."""
    broken = FileProblem(
        sentence("%(name)s is not a readable XLSX workbook", name=path.name),
        sentence("Open it in a spreadsheet and save it again"),
    )
    allowed = min(maximum_bytes, max(_RATIO_MATTERS_FROM, MAXIMUM_RATIO * path.stat().st_size))
    inflated = 0
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAXIMUM_MEMBERS:
                raise FileProblem(
                    sentence(
                        "%(name)s holds %(count)s parts, more than %(maximum_members)s",
                        name=path.name,
                        count=Thousands(len(members)),
                        maximum_members=Thousands(MAXIMUM_MEMBERS),
                    ),
                    sentence("Save only the sheet with the data"),
                )
            for member in members:
                with archive.open(member) as part:
                    while chunk := part.read(1 << 20):
                        inflated += len(chunk)
                        if inflated > allowed:
                            raise FileProblem(
                                sentence(
                                    "%(name)s grows beyond %(allowed)s bytes when unpacked",
                                    name=path.name,
                                    allowed=Thousands(allowed),
                                ),
                                sentence("Save it as CSV UTF-8, or split it"),
                            )
            if "xl/workbook.xml" not in archive.namelist():
                raise FileProblem(
                    sentence("%(name)s is a zip archive, not an XLSX workbook", name=path.name),
                    sentence("Unpack it first"),
                )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise broken from error
    except Exception as error:
        # zlib and lzma raise error types of their own on broken streams.
        if isinstance(error, FileProblem):
            raise
        raise broken from error


class _ParquetTable:
    def __init__(self, path: Path) -> None:
        import polars as pl

        self._path = path
        self._done = 0
        try:
            scan = pl.scan_parquet(path)
            schema = scan.collect_schema()
            self._rows = int(scan.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise self._broken() from error
        readable = {name: kind for name, kind in schema.items() if kind not in (pl.Binary, pl.Object)}
        self.header = _checked_header(path, list(readable), 1)
        self._nested = [name for name, kind in readable.items() if kind.is_nested()]
        self._scan = scan.select([_as_text(name, kind) for name, kind in readable.items()])

    def _broken(self) -> FileProblem:
        return FileProblem(
            sentence("%(name)s is not a readable Parquet file", name=self._path.name),
            sentence("Export it again"),
        )

    def records(self) -> Iterator[tuple[int, Cells]]:
        import polars as pl

        number = 1
        try:
            for frame in self._scan.collect_batches(chunk_size=_CHUNK, maintain_order=True):
                for name in self._nested:
                    texts = [
                        None if cell is None else json.dumps(cell, default=str)
                        for cell in frame[name].to_list()
                    ]
                    frame = frame.with_columns(pl.Series(name, texts, dtype=pl.String))
                for cells in frame.iter_rows():
                    number += 1
                    self._done = number
                    if any(cells):
                        yield number, cells
        except (pl.exceptions.PolarsError, OSError) as error:
            raise self._broken() from error

    def fraction_read(self) -> float:
        return self._done / (self._rows + 1)


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    import polars as pl

    column = pl.col(name)
    if kind.is_nested():
        return column
    if isinstance(kind, pl.Datetime):
        if kind.time_zone is None:
            return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
        return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    if kind.is_float():
        # The shortest text that reads back as the same number, without the ".0" of whole numbers.
        return column.cast(pl.String).str.replace(r"\.0$", "")
    return column.cast(pl.String)
