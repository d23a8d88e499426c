"""Shifts: who works at a device, locked when idle, and how many members one person may look up."""

# ruff: noqa: S608 -- statements are put together from the constants of this file alone

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import DAY, HOUR, MINUTE, instant, moment
from palier.members import queries as members
from palier.members import refs
from palier.members.queries import IdentityError
from palier.site.ids import new_id
from palier.staff import throttle
from palier.staff.operations import write_log
from palier.staff.throttle import Limit
from palier.tills.devices import Device
from palier.tills.refusals import TillRefusal, TillRefused

LONGEST: Final = 14 * HOUR
"""After so long a shift has ended, whoever still stands there."""
IDLE: Final = 5 * MINUTE
"""Untouched for so long, the till asks for the short code."""
TOUCH_EVERY: Final = 20_000_000
"""How exactly it is kept when the till was touched last (microseconds)."""
LOOKUPS: Final = 800
"""Members that may be looked up in a shift."""
BROWSED: Final = 60
"""Of these, so many without a sale, a return, a reward or an enrolment that follows."""
KEPT_FOR: Final = 365 * DAY
"""How long it is kept who looked whom up."""


CODES_KEPT: Final = 15 * DAY
"""How long it is kept that a card's code was used: a till without a network brings its sales up to two weeks later,
and the same code must not serve at two."""


class Shift(Struct, frozen=True):
    """One person's time at one device. Instants are microseconds UTC; `ended_at` 0: it goes on."""

    device_id: int
    shift_id: int
    program_id: int
    account_id: int
    session_id: int
    name: str
    own_member_id: int | None
    began_at: int
    used_at: int
    locked: bool
    ended_at: int
    lookups: int
    browsed: int

    @property
    def ref(self) -> str:
        return refs.encode_as("ts", self.shift_id)

    @property
    def actor(self) -> str:
        """Who acts, as the audit log and decisions name him."""
        return f"staff:{self.account_id}"

    def open_at(self, now: int) -> bool:
        """Whether it still goes on."""
        return not self.ended_at and now < self.began_at + LONGEST

    def locked_at(self, now: int) -> bool:
        """Whether the short code is to be asked for."""
        return self.locked or now - self.used_at >= IDLE


_COLUMNS: Final = (
    "device_id, shift_id, program_id, account_id, session_id, name, own_member_id, began_at, used_at, locked, ended_at,"
    " lookups, browsed"
)


def _shift(row: tuple[Any, ...]) -> Shift:
    return Shift(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], instant(row[7]), instant(row[8]), row[9],
        instant(row[10]) if row[10] is not None else 0, row[11], row[12],
    )  # fmt: skip


def begin(
    connection: Connection[Any],
    device: Device,
    *,
    account_id: int,
    session_id: int,
    name: str,
    email: str,
    now: int,
) -> Shift:
    """Begins a shift of a person who has just signed in at this device. Does not commit.

    One who has an open shift at it goes on with that. If the e-mail address is a member's, that member is the
    person, whom a colleague has to serve.
    """
    try:
        own = members.find(connection, device.program_id, {"email": email})
    except IdentityError:
        own = None
    for found in at_device(connection, device, now=now):
        if found.account_id == account_id:
            row = connection.execute(
                f"""
                -- tills.go_on
                update till_shift set used_at = %s, locked = false, own_member_id = %s, session_id = %s
                where device_id = %s and shift_id = %s returning {_COLUMNS}
                """,
                (moment(now), own, session_id, device.device_id, found.shift_id),
            ).fetchone()
            assert row is not None
            return _shift(row)
    row = connection.execute(
        f"""
        -- tills.begin
        insert into till_shift
          (device_id, shift_id, program_id, account_id, session_id, name, own_member_id, began_at, used_at, locked,
           ended_at, lookups, browsed)
        values (%(device)s, %(shift)s, %(program)s, %(account)s, %(session)s, %(name)s, %(own)s, %(now)s,
                %(now)s, false, null, 0, 0)
        returning {_COLUMNS}
        """,
        {
            "device": device.device_id,
            "shift": new_id(),
            "program": device.program_id,
            "account": account_id,
            "session": session_id,
            "name": name[:60],
            "own": own,
            "now": moment(now),
        },
    ).fetchone()
    assert row is not None
    shift = _shift(row)
    write_log(connection, shift.actor, "cashier", "till.sign_in", f"till:{device.ref}", at=now)
    return shift


def read(connection: Connection[Any], device: Device, shift_id: int) -> Shift | None:
    """A shift of this device."""
    row = connection.execute(
        f"-- tills.shift\nselect {_COLUMNS} from till_shift where device_id = %s and shift_id = %s",
        (device.device_id, shift_id),
    ).fetchone()
    return _shift(row) if row is not None else None


def at_device(connection: Connection[Any], device: Device, *, now: int) -> list[Shift]:
    """The shifts that go on at a device: who can take it over with the short code alone.

    One whose sign-in was ended elsewhere is over: the person signs in anew.
    """
    rows = connection.execute(
        f"""
        -- tills.shifts
        select {_COLUMNS} from till_shift t
        where t.device_id = %s and t.ended_at is null and t.began_at > %s
          and not exists (select from staff_session s where s.session_id = t.session_id and s.ended_at is not null)
        order by t.shift_id
        """,
        (device.device_id, moment(now - LONGEST)),
    ).fetchall()
    return [_shift(row) for row in rows]


def touch(connection: Connection[Any], shift: Shift, *, now: int) -> None:
    """Keeps that the till was used. Commits, at most every TOUCH_EVERY."""
    if now - shift.used_at >= TOUCH_EVERY:
        set_locked(connection, shift, False, now=now)
        connection.commit()


def set_locked(connection: Connection[Any], shift: Shift, locked: bool, *, now: int) -> None:
    """Locks the till, or opens it. Does not commit."""
    connection.execute(
        "-- tills.lock\nupdate till_shift set locked = %s, used_at = %s where device_id = %s and shift_id = %s",
        (locked, moment(now), shift.device_id, shift.shift_id),
    )


def end(connection: Connection[Any], shift: Shift, *, now: int) -> None:
    """Ends a shift. Does not commit."""
    connection.execute(
        """
        -- tills.end
        update till_shift set ended_at = %s where device_id = %s and shift_id = %s and ended_at is null
        """,
        (moment(now), shift.device_id, shift.shift_id),
    )


# --- looking members up -----------------------------------------------------------------------------------


def count_lookup(connection: Connection[Any], shift: Shift, *, now: int) -> None:
    """Counts a lookup before it is made. Commits.

    Refuses (too_many_lookups) past the limits, by one conditional statement, so that calls at one moment cannot pass
    them together. The first refusal is written to the audit log.
    """
    row = connection.execute(
        """
        -- tills.count_lookup
        update till_shift set lookups = lookups + 1, browsed = browsed + 1
        where device_id = %s and shift_id = %s and lookups < %s and browsed < %s
        returning lookups
        """,
        (shift.device_id, shift.shift_id, LOOKUPS, BROWSED),
    ).fetchone()
    connection.commit()
    if row is None:
        if throttle.count(connection, Limit(f"till lookups over {shift.ref}", 1, LONGEST), now=now) == 1:
            write_log(
                connection,
                shift.actor,
                "cashier",
                "till.too_many_lookups",
                f"shift:{shift.ref}",
                at=now,
                reason=f"{shift.lookups} lookups, {shift.browsed} of them with nothing that followed",
            )
            connection.commit()
        raise TillRefused(TillRefusal.TOO_MANY_LOOKUPS)


def followed(connection: Connection[Any], shift: Shift) -> None:
    """Something followed a lookup. Does not commit."""
    connection.execute(
        """
        -- tills.followed
        update till_shift set browsed = greatest(browsed - 1, 0) where device_id = %s and shift_id = %s
        """,
        (shift.device_id, shift.shift_id),
    )


def log_lookup(
    connection: Connection[Any], shift: Shift, how: str, member_id: int | None, *, now: int
) -> None:
    """Keeps that somebody was looked up, and whether he was found. Does not commit."""
    connection.execute(
        """
        -- tills.log_lookup
        insert into till_lookup (device_id, lookup_id, program_id, shift_id, account_id, member_id, how, at)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            shift.device_id,
            new_id(),
            shift.program_id,
            shift.shift_id,
            shift.account_id,
            member_id,
            how,
            moment(now),
        ),
    )


def looked_up(connection: Connection[Any], device_id: int, member_id: int, since: int) -> bool:
    """Whether this device found this member since an instant."""
    row = connection.execute(
        """
        -- tills.looked_up
        select exists (select from till_lookup where device_id = %s and member_id = %s and at >= %s)
        """,
        (device_id, member_id, moment(since)),
    ).fetchone()
    return bool(row is not None and row[0])


def drop_old(connection: Connection[Any], *, now: int) -> int:
    """Forgets lookups of a year ago, codes that no till brings any more, baskets that are over; how many. Commits."""
    gone = 0
    for statement, before in (
        (
            """
            -- tills.drop_lookups
            delete from till_lookup where (device_id, lookup_id) in (
              select device_id, lookup_id from till_lookup where at < %s limit 5000)
            """,
            now - KEPT_FOR,
        ),
        (
            """
            -- tills.drop_codes
            -- all members: codes whose time is over
            delete from card_code_use where used_at < %s
            """,
            now - CODES_KEPT,
        ),
        ("-- tills.drop_baskets\ndelete from till_basket where ends_at < %s", now - DAY),
    ):
        gone += connection.execute(statement, (moment(before),)).rowcount
        connection.commit()
    return gone
