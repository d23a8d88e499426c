"""The product as the benches run it: databases of its own on the benches' server, and the served platform.

One database is migrated, given the benches' program and its members, and kept; every measure works on a copy
of it. Settings are the product's own, with one exception: the limit of requests a second for one key is
lifted, for the load comes with one key.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from psycopg import sql

from bench import data
from palier.activities import batch, wire
from palier.activities.runtime import Runtime, runtime
from palier.engine.program import Program
from palier.insights.operations import count_all
from palier.members.operations import NewMember, enrol
from palier.members.queries import hashed
from palier.programs import files
from palier.programs.operations import publish
from palier.site import clock, ids
from palier.site.database import connect
from palier.site.environment import environment
from palier.staff.operations import create_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from palier.site import embedded

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = 100_000
"""Members enrolled, as many as the floors have balances."""
TEMPLATE = "bench_template"
COPY = "bench_copy"
_STEP = 0x1D872B41C5A3F7
"""Odd and large: what is added to a member's id to make that of his double, scattered like any other id."""


def program() -> Program:
    """The benches' program: five rules, three tiers, caps, lots by month."""
    read = files.read(ROOT / "bench" / "program.yaml")
    if read.program is None:
        raise SystemExit("bench/program.yaml is not sound: " + "; ".join(str(item) for item in read.problems))
    return read.program


def larger_program() -> Program:
    """The same with twenty rules: fifteen campaigns by shop, category, day and basket, as shops have them."""
    small = msgspec.to_builtins(program())
    name = {"en": "Campaign", "fr": "Campagne"}
    rule = {"name": name, "on": "sale", "currency": "points"}
    more: list[dict[str, Any]] = []
    for number in range(5):
        shop = {"field": "location", "is": f"shop-{number}"}
        more.append({**rule, "key": f"shop_{number}", "when": shop, "fixed": "5"})
    for category in data.CATEGORIES:
        only = {"field": "category", "in": [category]}
        more.append(
            {
                **rule,
                "key": f"more_{category.lower()}",
                "per_spend": {"points": "1", "every": "10.00"},
                "lines": only,
            }
        )
    for number, day in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday")):
        when = {
            "all": [
                {"field": "weekday", "is": day},
                {"field": "amount", "at_least": f"{20 * number + 20}.00"},
            ]
        }
        more.append({**rule, "key": f"basket_{day}", "when": when, "fixed": "15"})
    return msgspec.convert({**small, "rules": [*small["rules"], *more]}, Program)


def program_with_mechanics() -> Program:
    """The twenty rules, and three goals and a streak that every sale moves."""
    larger = msgspec.to_builtins(larger_program())
    name = {"en": "Goal", "fr": "Objectif"}
    gives = [{"currency": "points", "points": "50"}]

    def steps(*thresholds: str) -> list[dict[str, Any]]:
        return [{"at": at, "name": name, "grants": gives} for at in thresholds]

    goals: list[dict[str, Any]] = [
        {
            "key": "card",
            "name": name,
            "kind": "stamp_card",
            "when": {"field": "amount", "at_least": "5.00"},
            "repeat": True,
            "most_per_day": 2,
            "steps": steps("10"),
        },
        {
            "key": "trail",
            "name": name,
            "measure": "spend",
            "window": {"kind": "each", "period": "year"},
            "steps": steps("100", "250", "500", "1000", "2500"),
        },
        {
            "key": "greengrocer",
            "name": name,
            "kind": "challenge",
            "measure": "units",
            "lines": {"field": "category", "is": "PRODUCE"},
            "window": {"kind": "each", "period": "month"},
            "steps": steps("5", "15"),
        },
    ]
    weekly = {
        "key": "weekly",
        "name": name,
        "on": ["sale"],
        "period": "week",
        "zone": "program",
        "steps": [{"at": 4, "grants": gives}],
    }
    return msgspec.convert({**larger, "goals": goals, "streaks": [weekly]}, Program)


def recently(days: float = 2) -> datetime:
    """An instant some days ago: activities dated from here on are neither in the future nor due at once."""
    return datetime.now(UTC) - timedelta(days=days)


# --- databases ------------------------------------------------------------------------------------------


@contextmanager
def fresh(server: embedded.Server, members: int = MEMBERS, name: str = COPY) -> Iterator[None]:
    """A database of its own for the length of a block, which this process and those it starts work on.

    Within another such block the inner one is worked on; connections made before stay with theirs.
    """
    with _here(server):
        template = _template(server, members)
        _work_on(name)
        with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
            _drop(connection, name)
            connection.execute(
                sql.SQL("create database {} owner palier_owner template {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        try:
            yield
        finally:
            with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
                _drop(connection, name)


@contextmanager
def standing(
    server: embedded.Server, name: str, published: Program, make: Callable[[], None], *of: str
) -> Iterator[None]:
    """As `fresh`, of a database that is there for the next time too: made by `make` of one with a program alone.

    Made anew when tables, the benches' program, or these files of the benches changed.
    """
    with _here(server):
        wanted = _digest(*of)
        with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
            there = _comment(connection, name) == wanted
        if there:
            _work_on(name)
        else:
            _begin(server, name, published)
            make()
            with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
                _say(connection, name, wanted)
        yield


@contextmanager
def _here(server: embedded.Server) -> Iterator[None]:
    """The platform's environment is this server's for the length of a block."""
    kept = {
        name: os.environ.get(name)
        for name in ("PALIER_DATA_DIR", "PALIER_DATABASE_NAME", "PALIER_DATABASE_URL")
    }
    os.environ["PALIER_DATA_DIR"] = str(server.directory)
    os.environ.pop("PALIER_DATABASE_URL", None)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        environment.cache_clear()


def _work_on(name: str) -> None:
    os.environ["PALIER_DATABASE_NAME"] = name
    environment.cache_clear()


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _digest(*more: str) -> str:
    """Of what a database of the benches is made: tables, program, and more files of bench/ by their names."""
    content = sha256((ROOT / "bench" / "program.yaml").read_bytes())
    for path in sorted((ROOT / "src" / "palier").glob("*/migrations/*.py")):
        content.update(path.read_bytes())
    for name in more:
        content.update((ROOT / "bench" / name).read_bytes())
    return content.hexdigest()


def _comment(connection: psycopg.Connection[Any], name: str) -> str:
    """What is written at a database of the server; "" where there is none."""
    row = connection.execute(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", [name]
    ).fetchone()
    return row[0] or "" if row is not None else ""


def _say(connection: psycopg.Connection[Any], name: str, digest: str) -> None:
    connection.execute(
        sql.SQL("comment on database {} is {}").format(sql.Identifier(name), sql.Literal(digest))
    )


def _begin(server: embedded.Server, name: str, published: Program) -> int:
    """Makes a database with that program and nothing else, which is worked on; the program's id."""
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        _drop(connection, name)
        connection.execute(
            sql.SQL("create database {} owner palier_owner template template0 encoding 'UTF8'").format(
                sql.Identifier(name)
            )
        )
    _work_on(name)
    subprocess.run([sys.executable, "-m", "palier", "migrate"], check=True, stdout=subprocess.DEVNULL)
    with connect() as connection:
        version = publish(connection, published, now=clock.now(), published_by="bench")
        connection.commit()
    return version.program_id


def _template(server: embedded.Server, members: int) -> str:
    """The name of the database with program and members; made anew when its tables or the program changed."""
    digest = _digest("instance.py")
    name = f"{TEMPLATE}_{members}"
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        if _comment(connection, name) == digest:
            return name
    program_id = _begin(server, name, program())
    with connect() as connection:
        now = clock.now()
        for start in range(0, members, 5000):
            enrol_members(connection, program_id, range(start, min(start + 5000, members)), now)
        # Otherwise the worker of each measure would begin by counting all these members.
        found = runtime(connection, "bench")
        assert found is not None
        connection.commit()
        count_all(connection, found, now=now)
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        _say(connection, name, digest)
    return name


def enrol_members(
    connection: psycopg.Connection[Any], program_id: int, numbers: Iterable[int], now: int
) -> None:
    """Enrols the synthetic members of these numbers, by the product's own operation; commits."""
    new = [NewMember({"external_id": data.member(number)}, enrolled_at=now) for number in numbers]
    enrol(connection, program_id, new, now=now)
    connection.commit()


# --- in this process ------------------------------------------------------------------------------------


class Desk:
    """Applies sales in this process, on one connection, as the intake does: read, judge, write, commit."""

    def __init__(self) -> None:
        self.connection = connect()
        ids.take_node(self.connection)
        found = runtime(self.connection, "bench")
        assert found is not None
        self.connection.commit()
        self.program: Runtime = found

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def apply(self, bodies: Sequence[bytes], *, history: bool = False) -> int:
        """Applies the activities of some bodies as one batch; how many there were. Ends the run on a refusal."""
        now = clock.now()
        lines = [
            wire.to_fact(item, self.program.timeline, self.program.key, now=now)
            if isinstance(item, wire.WireActivity)
            else item
            for body in bodies
            for item in wire.split(body)
        ]
        results = batch.apply(self.connection, self.program, lines, now=now, history=history)
        for result in results:
            if result.status != "applied":
                raise SystemExit(f"An activity of the bench was not applied: {result}")
        return len(results)


def bodies(sales: Iterable[dict[str, Any]]) -> list[bytes]:
    """Each sale as a body of its own."""
    return [msgspec.json.encode(sale) for sale in sales]


KEPT = ("member", "progress", "wallet", "lot", "activity", "transfer", "activity_claim")
"""Tables of which every member has rows."""


def keep(server: embedded.Server, tables: Sequence[str] = KEPT) -> None:
    """Keeps a copy of every member with all that these tables store of him, to make doubles from."""
    with psycopg.connect(server.dsn(os.environ["PALIER_DATABASE_NAME"])) as connection:
        connection.execute("create schema kept")
        for table in tables:
            connection.execute(f"create table kept.{table} as select * from {table}".encode())


def external_id(_: str, number: int) -> str:
    """The external id of the member of that number."""
    return data.member(number)


@contextmanager
def doubled(
    server: embedded.Server,
    members: int,
    doubles: range,
    tables: Sequence[str] = KEPT,
    kinds: Sequence[str] = ("external_id",),
    identity: Callable[[str, int], str] = external_id,
) -> Iterator[None]:
    """Gives every kept member (there are `members`) doubles of these numbers, with all that is stored of him.

    They are there, in one commit, when the block ends. The double of number n of member m is member
    n * members + m, and `identity` says what finds it. Foreign keys and triggers are passed over: what is copied has
    passed them. The doubles' transfers are not queued for the sealer.
    """
    with psycopg.connect(server.dsn(os.environ["PALIER_DATABASE_NAME"])) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set synchronous_commit = off")
        for table in tables:
            names = [
                row[0]
                for row in connection.execute(
                    "select column_name from information_schema.columns"
                    " where table_schema = 'public' and table_name = %s",
                    [table],
                )
            ]
            changed = {"member_id": "((member_id + n * %s::numeric) %% 4611686018427387904)::bigint"}
            if table in ("activity", "activity_claim"):
                changed["external_id"] = "external_id || '~' || n"
            taken = ", ".join(changed.get(name, name) for name in names)
            statement = (
                f"insert into {table} ({', '.join(names)}) select {taken}"
                f" from kept.{table} cross join generate_series(%s::bigint, %s) as n order by n"
            )
            connection.execute(statement.encode(), [_STEP, doubles.start, doubles.stop - 1])
        rows = connection.execute(
            "select value_hash, member_id, program_id from identity"
            " where member_id in (select member_id from kept.member)"
        ).fetchall()
        owner = {bytes(row[0]): row[1:] for row in rows}
        with connection.cursor().copy(
            "copy identity (value_hash, member_id, program_id, kind, created_at) from stdin"
        ) as copy:
            at = datetime.now(UTC)
            for number in range(members):
                member_id, program_id = owner[hashed(kinds[0], identity(kinds[0], number))]
                for double in doubles:
                    own = (member_id + double * _STEP) % (1 << 62)
                    for kind in kinds:
                        value = hashed(kind, identity(kind, double * members + number))
                        copy.write_row((value, own, program_id, kind, at))
        yield


def settle(server: embedded.Server) -> None:
    """Vacuum, statistics and a checkpoint, so that none of them falls into a measure."""
    with psycopg.connect(server.dsn(os.environ["PALIER_DATABASE_NAME"]), autocommit=True) as connection:
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")


# --- served ---------------------------------------------------------------------------------------------


class Served:
    """A platform that serves: its address, and a key with all rights to what benches call."""

    def __init__(self, address: str, token: str, pid: int) -> None:
        self.address = address
        self.headers = {"Authorization": f"Bearer {token}"}
        self.pid = pid


@contextmanager
def served() -> Iterator[Served]:
    """`palier serve` on a free port of the loopback, on the database of the block around; ended with it."""
    with connect() as connection:
        found = runtime(connection, "bench")
        assert found is not None
        rights = ("activities:write", "members:read", "rewards:read")
        key = create_key(connection, found.program_id, name="bench", rights=rights, now=clock.now())
        connection.commit()
    port = free_port()
    command = [sys.executable, "-m", "palier", "serve", "--port", str(port)]
    with running(command, port, {"PALIER_API_RATE": "1000000000"}) as process:
        yield Served(f"http://127.0.0.1:{port}", key.token, process.pid)


def free_port() -> int:
    """A port of the loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(command: Sequence[str], port: int, more: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that serves on a port, ended at the end of the block."""
    # The product of this checkout, whichever is installed.
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    environment_of_it = {**os.environ, "PYTHONPATH": path, **more}
    process = subprocess.Popen(command, cwd=ROOT, env=environment_of_it, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)} did not start; see its output above.") from None
                time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


class Watch:
    """Samples a number beside a measure, in a thread with its own connection."""

    def __init__(self, query: str, every_s: float = 0.25) -> None:
        self.samples: list[tuple[float, int]] = []
        self._query = query.encode()
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        with connect(autocommit=True) as connection:
            while not self._ended.is_set():
                row = connection.execute(self._query).fetchone()
                assert row is not None
                self.samples.append((time.perf_counter(), int(row[0])))
                self._ended.wait(self._every_s)
