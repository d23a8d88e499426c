"""Delivering facts to other members: each is applied to its member as it would have been sent (see `relay`)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from psycopg import Connection

from palier.activities import batch
from palier.activities.runtime import Runtime
from palier.activities.wire import Read
from palier.engine.facts import decode_fact

AT_ONCE: Final = 500

TAKE = """
-- relay.take
delete from relay where relay_id in (
  select relay_id from relay where program_id = %(program)s order by relay_id limit %(limit)s
  for update skip locked
)
returning relay_id, member_id, payload::text
"""


def deliver(connection: Connection[Any], runtime: Runtime, *, now: int, limit: int = AT_ONCE) -> int:
    """Applies facts that wait, each to its member, and takes them off the queue; commits; how many.

    Several may run at once: each takes facts that no other has taken. A fact of a member who is not there any
    more is dropped.
    """

    def once() -> int:
        rows = connection.execute(TAKE, {"program": runtime.program_id, "limit": limit}).fetchall()
        if not rows:
            return 0
        rows.sort()
        reads, owners = [], []
        for _, member_id, payload in rows:
            data = payload.encode()
            reads.append(Read(decode_fact(data), None, data, sha256(data).digest()))
            owners.append(member_id)
        batch.apply_within(connection, runtime, reads, now=now, known_members=owners)
        return len(rows)

    return batch.attempt(connection, once)
