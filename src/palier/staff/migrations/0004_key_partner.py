"""Keys that see one partner's own and nothing else."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("staff", "0003_audit_log")]

    operations = [
        # With a default in the database, so that a process of before goes on making keys.
        migrations.AddField("apikey", "partner", models.TextField(db_default="")),
    ]
