"""Tables of the tills room: devices, shifts, lookups, what was entered, and baskets that wait for a till."""

from typing import ClassVar

from django.db import models

from palier.staff.columns import Placement, StoredJson

DEVICE_STATES = ("expected", "enrolled", "revoked")
ENTRY_STATES = ("applied", "refused", "kept")
BASKET_STATES = ("open", "done", "withdrawn")


class TillDevice(models.Model):
    """Answers "which tablet is this, and may it still work?".

    `code_hash` is that of the one-time code by which a device that is expected makes itself known; `secret_hash` of
    what the device shows with each call since; `public_key` checks the entries that it signs (empty: it cannot sign,
    and works with the network alone). A revoked device stays, so that what it kept can be reviewed. Never stored
    here: a secret, or a private key.
    """

    placement: ClassVar[Placement] = "key"

    device_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    number = models.IntegerField()
    name = models.TextField()
    location = models.TextField()
    state = models.TextField()
    code_hash = models.BinaryField(null=True)
    code_ends_at = models.DateTimeField(null=True)
    secret_hash = models.BinaryField(null=True)
    public_key = models.BinaryField()
    created_at = models.DateTimeField()
    created_by = models.TextField()
    enrolled_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.TextField()
    seen_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "till_device"
        indexes = [
            models.Index(
                fields=["code_hash"], condition=models.Q(code_hash__isnull=False), name="till_device_by_code"
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["program_id", "number"], name="till_device_one_by_number"),
            models.CheckConstraint(
                condition=models.Q(state__in=DEVICE_STATES), name="till_device_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state="expected", code_hash__isnull=False)
                | models.Q(state="enrolled", secret_hash__isnull=False, code_hash__isnull=True)
                | models.Q(state="revoked"),
                name="till_device_code_or_secret",
            ),
        ]


class TillShift(models.Model):
    """Answers "who works at this device, since when, and how many members were looked up?".

    One for each sign-in; locked when nobody touched the till for a while. `lookups` counts all lookups, `browsed`
    those that nothing followed; both are limited. `session_id` is the staff's session, with which it ends.
    `own_member_id` is the member that the person is, whom somebody
    else must serve. Never stored here: a PIN or a password.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("device_id", "shift_id")
    device_id = models.BigIntegerField()
    shift_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    account_id = models.BigIntegerField()
    session_id = models.BigIntegerField()
    name = models.TextField()
    own_member_id = models.BigIntegerField(null=True)
    began_at = models.DateTimeField()
    used_at = models.DateTimeField()
    locked = models.BooleanField()
    ended_at = models.DateTimeField(null=True)
    lookups = models.IntegerField()
    browsed = models.IntegerField()

    class Meta:
        db_table = "till_shift"


class TillLookup(models.Model):
    """Answers "which members did this person look up, and how?" for a year, then its rows go.

    `member_id` is null where nobody was found. Never stored here: what was typed or scanned.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("device_id", "lookup_id")
    device_id = models.BigIntegerField()
    lookup_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    shift_id = models.BigIntegerField()
    account_id = models.BigIntegerField()
    member_id = models.BigIntegerField(null=True)
    how = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "till_lookup"
        indexes = [
            models.Index(fields=["device_id", "member_id", "at"], name="till_lookup_by_member"),
            models.Index(fields=["at"], name="till_lookup_by_time"),
        ]


class TillEntry(models.Model):
    """Answers "what was entered at this till, by whom, and what became of it?".

    `entry` is the device's own number for it, which with the device is the permanent id of the activity. The entry of
    a revoked device is `kept`, and applied by nobody until somebody reviews it. `sealed` holds what was signed, for
    one that is refused or kept; one that is applied is in the ledger. Never stored here: how anything was paid.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("device_id", "entry")
    device_id = models.BigIntegerField()
    entry = models.TextField()
    program_id = models.BigIntegerField()
    shift_id = models.BigIntegerField(null=True)
    account_id = models.BigIntegerField(null=True)
    kind = models.TextField()
    sha256 = models.BinaryField()
    state = models.TextField()
    code = models.TextField()
    member_id = models.BigIntegerField(null=True)
    ticket = models.TextField(null=True)
    amount = models.BigIntegerField()
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    sealed = models.BinaryField(null=True)

    class Meta:
        db_table = "till_entry"
        indexes = [
            models.Index(fields=["program_id", "account_id", "member_id", "at"], name="till_entry_by_person"),
            models.Index(
                fields=["program_id", "ticket"],
                condition=models.Q(ticket__isnull=False),
                name="till_entry_by_ticket",
            ),
            models.Index(
                fields=["program_id", "device_id"],
                condition=models.Q(state__in=("refused", "kept")),
                name="till_entry_to_review",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=ENTRY_STATES), name="till_entry_state_known"),
        ]


class TillBasket(models.Model):
    """Answers "which basket did a register announce under this ticket?" for a few hours.

    The till that takes it up credits it once: `done` by the device and entry that did. Never stored here: how it is
    paid, which is the register's business.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("ticket", "location", "program_id")
    ticket = models.TextField()
    location = models.TextField()
    program_id = models.BigIntegerField()
    amount = models.BigIntegerField()
    lines = StoredJson()
    state = models.TextField()
    posted_at = models.DateTimeField()
    posted_by = models.TextField()
    ends_at = models.DateTimeField()
    device_id = models.BigIntegerField(null=True)
    entry = models.TextField(null=True)

    class Meta:
        db_table = "till_basket"
        indexes = [models.Index(fields=["ends_at"], name="till_basket_by_end")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=BASKET_STATES), name="till_basket_state_known"
            ),
        ]


class CardCodeUse(models.Model):
    """Answers "was this member's code of this half minute used already, and where?" for an hour.

    A code that was photographed serves nobody else: the first device that reads it has it, and a code by which points
    are used is good for one act alone.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "step", "purpose")
    member_id = models.BigIntegerField()
    step = models.BigIntegerField()
    purpose = models.TextField()
    program_id = models.BigIntegerField()
    device_id = models.BigIntegerField()
    act = models.TextField()
    used_at = models.DateTimeField()

    class Meta:
        db_table = "card_code_use"
        indexes = [models.Index(fields=["used_at"], name="card_code_use_by_time")]
