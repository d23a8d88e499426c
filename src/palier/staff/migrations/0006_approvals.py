"""What waits for a second person, and what one person has done by hand on a day."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("staff", "0005_throttle")]

    operations = [
        migrations.CreateModel(
            name="Approval",
            fields=[
                ("approval_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("kind", models.TextField()),
                ("object", models.TextField()),
                ("request", models.TextField()),
                ("payload", palier.staff.columns.StoredJson()),
                ("reason", models.TextField()),
                ("asked_by", models.TextField()),
                ("asked_name", models.TextField()),
                ("asked_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("state", models.TextField()),
                ("decided_by", models.TextField()),
                ("decided_name", models.TextField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision", models.TextField()),
            ],
            options={
                "db_table": "approval",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("program_id", "kind", "request"), name="approval_request_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("asked", "approved", "refused", "expired"))),
                        name="approval_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "approved"), _negated=True),
                            models.Q(("decided_by", models.F("asked_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="approval_second_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_at__isnull", True), ("state", "asked")),
                            models.Q(
                                models.Q(("state", "asked"), _negated=True), ("decided_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="approval_decided_when_decided",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AgentDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "agent",
                        "program_id",
                        "currency",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("agent", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("currency", models.TextField()),
                ("day", models.TextField()),
                ("used", models.BigIntegerField()),
            ],
            options={
                "db_table": "agent_day",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("used__gt", 0)), name="agent_day_used_above_zero"
                    )
                ],
            },
        ),
        grants(
            app={
                "approval": "SELECT, INSERT, UPDATE (state, decided_by, decided_name, decided_at, decision)",
                "agent_day": "SELECT, INSERT, UPDATE (used)",
            },
            auditor=["approval", "agent_day"],
        ),
    ]
