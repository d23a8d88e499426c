"""What statements of partners read; built beside the ledger's writers."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0003_fillfactor")]

    operations = [
        AddIndexConcurrently(
            "transfer",
            models.Index(
                fields=["program_id", "effective_at"],
                condition=models.Q(
                    ("debit__startswith", "partner:"),
                    ("credit__startswith", "partner:"),
                    ("kind__in", ["expire", "unexpire"]),
                    _connector="OR",
                ),
                name="transfer_settled",
            ),
        ),
    ]
