"""Pools of suppliers' codes."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("vouchers", "0001_key_tables")]

    operations = [
        migrations.CreateModel(
            name="CodePool",
            fields=[
                ("pool_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("key", models.TextField()),
                ("name", models.TextField()),
                ("low_at", models.IntegerField()),
                ("state", models.TextField()),
                ("state_at", models.DateTimeField()),
                ("imported", models.IntegerField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "code_pool",
                "constraints": [
                    models.UniqueConstraint(fields=("program_id", "key"), name="code_pool_key"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("stocked", "low", "empty"))),
                        name="code_pool_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("imported__gte", 0), ("low_at__gte", 0)),
                        name="code_pool_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PoolCode",
            fields=[
                ("code_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("pool_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("code_hash", models.BinaryField()),
                ("sealed", models.BinaryField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("state", models.TextField()),
                ("imported_at", models.DateTimeField()),
                ("order_ref", models.TextField(null=True)),
                ("taken_at", models.DateTimeField(null=True)),
                ("revealed_to", models.TextField(null=True)),
                ("revealed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "pool_code",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "free")),
                        fields=["pool_id", "expires_at", "code_id"],
                        name="pool_code_free",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("code_hash", "program_id"), name="pool_code_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("order_ref__isnull", False)),
                        fields=("order_ref", "program_id"),
                        name="pool_code_one_an_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("free", "taken", "revealed", "withdrawn"))),
                        name="pool_code_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("order_ref__isnull", True),
                                ("state__in", ("free", "withdrawn")),
                                ("taken_at__isnull", True),
                            ),
                            models.Q(
                                ("order_ref__isnull", False),
                                ("state__in", ("taken", "revealed")),
                                ("taken_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="pool_code_taken_names_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("revealed_at__isnull", False),
                                ("revealed_to__isnull", False),
                                ("state", "revealed"),
                            ),
                            models.Q(
                                models.Q(("state", "revealed"), _negated=True),
                                ("revealed_at__isnull", True),
                                ("revealed_to__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="pool_code_revealed_says_to_whom",
                    ),
                ],
            },
        ),
        grants(
            app={
                "code_pool": "SELECT, INSERT, UPDATE (name, low_at, state, state_at, imported)",
                "pool_code": "SELECT, INSERT, UPDATE (state, order_ref, taken_at, revealed_to, revealed_at)",
            },
            auditor=[
                "code_pool",
                "pool_code (code_id, pool_id, program_id, code_hash, expires_at, state, imported_at, order_ref,"
                " taken_at, revealed_at)",
            ],
        ),
    ]
