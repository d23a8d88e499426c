"""Until when it was told what had been recorded."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [
        ("programs", "0003_pictures"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProgramTold",
            fields=[
                ("program_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("told_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "program_told",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("settled_at__lte", models.F("told_at"))),
                        name="program_told_before_settled",
                    )
                ],
            },
        ),
        grants(
            app={"program_told": "SELECT, INSERT, UPDATE (told_at, settled_at)"},
            auditor=["program_told"],
        ),
    ]
