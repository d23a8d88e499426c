"""Tables of the insights room: what was counted, by day and by member. Nothing here moves a point.

All of it can be made again from members, activities, transfers and orders: `palier insights PROGRAM --recount`.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from palier.staff.columns import Placement


class InsightDay(models.Model):
    """Answers "how much of this was there on that day?" for every figure of a program, without reading the ledger.

    One row for each measure (`palier.insights.measures`), what it is of (`key`) and the local day on which it
    **happened**: what arrives late, and what a correction changes, moves the row of its own day. Amounts are minor
    units. Never stored here: who it was (`insight_member`), nor sums over days.
    """

    placement: ClassVar[Placement] = "queue"

    pk = models.CompositePrimaryKey("program_id", "measure", "key", "day")
    program_id = models.BigIntegerField()
    measure = models.TextField()
    key = models.TextField()
    day = models.DateField()
    value = models.BigIntegerField()

    class Meta:
        db_table = "insight_day"


class InsightMember(models.Model):
    """Answers "is this new of this member?" when a decision is counted: a day on which he was active, a rule that
    had not reached him, his first reward, another tier; and what he is counted by, when he goes.

    `days` are the local days on which he did something himself, in order; `gone` those on which he went (erased, or
    merged into another) and came back, by turns (null: never); days are counted from 1970. Never stored here: amounts
    (`wallet`), anything that decides.
    """

    placement: ClassVar[Placement] = "member"

    member_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    days = ArrayField(models.IntegerField())
    rewarded_on = models.IntegerField(null=True)
    tier = models.TextField()
    tier_at = models.BigIntegerField()
    tier_id = models.BigIntegerField()
    rules = ArrayField(models.TextField())
    gone = ArrayField(models.IntegerField(), null=True)

    class Meta:
        db_table = "insight_member"


class InsightState(models.Model):
    """Answers "how far has this program been counted, in which time zone?": one row a program, locked while counting.

    `begun` is set while everything is counted again from nothing. Never stored here: figures.
    """

    placement: ClassVar[Placement] = "queue"

    program_id = models.BigIntegerField(primary_key=True)
    zone = models.TextField()
    counted_at = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "insight_state"
