"""Keys that see one partner's own and nothing else."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("staff", "0003_audit_log")]

    operations = [
        migrations.AddField("apikey", "partner", models.TextField(default="")),
    ]
