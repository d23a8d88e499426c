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
