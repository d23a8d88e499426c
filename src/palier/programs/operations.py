"""Writes of programs: publishing a version, and saying which version judges a past period again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import tee
from typing import Any, Final

from msgspec.structs import replace
from psycopg import Connection
from psycopg.errors import UniqueViolation

from palier.engine.check import check, errors
from palier.engine.clock import MINUTE, moment
from palier.engine.instants import parse_instant
from palier.engine.mechanics import Goal
from palier.engine.program import PendingUntilActivity, Program, canonical
from palier.engine.sentences import sentence
from palier.programs.queries import Version, document, list_versions, no_program, timeline
from palier.site.ids import new_id
from palier.site.refusal import Refused

PAST_TOLERANCE: Final = 5 * MINUTE
"""How far back a later version may start: as long as it may take from writing an instant to applying it."""


ALONE: Final = """
-- programs.judging_alone
select pg_advisory_xact_lock(%s)
"""


class ApprovalNeeded(Refused):
    """The latest version asks for a second person before the next one is published, and nobody has approved this."""


def publish(
    connection: Connection[Any], program: Program, *, now: int, published_by: str, approved: bool = False
) -> Version:
    """Publish the document as the next version of its program, in one transaction (its own, or the open one).

    `now` is in microseconds UTC. The version starts at the document's `effective_from`, or now. The first
    version may start at any past instant, so that a history can be imported. A document equal to the latest
    version changes nothing: that version is answered, with `is_new` false. `approved`: a second person approved these
    very bytes, or whoever acts answers for it otherwise, and it is logged.

    Refuses, in this order: a document with errors, one that nobody approved where the latest version asks for it
    (ApprovalNeeded), one that an earlier version cannot be followed by, a start in the past, and a version that
    someone else published at the same moment.
    """
    wrong = errors(check(program))
    if wrong:
        first = wrong[0]
        more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise Refused(
            sentence(
                "The program cannot be published: %(path)s: %(message)s; %(remedy)s%(more)s.",
                path=first.path,
                message=first.message,
                remedy=first.remedy,
                more=more,
            )
        )
    body = canonical(program)
    digest = sha256(body).hexdigest()
    try:
        with connection.transaction():
            return _publish(connection, program, body, digest, now, published_by, approved)
    except UniqueViolation:
        raise Refused(
            sentence(
                "Another version of %(key)s was published at the same moment; look at the plan again.",
                key=program.key,
            )
        ) from None


def _publish(
    connection: Connection[Any],
    program: Program,
    body: bytes,
    digest: str,
    now: int,
    published_by: str,
    approved: bool,
) -> Version:
    versions = list_versions(connection, program.key)
    latest = versions[-1] if versions else None
    if latest is not None and latest.sha256 == digest:
        return latest
    starts = parse_instant(program.effective_from) if program.effective_from is not None else now
    if latest is None:
        program_id = new_id()
        connection.execute(
            "insert into program (program_id, key, created_at) values (%s, %s, %s)",
            (program_id, program.key, moment(now)),
        )
    else:
        program_id = latest.program_id
        before = document(connection, program.key, latest.version)
        waited, measured, climbed = tee(_past(connection, versions), 3)
        if before is not None:
            if before.approval_to_publish and not approved:
                raise ApprovalNeeded(
                    sentence(
                        "Version %(version)s of %(key)s asks for a second person before the next one "
                        "(approval_to_publish). Publish it from the studio of the console, where that person is asked; "
                        "in an emergency, on the server: palier apply --alone REASON.",
                        version=latest.version,
                        key=program.key,
                    )
                )
            _refuse_break(before, program)
            _refuse_lost_wait(waited, before, program)
        _refuse_other_measure(measured, program)
        if program.tiers is not None:
            ladder = next((past.tiers for past in climbed if past.tiers), None)
            if ladder is not None and ladder.window != program.tiers.window:
                raise Refused(
                    sentence(
                        "tiers.window cannot change: what members have gathered was kept for the window in which they "
                        "gathered it. Keep the window; what tiers ask for and how long they last may change."
                    )
                )
        if starts < now - PAST_TOLERANCE:
            raise Refused(
                sentence(
                    "effective_from %(effective_from)s is past, and what happened since was judged "
                    "by version %(version)s; leave effective_from out to start now, or publish, then rerate.",
                    effective_from=program.effective_from,
                    version=latest.version,
                )
            )
    version = latest.version + 1 if latest is not None else 1
    connection.execute(
        """
        -- programs.publish
        insert into program_version
          (program_id, version, document, sha256, effective_from, published_at, published_by)
        values (%s, %s, %s::json, %s, %s, %s, %s)
        """,
        (program_id, version, body.decode(), digest, moment(starts), moment(now), published_by),
    )
    _add_judging(connection, program_id, starts, None, version, now, "published")
    return Version(program_id, program.key, version, digest, starts, now, published_by, True)


def pause_campaign(
    connection: Connection[Any], key: str, campaign: str, *, paused: bool, now: int, by: str
) -> Version:
    """Lets a campaign stand still, or act again, from this instant on; see `amend`.

    No second person is asked, whatever `approval_to_publish` says. Refuses an unknown campaign.
    """

    def known(present: Program | None) -> None:
        if present is None or all(item.key != campaign for item in present.campaigns):
            there = ", ".join(item.key for item in present.campaigns) if present is not None else ""
            raise Refused(
                sentence(
                    "The version of %(key)s that is in force has no campaign %(campaign)r; it has %(there)s.",
                    key=key,
                    campaign=campaign[:60],
                    there=there or sentence("none at all"),
                )
            )

    # What stands still or goes on was approved when it was published: pausing must not wait for anybody.
    return amend(
        connection,
        key,
        lambda document: _pausing(document, campaign, paused),
        now=now,
        by=by,
        check=known,
        approved=True,
    )


def amend(
    connection: Connection[Any],
    key: str,
    change: Callable[[Program], Program],
    *,
    now: int,
    by: str,
    check: Callable[[Program | None], None] = lambda present: None,
    approved: bool = False,
) -> Version:
    """Publishes what is in force with a small change that holds from this instant on.

    Versions that take effect later are published again with it, so that it holds there too. `is_new` is false
    where it is so already. `approved`: see `publish`. One transaction: its own, or the open one.

    Refuses an unknown program, what `check` refuses of the version in force, and a version that someone else
    published at the same moment.
    """
    with connection.transaction():
        found = timeline(connection, key)
        if found is None:
            raise no_program(key)
        present = found.document_at(now)
        check(present)
        later = [(at, found.document_at(at)) for at in found.breaks(now)]
        documents = [part for part in (present, *(document for _, document in later)) if part is not None]
        if all(change(part) == part for part in documents):
            number = found.version_at(now) or found.entries[-1].version
            return next(item for item in list_versions(connection, key) if item.version == number)
        made: Version | None = None
        if present is not None:
            # Members are told of it now, and not before: what was announced is the version's that it amends.
            document = replace(change(present), effective_from=None, notice=None)
            made = publish(connection, document, now=now, published_by=by, approved=approved)
        for at, document_then in later:
            if document_then is not None:
                document = replace(change(document_then), effective_from=moment(at).isoformat())
                version = publish(connection, document, now=now, published_by=by, approved=approved)
                made = made or version
        assert made is not None
        return made


def _pausing(document: Program, campaign: str, paused: bool) -> Program:
    """The document with a campaign paused or not."""
    return replace(
        document,
        campaigns=[
            replace(item, paused=paused) if item.key == campaign else item for item in document.campaigns
        ],
    )


def _refuse_break(before: Program, after: Program) -> None:
    """Refuse what would give amounts already in the ledger another meaning, or leave them without any."""
    if before.currency != after.currency:
        raise Refused(
            sentence(
                "currency cannot change from %(currency)s to %(currency_2)s: recorded amounts "
                "would change their meaning; publish a program with another key.",
                currency=before.currency,
                currency_2=after.currency,
            )
        )
    scales = {currency.key: currency.scale for currency in after.point_currencies}
    for currency in before.point_currencies:
        if currency.key not in scales:
            raise Refused(
                sentence(
                    "point currency %(key)s cannot be removed, members may hold it; keep it, and "
                    "remove the rules that bring it.",
                    key=currency.key,
                )
            )
        if scales[currency.key] != currency.scale:
            raise Refused(
                sentence(
                    "scale of %(key)s cannot change from %(scale)s to %(scales)s: recorded amounts "
                    "would change their meaning; declare another point currency.",
                    key=currency.key,
                    scale=currency.scale,
                    scales=scales[currency.key],
                )
            )


def _past(connection: Connection[Any], versions: Sequence[Version]) -> Iterator[Program]:
    """The documents of versions, the latest first."""
    for version in reversed(versions):
        found = document(connection, version.key, version.version)
        if found is not None:
            yield found


def _refuse_lost_wait(past: Iterable[Program], before: Program, after: Program) -> None:
    """Refuses to remove an activity type for which points may still wait, by whichever version earned them."""
    removed = {kind.key for kind in before.activity_types} - {kind.key for kind in after.activity_types}
    if not removed:
        return
    for version in past:
        waits = [currency.pending for currency in version.point_currencies]
        waits += [rule.pending for rule in version.rules]
        waits += [rule.pending for campaign in version.campaigns for rule in campaign.rules]
        for pending in waits:
            if isinstance(pending, PendingUntilActivity) and pending.activity in removed:
                raise Refused(
                    sentence(
                        "activity type %(key)s cannot be removed, points of members may wait for it; keep it, and "
                        "let nothing new wait for it.",
                        key=pending.activity,
                    )
                )


def _refuse_other_measure(past: Iterable[Program], after: Program) -> None:
    """Refuses that a place in a goal, which is kept as a number, is read in another measure."""
    sought = {goal.key: goal for goal in after.goals}
    for version in past:
        if not sought:
            return
        for goal in version.goals:
            new = sought.pop(goal.key, goal)
            if _measured(new) != _measured(goal):
                raise Refused(
                    sentence(
                        "goal %(key)s cannot count %(new)s where it counted %(old)s: what members have reached would "
                        "change its meaning; declare a goal of another key.",
                        key=goal.key,
                        new=" ".join(_measured(new)),
                        old=" ".join(_measured(goal)),
                    )
                )


def _measured(goal: Goal) -> tuple[str, ...]:
    """What a goal counts, as its settings have it."""
    return tuple(part for part in (goal.measure, goal.currency, goal.distinct) if part)


def _add_judging(
    connection: Connection[Any],
    program_id: int,
    from_at: int,
    until_at: int | None,
    version: int,
    now: int,
    reason: str,
) -> int:
    # Waits for the batches that decide by what judges now, so that none of them is committed after this: what
    # comes next, here or in rating again, finds all that was judged the old way.
    connection.execute(ALONE, (program_id,))
    row = connection.execute(
        """
        -- programs.add_judging
        insert into program_judging (program_id, entry, from_at, until_at, version, recorded_at, reason)
        select %s::bigint, coalesce(max(entry), 0) + 1, %s, %s, %s, %s, %s
        from program_judging where program_id = %s
        returning entry
        """,
        (
            program_id,
            moment(from_at),
            moment(until_at) if until_at is not None else None,
            version,
            moment(now),
            reason,
            program_id,
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def rerate_judging(
    connection: Connection[Any],
    key: str,
    *,
    from_at: int,
    until_at: int | None,
    version: int,
    now: int,
    reason: str,
) -> int:
    """Let `version` judge all instants from `from_at` until before `until_at` (None: from then on) again.

    Instants are microseconds UTC. Records only which version judges; re-deciding the members is the caller's.
    One transaction: its own, or the open one. Gives the entry's number.

    Refuses an unknown program or version, an empty period, an empty reason, and an entry that someone else
    made at the same moment.
    """
    versions = list_versions(connection, key)
    if not versions:
        raise no_program(key)
    if version not in {known.version for known in versions}:
        raise Refused(
            sentence(
                "%(key)s has no version %(version)s; its versions are 1 to %(version_2)s.",
                key=key,
                version=version,
                version_2=versions[-1].version,
            )
        )
    if until_at is not None and until_at <= from_at:
        raise Refused(
            sentence("The period to rate again ends before it starts; correct one of its two instants.")
        )
    if not reason.strip():
        raise Refused(sentence("Rating again needs a reason, which stays with the entry."))
    try:
        with connection.transaction():
            return _add_judging(connection, versions[0].program_id, from_at, until_at, version, now, reason)
    except UniqueViolation:
        raise Refused(
            sentence("Another entry for %(key)s was made at the same moment; look again and repeat.", key=key)
        ) from None
