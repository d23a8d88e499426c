"""Limits on how often something may be tried: counters in the database, one for all processes.

A try is counted before it is made and given back when it succeeded, so that however many are made at one moment no
more than the limit fail. The counters are committed without waiting for the disk: a crash of the database may forget
those of its last moments, never anything else.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment

# The counter's own transaction does not wait for the disk: it holds rows that everybody else's next try wants. Where a
# scope is seen to be full nothing is written at all, so that whoever goes on trying leaves no dead rows behind.
TAKE: Final = """
-- throttle.take
with wanted as (
  select u.scope, u.ends_at, case when p.taken >= %(alert_at)s then u.strict else u.most end as most
  from unnest(%(scopes)s::text[], %(ends)s::timestamptz[], %(most)s::integer[], %(strict)s::integer[])
    as u (scope, ends_at, most, strict)
  left join throttle p on p.scope = %(alert)s and p.ends_at > %(now)s
), added as (
insert into throttle (scope, since, ends_at, most, taken)
select w.scope, %(now)s, w.ends_at, w.most, 1
from wanted w, (select set_config('synchronous_commit', 'off', true)) as relaxed
where not %(limited)s or not exists (
  select 1 from throttle f join wanted v on v.scope = f.scope where f.ends_at > %(now)s and f.taken >= v.most
)
order by w.scope
on conflict (scope) do update
set since = case when throttle.ends_at <= excluded.since then excluded.since else throttle.since end,
    ends_at = case when throttle.ends_at <= excluded.since then excluded.ends_at else throttle.ends_at end,
    most = excluded.most,
    taken = case when throttle.ends_at <= excluded.since then 1 else throttle.taken + 1 end
where throttle.ends_at <= excluded.since or throttle.taken < excluded.most or not %(limited)s
returning scope, since, taken
)
select true, a.scope, a.since, a.taken from added a
union all
select false, f.scope, f.ends_at, f.taken from throttle f join wanted v on v.scope = f.scope
where f.ends_at > %(now)s and f.taken >= v.most and %(limited)s
"""
"""What was counted (true), and which scopes were full before it (false, with the end of their window)."""

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
    """At most `most` tries of a scope that do not succeed in `window` microseconds, counted from the first.

    `strict`: the most while there is an alert; as many as ever where it is not given.
    """

    scope: str
    most: int
    window: int
    strict: int = 0


class Throttled(Exception):
    """A limit is reached: nothing was tried. `wait_s` seconds until its window ends."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("tried too often")
        self.wait_s = wait_s


SEEN_FOR_S: Final = 1.0
"""A scope that a process saw full it does not ask the database about again for so long: refusing costs next to nothing
while somebody goes on trying. It counts nothing: what is counted stands in the database alone."""
_MOST_SEEN: Final = 10_000

_seen: dict[str, tuple[float, int]] = {}
"""Scopes seen full: until when on this machine's own count of time, and when their window ends."""

Taken = Sequence[tuple[str, Any]]
"""Tries that were counted: scope and the beginning of its window."""


def take(
    connection: Connection[Any], limits: Sequence[Limit], *, now: int, alert: Limit | None = None
) -> Taken:
    """Counts a try in all scopes, or in none: Throttled where one of them has no try left. Commits.

    While as much was counted in `alert` as its limit says, the strict limits hold. Call it outside a transaction.
    `now` is in microseconds UTC.
    """
    for limit in limits:
        until, ends_at = _seen.get(limit.scope, (0.0, 0))
        if time.monotonic() < until and now < ends_at:
            raise Throttled((ends_at - now) / 1_000_000)
    rows = _add(connection, limits, now, alert)
    counted = [(row[1], row[2]) for row in rows if row[0]]
    if len(counted) == len(limits):
        connection.commit()
        return counted
    connection.rollback()
    full = {row[1]: instant(row[2]) for row in rows if not row[0]}
    if len(_seen) + len(full) > _MOST_SEEN:
        _seen.clear()
    for scope, ends_at in full.items():
        _seen[scope] = (time.monotonic() + SEEN_FOR_S, ends_at)
    raise Throttled(max(1.0, (max(full.values(), default=now) - now) / 1_000_000))


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
    return int(rows[0][3])


def counted(connection: Connection[Any], scope: str, *, now: int) -> int:
    """How often something was counted in a scope in the window that has not ended."""
    row = connection.execute(
        "-- throttle.counted\nselect taken from throttle where scope = %s and ends_at > %s",
        (scope, moment(now)),
    ).fetchone()
    return int(row[0]) if row is not None else 0


def forget(connection: Connection[Any], prefix: str) -> int:
    """Opens every scope whose name begins so again, in other processes within SEEN_FOR_S; how many. Does not commit."""
    for scope in [scope for scope in list(_seen) if scope.startswith(prefix)]:
        _seen.pop(scope, None)
    return connection.execute(
        "-- throttle.forget\ndelete from throttle where starts_with(scope, %s)", (prefix,)
    ).rowcount


def drop_ended(connection: Connection[Any], *, now: int) -> int:
    """Forgets counters whose window has ended; how many. Does not commit."""
    return connection.execute(
        "-- throttle.drop_ended\ndelete from throttle where ends_at <= %s", (moment(now),)
    ).rowcount


def _add(
    connection: Connection[Any],
    limits: Sequence[Limit],
    now: int,
    alert: Limit | None = None,
    *,
    limited: bool = True,
) -> list[Any]:
    # Always in the order of the names, so that two calls with common scopes never wait for each other in a circle.
    ordered = sorted(limits, key=lambda limit: limit.scope)
    return connection.execute(
        TAKE,
        {
            "scopes": [limit.scope for limit in ordered],
            "ends": [moment(now + limit.window) for limit in ordered],
            "most": [limit.most for limit in ordered],
            "strict": [limit.strict or limit.most for limit in ordered],
            "alert": alert.scope if alert is not None else "",
            "alert_at": alert.most if alert is not None else 0,
            "now": moment(now),
            "limited": limited,
        },
    ).fetchall()
