"""One sale, two ids: sales that state the same ticket are told apart from new ones by the program's `sale_key`.

A till that sends a ticket again under another id (a replaced device, a second channel, a repeated export) would
have it counted twice: ids cannot show it. The first sale of a key is taken; the next is refused and names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection

from palier.activities import store
from palier.activities.runtime import Runtime
from palier.activities.writing import Item
from palier.engine.facts import SALE, Fact
from palier.engine.plan import Plan, Timeline
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence


class Known(NamedTuple):
    """A sale whose ticket is known, and the activity that stated it first."""

    item: Item
    source: str
    id: str

    @property
    def refusal(self) -> Refusal:
        """Why the second is not taken."""
        return Refusal(
            RefusalCode.SALE_KNOWN,
            sentence("the sale is known: %(source)s sent it as %(id)s", source=self.source, id=self.id),
            "ticket_number",
            sentence(
                "send nothing more for it; if it is another sale, send it under a new id with its own ticket"
            ),
        )


def key_of(fact: Fact, plan: Plan) -> bytes | None:
    """The stored form of what names a sale in its program; None where it does not say all of it."""
    values = []
    for name in plan.program.sale_key:
        value = plan.clock.local(fact.at)[0] if name == "date" else getattr(fact, name)
        if value is None:
            return None
        values.append([name, date.fromordinal(value).isoformat() if name == "date" else value])
    return blake2b(msgspec.json.encode(values), digest_size=20).digest() if values else None


def claim(
    connection: Connection[Any], parameters: dict[str, Any], items: Iterable[Item], timeline: Timeline
) -> list[Known]:
    """Takes the keys of sales whose ids were just claimed; those that come second, each with the first."""
    first: dict[bytes, Item] = {}
    second: list[tuple[Item, bytes]] = []
    for item in items:
        fact = item.fact
        if fact.ticket_number is None or fact.type != SALE:
            continue
        plan = timeline.at(fact.at)
        key = key_of(fact, plan) if plan is not None else None
        if key is not None and first.setdefault(key, item) is not item:
            second.append((item, key))
    if not first:
        return []
    rows = sorted(first.items())
    won = connection.execute(
        store.CLAIM_SALES,
        {
            **parameters,
            "keys": [key for key, _ in rows],
            "ids": [item.fact.id for _, item in rows],
            "sources": [item.fact.source for _, item in rows],
        },
    ).fetchall()
    if len(won) < len(rows):
        winners = {bytes(row[0]) for row in won}
        second += [(item, key) for key, item in rows if key not in winners]
    if not second:
        return []
    found = connection.execute(store.FIND_SALES, {**parameters, "keys": sorted({key for _, key in second})})
    owners = {bytes(key): (source, external_id) for key, source, external_id in found}
    return [Known(item, *owners[key]) for item, key in second]


def find(connection: Connection[Any], runtime: Runtime, location: str, ticket: str) -> tuple[str, str] | None:
    """Source and id of the sale that states a ticket at a place; None where no sale does, or where the program's
    `sale_key` asks for more than these two.
    """
    plan = runtime.latest
    if not plan.program.sale_key or set(plan.program.sale_key) - {"location", "ticket_number"}:
        return None
    key = key_of(Fact("", "", SALE, 0, location=location, ticket_number=ticket), plan)
    if key is None:
        return None
    row = connection.execute(store.FIND_SALES, {"keys": [key], "program": runtime.program_id}).fetchone()
    return (row[1], row[2]) if row is not None else None
