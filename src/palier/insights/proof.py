"""What was counted held against what it was counted from: a part of `palier verify`.

Every statement recomputes its figure in its own way from members, activities, transfers and orders, leaving out what
waits to be counted, so that counting by differences is checked by counting from nothing.
"""

# ruff: noqa: S608 -- statements are put together from the constants of this file alone

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Connection

from palier.engine.facts import MADE_SOURCE, OWN_SOURCE
from palier.insights.measures import NOT_DONE_BY_MEMBERS
from palier.ledger.invariants import BROKEN
from palier.ledger.verify import MOST_PER_INVARIANT, Violation, register_state_check

_NOT_DONE: Final = ", ".join(f"'{kind}'" for kind in sorted(NOT_DONE_BY_MEMBERS))

# Programs that are counted at all; one that is being counted from nothing is whole with what waits.
_PROGRAMS: Final = """
with programs as (
  select s.program_id, s.zone, p.key from insight_state s join program p on p.program_id = s.program_id
  where %(program_id)s::bigint is null or s.program_id = %(program_id)s
),
waiting as (
  select 'transfer' as what, w.m, w.r from seal_queue q cross join unnest(q.member_ids, q.transfer_ids) as w(m, r)
  union all
  select 'activity', w.m, w.r
  from seal_queue q
  cross join unnest(coalesce(q.activity_members, '{}'), coalesce(q.activity_ids, '{}')) as w(m, r)
  union all
  select u.what, w.m, w.r from uncounted u
  cross join unnest(u.member_ids, coalesce(u.row_ids, u.member_ids)) as w(m, r)
)"""

# When each member went, by the facts that say so, and when he came back (null: he did not).
_GONE: Final = """
gone as (
  select g.program_id, g.member_id, (g.acts_at at time zone p.zone)::date as went,
         (b.acts_at at time zone p.zone)::date as back
  from activity g join programs p on p.program_id = g.program_id
  left join waiting w on w.what = 'activity' and w.m = g.member_id and w.r = g.activity_id
  left join (
    select a.* from activity a
    left join waiting v on v.what = 'activity' and v.m = a.member_id and v.r = a.activity_id
    where v.r is null and a.type = 'unmerged'
  ) b on b.member_id = g.member_id and g.type = 'merge_out' and b.payload->'merge'->>'source' = g.source
    and b.payload->'merge'->>'id' = g.external_id
  where w.r is null and g.type in ('left', 'merge_out')
)"""

_ACTED: Final = f"""
acted as (
  select distinct a.program_id, p.zone, a.member_id, (a.acts_at at time zone p.zone)::date as day
  from activity a join programs p on p.program_id = a.program_id
  left join waiting w on w.what = 'activity' and w.m = a.member_id and w.r = a.activity_id
  where w.r is null and a.source not in ('{OWN_SOURCE}', '{MADE_SOURCE}') and a.type not in ({_NOT_DONE})
)"""


def _compared(measured: str, kept: str = "") -> str:
    """Compares (program, measure, key, day, value) recomputed with what is kept of the same measures."""
    return f"""
select 'program ' || p.key || ', ' || coalesce(m.measure, k.measure) || ' ' || coalesce(m.key, k.key) || ' on '
         || coalesce(m.day, k.day),
       coalesce(m.value, 0), coalesce(k.value, 0)
from measured m
full join (
  select d.program_id, d.measure, d.key, d.day, d.value
  from insight_day d join programs p on p.program_id = d.program_id
  where d.measure = any(array[{measured}]) {kept}
) k on k.program_id = m.program_id and k.measure = m.measure and k.key = m.key and k.day = m.day
join programs p on p.program_id = coalesce(m.program_id, k.program_id)
where coalesce(m.value, 0) <> coalesce(k.value, 0)"""


INVARIANTS: Final[dict[str, str]] = {
    "insight.transfers": f"""
{_PROGRAMS}, measured as (
  select t.program_id, leg.measure, t.currency || '|' || leg.account as key,
         (coalesce(o.effective_at, t.effective_at) at time zone p.zone)::date as day,
         sum(case when o.transfer_id is null then t.amount else -o.amount end)::bigint as value
  from transfer t join programs p on p.program_id = t.program_id
  left join transfer o on o.member_id = t.member_id and o.transfer_id = t.corrects_id
  cross join lateral (
    values ('debit', coalesce(o.debit, t.debit)), ('credit', coalesce(o.credit, t.credit))) as leg (measure, account)
  left join waiting w on w.what = 'transfer' and w.m = t.member_id and w.r = t.transfer_id
  where w.r is null group by 1, 2, 3, 4
)
{_compared("'debit', 'credit'")}
""",
    "insight.activities": f"""
{_PROGRAMS}, told as (
  select a.program_id, a.type, (a.acts_at at time zone p.zone)::date as day, a.payload, a.trace
  from activity a join programs p on p.program_id = a.program_id
  left join waiting w on w.what = 'activity' and w.m = a.member_id and w.r = a.activity_id
  where w.r is null and a.source <> '{OWN_SOURCE}' and a.type <> 'correction'
), measured as (
  select program_id, 'activity' as measure, type as key, day, count(*) as value from told group by 1, 2, 3, 4
  union all
  select program_id, 'spend', '', day, sum((payload->>'amount')::bigint)::bigint from told where type = 'sale'
  group by 1, 2, 3, 4
  union all
  select program_id, 'brought', (r.rule->>0) || '|' || (r.rule->>1), day, sum((r.rule->>5)::bigint)::bigint
  from told cross join json_array_elements(coalesce(trace->'rules', '[]'::json)) as r(rule)
  where type <> 'return' and (r.rule->>5)::bigint <> 0 group by 1, 2, 3, 4
)
{_compared("'activity', 'spend', 'brought'")}
""",
    "insight.members": f"""
{_PROGRAMS}, {_GONE}, measured as (
  select m.program_id, 'joined' as measure, '' as key, (m.enrolled_at at time zone p.zone)::date as day,
         count(*) as value
  from member m join programs p on p.program_id = m.program_id
  left join waiting w on w.what = 'member' and w.m = m.member_id
  where w.r is null group by 1, 2, 3, 4
  union all
  select g.program_id, 'gone', '', went.day, sum(went.value)::bigint from gone g
  cross join lateral (values (g.went, 1), (g.back, -1)) as went (day, value)
  where went.day is not null group by 1, 2, 3, 4
)
{_compared("'joined', 'gone'")}
""",
    "insight.active": f"""
{_PROGRAMS}, {_ACTED}, measured as (
  select program_id, 'active' as measure, '' as key, day, count(*) as value from acted group by 1, 2, 3, 4
  union all
  select c.program_id, 'cohort', c.cohort, c.month, count(distinct c.member_id) from (
    select a.program_id, a.member_id, date_trunc('month', a.day)::date as month,
           to_char(m.enrolled_at at time zone a.zone, 'YYYY-MM') as cohort
    from acted a join member m on m.member_id = a.member_id
  ) c group by 1, 2, 3, 4
)
{_compared("'active', 'cohort'")}
""",
    # The sum of the changes up to a day is how many were active in the days before it: looked at where it changes.
    "insight.active_within": f"""
{_PROGRAMS}, {_GONE}, {_ACTED}, lengths (measure, days) as (values ('active_30', 30), ('active_90', 90)),
changes as (
  select d.program_id, d.measure, d.day,
         sum(d.value) over (partition by d.program_id, d.measure order by d.day) as value,
         row_number() over (partition by d.program_id, d.measure order by d.day desc) as place
  from insight_day d join programs p on p.program_id = d.program_id join lengths l on l.measure = d.measure
),
looked as (select c.*, l.days from changes c join lengths l on l.measure = c.measure where mod(c.place, 45) = 1),
measured as (
  select k.program_id, k.measure, k.day, count(distinct a.member_id) as value
  from looked k left join acted a on a.program_id = k.program_id and a.day > k.day - k.days and a.day <= k.day
    and not exists (
      select 1 from gone g where g.member_id = a.member_id and g.went <= k.day and (g.back is null or g.back > k.day))
  group by 1, 2, 3
)
select 'program ' || p.key || ', ' || k.measure || ' up to ' || k.day, m.value, k.value
from looked k join measured m on m.program_id = k.program_id and m.measure = k.measure and m.day = k.day
join programs p on p.program_id = k.program_id where m.value <> k.value
""",
    "insight.tiers": f"""
{_PROGRAMS}, held as (
  select distinct on (a.member_id) a.program_id, a.member_id, a.tier, a.type
  from activity a join programs p on p.program_id = a.program_id
  left join waiting w on w.what = 'activity' and w.m = a.member_id and w.r = a.activity_id
  where w.r is null and a.tier <> '' order by a.member_id, a.acts_at desc, a.activity_id desc
), measured as (
  select program_id, tier as key, count(*) as value from held where type not in ('left', 'merge_out') group by 1, 2
), kept as (
  select d.program_id, d.key, sum(d.value) as value
  from insight_day d join programs p on p.program_id = d.program_id where d.measure = 'tier' group by 1, 2
)
select 'program ' || p.key || ', tier ' || coalesce(m.key, k.key), coalesce(m.value, 0), coalesce(k.value, 0)
from measured m full join kept k on k.program_id = m.program_id and k.key = m.key
join programs p on p.program_id = coalesce(m.program_id, k.program_id)
where coalesce(m.value, 0) <> coalesce(k.value, 0)
""",
    "insight.orders": f"""
{_PROGRAMS}, measured as (
  select o.program_id, 'ordered' as measure, o.reward_key as key, (o.created_at at time zone p.zone)::date as day,
         sum(o.units)::bigint as value
  from reward_order o join programs p on p.program_id = o.program_id
  left join waiting w on w.what = 'order' and w.m = o.member_id and w.r = o.order_id
  where w.r is null group by 1, 2, 3, 4
)
{_compared("'ordered'")}
""",
}
"""Each statement returns (place, expected, found) for what breaks it."""


@register_state_check
def insights(connection: Connection[Any], program: str | None) -> Iterator[Violation]:
    """The figures that were counted are what the rows they were counted from come to."""
    row = None
    if program is not None:
        row = connection.execute("select program_id from program where key = %s", (program,)).fetchone()
    parameters = {"program_id": row[0] if row is not None else None, "most": MOST_PER_INVARIANT}
    for invariant, query in INVARIANTS.items():
        for found in connection.execute(BROKEN.format(invariant=query), parameters).fetchall():
            yield Violation(invariant, *found)


__all__ = ["INVARIANTS", "insights"]
