"""Sales and returns at a till: what a basket would bring, what a return would take, and both done.

What is only looked at is decided by the intake as any other activity and taken back, so that it is what will be.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, queries, tickets, wire
from palier.activities.answers import Result
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime
from palier.activities.wire import Read
from palier.engine.amounts import from_minor
from palier.engine.clock import moment
from palier.engine.refusals import Refusal
from palier.engine.trace import Trace
from palier.members import queries as members
from palier.members import refs
from palier.tills import baskets, journal, shifts
from palier.tills.devices import Device
from palier.tills.journal import Entry, EntryLine, Member, Taken
from palier.tills.refusals import TillRefusal, TillRefused
from palier.tills.shifts import Shift

LAST: Final = "last"


class Basket(Struct, frozen=True):
    """What is bought, tax included: an amount as decimal text, by lines where they were told apart."""

    amount: str
    lines: tuple[EntryLine, ...] = ()
    ticket: str | None = None


class Earning(Struct, frozen=True):
    """What a basket would bring, in minor units of points by currency; what games draw is not told before."""

    points: dict[str, int]
    tier_reached: str = ""


def earning(
    connection: Connection[Any], runtime: Runtime, device: Device, member_id: int, basket: Basket, *, now: int
) -> Earning:
    """What a basket would bring if it were credited now. Writes nothing. Refused (NotDone) like the sale itself."""
    found = journal.fact(
        runtime,
        device,
        number=f"look-{secrets.token_hex(12)}",
        at=moment(now).isoformat(),
        member_id=member_id,
        amount=basket.amount,
        lines=basket.lines,
        ticket=None,
        now=now,
    )
    if isinstance(found, Refusal):
        raise NotDone(found)
    result = batch.apply(connection, runtime, [found], now=now, dry_run=True)[0]
    if result.refusal is not None or result.trace is None:
        raise NotDone(result.refusal) if result.refusal is not None else AssertionError
    return told(result, with_games=False)


def told(result: Result, *, with_games: bool = True) -> Earning:
    """What a result brought, by currency."""
    return told_of(result.trace, with_games=with_games) if result.trace is not None else Earning({})


def told_of(trace: Trace, *, with_games: bool = True) -> Earning:
    """What a decision brought, by currency."""
    points: dict[str, int] = {}
    for rule in trace.rules:
        points[rule.currency] = points.get(rule.currency, 0) + rule.earned
    for grant in trace.grants:
        if with_games or not grant.cause.startswith("game:"):
            points[grant.currency] = points.get(grant.currency, 0) + grant.points
    return Earning({key: minor for key, minor in points.items() if minor}, trace.tier_after)


def credit(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    shift: Shift,
    member_id: int,
    basket: Basket,
    *,
    once: str,
    now: int,
) -> Taken:
    """Credits a sale that no device signed: one that the server's own form sent. Commits.

    `once` names it for ever: sent again it is answered, not credited again. Refused as entries of the journal are.
    """
    entry = Entry(
        1,
        runtime.key,
        device.ref,
        1,
        moment(now).isoformat(),
        Member(ref=refs.encode(member_id)),
        basket.amount,
        shift.ref,
        list(basket.lines),
        basket.ticket,
    )
    content = sha256(msgspec.json.encode([once, member_id, basket])).digest()
    return journal.enter(connection, runtime, device, once, entry, content, now=now)


def follow(
    connection: Connection[Any],
    device: Device,
    shift: Shift,
    taken: Sequence[Taken],
    ticket: str | None,
    *,
    now: int,
) -> None:
    """What a credited sale brings with it: its lookup was for something, and its ticket is done. Commits."""
    for item in taken:
        if item.status in ("applied", "duplicate"):
            shifts.followed(connection, shift)
            if ticket is not None:
                baskets.done(connection, device, ticket, item.number, now=now)
    connection.commit()


# --- returns ----------------------------------------------------------------------------------------------


class Sale(Struct, frozen=True):
    """A sale that can be returned. `number` is what its receipt says; amounts are minor units of money."""

    source: str
    id: str
    number: str
    member_id: int
    amount: int
    returned: int
    at: int
    ticket: str | None

    @property
    def left(self) -> int:
        return self.amount - self.returned


class Effect(Struct, frozen=True):
    """What a return takes: points before and after by currency, what becomes debt, what is let go; minor units."""

    before: dict[str, int]
    after: dict[str, int]
    pending: dict[str, int]
    owed: dict[str, int]
    written_off: int
    money: int


def receipt_number(device: Device, number: str) -> str:
    """How a receipt names a sale: the device's number and its own, such as 3-42."""
    return f"{device.number}-{number}"


def find_sale(connection: Connection[Any], runtime: Runtime, device: Device, text: str, *, now: int) -> Sale:
    """The sale of a receipt's number (3-42), or of a register's ticket. Refused (unknown_sale) where there is none."""
    wanted = text.strip()
    first, dash, second = wanted.partition("-")
    named: tuple[str, str] | None = None
    if dash and first.isascii() and first.isdigit() and second.isascii() and second.isalnum():
        row = connection.execute(
            """
            -- tills.sale_of_receipt
            select e.device_id, e.entry from till_entry e
            join till_device d on d.device_id = e.device_id
            where d.program_id = %s and d.number = %s and e.entry = %s and e.kind = 'sale' and e.state = 'applied'
            """,
            (runtime.program_id, int(first[:9]), second.upper()[:40]),
        ).fetchone()
        if row is not None:
            named = (f"till:{refs.encode_as('td', row[0])}", row[1])
    if named is None and wanted:
        row = connection.execute(
            """
            -- tills.sale_of_ticket
            select e.device_id, e.entry from till_entry e
            where e.program_id = %s and e.ticket = %s and e.kind = 'sale' and e.state = 'applied'
            order by e.at desc limit 1
            """,
            (runtime.program_id, wanted[:60]),
        ).fetchone()
        if row is not None:
            named = (f"till:{refs.encode_as('td', row[0])}", row[1])
        else:
            named = tickets.find(connection, runtime, device.location, wanted[:60])
    if named is None:
        raise TillRefused(TillRefusal.UNKNOWN_SALE)
    return _sale(connection, runtime, *named)


def last_sale(connection: Connection[Any], runtime: Runtime, device: Device, shift: Shift) -> Sale:
    """The last sale that was credited in this shift, to be undone. Refused where there is none."""
    row = connection.execute(
        """
        -- tills.last_sale
        select e.entry from till_entry e
        where e.device_id = %s and e.shift_id = %s and e.kind = 'sale' and e.state = 'applied'
        order by e.at desc, e.received_at desc limit 1
        """,
        (device.device_id, shift.shift_id),
    ).fetchone()
    if row is None:
        raise TillRefused(TillRefusal.UNKNOWN_SALE)
    return _sale(connection, runtime, device.source, row[0])


def _sale(connection: Connection[Any], runtime: Runtime, source: str, id: str) -> Sale:
    found = queries.find_activity(connection, runtime.program_id, source, id)
    if found is None or found.line is None or found.line.type != "sale":
        raise TillRefused(TillRefusal.UNKNOWN_SALE)
    own = found.line.member_id
    summed = queries.sold_and_returned(connection, own, found.line.activity_id)
    heir = members.heirs(connection, runtime.program_id, [own]).get(own)
    row = connection.execute(
        """
        -- tills.entry_of_sale
        select e.ticket, d.number from till_device d
        join till_entry e on e.device_id = d.device_id and e.entry = %s
        where d.device_id = %s
        """,
        (id, refs.decode_as("td", source.removeprefix("till:")) or -1),
    ).fetchone()
    return Sale(
        source,
        id,
        f"{row[1]}-{id}" if row is not None else id,
        heir.member_id if heir is not None else own,
        summed[0],
        summed[1],
        found.line.occurred_at,
        row[0] if row is not None else None,
    )


def _return_of(runtime: Runtime, device: Device, sale: Sale, amount: int | None, once: str, now: int) -> Read:
    back: dict[str, Any] = {
        "source": device.source,
        "id": f"R{once}",
        "type": "return",
        "occurred_at": moment(now).isoformat(),
        "sale": {"source": sale.source, "id": sale.id},
        "location": device.location,
    }
    if amount is None or amount >= sale.left:
        back["whole"] = True
    else:
        back["amount"] = from_minor(amount, runtime.latest.exponent)
    found = wire.from_mapping(back)
    read = (
        found if isinstance(found, Refusal) else wire.to_fact(found, runtime.timeline, runtime.key, now=now)
    )
    if isinstance(read, Refusal):
        raise NotDone(read)
    return read


def effect(
    connection: Connection[Any], runtime: Runtime, device: Device, sale: Sale, amount: int | None, *, now: int
) -> Effect:
    """What a return would take if it were done now: all that is left of the sale, or so much money. Writes nothing.

    Refused: nothing_left; and (NotDone) as the return itself is.
    """
    if sale.left <= 0 and sale.amount > 0:
        raise TillRefused(TillRefusal.NOTHING_LEFT)
    read = _return_of(runtime, device, sale, amount, f"look-{secrets.token_hex(12)}", now)
    before = queries.wallets(connection, runtime, sale.member_id, now=now)
    assert before is not None
    try:
        result = batch.apply_within(connection, runtime, [read], now=now)[0]
        if result.refusal is not None:
            raise NotDone(result.refusal)
        after = queries.wallets(connection, runtime, sale.member_id, now=now)
    finally:
        connection.rollback()
    assert after is not None
    moved = [
        key
        for key, wallet in after.wallets.items()
        if (held := before.wallets.get(key)) is None
        or (held.spendable, held.pending, held.debt) != (wallet.spendable, wallet.pending, wallet.debt)
    ]
    return Effect(
        {key: before.wallets[key].spendable for key in moved},
        {key: after.wallets[key].spendable for key in moved},
        {key: after.wallets[key].pending - before.wallets[key].pending for key in moved},
        {key: after.wallets[key].debt - before.wallets[key].debt for key in moved},
        result.trace.written_off if result.trace is not None else 0,
        sale.left if amount is None else min(amount, sale.left),
    )


def take_back(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    shift: Shift,
    sale: Sale,
    amount: int | None,
    *,
    once: str,
    now: int,
) -> Result:
    """Takes a return, once for `once`. Commits. Refused: own_account, nothing_left; (NotDone) as the engine says."""
    if sale.member_id == shift.own_member_id:
        raise TillRefused(TillRefusal.OWN_ACCOUNT)
    done = queries.find_activity(connection, runtime.program_id, device.source, f"R{once}")
    if done is not None and done.line is not None:
        line = done.line
        return Result(line.source, line.id, "duplicate", line.member_id, line.activity_id, trace=line.trace)
    if sale.left <= 0 and sale.amount > 0:
        raise TillRefused(TillRefusal.NOTHING_LEFT)
    read = _return_of(runtime, device, sale, amount, once, now)

    def act() -> Result:
        result = batch.apply_within(connection, runtime, [read], now=now)[0]
        if result.refusal is not None:
            raise NotDone(result.refusal)
        journal.record(
            connection,
            device,
            shift,
            f"R{once}",
            "return",
            sale.member_id,
            sale.left if amount is None else amount,
            at=now,
            now=now,
        )
        shifts.followed(connection, shift)
        return result

    return batch.attempt(connection, act)
