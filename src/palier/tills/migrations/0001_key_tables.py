"""Devices, shifts, lookups, entries, and baskets that wait for a till."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="TillShift",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "device_id", "shift_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("device_id", models.BigIntegerField()),
                ("shift_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("account_id", models.BigIntegerField()),
                ("session_id", models.BigIntegerField()),
                ("name", models.TextField()),
                ("own_member_id", models.BigIntegerField(null=True)),
                ("began_at", models.DateTimeField()),
                ("used_at", models.DateTimeField()),
                ("locked", models.BooleanField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("lookups", models.IntegerField()),
                ("browsed", models.IntegerField()),
            ],
            options={
                "db_table": "till_shift",
            },
        ),
        migrations.CreateModel(
            name="TillBasket",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "ticket",
                        "location",
                        "program_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("ticket", models.TextField()),
                ("location", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("amount", models.BigIntegerField()),
                ("lines", palier.staff.columns.StoredJson()),
                ("state", models.TextField()),
                ("posted_at", models.DateTimeField()),
                ("posted_by", models.TextField()),
                ("ends_at", models.DateTimeField()),
                ("device_id", models.BigIntegerField(null=True)),
                ("entry", models.TextField(null=True)),
            ],
            options={
                "db_table": "till_basket",
                "indexes": [models.Index(fields=["ends_at"], name="till_basket_by_end")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("open", "done", "withdrawn"))),
                        name="till_basket_state_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TillDevice",
            fields=[
                ("device_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("number", models.IntegerField()),
                ("name", models.TextField()),
                ("location", models.TextField()),
                ("state", models.TextField()),
                ("code_hash", models.BinaryField(null=True)),
                ("code_ends_at", models.DateTimeField(null=True)),
                ("secret_hash", models.BinaryField(null=True)),
                ("public_key", models.BinaryField()),
                ("created_at", models.DateTimeField()),
                ("created_by", models.TextField()),
                ("enrolled_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                ("revoked_by", models.TextField()),
                ("seen_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "till_device",
                "indexes": [
                    models.Index(
                        condition=models.Q(("code_hash__isnull", False)),
                        fields=["code_hash"],
                        name="till_device_by_code",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("program_id", "number"), name="till_device_one_by_number"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("expected", "enrolled", "revoked"))),
                        name="till_device_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("code_hash__isnull", False), ("state", "expected")),
                            models.Q(
                                ("code_hash__isnull", True),
                                ("secret_hash__isnull", False),
                                ("state", "enrolled"),
                            ),
                            ("state", "revoked"),
                            _connector="OR",
                        ),
                        name="till_device_code_or_secret",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TillEntry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "device_id", "entry", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("device_id", models.BigIntegerField()),
                ("entry", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("shift_id", models.BigIntegerField(null=True)),
                ("account_id", models.BigIntegerField(null=True)),
                ("kind", models.TextField()),
                ("sha256", models.BinaryField()),
                ("state", models.TextField()),
                ("code", models.TextField()),
                ("member_id", models.BigIntegerField(null=True)),
                ("ticket", models.TextField(null=True)),
                ("amount", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("sealed", models.BinaryField(null=True)),
            ],
            options={
                "db_table": "till_entry",
                "indexes": [
                    models.Index(
                        fields=["program_id", "account_id", "member_id", "at"], name="till_entry_by_person"
                    ),
                    models.Index(
                        condition=models.Q(("ticket__isnull", False)),
                        fields=["program_id", "ticket"],
                        name="till_entry_by_ticket",
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ("refused", "kept"))),
                        fields=["program_id", "device_id"],
                        name="till_entry_to_review",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("applied", "refused", "kept"))),
                        name="till_entry_state_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TillLookup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "device_id",
                        "lookup_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("device_id", models.BigIntegerField()),
                ("lookup_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("shift_id", models.BigIntegerField()),
                ("account_id", models.BigIntegerField()),
                ("member_id", models.BigIntegerField(null=True)),
                ("how", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "till_lookup",
                "indexes": [
                    models.Index(fields=["device_id", "member_id", "at"], name="till_lookup_by_member"),
                    models.Index(fields=["at"], name="till_lookup_by_time"),
                ],
            },
        ),
        grants(
            app={
                "till_device": (
                    "SELECT, INSERT, UPDATE (name, location, state, code_hash, code_ends_at, secret_hash, public_key, "
                    "enrolled_at, revoked_at, revoked_by, seen_at)"
                ),
                "till_shift": (
                    "SELECT, INSERT, UPDATE (used_at, locked, ended_at, lookups, browsed, own_member_id, session_id)"
                ),
                "till_lookup": "SELECT, INSERT, DELETE",
                "till_entry": "SELECT, INSERT, UPDATE (state, code, member_id, received_at, sealed)",
                "till_basket": "SELECT, INSERT, UPDATE, DELETE",
            },
            auditor=[
                (
                    "till_device (device_id, program_id, number, name, location, state, created_at, created_by, "
                    "enrolled_at, revoked_at, revoked_by, seen_at)"
                ),
                "till_shift",
                "till_lookup",
                (
                    "till_entry (device_id, entry, program_id, shift_id, account_id, kind, sha256, state, code, "
                    "member_id, ticket, amount, at, received_at)"
                ),
                "till_basket",
            ],
        ),
    ]
