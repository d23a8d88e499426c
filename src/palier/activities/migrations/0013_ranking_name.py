"""Which of his pseudonyms a member wants to be ranked under."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [
        ("activities", "0012_import_upload"),
    ]

    operations = [
        migrations.CreateModel(
            name="RankingName",
            fields=[
                ("member_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("program_id", models.BigIntegerField()),
                ("choice", models.SmallIntegerField()),
            ],
            options={
                "db_table": "ranking_name",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("choice__range", (0, 5))), name="ranking_name_choice_known"
                    )
                ],
            },
        ),
        grants(app={"ranking_name": "SELECT, INSERT, UPDATE, DELETE"}, auditor=["ranking_name"]),
    ]
