"""Tables of the members room."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from palier.staff.columns import Placement, StoredJson


class Member(models.Model):
    """Answers "who is enrolled in this program, since when, and may they earn and spend?".

    `member_id` never changes. Never stored here: points or tier (`wallet`, `progress`), nor the values that
    find the member (`identity`, as keyed hashes).
    """

    placement: ClassVar[Placement] = "member"

    member_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    status = models.TextField()
    enrolled_at = models.DateTimeField()
    attributes = StoredJson()
    locale = models.TextField()
    time_zone = models.TextField(null=True)
    left_rankings_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "member"
        indexes = [
            models.Index(fields=["program_id", "member_id"], name="member_by_program"),
            # Few beside all: how many are gone is counted without looking at those who are there.
            models.Index(
                fields=["program_id"], condition=Q(status__in=["erased", "merged"]), name="member_gone"
            ),
            # Few beside all: who stands above one in a ranking is counted with them, and they are taken off again.
            models.Index(
                fields=["program_id"],
                condition=Q(status="erased") | Q(left_rankings_at__isnull=False),
                name="member_unranked",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(member_id__gte=0), name="member_id_not_negative"),
            models.CheckConstraint(
                condition=Q(status__in=["active", "frozen", "erased", "merged"]), name="member_status_known"
            ),
        ]


class Identity(models.Model):
    """Answers "which member has this card, e-mail, phone or external id?" without storing the value.

    `value_hash` is the value's HMAC under the instance's secret. Never stored here: the value in clear.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("value_hash", "kind", "program_id")
    value_hash = models.BinaryField()
    kind = models.TextField()
    program_id = models.BigIntegerField()
    member_id = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "identity"
        indexes = [models.Index(fields=["member_id"], name="identity_by_member")]


class MemberMerge(models.Model):
    """Answers "into which member was this one merged, when, why, and what must come back if that was wrong?"

    One row for each merge; `ended_at` is set when it is undone, and at most one stands. `identities` are those that
    moved, by hash. Never stored here: the points that moved (the facts and transfers of both members).
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "merge_id")
    member_id = models.BigIntegerField()
    merge_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    into_id = models.BigIntegerField()
    source = models.TextField()
    external_id = models.TextField()
    reason = models.TextField()
    actor = models.TextField()
    identities = ArrayField(models.BinaryField())
    merged_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "member_merge"
        indexes = [
            models.Index(fields=["into_id"], condition=Q(ended_at__isnull=True), name="member_merge_by_heir")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member_id"], condition=Q(ended_at__isnull=True), name="member_merge_stands_once"
            ),
            models.CheckConstraint(condition=~Q(member_id=models.F("into_id")), name="member_merge_of_two"),
        ]


class Uncounted(models.Model):
    """Answers "which members, decisions and orders has nobody added up yet?" for the figures of a program.

    Written in the transaction of what it names (decisions: when they are sealed), removed in that of the figures, so
    each is counted once. `row_ids` are transfers, activities or orders, beside their members; null for members.
    Never stored here: what they say.
    """

    placement: ClassVar[Placement] = "queue"

    queue_id = models.BigAutoField(primary_key=True)
    program_id = models.BigIntegerField()
    what = models.TextField()
    member_ids = ArrayField(models.BigIntegerField())
    row_ids = ArrayField(models.BigIntegerField(), null=True)

    class Meta:
        db_table = "uncounted"
        indexes = [models.Index(fields=["program_id", "queue_id"], name="uncounted_by_program")]
        constraints = [
            models.CheckConstraint(
                condition=Q(what__in=["member", "transfer", "activity", "order"]), name="uncounted_what_known"
            ),
        ]


class SignInCode(models.Model):
    """Answers "is this the code that was sent to this contact just now?" for members who sign in or join.

    One per contact, for ten minutes and five tries. Never stored here: the contact or the code in clear, nor
    whether a member has the contact.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("contact_hash", "program_id")
    contact_hash = models.BinaryField()
    program_id = models.BigIntegerField()
    code_hash = models.BinaryField()
    expires_at = models.DateTimeField()
    tries_left = models.IntegerField()

    class Meta:
        db_table = "sign_in_code"
        constraints = [
            models.CheckConstraint(condition=Q(tries_left__gte=0), name="sign_in_code_tries_not_negative"),
        ]


class MemberSession(models.Model):
    """Answers "on which devices is this member signed in, since when, and may this one go on?".

    A row for each sign-in; ended by the member, by its limits, or with the member. `device` is a browser and a system
    in words; `came_by` the hash of the identity that was proved. Never stored here: addresses, or what a browser
    says of itself in full.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "session_id")
    member_id = models.BigIntegerField()
    session_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    secret_hash = models.BinaryField()
    way = models.TextField()
    came_by = models.BinaryField(null=True)
    device = models.TextField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "member_session"


class Passkey(models.Model):
    """Answers "which member does this passkey sign in, and was it copied?" from what the device presents.

    Found by the credential's id, which the device made. `sign_count` never goes back. Never stored here: anything
    secret; the private key does not leave the device.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("credential_id", "program_id")
    credential_id = models.BinaryField()
    program_id = models.BigIntegerField()
    member_id = models.BigIntegerField()
    public_key = models.BinaryField()
    sign_count = models.BigIntegerField()
    device = models.TextField()
    added_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "passkey"
        indexes = [models.Index(fields=["member_id"], name="passkey_by_member")]


class MemberOrigin(models.Model):
    """Answers "through which door did this member come, and by which campaign's link?".

    Never stored here: who brought him (`progress`), nor where he clicked before.
    """

    placement: ClassVar[Placement] = "member"

    member_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    via = models.TextField()
    campaign = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "member_origin"


class PageTokenGeneration(models.Model):
    """Answers "which page tokens of a program still show a member?": those signed with its generation.

    No row: generation 0. Ending all that are out raises it. Never stored here: a token.
    """

    placement: ClassVar[Placement] = "config"

    program_id = models.BigIntegerField(primary_key=True)
    generation = models.IntegerField()
    raised_at = models.DateTimeField()
    raised_by = models.TextField()

    class Meta:
        db_table = "page_token_generation"
