"""The index of lots by their end goes: nothing asked it, and each new lot wrote to it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_verification")]

    operations = [migrations.RemoveIndex(model_name="lot", name="lot_by_expiry")]
