"""The worker's timetable: due work, the seal, the exported head, and returns that wait for their sale."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import psycopg

from palier.activities import batch, delivery, devaluation, draws, due, occasions, parking, rankings, uploads
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime, runtime
from palier.connectors.suppliers.contract import Money
from palier.engine.clock import DAY
from palier.insights import operations as insights
from palier.jobs.backtests import play_next
from palier.jobs.worker import ending, periodic
from palier.ledger import seal
from palier.members import sessions
from palier.payouts import accounts
from palier.privacy import erasure
from palier.programs import queries as programs
from palier.rewards import browsing, operations, suppliers, upkeep
from palier.rewards.forwarding import Couriers
from palier.rewards.fulfilment import StoredOrders
from palier.site import clock, database, ids
from palier.site.environment import environment
from palier.staff import approvals, throttle
from palier.staff.operations import drop_old_answers
from palier.tills import shifts
from palier.vouchers import operations as vouchers
from palier.vouchers import pools

logger = logging.getLogger(__name__)

TURN_S: Final = 5.0
"""How long due work and sealing may go on before they look at the clock and at each other's programs again."""
HANDS: Final = 3
"""Chunks of due work at a time: while the database writes some, the next is decided."""

AHEAD: Final = 8
"""Chunks of due work looked up at a time: no hand waits for another in between."""

_seen_at: tuple[float, int] | None = None


class _Own(threading.local):
    connection: psycopg.Connection[Any] | None = None


_own = _Own()
_node = threading.Lock()
_node_taken = False


def _connected() -> psycopg.Connection[Any]:
    """This thread's connection, outside any transaction. A new one if the server has ended the last."""
    global _node_taken
    connection = _own.connection
    if connection is None or not _lives(connection):
        connection = _own.connection = database.connect("app")
        with _node:
            if not _node_taken:
                ids.take_node(connection)
                _node_taken = True
        connection.commit()
    return connection


def _lives(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server still answers on it. A server that ended a connection is heard only when it is asked."""
    try:
        connection.rollback()
        connection.execute("select 1")
        connection.rollback()
    except psycopg.OperationalError:
        connection.close()
        return False
    return True


def _programs(connection: psycopg.Connection[Any]) -> list[Runtime]:
    found = [runtime(connection, version.key) for version in programs.list_programs(connection)]
    connection.rollback()
    return [program for program in found if program is not None]


@periodic(every_s=1, line="due")
def due_work() -> None:
    """Posts what is due for members, unless the server's clock has jumped and nobody confirmed it."""
    connection = _connected()
    now = clock.now()
    if not clock_may_run(connection, now):
        return
    until = time.monotonic() + TURN_S
    for program in _programs(connection):
        with ThreadPoolExecutor(HANDS, thread_name_prefix="due") as hands:
            while time.monotonic() < until:
                members = due.due_members(connection, program.program_id, now, AHEAD * due.CHUNK)
                connection.rollback()
                if not members:
                    break
                members.sort()
                chunks = [members[start : start + due.CHUNK] for start in range(0, len(members), due.CHUNK)]
                list(hands.map(lambda chunk, own=program: _advance(own, chunk, now), chunks))


def _advance(program: Runtime, members: list[int], now: int) -> None:
    due.advance(_connected(), program, members, now, now=now)


def clock_may_run(connection: psycopg.Connection[Any], now: int) -> bool:
    """Whether the clock is trusted: compared with the machine's own count of passed time while running."""
    global _seen_at
    passed = time.monotonic()
    running = False
    if _seen_at is not None:
        before, then = _seen_at
        elapsed = int((passed - before) * 1_000_000)
        # Asleep is not a jump: only time that passed on the clock but not for the machine counts as one.
        running = abs((now - then) - elapsed) > due.LONGEST_JUMP
    _seen_at = (passed, now)
    standing = due.see_clock(connection, now, running=running, moved_on_purpose=clock.offset() != 0)
    if standing.stopped_at:
        logger.error(
            "the clock jumped by more than a day; due work waits until somebody runs: palier clock confirm"
        )
        return False
    return True


@periodic(every_s=0.5, line="relay")
def deliver_relayed() -> None:
    """Applies what activities of some members are for others: friends brought, halves of pairs."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        if program.latest.relays:
            while delivery.deliver(connection, program, now=now):
                pass


_kept: dict[int, int] = {}


@periodic(every_s=60)
def keep_occasions() -> None:
    """Birthdays and anniversaries of the day, and of the week before where the worker has just begun."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        today = program.at(now).clock.local(now)[0]
        for day in range(_kept.get(program.program_id, today - 7) + 1, today + 1):
            occasions.keep(connection, program, day, now=now)
            _kept[program.program_id] = day


@periodic(every_s=3600)
def commit_to_draws() -> None:
    """Fixes the seeds of this month and the next before anything is drawn from them."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        if not upkeep.commit_to_draws(connection, program, now=now) and program.latest.games:
            draws.commit_to(connection, program.program_id, program.at(now).clock, now)
            connection.commit()


@periodic(every_s=60)
def award_prizes() -> None:
    """Makes rankings that have just begun complete, and gives the prizes of periods that ended a day ago."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        if program.ranked:
            rankings.complete(connection, program, now=now)
            rankings.award_ended(connection, program, now=now)


@periodic(every_s=5)
def keep_values() -> None:
    """Gives what makes up for a lower value of points, as soon as the version that lowers it takes effect."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        devaluation.keep_values(connection, program, by="worker", now=now)


@periodic(every_s=5)
def list_what_began() -> None:
    """Lists versions of rewards that were dated and have begun, also where nobody browses."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        if browsing.begun(connection, program.program_id, now=now):
            operations.take_effect(connection, program, now=now)
        connection.commit()


@periodic(every_s=1, line="orders")
def keep_orders() -> None:
    """Ends reservations whose time is over, and gives freed places to whoever stands in line."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        upkeep.expire_due(connection, program, now=now)
        upkeep.move_lines(connection, program, now=now)


@periodic(every_s=30, line="orders")
def hand_out() -> None:
    """Makes the deliveries of the day, and draws the sweepstakes that have closed."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        upkeep.deliver(connection, program, now=now)
        upkeep.draw_sweepstakes(connection, program, now=now)


@periodic(every_s=1, line="backtests")
def play_backtests() -> None:
    """Plays the backtests that people asked for in the console, one after the other."""
    connection = _connected()
    while play_next(connection):
        pass
    connection.rollback()


@periodic(every_s=1, line="seal")
def seal_ledger() -> None:
    """Seals what was committed since into the hash chain."""
    connection = _connected()
    moment = datetime.now(UTC)
    until = time.monotonic() + TURN_S
    while seal.seal(connection, now=moment) and time.monotonic() < until:
        connection.commit()
    connection.rollback()


@periodic(every_s=1, line="insights")
def count_figures() -> None:
    """Adds what was sealed to the figures of its day, and what has just been enrolled and ordered."""
    connection = _connected()
    until = time.monotonic() + TURN_S
    for program in _programs(connection):
        while insights.count_up(connection, program, now=clock.now()) and time.monotonic() < until:
            pass


@periodic(every_s=3600)
def export_heads() -> None:
    """Writes the chain's heads to a file outside the database, where a change of history would show."""
    path = environment().directory / "heads.jsonl"
    seal.export_head(_connected(), path)


@periodic(every_s=30)
def settle_parked() -> None:
    """Applies returns whose sale has come by another way than its own batch."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        parking.settle(connection, program, now=now)


@periodic(every_s=60)
def end_approvals() -> None:
    """Ends what nobody has approved in time."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        approvals.expire(connection, program.program_id, now=now)


@periodic(every_s=60)
def end_vouchers() -> None:
    """Marks vouchers whose end has passed, and looks whether pools of codes run low."""
    connection = _connected()
    now = clock.now()
    while vouchers.expire(connection, now=now):
        connection.commit()
    for program in _programs(connection):
        pools.look_at_all(connection, program.program_id, now=now)
        connection.commit()
    connection.rollback()


@periodic(every_s=3600)
def forget_codes_and_tries() -> None:
    """Drops encrypted codes that are shown to nobody any more, and counters of failed tries that have ended."""
    connection = _connected()
    now = clock.now()
    while vouchers.forget_codes(connection, before=now - vouchers.KEPT_SEALED_FOR_DAYS * DAY):
        connection.commit()
    throttle.drop_ended(connection, now=now)
    connection.commit()


@periodic(every_s=3600)
def forget_lookups() -> None:
    """Forgets who looked whom up at tills a year ago, used codes of cards, and baskets that are over."""
    shifts.drop_old(_connected(), now=clock.now())


@periodic(every_s=3600)
def forget_bank_details() -> None:
    """Removes the bank details of members who are gone."""
    connection = _connected()
    for program in _programs(connection):
        accounts.forget_members(connection, program.program_id)
        connection.commit()


@periodic(every_s=1, line="imports")
def import_files() -> None:
    """Imports the files that people brought through the pages, one after the other."""
    connection = _connected()
    while not ending() and (upload := uploads.take_next(connection, now=clock.now())) is not None:
        uploads.run(connection, upload, clock=clock.now, ending=ending)


@periodic(every_s=3600)
def drop_old_files() -> None:
    """Removes files of imports, and their refused lines, that nobody has touched for long."""
    uploads.drop_old(_connected(), now=clock.now())


@periodic(every_s=60)
def erase_members() -> None:
    """Carries out requests to be erased that are due, and keeps their receipts outside the database."""
    connection = _connected()
    now = clock.now()
    for program in _programs(connection):
        for member_id in erasure.due(connection, program.program_id, now=now):
            connection.rollback()
            try:
                act = partial(
                    erasure.carry_out,
                    connection,
                    program,
                    member_id,
                    via="worker",
                    by=approvals.WORKER,
                    now=now,
                )
                batch.attempt(connection, act)
            except erasure.NotErased as refused:
                erasure.note_wait(connection, program.program_id, member_id, refused.code.value)
                connection.commit()
            except NotDone:
                logger.exception("a request to be erased cannot be carried out")
    erasure.export_receipts(connection, environment().directory / "erasures.jsonl")


@periodic(every_s=24 * 3600)
def forget_old_sessions() -> None:
    """Deletes sessions of members that have been over for a month, and what browsers' sessions left."""
    connection = _connected()
    while sessions.drop_old(connection, now=clock.now()):
        connection.commit()
    connection.rollback()


@periodic(every_s=24 * 3600)
def forget_old_answers() -> None:
    """Drops the stored answers of repeated calls once nobody repeats them any more."""
    connection = _connected()
    while drop_old_answers(connection, now=clock.now()):
        connection.commit()
    connection.rollback()


_couriers = Couriers(database.connect, StoredOrders())


@periodic(every_s=0.5, line="suppliers")
def send_to_suppliers() -> None:
    """Sends what waits for suppliers, each by a courier of its own; waits for none of them."""
    _couriers.begin(_connected())


@periodic(every_s=900, line="balances")
def watch_balances() -> None:
    """Asks suppliers what is left of the money paid ahead, and warns while that is low."""
    connection = _connected()
    for found in suppliers.listed(connection):
        connection.commit()
        if found.paused or found.document.calls.balance is None:
            continue
        balance = suppliers.reached(found).balance()
        if not isinstance(balance, Money):
            continue
        suppliers.note_balance(connection, found.program_id, found.key, balance, now=clock.now())
        connection.commit()
        if suppliers.is_low(found.document, balance):
            logger.warning("supplier %s of %s: the balance is low; pay more ahead", found.key, found.program)
