"""Cases with their messages, surveys with their answers, and wishes."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="Wish",
            fields=[
                ("member_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("reward", models.TextField()),
                ("since", models.DateTimeField()),
            ],
            options={
                "db_table": "wish",
            },
        ),
        migrations.CreateModel(
            name="CaseMessage",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "message_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("message_id", models.BigIntegerField()),
                ("case_id", models.BigIntegerField()),
                ("author", models.TextField()),
                ("actor", models.TextField()),
                ("once", models.TextField()),
                ("text", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "case_message",
                "indexes": [
                    models.Index(fields=["member_id", "case_id", "message_id"], name="case_message_by_case")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("member_id", "once"), name="case_message_said_once"),
                    models.CheckConstraint(
                        condition=models.Q(("author__in", ("member", "shop"))),
                        name="case_message_author_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SupportCase",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "case_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("case_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("activity_id", models.BigIntegerField(null=True)),
                ("state", models.TextField()),
                ("opened_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "db_table": "support_case",
                "indexes": [
                    models.Index(
                        fields=["program_id", "state", "changed_at", "case_id"], name="support_case_by_state"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("open", "answered", "closed"))),
                        name="support_case_state_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Survey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id",
                        "key",
                        "version",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("key", models.TextField()),
                ("version", models.IntegerField()),
                ("document", palier.staff.columns.StoredJson()),
                ("sha256", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("created_by", models.TextField()),
            ],
            options={
                "db_table": "survey",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)), name="survey_version_positive"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SurveyAnswer",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id", "survey", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("survey", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("version", models.IntegerField()),
                ("state", models.TextField()),
                ("answers", palier.staff.columns.StoredJson(null=True)),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "survey_answer",
                "indexes": [
                    models.Index(fields=["program_id", "survey", "at"], name="survey_answer_by_survey")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answers__isnull", False), ("state", "answered")),
                            models.Q(("answers__isnull", True), ("state", "refused")),
                            _connector="OR",
                        ),
                        name="survey_answer_state_known",
                    )
                ],
            },
        ),
        grants(
            app={
                "support_case": "SELECT, INSERT, UPDATE (state, changed_at, seen_at), DELETE",
                "case_message": "SELECT, INSERT, DELETE",
                "survey": "SELECT, INSERT",
                "survey_answer": "SELECT, INSERT, DELETE",
                "wish": "SELECT, INSERT, UPDATE, DELETE",
            },
            # What people wrote is not the auditor's to read.
            auditor=[
                "support_case",
                "case_message (member_id, message_id, case_id, author, actor, at)",
                "survey",
                "survey_answer (member_id, survey, program_id, version, state, at)",
                "wish",
            ],
        ),
    ]
