"""Tables of the staff room: who may call, what they were answered, what they did."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from palier.staff.columns import Placement, StoredJson
from palier.staff.roles import ROLES


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

    `scope` is the caller, so that one caller's key never replays another's answer.
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
        indexes = [
            models.Index(fields=["actor", "-seq"], name="audit_log_actor"),
            models.Index(fields=["object", "-seq"], name="audit_log_object"),
        ]


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


class StaffAccount(models.Model):
    """Answers "who is this person of the staff, and by what does he prove it?".

    `password` and `pin` are slow hashes (the PIN's under a pepper), `second_factor` the encrypted secret of his
    authenticator once he has confirmed it, `second_factor_step` the last step that was used, `recovery` the hashes of
    the codes that are left, `invitation` the hash of the link by which he sets his password. Never stored here: what
    he may do (`staff_grant`), nor where he is signed in (`staff_session`).
    """

    placement: ClassVar[Placement] = "config"

    account_id = models.BigIntegerField(primary_key=True)
    email = models.TextField(unique=True)
    name = models.TextField()
    language = models.TextField(default="en")
    password = models.TextField(default="")
    pin = models.TextField(default="")
    second_factor = models.BinaryField(null=True)
    second_factor_step = models.BigIntegerField(default=0)
    recovery = ArrayField(models.BinaryField(), default=list)
    invitation = models.BinaryField(null=True)
    invitation_ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "staff_account"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="staff_account_email_lower"
            ),
        ]


class StaffGrant(models.Model):
    """Answers "in which programs does this person work, and as what?".

    `program_id` 0 is every program, those to come too; `partner` is set for the role partner alone. Never stored
    here: the rights of a role, which the code says.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("account_id", "program_id", "role")
    account_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    role = models.TextField()
    partner = models.TextField(default="")
    granted_at = models.DateTimeField()
    granted_by = models.TextField()

    class Meta:
        db_table = "staff_grant"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=ROLES) & (models.Q(role="partner") | models.Q(partner="")),
                name="staff_grant_role_known",
            ),
        ]


class StaffSession(models.Model):
    """Answers "where is this person signed in, and since when?", so that he sees it and can end it.

    `face` is console or till; `proved_at` when the second factor was last shown, without which no page opens. The
    browser's cookie names a row of `django_session`, which names this one. Never stored here: whole addresses.
    """

    placement: ClassVar[Placement] = "key"

    session_id = models.BigIntegerField(primary_key=True)
    account_id = models.BigIntegerField()
    face = models.TextField()
    address = models.TextField()
    agent = models.TextField()
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    proved_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "staff_session"
        indexes = [models.Index(fields=["account_id", "created_at"], name="staff_session_account")]
