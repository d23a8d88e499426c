"""Facts on their way to other members: written with the decision that brings them about, applied by the worker.

A friend's first purchase is a fact of the member who brought him; one half of a pair acts for both. Each fact has
a permanent id of its own, so delivering it twice changes nothing, and because the order of arrival does not
matter, delivering it late gives what delivering it at once would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from psycopg import Connection

from palier.activities import batch
from palier.activities.runtime import Runtime
from palier.activities.wire import Read
from palier.engine.decisions import Message
from palier.engine.facts import decode_fact, encode_fact
from palier.engine.clock import moment
from palier.members import refs
from palier.site.ids import new_ids

AT_ONCE: Final = 500

SEND = """
-- relay.send
insert into relay (relay_id, program_id, member_id, payload, created_at)
select r, %(program)s, m, p::json, %(now)s
from unnest(%(ids)s::bigint[], %(members)s::bigint[], %(payloads)s::text[]) as t(r, m, p)
"""

TAKE = """
-- relay.take
delete from relay where relay_id in (
  select relay_id from relay where program_id = %(program)s order by relay_id limit %(limit)s
  for update skip locked
)
returning relay_id, member_id, payload::text
"""


def send(connection: Connection[Any], program_id: int, messages: Sequence[Message], now: int) -> None:
    """Writes facts that wait for their members. Does not commit."""
    if not messages:
        return
    connection.execute(
        SEND,
        {
            "program": program_id,
            "now": moment(now),
            "ids": new_ids(len(messages)),
            "members": [refs.decode(message.member) for message in messages],
            "payloads": [encode_fact(message.fact).decode() for message in messages],
        },
    )


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
