"""A key of a repeated call is of its caller alone. Where it answered several operations, the first stays: sent again,
the others are refused and not done twice."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("staff", "0008_log_indexes")]

    operations = [
        migrations.RunSQL(
            """
            delete from idempotency_key i
            using idempotency_key o
            where o.key = i.key and split_part(o.scope, ' ', 1) = split_part(i.scope, ' ', 1)
              and (o.created_at, o.scope) < (i.created_at, i.scope);
            update idempotency_key set scope = split_part(scope, ' ', 1)
            """
        ),
    ]
