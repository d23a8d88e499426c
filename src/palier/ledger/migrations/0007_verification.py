"""What the last proof of a program's ledger found."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_queued_activities")]

    operations = [
        migrations.CreateModel(
            name="Verification",
            fields=[
                ("program_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("violations", models.IntegerField()),
                ("invariant", models.TextField()),
                ("place", models.TextField()),
            ],
            options={"db_table": "verification"},
        ),
        grants(
            app={"verification": "SELECT, INSERT, UPDATE (at, violations, invariant, place)"},
            auditor=["verification"],
        ),
    ]
