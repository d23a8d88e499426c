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


class Approval(models.Model):
    """Answers "what waits for a second person, who asked for it, and who decided it when?".

    `request` names what was asked for ever, so that asking again finds it. That the second person is not the
    first is also a constraint of the table. Never stored here: what came of it, which is where its kind is.
    """

    placement: ClassVar[Placement] = "queue"

    approval_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    kind = models.TextField()
    object = models.TextField()
    request = models.TextField()
    payload = StoredJson()
    reason = models.TextField()
    asked_by = models.TextField()
    asked_name = models.TextField()
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.TextField()
    decided_by = models.TextField()
    decided_name = models.TextField()
    decided_at = models.DateTimeField(null=True)
    decision = models.TextField()

    class Meta:
        db_table = "approval"
        constraints = [
            models.UniqueConstraint(fields=["program_id", "kind", "request"], name="approval_request_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=("asked", "approved", "refused", "expired")),
                name="approval_state_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="approved") | ~models.Q(decided_by=models.F("asked_by")),
                name="approval_second_person",
            ),
            models.CheckConstraint(
                condition=models.Q(state="asked", decided_at__isnull=True)
                | (~models.Q(state="asked") & models.Q(decided_at__isnull=False)),
                name="approval_decided_when_decided",
            ),
        ]


class AgentDay(models.Model):
    """Answers "how much has this person given and taken by hand on this local day?".

    `agent` is a key or account as the audit log names it, `used` the sum of minor units, given and taken alike.
    Never stored here: the adjustments themselves, which are activities.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("agent", "program_id", "currency", "day")
    agent = models.TextField()
    program_id = models.BigIntegerField()
    currency = models.TextField()
    day = models.TextField()
    used = models.BigIntegerField()

    class Meta:
        db_table = "agent_day"
        constraints = [
            models.CheckConstraint(condition=models.Q(used__gt=0), name="agent_day_used_above_zero")
        ]
