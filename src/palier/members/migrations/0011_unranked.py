"""Who is in no ranking, found without reading those who are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("members", "0010_page_token_generation")]

    operations = [
        migrations.AddIndex(
            model_name="member",
            index=models.Index(
                condition=models.Q(
                    ("status", "erased"), ("left_rankings_at__isnull", False), _connector="OR"
                ),
                fields=["program_id"],
                name="member_unranked",
            ),
        ),
    ]
