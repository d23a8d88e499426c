"""When members went: what was counted without it is counted anew."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("insights", "0003_fillfactor")]

    operations = [
        migrations.AddField(
            model_name="insightmember",
            name="gone",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.IntegerField(), size=None, null=True
            ),
        ),
        # A program without a state is begun anew by whoever counts next.
        migrations.RunSQL("delete from insight_state", migrations.RunSQL.noop),
    ]
