"""Orders of a program in one state are listed without reading all orders."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rewards", "0004_dispatch")]

    operations = [
        AddIndexConcurrently(
            model_name="rewardorder",
            index=models.Index(fields=["program_id", "state", "order_id"], name="reward_order_by_state"),
        )
    ]
