"""Messages to suppliers held against their orders: a part of `palier verify`."""

# ruff: noqa: S608 -- statements are put together from the constants of this file alone

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Connection

from palier.ledger.invariants import BROKEN
from palier.ledger.verify import MOST_PER_INVARIANT, Violation, register_state_check

_HERE: Final = """(%(program)s::text is null
       or {0}program_id = (select p.program_id from program p where p.key = %(program)s))"""

INVARIANTS: Final[dict[str, str]] = {
    "dispatch.lost": f"""
-- an order that waits for its supplier has a message that is under way, or that waits for a person
-- all members: every order that waits
select 'order ' || audit.member_ref(o.member_id) || '.' || o.order_id, 'a message under way or dead',
       coalesce(string_agg(d.state, ', ' order by d.part), 'none')
from reward_order o left join dispatch d on d.order_id = o.order_id and d.program_id = o.program_id
where o.state = 'fulfilling' and (o.details -> 'awaits')::jsonb ? 'supplier' and {_HERE.format("o.")}
group by o.member_id, o.order_id
having coalesce(bool_and(d.state not in ('queued', 'sent', 'unknown', 'accepted', 'dead')), true)
""",
    "dispatch.order": f"""
-- a message that is under way belongs to an order that waits for it
-- all members: the orders of what is under way
select 'dispatch ' || d.dispatch_id, 'an order that waits for its supplier', coalesce(o.state, 'no such order')
from dispatch d
left join reward_order o on o.member_id = d.member_id and o.order_id = d.order_id and o.program_id = d.program_id
where d.state in ('queued', 'sent', 'unknown', 'accepted') and {_HERE.format("d.")}
  and not coalesce(o.state = 'fulfilling' and (o.details -> 'awaits')::jsonb ? 'supplier', false)
""",
    "dispatch.once": f"""
-- each part of an order is one message, under the order's own id
select 'order ' || d.order_id || ', part ' || d.part,
       '1 message, ' || d.order_id || case when d.part > 0 then '-' || d.part else '' end,
       count(*) || ' messages, ' || min(d.request_id)
from dispatch d where {_HERE.format("d.")}
group by d.program_id, d.order_id, d.part
having count(*) > 1 or min(d.request_id) <> d.order_id || case when d.part > 0 then '-' || d.part else '' end
""",
    "dispatch.delivered": f"""
-- an order that was handed out has no message but delivered ones, one that failed none
-- all members: every order that went to a supplier and is settled
select 'order ' || audit.member_ref(o.member_id) || '.' || o.order_id, 'messages of an order ' || o.state,
       string_agg(distinct d.state, ', ')
from reward_order o join dispatch d on d.order_id = o.order_id and d.program_id = o.program_id
where {_HERE.format("o.")}
  and case when o.state in ('done', 'partly_refunded', 'refunded') then d.state <> 'delivered'
           when o.state = 'failed' then d.state in ('queued', 'sent', 'unknown', 'accepted')
           else false end
group by o.member_id, o.order_id, o.state
""",
}
"""Name of each invariant -> the statement that finds what breaks it: (place, expected, found)."""


@register_state_check
def messages_to_suppliers(connection: Connection[Any], program: str | None) -> Iterator[Violation]:
    """No order waits for a supplier that nobody asks, and nobody asks for an order that does not wait."""
    parameters = {"program": program, "most": MOST_PER_INVARIANT}
    for name, query in INVARIANTS.items():
        for row in connection.execute(BROKEN.format(invariant=query), parameters):
            yield Violation(name, *row)
