"""Codes by which a person shows that a contact is his."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("members", "0004_member_merge")]

    operations = [
        migrations.CreateModel(
            name="SignInCode",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "contact_hash",
                        "program_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("contact_hash", models.BinaryField()),
                ("program_id", models.BigIntegerField()),
                ("code_hash", models.BinaryField()),
                ("expires_at", models.DateTimeField()),
                ("tries_left", models.IntegerField()),
            ],
            options={
                "db_table": "sign_in_code",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("tries_left__gte", 0)), name="sign_in_code_tries_not_negative"
                    )
                ],
            },
        ),
        grants({"sign_in_code": "select, insert, update, delete"}),
    ]
