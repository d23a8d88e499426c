"""A program version compiled for deciding: amounts as integers, conditions as functions, rules by activity.

Compiling happens once per version; deciding an activity then touches only what its type needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from palier.engine import program as doc
from palier.engine.amounts import ratio, to_minor
from palier.engine.clock import LocalClock
from palier.engine.conditions import compile_condition, compile_line_condition, counting_windows, uses
from palier.engine.currencies import EXPONENTS
from palier.engine.instants import ends_at, starts_at
from palier.engine.state import NEVER, lot_id

DAY, WEEK, MONTH, YEAR, LIFETIME = range(5)
PERIODS = {"day": DAY, "week": WEEK, "month": MONTH, "year": YEAR, "lifetime": LIFETIME}

PER_SPEND, PER_UNIT, FIXED, MULTIPLY = range(4)

PLAIN_BASE = doc.Base()
"""The base that a rule has unless it says otherwise; compared by identity where speed counts."""

Fate = tuple[int, int, bool, bool]
"""(expires_at, lapses_at, idle, single) of points earned at an instant."""


class Cap:
    """One cap: its counter's name, the period it counts in, and the limit in points minor units."""

    __slots__ = ("key", "limit", "period")

    def __init__(self, key: str, period: int, limit: int) -> None:
        self.key, self.period, self.limit = key, period, limit


class CapSet:
    """The caps of one rule, group or currency: the cap on a single activity, and those by period."""

    __slots__ = ("activity", "name", "periods")

    def __init__(self, name: str, caps: doc.Caps, scale: int) -> None:
        self.name = name
        self.activity = to_minor(caps.activity, scale) if caps.activity is not None else None
        self.periods = [
            Cap(f"{name}:{period}", number, to_minor(value, scale))
            for period, number in PERIODS.items()
            if (value := getattr(caps, period)) is not None
        ]


class CompiledCurrency:
    """A point currency with its scale and policies."""

    __slots__ = (
        "expiry",
        "key",
        "pending_days",
        "pending_until",
        "return_grace_days",
        "scale",
        "taking_back",
    )

    def __init__(self, currency: doc.PointCurrency) -> None:
        self.key = currency.key
        self.scale = currency.scale
        self.taking_back = currency.taking_back
        self.expiry = 0
        self.return_grace_days = currency.return_grace_days
        self.pending_days, self.pending_until = _pending(currency.pending)


def _pending(pending: doc.Pending | None) -> tuple[int, str]:
    if isinstance(pending, doc.PendingDays):
        return pending.days, ""
    if isinstance(pending, doc.PendingUntilActivity):
        return 0, pending.activity
    return 0, ""


class CompiledRule:
    """One rule ready to rate."""

    __slots__ = (
        "active_from",
        "active_until",
        "base",
        "cap_keys",
        "caps",
        "carry",
        "currency",
        "denominator",
        "destinations",
        "expiry",
        "group",
        "key",
        "kind",
        "lines",
        "match",
        "mode",
        "multipliers",
        "numerator",
        "pending_days",
        "pending_until",
        "per_line",
        "plain",
        "tender_rates",
        "uses",
        "windows",
    )

    def __init__(self, rule: doc.Rule, program: doc.Program, levels: Sequence[str], exponent: int) -> None:
        currency = next(c for c in program.point_currencies if c.key == rule.currency)
        unit = 10**currency.scale
        self.key = rule.key
        self.currency = rule.currency
        self.match = compile_condition(rule.when, program, rule.on) if rule.when is not None else None
        self.uses = uses(rule.when)
        self.windows = counting_windows(rule.when)
        self.lines = compile_line_condition(rule.lines, program) if rule.lines is not None else None
        self.base = PLAIN_BASE if rule.base == PLAIN_BASE else rule.base
        self.tender_rates: dict[str, int] | None = None
        if rule.per_spend is not None:
            self.kind = PER_SPEND
            self.numerator: int
            self.denominator: int
            points, per_points = ratio(rule.per_spend.points)
            every, per_every = ratio(rule.per_spend.every)
            # base minor units x numerator / denominator = points minor units
            self.numerator = points * unit * per_every
            self.denominator = per_points * every * 10**exponent
            if rule.tenders:
                widest = max([per_points, *(ratio(value)[1] for value in rule.tenders.values())])
                self.numerator = points * (widest // per_points) * unit * per_every
                self.denominator = widest * every * 10**exponent
                self.tender_rates = {
                    kind: ratio(value)[0] * (widest // ratio(value)[1]) * unit * per_every
                    for kind, value in rule.tenders.items()
                }
        elif rule.per_unit is not None:
            self.kind = PER_UNIT
            points, per_points = ratio(rule.per_unit)
            self.numerator, self.denominator = points * unit, per_points
        elif rule.fixed is not None:
            self.kind = FIXED
            self.numerator, self.denominator = to_minor(rule.fixed, currency.scale), 1
        else:
            self.kind = MULTIPLY
            points, per_points = ratio(rule.multiply or "1")
            self.numerator, self.denominator = points - per_points, per_points
        multipliers = rule.tier_multipliers or {}
        self.multipliers = (
            [ratio(multipliers[level]) if level in multipliers else None for level in levels]
            if multipliers
            else None
        )
        self.mode = rule.rounding.mode
        self.per_line = rule.rounding.per == "line"
        self.carry = rule.rounding.per == "carry" and self.kind in (PER_SPEND, PER_UNIT)
        self.caps = CapSet(f"rule:{rule.key}", rule.caps, currency.scale) if rule.caps is not None else None
        self.cap_keys: list[tuple[str, int]] = []
        self.destinations: dict[int, tuple[Fate, int]] = {}
        self.group = rule.group
        self.expiry = 0
        self.pending_days, self.pending_until = _pending(
            rule.pending if rule.pending is not None else currency.pending
        )
        self.plain = self.lines is None and not self.per_line
        clock = LocalClock(program.time_zone)
        self.active_from = starts_at(rule.active_from, clock) if rule.active_from is not None else 0
        self.active_until = ends_at(rule.active_until, clock) if rule.active_until is not None else NEVER


class ActivityPlan:
    """The rules that an activity type meets, in document order, and what rating them needs.

    `caps`: every (cap, period kind, limit) that may cut them; `carries`: (rule, denominator) of carried remainders.
    `together`: one of the rules, where all bring points of one currency with one fate that do not wait.
    """

    __slots__ = (
        "activity_capped",
        "always",
        "capped",
        "caps",
        "carries",
        "counts",
        "nth",
        "quantity",
        "rules",
        "together",
    )

    def __init__(self, rules: list[CompiledRule], plan: Plan, *, counts: bool) -> None:
        self.rules = rules
        self.counts = counts
        caps = {cap.key: cap for rule in rules for group in plan.caps_of(rule) for cap in group.periods}
        self.caps = [(cap.key, cap.period, cap.limit) for cap in caps.values()]
        self.capped = any(plan.caps_of(rule) or rule.group in plan.best for rule in rules)
        self.carries = [(rule.key, rule.denominator) for rule in rules if rule.carry]
        self.nth = sorted({window for rule in rules for window in rule.windows})
        self.quantity = any("quantity" in rule.uses for rule in rules)
        self.activity_capped = any(
            group.activity is not None for rule in rules for group in plan.caps_of(rule)
        )
        fates = {(rule.currency, rule.expiry, rule.pending_days, rule.pending_until) for rule in rules}
        alike = len(fates) == 1 and not rules[0].pending_days and not rules[0].pending_until
        self.together = rules[0] if alike else None
        self.always = all(rule.active_from == 0 and rule.active_until == NEVER for rule in rules)


Test = Callable[[Sequence[int]], bool]


def _qualification(qualify: doc.Qualify | None, exponent: int, scale: int) -> Test:
    """A test of totals [spend, points, visits], compiled from integers alone."""
    if qualify is None:
        return lambda totals: True
    decimals = {"spend": (0, exponent), "points": (1, scale), "visits": (2, 0)}
    word, thresholds = (" and ", qualify.all) if qualify.all is not None else (" or ", qualify.any or [])
    parts = []
    for item in thresholds:
        metric, places = decimals[item.metric]
        parts.append(f"totals[{metric}] >= {to_minor(item.at_least, places)}")
    test: Test = eval(f"lambda totals: {word.join(parts) or True}")  # noqa: S307 (nothing but integers)
    return test


class Ladder:
    """The tiers in order, compiled: `reach[i]` and `keep[i]` test totals [spend, points, visits]."""

    __slots__ = (
        "base",
        "counts",
        "grace_days",
        "index",
        "keep",
        "keys",
        "kind",
        "period",
        "points_currency",
        "reach",
        "soft_landing",
        "window_days",
    )

    def __init__(self, ladder: doc.TierLadder, program: doc.Program, exponent: int) -> None:
        self.keys = [tier.key for tier in ladder.tiers]
        self.index = {key: number for number, key in enumerate(self.keys)}
        scale = next((c.scale for c in program.point_currencies if c.key == ladder.points_currency), 0)
        self.reach = [_qualification(tier.qualify, exponent, scale) for tier in ladder.tiers]
        self.keep = [_qualification(tier.keep or tier.qualify, exponent, scale) for tier in ladder.tiers]
        window = ladder.window
        self.kind = {doc.WindowRolling: "rolling", doc.WindowCalendar: "calendar"}.get(
            type(window), "lifetime"
        )
        self.window_days = window.days if isinstance(window, doc.WindowRolling) else 0
        self.period = window.period if isinstance(window, doc.WindowCalendar) else "year"
        self.counts = frozenset(ladder.counts)
        self.base = PLAIN_BASE if ladder.spend_base == PLAIN_BASE else ladder.spend_base
        self.points_currency = ladder.points_currency or ""
        self.grace_days = ladder.grace_days
        self.soft_landing = ladder.soft_landing


class Plan:
    """One version of a program, compiled. `version` is its number; `clock` its zone's calendar."""

    def __init__(self, program: doc.Program, version: int) -> None:
        self.program = program
        self.version = version
        self.clock = LocalClock(program.time_zone)
        self.exponent = EXPONENTS[program.currency]
        self.currencies = {c.key: CompiledCurrency(c) for c in program.point_currencies}
        self.ladder = Ladder(program.tiers, program, self.exponent) if program.tiers is not None else None
        self.levels = self.ladder.keys if self.ladder is not None else [""]
        scales = {c.key: c.scale for c in program.point_currencies}
        rules = [CompiledRule(rule, program, self.levels, self.exponent) for rule in program.rules]
        self.rules = {rule.key: rule for rule in rules}
        self.expiries: list[doc.Expiry] = []
        for currency in program.point_currencies:
            self.currencies[currency.key].expiry = self._expiry_index(currency.expiry)
        for rule, written in zip(rules, program.rules, strict=True):
            own = written.expiry
            rule.expiry = self.currencies[rule.currency].expiry if own is None else self._expiry_index(own)
        self._fates: list[dict[int, Fate]] = [{} for _ in self.expiries]
        group_currency = {rule.group: rule.currency for rule in program.rules if rule.group}
        self.best = frozenset(group.key for group in program.groups if group.stacking == "best")
        self.rule_caps = any(rule.caps is not None for rule in rules)
        self.group_caps = {
            group.key: CapSet(f"group:{group.key}", group.caps, scales[group_currency[group.key]])
            for group in program.groups
            if group.caps is not None and group.key in group_currency
        }
        self.member_caps = {
            cap.currency: CapSet(f"member:{cap.currency}", cap.caps, scales[cap.currency])
            for cap in program.caps
        }
        counts = self.ladder.counts if self.ladder is not None else frozenset[str]()
        declared = {"sale", "visit", *(kind.key for kind in program.activity_types)}
        for rule in rules:
            rule.cap_keys = [(cap.key, cap.period) for group in self.caps_of(rule) for cap in group.periods]
        self.activities = {
            kind: ActivityPlan(
                [rule for rule, written in zip(rules, program.rules, strict=True) if written.on == kind],
                self,
                counts=kind in counts,
            )
            for kind in sorted(declared | {rule.on for rule in program.rules})
        }
        self.releasing = frozenset(
            name
            for name in [
                *(c.pending_until for c in self.currencies.values()),
                *(rule.pending_until for rule in rules),
            ]
            if name
        )
        self.idle = {
            key: expiry
            for key, currency in self.currencies.items()
            if isinstance(expiry := self.expiries[currency.expiry], doc.ExpiryInactivity)
        }
        self.member_fields = sorted(
            {
                field.removeprefix("member.")
                for rule in rules
                for field in rule.uses
                if field.startswith("member.")
            }
        )
        self.hold_minutes = program.hold_minutes
        self.declared = {kind.key: kind for kind in program.activity_types}
        self.late_window = program.late_window_days

    def destination(self, rule: CompiledRule, at: int, day: int, month: int) -> tuple[Fate, int]:
        """The fate of points that a rule brings at an instant, and the id of their lot (0 where it is idle)."""
        known = rule.destinations.get(month)
        if known is not None:
            return known
        fate = self.fate(rule.expiry, at, day)
        found = (fate, 0 if fate[2] else lot_id(rule.currency, fate[0], "", False))
        if not fate[3]:
            rule.destinations[month] = found
        return found

    def caps_of(self, rule: CompiledRule) -> list[CapSet]:
        """The caps that limit a rule: its own, its group's, the member's for its currency."""
        sets = (
            rule.caps,
            self.group_caps.get(rule.group) if rule.group is not None else None,
            self.member_caps.get(rule.currency),
        )
        return [caps for caps in sets if caps is not None]

    def _expiry_index(self, expiry: doc.Expiry) -> int:
        if expiry not in self.expiries:
            self.expiries.append(expiry)
        return self.expiries.index(expiry)

    def fate(self, index: int, at: int, day: int) -> Fate:
        """When points earned at `at` (local day ordinal `day`) under an expiry policy expire and lapse.

        Points under inactivity expiry take the instants of their wallet; here they are told as idle.
        """
        month = self.clock.calendar(day)[1]
        found = self._fates[index].get(month)
        if found is not None:
            return found
        expiry = self.expiries[index]
        if isinstance(expiry, doc.ExpiryNever):
            fate: Fate = (NEVER, NEVER, False, False)
        elif isinstance(expiry, doc.ExpiryInactivity):
            fate = (NEVER, NEVER, True, False)
        elif isinstance(expiry, doc.ExpiryRolling):
            expires = self.clock.add_days(at, expiry.days)
            return expires, self.lapse(expires, expiry.grace_days), False, True
        else:
            expires = self._shared_expiry(expiry, day)
            fate = (expires, self.lapse(expires, expiry.grace_days), False, False)
        self._fates[index][month] = fate
        return fate

    def grace_days(self, currency: str) -> int:
        """The days of grace of a currency's own expiry policy."""
        found = self.currencies.get(currency)
        policy = self.expiries[found.expiry] if found is not None else None
        return 0 if policy is None or isinstance(policy, doc.ExpiryNever) else policy.grace_days

    def worth(self, currency: str, points: int) -> int:
        """The value of points (minor units) in money minor units, rounded down; 0 where none is declared."""
        found = next((c for c in self.program.point_currencies if c.key == currency), None)
        if found is None or found.value is None:
            return 0
        value, per = ratio(found.value)
        return int(points * value * 10**self.exponent // (per * 10**found.scale))

    def lapse(self, expires: int, grace_days: int) -> int:
        """The end of the grace after an expiry."""
        return self.clock.add_days(expires, grace_days) if grace_days else expires

    def _shared_expiry(self, expiry: doc.Expiry, day: int) -> int:
        clock = self.clock
        _, month, year = clock.calendar(day)
        if isinstance(expiry, doc.ExpiryEndOfMonth):
            return clock.start_of_month(month + expiry.after_months + 1)
        if isinstance(expiry, doc.ExpiryEndOfYear):
            return clock.start_of_month((year + expiry.after_years + 1) * 12)
        assert isinstance(expiry, doc.ExpiryFixedDate)
        return clock.start_of_day(date.fromisoformat(expiry.date).toordinal() + 1)

    def period_number(self, at: int) -> int:
        """The number of the tier ladder's calendar period at an instant."""
        assert self.ladder is not None
        _, month, year = self.clock.calendar(self.clock.local(at)[0])
        period = self.ladder.period
        return year if period == "year" else month if period == "month" else month // 3

    def period_start(self, number: int) -> int:
        """The first instant of a calendar period of the tier ladder."""
        assert self.ladder is not None
        month = {"month": number, "quarter": number * 3, "year": number * 12}[self.ladder.period]
        return self.clock.start_of_month(month)


class Timeline:
    """Which version judges which instant: spans (from, until, plan) where the last one that covers it wins."""

    def __init__(self, spans: Sequence[tuple[int, int, Plan]]) -> None:
        self.spans = list(spans)
        cuts = sorted({0, *(start for start, _, _ in spans), *(end for _, end, _ in spans if end < NEVER)})
        self._pieces: list[tuple[int, int, Plan | None]] = []
        for number, start in enumerate(cuts):
            end = cuts[number + 1] if number + 1 < len(cuts) else NEVER
            plan = next((p for low, high, p in reversed(self.spans) if low <= start < high), None)
            self._pieces.append((start, end, plan))
        self._piece = self._pieces[-1]

    def at(self, at: int) -> Plan | None:
        """The plan that judges an instant, or None before the program began."""
        start, end, plan = self._piece
        if start <= at < end:
            return plan
        for piece in self._pieces:
            if piece[0] <= at < piece[1]:
                self._piece = piece
                return piece[2]
        return None

    def plan_of(self, version: int) -> Plan | None:
        """The compiled version with this number, if it judges or judged anything."""
        return next((plan for _, _, plan in self.spans if plan.version == version), None)

    def next_start(self, at: int) -> int:
        """The next instant after `at` at which another version takes over, or NEVER."""
        return next((start for start, _, _ in self._pieces if start > at), NEVER)
