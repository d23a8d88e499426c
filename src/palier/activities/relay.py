"""Facts on their way to other members: written with the decision that brings them about, applied by the worker.

A friend's first purchase is a fact of the member who brought him; one half of a pair acts for both. Each fact has
a permanent id of its own, so delivering it twice changes nothing, and because the order of arrival does not
matter, delivering it late gives what delivering it at once would have given.

What was told, taken back and is told again is a fact of its own, `friend_converted#2:…` beside
`friend_converted:…`: ids are used once for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
from psycopg import Connection

from palier.engine.clock import moment
from palier.engine.decisions import Message
from palier.engine.facts import RETURN, encode_fact
from palier.engine.trace import Trace
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


class Stored(Protocol):
    """A decision as it is stored: its id, that of the decision it corrects (0: none), and its trace."""

    @property
    def activity_id(self) -> int: ...
    @property
    def corrects_id(self) -> int: ...
    @property
    def trace(self) -> Trace: ...


class Tellings:
    """How often each fact was told so far, by (member, id) as decisions name it."""

    def __init__(self, stored: Iterable[Stored]) -> None:
        self._times: dict[tuple[str, str], int] = {}
        told: dict[int, set[tuple[str, str]]] = {}
        for item in sorted(stored, key=lambda item: item.activity_id):
            own = item.corrects_id or item.activity_id
            now = set(item.trace.told)
            for key in now - told.get(own, set()):
                self._times[key] = self._times.get(key, 0) + 1
            told[own] = now

    def numbered(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with ids of their own, where they were told before; what comes back names the latest."""
        found = []
        for message in sorted(messages, key=lambda message: message.fact.type == RETURN):
            fact, member = message.fact, message.member
            times = self._times[member, fact.id] = self._times.get((member, fact.id), 0) + 1
            named = fact.sale
            if fact.type == RETURN and named is not None:
                latest = self._times.get((member, named.id), 1)
                # Each telling is taken back at most once by whom: so the number of the later one is free.
                times = max(times, latest)
                named = msgspec.structs.replace(named, id=_numbered(named.id, latest))
            found.append(
                Message(member, msgspec.structs.replace(fact, id=_numbered(fact.id, times), sale=named))
            )
        return found


def _numbered(identifier: str, times: int) -> str:
    kind, _, rest = identifier.partition(":")
    return f"{kind}#{times}:{rest}" if times > 1 else identifier
