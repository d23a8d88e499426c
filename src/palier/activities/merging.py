"""Members that are found to be one: merging the one into the other, undoing it, and the persons of a household.

A merge is two facts, merge_out and merge_in, which carry all that the one member was; the ledger is only added to.
From then on whatever names the merged member, its identities or its sales acts on the member that took over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, store
from palier.activities.operations import NotDone, decide_command, locked, refuse_card_numbers
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, instant, moment
from palier.engine.decide import Fold
from palier.engine.facts import Fact, LapsedLot, Reference, Whole
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import Sentence, sentence
from palier.engine.state import NEVER, MemberState, decode_state, encode_state
from palier.members import operations as enrolment
from palier.members import queries, refs
from palier.members.operations import NewMember
from palier.site.ids import new_id
from palier.staff.operations import write_log

UNDONE_WITHIN_DAYS: Final = 30
"""How long a merge can be undone."""


class Merged(Struct, frozen=True):
    """A merge: the member that is gone, the one that took over, and whether this call made it (or undid it)."""

    member_id: int
    into_id: int
    merged_at: int
    done: bool


class _Standing(Struct, frozen=True):
    """The merge of a member that stands."""

    merge_id: int
    into_id: int
    source: str
    id: str
    merged_at: int
    identities: tuple[bytes, ...]


def merge(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    from_id: int,
    into_id: int,
    reason: str,
    actor: str,
    role: str,
    source: str,
    id: str,
    now: int,
) -> Merged:
    """Merges one member into another: lots, pending points, debts, metrics, goals, counters, identities.

    Points, pending points and debts of both together are the same before and after, to the unit. Merged again the
    same way, nothing happens. Does not commit.

    Refused (NotDone: nothing is kept), in this order: same_member; member_merged (one of them was merged already);
    holds_open; member_not_active.
    """
    if from_id == into_id:
        raise NotDone(
            Refusal(
                RefusalCode.SAME_MEMBER,
                sentence("a member is not merged into itself"),
                "from",
                sentence("name another member"),
            )
        )
    states = locked(connection, [from_id, into_id])
    known = _standing(connection, runtime, from_id)
    if known is not None and known.into_id == into_id:
        return Merged(from_id, into_id, known.merged_at, done=False)
    for member_id, field in ((from_id, "from"), (into_id, "member")):
        _refuse_merged(connection, runtime, member_id, field)
    mine, theirs = states[from_id], states[into_id]
    at = max(now, *(instant for state in (mine, theirs) for instant in (state.latest + 1, state.due_done)))
    whole = _whole(connection, runtime, from_id, mine, at)
    gone, stays = refs.encode(from_id), refs.encode(into_id)
    out = Fact(source, id, "merge_out", 0, reason=reason, actor=actor, other_member=stays, brings=whole)
    into = Fact(
        source,
        f"{id}:in",
        "merge_in",
        0,
        reason=reason,
        actor=actor,
        other_member=gone,
        attributes={"into": stays},
        brings=whole,
    )
    for fact, member_id in ((out, from_id), (into, into_id)):
        _decide(connection, runtime, fact, member_id, [gone, stays, reason], now, at)
    hashes = connection.execute(
        "-- merging.move_identities\n"
        "update identity set member_id = %s where member_id = %s and program_id = %s returning value_hash",
        (into_id, from_id, runtime.program_id),
    ).fetchall()
    enrolment.set_status(connection, runtime.program_id, from_id, "merged")
    connection.execute(
        """
        -- merging.begin
        insert into member_merge (member_id, merge_id, program_id, into_id, source, external_id, reason, actor,
                                  identities, merged_at, ended_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s::bytea[], %s, null)
        """,
        (
            from_id, new_id(), runtime.program_id, into_id, source, id, reason, actor,
            sorted(bytes(row[0]) for row in hashes), moment(at),
        ),
    )  # fmt: skip
    write_log(connection, actor, role, "member.merge", f"{gone} into {stays}", at=now, reason=reason)
    return Merged(from_id, into_id, at, done=True)


def unmerge(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    from_id: int,
    reason: str,
    actor: str,
    role: str,
    source: str,
    id: str,
    now: int,
) -> Merged:
    """Undoes a merge: both members stand as if it had never been, with corrections for what it had moved.

    What came in between stays with the member that had taken over; what it spent beyond its own is then owed there.
    Does not commit. Refused (NotDone) as not_merged: when the member is not merged, after UNDONE_WITHIN_DAYS, when
    the other was merged into a third meanwhile, and when something since names a sale or redemption of the merged
    member.
    """
    known = _standing(connection, runtime, from_id)
    if known is not None:
        locked(connection, [from_id, known.into_id])
        known = _standing(connection, runtime, from_id)
    if known is None:
        raise _not_merged(sentence("the member is not merged into another"))
    into_id = known.into_id
    if now > known.merged_at + UNDONE_WITHIN_DAYS * DAY:
        raise _not_merged(
            sentence(
                "the merge is more than %(undone_within_days)s days old and can no longer be undone",
                undone_within_days=UNDONE_WITHIN_DAYS,
            )
        )
    if _standing(connection, runtime, into_id) is not None:
        raise _not_merged(sentence("the member that took over was merged itself; undo that merge first"))
    if _built_upon(connection, runtime, from_id, into_id):
        raise _not_merged(
            sentence("since the merge, something was done to a sale or redemption of the merged member")
        )
    connection.execute(
        "-- merging.end\nupdate member_merge set ended_at = %s where member_id = %s and merge_id = %s",
        (moment(now), from_id, known.merge_id),
    )
    connection.execute(
        """
        -- merging.identities_back
        update identity set member_id = %s
        where value_hash = any(%s::bytea[]) and member_id = %s and program_id = %s
        """,
        (from_id, list(known.identities), into_id, runtime.program_id),
    )
    enrolment.set_status(connection, runtime.program_id, from_id, "active")
    gone, stays = refs.encode(from_id), refs.encode(into_id)
    for suffix, side, member_id, other in ((":out", "", from_id, stays), (":in", ":in", into_id, gone)):
        fact = Fact(
            source,
            f"{id}{suffix}",
            "unmerged",
            0,
            reason=reason,
            actor=actor,
            other_member=other,
            merge=Reference(known.source, f"{known.id}{side}"),
        )
        _decide(connection, runtime, fact, member_id, [gone, stays, reason], now, 0)
    write_log(connection, actor, role, "member.unmerge", f"{gone} from {stays}", at=now, reason=reason)
    return Merged(from_id, into_id, known.merged_at, done=True)


def _decide(
    connection: Connection[Any],
    runtime: Runtime,
    fact: Fact,
    member_id: int,
    content: Sequence[object],
    now: int,
    at: int,
) -> None:
    result = decide_command(connection, runtime, fact, member_id, content, now, at)
    if result.refusal is not None:
        raise NotDone(result.refusal)
    if result.status != "applied":
        raise NotDone(
            Refusal(
                RefusalCode.CONTENT_DIFFERS,
                sentence("this id was used for an earlier merge"),
                "id",
                sentence("give the merge an id of its own"),
            )
        )


def _standing(connection: Connection[Any], runtime: Runtime, member_id: int) -> _Standing | None:
    row = connection.execute(
        """
        -- merging.standing
        select g.merge_id, g.into_id, g.source, g.external_id, g.merged_at, g.identities from member_merge g
        where g.member_id = %s and g.program_id = %s and g.ended_at is null
        """,
        (member_id, runtime.program_id),
    ).fetchone()
    if row is None:
        return None
    merge_id, into_id, source, external_id, merged_at, identities = row
    hashes = tuple(bytes(value_hash) for value_hash in identities)
    return _Standing(merge_id, into_id, source, external_id, instant(merged_at), hashes)


def _refuse_merged(connection: Connection[Any], runtime: Runtime, member_id: int, field: str) -> None:
    known = _standing(connection, runtime, member_id)
    if known is not None:
        raise NotDone(
            Refusal(
                RefusalCode.MEMBER_MERGED,
                sentence("the member was merged into %(encode)s", encode=refs.encode(known.into_id)),
                field,
                sentence("name the member that it was merged into"),
            )
        )


def _not_merged(why: Sentence) -> NotDone:
    return NotDone(
        Refusal(
            RefusalCode.NOT_MERGED,
            why,
            "member",
            sentence("check the reference; what was given by mistake is put right by an adjustment"),
        )
    )


def _whole(
    connection: Connection[Any], runtime: Runtime, member_id: int, state: MemberState, at: int
) -> Whole:
    """All that a member is at an instant, due work done; refuses one with open holds."""
    engine = Fold(runtime.timeline, state)
    engine.advance(at)
    state = engine.state
    if state.holds:
        raise NotDone(
            Refusal(
                RefusalCode.HOLDS_OPEN,
                sentence("the member to be merged has points set aside by an open hold"),
                "from",
                sentence("capture or release the hold first"),
            )
        )
    lapsed: dict[int, LapsedLot] = {}
    for lot, currency, amount, expires, funder, first in connection.execute(
        store.LOAD_LAPSED, {"member": member_id}
    ):
        ends = instant(expires) if expires is not None else NEVER
        lapses = runtime.at(instant(first)).lapses(currency, ends)
        lapsed[lot] = LapsedLot(currency, lot, amount, ends, lapses, funder, instant(first))
    for currency, wallet in state.wallets.items():
        for own in wallet.lots:
            lapsed.pop(own.id, None)
            if own.expired:
                lapsed[own.id] = LapsedLot(
                    currency, own.id, own.expired, own.expires_at, own.lapses_at, own.funder, own.first_earned
                )
    kept = decode_state(encode_state(state))
    return Whole(kept, tuple(lapsed[lot] for lot in sorted(lapsed)))


def _built_upon(connection: Connection[Any], runtime: Runtime, from_id: int, into_id: int) -> bool:
    """Whether a decision of the member that took over names one of the merged member, or of those merged into it."""
    gone = [from_id, *queries.merged_into(connection, runtime.program_id, from_id)]
    row = connection.execute(
        """
        -- merging.built_upon
        select 1 from activity a
        where a.member_id = %(into)s and a.sale_id is not null
          and a.sale_id in (select o.activity_id from activity o where o.member_id = any(%(gone)s::bigint[]))
        limit 1
        """,
        {"into": into_id, "gone": sorted(gone)},
    ).fetchone()
    return row is not None


# --- households -------------------------------------------------------------------------------------------


class Household(Struct, frozen=True):
    """What came of a person's arrival: how many identities are new to it, and the members merged in."""

    member_id: int
    identities: int
    merged: tuple[int, ...] = ()


def add_person(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    identities: Mapping[str, str],
    reason: str,
    actor: str,
    role: str,
    source: str,
    id: str,
    now: int,
) -> Household:
    """Adds a person to a household by his identities: he then finds it. Does not commit.

    Whoever has one of them already is merged in, with all that `merge` says and refuses; what the household has
    already is left as it is.
    """
    refuse_card_numbers(reason, actor)
    owners = queries.find_hashes(
        connection,
        runtime.program_id,
        [queries.hashed(kind, value) for kind, value in sorted(identities.items())],
    )
    merged = sorted(set(owners.values()) - {member_id})
    for number, person in enumerate(merged):
        merge(
            connection, runtime, from_id=person, into_id=member_id, reason=reason, actor=actor, role=role,
            source=source, id=f"{id}:{number}", now=now,
        )  # fmt: skip
    locked(connection, [member_id])
    _refuse_merged(connection, runtime, member_id, "member")
    added = 0
    for kind, value in sorted(identities.items()):
        if queries.hashed(kind, value) not in owners:
            if not enrolment.add_identity(connection, runtime.program_id, member_id, kind, value, now=now):
                raise batch.Conflict("an identity was enrolled meanwhile")
            added += 1
    if added or merged:
        write_log(
            connection, actor, role, "member.person_added", refs.encode(member_id), at=now, reason=reason
        )
    return Household(member_id, added, tuple(merged))


def let_leave(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    identities: Mapping[str, str],
    reason: str,
    actor: str,
    role: str,
    now: int,
) -> int:
    """Lets a person leave a household with these of its identities: a new member, who begins with nothing.

    Points, tier and history stay with the household. Does not commit. Refused (NotDone): unknown_member when one of
    the identities is not the household's, same_member when none would be left to it.
    """
    locked(connection, [member_id])
    _refuse_merged(connection, runtime, member_id, "member")
    refuse_card_numbers(reason, actor)
    hashes = [queries.hashed(kind, value) for kind, value in sorted(identities.items())]
    owners = queries.find_hashes(connection, runtime.program_id, hashes)
    if any(owners.get(value_hash) != member_id for value_hash in hashes):
        raise NotDone(
            Refusal(
                RefusalCode.UNKNOWN_MEMBER,
                sentence("one of these identities is not the household's"),
                "identities",
                sentence("send identities that the household has"),
            )
        )
    own = connection.execute(
        "-- merging.identities_of\nselect count(*) from identity where member_id = %s and program_id = %s"
        " and kind = any(%s)",
        (member_id, runtime.program_id, list(queries.KINDS)),
    ).fetchone()
    if own is None or own[0] <= len(hashes):
        raise NotDone(
            Refusal(
                RefusalCode.SAME_MEMBER,
                sentence("nobody would be left in the household"),
                "identities",
                sentence("leave it at least one identity"),
            )
        )
    view = queries.read(connection, runtime.program_id, member_id)
    assert view is not None
    enrolment.drop_identities(connection, runtime.program_id, hashes)
    new = NewMember(dict(identities), locale=view.locale, time_zone=view.time_zone)
    person = enrolment.enrol(connection, runtime.program_id, [new], now=now)[0]
    if not person.created:
        raise batch.Conflict("an identity was enrolled meanwhile")
    shown = f"{person.ref} from {refs.encode(member_id)}"
    write_log(connection, actor, role, "member.person_left", shown, at=now, reason=reason)
    return person.member_id
