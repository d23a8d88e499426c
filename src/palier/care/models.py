"""Tables of the care room: cases with their messages, surveys with their answers, and wishes."""

from typing import ClassVar

from django.db import models

from palier.staff.columns import Placement, StoredJson

STATES = ("open", "answered", "closed")


class SupportCase(models.Model):
    """Answers "what does this member say is wrong, about which line of his account, and whose turn is it?".

    Open: the shop's turn; answered: the member's. Goes with the member when he is erased. Never stored here: what
    was said (`case_message`), nor what a correction moved, which is in the ledger.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "case_id")
    member_id = models.BigIntegerField()
    case_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    activity_id = models.BigIntegerField(null=True)
    state = models.TextField()
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "support_case"
        indexes = [
            models.Index(
                fields=["program_id", "state", "changed_at", "case_id"], name="support_case_by_state"
            )
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=STATES), name="support_case_state_known")
        ]


class CaseMessage(models.Model):
    """Answers "who said what in this case, in which order?". Written once; goes with the member.

    `once` is the sender's own id, so that a form sent twice says it once. Never stored here: numbers of payment
    cards.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "message_id")
    member_id = models.BigIntegerField()
    message_id = models.BigIntegerField()
    case_id = models.BigIntegerField()
    author = models.TextField()
    actor = models.TextField()
    once = models.TextField()
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "case_message"
        indexes = [models.Index(fields=["member_id", "case_id", "message_id"], name="case_message_by_case")]
        constraints = [
            models.UniqueConstraint(fields=["member_id", "once"], name="case_message_said_once"),
            models.CheckConstraint(
                condition=models.Q(author__in=("member", "shop")), name="case_message_author_known"
            ),
        ]


class Survey(models.Model):
    """Answers "what does the program ask its members, in which words, from when to when?".

    One immutable version of a survey; the highest is the one that is asked. Never stored here: answers.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "key", "version")
    program_id = models.BigIntegerField()
    key = models.TextField()
    version = models.IntegerField()
    document = StoredJson()
    sha256 = models.TextField()
    created_at = models.DateTimeField()
    created_by = models.TextField()

    class Meta:
        db_table = "survey"
        constraints = [
            models.CheckConstraint(condition=models.Q(version__gt=0), name="survey_version_positive")
        ]


class SurveyAnswer(models.Model):
    """Answers "was this member asked, and what did he say?"; that he refused is kept, so that he is asked once.

    Goes with the member when he is erased. Never stored here: what an answer brought, which is an activity.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "survey")
    member_id = models.BigIntegerField()
    survey = models.TextField()
    program_id = models.BigIntegerField()
    version = models.IntegerField()
    state = models.TextField()
    answers = StoredJson(null=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "survey_answer"
        indexes = [models.Index(fields=["program_id", "survey", "at"], name="survey_answer_by_survey")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="answered", answers__isnull=False)
                | models.Q(state="refused", answers__isnull=True),
                name="survey_answer_state_known",
            )
        ]


class Wish(models.Model):
    """Answers "which reward of the catalogue does this member save for?". At most one; goes with the member.

    Never stored here: how far he is, which his wallet says; the points he aims at are in his standing too, by an
    activity `save_for`.
    """

    placement: ClassVar[Placement] = "member"

    member_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    reward = models.TextField()
    since = models.DateTimeField()

    class Meta:
        db_table = "wish"
