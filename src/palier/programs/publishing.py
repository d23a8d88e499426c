"""Publishing what was written in the console: shown in advance, by one person or by two, now or on a date; going back.

Where the latest version asks for it (`approval_to_publish`), what one person wants to publish waits until a second
approves it: the very bytes that were shown, from a save or a version that never changes.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from psycopg import Connection

from palier.engine.check import check
from palier.engine.clock import DAY
from palier.engine.conditions import Problem
from palier.engine.describe.page import typeset
from palier.engine.instants import parse_instant
from palier.engine.lint import Report, lint
from palier.engine.program import Program, canonical
from palier.engine.sentences import NOTHING, Both, Sentence, sentence
from palier.programs import drafts, files, queries
from palier.programs.operations import PAST_TOLERANCE, publish
from palier.programs.plan import Change, planned
from palier.programs.queries import Version
from palier.site.refusal import Refused
from palier.staff import approvals
from palier.staff.approvals import Approval, NotDecided, Person
from palier.staff.operations import write_log

KIND: Final = "publication"
WAITS_DAYS: Final = 7
"""How long a second person has; then what was asked is over."""


class Origin(Struct, frozen=True):
    """Which document is meant: a draft's save, or (draft 0) a version that was published before."""

    draft_id: int
    number: int


class Preview(Struct, frozen=True):
    """What publishing a document would do, before anybody does it.

    `changes` are none where the latest version says the same. `refused` says why it would be refused, or is empty.
    """

    program: Program
    number: int
    starts: int
    changes: tuple[Change, ...]
    report: Report
    refused: Sentence
    needs_second: bool
    warnings: tuple[Problem, ...]
    """What is told of the document by itself, as it would start then."""


def document_of(connection: Connection[Any], program_id: int, key: str, origin: Origin) -> Program:
    """The document that is meant. Refuses a draft or version that is gone, one with errors, one of another program."""
    if not origin.draft_id:
        found = queries.document(connection, key, origin.number)
        if found is None:
            raise Refused(
                sentence(
                    "%(key)s has no version %(number)s; look at its versions.", key=key, number=origin.number
                )
            )
        return found
    save = drafts.save_of(connection, program_id, origin.draft_id, origin.number)
    if save is None or drafts.read(connection, program_id, origin.draft_id) is None:
        raise Refused(sentence("This draft was discarded, or what it said then is not kept any more."))
    document = files.read(save.text.encode(), "yaml")
    if document.program is None:
        first = document.errors[0]
        raise Refused(
            sentence(
                "The draft cannot be published yet: line %(line)s: %(message)s; %(remedy)s.",
                line=first.line,
                message=sentence("%(path)s: %(message)s", path=first.path, message=first.said)
                if first.path
                else first.said,
                remedy=first.advice,
            )
        )
    if document.program.key != key:
        raise Refused(
            sentence(
                'The draft says key: %(key)s; here it must say "key: %(key_2)s".',
                key=document.program.key,
                key_2=key,
            )
        )
    return document.program


def preview(connection: Connection[Any], document: Program, *, starts: str | None, now: int) -> Preview:
    """What publishing would do at `now`, to take effect at `starts` (an instant with its offset; None: at once).

    Published and taken back within the transaction, so that what would be refused is known before.
    """
    document = replace(document, effective_from=starts)
    before = queries.document(connection, document.key)
    changed = planned(connection, document, now=now)
    number, from_at, refused = 0, now, NOTHING
    with connection.transaction(force_rollback=True):
        try:
            version = publish(connection, document, now=now, published_by="preview", approved=True)
            number, from_at = version.version, version.effective_from
        except Refused as error:
            refused = sentence("%(error)s", error=error)
    report = lint(document, now=now, before=before)
    worst = next((finding for finding in report.findings if finding.severity == "error"), None)
    if not refused and worst is not None:
        refused = sentence(
            "%(reason)s; %(remedy)s.",
            reason=Both(worst.reason, typeset(worst.reason_fr, "fr")),
            remedy=Both(worst.remedy, typeset(worst.remedy_fr, "fr")),
        )
    return Preview(
        document,
        number,
        from_at,
        tuple(changed),
        report,
        refused,
        before is not None and before.approval_to_publish,
        tuple(one for one in check(document, now) if one.severity == "warning"),
    )


def put_forward(
    connection: Connection[Any],
    program_id: int,
    key: str,
    origin: Origin,
    *,
    starts: str | None,
    by: Person,
    now: int,
    reason: str = "",
) -> Version | Approval:
    """Publishes a document, or asks a second person to where the latest version says so. Commits.

    Refuses what `document_of` and `publish` refuse, and what lints as an error.
    """
    document = document_of(connection, program_id, key, origin)
    seen = preview(connection, document, starts=starts, now=now)
    if seen.refused:
        raise Refused(seen.refused)
    if origin.draft_id:
        drafts.keep(connection, program_id, origin.draft_id, origin.number)
    done: Version | Approval
    if seen.needs_second and seen.changes:
        done = _ask(connection, program_id, key, origin, seen, starts, by, now, reason)
    else:
        done = _publish(connection, seen.program, by, now, reason)
    connection.commit()
    return done


def _publish(connection: Connection[Any], program: Program, by: Person, now: int, reason: str) -> Version:
    version = publish(connection, program, now=now, published_by=by.actor)
    if version.is_new:
        made = f"program:{version.key}:{version.version}"
        write_log(connection, by.actor, by.role, "program.publish", made, at=now, reason=reason)
    return version


def _ask(
    connection: Connection[Any],
    program_id: int,
    key: str,
    origin: Origin,
    seen: Preview,
    starts: str | None,
    by: Person,
    now: int,
    reason: str,
) -> Approval:
    digest = sha256(canonical(seen.program)).hexdigest()
    latest = queries.list_versions(connection, key)[-1].version
    for waiting in approvals.listed(connection, program_id, now=now, state="asked", kind=KIND):
        if (waiting.payload.get("sha256"), waiting.payload.get("after")) == (digest, latest):
            return waiting  # asked twice is asked once
    payload = {
        "program": key,
        "draft": origin.draft_id,
        "save": origin.number,
        "effective_from": starts or "",
        "sha256": digest,
        "after": latest,
        "changes": [change.sentence_en for change in seen.changes],
        "changes_fr": [change.sentence_fr for change in seen.changes],
    }
    return approvals.ask(
        connection,
        program_id,
        kind=KIND,
        object=f"program:{key}",
        request=f"{origin.draft_id}:{origin.number}:{now}",
        payload=payload,
        reason=reason,
        by=by,
        now=now,
        expires_at=now + WAITS_DAYS * DAY,
    )


def waiting(connection: Connection[Any], program_id: int, *, now: int) -> list[Approval]:
    """What waits for a second person to be published, the latest first."""
    return approvals.listed(connection, program_id, now=now, state="asked", kind=KIND)


def _approved(connection: Connection[Any], approval: Approval, now: int) -> None:
    """Publishes what was approved. Where its start has passed while it waited, it starts now."""
    asked = approval.payload
    origin = Origin(asked["draft"], asked["save"])
    starts = asked["effective_from"] or None
    try:
        document = replace(
            document_of(connection, approval.program_id, asked["program"], origin), effective_from=starts
        )
        if sha256(canonical(document)).hexdigest() != asked["sha256"]:
            raise Refused(sentence("The document is not the one that was asked for."))
        latest = queries.list_versions(connection, asked["program"])[-1].version
        if latest != asked.get("after", latest):
            # The changes that were shown were those to another version: approving would undo what came since.
            raise Refused(sentence("Version %(latest)s was published since it was asked for.", latest=latest))
        if starts is not None and parse_instant(starts) < now - PAST_TOLERANCE:
            document = replace(document, effective_from=None)
        publish(connection, document, now=now, published_by=approval.asked_by, approved=True)
    except Refused as error:
        raise NotDecided(
            "not_publishable",
            f"It cannot be published any more: {error}",
            "refuse it, and publish the draft as it should be now",
        ) from None


def _refused(connection: Connection[Any], approval: Approval, now: int) -> None:
    """Nothing was published, so nothing is undone."""


approvals.register(KIND, approved=_approved, refused=_refused)


__all__ = ["KIND", "Origin", "Preview", "document_of", "preview", "put_forward", "waiting"]
