"""Keys of callers and answered writes."""

import django.contrib.postgres.fields
from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("prefix", models.TextField(primary_key=True, serialize=False)),
                ("hash", models.BinaryField()),
                ("program_id", models.BigIntegerField()),
                ("name", models.TextField()),
                (
                    "rights",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "api_key",
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "key", "scope", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.TextField()),
                ("scope", models.TextField()),
                ("request_sha256", models.BinaryField()),
                ("status", models.IntegerField()),
                ("response", palier.staff.columns.StoredJson()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "idempotency_key",
            },
        ),
        grants(
            app={
                "api_key": "SELECT, INSERT, UPDATE (name, rights, expires_at, revoked_at)",
                "idempotency_key": "SELECT, INSERT, UPDATE, DELETE",
            }
        ),
    ]
