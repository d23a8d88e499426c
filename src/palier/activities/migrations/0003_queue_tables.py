"""The worker's clock and the imports of files."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("activities", "0002_key_tables")]

    operations = [
        migrations.CreateModel(
            name="Clock",
            fields=[
                ("only_row", models.BooleanField(default=True, primary_key=True, serialize=False)),
                ("last_seen_at", models.DateTimeField()),
                ("stopped_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "clock",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("only_row", True)), name="clock_only_row")
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportFile",
            fields=[
                ("import_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("sha256", models.TextField()),
                ("name", models.TextField()),
                ("lines", models.BigIntegerField()),
                ("done_lines", models.BigIntegerField()),
                ("state", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "import_file",
                "indexes": [models.Index(fields=["program_id", "sha256"], name="import_file_by_content")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("running", "done", "failed"))),
                        name="import_file_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("done_lines__gte", 0), ("done_lines__lte", models.F("lines"))),
                        name="import_file_done_within_lines",
                    ),
                ],
            },
        ),
        grants(
            app={"clock": "SELECT, INSERT, UPDATE", "import_file": "SELECT, INSERT, UPDATE"},
            auditor=["clock", "import_file"],
        ),
    ]
