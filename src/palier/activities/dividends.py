"""The yearly dividend of a membership: a share of what each member bought, at a rate that is decided afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import awards, batch, settlements, store
from palier.activities.queries import state_then
from palier.activities.runtime import Runtime, settled
from palier.engine.amounts import from_minor, ratio, to_minor
from palier.engine.clock import moment
from palier.engine.facts import MADE_SOURCE, Fact
from palier.engine.mechanics import Dividend
from palier.engine.plan import Plan
from palier.engine.sentences import sentence
from palier.engine.state import MemberState, decode_state
from palier.members import refs
from palier.site.refusal import Refused

AT_ONCE: Final = 500
_RATE: Final = re.compile(r"0\.[0-9]{1,6}|1(\.0{1,6})?", re.ASCII)

PAYING: Final = """
-- dividends.fees_after
-- members of a page with a fee from an instant on: whether they were members before it is looked at closely
select distinct a.member_id from activity a
where a.member_id = any(%(members)s) and a.program_id = %(program)s and a.type = 'fee' and a.acts_at >= %(end)s
"""

MEMBERS: Final = """
-- dividends.members
-- all members: a page of a program's members by key
select m.member_id from member m
where m.program_id = %(program)s and m.status <> 'erased' and m.member_id > %(after)s
order by m.member_id limit %(limit)s
"""


class Sums(Struct):
    """What a run comes to: members looked at and paid, spend (money) and points in minor units.

    `given` were paid by this run, `paid_before` by an earlier one. `finished`: nobody is left.
    """

    members: int = 0
    paid: int = 0
    spend: int = 0
    points: int = 0
    given: int = 0
    paid_before: int = 0
    finished: bool = False


class Decided(Struct, frozen=True):
    """A dividend as it was asked for: what it is a share of, at which rate, in which points."""

    membership: str
    year: int
    rate: str
    currency: str
    terms: Dividend
    plan: Plan
    ends_at: int

    def points(self, spend: int) -> int:
        """Points (minor units) for eligible spend (money minor units): spend x rate, rounded down."""
        share, per_share = ratio(self.rate)
        found = next(item for item in self.plan.program.point_currencies if item.key == self.currency)
        value, per_value = ratio(found.value or "1")
        unit = 10**found.scale
        return int(spend * share * per_value * unit // (per_share * value * 10**self.plan.exponent))

    @property
    def least(self) -> int:
        """The spend below which nothing is paid, in money minor units."""
        return to_minor(self.terms.least, self.plan.exponent) if self.terms.least is not None else 0


def decided(runtime: Runtime, membership: str, year: int, rate: str, now: int) -> Decided:
    """A dividend as the version in force at the end of its year has it.

    Refuses a membership that is not there or pays no dividend, a year that has not ended or is none, and a rate
    that is no decimal above 0 and at most 1 with six decimals.
    """
    if not 1970 <= year < 3000:
        raise Refused(sentence("%(year)s is no year of a dividend.", year=year))
    ends = settlements.month(runtime, f"{year}-12").ends
    if now < ends:
        raise Refused(sentence("%(year)s has not ended; its dividend is decided afterwards.", year=year))
    plan = runtime.timeline.at(ends - 1)
    found = None
    if plan is not None:
        found = next((item for item in plan.program.memberships if item.key == membership), None)
    if plan is None or found is None:
        raise Refused(
            sentence(
                "There was no membership %(membership)r at the end of %(year)s.",
                membership=membership[:60],
                year=year,
            )
        )
    if found.dividend is None:
        raise Refused(sentence("The membership %(membership)s pays no dividend.", membership=membership))
    if _RATE.fullmatch(rate) is None or ratio(rate)[0] == 0:
        raise Refused(
            sentence(
                "%(rate)r is no rate; write a decimal above 0 and at most 1, such as 0.10.", rate=rate[:20]
            )
        )
    return Decided(membership, year, rate, found.dividend.currency, found.dividend, plan, ends)


def spend_of(state: MemberState, goal: str, year: int) -> int:
    """The eligible spend of a year, in money minor units, late activities and returns included."""
    known = state.goals.get(goal)
    if known is None:
        return 0
    window = next((item for item in (known.window, *known.closed) if item.number == year), None)
    return max(0, window.position) if window is not None else 0


def run(
    connection: Connection[Any],
    runtime: Runtime,
    wanted: Decided,
    *,
    by: str,
    now: int,
    dry_run: bool = False,
    go_on: Callable[[], bool] = lambda: True,
) -> Sums:
    """Pays a dividend to every member of the membership at the end of its year, in chunks that are committed.

    Exactly once for each member and year; a run that was interrupted, or that `go_on` ended, goes on when it is
    asked for again. Refuses another rate for a year that was begun. `dry_run` writes nothing.
    """
    name, period = wanted.membership, str(wanted.year)
    known = awards.read(connection, runtime.program_id, "dividend", name, period)
    connection.rollback()
    if known is not None and ratio(known.terms) != ratio(wanted.rate):
        raise Refused(
            sentence(
                "The dividend of %(name)s for %(period)s was decided at %(terms)s; it has one rate for all.",
                name=name,
                period=period,
                terms=known.terms,
            )
        )
    sums = Sums()
    if not dry_run and known is None:

        def begin() -> awards.Run:
            return awards.begin(
                connection, runtime.program_id, "dividend", name, period, wanted.rate, by=by, now=now
            )

        known = batch.attempt(connection, begin)
        if ratio(known.terms) != ratio(wanted.rate):
            raise Refused(
                sentence(
                    "The dividend of %(name)s for %(period)s was decided at %(terms)s at this moment.",
                    name=name,
                    period=period,
                    terms=known.terms,
                )
            )
    after = -1
    while go_on():

        def once(after: int = after) -> tuple[list[int], Sums]:
            return _page(connection, runtime, wanted, after, now, dry_run)

        members, own = batch.attempt(connection, once)
        sums.members += own.members
        sums.paid += own.paid
        sums.spend += own.spend
        sums.points += own.points
        sums.given += own.given
        sums.paid_before += own.paid_before
        if len(members) < AT_ONCE:
            sums.finished = True
            break
        after = members[-1]
    if sums.finished and not dry_run:
        awards.finish(connection, runtime.program_id, "dividend", name, period, now=now)
        connection.commit()
    return sums


def _page(
    connection: Connection[Any], runtime: Runtime, wanted: Decided, after: int, now: int, dry_run: bool
) -> tuple[list[int], Sums]:
    program = settled(connection, runtime)
    parameters: dict[str, Any] = {"program": program.program_id, "after": after, "limit": AT_ONCE}
    members = [row[0] for row in connection.execute(MEMBERS, parameters)]
    states: dict[int, MemberState] = {}
    for lane in batch.lanes(members):
        locked = connection.execute(store.LOCK, {"members": sorted(lane)}, binary=True)
        states.update((member_id, decode_state(state)) for member_id, state in locked)
    paying = connection.execute(
        PAYING, {**parameters, "members": members, "end": moment(wanted.ends_at)}
    ).fetchall()
    unclear = {row[0] for row in paying}
    sums = Sums(members=len(members))
    facts, owners = [], []
    for member_id in members:
        state = states.get(member_id)
        if state is None:
            continue
        spend = spend_of(state, wanted.terms.goal, wanted.year)
        points = wanted.points(spend)
        if not points or spend < wanted.least:
            continue
        then = state
        if member_id in unclear:
            then = state_then(connection, program, member_id, wanted.ends_at - 1, now)
        if then.memberships.get(wanted.membership, 0) < wanted.ends_at:
            continue
        sums.paid += 1
        sums.spend += spend
        sums.points += points
        spent = from_minor(spend, wanted.plan.exponent)
        told = f"{wanted.year}: {spent} {wanted.plan.program.currency} x {wanted.rate}"
        facts.append(
            Fact(
                MADE_SOURCE,
                f"dividend:{wanted.membership}:{wanted.year}:{refs.encode(member_id)}",
                "dividend",
                now,
                points=points,
                currency=wanted.currency,
                attributes={
                    "membership": wanted.membership,
                    "year": wanted.year,
                    "rate": wanted.rate,
                    "spend": spent,
                },
                reason=told,
            )
        )
        owners.append(member_id)
    if not dry_run:
        results = awards.give(connection, program, facts, owners, now=now)
        sums.given = sum(result.status == "applied" for result in results)
        # What was paid by an earlier run stays as it was, also where the spend has changed since.
        sums.paid_before = len(results) - sums.given
    return members, sums


def read(connection: Connection[Any], program_id: int, membership: str, year: int) -> awards.Run | None:
    """The run of a year's dividend, None where it has not been decided."""
    return awards.read(connection, program_id, "dividend", membership, str(year))
