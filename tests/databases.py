"""Databases for tests: one for each worker, emptied between two tests as long as nothing but rows was changed.

Copying a template costs ten times what emptying does, so a copy is made only at the beginning, after a number of
tests, and after a test that changed a table's form, a grant, a setting, or rows that the template brings. What is
emptied is found by looking, not by listening to what a test says of itself.

What many tests of a module begin with is made once: `scene` keeps the rows of it aside and brings them back, which
costs a hundredth of making them by a hundred calls. Each test still has rows of its own to change.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final, NamedTuple, TypeVar

import psycopg
from psycopg import Connection, sql

from palier.site import database, embedded

Made = TypeVar("Made")

MOST_TESTS: Final = 60
"""After so many tests a new copy is made: rows that were deleted leave their room behind."""

_TABLES = """
select c.oid::regclass::text, exists (select 1 from pg_trigger t where t.tgrelid = c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and not c.relispartition
order by 1
"""

_SEQUENCES = """
select format('%I.%I', schemaname, sequencename)::regclass as name, coalesce(last_value, start_value) as last,
  last_value is not null as called
from pg_sequences
"""

_COLUMNS = """
select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''
"""

# Every row version of what a test may have changed but rows. What analyzing leaves counts too: plans follow it.
_FORM = """
select md5(concat(
  (select string_agg(concat(oid, xmin, relacl), ',' order by oid) from pg_class where oid >= 16384),
  (select string_agg(concat(attrelid, attnum, xmin), ',' order by attrelid, attnum) from pg_attribute
   where attrelid >= 16384),
  (select string_agg(concat(oid, xmin), ',' order by oid) from pg_trigger),
  (select string_agg(concat(oid, xmin), ',' order by oid) from pg_constraint where oid >= 16384),
  (select string_agg(concat(oid, xmin), ',' order by oid) from pg_proc where oid >= 16384),
  (select string_agg(concat(oid, xmin), ',' order by oid) from pg_namespace),
  (select string_agg(concat(oid, xmin), ',' order by oid) from pg_authid),
  (select string_agg(concat(setdatabase, setrole, xmin), ',' order by setdatabase, setrole) from pg_db_role_setting
   where setdatabase in (0, (select oid from pg_database where datname = current_database()))),
  (select count(*) from pg_statistic where starelid >= 16384)
))
"""


class _Scene(NamedTuple):
    """What was made, and the statements that bring its rows back."""

    made: Any
    statements: list[str]


class Database:
    """The database of one worker. `server` has the migrated template."""

    def __init__(self, server: embedded.Server, name: str, template: str) -> None:
        self.server, self.name, self.template = server, name, template
        self._keeper: Connection[Any] | None = None
        self._auditor: Connection[Any] | None = None
        self._used = 0
        self._tables: list[str] = []
        self._seeded = ""
        self._form = ""
        self._seeds = ""
        self._scenes: dict[Callable[[], Any], _Scene] = {}

    def fresh(self) -> None:
        """Makes it as the template is, by emptying it where that is enough."""
        self._used += 1
        if self._keeper is None or self._used > MOST_TESTS or not self._emptied(self._keeper):
            self._copied()

    def scene(self, make: Callable[[], Made]) -> Made:
        """What `make` makes in this database, which is fresh: made at the first call, brought back at later ones.

        The answer is a copy. `make` commits, and leaves rows only: no other process, file or thread knows of them.
        """
        assert self._keeper is not None
        known = self._scenes.get(make)
        if known is None:
            made = make()
            self._scenes[make] = self._kept(self._keeper, made)
            return made
        with self._keeper.transaction():
            for statement in known.statements:
                self._keeper.execute(statement)
        copy: Made = deepcopy(known.made)
        return copy

    def _kept(self, keeper: Connection[Any], made: object) -> _Scene:
        """Sets the rows aside that there are now, and where the sequences stand."""
        statements = []
        scene = len(self._scenes)
        for number, table in enumerate(sorted(self._filled(keeper, self._tables))):
            row = keeper.execute(_COLUMNS, [table]).fetchone()
            assert row is not None
            place = f"pg_temp.scene_{scene}_{number}"
            keeper.execute(f"create temporary table scene_{scene}_{number} as select {row[0]} from {table}")
            statements.append(
                f"insert into {table} ({row[0]}) overriding system value select {row[0]} from {place}"
            )
        keeper.execute(f"create temporary table scene_{scene}_sequences as {_SEQUENCES}")
        statements.append(f"select setval(name, last, called) from pg_temp.scene_{scene}_sequences")
        self._form = self._asked(_FORM)
        return _Scene(deepcopy(made), statements)

    def auditor(self) -> Connection[Any]:
        """A connection that reads as the auditor does; the same for all tests, so that its plans are kept."""
        if self._auditor is None or self._auditor.closed:
            self._auditor = database.connect("auditor")
            self._auditor.prepared_max = None
            self._auditor.prepare_threshold = 0
        return self._auditor

    def close(self) -> None:
        for connection in (self._keeper, self._auditor):
            if connection is not None:
                with contextlib.suppress(psycopg.Error):
                    connection.close()
        self._keeper = self._auditor = None

    def _copied(self) -> None:
        self.close()
        with psycopg.connect(self.server.dsn("postgres"), autocommit=True) as maker:
            maker.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(self.name))
            )
            embedded.create_database(maker, self.name, self.template)
        keeper = psycopg.connect(self.server.dsn(self.name), autocommit=True, prepare_threshold=0)
        # Neither the triggers that refuse changes nor foreign keys stand in the way of emptying.
        keeper.execute("set session_replication_role = replica")
        keeper.execute("set statement_timeout = '20s'")
        tables = [row[0] for row in keeper.execute(_TABLES)]
        filled = self._filled(keeper, tables)
        self._tables = [table for table in tables if table not in filled]
        self._seeded = " union all ".join(
            f"select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from {table} t"
            for table in sorted(filled)
        )
        keeper.execute(f"create temporary table sequence_at_first as {_SEQUENCES}")
        self._scenes.clear()
        self._keeper, self._used = keeper, 1
        self._form = self._asked(_FORM)
        self._seeds = self._asked(self._seeded)

    def _emptied(self, keeper: Connection[Any]) -> bool:
        """Empties it; False where more than rows was changed, or it cannot be."""
        try:
            keeper.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where datname = current_database() and pid <> all(%s)",
                (
                    [
                        pid.info.backend_pid
                        for pid in (keeper, self._auditor)
                        if pid is not None and not pid.closed
                    ],
                ),
            )
            if self._asked(_FORM) != self._form or self._asked(self._seeded) != self._seeds:
                return False
            with keeper.transaction():
                for table in self._filled(keeper, self._tables):
                    keeper.execute(f"delete from {table}")
                keeper.execute("select setval(name, last, called) from pg_temp.sequence_at_first")
        except psycopg.Error:
            return False
        return True

    def _filled(self, keeper: Connection[Any], tables: list[str]) -> set[str]:
        """The tables in which there are rows."""
        asked = " union all ".join(
            f"select '{table}' where exists (select 1 from {table})" for table in tables
        )
        return {row[0] for row in keeper.execute(asked)}

    def _asked(self, query: str) -> str:
        assert self._keeper is not None
        return repr(self._keeper.execute(query).fetchall())
