"""Orders and stock held against each other and against the ledger: a part of `palier verify`."""

# ruff: noqa: S608 -- statements are put together from the constants of this file alone

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Connection

from palier.ledger.invariants import BROKEN
from palier.ledger.verify import MOST_PER_INVARIANT, Violation, register_state_check

_HERE: Final = """(%(program)s::text is null
       or {0}program_id = (select p.program_id from program p where p.key = %(program)s))"""


def _counted(column: str, listed: str) -> str:
    return f"""
-- all members: a sum over every order
with kept as (
  select o.program_id, s.key, sum(s.value::bigint)::bigint as units
  from reward_order o cross join lateral json_each_text(o.{listed}) as s (key, value)
  where {_HERE.format("o.")} group by o.program_id, s.key
),
stored as (select * from reward_stock where {_HERE.format("")})
select 'stock of ' || key, coalesce(kept.units, 0), coalesce(stored.{column}, 0)
from kept full join stored using (program_id, key)
where coalesce(kept.units, 0) <> coalesce(stored.{column}, 0)
"""


INVARIANTS: Final[dict[str, str]] = {
    "stock.held": _counted("held", "stock_held"),
    "stock.sold": _counted("sold", "stock_sold"),
    "stock.within": f"""
-- no more is held and handed out than there is, and nothing is below 0
select 'stock of ' || key, 'at most ' || total, (held + sold)::text
from reward_stock
where (held + sold > total or least(held, sold, waiting) < 0) and {_HERE.format("")}
""",
    "stock.waiting": f"""
-- all members: who stands in line, over every order that waits
with kept as (
  select program_id, details ->> 'line' as key, count(*) as members from reward_order
  where state = 'waiting' and {_HERE.format("")} group by program_id, details ->> 'line'
),
stored as (select * from reward_stock where {_HERE.format("")})
select 'line for ' || key, coalesce(kept.members, 0), coalesce(stored.waiting, 0)
from kept full join stored using (program_id, key)
where coalesce(kept.members, 0) <> coalesce(stored.waiting, 0)
""",
    "order.points": f"""
-- the points of an order are those of the fact that holds or spent them
-- all members: every order against its facts
with paid as (
  select o.member_id, o.order_id, o.state, p.value ->> 'currency' as currency,
         (p.value ->> 'points')::bigint as points, (p.value ->> 'activity_id')::bigint as activity_id,
         coalesce((p.value ->> 'refunded')::bigint, 0) as refunded,
         coalesce(p.value ->> 'state', 'held') as standing
  from reward_order o cross join lateral json_array_elements(o.points) as p (value)
  where {_HERE.format("o.")}
),
moved as (
  select t.member_id, a.activity_id, t.currency, sum(t.amount)::bigint as spent
  from activity a
  join transfer t on t.member_id = a.member_id and t.activity_id = a.activity_id
    and t.kind in ('redeem', 'hold', 'debt') and t.corrects_id is null
  where a.type in ('redeem', 'hold') and a.source = 'palier:orders' and {_HERE.format("a.")}
  group by t.member_id, a.activity_id, t.currency
)
select 'order ' || audit.member_ref(paid.member_id) || '.' || paid.order_id || ' ' || paid.currency,
       paid.points::text, coalesce(moved.spent::text, 'no such fact')
from paid left join moved on moved.member_id = paid.member_id and moved.activity_id = paid.activity_id
  and moved.currency = paid.currency
where moved.spent is distinct from paid.points
""",
    "order.standing": f"""
-- what an order says of its points is what the hold says, and fits the order's state
-- all members: every order against its holds
with paid as (
  select o.member_id, o.order_id, o.state, p.value ->> 'currency' as currency,
         (p.value ->> 'activity_id')::bigint as activity_id, (p.value ->> 'points')::bigint as points,
         coalesce(p.value ->> 'state', 'held') as standing, coalesce((p.value ->> 'hold')::boolean, true) as hold
  from reward_order o cross join lateral json_array_elements(o.points) as p (value)
  where {_HERE.format("o.")}
)
select 'order ' || audit.member_ref(paid.member_id) || '.' || paid.order_id || ' ' || paid.currency,
       'points ' || paid.standing || ' of an order ' || paid.state,
       coalesce('hold ' || h.state || ', ' || h.captured || ' spent', 'no hold')
from paid left join hold h on h.member_id = paid.member_id and h.hold_id = paid.activity_id
where case paid.standing
    when 'held' then paid.state not in ('reserved', 'fulfilling')
      or h.hold_id is null or h.state not in ('open', 'expired')
    when 'free' then paid.state not in ('released', 'expired', 'failed', 'cancelled')
      or h.hold_id is null or h.state not in ('released', 'expired')
    else paid.state not in ('done', 'partly_refunded', 'refunded', 'cancelled')
      or (paid.hold and (h.hold_id is null or h.state <> 'captured' or h.captured <> paid.points))
  end
""",
    "order.items": f"""
-- an order that was handed out has something for each unit that was not taken back, any other has nothing
-- all members: every order against its items
with held as (
  select member_id, order_id, count(distinct unit) filter (where state <> 'void') as units from reward_item
  where {_HERE.format("")} group by member_id, order_id
)
select 'order ' || audit.member_ref(o.member_id) || '.' || o.order_id,
       case when o.state in ('done', 'partly_refunded') then o.units - o.refunded_units else 0 end,
       coalesce(held.units, 0)
from reward_order o left join held on held.member_id = o.member_id and held.order_id = o.order_id
where {_HERE.format("o.")}
  and case when o.state in ('done', 'partly_refunded') then o.units - o.refunded_units else 0 end
      <> coalesce(held.units, 0)
""",
    "order.events": f"""
-- an order is what its last event made it, and each event goes on from the one before
-- all members: every order against its events
with told as (
  select member_id, order_id, number, from_state, to_state,
         lag(to_state) over (partition by member_id, order_id order by number) as before,
         row_number() over (partition by member_id, order_id order by number) as place
  from order_event where {_HERE.format("")}
)
select 'order ' || audit.member_ref(o.member_id) || '.' || o.order_id,
       coalesce(told.before, 'the beginning') || ', then ' || o.state,
       coalesce(told.from_state, 'the beginning') || ', then ' || coalesce(told.to_state, 'no event')
from reward_order o left join told on told.member_id = o.member_id and told.order_id = o.order_id
where {_HERE.format("o.")}
  and (told.order_id is null or told.from_state is distinct from told.before or told.number <> told.place
       or told.number > o.steps or (told.number = o.steps and told.to_state <> o.state)
       or o.steps > (select count(*) from order_event e where e.member_id = o.member_id and e.order_id = o.order_id))
""",
    "order.claim": f"""
-- each order has its id, taken for it
-- all members: every order against the claims
select 'order ' || audit.member_ref(o.member_id) || '.' || o.order_id,
       'a claim of ' || o.source || ' ' || o.external_id,
       coalesce('a claim for order ' || c.order_id, 'no claim')
from reward_order o
left join order_claim c on c.external_id = o.external_id and c.source = o.source and c.program_id = o.program_id
where {_HERE.format("o.")} and (c.order_id is distinct from o.order_id or c.member_id <> o.member_id)
""",
}
"""Name of each invariant -> the statement that finds what breaks it: (place, expected, found)."""


@register_state_check
def orders_and_stock(connection: Connection[Any], program: str | None) -> Iterator[Violation]:
    """Stock is the sum of what orders keep of it; points and items of orders are theirs."""
    parameters = {"program": program, "most": MOST_PER_INVARIANT}
    for name, query in INVARIANTS.items():
        for row in connection.execute(BROKEN.format(invariant=query), parameters):
            yield Violation(name, *row)
