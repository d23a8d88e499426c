"""The journal of a till: sales that its device signed, taken in any order, any number of times, with one result.

A device numbers what it enters. Its reference and the number are the permanent id of the sale in the ledger, so that
an entry whose answer was lost, or which was kept while the network was away, can be sent again until it is answered.
An entry can only earn: it is a sale, never a return, a redemption or an adjustment, and its form has no place for how
anything is paid. What is refused is kept with its reason for whoever puts it right.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from psycopg import Connection

from palier.activities import batch, wire
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.activities.wire import Read
from palier.engine.amounts import AmountError, to_minor
from palier.engine.clock import DAY, HOUR, instant, moment
from palier.engine.instants import parse_instant
from palier.engine.refusals import Refusal
from palier.members import card, refs
from palier.members import queries as members
from palier.site.ciphers import decrypted, encrypted
from palier.staff.operations import write_log
from palier.tills import devices, lookups, shifts
from palier.tills.devices import Device
from palier.tills.refusals import TillRefusal, TillRefused
from palier.tills.shifts import Shift

MOST_WAITING: Final = 500
"""Entries that a device keeps while the network is away; then it takes no more."""
OLDEST_WAITING: Final = 72 * HOUR
"""How old the first of them may become; then it takes no more."""
LATEST: Final = 14 * DAY
"""How long after it was made an entry is still applied without a review."""
AT_ONCE: Final = 100
"""Entries in one call."""
LONGEST: Final = 20_000
"""Bytes of one entry."""
LINES: Final = 100
PER_DAY: Final = 10
"""How often one person credits one member on one day: beyond it, somebody looks at it first."""
FOUND_BEFORE: Final = DAY
"""How long before an entry its member may have been found."""
CLOCK_SLACK: Final = 4
"""Half minutes by which a device's clock may differ from the server's when it reads a card's code."""
SEALED: Final = "till entries"
CHANNEL: Final = "store"

Word = Annotated[str, Meta(min_length=1, max_length=60)]


class EntryLine(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a basket; the amount is decimal text."""

    amount: Annotated[str, Meta(max_length=20)]
    category: Annotated[str, Meta(max_length=200)] = ""
    quantity: Annotated[int, Meta(ge=0, le=1_000_000)] = 1


class Member(Struct, frozen=True, forbid_unknown_fields=True):
    """Who bought: a member found before, or what his card said; exactly one."""

    ref: Annotated[str, Meta(max_length=40)] | None = None
    card: Annotated[str, Meta(max_length=200)] | None = None
    code: Annotated[str, Meta(max_length=100)] | None = None


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """What a device signs: one sale. `at` is ISO 8601 in UTC; the lines, where there are any, add up to the amount."""

    v: Literal[1]
    program: str
    device: str
    number: Annotated[int, Meta(ge=1, le=10**12)]
    at: Annotated[str, Meta(max_length=40)]
    member: Member
    amount: Annotated[str, Meta(max_length=20)]
    shift: str | None = None
    lines: Annotated[list[EntryLine], Meta(max_length=LINES)] = []
    ticket: Word | None = None


class Sent(Struct, frozen=True, forbid_unknown_fields=True):
    """An entry as it comes: the text that was signed, and the signature (raw, in base64)."""

    text: Annotated[str, Meta(max_length=LONGEST)]
    signature: Annotated[str, Meta(max_length=200)]


class Taken(Struct, frozen=True):
    """What became of an entry. `code` says why it was refused; `result` what it brought, when it was just applied."""

    number: str
    status: Literal["applied", "duplicate", "refused", "kept"]
    code: str = ""
    member_id: int | None = None
    result: Result | None = None


class _Work(Struct):
    """One entry on its way: what is known of it so far."""

    number: str
    text: str
    content: bytes
    entry: Entry | None = None
    at: int = 0
    amount: int = 0
    member_id: int | None = None
    shift: Shift | None = None
    refused: str = ""
    read: Read | None = None
    result: Result | None = None
    known: str = ""


_entry = msgspec.json.Decoder(Entry).decode


def ticket_of(text: str) -> str | None:
    """The register's ticket that an entry which was taken names; None for none."""
    return _entry(text.encode()).ticket


def take(
    connection: Connection[Any], runtime: Runtime, device: Device, sent: Sequence[Sent], *, now: int
) -> list[Taken]:
    """Takes entries of a device, at most AT_ONCE, each once; what became of each, in their order. Commits.

    Nothing that is wrong with one entry touches another. Raises TillRefused (device_revoked) for a revoked device,
    after having kept what it sent, as far as it is signed and within the limits, for a review.
    """
    works = [_read(runtime, device, item) for item in sent[:AT_ONCE]]
    if device.state == "revoked":
        batch.attempt(connection, lambda: _keep(connection, device, works, now))
        raise TillRefused(TillRefusal.DEVICE_REVOKED)
    return batch.attempt(
        connection, lambda: _take(connection, runtime, device, [_fresh(work) for work in works], now)
    )


def _fresh(work: _Work) -> _Work:
    """The same for a new attempt: nothing that the last one found."""
    return msgspec.structs.replace(
        work, member_id=None, shift=None, refused=work.refused, read=None, result=None
    )


def _read(runtime: Runtime, device: Device, item: Sent) -> _Work:
    """An entry as far as it can be judged alone: its form, its signature, its instant and amount."""
    text = item.text.encode()
    work = _Work("", item.text, sha256(text).digest())
    try:
        entry = _entry(text)
        work.number = str(entry.number)
        if len(text) > LONGEST or (entry.program, entry.device) != (runtime.key, device.ref):
            raise ValueError("of another program or device")
        if [entry.member.ref, entry.member.card, entry.member.code].count(None) != 2:
            raise ValueError("names no member, or two")
        work.at = parse_instant(entry.at)
        exponent = runtime.latest.exponent
        work.amount = to_minor(entry.amount, exponent)
        if entry.lines and sum(to_minor(line.amount, exponent) for line in entry.lines) != work.amount:
            raise ValueError("its lines do not add up to it")
    except (msgspec.DecodeError, ValueError, AmountError, UnicodeDecodeError):
        work.refused = TillRefusal.MALFORMED_ENTRY
        return work
    work.entry = entry
    if not devices.signed(device, text, _signature(item.signature)):
        work.refused = TillRefusal.WRONG_SIGNATURE
    return work


def _signature(text: str) -> bytes:
    from base64 import b64decode
    from binascii import Error

    try:
        return b64decode(text, validate=True)
    except (Error, ValueError):
        return b""


def enter(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    number: str,
    entry: Entry,
    content: bytes,
    *,
    now: int,
) -> Taken:
    """Takes one sale that the server's own form sent, under a number that no device gives; once. Commits."""
    try:
        amount = to_minor(entry.amount, runtime.latest.exponent)
    except AmountError:
        return Taken(number, "refused", TillRefusal.MALFORMED_ENTRY)

    def act() -> Taken:
        work = _Work(number, "", content, entry, parse_instant(entry.at), amount)
        return _take(connection, runtime, device, [work], now)[0]

    return batch.attempt(connection, act)


def record(
    connection: Connection[Any],
    device: Device,
    shift: Shift,
    number: str,
    kind: str,
    member_id: int,
    amount: int,
    *,
    at: int,
    now: int,
) -> None:
    """Keeps that something else than a sale was done at a till. Does not commit."""
    connection.execute(
        _CLAIM,
        {
            "device": device.device_id,
            "entry": number,
            "program": device.program_id,
            "shift": shift.shift_id,
            "account": shift.account_id,
            "kind": kind,
            "sha256": sha256(f"{kind} {number}".encode()).digest(),
            "state": "applied",
            "code": "",
            "member": member_id,
            "ticket": None,
            "amount": amount,
            "at": moment(at),
            "now": moment(now),
            "sealed": None,
        },
    )


_FIND: Final = """
-- tills.find_entries
select entry, sha256, state, code, member_id, state = 'refused' and sealed is null
from till_entry where device_id = %s and entry = any(%s)
"""

_CLAIM: Final = """
-- tills.claim_entry
insert into till_entry
  (device_id, entry, program_id, shift_id, account_id, kind, sha256, state, code, member_id, ticket, amount, at,
   received_at, sealed)
values (%(device)s, %(entry)s, %(program)s, %(shift)s, %(account)s, %(kind)s, %(sha256)s, %(state)s, %(code)s,
        %(member)s, %(ticket)s, %(amount)s, %(at)s, %(now)s, %(sealed)s)
on conflict (device_id, entry) do nothing
returning entry
"""

_SETTLE: Final = """
-- tills.settle_entry
update till_entry set state = %(state)s, code = %(code)s, member_id = %(member)s, received_at = %(now)s,
       sealed = %(sealed)s
where device_id = %(device)s and entry = %(entry)s and sha256 = %(sha256)s and state <> 'applied'
"""


def _take(
    connection: Connection[Any], runtime: Runtime, device: Device, works: list[_Work], now: int,
    *, reviewed: bool = False,
) -> list[Taken]:  # fmt: skip
    # One call of a device at a time: a second that brings the same entries waits, and finds them.
    connection.execute("-- tills.device_in_turn\nselect pg_advisory_xact_lock(%s)", (device.device_id,))
    numbers = sorted({work.number for work in works if work.entry is not None})
    stored = {row[0]: row[1:] for row in connection.execute(_FIND, (device.device_id, numbers)).fetchall()}
    seen: dict[str, bytes] = {number: bytes(row[0]) for number, row in stored.items()}
    credited: dict[tuple[int, int, int], int] = {}
    ready: list[_Work] = []
    doubles: list[tuple[_Work, _Work]] = []
    for work in works:
        if work.refused:
            continue
        first = next((other for other in ready if other.number == work.number), None)
        if first is not None and first.content == work.content:
            doubles.append((work, first))
            continue
        if seen.setdefault(work.number, work.content) != work.content:
            work.refused = TillRefusal.ENTRY_DIFFERS
            continue
        if work.number in stored and stored[work.number][1] == "applied":
            work.known, work.member_id = "duplicate", stored[work.number][3]
            continue
        if work.number in stored and stored[work.number][4]:
            work.known, work.refused = "refused", TillRefusal.SET_ASIDE
            continue
        _judge(connection, runtime, device, work, credited, now, reviewed)
        if not work.refused:
            ready.append(work)
    results = batch.apply_within(
        connection,
        runtime,
        [work.read for work in ready if work.read is not None],
        now=now,
        known_members=[work.member_id or 0 for work in ready],
    )
    for work, result in zip(ready, results, strict=True):
        work.result = result
        if result.refusal is not None:
            work.refused = result.refusal.code.value
    for work in works:
        if work.entry is None or work.known:
            continue
        # What the server's own form sent and was refused is not kept: whoever sent it reads why, and it was not signed.
        if not work.refused or work.text:
            _store(connection, device, work, now)
    return [_taken(work, dict(_pairs(doubles)).get(id(work))) for work in works]


def _pairs(doubles: list[tuple[_Work, _Work]]) -> list[tuple[int, _Work]]:
    return [(id(work), first) for work, first in doubles]


def _taken(work: _Work, first: _Work | None) -> Taken:
    if first is not None:
        found = _taken(first, None)
        return Taken(
            found.number,
            "duplicate" if found.status == "applied" else found.status,
            found.code,
            found.member_id,
        )
    if work.refused:
        return Taken(work.number, "refused", work.refused, work.member_id)
    if work.known:
        return Taken(work.number, "duplicate", "", work.member_id)
    assert work.result is not None
    status: Literal["applied", "duplicate"] = "duplicate" if work.result.status == "duplicate" else "applied"
    return Taken(work.number, status, "", work.member_id, work.result)


def _judge(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    work: _Work,
    credited: dict[tuple[int, int, int], int],
    now: int,
    reviewed: bool,
) -> None:
    """Whose sale it is, and whether this till may enter it; its fact."""
    entry = work.entry
    assert entry is not None
    if entry.shift is not None:
        shift_id = refs.decode_as("ts", entry.shift)
        work.shift = shifts.read(connection, device, shift_id) if shift_id is not None else None
    try:
        if not reviewed and now - work.at > LATEST:
            raise TillRefused(TillRefusal.ENTRY_TOO_OLD)
        work.member_id = _member(connection, runtime, device, work, now)
        if work.shift is not None and work.member_id == work.shift.own_member_id:
            raise TillRefused(TillRefusal.OWN_ACCOUNT)
        if not reviewed:
            _refuse_too_often(connection, runtime, work, credited)
    except TillRefused as refused:
        work.refused = refused.code
        return
    found = fact(
        runtime,
        device,
        number=work.number,
        at=entry.at,
        member_id=work.member_id,
        amount=entry.amount,
        lines=entry.lines,
        ticket=entry.ticket,
        now=now,
    )
    if isinstance(found, Refusal):
        work.refused = found.code.value
    else:
        work.read = found


def _member(connection: Connection[Any], runtime: Runtime, device: Device, work: _Work, now: int) -> int:
    assert work.entry is not None
    named = work.entry.member
    member_id: int | None = None
    if named.ref is not None:
        try:
            member_id = refs.decode(named.ref)
        except ValueError:
            raise TillRefused(TillRefusal.MALFORMED_ENTRY) from None
        if not shifts.looked_up(connection, device.device_id, member_id, work.at - FOUND_BEFORE):
            raise TillRefused(TillRefusal.NOT_LOOKED_UP)
    elif named.code is not None:
        shown = card.shown(runtime.key, named.code, work.at, slack=CLOCK_SLACK)
        if shown is None or shown.purpose != "earn":
            raise TillRefused(TillRefusal.UNKNOWN_MEMBER)
        used = lookups.claim_code(
            connection, runtime.program_id, shown, device_id=device.device_id, act=work.number, now=now
        )
        if used[0] != device.device_id or used[1] not in ("", work.number):
            raise TillRefused(TillRefusal.CODE_USED)
        member_id = shown.member_id
    else:
        member_id = lookups.of_card(connection, runtime.program_id, named.card or "")
    if member_id is None:
        raise TillRefused(TillRefusal.UNKNOWN_MEMBER)
    heir = members.heirs(connection, runtime.program_id, [member_id]).get(member_id)
    member_id = heir.member_id if heir is not None else member_id
    view = members.read(connection, runtime.program_id, member_id)
    if view is None or view.status == "erased":
        raise TillRefused(TillRefusal.UNKNOWN_MEMBER)
    return member_id


def _refuse_too_often(
    connection: Connection[Any], runtime: Runtime, work: _Work, credited: dict[tuple[int, int, int], int]
) -> None:
    """Refuses what one person enters for one member beyond PER_DAY of one local day."""
    if work.shift is None or work.member_id is None:
        return
    local = runtime.at(work.at).clock
    day = local.local(work.at)[0]
    key = (work.shift.account_id, work.member_id, day)
    if key not in credited:
        row = connection.execute(
            """
            -- tills.credited
            select count(*) from till_entry e
            where e.program_id = %s and e.account_id = %s and e.member_id = %s and e.at >= %s and e.at < %s
              and e.state = 'applied' and e.kind = 'sale'
            """,
            (
                runtime.program_id,
                work.shift.account_id,
                work.member_id,
                moment(local.start_of_day(day)),
                moment(local.start_of_day(day + 1)),
            ),
        ).fetchone()
        credited[key] = int(row[0]) if row is not None else 0
    if credited[key] >= PER_DAY:
        raise TillRefused(TillRefusal.TOO_OFTEN)
    credited[key] += 1


def fact(
    runtime: Runtime,
    device: Device,
    *,
    number: str,
    at: str,
    member_id: int,
    amount: str,
    lines: Sequence[EntryLine],
    ticket: str | None,
    now: int,
) -> Read | Refusal:
    """The sale that a till enters, as any other activity; or why it is refused."""
    sale: dict[str, Any] = {
        "source": device.source,
        "id": number,
        "type": "sale",
        "occurred_at": at,
        "member": refs.encode(member_id),
        "amount": amount,
        "channel": CHANNEL,
        "location": device.location,
        "lines": [
            {"amount": line.amount, "category": line.category, "quantity": line.quantity} for line in lines
        ],
    }
    if ticket is not None:
        sale["ticket_number"] = ticket
    found = wire.from_mapping(sale)
    if isinstance(found, Refusal):
        return found
    return wire.to_fact(found, runtime.timeline, runtime.key, now=now)


def _store(connection: Connection[Any], device: Device, work: _Work, now: int, state: str = "") -> None:
    """Keeps what became of an entry. One that was refused before takes its new outcome."""
    state = state or ("refused" if work.refused else "applied")
    values = {
        "device": device.device_id,
        "entry": work.number,
        "program": device.program_id,
        "shift": work.shift.shift_id if work.shift is not None else None,
        "account": work.shift.account_id if work.shift is not None else None,
        "kind": "sale",
        "sha256": work.content,
        "state": state,
        "code": work.refused if state != "applied" else "",
        "member": work.member_id,
        "ticket": work.entry.ticket if work.entry is not None else None,
        "amount": work.amount,
        "at": moment(work.at),
        "now": moment(now),
        "sealed": None
        if state == "applied"
        else encrypted(SEALED, work.text.encode(), f"{device.device_id}.{work.number}".encode()),
    }
    if work.refused in (TillRefusal.ENTRY_DIFFERS, TillRefusal.WRONG_SIGNATURE):
        return  # The number may be another entry's, which stays as it is.
    if connection.execute(_CLAIM, values).fetchone() is None:
        connection.execute(_SETTLE, values)


# --- a revoked device -------------------------------------------------------------------------------------


class Kept(Struct, frozen=True):
    """An entry that waits for a review: refused, or sent by a device after it was revoked."""

    device_id: int
    number: str
    state: str
    code: str
    at: int
    received_at: int
    amount: int
    member_id: int | None
    worker: str
    """Whose shift it was; "" where the till knew nobody."""
    card: str
    """The end of the card's number that was read, where it was one: enough to find it again."""


def _keep(connection: Connection[Any], device: Device, works: list[_Work], now: int) -> None:
    row = connection.execute(
        "-- tills.count_kept\nselect count(*) from till_entry where device_id = %s and state = 'kept'",
        (device.device_id,),
    ).fetchone()
    room = MOST_WAITING - (int(row[0]) if row is not None else 0)
    for work in works:
        if work.entry is None or work.refused or room <= 0:
            continue
        if work.entry.shift is not None:
            shift_id = refs.decode_as("ts", work.entry.shift)
            work.shift = shifts.read(connection, device, shift_id) if shift_id is not None else None
        work.refused = TillRefusal.DEVICE_REVOKED
        _store(connection, device, work, now, "kept")
        room -= 1


def to_review(
    connection: Connection[Any], program_id: int, device_id: int | None = None, *, limit: int = MOST_WAITING
) -> list[Kept]:
    """Entries of a device, or of all devices of a program, that were refused or kept: the oldest first."""
    rows = connection.execute(
        """
        -- tills.to_review
        select e.device_id, e.entry, e.state, e.code, e.at, e.received_at, e.amount, e.member_id, coalesce(s.name, ''),
               e.sealed
        from till_entry e left join till_shift s on s.device_id = e.device_id and s.shift_id = e.shift_id
        where e.program_id = %(program)s and (%(device)s::bigint is null or e.device_id = %(device)s)
          and e.state in ('refused', 'kept') and e.sealed is not null
        order by e.at, e.device_id, e.entry limit %(limit)s
        """,
        {"program": program_id, "device": device_id, "limit": limit},
    ).fetchall()
    return [
        Kept(
            row[0], row[1], row[2], row[3], instant(row[4]), instant(row[5]), row[6], row[7], row[8],
            _card_end(row[0], row[1], row[9]),
        )
        for row in rows
    ]  # fmt: skip


def _card_end(device_id: int, number: str, sealed: bytes) -> str:
    card_number = _opened(device_id, number, sealed).member.card or ""
    return card_number[-4:] if len(card_number) > 4 else card_number


def _opened(device_id: int, number: str, sealed: bytes) -> Entry:
    """An entry that was kept, as it was signed."""
    return _entry(decrypted(SEALED, bytes(sealed), f"{device_id}.{number}".encode()))


def apply_kept(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    numbers: Sequence[str],
    *,
    by: str,
    role: str,
    now: int,
) -> list[Taken]:
    """Applies entries that somebody has reviewed, whatever their age, and after their device was revoked. Commits.

    Whose they are is looked at anew. `by` and `role` say who reviewed them, for the audit log.
    """

    def act() -> list[Taken]:
        rows = connection.execute(
            """
            -- tills.kept_entries
            select entry, sealed from till_entry
            where device_id = %s and entry = any(%s) and state in ('refused', 'kept') and sealed is not null
            order by at, entry
            """,
            (device.device_id, list(numbers)),
        ).fetchall()
        works = []
        for number, sealed in rows:
            text = decrypted(SEALED, bytes(sealed), f"{device.device_id}.{number}".encode())
            entry = _entry(text)
            works.append(
                _Work(
                    number,
                    text.decode(),
                    sha256(text).digest(),
                    entry,
                    parse_instant(entry.at),
                    to_minor(entry.amount, runtime.latest.exponent),
                )
            )
        taken = _take(connection, runtime, device, works, now, reviewed=True)
        done = sum(item.status in ("applied", "duplicate") for item in taken)
        write_log(
            connection,
            by,
            role,
            "till.apply_kept",
            f"till:{device.ref}",
            at=now,
            reason=f"{done} of {len(works)}",
        )
        return taken

    return batch.attempt(connection, act)


def drop_kept(
    connection: Connection[Any],
    device: Device,
    numbers: Sequence[str],
    *,
    by: str,
    role: str,
    reason: str,
    now: int,
) -> int:
    """Sets entries aside for good: they are applied by nobody any more, and what was signed goes. Does not commit.

    A device that sends one of them again is told so (set_aside).
    """
    gone = connection.execute(
        """
        -- tills.drop_kept
        update till_entry set state = 'refused', sealed = null
        where device_id = %s and entry = any(%s) and state in ('refused', 'kept') and sealed is not null
        """,
        (device.device_id, list(numbers)),
    ).rowcount
    write_log(
        connection, by, role, "till.drop_kept", f"till:{device.ref}", at=now, reason=f"{gone}: {reason}"
    )
    return gone
