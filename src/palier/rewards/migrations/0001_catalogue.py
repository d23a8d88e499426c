"""The catalogue: rewards, their versions, and what of them is browsed."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import grants


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="Reward",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id",
                        "reward_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("reward_id", models.BigIntegerField()),
                ("key", models.TextField()),
                ("version", models.IntegerField()),
                ("latest", models.IntegerField()),
                ("next_at", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "db_table": "reward",
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_at__isnull", False)),
                        fields=["program_id", "next_at"],
                        name="reward_next",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("program_id", "key"), name="reward_key_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("version__gte", 0)), name="reward_version_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("latest__gte", models.F("version"))), name="reward_latest_is_last"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RewardListing",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id",
                        "reward_id",
                        "currency",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("reward_id", models.BigIntegerField()),
                ("currency", models.TextField()),
                ("main", models.BooleanField()),
                ("version", models.IntegerField()),
                ("points", models.BigIntegerField()),
                ("listed_at", models.DateTimeField()),
                ("visible_from", models.DateTimeField(null=True)),
                ("visible_until", models.DateTimeField(null=True)),
                (
                    "labels",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
                ),
                ("words_en", django.contrib.postgres.search.SearchVectorField()),
                ("words_fr", django.contrib.postgres.search.SearchVectorField()),
            ],
            options={
                "db_table": "reward_listing",
                "indexes": [
                    models.Index(
                        fields=["program_id", "currency", "points", "reward_id"],
                        name="reward_listing_by_price",
                    ),
                    models.Index(
                        condition=models.Q(("main", True)),
                        fields=["program_id", "listed_at", "reward_id"],
                        name="reward_listing_by_age",
                    ),
                    models.Index(
                        fields=["program_id", "currency", "listed_at", "reward_id"],
                        name="reward_listing_paid_by_age",
                    ),
                    models.Index(
                        condition=models.Q(("visible_until__isnull", False)),
                        fields=["program_id", "visible_until", "reward_id"],
                        name="reward_listing_by_end",
                    ),
                    django.contrib.postgres.indexes.GinIndex(fields=["labels"], name="reward_listing_labels"),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["words_en"], name="reward_listing_words_en"
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["words_fr"], name="reward_listing_words_fr"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("points__gte", 0)), name="reward_listing_points_not_negative"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RewardVersion",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id",
                        "reward_id",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("reward_id", models.BigIntegerField()),
                ("number", models.IntegerField()),
                ("document", palier.staff.columns.StoredJson()),
                ("sha256", models.TextField()),
                ("valid_from", models.DateTimeField()),
                ("made_by", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("reason", models.TextField()),
            ],
            options={
                "db_table": "reward_version",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("number__gt", 0)), name="reward_version_number_positive"
                    )
                ],
            },
        ),
        grants(
            app={
                "reward": "SELECT, INSERT, UPDATE",
                "reward_version": "SELECT, INSERT",
                "reward_listing": "SELECT, INSERT, UPDATE, DELETE",
            },
            auditor=["reward", "reward_version", "reward_listing"],
        ),
    ]
