"""Drafts of program documents, and the backtests that are asked of them."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [
        ("programs", "0001_config_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="BacktestRun",
            fields=[
                ("run_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("draft_id", models.BigIntegerField()),
                ("save_number", models.IntegerField()),
                ("request", palier.staff.columns.StoredJson()),
                ("asked_at", models.DateTimeField()),
                ("asked_by", models.TextField()),
                ("asked_name", models.TextField()),
                ("state", models.TextField()),
                ("seen_at", models.DateTimeField(null=True)),
                ("done", models.IntegerField()),
                ("parts", models.IntegerField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("result", palier.staff.columns.StoredJson(null=True)),
                ("problem", models.TextField()),
            ],
            options={
                "db_table": "backtest_run",
                "indexes": [models.Index(fields=["program_id", "run_id"], name="backtest_run_program")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["asked", "running", "done", "failed"])),
                        name="backtest_run_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("done__gte", 0), ("done__lte", models.F("parts"))),
                        name="backtest_run_done_within_parts",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProgramDraft",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id",
                        "draft_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("draft_id", models.BigIntegerField()),
                ("name", models.TextField()),
                ("began_from", models.TextField()),
                ("head", models.IntegerField()),
                ("last_save", models.IntegerField()),
                ("begun_at", models.DateTimeField()),
                ("discarded_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "program_draft",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("head__gt", 0), ("head__lte", models.F("last_save"))),
                        name="program_draft_head_is_a_save",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProgramDraftSave",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id",
                        "draft_id",
                        "save_number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("draft_id", models.BigIntegerField()),
                ("save_number", models.IntegerField()),
                ("before", models.IntegerField()),
                ("document", models.TextField()),
                ("saved_at", models.DateTimeField()),
                ("saved_by", models.TextField()),
                ("saved_name", models.TextField()),
                ("kept", models.BooleanField()),
            ],
            options={
                "db_table": "program_draft_save",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("before__gte", 0), ("before__lt", models.F("save_number"))),
                        name="program_draft_save_before_is_earlier",
                    )
                ],
            },
        ),
        grants(
            app={
                "program_draft": "SELECT, INSERT, UPDATE (name, head, last_save, discarded_at)",
                # Saves are never changed; of a long draft the oldest are dropped.
                "program_draft_save": "SELECT, INSERT, DELETE, UPDATE (kept)",
                "backtest_run": "SELECT, INSERT, UPDATE (state, seen_at, done, parts, ended_at, result, problem)",
            },
            auditor=["program_draft", "program_draft_save", "backtest_run"],
        ),
    ]
