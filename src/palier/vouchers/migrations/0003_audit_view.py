"""The audit contract's view of vouchers (docs/audit.md)."""

from django.db import migrations

VOUCHER = """
create view audit.voucher as
select encode(v.code_hash, 'hex') as code_hash, v.max_uses, v.uses, v.state from voucher v
"""


class Migration(migrations.Migration):
    dependencies = [("vouchers", "0002_queue_tables"), ("activities", "0006_audit_schema")]

    operations = [
        migrations.RunSQL(VOUCHER, "drop view audit.voucher"),
        migrations.RunSQL("grant select on audit.voucher to palier_app, auditor", migrations.RunSQL.noop),
    ]
