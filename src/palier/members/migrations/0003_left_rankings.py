"""Since when a member is not shown in rankings."""

from django.db import migrations, models

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("members", "0002_key_tables")]

    operations = [
        migrations.AddField(
            model_name="member", name="left_rankings_at", field=models.DateTimeField(null=True)
        ),
        grants(app={"member": "UPDATE (left_rankings_at)"}),
    ]
