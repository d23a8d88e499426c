"""Sealing."""

import django.contrib.postgres.fields
import django.db.models.expressions
from django.db import migrations, models

from palier.staff.guards import append_only, grants


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_member_tables")]

    operations = [
        migrations.CreateModel(
            name="SealQueue",
            fields=[
                ("queue_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                (
                    "member_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "transfer_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "db_table": "seal_queue",
            },
        ),
        migrations.CreateModel(
            name="Block",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("number", models.BigIntegerField()),
                ("first_seq", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                ("rows", models.IntegerField()),
                ("root", models.BinaryField()),
                ("prev_root", models.BinaryField()),
                ("row_marks", models.BinaryField()),
                (
                    "member_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "transfer_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "block",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("number__gt", 0), ("rows__gt", 0)), name="block_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "last_seq",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("first_seq"),
                                        "+",
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("rows"), "*", models.Value(2)
                                        ),
                                    ),
                                    "-",
                                    models.Value(1),
                                ),
                            )
                        ),
                        name="block_two_postings_a_row",
                    ),
                ],
            },
        ),
        grants(
            app={"seal_queue": "SELECT, INSERT, DELETE", "block": "SELECT, INSERT"},
            auditor=["seal_queue", "block"],
        ),
        *append_only("block"),
    ]
