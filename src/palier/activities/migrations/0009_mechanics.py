"""Limits that all members share, facts on their way to other members, and the seeds of draws."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


def _key(*columns: str) -> tuple[str, models.CompositePrimaryKey]:
    key = models.CompositePrimaryKey(*columns, blank=True, editable=False, primary_key=True, serialize=False)
    return ("pk", key)


class Migration(migrations.Migration):
    dependencies = [("activities", "0008_import_refused_lines")]

    operations = [
        migrations.CreateModel(
            name="SharedLimit",
            fields=[
                _key("key", "program_id"),
                ("key", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("used", models.BigIntegerField()),
            ],
            options={
                "db_table": "shared_limit",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("used__gte", 0)), name="shared_limit_not_negative"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Relay",
            fields=[
                ("relay_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("member_id", models.BigIntegerField()),
                ("payload", palier.staff.columns.StoredJson()),
                ("created_at", models.DateTimeField()),
            ],
            options={"db_table": "relay"},
        ),
        migrations.CreateModel(
            name="DrawSeed",
            fields=[
                _key("program_id", "period"),
                ("program_id", models.BigIntegerField()),
                ("period", models.TextField()),
                ("seed", models.BinaryField()),
                ("commitment", models.BinaryField()),
                ("created_at", models.DateTimeField()),
            ],
            options={"db_table": "draw_seed"},
        ),
        grants(
            app={
                "shared_limit": "SELECT, INSERT, UPDATE (used)",
                # Taking a row to deliver it locks it, which needs the right to update a column.
                "relay": "SELECT, INSERT, DELETE, UPDATE (created_at)",
                "draw_seed": "SELECT, INSERT",
            },
            auditor=["shared_limit", "relay"],
        ),
    ]
