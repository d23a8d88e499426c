"""What has been counted by day, and how far."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("insights", "0001_member_tables")]

    operations = [
        migrations.CreateModel(
            name="InsightDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id",
                        "measure",
                        "key",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("measure", models.TextField()),
                ("key", models.TextField()),
                ("day", models.DateField()),
                ("value", models.BigIntegerField()),
            ],
            options={"db_table": "insight_day"},
        ),
        migrations.CreateModel(
            name="InsightState",
            fields=[
                ("program_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("zone", models.TextField()),
                ("counted_at", models.DateTimeField(null=True)),
                ("begun_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "insight_state"},
        ),
        grants(
            app={
                "insight_day": "SELECT, INSERT, UPDATE, DELETE",
                "insight_state": "SELECT, INSERT, UPDATE",
            },
            auditor=["insight_day", "insight_state"],
        ),
    ]
