"""Room for updates in place, on servers that know `fillfactor` (others: `migrate --fake` this one step)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("activities", "0004_member_foreign_keys")]

    operations = [
        migrations.RunSQL(
            "alter table progress set (fillfactor = 70)", "alter table progress reset (fillfactor)"
        )
    ]
