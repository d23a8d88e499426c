"""What was corrected is taken off what left and came: what was counted otherwise is counted anew."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("insights", "0004_gone")]

    # A program without a state is begun anew by whoever counts next.
    operations = [migrations.RunSQL("delete from insight_state", migrations.RunSQL.noop)]
