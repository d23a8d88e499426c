"""Tables of the ledger room. All amounts are integers in minor units of their currency."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from palier.staff.columns import Placement

MEMBER_ACCOUNTS = ("wallet", "pending", "hold", "debt")
"""Accounts that belong to the member of the transfer."""

SYSTEM_ACCOUNTS = ("issuance", "redemption", "breakage", "adjustment", "in_transit")
"""Accounts of the program; beside them each partner has `partner:<key>`, from which the points come that it
funds, and `partner:<key>:used`, to which those go that are used with it."""

KINDS = (
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
)
"""Kinds of transfer; docs/audit.md says which accounts each moves between and what it does to its lot."""


def _known_account(side: str) -> Q:
    known = [*MEMBER_ACCOUNTS, *SYSTEM_ACCOUNTS]
    return Q(**{f"{side}__in": known}) | Q(**{f"{side}__startswith": "partner:"})


class Transfer(models.Model):
    """Answers "what moved, from which account to which, because of which decision?": the ledger itself.

    One row is one transfer, so nothing unbalanced can be written; every other amount in the database can be
    recomputed from these rows. Rows are never changed or deleted: a correction is a new row with the two
    accounts swapped that names the one it corrects. Never stored here: its place in the sealed order
    (`block`), nor a balance.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "transfer_id")
    member_id = models.BigIntegerField()
    transfer_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    activity_id = models.BigIntegerField()
    kind = models.TextField()
    debit = models.TextField()
    credit = models.TextField()
    currency = models.TextField()
    lot_id = models.BigIntegerField(null=True)
    amount = models.BigIntegerField()
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    version = models.IntegerField()
    corrects_id = models.BigIntegerField(null=True)

    class Meta:
        db_table = "transfer"
        # Statements read the rows of partners and what expired in a period, few beside all rows: no other is in it.
        indexes = [
            models.Index(
                fields=["program_id", "effective_at"],
                condition=Q(debit__startswith="partner:")
                | Q(credit__startswith="partner:")
                | Q(kind__in=["expire", "unexpire"]),
                name="transfer_settled",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member_id", "corrects_id"],
                condition=Q(corrects_id__isnull=False),
                name="transfer_corrected_once",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_accounts_differ"),
            models.CheckConstraint(
                condition=Q(debit__in=MEMBER_ACCOUNTS) | Q(credit__in=MEMBER_ACCOUNTS),
                name="transfer_has_a_member_side",
            ),
            models.CheckConstraint(condition=_known_account("debit"), name="transfer_debit_known"),
            models.CheckConstraint(condition=_known_account("credit"), name="transfer_credit_known"),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="transfer_kind_known"),
            models.CheckConstraint(
                condition=Q(lot_id__isnull=False)
                | ~(Q(debit__in=["wallet", "hold"]) | Q(credit__in=["wallet", "hold"])),
                name="transfer_lot_named",
            ),
        ]


class Wallet(models.Model):
    """Answers "what does this member hold in this currency?" without adding up the ledger.

    `posted` is spendable plus held, `debt` what is owed (never negative). Kept under CHECK constraints and
    reconciled against the transfers by `palier verify`. Never stored here: lots, expiry, history.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "currency")
    member_id = models.BigIntegerField()
    currency = models.TextField()
    program_id = models.BigIntegerField()
    posted = models.BigIntegerField()
    pending = models.BigIntegerField()
    held = models.BigIntegerField()
    debt = models.BigIntegerField()

    class Meta:
        db_table = "wallet"
        constraints = [
            models.CheckConstraint(condition=Q(posted__gte=0), name="wallet_posted_floor"),
            models.CheckConstraint(condition=Q(pending__gte=0), name="wallet_pending_floor"),
            models.CheckConstraint(
                condition=Q(held__gte=0, held__lte=F("posted")), name="wallet_held_within_posted"
            ),
            models.CheckConstraint(condition=Q(debt__gte=0), name="wallet_debt_not_negative"),
        ]


class Lot(models.Model):
    """Answers "which points of this wallet expire when, and who funded them?".

    Points with the same fate (currency, expiry, funder) share a lot, so a wallet has few. Never stored here:
    pending points (they are in no lot yet) and the order of spending (a function of these columns).
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "lot_id")
    member_id = models.BigIntegerField()
    lot_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    currency = models.TextField()
    funder = models.TextField()
    expires_at = models.DateTimeField(null=True)
    first_earned_at = models.DateTimeField()
    earned = models.BigIntegerField()
    redeemed = models.BigIntegerField()
    expired = models.BigIntegerField()
    reversed = models.BigIntegerField()
    held = models.BigIntegerField()
    remaining = models.BigIntegerField()

    class Meta:
        db_table = "lot"
        # No index beside the key: what is due is found by `progress.due_at`, and a lot that moves stays in place.
        constraints = [
            models.CheckConstraint(
                condition=Q(earned=F("redeemed") + F("expired") + F("reversed") + F("held") + F("remaining")),
                name="lot_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(
                    earned__gte=0,
                    redeemed__gte=0,
                    expired__gte=0,
                    reversed__gte=0,
                    held__gte=0,
                    remaining__gte=0,
                ),
                name="lot_not_negative",
            ),
        ]


class Hold(models.Model):
    """Answers "what is reserved, for how long, and how did it end?".

    An open hold reserves `amount - captured`; without `expires_at` it has no deadline. Never stored here:
    which lots it reserves (the transfers of kind hold, capture and unhold say so).
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "hold_id")
    member_id = models.BigIntegerField()
    hold_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    currency = models.TextField()
    amount = models.BigIntegerField()
    captured = models.BigIntegerField()
    state = models.TextField()
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "hold"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="hold_amount_positive"),
            models.CheckConstraint(
                condition=Q(captured__gte=0, captured__lte=F("amount")), name="hold_captured_within_amount"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "captured", "released", "expired"]), name="hold_state_known"
            ),
        ]


class SealQueue(models.Model):
    """Answers "which committed transfers are not sealed yet, in which order?".

    One row per batch, written in the batch's own transaction, deleted when its transfers are in a block, so
    a transfer is always either here or sealed. `activity_ids` (with `activity_members`) are the decisions of the
    batch, those that moved nothing too; sealed, they go on to `uncounted`. Never stored here: the transfers
    themselves.
    """

    placement: ClassVar[Placement] = "queue"

    queue_id = models.BigAutoField(primary_key=True)
    program_id = models.BigIntegerField()
    member_ids = ArrayField(models.BigIntegerField())
    transfer_ids = ArrayField(models.BigIntegerField())
    recorded_at = models.DateTimeField()
    activity_members = ArrayField(models.BigIntegerField(), null=True)
    activity_ids = ArrayField(models.BigIntegerField(), null=True)

    class Meta:
        db_table = "seal_queue"


class Block(models.Model):
    """Answers "has anything in the sealed ledger changed since?": one link of a program's hash chain.

    Gives each posting its place: the k-th transfer of the arrays has postings `first_seq + 2(k-1)` (debit
    leg) and the next (credit leg). `root` covers the canonical bytes of every row (docs/audit.md);
    `row_marks` holds the first 8 bytes of each row's hash, only to name the row when the root differs.
    Insert only. Never stored here: what the transfers say.
    """

    placement: ClassVar[Placement] = "queue"

    pk = models.CompositePrimaryKey("program_id", "number")
    program_id = models.BigIntegerField()
    number = models.BigIntegerField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    rows = models.IntegerField()
    root = models.BinaryField()
    prev_root = models.BinaryField()
    row_marks = models.BinaryField()
    member_ids = ArrayField(models.BigIntegerField())
    transfer_ids = ArrayField(models.BigIntegerField())
    sealed_at = models.DateTimeField()

    class Meta:
        db_table = "block"
        constraints = [
            models.CheckConstraint(condition=Q(number__gt=0, rows__gt=0), name="block_positive"),
            models.CheckConstraint(
                condition=Q(last_seq=F("first_seq") + F("rows") * 2 - 1), name="block_two_postings_a_row"
            ),
        ]


class Verification(models.Model):
    """Answers "what did the last proof of a program's ledger find?", for those who do not read the command's output.

    `program_id` 0: all programs were proved together. One row for each, written over by the next proof. Never stored
    here: all that was found; `palier verify` finds it again.
    """

    placement: ClassVar[Placement] = "config"

    program_id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    violations = models.IntegerField()
    invariant = models.TextField()
    place = models.TextField()

    class Meta:
        db_table = "verification"
