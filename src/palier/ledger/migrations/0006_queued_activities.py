"""The decisions of a batch beside its transfers, for what adds them up once they are sealed."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_merge_kinds"), ("members", "0007_uncounted")]

    operations = [
        migrations.AddField(
            model_name="sealqueue",
            name=name,
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), null=True, size=None
            ),
        )
        for name in ("activity_members", "activity_ids")
    ]
