"""Erasure: a member asks to be forgotten, may undo it while he waits, and is then forgotten in one transaction.

Who he was goes: identities, attributes, sessions, addresses, bank details, codes, messages, baskets, typed words.
What he did stays, as amounts under a reference that finds nobody: the ledger, its chain, consents and what others
hold. The engine ends the membership, so that what was left lapses by a decision like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import operations as activities
from palier.activities import queries
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, instant, moment
from palier.members import operations as membership
from palier.members import queries as members
from palier.members import refs
from palier.payouts import accounts
from palier.payouts import operations as payouts
from palier.payouts import queries as payout_queries
from palier.payouts.queries import Payout
from palier.privacy import messages
from palier.privacy.pages import whole
from palier.rewards import addresses, order_queries, orders
from palier.rewards.order_store import Order
from palier.rewards.refusals import OrderRefused
from palier.site import journal
from palier.site.ids import new_id
from palier.staff.approvals import Person
from palier.staff.operations import forget_answers, write_log
from palier.vouchers import operations as vouchers

WAIT_DAYS: Final = 30
"""How long a member who waits may use his points and undo his request."""

ASK: Final = """
-- privacy.ask_erasure
insert into erasure_request (member_id, request_id, program_id, via, actor, asked_at, due_at, waits_for, undone_at,
                             done_at, settled)
values (%(member)s, %(request)s, %(program)s, %(via)s, %(actor)s, %(now)s, %(due)s, '', null, null, null)
"""

OPEN: Final = """
-- privacy.open_erasure
select request_id, via, actor, asked_at, due_at, waits_for from erasure_request
where member_id = %(member)s and program_id = %(program)s and undone_at is null and done_at is null
"""

UNDO: Final = """
-- privacy.undo_erasure
update erasure_request set undone_at = %(now)s
where member_id = %(member)s and program_id = %(program)s and undone_at is null and done_at is null
"""

WAIT: Final = """
-- privacy.erasure_waits
update erasure_request set waits_for = %(waits_for)s
where member_id = %(member)s and program_id = %(program)s and undone_at is null and done_at is null
"""

DONE: Final = """
-- privacy.erasure_done
update erasure_request set done_at = %(now)s, waits_for = '', settled = %(settled)s::json
where member_id = %(member)s and program_id = %(program)s and undone_at is null and done_at is null
"""

DUE: Final = """
-- privacy.erasures_due
-- all members: requests that are due, by an index of the open ones
select member_id from erasure_request
where program_id = %(program)s and undone_at is null and done_at is null and due_at <= %(now)s
order by due_at, member_id limit %(limit)s
"""

RECEIPTS: Final = """
-- privacy.receipts
-- all members: erasures that were carried out since the last export
select e.member_id, e.request_id, g.key, e.done_at, e.via, e.settled::text
from erasure_request e join program g on g.program_id = e.program_id
where (e.done_at, e.request_id) > (%(at)s, %(request)s)
order by e.done_at, e.request_id limit 1000
"""


class Waits(StrEnum):
    """Why an erasure is not carried out yet."""

    NOT_ACTIVE = "member_not_active"
    ORDERS = "orders_under_way"
    PAYOUTS = "payouts_under_way"


class NotErased(Exception):
    """A member cannot be erased yet: `code` says for what it waits, the message how many and what to do."""

    def __init__(self, code: Waits, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class Request(Struct, frozen=True):
    """An erasure that was asked for and is open. Instants are microseconds UTC; `waits_for` is a code of Waits."""

    request_id: int
    via: str
    actor: str
    asked_at: int
    due_at: int
    waits_for: str


class Consequences(Struct, frozen=True):
    """What a member loses by being erased now; `points` and `pending` in minor units by currency.

    `orders` are those that end unfulfilled, `under_way` those that must arrive first, `payouts` those at the bank.
    """

    points: dict[str, int]
    pending: dict[str, int]
    orders: int
    under_way: int
    payouts: int
    identities: int


class Settled(Struct, frozen=True):
    """What an erasure did, in figures: points that lapsed by currency (minor units), and what was forgotten."""

    lapsed: dict[str, int]
    members: int
    identities: int
    addresses: int
    codes: int
    accounts: int
    messages: int
    sessions: int
    decisions: int
    orders: int
    answers: int
    others: int = 0


Forgetter = Callable[[Connection[Any], int, Sequence[int]], int]

_forgetters: list[Forgetter] = []


def register_forgetter(forget: Forgetter) -> Forgetter:
    """Adds what a room forgets of members: `forget(connection, program id, member ids)`, how many rows.

    It runs in the erasure's transaction, after the members are marked as erased. Registering twice does nothing more.
    """
    if forget not in _forgetters:
        _forgetters.append(forget)
    return forget


# --- asking and undoing -----------------------------------------------------------------------------------


def consequences(
    connection: Connection[Any], runtime: Runtime, member_id: int, *, now: int
) -> Consequences | None:
    """What would be lost by an erasure now; None for an unknown member."""
    found = queries.wallets(connection, runtime, member_id, now=now)
    if found is None:
        return None
    states = [order.state for order in orders_of(connection, runtime.program_id, member_id)]
    asked = payouts_of(connection, runtime.program_id, member_id)
    return Consequences(
        {key: wallet.spendable for key, wallet in found.wallets.items() if wallet.spendable > 0},
        {key: wallet.pending for key, wallet in found.wallets.items() if wallet.pending > 0},
        sum(state in ("waiting", "reserved") for state in states),
        states.count("fulfilling"),
        sum(payout.state in ("approved", "in_file", "sent") or payout.batch_id is not None for payout in asked
            if payout.state not in ("paid", "returned", "refused")),
        len(membership.identities_of(connection, runtime.program_id, [member_id])),
    )  # fmt: skip


def orders_of(connection: Connection[Any], program_id: int, member_id: int) -> list[Order]:
    """Every order of a member, the latest first."""
    return whole(
        lambda before, limit: order_queries.of_member(
            connection, program_id, member_id, before=before, limit=limit
        ),
        lambda order: order.order_id,
    )


def payouts_of(connection: Connection[Any], program_id: int, member_id: int) -> list[Payout]:
    """Every pay-out of a member, the latest first."""
    return whole(
        lambda before, limit: payout_queries.listed(
            connection, program_id, member_id=member_id, before=before, limit=limit
        ),
        lambda payout: payout.payout_id,
    )


def request_of(connection: Connection[Any], program_id: int, member_id: int) -> Request | None:
    """A member's open request to be erased; None where there is none."""
    row = connection.execute(OPEN, {"member": member_id, "program": program_id}).fetchone()
    return (
        Request(row[0], row[1], row[2], instant(row[3]), instant(row[4]), row[5]) if row is not None else None
    )


def ask(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    *,
    via: str,
    by: Person,
    wait_days: int,
    now: int,
) -> Request:
    """Asks for a member to be erased in `wait_days`; one that is open already stays as it is. Does not commit.

    `via` says where: portal, api, console, cli. Nothing changes for the member until it is carried out.
    """
    activities.lock_member(connection, member_id)
    known = request_of(connection, runtime.program_id, member_id)
    if known is not None:
        return known
    request_id, due_at = new_id(), now + wait_days * DAY
    connection.execute(
        ASK,
        {
            "member": member_id, "request": request_id, "program": runtime.program_id, "via": via,
            "actor": by.actor, "now": moment(now), "due": moment(due_at),
        },
    )  # fmt: skip
    write_log(connection, by.actor, by.role, "member.ask_erasure", refs.encode(member_id), at=now)
    return Request(request_id, via, by.actor, now, due_at, "")


def undo(connection: Connection[Any], runtime: Runtime, member_id: int, *, by: Person, now: int) -> bool:
    """Takes a request to be erased back; False where none is open. Does not commit."""
    activities.lock_member(connection, member_id)
    parameters = {"member": member_id, "program": runtime.program_id, "now": moment(now)}
    if not connection.execute(UNDO, parameters).rowcount:
        return False
    write_log(connection, by.actor, by.role, "member.undo_erasure", refs.encode(member_id), at=now)
    return True


# --- carrying out -----------------------------------------------------------------------------------------


def carry_out(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    *,
    via: str,
    by: Person,
    reason: str = "",
    now: int,
) -> Settled:
    """Erases a member and those merged into him. Does not commit: all of it stands, or nothing.

    Orders that are only reserved are let go and pay-outs that are only asked for are refused; what is left of points
    lapses. Refused (NotErased) in this order: member_not_active, orders_under_way, payouts_under_way. `reason` is
    for the audit log and names nobody.
    """
    ref = refs.encode(member_id)
    activities.lock_member(connection, member_id)
    view = members.read(connection, runtime.program_id, member_id)
    if view is None or view.status == "erased":
        raise NotDone(activities.unknown_member("member"))
    if view.status != "active":
        raise NotErased(
            Waits.NOT_ACTIVE,
            f"the member is {view.status}",
            "look into why, and make the member active again"
            if view.status == "frozen"
            else "erase the member that he was merged into",
        )
    if request_of(connection, runtime.program_id, member_id) is None:
        ask(connection, runtime, member_id, via=via, by=by, wait_days=0, now=now)
    let_go = _let_go(connection, runtime, member_id, by, now)
    left = activities.leave(connection, runtime, member_id=member_id, reason="", now=now)
    if left.refusal is not None:
        raise NotDone(left.refusal)
    gone = [member_id, *membership.predecessors(connection, runtime.program_id, member_id)]
    known = membership.forget(connection, runtime.program_id, gone, now=now)
    settled = Settled(
        lapsed=_lapsed(connection, member_id, left.activity_id or 0),
        members=len(gone),
        identities=known.identities,
        addresses=sum(addresses.erase(connection, runtime.program_id, each) for each in gone),
        codes=sum(vouchers.forget_member(connection, runtime.program_id, each) for each in gone),
        accounts=accounts.forget_members(connection, runtime.program_id),
        messages=messages.forget(connection, runtime.program_id, gone),
        sessions=known.sign_ins,
        others=sum(forget(connection, runtime.program_id, gone) for forget in _forgetters),
        decisions=activities.forget(connection, runtime.program_id, gone),
        orders=let_go,
        answers=forget_answers(connection, [refs.encode(each) for each in gone]),
    )
    connection.execute(
        DONE,
        {
            "member": member_id, "program": runtime.program_id, "now": moment(now),
            "settled": msgspec.json.encode(settled).decode(),
        },
    )  # fmt: skip
    write_log(connection, by.actor, by.role, "member.erase", ref, at=now, reason=reason)
    return settled


def _let_go(connection: Connection[Any], runtime: Runtime, member_id: int, by: Person, now: int) -> int:
    """Ends what is only wanted; refuses while something is on its way that needs to know who the member is."""
    program_id, ended = runtime.program_id, 0
    found = orders_of(connection, program_id, member_id)
    under_way = [order for order in found if order.state == "fulfilling"]
    if under_way:
        raise NotErased(
            Waits.ORDERS,
            f"{len(under_way)} orders of the member are under way",
            "wait until they are handed out, or cancel them",
        )
    for order in found:
        if order.state in ("waiting", "reserved"):
            try:
                orders.cancel(connection, runtime, member_id, order.order_id, actor=by.actor, now=now)
            except OrderRefused:
                continue  # its own time was over meanwhile
            ended += 1
    open_payouts = [
        payout
        for payout in payouts_of(connection, program_id, member_id)
        if payout.state not in ("paid", "returned", "refused")
    ]
    collected = [payout for payout in open_payouts if payout.batch_id is not None or payout.state != "asked"]
    if collected:
        raise NotErased(
            Waits.PAYOUTS,
            f"{len(collected)} pay-outs to the member are on their way to the bank",
            "wait until they are paid, or stop their batch",
        )
    for payout in open_payouts:
        payouts.cancel(connection, runtime, payout, reason="", by=by, now=now)
    return ended


def _lapsed(connection: Connection[Any], member_id: int, activity_id: int) -> dict[str, int]:
    rows = connection.execute(
        """
        -- privacy.lapsed
        select currency, sum(amount)::bigint from transfer
        where member_id = %s and activity_id = %s and kind = 'expire' group by currency order by currency
        """,
        (member_id, activity_id),
    )
    return dict(rows.fetchall())


def forget_person(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    value_hash: bytes,
    *,
    by: Person,
    now: int,
) -> bool:
    """Takes one person out of a household: the identity by which he comes in goes, all else is the others'.

    False where it is the only one left, or not the member's: then it is the member who leaves. Does not commit.
    """
    activities.lock_member(connection, member_id)
    known = membership.identities_of(connection, runtime.program_id, [member_id])
    others = [kind for found, kind in known if found != value_hash and kind in members.KINDS]
    if value_hash not in {found for found, _ in known} or not others:
        return False
    membership.forget_identities(connection, runtime.program_id, [member_id], [value_hash])
    write_log(connection, by.actor, by.role, "member.forget_person", refs.encode(member_id), at=now)
    return True


# --- what is due, and the receipts ------------------------------------------------------------------------


def due(connection: Connection[Any], program_id: int, *, now: int, limit: int = 100) -> list[int]:
    """Members whose request is due, the longest due first."""
    rows = connection.execute(DUE, {"program": program_id, "now": moment(now), "limit": limit}).fetchall()
    return [row[0] for row in rows]


def note_wait(connection: Connection[Any], program_id: int, member_id: int, code: str) -> None:
    """Notes for what a due request waits, so that the member sees it. Does not commit."""
    connection.execute(WAIT, {"member": member_id, "program": program_id, "waits_for": code})


class Receipt(Struct, frozen=True):
    """An erasure that was carried out, as it is kept outside the database: whom by reference, when, and how much."""

    program: str
    member: str
    request: int
    done_at: int
    via: str
    settled: Settled


def export_receipts(connection: Connection[Any], path: Path) -> int:
    """Adds receipts that are not in the file yet, a line of JSON each; how many.

    After a database is restored from a copy, the erasures carried out since are repeated from this file.
    """
    last = Receipt("", "", 0, 0, "", Settled({}, *([0] * 11)))
    journal.mend(path)
    if path.exists():
        for line in path.read_bytes().splitlines():
            last = msgspec.json.decode(line, type=Receipt)
    rows = connection.execute(RECEIPTS, {"at": moment(last.done_at), "request": last.request}).fetchall()
    connection.rollback()
    if rows:
        receipts = (
            Receipt(
                program, refs.encode(member_id), request, instant(done_at), via,
                msgspec.json.decode(settled, type=Settled),
            )
            for member_id, request, program, done_at, via, settled in rows
        )  # fmt: skip
        journal.append(path, map(msgspec.json.encode, receipts))
    return len(rows)


def read_receipts(path: Path) -> list[Receipt]:
    """The receipts of a file. Raises ValueError, naming the line, for one that is none."""
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found.append(msgspec.json.decode(line, type=Receipt))
        except msgspec.DecodeError as error:
            raise ValueError(f"line {number} is no receipt of an erasure: {error}") from None
    return found
