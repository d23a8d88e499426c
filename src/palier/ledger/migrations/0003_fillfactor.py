"""Room for updates in place, on servers that know `fillfactor` (others: `migrate --fake` this one step)."""

from django.db import migrations

HOT_TABLES = {"wallet": 80, "lot": 80}


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_queue_tables")]

    operations = [
        migrations.RunSQL(
            f"alter table {table} set (fillfactor = {percent})", f"alter table {table} reset (fillfactor)"
        )
        for table, percent in HOT_TABLES.items()
    ]
