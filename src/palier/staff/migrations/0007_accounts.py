"""People of the staff: their accounts, roles and sessions."""

import django.contrib.postgres.fields
import django.db.models.functions.text
from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [
        ("staff", "0006_approvals"),
    ]

    operations = [
        migrations.CreateModel(
            name="StaffAccount",
            fields=[
                ("account_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("email", models.TextField(unique=True)),
                ("name", models.TextField()),
                ("language", models.TextField(default="en")),
                ("password", models.TextField(default="")),
                ("pin", models.TextField(default="")),
                ("second_factor", models.BinaryField(null=True)),
                ("second_factor_step", models.BigIntegerField(default=0)),
                (
                    "recovery",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BinaryField(), default=list, size=None
                    ),
                ),
                ("invitation", models.BinaryField(null=True)),
                ("invitation_ends_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "staff_account",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                        name="staff_account_email_lower",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StaffGrant",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id",
                        "program_id",
                        "role",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("role", models.TextField()),
                ("partner", models.TextField(default="")),
                ("granted_at", models.DateTimeField()),
                ("granted_by", models.TextField()),
            ],
            options={
                "db_table": "staff_grant",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "role__in",
                                (
                                    "owner",
                                    "marketer",
                                    "analyst",
                                    "support",
                                    "cashier",
                                    "partner",
                                    "accountant",
                                ),
                            ),
                            models.Q(("role", "partner"), ("partner", ""), _connector="OR"),
                        ),
                        name="staff_grant_role_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StaffSession",
            fields=[
                ("session_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("account_id", models.BigIntegerField()),
                ("face", models.TextField()),
                ("address", models.TextField()),
                ("agent", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("proved_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "staff_session",
                "indexes": [models.Index(fields=["account_id", "created_at"], name="staff_session_account")],
            },
        ),
        grants(
            {
                "staff_account": "select, insert, update",
                "staff_grant": "select, insert, update, delete",
                "staff_session": "select, insert, update, delete",
            }
        ),
    ]
