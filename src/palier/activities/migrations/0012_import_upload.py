"""Files that people bring in through the pages."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("activities", "0011_rankings_and_awards")]

    operations = [
        migrations.CreateModel(
            name="ImportUpload",
            fields=[
                ("upload_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("name", models.TextField()),
                ("length", models.BigIntegerField()),
                ("size", models.BigIntegerField()),
                ("state", models.TextField()),
                ("options", palier.staff.columns.StoredJson()),
                ("told", palier.staff.columns.StoredJson()),
                ("problem", models.TextField()),
                ("refused_lines", models.BigIntegerField()),
                ("asked_by", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "import_upload",
                "indexes": [
                    models.Index(fields=["program_id", "upload_id"], name="import_upload_by_program")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ("receiving", "ready", "asked", "running", "done", "failed", "stopped"),
                            )
                        ),
                        name="import_upload_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("size__gte", 0), ("size__lte", models.F("length"))),
                        name="import_upload_size",
                    ),
                ],
            },
        ),
        grants(app={"import_upload": "SELECT, INSERT, UPDATE"}, auditor=["import_upload"]),
    ]
