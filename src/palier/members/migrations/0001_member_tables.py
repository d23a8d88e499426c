"""Members."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="Member",
            fields=[
                ("member_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("status", models.TextField()),
                ("enrolled_at", models.DateTimeField()),
                ("attributes", palier.staff.columns.StoredJson()),
                ("locale", models.TextField()),
                ("time_zone", models.TextField(null=True)),
            ],
            options={
                "db_table": "member",
                "indexes": [models.Index(fields=["program_id", "member_id"], name="member_by_program")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("member_id__gte", 0)), name="member_id_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["active", "frozen", "erased"])),
                        name="member_status_known",
                    ),
                ],
            },
        ),
        grants(
            app={"member": "SELECT, INSERT, UPDATE (status, attributes, locale, time_zone)"},
            auditor=["member (member_id, program_id, status, enrolled_at)"],
        ),
    ]
