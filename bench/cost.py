"""What a request costs the server: processor time of the interpreter and of the database, and its statements.

Wall clock on a busy machine says how busy it is. Processor time says what the page asks for: of this thread, and of the
database's processes that worked for it (from /proc, in nanoseconds; where there is no such file, the time that
statements took).
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from palier.site.exchange import Answer, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Cost(msgspec.Struct):
    """What was spent, in milliseconds, and the statements that were sent, in their order."""

    python: float = 0.0
    database: float = 0.0
    wall: float = 0.0
    statements: list[tuple[str, float]] = []

    @property
    def server(self) -> float:
        """What the server worked: interpreter and database."""
        return self.python + self.database


class Meter:
    """Listens to every statement of this process from the first block on."""

    def __init__(self) -> None:
        self._backends: set[int] = set()
        self._now: Cost | None = None
        meter, whole, together = self, psycopg.Cursor.execute, Exchange.ask

        def execute(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
            self._backends.add(cursor.connection.info.backend_pid)
            started = time.perf_counter()
            try:
                return whole(cursor, query, *args, **more)
            finally:
                if self._now is not None:
                    spent = (time.perf_counter() - started) * 1000
                    self._now.statements.append((str(query), spent))

        def ask(self: Exchange, statement: str, parameters: Mapping[str, Any]) -> Answer:
            meter._backends.add(self.backend_pid)
            if meter._now is not None:
                # Answered together with others: nobody knows what it took alone.
                meter._now.statements.append((statement, 0.0))
            return together(self, statement, parameters)

        Exchange.ask = ask  # type: ignore[method-assign]
        psycopg.Cursor.execute = execute  # type: ignore[method-assign,assignment]

    @contextmanager
    def measured(self) -> Iterator[Cost]:
        """The cost of the block, complete when it ends."""
        found = Cost(statements=[])
        known = {pid: _worked(pid) for pid in self._backends}
        self._now = found
        wall, python = time.perf_counter(), time.thread_time()
        try:
            yield found
        finally:
            found.python = (time.thread_time() - python) * 1000
            found.wall = (time.perf_counter() - wall) * 1000
            self._now = None
            worked = [_worked(pid) for pid in self._backends]
            if None in worked:
                found.database = sum(spent for _, spent in found.statements)
            else:
                found.database = (
                    sum((_worked(pid) or 0) - (known.get(pid) or 0) for pid in self._backends) / 1e6
                )


def _worked(pid: int) -> int | None:
    """Nanoseconds that a process has been at work; None where that cannot be read."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
