"""Pay-outs: asked for, collected into a batch, approved by a second person, written, sent, paid or returned.

What a pay-out takes from a wallet is held while it is asked for, and spent in the transaction that fixes the file's
contents. The file is then made from rows that do not change any more: as often as asked, always the same bytes.
Locks in this order: batch, member, pay-out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import batch as activities
from palier.activities import operations as commands
from palier.activities import queries as redemptions
from palier.activities.operations import LONGEST_HOLD_MINUTES, NotDone
from palier.activities.runtime import Runtime
from palier.connectors import bank_files
from palier.connectors.bank_files import FileRefused, Payer, Payment
from palier.engine.amounts import from_minor, to_minor
from palier.engine.clock import DAY, moment
from palier.engine.facts import Fact, Reference
from palier.engine.plan import Plan
from palier.engine.program import PointCurrency
from palier.members import refs
from palier.payouts import accounts, queries
from palier.payouts.queries import Batch, Payout
from palier.payouts.refusals import PayoutRefusal, PayoutRefused
from palier.payouts.vault import Unreadable, seal, unseal
from palier.site.ids import new_id, new_ids
from palier.staff import approvals
from palier.staff.approvals import Approval, Person
from palier.staff.operations import write_log

SOURCE: Final = "palier:payouts"
"""The source of what pay-outs do to points: nobody else closes their holds."""
KIND: Final = "payout_batch"
MOST: Final = 1000
"""Pay-outs in one batch, unless fewer are asked for."""
APPROVAL_DAYS: Final = 14

Method = Literal["sepa", "csv"]


class Written(Struct, frozen=True):
    """A file: its name and bytes; `again` where the same bytes were fixed before."""

    batch: Batch
    name: str
    content: bytes
    again: bool


# --- asked for --------------------------------------------------------------------------------------------


def ask(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    currency: str,
    points: int | None,
    source: str,
    id: str,
    by: Person,
    now: int,
) -> Payout:
    """Asks for money from a cash wallet: points (minor units, > 0), or all that can be spent. Does not commit.

    The points are held from now on. Asked again under the same source and id, it is the same pay-out. Refused: a
    currency that is no cash, less than the program pays out, no bank account; and what the engine refuses (NotDone).
    """
    plan = runtime.timeline.at(now) or runtime.latest
    cash = _cash(plan, currency)
    commands.lock_member(connection, member_id)
    hold_id = f"{source}:{id}"
    known = queries.by_hold(connection, runtime.program_id, member_id, SOURCE, hold_id)
    if known is not None:
        if known.currency != currency or (points is not None and points != known.points):
            raise PayoutRefused(
                PayoutRefusal.CONTENT_DIFFERS, "this id was used before with other content", field="id",
                remedy="give the new pay-out an id of its own",
            )  # fmt: skip
        return known
    account = accounts.read_account(connection, runtime.program_id, member_id)
    if account is None:
        raise PayoutRefused(
            PayoutRefusal.NO_BANK_ACCOUNT, "the member has no bank account here", field="member",
            remedy="set the bank account first",
        )  # fmt: skip
    asked = queries.spendable(connection, member_id, currency) if points is None else points
    least = to_minor(cash.pay_out_from, cash.scale) if cash.pay_out_from is not None else 1
    if asked < least:
        raise PayoutRefused(
            PayoutRefusal.BELOW_THRESHOLD,
            f"{from_minor(asked, cash.scale)} asked, at least {from_minor(least, cash.scale)} is paid out",
            field="points",
            remedy="wait until there is more",
        )
    held = commands.hold(
        connection,
        runtime,
        member_id=member_id,
        currency=currency,
        points=asked,
        minutes=LONGEST_HOLD_MINUTES,
        source=SOURCE,
        id=hold_id,
        now=now,
    )
    if held.refusal is not None:
        # Nothing of it stays, so that the same can be asked for later.
        raise NotDone(held.refusal)
    payout = Payout(
        member_id=member_id,
        payout_id=new_id(),
        program_id=runtime.program_id,
        purpose="cashback",
        currency=currency,
        points=asked,
        amount=asked,
        money=plan.program.currency,
        state="asked",
        hold_source=SOURCE,
        hold_id=hold_id,
        hold_activity_id=held.activity_id,
        order_id=None,
        unit=None,
        text=_text(runtime),
        sealed=None,
        last4=account.last4,
        country=account.country,
        batch_id=None,
        asked_at=now,
        asked_by=by.actor,
        changed_at=now,
        reason="",
    )
    queries.insert(connection, payout)
    _event(connection, [payout], "", "asked", by.actor, "", now)
    return payout


def ask_for_order(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    order_id: int,
    unit: int,
    purpose: str,
    amount: int,
    actor: str,
    now: int,
) -> Payout:
    """Asks for money (minor units, > 0) that an order has paid for with points. Does not commit.

    The caller holds the member's lock and has spent the points. Refused: nothing to pay, no bank account.
    """
    account = accounts.read_account(connection, runtime.program_id, member_id)
    if account is None:
        raise PayoutRefused(
            PayoutRefusal.NO_BANK_ACCOUNT, "the member has no bank account here", field="member",
            remedy="set the bank account first",
        )  # fmt: skip
    if amount <= 0:
        raise PayoutRefused(
            PayoutRefusal.NOTHING_TO_PAY,
            "the reward does not say what is paid for it",
            remedy="give it a worth",
        )
    payout = Payout(
        member_id=member_id,
        payout_id=new_id(),
        program_id=runtime.program_id,
        purpose=purpose,
        currency="",
        points=0,
        amount=amount,
        money=runtime.latest.program.currency,
        state="asked",
        hold_source="",
        hold_id="",
        hold_activity_id=None,
        order_id=order_id,
        unit=unit,
        text=_text(runtime),
        sealed=None,
        last4=account.last4,
        country=account.country,
        batch_id=None,
        asked_at=now,
        asked_by=actor,
        changed_at=now,
        reason="",
    )
    queries.insert(connection, payout)
    _event(connection, [payout], "", "asked", actor, "", now)
    return payout


def _cash(plan: Plan, currency: str) -> PointCurrency:
    cash = next((item for item in plan.program.point_currencies if item.key == currency), None)
    if cash is None or cash.kind != "cash":
        raise PayoutRefused(
            PayoutRefusal.NOT_CASH, "only a currency of kind cash is paid out", field="currency",
            remedy="name one of kind cash",
        )  # fmt: skip
    return cash


def ask_for_all(
    connection: Connection[Any], runtime: Runtime, currency: str, *, by: Person, now: int
) -> tuple[int, int]:
    """Asks for everyone who has an account and enough; (how many, sum in minor units). Commits each.

    Refused: a currency that is no cash.
    """
    plan = runtime.timeline.at(now) or runtime.latest
    cash = _cash(plan, currency)
    least = to_minor(cash.pay_out_from, cash.scale) if cash.pay_out_from else 1
    found = queries.above(connection, runtime.program_id, currency, least)
    connection.rollback()
    count = total = 0
    for member_id in found:
        name = f"{by.actor}:{moment(now).isoformat()}"

        def one(member_id: int = member_id, name: str = name) -> Payout:
            return ask(
                connection, runtime, member_id=member_id, currency=currency, points=None,
                source=name, id=refs.encode(member_id), by=by, now=now,
            )  # fmt: skip

        try:
            made = activities.attempt(connection, one)
        except NotDone:
            continue  # frozen, or spent since
        except PayoutRefused:
            continue  # no account any more, or spent since
        count, total = count + 1, total + made.amount
    return count, total


def cancel(
    connection: Connection[Any], runtime: Runtime, payout: Payout, *, reason: str, by: Person, now: int
) -> Payout:
    """Takes back a pay-out that is in no batch: what was held is free again. Does not commit.

    Refused once it is collected: refuse or stop its batch first.
    """
    commands.lock_member(connection, payout.member_id)
    found = withdraw(connection, payout, reason=reason, actor=by.actor, now=now)
    _release(connection, runtime, found, now)
    for not_paid in _not_paid:
        not_paid(connection, runtime, found, reason, by, now)
    write_log(connection, by.actor, by.role, "payout.refuse", found.ref, at=now, reason=reason)
    return found


def withdraw(connection: Connection[Any], payout: Payout, *, reason: str, actor: str, now: int) -> Payout:
    """Refuses a pay-out that is in no batch, and touches no points. Does not commit."""
    found = _move(
        connection, [payout], ("asked",), "refused", reason=reason, actor=actor, now=now, batch=None
    )
    if not found:
        raise _not_open(queries.again(connection, payout))
    return found[0]


# --- collected --------------------------------------------------------------------------------------------


def propose(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    method: Method,
    by: Person,
    reason: str,
    now: int,
    most: int = MOST,
) -> Batch:
    """Collects what is asked for into a batch and asks a second person to approve it. Does not commit.

    By SEPA: accounts in SEPA, in euros. By CSV: all others. Where each goes is fixed now. Refused: nothing to pay,
    and no account to pay from.
    """
    # One proposal of a program at a time: another would wait for the same pay-outs, row by row.
    row = connection.execute(
        "-- payouts.in_turn\nselect name, iban, bic from payer where program_id = %s for update",
        (runtime.program_id,),
    ).fetchone()
    if row is None:
        raise PayoutRefused(
            PayoutRefusal.NO_PAYER, "the program has no account to pay from",
            remedy="set it with `palier payouts payer`",
        )  # fmt: skip
    money = runtime.latest.program.currency
    waiting = queries.waiting(connection, runtime.program_id)
    own = [payout.member_id for payout in waiting if payout.sealed is None]
    known = accounts.destinations(connection, runtime.program_id, own)
    chosen: list[Payout] = []
    for payout in waiting:
        if len(chosen) == min(most, MOST):
            break
        sealed, last4, country = payout.sealed, payout.last4, payout.country
        if sealed is None:
            if payout.member_id not in known:
                continue  # the member took his account back
            destination, last4, country = known[payout.member_id]
            sealed = seal(destination, about_payout(payout.member_id, payout.payout_id))
        by_sepa = money == bank_files.MONEY and accounts.in_sepa(country)
        if by_sepa is (method == "sepa"):
            chosen.append(msgspec.structs.replace(payout, sealed=sealed, last4=last4, country=country))
    batch_id = new_id()
    taken = queries.collect(connection, chosen, batch_id, now)
    mine = [payout for payout in chosen if (payout.member_id, payout.payout_id) in taken]
    if not mine:
        raise PayoutRefused(
            PayoutRefusal.NOTHING_TO_PAY, "nothing waits that could be paid this way",
            remedy="ask for pay-outs first, or take the other method",
        )  # fmt: skip
    batch = Batch(
        batch_id=batch_id,
        program_id=runtime.program_id,
        method=method,
        money=money,
        state="asked",
        payouts=len(mine),
        total=sum(payout.amount for payout in mine),
        payer=Payer(*row),
        message_id=f"PALIER-{refs.encode(batch_id).removeprefix('m_').upper()}",
        execution_on=None,
        written_at=0,
        sha256=None,
        created_at=now,
        created_by=by.actor,
        changed_at=now,
    )
    queries.insert_batch(connection, batch)
    approvals.ask(
        connection,
        runtime.program_id,
        kind=KIND,
        object=batch.ref,
        request=batch.ref,
        payload={
            "program": runtime.key,
            "batch": batch.ref,
            "method": method,
            "payouts": batch.payouts,
            "total": from_minor(batch.total, runtime.latest.exponent),
            "money": money,
            "from_account": f"{row[0]}, …{row[1][-4:]}",
        },
        reason=reason,
        by=by,
        now=now,
        expires_at=now + APPROVAL_DAYS * DAY,
    )
    return batch


def _approved(connection: Connection[Any], approval: Approval, now: int) -> None:
    """A second person says yes: the batch may be written."""
    batch_id = _batch_id(approval)
    _advance(connection, approval.program_id, batch_id, ("asked",), "approved", now)
    found = queries.of_batch(connection, approval.program_id, batch_id)
    moved = _move(
        connection,
        found,
        ("asked",),
        "approved",
        reason="",
        actor=approval.decided_by,
        now=now,
        batch=batch_id,
    )
    assert len(moved) == len(found), "nothing leaves a batch while it waits"


def _refused(connection: Connection[Any], approval: Approval, now: int) -> None:
    """A second person says no, or nobody anything: what it held may go into another batch."""
    batch_id = _batch_id(approval)
    _advance(connection, approval.program_id, batch_id, ("asked",), "refused", now)
    _give_up(connection, approval.program_id, batch_id, approval.decided_by, "batch refused", now)


approvals.register(KIND, approved=_approved, refused=_refused)


def _batch_id(approval: Approval) -> int:
    batch_id = refs.decode_as("pb", approval.object)
    assert batch_id is not None
    return batch_id


def stop(
    connection: Connection[Any], program_id: int, batch_id: int, *, reason: str, by: Person, now: int
) -> Batch:
    """Takes back a batch that is approved and not written: what it held may go into another. Does not commit."""
    batch = _advance(connection, program_id, batch_id, ("approved",), "refused", now)
    _give_up(connection, program_id, batch_id, by.actor, reason or "batch stopped", now)
    write_log(connection, by.actor, by.role, f"{KIND}.stop", batch.ref, at=now, reason=reason)
    return batch


def _give_up(
    connection: Connection[Any], program_id: int, batch_id: int, actor: str, reason: str, now: int
) -> None:
    found = queries.of_batch(connection, program_id, batch_id)
    moved = queries.uncollect(connection, found, batch_id, now)
    for state in ("asked", "approved"):
        kept = [payout for payout in found if payout.state == state and _key(payout) in moved]
        _event(connection, kept, state, "asked", actor, reason, now)


# --- written ----------------------------------------------------------------------------------------------


def write_file(
    connection: Connection[Any],
    runtime: Runtime,
    batch_id: int,
    *,
    by: Person,
    now: int,
    execution_on: date | None = None,
) -> Written:
    """The file of an approved batch. Does not commit; the file is to be kept only after the commit.

    The first time, the points of its pay-outs are spent and all that the file is made of is fixed; from then on the
    same bytes are made again, whatever was lost. A pay-out whose hold is over is left out and refused. Banks settle
    on `execution_on`, or on the first day of TARGET after today.
    """
    batch = queries.lock_batch(connection, runtime.program_id, batch_id)
    if batch is None:
        raise _unknown_batch()
    if batch.state in ("asked", "refused"):
        raise _batch_not_open(batch)
    found = queries.of_batch(connection, runtime.program_id, batch_id)
    if batch.state != "approved":
        return _same_again(runtime, batch, found)
    day = _execution_day(runtime, now, execution_on) if batch.method == "sepa" else execution_on
    batch = msgspec.structs.replace(
        batch,
        execution_on=day or moment(now).date(),
        # Whole seconds: that is what a file states.
        written_at=now // 1_000_000 * 1_000_000,
    )
    spent, lost = _capture(connection, runtime, found, now)
    if lost:
        _move(
            connection, lost, ("approved",), "refused", reason="the hold was over", actor=by.actor, now=now,
            batch=batch_id,
        )  # fmt: skip
    if not spent:
        raise PayoutRefused(
            PayoutRefusal.NOTHING_TO_PAY, "none of its holds is open any more", remedy="stop the batch"
        )
    batch = msgspec.structs.replace(
        batch, payouts=len(spent), total=sum(payout.amount for payout in spent), state="written"
    )
    content = _content(runtime, batch, spent)
    batch = msgspec.structs.replace(batch, sha256=sha256(content).digest(), changed_at=now)
    moved = _move(
        connection, spent, ("approved",), "in_file", reason="", actor=by.actor, now=now, batch=batch_id
    )
    assert len(moved) == len(spent), "the batch is locked"
    queries.update_batch(connection, batch)
    write_log(
        connection, by.actor, by.role, f"{KIND}.write", batch.ref, at=now,
        reason=f"{batch.payouts} pay-outs, {from_minor(batch.total, runtime.latest.exponent)} {batch.money}",
    )  # fmt: skip
    return Written(batch, _file_name(batch), content, again=False)


def _same_again(runtime: Runtime, batch: Batch, found: Sequence[Payout]) -> Written:
    content = _content(runtime, batch, [payout for payout in found if payout.state != "refused"])
    if sha256(content).digest() != batch.sha256:
        raise PayoutRefused(
            PayoutRefusal.FILE_REFUSED,
            "what is stored does not make the file that was written",
            remedy="run `palier verify`, and keep the file that is there",
        )
    return Written(batch, _file_name(batch), content, again=True)


def _execution_day(runtime: Runtime, now: int, wanted: date | None) -> date:
    """The day on which banks settle: a day of TARGET after today, in the program's zone."""
    today = date.fromordinal(runtime.at(now).clock.local(now)[0])
    if wanted is None:
        return bank_files.next_target_day(today + timedelta(days=1))
    if wanted < today or not bank_files.is_target_day(wanted):
        raise PayoutRefused(
            PayoutRefusal.NO_TARGET_DAY,
            f"banks do not settle on {wanted}" if wanted >= today else f"{wanted} is over",
            field="execution_on",
            remedy=f"take {bank_files.next_target_day(max(wanted, today))}",
        )
    return wanted


def _content(runtime: Runtime, batch: Batch, payouts: Sequence[Payout]) -> bytes:
    """The bytes of a batch, and nothing else: from its row and those of its pay-outs in the order of their ids."""
    payments = []
    for payout in sorted(payouts, key=lambda item: item.payout_id):
        if payout.sealed is None:
            raise PayoutRefused(
                PayoutRefusal.FILE_REFUSED,
                f"where {payout.ref} went is forgotten with its member",
                remedy="keep the file that was written",
            )
        try:
            destination = unseal(payout.sealed, about_payout(payout.member_id, payout.payout_id))
        except Unreadable as error:
            raise PayoutRefused(
                PayoutRefusal.FILE_REFUSED, str(error), remedy="run this where the secrets are"
            ) from None
        payments.append(
            Payment(payout.reference, destination.holder, destination.iban, payout.amount, payout.text)
        )
    assert batch.execution_on is not None
    try:
        if batch.method == "sepa":
            return bank_files.pain_001(
                batch.payer,
                payments,
                message_id=batch.message_id,
                made_at=datetime.fromtimestamp(batch.written_at // 1_000_000, UTC),
                execution_on=batch.execution_on,
            )
        return bank_files.csv_file(
            batch.payer,
            payments,
            money=batch.money,
            exponent=runtime.latest.exponent,
            execution_on=batch.execution_on,
        )
    except FileRefused as error:
        raise PayoutRefused(
            PayoutRefusal.FILE_REFUSED, str(error), remedy="correct it and write it again"
        ) from None


def _file_name(batch: Batch) -> str:
    kind = "xml" if batch.method == "sepa" else "csv"
    return f"{batch.message_id.lower()}.{kind}"


def _capture(
    connection: Connection[Any], runtime: Runtime, payouts: Sequence[Payout], now: int
) -> tuple[list[Payout], list[Payout]]:
    """Spends what the pay-outs held: (those that were spent, those whose hold is over)."""
    held = [payout for payout in payouts if payout.hold_id]
    items = []
    for index, payout in enumerate(sorted(held, key=_key)):
        fact = Fact(
            SOURCE,
            f"{payout.ref}:capture",
            "capture",
            0,
            currency=payout.currency,
            hold=Reference(payout.hold_source, payout.hold_id),
        )
        items.append(activities.command_item(index, fact, payout.member_id))
    results = activities.command(connection, runtime, items, now=now) if items else []
    lost = {
        _key(payout)
        for payout, result in zip(sorted(held, key=_key), results, strict=True)
        if result.refusal is not None
    }
    spent = [payout for payout in payouts if _key(payout) not in lost]
    return spent, [payout for payout in payouts if _key(payout) in lost]


# --- sent, paid, returned ---------------------------------------------------------------------------------


def sent(
    connection: Connection[Any], program_id: int, batch_id: int, *, reason: str, by: Person, now: int
) -> Batch:
    """The bank has the file. Does not commit."""
    batch = _advance(connection, program_id, batch_id, ("written",), "sent", now)
    found = queries.of_batch(connection, program_id, batch_id)
    _move(connection, found, ("in_file",), "sent", reason=reason, actor=by.actor, now=now, batch=batch_id)
    write_log(connection, by.actor, by.role, f"{KIND}.sent", batch.ref, at=now, reason=reason)
    return batch


def paid(
    connection: Connection[Any], program_id: int, batch_id: int, *, reason: str, by: Person, now: int
) -> Batch:
    """The bank has paid all of a batch that it has not returned. Does not commit."""
    batch = _advance(connection, program_id, batch_id, ("sent",), "closed", now)
    found = queries.of_batch(connection, program_id, batch_id)
    _move(connection, found, ("sent",), "paid", reason=reason, actor=by.actor, now=now, batch=batch_id)
    write_log(connection, by.actor, by.role, f"{KIND}.paid", batch.ref, at=now, reason=reason)
    return batch


def returned(
    connection: Connection[Any], runtime: Runtime, payout: Payout, *, reason: str, by: Person, now: int
) -> Payout:
    """The bank sent the money back: it is in the wallet again, in the lots that it came from. Does not commit.

    Also after it was paid, and for what stands in a file that the bank refused as a whole. Refused where it is in no
    file, or came back already.
    """
    commands.lock_member(connection, payout.member_id)
    moved = _move(
        connection, [payout], ("in_file", "sent", "paid"), "returned", reason=reason, actor=by.actor, now=now,
        batch=payout.batch_id,
    )  # fmt: skip
    if not moved:
        raise _not_open(queries.again(connection, payout))
    if payout.hold_activity_id is not None:
        redemption = redemptions.redemption(
            connection, runtime.program_id, payout.member_id, payout.hold_activity_id, now=now
        )
        assert redemption is not None, "what was paid out was held"
        given = commands.refund(
            connection, runtime, redemption, points=payout.points, source=SOURCE, id=f"{payout.ref}:returned",
            now=now, reason=reason,
        )  # fmt: skip
        if given.refusal is not None:
            raise NotDone(given.refusal)
    for not_paid in _not_paid:
        not_paid(connection, runtime, moved[0], reason, by, now)
    write_log(connection, by.actor, by.role, "payout.returned", payout.ref, at=now, reason=reason)
    return moved[0]


NotPaid = Callable[[Connection[Any], Runtime, Payout, str, Person, int], None]
_not_paid: list[NotPaid] = []


def when_not_paid(act: NotPaid) -> None:
    """Says what else follows when a pay-out was taken back or came back, in the same transaction."""
    if act not in _not_paid:
        _not_paid.append(act)


# --- what all of them do ----------------------------------------------------------------------------------


def about_payout(member_id: int, payout_id: int) -> str:
    """What the sealed destination of a pay-out is bound to."""
    return f"pay-out {queries.payout_ref(member_id, payout_id)}"


def _text(runtime: Runtime) -> str:
    name = runtime.latest.program.name
    return name.en or name.fr or runtime.key


def _key(payout: Payout) -> tuple[int, int]:
    return payout.member_id, payout.payout_id


def _advance(
    connection: Connection[Any], program_id: int, batch_id: int, states: Sequence[str], to: str, now: int
) -> Batch:
    batch = queries.lock_batch(connection, program_id, batch_id)
    if batch is None:
        raise _unknown_batch()
    if batch.state not in states:
        raise _batch_not_open(batch)
    batch = msgspec.structs.replace(batch, state=to, changed_at=now)
    queries.update_batch(connection, batch)
    return batch


def _move(
    connection: Connection[Any],
    payouts: Sequence[Payout],
    states: Sequence[str],
    to: str,
    *,
    reason: str,
    actor: str,
    now: int,
    batch: int | None,
) -> list[Payout]:
    """Moves pay-outs from one of these states to another, and tells which were moved: others were elsewhere."""
    before = queries.move(connection, payouts, states, to, reason=reason, now=now, batch=batch)
    moved = [
        msgspec.structs.replace(payout, state=to, reason=reason, changed_at=now)
        for payout in payouts
        if _key(payout) in before
    ]
    for state in states:
        _event(
            connection, [item for item in moved if before[_key(item)] == state], state, to, actor, reason, now
        )
    return moved


def _event(
    connection: Connection[Any],
    payouts: Sequence[Payout],
    before: str,
    after: str,
    actor: str,
    reason: str,
    now: int,
) -> None:
    if not payouts:
        return
    rows = sorted(payouts, key=_key)
    connection.execute(
        """
        -- payouts.event
        insert into payout_event (member_id, event_id, payout_id, from_state, to_state, at, actor, reason)
        select m, e, p, %(before)s, %(after)s, %(now)s, %(actor)s, %(reason)s
        from unnest(%(members)s::bigint[], %(events)s::bigint[], %(payouts)s::bigint[]) as t(m, e, p)
        """,
        {
            "before": before,
            "after": after,
            "now": moment(now),
            "actor": actor,
            "reason": reason,
            "members": [payout.member_id for payout in rows],
            "events": new_ids(len(rows)),
            "payouts": [payout.payout_id for payout in rows],
        },
    )


def _release(connection: Connection[Any], runtime: Runtime, payout: Payout, now: int) -> None:
    """Frees what a pay-out held; a hold that is over has done so itself."""
    if payout.hold_activity_id is None:
        return
    redemption = redemptions.redemption(
        connection, runtime.program_id, payout.member_id, payout.hold_activity_id, now=now
    )
    if redemption is not None and redemption.status == "open":
        commands.release(connection, runtime, redemption, source=SOURCE, id=f"{payout.ref}:release", now=now)


def _unknown_batch() -> PayoutRefused:
    return PayoutRefused(
        PayoutRefusal.UNKNOWN_BATCH, "there is no such batch in this program", remedy="see those there are"
    )


def _batch_not_open(batch: Batch) -> PayoutRefused:
    return PayoutRefused(
        PayoutRefusal.BATCH_NOT_OPEN,
        f"the batch is {batch.state}",
        remedy="see what is done with a batch when",
    )


def _not_open(payout: Payout | None) -> PayoutRefused:
    told = "there is no such pay-out"
    if payout is not None:
        told = f"the pay-out is {payout.state}" + (", in a batch" if payout.batch_id is not None else "")
    return PayoutRefused(PayoutRefusal.PAYOUT_NOT_OPEN, told, remedy="see what is done with a pay-out when")
