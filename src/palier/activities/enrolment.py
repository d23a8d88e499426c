"""Enrolment as the platform does it: the member, that he joined, and who brought him, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import occasions, store
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import decode_state
from palier.members import operations as members
from palier.members import queries, referral, refs
from palier.members.operations import Enrolled, NewMember

LONGEST_CHAIN: Final = 64
"""How many referrers in a row are followed to find a ring."""


class Joining(Struct, frozen=True):
    """The outcome of an enrolment. `referral` is "" (no code was given), "recorded" or "not_recorded", and then
    `why`: "already_member", "mailbox_known" (somebody else has an address of the same mailbox) or "no_referral"
    (the program rewards none)."""

    enrolled: Enrolled
    referral: str = ""
    why: str = ""


def enrol(
    connection: Connection[Any], runtime: Runtime, new: NewMember, referred_by: str | None = None, *, now: int
) -> Joining:
    """Enrols a member, makes joining an activity where the program makes anything of it. Does not commit.

    `referred_by` is the code of the member who brought him. Refused (NotDone; the caller takes all back), in this
    order: unknown_referral_code, self_referral, referral_ring.
    """
    referrer = _referrer(connection, runtime, referred_by) if referred_by is not None else 0
    spellings = _owners(connection, runtime, new) if referrer else set()
    enrolled = members.enrol(connection, runtime.program_id, [new], now=now)[0]
    if enrolled.problem:
        return Joining(enrolled)
    if referrer and (referrer == enrolled.member_id or referrer in spellings):
        raise NotDone(
            Refusal(
                RefusalCode.SELF_REFERRAL,
                sentence("the referral code belongs to the one who joins"),
                "referred_by",
                sentence("join without the code"),
            )
        )
    at = new.enrolled_at or now
    why = ""
    if referrer:
        since = _since(connection, runtime, [referrer, enrolled.member_id])
        if since[referrer] > since[enrolled.member_id] or enrolled.member_id in _chain(connection, referrer):
            raise NotDone(
                Refusal(
                    RefusalCode.REFERRAL_RING,
                    sentence("whoever has this code was brought by the one who joins, or joined after him"),
                    "referred_by",
                    sentence("leave the code out"),
                )
            )
        if not enrolled.created:
            why = "already_member"
        elif spellings:
            why = "mailbox_known"
        elif runtime.at(at).referral is None:
            why = "no_referral"
    if enrolled.created:
        joined = occasions.Joined(enrolled.member_id, at, 0 if why else referrer)
        occasions.join(connection, runtime, [joined], now=now)
    if not referrer:
        return Joining(enrolled)
    return Joining(enrolled, "not_recorded" if why else "recorded", why)


def enrol_many(
    connection: Connection[Any], runtime: Runtime, new: Sequence[NewMember], *, now: int
) -> list[Enrolled]:
    """Enrols members of an import, as `enrol` without referrers. Does not commit."""
    answers = members.enrol(connection, runtime.program_id, new, now=now)
    joined = [
        occasions.Joined(answer.member_id, member.enrolled_at or now)
        for answer, member in zip(answers, new, strict=True)
        if answer.created
    ]
    if joined:
        occasions.join(connection, runtime, joined, now=now)
    return answers


def _referrer(connection: Connection[Any], runtime: Runtime, text: str) -> int:
    """The member who has a code; refuses one that nobody has."""
    try:
        found = referral.member_of(connection, runtime.program_id, referral.read_code(text))
        why = sentence("nobody has this referral code")
    except referral.CodeError as error:
        found, why = None, sentence("%(error)s", error=error)
    view = queries.read(connection, runtime.program_id, found) if found is not None else None
    if view is None or view.status == "erased":
        raise NotDone(
            Refusal(
                RefusalCode.UNKNOWN_REFERRAL_CODE,
                why,
                "referred_by",
                sentence("check the code, or enrol without it"),
            )
        )
    return view.member_id


def _owners(connection: Connection[Any], runtime: Runtime, new: NewMember) -> set[int]:
    """Who has the mailbox of the one who joins, before he does."""
    email = new.identities.get("email")
    if email is None:
        return set()
    try:
        return members.owners_of_mailbox(connection, runtime.program_id, email)
    except queries.IdentityError:
        return set()


def _since(connection: Connection[Any], runtime: Runtime, member_ids: Sequence[int]) -> dict[int, int]:
    found = {}
    for member_id in member_ids:
        view = queries.read(connection, runtime.program_id, member_id)
        assert view is not None
        found[member_id] = view.enrolled_at
    return found


def _chain(connection: Connection[Any], member_id: int) -> list[int]:
    """Who brought a member, who brought that one, and so on."""
    chain: list[int] = []
    while len(chain) < LONGEST_CHAIN:
        row = connection.execute(store.STATE, {"member": member_id}).fetchone()
        brought = decode_state(row[0]).referral if row is not None else None
        if brought is None:
            break
        member_id = refs.decode(brought[0])
        if member_id in chain:
            break
        chain.append(member_id)
    return chain


def referral_code(
    connection: Connection[Any], runtime: Runtime, member_id: int, *, now: int
) -> tuple[str, str, bool]:
    """A member's referral code, the path under which friends join with it, and whether it is new."""
    code, made = referral.code_of(connection, runtime.program_id, member_id, now=now)
    return code, referral.link(runtime.key, code), made
