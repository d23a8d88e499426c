"""The product's benches: each a function of the conditions that returns one value per round.

A measure is registered under its name in MEASURES; `targets.py` says what it is compared with. Values are
rates per second, or milliseconds where the target says so. Each works on its own copy of a database with
100,000 members (instance.py); what is served is `palier serve`, whole: web process, worker and sealer.

How much is stored before a measure follows the conditions: quick, normal or full (SIZES).
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bench import crowd, data, instance, load, shelves, visits
from palier.activities import wire
from palier.activities.imports import import_rows
from palier.activities.runtime import runtime
from palier.connectors.files import Reader
from palier.engine import backtest as engine_backtest
from palier.engine.clock import instant
from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.facts import Known
from palier.engine.plan import Plan, Timeline
from palier.engine.state import NEVER
from palier.members import refs
from palier.rewards import operations
from palier.site import clock
from palier.site.database import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.floors import Conditions
    from palier.engine.program import Program

AS_MANY_AS = 15_000
"""More requests a second than will be answered: bodies made for each second of a round."""


class Size(msgspec.Struct, frozen=True):
    """How much is stored before a measure: activities (at two sizes, ten times apart), members with wallets to
    read, members of whom some visit their pages, lots that lapse over all rounds (as many as will expire in a round
    of usual length if that is more), rewards in the catalogue.
    """

    stored: int
    readers: int
    visited: int
    due_lots: int
    rewards: int


SIZES = {
    "quick": Size(20_000, 2_000, 20_000, 0, 20_000),
    "normal": Size(100_000, 20_000, 100_000, 0, 300_000),
    "full": Size(1_000_000, 100_000, 1_000_000, 1_000_000, 300_000),
}


def size(conditions: Conditions) -> Size:
    """`full` where PALIER_BENCH_FULL is set, else by the length of rounds."""
    if os.environ.get("PALIER_BENCH_FULL"):
        return SIZES["full"]
    return SIZES["normal" if conditions.seconds >= 3 else "quick"]


Shared = TypeVar("Shared")


def _once(measure: Callable[[Conditions], Shared]) -> Callable[[Conditions], Shared]:
    """What several measures share is run once; where it failed, each of them fails of the same."""
    outcomes: dict[Conditions, Shared | Exception | SystemExit] = {}

    @wraps(measure)
    def shared(conditions: Conditions) -> Shared:
        if conditions not in outcomes:
            try:
                outcomes[conditions] = measure(conditions)
            except (Exception, SystemExit) as error:
                outcomes[conditions] = error
        outcome = outcomes[conditions]
        if isinstance(outcome, Exception | SystemExit):
            raise outcome
        return outcome

    return shared


class _Till:
    """Sales that go on from round to round: new ids, later instants."""

    def __init__(self, members: int = instance.MEMBERS, *, prefix: str = "r", **options: Any) -> None:
        self.members = members
        self.prefix = prefix
        self.options = options
        self.round = 0
        self.at = instance.recently()

    def sales(self, count: int) -> Iterator[dict[str, Any]]:
        self.round += 1
        begun, self.at = self.at, self.at + timedelta(milliseconds=2 * count)
        return data.sales(
            count, members=self.members, seed=self.round, lines=2, start=begun, step_ms=2,
            prefix=f"{self.prefix}{self.round}", **self.options,
        )  # fmt: skip

    def bodies(self, count: int) -> list[bytes]:
        return instance.bodies(self.sales(count))


# --- HTTP intake ----------------------------------------------------------------------------------------


def _clean(result: load.Result) -> load.Result:
    if not result.clean:
        raise SystemExit(f"The product did not answer all requests with success: {result}")
    return result


@_once
def _single(conditions: Conditions) -> list[tuple[load.Result, load.Result]]:
    """One activity a request, at 64 and then at 256 connections, in each round, on one served instance."""
    rounds = []
    till = _Till()
    with instance.fresh(conditions.server), instance.served() as platform:
        for _ in range(conditions.rounds):
            results = []
            for connections in (64, 256):
                results.append(
                    _clean(
                        load.run(
                            f"{platform.address}/v1/activities",
                            till.bodies(round(AS_MANY_AS * (conditions.seconds + 0.5))),
                            connections,
                            seconds=conditions.seconds,
                            headers=platform.headers,
                            count_in_body=b'"status":"applied"',
                        )
                    )
                )
            for result in results:
                if result.found < result.requests:
                    raise SystemExit(f"Not every activity was applied: {result}")
            rounds.append((results[0], results[1]))
    return rounds


def http_single(conditions: Conditions) -> list[float]:
    """HTTP intake, one activity a request, 64 connections, durable before the reply; activities a second."""
    return [at_64.rate for at_64, _ in _single(conditions)]


def http_single_p99_64(conditions: Conditions) -> list[float]:
    """p99 of the HTTP intake at 64 connections, saturated, in ms."""
    return [at_64.p99 for at_64, _ in _single(conditions)]


def http_single_p99_256(conditions: Conditions) -> list[float]:
    """p99 of the HTTP intake at 256 connections, saturated, in ms."""
    return [at_256.p99 for _, at_256 in _single(conditions)]


def http_one_transaction(conditions: Conditions) -> list[float]:
    """The product's batch of one, one transaction a request, 16 connections to the database; 64 clients."""
    till = _Till()
    port = instance.free_port()
    command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--loop", "uvloop", "--workers", "1",
               "--no-access-log", "--log-level", "error", "--port", str(port), "bench.one_transaction:app"]  # fmt: skip

    def once(_: int) -> float:
        bodies = till.bodies(round(AS_MANY_AS / 3 * (conditions.seconds + 0.5)))
        return _clean(load.run(f"http://127.0.0.1:{port}/", bodies, 64, seconds=conditions.seconds)).rate

    with instance.fresh(conditions.server), instance.running(command, port, {}):
        return conditions.repeat(once)


def http_batch(conditions: Conditions) -> list[float]:
    """HTTP intake, batches of 500 activities on 4 connections; activities a second."""
    till = _Till()

    def once(_: int) -> float:
        # So many and no more, instead of so long: in a short time whole batches would be counted too coarsely.
        sales = list(till.sales(500 * round(8 + 10 * conditions.seconds)))
        bodies = [msgspec.json.encode(sales[start : start + 500]) for start in range(0, len(sales), 500)]
        result = _clean(
            load.run(
                f"{platform.address}/v1/activities", bodies, 4, headers=platform.headers,
                count_in_body=b'"status":"applied"',
            )
        )  # fmt: skip
        if result.found < 500 * result.requests:
            raise SystemExit(f"Not every activity was applied: {result}")
        return 500 * result.rate

    with instance.fresh(conditions.server), instance.served() as platform:
        return conditions.repeat(once)


# --- import ---------------------------------------------------------------------------------------------


def import_file(conditions: Conditions) -> list[float]:
    """Import of a JSON Lines or CSV file, full work, as many processes as cores; ten rows a member."""
    count = round(10_000 * conditions.seconds)
    till = _Till(count // 10)

    def once(_: int) -> float:
        with (
            tempfile.TemporaryDirectory() as folder,
            instance.fresh(conditions.server),
            connect() as connection,
        ):
            path = Path(folder) / "sales.csv"
            _write_csv(path, till.sales(count))
            found = runtime(connection, "bench")
            assert found is not None
            connection.commit()
            started = time.perf_counter()
            reader = Reader(path, time_zone="Europe/Paris")
            summary = import_rows(
                connection, found, reader, clock=clock.now, name=path.name, sha256=str(till.round),
                workers=os.cpu_count() or 1,
            )  # fmt: skip
            spent = time.perf_counter() - started
            if summary.applied != count:
                raise SystemExit(f"Not every activity of the file was applied: {summary}")
            return count / spent

    return conditions.repeat(once)


def _write_csv(path: Path, sales: Iterator[dict[str, Any]]) -> None:
    """One row a sale, its lines as JSON text."""
    import csv

    fields = ("source", "id", "type", "occurred_at", "amount", "currency", "channel", "location")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*fields, "member.external_id", "lines"))
        for sale in sales:
            lines = msgspec.json.encode(sale["lines"]).decode()
            writer.writerow((*(sale[name] for name in fields), sale["member"]["external_id"], lines))


# --- engine ---------------------------------------------------------------------------------------------


def _timeline(program: Program) -> Timeline:
    return Timeline([(0, NEVER, Plan(program, 1))])


def _histories(timeline: Timeline, count: int, seed: int = 1) -> list[engine_backtest.History]:
    """`count` sales of fifty days, a hundred for each member, as facts."""
    members = max(1, count // 100)
    begun = instance.recently(60)
    step_ms = 50 * 86_400_000 // count
    now = clock.now()
    histories: dict[str, list[Known]] = {}
    for sale in data.sales(count, members=members, seed=seed, lines=2, start=begun, step_ms=step_ms):
        (line,) = wire.split(msgspec.json.encode(sale))
        assert isinstance(line, wire.WireActivity)
        read = wire.to_fact(line, timeline, "bench", now=now)
        assert isinstance(read, wire.Read), read
        histories.setdefault(sale["member"]["external_id"], []).append(Known(read.fact))
    return [engine_backtest.History(member, knowns) for member, knowns in histories.items()]


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """What is there now is left out of garbage collection, as the product's own processes do."""
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _played(
    timeline: Timeline,
    histories: Sequence[engine_backtest.History],
    seconds: float,
    clock_s: Callable[[], float] = time.process_time,
) -> float:
    """Activities backtested a second, over whole passes of at least `seconds`."""
    until = instant(instance.recently(1))
    done = 0
    started = clock_s()
    while True:
        done += engine_backtest.backtest(timeline, histories, until=until).activities
        spent = clock_s() - started
        if spent >= seconds:
            return done / spent


def backtest(conditions: Conditions) -> list[float]:
    """Backtest in memory, one core: decisions, traces, wallets, totals; activities a second of processor time."""
    timeline = _timeline(instance.program())
    histories = _histories(timeline, round(10_000 * conditions.seconds))
    with _quiet_collector():
        return conditions.repeat(lambda _: _played(timeline, histories, conditions.seconds / 2))


def backtest_all_cores_per_core(conditions: Conditions) -> list[float]:
    """The same on all cores at once, one process each with its own members; activities a second and core."""
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        barrier = manager.Barrier(cores, timeout=60)
        with context.Pool(cores) as pool:
            parts = [(number, barrier, conditions.rounds, conditions.seconds) for number in range(cores)]
            rates = pool.starmap(_part, parts, chunksize=1)
    return [sum(of_all) / cores for of_all in zip(*rates, strict=True)]


def _part(number: int, barrier: Any, rounds: int, seconds: float) -> list[float]:
    timeline = _timeline(instance.program())
    histories = _histories(timeline, round(10_000 * seconds), seed=number)
    rates = []
    with _quiet_collector():
        for _ in range(rounds):
            barrier.wait()
            rates.append(_played(timeline, histories, seconds / 2, time.perf_counter))
    return rates


@_once
def _engines(conditions: Conditions) -> list[tuple[float, float, float]]:
    """Five rules, twenty, and twenty with mechanics, in turn."""
    programs = (instance.program(), instance.larger_program(), instance.program_with_mechanics())
    timelines = [_timeline(program) for program in programs]
    histories = _histories(timelines[0], round(5_000 * conditions.seconds))
    rounds = []
    with _quiet_collector():
        for _ in range(conditions.rounds):
            five, twenty, mechanics = (
                _decided(timeline, histories, conditions.seconds / 2) for timeline in timelines
            )
            rounds.append((five, twenty, mechanics))
    return rounds


def _decided(timeline: Timeline, histories: Sequence[engine_backtest.History], seconds: float) -> float:
    done = 0
    started = time.process_time()
    while True:
        for history in histories:
            fold = Fold(timeline)
            for known in history.knowns:
                if not isinstance(fold.decide(known), Decision):
                    raise SystemExit("The engine refused an activity of the bench.")
            done += len(history.knowns)
        spent = time.process_time() - started
        if spent >= seconds:
            return done / spent


def engine_5_rules(conditions: Conditions) -> list[float]:
    """The engine alone, five rules; decisions a second of processor time."""
    return [five for five, _, _ in _engines(conditions)]


def engine_20_rules(conditions: Conditions) -> list[float]:
    """The engine alone, the same five rules and fifteen campaigns; decisions a second of processor time."""
    return [twenty for _, twenty, _ in _engines(conditions)]


def engine_mechanics(conditions: Conditions) -> list[float]:
    """The engine alone, twenty rules, three goals and a streak that every sale moves; decisions a second."""
    return [mechanics for _, _, mechanics in _engines(conditions)]


def backtest_mechanics(conditions: Conditions) -> list[float]:
    """Backtest in memory, one core, of the same twenty rules, three goals and a streak; activities a second."""
    timeline = _timeline(instance.program_with_mechanics())
    histories = _histories(timeline, round(5_000 * conditions.seconds))
    with _quiet_collector():
        return conditions.repeat(lambda _: _played(timeline, histories, conditions.seconds / 2))


# --- intake by what is stored and who comes -------------------------------------------------------------

TOGETHER = 64
"""Activities in a batch of the measures below: what 64 connections bring."""


def _applied(conditions: Conditions, desk: instance.Desk, till: _Till) -> float:
    """Activities a second through reading, deciding, writing and commit, in this process; a tenth to warm up."""
    prepared = till.bodies(round(6_000 * conditions.seconds))
    groups = [prepared[start : start + TOGETHER] for start in range(0, len(prepared), TOGETHER)]
    warm = len(groups) // 10
    for group in groups[:warm]:
        desk.apply(group)
    done = 0
    started = time.perf_counter()
    for group in groups[warm:]:
        done += desk.apply(group)
        if time.perf_counter() - started >= conditions.seconds:
            break
    return done / (time.perf_counter() - started)


@contextmanager
def _stored(conditions: Conditions, stored: int) -> Iterator[tuple[instance.Desk, _Till]]:
    """A desk on a database with so many activities, ten of each member, most of them doubles of a played part."""
    members = max(100, size(conditions).stored // 100)
    times = stored // (10 * members) - 1
    with instance.fresh(conditions.server, members, f"bench_{stored}"), instance.Desk() as desk:
        past = list(
            data.sales(
                10 * members,
                members=members,
                lines=2,
                start=instance.recently(60),
                step_ms=100,
                prefix="past",
            )
        )
        for start in range(0, len(past), 1000):
            desk.apply([msgspec.json.encode(past[start : start + 1000])], history=True)
        instance.keep(conditions.server)
        with instance.doubled(conditions.server, members, range(1, times + 1)):
            pass
        instance.settle(conditions.server)
        yield desk, _Till(members * (times + 1))


@_once
def _by_size(conditions: Conditions) -> list[tuple[float, float]]:
    """Both sizes in turn, so that what else the machine does falls on both."""
    small = size(conditions).stored
    with _stored(conditions, small) as less, _stored(conditions, 10 * small) as more, _quiet_collector():
        return [(_applied(conditions, *less), _applied(conditions, *more)) for _ in range(conditions.rounds)]


def intake_at_1m(conditions: Conditions) -> list[float]:
    """Batches of 64 in this process, 1 M activities stored (quick 20 k, normal 100 k); activities a second."""
    return [less for less, _ in _by_size(conditions)]


def intake_at_10m(conditions: Conditions) -> list[float]:
    """The same with ten times as many activities and members stored; activities a second."""
    return [more for _, more in _by_size(conditions)]


@_once
def _by_members(conditions: Conditions) -> list[tuple[float, float, float]]:
    """The three ways of drawing members in turn, on one database."""
    # One clock for all, so that nothing comes late for what another way of drawing has brought.
    till = _Till()
    ways: tuple[tuple[str, dict[str, Any]], ...] = (
        ("even", {}),
        ("zipf", {"zipf": 1.0}),
        ("one", {"partner": "harbour"}),
    )
    with instance.fresh(conditions.server), instance.Desk() as desk, _quiet_collector():
        rounds = []
        for _ in range(conditions.rounds):
            rates = []
            for till.prefix, till.options in ways:
                rates.append(_applied(conditions, desk, till))
            even, zipf, one = rates
            rounds.append((even, zipf, one))
        return rounds


def intake_uniform(conditions: Conditions) -> list[float]:
    """Batches of 64 in this process, members drawn evenly of 100,000; activities a second."""
    return [even for even, _, _ in _by_members(conditions)]


def intake_zipf(conditions: Conditions) -> list[float]:
    """The same, members by Zipf's law (exponent 1): one in twelve activities is of the same member."""
    return [zipf for _, zipf, _ in _by_members(conditions)]


def intake_one_partner(conditions: Conditions) -> list[float]:
    """The same, members drawn evenly, all activities of one partner."""
    return [one for _, _, one in _by_members(conditions)]


# --- reads ----------------------------------------------------------------------------------------------


def wallet_read(conditions: Conditions) -> list[float]:
    """GET of a member's wallets over HTTP, 64 connections, each request another member; reads a second."""
    with instance.fresh(conditions.server), instance.Desk() as desk:
        till = _Till(size(conditions).readers)
        sales = list(till.sales(size(conditions).readers))
        for start in range(0, len(sales), 1000):
            desk.apply([msgspec.json.encode(sales[start : start + 1000])])
        rows = desk.connection.execute("select member_id from wallet").fetchall()
        desk.connection.commit()
        members = [refs.encode(row[0]) for row in rows]

        def once(number: int) -> float:
            draw = Random(number)
            count = round(AS_MANY_AS * (conditions.seconds + 0.5))
            paths = [f"/v1/members/{draw.choice(members)}/wallets" for _ in range(count)]
            return _clean(
                load.run(
                    platform.address,
                    paths=paths,
                    connections=64,
                    seconds=conditions.seconds,
                    headers=platform.headers,
                )
            ).rate

        with instance.served() as platform:
            return conditions.repeat(once)


# --- the catalogue --------------------------------------------------------------------------------------

BROWSERS = 4
"""Connections that browse at a time, each asking again as soon as it is answered."""


def browse_p95(conditions: Conditions) -> list[float]:
    """p95 of pages of the catalogue over HTTP, 4 connections: filters, words in two languages, deep pages; ms."""
    with instance.fresh(conditions.server), instance.Desk() as desk:
        (currency,) = desk.program.latest.currencies
        done = operations.load(
            desk.connection, desk.program, enumerate(shelves.items(size(conditions).rewards, currency), 1),
            by="bench", reason="bench", now=clock.now,
        )  # fmt: skip
        if done.new != size(conditions).rewards:
            raise SystemExit(f"Not every reward was taken: {done}")
        instance.settle(conditions.server)

        def once(number: int) -> float:
            count = round(1000 * (conditions.seconds + 0.5))
            paths = shelves.questions(desk.connection, currency, count, number)
            desk.connection.rollback()
            result = load.run(
                platform.address,
                paths=paths,
                connections=BROWSERS,
                seconds=conditions.seconds,
                headers=platform.headers,
                count_in_body=b'"rewards":[',
            )
            return _clean(result).p95

        with instance.served() as platform:
            return conditions.repeat(once)


# --- pages of members -----------------------------------------------------------------------------------

_VISITORS = 500


@_once
def _pages(conditions: Conditions) -> list[dict[str, load.Result]]:
    """The portal's pages, each asked for by members drawn of all, on 4 connections."""
    with crowd.there(conditions.server, size(conditions).visited):
        with connect() as connection:
            rows = connection.execute(
                "-- bench.visitors\nselect member_id from member order by random() limit %s", (_VISITORS,)
            ).fetchall()
        cookies = visits.sign_in([row[0] for row in rows])

        def asked(page: str, number: int) -> load.Result:
            visitors = Random(number).choices(cookies, k=round(2_000 * (conditions.seconds + 0.5)))
            result = load.run(
                platform.address,
                paths=[visits.path(page)] * len(visitors),
                own_headers=visitors,
                connections=BROWSERS,
                seconds=conditions.seconds,
                count_in_body=b"</html>",
            )
            if result.found < result.requests:
                raise SystemExit(f"Not every visitor was shown his page: {result}")
            return _clean(result)

        with instance.served() as platform:
            return [
                {page: asked(page, number) for page in visits.PAGES} for number in range(conditions.rounds)
            ]


def pages_p50(conditions: Conditions) -> list[float]:
    """p50 of the slowest of a member's pages (home, history, rewards, card) over HTTP, 4 connections; ms."""
    return [max(result.p50 for result in pages.values()) for pages in _pages(conditions)]


def pages_p95(conditions: Conditions) -> list[float]:
    """p95 of the slowest of a member's pages over HTTP, 4 connections; ms."""
    return [max(result.p95 for result in pages.values()) for pages in _pages(conditions)]


def _page_p95(page: str) -> Callable[[Conditions], list[float]]:
    def measure(conditions: Conditions) -> list[float]:
        return [pages[page].p95 for pages in _pages(conditions)]

    measure.__doc__ = f"p95 of a member's page ({page}) over HTTP, 4 connections; ms."
    return measure


# --- expiry ---------------------------------------------------------------------------------------------

_DUE = "select count(*) from progress where due_at <= now()"
_LOTS_A_MEMBER = 2
_LOTS_A_SECOND = 30_000
"""Lots made for each second of a round. Where they expire sooner than that, the rate is that of their time."""
_LEFT_OVER_S = 120
"""How long a round waits, its intake over, for the rest of its lots before it is given up."""


@_once
def _expiry(conditions: Conditions) -> list[tuple[float, float]]:
    """Lots that lapse, by the platform's own worker, while 16 connections send activities: lots/s and p99.

    The rate is that of the time in which activities came in. What is left then expires before the next round.
    """
    members = 1_000
    seconds = max(conditions.seconds, size(conditions).due_lots / conditions.rounds / _LOTS_A_SECOND)
    doubles = max(1, round(_LOTS_A_SECOND * seconds) // (_LOTS_A_MEMBER * members))
    with instance.fresh(conditions.server, members):
        with instance.Desk() as desk:
            # Two lots each, both long lapsed: more than thirteen months old.
            for prefix, days in (("older", 510), ("old", 470)):
                sales = list(_one_each(members, prefix, days))
                desk.apply([msgspec.json.encode(sales)], history=True)
        instance.keep(conditions.server)
        till = _Till(members)
        rounds = []
        with instance.served() as platform, ThreadPoolExecutor(1) as beside:
            for number in range(conditions.rounds):
                first = 1 + number * doubles
                till.members = first * members
                bodies = till.bodies(round(AS_MANY_AS * (seconds + 0.5)))
                with instance.Watch(_DUE, 0.5) as watch:
                    with instance.doubled(conditions.server, members, range(first, first + doubles)):
                        # The worker sees the lots when the intake runs already.
                        answers = beside.submit(
                            load.run, f"{platform.address}/v1/activities", bodies, 16, seconds=seconds + 1.5,
                            headers=platform.headers,
                        )  # fmt: skip
                        time.sleep(1)
                    result = _clean(answers.result())
                rounds.append((_pace(watch.samples), result.p99))
                _wait_for_the_rest()
        return rounds


def _wait_for_the_rest() -> None:
    """Waits until nothing is due; ends the measure where that does not come about."""
    until = time.monotonic() + _LEFT_OVER_S
    with connect(autocommit=True) as connection:
        while True:
            row = connection.execute(_DUE).fetchone()
            assert row is not None
            if not row[0]:
                return
            if time.monotonic() > until:
                raise SystemExit(
                    f"{row[0]} members are still due {_LEFT_OVER_S} s after the intake's end; see the worker's log."
                )
            time.sleep(0.2)


def _one_each(members: int, prefix: str, days: int) -> Iterator[dict[str, Any]]:
    """One sale for each member, some days ago."""
    for number, sale in enumerate(
        data.sales(members, members=members, start=instance.recently(days), step_ms=100, prefix=prefix)
    ):
        yield {**sale, "member": {"external_id": data.member(number)}}


def _pace(samples: Sequence[tuple[float, int]]) -> float:
    """Lots expired a second: from the sample with most members due to the last, or to the first with none."""
    most = max(range(len(samples)), key=lambda index: samples[index][1])
    fallen = samples[most:]
    last = next((index for index, (_, due) in enumerate(fallen) if not due), len(fallen) - 1)
    (begun, due), (ended, left) = fallen[0], fallen[last]
    if not due or last < 1:
        raise SystemExit("No member of the bench was due while the intake ran.")
    return _LOTS_A_MEMBER * (due - left) / (ended - begun)


def expiry(conditions: Conditions) -> list[float]:
    """Lots expired a second by the worker while activities come in over 16 connections."""
    return [rate for rate, _ in _expiry(conditions)]


def intake_p99_during_expiry(conditions: Conditions) -> list[float]:
    """p99 of the HTTP intake on 16 connections while lots expire, in ms."""
    return [p99 for _, p99 in _expiry(conditions)]


MEASURES: dict[str, Callable[[Conditions], list[float]]] = {
    "http_single": http_single,
    "http_one_transaction": http_one_transaction,
    "http_single_p99_64": http_single_p99_64,
    "http_single_p99_256": http_single_p99_256,
    "http_batch": http_batch,
    "import": import_file,
    "backtest": backtest,
    "backtest_all_cores_per_core": backtest_all_cores_per_core,
    "engine_5_rules": engine_5_rules,
    "engine_20_rules": engine_20_rules,
    "engine_mechanics": engine_mechanics,
    "backtest_mechanics": backtest_mechanics,
    "intake_at_1m": intake_at_1m,
    "intake_at_10m": intake_at_10m,
    "wallet_read": wallet_read,
    "browse_p95": browse_p95,
    "pages_p50": pages_p50,
    "pages_p95": pages_p95,
    **{f"page_{page}_p95": _page_p95(page) for page in visits.PAGES},
    "expiry": expiry,
    "intake_p99_during_expiry": intake_p99_during_expiry,
    "intake_uniform": intake_uniform,
    "intake_zipf": intake_zipf,
    "intake_one_partner": intake_one_partner,
}
