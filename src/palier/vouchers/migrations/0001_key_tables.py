"""Vouchers and their uses."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import append_only, grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="Voucher",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "code_hash",
                        "program_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("code_hash", models.BinaryField()),
                ("program_id", models.BigIntegerField()),
                ("member_id", models.BigIntegerField(null=True)),
                ("proof", models.TextField()),
                ("proof_hash", models.BinaryField(null=True)),
                ("effect", palier.staff.columns.StoredJson()),
                ("max_uses", models.IntegerField()),
                ("uses", models.IntegerField()),
                ("state", models.TextField()),
                ("partner", models.TextField()),
                ("valid_from", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("origin", models.TextField()),
                ("issued_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("sealed", models.BinaryField(null=True)),
            ],
            options={
                "db_table": "voucher",
                "indexes": [
                    models.Index(
                        condition=models.Q(("member_id__isnull", False)),
                        fields=["member_id"],
                        name="voucher_by_member",
                    ),
                    models.Index(fields=["origin", "program_id"], name="voucher_by_origin"),
                    models.Index(
                        condition=models.Q(("state", "active")),
                        fields=["expires_at"],
                        name="voucher_to_expire",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("active", "used", "expired", "cancelled"))),
                        name="voucher_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("proof__in", ("code", "member", "pin"))),
                        name="voucher_proof_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("max_uses__gt", 0), ("uses__gte", 0), ("uses__lte", models.F("max_uses"))
                        ),
                        name="voucher_uses_in_bounds",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "used"), _negated=True),
                            ("uses", models.F("max_uses")),
                            _connector="OR",
                        ),
                        name="voucher_used_has_none_left",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "active"), _negated=True),
                            ("uses__lt", models.F("max_uses")),
                            _connector="OR",
                        ),
                        name="voucher_active_has_some_left",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("proof", "member"), _negated=True),
                            ("member_id__isnull", False),
                            _connector="OR",
                        ),
                        name="voucher_bound_names_member",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("proof", "pin"), _negated=True),
                            ("proof_hash__isnull", False),
                            _connector="OR",
                        ),
                        name="voucher_pin_has_hash",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VoucherUse",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "code_hash",
                        "program_id",
                        "external_id",
                        "source",
                        "kind",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("code_hash", models.BinaryField()),
                ("program_id", models.BigIntegerField()),
                ("external_id", models.TextField()),
                ("source", models.TextField()),
                ("kind", models.TextField()),
                ("channel", models.TextField()),
                ("location", models.TextField()),
                ("actor", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "voucher_use",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ("use", "release"))), name="voucher_use_kind_known"
                    )
                ],
            },
        ),
        grants(
            app={
                "voucher": "SELECT, INSERT, UPDATE (uses, state, closed_at, sealed)",
                "voucher_use": "SELECT, INSERT",
            },
            auditor=[
                "voucher (code_hash, program_id, member_id, proof, effect, max_uses, uses, state, partner, valid_from,"
                " expires_at, origin, issued_at, closed_at)",
                "voucher_use",
            ],
        ),
        *append_only("voucher_use"),
    ]
