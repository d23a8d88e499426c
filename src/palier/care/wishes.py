"""Wishes: the one reward of the catalogue that a member saves for, and how soon he may have it by his own history."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import doing
from palier.activities import operations as commands
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.care.refusals import CareRefusal, CareRefused
from palier.engine.clock import instant, moment
from palier.rewards import catalogue

LOOKED_BACK_DAYS: Final = 180
LEAST_DAYS: Final = 28
LEAST_TIMES: Final = 4
"""An estimate needs four days on which the member earned, over four weeks at least."""
LONGEST_WAIT_DAYS: Final = 730
"""Beyond two years nothing is foretold."""


class Wish(Struct, frozen=True):
    """The reward that a member saves for, by its key, and since when (microseconds UTC)."""

    reward: str
    since: int


class Pace(Struct, frozen=True):
    """What a member earned of a currency in `days` local days up to now, less what returns took back.

    `times` are the days on which he earned anything.
    """

    points: int
    days: int
    times: int


def read(connection: Connection[Any], program_id: int, member_id: int) -> Wish | None:
    """What a member saves for; None where he saves for nothing."""
    row = connection.execute(
        "-- care.wish\nselect reward, since from wish where member_id = %s and program_id = %s",
        (member_id, program_id),
    ).fetchone()
    return Wish(row[0], instant(row[1])) if row is not None else None


def choose(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    reward: str,
    *,
    id: str,
    now: int,
) -> Result:
    """The member saves for this reward from now on, in place of any other. Does not commit.

    An activity `save_for` with the points of its price, rounded up to whole ones, tells it to the engine too.
    Refused: a reward that he cannot see, or that has no price in one point currency (not_to_be_saved_for), and a
    member who is not active (NotDone).
    """
    commands.lock_member(connection, member_id)
    standing = catalogue.standing(connection, runtime, member_id, now=now)
    terms = catalogue.terms(connection, runtime.program_id, reward, now)
    offer = (
        catalogue.offer(
            runtime, terms.reward, standing, at=now,
            variant=terms.reward.variants[0].key if terms.reward.variants else None,
        )
        if terms is not None and standing is not None
        else None
    )  # fmt: skip
    asked = offer.in_points if offer is not None and offer.seen else None
    if terms is None or asked is None or len(asked.points) != 1:
        raise CareRefused(
            CareRefusal.NOT_TO_BE_SAVED_FOR,
            "this reward has no price in points to save for",
            field="reward",
            remedy="choose another one",
        )
    currency, minor = next(iter(asked.points.items()))
    one: int = 10 ** runtime.latest.currencies[currency].scale
    name = terms.reward.name
    attributes: dict[str, str | int | bool] = {
        "currency": currency,
        "points": -(-minor // one),
        "name": (name.en or name.fr)[:200],
    }
    if name.fr:
        attributes["name_fr"] = name.fr[:200]
    told = doing.act(connection, runtime, member_id, "save_for", attributes, id=id, now=now)
    if told.refusal is not None:
        raise commands.NotDone(told.refusal)
    connection.execute(
        """
        -- care.wish_for
        insert into wish (member_id, program_id, reward, since) values (%s, %s, %s, %s)
        on conflict (member_id) do update
        set program_id = excluded.program_id, reward = excluded.reward, since = excluded.since
        """,
        (member_id, runtime.program_id, reward, moment(now)),
    )
    return told


def stop(connection: Connection[Any], runtime: Runtime, member_id: int, *, id: str, now: int) -> None:
    """The member saves for nothing any more. Does not commit. Refused (NotDone) where he is not active."""
    commands.lock_member(connection, member_id)
    gone = connection.execute(
        "-- care.stop_wishing\ndelete from wish where member_id = %s and program_id = %s",
        (member_id, runtime.program_id),
    ).rowcount
    currency = next(iter(runtime.latest.currencies), None)
    if gone and currency is not None:
        attributes: dict[str, str | int | bool] = {"currency": currency, "points": 0, "name": "-"}
        told = doing.act(connection, runtime, member_id, "save_for", attributes, id=id, now=now)
        if told.refusal is not None:
            raise commands.NotDone(told.refusal)


PACE: Final = """
-- care.pace
select coalesce(sum(case when t.credit = 'wallet' then t.amount else -t.amount end), 0)::bigint,
       count(distinct (t.effective_at at time zone %(zone)s)::date) filter (where t.credit = 'wallet')
from transfer t
where t.member_id = %(member)s and t.program_id = %(program)s and t.currency = %(currency)s
  and t.effective_at > %(since)s and t.kind = any(array['earn', 'release', 'reverse', 'repay'])
  and (t.credit = 'wallet' or t.debit = 'wallet')
"""


def pace(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    currency: str,
    *,
    enrolled_at: int,
    now: int,
) -> Pace:
    """How fast a member has earned a currency in the last 180 local days, or since he joined where that is less."""
    clock = runtime.latest.clock
    since = max(enrolled_at, clock.add_days(now, -LOOKED_BACK_DAYS))
    row = connection.execute(
        PACE,
        {
            "member": member_id,
            "program": runtime.program_id,
            "currency": currency,
            "since": moment(since - 1),
            "zone": runtime.latest.program.time_zone,
        },
    ).fetchone()
    assert row is not None
    return Pace(row[0], clock.local(now)[0] - clock.local(since)[0], row[1])


def days_until(pace: Pace, missing: int) -> int | None:
    """Local days until so much more (minor units) is earned at a pace, rounded up; 0 where nothing is missing.

    None where the history says too little: fewer than four days of earning, under four weeks, or more than two years.
    """
    if missing <= 0:
        return 0
    if pace.points <= 0 or pace.days < LEAST_DAYS or pace.times < LEAST_TIMES:
        return None
    days = -(-missing * pace.days // pace.points)
    return days if days <= LONGEST_WAIT_DAYS else None
