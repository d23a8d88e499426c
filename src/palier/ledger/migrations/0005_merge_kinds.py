"""Two more kinds of transfer: both sides of a merge of two members."""

from django.db import migrations, models

KINDS = [
    "earn",
    "release",
    "redeem",
    "hold",
    "capture",
    "unhold",
    "expire",
    "unexpire",
    "reverse",
    "debt",
    "repay",
    "restore",
    "regrant",
    "adjust",
    "transfer_out",
    "transfer_in",
    "merge_out",
    "merge_in",
]


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_transfer_settled")]

    operations = [
        migrations.RemoveConstraint(model_name="transfer", name="transfer_kind_known"),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", KINDS)), name="transfer_kind_known"
            ),
        ),
    ]
