"""Tables of the vouchers room."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from palier.staff.columns import Placement, StoredJson

PROOFS = ("code", "member", "pin")
"""What must be shown of a voucher: its code alone, its code and its member, its code and its PIN."""
STATES = ("active", "used", "expired", "cancelled")
"""`used`: no use is left."""
USE_KINDS = ("use", "release")
POOL_STATES = ("stocked", "low", "empty")
CODE_STATES = ("free", "taken", "revealed", "withdrawn")


class Voucher(models.Model):
    """Answers "what is this code good for, for whom, until when, and how often still?" from the code's hash.

    `code_hash` is the code's HMAC under the instance's secret, and the voucher's public reference. `uses` is what
    the rows of `voucher_use` come to. `sealed` is code and PIN, encrypted, for vouchers that are shown again: those
    of a member, and those that an API call made, whose answer may be asked for again. Never stored here: a code or
    PIN in clear.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("code_hash", "program_id")
    code_hash = models.BinaryField()
    program_id = models.BigIntegerField()
    member_id = models.BigIntegerField(null=True)
    proof = models.TextField()
    proof_hash = models.BinaryField(null=True)
    effect = StoredJson()
    max_uses = models.IntegerField()
    uses = models.IntegerField()
    state = models.TextField()
    partner = models.TextField()
    valid_from = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    origin = models.TextField()
    issued_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    sealed = models.BinaryField(null=True)

    class Meta:
        db_table = "voucher"
        indexes = [
            models.Index(
                fields=["member_id"], name="voucher_by_member", condition=Q(member_id__isnull=False)
            ),
            models.Index(fields=["origin", "program_id"], name="voucher_by_origin"),
            models.Index(fields=["expires_at"], name="voucher_to_expire", condition=Q(state="active")),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=STATES), name="voucher_state_known"),
            models.CheckConstraint(condition=Q(proof__in=PROOFS), name="voucher_proof_known"),
            models.CheckConstraint(
                condition=Q(uses__gte=0, uses__lte=F("max_uses"), max_uses__gt=0),
                name="voucher_uses_in_bounds",
            ),
            models.CheckConstraint(
                condition=~Q(state="used") | Q(uses=F("max_uses")), name="voucher_used_has_none_left"
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | Q(uses__lt=F("max_uses")), name="voucher_active_has_some_left"
            ),
            models.CheckConstraint(
                condition=~Q(proof="member") | Q(member_id__isnull=False), name="voucher_bound_names_member"
            ),
            models.CheckConstraint(
                condition=~Q(proof="pin") | Q(proof_hash__isnull=False), name="voucher_pin_has_hash"
            ),
        ]


class VoucherUse(models.Model):
    """Answers "where and when was this voucher used or given back, and under which id?", exactly once each.

    A release is a row of its own that names the same source and id. Never stored here: what the use was worth (the
    basket or order that it stands in says so).
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("code_hash", "program_id", "external_id", "source", "kind")
    code_hash = models.BinaryField()
    program_id = models.BigIntegerField()
    external_id = models.TextField()
    source = models.TextField()
    kind = models.TextField()
    channel = models.TextField()
    location = models.TextField()
    actor = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "voucher_use"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=USE_KINDS), name="voucher_use_kind_known"),
        ]


class CodePool(models.Model):
    """Answers "which codes of this supplier are there, and are they running out?".

    `imported` counts the codes ever brought in; how many are free is counted from `pool_code`, so that no row is
    wanted by every taker. `state` is what was told last of its stock.
    """

    placement: ClassVar[Placement] = "queue"

    pool_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    key = models.TextField()
    name = models.TextField()
    low_at = models.IntegerField()
    state = models.TextField()
    state_at = models.DateTimeField()
    imported = models.IntegerField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "code_pool"
        constraints = [
            models.UniqueConstraint(fields=["program_id", "key"], name="code_pool_key"),
            models.CheckConstraint(condition=Q(state__in=POOL_STATES), name="code_pool_state_known"),
            models.CheckConstraint(
                condition=Q(low_at__gte=0, imported__gte=0), name="code_pool_not_negative"
            ),
        ]


class PoolCode(models.Model):
    """Answers "which of the supplier's codes went to which order, and who saw it first, when?".

    `sealed` is the code (and its PIN and address, where it has them), encrypted under a key that the database does
    not have; `code_hash`, its HMAC, tells a code that comes a second time. Never stored here: a code in clear.
    """

    placement: ClassVar[Placement] = "queue"

    code_id = models.BigIntegerField(primary_key=True)
    pool_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    code_hash = models.BinaryField()
    sealed = models.BinaryField()
    expires_at = models.DateTimeField(null=True)
    state = models.TextField()
    imported_at = models.DateTimeField()
    order_ref = models.TextField(null=True)
    taken_at = models.DateTimeField(null=True)
    revealed_to = models.TextField(null=True)
    revealed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "pool_code"
        indexes = [
            models.Index(
                fields=["pool_id", "expires_at", "code_id"], name="pool_code_free", condition=Q(state="free")
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["code_hash", "program_id"], name="pool_code_once"),
            models.UniqueConstraint(
                fields=["order_ref", "program_id"],
                name="pool_code_one_an_order",
                condition=Q(order_ref__isnull=False),
            ),
            models.CheckConstraint(condition=Q(state__in=CODE_STATES), name="pool_code_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=("free", "withdrawn"), order_ref__isnull=True, taken_at__isnull=True)
                | Q(state__in=("taken", "revealed"), order_ref__isnull=False, taken_at__isnull=False),
                name="pool_code_taken_names_order",
            ),
            models.CheckConstraint(
                condition=Q(state="revealed", revealed_at__isnull=False, revealed_to__isnull=False)
                | (~Q(state="revealed") & Q(revealed_at__isnull=True, revealed_to__isnull=True)),
                name="pool_code_revealed_says_to_whom",
            ),
        ]
