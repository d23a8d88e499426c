"""Reads of what was counted: the figures of a program for a period, beside the period before it.

Everything is made of `insight_day`: a few statements over days, whatever the number of members and activities.
What each figure means: docs/concepts/measures.md. Amounts are minor units; shares are basis points (1/10 000).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.clock import instant
from palier.engine.decisions import issuer, plain_account, used_with
from palier.engine.plan import Plan
from palier.engine.program import ExpiryNever, Rule
from palier.insights import measures
from palier.insights.breakage import Breakage, estimate

EPOCH: Final = date(1970, 1, 1)
DAYS: Final = (30, 90, 365)
"""Lengths of periods that pages offer."""
MONTHS_BACK: Final = 12

STATE: Final = """
-- insights.state
select s.counted_at, s.begun_at is not null,
       exists (select 1 from uncounted u where u.program_id = s.program_id),
       (select min(d.day) - date '1970-01-01' from insight_day d
        where d.program_id = s.program_id and d.measure = any(array['activity', 'joined']))
from insight_state s
where s.program_id = %(program)s
"""

PERIODS: Final = """
-- insights.periods
select measure, key, case when day < %(first)s then 'before' else 'now' end, sum(value)::bigint
from insight_day
where program_id = %(program)s and measure = any(%(measures)s) and day >= %(before)s and day <= %(last)s
group by 1, 2, 3
"""

UP_TO: Final = """
-- insights.up_to
select measure, key, sum(value)::bigint, coalesce(sum(value) filter (where day < %(first)s), 0)::bigint
from insight_day
where program_id = %(program)s and measure = any(%(measures)s) and day <= %(last)s
group by 1, 2
"""

BY_DAY: Final = """
-- insights.by_day
select measure, key, day - date '1970-01-01', value from insight_day
where program_id = %(program)s and measure = any(%(measures)s) and day <= %(last)s order by day
"""


class Period(Struct, frozen=True):
    """Local days from `first` through `last`, as days since 1970."""

    first: int
    last: int

    @property
    def days(self) -> int:
        return self.last - self.first + 1

    def before(self) -> Period:
        """As many days just before."""
        return Period(self.first - self.days, self.first - 1)


class Compared(Struct, frozen=True):
    """A figure of a period, and the same of the period before."""

    now: int = 0
    before: int = 0

    @property
    def change(self) -> int | None:
        """By how much it grew, in basis points of what it was; None where there was nothing."""
        if self.before <= 0:
            return None
        # Towards nothing, both ways: less by 12.34% is not told as 12.4%.
        size = abs(self.now - self.before) * 10_000 // self.before
        return size if self.now >= self.before else -size


class CurrencyInsight(Struct, frozen=True):
    """One point currency. Flows are of the period; what stands is at its end (`before`: at the end of the one before).

    `liability` is what outstanding and pending points are worth in money (0 where the currency has no value), each at
    the value in force then; `breakage` is how much of them may never be used.
    """

    currency: str
    issued: Compared
    taken_back: Compared
    redeemed: Compared
    expired: Compared
    adjusted: Compared
    outstanding: Compared
    pending: Compared
    held: Compared
    debt: Compared
    liability: Compared
    issued_worth: Compared
    redeemed_worth: Compared
    breakage: Breakage


class Cohort(Struct, frozen=True):
    """Who joined in a month, and how many of them were active in each month since, that one first."""

    month: str
    size: int
    active: tuple[int, ...]


class Waiting(Struct, frozen=True):
    """The time to a first reward, over all members: how many had one, and half of them within so many days."""

    members: int
    median_days: int | None
    within: dict[int, int]


class RuleInsight(Struct, frozen=True):
    """A rule in a period: how often it brought points, how many, and how many members it reached, ever and anew."""

    rule: str
    currency: str
    fired: Compared
    brought: Compared
    reached: Compared
    members: int


class PartnerInsight(Struct, frozen=True):
    """What a partner paid for, less what was taken back, and what was used with it, less what was given back."""

    currency: str
    issued: Compared
    used: Compared


class Insights(Struct, frozen=True):
    """A program's figures. `counted_at` is until when (microseconds UTC, 0: never); `counting` says that more waits.

    `begins` is the first day of which there is anything, None where there is nothing. Where that is later than the
    period before began, there is nothing to compare with.
    """

    period: Period
    begins: int | None
    counted_at: int
    counting: bool
    members: Compared
    joined: Compared
    active_30: Compared
    active_90: Compared
    sales: Compared
    spend: Compared
    currencies: list[CurrencyInsight]
    tiers: dict[str, Compared]
    moves: dict[tuple[str, str], Compared]
    rewarded: Waiting
    ordered: dict[str, Compared]
    rules: list[RuleInsight]
    granted: dict[tuple[str, str], Compared]
    drawn: dict[tuple[str, str], Compared]
    stepped: dict[tuple[str, int], Compared]
    partners: dict[str, PartnerInsight]

    @property
    def comparable(self) -> bool:
        """Whether the whole period before has been counted."""
        return self.begins is not None and self.begins <= self.period.before().first


def period_of(runtime: Runtime, days: int, *, now: int) -> Period:
    """The last so many days in the program's time zone, today the last of them."""
    today = runtime.at(now).clock.local(now)[0] - EPOCH.toordinal()
    return Period(today - days + 1, today)


def day_of(day: int) -> date:
    """A day since 1970 as a date."""
    return EPOCH + timedelta(day)


_FLOWS: Final = (
    measures.DEBIT,
    measures.CREDIT,
    measures.JOINED,
    measures.ACTIVITY,
    measures.SPEND,
    measures.ORDERED,
    measures.MOVED,
    measures.FIRED,
    measures.BROUGHT,
    measures.REACHED,
    measures.GRANTED,
    measures.DRAWN,
    measures.STEPPED,
)
_STANDING: Final = (
    measures.DEBIT,
    measures.CREDIT,
    measures.JOINED,
    measures.GONE,
    measures.TIER,
    measures.WAITED,
    measures.REACHED,
    *measures.STAYS.values(),
)

Sums = dict[str, dict[str, Compared]]
"""measure -> key -> the figure."""


def read(connection: Connection[Any], runtime: Runtime, period: Period, *, now: int) -> Insights:
    """The figures of a program for a period. Five statements, none of which reads members or activities.

    What there is to tell of is that of the version in force at `now`, and so is the value of points; at the end of the
    period before they had the value that was in force then.
    """
    parameters = _parameters(runtime, period)
    state = connection.execute(STATE, parameters).fetchone()
    counted, again, waits, begins = state or (None, False, False, None)
    flows = _flows(connection, parameters)
    standing = _standing(connection, parameters)
    plan = runtime.at(now)
    earlier = runtime.timeline.at(plan.clock.start_of_day(period.first + EPOCH.toordinal()) - 1) or plan
    joined, gone = (standing.get(name, {}).get("", Compared()) for name in (measures.JOINED, measures.GONE))
    members = _less(joined, gone)
    monthly = _monthly(connection, runtime, period)

    def sums(measure: str) -> dict[str, Compared]:
        return flows.get(measure, {})

    return Insights(
        period,
        begins,
        instant(counted) if counted is not None else 0,
        bool(again or waits),
        members,
        sums(measures.JOINED).get("", Compared()),
        standing.get(measures.STAYS[30], {}).get("", Compared()),
        standing.get(measures.STAYS[90], {}).get("", Compared()),
        sums(measures.ACTIVITY).get("sale", Compared()),
        sums(measures.SPEND).get("", Compared()),
        [_currency(plan, earlier, key, flows, standing, monthly.get(key, [])) for key in plan.currencies],
        _tiers(plan, standing, members),
        {_pair(key): value for key, value in sums(measures.MOVED).items()},
        _waiting(standing.get(measures.WAITED, {})),
        sums(measures.ORDERED),
        _rules(plan, flows, standing),
        {_pair(key): value for key, value in sums(measures.GRANTED).items()},
        {_pair(key): value for key, value in sums(measures.DRAWN).items()},
        {(_pair(key)[0], int(_pair(key)[1])): value for key, value in sums(measures.STEPPED).items()},
        _partners(plan, flows),
    )


def _parameters(runtime: Runtime, period: Period) -> dict[str, Any]:
    return {
        "program": runtime.program_id,
        "before": day_of(period.before().first),
        "first": day_of(period.first),
        "last": day_of(period.last),
        "measures": list(_FLOWS),
    }


def _flows(connection: Connection[Any], parameters: Mapping[str, Any]) -> Sums:
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for measure, key, part, value in connection.execute(PERIODS, parameters):
        found[measure][key][part] = value
    return {
        measure: {
            key: Compared(parts.get("now", 0), parts.get("before", 0)) for key, parts in sorted(keys.items())
        }
        for measure, keys in found.items()
    }


def _standing(connection: Connection[Any], parameters: Mapping[str, Any]) -> Sums:
    found: Sums = {}
    for measure, key, now, before in connection.execute(UP_TO, {**parameters, "measures": list(_STANDING)}):
        found.setdefault(measure, {})[key] = Compared(now, before)
    return found


def _pair(key: str) -> tuple[str, str]:
    first, _, second = key.partition("|")
    return first, second


class _Accounts:
    """Sums of debits and credits of one currency, partners' accounts put to the program's own."""

    def __init__(self, found: Sums, currency: str) -> None:
        self.debits = self._of(found.get(measures.DEBIT, {}), currency)
        self.credits = self._of(found.get(measures.CREDIT, {}), currency)

    @staticmethod
    def _of(keys: Mapping[str, Compared], currency: str) -> dict[str, Compared]:
        sums: dict[str, Compared] = {}
        for key, value in keys.items():
            of, account = _pair(key)
            if of == currency:
                name = plain_account(account)
                sums[name] = _added(sums.get(name, Compared()), value)
        return sums

    def out(self, account: str) -> Compared:
        """What left an account."""
        return self.debits.get(account, Compared())

    def into(self, account: str) -> Compared:
        """What came to an account."""
        return self.credits.get(account, Compared())

    def net(self, account: str) -> Compared:
        """What came to an account less what left it."""
        return _less(self.into(account), self.out(account))


def _added(one: Compared, other: Compared) -> Compared:
    return Compared(one.now + other.now, one.before + other.before)


def _less(one: Compared, other: Compared) -> Compared:
    return Compared(one.now - other.now, one.before - other.before)


def _currency(
    plan: Plan, earlier: Plan, key: str, flows: Sums, standing: Sums, monthly: Sequence[tuple[int, int]]
) -> CurrencyInsight:
    moved, stood = _Accounts(flows, key), _Accounts(standing, key)
    held, pending = stood.net("hold"), stood.net("pending")
    outstanding = _added(stood.net("wallet"), held)
    issued, redeemed = moved.out("issuance"), moved.net("redemption")
    debt = stood.net("debt")

    def worth(points: Compared) -> Compared:
        return Compared(plan.worth(key, points.now), earlier.worth(key, points.before))

    currency = next(item for item in plan.program.point_currencies if item.key == key)
    own = [rule.expiry for rule in _written(plan) if rule.currency == key and rule.expiry is not None]
    ends = any(not isinstance(expiry, ExpiryNever) for expiry in (currency.expiry, *own))
    total = _added(outstanding, pending)
    return CurrencyInsight(
        key,
        issued,
        moved.into("issuance"),
        redeemed,
        moved.net("breakage"),
        Compared(-moved.net("adjustment").now, -moved.net("adjustment").before),
        outstanding,
        pending,
        held,
        Compared(-debt.now, -debt.before),
        worth(total),
        worth(issued),
        worth(redeemed),
        estimate(monthly, outstanding.now + pending.now, ends=ends),
    )


def _partners(plan: Plan, flows: Sums) -> dict[str, PartnerInsight]:
    def net(key: str, credit: str, debit: str) -> Compared:
        one, other = flows.get(credit, {}).get(key, Compared()), flows.get(debit, {}).get(key, Compared())
        return _less(one, other)

    return {
        partner.key: PartnerInsight(
            partner.currency,
            net(f"{partner.currency}|{issuer(partner.key)}", measures.DEBIT, measures.CREDIT),
            net(f"{partner.currency}|{used_with(partner.key)}", measures.CREDIT, measures.DEBIT),
        )
        for partner in plan.document.partners
    }


def _written(plan: Plan) -> list[Rule]:
    """The program's rules and those of its campaigns."""
    campaigns = (rule for campaign in plan.document.campaigns for rule in campaign.rules)
    return [*plan.document.rules, *campaigns]


def _monthly(
    connection: Connection[Any], runtime: Runtime, period: Period
) -> dict[str, list[tuple[int, int]]]:
    """Of each currency, (expired, redeemed) in each of the last twelve whole months in which it had been issued."""
    end = day_of(period.last).replace(day=1)
    month = end.year * 12 + end.month - 1
    starts = [date(number // 12, number % 12 + 1, 1) for number in range(month - MONTHS_BACK, month + 1)]
    rows = connection.execute(
        """
        -- insights.monthly
        select d.measure, d.key, date_trunc('month', d.day)::date, sum(d.value)::bigint,
               (select min(f.day) from insight_day f where f.program_id = %(program)s and f.measure = 'debit')
        from insight_day d
        where d.program_id = %(program)s and d.measure = any(array['debit', 'credit'])
          and d.day >= %(first)s and d.day < %(last)s group by 1, 2, 3
        """,
        {"program": runtime.program_id, "first": starts[0], "last": starts[-1]},
    ).fetchall()
    found: dict[str, dict[date, list[int]]] = {}
    first = min((row[4] for row in rows), default=None)
    for measure, key, start, value, _ in rows:
        currency, account = _pair(key)
        name = plain_account(account)
        if name in ("breakage", "redemption"):
            pair = found.setdefault(currency, {}).setdefault(start, [0, 0])
            pair[name == "redemption"] += value if measure == measures.CREDIT else -value
    begun = [start for start in starts[:-1] if first is not None and start >= first.replace(day=1)]
    return {
        currency: [(months.get(start, [0, 0])[0], months.get(start, [0, 0])[1]) for start in begun]
        for currency, months in found.items()
    }


def _tiers(plan: Plan, standing: Sums, members: Compared) -> dict[str, Compared]:
    """Members by tier; who was never decided about stands where members start."""
    counted = standing.get(measures.TIER, {})
    levels = {key: counted.get(key, Compared()) for key in plan.levels if key}
    if levels:
        known = Compared(sum(c.now for c in levels.values()), sum(c.before for c in levels.values()))
        start = next(iter(levels))
        rest = _less(members, known)
        levels[start] = _added(levels[start], Compared(max(0, rest.now), max(0, rest.before)))
    return levels


def _waiting(waited: Mapping[str, Compared]) -> Waiting:
    days = sorted((int(key), value.now) for key, value in waited.items() if value.now > 0)
    members = sum(count for _, count in days)
    median, seen = None, 0
    for day, count in days:
        seen += count
        if median is None and 2 * seen >= members:
            median = day
    within = {limit: sum(count for day, count in days if day <= limit) for limit in (7, 30, 90, 180, 365)}
    return Waiting(members, median, within)


def _rules(plan: Plan, flows: Sums, standing: Sums) -> list[RuleInsight]:
    told = []
    for key, rule in plan.rules.items():
        told.append(
            RuleInsight(
                key,
                rule.currency,
                flows.get(measures.FIRED, {}).get(key, Compared()),
                flows.get(measures.BROUGHT, {}).get(f"{key}|{rule.currency}", Compared()),
                flows.get(measures.REACHED, {}).get(key, Compared()),
                standing.get(measures.REACHED, {}).get(key, Compared()).now,
            )
        )
    return told


# --- series -------------------------------------------------------------------------------------------


class Series(Struct, frozen=True):
    """Values by day up to `last`: of one measure and key."""

    days: list[int]
    values: list[int]

    def between(self, first: int, last: int) -> int:
        """The sum from `first` through `last`."""
        return sum(self.values[bisect_left(self.days, first) : bisect_left(self.days, last + 1)])

    def up_to(self, last: int) -> int:
        """The sum of all up to a day: how many there are, where the values are changes."""
        return sum(self.values[: bisect_left(self.days, last + 1)])


def series(
    connection: Connection[Any], runtime: Runtime, names: Iterable[str], last: int
) -> dict[tuple[str, str], Series]:
    """The days of some measures, by (measure, key), through `last`."""
    found: dict[tuple[str, str], Series] = {}
    parameters = {"program": runtime.program_id, "measures": list(names), "last": day_of(last)}
    for measure, key, day, value in connection.execute(BY_DAY, parameters):
        item = found.setdefault((measure, key), Series([], []))
        item.days.append(day)
        item.values.append(value)
    return found


def cohorts(
    connection: Connection[Any], runtime: Runtime, last: int, months: int = MONTHS_BACK
) -> list[Cohort]:
    """Members by the month in which they joined, and in which months since they were active; oldest first.

    The month of `last` is left out: it is not over.
    """
    end = day_of(last)
    stop = end.year * 12 + end.month - 1
    found = series(connection, runtime, (measures.JOINED, measures.COHORT), last)
    sizes = found.get((measures.JOINED, ""), Series([], []))
    told = []
    for number in range(stop - months, stop):
        name = f"{number // 12:04d}-{number % 12 + 1:02d}"
        size = sizes.between(_first(number), _first(number + 1) - 1)
        own = found.get((measures.COHORT, name), Series([], []))
        active = tuple(own.between(_first(later), _first(later)) for later in range(number, stop))
        if size or any(active):
            told.append(Cohort(name, size, active))
    return told


def _first(month: int) -> int:
    return (date(month // 12, month % 12 + 1, 1) - EPOCH).days


__all__ = [
    "DAYS",
    "Cohort",
    "Compared",
    "CurrencyInsight",
    "Insights",
    "Period",
    "RuleInsight",
    "Series",
    "Waiting",
    "cohorts",
    "day_of",
    "period_of",
    "read",
    "series",
]
