"""The SQL of a batch: every statement set-based, named, and kept to one member's rows by member_id.

Members are locked in one order before anything of them is written. Results are joined back by key, never by
position. Arrays are unnested side by side in a select list: there the server takes them in step, where in FROM it
would first store a copy of each. Instants and documents travel as arrays of their own types (palier.site.arrays),
so that the server converts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant
from palier.engine.decisions import Transfer
from palier.engine.facts import NO_INPUTS, OWN_SOURCE, Fact, Known, decode_fact, decode_inputs
from palier.engine.history import Posted
from palier.engine.trace import Trace, decode_trace

CLAIM: Final = """
-- activities.claim
insert into activity_claim
  (external_id, source, program_id, member_id, activity_id, payload_sha256, status, code, claimed_at)
select x, s, %(program)s, nullif(m, 0), a, h, t, null, %(now)s
from (select unnest(%(ids)b::text[]) as x, unnest(%(sources)b::text[]) as s, unnest(%(members)b::bigint[]) as m,
             unnest(%(activities)b::bigint[]) as a, unnest(%(hashes)b::bytea[]) as h,
             unnest(%(statuses)b::text[]) as t) as u
order by x, s
on conflict (external_id, source, program_id) do nothing
returning activity_id
"""

FIND_CLAIMS: Final = """
-- activities.find_claims
select c.external_id, c.source, c.member_id, c.activity_id, c.payload_sha256, c.status, c.code
from activity_claim c
where c.external_id = any(%(ids)b) and c.program_id = %(program)s
"""

CLAIM_SALES: Final = """
-- activities.claim_sales
insert into sale_key (key_hash, program_id, external_id, source, claimed_at)
select k, %(program)s, x, s, %(now)s
from (select unnest(%(keys)b::bytea[]) as k, unnest(%(ids)b::text[]) as x, unnest(%(sources)b::text[]) as s) as u
order by k
on conflict (key_hash, program_id) do nothing
returning key_hash
"""

FIND_SALES: Final = """
-- activities.find_sales
select k.key_hash, k.source, k.external_id from sale_key k
where k.key_hash = any(%(keys)b) and k.program_id = %(program)s
"""

LOCK: Final = """
-- activities.lock
select p.member_id, p.state from progress p
where p.member_id = any(%(members)b)
order by p.member_id
for no key update
"""

STATE: Final = """
-- activities.state_of
select p.state from progress p where p.member_id = %(member)s
"""

STANDING: Final = """
-- activities.standing
select m.member_id, m.status, m.attributes::text, m.time_zone from member m
where m.member_id = any(%(members)b) and m.program_id = %(program)s
"""

LOAD_SALES: Final = """
-- activities.load_sales
select a.member_id, a.activity_id, a.source, a.external_id, a.type, a.payload::text, a.inputs::text,
       a.trace::text, a.corrects_id, a.sale_id, a.transfer_count
from activity a
where a.member_id = any(%(members)b)
  and (a.activity_id = any(%(sales)b) or a.sale_id = any(%(sales)b) or a.corrects_id = any(%(sales)b)
       or a.corrects_id in (select r.activity_id from activity r
                            where r.member_id = any(%(members)b) and r.sale_id = any(%(sales)b)))
order by a.member_id, a.activity_id
"""

PAID_SALES: Final = """
-- activities.paid_sales
select a.member_id, a.sale_id from activity a
where a.member_id = any(%(members)b) and a.sale_id = any(%(redemptions)b) and a.type = 'sale'
"""

LOAD_HISTORY: Final = """
-- activities.load_history
select a.member_id, a.activity_id, a.source, a.external_id, a.type, a.payload::text, a.inputs::text,
       a.trace::text, a.corrects_id, a.sale_id, a.transfer_count
from activity a
where a.member_id = any(%(members)b)
order by a.member_id, a.activity_id
"""

LOAD_TRANSFERS: Final = """
-- activities.load_transfers
select t.member_id, t.transfer_id, t.activity_id, t.kind, t.debit, t.credit, t.currency, t.lot_id, t.amount,
       t.effective_at, t.corrects_id
from transfer t
where t.member_id = any(%(members)b)
order by t.member_id, t.transfer_id
"""

LOAD_FATES: Final = """
-- activities.load_fates
select l.lot_id, l.currency, l.expires_at, l.funder, l.first_earned_at from lot l where l.member_id = %(member)s
order by l.lot_id
"""

LOAD_LAPSED: Final = """
-- activities.load_lapsed
select l.lot_id, l.currency, l.expired, l.expires_at, l.funder, l.first_earned_at from lot l
where l.member_id = %(member)s and l.expired > 0
order by l.lot_id
"""

LOAD_LOTS: Final = """
-- activities.load_lots
select l.member_id, l.lot_id, l.currency, l.expires_at, l.funder, l.first_earned_at, l.earned, l.redeemed,
       l.expired, l.reversed, l.held, l.remaining
from lot l
where l.member_id = any(%(members)b) and l.lot_id = any(%(lots)b)
"""

INSERT_ACTIVITIES: Final = """
-- activities.insert_activities
insert into activity
  (member_id, activity_id, program_id, source, external_id, type, occurred_at, acts_at, recorded_at, version,
   payload, inputs, trace, tier, transfer_count, transfer_sum, corrects_id, sale_id)
select m, a, %(program)s, s, x, t, o, c, %(now)s, v,
       p, i, r, g, n, q, nullif(k, 0), nullif(y, 0)
from (select unnest(%(members)b::bigint[]) as m, unnest(%(activities)b::bigint[]) as a,
             unnest(%(sources)b::text[]) as s, unnest(%(ids)b::text[]) as x, unnest(%(types)b::text[]) as t,
             unnest(%(occurred)b::timestamptz[]) as o, unnest(%(acts)b::timestamptz[]) as c,
             unnest(%(versions)b::bigint[]) as v, unnest(%(payloads)b::json[]) as p,
             unnest(%(inputs)b::json[]) as i, unnest(%(traces)b::json[]) as r, unnest(%(tiers)b::text[]) as g,
             unnest(%(counts)b::bigint[]) as n, unnest(%(sums)b::bigint[]) as q,
             unnest(%(corrects)b::bigint[]) as k, unnest(%(sales)b::bigint[]) as y) as u
"""

INSERT_TRANSFERS: Final = """
-- activities.insert_transfers
insert into transfer
  (member_id, transfer_id, program_id, activity_id, kind, debit, credit, currency, lot_id, amount,
   effective_at, recorded_at, version, corrects_id)
select m, i, %(program)s, a, k, d, c, y, nullif(l, 0), q, e, %(now)s, v, nullif(o, 0)
from (select unnest(%(members)b::bigint[]) as m, unnest(%(transfers)b::bigint[]) as i,
             unnest(%(activities)b::bigint[]) as a, unnest(%(kinds)b::text[]) as k,
             unnest(%(debits)b::text[]) as d, unnest(%(credits)b::text[]) as c,
             unnest(%(currencies)b::text[]) as y, unnest(%(lots)b::bigint[]) as l,
             unnest(%(amounts)b::bigint[]) as q, unnest(%(effective)b::timestamptz[]) as e,
             unnest(%(versions)b::bigint[]) as v, unnest(%(corrects)b::bigint[]) as o) as u
"""

# What only adds may be written as a new row: if there is one already, it moves instead.
RAISE_WALLETS: Final = """
-- activities.raise_wallets
insert into wallet as w (member_id, currency, program_id, posted, pending, held, debt)
select m, y, %(program)s, p, n, h, d
from (select unnest(%(members)b::bigint[]) as m, unnest(%(currencies)b::text[]) as y,
             unnest(%(posted)b::bigint[]) as p, unnest(%(pending)b::bigint[]) as n,
             unnest(%(held)b::bigint[]) as h, unnest(%(debt)b::bigint[]) as d) as u
on conflict (member_id, currency) do update
set posted = w.posted + excluded.posted, pending = w.pending + excluded.pending, held = w.held + excluded.held,
    debt = w.debt + excluded.debt
"""

RAISE_LOTS: Final = """
-- activities.raise_lots
insert into lot as w (member_id, lot_id, program_id, currency, funder, expires_at, first_earned_at,
                      earned, redeemed, expired, reversed, held, remaining)
select m, l, %(program)s, y, f, e, b, d1, d2, d3, d4, d5, d6
from (select unnest(%(members)b::bigint[]) as m, unnest(%(lots)b::bigint[]) as l,
             unnest(%(currencies)b::text[]) as y, unnest(%(funders)b::text[]) as f,
             unnest(%(expires)b::timestamptz[]) as e, unnest(%(first)b::timestamptz[]) as b,
             unnest(%(earned)b::bigint[]) as d1, unnest(%(redeemed)b::bigint[]) as d2,
             unnest(%(expired)b::bigint[]) as d3, unnest(%(reversed)b::bigint[]) as d4,
             unnest(%(held)b::bigint[]) as d5, unnest(%(remaining)b::bigint[]) as d6) as u
on conflict (member_id, lot_id) do update
set expires_at = excluded.expires_at, first_earned_at = excluded.first_earned_at,
    earned = w.earned + excluded.earned, redeemed = w.redeemed + excluded.redeemed,
    expired = w.expired + excluded.expired, reversed = w.reversed + excluded.reversed,
    held = w.held + excluded.held, remaining = w.remaining + excluded.remaining
"""

# What also takes away: rows that are there move, the others are made as they come out. Not by ON CONFLICT DO UPDATE,
# which would hold a movement downwards against the floors as if it were a row; whoever writes has the member's row
# locked, so nobody else makes the row meanwhile.
MOVE_WALLETS: Final = """
-- activities.move_wallets
with given as materialized (
  select unnest(%(members)b::bigint[]) as m, unnest(%(currencies)b::text[]) as y, unnest(%(posted)b::bigint[]) as p,
         unnest(%(pending)b::bigint[]) as n, unnest(%(held)b::bigint[]) as h, unnest(%(debt)b::bigint[]) as d
), moved as (
  update wallet w set posted = w.posted + u.p, pending = w.pending + u.n, held = w.held + u.h, debt = w.debt + u.d
  from given u
  where w.member_id = any(%(members)b) and w.member_id = u.m and w.currency = u.y
  returning w.member_id, w.currency
)
insert into wallet (member_id, currency, program_id, posted, pending, held, debt)
select u.m, u.y, %(program)s, u.p, u.n, u.h, u.d
from given u left join moved v on v.member_id = u.m and v.currency = u.y
where v.member_id is null
"""

MOVE_LOTS: Final = """
-- activities.move_lots
with given as materialized (
  select unnest(%(members)b::bigint[]) as m, unnest(%(lots)b::bigint[]) as l, unnest(%(currencies)b::text[]) as y,
         unnest(%(funders)b::text[]) as f, unnest(%(expires)b::timestamptz[]) as e,
         unnest(%(first)b::timestamptz[]) as b, unnest(%(earned)b::bigint[]) as d1,
         unnest(%(redeemed)b::bigint[]) as d2, unnest(%(expired)b::bigint[]) as d3,
         unnest(%(reversed)b::bigint[]) as d4, unnest(%(held)b::bigint[]) as d5,
         unnest(%(remaining)b::bigint[]) as d6
), moved as (
  update lot w set
    expires_at = case when u.b is null then w.expires_at else u.e end,
    first_earned_at = coalesce(u.b, w.first_earned_at),
    earned = w.earned + u.d1, redeemed = w.redeemed + u.d2, expired = w.expired + u.d3,
    reversed = w.reversed + u.d4, held = w.held + u.d5, remaining = w.remaining + u.d6
  from given u
  where w.member_id = any(%(members)b) and w.member_id = u.m and w.lot_id = u.l
  returning w.member_id, w.lot_id
)
insert into lot (member_id, lot_id, program_id, currency, funder, expires_at, first_earned_at,
                 earned, redeemed, expired, reversed, held, remaining)
select u.m, u.l, %(program)s, u.y, u.f, u.e, u.b,
       u.d1, u.d2, u.d3, u.d4, u.d5, u.d6
from given u left join moved v on v.member_id = u.m and v.lot_id = u.l
where v.member_id is null
"""

UPDATE_PROGRESS: Final = """
-- activities.update_progress
update progress w set state = u.s, due_at = u.d, decided_at = %(now)s
from (select unnest(%(members)b::bigint[]) as m, unnest(%(states)b::bytea[]) as s,
             unnest(%(due)b::timestamptz[]) as d) as u
where w.member_id = any(%(members)b) and w.member_id = u.m
"""

INSERT_HOLDS: Final = """
-- activities.insert_holds
insert into hold (member_id, hold_id, program_id, currency, amount, captured, state, expires_at, created_at)
select m, i, %(program)s, y, q, 0, 'open', e, b
from (select unnest(%(members)b::bigint[]) as m, unnest(%(holds)b::bigint[]) as i,
             unnest(%(currencies)b::text[]) as y, unnest(%(amounts)b::bigint[]) as q,
             unnest(%(expires)b::timestamptz[]) as e, unnest(%(created)b::timestamptz[]) as b) as u
on conflict (member_id, hold_id) do nothing
"""

UPDATE_HOLDS: Final = """
-- activities.update_holds
update hold w set captured = u.c, state = u.t
from (select unnest(%(members)b::bigint[]) as m, unnest(%(holds)b::bigint[]) as i,
             unnest(%(captured)b::bigint[]) as c, unnest(%(states)b::text[]) as t) as u
where w.member_id = any(%(members)b) and w.member_id = u.m and w.hold_id = u.i
"""

QUEUE_SEAL: Final = """
-- activities.queue_seal
insert into seal_queue (program_id, member_ids, transfer_ids, recorded_at, activity_members, activity_ids)
values (%(program)s, %(members)b::bigint[], %(transfers)b::bigint[], %(now)s, %(activity_members)b::bigint[],
        %(activities)b::bigint[])
"""

COMMIT: Final = """
-- activities.commit
commit
"""

SETTLE_CLAIMS: Final = """
-- activities.settle_claims
update activity_claim c set status = u.t, code = nullif(u.k, ''), member_id = nullif(u.m, 0)
from (select unnest(%(ids)b::text[]) as x, unnest(%(sources)b::text[]) as s, unnest(%(statuses)b::text[]) as t,
             unnest(%(codes)b::text[]) as k, unnest(%(members)b::bigint[]) as m) as u
where c.external_id = any(%(ids)b) and c.external_id = u.x and c.source = u.s and c.program_id = %(program)s
"""

PARK: Final = """
-- activities.park
insert into parked_activity
  (sale_external_id, sale_source, program_id, external_id, source, activity_id, payload, parked_at, deadline_at,
   history)
select sx, ss, %(program)s, x, s, a, p, %(now)s, %(deadline)s, %(history)s
from (select unnest(%(sale_ids)b::text[]) as sx, unnest(%(sale_sources)b::text[]) as ss,
             unnest(%(ids)b::text[]) as x, unnest(%(sources)b::text[]) as s, unnest(%(activities)b::bigint[]) as a,
             unnest(%(payloads)b::json[]) as p) as u
on conflict (sale_external_id, sale_source, program_id, external_id, source) do nothing
"""

FIND_PARKED: Final = """
-- activities.find_parked
select k.sale_external_id, k.sale_source, k.external_id, k.source, k.activity_id, k.payload::text
from parked_activity k
where k.sale_external_id = any(%(ids)b) and k.program_id = %(program)s
order by k.sale_external_id, k.external_id
"""

UNPARK: Final = """
-- activities.unpark
delete from parked_activity k
using unnest(%(sale_ids)b::text[], %(ids)b::text[], %(sources)b::text[]) as u(sx, x, s)
where k.sale_external_id = any(%(sale_ids)b) and k.sale_external_id = u.sx and k.external_id = u.x
  and k.source = u.s and k.program_id = %(program)s
returning k.external_id, k.source
"""

FIND_HOLD: Final = """
-- activities.find_hold
select h.hold_id, h.currency, h.amount, h.captured, h.state, h.expires_at, h.created_at
from hold h where h.member_id = %(member)s and h.hold_id = %(hold)s
"""


_OWN = Fact(OWN_SOURCE, "", "", 0)


class StoredActivity(Struct, frozen=True):
    """A row of `activity`, decoded."""

    member_id: int
    activity_id: int
    source: str
    id: str
    type: str
    known: Known
    trace: Trace
    corrects_id: int
    sale_id: int


def activities(rows: Iterable[tuple[Any, ...]]) -> list[StoredActivity]:
    """Rows of LOAD_SALES or LOAD_HISTORY, decoded, in the order of their ids.

    What an activity may use of shared limits is what its last correction left to it.
    """
    found: list[StoredActivity] = []
    allotted: dict[int, dict[str, int]] = {}
    for member_id, activity_id, source, external_id, kind, payload, inputs, trace, corrects, sale, _ in rows:
        fact = _OWN if source == OWN_SOURCE else decode_fact(payload)
        known = Known(fact, decode_inputs(inputs) if inputs else NO_INPUTS, activity_id)
        if corrects and inputs:
            allotted[corrects] = known.inputs.allotted
        found.append(
            StoredActivity(
                member_id,
                activity_id,
                source,
                external_id,
                kind,
                known,
                decode_trace(trace),
                corrects or 0,
                sale or 0,
            )
        )
    if allotted:
        return [msgspec.structs.replace(item, known=re_allotted(item.known, allotted)) for item in found]
    return found


def re_allotted(known: Known, allotted: Mapping[int, dict[str, int]]) -> Known:
    """A fact with what corrections left to it of the limits that all members share, by activity id."""
    room = allotted.get(known.activity_id)
    if room is None:
        return known
    inputs = msgspec.structs.replace(known.inputs, allotted=room)
    return Known(known.fact, inputs, known.activity_id)


def posted(stored: Sequence[StoredActivity], transfer_rows: Iterable[tuple[Any, ...]]) -> list[Posted]:
    """What stands in the ledger of each decision of one member, corrections taken into account."""
    original = {item.activity_id: item.corrects_id or item.activity_id for item in stored}
    traces = {item.activity_id: item.trace for item in stored}
    for item in stored:
        if item.corrects_id:
            traces[item.corrects_id] = item.trace
    for trace in traces.values():
        trace.after = {}
    undone = set()
    standing: dict[int, list[tuple[int, Transfer]]] = {}
    for (
        _,
        transfer_id,
        activity_id,
        kind,
        debit,
        credit,
        currency,
        lot,
        amount,
        effective,
        corrects,
    ) in transfer_rows:
        if corrects is not None:
            undone.add(corrects)
            continue
        transfer = (kind, debit, credit, currency, lot or 0, amount, instant(effective))
        standing.setdefault(original[activity_id], []).append((transfer_id, transfer))
    return [
        Posted(
            item.activity_id,
            item.source,
            item.id,
            item.type,
            tuple(row for row in standing.get(item.activity_id, ()) if row[0] not in undone),
            traces[item.activity_id],
        )
        for item in stored
        if not item.corrects_id
    ]


Connect = Connection[tuple[Any, ...]]
