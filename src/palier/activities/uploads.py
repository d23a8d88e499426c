"""Files that people bring in through the pages: received in pieces, looked at, then imported by the worker.

A file lies in the data directory, and its row says how far it is. It is imported as the command imports files, so
that a killed import goes on where it was and the same file again changes nothing. The file itself, which may hold
anything about anybody, is removed as soon as it is in; its refused lines are kept for KEPT_DAYS.
"""

from __future__ import annotations

import csv
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import psycopg
from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, wire
from palier.activities.runtime import Runtime, runtime
from palier.engine.clock import DAY, MINUTE, instant, moment
from palier.engine.payment_cards import holds_number
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import NOTHING, Sentence, changed, packed, sentence, unpacked
from palier.site import database, disk
from palier.site.environment import environment
from palier.site.ids import new_id
from palier.staff.approvals import Person
from palier.staff.operations import write_log

if TYPE_CHECKING:
    from palier.activities.imports import ImportFailed, ImportSummary
    from palier.connectors.files import FileProblem
    from palier.connectors.rows import FileMapping

logger = logging.getLogger(__name__)

State = Literal["receiving", "ready", "asked", "running", "done", "failed", "stopped"]

MOST_BYTES: Final = 200_000_000
"""The longest file; what is longer is brought in by the command, or in parts."""
MOST_SHEET_BYTES: Final = 20_000_000
"""The longest sheet (XLSX), which is held in memory whole while it is looked at."""
PIECE: Final = 1 << 20
"""Bytes that are sent at a time."""
SAMPLE: Final = 100
"""Rows that are judged before a file is imported."""
LEASE: Final = MINUTE
"""An import of which nothing was heard for so long has lost its worker, and is taken up by another."""
SMALL_BYTES: Final = 1_000_000
"""A file up to this length is decided by the worker itself."""
KEPT_DAYS: Final = 30
MISPLACED: Final = sentence("This piece does not fit the file. Choose the file again.")
UNREAD: Final = sentence("How long the file is was not said. Choose the file again.")


class UploadRefused(Exception):
    """A file, or what is to be done with it, was refused: the sentence says why and what to do."""


class Told(Struct, frozen=True, omit_defaults=True):
    """How an import came out, or how far it is: rows.

    The first four and `resumed`, which came with an earlier run of the file, add up to all of it.
    """

    applied: int = 0
    duplicate: int = 0
    refused: int = 0
    parked: int = 0
    enrolled: int = 0
    resumed: int = 0
    done: int = 0
    expected: int = 0
    unchanged: bool = False


class Options(Struct, frozen=True, omit_defaults=True):
    """How a file is read (as `FileMapping`), and whether members that are not known are enrolled."""

    mapping: dict[str, Any] = {}
    enrol: bool = False


class Upload(Struct, frozen=True):
    """One file that somebody brought: `size` bytes are there of `length`."""

    upload_id: int
    program_id: int
    name: str
    length: int
    size: int
    state: State
    options: Options
    told: Told
    problem: str
    refused_lines: int
    asked_by: str
    created_at: int
    changed_at: int

    @property
    def why(self) -> Sentence:
        """The problem, as the sentence that it was kept of."""
        return unpacked(self.problem)

    @property
    def open(self) -> bool:
        """Whether the worker has it, or will."""
        return self.state in ("asked", "running")


_COLUMNS: Final = (
    "upload_id, program_id, name, length, size, state, options::text, told::text, problem, refused_lines, asked_by,"
    " created_at, changed_at"
)


def _upload(row: Sequence[Any]) -> Upload:
    values = list(row)
    values[6] = msgspec.json.decode(row[6], type=Options)
    values[7] = msgspec.json.decode(row[7], type=Told)
    for place in (11, 12):
        values[place] = instant(row[place])
    return Upload(*values)


# --- where the files are ----------------------------------------------------------------------------------


def _folder() -> Path:
    folder = environment().directory / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def path_of(upload: Upload) -> Path:
    """Where a file lies while it is not in yet."""
    return _folder() / f"{upload.upload_id}.data"


def refused_path(upload: Upload) -> Path:
    """Where the lines are that were refused; each reason as it is kept, for `refused_lines` to say it."""
    return _folder() / f"{upload.upload_id}.refused.csv"


# --- receiving --------------------------------------------------------------------------------------------


def begin(
    connection: Connection[Any], program: Runtime, name: str, length: int, *, by: Person, now: int
) -> Upload:
    """Makes room for a file of so many bytes. Commits.

    Refuses (UploadRefused) an empty or overlong file, one whose name holds the number of a payment card, and any
    while the disk is nearly full.
    """
    name = name.replace("\\", "/").rpartition("/")[2].strip()[:200] or "file"
    if not name.isprintable() or holds_number(name, "id"):
        raise UploadRefused(sentence("The file's name cannot be kept. Rename it and bring it again."))
    if length <= 0:
        raise UploadRefused(sentence("The file is empty. Export it again, with a header line."))
    if length > MOST_BYTES:
        raise UploadRefused(
            sentence(
                "The file has more than %(value)s MB. Bring it in parts; each line counts once.",
                value=MOST_BYTES // 1_000_000,
            )
        )
    if disk.full():
        raise UploadRefused(
            sentence("The disk of the server is nearly full. Make room there, then bring the file again.")
        )
    upload = Upload(
        new_id(),
        program.program_id,
        name,
        length,
        0,
        "receiving",
        Options(),
        Told(),
        "",
        0,
        by.actor,
        now,
        now,
    )
    connection.execute(
        """
        -- uploads.begin
        insert into import_upload (upload_id, program_id, name, length, size, state, options, told, problem,
                                   refused_lines, asked_by, created_at, changed_at)
        values (%s, %s, %s, %s, 0, 'receiving', '{}', '{}', '', 0, %s, %s, %s)
        """,
        (upload.upload_id, program.program_id, name, length, by.actor, moment(now), moment(now)),
    )
    path_of(upload).touch(mode=0o600)
    connection.commit()
    return upload


def append(connection: Connection[Any], upload: Upload, offset: int, piece: bytes, *, now: int) -> Upload:
    """Adds a piece at its place; one that is there already changes nothing. Commits.

    Refuses (UploadRefused) a piece beyond the end, or one that would leave a gap.
    """
    row = connection.execute(
        f"-- uploads.lock\nselect {_COLUMNS} from import_upload where upload_id = %s for update",
        (upload.upload_id,),
    ).fetchone()
    assert row is not None
    upload = _upload(row)
    if upload.state != "receiving":
        raise UploadRefused(sentence("The file is complete already."))
    if offset < 0 or offset > upload.size or offset + len(piece) > upload.length:
        raise UploadRefused(MISPLACED)
    if offset + len(piece) <= upload.size:
        connection.commit()
        return upload
    with path_of(upload).open("r+b") as file:
        file.seek(offset)
        file.write(piece)
    size = offset + len(piece)
    state = "ready" if size == upload.length else "receiving"
    connection.execute(
        "-- uploads.append\nupdate import_upload set size = %s, state = %s, changed_at = %s where upload_id = %s",
        (size, state, moment(now), upload.upload_id),
    )
    connection.commit()
    return msgspec.structs.replace(upload, size=size, state=state)


# --- reading ----------------------------------------------------------------------------------------------


def read(connection: Connection[Any], program_id: int, upload_id: int) -> Upload | None:
    """One file of a program; None where there is none."""
    row = connection.execute(
        f"-- uploads.read\nselect {_COLUMNS} from import_upload where upload_id = %s and program_id = %s",
        (upload_id, program_id),
    ).fetchone()
    return _upload(row) if row is not None else None


def listed(
    connection: Connection[Any], program_id: int, *, before: int | None = None, limit: int = 50
) -> list[Upload]:
    """Files of a program, the latest first, before one of them (keyset paging)."""
    rows = connection.execute(
        f"""
        -- uploads.list
        select {_COLUMNS} from import_upload
        where program_id = %(program)s and (%(before)s::bigint is null or upload_id < %(before)s)
        order by upload_id desc limit %(limit)s
        """,  # noqa: S608
        {"program": program_id, "before": before, "limit": limit},
    ).fetchall()
    return [_upload(row) for row in rows]


# --- looking ----------------------------------------------------------------------------------------------


class Column(Struct, frozen=True):
    """One column of a file: what it would be taken for ("" for nothing), and what stands in its first rows."""

    name: str
    field: str
    samples: tuple[str, ...]


class Judged(Struct, frozen=True):
    """A row that would be refused, and why."""

    line: int
    reason: Sentence


class Look(Struct, frozen=True):
    """What a file looks like, and what would become of its first rows; `problem` where it cannot be read so."""

    columns: tuple[Column, ...]
    problem: Sentence = NOTHING
    rows: int = 0
    applied: int = 0
    duplicate: int = 0
    parked: int = 0
    unknown: int = 0
    refused: tuple[Judged, ...] = ()


def fields(program: Runtime) -> list[str]:
    """What a column may be, by its name."""
    from palier.activities.import_files import attribute_types
    from palier.connectors.files import fields_of

    tenders = sorted(
        {name for rule in program.latest.program.rules for name in (getattr(rule, "tenders", None) or {})}
    )
    return fields_of(sorted(attribute_types(program)), tenders)


def look(
    connection: Connection[Any], program: Runtime, upload: Upload, options: Options, *, now: int
) -> Look:
    """Reads the beginning of a file as it would be imported, and judges its first SAMPLE rows. Writes nothing.

    Rows of members who are not known count as `unknown`: they are enrolled or refused, as is chosen.
    """
    from palier.activities.import_files import reader
    from palier.connectors.files import FileProblem, guessed
    from palier.connectors.tables import open_table

    path = path_of(upload)
    chosen = {field for column, field in _mapping(options).columns.items() if field}
    try:
        table = open_table(path, maximum_bytes=_most(path))
        samples: list[Sequence[str | None]] = []
        for _, cells in table.records():
            samples.append(cells)
            if len(samples) == 3:
                break
    except FileProblem as problem:
        return Look((), _named(problem, upload))
    mapping = _mapping(options)
    taken = set(chosen) | set(mapping.constants)
    columns = []
    for index, name in enumerate(table.header):
        if not name:
            continue
        field = mapping.columns.get(name)
        if field is None:
            guess = guessed(name) if name not in mapping.left_out else None
            field = guess if guess and guess not in taken else ""
        if field:
            taken.add(field)
        seen = tuple((cells[index] if index < len(cells) else "") or "" for cells in samples)
        columns.append(Column(name, field, tuple(text[:60] for text in seen)))
    try:
        source = reader(program, path, mapping, _most(path))
        rows = next(source.batches(size=SAMPLE), [])
    except FileProblem as problem:
        return Look(tuple(columns), _named(problem, upload))
    return _judged(connection, program, tuple(columns), rows, now)


def _judged(
    connection: Connection[Any], program: Runtime, columns: tuple[Column, ...], rows: Sequence[Any], now: int
) -> Look:
    refused: list[Judged] = []
    reads: list[wire.Read | Refusal] = []
    lines: list[int] = []
    for row in rows:
        if row.problem is not None:
            refused.append(Judged(row.line, row.problem[1]))
            continue
        try:
            found = wire.from_mapping(row.activity)
        except (RecursionError, UnicodeEncodeError, msgspec.MsgspecError, wire.BodyError) as error:
            refused.append(Judged(row.line, sentence("it cannot be sent: %(error)s", error=error)))
            continue
        reads.append(
            found
            if isinstance(found, Refusal)
            else wire.to_fact(found, program.timeline, program.key, now=now)
        )
        lines.append(row.line)
    results = batch.apply(
        connection, program, reads, now=now, history=True, dry_run=True, sent=[("", "")] * len(reads)
    )
    counts = {"applied": 0, "duplicate": 0, "refused": 0, "parked": 0}
    unknown = 0
    for line, result in zip(lines, results, strict=True):
        if result.refusal is not None and result.refusal.code == RefusalCode.UNKNOWN_MEMBER:
            unknown += 1
            continue
        counts[result.status] += 1
        if result.refusal is not None:
            refused.append(Judged(line, result.refusal.whole))
    return Look(
        columns, NOTHING, len(rows), counts["applied"], counts["duplicate"], counts["parked"], unknown,
        tuple(sorted(refused, key=lambda item: item.line)),
    )  # fmt: skip


def _mapping(options: Options) -> FileMapping:
    from palier.connectors.rows import FileMapping

    return msgspec.convert(options.mapping, FileMapping)


def _most(path: Path) -> int:
    with path.open("rb") as file:
        return MOST_SHEET_BYTES if file.read(2) == b"PK" else MOST_BYTES


def _named(problem: FileProblem | ImportFailed, upload: Upload) -> Sentence:
    """What is wrong, with the file's own name in place of the one that it has here."""
    path = path_of(upload)

    def own(text: str) -> str:
        return text.replace(str(path), upload.name).replace(path.name, upload.name)

    return changed(problem.said, own)


# --- importing --------------------------------------------------------------------------------------------


def ask(connection: Connection[Any], upload: Upload, options: Options, *, by: Person, now: int) -> None:
    """Gives a file to the worker, also one that was stopped or failed: it goes on. Logged. Does not commit.

    Refuses (UploadRefused) a file that is not complete, or is with the worker or in already.
    """
    mapping = _mapping(options)
    options = Options(msgspec.to_builtins(mapping), options.enrol)
    row = connection.execute(
        """
        -- uploads.ask
        update import_upload set state = 'asked', options = %s::json, problem = '', changed_at = %s, asked_by = %s
        where upload_id = %s and program_id = %s and state in ('ready', 'failed', 'stopped') returning name
        """,
        (
            msgspec.json.encode(options).decode(), moment(now), by.actor, upload.upload_id, upload.program_id,
        ),
    ).fetchone()  # fmt: skip
    if row is None:
        raise UploadRefused(sentence("The file is being imported, or is in already."))
    write_log(
        connection,
        by.actor,
        by.role,
        "import.begin",
        f"upload:{upload.upload_id}",
        at=now,
        reason=upload.name,
    )


def stop(connection: Connection[Any], upload: Upload, *, by: Person, now: int) -> bool:
    """Ends an import after the rows that are being written; those that are in stay. Logged. Does not commit."""
    row = connection.execute(
        """
        -- uploads.stop
        update import_upload set state = 'stopped', changed_at = %s
        where upload_id = %s and program_id = %s and state in ('asked', 'running') returning name
        """,
        (moment(now), upload.upload_id, upload.program_id),
    ).fetchone()
    if row is not None:
        write_log(connection, by.actor, by.role, "import.stop", f"upload:{upload.upload_id}", at=now)
    return row is not None


class _Stopped(Exception):
    """Somebody stopped the import, or the worker is told to end."""


def take_next(connection: Connection[Any], *, now: int) -> Upload | None:
    """The next file that waits, or whose worker was lost, now taken; None where there is none. Commits."""
    row = connection.execute(
        f"""
        -- uploads.take_next
        update import_upload set state = 'running', changed_at = %(now)s
        where upload_id = (
          select upload_id from import_upload
          where state = 'asked' or (state = 'running' and changed_at <= %(lost)s)
          order by upload_id limit 1 for update skip locked
        )
        returning {_COLUMNS}
        """,  # noqa: S608
        {"now": moment(now), "lost": moment(now - LEASE)},
    ).fetchone()
    connection.commit()
    return _upload(row) if row is not None else None


def run(
    connection: Connection[Any],
    upload: Upload,
    *,
    clock: Callable[[], int],
    ending: Callable[[], bool] = lambda: False,
) -> None:
    """Imports a file that was taken, and says how far it is about once a second. Commits.

    `ending` tells that the worker is to end: the file is then left to the next one.
    """
    from palier.activities.import_files import all_cores, import_path
    from palier.activities.imports import ImportFailed
    from palier.connectors.files import FileProblem

    told_at = 0.0

    def moved(done: int, expected: int) -> None:
        nonlocal told_at
        if ending():
            raise _Stopped
        if time.monotonic() - told_at < 1.0:
            return
        told_at = time.monotonic()
        if not _note(connection, upload, Told(done=done, expected=expected), clock()):
            raise _Stopped

    path = path_of(upload)
    try:
        with database.connect() as own:
            program = runtime(own, _key(own, upload.program_id))
            assert program is not None, "a program is never removed"
            own.commit()
            summary, writer = import_path(
                own,
                program,
                path,
                _mapping(upload.options),
                clock=clock,
                refused=refused_path(upload),
                name=upload.name,
                enrol=upload.options.enrol,
                workers=0 if upload.length <= SMALL_BYTES else all_cores(),
                on_moved=moved,
                reason=packed,
            )
    except _Stopped:
        return
    except (FileProblem, ImportFailed) as problem:
        _end(connection, upload, "failed", Told(), packed(_named(problem, upload)), 0, clock())
        return
    except psycopg.OperationalError:
        # The database will be back: another worker takes the file up.
        raise
    except Exception:
        # The next worker would fail in the same way: it ends here, and the log has the reason.
        logger.exception("import %s failed", upload.upload_id)
        connection.rollback()
        said = sentence("the platform failed on this file, and its log says why; what is in stays")
        _end(connection, upload, "failed", Told(), packed(said), 0, clock())
        return
    if _end(connection, upload, "done", _summed(summary), "", writer.lines, clock()):
        path.unlink(missing_ok=True)


def _summed(summary: ImportSummary) -> Told:
    before = summary.refused_before
    return Told(
        summary.applied, summary.duplicate, summary.refused + before, summary.parked, summary.enrolled,
        summary.resumed - before, summary.sent + summary.resumed, summary.sent + summary.resumed, summary.unchanged,
    )  # fmt: skip


def _key(connection: Connection[Any], program_id: int) -> str:
    row = connection.execute(
        "-- uploads.program\nselect key from program where program_id = %s", (program_id,)
    ).fetchone()
    assert row is not None
    return str(row[0])


def _note(connection: Connection[Any], upload: Upload, told: Told, now: int) -> bool:
    """Says how far an import is; False where somebody has stopped it."""
    row = connection.execute(
        """
        -- uploads.note
        update import_upload set told = %s::json, changed_at = %s
        where upload_id = %s and state = 'running' returning upload_id
        """,
        (msgspec.json.encode(told).decode(), moment(now), upload.upload_id),
    ).fetchone()
    connection.commit()
    return row is not None


def _end(
    connection: Connection[Any],
    upload: Upload,
    state: State,
    told: Told,
    problem: str,
    refused: int,
    now: int,
) -> bool:
    """Says how an import ended, also where it was stopped too late; False where it was asked for again, or removed."""
    row = connection.execute(
        """
        -- uploads.end
        update import_upload set state = %s, told = %s::json, problem = %s, changed_at = %s, refused_lines = %s
        where upload_id = %s and state in ('running', 'stopped') returning upload_id
        """,
        (state, msgspec.json.encode(told).decode(), problem, moment(now), refused, upload.upload_id),
    ).fetchone()
    connection.commit()
    return row is not None


# --- what is left of them ---------------------------------------------------------------------------------


def discard(connection: Connection[Any], upload: Upload, *, now: int) -> bool:
    """Removes a file that is with no worker, and its refused lines; what is in stays. Does not commit."""
    row = connection.execute(
        """
        -- uploads.discard
        update import_upload set state = 'done', size = 0, refused_lines = 0, changed_at = %s
        where upload_id = %s and program_id = %s and state in ('receiving', 'ready', 'failed', 'stopped', 'done')
        returning upload_id
        """,
        (moment(now), upload.upload_id, upload.program_id),
    ).fetchone()
    if row is not None:
        path_of(upload).unlink(missing_ok=True)
        refused_path(upload).unlink(missing_ok=True)
    return row is not None


def drop_old(connection: Connection[Any], *, now: int) -> int:
    """Removes files that nobody has touched for KEPT_DAYS, and what is left of those that are in; how many."""
    rows = connection.execute(
        f"""
        -- uploads.old
        select {_COLUMNS} from import_upload
        where state not in ('asked', 'running') and (size > 0 or refused_lines > 0) and changed_at < %s
        order by upload_id limit 1000
        """,  # noqa: S608
        (moment(now - KEPT_DAYS * DAY),),
    ).fetchall()
    dropped = sum(discard(connection, _upload(row), now=now) for row in rows)
    connection.commit()
    return dropped


def refused_lines(upload: Upload, said: Callable[[Sentence], str]) -> Iterator[list[str]]:
    """The file of refused lines, row by row, each with its reason as it is `said`; nothing where it is gone."""
    with suppress(OSError), refused_path(upload).open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        yield from itertools.islice(rows, 1)
        for line, code, reason, *cells in rows:
            yield [line, code, said(unpacked(reason)), *cells]
