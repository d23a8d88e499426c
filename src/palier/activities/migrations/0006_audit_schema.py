"""The audit contract: read-only views whose names and columns do not change (docs/audit.md).

They stand in the highest of the rooms that have tables, because they read all of them.
"""

from django.db import migrations

SCHEMA = """
create schema audit;
grant usage on schema audit to palier_app, auditor;
"""

# Written out in 13 terms so that the planner can inline it: it stands in every row of the views.
MEMBER_REF = (
    "create function audit.member_ref(member_id bigint) returns text language sql immutable strict "
    "parallel safe return 'm_' || "
    + " || ".join(
        f"substr('0123456789abcdefghjkmnpqrstvwxyz', ((member_id >> {shift}) & 31)::integer + 1, 1)"
        for shift in range(60, -1, -5)
    )
)

# Left joins throughout: an audit view must not lose a row because another table lacks its partner.
VIEWS = {
    "posting": """
select sealed.first_seq + leg.place as seq, t.transfer_id, t.activity_id, p.key as program, t.currency,
       leg.account, t.kind, audit.member_ref(t.member_id) as member_ref,
       case when leg.account like 'partner:%' then substr(leg.account, 9) end as partner,
       audit.member_ref(t.member_id) || '.' || t.lot_id as lot_id, leg.sign * t.amount as amount,
       t.effective_at, t.recorded_at, t.version as program_version
from transfer t
cross join lateral (values (0, t.debit, -1), (1, t.credit, 1)) as leg (place, account, sign)
left join (
  select b.program_id, row.member_id, row.transfer_id, b.first_seq + 2 * (row.place - 1) as first_seq
  from block b
  cross join lateral unnest(b.member_ids, b.transfer_ids) with ordinality
    as row (member_id, transfer_id, place)
) sealed on sealed.member_id = t.member_id and sealed.transfer_id = t.transfer_id
  and sealed.program_id = t.program_id
left join program p on p.program_id = t.program_id
""",
    "block": """
select p.key as program, b.number, b.first_seq, b.last_seq, b.rows, encode(b.root, 'hex') as root,
       encode(b.prev_root, 'hex') as prev_root, b.sealed_at
from block b
left join program p on p.program_id = b.program_id
""",
    "balance": """
select p.key as program, w.currency, b.account, audit.member_ref(w.member_id) as member_ref, b.posted,
       b.pending, b.held, b.floor
from wallet w
cross join lateral (
  values ('wallet', w.posted, w.pending, w.held, 0::bigint), ('debt', -w.debt, 0, 0, null)
) as b (account, posted, pending, held, floor)
left join program p on p.program_id = w.program_id
""",
    "lot": """
select audit.member_ref(l.member_id) || '.' || l.lot_id as lot_id, p.key as program, l.currency,
       audit.member_ref(l.member_id) as member_ref, l.funder, l.earned, l.redeemed, l.expired, l.reversed,
       l.held, l.remaining, l.expires_at
from lot l
left join program p on p.program_id = l.program_id
""",
    "activity": """
select p.key as program, c.source, c.external_id, encode(c.payload_sha256, 'hex') as payload_sha256, c.status,
       c.activity_id, a.occurred_at, c.claimed_at as received_at
from activity_claim c
left join activity a on a.member_id = c.member_id and a.activity_id = c.activity_id
left join program p on p.program_id = c.program_id
""",
    "decision": """
select activity_id, version as program_version, transfer_count as transfers, transfer_sum as sum
from activity
""",
    "log": """
select seq, actor, role, action, object, at, reason, encode(hash, 'hex') as hash,
       encode(prev_hash, 'hex') as prev_hash
from audit_log
""",
}


class Migration(migrations.Migration):
    dependencies = [
        ("staff", "0003_audit_log"),
        ("programs", "0001_config_tables"),
        ("ledger", "0002_queue_tables"),
        ("activities", "0003_queue_tables"),
        ("activities", "0005_fillfactor"),
    ]

    operations = [
        migrations.RunSQL(SCHEMA, "drop schema audit"),
        migrations.RunSQL(MEMBER_REF, "drop function audit.member_ref(bigint)"),
        *(
            migrations.RunSQL(f"create view audit.{name} as {select}", f"drop view audit.{name}")
            for name, select in VIEWS.items()
        ),
        migrations.RunSQL(
            "grant select on all tables in schema audit to palier_app, auditor", migrations.RunSQL.noop
        ),
    ]
