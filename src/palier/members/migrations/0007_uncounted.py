"""What the figures of programs have not added up yet."""

import django.contrib.postgres.fields
from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("members", "0006_merge_by_heir")]

    operations = [
        migrations.CreateModel(
            name="Uncounted",
            fields=[
                ("queue_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("what", models.TextField()),
                (
                    "member_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "row_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), null=True, size=None
                    ),
                ),
            ],
            options={
                "db_table": "uncounted",
                "indexes": [models.Index(fields=["program_id", "queue_id"], name="uncounted_by_program")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("what__in", ["member", "transfer", "activity", "order"])),
                        name="uncounted_what_known",
                    )
                ],
            },
        ),
        grants(app={"uncounted": "SELECT, INSERT, DELETE"}, auditor=["uncounted"]),
    ]
