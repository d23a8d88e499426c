"""Codes of membership cards that were used."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("tills", "0001_key_tables")]

    operations = [
        migrations.CreateModel(
            name="CardCodeUse",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "step",
                        "purpose",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("step", models.BigIntegerField()),
                ("purpose", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("device_id", models.BigIntegerField()),
                ("act", models.TextField()),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "db_table": "card_code_use",
                "indexes": [models.Index(fields=["used_at"], name="card_code_use_by_time")],
            },
        ),
        grants(app={"card_code_use": "SELECT, INSERT, DELETE"}, auditor=["card_code_use"]),
    ]
