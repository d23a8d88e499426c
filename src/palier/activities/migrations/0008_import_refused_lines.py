"""How many lines of an import were refused: one that took all of its file has nothing to do a second time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activities", "0007_sale_key")]

    operations = [
        migrations.AddField(
            model_name="importfile",
            name="refused_lines",
            field=models.BigIntegerField(db_default=0, default=0),
        )
    ]
