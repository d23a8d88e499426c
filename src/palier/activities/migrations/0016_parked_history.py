from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activities", "0015_state_uncompressed")]

    operations = [
        migrations.AddField(
            model_name="parkedactivity",
            name="history",
            field=models.BooleanField(default=False),
        ),
    ]
