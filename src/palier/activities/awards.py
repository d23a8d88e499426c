"""What is given to all members by a run: on which terms, whether it is finished, and giving it exactly once.

Each member's part is a fact with a permanent id of its own, so a run that was interrupted goes on where it was, and
one that is repeated gives nothing. The terms are fixed by the first run.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import batch
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.activities.writing import Item
from palier.engine.clock import instant, moment
from palier.engine.facts import Fact, encode_fact

Kind = Literal["dividend", "prize", "keep_value", "ranking"]

READ: Final = """
-- awards.read
select terms, begun_at, begun_by, finished_at from award_run
where program_id = %(program)s and kind = %(kind)s and name = %(name)s and period = %(period)s
"""

BEGIN: Final = """
-- awards.begin
insert into award_run (program_id, kind, name, period, terms, begun_at, begun_by)
values (%(program)s, %(kind)s, %(name)s, %(period)s, %(terms)s, %(now)s, %(by)s)
on conflict (program_id, kind, name, period) do nothing
"""

FINISH: Final = """
-- awards.finish
update award_run set finished_at = %(now)s
where program_id = %(program)s and kind = %(kind)s and name = %(name)s and period = %(period)s
  and finished_at is null
"""


class Run(Struct, frozen=True):
    """A run as it was begun; `finished_at` is 0 while members are left."""

    terms: str
    begun_at: int
    begun_by: str
    finished_at: int


def read(connection: Connection[Any], program_id: int, kind: Kind, name: str, period: str) -> Run | None:
    """The run of this name and period, None where none was begun."""
    parameters = {"program": program_id, "kind": kind, "name": name, "period": period}
    row = connection.execute(READ, parameters).fetchone()
    if row is None:
        return None
    return Run(row[0], instant(row[1]), row[2], instant(row[3]) if row[3] is not None else 0)


def finished(connection: Connection[Any], program_id: int, kind: Kind, name: str, period: str) -> bool:
    """Whether this was given to all members."""
    found = read(connection, program_id, kind, name, period)
    return found is not None and found.finished_at > 0


def begin(
    connection: Connection[Any],
    program_id: int,
    kind: Kind,
    name: str,
    period: str,
    terms: str,
    *,
    by: str,
    now: int,
) -> Run:
    """Begins a run, or finds the one that was begun: whose terms hold. Does not commit."""
    parameters = {"program": program_id, "kind": kind, "name": name, "period": period, "terms": terms}
    connection.execute(BEGIN, {**parameters, "now": moment(now), "by": by})
    found = read(connection, program_id, kind, name, period)
    if found is None:
        raise batch.Conflict("a run was begun by a transaction that has not committed")
    return found


def finish(
    connection: Connection[Any], program_id: int, kind: Kind, name: str, period: str, *, now: int
) -> None:
    """Ends a run: nobody is left. Does not commit."""
    connection.execute(
        FINISH,
        {"program": program_id, "kind": kind, "name": name, "period": period, "now": moment(now)},
    )


def give(
    connection: Connection[Any],
    runtime: Runtime,
    facts: Sequence[Fact],
    members: Sequence[int],
    *,
    now: int,
) -> list[Result]:
    """Applies the facts of a run, each to its member, apart from those that were applied before. Does not commit.

    A fact is the same when everything but its instant is.
    """
    if not facts:
        return []
    items = []
    for index, (fact, member_id) in enumerate(zip(facts, members, strict=True)):
        same = encode_fact(msgspec.structs.replace(fact, at=0))
        items.append(Item(index, fact, encode_fact(fact), sha256(same).digest(), member_id))
    return batch.command(connection, runtime, items, now=now)
