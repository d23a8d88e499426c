"""Rankings: members by the measure of a goal in one of its periods, under pseudonyms; prizes at the end.

Where members stand is copied from the engine's state into `goal_progress`, for goals that a leaderboard uses, with
the decision that moves it: the highest ranks are the first entries of its index.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import awards, batch, store
from palier.activities.copies import Copies, standings
from palier.activities.runtime import Runtime, settled
from palier.engine.clock import DAY, LocalClock, instant
from palier.engine.compiled import period_number, period_start
from palier.engine.facts import MADE_SOURCE, Fact
from palier.engine.goals import CLOSED_KEPT
from palier.engine.mechanics import Leaderboard
from palier.engine.plan import Plan
from palier.engine.sentences import sentence
from palier.engine.state import decode_state
from palier.ledger.verify import Violation, register_state_check
from palier.members import refs
from palier.site.environment import derived_key
from palier.site.exchange import exchange
from palier.site.refusal import Refused

AT_ONCE: Final = 1_000
MOST_SHOWN: Final = 1_000
"""Places that are answered at most, where many share one."""
SETTLES_AFTER: Final = DAY
"""How long after a period's end the worker gives its prizes, so that what tills send late still counts."""

CHOICES: Final = 5
"""Pseudonyms that a member may choose from, beside the one that he has by himself."""
STARS: Final = (
    "Albireo", "Alcor", "Alioth", "Alkaid", "Altair", "Antares", "Atria", "Avior", "Bellatrix", "Canopus", "Capella",
    "Castor", "Deneb", "Dubhe", "Electra", "Kochab", "Lyra", "Megrez", "Merak", "Mira", "Mizar", "Phecda", "Polaris",
    "Pollux", "Procyon", "Regulus", "Rigel", "Sadr", "Sirius", "Spica", "Tania", "Vega",
)  # fmt: skip

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

TOP: Final = """
-- rankings.top
-- all members: the highest of one period, in the order of an index
select ranked.member_id, ranked.value, ranked.reached_at from (
  select g.member_id, g.value, g.reached_at from goal_progress g join member m on m.member_id = g.member_id
  where g.program_id = %(program)s and g.goal = %(goal)s and g.number = %(number)s and g.value > 0
    and m.status <> 'erased' and m.left_rankings_at is null
  order by g.value desc, g.reached_at, g.member_id
  limit %(most)s
) ranked
order by ranked.value desc, ranked.reached_at, ranked.member_id
"""

OWN: Final = """
-- rankings.own
select g.value, g.reached_at from goal_progress g join member m on m.member_id = g.member_id
where g.member_id = %(member)s and g.program_id = %(program)s and g.goal = %(goal)s and g.number = %(number)s
  and g.value > 0 and m.status <> 'erased' and m.left_rankings_at is null
"""

_HIGHER: Final = """
g.program_id = %(program)s and g.goal = %(goal)s and g.number = %(number)s and g.value >= %(value)s
  and (g.value > %(value)s or (%(earliest)s and g.reached_at < %(reached)s))
"""
# All who stand above are counted in the index of ranks alone; the few of them who are not ranked are taken off again.
ABOVE: Final = f"""
-- rankings.above
-- all members: how many stand above one
select (select count(*) from goal_progress g where {_HIGHER})
  - (select count(*) from member m join goal_progress g on g.member_id = m.member_id
     where m.program_id = %(program)s and (m.status = 'erased' or m.left_rankings_at is not null) and {_HIGHER})
"""  # noqa: S608


class Place(Struct, frozen=True):
    """One place: its rank, the member, the measure in minor units, and since when it stands (microseconds)."""

    rank: int
    member_id: int
    value: int
    reached_at: int


class Period(Struct, frozen=True):
    """One period of a goal's window: its number, how it is written, and its bounds."""

    number: int
    name: str
    starts_at: int
    ends_at: int


class Ranking(Struct, frozen=True):
    """A leaderboard in one period. `own` is the place of the member who asks, None where he has none.

    `names`: what each member of a place is called.
    """

    board: Leaderboard
    period: Period
    places: tuple[Place, ...]
    own: Place | None
    complete: bool
    names: dict[int, str]


# --- periods ----------------------------------------------------------------------------------------------

_PERIOD: Final = {
    "day": re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII),
    "week": re.compile(r"([0-9]{4})-W([0-9]{2})", re.ASCII),
    "month": re.compile(r"([0-9]{4})-([0-9]{2})", re.ASCII),
    "quarter": re.compile(r"([0-9]{4})-Q([1-4])", re.ASCII),
    "year": re.compile(r"([0-9]{4})", re.ASCII),
}
WRITTEN: Final = {
    "day": "2026-03-01",
    "week": "2026-W10",
    "month": "2026-03",
    "quarter": "2026-Q1",
    "year": "2026",
}
"""How a period is written, by its kind."""


def period_name(kind: str, number: int) -> str:
    """How the period of a kind with this number is written."""
    if kind == "day":
        return date.fromordinal(number).isoformat()
    if kind == "week":
        year, week, _ = date.fromordinal(number * 7 + 1).isocalendar()
        return f"{year}-W{week:02d}"
    if kind == "month":
        return f"{number // 12:04d}-{number % 12 + 1:02d}"
    if kind == "quarter":
        return f"{number // 4:04d}-Q{number % 4 + 1}"
    return f"{number:04d}"


def period_of(clock: LocalClock, kind: str, number: int) -> Period:
    """A period by its number."""
    return Period(
        number,
        period_name(kind, number),
        period_start(clock, kind, number),
        period_start(clock, kind, number + 1),
    )


def period_named(clock: LocalClock, kind: str, text: str) -> Period:
    """A period as it is written. Raises ValueError for what is none of this kind."""
    found = _PERIOD[kind].fullmatch(text)
    wrong = ValueError(f"write the {kind} as {WRITTEN[kind]}")
    if found is None or not 1970 <= int(found[1]) <= 9000:
        raise wrong
    try:
        if kind == "day":
            number = date.fromisoformat(text).toordinal()
        elif kind == "week":
            number = (date.fromisocalendar(int(found[1]), int(found[2]), 1).toordinal() - 1) // 7
        elif kind == "month":
            number = date(int(found[1]), int(found[2]), 1).year * 12 + int(found[2]) - 1
        elif kind == "quarter":
            number = int(found[1]) * 4 + int(found[2]) - 1
        else:
            number = int(found[1])
    except ValueError:
        raise wrong from None
    return period_of(clock, kind, number)


# --- pseudonyms -------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _key() -> bytes:
    return derived_key("pseudonyms of rankings", "identity")


def pseudonym(program_id: int, member_id: int, choice: int = 0) -> str:
    """What a member is called in the rankings of a program: it tells nobody who he is.

    50 bits of an HMAC under the instance's secret, as in K7Q2M-9XDRT; from 1 to CHOICES a star's name and 25 bits, as
    in Vega-K7Q2M. Each is always the same; nobody writes one himself, so none can name or insult anybody.
    """
    told = f"{program_id}\0{member_id}".encode()
    if choice:
        digest = hmac.new(_key(), told + f"\0{choice}".encode(), sha256).digest()
        number = int.from_bytes(digest[:8], "big") >> 39
        letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(20, -1, -5))
        return f"{STARS[digest[8] % len(STARS)]}-{letters}"
    number = int.from_bytes(hmac.new(_key(), told, sha256).digest()[:8], "big") >> 14
    letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(45, -1, -5))
    return f"{letters[:5]}-{letters[5:]}"


# --- reading ----------------------------------------------------------------------------------------------


def board_of(runtime: Runtime, key: str, now: int) -> tuple[Plan, Leaderboard, str] | None:
    """A leaderboard of the version in force, that version, and the kind of its periods; None: there is none."""
    plan = runtime.at(now)
    board = next((board for board in plan.program.leaderboards if board.key == key), None)
    if board is None:
        return None
    return plan, board, plan.goals[board.goal].period


def ranking(
    connection: Connection[Any],
    runtime: Runtime,
    key: str,
    period: str | None = None,
    *,
    member_id: int | None = None,
    now: int,
) -> Ranking | None:
    """A leaderboard in a period as written (the present one by default); None where there is no such board.

    Members who do not want to be ranked are left out, as if they had not taken part. Raises ValueError for text
    that is no period of its kind.
    """
    found = board_of(runtime, key, now)
    if found is None:
        return None
    plan, board, kind = found
    when = (
        period_named(plan.clock, kind, period)
        if period is not None
        else period_of(plan.clock, kind, period_number(plan.clock, kind, plan.clock.local(now)[0]))
    )
    places = [
        place
        for place in places_of(connection, runtime.program_id, board, when.number, MOST_SHOWN)
        if place.rank <= board.shown
    ]
    own = (
        _own(connection, runtime.program_id, board, when.number, member_id) if member_id is not None else None
    )
    complete = awards.finished(connection, runtime.program_id, "ranking", board.goal, "")
    shown = [place.member_id for place in (*places, *([own] if own is not None else ()))]
    names = names_of(connection, runtime.program_id, shown)
    return Ranking(board, when, tuple(places), own, complete, names)


def names_of(connection: Connection[Any], program_id: int, member_ids: Sequence[int]) -> dict[int, str]:
    """What members are called in the rankings of a program."""
    rows = connection.execute(
        "-- rankings.names\nselect member_id, choice from ranking_name"
        " where member_id = any(%s) and program_id = %s",
        (list(member_ids), program_id),
    ).fetchall()
    choices: dict[int, int] = dict(rows)
    return {member: pseudonym(program_id, member, choices.get(member, 0)) for member in member_ids}


def choice_of(connection: Connection[Any], program_id: int, member_id: int) -> int:
    """Which of his pseudonyms a member is called by; 0 for the one he has by himself."""
    row = connection.execute(
        "-- rankings.choice\nselect choice from ranking_name where member_id = %s and program_id = %s",
        (member_id, program_id),
    ).fetchone()
    return row[0] if row is not None else 0


def choose_name(connection: Connection[Any], program_id: int, member_id: int, choice: int) -> None:
    """A member is called by another of his pseudonyms from now on (0: by the one he has by himself). Does not commit.

    Raises ValueError for a choice that there is not.
    """
    if not 0 <= choice <= CHOICES:
        raise ValueError(f"choose one of 0 to {CHOICES}")
    connection.execute(
        """
        -- rankings.choose_name
        insert into ranking_name (member_id, program_id, choice) values (%s, %s, %s)
        on conflict (member_id) do update set choice = excluded.choice, program_id = excluded.program_id
        """,
        (member_id, program_id, choice),
    )


def places_of(
    connection: Connection[Any], program_id: int, board: Leaderboard, number: int, most: int
) -> list[Place]:
    """The highest places of a period, at most so many, with their ranks."""
    rows = connection.execute(
        TOP, {"program": program_id, "goal": board.goal, "number": number, "most": most}
    ).fetchall()
    places: list[Place] = []
    for index, (member_id, value, reached) in enumerate(rows):
        at = instant(reached)
        rank = index + 1
        if places:
            last = places[-1]
            if last.value == value and (board.ties == "shared" or last.reached_at == at):
                rank = last.rank
        places.append(Place(rank, member_id, value, at))
    return places


def _own(
    connection: Connection[Any], program_id: int, board: Leaderboard, number: int, member_id: int
) -> Place | None:
    parameters = {"program": program_id, "goal": board.goal, "number": number, "member": member_id}
    row = connection.execute(OWN, parameters).fetchone()
    if row is None:
        return None
    value, reached = row
    above = connection.execute(
        ABOVE, {**parameters, "value": value, "reached": reached, "earliest": board.ties == "earliest"}
    ).fetchone()
    assert above is not None
    return Place(above[0] + 1, member_id, value, instant(reached))


# --- prizes -----------------------------------------------------------------------------------------------


class Awarded(Struct, frozen=True):
    """What a run gave, or would give: the members with their ranks; `before` where it was given earlier."""

    period: Period
    places: tuple[Place, ...]
    before: bool


def award(
    connection: Connection[Any],
    runtime: Runtime,
    key: str,
    period: str,
    *,
    by: str,
    now: int,
    dry_run: bool = False,
) -> Awarded:
    """Gives the prizes of a leaderboard's period, once for ever; commits.

    All of them are given in one transaction, by the ranks as they stand then. Refuses an unknown leaderboard, one
    without prizes, text that is no period, a period that has not ended, and members who are not active: what
    they would win is not given to anybody else.
    """
    found = board_of(runtime, key, now)
    if found is None:
        raise Refused(sentence("There is no leaderboard %(key)r in the version in force.", key=key[:60]))
    plan, board, kind = found
    if not board.prizes:
        raise Refused(sentence("The leaderboard %(key)s has no prizes.", key=key))
    try:
        when = period_named(plan.clock, kind, period)
    except ValueError as error:
        raise Refused(
            sentence(
                "%(period)r is no period of %(key)s: %(error)s.", period=period[:40], key=key, error=error
            )
        ) from None
    if now < when.ends_at:
        raise Refused(
            sentence("%(name)s has not ended; prizes are given by the ranks at its end.", name=when.name)
        )
    most = board.prizes[-1].through

    def once() -> Awarded:
        program = settled(connection, runtime)
        won = [
            place
            for place in places_of(connection, program.program_id, board, when.number, most * 2 + MOST_SHOWN)
            if place.rank <= most
        ]
        if awards.finished(connection, program.program_id, "prize", key, when.name):
            return Awarded(when, tuple(won), True)
        if dry_run:
            return Awarded(when, tuple(won), False)
        terms = msgspec.json.encode([[place.rank, refs.encode(place.member_id)] for place in won]).decode()
        begun = awards.begin(connection, program.program_id, "prize", key, when.name, terms, by=by, now=now)
        if begun.finished_at:
            return Awarded(when, tuple(won), True)
        facts = [
            Fact(
                MADE_SOURCE,
                f"prize:{key}:{when.name}:{refs.encode(place.member_id)}",
                "prize",
                now,
                attributes={"leaderboard": key, "rank": place.rank, "period": when.name},
            )
            for place in won
        ]
        awards.give(connection, program, facts, [place.member_id for place in won], now=now)
        awards.finish(connection, program.program_id, "prize", key, when.name, now=now)
        return Awarded(when, tuple(won), False)

    answer = batch.attempt(connection, once)
    if dry_run:
        connection.rollback()
    return answer


def award_ended(connection: Connection[Any], runtime: Runtime, *, now: int) -> int:
    """Gives the prizes of the last period of each leaderboard that ended a day ago or more; how many boards."""
    plan = runtime.timeline.at(now)
    given = 0
    for board in plan.program.leaderboards if plan is not None else ():
        assert plan is not None
        if not board.prizes:
            continue
        kind = plan.goals[board.goal].period
        number = period_number(plan.clock, kind, plan.clock.local(now - SETTLES_AFTER)[0]) - 1
        name = period_name(kind, number)
        if awards.finished(connection, runtime.program_id, "prize", board.key, name):
            continue
        if not awards.finished(connection, runtime.program_id, "ranking", board.goal, ""):
            continue
        award(connection, runtime, board.key, name, by="worker", now=now)
        given += 1
    connection.rollback()
    return given


# --- the copy ---------------------------------------------------------------------------------------------

MEMBERS: Final = """
-- rankings.members
-- all members: a page of a program's members by key
select m.member_id from member m where m.program_id = %(program)s and m.member_id > %(after)s
order by m.member_id limit %(limit)s
"""


def rebuild(connection: Connection[Any], runtime: Runtime, *, by: str, now: int) -> int:
    """Makes the copies of all members anew from the engine's state, in chunks that are committed; how many members.

    Safe beside the intake: members are locked while their copies are made.
    """
    after, done = -1, 0
    goals = list(runtime.ranked)
    while goals:

        def once(after: int = after) -> list[int]:
            program = settled(connection, runtime)
            rows = connection.execute(
                MEMBERS, {"program": program.program_id, "after": after, "limit": AT_ONCE}
            ).fetchall()
            members = [row[0] for row in rows]
            copies = Copies(goals)
            for lane in batch.lanes(members):
                for member_id, state in connection.execute(
                    store.LOCK, {"members": sorted(lane)}, binary=True
                ):
                    copies.take(member_id, decode_state(state), set(), anew=True)
            with exchange(connection) as server:
                copies.write(server, program.program_id)
            return members

        members = batch.attempt(connection, once)
        done += len(members)
        if len(members) < AT_ONCE:
            break
        after = members[-1]
    for goal in goals:
        awards.begin(connection, runtime.program_id, "ranking", goal, "", "", by=by, now=now)
        awards.finish(connection, runtime.program_id, "ranking", goal, "", now=now)
    connection.commit()
    return done


def complete(connection: Connection[Any], runtime: Runtime, *, now: int) -> bool:
    """Makes the copies of goals that have just begun to rank members; whether there was anything to do."""
    missing = any(
        not awards.finished(connection, runtime.program_id, "ranking", goal, "") for goal in runtime.ranked
    )
    connection.rollback()
    if missing:
        rebuild(connection, runtime, by="worker", now=now)
    return missing


# --- the proof --------------------------------------------------------------------------------------------

COPIES: Final = """
-- rankings.copies
-- all members: every stored state against the copies beside it
select p.member_id, p.state, r.goals,
  (select coalesce(jsonb_object_agg(g.goal || ' ' || g.number,
     jsonb_build_array(g.value, (extract(epoch from g.reached_at) * 1000000)::bigint)), '{}')
   from goal_progress g where g.member_id = p.member_id)
from progress p
join (select a.program_id, array_agg(a.name order by a.name) as goals from award_run a
      where a.kind = 'ranking' and a.finished_at is not null group by a.program_id) r
  on r.program_id = p.program_id
where %(program)s::text is null
   or p.program_id = (select g.program_id from program g where g.key = %(program)s)
"""


@register_state_check
def ranking_copies(connection: Connection[Any], program: str | None) -> Iterator[Violation]:
    """Where members stand in the goals that rank them is what the engine's state says, both ways.

    Copies of windows that are older than the engine keeps are left alone.
    """
    with connection.cursor(name="ranking_copies") as cursor:
        cursor.itersize = 5000
        cursor.execute(COPIES, {"program": program})
        for member_id, stored, goals, copies in cursor:
            state = decode_state(stored)
            expected = {
                f"{key} {window.number}": [window.position, window.counted_at]
                for key, window in standings(state, goals)
            }
            for name in sorted(expected.keys() | copies.keys()):
                key, _, number = name.rpartition(" ")
                goal = state.goals.get(key)
                closed = goal.closed if goal is not None else []
                if key not in goals or (
                    name not in expected and len(closed) >= CLOSED_KEPT and int(number) < closed[0].number
                ):
                    continue
                if expected.get(name) != copies.get(name):
                    yield Violation(
                        "state.ranking",
                        f"member {refs.encode(member_id)} goal {name}",
                        str(expected.get(name)),
                        str(copies.get(name)),
                    )
