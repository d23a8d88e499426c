"""Facts on their way to other members: written with the decision that brings them about, applied by the worker.

A friend's first purchase is a fact of the member who brought him; one half of a pair acts for both. Each fact has
a permanent id of its own, so delivering it twice changes nothing, and because the order of arrival does not
matter, delivering it late gives what delivering it at once would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from palier.engine.clock import moment
from palier.engine.decisions import Message
from palier.engine.facts import encode_fact
from palier.members import refs
from palier.site.ids import new_ids

SEND = """
-- relay.send
insert into relay (relay_id, program_id, member_id, payload, created_at)
select r, %(program)s, m, p::json, %(now)s
from unnest(%(ids)s::bigint[], %(members)s::bigint[], %(payloads)s::text[]) as t(r, m, p)
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
