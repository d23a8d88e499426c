"""Tables of the rewards room."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

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
                fields=["program_id", "visible_until", "reward_id"],
                condition=Q(main=True, visible_until__isnull=False),
                name="reward_listing_by_end",
            ),
            GinIndex(fields=["labels"], name="reward_listing_labels"),
            GinIndex(fields=["words_en"], name="reward_listing_words_en"),
            GinIndex(fields=["words_fr"], name="reward_listing_words_fr"),
        ]
