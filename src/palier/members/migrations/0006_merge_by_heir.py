"""The members that one has taken over are found without reading all merges."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("members", "0005_sign_in_code")]

    operations = [
        AddIndexConcurrently(
            model_name="membermerge",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True)),
                fields=["into_id"],
                name="member_merge_by_heir",
            ),
        )
    ]
