"""Sessions of members: one for each sign-in, listed to the member and ended by him, with limits of their own.

The browser holds the session's number and a secret; the database holds the secret's hash. So a copy of the database
signs nobody in, and ending a session here ends it there.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import DAY, MINUTE, instant, moment
from palier.members.operations import whole
from palier.site.ids import new_id

IDLE: Final = 30 * DAY
"""A session that is not used for so long is over."""
LONGEST: Final = 180 * DAY
"""However it is used, a session is over after so long."""
SEEN_EVERY: Final = 10 * MINUTE
"""How exactly it is known when a session was last used."""

Way = Literal["code", "passkey", "link"]

BEGIN: Final = """
-- members.begin_session
insert into member_session (member_id, session_id, program_id, secret_hash, way, came_by, device, started_at, seen_at,
                            ended_at)
values (%(member)s, %(session)s, %(program)s, %(hash)s, %(way)s, %(came_by)s, %(device)s, %(now)s, %(now)s, null)
"""

READ: Final = """
-- members.session
select secret_hash, came_by, seen_at from member_session
where member_id = %(member)s and session_id = %(session)s and program_id = %(program)s and ended_at is null
  and seen_at > %(idle)s and started_at > %(oldest)s
"""

SEEN: Final = """
-- members.session_seen
update member_session set seen_at = %(now)s where member_id = %(member)s and session_id = %(session)s
"""

LISTED: Final = """
-- members.sessions
select session_id, way, device, started_at, seen_at from member_session
where member_id = any(%(members)s) and program_id = %(program)s and ended_at is null
  and seen_at > %(idle)s and started_at > %(oldest)s
order by seen_at desc, session_id desc limit 100
"""

END: Final = """
-- members.end_sessions
update member_session set ended_at = %(now)s
where member_id = any(%(members)s) and program_id = %(program)s and ended_at is null
  and (%(session)s::bigint is null or session_id = %(session)s)
  and (%(but)s::bigint is null or session_id <> %(but)s)
"""

DROP_OLD: Final = """
-- members.drop_old_sessions
-- all members: sessions that have been over for a month
delete from member_session where (member_id, session_id) in (
  select member_id, session_id from member_session
  where (ended_at < %(before)s or seen_at < %(idle)s or started_at < %(oldest)s) limit 5000)
"""


class Begun(Struct, frozen=True):
    """What the browser keeps of a session: its number, and the secret that proves it."""

    session_id: int
    secret: str


class Live(Struct, frozen=True):
    """A session that goes on. `came_by` is the hash of the identity that was proved at its sign-in, if one was."""

    session_id: int
    came_by: bytes | None


class Device(Struct, frozen=True):
    """A session as its member sees it. Instants are microseconds UTC."""

    session_id: int
    way: str
    device: str
    started_at: int
    seen_at: int


def device_of(agent: str) -> str:
    """A browser and a system in words, of what the browser says of itself: "Firefox, Linux"; "" for neither."""
    browsers = (
        ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    )  # fmt: skip
    systems = (
        ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
        ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    )  # fmt: skip
    found = [next((name for mark, name in marks if mark in agent), "") for marks in (browsers, systems)]
    return ", ".join(filter(None, found))


def begin(
    connection: Connection[Any],
    program_id: int,
    member_id: int,
    *,
    way: Way,
    device: str,
    came_by: bytes | None = None,
    now: int,
) -> Begun:
    """Begins a session of a member. Does not commit."""
    begun = Begun(new_id(), secrets.token_urlsafe(24))
    connection.execute(
        BEGIN,
        {
            "member": member_id, "session": begun.session_id, "program": program_id,
            "hash": _hash(begun.secret), "way": way, "came_by": came_by, "device": device[:80], "now": moment(now),
        },
    )  # fmt: skip
    return begun


def see(
    connection: Connection[Any], program_id: int, member_id: int, session_id: int, secret: str, *, now: int
) -> Live | None:
    """The session, if it goes on; None where it was ended, is over, or the secret is not its own.

    Commits where it notes that the session was used, which is every SEEN_EVERY at most.
    """
    parameters = {**_limits(now), "member": member_id, "session": session_id, "program": program_id}
    row = connection.execute(READ, parameters).fetchone()
    if row is None or not hmac.compare_digest(bytes(row[0]), _hash(secret)):
        return None
    if now - instant(row[2]) > SEEN_EVERY:
        connection.execute(SEEN, parameters)
        connection.commit()
    return Live(session_id, bytes(row[1]) if row[1] is not None else None)


def listed(connection: Connection[Any], program_id: int, member_id: int, *, now: int) -> Sequence[Device]:
    """The member's sessions that go on, the one used last first; those of whoever was merged into him too."""
    parameters = {**_limits(now), "members": whole(connection, program_id, member_id), "program": program_id}
    return [
        Device(row[0], row[1], row[2], instant(row[3]), instant(row[4]))
        for row in connection.execute(LISTED, parameters).fetchall()
    ]


def end(
    connection: Connection[Any],
    program_id: int,
    member_id: int,
    *,
    session_id: int | None = None,
    but: int | None = None,
    now: int,
) -> int:
    """Ends one session of a member, or all of them (`but` one); how many. Does not commit.

    A session that began as somebody who was merged into him since is his: it opens his pages.
    """
    members = whole(connection, program_id, member_id)
    return connection.execute(
        END,
        {"members": members, "program": program_id, "session": session_id, "but": but, "now": moment(now)},
    ).rowcount


def drop_old(connection: Connection[Any], *, now: int) -> int:
    """Deletes sessions that are over; how many. Does not commit."""
    return connection.execute(DROP_OLD, {**_limits(now), "before": moment(now - 30 * DAY)}).rowcount


def _limits(now: int) -> dict[str, Any]:
    return {"now": moment(now), "idle": moment(now - IDLE), "oldest": moment(now - LONGEST)}


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
