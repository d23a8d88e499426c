"""Tables of the rewards room."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q

from palier.staff.columns import Placement, StoredJson


class Reward(models.Model):
    """Answers "which reward is meant by this key, and which version of it holds?".

    `version` is the one in force when it was last looked at, 0 before the first begins; `next_at` is when another
    takes its place. Never stored here: what the reward is; that is its versions.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "reward_id")
    program_id = models.BigIntegerField()
    reward_id = models.BigIntegerField()
    key = models.TextField()
    version = models.IntegerField()
    latest = models.IntegerField()
    next_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        db_table = "reward"
        constraints = [
            models.UniqueConstraint(fields=["program_id", "key"], name="reward_key_unique"),
            models.CheckConstraint(condition=Q(version__gte=0), name="reward_version_not_negative"),
            models.CheckConstraint(
                condition=Q(latest__gte=models.F("version")), name="reward_latest_is_last"
            ),
        ]
        indexes = [
            models.Index(
                fields=["program_id", "next_at"], condition=Q(next_at__isnull=False), name="reward_next"
            )
        ]


class RewardVersion(models.Model):
    """Answers "what exactly was offered, at which price and limit, when this was ordered, and who set it so?".

    One immutable document, addressed by its hash; insert only. Of the versions that have begun, the one that began
    last holds. Never stored here: stock that is left.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "reward_id", "number")
    program_id = models.BigIntegerField()
    reward_id = models.BigIntegerField()
    number = models.IntegerField()
    document = StoredJson()
    sha256 = models.TextField()
    valid_from = models.DateTimeField()
    made_by = models.TextField()
    made_at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        db_table = "reward_version"
        constraints = [
            models.CheckConstraint(condition=Q(number__gt=0), name="reward_version_number_positive"),
        ]


class RewardListing(models.Model):
    """Answers "what can be browsed by filter, word and price?" without opening a document.

    Derived from the version in force of what is live or paused: one row for each point currency in which a reward
    can be paid (`main` the first of them), or one without any. `points` are those of its cheapest price. Never
    stored here: anything that is not searched or sorted by.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "reward_id", "currency")
    program_id = models.BigIntegerField()
    reward_id = models.BigIntegerField()
    currency = models.TextField()
    main = models.BooleanField()
    version = models.IntegerField()
    points = models.BigIntegerField()
    listed_at = models.DateTimeField()
    visible_from = models.DateTimeField(null=True)
    visible_until = models.DateTimeField(null=True)
    labels = ArrayField(models.TextField())
    words_en = SearchVectorField()
    words_fr = SearchVectorField()

    class Meta:
        db_table = "reward_listing"
        constraints = [
            models.CheckConstraint(condition=Q(points__gte=0), name="reward_listing_points_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["program_id", "currency", "points", "reward_id"], name="reward_listing_by_price"
            ),
            models.Index(
                fields=["program_id", "listed_at", "reward_id"],
                condition=Q(main=True),
                name="reward_listing_by_age",
            ),
            models.Index(
                fields=["program_id", "currency", "listed_at", "reward_id"],
                name="reward_listing_paid_by_age",
            ),
            models.Index(
                fields=["program_id", "visible_until", "reward_id"],
                condition=Q(visible_until__isnull=False),
                name="reward_listing_by_end",
            ),
            GinIndex(fields=["labels"], name="reward_listing_labels"),
            GinIndex(fields=["words_en"], name="reward_listing_words_en"),
            GinIndex(fields=["words_fr"], name="reward_listing_words_fr"),
        ]


# --- orders -------------------------------------------------------------------------------------------------

ORDER_STATES = (
    "waiting", "reserved", "fulfilling", "done", "partly_refunded", "refunded", "released", "expired", "failed",
    "cancelled",
)  # fmt: skip
"""What an order can be in; `rewards.states` says what follows what."""


class RewardStock(models.Model):
    """Answers "is there one left?" for whatever is counted: a reward, a variant, a slot, a chance, a period.

    `total` is how many there are (null: without end, counted all the same), `held` those of orders that are open,
    `sold` those that were handed out, `waiting` the members in line for a place. Moves under its row's lock in
    the transaction of the order. Never stored here: which orders (`reward_order` says what each keeps).
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("key", "program_id")
    key = models.TextField()
    program_id = models.BigIntegerField()
    total = models.BigIntegerField(null=True)
    held = models.BigIntegerField()
    sold = models.BigIntegerField()
    waiting = models.BigIntegerField()

    class Meta:
        db_table = "reward_stock"
        constraints = [
            models.CheckConstraint(
                condition=Q(held__gte=0, sold__gte=0, waiting__gte=0), name="reward_stock_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(total__isnull=True) | Q(total__gte=F("held") + F("sold")),
                name="reward_stock_not_oversold",
            ),
        ]


class RewardOrder(models.Model):
    """Answers "what did this member order, at which price, and how far is it?".

    The price and the version of the reward are those agreed on. `points` names the facts that hold or spent the
    points; `stock_held` and `stock_sold` what the order keeps of each row of `reward_stock`. Never stored here:
    amounts of the ledger (`transfer`), addresses (`order_address`), codes (`voucher`).
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "order_id")
    member_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    reward_id = models.BigIntegerField()
    reward_key = models.TextField()
    version = models.IntegerField()
    kind = models.TextField()
    state = models.TextField()
    quantity = models.BigIntegerField()
    units = models.BigIntegerField()
    refunded_units = models.BigIntegerField()
    price = StoredJson()
    points = StoredJson()
    stock_held = StoredJson()
    stock_sold = StoredJson()
    variant = models.TextField(null=True)
    slot = models.TextField(null=True)
    source = models.TextField()
    external_id = models.TextField()
    partner = models.TextField(null=True)
    channel = models.TextField(null=True)
    location = models.TextField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    steps = models.BigIntegerField()
    details = StoredJson()

    class Meta:
        db_table = "reward_order"
        indexes = [
            models.Index(
                fields=["program_id", "expires_at"],
                condition=Q(state__in=["waiting", "reserved"]),
                name="reward_order_due",
            ),
            models.Index(
                fields=["program_id", "order_id"],
                condition=Q(state__in=["waiting", "reserved", "fulfilling"]),
                name="reward_order_open",
            ),
            models.Index(fields=["member_id", "reward_key"], name="reward_order_by_reward"),
            models.Index(fields=["program_id", "state", "order_id"], name="reward_order_by_state"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ORDER_STATES), name="reward_order_state_known"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, units__gte=1, refunded_units__gte=0)
                & Q(refunded_units__lte=F("units")),
                name="reward_order_units_within",
            ),
        ]


class OrderEvent(models.Model):
    """Answers "when did this order change, by whom, and why?": one row per step, numbered from 1. Append-only.

    Never stored here: what the change did to points (`activity`) and stock (`reward_stock`).
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "order_id", "number")
    member_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    number = models.BigIntegerField()
    program_id = models.BigIntegerField()
    from_state = models.TextField(null=True)
    to_state = models.TextField()
    units = models.BigIntegerField()
    at = models.DateTimeField()
    actor = models.TextField()
    reason = models.TextField()

    class Meta:
        db_table = "order_event"


class OrderClaim(models.Model):
    """Answers "was this id of an order ever used, for what, and which order is it?", for ever.

    Never stored here: the order itself (`reward_order`), refusals (they leave nothing behind).
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("external_id", "source", "program_id")
    external_id = models.TextField()
    source = models.TextField()
    program_id = models.BigIntegerField()
    member_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    sha256 = models.BinaryField()
    claimed_at = models.DateTimeField()

    class Meta:
        db_table = "order_claim"


class RewardItem(models.Model):
    """Answers "what does this member hold from his orders, and what is left of it?": one row per thing and unit.

    `uses_left` is null for what is not counted. Never stored here: codes (`voucher`, `pool_code`), addresses.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "item_id")
    member_id = models.BigIntegerField()
    item_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    unit = models.BigIntegerField()
    reward_key = models.TextField()
    kind = models.TextField()
    state = models.TextField()
    uses_left = models.BigIntegerField(null=True)
    valid_from = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True)
    details = StoredJson()

    class Meta:
        db_table = "reward_item"
        indexes = [
            models.Index(fields=["member_id", "order_id"], name="reward_item_by_order"),
            models.Index(
                fields=["program_id", "reward_key", "item_id"],
                condition=Q(kind="entry", state="open"),
                name="reward_item_entries",
            ),
            models.Index(
                fields=["program_id", "valid_from"],
                condition=Q(kind="delivery", state="planned"),
                name="reward_item_deliveries",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(uses_left__isnull=True) | Q(uses_left__gte=0),
                name="reward_item_uses_not_negative",
            ),
        ]


class OrderAddress(models.Model):
    """Answers "where is this order sent?", encrypted, until the member is erased.

    Never stored here: anything in clear; the key stands outside the database.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "order_id")
    member_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    sealed = models.BinaryField()

    class Meta:
        db_table = "order_address"


class SweepstakeDraw(models.Model):
    """Answers "who won, among how many, and could it have been known before?": one row per sweepstake.

    Made when the first entry is sold, with the commitment of the month of the draw; filled in once, when it is
    drawn. Never stored here: the seed (`draw_seed`), the entries (`reward_item`).
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "reward_key", "draw_at")
    program_id = models.BigIntegerField()
    reward_key = models.TextField()
    draw_at = models.DateTimeField()
    period = models.TextField()
    drawn = models.TextField(null=True)
    entries = models.BigIntegerField(null=True)
    entries_sha256 = models.BinaryField(null=True)
    winners = StoredJson(null=True)
    drawn_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sweepstake_draw"


DISPATCH_OPEN = "('queued', 'sent', 'unknown', 'accepted')"
"""States in which a dispatch is still under way, as SQL."""
DISPATCH_STATES = ("queued", "sent", "unknown", "accepted", "delivered", "refused", "dead", "cancelled")
"""States of a dispatch."""


class Supplier(models.Model):
    """Answers "who fulfils for this program from outside, and how is he spoken to?".

    His document, and his secrets encrypted under a key that is not in the database. Never stored here: how he is
    doing (`supplier_health`), what he was asked (`dispatch`), what he sells (`reward`).
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "key")
    program_id = models.BigIntegerField()
    key = models.TextField()
    document = StoredJson()
    sha256 = models.TextField()
    secrets = models.BinaryField(null=True)
    paused = models.BooleanField()
    changed_at = models.DateTimeField()
    changed_by = models.TextField()

    class Meta:
        db_table = "supplier"


class Dispatch(models.Model):
    """Answers "what is a supplier still to be told about which order, and what came of it?": an outbox.

    Written with the order that waits for it. `request_id` is the order's own and never changes; `token` rises with
    each claim, so that who was too slow writes nothing; `unsure` remembers that a question was not answered.
    `units` (codes) are encrypted. Never stored here: points, prices, addresses, what the member holds.
    """

    placement: ClassVar[Placement] = "queue"

    dispatch_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    member_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    part = models.IntegerField()
    supplier = models.TextField()
    request_id = models.TextField()
    payload = StoredJson()
    state = models.TextField()
    attempts = models.IntegerField()
    unsure = models.BooleanField()
    cancel_wanted = models.BooleanField()
    token = models.BigIntegerField()
    claimed_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    reference = models.TextField()
    reason = models.TextField()
    cost_minor = models.BigIntegerField(null=True)
    cost_currency = models.TextField(null=True)
    units = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "dispatch"
        constraints = [
            models.UniqueConstraint(fields=["request_id"], name="dispatch_request_unique"),
            models.CheckConstraint(condition=Q(state__in=DISPATCH_STATES), name="dispatch_state_known"),
            models.CheckConstraint(condition=Q(attempts__gte=0), name="dispatch_attempts_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["program_id", "supplier", "next_at"],
                condition=Q(state__in=("queued", "sent", "unknown", "accepted")),
                name="dispatch_due",
            ),
            models.Index(fields=["order_id"], name="dispatch_by_order"),
        ]


class SupplierHealth(models.Model):
    """Answers "may this supplier be asked now, and how much is left with him?".

    Failures one after the other, until when he is left alone, and the last balance he told. Never stored here: what
    he was asked (`dispatch`).
    """

    placement: ClassVar[Placement] = "queue"

    pk = models.CompositePrimaryKey("program_id", "key")
    program_id = models.BigIntegerField()
    key = models.TextField()
    failures = models.IntegerField()
    rests_until = models.DateTimeField(null=True)
    reason = models.TextField()
    balance_minor = models.BigIntegerField(null=True)
    balance_currency = models.TextField(null=True)
    balance_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "supplier_health"
