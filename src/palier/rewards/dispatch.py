"""Orders on their way to suppliers: written with the order, sent after its commit, recorded with what comes of it.

A dispatch is a row of a queue. It is written in the transaction that makes the order wait for its supplier, so that
neither exists without the other. Who sends it takes it first (`claim`), in a transaction of its own, with a token and
for a limited time; what the supplier answers is recorded, in one transaction with what the order becomes of it, only
while that token is still the row's (`record`). Whoever was too slow changes nothing.

A dispatch is sent again, with the same request id, until its answer is definite. So the supplier may be asked more
than once and acts once; that it was asked and did not answer is remembered (`unsure`), since a no to a repeated
question is not yet a no to the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final, Literal, Protocol

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.connectors.suppliers.contract import (
    Absent,
    Declined,
    Money,
    NotKnown,
    Order,
    Standing,
    TryLater,
    Unanswered,
    Unit,
    shortened,
)
from palier.connectors.suppliers.mapping import SupplierDocument
from palier.engine.clock import SECOND, instant, moment
from palier.rewards.models import DISPATCH_OPEN
from palier.site import ciphers
from palier.site.ids import new_id

FAILURES_UNTIL_REST: Final = 3
"""Failures one after the other from which a supplier is asked one thing at a time, with longer and longer rests."""
LONGEST_REST_S: Final = 300
_UNITS: Final = "supplier units"

_COLUMNS: Final = (
    "dispatch_id, program_id, member_id, order_id, part, supplier, request_id, payload::text, state,"
    " attempts, unsure, cancel_wanted, token, reference, reason, sent_at"
)
_TAKEN: Final = ", ".join(
    ("taken." if column.strip() == "sent_at" else "d.") + column.strip() for column in _COLUMNS.split(",")
)
"""As it is now taken, but with when it was sent before."""

ENQUEUE: Final = """
-- dispatch.enqueue
insert into dispatch (dispatch_id, program_id, member_id, order_id, part, supplier, request_id, payload,
                      state, attempts, unsure, cancel_wanted, token, next_at, reference, reason, created_at)
values (%(dispatch)s, %(program)s, %(member)s, %(order)s, %(part)s, %(supplier)s, %(request)s, %(payload)s::json,
        'queued', 0, false, false, 0, %(now)s, '', '', %(now)s)
on conflict (request_id) do nothing
returning dispatch_id
"""

# Not by the number of the last row taken: whoever commits late has an earlier number, and would never be sent.
CLAIM: Final = f"""
-- dispatch.claim
update dispatch d
set state = case when d.state = 'accepted' then 'accepted' else 'sent' end,
    unsure = d.unsure or d.state = 'sent',
    attempts = d.attempts + 1, token = d.token + 1, claimed_until = %(until)s, sent_at = %(now)s
from (
  select dispatch_id, sent_at from dispatch
  where program_id = %(program)s and supplier = %(supplier)s and state in {DISPATCH_OPEN}
    and next_at <= %(now)s and (claimed_until is null or claimed_until <= %(now)s)
  order by next_at, dispatch_id limit %(limit)s
  for update skip locked
) taken
where d.dispatch_id = taken.dispatch_id
returning {_TAKEN}
"""

CLAIM_ONE: Final = f"""
-- dispatch.claim_one
update dispatch d
set state = case when d.state = 'dead' then 'unknown' when d.state = 'accepted' then 'accepted' else 'sent' end,
    unsure = d.unsure or d.state in ('sent', 'dead'), token = d.token + 1, claimed_until = %(until)s,
    next_at = coalesce(d.next_at, %(now)s)
where d.dispatch_id = %(dispatch)s and d.state in ('queued', 'sent', 'unknown', 'accepted', 'dead')
  and (d.claimed_until is null or d.claimed_until <= %(now)s)
returning {_COLUMNS}
"""

WAITING: Final = f"""
-- dispatch.waiting
select exists (
  select from dispatch
  where program_id = %(program)s and supplier = %(supplier)s and state in {DISPATCH_OPEN}
    and next_at <= %(now)s and (claimed_until is null or claimed_until <= %(now)s)
)
"""

# The token is the fence: after a claim by somebody else it is another.
RECORD: Final = f"""
-- dispatch.record
update dispatch
set state = %(state)s, unsure = %(unsure)s, claimed_until = null, reason = %(reason)s, attempts = %(attempts)s,
    cancel_wanted = cancel_wanted and %(cancel)s,
    -- Called off while the supplier was being asked: that is the next question.
    next_at = case when cancel_wanted and not %(knew)s and not %(settled)s then %(now)s else %(next)s end,
    sent_at = %(sent)s,
    reference = case when %(reference)s <> '' then %(reference)s else reference end,
    cost_minor = coalesce(%(cost)s, cost_minor), cost_currency = coalesce(%(currency)s, cost_currency),
    units = coalesce(%(units)s, units), done_at = %(done)s
where dispatch_id = %(dispatch)s and token = %(token)s and state in {DISPATCH_OPEN}
returning dispatch_id
"""

READ: Final = f"""
-- dispatch.read
select {_COLUMNS} from dispatch where dispatch_id = %(dispatch)s
"""

# What was certainly not done is called off here and now; a dead letter that may have been heard is asked about again.
CALL_OFF: Final = """
-- dispatch.call_off
update dispatch
set state = case when state in ('queued', 'dead') and not unsure then 'cancelled'
                 when state = 'dead' then 'unknown' else state end,
    cancel_wanted = not (state in ('queued', 'dead') and not unsure),
    attempts = case when state = 'dead' then 0 else attempts end,
    done_at = case when state in ('queued', 'dead') and not unsure then %(now)s end,
    next_at = case when state in ('queued', 'dead') and not unsure then null else %(now)s end,
    reason = case when state in ('queued', 'dead') and not unsure then 'called off before it was ordered'
                  else reason end
where order_id = %(order)s and program_id = %(program)s
  and state in ('queued', 'sent', 'unknown', 'accepted', 'dead')
returning state
"""

OF_ORDERS: Final = """
-- dispatch.of_orders
select order_id, dispatch_id, part, supplier, state, attempts, reference, reason, next_at, created_at, done_at,
       cost_minor, cost_currency, cancel_wanted
from dispatch where order_id = any(%(orders)s)
order by order_id, part
"""

UNITS: Final = """
-- dispatch.units
select dispatch_id, part, units from dispatch where order_id = %(order)s and units is not null order by part
"""

STATES: Final = """
-- dispatch.states
select distinct state from dispatch where order_id = %(order)s and program_id = %(program)s
"""

BURY: Final = """
-- dispatch.bury
update dispatch set state = 'dead', unsure = true, reason = %(reason)s where dispatch_id = %(dispatch)s
"""

CLOSE: Final = """
-- dispatch.close
update dispatch
set state = %(state)s, done_at = %(now)s, next_at = null, token = token + 1, claimed_until = null,
    reason = %(reason)s
where order_id = %(order)s and program_id = %(program)s
  and state in ('queued', 'sent', 'unknown', 'accepted', 'dead')
returning dispatch_id
"""

TO_COMPARE: Final = """
-- dispatch.to_compare
select dispatch_id, request_id, reference, state, claimed_until, cost_minor, cost_currency, sent_at
from dispatch
where program_id = %(program)s and supplier = %(supplier)s and attempts + token > 0 and dispatch_id > %(after)s
  and (state in ('queued', 'sent', 'unknown', 'accepted', 'dead') or done_at >= %(since)s)
order by dispatch_id limit %(limit)s
"""

DEAD: Final = """
-- dispatch.dead
select order_id, dispatch_id, part, supplier, state, attempts, reference, reason, next_at, created_at, done_at,
       cost_minor, cost_currency, cancel_wanted, member_id
from dispatch
where state = 'dead' and (%(program)s::bigint is null or program_id = %(program)s)
  and (%(supplier)s::text is null or supplier = %(supplier)s)
order by created_at, dispatch_id limit %(limit)s
"""

COUNTS: Final = """
-- dispatch.counts
select state, count(*) from dispatch where program_id = %(program)s and supplier = %(supplier)s group by state
"""

REVIVE: Final = """
-- dispatch.revive
update dispatch
set state = case when unsure then 'unknown' else 'queued' end, attempts = 0, next_at = %(now)s, token = token + 1,
    claimed_until = null
where dispatch_id = %(dispatch)s and state = 'dead'
returning dispatch_id
"""


class Payload(Struct, frozen=True, omit_defaults=True):
    """What a dispatch says: the order, and whether the supplier needs the address it is sent to."""

    order: Order
    sent: bool = False


class Dispatch(Struct, frozen=True):
    """One message to a supplier, as it was taken. `sent_at`: when it was asked for before, 0 never."""

    dispatch_id: int
    program_id: int
    member_id: int
    order_id: int
    part: int
    supplier: str
    request_id: str
    order: Order
    sent: bool
    state: str
    attempts: int
    unsure: bool
    cancel_wanted: bool
    token: int
    reference: str
    reason: str
    sent_at: int


class Sight(Struct, frozen=True):
    """What is shown of a dispatch."""

    order_id: int
    dispatch_id: int
    part: int
    supplier: str
    state: str
    attempts: int
    reference: str
    reason: str
    next_at: int
    created_at: int
    done_at: int
    cost: Money | None
    cancel_wanted: bool
    member_id: int = 0


class Orders(Protocol):
    """What becomes of an order when its suppliers have answered. Each runs in the transaction of the record."""

    def address(self, connection: Connection[Any], dispatch: Dispatch) -> dict[str, str]:
        """Where the order is sent: the parts of an address by name, {} where it is gone."""

    def lock(self, connection: Connection[Any], dispatch: Dispatch) -> None:
        """Takes the member's lock: it comes before that of the dispatch."""

    def fulfilled(
        self, connection: Connection[Any], dispatch: Dispatch, standing: Standing, *, now: int
    ) -> str:
        """All is delivered: points are spent, the member holds it. "", or why the order cannot take it any more."""

    def failed(
        self, connection: Connection[Any], dispatch: Dispatch, *, cancelled: bool, reason: str, now: int
    ) -> None:
        """Nothing will be delivered: the member has the points back, unless the order is settled already."""


# --- writing the queue ------------------------------------------------------------------------------------


def request_id(order_id: int, part: int = 0) -> str:
    """The name under which a supplier knows an order for ever: the order's own id, and the part from the second on."""
    return f"{order_id}-{part}" if part else str(order_id)


def enqueue(
    connection: Connection[Any],
    program_id: int,
    *,
    member_id: int,
    order_id: int,
    supplier: str,
    order: Order,
    now: int,
    part: int = 0,
    sent: bool = False,
) -> int | None:
    """Writes a message for a supplier, in the transaction of its order; its number, None where it is there already.

    `part` numbers the deliveries of one order from 0. The request id is the order's own, whatever `order` says.
    `sent`: the supplier is told the order's address, which is not kept here. Does not commit.
    """
    name = request_id(order_id, part)
    payload = Payload(msgspec.structs.replace(order, request_id=name, delivery={}), sent)
    dispatch_id = new_id()
    row = connection.execute(
        ENQUEUE,
        {
            "dispatch": dispatch_id,
            "program": program_id,
            "member": member_id,
            "order": order_id,
            "part": part,
            "supplier": supplier,
            "request": name,
            "payload": msgspec.json.encode(payload).decode(),
            "now": moment(now),
        },
    ).fetchone()
    return row[0] if row is not None else None


def call_off(
    connection: Connection[Any], program_id: int, order_id: int, *, now: int
) -> Literal["cancelled", "asked", "none"]:
    """Calls an order off, in the transaction that holds its member's lock.

    `cancelled`: nothing was sent, and nothing will be. `asked`: the supplier is asked; what it answers decides.
    `none`: nothing of the order is under way. Does not commit.
    """
    rows = connection.execute(
        CALL_OFF, {"program": program_id, "order": order_id, "now": moment(now)}
    ).fetchall()
    if not rows:
        return "none"
    return "cancelled" if all(row[0] == "cancelled" for row in rows) else "asked"


def close(
    connection: Connection[Any], program_id: int, order_id: int, *, delivered: bool, reason: str, now: int
) -> int:
    """Ends what is under way or dead of an order that a person settled by hand; how many. Does not commit.

    In the transaction that holds the member's lock. Whoever asks the supplier at this moment records nothing.
    """
    return connection.execute(
        CLOSE,
        {
            "program": program_id,
            "order": order_id,
            "state": "delivered" if delivered else "cancelled",
            "reason": shortened(reason),
            "now": moment(now),
        },
    ).rowcount


# --- taking, judging, recording ---------------------------------------------------------------------------


def claim(
    connection: Connection[Any], program_id: int, supplier: str, *, now: int, lease_s: int, limit: int
) -> list[Dispatch]:
    """Takes up to so many messages that are due, for so many seconds, and commits. Nobody else has them meanwhile."""
    rows = connection.execute(
        CLAIM,
        {
            "program": program_id,
            "supplier": supplier,
            "now": moment(now),
            "until": moment(now + lease_s * SECOND),
            "limit": limit,
        },
    ).fetchall()
    connection.commit()
    return [_of_row(row) for row in rows]


def claim_one(connection: Connection[Any], dispatch_id: int, *, now: int, lease_s: int) -> Dispatch | None:
    """Takes one message that is under way or dead, due or not, and commits; None where somebody has it."""
    row = connection.execute(
        CLAIM_ONE,
        {"dispatch": dispatch_id, "now": moment(now), "until": moment(now + lease_s * SECOND)},
    ).fetchone()
    connection.commit()
    return _of_row(row) if row is not None else None


def is_waiting(connection: Connection[Any], program_id: int, supplier: str, *, now: int) -> bool:
    """Whether something is due for a supplier that nobody has taken."""
    row = connection.execute(
        WAITING, {"program": program_id, "supplier": supplier, "now": moment(now)}
    ).fetchone()
    return row is not None and bool(row[0])


def _of_row(row: Sequence[Any]) -> Dispatch:
    payload = msgspec.json.decode(row[7], type=Payload)
    return Dispatch(
        dispatch_id=row[0],
        program_id=row[1],
        member_id=row[2],
        order_id=row[3],
        part=row[4],
        supplier=row[5],
        request_id=row[6],
        order=payload.order,
        sent=payload.sent,
        state=row[8],
        attempts=row[9],
        unsure=row[10],
        cancel_wanted=row[11],
        token=row[12],
        reference=row[13],
        reason=row[14],
        sent_at=_instant(row[15]),
    )


def _instant(at: Any) -> int:
    return instant(at) if at is not None else 0


Question = Literal["place", "status", "cancel"]


class Step(Struct, frozen=True):
    """What a dispatch becomes of an answer. `next_at` 0: nothing more is asked by itself.

    `attempts` is how many count towards the last; `cancel` whether calling it off is still wanted.
    """

    state: Literal["queued", "unknown", "accepted", "delivered", "refused", "cancelled", "dead"]
    next_at: int = 0
    unsure: bool = False
    reason: str = ""
    code: str = ""
    standing: Standing | None = None
    attempts: int = 0
    cancel: bool = True

    @property
    def final(self) -> bool:
        return self.state in ("delivered", "refused", "cancelled")


def question(dispatch: Dispatch, document: SupplierDocument) -> Question | None:
    """What the supplier is asked next; None where only a person can find out what became of the order."""
    if dispatch.cancel_wanted:
        return "cancel"
    if dispatch.state == "accepted":
        return "status"
    if dispatch.unsure and document.repeat != "same_id":
        return "status" if document.repeat == "look_first" else None
    return "place"


def judged(
    dispatch: Dispatch,
    asked: Question,
    answer: Standing | Absent | Unanswered,
    document: SupplierDocument,
    *,
    now: int,
    chance: Random,
    look: Standing | Absent | Unanswered | None = None,
) -> Step:
    """What a dispatch becomes of the answer to a question. Pure.

    `look` is what the supplier says of the order after it said no to a question that was repeated. An order fails
    only by what is certain: a no where nothing before it was left unanswered, an order that the supplier knows as
    refused, or one that it does not know long enough after it was last asked for.
    """
    settled_at = dispatch.sent_at + document.settles_s * SECOND
    before = max(dispatch.attempts - 1, 0)
    match answer:
        case Standing(state="delivered"):
            return Step("delivered", standing=answer, attempts=dispatch.attempts)
        case Standing(state="refused") | Standing(state="cancelled"):
            return Step(
                answer.state,
                reason=answer.reason,
                code=answer.state,
                standing=answer,
                attempts=dispatch.attempts,
            )
        case Standing():
            # Under way; who wanted it called off, and could not have it so, waits for what comes.
            asks = document.calls.status is not None
            next_at = _later(document.look_every_s, now, chance) if asks else 0
            return Step("accepted", next_at, standing=answer, cancel=asked != "cancel")
        case Absent() if asked == "place" or dispatch.state == "accepted":
            reason = "the supplier took the order, and does not know it any more"
            return Step("dead", unsure=True, reason=reason, attempts=dispatch.attempts)
        case Absent():
            reason = "the supplier has no such order"
            if now < settled_at:
                return Step("unknown", settled_at, True, f"{reason} yet", attempts=before)
            if asked == "cancel":
                return Step("cancelled", reason=reason, code="cancelled", attempts=before)
            return Step("queued", now, reason=reason, attempts=before)
        case Declined() if asked == "place":
            refused = Step("refused", reason=answer.reason, code=answer.code, attempts=dispatch.attempts)
            if not dispatch.unsure:
                return refused
            if isinstance(look, Standing):
                return judged(dispatch, "status", look, document, now=now, chance=chance)
            if isinstance(look, Absent):
                if now >= settled_at:
                    return refused
                return Step("unknown", settled_at, True, answer.reason, attempts=dispatch.attempts)
            told = f"the supplier says no ({answer.code}) to a question that was repeated"
            if look is None or isinstance(look, Declined):
                reason = f"{told}; ask there whether the first was heard"
                return Step("dead", unsure=True, reason=reason, attempts=dispatch.attempts)
            return _again(dispatch, document, told, True, None, now, chance)
        case Declined() if asked == "cancel":
            reason = shortened(f"it cannot be called off: {answer.reason or answer.code}")
            state: Literal["accepted", "unknown", "queued"] = "unknown" if dispatch.unsure else "queued"
            if dispatch.state == "accepted":
                state = "accepted"
            return Step(state, now, dispatch.unsure, reason, attempts=before, cancel=False)
        case Declined():
            reason = f"the supplier does not say where the order stands ({answer.code})"
            return _again(dispatch, document, reason, dispatch.unsure, None, now, chance)
        case TryLater():
            return _again(dispatch, document, answer.reason, dispatch.unsure, answer.after_s, now, chance)
        case NotKnown():
            if asked == "place" and document.repeat == "never":
                return Step("dead", unsure=True, reason=answer.reason, attempts=dispatch.attempts)
            unsure = dispatch.unsure or asked == "place"
            return _again(dispatch, document, answer.reason, unsure, None, now, chance)
    raise AssertionError(f"no such answer: {answer}")


def _again(
    dispatch: Dispatch,
    document: SupplierDocument,
    reason: str,
    unsure: bool,
    after_s: int | None,
    now: int,
    chance: Random,
) -> Step:
    waits = document.retries
    if dispatch.attempts > len(waits):
        return Step("dead", unsure=unsure, reason=reason, attempts=dispatch.attempts)
    state: Literal["accepted", "unknown", "queued"] = "unknown" if unsure else "queued"
    if dispatch.state == "accepted":
        state = "accepted"
    wait_s = max(waits[max(dispatch.attempts, 1) - 1], after_s or 0)
    return Step(state, _later(wait_s, now, chance), unsure, reason, attempts=dispatch.attempts)


def _later(wait_s: int, now: int, chance: Random) -> int:
    """So many seconds on, up to a fifth more by chance: those that failed together do not come back together."""
    return now + wait_s * SECOND + chance.randrange(wait_s * SECOND // 5 + 1)


def record(
    connection: Connection[Any],
    dispatch: Dispatch,
    asked: Question | None,
    step: Step,
    orders: Orders,
    *,
    claimed_at: int,
    now: int,
) -> bool:
    """Writes what came of a dispatch, and what its order becomes of it. Does not commit.

    `claimed_at` is when it was taken. False where somebody else has taken it since, or it is settled: then nothing
    is written.
    """
    if step.final:
        orders.lock(connection, dispatch)
    standing = step.standing
    sent_at = claimed_at if asked == "place" else dispatch.sent_at
    units = None
    if standing is not None and standing.units:
        units = ciphers.encrypted(_UNITS, msgspec.json.encode(standing.units), dispatch.request_id.encode())
    row = connection.execute(
        RECORD,
        {
            "dispatch": dispatch.dispatch_id,
            "token": dispatch.token,
            "state": step.state,
            "unsure": step.unsure,
            "cancel": step.cancel and not step.final,
            "knew": dispatch.cancel_wanted,
            "settled": step.final or step.state == "dead",
            "now": moment(now),
            "next": moment(step.next_at) if step.next_at else None,
            "sent": moment(sent_at) if sent_at else None,
            "reason": step.reason,
            "attempts": step.attempts,
            "reference": standing.reference if standing is not None else "",
            "cost": standing.cost.minor if standing is not None and standing.cost is not None else None,
            "currency": standing.cost.currency
            if standing is not None and standing.cost is not None
            else None,
            "units": units,
            "done": moment(now) if step.final else None,
        },
    ).fetchone()
    if row is None:
        return False
    if step.final:
        _conclude(connection, dispatch, step, orders, now)
    return True


def _conclude(connection: Connection[Any], dispatch: Dispatch, step: Step, orders: Orders, now: int) -> None:
    """What the order becomes once each of its parts is settled: whole, or not at all.

    A part that fails has the others called off. Where one was delivered all the same, a person decides.
    """
    if step.state != "delivered":
        call_off(connection, dispatch.program_id, dispatch.order_id, now=now)
    rows = connection.execute(STATES, {"order": dispatch.order_id, "program": dispatch.program_id}).fetchall()
    states = {row[0] for row in rows}
    if not states <= {"delivered", "refused", "cancelled"}:
        return
    problem = ""
    if states == {"delivered"}:
        assert step.standing is not None
        problem = orders.fulfilled(connection, dispatch, step.standing, now=now)
    elif "delivered" in states:
        problem = "a part of the order was delivered, and another was not"
    else:
        orders.failed(
            connection,
            dispatch,
            cancelled=step.state == "cancelled",
            reason=": ".join(filter(None, (step.code, step.reason))),
            now=now,
        )
    if problem:
        connection.execute(BURY, {"dispatch": dispatch.dispatch_id, "reason": shortened(problem)})


def revive(connection: Connection[Any], dispatch_id: int, *, now: int) -> bool:
    """Sends a dead letter again, from the first attempt on; whether it was one. Does not commit."""
    row = connection.execute(REVIVE, {"dispatch": dispatch_id, "now": moment(now)}).fetchone()
    return row is not None


def rest_s(failures: int) -> int:
    """How long a supplier is left alone after so many failures one after the other."""
    if failures < FAILURES_UNTIL_REST:
        return 0
    return min(1 << min(failures - FAILURES_UNTIL_REST + 1, 12), LONGEST_REST_S)


# --- reading ----------------------------------------------------------------------------------------------


def of_orders(connection: Connection[Any], order_ids: Sequence[int]) -> dict[int, list[Sight]]:
    """What is on its way to suppliers, or came of it, by order."""
    found: dict[int, list[Sight]] = {}
    for row in connection.execute(OF_ORDERS, {"orders": list(order_ids)}):
        found.setdefault(row[0], []).append(_sight(row))
    return found


def _sight(row: Sequence[Any]) -> Sight:
    return Sight(
        order_id=row[0],
        dispatch_id=row[1],
        part=row[2],
        supplier=row[3],
        state=row[4],
        attempts=row[5],
        reference=row[6],
        reason=row[7],
        next_at=_instant(row[8]),
        created_at=instant(row[9]),
        done_at=_instant(row[10]),
        cost=Money(row[11], row[12]) if row[11] is not None else None,
        cancel_wanted=row[13],
        member_id=row[14] if len(row) > 14 else 0,
    )


def dead(
    connection: Connection[Any], program_id: int | None = None, supplier: str | None = None, limit: int = 1000
) -> list[Sight]:
    """Dead letters: what waits for a person, the oldest first."""
    rows = connection.execute(DEAD, {"program": program_id, "supplier": supplier, "limit": limit})
    return [_sight(row) for row in rows]


def counts(connection: Connection[Any], program_id: int, supplier: str) -> dict[str, int]:
    """How many messages for a supplier are in which state."""
    return dict(connection.execute(COUNTS, {"program": program_id, "supplier": supplier}).fetchall())


class Compared(Struct, frozen=True):
    """A dispatch as it is compared with what its supplier says."""

    dispatch_id: int
    request_id: str
    reference: str
    state: str
    is_taken: bool
    cost: Money | None
    sent_at: int


def to_compare(
    connection: Connection[Any],
    program_id: int,
    supplier: str,
    *,
    since: int,
    after: int,
    now: int,
    limit: int,
) -> list[Compared]:
    """Messages behind a number that were ever taken and are under way or dead, or were settled since an instant."""
    rows = connection.execute(
        TO_COMPARE,
        {"program": program_id, "supplier": supplier, "since": moment(since), "after": after, "limit": limit},
    )
    return [
        Compared(
            dispatch_id=row[0],
            request_id=row[1],
            reference=row[2],
            state=row[3],
            is_taken=row[4] is not None and instant(row[4]) > now,
            cost=Money(row[5], row[6]) if row[5] is not None else None,
            sent_at=_instant(row[7]),
        )
        for row in rows
    ]


def units_of(connection: Connection[Any], order_id: int) -> dict[int, tuple[Unit, ...]]:
    """What was delivered for an order, by its part: codes in the clear, for the member's own eyes."""
    return {
        part: msgspec.json.decode(
            ciphers.decrypted(_UNITS, bytes(stored), request_id(order_id, part).encode()),
            type=tuple[Unit, ...],
        )
        for _, part, stored in connection.execute(UNITS, {"order": order_id})
    }
