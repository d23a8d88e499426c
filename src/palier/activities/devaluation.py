"""Points that keep their value: when a version lets a point be worth less, more points make up for what was earned.

A version says so in its notice (`keep_value`). At the instant at which it takes effect, each member is given, for the
points he had then (spendable, held and pending), as many as make up for the lower value, rounded up to a whole
point. They are a gift with a permanent id: given once, whenever this runs.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import awards, batch, queries
from palier.activities.runtime import Runtime
from palier.engine.clock import moment
from palier.engine.facts import MADE_SOURCE, Fact
from palier.engine.plan import Plan
from palier.members import refs

AT_ONCE: Final = 500

HOLDING: Final = """
-- devaluation.holding
-- all members: a page of those who ever had points of a currency, by key
select w.member_id from wallet w join member m on m.member_id = w.member_id
where m.program_id = %(program)s and m.status <> 'erased' and w.currency = %(currency)s
  and w.member_id > %(after)s
order by w.member_id limit %(limit)s
"""


class Lowered(Struct, frozen=True):
    """A point currency that is worth less from a version's first instant on; what was earned before keeps its value."""

    version: int
    currency: str
    at: int
    old_value: str
    new_value: str

    def made_up(self, points: int, scale: int) -> int:
        """Points (minor units) that make up for so many, rounded up to a whole point."""
        unit: int = 10**scale
        lacking = points * (Fraction(self.old_value) / Fraction(self.new_value) - 1)
        whole = -((-lacking) // unit)
        return whole * unit


class Kept(Struct):
    """What keeping one currency's value came to: members given points, and points in minor units."""

    lowered: Lowered
    members: int = 0
    points: int = 0


def lowered(runtime: Runtime, *, now: int) -> list[Lowered]:
    """What has lost value until now and is to keep it, the earliest first: versions that came into force, by time."""
    found = []
    for entry in runtime.stored.entries:
        at = entry.from_at
        plan, before = runtime.timeline.at(at), runtime.timeline.at(at - 1)
        if at > now or plan is None or before is None or plan.version != entry.version:
            continue
        notice = plan.program.notice
        for currency in notice.keep_value if notice is not None else ():
            old, new = _value(before, currency), _value(plan, currency)
            if old is not None and new is not None and Fraction(new) and Fraction(new) < Fraction(old):
                found.append(Lowered(plan.version, currency, at, old, new))
    return sorted(found, key=lambda item: (item.at, item.currency))


def _value(plan: Plan, currency: str) -> str | None:
    return next((item.value for item in plan.program.point_currencies if item.key == currency), None)


def keep_values(
    connection: Connection[Any], runtime: Runtime, *, by: str, now: int, dry_run: bool = False
) -> list[Kept]:
    """Gives what makes up for lower values, in chunks that are committed; only what was not finished before.

    A run that was interrupted goes on where it was. `dry_run` tells the same and writes nothing.
    """
    done = []
    for item in lowered(runtime, now=now):
        finished = awards.finished(
            connection, runtime.program_id, "keep_value", item.currency, str(item.version)
        )
        connection.rollback()
        if not finished:
            done.append(_keep(connection, runtime, item, by, now, dry_run))
    return done


def _keep(
    connection: Connection[Any], runtime: Runtime, item: Lowered, by: str, now: int, dry_run: bool
) -> Kept:
    kept = Kept(item)
    program, period = runtime.program_id, str(item.version)
    terms = f"{item.old_value} > {item.new_value}"
    if not dry_run:
        awards.begin(connection, program, "keep_value", item.currency, period, terms, by=by, now=now)
        connection.commit()
    after = -1
    while True:

        def once(after: int = after) -> tuple[list[int], int, int]:
            return _page(connection, runtime, item, after, now, dry_run)

        members, given, points = batch.attempt(connection, once)
        kept.members += given
        kept.points += points
        if len(members) < AT_ONCE:
            break
        after = members[-1]
    if not dry_run:
        awards.finish(connection, program, "keep_value", item.currency, period, now=now)
        connection.commit()
    return kept


def _page(
    connection: Connection[Any], runtime: Runtime, item: Lowered, after: int, now: int, dry_run: bool
) -> tuple[list[int], int, int]:
    scale = runtime.latest.currencies[item.currency].scale
    rows = connection.execute(
        HOLDING,
        {"program": runtime.program_id, "currency": item.currency, "after": after, "limit": AT_ONCE},
    ).fetchall()
    members = [row[0] for row in rows]
    facts, owners, total = [], [], 0
    on = moment(item.at).astimezone(runtime.at(item.at).clock.zone).date().isoformat()
    for member_id in members:
        # What he had just before: points of the instant itself are worth what they are worth from then on.
        found = queries.wallets(connection, runtime, member_id, as_of=item.at - 1, now=now)
        wallet = found.wallets.get(item.currency) if found is not None else None
        had = max(0, wallet.posted + wallet.pending - wallet.debt) if wallet is not None else 0
        points = item.made_up(had, scale)
        if not points:
            continue
        total += points
        facts.append(
            Fact(
                MADE_SOURCE,
                f"keep_value:{item.version}:{item.currency}:{refs.encode(member_id)}",
                "adjust",
                item.at,
                points=points,
                currency=item.currency,
                reason=f"{on}: {item.old_value} > {item.new_value} {runtime.latest.program.currency}",
            )
        )
        owners.append(member_id)
    if dry_run:
        return members, len(facts), total
    results = awards.give(connection, runtime, facts, owners, now=now)
    given = [fact.points for fact, result in zip(facts, results, strict=True) if result.status == "applied"]
    return members, len(given), sum(given)
