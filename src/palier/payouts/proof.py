"""Pay-outs held against the ledger and against their batches: a part of `palier verify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Connection

from palier.ledger.verify import Violation, register_state_check
from palier.members import refs
from palier.payouts.queries import payout_ref

# While a pay-out waits its points are held; in a file they are spent, all of them, by the hold's capture; one that
# came back is refunded whole; one that was refused holds nothing. `given` is what refunds gave back of the hold.
HOLDS: Final = """
-- payouts.holds
-- all members: pay-outs against their holds
select p.member_id, p.payout_id,
       p.state || ' of ' || p.points,
       coalesce(h.state, 'no hold') || ' of ' || coalesce(h.amount, 0) || ', ' || coalesce(h.captured, 0)
         || ' spent, ' || coalesce(g.given, 0) || ' given back'
from payout p
left join hold h on h.member_id = p.member_id and h.hold_id = p.hold_activity_id
left join (
  select member_id, payload -> 'undoes' ->> 'source' as source, payload -> 'undoes' ->> 'id' as id,
         sum((payload ->> 'points')::bigint) as given
  from activity where type = 'refund' group by 1, 2, 3
) g on g.member_id = p.member_id and g.source = p.hold_source and g.id = p.hold_id
where p.hold_id <> '' and (%(program)s::bigint is null or p.program_id = %(program)s)
  and not coalesce(case p.state
    when 'asked' then h.state in ('open', 'expired') and h.amount = p.points
    when 'approved' then h.state in ('open', 'expired') and h.amount = p.points
    when 'refused' then h.state in ('released', 'expired')
    when 'returned' then h.state = 'captured' and h.captured = p.points and coalesce(g.given, 0) = p.points
    else h.state = 'captured' and h.captured = p.points and h.amount = p.points and coalesce(g.given, 0) = 0
  end, false)
"""

BATCHES: Final = """
-- payouts.batches_add_up
-- all members: batches against the sums of their pay-outs
select b.batch_id,
       b.state || ': ' || b.payouts || ' of ' || b.total,
       coalesce(sum((p.state <> 'refused')::int), 0) || ' of '
         || coalesce(sum(p.amount) filter (where p.state <> 'refused'), 0)
         || coalesce(', ' || string_agg(distinct p.state, ' '), '')
from payout_batch b left join payout p on p.batch_id = b.batch_id
where %(program)s::bigint is null or b.program_id = %(program)s
group by b.batch_id
having not case
    when b.state = 'refused' then count(p.payout_id) = 0
    else coalesce(sum((p.state <> 'refused')::int), 0) = b.payouts
      and coalesce(sum(p.amount) filter (where p.state <> 'refused'), 0) = b.total
      and coalesce(bool_and(p.state = any(case b.state
        when 'asked' then array['asked']
        when 'approved' then array['approved']
        when 'written' then array['in_file', 'returned', 'refused']
        when 'sent' then array['sent', 'returned', 'refused']
        else array['paid', 'returned', 'refused'] end)), false)
  end
"""

UNAPPROVED: Final = """
-- payouts.unapproved
select b.batch_id, b.state from payout_batch b
where b.state in ('approved', 'written', 'sent', 'closed')
  and (%(program)s::bigint is null or b.program_id = %(program)s)
  and not exists (
    select 1 from approval a
    where a.program_id = b.program_id and a.kind = 'payout_batch' and a.state = 'approved'
      and a.request = 'pb_' || substr(audit.member_ref(b.batch_id), 3) and a.decided_by <> a.asked_by)
"""

# Steps are counted and not put in order: two processes may give ids that stand the other way round.
STEPS: Final = """
-- payouts.steps
-- all members: the steps of each pay-out lead to where it stands
select p.member_id, p.payout_id, p.state,
       coalesce(string_agg(e.from_state || '>' || e.to_state, ' ' order by e.event_id), 'no step')
from payout p
left join payout_event e on e.member_id = p.member_id and e.payout_id = p.payout_id
where %(program)s::bigint is null or p.program_id = %(program)s
group by p.member_id, p.payout_id, p.state
having coalesce(sum((e.to_state = p.state)::int - (e.from_state = p.state)::int), 0) <> 1
"""

GONE: Final = """
-- payouts.gone
-- all members: accounts whose member is erased
select b.member_id from bank_account b left join member m on m.member_id = b.member_id
where (m.member_id is null or m.status = 'erased')
  and (%(program)s::bigint is null or b.program_id = %(program)s)
"""


@register_state_check
def payouts(connection: Connection[Any], program: str | None) -> Iterator[Violation]:
    """Pay-outs are what was held and spent, batches their sums, and each batch was approved by a second person."""
    row = None
    if program is not None:
        row = connection.execute("select program_id from program where key = %s", (program,)).fetchone()
    parameters = {"program": row[0] if row is not None else None}
    for member_id, payout_id, expected, found in connection.execute(HOLDS, parameters).fetchall():
        yield Violation("payouts.holds", payout_ref(member_id, payout_id), expected, found)
    for batch_id, expected, found in connection.execute(BATCHES, parameters).fetchall():
        yield Violation("payouts.batches", refs.encode_as("pb", batch_id), expected, found)
    for batch_id, state in connection.execute(UNAPPROVED, parameters).fetchall():
        place = refs.encode_as("pb", batch_id)
        yield Violation("payouts.approved", place, "approved by a second person", state)
    for member_id, payout_id, expected, found in connection.execute(STEPS, parameters).fetchall():
        yield Violation("payouts.steps", payout_ref(member_id, payout_id), expected, found)
    for (member_id,) in connection.execute(GONE, parameters).fetchall():
        yield Violation("payouts.gone", refs.encode(member_id), "no bank account", "a bank account")
