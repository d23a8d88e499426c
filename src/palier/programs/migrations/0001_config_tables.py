"""Programs and their published documents."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="Program",
            fields=[
                ("program_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("key", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "program",
                "constraints": [models.UniqueConstraint(fields=("key",), name="program_key_unique")],
            },
        ),
        migrations.CreateModel(
            name="ProgramVersion",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id", "version", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("version", models.IntegerField()),
                ("document", palier.staff.columns.StoredJson()),
                ("sha256", models.TextField()),
                ("effective_from", models.DateTimeField()),
                ("published_at", models.DateTimeField()),
                ("published_by", models.TextField()),
            ],
            options={
                "db_table": "program_version",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)), name="program_version_version_positive"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProgramJudging",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id", "entry", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("entry", models.IntegerField()),
                ("from_at", models.DateTimeField()),
                ("until_at", models.DateTimeField(null=True)),
                ("version", models.IntegerField()),
                ("recorded_at", models.DateTimeField()),
                ("reason", models.TextField()),
            ],
            options={
                "db_table": "program_judging",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("entry__gt", 0)), name="program_judging_entry_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("until_at__isnull", True), ("until_at__gt", models.F("from_at")), _connector="OR"
                        ),
                        name="program_judging_ends_after_start",
                    ),
                ],
            },
        ),
        grants(
            app={
                "program": "SELECT, INSERT",
                "program_version": "SELECT, INSERT",
                "program_judging": "SELECT, INSERT",
            },
            auditor=["program", "program_version", "program_judging"],
        ),
    ]
