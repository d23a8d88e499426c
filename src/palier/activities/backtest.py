"""Backtests over the live history or over a file, on every core, each member whole in one process."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection, sql

from palier.activities import store, wire
from palier.activities.imports import named_sale, own_id, owner_of
from palier.activities.runtime import Runtime
from palier.engine.backtest import (
    ROUNDS,
    Carried,
    History,
    Standing,
    Threshold,
    Totals,
    Wishes,
    asked,
    backtest,
    judged_anew,
    relayed,
    share_out,
)
from palier.engine.clock import instant
from palier.engine.facts import NO_INPUTS, OWN_SOURCE, Fact, Known, decode_fact, decode_inputs
from palier.engine.observe import Looked
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.refusals import Refusal
from palier.engine.state import NEVER, decode_state
from palier.members import refs
from palier.site import database

if TYPE_CHECKING:
    from palier.connectors.files import Row

CHUNK: Final = 500
"""Members read from the database at a time."""
_MEMBERS_END: Final = 1 << 63
_PARTS_PER_CORE: Final = 8


class Judges(Struct, frozen=True):
    """A timeline that can be sent to another process: (from, until, version, document) in order."""

    spans: tuple[tuple[int, int, int, Program], ...]

    def compiled(self) -> Timeline:
        plans = {version: Plan(document, version) for _, _, version, document in self.spans}
        return Timeline([(start, until, plans[version]) for start, until, version, _ in self.spans])

    @property
    def latest(self) -> Plan:
        """The version published last."""
        _, _, version, document = max(self.spans, key=lambda span: span[2])
        return Plan(document, version)


def judges_of(program: Runtime) -> Judges:
    """The versions of a published program, as they judge."""
    documents = program.stored.documents
    return Judges(
        tuple((e.from_at, e.until_at, e.version, documents[e.version]) for e in program.stored.entries)
    )


def judges_by(document: Program) -> Judges:
    """One document that judges all of history, whenever it would take effect."""
    return Judges(((0, NEVER, 1, document),))


class Order(Struct, frozen=True):
    """What is asked of a backtest. `exact`: by the versions that judged live, compared to the last unit.

    It ends at `until`, in microseconds UTC; `cut` where activities may lie after it, which are left out then.
    `by_rule` asks for what each rule brought. `carried` and `carried_against` are what comes from other members,
    by the one program and by the other.
    """

    judges: Judges
    until: int
    threshold: Threshold | None = None
    against: Judges | None = None
    cut: bool = False
    exact: bool = False
    looked: Looked | None = None
    by_rule: bool = False
    carried: Carried | None = None
    carried_against: Carried | None = None


class FileHistory(Struct, frozen=True):
    """A file's activities by member, ready to be played, and how many rows could not be read."""

    members: list[tuple[str, list[bytes]]]
    rows: int
    unreadable: int


# --- live ---------------------------------------------------------------------------------------------


def live(
    connection: Connection[Any],
    program: Runtime,
    order: Order,
    *,
    workers: int,
    told: Callable[[int, int], None] | None = None,
) -> Totals:
    """Plays the stored history of a program and compares each member with the ledger.

    All processes read one snapshot, so that what is posted meanwhile changes nothing. Ends the connection's
    transaction. `told` is called with (parts done, parts in all) as it goes on.
    """
    connection.rollback()
    if workers <= 1:
        connection.execute("set transaction isolation level repeatable read, read only")

        def ask_here(judges: Judges, facts: dict[str, list[Fact]]) -> list[Wishes]:
            stored = _stored(connection, program.program_id, 0, _MEMBERS_END, False)
            return [asked(judges.compiled(), stored, facts, until=order.until, cut=order.cut)]

        try:
            own = _with_others(order, ask_here, 1)[0]
            ranges = list(pairwise(_edges(_PARTS_PER_CORE)))
            played = (_live_part(connection, program.program_id, own, *part) for part in ranges)
            return _added(_counted(played, len(ranges), told))
        finally:
            connection.rollback()
    connection.execute("set transaction isolation level repeatable read, read only")
    row = connection.execute("select pg_export_snapshot()").fetchone()
    assert row is not None
    ranges = list(pairwise(_edges(workers * _PARTS_PER_CORE)))

    def ask(judges: Judges, facts: dict[str, list[Fact]]) -> list[Wishes]:
        ending = order.until, order.cut
        asking = [(row[0], program.program_id, judges, facts, ending, *part) for part in ranges]
        return list(_spread(_live_wishes, asking, workers))

    try:
        orders = _with_others(order, ask, len(ranges))
        tasks = [(row[0], program.program_id, own, *part) for own, part in zip(orders, ranges, strict=True)]
        return _added(_counted(_spread(_live_task, tasks, workers), len(tasks), told))
    finally:
        connection.rollback()


def _edges(parts: int) -> list[int]:
    """Where so many parts of all members begin and end, by their ids."""
    return [number * (1 << 62) // parts for number in range(parts)] + [_MEMBERS_END]


def _counted(
    played: Iterable[Totals], parts: int, told: Callable[[int, int], None] | None
) -> Iterator[Totals]:
    for done, totals in enumerate(played, 1):
        if told is not None:
            told(done, parts)
        yield totals


def _live_wishes(
    task: tuple[str, int, Judges, dict[str, list[Fact]], tuple[int, bool], int, int],
) -> Wishes:
    snapshot, program_id, judges, facts, (until, cut), first, last = task
    with database.connect() as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        stored = _stored(connection, program_id, first, last, False)
        return asked(judges.compiled(), stored, facts, until=until, cut=cut)


def _live_task(task: tuple[str, int, Order, int, int]) -> Totals:
    snapshot, program_id, order, first, last = task
    with database.connect() as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        return _live_part(connection, program_id, order, first, last)


def _live_part(connection: Connection[Any], program_id: int, order: Order, first: int, last: int) -> Totals:
    return backtest(
        order.judges.compiled(),
        _stored(connection, program_id, first, last, order.exact),
        until=order.until,
        threshold=order.threshold,
        against=order.against.compiled() if order.against is not None else None,
        cut=order.cut,
        looked=order.looked,
        exact=order.exact,
        carried=order.carried,
        carried_against=order.carried_against,
        by_rule=order.by_rule,
    )


def _stored(
    connection: Connection[Any], program_id: int, first: int, last: int, exact: bool
) -> Iterator[History]:
    """The members with ids from `first` to before `last`, with their facts and where the ledger has them."""
    after = first - 1
    while True:
        rows = connection.execute(
            """
            -- backtest.members
            -- all members: the whole history of a program, a page of members at a time
            select p.member_id, p.state, m.attributes::text
            from progress p join member m on m.member_id = p.member_id
            where p.program_id = %s and p.member_id > %s and p.member_id < %s
            order by p.member_id limit %s
            """,
            (program_id, after, min(last, (1 << 63) - 1), CHUNK),
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield from _histories(connection, rows, exact)


def _histories(
    connection: Connection[Any], rows: Sequence[tuple[Any, ...]], exact: bool
) -> Iterator[History]:
    member_ids = [row[0] for row in rows]
    knowns: dict[int, list[Known]] = {member_id: [] for member_id in member_ids}
    attributes = {row[0]: msgspec.json.decode(row[2]) for row in rows if row[2] != "{}"}
    facts = connection.execute(
        """
        -- backtest.facts
        select a.member_id, a.activity_id, a.payload::text, a.inputs::text, a.corrects_id
        from activity a where a.member_id = any(%s)
          and (a.source <> %s or (a.corrects_id is not null and a.inputs is not null))
        order by a.member_id, a.activity_id
        """,
        (member_ids, OWN_SOURCE),
    )
    allotted: dict[int, dict[str, int]] = {}
    for member_id, activity_id, payload, stored, corrects_id in facts:
        inputs = decode_inputs(stored) if stored else NO_INPUTS
        if corrects_id is not None:
            allotted[corrects_id] = inputs.allotted
        elif not exact:
            known = Known(decode_fact(payload), inputs, activity_id)
            knowns[member_id].append(judged_anew(known, attributes.get(member_id, {})))
        else:
            knowns[member_id].append(Known(decode_fact(payload), inputs, activity_id))
    ledger = {row[0]: _settled(row[1]) for row in rows}
    moved = connection.execute(
        """
        -- backtest.moved
        -- a correction is the row it corrects with its sides changed: it counts against it
        select t.member_id, t.currency, t.kind,
          case when t.corrects_id is null then t.debit else t.credit end,
          case when t.corrects_id is null then t.credit else t.debit end,
          sum(case when t.corrects_id is null then t.amount else -t.amount end)::bigint
        from transfer t where t.member_id = any(%s) group by 1, 2, 3, 4, 5
        """,
        (member_ids,),
    )
    for member_id, currency, kind, debit, credit, amount in moved:
        ledger[member_id].moved[(currency, kind, debit, credit)] = amount
    wallets = connection.execute(
        """
        -- backtest.wallets
        select w.member_id, w.currency, w.posted, w.pending, w.held, w.debt
        from wallet w where w.member_id = any(%s)
        """,
        (member_ids,),
    )
    for member_id, currency, *amounts in wallets:
        ledger[member_id].wallets[currency] = (amounts[0], amounts[1], amounts[2], amounts[3])
    for member_id in member_ids:
        own = knowns[member_id]
        if exact and allotted:
            own = [store.re_allotted(known, allotted) for known in own]
        yield History(refs.encode(member_id), own, ledger[member_id])


def _settled(state: bytes) -> Standing:
    found = decode_state(state)
    return Standing({}, {}, found.tier.key, max(found.latest, found.due_done))


# --- a file -------------------------------------------------------------------------------------------


def from_rows(rows: Iterable[Row]) -> FileHistory:
    """Rows of a file put together by the member they name; a return stands with its sale."""
    read: list[Row] = []
    unreadable = 0
    for row in rows:
        if row.problem is None:
            read.append(row)
        else:
            unreadable += 1
    sales = {}
    if any("sale" in row.activity for row in read):
        sales = {own_id(row): owner_of(row) for row in read if "sale" not in row.activity}
    members: dict[str, list[Any]] = {}
    for row in read:
        members.setdefault(sales.get(named_sale(row)) or owner_of(row), []).append(row.activity)
    encoded = [
        (
            owner.replace("\0", ":"),
            [
                msgspec.json.encode(activities[start : start + wire.MAX_LINES])
                for start in range(0, len(activities), wire.MAX_LINES)
            ],
        )
        for owner, activities in members.items()
    ]
    return FileHistory(encoded, len(read) + unreadable, unreadable)


def over_file(history: FileHistory, order: Order, *, now: int, workers: int) -> Totals:
    """Plays a file's history. `until` 0 in the order stands for the last activity of the file.

    Rows that the program's own intake would refuse are passed over and counted.
    """
    if not order.until:
        order = msgspec.structs.replace(order, until=_last_instant(history, now))
    parts = max(1, min(workers * _PARTS_PER_CORE, len(history.members))) if workers > 1 else 1
    members = [history.members[number::parts] for number in range(parts)]

    def ask(judges: Judges, facts: dict[str, list[Fact]]) -> list[Wishes]:
        asking = [(judges, facts, (order.until, order.cut), now, part) for part in members]
        return list(_spread(_file_wishes, asking, workers))

    orders = _with_others(order, ask, parts)
    tasks = [(own, now, part) for own, part in zip(orders, members, strict=True)]
    totals = _added(_spread(_file_task, tasks, workers))
    totals.passed_over += history.unreadable
    return totals


def _last_instant(history: FileHistory, now: int) -> int:
    last = 0
    for _, bodies in history.members:
        for body in bodies:
            for item in wire.split(body):
                if not isinstance(item, Refusal):
                    last = max(last, _instant_or_zero(item.occurred_at))
    return min(last, now) or now


def _instant_or_zero(text: str) -> int:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
        return instant(moment) if moment.tzinfo is not None else 0
    except (ValueError, OverflowError):
        return 0


def _with_others(
    order: Order, ask: Callable[[Judges, dict[str, list[Fact]]], list[Wishes]], parts: int
) -> list[Order]:
    """The order for each part of the members, with what comes to it from the others.

    Facts are carried between members until nothing new comes of it, then the limits that all share are shared
    out. Played exactly, all of that is in the stored history.
    """
    if order.exact:
        return [order] * parts
    mine = _carried(order.judges, ask, parts)
    others = _carried(order.against, ask, parts) if order.against is not None else [None] * parts
    return [
        msgspec.structs.replace(order, carried=own, carried_against=other)
        for own, other in zip(mine, others, strict=True)
    ]


def _carried(
    judges: Judges, ask: Callable[[Judges, dict[str, list[Fact]]], list[Wishes]], parts: int
) -> Sequence[Carried | None]:
    plans = [plan for _, _, plan in judges.compiled().spans]
    if not any(plan.shares or plan.relays for plan in plans):
        return [None] * parts
    facts: dict[str, list[Fact]] = {}
    wished: list[Wishes] = []
    for _ in range(ROUNDS):
        wished = ask(judges, facts)
        brought = relayed([message for part in wished for message in part.messages])
        if brought == facts:
            break
        facts = brought
    return [Carried(facts, shares) for shares in share_out(wished)]


def _file_wishes(
    task: tuple[Judges, dict[str, list[Fact]], tuple[int, bool], int, list[tuple[str, list[bytes]]]],
) -> Wishes:
    judges, facts, (until, cut), now, members = task
    timeline = judges.compiled()
    read = _FileMembers(timeline, judges.latest.program.key, now, members)
    return asked(timeline, read.histories(), facts, until=until, cut=cut)


class _FileMembers:
    """Members of a file, read into facts; `refused` counts the rows that the intake would refuse."""

    def __init__(
        self, timeline: Timeline, key: str, now: int, members: list[tuple[str, list[bytes]]]
    ) -> None:
        self.timeline, self.key, self.now, self.members = timeline, key, now, members
        self.refused = 0

    def histories(self) -> Iterator[History]:
        """Each member with his facts, each once."""
        for member, bodies in self.members:
            seen = set()
            knowns = []
            for body in bodies:
                for item in wire.split(body):
                    read = (
                        item
                        if isinstance(item, Refusal)
                        else wire.to_fact(item, self.timeline, self.key, now=self.now)
                    )
                    if isinstance(read, Refusal) or (read.fact.source, read.fact.id) in seen:
                        self.refused += 1
                        continue
                    seen.add((read.fact.source, read.fact.id))
                    plan = self.timeline.at(read.fact.at)
                    draws = plan is not None and plan.draws(read.fact)
                    knowns.append(judged_anew(Known(read.fact), {}) if draws else Known(read.fact))
            yield History(member, knowns)


def _file_task(task: tuple[Order, int, list[tuple[str, list[bytes]]]]) -> Totals:
    order, now, members = task
    timeline = order.judges.compiled()
    read = _FileMembers(timeline, order.judges.latest.program.key, now, members)
    totals = backtest(
        timeline,
        read.histories(),
        until=order.until,
        threshold=order.threshold,
        against=order.against.compiled() if order.against is not None else None,
        cut=order.cut,
        looked=order.looked,
        carried=order.carried,
        carried_against=order.carried_against,
        by_rule=order.by_rule,
    )
    totals.passed_over += read.refused
    return totals


# --- processes ----------------------------------------------------------------------------------------


def _spread(work: Any, tasks: Sequence[Any], workers: int) -> Iterator[Any]:
    """What each task gives, in the order of the tasks."""
    if workers <= 1 or len(tasks) == 1:
        yield from map(work, tasks)
        return
    # Not forked: this process may run threads, and its connections are its own.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(tasks)), _quiet_collector) as pool:
        yield from pool.imap(work, tasks)


def _quiet_collector() -> None:
    """Facts and standings are trees that die by themselves: looking for cycles among them would find none."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def _added(parts: Iterable[Totals]) -> Totals:
    totals = Totals()
    for part in parts:
        totals.merge(part)
    return totals


__all__ = ["FileHistory", "Judges", "Order", "from_rows", "judges_by", "judges_of", "live", "over_file"]
