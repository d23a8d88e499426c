"""Orders of rewards: stock, orders with their steps and ids, what members hold from them, addresses, draws."""

import django.db.models.expressions
from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import append_only, grants

STOCK = """
select p.key as program, s.key as reward, s.total as initial, s.held, s.sold,
       s.total - s.held - s.sold as remaining
from reward_stock s
left join program p on p.program_id = s.program_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("rewards", "0001_catalogue"),
        ("activities", "0006_audit_schema"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrderAddress",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "order_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("order_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("sealed", models.BinaryField()),
            ],
            options={
                "db_table": "order_address",
            },
        ),
        migrations.CreateModel(
            name="OrderClaim",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "external_id",
                        "source",
                        "program_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("external_id", models.TextField()),
                ("source", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("member_id", models.BigIntegerField()),
                ("order_id", models.BigIntegerField()),
                ("sha256", models.BinaryField()),
                ("claimed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "order_claim",
            },
        ),
        migrations.CreateModel(
            name="OrderEvent",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "order_id",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("order_id", models.BigIntegerField()),
                ("number", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("from_state", models.TextField(null=True)),
                ("to_state", models.TextField()),
                ("units", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("actor", models.TextField()),
                ("reason", models.TextField()),
            ],
            options={
                "db_table": "order_event",
            },
        ),
        migrations.CreateModel(
            name="SweepstakeDraw",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id",
                        "reward_key",
                        "draw_at",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("reward_key", models.TextField()),
                ("draw_at", models.DateTimeField()),
                ("period", models.TextField()),
                ("drawn", models.TextField(null=True)),
                ("entries", models.BigIntegerField(null=True)),
                ("entries_sha256", models.BinaryField(null=True)),
                ("winners", palier.staff.columns.StoredJson(null=True)),
                ("drawn_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "sweepstake_draw",
            },
        ),
        migrations.CreateModel(
            name="RewardItem",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "item_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("item_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("order_id", models.BigIntegerField()),
                ("unit", models.BigIntegerField()),
                ("reward_key", models.TextField()),
                ("kind", models.TextField()),
                ("state", models.TextField()),
                ("uses_left", models.BigIntegerField(null=True)),
                ("valid_from", models.DateTimeField(null=True)),
                ("valid_until", models.DateTimeField(null=True)),
                ("details", palier.staff.columns.StoredJson()),
            ],
            options={
                "db_table": "reward_item",
                "indexes": [
                    models.Index(fields=["member_id", "order_id"], name="reward_item_by_order"),
                    models.Index(
                        condition=models.Q(("kind", "entry"), ("state", "open")),
                        fields=["program_id", "reward_key", "item_id"],
                        name="reward_item_entries",
                    ),
                    models.Index(
                        condition=models.Q(("kind", "delivery"), ("state", "planned")),
                        fields=["program_id", "valid_from"],
                        name="reward_item_deliveries",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("uses_left__isnull", True), ("uses_left__gte", 0), _connector="OR"
                        ),
                        name="reward_item_uses_not_negative",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RewardOrder",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "order_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("order_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("reward_id", models.BigIntegerField()),
                ("reward_key", models.TextField()),
                ("version", models.IntegerField()),
                ("kind", models.TextField()),
                ("state", models.TextField()),
                ("quantity", models.BigIntegerField()),
                ("units", models.BigIntegerField()),
                ("refunded_units", models.BigIntegerField()),
                ("price", palier.staff.columns.StoredJson()),
                ("points", palier.staff.columns.StoredJson()),
                ("stock_held", palier.staff.columns.StoredJson()),
                ("stock_sold", palier.staff.columns.StoredJson()),
                ("variant", models.TextField(null=True)),
                ("slot", models.TextField(null=True)),
                ("source", models.TextField()),
                ("external_id", models.TextField()),
                ("partner", models.TextField(null=True)),
                ("channel", models.TextField(null=True)),
                ("location", models.TextField(null=True)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
                ("steps", models.BigIntegerField()),
                ("details", palier.staff.columns.StoredJson()),
            ],
            options={
                "db_table": "reward_order",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "reserved"])),
                        fields=["program_id", "expires_at"],
                        name="reward_order_due",
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "reserved", "fulfilling"])),
                        fields=["program_id", "order_id"],
                        name="reward_order_open",
                    ),
                    models.Index(fields=["member_id", "reward_key"], name="reward_order_by_reward"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                (
                                    "waiting",
                                    "reserved",
                                    "fulfilling",
                                    "done",
                                    "partly_refunded",
                                    "refunded",
                                    "released",
                                    "expired",
                                    "failed",
                                    "cancelled",
                                ),
                            )
                        ),
                        name="reward_order_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("quantity__gte", 1),
                            ("refunded_units__gte", 0),
                            ("units__gte", 1),
                            ("refunded_units__lte", models.F("units")),
                        ),
                        name="reward_order_units_within",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RewardStock",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "key", "program_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("total", models.BigIntegerField(null=True)),
                ("held", models.BigIntegerField()),
                ("sold", models.BigIntegerField()),
                ("waiting", models.BigIntegerField()),
            ],
            options={
                "db_table": "reward_stock",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("held__gte", 0), ("sold__gte", 0), ("waiting__gte", 0)),
                        name="reward_stock_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("total__isnull", True),
                            (
                                "total__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("held"), "+", models.F("sold")
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="reward_stock_not_oversold",
                    ),
                ],
            },
        ),
        grants(
            app={
                "reward_stock": "SELECT, INSERT, UPDATE (total, held, sold, waiting)",
                "reward_order": "SELECT, INSERT, UPDATE (state, refunded_units, points, stock_held, stock_sold,"
                " expires_at, done_at, steps, details)",
                "order_event": "SELECT, INSERT",
                "order_claim": "SELECT, INSERT",
                "reward_item": "SELECT, INSERT, UPDATE (state, uses_left, details)",
                "order_address": "SELECT, INSERT, DELETE",
                "sweepstake_draw": "SELECT, INSERT, UPDATE (drawn, entries, entries_sha256, winners, drawn_at)",
            },
            auditor=[
                "reward_stock",
                "reward_order",
                "order_event",
                "order_claim",
                "reward_item",
                "sweepstake_draw",
            ],
        ),
        *append_only("order_event"),
        migrations.RunSQL(f"create view audit.stock as {STOCK}", "drop view audit.stock"),
        migrations.RunSQL("grant select on audit.stock to palier_app, auditor", migrations.RunSQL.noop),
    ]
