"""Occasions: joining, birthdays and anniversaries, made activities of by the platform.

Each has a permanent id made of its year and its member, so it happens once however often it is looked for, and
however often a date is edited. It carries no personal date: only that the day has come.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import batch
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.activities.wire import Read
from palier.engine.clock import instant
from palier.engine.facts import MADE_SOURCE, Fact, encode_fact
from palier.engine.plan import Plan
from palier.members import refs

AT_ONCE: Final = 500

BIRTHDAYS: Final = """
-- occasions.birthdays
-- all members: those born on one of these days of a month; a date is kept as its number of days, 1 for 1 January 1
select m.member_id, m.attributes ->> %(name)s from member m
where m.program_id = %(program)s and m.status = 'active'
  and case when m.attributes ->> %(name)s ~ '^[0-9]{1,7}$'
      then to_char(date '0001-01-01' + ((m.attributes ->> %(name)s)::integer - 1), 'MM-DD') end
      = any(%(days)s::text[])
  and m.member_id > %(after)s
order by m.member_id
limit %(limit)s
"""

ANNIVERSARIES: Final = """
-- occasions.anniversaries
-- all members: those who joined on one of these days of a month
select m.member_id, m.enrolled_at from member m
where m.program_id = %(program)s and m.status = 'active'
  and to_char(m.enrolled_at at time zone %(zone)s, 'MM-DD') = any(%(days)s::text[])
  and m.member_id > %(after)s
order by m.member_id
limit %(limit)s
"""


class Joined(Struct, frozen=True):
    """A member who has just joined, when, and who brought him (0: nobody)."""

    member_id: int
    at: int
    referrer_id: int = 0


def noticed(plan: Plan, kind: str) -> bool:
    """Whether a program makes anything of an occasion: only then is it an activity at all."""
    rules = plan.activities.get(kind)
    if rules is not None and (rules.rules or rules.mechanics):
        return True
    return kind == "joined" and plan.referral is not None


def join(
    connection: Connection[Any], runtime: Runtime, members: Sequence[Joined], *, now: int
) -> list[Result]:
    """Makes joining an activity of members who have just been enrolled. Does not commit."""
    members = [member for member in members if noticed(runtime.at(member.at), "joined")]
    if not members:
        return []
    facts = [
        Fact(
            MADE_SOURCE,
            f"joined:{refs.encode(member.member_id)}",
            "joined",
            member.at,
            other_member=refs.encode(member.referrer_id) if member.referrer_id else "",
        )
        for member in members
    ]
    return _apply(connection, runtime, facts, [member.member_id for member in members], now)


def keep(connection: Connection[Any], runtime: Runtime, day: int, *, now: int) -> int:
    """Makes activities of the birthdays and anniversaries of a local day (its ordinal); commits; how many.

    They happen at the first instant of the day, whenever this runs; what happened already is left as it is.
    """
    plan = runtime.at(runtime.at(now).clock.start_of_day(day))
    made = 0
    attribute = plan.program.birth_date
    if attribute is not None and noticed(plan, "birthday"):
        made += _keep(connection, runtime, plan, BIRTHDAYS, {"name": attribute}, "birthday", day, now)
    if noticed(plan, "anniversary"):
        zone = {"zone": plan.program.time_zone}
        made += _keep(connection, runtime, plan, ANNIVERSARIES, zone, "anniversary", day, now)
    return made


def days_kept(plan: Plan, day: int) -> list[str]:
    """The days of a month (MM-DD) that are kept on a local day: its own, and 29 February where it stands for it."""
    today = date.fromordinal(day)
    days = [today.strftime("%m-%d")]
    leap = today.year % 4 == 0 and (today.year % 100 != 0 or today.year % 400 == 0)
    stands_in = "02-28" if plan.program.leap_day == "february_28" else "03-01"
    if not leap and days[0] == stands_in:
        days.append("02-29")
    return days


def _keep(
    connection: Connection[Any],
    runtime: Runtime,
    plan: Plan,
    query: str,
    parameters: dict[str, Any],
    kind: str,
    day: int,
    now: int,
) -> int:
    year = date.fromordinal(day).year
    at = plan.clock.start_of_day(day)
    made = after = 0
    while True:
        rows = connection.execute(
            query,
            {
                **parameters,
                "program": runtime.program_id,
                "days": days_kept(plan, day),
                "after": after,
                "limit": AT_ONCE,
            },
        ).fetchall()
        if not rows:
            connection.rollback()
            return made
        after = rows[-1][0]
        members = [row[0] for row in rows if kind == "birthday" or instant(row[1]) < at]
        facts = [Fact(MADE_SOURCE, f"{kind}:{year}:{refs.encode(member)}", kind, at) for member in members]
        once = partial(_apply, connection, runtime, facts, members, now)
        made += sum(result.status == "applied" for result in batch.attempt(connection, once))


def _apply(
    connection: Connection[Any], runtime: Runtime, facts: Sequence[Fact], members: Sequence[int], now: int
) -> list[Result]:
    reads = []
    for fact in facts:
        payload = encode_fact(fact)
        reads.append(Read(fact, None, payload, sha256(payload).digest()))
    return batch.apply_within(connection, runtime, reads, now=now, known_members=members)
