"""Statements sent to the server together and answered together, whatever their number: one round trip.

The driver's own pipeline sends each statement by itself, so that the server wakes up for each, and builds a cursor
for it. Here a statement is prepared once on each connection, its parameters are packed whole
(palier.site.arrays), all of a block go out together, and rows are read as they come.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from struct import unpack
from typing import Any, Final, NamedTuple, cast
from weakref import WeakKeyDictionary

import psycopg
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from palier.site import arrays

_PARAMETER: Final = re.compile(r"%\((\w+)\)[sb](?:::(\w+(?:\[\])?))?")
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""What the server counts instants from."""
_MICROSECOND: Final = timedelta(microseconds=1)
_BINARY: Final = 1


class Answer:
    """What a statement is answered, there once its block has ended: rows, and how many rows it concerned."""

    __slots__ = ("count", "rows")

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.count = 0


class _Parsed(NamedTuple):
    """A statement as the server reads it: its parameters by number, their names, and what they are cast to."""

    text: bytes
    names: list[str]
    casts: dict[str, int]


class _Prepared(NamedTuple):
    name: bytes
    packers: list[Callable[[Any], bytes]]
    formats: list[int]


class _Known:
    """What is prepared on one connection, by statement."""

    def __init__(self) -> None:
        self.statements: dict[str, _Prepared] = {}
        self.numbers = count()


_known: WeakKeyDictionary[psycopg.Connection[Any], _Known] = WeakKeyDictionary()


class Exchange:
    """What is asked within one block of `exchange`."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._server = connection.pgconn
        self._known = _known.setdefault(connection, _Known())
        self._awaited: list[tuple[str, Answer | _Prepared]] = []
        self.ended = False
        self._sent = False
        if not connection.autocommit and self._server.transaction_status == TransactionStatus.IDLE:
            self.ask("begin", {})

    @property
    def backend_pid(self) -> int:
        """The server's process that is asked."""
        return self._server.backend_pid

    def ask(self, statement: str, parameters: Mapping[str, Any]) -> Answer:
        """Asks for a statement with parameters `%(name)s`; its answer is there when the block has ended.

        A parameter is of the type that the statement casts it to, else of the one that its value has when the
        statement is first asked on this connection: an integer, text, bytes, truth value, aware datetime, or a
        list of integers, texts or bytes, `arrays.Instants`, `arrays.Documents`. Raises TypeError for any other.
        """
        parsed = _parsed(statement)
        prepared = self._known.statements.get(statement)
        if prepared is None:
            prepared = self._prepare(statement, parsed, parameters)
        values = [
            None if (value := parameters[name]) is None else pack(value)
            for name, pack in zip(parsed.names, prepared.packers, strict=True)
        ]
        self._server.send_query_prepared(prepared.name, values, prepared.formats, _BINARY)
        answer = Answer()
        self._awaited.append((statement, answer))
        return answer

    def _prepare(self, statement: str, parsed: _Parsed, parameters: Mapping[str, Any]) -> _Prepared:
        types = [parsed.casts.get(name) or _type_of(name, parameters[name]) for name in parsed.names]
        name = b"exchange_%d" % next(self._known.numbers)
        prepared = _Prepared(name, [_PACKERS[oid] for oid in types], [_BINARY] * len(types))
        self._server.send_prepare(name, parsed.text, types)
        self._awaited.append((statement, prepared))
        return prepared

    def push(self) -> None:
        """Sends what was asked so far: the server works on it while more is asked."""
        self._server.flush()

    def send(self) -> None:
        """Sends what was asked, after which nothing more can be: the server works on it from now on."""
        self._sent = True
        self._server.pipeline_sync()
        self._server.flush()

    def receive(self) -> None:
        """Waits for the answers. Raises the error of the first statement that failed; none after it has run."""
        if not self._sent:
            self.send()
        failed: PGresult | None = None
        results = _results(self._server)
        for statement, answer in self._awaited:
            result = next(results)
            if result.status == ExecStatus.TUPLES_OK:
                assert isinstance(answer, Answer)
                answer.rows, answer.count = _rows(result), result.ntuples
            elif result.status != ExecStatus.COMMAND_OK:
                failed = failed or result
            elif isinstance(answer, _Prepared):
                self._known.statements[statement] = answer
            else:
                answer.count = result.command_tuples or 0
        end = next(results)
        assert end.status == ExecStatus.PIPELINE_SYNC
        self.ended = True
        if failed is not None:
            raise errors.error_from_result(failed)


@contextmanager
def exchange(connection: psycopg.Connection[Any]) -> Iterator[Exchange]:
    """A block whose statements are sent and answered together, in the connection's transaction (begun if none is).

    At its end all answers are there. The first that failed raises psycopg's error for it, those after it were
    passed over by the server, and the transaction is to be rolled back. What is asked must not depend on what
    another statement of the block is answered.
    """
    server = connection.pgconn
    server.enter_pipeline_mode()
    asked = Exchange(connection)
    try:
        try:
            yield asked
        except Exception:
            with suppress(psycopg.Error):
                asked.receive()
            raise
        asked.receive()
    finally:
        if asked.ended:
            server.exit_pipeline_mode()
        else:
            # Interrupted or lost: nobody knows what the server has done.
            connection.close()


def _results(server: PGconn) -> Iterator[PGresult]:
    """What the server answers, as it comes; what was not sent yet goes meanwhile."""
    poll = select.poll()
    unsent = server.flush()
    poll.register(server.socket, select.POLLIN | select.POLLOUT if unsent else select.POLLIN)
    while True:
        while unsent or server.is_busy():
            poll.poll()
            server.consume_input()
            if unsent:
                unsent = server.flush()
                if not unsent:
                    poll.modify(server.socket, select.POLLIN)
        result = server.get_result()
        if result is not None:
            yield result
        elif server.status == ConnStatus.BAD:
            raise psycopg.OperationalError("the connection to the database is lost")


# --- types ----------------------------------------------------------------------------------------------

_OIDS: Final = {
    "boolean": 16, "bytea": 17, "bigint": 20, "text": 25, "timestamptz": 1184,
    "json[]": 199, "bytea[]": 1001, "text[]": 1009, "bigint[]": 1016, "timestamptz[]": 1185,
}  # fmt: skip
_KINDS: Final[dict[type, str]] = {
    bool: "boolean",
    bytes: "bytea",
    int: "bigint",
    str: "text",
    datetime: "timestamptz",
}
_PACKERS: Final[dict[int, Callable[[Any], bytes]]] = {
    16: lambda value: b"\1" if value else b"\0",
    17: bytes,
    20: arrays.number,
    25: str.encode,
    1184: lambda value: arrays.number((value - _EPOCH) // _MICROSECOND),
    199: arrays.documents,
    1001: arrays.octets,
    1009: arrays.texts,
    1016: arrays.numbers,
    1185: arrays.instants,
}


def _type_of(name: str, value: object) -> int:
    kind = _KINDS.get(type(value))
    if kind is not None:
        return _OIDS[kind]
    if isinstance(value, arrays.Instants):
        return _OIDS["timestamptz[]"]
    if isinstance(value, arrays.Documents):
        return _OIDS["json[]"]
    kind = _KINDS.get(type(value[0])) if isinstance(value, list) and value else None
    if kind is None or f"{kind}[]" not in _OIDS:
        raise TypeError(f"the statement does not say of what type {name} is: cast it")
    return _OIDS[f"{kind}[]"]


@lru_cache(maxsize=512)
def _parsed(statement: str) -> _Parsed:
    names: list[str] = []
    casts: dict[str, int] = {}

    def numbered(match: re.Match[str]) -> str:
        name, cast = match.groups()
        if name not in names:
            names.append(name)
        if cast is not None:
            casts[name] = _OIDS[cast]
        return f"${names.index(name) + 1}" + (f"::{cast}" if cast is not None else "")

    return _Parsed(_PARAMETER.sub(numbered, statement).replace("%%", "%").encode(), names, casts)


def _instant(value: bytes) -> datetime:
    return _EPOCH + int.from_bytes(value, "big", signed=True) * _MICROSECOND


def _integer(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    16: b"\1".__eq__,
    17: bytes,
    20: _integer,
    21: _integer,
    23: _integer,
    25: bytes.decode,
    1043: bytes.decode,
    1184: _instant,
    2278: lambda _: None,
}
"""By what the server calls the type of a column; the last is that of functions that return nothing."""


def _rows(result: PGresult) -> list[tuple[Any, ...]]:
    value = result.get_value
    rows = range(result.ntuples)
    columns = []
    for column in range(result.nfields):
        values = [value(row, column) for row in rows]
        kind = result.ftype(column)
        columns.append(_integers(values) if kind == 20 else _column(values, _READERS[kind]))
    return list(zip(*columns, strict=True))


def _integers(values: list[bytes | None]) -> Sequence[int | None]:
    try:
        return unpack(f"!{len(values)}q", b"".join(cast("list[bytes]", values)))
    except TypeError:  # one of them is null, which nothing can be joined to
        return _column(values, _integer)


def _column(values: list[bytes | None], read: Callable[[bytes], Any]) -> list[Any]:
    return [None if value is None else read(value) for value in values]
