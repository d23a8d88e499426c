"""Returns that came before their sale: how many wait, and applying those whose sale is there by now."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec import Struct
from psycopg import Connection

from palier.activities import batch
from palier.activities.runtime import Runtime
from palier.engine.clock import instant, moment
from palier.engine.facts import decode_fact

READY = """
-- parking.ready
select k.activity_id, k.payload::text, c.member_id, c.activity_id
from parked_activity k
join activity_claim c on c.external_id = k.sale_external_id and c.source = k.sale_source
  and c.program_id = k.program_id and c.status = 'applied'
where k.program_id = %(program)s and k.history = %(history)s
order by k.external_id
limit 500
"""


class Waiting(Struct, frozen=True):
    """Returns that wait for their sale: how many, since when, and how many have waited too long."""

    count: int
    oldest_at: int
    overdue: int


def waiting(connection: Connection[Any], program_id: int, now: int) -> Waiting:
    """How many returns of a program wait."""
    row = connection.execute(
        """
        -- parking.waiting
        select count(*), min(parked_at), count(*) filter (where deadline_at < %s)
        from parked_activity where program_id = %s
        """,
        (moment(now), program_id),
    ).fetchone()
    assert row is not None
    return Waiting(row[0], instant(row[1]) if row[1] is not None else 0, row[2])


def settle(connection: Connection[Any], runtime: Runtime, *, now: int) -> int:
    """Applies parked returns whose sale was applied meanwhile; commits; the number settled.

    A return and its sale that arrive in two transactions at the same time do not see each other: the return
    parks, and this finds it. Several may run at once: each takes returns that no other has taken.
    """

    def once(history: bool) -> int:
        rows = connection.execute(READY, {"program": runtime.program_id, "history": history}).fetchall()
        items = [
            batch.Item(
                -1 - number, decode_fact(payload), payload.encode(), b"", member_id, activity_id,
                sale_id=sale_id, unparked=True,
            )
            for number, (activity_id, payload, member_id, sale_id) in enumerate(rows)
        ]  # fmt: skip
        return batch.settle_parked(connection, runtime, items, now=now, history=history) if items else 0

    # What came with an import is never too late, and is applied by itself.
    return sum(batch.attempt(connection, partial(once, history)) for history in (False, True))
