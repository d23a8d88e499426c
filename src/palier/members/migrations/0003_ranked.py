"""Whether a member is shown in rankings."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("members", "0002_key_tables")]

    operations = [
        migrations.AddField(
            model_name="member", name="ranked", field=models.BooleanField(db_default=True, default=True)
        ),
        grants(app={"member": "UPDATE (ranked)"}),
    ]
