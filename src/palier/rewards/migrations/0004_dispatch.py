"""What waits for suppliers, how they are doing, and the outbox as auditors see it."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants

# The stream is one supplier of one program; its messages count in the order of their numbers.
OUTBOX = """
select d.dispatch_id as msg_id, p.key || '/' || d.supplier as stream,
       row_number() over (partition by d.program_id, d.supplier order by d.dispatch_id) as seq,
       'order' as type, d.supplier as endpoint, d.state, d.attempts, d.request_id, d.order_id, d.part,
       d.created_at, d.sent_at, d.done_at
from dispatch d
left join program p on p.program_id = d.program_id
"""

COLUMNS = (
    "dispatch_id, program_id, member_id, order_id, part, supplier, request_id, state, attempts, unsure, cancel_wanted,"
    " token, claimed_until, next_at, reference, reason, cost_minor, cost_currency, created_at, sent_at, done_at"
)


class Migration(migrations.Migration):
    dependencies = [("rewards", "0003_suppliers"), ("activities", "0006_audit_schema")]

    operations = [
        migrations.CreateModel(
            name="Dispatch",
            fields=[
                ("dispatch_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("member_id", models.BigIntegerField()),
                ("order_id", models.BigIntegerField()),
                ("part", models.IntegerField()),
                ("supplier", models.TextField()),
                ("request_id", models.TextField()),
                ("payload", palier.staff.columns.StoredJson()),
                ("state", models.TextField()),
                ("attempts", models.IntegerField()),
                ("unsure", models.BooleanField()),
                ("cancel_wanted", models.BooleanField()),
                ("token", models.BigIntegerField()),
                ("claimed_until", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(null=True)),
                ("reference", models.TextField()),
                ("reason", models.TextField()),
                ("cost_minor", models.BigIntegerField(null=True)),
                ("cost_currency", models.TextField(null=True)),
                ("units", models.BinaryField(null=True)),
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "dispatch",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("queued", "sent", "unknown", "accepted"))),
                        fields=["program_id", "supplier", "next_at"],
                        name="dispatch_due",
                    ),
                    models.Index(fields=["order_id"], name="dispatch_by_order"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("request_id",), name="dispatch_request_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                (
                                    "queued",
                                    "sent",
                                    "unknown",
                                    "accepted",
                                    "delivered",
                                    "refused",
                                    "dead",
                                    "cancelled",
                                ),
                            )
                        ),
                        name="dispatch_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("attempts__gte", 0)), name="dispatch_attempts_not_negative"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SupplierHealth",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("key", models.TextField()),
                ("failures", models.IntegerField()),
                ("rests_until", models.DateTimeField(null=True)),
                ("reason", models.TextField()),
                ("balance_minor", models.BigIntegerField(null=True)),
                ("balance_currency", models.TextField(null=True)),
                ("balance_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "supplier_health"},
        ),
        grants(
            app={
                "dispatch": "SELECT, INSERT, UPDATE",
                "supplier_health": "SELECT, INSERT, UPDATE",
            },
            auditor=[f"dispatch ({COLUMNS})", "supplier_health"],
        ),
        migrations.RunSQL(f"create view audit.outbox as {OUTBOX}", "drop view audit.outbox"),
        migrations.RunSQL("grant select on audit.outbox to palier_app, auditor", migrations.RunSQL.noop),
    ]
