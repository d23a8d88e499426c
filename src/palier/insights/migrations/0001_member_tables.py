"""What has been counted of each member."""

import django.contrib.postgres.fields
from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles"), ("ledger", "0006_queued_activities")]

    operations = [
        migrations.CreateModel(
            name="InsightMember",
            fields=[
                ("member_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                (
                    "days",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
                ("rewarded_on", models.IntegerField(null=True)),
                ("tier", models.TextField()),
                ("tier_at", models.BigIntegerField()),
                ("tier_id", models.BigIntegerField()),
                (
                    "rules",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
                ),
            ],
            options={"db_table": "insight_member"},
        ),
        grants(app={"insight_member": "SELECT, INSERT, UPDATE, DELETE"}, auditor=["insight_member"]),
    ]
