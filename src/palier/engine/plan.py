"""A program version compiled for deciding: amounts as integers, conditions as functions, rules by activity.

Compiling happens once per version; deciding an activity then touches only what its type needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import msgspec

from palier.engine import program as doc
from palier.engine.amounts import ratio, to_minor
from palier.engine.clock import LocalClock
from palier.engine.compiled import (
    CompiledGame,
    CompiledGoal,
    CompiledMembership,
    CompiledPartner,
    CompiledQuiz,
    CompiledReferral,
    CompiledStreak,
    Given,
    Scales,
)
from palier.engine.conditions import (
    compile_condition,
    compile_line_condition,
    counted_activities,
    counting_windows,
    uses,
)
from palier.engine.currencies import EXPONENTS
from palier.engine.facts import FEE, OCCASIONS, RELAYED, SALE, VISIT, Fact
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
        "budget",
        "cap_keys",
        "caps",
        "carry",
        "currency",
        "denominator",
        "destinations",
        "expiry",
        "funded",
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
        "when",
        "windows",
    )

    def __init__(self, rule: doc.Rule, program: doc.Program, levels: Sequence[str], exponent: int) -> None:
        currency = next(c for c in program.point_currencies if c.key == rule.currency)
        unit = 10**currency.scale
        self.key = rule.key
        self.currency = rule.currency
        self.match = compile_condition(rule.when, program, rule.on) if rule.when is not None else None
        self.when = rule.when
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
        self.budget = ""
        self.funded = rule.funded_by == "partner"


class ActivityPlan:
    """The rules that an activity type meets, in document order, and what rating them needs.

    `caps`: every (cap, period kind, limit) that may cut them; `carries`: (rule, denominator) of carried remainders.
    `together`: one of the rules, where all bring points of one currency with one fate that do not wait.
    `goals`, `streaks` and `games` (surprises) count or are drawn with it; `mechanics`: there is any of them.
    `shared`: its rules stand under limits that all members share.
    """

    __slots__ = (
        "activity_capped",
        "always",
        "capped",
        "caps",
        "carries",
        "counts",
        "counts_of",
        "games",
        "goals",
        "mechanics",
        "nth",
        "quantity",
        "rules",
        "shared",
        "streaks",
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
        alike = alike and not any(rule.funded for rule in rules)
        self.together = rules[0] if alike else None
        self.counts_of: list[str] = []
        self.always = all(rule.active_from == 0 and rule.active_until == NEVER for rule in rules)
        self.goals: list[CompiledGoal] = []
        self.streaks: list[CompiledStreak] = []
        self.games: list[CompiledGame] = []
        self.mechanics = False
        self.shared = any(rule.budget or rule.funded for rule in rules)

    def add(self, plan: Plan, kind: str) -> None:
        """Adds the mechanics that activities of this type move, and what their conditions read."""
        self.goals = [goal for goal in plan.goals.values() if kind in goal.matches]
        self.streaks = [streak for streak in plan.streaks.values() if kind in streak.matches]
        self.games = [game for game in plan.games.values() if game.surprise and kind in game.matches]
        converts = plan.referral is not None and kind in plan.referral.matches
        played = [game for game in plan.games.values() if not game.surprise and kind in game.matches]
        played = [game for game in played if game.when is not None]
        self.mechanics = bool(self.goals or self.streaks or self.games or played or converts)
        whens = [goal.when for goal in self.goals]
        whens += [streak.when for streak in self.streaks]
        whens += [game.when for game in (*self.games, *played)]
        if plan.referral is not None and converts:
            whens.append(plan.referral.when)
        windows = {window for when in whens for window in counting_windows(when)}
        counted = {window for of, window in plan.counted if of == kind}
        self.nth = sorted({*self.nth, *windows, *counted})
        self.counts_of = sorted(
            {
                f"{of}:{per}"
                for when in (*(rule.when for rule in self.rules), *whens)
                for of, per in counted_activities(when)
            }
        )
        self.quantity = self.quantity or any("quantity" in uses(when) for when in whens)


Test = Callable[[Sequence[int]], bool]


def acts(program: doc.Program) -> list[doc.ActivityType]:
    """The activity types that the mechanics of a program bring with them, and what each carries."""

    def text(choices: list[str] | None = None) -> doc.Attribute:
        return doc.Attribute(type="text", required=True, choices=choices)

    def kind(key: str, en: str, fr: str, money: bool = False, **attributes: doc.Attribute) -> None:
        found.append(doc.ActivityType(key, doc.Text(en, fr), dict(attributes), money))

    found: list[doc.ActivityType] = []
    opting = [goal.key for goal in program.goals if goal.opt_in]
    if opting:
        kind("opt_in", "Opting in", "Inscription", goal=text(opting))
        kind("opt_out", "Opting out", "Désinscription", goal=text(opting))
    played = [game.key for game in program.games if game.kind != "surprise"]
    if played:
        kind("play", "A play", "Une partie", game=text(played))
    if program.quizzes:
        kind("quiz", "A quiz", "Un quiz", quiz=text([quiz.key for quiz in program.quizzes]), answers=text())
    if program.memberships:
        fees = [membership.key for membership in program.memberships]
        kind(FEE, "A membership fee", "Une cotisation", True, membership=text(fees))
    pairs = [streak.key for streak in program.streaks if streak.of == "pair"]
    if pairs:
        kind("paired", "A pair is formed", "Un duo se forme", streak=text(pairs), pair=text())
        kind("unpaired", "A pair ends", "Un duo se termine", streak=text(pairs), pair=text())
        kind("pair_act", "The other of a pair acted", "L'autre du duo a agi", streak=text(pairs), pair=text())
    kind(
        "save_for",
        "Saving for something",
        "Une envie à atteindre",
        currency=text([currency.key for currency in program.point_currencies]),
        points=doc.Attribute(type="integer", required=True),
        name=text(),
        name_fr=doc.Attribute(type="text"),
    )
    return found


def _qualification(qualify: doc.Qualify | None, exponent: int, scale: int) -> str:
    """A test of {0} spend, {1} points and {2} visits, as an expression made of integers alone."""
    if qualify is None:
        return "True"
    decimals = {"spend": (0, exponent), "points": (1, scale), "visits": (2, 0)}
    word, thresholds = (" and ", qualify.all) if qualify.all is not None else (" or ", qualify.any or [])
    parts = []
    for item in thresholds:
        metric, places = decimals[item.metric]
        parts.append(f"{{{metric}}} >= {to_minor(item.at_least, places)}")
    return word.join(parts) or "True"


def _test(text: str) -> Test:
    named = text.format("totals[0]", "totals[1]", "totals[2]")
    test: Test = eval(f"lambda totals: {named}")  # noqa: S307 (nothing but integers)
    return test


class Ladder:
    """The tiers in order, compiled: `reach[i]` and `keep[i]` test totals [spend, points, visits].

    `given[i]` is what reaching a tier gives; `gives`: any of them gives something.
    `reach_texts` are `reach` as expressions of {0}, {1} and {2}.
    """

    __slots__ = (
        "base",
        "counts",
        "given",
        "gives",
        "grace_days",
        "index",
        "keep",
        "keys",
        "kind",
        "period",
        "points_currency",
        "reach",
        "reach_texts",
        "soft_landing",
        "window_days",
    )

    def __init__(self, ladder: doc.TierLadder, program: doc.Program, exponent: int) -> None:
        self.keys = [tier.key for tier in ladder.tiers]
        self.index = {key: number for number, key in enumerate(self.keys)}
        scale = next((c.scale for c in program.point_currencies if c.key == ladder.points_currency), 0)
        self.reach_texts = [_qualification(tier.qualify, exponent, scale) for tier in ladder.tiers]
        self.reach = [_test(text) for text in self.reach_texts]
        self.keep = [
            _test(_qualification(tier.keep or tier.qualify, exponent, scale)) for tier in ladder.tiers
        ]
        scales = Scales(program, exponent)
        self.given: list[Given] = [scales.given(tier.grants) for tier in ladder.tiers]
        self.gives = any(self.given)
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


def with_campaigns(program: doc.Program) -> doc.Program:
    """The program with the rules of its campaigns behind its own, each under its campaign's dates and audience.

    Of the campaigns with one exclusive group only the rule that brings most acts: they form a group of rules.
    """
    rules = list(program.rules)
    exclusive: dict[str, None] = {}
    for campaign in program.campaigns:
        if campaign.paused:
            continue
        limits = [part for part in (campaign.audience, *_recurring(campaign.calendar)) if part is not None]
        for rule in campaign.rules:
            parts = [*limits, *([rule.when] if rule.when is not None else [])]
            when = parts[0] if len(parts) == 1 else doc.Condition(all=parts) if parts else None
            group = rule.group
            if campaign.exclusive is not None:
                group = f"exclusive {campaign.exclusive}"
                exclusive[group] = None
            rules.append(
                msgspec.structs.replace(
                    rule,
                    when=when,
                    group=group,
                    active_from=rule.active_from or campaign.active_from,
                    active_until=rule.active_until or campaign.active_until,
                )
            )
    groups = [*program.groups, *(doc.Group(key, "best") for key in exclusive)]
    return msgspec.structs.replace(program, rules=rules, groups=groups)


def _recurring(calendar: doc.Calendar | None) -> list[doc.Condition]:
    """The conditions that a campaign's calendar stands for."""
    if calendar is None:
        return []
    parts = []
    if calendar.days_of_month:
        parts.append(doc.Condition(field="day_of_month", in_=list(calendar.days_of_month)))
    if calendar.weekdays:
        parts.append(doc.Condition(field="weekday", in_=list(calendar.weekdays)))
    if calendar.from_ is not None or calendar.until is not None:
        parts.append(doc.Condition(field="time", from_=calendar.from_, until=calendar.until))
    return parts


class Plan:
    """One version of a program, compiled. `version` is its number; `clock` its zone's calendar.

    `document` is the program as written, `program` the same with its campaigns' rules among the others. `shares`:
    something of it stands under limits that all members share; `zoned`: streaks count members' own local days;
    `relays`: what one member does may be a fact of another.
    """

    def __init__(self, document: doc.Program, version: int) -> None:
        self.document = document
        self.program = program = with_campaigns(document)
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
        scales_of = self._mechanics(program)
        for campaign in program.campaigns:
            if campaign.budget is None:
                continue
            self.budgets[f"campaign:{campaign.key}"] = scales_of.budget(
                campaign.budget, campaign.rules[0].currency
            )
            for written in campaign.rules:
                if written.key in self.rules:
                    self.rules[written.key].budget = f"campaign:{campaign.key}"
        counts = self.ladder.counts if self.ladder is not None else frozenset[str]()
        declared = {SALE, VISIT, *OCCASIONS, *(kind.key for kind in program.activity_types)}
        declared |= RELAYED | {kind.key for kind in self.acts}
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
        whens = [rule.when for rule in rules]
        whens += [goal.when for goal in self.goals.values()]
        whens += [streak.when for streak in self.streaks.values()]
        whens += [game.when for game in self.games.values()]
        whens += [self.referral.when] if self.referral is not None else []
        self.counted = {pair for when in whens for pair in counted_activities(when)}
        for name, activity in self.activities.items():
            activity.add(self, name)
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
                for when in whens
                for field in uses(when)
                if field.startswith("member.")
            }
        )
        self.hold_minutes = program.hold_minutes
        self.declared = {kind.key: kind for kind in (*self.acts, *program.activity_types)}
        self.late_window = program.late_window_days
        # Activity type -> what palier.engine.straight wrote for it, when it was first asked.
        self.told: dict[str, Any] = {}
        self.silent: dict[str, Any] = {}

    def _mechanics(self, program: doc.Program) -> Scales:
        """Compiles the mechanics, and what acts of members carry."""
        scales = Scales(program, self.exponent)
        self.goals = {goal.key: CompiledGoal(goal, scales, self.clock) for goal in program.goals}
        self.streaks = {streak.key: CompiledStreak(streak, scales) for streak in program.streaks}
        self.games = {game.key: CompiledGame(game, scales, self.clock) for game in program.games}
        self.quizzes = {quiz.key: CompiledQuiz(quiz, scales) for quiz in program.quizzes}
        self.referral = CompiledReferral(program.referral, scales) if program.referral is not None else None
        self.memberships = {item.key: CompiledMembership(item, scales) for item in program.memberships}
        self.partners = {item.key: CompiledPartner(item, scales, self.clock) for item in program.partners}
        self.leaderboards = {
            board.key: [(prize.through, scales.given(prize.grants)) for prize in board.prizes]
            for board in program.leaderboards
        }
        self.budgets: dict[str, int] = {}
        self.shares = bool(
            self.games
            or self.partners
            or any(campaign.budget is not None and not campaign.paused for campaign in program.campaigns)
        )
        self.relays = self.referral is not None or any(streak.pair for streak in self.streaks.values())
        self.zoned = any(streak.member_zone for streak in self.streaks.values())
        self.acts = acts(program)
        return scales

    def shared_limits(self, fact: Fact) -> dict[str, int]:
        """The limits shared by all members that a fact may draw on: key -> the whole limit."""
        limits: dict[str, int] = {}
        rules = self.activities.get(fact.type)
        if rules is None:
            return limits
        if rules.shared:
            for rule in rules.rules:
                if rule.budget:
                    limits[rule.budget] = self.budgets[rule.budget]
                if rule.funded and fact.partner in self.partners:
                    limits.update(self.partner_rooms(fact))
        games = list(rules.games)
        if fact.type == "play" and (played := self.games.get(str(fact.attributes.get("game", "")))):
            games.append(played)
        for game in games:
            limits.update(game.rooms())
        return limits

    def shared_limit(self, key: str) -> int | None:
        """The whole of the shared limit of a name, at its largest where agreements change it; None of one unknown."""
        if key in self.budgets:
            return self.budgets[key]
        for game in self.games.values():
            if key in (rooms := game.rooms()):
                return rooms[key]
        found = [limit for partner in self.partners.values() for limit in partner.limits(key)]
        return max(found, default=None)

    def partner_rooms(self, fact: Fact) -> dict[str, int]:
        """The limits of the partner that an activity names, at its instant."""
        partner = self.partners.get(fact.partner or "")
        if partner is None:
            return {}
        return partner.rooms(fact.at, self.clock.periods(self.clock.local(fact.at)[0])[MONTH])

    def funder(self, rule: CompiledRule, fact: Fact) -> str:
        """Who pays for what a rule brings on an activity: "" for the program, or the key of a partner.

        A partner pays for points of its currency, and only while an agreement is in force.
        """
        partner = fact.partner or ""
        return partner if rule.funded and self.takes(partner, rule.currency, fact.at) else ""

    def takes(self, key: str, currency: str, at: int) -> bool:
        """Whether a partner issues and takes points of a currency at an instant."""
        partner = self.partners.get(key)
        return partner is not None and partner.currency == currency and partner.terms(at) is not None

    def draws(self, fact: Fact) -> bool:
        """Whether random bytes are drawn for a fact."""
        rules = self.activities.get(fact.type)
        return fact.type == "play" or bool(rules is not None and rules.games)

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

    def lapses(self, currency: str, expires: int) -> int:
        """When points lapse that expire at an instant, or never, by their currency's own policy."""
        return NEVER if expires >= NEVER else self.lapse(expires, self.grace_days(currency))

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
        return self.span(at)[0]

    def span(self, at: int) -> tuple[Plan | None, int, int]:
        """The plan that judges an instant, and from and until when it does."""
        for piece in self._pieces:
            if piece[0] <= at < piece[1]:
                self._piece = piece
                return piece[2], piece[0], piece[1]
        return None, at, at

    def plan_of(self, version: int) -> Plan | None:
        """The compiled version with this number, if it judges or judged anything."""
        return next((plan for _, _, plan in self.spans if plan.version == version), None)

    def releases(self, kind: str, at: int) -> bool:
        """Whether points may wait for an activity of this type at an instant: what a version granted stands."""
        return any(start <= at and kind in plan.releasing for start, _, plan in self.spans)

    def next_start(self, at: int) -> int:
        """The next instant after `at` at which another version takes over, or NEVER."""
        begun, until, _ = self._piece
        if begun <= at < until:
            return until
        return next((start for start, _, _ in self._pieces if start > at), NEVER)
