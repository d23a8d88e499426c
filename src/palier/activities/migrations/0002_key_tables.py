"""Permanent ids, and returns that wait for their sale."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("activities", "0001_member_tables")]

    operations = [
        migrations.CreateModel(
            name="ActivityClaim",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "external_id",
                        "source",
                        "program_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("external_id", models.TextField()),
                ("source", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("member_id", models.BigIntegerField(null=True)),
                ("activity_id", models.BigIntegerField(null=True)),
                ("payload_sha256", models.BinaryField()),
                ("status", models.TextField()),
                ("code", models.TextField(null=True)),
                ("claimed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "activity_claim",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ("applied", "refused", "parked"))),
                        name="activity_claim_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "applied"), _negated=True),
                            models.Q(("activity_id__isnull", False), ("member_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="activity_claim_applied_names_decision",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ParkedActivity",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "sale_external_id",
                        "sale_source",
                        "program_id",
                        "external_id",
                        "source",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("sale_external_id", models.TextField()),
                ("sale_source", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("external_id", models.TextField()),
                ("source", models.TextField()),
                ("activity_id", models.BigIntegerField()),
                ("payload", palier.staff.columns.StoredJson()),
                ("parked_at", models.DateTimeField()),
                ("deadline_at", models.DateTimeField()),
            ],
            options={
                "db_table": "parked_activity",
            },
        ),
        grants(
            app={
                "activity_claim": "SELECT, INSERT, UPDATE (status, code, member_id, activity_id)",
                "parked_activity": "SELECT, INSERT, DELETE",
            },
            auditor=["activity_claim", "parked_activity"],
        ),
    ]
