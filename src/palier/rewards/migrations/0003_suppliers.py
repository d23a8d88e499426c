"""Suppliers of a program: their documents and secrets."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("rewards", "0002_orders")]

    operations = [
        migrations.CreateModel(
            name="Supplier",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("key", models.TextField()),
                ("document", palier.staff.columns.StoredJson()),
                ("sha256", models.TextField()),
                ("secrets", models.BinaryField(null=True)),
                ("paused", models.BooleanField()),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.TextField()),
            ],
            options={"db_table": "supplier"},
        ),
        grants(
            app={"supplier": "SELECT, INSERT, UPDATE"},
            auditor=["supplier (program_id, key, document, sha256, paused, changed_at, changed_by)"],
        ),
    ]
