"""The audit contract's views of pay-outs and their batches (docs/audit.md): no bank details."""

from django.db import migrations

VIEWS = {
    "payout": """
select audit.member_ref(o.member_id) || '.' || substr(audit.member_ref(o.payout_id), 3) as payout_id,
       p.key as program, audit.member_ref(o.member_id) as member_ref, o.purpose, o.currency, o.points, o.amount,
       o.money, o.state, 'pb_' || substr(audit.member_ref(o.batch_id), 3) as batch_id,
       'PO-' || upper(substr(audit.member_ref(o.payout_id), 3)) as reference, o.hold_activity_id as activity_id,
       o.asked_at, o.changed_at
from payout o
left join program p on p.program_id = o.program_id
""",
    "payout_batch": """
select 'pb_' || substr(audit.member_ref(b.batch_id), 3) as batch_id, p.key as program, b.method, b.state,
       b.payouts, b.total, b.money, b.message_id, b.execution_on, b.written_at,
       encode(b.sha256, 'hex') as sha256, a.asked_by, a.decided_by as approved_by, a.decided_at as approved_at
from payout_batch b
left join program p on p.program_id = b.program_id
left join approval a on a.program_id = b.program_id and a.kind = 'payout_batch' and a.state = 'approved'
  and a.request = 'pb_' || substr(audit.member_ref(b.batch_id), 3)
""",
}


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0003_payer"),
        ("activities", "0006_audit_schema"),
        ("staff", "0006_approvals"),
    ]

    operations = [
        *(
            migrations.RunSQL(f"create view audit.{name} as {select}", f"drop view audit.{name}")
            for name, select in VIEWS.items()
        ),
        migrations.RunSQL(
            "grant select on audit.payout, audit.payout_batch to palier_app, auditor",
            migrations.RunSQL.noop,
        ),
    ]
