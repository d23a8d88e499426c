"""Imports of activities from files: how a file is read, what tells it again, and where refused lines go.

The command and the console bring in files by the same function.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from psycopg import Connection

from palier.activities.imports import (
    SHARES,
    WINDOW,
    Clock,
    ImportSummary,
    Progress,
    RefusedLine,
    import_rows,
)
from palier.activities.runtime import Runtime
from palier.connectors.files import FileMapping, Reader, RefusedRow, digest, refused_in, write_refused
from palier.connectors.tables import MAXIMUM_BYTES
from palier.engine.payment_cards import masked
from palier.engine.sentences import Sentence, changed
from palier.site import database

MANY: Final = 1_000
"""Activities applied that make it worth while to look at the tables again."""

OnMoved = Callable[[int, int], None]
"""Is told rows done, and about how many there are in all."""


def reader(program: Runtime, path: Path, mapping: FileMapping, maximum_bytes: int = MAXIMUM_BYTES) -> Reader:
    """A file read as activities of a program. Refuses (`FileProblem`) what `Reader` refuses."""
    document = program.latest.program
    return Reader(
        path,
        time_zone=document.time_zone,
        mapping=mapping,
        attribute_types=attribute_types(program),
        maximum_bytes=maximum_bytes,
    )


def attribute_types(program: Runtime) -> dict[str, str]:
    """Attributes of activities that the program declares, with their types."""
    return {
        name: attribute.type
        for kind in program.latest.program.activity_types
        for name, attribute in kind.attributes.items()
    }


def content_of(path: Path, mapping: FileMapping) -> str:
    """What tells an import of the same content again: the file, read in the same way and in the same order."""
    order = f"{WINDOW} {SHARES}".encode()
    told = msgspec.to_builtins(mapping)
    if not told["left_out"]:
        # Files that were imported before columns could be left out are known as what they were.
        del told["left_out"]
    return sha256(digest(path).encode() + msgspec.json.encode(told) + order).hexdigest()


class Refusals:
    """Writes refused lines to a file of their own: a new one, or further down the one of a killed run.

    `lines` are all that the file holds.
    """

    def __init__(
        self,
        path: Path,
        header: Sequence[str],
        *,
        append: bool = False,
        reason: Callable[[Sentence], str] = str,
    ) -> None:
        self.path = path
        self.header = header
        self.lines = 0
        self.append = append
        self.reason = reason

    def resume(self, done: int) -> None:
        # What a run refused that got no window done comes again, so its file is begun anew.
        self.append = done > 0
        self.lines = refused_in(self.path) if self.append else 0

    def write(self, refused: list[RefusedLine]) -> None:
        rows = (
            RefusedRow(item.row.line, item.code, self.reason(changed(item.said, masked)), item.row.cells)
            for item in refused
        )
        self.lines += write_refused(self.path, self.header, rows, append=self.append)
        self.append = True


def import_path(
    connection: Connection[Any],
    program: Runtime,
    path: Path,
    mapping: FileMapping,
    *,
    clock: Clock,
    refused: Path,
    name: str = "",
    enrol: bool = False,
    again: bool = False,
    workers: int = 0,
    on_moved: OnMoved | None = None,
    reason: Callable[[Sentence], str] = str,
) -> tuple[ImportSummary, Refusals]:
    """Imports the activities of a file: how it came out, and where its refused lines are.

    `reason` writes why a line was refused.
    `workers` processes side by side; 0: this process alone. Killed, it goes on where it was; the same content again
    changes nothing. Raises FileProblem and ImportFailed.
    """
    source = reader(program, path, mapping)
    writer = Refusals(refused, source.header, reason=reason)

    def progress(moved: Progress) -> None:
        if on_moved is not None:
            part = 1.0 if moved.ended else max(source.fraction_read(), 1e-6)
            on_moved(moved.done, max(moved.done, round(moved.read / part)))

    summary = import_rows(
        connection,
        program,
        source,
        clock=clock,
        name=name or path.name,
        sha256=content_of(path, mapping),
        again=again,
        enrol_unknown=enrol,
        workers=workers,
        on_progress=progress,
        on_refused=writer.write,
        on_resume=writer.resume,
    )
    if summary.applied >= MANY:
        database.refresh_statistics()
    return summary, writer


def all_cores() -> int:
    """As many worker processes as the machine has cores."""
    return os.cpu_count() or 1
