"""What finds a member."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("members", "0001_member_tables")]

    operations = [
        migrations.CreateModel(
            name="Identity",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "value_hash",
                        "kind",
                        "program_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("value_hash", models.BinaryField()),
                ("kind", models.TextField()),
                ("program_id", models.BigIntegerField()),
                ("member_id", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "identity",
                "indexes": [models.Index(fields=["member_id"], name="identity_by_member")],
            },
        ),
        grants(app={"identity": "SELECT, INSERT, UPDATE (member_id), DELETE"}),
    ]
