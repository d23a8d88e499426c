"""Counting: what was sealed is added to its day, once; and everything counted again from nothing.

`uncounted` names what has not been added up. A chunk of it is taken, added and removed in one transaction, so that
a worker killed anywhere counts nothing twice and leaves nothing out. Days are those on which things happened, in
the program's time zone: what comes late, or corrects, is added to its own day.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.clock import instant, moment
from palier.engine.facts import OWN_SOURCE, RETURN
from palier.engine.trace import GoalTrace, GrantTrace, RuleTrace
from palier.insights import measures
from palier.site.arrays import Numbers, Texts

CHUNK: Final = 20_000
"""About so many rows are counted in one transaction."""
_EPOCH: Final = date(1970, 1, 1)
_NEVER: Final = 1 << 30
"""A day that does not come."""

Deltas = Counter[tuple[str, str, int]]
"""(measure, key, day since 1970) -> what is added to it."""

HOLD_STATE: Final = """
-- insights.hold_state
select zone, begun_at is not null from insight_state where program_id = %(program)s for update skip locked
"""

NEW_STATE: Final = """
-- insights.new_state
insert into insight_state (program_id, zone) values (%(program)s, %(zone)s)
on conflict (program_id) do nothing
"""

BEGIN_STATE: Final = """
-- insights.begin_state
update insight_state set zone = %(zone)s, begun_at = %(now)s where program_id = %(program)s
"""

SEEN: Final = """
-- insights.seen
update insight_state set counted_at = %(now)s, begun_at = case when %(done)s then null else begun_at end
where program_id = %(program)s
"""

TAKE: Final = """
-- insights.take
select q.queue_id, q.what, q.member_ids, q.row_ids from (
  select u.queue_id, u.what, u.member_ids, u.row_ids,
         sum(cardinality(u.member_ids)) over (order by u.queue_id) - cardinality(u.member_ids) as before
  from (select * from uncounted where program_id = %(program)s order by queue_id limit 5000) u
) q where q.before < %(most)s order by q.queue_id
"""

DROP_TAKEN: Final = """
-- insights.drop_taken
delete from uncounted where queue_id = any(%(taken)s)
"""

TRANSFERS: Final = """
-- insights.transfers
-- all members: rows that were sealed, each found by its key
select (t.effective_at at time zone %(zone)s)::date - date '1970-01-01',
       -- a correction takes off what it corrects, on the day of that
       case when t.corrects_id is null then t.debit else t.credit end,
       case when t.corrects_id is null then t.credit else t.debit end, t.currency,
       sum(case when t.corrects_id is null then t.amount else -t.amount end)::bigint
from unnest(%(members)s::bigint[], %(rows)s::bigint[]) as u(m, r)
join transfer t on t.member_id = u.m and t.transfer_id = u.r
group by 1, 2, 3, 4
"""

ACTIVITIES: Final = """
-- insights.activities
-- all members: decisions that were sealed, each found by its key
select a.member_id, a.activity_id, (a.acts_at at time zone %(zone)s)::date - date '1970-01-01', a.acts_at, a.source,
       a.type, coalesce(a.tier, ''), case when a.type = 'sale' then a.payload::text end, a.trace::text,
       case when a.type in ('left', 'merge_out') then 'gone'
            -- of the two facts that undo a merge, that of the member who had gone
            when a.type = 'unmerged' and exists (
              select 1 from activity o
              where o.member_id = a.member_id and o.type = 'merge_out' and o.source = a.payload->'merge'->>'source'
                and o.external_id = a.payload->'merge'->>'id') then 'back'
            else '' end
from unnest(%(members)s::bigint[], %(rows)s::bigint[]) as u(m, r)
join activity a on a.member_id = u.m and a.activity_id = u.r
order by a.member_id, a.activity_id
"""

ORDERS: Final = """
-- insights.orders
-- all members: orders just placed, each found by its key
select o.member_id, (o.created_at at time zone %(zone)s)::date - date '1970-01-01', o.reward_key, o.units
from unnest(%(members)s::bigint[], %(rows)s::bigint[]) as u(m, r)
join reward_order o on o.member_id = u.m and o.order_id = u.r
"""

MEMBERS: Final = """
-- insights.members
select m.member_id, (m.enrolled_at at time zone %(zone)s)::date - date '1970-01-01', i.days, i.rewarded_on, i.tier,
       i.tier_at, i.tier_id, i.rules, i.gone
from member m left join insight_member i on i.member_id = m.member_id
where m.member_id = any(%(members)s)
"""

KEEP_MEMBERS: Final = """
-- insights.keep_members
insert into insight_member (member_id, program_id, days, rewarded_on, tier, tier_at, tier_id, rules, gone)
select m, %(program)s, d::int[], nullif(w, -1000000), t, a, i, r::text[], g::int[]
from (select unnest(%(members)s::bigint[]) as m, unnest(%(days)s::text[]) as d, unnest(%(rewarded)s::int[]) as w,
             unnest(%(tiers)s::text[]) as t, unnest(%(ats)s::bigint[]) as a, unnest(%(ids)s::bigint[]) as i,
             unnest(%(rules)s::text[]) as r, unnest(%(gone)s::text[]) as g) as u
order by m
on conflict (member_id) do update
set days = excluded.days, rewarded_on = excluded.rewarded_on, tier = excluded.tier, tier_at = excluded.tier_at,
    tier_id = excluded.tier_id, rules = excluded.rules, gone = excluded.gone
"""

HOLD_TIERS: Final = """
-- insights.hold_tiers
update insight_member i set tier = u.t, tier_at = u.a, tier_id = u.i
from unnest(%(members)s::bigint[], %(tiers)s::text[], %(ats)s::bigint[], %(ids)s::bigint[]) as u(m, t, a, i)
where i.member_id = any(%(members)s) and i.member_id = u.m
"""

ADD: Final = """
-- insights.add
insert into insight_day (program_id, measure, key, day, value)
select %(program)s, m, k, date '1970-01-01' + d, v
from unnest(%(measures)s::text[], %(keys)s::text[], %(days)s::int[], %(values)s::bigint[]) as u(m, k, d, v)
order by m, k, d
on conflict (program_id, measure, key, day) do update set value = insight_day.value + excluded.value
"""

FORGET: Final = (
    "-- insights.forget_days\ndelete from insight_day where program_id = %(program)s",
    "-- insights.forget_members\n-- all members: a program is counted again from nothing\n"
    "delete from insight_member where program_id = %(program)s",
    "-- insights.forget_queue\ndelete from uncounted where program_id = %(program)s",
)

# What waits for the sealer comes by itself, and is left out here.
ENQUEUE: Final = (
    """
    -- insights.enqueue_members
    -- all members: a program is counted again from nothing
    insert into uncounted (program_id, what, member_ids)
    select %(program)s, 'member', array_agg(n.member_id) from (
      select member_id, row_number() over (order by member_id) / 5000 as part from member where program_id = %(program)s
    ) n group by n.part order by n.part
    """,
    """
    -- insights.enqueue_transfers
    -- all members: a program is counted again from nothing
    insert into uncounted (program_id, what, member_ids, row_ids)
    select %(program)s, 'transfer', array_agg(n.member_id), array_agg(n.row_id) from (
      select t.member_id, t.transfer_id as row_id,
             row_number() over (order by t.member_id, t.transfer_id) / 5000 as part
      from transfer t where t.program_id = %(program)s and (t.member_id, t.transfer_id) not in (
        select w.m, w.r from seal_queue q cross join unnest(q.member_ids, q.transfer_ids) as w(m, r)
        where q.program_id = %(program)s)
    ) n group by n.part order by n.part
    """,
    """
    -- insights.enqueue_activities
    -- all members: a program is counted again from nothing
    insert into uncounted (program_id, what, member_ids, row_ids)
    select %(program)s, 'activity', array_agg(n.member_id), array_agg(n.row_id) from (
      select a.member_id, a.activity_id as row_id,
             row_number() over (order by a.member_id, a.activity_id) / 5000 as part
      from activity a where a.program_id = %(program)s and (a.member_id, a.activity_id) not in (
        select w.m, w.r from seal_queue q
        cross join unnest(coalesce(q.activity_members, '{}'), coalesce(q.activity_ids, '{}')) as w(m, r)
        where q.program_id = %(program)s)
    ) n group by n.part order by n.part
    """,
    """
    -- insights.enqueue_orders
    -- all members: a program is counted again from nothing
    insert into uncounted (program_id, what, member_ids, row_ids)
    select %(program)s, 'order', array_agg(n.member_id), array_agg(n.row_id) from (
      select o.member_id, o.order_id as row_id,
             row_number() over (order by o.member_id, o.order_id) / 5000 as part
      from reward_order o where o.program_id = %(program)s
    ) n group by n.part order by n.part
    """,
)


class _Seen(Struct):
    """What is counted of a decision's trace."""

    version: int
    rules: list[RuleTrace] = []
    grants: list[GrantTrace] = []
    draws: list[tuple[str, int, str]] = []
    goals: list[GoalTrace] = []


class _Spent(Struct):
    """What is counted of a sale."""

    amount: int = 0


_seen = msgspec.json.Decoder(_Seen).decode
_spent = msgspec.json.Decoder(_Spent).decode


class Counted(Struct):
    """What has been counted of one member; days since 1970. `joined` is the day on which he joined.

    `gone` are the days on which he went (erased, or merged into another member) and came back (a merge was undone), by
    turns: while he is gone he is counted nowhere. `changed`: more of it is new than the tier held and when it was.
    """

    joined: int
    days: list[int]
    rewarded_on: int | None
    tier: str
    tier_at: int
    tier_id: int
    rules: set[str]
    gone: list[int] = []
    changed: bool = False

    def be_active(self, day: int, deltas: Deltas) -> None:
        """Takes note of a day on which the member did something himself, whichever days are known already.

        Each active day keeps him counted for so many days, or until his next one: so a late day between two others
        changes only what lies between them.
        """
        place = bisect_left(self.days, day)
        if place < len(self.days) and self.days[place] == day:
            return
        before = self.days[place - 1] if place else None
        after = self.days[place] if place < len(self.days) else None
        deltas[measures.ACTIVE, "", day] += 1
        for length in measures.STAYS:
            if before is not None:
                self._stay(before, length, after, deltas, -1)
                self._stay(before, length, day, deltas, 1)
            self._stay(day, length, after, deltas, 1)
        month = first_of_month(day)
        if not any(other is not None and first_of_month(other) == month for other in (before, after)):
            deltas[measures.COHORT, month_name(self.joined), month] += 1
        insort(self.days, day)
        self.changed = True

    def _stay(self, day: int, length: int, following: int | None, deltas: Deltas, sign: int) -> None:
        """Counts him for so many days from an active one until the following one, but for those when he was gone."""
        measure, until = measures.STAYS[length], _until(day, length, following)
        spans = [(day, until, sign)]
        ends = [*self.gone[1::2], *([_NEVER] if len(self.gone) % 2 else [])]
        for left, back in zip(self.gone[::2], ends, strict=True):
            spans.append((max(day, left), min(until, back), -sign))
        for begins, ends_on, change in spans:
            if begins < ends_on:
                deltas[measure, "", begins] += change
                deltas[measure, "", ends_on] -= change

    def be_rewarded(self, day: int, deltas: Deltas) -> None:
        """Takes note of a reward; only the first one counts."""
        if self.rewarded_on is not None and self.rewarded_on <= day:
            return
        self._wait(deltas, -1)
        self.rewarded_on = day
        self._wait(deltas, 1)
        self.changed = True

    def _wait(self, deltas: Deltas, sign: int) -> None:
        """Counts the time to his first reward: from that month on, but for those when he was gone."""
        if self.rewarded_on is None:
            return
        waited = str(max(0, self.rewarded_on - self.joined))
        deltas[measures.WAITED, waited, first_of_month(self.rewarded_on)] += sign
        for number, day in enumerate(self.gone):
            deltas[measures.WAITED, waited, day] += sign if number % 2 else -sign

    def go(self, day: int, deltas: Deltas, *, back: bool) -> None:
        """Takes note that he went, or came back; whichever of both is known already."""
        deltas[measures.GONE, "", day] += -1 if back else 1
        self._stays(deltas, -1)
        self._wait(deltas, -1)
        insort(self.gone, day)
        self._stays(deltas, 1)
        self._wait(deltas, 1)
        self.changed = True

    def _stays(self, deltas: Deltas, sign: int) -> None:
        for day, following in zip_longest(self.days, self.days[1:]):
            for length in measures.STAYS:
                self._stay(day, length, following, deltas, sign)

    def hold_tier(self, tier: str, at: int, activity_id: int, day: int, deltas: Deltas) -> None:
        """Takes note of the tier held after a decision ("": none); the last one in order is the one held."""
        if (at, activity_id) <= (self.tier_at, self.tier_id):
            return
        if tier != self.tier:
            if tier:
                deltas[measures.TIER, tier, day] += 1
            if self.tier:
                deltas[measures.TIER, self.tier, day] -= 1
            if tier and self.tier:
                deltas[measures.MOVED, f"{self.tier}|{tier}", day] += 1
        self.tier, self.tier_at, self.tier_id = tier, at, activity_id

    def be_reached(self, rule: str, day: int, deltas: Deltas) -> None:
        """Takes note that a rule brought him points."""
        if rule not in self.rules:
            self.rules.add(rule)
            self.changed = True
            deltas[measures.REACHED, rule, day] += 1


def _until(day: int, length: int, following: int | None) -> int:
    return day + length if following is None else min(day + length, following)


@lru_cache(maxsize=4096)
def first_of_month(day: int) -> int:
    """The first day of a day's month; days since 1970."""
    found = _EPOCH + timedelta(day)
    return day - found.day + 1


@lru_cache(maxsize=4096)
def month_name(day: int) -> str:
    """A day's month, as 2026-03."""
    return (_EPOCH + timedelta(day)).isoformat()[:7]


def count_up(connection: Connection[Any], runtime: Runtime, *, now: int, most: int = CHUNK) -> int:
    """Adds up to about `most` uncounted rows of a program, in one transaction which it commits; how many it took.

    0 when nothing waits, or somebody else counts. A program that was never counted, or whose time zone changed, is
    begun anew first. `now` is microseconds UTC.
    """
    program = runtime.program_id
    zone = runtime.at(now).clock.name
    parameters: dict[str, Any] = {"program": program, "zone": zone, "now": moment(now), "most": most}
    state = connection.execute(HOLD_STATE, parameters).fetchone()
    if state is None:
        known = connection.execute(
            "-- insights.known_state\nselect 1 from insight_state where program_id = %(program)s", parameters
        ).fetchone()
        connection.rollback()
        if known is not None:
            return 0
        recount(connection, runtime, now=now)
        state = connection.execute(HOLD_STATE, parameters).fetchone()
    elif state[0] != zone:
        connection.rollback()
        recount(connection, runtime, now=now)
        state = connection.execute(HOLD_STATE, parameters).fetchone()
    if state is None:
        connection.rollback()
        return 0
    taken = connection.execute(TAKE, parameters).fetchall()
    if taken:
        _Count(connection, runtime, zone).add(taken)
        connection.execute(DROP_TAKEN, {"taken": Numbers(row[0] for row in taken)})
    if taken or state[1]:
        connection.execute(SEEN, {**parameters, "done": not taken})
    connection.commit()
    return sum(len(row[2]) for row in taken)


def count_all(connection: Connection[Any], runtime: Runtime, *, now: int) -> int:
    """Counts until nothing waits; how many rows were counted. Commits after each chunk."""
    total = 0
    while counted := count_up(connection, runtime, now=now):
        total += counted
    count_up(connection, runtime, now=now)
    return total


def recount(connection: Connection[Any], runtime: Runtime, *, now: int) -> None:
    """Forgets what was counted of a program and queues all that it has, to be counted from nothing. Commits.

    In one snapshot: what is committed after it comes by the queue, as ever. On tables spread over several machines
    the intake must stand still meanwhile, for there is no snapshot over all of them.
    """
    zone = runtime.at(now).clock.name
    parameters: dict[str, Any] = {"program": runtime.program_id, "zone": zone, "now": moment(now)}
    connection.execute(NEW_STATE, parameters)
    connection.commit()
    connection.execute("set transaction isolation level repeatable read")
    connection.execute(BEGIN_STATE, parameters)
    for statement in (*FORGET, *ENQUEUE):
        connection.execute(statement, parameters)
    connection.commit()


class _Count:
    """One chunk: deltas by day, and what is new of its members."""

    def __init__(self, connection: Connection[Any], runtime: Runtime, zone: str) -> None:
        self.connection = connection
        self.runtime = runtime
        self.zone = zone
        self.deltas: Deltas = Counter()
        self.members: dict[int, Counted] = {}

    def add(self, taken: Sequence[tuple[Any, ...]]) -> None:
        """Adds what queue rows name, and writes it."""
        named: dict[str, tuple[list[int], list[int]]] = {}
        for _, what, members, rows in taken:
            found = named.setdefault(what, ([], []))
            found[0].extend(members)
            found[1].extend(rows or ())
        about = {member for what, (members, _) in named.items() if what != "transfer" for member in members}
        self._load(sorted(about))
        self._joined(named.get("member", ([], []))[0])
        self._moved(*named.get("transfer", ([], [])))
        self._decided(*named.get("activity", ([], [])))
        self._ordered(*named.get("order", ([], [])))
        self._write()

    def _rows(self, statement: str, members: list[int], rows: list[int]) -> list[tuple[Any, ...]]:
        if not members:
            return []
        parameters = {"zone": self.zone, "members": Numbers(members), "rows": Numbers(rows)}
        return self.connection.execute(statement, parameters, binary=True).fetchall()

    def _load(self, members: list[int]) -> None:
        for member_id, joined, days, rewarded_on, tier, at, number, rules, gone in self._rows(
            MEMBERS, members, []
        ):
            self.members[member_id] = Counted(
                joined,
                list(days or ()),
                rewarded_on,
                tier or "",
                at or 0,
                number or 0,
                set(rules or ()),
                list(gone or ()),
                days is None,
            )

    def _joined(self, members: list[int]) -> None:
        for member_id in members:
            if member_id in self.members:
                self.deltas[measures.JOINED, "", self.members[member_id].joined] += 1

    def _moved(self, members: list[int], rows: list[int]) -> None:
        for day, debit, credit, currency, amount in self._rows(TRANSFERS, members, rows):
            self.deltas[measures.DEBIT, f"{currency}|{debit}", day] += amount
            self.deltas[measures.CREDIT, f"{currency}|{credit}", day] += amount

    def _ordered(self, members: list[int], rows: list[int]) -> None:
        for member_id, day, reward, units in self._rows(ORDERS, members, rows):
            self.deltas[measures.ORDERED, reward, day] += units
            if member_id in self.members:
                self.members[member_id].be_rewarded(day, self.deltas)

    def _decided(self, members: list[int], rows: list[int]) -> None:
        deltas = self.deltas
        for member_id, activity_id, day, at, source, kind, tier, spent, trace, going in self._rows(
            ACTIVITIES, members, rows
        ):
            member = self.members[member_id]
            if going:
                member.go(day, deltas, back=going == "back")
            if tier:
                member.hold_tier("" if going == "gone" else tier, instant(at), activity_id, day, deltas)
            if kind == "correction":
                continue
            decided = _seen(trace)
            if source != OWN_SOURCE:
                deltas[measures.ACTIVITY, kind, day] += 1
                if spent is not None:
                    deltas[measures.SPEND, "", day] += _spent(spent).amount
                if kind != RETURN:
                    self._rules(member, decided.rules, day)
                if measures.is_active(source, kind):
                    member.be_active(day, deltas)
                if kind in measures.REWARDING:
                    member.be_rewarded(day, deltas)
            if decided.grants or decided.draws or decided.goals:
                self._mechanics(decided, day)

    def _rules(self, member: Counted, rules: list[RuleTrace], day: int) -> None:
        deltas = self.deltas
        fired: set[str] = set()
        for item in rules:
            if not item.earned:
                continue
            rule = item.rule
            deltas[measures.BROUGHT, f"{rule}|{item.currency}", day] += item.earned
            if rule not in fired:
                fired.add(rule)
                deltas[measures.FIRED, rule, day] += 1
                member.be_reached(rule, day, deltas)

    def _mechanics(self, trace: _Seen, day: int) -> None:
        for item in trace.grants:
            self.deltas[measures.GRANTED, f"{item.cause}|{item.currency}", day] += item.points
        for game, _, prize in trace.draws:
            self.deltas[measures.DRAWN, f"{game}|{prize}", day] += 1
        if not trace.goals:
            return
        plan = self.runtime.timeline.plan_of(trace.version)
        for counted in trace.goals:
            goal = plan.goals.get(counted.goal) if plan is not None else None
            if goal is not None:
                for step in range(goal.reached(counted.before) + 1, goal.reached(counted.after) + 1):
                    self.deltas[measures.STEPPED, f"{counted.goal}|{step}", day] += 1

    def _write(self) -> None:
        program = self.runtime.program_id
        kept = sorted((member_id, member) for member_id, member in self.members.items() if member.changed)
        if kept:
            self.connection.execute(
                KEEP_MEMBERS,
                {
                    "program": program,
                    "days": Texts(f"{{{','.join(map(str, member.days))}}}" for _, member in kept),
                    "rewarded": Numbers(
                        -1_000_000 if member.rewarded_on is None else member.rewarded_on for _, member in kept
                    ),
                    "rules": Texts(_array(tuple(sorted(member.rules))) for _, member in kept),
                    "gone": Texts(f"{{{','.join(map(str, member.gone))}}}" for _, member in kept),
                    **_tiers(kept),
                },
            )
        held = sorted((member_id, member) for member_id, member in self.members.items() if not member.changed)
        if held:
            self.connection.execute(HOLD_TIERS, _tiers(held))
        rows = [(*place, value) for place, value in sorted(self.deltas.items()) if value]
        if rows:
            names, keys, days, values = zip(*rows, strict=True)
            self.connection.execute(
                ADD,
                {
                    "program": program,
                    "measures": Texts(names),
                    "keys": Texts(keys),
                    "days": Numbers(days),
                    "values": Numbers(values),
                },
            )


@lru_cache(maxsize=4096)
def _array(texts: tuple[str, ...]) -> str:
    """Texts as the server writes an array of them."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def _tiers(members: Sequence[tuple[int, Counted]]) -> dict[str, list[Any]]:
    """Members and the tiers they hold, as columns."""
    return {
        "members": Numbers(member_id for member_id, _ in members),
        "tiers": Texts(member.tier for _, member in members),
        "ats": Numbers(member.tier_at for _, member in members),
        "ids": Numbers(member.tier_id for _, member in members),
    }


__all__ = ["CHUNK", "Counted", "Deltas", "count_all", "count_up", "first_of_month", "month_name", "recount"]
