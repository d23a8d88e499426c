"""Tables of the pay-outs room: where money goes, what is to be paid, and the files it was paid by."""

from typing import ClassVar

from django.db import models

from palier.staff.columns import Placement, StoredJson

STATES = ("asked", "approved", "in_file", "sent", "paid", "returned", "refused")
BATCH_STATES = ("asked", "approved", "refused", "written", "sent", "closed")


class BankAccount(models.Model):
    """Answers "where does this member want money to go?".

    `sealed` holds IBAN and holder, readable only with the installation's secret; `last4` and `country` are all
    that is ever shown. Removed with the member. Never stored here: what was paid, nor a mandate, as nothing is ever
    debited.
    """

    placement: ClassVar[Placement] = "member"

    member_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    sealed = models.BinaryField()
    last4 = models.TextField()
    country = models.TextField()
    set_at = models.DateTimeField()
    set_by = models.TextField()

    class Meta:
        db_table = "bank_account"


class Payout(models.Model):
    """Answers "what is to be paid to whom, by which file, and what became of it?".

    `amount` is minor units of `money`. Points stand behind it: those that a hold (`hold_source`, `hold_id`) set aside
    until the file is made, or those that an order (`order_id`, `unit`) took. `sealed` is where it goes, fixed when it
    is collected, and gone with the member. Never stored here: how points moved, which is in the ledger.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "payout_id")
    member_id = models.BigIntegerField()
    payout_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    purpose = models.TextField()
    currency = models.TextField()
    points = models.BigIntegerField()
    amount = models.BigIntegerField()
    money = models.TextField()
    state = models.TextField()
    hold_source = models.TextField()
    hold_id = models.TextField()
    hold_activity_id = models.BigIntegerField(null=True)
    order_id = models.BigIntegerField(null=True)
    unit = models.IntegerField(null=True)
    text = models.TextField()
    sealed = models.BinaryField(null=True)
    last4 = models.TextField()
    country = models.TextField()
    batch_id = models.BigIntegerField(null=True)
    asked_at = models.DateTimeField()
    asked_by = models.TextField()
    changed_at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        db_table = "payout"
        indexes = [
            models.Index(fields=["program_id", "state", "payout_id"], name="payout_by_state"),
            models.Index(
                fields=["batch_id"], condition=models.Q(batch_id__isnull=False), name="payout_by_batch"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member_id", "hold_source", "hold_id"],
                condition=~models.Q(hold_id=""),
                name="payout_one_by_hold",
            ),
            models.CheckConstraint(condition=models.Q(state__in=STATES), name="payout_state_known"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="payout_amount_above_zero"),
            models.CheckConstraint(
                condition=models.Q(state__in=("asked", "refused")) | models.Q(batch_id__isnull=False),
                name="payout_batch_before_approval",
            ),
        ]


class PayoutEvent(models.Model):
    """Answers "who moved this pay-out from which state to which, and when?". Only ever added to."""

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "event_id")
    member_id = models.BigIntegerField()
    event_id = models.BigIntegerField()
    payout_id = models.BigIntegerField()
    from_state = models.TextField()
    to_state = models.TextField()
    at = models.DateTimeField()
    actor = models.TextField()
    reason = models.TextField()

    class Meta:
        db_table = "payout_event"


class PayoutBatch(models.Model):
    """Answers "which pay-outs go to the bank together, who approved them, and which bytes were written?".

    Once it is written its identifiers, day, payer and hash never change: the same file can be made again, and no
    other. Never stored here: the file itself.
    """

    placement: ClassVar[Placement] = "queue"

    batch_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    method = models.TextField()
    money = models.TextField()
    state = models.TextField()
    payouts = models.IntegerField()
    total = models.BigIntegerField()
    payer = StoredJson()
    message_id = models.TextField()
    execution_on = models.DateField(null=True)
    written_at = models.DateTimeField(null=True)
    sha256 = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    created_by = models.TextField()
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "payout_batch"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=BATCH_STATES), name="payout_batch_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(method__in=("sepa", "csv")), name="payout_batch_method_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=("asked", "approved", "refused"))
                | models.Q(sha256__isnull=False, execution_on__isnull=False, written_at__isnull=False),
                name="payout_batch_written_whole",
            ),
        ]


class Payer(models.Model):
    """Answers "from which account does this program pay?". Each change of it is in the audit log."""

    placement: ClassVar[Placement] = "config"

    program_id = models.BigIntegerField(primary_key=True)
    name = models.TextField()
    iban = models.TextField()
    bic = models.TextField()
    changed_at = models.DateTimeField()
    changed_by = models.TextField()

    class Meta:
        db_table = "payer"
