"""Limits that all members share: campaign budgets, stocks of prizes, what partners may issue.

Their rows are locked after the members of a batch, in the order of their keys, and move in its transaction, so no
two decisions ever see the same room. What a decision used is recorded with its activity and is all that a
replay of it may use again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import Connection

BEGIN = """
-- sharing.begin
insert into shared_limit (key, program_id, used)
select k, %(program)s, 0 from unnest(%(keys)s::text[]) as t(k)
order by k
on conflict (key, program_id) do nothing
"""

LOCK = """
-- sharing.lock
select key, used from shared_limit
where program_id = %(program)s and key = any(%(keys)s::text[])
order by key
for update
"""

MOVE = """
-- sharing.move
update shared_limit l set used = l.used + t.amount
from unnest(%(keys)s::text[], %(amounts)s::bigint[]) as t(key, amount)
where l.key = t.key and l.program_id = %(program)s
"""


class Rooms:
    """What is left of the shared limits that a batch draws on, held until its transaction ends.

    `promised` is what a preview has used so far: it is taken off what is left, and never written.
    """

    def __init__(self, connection: Connection[Any], program_id: int) -> None:
        self.connection = connection
        self.program_id = program_id
        self.promised: Mapping[str, int] = {}
        self.used: dict[str, int] = {}
        self.moved: dict[str, int] = {}

    def hold(self, keys: Iterable[str]) -> None:
        """Locks the rows of these limits, those that were not used yet too."""
        wanted = sorted(set(keys) - self.used.keys())
        if not wanted:
            return
        parameters = {"program": self.program_id, "keys": wanted}
        self.connection.execute(BEGIN, parameters)
        self.used.update(self.connection.execute(LOCK, parameters).fetchall())

    def left(self, limits: Mapping[str, int]) -> dict[str, int]:
        """What may still be used of each limit; the whole of one that no row tells about."""
        return {key: max(0, room) for key, room in self.balance(limits).items()}

    def balance(self, limits: Mapping[str, int]) -> dict[str, int]:
        """As `left`, below 0 where more is used than the limit is by now."""
        taken = (self.used, self.moved, self.promised)
        return {key: limit - sum(each.get(key, 0) for each in taken) for key, limit in limits.items()}

    def use(self, amounts: Mapping[str, int]) -> None:
        """Notes what a decision used (or, below 0, freed)."""
        for key, amount in amounts.items():
            self.moved[key] = self.moved.get(key, 0) + amount

    def write(self) -> None:
        """Writes what was used and freed."""
        moved = {key: amount for key, amount in self.moved.items() if amount}
        if moved:
            self.hold(moved)
            self.connection.execute(
                MOVE,
                {
                    "program": self.program_id,
                    "keys": list(moved),
                    "amounts": [max(amount, -self.used.get(key, 0)) for key, amount in moved.items()],
                },
            )
        self.used, self.moved = {}, {}


def used(connection: Connection[Any], program_id: int) -> dict[str, int]:
    """How much of each shared limit of a program is used, in minor units or pieces."""
    rows = connection.execute(
        "-- sharing.used\nselect key, used from shared_limit where program_id = %s order by key",
        (program_id,),
    )
    return dict(rows.fetchall())
