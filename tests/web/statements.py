"""What is sent to the database while something happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from palier.site.exchange import Answer, Exchange


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent meanwhile, but the question whether anybody is there, and beginnings."""
    sent: list[str] = []
    one, many, together = psycopg.Cursor.execute, psycopg.Cursor.executemany, Exchange.ask

    def execute(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        if str(query).lower() != "select 1":
            sent.append(str(query))
        return one(self, query, *args, **more)

    def executemany(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        sent.append(str(query))
        return many(self, query, *args, **more)

    def ask(self: Exchange, statement: str, parameters: Mapping[str, Any]) -> Answer:
        if statement != "begin":
            sent.append(statement)
        return together(self, statement, parameters)

    Exchange.ask = ask  # type: ignore[method-assign]
    psycopg.Cursor.execute = execute  # type: ignore[method-assign,assignment]
    psycopg.Cursor.executemany = executemany  # type: ignore[method-assign,assignment]
    try:
        yield sent
    finally:
        Exchange.ask = together  # type: ignore[method-assign]
        psycopg.Cursor.execute = one  # type: ignore[method-assign]
        psycopg.Cursor.executemany = many  # type: ignore[method-assign]
