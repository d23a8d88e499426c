"""The engine packs what is long in a member's state itself, once; the database need not try at each activity."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("activities", "0014_no_member_foreign_keys")]

    operations = [
        migrations.RunSQL(
            "alter table progress alter column state set storage external",
            "alter table progress alter column state set storage extended",
        )
    ]
