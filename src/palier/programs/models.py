"""Tables of the programs room: written by people, rarely, and only ever added to."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from palier.staff.columns import Placement, StoredJson


class Program(models.Model):
    """Answers "which program is meant by this key?".

    Never stored here: anything the program does; that is its published documents.
    """

    placement: ClassVar[Placement] = "config"

    program_id = models.BigIntegerField(primary_key=True)
    key = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "program"
        constraints = [models.UniqueConstraint(fields=["key"], name="program_key_unique")]


class ProgramVersion(models.Model):
    """Answers "what exactly did the program say when it made this decision?".

    One immutable document, addressed by its hash. Never stored here: drafts, and which version is in force
    (`program_judging`), because a rerate changes the latter and never the former.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "version")
    program_id = models.BigIntegerField()
    version = models.IntegerField()
    document = StoredJson()
    sha256 = models.TextField()
    effective_from = models.DateTimeField()
    published_at = models.DateTimeField()
    published_by = models.TextField()

    class Meta:
        db_table = "program_version"
        constraints = [
            models.CheckConstraint(condition=Q(version__gt=0), name="program_version_version_positive"),
        ]


class ProgramJudging(models.Model):
    """Answers "which version judges an activity of this instant?": the last entry that covers it.

    Publishing adds an entry [effective_from, for ever), a rerate adds [from, until). Insert only, so that
    what judged at any past moment can be read again. Never stored here: the documents themselves.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "entry")
    program_id = models.BigIntegerField()
    entry = models.IntegerField()
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)
    version = models.IntegerField()
    recorded_at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        db_table = "program_judging"
        constraints = [
            models.CheckConstraint(condition=Q(entry__gt=0), name="program_judging_entry_positive"),
            models.CheckConstraint(
                condition=Q(until_at__isnull=True) | Q(until_at__gt=F("from_at")),
                name="program_judging_ends_after_start",
            ),
        ]


class ProgramTold(models.Model):
    """Answers "until when has anybody been told what was recorded?".

    Whoever records later than it was told dates that after `told_at`; until `settled_at` nothing is still being
    written either. Never stored here: what was told, which is the ledger's, read again.
    """

    placement: ClassVar[Placement] = "queue"

    program_id = models.BigIntegerField(primary_key=True)
    told_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "program_told"
        constraints = [
            models.CheckConstraint(
                condition=Q(settled_at__lte=F("told_at")), name="program_told_before_settled"
            ),
        ]


class ProgramDraft(models.Model):
    """Answers "which documents are being written for this program, and how does each stand now?".

    `head` is the save that is shown; undoing moves it back. Never stored here: the texts, which are saves, and
    what was published, which is a version.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "draft_id")
    program_id = models.BigIntegerField()
    draft_id = models.BigIntegerField()
    name = models.TextField()
    began_from = models.TextField()
    head = models.IntegerField()
    last_save = models.IntegerField()
    begun_at = models.DateTimeField()
    discarded_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "program_draft"
        constraints = [
            models.CheckConstraint(
                condition=Q(head__gt=0) & Q(head__lte=F("last_save")), name="program_draft_head_is_a_save"
            ),
        ]


class ProgramDraftSave(models.Model):
    """Answers "what did the draft say then, and who wrote it?".

    Never changed, but for `kept`, set where a save is published or a second person is asked about it: the oldest
    saves of a long draft are dropped, those never. `before` is the save it was made from (0: none), so that what two
    people wrote at the same time stands side by side.
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "draft_id", "save_number")
    program_id = models.BigIntegerField()
    draft_id = models.BigIntegerField()
    save_number = models.IntegerField()
    before = models.IntegerField()
    document = models.TextField()
    saved_at = models.DateTimeField()
    saved_by = models.TextField()
    saved_name = models.TextField()
    kept = models.BooleanField()

    class Meta:
        db_table = "program_draft_save"
        constraints = [
            models.CheckConstraint(
                condition=Q(before__gte=0) & Q(before__lt=F("save_number")),
                name="program_draft_save_before_is_earlier",
            ),
        ]


class BacktestRun(models.Model):
    """Answers "which draft is to be played over the history, how far is it, and what came out?".

    A request of a person to the worker. `request` and `result` are data of whoever plays it; `seen_at` is when he was
    last heard of. Never stored here: anything about single members beyond the few that changed most.
    """

    placement: ClassVar[Placement] = "queue"

    run_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    draft_id = models.BigIntegerField()
    save_number = models.IntegerField()
    request = StoredJson()
    asked_at = models.DateTimeField()
    asked_by = models.TextField()
    asked_name = models.TextField()
    state = models.TextField()
    seen_at = models.DateTimeField(null=True)
    done = models.IntegerField()
    parts = models.IntegerField()
    ended_at = models.DateTimeField(null=True)
    result = StoredJson(null=True)
    problem = models.TextField()

    class Meta:
        db_table = "backtest_run"
        indexes = [models.Index(fields=["program_id", "run_id"], name="backtest_run_program")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["asked", "running", "done", "failed"]), name="backtest_run_state_known"
            ),
            models.CheckConstraint(
                condition=Q(done__gte=0) & Q(done__lte=F("parts")), name="backtest_run_done_within_parts"
            ),
        ]


class Picture(models.Model):
    """Answers "what is to be seen at this address?": a logo or a reward's picture, drawn anew from what was uploaded.

    Named by the SHA-256 of its bytes, which the database checks, and never changed; what was uploaded twice is there
    once. `icon` is empty but for a logo. Never stored here: the file that was uploaded, and where a picture is shown
    (documents of programs and rewards name it).
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "sha256")
    program_id = models.BigIntegerField()
    sha256 = models.TextField()
    width = models.IntegerField()
    height = models.IntegerField()
    small = models.BinaryField()
    medium = models.BinaryField()
    large = models.BinaryField()
    icon = models.BinaryField()
    made_at = models.DateTimeField()
    made_by = models.TextField()

    class Meta:
        db_table = "picture"
        constraints = [
            models.CheckConstraint(condition=Q(width__gt=0) & Q(height__gt=0), name="picture_has_points"),
        ]
