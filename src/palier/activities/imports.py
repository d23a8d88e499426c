"""Imports of history: rows of a file, or of any other source, applied in batches, resumable at any point.

Rows are read a window at a time. Inside a window they are put together by member, so that a member's state is
locked, loaded and written once for many of his activities; a member's end state does not depend on the order
in which his activities arrive, so nothing else changes by it. Batches of one window hold different members
and are decided side by side by worker processes. When every line of a window is committed, the import's row
says so: a killed import begins again at the first window that was not, and finds the lines of it that were in
already by their ids.
"""

from __future__ import annotations

import gc
import multiprocessing
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, wire
from palier.activities.runtime import Runtime, runtime
from palier.engine.clock import moment
from palier.engine.refusals import Refusal, RefusalCode
from palier.members.operations import NewMember, enrol
from palier.members.queries import IdentityError, find_hashes, hashed
from palier.site import arrays, database
from palier.site.ids import new_id, take_node

if TYPE_CHECKING:
    from palier.connectors.files import Row

WINDOW: Final = 50_000
"""Rows read before they are put together by member; it bounds memory and what a killed import reads again."""
BATCH: Final = 2_000
"""Rows in one transaction, more or less: a member's rows of a window stay together."""

Clock = Callable[[], int]
"""The server's instant, in microseconds: each batch is recorded with its own."""


class ImportSummary(Struct, frozen=True):
    """How an import came out: the four outcomes add up to the rows `sent`.

    `resumed` rows were done by an earlier run of the same content and not read again; `enrolled` members
    are new.
    """

    sent: int = 0
    applied: int = 0
    duplicate: int = 0
    refused: int = 0
    parked: int = 0
    enrolled: int = 0
    resumed: int = 0
    seconds: float = 0.0


class RefusedLine(Struct, frozen=True):
    """A row that was not taken, and why: the code, and the sentence with its remedy."""

    row: Row
    code: str
    reason: str


class Progress(Struct, frozen=True):
    """How far an import is: rows committed, and rows read so far (`ended`: there are no more)."""

    done: int
    read: int
    ended: bool


OnProgress = Callable[[Progress], None]
OnRefused = Callable[[list[RefusedLine]], None]


class ImportFailed(Exception):
    """An import that could not go on; what was committed stays, and the next run goes on from there."""


def rows_of(batches: Iterable[Sequence[dict[str, Any]]]) -> Iterator[Row]:
    """Activities in wire form as rows, numbered from 1: for sources that are no file."""
    from palier.connectors.files import Row

    number = 0
    for activities in batches:
        for activity in activities:
            number += 1
            yield Row(number, activity, None, ())


def import_rows(
    connection: Connection[Any],
    program: Runtime,
    rows: Iterable[Row],
    *,
    clock: Clock,
    name: str = "",
    sha256: str = "",
    enrol_unknown: bool = False,
    workers: int = 0,
    window: int = WINDOW,
    on_progress: OnProgress | None = None,
    on_refused: OnRefused | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> ImportSummary:
    """Applies rows as history (the late window is without limit) and commits them, batch by batch.

    With `sha256` (of the content the rows come from), the import can be resumed: rows that an earlier run of
    the same content finished are passed over. Importing the same content again changes nothing; its rows are
    duplicates, and rows that were refused are tried once more. `enrol_unknown` enrols members that are not
    known, by the identities in the rows, as of their first activity. `workers` processes decide side by side,
    each with its own connection (0: this process alone does everything). `on_refused` is called before the
    progress moves past the rows it is given; after a kill it may be given some of them again. `on_resume`
    is told before anything else how many rows an earlier, unfinished run had done. Raises
    ImportFailed where a worker ended; whatever `rows` raises passes through.
    """
    started = time.monotonic()
    file = _File.begin(connection, program.program_id, name, sha256, clock()) if sha256 else None
    skipped = file.done if file is not None else 0
    if on_resume is not None and file is not None and file.resumed:
        on_resume(skipped)
    team: _Team = _Workers(program.key, workers) if workers else _Alone(connection, program)
    totals = [0] * 5
    done = resumed = 0
    windows = _read_ahead(rows, skipped, window)
    try:
        for found in windows:
            if isinstance(found, BaseException):
                raise found
            resumed = found.skipped
            refused = found.problems
            done += len(refused)
            totals[_REFUSED] += len(refused)
            for members, outcome in team.run(found.batches, clock, enrol_unknown):
                for number, count in enumerate(outcome.counts):
                    totals[number] += count
                refused += [RefusedLine(members[index], code, why) for index, code, why in outcome.refused]
                done += len(members)
                if on_progress is not None:
                    on_progress(Progress(resumed + done, found.read, found.ended))
            if refused and on_refused is not None:
                on_refused(sorted(refused, key=lambda item: item.row.line))
            if file is not None:
                file.move(connection, resumed + done, "done" if found.ended else "running")
    except BaseException:
        if file is not None and not connection.closed:
            connection.rollback()
            file.move(connection, file.done, "failed")
        raise
    finally:
        windows.close()
        team.close()
    applied, duplicate, refused_count, parked, enrolled = totals
    seconds = time.monotonic() - started
    return ImportSummary(done, applied, duplicate, refused_count, parked, enrolled, resumed, seconds)


# --- the row of the import ----------------------------------------------------------------------------


class _File:
    """The row that says how far the import of one content is: all rows up to `done` are committed."""

    def __init__(self, import_id: int, done: int, resumed: bool) -> None:
        self.import_id = import_id
        self.done = done
        self.resumed = resumed

    @classmethod
    def begin(cls, connection: Connection[Any], program_id: int, name: str, sha256: str, now: int) -> _File:
        """Finds the unfinished import of this content, or begins one; commits."""
        row = connection.execute(
            """
            -- activities.find_import
            select import_id, done_lines from import_file
            where program_id = %s and sha256 = %s and state <> 'done' order by import_id desc limit 1
            """,
            (program_id, sha256),
        ).fetchone()
        resumed = row is not None
        if row is None:
            row = (new_id(), 0)
            connection.execute(
                """
                -- activities.begin_import
                insert into import_file
                  (import_id, program_id, sha256, name, lines, done_lines, state, created_at)
                values (%s, %s, %s, %s, 0, 0, 'running', %s)
                """,
                (row[0], program_id, sha256, name, moment(now)),
            )
        connection.commit()
        return cls(row[0], row[1], resumed)

    def move(self, connection: Connection[Any], done: int, state: str) -> None:
        """Takes note that all rows up to `done` are committed; commits."""
        self.done = max(done, self.done)
        connection.execute(
            """
            -- activities.move_import
            update import_file
            set done_lines = greatest(done_lines, %s), lines = greatest(lines, %s), state = %s
            where import_id = %s
            """,
            (self.done, self.done, state, self.import_id),
        )
        connection.commit()


# --- reading ------------------------------------------------------------------------------------------


class _Lot(Struct):
    """Rows that go into one transaction, and their wire form: JSON arrays of at most wire.MAX_LINES."""

    rows: list[Any]
    bodies: list[bytes]


class _Window(Struct):
    batches: list[_Lot]
    problems: list[RefusedLine]
    read: int
    skipped: int
    ended: bool


def _read_ahead(rows: Iterable[Row], skip: int, size: int) -> Generator[_Window | BaseException, None, None]:
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
            held: list[Row] = []
            for row in rows:
                if stopped.is_set():
                    return
                count += 1
                if count <= skip:
                    skipped += 1
                    continue
                if len(held) == size:
                    offer(_window(held, count - 1, skipped, False))
                    held = []
                held.append(row)
            offer(_window(held, count, skipped, True))
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


def _window(rows: list[Row], read: int, skipped: int, ended: bool) -> _Window:
    """Rows put together by member and cut into batches; those that could not be read are told apart."""
    problems = [RefusedLine(row, *row.problem) for row in rows if row.problem is not None]
    sales = {}
    if any("sale" in row.activity for row in rows):
        sales = {
            own_id(row): owner_of(row) for row in rows if row.problem is None and "sale" not in row.activity
        }
    placed = []
    for number, row in enumerate(rows):
        if row.problem is None:
            # A return stands with its sale, whoever it says it is of.
            owner = sales.get(named_sale(row)) or owner_of(row)
            placed.append((owner, str(row.activity.get("occurred_at")), number))
    placed.sort()
    batches: list[_Lot] = []
    chosen: list[Row] = []
    last = ""
    for owner, _, number in placed:
        # A member with more rows than a batch holds is cut, in the order of his activities.
        if len(chosen) >= BATCH and (owner != last or len(chosen) >= 2 * BATCH):
            batches.append(_lot(chosen, problems))
            chosen = []
        chosen.append(rows[number])
        last = owner
    if chosen:
        batches.append(_lot(chosen, problems))
    return _Window(batches, problems, read, skipped, ended)


def _lot(rows: list[Row], problems: list[RefusedLine]) -> _Lot:
    try:
        return _Lot(rows, _bodies(rows))
    except (RecursionError, UnicodeEncodeError, msgspec.MsgspecError):
        sound = []
        for row in rows:
            try:
                _bodies([row])
                sound.append(row)
            except (RecursionError, UnicodeEncodeError, msgspec.MsgspecError) as error:
                problems.append(RefusedLine(row, RefusalCode.MALFORMED.value, f"it cannot be sent: {error}"))
        return _Lot(sound, _bodies(sound))


def _bodies(rows: list[Row]) -> list[bytes]:
    return [
        msgspec.json.encode([row.activity for row in rows[start : start + wire.MAX_LINES]])
        for start in range(0, len(rows), wire.MAX_LINES)
    ]


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
    refused: list[tuple[int, str, str]]


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
        for read in reads:
            key: Identities = ()
            if isinstance(read, wire.Read) and isinstance(read.member, dict):
                key = tuple(sorted(read.member.items()))
                if key and key not in self.known and read.fact.sale is None:
                    first[key] = min(first.get(key, read.fact.at), read.fact.at)
            named.append(key)
        hashes = {key: found for key in first if (found := _hashes(key))}
        enrolled = 0
        if hashes and enrol_unknown:
            wanted = [NewMember(dict(key), enrolled_at=first[key]) for key in hashes]
            answers = batch.attempt(
                connection, lambda: enrol(connection, program.program_id, wanted, now=now)
            )
            enrolled = sum(answer.created for answer in answers)
        if hashes:
            owners = find_hashes(
                connection, program.program_id, [item for found in hashes.values() for item in found]
            )
            for key, found in hashes.items():
                members = {owners.get(item, 0) for item in found}
                if len(members) == 1 and (member_id := members.pop()):
                    self.known[key] = member_id
        return [self.known.get(key, 0) for key in named], enrolled


def _hashes(key: Identities) -> list[bytes]:
    """The stored forms of identities; none where one of them cannot be an identity."""
    try:
        return [hashed(kind, value) for kind, value in key]
    except IdentityError:
        return []


def _apply(
    connection: Connection[Any],
    program: Runtime,
    bodies: Sequence[bytes],
    now: int,
    members: _Members,
    enrol_unknown: bool,
) -> _Outcome:
    wires = [item for body in bodies for item in wire.split(body)]
    reads = [
        item if isinstance(item, Refusal) else wire.to_fact(item, program.timeline, program.key, now=now)
        for item in wires
    ]
    known, enrolled = members.find(connection, program, reads, now, enrol_unknown)
    results = batch.apply(connection, program, reads, now=now, history=True, known_members=known)
    counts = {"applied": 0, "duplicate": 0, "refused": 0, "parked": 0}
    refused = []
    for index, result in enumerate(results):
        counts[result.status] += 1
        refusal = result.refusal
        if result.status == "refused" and refusal is not None:
            reason = f"{refusal.message}; {refusal.remedy}" if refusal.remedy else refusal.message
            refused.append((index, refusal.code.value, reason))
    applied, duplicate, refused_count, parked = counts.values()
    return _Outcome((applied, duplicate, refused_count, parked, enrolled), refused)


# --- who decides --------------------------------------------------------------------------------------


class _Team(Protocol):
    def run(
        self, batches: Sequence[_Lot], clock: Clock, enrol_unknown: bool
    ) -> Iterator[tuple[list[Row], _Outcome]]:
        """The outcome of each batch, committed, in the order in which they end."""
        ...

    def close(self) -> None: ...


class _Alone:
    """This process decides, on the connection it was given."""

    def __init__(self, connection: Connection[Any], program: Runtime) -> None:
        self.connection = connection
        self.program = program
        self.members = _Members()

    def run(
        self, batches: Sequence[_Lot], clock: Clock, enrol_unknown: bool
    ) -> Iterator[tuple[list[Row], _Outcome]]:
        for item in batches:
            outcome = _apply(self.connection, self.program, item.bodies, clock(), self.members, enrol_unknown)
            yield item.rows, outcome

    def close(self) -> None:
        pass


class _Workers:
    """Processes that decide side by side; each takes its next batch when it has answered the last."""

    def __init__(self, program_key: str, count: int) -> None:
        # Not forked: this process may run threads, and its connections are its own.
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Pipe] = []
        self.processes = []
        try:
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, program_key), daemon=True)
                process.start()
                theirs.close()
                self.pipes.append(ours)
                self.processes.append(process)
        except BaseException:
            self.close()
            raise

    def run(
        self, batches: Sequence[_Lot], clock: Clock, enrol_unknown: bool
    ) -> Iterator[tuple[list[Row], _Outcome]]:
        waiting = deque(batches)
        free = list(self.pipes)
        busy: dict[Pipe, list[Row]] = {}
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
        "a worker process of the import ended; run the same import again, it goes on from here"
    )


def _work(pipe: Pipe, program_key: str) -> None:
    """A worker process: applies what comes through the pipe until it is closed."""
    # Ctrl-C reaches every process of the terminal; the parent closes the pipe when it has had enough.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with database.connect() as connection:
            program = runtime(connection, program_key)
            assert program is not None, "the parent has found it"
            take_node(connection)
            connection.commit()
            arrays.register(connection)
            # What a batch makes holds few cycles: looking for them in every thousand objects costs a tenth.
            gc.collect()
            gc.freeze()
            gc.set_threshold(200_000, 50, 100)
            members = _Members()
            while True:
                bodies, now, enrol_unknown = pipe.recv()
                pipe.send(_apply(connection, program, bodies, now, members, enrol_unknown))
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
