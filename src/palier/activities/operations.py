"""Commands: redeeming, holding, capturing, releasing, refunding, adjusting and transferring points.

Each is a fact of its own with a permanent id (source and id): sent again with the same content it is answered
with what was decided, with other content it is refused. None commits: they run inside `batch.attempt`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from psycopg import Connection

from palier.activities import batch, store, wire
from palier.activities.answers import NotDone as NotDone
from palier.activities.answers import Result
from palier.activities.queries import Redemption, refunded
from palier.activities.runtime import Runtime
from palier.engine.amounts import AmountError, to_minor
from palier.engine.clock import MINUTE
from palier.engine.commands import unfit
from palier.engine.decide import Fold
from palier.engine.facts import LEFT, MADE_SOURCE, OWN_SOURCE, Fact, Reference
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import MemberState, decode_state
from palier.members import queries as members
from palier.members import refs

LONGEST_REASON: Final = 500
LONGEST_HOLD_MINUTES: Final = 525_600


def points_minor(runtime: Runtime, currency: str, text: str, *, signed: bool = False) -> int:
    """Minor units of points written as decimal text, at the currency's scale; never zero.

    Raises NotDone for a currency that the program does not have, and for text that is no such amount.
    """
    found = runtime.latest.currencies.get(currency)
    if found is None:
        raise NotDone(
            Refusal(
                RefusalCode.UNKNOWN_POINT_CURRENCY,
                sentence("the program has no such point currency"),
                "currency",
                sentence("use one of: %(names)s", names=", ".join(runtime.latest.currencies)),
            )
        )
    negative = signed and text.startswith("-")
    try:
        minor = to_minor(text[1:] if negative else text, found.scale)
        if not minor:
            raise AmountError(sentence("zero points change nothing"))
    except AmountError as error:
        raise NotDone(
            Refusal(
                RefusalCode.INVALID_AMOUNT,
                sentence("%(error)s", error=error),
                "points",
                sentence(
                    'send a positive decimal with at most %(scale)s decimals, such as "12"', scale=found.scale
                )
                if not signed
                else sentence(
                    'send a decimal with at most %(scale)s decimals, such as "12" or "-12"', scale=found.scale
                ),
            )
        ) from None
    return -minor if negative else minor


def refuse_foreign_source(source: str, own: str) -> None:
    """Refuses a source that belongs to the platform or to another key; `own` is the caller's."""
    if (
        source == OWN_SOURCE
        or source.startswith(f"{OWN_SOURCE}:")
        or (source.startswith("api:") and source != own)
    ):
        raise NotDone(
            Refusal(
                RefusalCode.RESERVED_SOURCE,
                sentence("this source is not yours to use"),
                "source",
                sentence("name the system that sends, such as till-3, or leave it out"),
            )
        )


def refuse_card_numbers(reason: str, actor: str) -> None:
    """Refuses (NotDone) a reason or an actor that holds the number of a payment card."""
    try:
        wire.refuse_card_number(reason, "reason")
        wire.refuse_card_number(actor, "actor")
    except wire.LineRefused as refused:
        raise NotDone(refused.refusal) from None


def refuse_own_hold(redemption: Redemption) -> None:
    """Refuses to close from outside what the platform itself holds: a pay-out on its way to the bank."""
    if redemption.source.startswith(f"{OWN_SOURCE}:"):
        raise NotDone(
            Refusal(
                RefusalCode.RESERVED_SOURCE,
                sentence("these points are held by the platform"),
                "redemption",
                sentence("take back what they are held for"),
            )
        )


def decide_command(
    connection: Connection[Any],
    runtime: Runtime,
    fact: Fact,
    member_id: int,
    content: Sequence[object],
    now: int,
    not_before: int = 0,
) -> Result:
    """Decides one command, at `not_before` at the earliest.

    What makes it the same when it is sent again is `content`, as it was asked.
    """
    try:
        wire.refuse_card_number(fact.source, "source", "id")
        wire.refuse_card_number(fact.id, "id", "id")
    except wire.LineRefused as refused:
        raise NotDone(refused.refusal) from None
    refuse_card_numbers(fact.reason, fact.actor)
    refusal = unfit(runtime.at(now), fact, now)
    if refusal is not None and not is_claimed(connection, runtime, fact.source, fact.id):
        return Result(fact.source, fact.id, "refused", member_id, refusal=refusal)
    item = batch.command_item(0, fact, member_id)
    item.not_before = not_before
    item.sha256 = sha256(b"command\0" + msgspec.json.encode([fact.type, member_id, *content])).digest()
    return batch.command(connection, runtime, [item], now=now)[0]


def is_claimed(connection: Connection[Any], runtime: Runtime, source: str, id: str) -> bool:
    """Whether something was sent under this id, and came to an end or waits."""
    row = connection.execute(
        "-- operations.is_claimed\n"
        "select 1 from activity_claim where external_id = %s and source = %s and program_id = %s",
        (id, source, runtime.program_id),
    ).fetchone()
    return row is not None


def locked(connection: Connection[Any], member_ids: Sequence[int]) -> dict[int, MemberState]:
    """Locks members in the order of their ids, lane by lane, and reads their states."""
    found: dict[int, MemberState] = {}
    for lane in batch.lanes(sorted(set(member_ids))):
        rows = connection.execute(store.LOCK, {"members": sorted(lane)}).fetchall()
        found.update((member_id, decode_state(state)) for member_id, state in rows)
    return found


def redeem(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    currency: str,
    points: int,
    source: str,
    id: str,
    now: int,
    partner: str | None = None,
) -> Result:
    """Spends points (minor units, > 0) at once, with a partner of the program where one is named.

    Refused when the member is not active or has too few, and where the partner does not take these points now.
    """
    fact = Fact(source, id, "redeem", 0, partner=partner, points=points, currency=currency)
    return decide_command(connection, runtime, fact, member_id, _with([currency, points], partner), now)


def _with(content: list[object], partner: str | None) -> list[object]:
    """What makes a command the same, with the partner where one is named."""
    return [*content, partner] if partner is not None else content


def hold(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    currency: str,
    points: int,
    minutes: int | None,
    source: str,
    id: str,
    now: int,
    partner: str | None = None,
) -> Result:
    """Sets points aside until they are captured or released, at the latest after `minutes`.

    Without `minutes` the program's own duration holds. Refused like `redeem`.
    """
    until = 0
    if minutes is not None:
        state = locked(connection, [member_id]).get(member_id, MemberState())
        until = max(now, state.latest, state.due_done) + minutes * MINUTE
    fact = Fact(source, id, "hold", 0, partner=partner, points=points, currency=currency, hold_until=until)
    return decide_command(
        connection, runtime, fact, member_id, _with([currency, points, minutes], partner), now
    )


def capture(
    connection: Connection[Any],
    runtime: Runtime,
    redemption: Redemption,
    *,
    points: int | None,
    source: str,
    id: str,
    now: int,
) -> Result:
    """Spends what is held, or `points` of it, with the partner for which it was held; the rest is free again.

    Refused when the hold is not open.
    """
    fact = Fact(
        source,
        id,
        "capture",
        0,
        partner=redemption.partner,
        points=points or 0,
        currency=redemption.currency,
        hold=Reference(redemption.source, redemption.id),
    )
    content = [redemption.source, redemption.id, points]
    return decide_command(connection, runtime, fact, redemption.member_id, content, now)


def release(
    connection: Connection[Any], runtime: Runtime, redemption: Redemption, *, source: str, id: str, now: int
) -> Result:
    """Frees what is held. Refused when the hold is not open."""
    fact = Fact(
        source,
        id,
        "release",
        0,
        currency=redemption.currency,
        hold=Reference(redemption.source, redemption.id),
    )
    content = [redemption.source, redemption.id]
    return decide_command(connection, runtime, fact, redemption.member_id, content, now)


def refund(
    connection: Connection[Any],
    runtime: Runtime,
    redemption: Redemption,
    *,
    points: int | None,
    source: str,
    id: str,
    now: int,
    reason: str = "",
) -> Result:
    """Gives points (minor units, > 0) of a redemption back to the lots they came from, or all that is left of it.

    The last taken come back first, each with its own expiry; what would go to a lot that has lapsed expires at once,
    or ends with the grace that the currency gives returns. Refused past what is left, while nothing is spent of a
    hold, and for a redemption that paid a sale: its return gives the points back.
    """
    asked = points
    if asked is None:
        own = redemption.member_id
        locked(connection, [own, *members.successors(connection, runtime.program_id, own)])
        given = refunded(connection, runtime.program_id, own, redemption.activity_id)
        # Where nothing is left, what was asked for at first: the engine then says that it is too much.
        asked = max(redemption.captured - given, 0) or redemption.points
    fact = Fact(
        source,
        id,
        "refund",
        0,
        partner=redemption.partner,
        points=asked,
        currency=redemption.currency,
        undoes=Reference(redemption.source, redemption.id),
        reason=reason,
    )
    content = [redemption.source, redemption.id, points]
    return decide_command(connection, runtime, fact, redemption.member_id, content, now)


def grant_tier(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    tier: str,
    until: int,
    source: str,
    id: str,
    now: int,
    reason: str = "",
    actor: str = "",
) -> Result:
    """Gives a member a tier until an instant (microseconds), above the one that he earns meanwhile.

    It judges and entitles like a tier that was earned, brings no gift for reaching it, and ends at its instant, or
    when `revoke_tier` names its source and id. Refused for a tier that the program does not have, and for an instant
    that has passed.
    """
    attributes: dict[str, str | int | bool] = {"tier": tier, "until": until}
    fact = Fact(source, id, "grant_tier", 0, attributes=attributes, reason=reason, actor=actor)
    return decide_command(connection, runtime, fact, member_id, [tier, until, reason, actor], now)


def revoke_tier(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    given: Reference,
    source: str,
    id: str,
    now: int,
    reason: str = "",
    actor: str = "",
) -> Result:
    """Takes a given tier back at once; `given` is the source and id of its `grant_tier`. Refused when it is over."""
    fact = Fact(source, id, "revoke_tier", 0, undoes=given, reason=reason, actor=actor)
    return decide_command(connection, runtime, fact, member_id, [given.source, given.id, reason, actor], now)


def adjust(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    currency: str,
    points: int,
    reason: str,
    actor: str,
    source: str,
    id: str,
    now: int,
    code: str = "",
    agent: str = "",
    day: str = "",
) -> Result:
    """Gives (points > 0) or takes (< 0) points for a reason. Refused when more is taken than can be spent.

    `code` is one of the program's reasons; `agent` by whose hand it is, and `day` the local day on which that
    counts. What staff may do is looked at in `palier.activities.adjustments`.
    """
    named = {"reason_code": code, "agent": agent, "day": day}
    attributes: dict[str, str | int | bool] = {name: value for name, value in named.items() if value}
    fact = Fact(
        source, id, "adjust", 0, points=points, currency=currency, reason=reason, actor=actor,
        attributes=attributes,
    )  # fmt: skip
    content: list[object] = [currency, points, reason, actor]
    return decide_command(connection, runtime, fact, member_id, [*content, code] if code else content, now)


def transfer(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    sender_id: int,
    receiver_id: int,
    currency: str,
    points: int,
    source: str,
    id: str,
    now: int,
) -> Result:
    """Moves points (minor units, > 0) to another member of the program, with their expiry and funder.

    Two facts of one transaction, transfer_out and transfer_in, in which the lots that move are written down.
    Refused (NotDone: nothing is kept) when the currency is not transferable, to oneself, and when the
    receiver is not active; refused for good when the sender has too few. The result is the sender's.
    """
    content = [receiver_id, currency, points]
    # Both members are locked before either moves, in the order of their ids; who was merged, by who took over.
    heirs = members.heirs(connection, runtime.program_id, [sender_id, receiver_id])
    sender_id, receiver_id = (
        heirs[found].member_id if found in heirs else found for found in (sender_id, receiver_id)
    )
    states = locked(connection, [sender_id, receiver_id])
    if members.heirs(connection, runtime.program_id, [sender_id, receiver_id]):
        raise batch.Conflict("a member was merged meanwhile")
    found = runtime.latest.program.point_currencies
    if not any(item.key == currency and item.transferable for item in found):
        raise NotDone(
            Refusal(
                RefusalCode.NOT_TRANSFERABLE,
                sentence("these points cannot be transferred between members"),
                "currency",
                sentence("the program allows it by `transferable: true`"),
            )
        )
    if sender_id == receiver_id:
        raise NotDone(
            Refusal(
                RefusalCode.SAME_MEMBER,
                sentence("sender and receiver are the same member"),
                "to",
                sentence("name another member"),
            )
        )
    state = states.get(sender_id, MemberState())
    engine = Fold(runtime.timeline, state)
    engine.advance(max(now, state.latest, state.due_done))
    moved = engine.choose(currency, points)
    sender, receiver = refs.encode(sender_id), refs.encode(receiver_id)
    out = Fact(
        source, id, "transfer_out", 0, points=points, currency=currency, moved=moved, other_member=receiver
    )
    result = decide_command(connection, runtime, out, sender_id, content, now)
    if result.status != "applied":
        return result
    into = Fact(
        source,
        f"{id}:in",
        "transfer_in",
        0,
        points=points,
        currency=currency,
        moved=moved,
        other_member=sender,
    )
    received = decide_command(connection, runtime, into, receiver_id, [sender_id, currency, points], now)
    if received.refusal is not None:
        raise NotDone(msgspec.structs.replace(received.refusal, field="to"))
    return result


def leave(connection: Connection[Any], runtime: Runtime, *, member_id: int, reason: str, now: int) -> Result:
    """Ends a membership: what is held is freed and all points lapse, those on the way too; what is owed stays owed.

    Once for each member. Refused when the member is not active.
    """
    fact = Fact(MADE_SOURCE, f"left:{refs.encode(member_id)}", LEFT, 0, reason=reason)
    return decide_command(connection, runtime, fact, member_id, [], now)


FORGET_RANKS: Final = """
-- activities.forget_ranks
delete from goal_progress where member_id = any(%(members)s) and program_id = %(program)s
"""


FORGET_NAMES: Final = """
-- activities.forget_ranking_names
delete from ranking_name where member_id = any(%(members)s) and program_id = %(program)s
"""


def forget(connection: Connection[Any], program_id: int, member_ids: Sequence[int]) -> int:
    """Takes out of the decisions on erased members what tells who they were; how many decisions. Does not commit.

    Amounts, accounts and order stay; baskets, places, attributes and typed words go, by the one function that may
    (`palier_forget_words`). Refused by the database for members who are not erased.
    """
    parameters = {"members": list(member_ids), "program": program_id}
    connection.execute(FORGET_RANKS, parameters)
    connection.execute(FORGET_NAMES, parameters)
    row = connection.execute(
        "-- activities.forget\nselect palier_forget_words(%(program)s, %(members)s)", parameters
    ).fetchone()
    assert row is not None
    return int(row[0])


# --- attributes of members --------------------------------------------------------------------------------


def member_attributes(
    runtime: Runtime, given: Mapping[str, str | int | bool | float | None]
) -> dict[str, str | int | bool]:
    """Attributes as declared by the program's latest version, from what was sent; null leaves one out.

    Raises NotDone for one that is not declared, does not fit its type, or is required and missing.
    """
    try:
        return wire.attributes_of(dict(given), runtime.latest.program.member_attributes)
    except wire.LineRefused as refused:
        raise NotDone(refused.refusal) from None


def lock_member(connection: Connection[Any], member_id: int) -> None:
    """Takes the member's lock, so that what is read now is what the next write changes."""
    locked(connection, [member_id])


def known_member(connection: Connection[Any], runtime: Runtime, ref: str, field: str) -> int:
    """The id of a member of the program by reference; raises NotDone where there is none or it was erased."""
    try:
        member_id = refs.decode(ref)
    except ValueError:
        member_id = -1
    found = members.read(connection, runtime.program_id, member_id) if member_id >= 0 else None
    if found is None or found.status == "erased":
        raise NotDone(unknown_member(field))
    return member_id


def unknown_member(field: str) -> Refusal:
    """The uniform refusal of a reference that is no member's, or an erased one's, or one of another program."""
    return Refusal(
        RefusalCode.UNKNOWN_MEMBER,
        sentence("no member of the program has this reference"),
        field,
        sentence("enrol the member first, or check the reference"),
    )
