"""One database connection per thread for the requests of people and integrations, and its failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from django.db import InterfaceError, OperationalError
from psycopg import Connection, IsolationLevel

from palier.site import database
from palier.site.environment import environment

AnyConnection = Connection[Any]
TRUSTED_FOR_S: Final = 2.0
"""A connection used this recently is taken to be alive; after longer it is asked first."""


class Unavailable(Exception):
    """The database did not answer, or gave the transaction up; the same request may be repeated."""


AWAY: Final = (
    Unavailable, psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError,
)  # fmt: skip
"""What is raised where the database is away, or gave up, by whichever connection was asked."""


class _Own(threading.local):
    connection: Connection[Any] | None = None
    used_at: float = 0.0


_own = _Own()


@contextmanager
def session(*, snapshot: bool = False) -> Iterator[Connection[Any]]:
    """This thread's connection, outside any transaction at the start and at the end.

    With `snapshot`, all statements of the block see the database as of the first.

    What the block does not commit is rolled back. Raises Unavailable where the database does not answer,
    where a statement outlives the request's deadline, or where a transaction lost to others too often.
    """
    try:
        connection = _alive()
    except psycopg.Error as error:
        raise Unavailable(type(error).__name__) from error
    try:
        if snapshot:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
        yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Unavailable(type(error).__name__) from error
    finally:
        _put_back(connection)


def leave_snapshot(connection: AnyConnection) -> None:
    """Ends the snapshot that a read began with: what follows is a transaction of its own, which may write."""
    connection.rollback()
    connection.isolation_level = None


def close() -> None:
    """Closes this thread's connection; the next session opens another."""
    if _own.connection is not None:
        with suppress(psycopg.Error):
            _own.connection.close()
        _own.connection = None


def _alive() -> Connection[Any]:
    connection = _own.connection
    if connection is not None and not connection.closed:
        if time.monotonic() - _own.used_at < TRUSTED_FOR_S:
            return connection
        try:
            connection.execute("select 1")
            connection.rollback()
            return connection
        except psycopg.Error:
            close()
    connection = database.connect("app")
    # A statement must not outlive the request that waits for it.
    connection.execute(f"set statement_timeout = '{environment().web_deadline_s}s'")
    connection.commit()
    _own.connection = connection
    return connection


def _put_back(connection: Connection[Any]) -> None:
    _own.used_at = time.monotonic()
    try:
        connection.rollback()
        connection.isolation_level = None
    except psycopg.Error:
        close()
