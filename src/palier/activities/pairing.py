"""Pairs: two members of a streak who must both act; formed and ended by facts of both."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from msgspec import Struct
from psycopg import Connection

from palier.activities import batch
from palier.activities.answers import Result
from palier.activities.operations import NotDone, locked
from palier.activities.runtime import Runtime
from palier.activities.wire import Read
from palier.engine.facts import MADE_SOURCE, Fact, encode_fact
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import MemberState
from palier.members import refs


class Pair(Struct, frozen=True):
    """A pair of a streak: the name that both members' facts bear, and the two members."""

    streak: str
    name: str
    member_id: int
    other_id: int


def pair(
    connection: Connection[Any], runtime: Runtime, streak: str, member_id: int, other_id: int, *, now: int
) -> Pair:
    """Makes two members a pair of a streak from now on. Does not commit.

    Refused (NotDone), in this order: member_not_active, unknown_streak (also one that is not of pairs),
    same_member, already_paired.
    """
    _refuse(runtime, streak, member_id, other_id)
    states = locked(connection, [member_id, other_id])
    if _named(states, streak, member_id, other_id) is not None:
        raise NotDone(
            Refusal(
                RefusalCode.ALREADY_PAIRED,
                sentence("the two members are a pair of this streak already"),
                "with",
                sentence("end the pair first, if it is to begin anew"),
            )
        )
    first, second = sorted((refs.encode(member_id), refs.encode(other_id)))
    made = Pair(streak, f"{first}.{second}.{now}", member_id, other_id)
    _tell(connection, runtime, "paired", made, now)
    return made


def unpair(
    connection: Connection[Any], runtime: Runtime, streak: str, member_id: int, other_id: int, *, now: int
) -> Pair:
    """Ends a pair; what its streak gave stays given. Does not commit.

    Refused (NotDone), in this order: unknown_streak, same_member, not_paired.
    """
    _refuse(runtime, streak, member_id, other_id)
    name = _named(locked(connection, [member_id, other_id]), streak, member_id, other_id)
    if name is None:
        raise NotDone(
            Refusal(
                RefusalCode.NOT_PAIRED,
                sentence("the two members are no pair of this streak"),
                "with",
                sentence("check the references and the streak"),
            )
        )
    ended = Pair(streak, name, member_id, other_id)
    _tell(connection, runtime, "unpaired", ended, now)
    return ended


def _refuse(runtime: Runtime, streak: str, member_id: int, other_id: int) -> None:
    pairs = [found.key for found in runtime.latest.streaks.values() if found.pair]
    if streak not in pairs:
        raise NotDone(
            Refusal(
                RefusalCode.UNKNOWN_STREAK,
                sentence("the program has no streak of pairs with this key"),
                "streak",
                sentence("use one of: %(names)s", names=", ".join(pairs))
                if pairs
                else sentence("the program has no streak of pairs"),
            )
        )
    if member_id == other_id:
        raise NotDone(
            Refusal(
                RefusalCode.SAME_MEMBER,
                sentence("a pair is of two members"),
                "with",
                sentence("name another member"),
            )
        )


def _named(states: dict[int, MemberState], streak: str, member_id: int, other_id: int) -> str | None:
    """The name of the pair that two members are; None where they are none."""
    other = refs.encode(other_id)
    state = states.get(member_id, MemberState())
    for name, running in state.streaks.items():
        key, colon, pair_name = name.partition(":")
        if colon and key == streak and running.other == other:
            return pair_name
    return None


def _tell(connection: Connection[Any], runtime: Runtime, kind: str, made: Pair, now: int) -> None:
    """Applies the fact to both members, each with an id of its own that follows from the pair."""
    reads, owners = [], []
    for mine, other in ((made.member_id, made.other_id), (made.other_id, made.member_id)):
        fact = Fact(
            MADE_SOURCE,
            f"{kind}:{made.streak}:{made.name}:{refs.encode(mine)}",
            kind,
            now,
            attributes={"streak": made.streak, "pair": made.name},
            other_member=refs.encode(other),
        )
        payload = encode_fact(fact)
        reads.append(Read(fact, None, payload, sha256(payload).digest()))
        owners.append(mine)
    results: list[Result] = batch.apply_within(connection, runtime, reads, now=now, known_members=owners)
    for result in results:
        if result.refusal is not None:
            raise NotDone(result.refusal)
