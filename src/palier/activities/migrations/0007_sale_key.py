"""What names a sale beside its id, for programs that say so (`sale_key`)."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("activities", "0006_audit_schema")]

    operations = [
        migrations.CreateModel(
            name="SaleKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "key_hash",
                        "program_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("key_hash", models.BinaryField()),
                ("program_id", models.BigIntegerField()),
                ("external_id", models.TextField()),
                ("source", models.TextField()),
                ("claimed_at", models.DateTimeField()),
            ],
            options={"db_table": "sale_key"},
        ),
        grants(app={"sale_key": "SELECT, INSERT"}, auditor=["sale_key"]),
    ]
