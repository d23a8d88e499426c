"""Room for updates in place, on servers that know `fillfactor` (others: `migrate --fake` this one step)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("insights", "0002_queue_tables")]

    operations = [
        migrations.RunSQL(
            "alter table insight_member set (fillfactor = 70)",
            "alter table insight_member reset (fillfactor)",
        )
    ]
