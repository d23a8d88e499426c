"""Points given and taken by hand: for the program's reasons, within what one person may, or by two.

What one person may is in the program document (`adjustments`), in the version that judges now. The person is a key
or an account on the server. Beyond `approval_above` nothing moves until a second person approves.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import operations
from palier.activities.answers import Result, points_text
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime, runtime, settled
from palier.engine.amounts import to_minor
from palier.engine.clock import DAY
from palier.engine.plan import Plan
from palier.engine.program import AdjustmentLimit, Adjustments
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.ledger.verify import Violation, register_state_check
from palier.members import refs
from palier.staff import approvals
from palier.staff.approvals import Approval, Person

KIND: Final = "adjustment"


class Adjustment(Struct, frozen=True):
    """What is asked: points (minor units, below zero to take), the words for it, and its permanent id."""

    member_id: int
    currency: str
    points: int
    reason: str
    code: str
    actor: str
    source: str
    id: str


def adjust(
    connection: Connection[Any], program: Runtime, wanted: Adjustment, *, by: Person, now: int
) -> Result | Approval:
    """Adjusts points, or asks a second person to approve it. Does not commit.

    Sent again, the same is answered with what came of it. Refused (NotDone, nothing is kept): a reason that the
    program does not have, more at once or in a local day than one person may. Refused for good: what the engine
    refuses.
    """
    program = settled(connection, program)
    plan = program.at(now)
    operations.lock_member(connection, wanted.member_id)
    if operations.is_claimed(connection, program, wanted.source, wanted.id):
        return _apply(connection, program, plan, wanted, agent=by.actor, now=now)
    known = approvals.find(connection, program.program_id, KIND, _request(wanted))
    payload = _payload(program, wanted)
    if known is not None:
        if known.payload != payload:
            raise NotDone(
                Refusal(
                    RefusalCode.CONTENT_DIFFERS,
                    sentence("this id was used before with other content"),
                    "id",
                    sentence("give the new adjustment an id of its own"),
                )
            )
        return known
    rules = plan.program.adjustments or Adjustments()
    _refuse_reason(rules, wanted)
    limit = _limit(plan, wanted.currency)
    scale = plan.currencies[wanted.currency].scale if wanted.currency in plan.currencies else 0
    most = to_minor(limit.at_once, scale) if limit.at_once is not None else None
    if most is not None and abs(wanted.points) > most:
        raise _capped(plan, wanted, f"{limit.at_once} may be moved by hand at once")
    if limit.approval_above is not None and abs(wanted.points) > to_minor(limit.approval_above, scale):
        return approvals.ask(
            connection,
            program.program_id,
            kind=KIND,
            object=refs.encode(wanted.member_id),
            request=_request(wanted),
            payload=payload,
            reason=wanted.reason,
            by=by,
            now=now,
            expires_at=now + rules.approval_days * DAY,
        )
    return _apply(connection, program, plan, wanted, agent=by.actor, now=now)


def _apply(
    connection: Connection[Any], program: Runtime, plan: Plan, wanted: Adjustment, *, agent: str, now: int
) -> Result:
    """Moves the points and counts them for the person by whose hand it is."""
    day = date.fromordinal(plan.clock.local(now)[0]).isoformat()
    result = operations.adjust(
        connection,
        program,
        member_id=wanted.member_id,
        currency=wanted.currency,
        points=wanted.points,
        reason=wanted.reason,
        actor=wanted.actor,
        source=wanted.source,
        id=wanted.id,
        now=now,
        code=wanted.code,
        agent=agent,
        day=day,
    )
    if result.status != "applied":
        return result
    limit = _limit(plan, wanted.currency)
    scale = plan.currencies[wanted.currency].scale
    roomy = approvals.take_room(
        connection,
        program.program_id,
        agent=agent,
        currency=wanted.currency,
        day=day,
        points=abs(wanted.points),
        most=to_minor(limit.day, scale) if limit.day is not None else None,
    )
    if not roomy:
        raise _capped(plan, wanted, f"{limit.day} may be moved by one person in a day")
    return result


def _limit(plan: Plan, currency: str) -> AdjustmentLimit:
    limits = plan.program.adjustments.limits if plan.program.adjustments is not None else []
    return next((limit for limit in limits if limit.currency == currency), AdjustmentLimit(currency))


def _refuse_reason(rules: Adjustments, wanted: Adjustment) -> None:
    way = "give" if wanted.points > 0 else "take"
    fitting = [reason.key for reason in rules.reasons if reason.direction in (way, "both")]
    if wanted.code in fitting or (not wanted.code and not rules.reasons):
        return
    known = ", ".join(fitting)
    said = (
        sentence(
            "the program has no such reason to %(way)s points",
            way=sentence("give") if way == "give" else sentence("take"),
        )
        if wanted.code
        else sentence("a reason must be chosen")
    )
    remedy = (
        sentence("use one of: %(known)s", known=known)
        if known
        else sentence("leave it out")
        if not rules.reasons
        else sentence("ask for a reason")
    )
    raise NotDone(Refusal(RefusalCode.UNKNOWN_REASON, said, "reason_code", remedy))


def _capped(plan: Plan, wanted: Adjustment, most: str) -> NotDone:
    asked = points_text(abs(wanted.points), plan, wanted.currency)
    return NotDone(
        Refusal(
            RefusalCode.CAP_REACHED,
            sentence("%(asked)s asked, at most %(most)s", asked=asked, most=most),
            "points",
            sentence("ask for less, or let somebody else do it"),
        )
    )


def _request(wanted: Adjustment) -> str:
    return sha256(msgspec.json.encode([wanted.source, wanted.id])).hexdigest()


def _payload(program: Runtime, wanted: Adjustment) -> dict[str, Any]:
    """What is asked, as people read it and as it is done later."""
    return {
        "program": program.key,
        "member": refs.encode(wanted.member_id),
        "currency": wanted.currency,
        "points": points_text(wanted.points, program.latest, wanted.currency),
        "reason": wanted.reason,
        "reason_code": wanted.code,
        "actor": wanted.actor,
        "source": wanted.source,
        "id": wanted.id,
    }


# --- once it is decided -----------------------------------------------------------------------------------


def _approved(connection: Connection[Any], approval: Approval, now: int) -> None:
    """Moves what was asked, by the hand of who asked. Raises NotDone where it cannot be done now."""
    told = approval.payload
    program = runtime(connection, told["program"])
    assert program is not None, "a program is never removed"
    program = settled(connection, program)
    wanted = Adjustment(
        refs.decode(told["member"]),
        told["currency"],
        operations.points_minor(program, told["currency"], told["points"], signed=True),
        told["reason"],
        told["reason_code"],
        told["actor"],
        told["source"],
        told["id"],
    )
    plan = program.at(now)
    result = _apply(connection, program, plan, wanted, agent=approval.asked_by, now=now)
    if result.refusal is not None:
        raise NotDone(result.refusal)


def _refused(connection: Connection[Any], approval: Approval, now: int) -> None:
    """Nothing had moved, so nothing is to be done."""


approvals.register(KIND, approved=_approved, refused=_refused)


# --- the proof --------------------------------------------------------------------------------------------

BY_HAND: Final = """
-- adjustments.by_hand
-- all members: a sum over all adjustments, which are few
select coalesce(d.agent, m.agent), coalesce(d.currency, m.currency), coalesce(d.day, m.day),
       coalesce(m.moved, 0)::bigint, coalesce(d.used, 0)
from agent_day d
full join (
  select program_id, payload -> 'attributes' ->> 'agent' as agent, payload ->> 'currency' as currency,
         payload -> 'attributes' ->> 'day' as day, sum(abs((payload ->> 'points')::bigint)) as moved
  from activity
  where type = 'adjust' and payload -> 'attributes' ->> 'agent' is not null
    and (%(program)s::bigint is null or program_id = %(program)s)
  group by 1, 2, 3, 4
) m on m.program_id = d.program_id and m.agent = d.agent and m.currency = d.currency and m.day = d.day
where coalesce(m.moved, 0) <> coalesce(d.used, 0)
  and (%(program)s::bigint is null or coalesce(d.program_id, m.program_id) = %(program)s)
"""

UNDECIDED: Final = """
-- adjustments.unapproved
-- approvals without their second person, and adjustments of which only the one or the other is there
select a.approval_id, case when a.decided_by = a.asked_by or lower(a.decided_name) = lower(a.asked_name)
                           then 'the first person' else 'no adjustment' end
from approval a
left join activity_claim c on c.external_id = a.payload ->> 'id' and c.source = a.payload ->> 'source'
  and c.program_id = a.program_id
where a.state = 'approved' and (%(program)s::bigint is null or a.program_id = %(program)s)
  and (a.decided_by = a.asked_by or lower(a.decided_name) = lower(a.asked_name)
       or (a.kind = 'adjustment' and c.external_id is null))
"""


@register_state_check
def by_hand(connection: Connection[Any], program: str | None) -> Iterable[Violation]:
    """What is counted for each person and day is what was moved; what is approved was, by a second person."""
    row = None
    if program is not None:
        row = connection.execute("select program_id from program where key = %s", (program,)).fetchone()
    parameters = {"program": row[0] if row is not None else None}
    for agent, currency, day, moved, used in connection.execute(BY_HAND, parameters).fetchall():
        yield Violation("adjustments.by_hand", f"{agent} {currency} {day}", str(moved), str(used))
    for approval_id, found in connection.execute(UNDECIDED, parameters).fetchall():
        place = f"approval {refs.encode_as('ap', approval_id)}"
        yield Violation("adjustments.approved", place, "an act that a second person approved", found)
