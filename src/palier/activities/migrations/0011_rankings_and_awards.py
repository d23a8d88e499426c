"""Where members stand in the goals that rank them, and what was given to all members by a run."""

from django.db import migrations, models

from palier.staff.guards import grants


def _key(*columns: str) -> tuple[str, models.CompositePrimaryKey]:
    key = models.CompositePrimaryKey(*columns, blank=True, editable=False, primary_key=True, serialize=False)
    return ("pk", key)


class Migration(migrations.Migration):
    dependencies = [("activities", "0010_partner_accounts"), ("members", "0003_left_rankings")]

    operations = [
        migrations.CreateModel(
            name="GoalProgress",
            fields=[
                _key("member_id", "goal", "number"),
                ("member_id", models.BigIntegerField()),
                ("goal", models.TextField()),
                ("number", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("value", models.BigIntegerField()),
                ("reached_at", models.DateTimeField()),
            ],
            options={
                "db_table": "goal_progress",
                "indexes": [
                    models.Index(
                        models.F("program_id"),
                        models.F("goal"),
                        models.F("number"),
                        models.OrderBy(models.F("value"), descending=True),
                        models.F("reached_at"),
                        name="goal_progress_rank",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AwardRun",
            fields=[
                _key("program_id", "kind", "name", "period"),
                ("program_id", models.BigIntegerField()),
                ("kind", models.TextField()),
                ("name", models.TextField()),
                ("period", models.TextField()),
                ("terms", models.TextField()),
                ("begun_at", models.DateTimeField()),
                ("begun_by", models.TextField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "award_run",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ("dividend", "prize", "keep_value", "ranking"))),
                        name="award_run_kind_known",
                    )
                ],
            },
        ),
        grants(
            app={
                "goal_progress": "SELECT, INSERT, UPDATE (value, reached_at), DELETE",
                "award_run": "SELECT, INSERT, UPDATE (finished_at)",
            },
            auditor=["goal_progress", "award_run"],
        ),
    ]
