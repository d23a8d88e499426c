"""The ledger and what it leaves with each member."""

import django.db.models.expressions
from django.db import migrations, models

from palier.staff.guards import append_only, grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="Transfer",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "transfer_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("transfer_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("activity_id", models.BigIntegerField()),
                ("kind", models.TextField()),
                ("debit", models.TextField()),
                ("credit", models.TextField()),
                ("currency", models.TextField()),
                ("lot_id", models.BigIntegerField(null=True)),
                ("amount", models.BigIntegerField()),
                ("effective_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("version", models.IntegerField()),
                ("corrects_id", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "transfer",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("corrects_id__isnull", False)),
                        fields=("member_id", "corrects_id"),
                        name="transfer_corrected_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="transfer_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("debit", models.F("credit")), _negated=True),
                        name="transfer_accounts_differ",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("debit__in", ("wallet", "pending", "hold", "debt")),
                            ("credit__in", ("wallet", "pending", "hold", "debt")),
                            _connector="OR",
                        ),
                        name="transfer_has_a_member_side",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "debit__in",
                                [
                                    "wallet",
                                    "pending",
                                    "hold",
                                    "debt",
                                    "issuance",
                                    "redemption",
                                    "breakage",
                                    "adjustment",
                                    "in_transit",
                                ],
                            ),
                            ("debit__startswith", "partner:"),
                            _connector="OR",
                        ),
                        name="transfer_debit_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "credit__in",
                                [
                                    "wallet",
                                    "pending",
                                    "hold",
                                    "debt",
                                    "issuance",
                                    "redemption",
                                    "breakage",
                                    "adjustment",
                                    "in_transit",
                                ],
                            ),
                            ("credit__startswith", "partner:"),
                            _connector="OR",
                        ),
                        name="transfer_credit_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                (
                                    "earn",
                                    "release",
                                    "redeem",
                                    "hold",
                                    "capture",
                                    "unhold",
                                    "expire",
                                    "unexpire",
                                    "reverse",
                                    "debt",
                                    "repay",
                                    "restore",
                                    "regrant",
                                    "adjust",
                                    "transfer_out",
                                    "transfer_in",
                                ),
                            )
                        ),
                        name="transfer_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("lot_id__isnull", False),
                            models.Q(
                                ("debit__in", ["wallet", "hold"]),
                                ("credit__in", ["wallet", "hold"]),
                                _connector="OR",
                                _negated=True,
                            ),
                            _connector="OR",
                        ),
                        name="transfer_lot_named",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Wallet",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "currency", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("currency", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("posted", models.BigIntegerField()),
                ("pending", models.BigIntegerField()),
                ("held", models.BigIntegerField()),
                ("debt", models.BigIntegerField()),
            ],
            options={
                "db_table": "wallet",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("posted__gte", 0)), name="wallet_posted_floor"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("pending__gte", 0)), name="wallet_pending_floor"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("held__gte", 0), ("held__lte", models.F("posted"))),
                        name="wallet_held_within_posted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("debt__gte", 0)), name="wallet_debt_not_negative"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Lot",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "lot_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("lot_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("currency", models.TextField()),
                ("funder", models.TextField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("first_earned_at", models.DateTimeField()),
                ("earned", models.BigIntegerField()),
                ("redeemed", models.BigIntegerField()),
                ("expired", models.BigIntegerField()),
                ("reversed", models.BigIntegerField()),
                ("held", models.BigIntegerField()),
                ("remaining", models.BigIntegerField()),
            ],
            options={
                "db_table": "lot",
                "indexes": [
                    models.Index(
                        condition=models.Q(("expires_at__isnull", False)),
                        fields=["program_id", "expires_at"],
                        name="lot_by_expiry",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "earned",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                models.F("redeemed"), "+", models.F("expired")
                                            ),
                                            "+",
                                            models.F("reversed"),
                                        ),
                                        "+",
                                        models.F("held"),
                                    ),
                                    "+",
                                    models.F("remaining"),
                                ),
                            )
                        ),
                        name="lot_adds_up",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("earned__gte", 0),
                            ("expired__gte", 0),
                            ("held__gte", 0),
                            ("redeemed__gte", 0),
                            ("remaining__gte", 0),
                            ("reversed__gte", 0),
                        ),
                        name="lot_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "hold_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("hold_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("currency", models.TextField()),
                ("amount", models.BigIntegerField()),
                ("captured", models.BigIntegerField()),
                ("state", models.TextField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "hold",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="hold_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("captured__gte", 0), ("captured__lte", models.F("amount"))),
                        name="hold_captured_within_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "captured", "released", "expired"])),
                        name="hold_state_known",
                    ),
                ],
            },
        ),
        grants(
            app={
                "transfer": "SELECT, INSERT",
                "wallet": "SELECT, INSERT, UPDATE",
                "lot": "SELECT, INSERT, UPDATE",
                "hold": "SELECT, INSERT, UPDATE",
            },
            auditor=["transfer", "wallet", "lot", "hold"],
        ),
        *append_only("transfer"),
    ]
