"""Tables of the activities room."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from palier.staff.columns import Placement, StoredJson

CLAIM_STATUSES = ("applied", "refused", "parked")
"""What a claimed id came to."""

AWARD_KINDS = ("dividend", "prize", "keep_value", "ranking")
"""What is given to members by a run over all of them, and the making of a ranking."""

IMPORT_STATES = ("running", "done", "failed")
"""States of a file's import."""
UPLOAD_STATES = ("receiving", "ready", "asked", "running", "done", "failed", "stopped")
"""States of a file that was brought through the pages."""


class Activity(models.Model):
    """Answers "what was decided about this, by which version, and why?": one row per decision.

    Facts from outside, commands (redeem, hold, capture, release, adjust, transfers) and what follows from
    time or lateness (source `palier`: released, expired, tier_changed, hold_expired, correction). Stores the
    count and the sum of its transfers, so a decision is closed once written. Rows are never changed or
    deleted. Never stored here: uniqueness of the outside id (`activity_claim`), amounts (`transfer`).
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "activity_id")
    member_id = models.BigIntegerField()
    activity_id = models.BigIntegerField()
    program_id = models.BigIntegerField()
    source = models.TextField()
    external_id = models.TextField(null=True)
    type = models.TextField()
    occurred_at = models.DateTimeField()
    acts_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    version = models.IntegerField()
    payload = StoredJson()
    inputs = StoredJson(null=True)
    trace = StoredJson()
    tier = models.TextField(null=True)
    transfer_count = models.IntegerField()
    transfer_sum = models.BigIntegerField()
    corrects_id = models.BigIntegerField(null=True)
    sale_id = models.BigIntegerField(null=True)

    class Meta:
        db_table = "activity"
        indexes = [
            models.Index(
                fields=["member_id", "corrects_id"],
                condition=Q(corrects_id__isnull=False),
                name="activity_by_corrected",
            ),
            models.Index(
                fields=["member_id", "sale_id"],
                condition=Q(sale_id__isnull=False),
                name="activity_by_sale",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(transfer_count__gte=0, transfer_sum__gte=F("transfer_count")),
                name="activity_closed",
            ),
            models.CheckConstraint(
                condition=Q(source="palier") | Q(external_id__isnull=False),
                name="activity_from_outside_has_id",
            ),
        ]


class Progress(models.Model):
    """Answers "in which state does the engine decide this member's next activity?" in one read.

    The engine's compact state (lots, counters, tier, windows), rewritten with each decision, and the next
    instant at which something falls due. Its row is the member's lock. Never stored here: anything that
    cannot be rebuilt by folding the member's activities again.
    """

    placement: ClassVar[Placement] = "member"

    member_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    state = models.BinaryField()
    due_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField()

    class Meta:
        db_table = "progress"
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="progress_due"),
        ]


class RankingName(models.Model):
    """Answers "which of the pseudonyms made for this member does he want to be ranked under?".

    No row: the one that everybody has by himself. Never stored here: a name, which is computed.
    """

    placement: ClassVar[Placement] = "member"

    member_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    choice = models.SmallIntegerField()

    class Meta:
        db_table = "ranking_name"
        constraints = [
            models.CheckConstraint(condition=Q(choice__range=(0, 5)), name="ranking_name_choice_known")
        ]


class GoalProgress(models.Model):
    """Answers "who stands highest by this goal in this period?" for the goals by which members are ranked.

    A copy of what the engine's state says of each window, made for the order of its index; written with the
    decision that moves it, and made anew by `palier leaderboards rebuild`. Never stored here: goals that no
    leaderboard uses, ranks, pseudonyms.
    """

    placement: ClassVar[Placement] = "member"

    pk = models.CompositePrimaryKey("member_id", "goal", "number")
    member_id = models.BigIntegerField()
    goal = models.TextField()
    number = models.BigIntegerField()
    program_id = models.BigIntegerField()
    value = models.BigIntegerField()
    reached_at = models.DateTimeField()

    class Meta:
        db_table = "goal_progress"
        indexes = [
            models.Index(
                "program_id", "goal", "number", F("value").desc(), "reached_at", name="goal_progress_rank"
            ),
        ]


class AwardRun(models.Model):
    """Answers "was this given to all members already, and on which terms?": a year's dividend, a period's prizes,
    points that keep their value.

    The first run fixes the terms; `finished_at` is null while members are left. Also marks a goal whose ranking
    is complete. Never stored here: what each member was given (`activity`).
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "kind", "name", "period")
    program_id = models.BigIntegerField()
    kind = models.TextField()
    name = models.TextField()
    period = models.TextField()
    terms = models.TextField()
    begun_at = models.DateTimeField()
    begun_by = models.TextField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "award_run"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=AWARD_KINDS), name="award_run_kind_known"),
        ]


class ActivityClaim(models.Model):
    """Answers "was this source's id ever used, for what content, and what came of it?", for ever.

    The permanent guard of exactly once, over all members, and all that is needed to answer a repeated id.
    Never stored here: the content itself (`activity`), structural refusals (the sender may repair those and
    send them again under the same id).
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("external_id", "source", "program_id")
    external_id = models.TextField()
    source = models.TextField()
    program_id = models.BigIntegerField()
    member_id = models.BigIntegerField(null=True)
    activity_id = models.BigIntegerField(null=True)
    payload_sha256 = models.BinaryField()
    status = models.TextField()
    code = models.TextField(null=True)
    claimed_at = models.DateTimeField()

    class Meta:
        db_table = "activity_claim"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=CLAIM_STATUSES), name="activity_claim_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status="applied") | Q(member_id__isnull=False, activity_id__isnull=False),
                name="activity_claim_applied_names_decision",
            ),
        ]


class SaleKey(models.Model):
    """Answers "which activity stated this ticket first?" for programs that name sales by `sale_key`.

    The hash of what names the sale, and the id that brought it. Never stored here: the ticket itself
    (`activity`), sales that do not say all of their key.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("key_hash", "program_id")
    key_hash = models.BinaryField()
    program_id = models.BigIntegerField()
    external_id = models.TextField()
    source = models.TextField()
    claimed_at = models.DateTimeField()

    class Meta:
        db_table = "sale_key"


class ParkedActivity(models.Model):
    """Answers "which returns wait for this sale?" when the sale arrives.

    Found by the sale's own id; removed when applied. Never stored here: anything that has been decided.
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("sale_external_id", "sale_source", "program_id", "external_id", "source")
    sale_external_id = models.TextField()
    sale_source = models.TextField()
    program_id = models.BigIntegerField()
    external_id = models.TextField()
    source = models.TextField()
    activity_id = models.BigIntegerField()
    payload = StoredJson()
    parked_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    history = models.BooleanField(default=False)
    """Whether it came with an import, which has no late window."""

    class Meta:
        db_table = "parked_activity"


class SharedLimit(models.Model):
    """Answers "how much of a limit that all members share is used?": a campaign's budget, a prize's stock, what a
    partner may issue.

    Moves under a row lock in the transaction of the decisions that use it, and back with their returns. Never
    stored here: the limit itself (the program's document), what one activity used (its trace and inputs).
    """

    placement: ClassVar[Placement] = "key"

    pk = models.CompositePrimaryKey("key", "program_id")
    key = models.TextField()
    program_id = models.BigIntegerField()
    used = models.BigIntegerField()

    class Meta:
        db_table = "shared_limit"
        constraints = [models.CheckConstraint(condition=Q(used__gte=0), name="shared_limit_not_negative")]


class Relay(models.Model):
    """Answers "which facts does somebody's activity bring about for another member, not yet applied there?"

    Written with the decision that brings them about, removed with their own. Never stored here: anything that
    has been decided.
    """

    placement: ClassVar[Placement] = "queue"

    relay_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    member_id = models.BigIntegerField()
    payload = StoredJson()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "relay"


class DrawSeed(models.Model):
    """Answers "from which secret were a month's prizes drawn, and was it fixed before?"

    The commitment (SHA-256 of the seed) is public from the beginning, the seed once its month has passed. Rows are
    never changed. Never stored here: what was drawn (the inputs of the activity it was drawn for).
    """

    placement: ClassVar[Placement] = "config"

    pk = models.CompositePrimaryKey("program_id", "period")
    program_id = models.BigIntegerField()
    period = models.TextField()
    seed = models.BinaryField()
    commitment = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "draw_seed"


class Clock(models.Model):
    """Answers "may due work run?" after the server's clock jumped: the only row there is.

    `last_seen_at` is the last instant the worker saw; `stopped_at` is set when the jump was too large and
    cleared by a person's confirmation. Never stored here: a time that decisions use.
    """

    placement: ClassVar[Placement] = "queue"

    only_row = models.BooleanField(primary_key=True, default=True)
    last_seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "clock"
        constraints = [models.CheckConstraint(condition=Q(only_row=True), name="clock_only_row")]


class ImportFile(models.Model):
    """Answers "how far did this file's import get?", so that a killed import resumes where it was.

    And "was all of it taken?" (done, and no line refused): then the same file again is nothing to do.

    Progress moves in the transaction of the lines it counts. Never stored here: the lines (claims make a
    repeated line harmless) nor refused ones (they go to the sender's file).
    """

    placement: ClassVar[Placement] = "queue"

    import_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    sha256 = models.TextField()
    name = models.TextField()
    lines = models.BigIntegerField()
    done_lines = models.BigIntegerField()
    refused_lines = models.BigIntegerField(default=0, db_default=0)
    state = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "import_file"
        indexes = [models.Index(fields=["program_id", "sha256"], name="import_file_by_content")]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=IMPORT_STATES), name="import_file_state_known"),
            models.CheckConstraint(
                condition=Q(done_lines__gte=0, done_lines__lte=F("lines")),
                name="import_file_done_within_lines",
            ),
        ]


class ImportUpload(models.Model):
    """Answers "which files did people bring through the pages, how are they to be read, and how far is each?".

    `size` bytes of `length` are in the data directory; `changed_at` also says that its worker lives. Never stored
    here: the file, the lines that were refused (both lie in the data directory, for a while), what of its content was
    taken (`import_file`).
    """

    placement: ClassVar[Placement] = "queue"

    upload_id = models.BigIntegerField(primary_key=True)
    program_id = models.BigIntegerField()
    name = models.TextField()
    length = models.BigIntegerField()
    size = models.BigIntegerField()
    state = models.TextField()
    options = StoredJson()
    told = StoredJson()
    problem = models.TextField()
    refused_lines = models.BigIntegerField()
    asked_by = models.TextField()
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "import_upload"
        indexes = [models.Index(fields=["program_id", "upload_id"], name="import_upload_by_program")]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=UPLOAD_STATES), name="import_upload_state_known"),
            models.CheckConstraint(
                condition=Q(size__gte=0, size__lte=F("length")), name="import_upload_size"
            ),
        ]
