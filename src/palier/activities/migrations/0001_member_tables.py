"""Decisions and the state they leave."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import append_only, grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="Activity",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "activity_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("activity_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("source", models.TextField()),
                ("external_id", models.TextField(null=True)),
                ("type", models.TextField()),
                ("occurred_at", models.DateTimeField()),
                ("acts_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("version", models.IntegerField()),
                ("payload", palier.staff.columns.StoredJson()),
                ("inputs", palier.staff.columns.StoredJson(null=True)),
                ("trace", palier.staff.columns.StoredJson()),
                ("tier", models.TextField(null=True)),
                ("transfer_count", models.IntegerField()),
                ("transfer_sum", models.BigIntegerField()),
                ("corrects_id", models.BigIntegerField(null=True)),
                ("sale_id", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "activity",
                "indexes": [
                    models.Index(
                        condition=models.Q(("corrects_id__isnull", False)),
                        fields=["member_id", "corrects_id"],
                        name="activity_by_corrected",
                    ),
                    models.Index(
                        condition=models.Q(("sale_id__isnull", False)),
                        fields=["member_id", "sale_id"],
                        name="activity_by_sale",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("transfer_count__gte", 0), ("transfer_sum__gte", models.F("transfer_count"))
                        ),
                        name="activity_closed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("source", "palier"), ("external_id__isnull", False), _connector="OR"
                        ),
                        name="activity_from_outside_has_id",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Progress",
            fields=[
                ("member_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("state", models.BinaryField()),
                ("due_at", models.DateTimeField(null=True)),
                ("decided_at", models.DateTimeField()),
            ],
            options={
                "db_table": "progress",
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="progress_due"
                    )
                ],
            },
        ),
        grants(
            app={"activity": "SELECT, INSERT", "progress": "SELECT, INSERT, UPDATE"},
            auditor=["activity", "progress"],
        ),
        *append_only("activity"),
    ]
