"""How many members are gone, found without reading those who are there."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("members", "0008_sign_ins")]

    operations = [
        migrations.AddIndex(
            model_name="member",
            index=models.Index(
                condition=models.Q(("status__in", ["erased", "merged"])),
                fields=["program_id"],
                name="member_gone",
            ),
        ),
    ]
