"""Tables of the staff room: who may call, what they were answered, what they did."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from palier.staff.columns import Placement, StoredJson


class ApiKey(models.Model):
    """Answers "may the bearer of this key do this in this program?" from the key's own text.

    Looked up by the key's public prefix. `partner` is empty, or the one partner whose own
    alone the key sees. Never stored here: the secret itself, only its hash; it is shown once, when it is made.
    """

    placement: ClassVar[Placement] = "key"

    prefix = models.TextField(primary_key=True)
    hash = models.BinaryField()
    program_id = models.BigIntegerField()
    name = models.TextField()
    rights = ArrayField(models.TextField())
    partner = models.TextField(default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "api_key"


class IdempotencyKey(models.Model):
    """Answers "was this write already answered, and with what?" for calls that carry an Idempotency-Key.

    `scope` is the caller and the operation, so that one caller's key never replays another's answer.
    Written in the transaction of the effect it answers. Never stored here: transient failures, and
    activities, whose ids never lapse (`activity_claim`).
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("key", "scope")
    key = models.TextField()
    scope = models.TextField()
    request_sha256 = models.BinaryField()
    status = models.IntegerField()
    response = StoredJson()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_key"


class AuditLog(models.Model):
    """Answers "who did this, in which role, when and why?" for what people and keys do to the platform.

    Each row carries the hash of the one before it, so a removed or changed row shows. Never stored here:
    what the engine decided about a member (`activity` holds that), nor secrets or personal values.
    """

    placement: ClassVar[Placement] = "queue"

    seq = models.BigAutoField(primary_key=True)
    actor = models.TextField()
    role = models.TextField()
    action = models.TextField()
    object = models.TextField()
    at = models.DateTimeField()
    reason = models.TextField()
    hash = models.BinaryField()
    prev_hash = models.BinaryField()

    class Meta:
        db_table = "audit_log"


class Throttle(models.Model):
    """Answers "how often was this tried lately without success?" for whoever tries, in all processes together.

    A row is one window of one scope (a key, a till, a code, a program); `taken` tries of it count now. Never stored
    here: what was tried, nor by which member.
    """

    placement: ClassVar[Placement] = "key"

    scope = models.TextField(primary_key=True)
    since = models.DateTimeField()
    ends_at = models.DateTimeField()
    most = models.IntegerField()
    taken = models.IntegerField()

    class Meta:
        db_table = "throttle"
