"""The log of staff and integrations."""

from django.db import migrations, models

from palier.staff.guards import append_only, grants


class Migration(migrations.Migration):
    dependencies = [("staff", "0002_key_tables")]

    operations = [
        migrations.CreateModel(
            name="AuditLog",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("actor", models.TextField()),
                ("role", models.TextField()),
                ("action", models.TextField()),
                ("object", models.TextField()),
                ("at", models.DateTimeField()),
                ("reason", models.TextField()),
                ("hash", models.BinaryField()),
                ("prev_hash", models.BinaryField()),
            ],
            options={
                "db_table": "audit_log",
            },
        ),
        grants(app={"audit_log": "SELECT, INSERT"}, auditor=["audit_log"]),
        *append_only("audit_log"),
    ]
