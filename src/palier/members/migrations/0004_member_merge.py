"""Members merged into others."""

import django.contrib.postgres.fields
from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("members", "0003_left_rankings")]

    operations = [
        migrations.RemoveConstraint(model_name="member", name="member_status_known"),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["active", "frozen", "erased", "merged"])),
                name="member_status_known",
            ),
        ),
        migrations.CreateModel(
            name="MemberMerge",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "merge_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("merge_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("into_id", models.BigIntegerField()),
                ("source", models.TextField()),
                ("external_id", models.TextField()),
                ("reason", models.TextField()),
                ("actor", models.TextField()),
                (
                    "identities",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BinaryField(), size=None),
                ),
                ("merged_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "member_merge",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("member_id",),
                        name="member_merge_stands_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("member_id", models.F("into_id")), _negated=True),
                        name="member_merge_of_two",
                    ),
                ],
            },
        ),
        grants(
            app={"member_merge": "SELECT, INSERT, UPDATE (ended_at)"},
            auditor=[
                "member_merge (member_id, merge_id, program_id, into_id, reason, actor, merged_at, ended_at)"
            ],
        ),
    ]
