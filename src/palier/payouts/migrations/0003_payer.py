"""From which account a program pays."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("payouts", "0002_queue_tables")]

    operations = [
        migrations.CreateModel(
            name="Payer",
            fields=[
                ("program_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("iban", models.TextField()),
                ("bic", models.TextField()),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.TextField()),
            ],
            options={
                "db_table": "payer",
            },
        ),
        grants(
            app={"payer": "SELECT, INSERT, UPDATE"},
            auditor=["payer (program_id, name, changed_at, changed_by)"],
        ),
    ]
