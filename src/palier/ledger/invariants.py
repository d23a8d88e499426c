"""The invariants of the ledger as SQL. Each statement returns (place, expected, found) for what breaks it.

What the transfers say stands under `expected`, what is stored beside them under `found`.
"""

# ruff: noqa: S608 -- statements are put together from the constants of this file alone

from typing import Final

KIND_ACCOUNTS: Final[dict[str, list[tuple[str, str]]]] = {
    "earn": [("issuance", "wallet"), ("issuance", "pending"), ("partner", "wallet"), ("partner", "pending")],
    "release": [("pending", "wallet")],
    "redeem": [("wallet", "redemption"), ("wallet", "partner_used")],
    "hold": [("wallet", "hold")],
    "capture": [("hold", "redemption"), ("hold", "partner_used")],
    "unhold": [("hold", "wallet")],
    "expire": [("wallet", "breakage")],
    "unexpire": [("breakage", "wallet")],
    "reverse": [
        ("wallet", "issuance"),
        ("pending", "issuance"),
        ("wallet", "partner"),
        ("pending", "partner"),
    ],
    "debt": [
        ("debt", "issuance"),
        ("debt", "redemption"),
        ("debt", "adjustment"),
        ("debt", "in_transit"),
        ("debt", "partner"),
        ("debt", "partner_used"),
    ],
    "repay": [("wallet", "debt")],
    "restore": [
        ("redemption", "wallet"),
        ("redemption", "debt"),
        ("partner_used", "wallet"),
        ("partner_used", "debt"),
    ],
    "regrant": [("redemption", "wallet"), ("partner_used", "wallet")],
    "adjust": [("adjustment", "wallet"), ("wallet", "adjustment")],
    "transfer_out": [("wallet", "in_transit")],
    "transfer_in": [("in_transit", "wallet")],
    "merge_out": [("wallet", "in_transit"), ("pending", "in_transit"), ("in_transit", "debt")],
    "merge_in": [("in_transit", "wallet"), ("in_transit", "pending"), ("debt", "in_transit")],
}
"""From where to where each kind of transfer moves. A correction moves the other way.

`partner` is the account of any partner from which points come, `partner_used` that to which used ones go.
"""

_PAIRS = ", ".join(
    f"('{kind}', '{debit}', '{credit}')" for kind, pairs in KIND_ACCOUNTS.items() for debit, credit in pairs
)

_PLAIN = """case when {0} like 'partner:%%:used' then 'partner_used'
  when {0} like 'partner:%%' then 'partner' else {0} end"""

# A correction row undoes a movement of the original's direction: `source` and `target` are that direction,
# and `sign` is -1.
_DIRECTED = """
-- all members: part of a sum over the whole ledger
select member_id, transfer_id, lot_id, currency, kind, amount, debit, credit,
       case when corrects_id is null then 1 else -1 end as sign,
       case when corrects_id is null then debit else credit end as source,
       case when corrects_id is null then credit else debit end as target
from transfer where (%(program_id)s::bigint is null or program_id = %(program_id)s)
"""

# Of the member's own accounts only: what each transfer adds to and takes from them.
_ACCOUNT_SUMS = """
-- all members: part of a sum over the whole ledger
select member_id, currency,
       sum(case 'wallet' when credit then amount when debit then -amount else 0 end) as wallet,
       sum(case 'pending' when credit then amount when debit then -amount else 0 end) as pending,
       sum(case 'hold' when credit then amount when debit then -amount else 0 end) as hold,
       sum(case 'debt' when credit then amount when debit then -amount else 0 end) as debt
from transfer where (%(program_id)s::bigint is null or program_id = %(program_id)s)
group by member_id, currency
"""

_WALLETS = f"""
-- all members: part of a sum over the whole ledger
with posting as ({_ACCOUNT_SUMS}),
stored as (select * from wallet where (%(program_id)s::bigint is null or program_id = %(program_id)s))
"""

BROKEN: Final = """
-- the first few places; materialized, because a limit would make the planner expect to stop early
with broken (place, expected, found) as materialized ({invariant})
select place, expected::text, found::text from broken order by place limit %(most)s
"""
"""The frame in which each invariant is run."""

_HERE = "(%(program_id)s::bigint is null or program_id = %(program_id)s)"


def _wallet_column(column: str, expected: str) -> str:
    return f"""
-- all members: a sum over the whole ledger
{_WALLETS}
select 'wallet ' || audit.member_ref(member_id) || ' ' || currency, coalesce({expected}, 0)::bigint,
       coalesce(stored.{column}::text, 'no wallet')
from posting full join stored using (member_id, currency)
where coalesce({expected}, 0) is distinct from stored.{column}
  and (stored.member_id is not null or coalesce({expected}, 0) <> 0)
"""


LOT_COLUMNS: Final[dict[str, str]] = {
    "earned": "case when target = 'wallet' "
    "and kind in ('earn', 'release', 'regrant', 'transfer_in', 'merge_in', 'adjust') then sign * amount else 0 end",
    "redeemed": "case when kind in ('redeem', 'capture', 'transfer_out') "
    "or (kind in ('adjust', 'merge_out') and source = 'wallet') then sign * amount "
    "when kind = 'restore' then -sign * amount else 0 end",
    "expired": "case kind when 'expire' then sign * amount when 'unexpire' then -sign * amount else 0 end",
    "reversed": "case when kind = 'repay' or (kind = 'reverse' and source = 'wallet') "
    "then sign * amount else 0 end",
    "held": "case when kind = 'hold' then sign * amount "
    "when kind in ('capture', 'unhold') then -sign * amount else 0 end",
    "remaining": "case when credit = 'wallet' then amount when debit = 'wallet' then -amount else 0 end",
}
"""What a transfer adds to each column of its lot."""


def _lots() -> str:
    sums = ", ".join(f"sum({rule})::bigint as {column}" for column, rule in LOT_COLUMNS.items())
    names = list(LOT_COLUMNS)
    listed = ", ".join(f"('{name}', coalesce(moved.{name}, 0), stored.{name})" for name in names)
    differ = " or ".join(
        f"coalesce(moved.{name}, 0) is distinct from coalesce(stored.{name}, 0)" for name in names
    )
    return f"""
-- all members: a sum over the whole ledger
with moved as (
  select member_id, lot_id, {sums} from ({_DIRECTED}) directed where lot_id is not null
  group by member_id, lot_id
),
stored as (select * from lot where {_HERE})
select 'lot ' || audit.member_ref(member_id) || '.' || lot_id || ' ' || part.name, part.expected,
       coalesce(part.found::text, 'no lot')
from moved full join stored using (member_id, lot_id)
cross join lateral (values {listed}) as part (name, expected, found)
where ({differ}) and part.expected is distinct from coalesce(part.found, 0)
"""


_SEALED = f"""
select row.member_id, row.transfer_id, b.number
from block b cross join lateral unnest(b.member_ids, b.transfer_ids) as row (member_id, transfer_id)
where {_HERE}
"""

_QUEUED = f"""
select row.member_id, row.transfer_id, q.queue_id
from seal_queue q cross join lateral unnest(q.member_ids, q.transfer_ids) as row (member_id, transfer_id)
where {_HERE}
"""

INVARIANTS: Final[dict[str, str]] = {
    # L1. True by the form of a row; checked all the same, on the view that auditors read.
    "posting.balanced": """
-- the two legs of each transfer cancel
-- all members: a sum over the whole ledger
select 'transfer ' || member_ref || '.' || transfer_id, 0, sum(amount)
from audit.posting
where %(program_id)s::bigint is null
   or program = (select key from program where program_id = %(program_id)s)
group by member_ref, transfer_id, currency having sum(amount) <> 0 or count(*) <> 2
""",
    "transfer.accounts": f"""
-- each kind moves between its own accounts, and names its lot
-- all members: a look at every row of the ledger
select 'transfer ' || audit.member_ref(member_id) || '.' || transfer_id, 'accounts of ' || kind,
       debit || ' to ' || credit
from ({_DIRECTED}) directed
where (kind, {_PLAIN.format("source")}, {_PLAIN.format("target")}) not in (values {_PAIRS})
""",
    "transfer.amount": f"""
-- amounts are positive
-- all members: a look at every row of the ledger
select 'transfer ' || audit.member_ref(member_id) || '.' || transfer_id, 'more than 0', amount
from transfer where amount <= 0 and {_HERE}
""",
    "transfer.decision": """
-- each transfer belongs to a decision of the same program
-- all members: a look at every row of the ledger
select 'transfer ' || audit.member_ref(t.member_id) || '.' || t.transfer_id,
       'decision ' || t.activity_id || ' of program ' || t.program_id,
       coalesce('program ' || a.program_id, 'no such decision')
from transfer t left join activity a on a.member_id = t.member_id and a.activity_id = t.activity_id
where a.program_id is distinct from t.program_id
  and (%(program_id)s::bigint is null or t.program_id = %(program_id)s)
""",
    "correction.names_its_original": """
-- a correction is its original with the accounts swapped, and never more than it
-- all members: a look at every correction
select 'transfer ' || audit.member_ref(c.member_id) || '.' || c.transfer_id,
       coalesce(o.kind || ' ' || o.credit || ' to ' || o.debit || ', at most ' || o.amount || ' '
                || o.currency, 'an original that exists'),
       case when o.corrects_id is not null then 'corrects a correction'
            else c.kind || ' ' || c.debit || ' to ' || c.credit || ', ' || c.amount || ' ' || c.currency end
from transfer c left join transfer o on o.member_id = c.member_id and o.transfer_id = c.corrects_id
where c.corrects_id is not null and (%(program_id)s::bigint is null or c.program_id = %(program_id)s)
  and (o.transfer_id is null or o.corrects_id is not null or o.kind <> c.kind or o.debit <> c.credit
       or o.credit <> c.debit or o.currency <> c.currency or o.lot_id is distinct from c.lot_id
       or c.amount > o.amount)
""",
    "correction.once": f"""
-- a transfer is corrected at most once
-- all members: a look at every correction
select 'transfer ' || audit.member_ref(member_id) || '.' || corrects_id, 'at most 1 correction', count(*)
from transfer where corrects_id is not null and {_HERE}
group by member_id, corrects_id having count(*) > 1
""",
    # L2, three ways: stored balance, postings, lots.
    "wallet.posted": _wallet_column("posted", "posting.wallet + posting.hold"),
    "wallet.pending": _wallet_column("pending", "posting.pending"),
    "wallet.held": _wallet_column("held", "posting.hold"),
    "wallet.debt": _wallet_column("debt", "-posting.debt"),
    "wallet.lots": f"""
-- what a wallet holds, less what is owed, is what its lots hold, less what is owed
-- all members: a sum over every wallet
with held as (
  select member_id, currency, sum(remaining + held)::bigint as total from lot where {_HERE} group by 1, 2
),
stored as (select * from wallet where {_HERE})
select 'wallet ' || audit.member_ref(member_id) || ' ' || currency,
       coalesce(held.total, 0) - coalesce(stored.debt, 0),
       coalesce((stored.posted - stored.debt)::text, 'no wallet')
from held full join stored using (member_id, currency)
where coalesce(held.total, 0) <> coalesce(stored.posted, 0)
""",
    "wallet.not_negative": f"""
-- no balance is below its floor
-- all members: a look at every wallet
select 'wallet ' || audit.member_ref(member_id) || ' ' || currency, 'nothing below 0, held within posted',
       format('posted %%s, pending %%s, held %%s, debt %%s', posted, pending, held, debt)
from wallet where least(posted, pending, held, debt, posted - held) < 0 and {_HERE}
""",
    "lot.columns": _lots(),
    "lot.adds_up": f"""
-- earned = redeemed + expired + reversed + held + remaining
-- all members: a look at every lot
select 'lot ' || audit.member_ref(member_id) || '.' || lot_id, earned,
       redeemed + expired + reversed + held + remaining
from lot where earned <> redeemed + expired + reversed + held + remaining and {_HERE}
""",
    "lot.not_negative": f"""
-- no column of a lot is negative
-- all members: a look at every lot
select 'lot ' || audit.member_ref(member_id) || '.' || lot_id, 'nothing below 0',
       least(earned, redeemed, expired, reversed, held, remaining)
from lot where least(earned, redeemed, expired, reversed, held, remaining) < 0 and {_HERE}
""",
    "hold.open": f"""
-- what is held is within what open holds reserve: less where a fact that came late left a hold short
-- all members: a sum over every open hold
with reserved as (
  select member_id, currency, sum(amount - captured)::bigint as total from hold
  where state = 'open' and {_HERE} group by member_id, currency
),
stored as (select * from wallet where {_HERE})
select 'wallet ' || audit.member_ref(member_id) || ' ' || currency, coalesce(reserved.total, 0),
       coalesce(stored.held::text, 'no wallet')
from reserved full join stored using (member_id, currency)
where coalesce(reserved.total, 0) < coalesce(stored.held, 0)
""",
    "activity.closed": f"""
-- a decision has exactly the transfers it counted when it was written
-- all members: a sum over the whole ledger
with moved as (
  select member_id, activity_id, count(*) as transfers, sum(amount)::bigint as total from transfer
  where {_HERE} group by member_id, activity_id
)
select 'activity ' || audit.member_ref(a.member_id) || '.' || a.activity_id,
       a.transfer_count || ' transfers, sum ' || a.transfer_sum,
       coalesce(moved.transfers, 0) || ' transfers, sum ' || coalesce(moved.total, 0)
from activity a left join moved on moved.member_id = a.member_id and moved.activity_id = a.activity_id
where (a.transfer_count <> coalesce(moved.transfers, 0) or a.transfer_sum <> coalesce(moved.total, 0))
  and (%(program_id)s::bigint is null or a.program_id = %(program_id)s)
""",
    "activity.member": """
-- each decision is about a member of its program
-- all members: a look at every decision
select 'activity ' || audit.member_ref(a.member_id) || '.' || a.activity_id,
       'a member of program ' || a.program_id,
       coalesce('member of program ' || m.program_id, 'no such member')
from activity a left join member m on m.member_id = a.member_id
where m.program_id is distinct from a.program_id
  and (%(program_id)s::bigint is null or a.program_id = %(program_id)s)
""",
    # E1.
    "claim.decision": """
-- each applied id has its decision
-- all members: a look at every claim
select 'claim ' || c.source || ' ' || c.external_id, 'decision ' || c.activity_id,
       coalesce('decision of ' || a.source || ' ' || a.external_id, 'no such decision')
from activity_claim c
left join activity a on a.member_id = c.member_id and a.activity_id = c.activity_id
where c.status = 'applied' and (%(program_id)s::bigint is null or c.program_id = %(program_id)s)
  and (a.activity_id is null or a.source <> c.source or a.external_id <> c.external_id
       or a.program_id <> c.program_id)
""",
    "activity.claim": """
-- each decision about something from outside has its applied id
-- all members: a look at every decision
select 'activity ' || audit.member_ref(a.member_id) || '.' || a.activity_id,
       'an applied claim of ' || a.source || ' ' || a.external_id,
       coalesce(c.status || ' for activity ' || c.activity_id, 'no claim')
from activity a
left join activity_claim c on c.external_id = a.external_id and c.source = a.source
  and c.program_id = a.program_id
where a.source <> 'palier' and (%(program_id)s::bigint is null or a.program_id = %(program_id)s)
  and (c.activity_id is distinct from a.activity_id or c.status <> 'applied')
""",
    "activity.once": f"""
-- no id from outside was applied twice (a transfer between members has one id and a decision for each)
-- all members: a look at every decision
select 'activity ' || source || ' ' || external_id, '1 decision', count(*)
from activity where source <> 'palier' and {_HERE}
group by program_id, source, external_id
having count(distinct activity_id) > 1 or count(distinct member_id) < count(*)
""",
    "transit.cancels": """
-- what left one member under way to another has arrived, once both sides are there
-- all members: a sum over the transfers between members
with moved as (
  select coalesce(a.corrects_id, t.activity_id) as cause, t.currency, t.member_id,
         case when t.credit = 'in_transit' then t.amount else -t.amount end as amount
  from transfer t left join activity a on a.member_id = t.member_id and a.activity_id = t.activity_id
  where 'in_transit' in (t.debit, t.credit)
    and (%(program_id)s::bigint is null or t.program_id = %(program_id)s)
)
select 'transfer between members ' || cause || ' ' || currency, 0, sum(amount)
from moved group by cause, currency having count(distinct member_id) > 1 and sum(amount) <> 0
""",
    "merge.cancels": """
-- what a merge took from one member is with the other, currency by currency; undone, it is back
-- all members: a sum over the transfers of merges
with moved as (
  select coalesce(o.source, a.source) as source,
         regexp_replace(coalesce(o.external_id, a.external_id), ':in$', '') as merge, t.currency,
         case when t.credit = 'in_transit' then t.amount else -t.amount end as amount
  from transfer t
  join activity a on a.member_id = t.member_id and a.activity_id = t.activity_id
  left join activity o on o.member_id = a.member_id and o.activity_id = a.corrects_id
  where t.kind in ('merge_out', 'merge_in')
    and (%(program_id)s::bigint is null or t.program_id = %(program_id)s)
)
select 'merge ' || source || ' ' || merge || ' ' || currency, 0, sum(amount)
from moved group by source, merge, currency having sum(amount) <> 0
""",
    "merge.leaves_nothing": """
-- a member that was merged into another has nothing left
-- all members: a look at every wallet of a merged member
select 'wallet ' || audit.member_ref(w.member_id) || ' ' || w.currency, 'nothing',
       format('posted %%s, pending %%s, held %%s, debt %%s', w.posted, w.pending, w.held, w.debt)
from wallet w join member m on m.member_id = w.member_id
where m.status = 'merged' and (w.posted, w.pending, w.held, w.debt) <> (0, 0, 0, 0)
  and (%(program_id)s::bigint is null or w.program_id = %(program_id)s)
""",
    "progress.exists": f"""
-- each member with transfers has the engine's state
-- all members: a look at every member of the ledger
select 'member ' || audit.member_ref(t.member_id), 'a row of progress', 'none'
from (select distinct member_id from transfer where {_HERE}) t
left join progress p on p.member_id = t.member_id
where p.member_id is null
""",
    # L5. The chain itself is recomputed by palier.ledger.seal.check_chain.
    "seal.exists": f"""
-- each sealed transfer exists
-- all members: a look at every sealed row
select 'block ' || s.number || ', transfer ' || audit.member_ref(s.member_id) || '.' || s.transfer_id,
       'a transfer', 'none'
from ({_SEALED}) s left join transfer t on t.member_id = s.member_id and t.transfer_id = s.transfer_id
where t.transfer_id is null
""",
    "seal.once": f"""
-- each transfer is sealed at most once, and not queued again
-- all members: a look at every sealed row
select 'transfer ' || audit.member_ref(member_id) || '.' || transfer_id, 'sealed or queued once', count(*)
from (select member_id, transfer_id from ({_SEALED}) s
      union all select member_id, transfer_id from ({_QUEUED}) q) places
group by member_id, transfer_id having count(*) > 1
""",
    "seal.covers": f"""
-- each transfer is sealed or waits to be
-- all members: a look at every row of the ledger
select 'transfer ' || audit.member_ref(t.member_id) || '.' || t.transfer_id, 'sealed or queued', 'neither'
from transfer t
left join (select member_id, transfer_id from ({_SEALED}) s
           union all select member_id, transfer_id from ({_QUEUED}) q) places
  on places.member_id = t.member_id and places.transfer_id = t.transfer_id
where places.transfer_id is null and (%(program_id)s::bigint is null or t.program_id = %(program_id)s)
""",
    "seal.queue": f"""
-- each queued transfer exists
-- all members: a look at every queued row
select 'seal queue ' || q.queue_id || ', transfer ' || audit.member_ref(q.member_id) || '.' || q.transfer_id,
       'a transfer', 'none'
from ({_QUEUED}) q left join transfer t on t.member_id = q.member_id and t.transfer_id = q.transfer_id
where t.transfer_id is null
""",
}
"""Name of each invariant -> the statement that finds what breaks it."""

COUNTS: Final = f"""
-- how much was read
-- all members: counts over whole tables
select 'transfers', count(*) from transfer where {_HERE}
union all select 'activities', count(*) from activity where {_HERE}
union all select 'members', count(*) from member where {_HERE}
union all select 'wallets', count(*) from wallet where {_HERE}
union all select 'lots', count(*) from lot where {_HERE}
union all select 'claims', count(*) from activity_claim where {_HERE}
union all select 'blocks', count(*) from block where {_HERE}
union all select 'queued', count(*) from seal_queue where {_HERE}
"""
