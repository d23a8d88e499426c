"""Imports of history: rows of a file, or of any other source, applied in batches, resumable at any point.

Rows are taken a window at a time, in the cells they stand in. A file longer than a window is dealt out first,
by member, into nameless files: each member's rows then come together and in his order, so that none is
decided twice, and his state is locked, loaded and written once for many of them. A member's end state does
not depend on the order in which his activities arrive, so nothing else changes by it. Batches of one window
hold different members, and are read and decided side by side by worker processes. When every line of a
window is committed, the import's row says so: a killed import begins again at the first window that was not,
and finds the lines of it that were in already by their ids.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from operator import attrgetter
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, cast
from zlib import crc32

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, wire
from palier.activities.answers import Result
from palier.activities.enrolment import enrol_many
from palier.activities.runtime import Runtime, runtime
from palier.connectors.rows import Cells, Record, RowProblem
from palier.engine.clock import moment
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import Sentence, sentence
from palier.members.operations import NewMember
from palier.members.queries import IdentityError, find_hashes, hashed
from palier.site import database, disk
from palier.site.environment import environment
from palier.site.ids import new_id, take_node

if TYPE_CHECKING:
    from palier.connectors.files import Reader
    from palier.connectors.rows import Row, RowForm

WINDOW: Final = 50_000
"""Rows read before they are put together by member; it bounds memory and what a killed import reads again."""
SHARES: Final = 64
"""Files that a long file is dealt out into; the largest file allowed has some 25,000 rows in each."""
_FEW_COLLECTIONS: Final = (200_000, 50, 100)
"""Rows and what a batch makes of them hold few cycles: looking for them as often as usual is most of reading."""
BATCH: Final = 2_000
"""Rows in one transaction, more or less: a member's rows of a window stay together."""

Clock = Callable[[], int]
"""The server's instant, in microseconds: each batch is recorded with its own."""


class ImportSummary(Struct, frozen=True):
    """How an import came out: the four outcomes add up to the rows `sent`.

    `resumed` rows were done by an earlier run of the same content and not read again, which refused
    `refused_before` of them; `unchanged` says that these are all, so that nothing was done. `enrolled` members
    are new.
    """

    sent: int = 0
    applied: int = 0
    duplicate: int = 0
    refused: int = 0
    parked: int = 0
    enrolled: int = 0
    resumed: int = 0
    refused_before: int = 0
    seconds: float = 0.0
    unchanged: bool = False


class RefusedLine(Struct, frozen=True):
    """A row that was not taken, and why: the code, and the sentence with its remedy."""

    row: Row | Record
    code: str
    said: Sentence

    @property
    def reason(self) -> str:
        """The sentence in English."""
        return str(self.said)


class Progress(Struct, frozen=True):
    """How far an import is: rows committed, and rows read so far (`ended`: there are no more)."""

    done: int
    read: int
    ended: bool


OnProgress = Callable[[Progress], None]
OnRefused = Callable[[list[RefusedLine]], None]


class ImportFailed(Exception):
    """An import that could not go on; what was committed stays, and the next run goes on from there."""

    def __init__(self, said: Sentence) -> None:
        super().__init__(said)
        self.said = said


def rows_of(batches: Iterable[Sequence[dict[str, Any]]]) -> Iterator[Row]:
    """Activities in wire form as rows, numbered from 1: for sources that are no file."""
    from palier.connectors.rows import Row

    number = 0
    for activities in batches:
        for activity in activities:
            number += 1
            yield Row(number, activity, None, ())


def import_rows(
    connection: Connection[Any],
    program: Runtime,
    rows: Iterable[Row] | Reader,
    *,
    clock: Clock,
    name: str = "",
    sha256: str = "",
    again: bool = False,
    enrol_unknown: bool = False,
    workers: int = 0,
    window: int = WINDOW,
    on_progress: OnProgress | None = None,
    on_refused: OnRefused | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> ImportSummary:
    """Applies rows as history (the late window is without limit) and commits them, batch by batch.

    With `sha256` (of the content the rows come from), the import can be resumed: rows that an earlier run of
    the same content finished are passed over. Content that was imported whole, no row refused, is not read
    again, unless `again` asks to look at every row; that changes nothing, its rows are duplicates. Rows that
    were refused are tried once more. A Reader's rows are read by the processes that decide. `enrol_unknown`
    enrols members that are not known, by the identities in the rows, as of their first activity. `workers`
    processes decide side by side, each with its own connection (0: this process alone does everything).
    `on_refused` is called before the progress moves past the rows it is given; after a kill it may be given
    some of them again. `on_resume` is told before anything else how many rows an earlier, unfinished run had
    done. Raises ImportFailed where a worker ended; whatever `rows` raises passes through.
    """
    started = time.monotonic()
    file = _File.begin(connection, program.program_id, name, sha256, clock(), again) if sha256 else None
    if file is not None and file.whole:
        return ImportSummary(resumed=file.done, seconds=time.monotonic() - started, unchanged=True)
    skipped, refused_before = (file.done, file.refused) if file is not None else (0, 0)
    if on_resume is not None and file is not None and file.resumed:
        on_resume(skipped)
    reading, items = _reading_of(rows)
    dealt: _Dealt | None = None
    if isinstance(reading, _FromCells):
        dealt = items = _Dealt(
            reading, items, window, lambda read: on_progress and on_progress(Progress(0, read, False))
        )
    team: _Team = _Workers(program.key, reading, workers) if workers else _Alone(connection, program, reading)
    totals = [0] * 5
    done = resumed = 0
    windows = _read_ahead(reading, items, skipped, window)
    thresholds = gc.get_threshold()
    gc.set_threshold(*_FEW_COLLECTIONS)
    try:
        for found in windows:
            if isinstance(found, BaseException):
                raise found
            _refuse_when_full()
            resumed = found.skipped
            refused = found.problems
            done += len(refused)
            totals[_REFUSED] += len(refused)
            for members, outcome in team.run(found.lots, clock, enrol_unknown):
                for number, count in enumerate(outcome.counts):
                    totals[number] += count
                refused += [
                    RefusedLine(reading.row(members[index]), code, why)
                    for index, code, why in outcome.refused
                ]
                done += len(members)
                _refuse_when_full()
                if on_progress is not None:
                    read = max(found.read, dealt.total if dealt is not None else 0)
                    on_progress(Progress(resumed + done, read, found.ended))
            if refused and on_refused is not None:
                on_refused(sorted(refused, key=lambda item: item.row.line))
            if file is not None:
                file.move(connection, resumed + done, len(refused), "done" if found.ended else "running")
    except BaseException:
        if file is not None and not connection.closed:
            connection.rollback()
            file.move(connection, file.done, 0, "failed")
        raise
    finally:
        windows.close()
        team.close()
        gc.set_threshold(*thresholds)
    applied, duplicate, refused_count, parked, enrolled = totals
    seconds = time.monotonic() - started
    return ImportSummary(
        done, applied, duplicate, refused_count, parked, enrolled, resumed, refused_before, seconds
    )


def _refuse_when_full() -> None:
    if disk.full():
        raise ImportFailed(
            sentence("the disk is nearly full; make room and run the same import again, it goes on from here")
        )


# --- the row of the import ----------------------------------------------------------------------------


class _File:
    """The row that says how far the import of one content is: all rows up to `done` are committed or refused."""

    def __init__(self, import_id: int, done: int, refused: int, resumed: bool, whole: bool) -> None:
        self.import_id = import_id
        self.done = done
        self.refused = refused
        self.resumed = resumed
        self.whole = whole

    @classmethod
    def begin(
        cls, connection: Connection[Any], program_id: int, name: str, sha256: str, now: int, again: bool
    ) -> _File:
        """Finds the unfinished import of this content, or one that took it whole, or begins one; commits."""
        row = connection.execute(
            """
            -- activities.find_import
            select import_id, done_lines, refused_lines, state = 'done' from import_file
            where program_id = %s and sha256 = %s and (state <> 'done' or (refused_lines = 0 and not %s))
            order by state = 'done', import_id desc limit 1
            """,
            (program_id, sha256, again),
        ).fetchone()
        if row is not None:
            connection.commit()
            return cls(row[0], row[1], row[2], not row[3], row[3])
        import_id = new_id()
        connection.execute(
            """
            -- activities.begin_import
            insert into import_file
              (import_id, program_id, sha256, name, lines, done_lines, refused_lines, state, created_at)
            values (%s, %s, %s, %s, 0, 0, 0, 'running', %s)
            """,
            (import_id, program_id, sha256, name, moment(now)),
        )
        connection.commit()
        return cls(import_id, 0, 0, False, False)

    def move(self, connection: Connection[Any], done: int, refused: int, state: str) -> None:
        """Takes note that all rows up to `done` are committed, `refused` of these not taken; commits."""
        self.done = max(done, self.done)
        connection.execute(
            """
            -- activities.move_import
            update import_file
            set done_lines = greatest(done_lines, %s), lines = greatest(lines, %s),
              refused_lines = refused_lines + %s, state = %s
            where import_id = %s
            """,
            (self.done, self.done, refused, state, self.import_id),
        )
        connection.commit()


# --- reading ------------------------------------------------------------------------------------------


Wire = wire.WireActivity | tuple[str, Sentence]
"""An activity as it was sent, or (code, reason) where the row holds none."""


class _Reading(Protocol):
    """How rows are placed by who deals them out, and read by who decides."""

    def owner(self, item: Any) -> str:
        """One text for the member that a row names, the same for rows that name him alike; "" for none."""
        ...

    def names_sales(self, items: Sequence[Any]) -> bool:
        """Whether any of the rows may name the sale that it returns."""
        ...

    def own_id(self, item: Any) -> tuple[str, str]:
        """The source and id of a row."""
        ...

    def named_sale(self, item: Any) -> tuple[str, str]:
        """The source and id of the sale that a row names; empty where it names none."""
        ...

    def dated(self, item: Any) -> str:
        """The instant of a row, as it is written."""
        ...

    def row(self, item: Any) -> Row | Record:
        """The row as it is told of where it is refused."""
        ...

    def pack(self, items: Sequence[Any]) -> bytes:
        """Rows as they are sent to a process."""
        ...

    def unpack(self, body: bytes) -> Sequence[Any]:
        """What `pack` packed, for `read`."""
        ...

    def read(self, packed: Any) -> Wire:
        """The activity of one row."""
        ...


class _Placed(Struct, array_like=True, gc=False):
    """A record beside what says where it belongs; its cells are packed until whoever decides reads them."""

    owner: str
    dated: str
    problem: tuple[str, Sentence] | None
    lines: tuple[int, ...]
    cells: msgspec.Raw

    @property
    def rows(self) -> tuple[Cells, ...]:
        """The cells of its rows."""
        return tuple(_rows(self.cells))


class _FromCells:
    """Rows of a table, in their cells."""

    def __init__(self, form: RowForm) -> None:
        self.form = form

    def placed(self, record: Record) -> _Placed:
        lines, cells, problem = record
        packed = msgspec.Raw(_pack(cells))
        if problem is not None:
            return _Placed("", "", problem, lines, packed)
        first = cells[0]
        return _Placed(self.form.owner(first), self.form.dated(first), None, lines, packed)

    def owner(self, item: _Placed) -> str:
        return item.owner

    def names_sales(self, items: Sequence[_Placed]) -> bool:
        return self.form.names_sales

    def own_id(self, item: _Placed) -> tuple[str, str]:
        return self.form.own_id(item.rows[0])

    def named_sale(self, item: _Placed) -> tuple[str, str]:
        return self.form.named_sale(item.rows[0])

    def dated(self, item: _Placed) -> str:
        return item.dated

    def row(self, item: _Placed) -> Record:
        return Record(item.lines, item.rows, item.problem)

    def pack(self, items: Sequence[_Placed]) -> bytes:
        if self.form.single:
            return _pack([item.cells for item in items])
        return _pack([(item.lines, item.cells) for item in items])

    def unpack(self, body: bytes) -> Sequence[tuple[Sequence[int], Sequence[Cells]]]:
        return [((0,), cells) for cells in _singles(body)] if self.form.single else _baskets(body)

    def read(self, packed: tuple[Sequence[int], Sequence[Cells]]) -> Wire:
        numbers, cells = packed
        try:
            made = wire.of_row(self.form.activity(numbers, cells, parsed=False))
            return made if made is not None else _judged(self.form.activity(numbers, cells))
        except RowProblem as refused:
            return refused.problem


class _Ready:
    """Rows that are activities in wire form already."""

    def owner(self, item: Row) -> str:
        return owner_of(item)

    def names_sales(self, items: Sequence[Row]) -> bool:
        return any("sale" in item.activity for item in items)

    def own_id(self, item: Row) -> tuple[str, str]:
        return own_id(item)

    def named_sale(self, item: Row) -> tuple[str, str]:
        return named_sale(item)

    def dated(self, item: Row) -> str:
        return str(item.activity.get("occurred_at"))

    def row(self, item: Row) -> Row:
        return item

    def pack(self, items: Sequence[Row]) -> bytes:
        return pickle.dumps([item.activity for item in items])

    def unpack(self, body: bytes) -> Sequence[dict[str, Any]]:
        activities: list[dict[str, Any]] = pickle.loads(body)  # noqa: S301 (of our own process)
        return activities

    def read(self, packed: dict[str, Any]) -> Wire:
        return _judged(packed)


_pack = msgspec.msgpack.Encoder().encode
_placed = msgspec.msgpack.Decoder(list[_Placed]).decode
_rows = msgspec.msgpack.Decoder(list[list[str | None]]).decode
_singles = msgspec.msgpack.Decoder(list[list[list[str | None]]]).decode
_baskets = msgspec.msgpack.Decoder(list[tuple[list[int], list[list[str | None]]]]).decode


def _reading_of(rows: Iterable[Row] | Reader) -> tuple[_Reading, Iterable[Any]]:
    records = getattr(rows, "records", None)
    if records is None:
        return _Ready(), cast("Iterable[Row]", rows)
    return _FromCells(cast("Reader", rows).form), records()


def _judged(activity: dict[str, Any]) -> Wire:
    try:
        found = wire.from_mapping(activity)
    except (RecursionError, UnicodeEncodeError, msgspec.MsgspecError, wire.BodyError) as error:
        return RefusalCode.MALFORMED.value, sentence("it cannot be sent: %(error)s", error=error)
    return _reason(found) if isinstance(found, Refusal) else found


def _reason(refusal: Refusal) -> tuple[str, Sentence]:
    return refusal.code.value, refusal.whole


class _Lot(Struct):
    """Rows that one process applies, and these as they are sent to it: each body one transaction, in order."""

    rows: list[Any]
    bodies: list[bytes]


class _Window(Struct):
    lots: list[_Lot]
    problems: list[RefusedLine]
    read: int
    skipped: int
    ended: bool


class _Dealt:
    """Records of a file, each member's one after the other, in the order of what their instants look like.

    A file of at most `window` records is left as it is: the window puts them together. A longer one is written
    to nameless files, a share of the members in each, and read again share by share: what is held is bounded by
    the window and the largest share. The order depends on the content alone, so that an import can be resumed.
    What names no member comes last, when the sales that it may name are known.
    """

    def __init__(
        self, reading: _FromCells, records: Iterable[Record], window: int, on_read: Callable[[int], object]
    ) -> None:
        self.placed = reading.placed
        self.records = records
        self.window = window
        self.on_read = on_read
        self.total = 0
        """How many there are, as far as is known."""

    def __iter__(self) -> Iterator[_Placed]:
        records = map(self.placed, self.records)
        held = list(islice(records, self.window + 1))
        self.total = len(held)
        if len(held) <= self.window:
            yield from held
            return
        with ExitStack() as stack:
            files = [stack.enter_context(TemporaryFile()) for _ in range(SHARES + 1)]
            while held:
                self._deal(held, files)
                self.on_read(self.total)
                held = list(islice(records, self.window))
                self.total += len(held)
            for file in files:
                file.seek(0)
                yield from self._together(file)
                file.close()

    def _deal(self, records: list[_Placed], files: Sequence[IO[bytes]]) -> None:
        shares: list[list[_Placed]] = [[] for _ in files]
        for record in records:
            owner = record.owner
            shares[crc32(owner.encode()) % SHARES if owner else SHARES].append(record)
        for share, file in zip(shares, files, strict=True):
            if share:
                body = _pack(share)
                file.write(len(body).to_bytes(8))
                file.write(body)

    def _together(self, file: IO[bytes]) -> Iterator[_Placed]:
        members: dict[str, list[_Placed]] = {}
        while length := file.read(8):
            for record in _placed(file.read(int.from_bytes(length))):
                members.setdefault(record.owner, []).append(record)
        for owner, own in members.items():
            if owner:
                own.sort(key=_dated)
            yield from own


_dated = attrgetter("dated")


def _read_ahead(
    reading: _Reading, rows: Iterable[Any], skip: int, size: int
) -> Generator[_Window | BaseException, None, None]:
    """Windows of rows, read by a thread while earlier ones are decided; an error comes in its place."""
    ready: queue.Queue[_Window | BaseException] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def offer(item: _Window | BaseException) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            count = skipped = 0
            held: list[Any] = []
            for row in rows:
                if stopped.is_set():
                    return
                count += 1
                if count <= skip:
                    skipped += 1
                    continue
                if len(held) == size:
                    offer(_window(reading, held, count - 1, skipped, False))
                    held = []
                held.append(row)
            offer(_window(reading, held, count, skipped, True))
        except BaseException as error:
            offer(error)

    thread = threading.Thread(target=read, name="import-reader", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            yield item
            if isinstance(item, BaseException) or item.ended:
                return
    finally:
        stopped.set()
        thread.join(timeout=10)


def _window(reading: _Reading, rows: list[Any], read: int, skipped: int, ended: bool) -> _Window:
    """Rows put together by member and cut into batches; those that could not be read are told apart."""
    problems = [RefusedLine(reading.row(row), *row.problem) for row in rows if row.problem is not None]
    if problems:
        rows = [row for row in rows if row.problem is None]
    members: dict[str, list[Any]] = {}
    owner_of = reading.owner
    if reading.names_sales(rows):
        named = [reading.named_sale(row) for row in rows]
        sales = {
            reading.own_id(row): owner_of(row) for row, sale in zip(rows, named, strict=True) if not sale[1]
        }
        for row, sale in zip(rows, named, strict=True):
            # A return stands with its sale, whoever it says it is of.
            owner = sales.get(sale) or owner_of(row) or "\0".join(sale)
            members.setdefault(owner, []).append(row)
    else:
        for row in rows:
            members.setdefault(owner_of(row), []).append(row)
    lots: list[_Lot] = []
    chosen: list[Any] = []
    for own in members.values():
        if len(own) >= BATCH:
            # So many rows of one member are several transactions, one after the other in his order.
            own.sort(key=reading.dated)
            parts = [reading.pack(own[start : start + BATCH]) for start in range(0, len(own), BATCH)]
            lots.append(_Lot(own, parts))
            continue
        chosen += own
        if len(chosen) >= BATCH:
            lots.append(_Lot(chosen, [reading.pack(chosen)]))
            chosen = []
    if chosen:
        lots.append(_Lot(chosen, [reading.pack(chosen)]))
    # The longest first, so that no process is left alone with one at the end.
    lots.sort(key=lambda lot: -len(lot.rows))
    return _Window(lots, problems, read, skipped, ended)


def owner_of(row: Row) -> str:
    """One text for the member a row names, the same for rows that name him alike."""
    member = row.activity.get("member")
    if isinstance(member, dict):
        return min((f"{kind}\0{value}" for kind, value in member.items()), default="")
    return str(member) if member is not None else "\0".join(named_sale(row))


def own_id(row: Row) -> tuple[str, str]:
    """The source and id of a row."""
    return str(row.activity.get("source")), str(row.activity.get("id"))


def named_sale(row: Row) -> tuple[str, str]:
    """The source and id of the sale that a row names; empty where it names none."""
    sale = row.activity.get("sale")
    return (str(sale.get("source")), str(sale.get("id"))) if isinstance(sale, dict) else ("", "")


# --- one batch ----------------------------------------------------------------------------------------

_REFUSED: Final = 2


class _Outcome(Struct, array_like=True):
    """Counts (applied, duplicate, refused, parked, enrolled); refusals as (row of the batch, code, why)."""

    counts: tuple[int, int, int, int, int]
    refused: list[tuple[int, str, Sentence]]


Identities = tuple[tuple[str, str], ...]
"""What names a member in a row: (kind, value) in order."""


class _Members:
    """Who the members are that rows name, found once for many rows; enrols those that nobody knows."""

    def __init__(self) -> None:
        self.known: dict[Identities, int] = {}

    def find(
        self,
        connection: Connection[Any],
        program: Runtime,
        reads: Sequence[wire.Read | Refusal],
        now: int,
        enrol_unknown: bool,
    ) -> tuple[list[int], int]:
        """The member of each row (0: left to the batch to find or refuse), and how many were enrolled."""
        named: list[Identities] = []
        first: dict[Identities, int] = {}
        known = self.known
        for read in reads:
            member = read.member if isinstance(read, wire.Read) else None
            if not isinstance(member, dict):
                named.append(())
                continue
            key = tuple(member.items() if len(member) == 1 else sorted(member.items()))
            named.append(key)
            if key not in known and key:
                assert isinstance(read, wire.Read)
                if read.fact.sale is None:
                    first[key] = min(first.get(key, read.fact.at), read.fact.at)
        hashes = {key: found for key in first if (found := _hashes(key))}
        enrolled = 0
        if hashes and enrol_unknown:
            wanted = [NewMember(dict(key), enrolled_at=first[key]) for key in hashes]
            answers = batch.attempt(connection, lambda: enrol_many(connection, program, wanted, now=now))
            enrolled = sum(answer.created for answer in answers)
        if hashes:
            owners = find_hashes(
                connection, program.program_id, [item for found in hashes.values() for item in found]
            )
            for key, found in hashes.items():
                members = {owners.get(item, 0) for item in found}
                if len(members) == 1 and (member_id := members.pop()):
                    known[key] = member_id
        return [known.get(key, 0) for key in named], enrolled


def _hashes(key: Identities) -> list[bytes]:
    """The stored forms of identities; none where one of them cannot be an identity."""
    try:
        return [hashed(kind, value) for kind, value in key]
    except IdentityError:
        return []


def _nothing_said(_: int, __: Result) -> bytes:
    return b""


def _apply(
    connection: Connection[Any],
    program: Runtime,
    reading: _Reading,
    bodies: Sequence[bytes],
    now: int,
    members: _Members,
    enrol_unknown: bool,
) -> _Outcome:
    """Reads and applies the rows of some bodies, each in a transaction of its own."""
    counts = {"applied": 0, "duplicate": 0, "refused": 0, "parked": 0}
    refused: list[tuple[int, str, Sentence]] = []
    enrolled = before = 0
    for body in bodies:
        reads: list[wire.Read | Refusal] = []
        places: list[int] = []
        packed = reading.unpack(body)
        for number, row in enumerate(packed, start=before):
            found = reading.read(row)
            if isinstance(found, tuple):
                refused.append((number, *found))
            else:
                reads.append(wire.to_fact(found, program.timeline, program.key, now=now))
                places.append(number)
        known, new = members.find(connection, program, reads, now, enrol_unknown)
        results = batch.apply(
            connection, program, reads, now=now, history=True, known_members=known, tell=_nothing_said
        )
        enrolled += new
        for number, result in zip(places, results, strict=True):
            counts[result.status] += 1
            if result.status == "refused" and result.refusal is not None:
                refused.append((number, *_reason(result.refusal)))
        before += len(packed)
    counts["refused"] = len(refused)
    applied, duplicate, refused_count, parked = counts.values()
    return _Outcome((applied, duplicate, refused_count, parked, enrolled), refused)


# --- who decides --------------------------------------------------------------------------------------


class _Team(Protocol):
    def run(
        self, lots: Sequence[_Lot], clock: Clock, enrol_unknown: bool
    ) -> Iterator[tuple[list[Any], _Outcome]]:
        """The outcome of each batch, committed, in the order in which they end."""
        ...

    def close(self) -> None: ...


class _Alone:
    """This process decides, on the connection it was given."""

    def __init__(self, connection: Connection[Any], program: Runtime, reading: _Reading) -> None:
        self.connection = connection
        self.program = program
        self.reading = reading
        self.members = _Members()

    def run(
        self, lots: Sequence[_Lot], clock: Clock, enrol_unknown: bool
    ) -> Iterator[tuple[list[Any], _Outcome]]:
        for lot in lots:
            yield (
                lot.rows,
                _apply(
                    self.connection,
                    self.program,
                    self.reading,
                    lot.bodies,
                    clock(),
                    self.members,
                    enrol_unknown,
                ),
            )

    def close(self) -> None:
        pass


class _Workers:
    """Processes that decide side by side; each takes its next batch when it has answered the last."""

    def __init__(self, program_key: str, reading: _Reading, count: int) -> None:
        # Not forked from this process, which may run threads, and whose connections are its own; but from one
        # that has loaded what is needed once for all.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__", __name__])
        settings = {name: value for name, value in os.environ.items() if name.startswith("PALIER_")}
        self.pipes: list[Pipe] = []
        self.processes = []
        try:
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_work, args=(theirs, settings, program_key, reading), daemon=True
                )
                process.start()
                theirs.close()
                self.pipes.append(ours)
                self.processes.append(process)
        except BaseException:
            self.close()
            raise

    def run(
        self, lots: Sequence[_Lot], clock: Clock, enrol_unknown: bool
    ) -> Iterator[tuple[list[Any], _Outcome]]:
        waiting = deque(lots)
        free = list(self.pipes)
        busy: dict[Pipe, list[Any]] = {}
        while waiting or busy:
            while waiting and free:
                pipe, item = free.pop(), waiting.popleft()
                try:
                    pipe.send((item.bodies, clock(), enrol_unknown))
                except OSError:
                    raise _ended() from None
                busy[pipe] = item.rows
            for ready in wait(list(busy)):
                assert isinstance(ready, Pipe)
                try:
                    answer = ready.recv()
                except (EOFError, OSError):
                    raise _ended() from None
                if isinstance(answer, BaseException):
                    raise answer
                free.append(ready)
                yield busy.pop(ready), answer

    def close(self) -> None:
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.join(timeout=30)
            if process.is_alive():
                process.kill()


def _ended() -> ImportFailed:
    return ImportFailed(
        sentence("a worker process of the import ended; run the same import again, it goes on from here")
    )


def _work(pipe: Pipe, settings: dict[str, str], program_key: str, reading: _Reading) -> None:
    """A worker process: applies what comes through the pipe until it is closed."""
    # Ctrl-C reaches every process of the terminal; the parent closes the pipe when it has had enough.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The server that this was forked from may have been started under other settings.
    for name in [name for name in os.environ if name.startswith("PALIER_")]:
        del os.environ[name]
    os.environ.update(settings)
    environment.cache_clear()
    try:
        with database.connect() as connection:
            program = runtime(connection, program_key)
            assert program is not None, "the parent has found it"
            take_node(connection)
            connection.commit()
            gc.freeze()
            gc.set_threshold(*_FEW_COLLECTIONS)
            members = _Members()
            while True:
                bodies, now, enrol_unknown = pipe.recv()
                pipe.send(_apply(connection, program, reading, bodies, now, members, enrol_unknown))
    except (EOFError, BrokenPipeError):
        return
    except BaseException as error:
        try:
            pipe.send(error)
        except Exception:  # an error that cannot be sent, or nobody listens: the parent sees the pipe end
            return


__all__ = [
    "BATCH",
    "WINDOW",
    "ImportFailed",
    "ImportSummary",
    "Progress",
    "RefusedLine",
    "import_rows",
    "named_sale",
    "own_id",
    "owner_of",
    "rows_of",
]
