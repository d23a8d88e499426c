"""Limits on how often something may be tried: counters in the database, one for all processes.

A try is counted before it is made and given back when it succeeded, so that however many are made at one moment no
more than the limit fail. The counters are committed without waiting for the disk: a crash of the database may forget
those of its last moments, never anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment

# The counter's own transaction does not wait for the disk: it holds rows that everybody else's next try wants.
TAKE: Final = """
-- throttle.take
insert into throttle (scope, since, ends_at, most, taken)
select w.scope, %(now)s, w.ends_at, w.most, 1
from unnest(%(scopes)s::text[], %(ends)s::timestamptz[], %(most)s::integer[]) as w (scope, ends_at, most),
     (select set_config('synchronous_commit', 'off', true)) as relaxed
order by w.scope
on conflict (scope) do update
set since = case when throttle.ends_at <= excluded.since then excluded.since else throttle.since end,
    ends_at = case when throttle.ends_at <= excluded.since then excluded.ends_at else throttle.ends_at end,
    most = excluded.most,
    taken = case when throttle.ends_at <= excluded.since then 1 else throttle.taken + 1 end
where throttle.ends_at <= excluded.since or throttle.taken < excluded.most or not %(limited)s
returning scope, since, taken
"""

GIVE_BACK: Final = """
-- throttle.give_back
-- locked in the order of their names first, as `take` locks them
update throttle t set taken = t.taken - 1
from (
  select k.scope from throttle k
  join unnest(%(scopes)s::text[], %(since)s::timestamptz[]) as w (scope, since)
    on w.scope = k.scope and w.since = k.since
  where k.taken > 0 order by k.scope for update of k
) as locked, (select set_config('synchronous_commit', 'off', true)) as relaxed
where t.scope = locked.scope
"""


class Limit(Struct, frozen=True):
    """At most `most` tries of a scope that do not succeed in `window` microseconds, counted from the first."""

    scope: str
    most: int
    window: int


class Throttled(Exception):
    """A limit is reached: nothing was tried. `wait_s` seconds until its window ends."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("tried too often")
        self.wait_s = wait_s


Taken = Sequence[tuple[str, Any]]
"""Tries that were counted: scope and the beginning of its window."""


def take(connection: Connection[Any], limits: Sequence[Limit], *, now: int) -> Taken:
    """Counts a try in all scopes, or in none: Throttled where one of them has no try left. Commits.

    Call it outside a transaction. `now` is in microseconds UTC.
    """
    rows = _add(connection, limits, now, limited=True)
    if len(rows) == len(limits):
        connection.commit()
        return [(row[0], row[1]) for row in rows]
    connection.rollback()
    found = connection.execute(
        """
        -- throttle.full
        select max(t.ends_at) from throttle t
        join unnest(%(scopes)s::text[], %(most)s::integer[]) as w (scope, most) on w.scope = t.scope
        where t.taken >= w.most and t.ends_at > %(now)s
        """,
        {
            "scopes": [limit.scope for limit in limits],
            "most": [limit.most for limit in limits],
            "now": moment(now),
        },
    ).fetchone()
    connection.rollback()
    until = instant(found[0]) if found is not None and found[0] is not None else now
    raise Throttled(max(1.0, (until - now) / 1_000_000))


def give_back(connection: Connection[Any], taken: Taken) -> None:
    """Takes back the count of a try that succeeded. Commits; call it outside a transaction."""
    ordered = sorted(taken)
    connection.execute(
        GIVE_BACK, {"scopes": [scope for scope, _ in ordered], "since": [since for _, since in ordered]}
    )
    connection.commit()


def count(connection: Connection[Any], limit: Limit, *, now: int) -> int:
    """Counts something in a scope without refusing it; how often it was counted in its window. Commits."""
    rows = _add(connection, [limit], now, limited=False)
    connection.commit()
    return int(rows[0][2])


def reached(connection: Connection[Any], limit: Limit, *, now: int) -> bool:
    """Whether as many were counted in a scope as its limit says, in the window of now. Does not commit."""
    row = connection.execute(
        "-- throttle.reached\nselect taken from throttle where scope = %s and ends_at > %s",
        (limit.scope, moment(now)),
    ).fetchone()
    return row is not None and int(row[0]) >= limit.most


def forget(connection: Connection[Any], prefix: str) -> int:
    """Opens every scope whose name begins so again; how many. Does not commit."""
    return connection.execute(
        "-- throttle.forget\ndelete from throttle where starts_with(scope, %s)", (prefix,)
    ).rowcount


def drop_ended(connection: Connection[Any], *, now: int) -> int:
    """Forgets counters whose window has ended; how many. Does not commit."""
    return connection.execute(
        "-- throttle.drop_ended\ndelete from throttle where ends_at <= %s", (moment(now),)
    ).rowcount


def _add(connection: Connection[Any], limits: Sequence[Limit], now: int, *, limited: bool) -> list[Any]:
    # Always in the order of the names, so that two calls with common scopes never wait for each other in a circle.
    ordered = sorted(limits, key=lambda limit: limit.scope)
    return connection.execute(
        TAKE,
        {
            "scopes": [limit.scope for limit in ordered],
            "ends": [moment(now + limit.window) for limit in ordered],
            "most": [limit.most for limit in ordered],
            "now": moment(now),
            "limited": limited,
        },
    ).fetchall()
