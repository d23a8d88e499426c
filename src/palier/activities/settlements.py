"""Reads what partners of a coalition owe and are owed: the ledger's rows on their accounts, priced and added up.

A period's statement holds the rows that took effect in it (local days of the program), as known at an instant: what
was read with `known_at` comes out the same for ever. What is recorded later about a past period is read with
`known_after`, as a statement of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.amounts import from_minor
from palier.engine.clock import instant, moment
from palier.engine.decisions import issuer, used_with
from palier.engine.sentences import sentence
from palier.engine.settlement import (
    Entry,
    Line,
    Statement,
    Sums,
    clearing,
    exact_text,
    mirrored,
    place,
    price_text,
    priced,
    statements,
    terms,
)
from palier.members import refs
from palier.members.queries import merged
from palier.site.refusal import Refused

_MONTH: Final = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])", re.ASCII)
_AT_ONCE: Final = 2_000

# A decision that corrects another has its place and price, so `d` is the corrected one: `o`, or `a` itself. What a
# return moves is priced by its sale `s`; what it gives back, by the redemption `r` that paid the sale, or by what
# was captured (`c`) of the hold. What a refund gives back is priced by what it names (`s`), or captured (`c`) of it.
# Without a version that has an agreement the row's own counts, then the hold's.
# What is named may be a member's that was merged into this one: `kin` has these, and they are few.
LINES: Final = """
-- settlements.lines
-- all members: the rows on the accounts of partners in a period, which an index of theirs finds
with kin as (
  select heir as member_id, array_agg(gone) || heir as members
  from unnest(%(gone)s::bigint[], %(heirs)s::bigint[]) as g(gone, heir) group by heir
), row as (
  select t.member_id, t.transfer_id, t.activity_id, t.debit, t.credit, t.currency, t.lot_id, t.amount,
         t.effective_at, t.recorded_at, t.version, t.corrects_id
  from transfer t
  where t.program_id = %(program)s and t.effective_at >= %(from)s and t.effective_at < %(until)s
    and (t.debit like 'partner:%%' or t.credit like 'partner:%%')
    and (%(accounts)s::text[] is null or t.debit = any(%(accounts)s) or t.credit = any(%(accounts)s))
    and t.recorded_at <= %(known_at)s and t.recorded_at > %(known_after)s
    and (t.effective_at, t.transfer_id, t.member_id) > (%(after_at)s, %(after_transfer)s, %(after_member)s)
  order by t.effective_at, t.transfer_id, t.member_id
  limit %(limit)s
)
select t.member_id, t.transfer_id, t.debit, t.credit, t.currency, t.amount, t.effective_at, t.recorded_at,
       t.version, t.corrects_id is not null, coalesce(l.funder, ''), coalesce(o.source, a.source),
       coalesce(o.external_id, a.external_id, ''), coalesce(o.type, a.type),
       coalesce(o.version, a.version), coalesce(o.occurred_at, a.occurred_at),
       s.version, s.occurred_at, s.type, r.version, r.occurred_at, r.type, c.version, c.occurred_at
from row t
join activity a on a.member_id = t.member_id and a.activity_id = t.activity_id
left join activity o on o.member_id = t.member_id and o.activity_id = a.corrects_id
left join lot l on l.member_id = t.member_id and l.lot_id = t.lot_id
left join kin k on k.member_id = t.member_id
left join activity s on s.member_id = any(coalesce(k.members, array[t.member_id]))
  and s.activity_id = coalesce(o.sale_id, a.sale_id)
left join activity r on r.member_id = any(coalesce(k.members, array[t.member_id])) and r.activity_id = s.sale_id
left join activity c on c.member_id = coalesce(r.member_id, s.member_id) and c.type = 'capture'
  and c.sale_id = coalesce(r.activity_id, s.activity_id)
order by t.effective_at, t.transfer_id, t.member_id
"""

EXPIRED: Final = """
-- settlements.expired
-- all members: what expired in a period, which an index of its own finds
select l.funder, t.currency,
       sum(case when t.credit = 'breakage' then t.amount else -t.amount end)::bigint
from transfer t
join lot l on l.member_id = t.member_id and l.lot_id = t.lot_id
where t.program_id = %(program)s and t.effective_at >= %(from)s and t.effective_at < %(until)s
  and t.kind in ('expire', 'unexpire') and (%(funder)s::text is null or l.funder = %(funder)s)
  and t.recorded_at <= %(known_at)s and t.recorded_at > %(known_after)s
group by l.funder, t.currency
"""


class Period(Struct, frozen=True):
    """A calendar month of a program: its name, and its first instant and that after its last, microseconds UTC."""

    name: str
    starts: int
    ends: int


class Question(Struct, frozen=True):
    """What is asked: a period, one partner or (None) all, and what had been recorded when (instants)."""

    period: Period
    known_at: int
    known_after: int = 0
    partner: str | None = None


class After(NamedTuple):
    """A line's place, after which the next page begins."""

    at: int = 0
    transfer_id: int = 0
    member_id: int = 0


class Settled(Struct, frozen=True):
    """The statements of a period; `clearing` is what the operator pays in all, `expired` the program's own points."""

    question: Question
    statements: list[Statement]
    clearing: int
    expired: dict[str, int]


def month(runtime: Runtime, text: str) -> Period:
    """The period of a month written 2026-03, in the program's zone. Refuses anything else.

    Where a version has another zone, each month begins in the zone of the version in force by then: whatever is
    published later leaves it where it was, and months follow each other without a gap.
    """
    found = _MONTH.fullmatch(text)
    if found is None:
        raise Refused(sentence("%(given)r is no month; write it like 2026-03.", given=text[:20]))
    number = int(found.group(1)) * 12 + int(found.group(2)) - 1

    def begins(number: int) -> int:
        noon = datetime(number // 12, number % 12 + 1, 1, 12, tzinfo=UTC)
        return runtime.at(instant(noon)).clock.start_of_month(number)

    return Period(text, begins(number), begins(number + 1))


def known_partners(runtime: Runtime) -> set[str]:
    """The partners of all versions of a program."""
    return {partner.key for document in runtime.stored.documents.values() for partner in document.partners}


def lines(
    connection: Connection[Any],
    runtime: Runtime,
    question: Question,
    *,
    after: After | None = None,
    limit: int | None = None,
) -> Iterator[tuple[After, Line]]:
    """Lines on the partners' sides in the order in which they took effect, each with its place."""
    accounts = None
    if question.partner is not None:
        accounts = [issuer(question.partner), used_with(question.partner)]
    taken_over = merged(connection, runtime.program_id)
    parameters = {
        **_parameters(runtime, question),
        "gone": list(taken_over),
        "heirs": list(taken_over.values()),
        "accounts": accounts,
        "after_at": moment(after.at if after is not None else 0),
        "after_transfer": after.transfer_id if after is not None else 0,
        "after_member": after.member_id if after is not None else 0,
        "limit": limit,
    }
    with connection.cursor(name="settlement_lines") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(LINES, parameters)
        for row in cursor:
            yield After(instant(row[6]), row[1], row[0]), _line(runtime, row)


def settle(connection: Connection[Any], runtime: Runtime, question: Question) -> Settled:
    """The statements of a period: of one partner, or of all with the operator's clearing."""
    latest = runtime.latest
    rows = connection.execute(
        EXPIRED, {**_parameters(runtime, question), "funder": question.partner}
    ).fetchall()
    expired = {(funder, currency): int(points) for funder, currency, points in rows if points}
    found = statements(
        (line for _, line in lines(connection, runtime, question)),
        latest.exponent,
        {key: currency.scale for key, currency in latest.currencies.items()},
        expired,
    )
    own = {currency: points for (funder, currency), points in expired.items() if not funder}
    return Settled(question, found, clearing(found), own)


def _parameters(runtime: Runtime, question: Question) -> dict[str, Any]:
    return {
        "program": runtime.program_id,
        "from": moment(question.period.starts),
        "until": moment(question.period.ends),
        "known_at": moment(question.known_at),
        "known_after": moment(question.known_after),
    }


def _line(runtime: Runtime, row: tuple[Any, ...]) -> Line:
    (
        member_id, transfer_id, debit, credit, currency, points, effective, recorded, version, corrects, funder,
        source, external_id, kind, own_version, own_at, *named,
    ) = row  # fmt: skip
    sale_version, sale_at, sale_type, paid_version, paid_at, paid_type, captured_version, captured_at = named
    here = place(debit, credit)
    assert here is not None, "the row is on the account of a partner"
    earned = here[1] in ("issued", "reversed")
    base = (own_version, own_at)
    hold = None
    if kind == "return" and earned:
        base = (sale_version, sale_at)
    elif kind == "return":
        base = (captured_version or paid_version, captured_at or paid_at)
        hold = (paid_version, paid_at) if paid_type == "hold" else None
    elif kind == "refund":
        base = (captured_version or sale_version, captured_at or sale_at)
        hold = (sale_version, sale_at) if sale_type == "hold" else None
    elif kind == "capture" and sale_type == "hold":
        hold = (sale_version, sale_at)
    judged = [base, (version, base[1])] + ([hold] if hold is not None else [])
    entry = Entry(
        f"{refs.encode(member_id)}.{refs.encode(transfer_id).removeprefix('m_')}",
        *here,
        points,
        currency,
        funder,
        instant(effective),
        instant(recorded),
        source,
        external_id,
        corrects,
    )
    latest = runtime.latest
    agreement = terms(
        runtime.timeline, entry.partner, [(number, instant(at)) for number, at in judged if at is not None]
    )
    scale = latest.currencies[currency].scale
    return priced(entry, agreement, scale, runtime.at(entry.at).clock.local(entry.at)[0])


# --- as it is shown ---------------------------------------------------------------------------------------


def written(at: int) -> str:
    """An instant as ISO 8601 in UTC."""
    return moment(at).isoformat().replace("+00:00", "Z")


def day_text(day: int) -> str:
    """A local day as YYYY-MM-DD."""
    from datetime import date

    return date.fromordinal(day).isoformat()


def line_shown(runtime: Runtime, line: Line, *, operator: bool) -> dict[str, Any]:
    """A line as texts, on the partner's side or the operator's, where its amount has the opposite sign.

    A partner is told of the funder only where that is itself: where else a member earns is not its own.
    """
    side = mirrored(line) if operator else line
    entry = line.entry
    return {
        "line": entry.id,
        "partner": entry.partner,
        "day": day_text(line.day),
        "at": written(entry.at),
        "recorded_at": written(entry.recorded_at),
        "kind": entry.kind,
        "points": from_minor(entry.points, runtime.latest.currencies[entry.currency].scale),
        "currency": entry.currency,
        "funder": entry.funder if operator or entry.funder == entry.partner else "",
        "source": entry.source,
        "id": entry.activity,
        "agreement": line.agreement,
        "price": price_text(line.price),
        "amount": exact_text(side.amount, runtime.latest.exponent),
        "correction": entry.correction,
    }


def statement_shown(runtime: Runtime, statement: Statement) -> dict[str, Any]:
    """A partner's statement as texts: points at their scale, money of the statement rounded, of days exact."""
    exponent = runtime.latest.exponent

    def money(minor: int) -> str:
        return from_minor(minor, exponent)

    def points(sums: Sums) -> dict[str, str]:
        return {
            kind: from_minor(getattr(sums, kind), statement.scale)
            for kind in ("issued", "reversed", "used", "given_back")
        }

    return {
        "partner": statement.partner,
        "currency": statement.currency,
        "lines": statement.lines,
        "unpriced": statement.unpriced,
        **points(statement.sums),
        "expired": from_minor(statement.expired, statement.scale),
        "owed": money(statement.owed),
        "paid_ahead": money(statement.paid_ahead),
        "owing": money(statement.owing),
        "net": money(statement.net),
        "days": [
            {
                "day": day_text(day),
                **points(sums),
                "owed": exact_text(sums.earned_amount, exponent),
                "owing": exact_text(sums.used_amount, exponent),
            }
            for day, sums in statement.days.items()
        ],
    }


def settled_shown(runtime: Runtime, settled: Settled, *, operator: bool) -> dict[str, Any]:
    """The statements of a period as texts; the operator's side with its clearing and the program's own points."""
    question, latest = settled.question, runtime.latest
    return {
        "program": runtime.key,
        "period": question.period.name,
        "side": "operator" if operator else "partner",
        "money": latest.program.currency,
        "known_at": written(question.known_at),
        "known_after": written(question.known_after) if question.known_after else None,
        "statements": [statement_shown(runtime, statement) for statement in settled.statements],
        "clearing": from_minor(settled.clearing, latest.exponent) if operator else None,
        "expired": {
            currency: from_minor(points, latest.currencies[currency].scale)
            for currency, points in settled.expired.items()
        }
        if operator
        else None,
    }
