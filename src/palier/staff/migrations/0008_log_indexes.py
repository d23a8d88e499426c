"""The audit log is looked through by who did something, and by what it was done to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("staff", "0007_accounts")]

    operations = [
        migrations.AddIndex("AuditLog", models.Index(fields=["actor", "-seq"], name="audit_log_actor")),
        migrations.AddIndex("AuditLog", models.Index(fields=["object", "-seq"], name="audit_log_object")),
    ]
