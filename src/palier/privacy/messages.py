"""What the program tells a member: a line in his inbox, kept until he is erased.

A message is a kind and the facts that its sentence is made of, so that it is read in whatever language the member
reads by then. It leaves the database for nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.site.ids import new_id

Kind = Literal[
    "welcome",
    "program_changed",
    "reward_ready",
    "reward_cancelled",
    "case_answered",
    "erasure_asked",
    "new_device",
    "points_given",
    "points_received",
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)

TELL: Final = """
-- privacy.tell
insert into member_message (member_id, message_id, program_id, kind, facts, once, told_at, read_at)
values (%(member)s, %(message)s, %(program)s, %(kind)s, %(facts)s::json, %(once)s, %(now)s, null)
on conflict (member_id, once) do nothing
"""

LISTED: Final = """
-- privacy.messages
select message_id, kind, facts::text, told_at, read_at, once from member_message
where member_id = %(member)s and program_id = %(program)s
  and (%(before)s::bigint is null or message_id < %(before)s)
order by message_id desc limit %(limit)s
"""

UNREAD: Final = """
-- privacy.unread
select count(*) from (
  select 1 from member_message
  where member_id = %(member)s and program_id = %(program)s and read_at is null limit %(most)s
) as found
"""

READ: Final = """
-- privacy.mark_read
update member_message set read_at = %(now)s
where member_id = %(member)s and program_id = %(program)s and read_at is null and message_id <= %(through)s
"""

FORGET: Final = """
-- privacy.forget_messages
delete from member_message where member_id = any(%(members)s) and program_id = %(program)s
"""

MOST_SHOWN_UNREAD: Final = 99


class Message(Struct, frozen=True):
    """One line of a member's inbox; instants are microseconds UTC, `read_at` 0 while it is unread."""

    message_id: int
    kind: str
    facts: dict[str, str]
    told_at: int
    read_at: int
    once: str | None = None


def tell(
    connection: Connection[Any],
    program_id: int,
    member_id: int,
    kind: Kind,
    facts: Mapping[str, str] | None = None,
    *,
    once: str | None = None,
    now: int,
) -> bool:
    """Puts a message into a member's inbox; False where the same was told before. Does not commit.

    `facts` are short texts that the kind's sentence names: a reward's name, an order's reference. `once` names what
    is told, so that telling it again adds nothing: `order:or_...:ready`.
    """
    told = connection.execute(
        TELL,
        {
            "member": member_id,
            "message": new_id(),
            "program": program_id,
            "kind": kind,
            "facts": msgspec.json.encode(dict(facts or {})).decode(),
            "once": once,
            "now": moment(now),
        },
    )
    return told.rowcount == 1


def listed(
    connection: Connection[Any], program_id: int, member_id: int, *, before: int | None, limit: int
) -> Sequence[Message]:
    """A member's messages, the latest first, before one of them (keyset paging)."""
    rows = connection.execute(
        LISTED, {"member": member_id, "program": program_id, "before": before, "limit": limit}
    ).fetchall()
    return [
        Message(
            row[0],
            row[1],
            msgspec.json.decode(row[2]),
            instant(row[3]),
            instant(row[4]) if row[4] is not None else 0,
            row[5],
        )
        for row in rows
    ]


def unread(connection: Connection[Any], program_id: int, member_id: int) -> int:
    """How many messages a member has not read, counted up to MOST_SHOWN_UNREAD."""
    row = connection.execute(
        UNREAD, {"member": member_id, "program": program_id, "most": MOST_SHOWN_UNREAD}
    ).fetchone()
    assert row is not None
    return int(row[0])


def mark_read(connection: Connection[Any], program_id: int, member_id: int, *, through: int, now: int) -> int:
    """Marks a member's messages up to one of them as read; how many were not. Does not commit."""
    return connection.execute(
        READ, {"member": member_id, "program": program_id, "through": through, "now": moment(now)}
    ).rowcount


def forget(connection: Connection[Any], program_id: int, member_ids: Sequence[int]) -> int:
    """Deletes the messages of members who are erased; how many. Does not commit."""
    return connection.execute(FORGET, {"members": list(member_ids), "program": program_id}).rowcount
