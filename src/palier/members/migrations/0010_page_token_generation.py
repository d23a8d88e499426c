"""The generation with which a program's page tokens are signed."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("members", "0009_gone")]

    operations = [
        migrations.CreateModel(
            name="PageTokenGeneration",
            fields=[
                ("program_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("generation", models.IntegerField()),
                ("raised_at", models.DateTimeField()),
                ("raised_by", models.TextField()),
            ],
            options={"db_table": "page_token_generation"},
        ),
        grants(
            app={"page_token_generation": "SELECT, INSERT, UPDATE (generation, raised_at, raised_by)"},
            auditor=["page_token_generation"],
        ),
    ]
