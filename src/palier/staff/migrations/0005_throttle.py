"""Counters of what was tried lately."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("staff", "0004_key_partner")]

    operations = [
        migrations.CreateModel(
            name="Throttle",
            fields=[
                ("scope", models.TextField(primary_key=True, serialize=False)),
                ("since", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("most", models.IntegerField()),
                ("taken", models.IntegerField()),
            ],
            options={
                "db_table": "throttle",
            },
        ),
        grants(app={"throttle": "SELECT, INSERT, UPDATE, DELETE"}),
    ]
