"""Writes of members: enrolment, new identities, attributes and standing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import moment
from palier.engine.sentences import sentence
from palier.engine.state import MemberState, encode_state
from palier.members import refs
from palier.members.queries import MAILBOX, IdentityError, find_hashes, hashed, keyed, mailbox, normalized
from palier.staff import throttle

_NEW_STATE = encode_state(MemberState())


class NewMember(Struct, frozen=True):
    """Who is to be enrolled: at least one identity (kind -> value); attributes typed as declared."""

    identities: dict[str, str]
    attributes: dict[str, str | int | bool] = {}
    locale: str = "en"
    time_zone: str | None = None
    enrolled_at: int = 0


class Enrolled(Struct, frozen=True):
    """The outcome for one: a member (`created`, or there already), or `problem` saying why not."""

    member_id: int
    ref: str
    created: bool
    problem: str = ""


def enrol(
    connection: Connection[Any], program_id: int, members: Sequence[NewMember], *, now: int
) -> list[Enrolled]:
    """Enrols members, each once: an identity that is enrolled already answers with its member.

    Two callers who enrol the same identity at the same time get the same member. An enrolment whose
    identities belong to different members is refused (`problem`). Instants are microseconds UTC. Does not
    commit.
    """
    wanted: list[list[tuple[bytes, str]] | str] = []
    for member in members:
        try:
            if not member.identities:
                raise IdentityError(
                    sentence("a member needs at least one identity: a card, e-mail, phone or external_id")
                )
            wanted.append([(hashed(kind, value), kind) for kind, value in sorted(member.identities.items())])
        except IdentityError as error:
            wanted.append(str(error))
    every = [pair[0] for pairs in wanted if not isinstance(pairs, str) for pair in pairs]
    known = find_hashes(connection, program_id, every)
    fresh: dict[int, int] = {}
    owner: dict[bytes, int] = dict(known)
    rows: list[tuple[bytes, str, int]] = []
    for index, pairs in enumerate(wanted):
        if isinstance(pairs, str) or any(value_hash in owner for value_hash, _ in pairs):
            continue
        member_id = secrets.randbits(62)
        fresh[index] = member_id
        for value_hash, kind in pairs:
            owner[value_hash] = member_id
            rows.append((value_hash, kind, member_id))
    won = _claim_identities(connection, program_id, rows, now)
    if len(won) < len(rows):
        # Somebody enrolled one of them meanwhile: take ours back and look again.
        drop_identities(
            connection, program_id, [value_hash for value_hash, _, _ in rows if value_hash in won]
        )
        return enrol(connection, program_id, members, now=now)
    spelled = [(fresh[index], members[index].identities.get("email", "")) for index in sorted(fresh)]
    _keep_mailboxes(connection, program_id, spelled, now)
    _insert(connection, program_id, [(fresh[index], members[index]) for index in sorted(fresh)], now)
    answers = []
    for index, pairs in enumerate(wanted):
        if isinstance(pairs, str):
            answers.append(Enrolled(0, "", False, pairs))
            continue
        owners = {owner.get(value_hash) for value_hash, _ in pairs}
        if len(owners) > 1:
            problem = "these identities belong to different members, or some are new: add them to one member"
            answers.append(Enrolled(0, "", False, problem))
            continue
        owned = owners.pop()
        assert owned is not None
        answers.append(Enrolled(owned, refs.encode(owned), index in fresh))
    return answers


def _claim_identities(
    connection: Connection[Any], program_id: int, rows: list[tuple[bytes, str, int]], now: int
) -> set[bytes]:
    if not rows:
        return set()
    rows.sort()
    won = connection.execute(
        """
        -- members.claim_identities
        insert into identity (value_hash, kind, program_id, member_id, created_at)
        select v, k, %s, m, %s from unnest(%s::bytea[], %s::text[], %s::bigint[]) as t(v, k, m)
        order by v
        on conflict (value_hash, kind, program_id) do nothing
        returning value_hash
        """,
        (program_id, moment(now), [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]),
    ).fetchall()
    return {bytes(row[0]) for row in won}


def _keep_mailboxes(
    connection: Connection[Any], program_id: int, addresses: Sequence[tuple[int, str]], now: int
) -> None:
    """Keeps the mailbox of addresses that are another spelling of it, so that one person is seen in two."""
    rows = []
    for member_id, address in addresses:
        if address and (plain := mailbox(address)) != normalized("email", address):
            rows.append((keyed(MAILBOX, plain), MAILBOX, member_id))
    _claim_identities(connection, program_id, rows, now)


def owners_of_mailbox(connection: Connection[Any], program_id: int, email: str) -> set[int]:
    """The members who have an address of the same mailbox, however they spell it."""
    plain = mailbox(email)
    hashes = [keyed("email", plain), hashed("email", email), keyed(MAILBOX, plain)]
    return set(find_hashes(connection, program_id, hashes).values())


def drop_identities(connection: Connection[Any], program_id: int, hashes: list[bytes]) -> None:
    connection.execute(
        "-- members.drop_identities\ndelete from identity where value_hash = any(%s) and program_id = %s",
        (hashes, program_id),
    )


def _insert(
    connection: Connection[Any], program_id: int, rows: list[tuple[int, NewMember]], now: int
) -> None:
    if not rows:
        return
    rows.sort(key=lambda row: row[0])
    ids = [member_id for member_id, _ in rows]
    members = [member for _, member in rows]
    connection.execute(
        """
        -- members.insert
        insert into member (member_id, program_id, status, enrolled_at, attributes, locale, time_zone)
        select m, %s, 'active', e, a::json, l, z
        from unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::text[]) as t(m, e, a, l, z)
        """,
        (
            program_id,
            ids,
            [moment(member.enrolled_at or now) for member in members],
            [msgspec.json.encode(member.attributes).decode() for member in members],
            [member.locale for member in members],
            [member.time_zone for member in members],
        ),
    )
    connection.execute(
        """
        -- members.insert_progress
        insert into progress (member_id, program_id, state, due_at, decided_at)
        select m, %s, %s, null, %s from unnest(%s::bigint[]) as t(m)
        """,
        (program_id, _NEW_STATE, moment(now), ids),
    )
    connection.execute(
        """
        -- members.to_be_counted
        insert into uncounted (program_id, what, member_ids) values (%s, 'member', %s::bigint[])
        """,
        (program_id, ids),
    )


def add_identity(
    connection: Connection[Any], program_id: int, member_id: int, kind: str, value: str, *, now: int
) -> bool:
    """Gives a member one more identity. False where it belongs to another member. Does not commit."""
    value_hash = hashed(kind, value)
    won = _claim_identities(connection, program_id, [(value_hash, kind, member_id)], now)
    if won and kind == "email":
        _keep_mailboxes(connection, program_id, [(member_id, value)], now)
    return bool(won) or find_hashes(connection, program_id, [value_hash]).get(value_hash) == member_id


def set_attributes(
    connection: Connection[Any], program_id: int, member_id: int, attributes: dict[str, str | int | bool]
) -> None:
    """Replaces a member's attributes (typed as declared). Decisions already made keep what they saw."""
    connection.execute(
        """
        -- members.set_attributes
        update member set attributes = %s::json where member_id = %s and program_id = %s
        """,
        (msgspec.json.encode(attributes).decode(), member_id, program_id),
    )


def set_status(connection: Connection[Any], program_id: int, member_id: int, status: str) -> None:
    """Freezes or unfreezes a member: active or frozen. The ledger does not change."""
    connection.execute(
        "-- members.set_status\nupdate member set status = %s where member_id = %s and program_id = %s",
        (status, member_id, program_id),
    )


def set_ranked(
    connection: Connection[Any], program_id: int, member_id: int, ranked: bool, *, now: int
) -> None:
    """Shows a member in rankings, or leaves him out of them. Does not commit."""
    connection.execute(
        """
        -- members.set_ranked
        update member set left_rankings_at = case when %s then null else coalesce(left_rankings_at, %s) end
        where member_id = %s and program_id = %s
        """,
        (ranked, moment(now), member_id, program_id),
    )


def note_origin(
    connection: Connection[Any], program_id: int, member_id: int, *, via: str, campaign: str, now: int
) -> None:
    """Notes through which door a member came, and by which campaign's link ("" for none). Does not commit."""
    connection.execute(
        """
        -- members.note_origin
        insert into member_origin (member_id, program_id, via, campaign, at) values (%s, %s, %s, %s, %s)
        on conflict (member_id) do nothing
        """,
        (member_id, program_id, via, campaign, moment(now)),
    )


def set_locale(connection: Connection[Any], program_id: int, member_id: int, locale: str) -> None:
    """Sets the language in which a member is written to. Does not commit."""
    connection.execute(
        "-- members.set_locale\nupdate member set locale = %s where member_id = %s and program_id = %s",
        (locale, member_id, program_id),
    )


# --- forgetting -------------------------------------------------------------------------------------------

IDENTITIES: Final = """
-- members.identities_of
select value_hash, kind from identity where member_id = any(%(members)s) and program_id = %(program)s
"""

FORGET: Final = """
-- members.forget
update member set status = 'erased', attributes = '{}'::json, locale = 'en', time_zone = null,
  left_rankings_at = coalesce(left_rankings_at, %(now)s)
where member_id = any(%(members)s) and program_id = %(program)s
"""

FORGET_IDENTITIES: Final = """
-- members.forget_identities
delete from identity where value_hash = any(%(hashes)s) and member_id = any(%(members)s) and program_id = %(program)s
"""

FORGET_SIGN_INS: Final = (
    "-- members.forget_sessions\n"
    "delete from member_session where member_id = any(%(members)s) and program_id = %(program)s",
    "-- members.forget_passkeys\n"
    "delete from passkey where member_id = any(%(members)s) and program_id = %(program)s",
    "-- members.forget_origins\n"
    "delete from member_origin where member_id = any(%(members)s) and program_id = %(program)s",
)

FORGET_CODES: Final = """
-- members.forget_codes
delete from sign_in_code where contact_hash = any(%(hashes)s) and program_id = %(program)s
"""


def identities_of(
    connection: Connection[Any], program_id: int, member_ids: Sequence[int]
) -> list[tuple[bytes, str]]:
    """The identities that find these members: hash and kind."""
    rows = connection.execute(IDENTITIES, {"members": list(member_ids), "program": program_id})
    return [(bytes(value_hash), kind) for value_hash, kind in rows.fetchall()]


def forget_identities(
    connection: Connection[Any], program_id: int, member_ids: Sequence[int], hashes: Sequence[bytes]
) -> int:
    """Drops identities of members with the codes and counts of tries kept under them; how many. Does not commit."""
    parameters = {"members": list(member_ids), "program": program_id, "hashes": list(hashes)}
    dropped = connection.execute(FORGET_IDENTITIES, parameters).rowcount
    connection.execute(FORGET_CODES, parameters)
    for value_hash in hashes:
        throttle.forget(connection, f"code {program_id} {value_hash.hex()}")
    return dropped


class Forgotten(Struct, frozen=True):
    """How much was forgotten of members: identities, and sessions with passkeys."""

    identities: int
    sign_ins: int


def forget(connection: Connection[Any], program_id: int, member_ids: Sequence[int], *, now: int) -> Forgotten:
    """Forgets who members are: identities, attributes, settings, sessions, passkeys, origin. Does not commit.

    Their references stay, as erased: nothing finds them and nothing acts on them any more.
    """
    hashes = [value_hash for value_hash, _ in identities_of(connection, program_id, member_ids)]
    parameters = {"members": list(member_ids), "program": program_id, "now": moment(now)}
    connection.execute(FORGET, parameters)
    sign_ins = [connection.execute(statement, parameters).rowcount for statement in FORGET_SIGN_INS]
    return Forgotten(forget_identities(connection, program_id, member_ids, hashes), sign_ins[0] + sign_ins[1])


def whole(connection: Connection[Any], program_id: int, member_id: int) -> list[int]:
    """A member and everybody who was merged into him: whoever signs in as one of them comes to his pages."""
    return [member_id, *predecessors(connection, program_id, member_id)]


def predecessors(connection: Connection[Any], program_id: int, member_id: int) -> list[int]:
    """Everybody who was merged into a member, and into those; not the member itself."""
    found: list[int] = []
    asked = [member_id]
    while asked:
        rows = connection.execute(
            """
            -- members.predecessors
            -- all members: whoever was merged into these, who are few
            select g.member_id from member_merge g join member m on m.member_id = g.member_id
            where g.into_id = any(%s) and g.program_id = %s and g.ended_at is null and m.status = 'merged'
            """,
            (asked, program_id),
        ).fetchall()
        asked = [row[0] for row in rows if row[0] not in found]
        found += asked
    return found
