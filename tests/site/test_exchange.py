"""Statements that are sent and answered together, on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.site.arrays import Documents, Instants
from palier.site.database import connect
from palier.site.exchange import exchange

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
MOMENTS = st.integers(-62_000_000_000_000_000, 250_000_000_000_000_000)
"""Microseconds of the years 6 to 9892."""
ECHO = "select %(number)s::bigint, %(text)s::text, %(octets)s::bytea, %(truth)s::boolean, %(at)s::timestamptz"
COLUMNS = """
select n, t, b, j::text, i from unnest(%(numbers)s::bigint[], %(texts)s::text[], %(octets)s::bytea[],
  %(documents)s::json[], %(instants)s::timestamptz[]) with ordinality as u(n, t, b, j, i, place) order by place
"""

Open = psycopg.Connection[Any]


@pytest.fixture
def connection(database: str) -> Iterator[Open]:
    with connect() as opened:
        yield opened
        if not opened.closed:
            opened.rollback()


def asked(connection: Open, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with exchange(connection) as server:
        answer = server.ask(statement, parameters)
    assert answer.count == len(answer.rows)
    return answer.rows


def prepared(connection: Open) -> int:
    row = connection.execute(
        "select count(*) from pg_prepared_statements where name like 'exchange%'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_each_statement_has_its_own_answer(connection: Open) -> None:
    with exchange(connection) as server:
        put = server.ask(
            "insert into shared_limit select k, %(program)s, 0 from unnest(%(keys)s) as u(k)",
            {"program": 1, "keys": ["a", "b", "c"]},
        )
        found = server.ask(
            "select key, used from shared_limit where program_id = %(program)s and key <> %(but)s order by key",
            {"program": 1, "but": "b"},
        )
        none = server.ask("select 1 where 1 = any(%(these)s::bigint[])", {"these": []})
        share = server.ask("select 100 %% 7 = 2, null::text", {})
        assert found.rows == []
    assert (put.count, put.rows) == (3, [])
    assert (found.rows, none.rows, share.rows) == ([("a", 0), ("c", 0)], [], [(True, None)])
    assert connection.info.transaction_status.name == "INTRANS"


def test_values_come_back_as_they_went(connection: Open) -> None:
    names = ("number", "text", "octets", "truth", "at")

    @given(st.tuples(NUMBERS, TEXTS, st.binary(), st.booleans(), MOMENTS))
    def check(values: tuple[Any, ...]) -> None:
        sent = (*values[:4], EPOCH + timedelta(microseconds=values[4]))
        assert asked(connection, ECHO, **dict(zip(names, sent, strict=True))) == [sent]

    check()
    assert asked(connection, ECHO, **dict.fromkeys(names)) == [(None,) * 5]


def test_columns_come_back_as_they_went(connection: Open) -> None:
    kinds = (NUMBERS, TEXTS, st.binary(), TEXTS.map(json.dumps), MOMENTS)

    @given(st.lists(st.tuples(*(kind | st.none() for kind in kinds))))
    def check(rows: list[tuple[Any, ...]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
        found = asked(
            connection, COLUMNS, numbers=columns[0], texts=columns[1], octets=columns[2],
            documents=Documents(None if text is None else text.encode() for text in columns[3]),
            instants=Instants(columns[4]),
        )  # fmt: skip
        assert found == [
            (*row[:4], None if row[4] is None else EPOCH + timedelta(microseconds=row[4])) for row in rows
        ]

    check()


def test_what_is_larger_than_any_buffer_passes_both_ways(connection: Open) -> None:
    """Neither side waits for the other to read what neither can send."""
    texts = [f"{number}{'x' * 1000}" for number in range(20_000)]
    with exchange(connection) as server:
        answers = [
            server.ask("select t from unnest(%(texts)s) as u(t)", {"texts": texts[:: 1 + turn]})
            for turn in range(3)
        ]
    assert [[row[0] for row in answer.rows] for answer in answers] == [texts, texts[::2], texts[::3]]


def test_the_first_that_fails_is_told_and_nothing_after_it_runs(connection: Open) -> None:
    answers = []

    def ask() -> None:
        with exchange(connection) as server:
            answers.append(server.ask("select 1::bigint", {}))
            server.ask("select 1 / %(none)s", {"none": 0})
            answers.append(server.ask("select 2::bigint", {}))
            server.ask("select no such column", {})

    with pytest.raises(psycopg.errors.DivisionByZero):
        ask()
    assert [answer.rows for answer in answers] == [[(1,)], []]
    assert connection.info.transaction_status.name == "INERROR"
    connection.rollback()
    # What was passed over is prepared when it is asked again.
    assert asked(connection, "select 2::bigint") == [(2,)]


@pytest.mark.parametrize(
    ("value", "error"),
    [(2**63, psycopg.DataError), ("\0", psycopg.DataError), ([], TypeError), (1.5, TypeError)],
)
def test_what_cannot_be_sent_leaves_the_connection_as_it_was(
    connection: Open, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        asked(connection, "select %(before)s, %(value)s is null", before=1, value=value)
    connection.rollback()
    assert asked(connection, "select 4::bigint") == [(4,)]


def test_a_statement_is_prepared_once_and_outlives_what_is_rolled_back(connection: Open) -> None:
    """The driver tells the server to forget what is prepared after a rollback: its own alone is meant."""
    asked(connection, "select %(n)s", n=1)
    before = prepared(connection)
    for number in range(8):
        assert connection.execute("select %s::text", [str(number)]).fetchone() == (str(number),)
    connection.execute("savepoint here")
    connection.execute("rollback to savepoint here")
    connection.execute("rollback")
    assert asked(connection, "select %(n)s", n=5) == [(5,)]
    assert prepared(connection) == before
    assert connection.execute("select %s::text", ["x"]).fetchone() == ("x",)


def test_a_commit_among_them_commits(connection: Open) -> None:
    with exchange(connection) as server:
        server.ask("insert into shared_limit values ('kept', 1, 7)", {})
        server.ask("commit", {})
        server.send()
    assert connection.info.transaction_status.name == "IDLE"
    with connect() as other:
        assert asked(other, "select used from shared_limit where key = %(key)s", key="kept") == [(7,)]


def test_a_server_that_is_gone_is_told(connection: Open, superuser_connection: Open) -> None:
    assert asked(connection, "select 1::bigint") == [(1,)]
    superuser_connection.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
    with pytest.raises(psycopg.OperationalError), exchange(connection) as server:
        server.ask("select pg_sleep(5)", {})
    assert connection.closed
