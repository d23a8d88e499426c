"""Reads and row-by-row writes of pay-outs and their batches: set by set, in the order of their keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.connectors.bank_files import Payer
from palier.engine.clock import instant, moment
from palier.members import refs


class Payout(Struct, frozen=True):
    """Money to be paid: `amount` in minor units of `money`, for `points` of `currency` or for an order's unit."""

    member_id: int
    payout_id: int
    program_id: int
    purpose: str
    currency: str
    points: int
    amount: int
    money: str
    state: str
    hold_source: str
    hold_id: str
    hold_activity_id: int | None
    order_id: int | None
    unit: int | None
    text: str
    sealed: bytes | None
    last4: str
    country: str
    batch_id: int | None
    asked_at: int
    asked_by: str
    changed_at: int
    reason: str

    @property
    def ref(self) -> str:
        """The public id: the member's reference, a point, and the pay-out's id in the same alphabet."""
        return payout_ref(self.member_id, self.payout_id)

    @property
    def reference(self) -> str:
        """What names it from end to end, to the bank and on the statement; unique for ever."""
        return f"PO-{refs.encode(self.payout_id).removeprefix('m_').upper()}"


class Batch(Struct, frozen=True):
    """Pay-outs that go to the bank together; `total` in minor units of `money`. Instants are microseconds UTC."""

    batch_id: int
    program_id: int
    method: str
    money: str
    state: str
    payouts: int
    total: int
    payer: Payer
    message_id: str
    execution_on: date | None
    written_at: int
    sha256: bytes | None
    created_at: int
    created_by: str
    changed_at: int

    @property
    def ref(self) -> str:
        """The public id of a batch."""
        return refs.encode_as("pb", self.batch_id)


class Event(Struct, frozen=True):
    """One step of a pay-out: from which state to which, when and by whom."""

    from_state: str
    to_state: str
    at: int
    actor: str
    reason: str


def payout_ref(member_id: int, payout_id: int) -> str:
    """The public id of a pay-out."""
    return f"{refs.encode(member_id)}.{refs.encode(payout_id).removeprefix('m_')}"


def decode_payout_ref(ref: str) -> tuple[int, int] | None:
    """(member id, pay-out id) of a public id; None for text that cannot be one."""
    member, _, payout = ref.partition(".")
    try:
        return refs.decode(member), refs.decode(f"m_{payout}")
    except ValueError:
        return None


_COLUMNS: Final = (
    "member_id, payout_id, program_id, purpose, currency, points, amount, money, state, hold_source, hold_id, "
    "hold_activity_id, order_id, unit, text, sealed, last4, country, batch_id, asked_at, asked_by, changed_at, reason"
)
_BATCH: Final = (
    "batch_id, program_id, method, money, state, payouts, total, payer::text, message_id, execution_on, "
    "written_at, sha256, created_at, created_by, changed_at"
)


def _payout(row: Sequence[Any]) -> Payout:
    values = list(row)
    values[15] = bytes(row[15]) if row[15] is not None else None
    for place in (19, 21):
        values[place] = instant(row[place])
    return Payout(*values)


def _batch(row: Sequence[Any]) -> Batch:
    values = list(row)
    values[7] = msgspec.json.decode(row[7], type=Payer)
    values[10] = instant(row[10]) if row[10] is not None else 0
    values[11] = bytes(row[11]) if row[11] is not None else None
    for place in (12, 14):
        values[place] = instant(row[place])
    return Batch(*values)


# --- pay-outs ---------------------------------------------------------------------------------------------


def insert(connection: Connection[Any], payout: Payout) -> None:
    """Adds a pay-out. Does not commit."""
    values = msgspec.structs.astuple(payout)
    named: list[Any] = [*values]
    for place in (19, 21):
        named[place] = moment(values[place])
    connection.execute(
        f"-- payouts.insert\ninsert into payout ({_COLUMNS}) values ({', '.join(['%s'] * len(named))})", named
    )


def read(connection: Connection[Any], program_id: int, member_id: int, payout_id: int) -> Payout | None:
    """One pay-out of a program; None where there is none."""
    row = connection.execute(
        f"""
        -- payouts.read
        select {_COLUMNS} from payout where member_id = %s and payout_id = %s and program_id = %s
        """,
        (member_id, payout_id, program_id),
    ).fetchone()
    return _payout(row) if row is not None else None


def again(connection: Connection[Any], payout: Payout) -> Payout | None:
    """A pay-out as it stands now."""
    return read(connection, payout.program_id, payout.member_id, payout.payout_id)


def by_hold(
    connection: Connection[Any], program_id: int, member_id: int, source: str, id: str
) -> Payout | None:
    """The pay-out for which points were held under this id; None where there is none."""
    row = connection.execute(
        f"""
        -- payouts.by_hold
        select {_COLUMNS} from payout
        where member_id = %s and program_id = %s and hold_source = %s and hold_id = %s
        """,
        (member_id, program_id, source, id),
    ).fetchone()
    return _payout(row) if row is not None else None


def by_reference(connection: Connection[Any], program_id: int, reference: str) -> Payout | None:
    """The pay-out with this reference on a bank's list; None where there is none."""
    payout_id = refs.decode_as("m", f"m_{reference.lower().removeprefix('po-')}")
    if payout_id is None:
        return None
    row = connection.execute(
        f"""
        -- payouts.by_reference
        -- all members: one pay-out by what its bank knows of it
        select {_COLUMNS} from payout where program_id = %s and payout_id = %s
        """,
        (program_id, payout_id),
    ).fetchone()
    return _payout(row) if row is not None else None


def listed(
    connection: Connection[Any],
    program_id: int,
    *,
    state: str | None = None,
    member_id: int | None = None,
    batch_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Payout]:
    """Pay-outs of a program, the latest first, before one of them (keyset paging)."""
    rows = connection.execute(
        f"""
        -- payouts.list
        -- all members: a page of a program's pay-outs by an index of their own
        select {_COLUMNS} from payout
        where program_id = %(program)s and (%(state)s::text is null or state = %(state)s)
          and (%(member)s::bigint is null or member_id = %(member)s)
          and (%(batch)s::bigint is null or batch_id = %(batch)s)
          and (%(before)s::bigint is null or payout_id < %(before)s)
        order by payout_id desc, member_id desc limit %(limit)s
        """,
        {
            "program": program_id,
            "state": state,
            "member": member_id,
            "batch": batch_id,
            "before": before,
            "limit": limit,
        },
    ).fetchall()
    return [_payout(row) for row in rows]


def waiting(connection: Connection[Any], program_id: int) -> list[Payout]:
    """What is asked for and in no batch, the first first."""
    rows = connection.execute(
        f"""
        -- payouts.waiting
        -- all members: what waits to be collected, by an index of its own
        select {_COLUMNS} from payout where program_id = %s and state = 'asked' and batch_id is null
        order by payout_id, member_id
        """,
        (program_id,),
    ).fetchall()
    return [_payout(row) for row in rows]


def of_batch(connection: Connection[Any], program_id: int, batch_id: int) -> list[Payout]:
    """The pay-outs of a batch, in the order of their keys."""
    rows = connection.execute(
        f"""
        -- payouts.of_batch
        -- all members: the pay-outs of one batch, by an index of their own
        select {_COLUMNS} from payout where program_id = %s and batch_id = %s order by member_id, payout_id
        """,
        (program_id, batch_id),
    ).fetchall()
    return [_payout(row) for row in rows]


def events(connection: Connection[Any], payout: Payout) -> list[Event]:
    """The steps of a pay-out, the first first."""
    rows = connection.execute(
        """
        -- payouts.events
        select from_state, to_state, at, actor, reason from payout_event
        where member_id = %s and payout_id = %s order by at, event_id
        """,
        (payout.member_id, payout.payout_id),
    ).fetchall()
    return [Event(row[0], row[1], instant(row[2]), row[3], row[4]) for row in rows]


def spendable(connection: Connection[Any], member_id: int, currency: str) -> int:
    """What a member can spend of a currency as it is stored, in minor units."""
    row = connection.execute(
        "-- payouts.spendable\nselect posted - held from wallet where member_id = %s and currency = %s",
        (member_id, currency),
    ).fetchone()
    return int(row[0]) if row is not None else 0


def above(connection: Connection[Any], program_id: int, currency: str, least: int) -> list[int]:
    """Members who have an account and can spend at least so much of a currency, in the order of their ids."""
    rows = connection.execute(
        """
        -- payouts.above
        -- all members: those who have a bank account, which not many do
        select b.member_id from bank_account b
        join wallet w on w.member_id = b.member_id and w.currency = %s
        join member m on m.member_id = b.member_id
        where b.program_id = %s and w.posted - w.held >= %s and m.status = 'active' order by b.member_id
        """,
        (currency, program_id, least),
    ).fetchall()
    return [row[0] for row in rows]


def _columns(payouts: Sequence[Payout]) -> dict[str, Any]:
    rows = sorted((payout.member_id, payout.payout_id) for payout in payouts)
    return {"members": [row[0] for row in rows], "ids": [row[1] for row in rows]}


def move(
    connection: Connection[Any],
    payouts: Sequence[Payout],
    states: Sequence[str],
    to: str,
    *,
    reason: str,
    now: int,
    batch: int | None,
) -> dict[tuple[int, int], str]:
    """Moves those that are in one of the states and in this batch (None: in none): key -> the state before."""
    if not payouts:
        return {}
    before = {(payout.member_id, payout.payout_id): payout.state for payout in payouts}
    rows = connection.execute(
        """
        -- payouts.move
        update payout p set state = %(to)s, reason = %(reason)s, changed_at = %(now)s
        from unnest(%(members)s::bigint[], %(ids)s::bigint[], %(before)s::text[]) as t(m, i, b)
        where p.member_id = t.m and p.payout_id = t.i and p.member_id = any(%(members)s) and p.state = t.b
          and p.state = any(%(states)s) and p.batch_id is not distinct from %(batch)s
        returning p.member_id, p.payout_id, t.b
        """,
        {
            **_columns(payouts),
            "before": [before[key] for key in sorted(before)],
            "to": to,
            "reason": reason,
            "now": moment(now),
            "states": list(states),
            "batch": batch,
        },
    ).fetchall()
    return {(row[0], row[1]): row[2] for row in rows}


def collect(
    connection: Connection[Any], payouts: Sequence[Payout], batch_id: int, now: int
) -> set[tuple[int, int]]:
    """Puts what waits into a batch, with where it goes; the keys of those that it took."""
    if not payouts:
        return set()
    rows = sorted(payouts, key=lambda item: (item.member_id, item.payout_id))
    found = connection.execute(
        """
        -- payouts.collect
        update payout p set batch_id = %(batch)s, sealed = t.s, last4 = t.l, country = t.c, changed_at = %(now)s
        from unnest(%(members)s::bigint[], %(ids)s::bigint[], %(sealed)s::bytea[], %(last4)s::text[],
                    %(countries)s::text[]) as t(m, i, s, l, c)
        where p.member_id = t.m and p.payout_id = t.i and p.member_id = any(%(members)s)
          and p.state = 'asked' and p.batch_id is null
        returning p.member_id, p.payout_id
        """,
        {
            **_columns(rows),
            "batch": batch_id,
            "now": moment(now),
            "sealed": [payout.sealed for payout in rows],
            "last4": [payout.last4 for payout in rows],
            "countries": [payout.country for payout in rows],
        },
    ).fetchall()
    return {(row[0], row[1]) for row in found}


def uncollect(
    connection: Connection[Any], payouts: Sequence[Payout], batch_id: int, now: int
) -> set[tuple[int, int]]:
    """Lets what is in an unwritten batch wait again; the keys. A member's own account is looked up anew then."""
    if not payouts:
        return set()
    found = connection.execute(
        """
        -- payouts.uncollect
        update payout set state = 'asked', batch_id = null, changed_at = %(now)s,
                          sealed = null
        where member_id = any(%(members)s) and payout_id = any(%(ids)s) and batch_id = %(batch)s
          and state in ('asked', 'approved')
        returning member_id, payout_id
        """,
        {**_columns(payouts), "batch": batch_id, "now": moment(now)},
    ).fetchall()
    return {(row[0], row[1]) for row in found}


# --- batches ----------------------------------------------------------------------------------------------


def insert_batch(connection: Connection[Any], batch: Batch) -> None:
    """Adds a batch. Does not commit."""
    connection.execute(
        """
        -- payouts.insert_batch
        insert into payout_batch (batch_id, program_id, method, money, state, payouts, total, payer, message_id,
                                  execution_on, written_at, sha256, created_at, created_by, changed_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s::json, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            batch.batch_id,
            batch.program_id,
            batch.method,
            batch.money,
            batch.state,
            batch.payouts,
            batch.total,
            msgspec.json.encode(batch.payer).decode(),
            batch.message_id,
            batch.execution_on,
            moment(batch.written_at) if batch.written_at else None,
            batch.sha256,
            moment(batch.created_at),
            batch.created_by,
            moment(batch.changed_at),
        ),
    )


def update_batch(connection: Connection[Any], batch: Batch) -> None:
    """Writes what of a batch changes: its state, and what is fixed when it is written. Does not commit."""
    connection.execute(
        """
        -- payouts.update_batch
        update payout_batch set state = %s, payouts = %s, total = %s, execution_on = %s, written_at = %s,
                                sha256 = %s, changed_at = %s
        where batch_id = %s and program_id = %s
        """,
        (
            batch.state,
            batch.payouts,
            batch.total,
            batch.execution_on,
            moment(batch.written_at) if batch.written_at else None,
            batch.sha256,
            moment(batch.changed_at),
            batch.batch_id,
            batch.program_id,
        ),
    )


def lock_batch(connection: Connection[Any], program_id: int, batch_id: int) -> Batch | None:
    """A batch, held until the transaction ends; None where there is none."""
    row = connection.execute(
        f"""
        -- payouts.lock_batch
        select {_BATCH} from payout_batch where batch_id = %s and program_id = %s for update
        """,
        (batch_id, program_id),
    ).fetchone()
    return _batch(row) if row is not None else None


def read_batch(connection: Connection[Any], program_id: int, batch_id: int) -> Batch | None:
    """A batch of a program; None where there is none."""
    row = connection.execute(
        f"-- payouts.read_batch\nselect {_BATCH} from payout_batch where batch_id = %s and program_id = %s",
        (batch_id, program_id),
    ).fetchone()
    return _batch(row) if row is not None else None


def batches(
    connection: Connection[Any], program_id: int, *, before: int | None = None, limit: int = 50
) -> list[Batch]:
    """Batches of a program, the latest first, before one of them (keyset paging)."""
    rows = connection.execute(
        f"""
        -- payouts.batches
        select {_BATCH} from payout_batch
        where program_id = %(program)s and (%(before)s::bigint is null or batch_id < %(before)s)
        order by batch_id desc limit %(limit)s
        """,
        {"program": program_id, "before": before, "limit": limit},
    ).fetchall()
    return [_batch(row) for row in rows]
