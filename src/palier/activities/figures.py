"""The figures of a program at a glance: members, activities, and where its points are."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.amounts import from_minor


class CurrencyFigures(Struct, frozen=True):
    """One point currency, as decimal text: what was issued, and where it is now.

    issued = redeemed + expired + reversed + pending + outstanding - debt, with transfers and adjustments beside; what
    is held is outstanding too. `liability` is outstanding and pending points at the currency's value, in the
    program's money.
    """

    currency: str
    issued: str
    redeemed: str
    expired: str
    reversed: str
    adjusted: str
    pending: str
    outstanding: str
    held: str
    debt: str
    liability: str


class Figures(Struct, frozen=True):
    """A program's figures. `spend` is the money of its sales; `tiers` counts members by tier held.

    Members are those who joined and are still here: not who was erased, or merged into another.
    """

    program: str
    members: int
    activities: int
    parked: int
    spend: str
    money: str
    lines: int
    first_at: str
    last_at: str
    currencies: list[CurrencyFigures]
    tiers: dict[str, int]


MEMBERS = """
-- figures.members
-- all members: how many are here
select count(*) from member where program_id = %(program)s and status not in ('erased', 'merged')
"""

SALES = """
-- figures.sales
-- all members: what the sales of a program add up to
select count(*), coalesce(sum((a.payload->>'amount')::bigint), 0),
  coalesce(sum(json_array_length(coalesce(a.payload->'lines', '[]'::json))), 0), min(a.occurred_at), max(a.occurred_at)
from activity a where a.program_id = %(program)s and a.source <> 'palier' and a.type = 'sale'
"""

CLAIMS = """
-- figures.claims
select count(*) filter (where status = 'applied'), count(*) filter (where status = 'parked')
from activity_claim where program_id = %(program)s
"""

MOVED = """
-- figures.moved
-- all members: the ledger by currency and account
select t.currency,
  coalesce(sum(t.amount) filter (where t.debit = 'issuance' or t.debit ~ '^partner:[^:]*$'), 0),
  coalesce(sum(t.amount) filter (where t.credit = 'issuance' or t.credit ~ '^partner:[^:]*$'), 0),
  coalesce(sum(t.amount) filter (where t.credit = 'redemption' or t.credit ~ '^partner:[^:]*:used$'), 0)
    - coalesce(sum(t.amount) filter (where t.debit = 'redemption' or t.debit ~ '^partner:[^:]*:used$'), 0),
  coalesce(sum(t.amount) filter (where t.credit = 'breakage'), 0)
    - coalesce(sum(t.amount) filter (where t.debit = 'breakage'), 0),
  coalesce(sum(t.amount) filter (where t.debit = 'adjustment'), 0)
    - coalesce(sum(t.amount) filter (where t.credit = 'adjustment'), 0)
from (
  -- a correction takes off what it corrects
  select r.currency, case when r.corrects_id is null then r.amount else -r.amount end as amount,
    case when r.corrects_id is null then r.debit else r.credit end as debit,
    case when r.corrects_id is null then r.credit else r.debit end as credit
  from transfer r where r.program_id = %(program)s
) t group by t.currency
"""

HELD = """
-- figures.held
-- all members: the wallets by currency
select w.currency, sum(w.posted)::bigint, sum(w.pending)::bigint, sum(w.held)::bigint, sum(w.debt)::bigint
from wallet w where w.program_id = %(program)s group by w.currency
"""

TIERS = """
-- figures.tiers
-- all members: the tier held after each member's last decision
select l.tier, count(*) from (
  select distinct on (a.member_id) a.member_id, a.tier
  from activity a join member m on m.member_id = a.member_id
  where a.program_id = %(program)s and a.tier <> '' and m.status not in ('erased', 'merged')
  order by a.member_id, a.acts_at desc, a.activity_id desc
) l group by l.tier
"""


def figures(connection: Connection[Any], program: Runtime) -> Figures:
    """The figures of a program as posted by now. Reads only."""
    parameters = {"program": program.program_id}

    def one(query: str) -> Any:
        return connection.execute(query, parameters).fetchone()

    plan = program.latest
    _, spend, lines, first, last = one(SALES)
    applied, parked = one(CLAIMS)
    moved = {row[0]: row[1:] for row in connection.execute(MOVED, parameters)}
    held = {row[0]: row[1:] for row in connection.execute(HELD, parameters)}
    tiers = dict(connection.execute(TIERS, parameters).fetchall())
    currencies = []
    for key, currency in plan.currencies.items():
        issued, taken_back, redeemed, expired, adjusted = (int(value) for value in moved.get(key, (0,) * 5))
        posted, pending, on_hold, debt = held.get(key, (0,) * 4)

        def text(minor: int, scale: int = currency.scale) -> str:
            return from_minor(minor, scale)

        currencies.append(
            CurrencyFigures(
                key,
                text(issued),
                text(redeemed),
                text(expired),
                text(taken_back),
                text(adjusted),
                text(pending),
                text(posted),
                text(on_hold),
                text(debt),
                from_minor(plan.worth(key, posted + pending), plan.exponent),
            )
        )
    members = one(MEMBERS)[0]
    counted = {key: int(tiers.get(key, 0)) for key in plan.levels if key}
    if counted:
        counted[plan.levels[0]] += members - sum(counted.values())
    return Figures(
        program.key,
        members,
        applied,
        parked,
        from_minor(int(spend), plan.exponent),
        plan.program.currency,
        int(lines),
        first.isoformat() if first is not None else "",
        last.isoformat() if last is not None else "",
        currencies,
        counted,
    )
