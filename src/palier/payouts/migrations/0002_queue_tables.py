"""Pay-outs that go to the bank together."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("payouts", "0001_member_tables")]

    operations = [
        migrations.CreateModel(
            name="PayoutBatch",
            fields=[
                ("batch_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("method", models.TextField()),
                ("money", models.TextField()),
                ("state", models.TextField()),
                ("payouts", models.IntegerField()),
                ("total", models.BigIntegerField()),
                ("payer", palier.staff.columns.StoredJson()),
                ("message_id", models.TextField()),
                ("execution_on", models.DateField(null=True)),
                ("written_at", models.DateTimeField(null=True)),
                ("sha256", models.BinaryField(null=True)),
                ("created_at", models.DateTimeField()),
                ("created_by", models.TextField()),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "payout_batch",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ("asked", "approved", "refused", "written", "sent", "closed"))
                        ),
                        name="payout_batch_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("method__in", ("sepa", "csv"))), name="payout_batch_method_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ("asked", "approved", "refused")),
                            models.Q(
                                ("execution_on__isnull", False),
                                ("sha256__isnull", False),
                                ("written_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="payout_batch_written_whole",
                    ),
                ],
            },
        ),
        grants(
            app={
                "payout_batch": (
                    "SELECT, INSERT, UPDATE (state, payouts, total, execution_on, written_at, "
                    "sha256, changed_at)"
                )
            },
            auditor=[
                (
                    "payout_batch (batch_id, program_id, method, money, state, payouts, total, "
                    "message_id, execution_on, written_at, sha256, created_at, created_by, "
                    "changed_at)"
                )
            ],
        ),
    ]
