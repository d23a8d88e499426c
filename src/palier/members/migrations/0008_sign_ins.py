"""Sessions of members, their passkeys, and the doors they came through."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0007_uncounted"),
    ]

    operations = [
        migrations.CreateModel(
            name="MemberOrigin",
            fields=[
                ("member_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("via", models.TextField()),
                ("campaign", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "member_origin",
            },
        ),
        migrations.CreateModel(
            name="MemberSession",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "session_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("session_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("secret_hash", models.BinaryField()),
                ("way", models.TextField()),
                ("came_by", models.BinaryField(null=True)),
                ("device", models.TextField()),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "member_session",
            },
        ),
        migrations.CreateModel(
            name="Passkey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "credential_id",
                        "program_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("credential_id", models.BinaryField()),
                ("program_id", models.BigIntegerField()),
                ("member_id", models.BigIntegerField()),
                ("public_key", models.BinaryField()),
                ("sign_count", models.BigIntegerField()),
                ("device", models.TextField()),
                ("added_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "passkey",
                "indexes": [models.Index(fields=["member_id"], name="passkey_by_member")],
            },
        ),
        grants(
            app={
                "member_session": "SELECT, INSERT, UPDATE (seen_at, ended_at), DELETE",
                "passkey": "SELECT, INSERT, UPDATE (sign_count, used_at), DELETE",
                "member_origin": "SELECT, INSERT, DELETE",
            },
            auditor=["member_origin"],
        ),
    ]
