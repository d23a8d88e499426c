"""The foreign keys of the member group go: a batch makes both sides itself, and verification looks.

Each row that names another took a lock on it, written to its page and to the log
(docs/decisions/0019-no-foreign-keys.md).
"""

from importlib import import_module

from django.db import migrations

_FOREIGN_KEYS = import_module("palier.activities.migrations.0004_member_foreign_keys").FOREIGN_KEYS


class Migration(migrations.Migration):
    dependencies = [("activities", "0013_ranking_name")]

    operations = [
        migrations.RunSQL(f"alter table {name.split('_of_')[0]} drop constraint {name}", add)
        for name, add in _FOREIGN_KEYS.items()
    ]
