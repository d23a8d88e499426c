"""Tables of the privacy room: what members allowed, accepted, were told, and asked to be forgotten."""

from typing import ClassVar

from django.db import models

from palier.staff.columns import Placement, StoredJson

STATES = ("given", "withdrawn")
BASES = ("consent", "contract", "legitimate_interest", "legal_duty")
ACCEPTANCES = ("accepted", "acknowledged")


class ConsentText(models.Model):
    """Answers "which words were shown to whoever gave this consent?" by the hash that the consent names.

    A text is written once for each language and never changes: other words are another row. Never stored here: who
    was shown it (`consent`).
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "sha256")
    program_id = models.BigIntegerField()
    sha256 = models.BinaryField()
    text_id = models.TextField()
    language = models.TextField()
    body = models.TextField()
    first_shown_at = models.DateTimeField()

    class Meta:
        db_table = "consent_text"


class Consent(models.Model):
    """Answers "did this member allow this, for this channel and recipient, when, where, and shown which words?".

    One row for each change, never changed: of one purpose, channel and recipient the latest holds. Kept after the
    member is erased, as the proof of what was allowed; it names nobody. Never stored here: the words (`consent_text`).
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "consent_id")
    member_id = models.BigIntegerField()
    consent_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    purpose = models.TextField()
    channel = models.TextField()
    recipient = models.TextField()
    state = models.TextField()
    basis = models.TextField()
    text_id = models.TextField()
    language = models.TextField()
    text_sha256 = models.BinaryField()
    via = models.TextField()
    actor = models.TextField()
    at = models.DateTimeField()
    proof = models.TextField()

    class Meta:
        db_table = "consent"
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=STATES), name="consent_state_known"),
            models.CheckConstraint(condition=models.Q(basis__in=BASES), name="consent_basis_known"),
        ]


class TermsAcceptance(models.Model):
    """Answers "which version of the program did this member accept or take note of, in which words, when?".

    `sha256` is the hash of the page as it was shown, `document_sha256` that of the version's document. Rows are never
    changed. Never stored here: the version itself (`program_version`).
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "acceptance_id")
    member_id = models.BigIntegerField()
    acceptance_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    kind = models.TextField()
    version = models.IntegerField()
    document_sha256 = models.TextField()
    language = models.TextField()
    sha256 = models.BinaryField()
    via = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "terms_acceptance"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=ACCEPTANCES), name="terms_acceptance_kind_known"
            ),
        ]


class MemberMessage(models.Model):
    """Answers "what did the program tell this member, and has he read it?".

    `facts` holds what the kind's sentence is made of, so that it is read in the reader's language. Deleted with the
    member. Never stored here: messages to anyone else, nor what was sent by letter.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "message_id")
    member_id = models.BigIntegerField()
    message_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    kind = models.TextField()
    facts = StoredJson()
    once = models.TextField(null=True)
    told_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "member_message"
        constraints = [
            models.UniqueConstraint(fields=["member_id", "once"], name="member_message_once"),
        ]


class ErasureRequest(models.Model):
    """Answers "who asked for this member to be erased, when is it due, and what came of it?".

    At most one is open. Undone while `due_at` lies ahead; `done_at` once it was carried out. `settled` says in figures
    what was forgotten. Never stored here: anything that was forgotten.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "request_id")
    member_id = models.BigIntegerField()
    request_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    via = models.TextField()
    actor = models.TextField()
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    waits_for = models.TextField()
    undone_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    settled = StoredJson(null=True)

    class Meta:
        db_table = "erasure_request"
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(done_at__isnull=True, undone_at__isnull=True),
                name="erasure_request_due",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member_id"],
                condition=models.Q(done_at__isnull=True, undone_at__isnull=True),
                name="erasure_request_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(done_at__isnull=True) | models.Q(undone_at__isnull=True),
                name="erasure_request_one_end",
            ),
        ]
