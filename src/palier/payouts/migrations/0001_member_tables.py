"""Where money goes, what is to be paid, and each step of it."""

from django.db import migrations, models

from palier.staff.guards import append_only, grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="BankAccount",
            fields=[
                ("member_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("sealed", models.BinaryField()),
                ("last4", models.TextField()),
                ("country", models.TextField()),
                ("set_at", models.DateTimeField()),
                ("set_by", models.TextField()),
            ],
            options={
                "db_table": "bank_account",
            },
        ),
        migrations.CreateModel(
            name="Payout",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "payout_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("payout_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("purpose", models.TextField()),
                ("currency", models.TextField()),
                ("points", models.BigIntegerField()),
                ("amount", models.BigIntegerField()),
                ("money", models.TextField()),
                ("state", models.TextField()),
                ("hold_source", models.TextField()),
                ("hold_id", models.TextField()),
                ("hold_activity_id", models.BigIntegerField(null=True)),
                ("order_id", models.BigIntegerField(null=True)),
                ("unit", models.IntegerField(null=True)),
                ("text", models.TextField()),
                ("sealed", models.BinaryField(null=True)),
                ("last4", models.TextField()),
                ("country", models.TextField()),
                ("batch_id", models.BigIntegerField(null=True)),
                ("asked_at", models.DateTimeField()),
                ("asked_by", models.TextField()),
                ("changed_at", models.DateTimeField()),
                ("reason", models.TextField()),
            ],
            options={
                "db_table": "payout",
                "indexes": [
                    models.Index(fields=["program_id", "state", "payout_id"], name="payout_by_state"),
                    models.Index(
                        condition=models.Q(("batch_id__isnull", False)),
                        fields=["batch_id"],
                        name="payout_by_batch",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("hold_id", ""), _negated=True),
                        fields=("member_id", "hold_source", "hold_id"),
                        name="payout_one_by_hold",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ("asked", "approved", "in_file", "sent", "paid", "returned", "refused"),
                            )
                        ),
                        name="payout_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="payout_amount_above_zero"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ("asked", "refused")), ("batch_id__isnull", False), _connector="OR"
                        ),
                        name="payout_batch_before_approval",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PayoutEvent",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "event_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("event_id", models.BigIntegerField()),
                ("payout_id", models.BigIntegerField()),
                ("from_state", models.TextField()),
                ("to_state", models.TextField()),
                ("at", models.DateTimeField()),
                ("actor", models.TextField()),
                ("reason", models.TextField()),
            ],
            options={
                "db_table": "payout_event",
            },
        ),
        grants(
            app={
                "bank_account": "SELECT, INSERT, UPDATE, DELETE",
                "payout": "SELECT, INSERT, UPDATE (state, reason, changed_at, batch_id, sealed, last4, country)",
                "payout_event": "SELECT, INSERT",
            },
            auditor=[
                "bank_account (member_id, program_id, last4, country, set_at, set_by)",
                (
                    "payout (member_id, payout_id, program_id, purpose, currency, points, amount, "
                    "money, state, hold_source, hold_id, hold_activity_id, order_id, unit, "
                    "batch_id, asked_at, asked_by, changed_at)"
                ),
                "payout_event",
            ],
        ),
        *append_only("payout_event"),
    ]
