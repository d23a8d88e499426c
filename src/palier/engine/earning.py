"""Earning: an activity rated by the rules of its instant, and its points credited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from palier.engine.acts import Acts
from palier.engine.decisions import (
    ISSUANCE,
    PENDING,
    Decision,
    Message,
    Position,
    SaleRecord,
    Transfer,
    issuer,
    key_of,
)
from palier.engine.facts import (
    SALE,
    Fact,
    Inputs,
    Line,
    Tender,
)
from palier.engine.plan import MONTH, PERIODS, PLAIN_BASE, ActivityPlan, CompiledRule, Plan, Timeline
from palier.engine.rating import Basket, Shared, rate, scaled, within_limits
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import NEVER, MemberState, lot_id
from palier.engine.straight import ACTING, told
from palier.engine.trace import RuleTrace, Trace


class _Context:
    """What conditions read; see palier.engine.conditions.Context. One object serves a whole fold."""

    __slots__ = (
        "amount",
        "attributes",
        "channel",
        "day",
        "lines",
        "location",
        "member",
        "memberships",
        "minute",
        "nth",
        "partner",
        "quantity",
        "segments",
        "tenders",
        "tier",
        "weekday",
    )

    amount: int
    attributes: dict[str, str | int | bool]
    channel: str | None
    day: int
    lines: Sequence[Line]
    location: str | None
    member: dict[str, str | int | bool]
    memberships: frozenset[str]
    minute: int
    nth: Callable[[str], int]
    partner: str | None
    quantity: int
    segments: frozenset[str]
    tenders: Sequence[Tender]
    tier: int
    weekday: int


_NOBODY: frozenset[str] = frozenset()


class Earning(Acts):
    """What an activity brings, and the room, remainders and ordinals that it uses."""

    __slots__ = ("_context",)

    def __init__(
        self, timeline: Timeline, state: MemberState | None = None, *, keep_records: bool = False
    ) -> None:
        super().__init__(timeline, state, keep_records=keep_records)
        self._context = _Context()

    def _earn(self, plan: Plan, fact: Fact, inputs: Inputs, at: int, position: Position) -> Decision:
        """Decides an activity that earns: by the function written out for its type, or else here."""
        straight = told(plan, fact.type)
        if straight is not None:
            decision = straight(self, fact, inputs, at, position)
            if decision is not None:
                return decision
        return self._earn_by_reference(plan, fact, inputs, at, position)

    def _earn_by_reference(
        self, plan: Plan, fact: Fact, inputs: Inputs, at: int, position: Position
    ) -> Decision:
        state = self.state
        tier = state.tier
        if not tier.key:
            tier.key = plan.levels[0]
        judgement = inputs.judgement
        if judgement is None:
            judged, held = plan, tier.key
        else:
            judged, held = self.timeline.plan_of(judgement.version) or plan, judgement.tier
        trace = Trace(judged.version, held)
        transfers: list[Transfer] = []
        rules = judged.activities.get(fact.type)
        basket = Basket(fact)
        messages: list[Message] = []
        counts = rules is not None and (rules.rules or rules.mechanics or rules.nth)
        if rules is not None and counts and (fact.amount or fact.type != SALE):
            day, minute = judged.clock.local(fact.at)
            level = judged.ladder.index.get(held, 0) if judged.ladder is not None else 0
            self._set_context(fact, inputs, basket, level, day, minute, rules)
            if judgement is None:
                if rules.nth or rules.counts_of:
                    trace.nth = self._count(judged, rules, fact.type, day)
                if rules.caps:
                    trace.rooms = self.rooms_at(judged, rules, day)
                if rules.carries:
                    trace.carry = self.carried_by(rules)
            else:
                trace.late = True
                trace.nth, trace.rooms, trace.carry = judgement.nth, judgement.rooms, judgement.carry
            self._context.nth = trace.nth.__getitem__
            if judgement is not None:
                trace.memberships = list(judgement.memberships)
            elif state.memberships:
                trace.memberships = sorted(k for k, until in state.memberships.items() if until > fact.at)
            self._context.memberships = frozenset(trace.memberships) if trace.memberships else _NOBODY
            shared = Shared(fact, inputs.allotted) if rules.shared else None
            rated = rate(
                judged, rules, self._context, basket, fact.at, level, trace.rooms, trace.carry, shared
            )
            trace.carry_out, trace.chosen = rated.carry_out, rated.chosen
            if rules.shared:
                trace.budgets = within_limits(judged, fact, rated.results, inputs.allotted)
            if judgement is None:
                if rated.carry_out:
                    state.carry.update(rated.carry_out)
                if rules.caps:
                    self._take(judged, rated.results, day)
            if rated.results:
                trace.rules = rated.results
                if rules.together is not None and not judged.idle:
                    self._credit_together(judged, rules.together, fact, trace, transfers, at, day)
                else:
                    self._credit_results(judged, fact, trace, transfers, at, day)
            if rules.mechanics:
                context = self._context
                if rules.goals:
                    self._count_goals(judged, rules, context, fact, basket, at, day, transfers, trace)
                if rules.streaks:
                    self._count_streaks(judged, rules, context, fact, inputs, at, transfers, trace, messages)
                if rules.games:
                    self._surprises(judged, rules, context, fact, inputs, at, transfers, trace)
                self._convert(judged, context, fact, at, transfers, trace, messages)
        if fact.type in ACTING:
            self._act(judged, fact, inputs, at, transfers, trace, messages)
        if fact.sale is not None:
            self._release_sale(fact.type, fact.sale, transfers, at)
        ladder = plan.ladder
        if ladder is not None:
            # Points count whatever brought them; spend and visits only from the types that count.
            points = 0
            if ladder.points_currency:
                for item in trace.rules:
                    if item.currency == ladder.points_currency:
                        points += item.earned
            if fact.type in ladder.counts:
                visits = 1 if fact.amount or fact.type != SALE else 0
                plain = ladder.base is PLAIN_BASE and basket.ordinary and not basket.tenders
                spend = basket.goods if plain and fact.amount else basket.spend(ladder.base)
                self._measure(plan, fact.at, at, spend, points, visits)
                rose = self._rise(plan, at, trace)
            elif points:
                self._measure(plan, fact.at, at, 0, points, 0)
                rose = self._rise(plan, at, trace)
            else:
                rose = False
            if ladder.gives and (rose or state.took_over):
                # A tier reached by a merge gives what it gives with the next activity.
                self._tier_gifts(plan, fact, at, transfers, trace)
        if self.keep_records:
            self.sales[key_of(fact.source, fact.id)] = SaleRecord(fact, inputs, trace, position)
        if messages:
            trace.told = [(message.member, message.fact.id) for message in messages]
        return Decision(
            fact.source, fact.id, fact.type, at, judged.version, tier.key, transfers, trace, messages
        )

    def _not_for(self, plan: Plan, fact: Fact, inputs: Inputs) -> Refusal | None:
        """Why a play cannot be taken live: it does not meet the condition of its game."""
        game = plan.games.get(str(fact.attributes.get("game", "")))
        rules = plan.activities.get(fact.type)
        match = game.matches.get(fact.type) if game is not None else None
        if match is None or rules is None:
            return None
        day, minute = plan.clock.local(fact.at)
        held = self.state.tier.key or plan.levels[0]
        level = plan.ladder.index.get(held, 0) if plan.ladder is not None else 0
        self._set_context(fact, inputs, Basket(fact), level, day, minute, rules)

        def ordinal(window: str) -> int:
            name = window if ":" in window else f"{fact.type}:{window}"
            counter = self.state.nth.get(name)
            number = self.period_at(plan, PERIODS[name.rpartition(":")[2]], day)
            before = counter[1] if counter is not None and counter[0] == number else 0
            return before if ":" in window else before + 1

        self._context.nth = ordinal
        self._context.memberships = frozenset(
            key for key, until in self.state.memberships.items() if until > fact.at
        )
        if match(self._context):
            return None
        return Refusal(
            RefusalCode.GAME_CLOSED,
            sentence("the member does not meet the condition of the game"),
            "attributes.game",
            sentence("play when its condition holds"),
        )

    def _set_context(
        self,
        fact: Fact,
        inputs: Inputs,
        basket: Basket,
        level: int,
        day: int,
        minute: int,
        rules: ActivityPlan,
    ) -> None:
        context = self._context
        context.amount = basket.amount
        context.attributes = fact.attributes
        context.channel = fact.channel
        context.day = day
        context.lines = basket.lines
        context.location = fact.location
        context.member = inputs.member
        context.minute = minute
        context.partner = fact.partner
        context.segments = frozenset(inputs.segments) if inputs.segments else _NOBODY
        context.tenders = basket.tenders
        context.tier = level
        context.weekday = (day - 1) % 7
        if rules.quantity:
            context.quantity = sum(line.quantity for line in basket.lines if line.kind != "shipping")

    def period_at(self, plan: Plan, period: int, day: int) -> int:
        """The number of the period of this kind in which a local day lies."""
        return plan.clock.periods(day)[period]

    def rooms_at(self, plan: Plan, rules: ActivityPlan, day: int) -> dict[str, int]:
        """The room left under the caps of an activity type on a local day."""
        used = self.state.used
        periods = plan.clock.periods(day)
        rooms = {}
        for key, period, limit in rules.caps:
            counter = used.get(key)
            rooms[key] = limit if counter is None or counter[0] != periods[period] else limit - counter[1]
        return rooms

    def carried_by(self, rules: ActivityPlan) -> dict[str, tuple[int, int]]:
        """The remainders that the rules of an activity type are brought."""
        carry = self.state.carry
        return {rule: scaled(carry.get(rule), denominator) for rule, denominator in rules.carries}

    def _take(self, plan: Plan, results: Sequence[RuleTrace], day: int) -> None:
        """Takes the room that results use from the counters of their caps."""
        used = self.state.used
        periods = plan.clock.periods(day)
        rules = plan.rules
        for result in results:
            earned = result.earned
            if earned:
                for key, period in rules[result.rule].cap_keys:
                    counter = used.get(key)
                    if counter is not None and counter[0] == periods[period]:
                        counter[1] += earned
                    else:
                        used[key] = [periods[period], earned]

    def _use(self, plan: Plan, amounts: dict[str, tuple[int, int]], day: int, sign: int) -> None:
        """Adds to (or, for a return, frees in) the counters of caps, in the period of the sale's day."""
        used = self.state.used
        periods = plan.clock.periods(day)
        for key, (period, points) in amounts.items():
            number = periods[period]
            counter = used.get(key)
            if counter is not None and counter[0] == number:
                counter[1] += sign * points
            elif sign > 0 and (counter is None or number > counter[0]):
                used[key] = [number, points]

    def _count(self, plan: Plan, rules: ActivityPlan, kind: str, day: int) -> dict[str, int]:
        """Counts this activity in each window that rules ask about, and tells its ordinals."""
        ordinals = {}
        for window in rules.nth:
            number = self.period_at(plan, PERIODS[window], day)
            counter = self.state.nth.get(f"{kind}:{window}")
            if counter is None or counter[0] != number:
                counter = self.state.nth[f"{kind}:{window}"] = [number, 0]
            counter[1] += 1
            ordinals[window] = counter[1]
        for name in rules.counts_of:
            number = self.period_at(plan, PERIODS[name.rpartition(":")[2]], day)
            counter = self.state.nth.get(name)
            ordinals[name] = counter[1] if counter is not None and counter[0] == number else 0
        return ordinals

    def _uncount(self, plan: Plan, trace: Trace, kind: str, day: int) -> None:
        """An activity of which nothing is kept is no longer counted, for later ones of its periods."""
        for window in trace.nth:
            counter = self.state.nth.get(f"{kind}:{window}") if ":" not in window else None
            if counter is not None and counter[0] == self.period_at(plan, PERIODS[window], day):
                counter[1] -= 1

    def _credit_together(
        self,
        plan: Plan,
        rule: CompiledRule,
        fact: Fact,
        trace: Trace,
        transfers: list[Transfer],
        at: int,
        day: int,
    ) -> None:
        """As `_credit_results`, where all rules of the activity bring points of one fate."""
        fate, identifier = plan.destination(rule, fact.at, day, plan.clock.periods(day)[MONTH])
        total = 0
        for result in trace.rules:
            if result.earned:
                result.lot = identifier
                total += result.earned
        if total:
            lot = self._lot(rule.currency, identifier, fate, "", fact.at)
            self._credit(rule.currency, lot, total, at, transfers, "earn", ISSUANCE)

    def _credit_results(
        self, plan: Plan, fact: Fact, trace: Trace, transfers: list[Transfer], at: int, day: int
    ) -> None:
        """Puts what rules earned into lots, or among the pending points: one transfer for each fate."""
        own_at = fact.at
        month = plan.clock.periods(day)[MONTH]
        rules = plan.rules
        idle = plan.idle
        sums: dict[tuple[str, int, int, str, str], list[Any]] = {}
        for result in trace.rules:
            earned = result.earned
            if not earned:
                continue
            currency = result.currency
            rule = rules[result.rule]
            fate, identifier = plan.destination(rule, own_at, day, month)
            if idle and (fate[2] or self._wallet(currency).idle_at < NEVER):
                self._prolong(plan, currency, own_at, at)
            funder = plan.funder(rule, fact)
            if not identifier or funder:
                wallet = self._wallet(currency)
                if fate[2] and wallet.idle_at == NEVER:
                    fate = self._idle_fate(plan, currency, own_at)
                identifier = lot_id(currency, wallet.epoch if fate[2] else fate[0], funder, fate[2])
            result.lot = identifier
            release_at = 0
            if rule.pending_days:
                release_at = plan.clock.add_days(own_at, rule.pending_days)
                if release_at <= at:
                    release_at = 0
            until = rule.pending_until
            if release_at or until:
                result.pending = True
            key = (currency, identifier, release_at, until, funder)
            entry = sums.get(key)
            if entry is None:
                sums[key] = [earned, fate]
            else:
                entry[0] += earned
        for (currency, identifier, release_at, until, funder), (amount, fate) in sums.items():
            source = issuer(funder)
            if release_at or until:
                self._pend(fact, currency, identifier, fate, amount, release_at or NEVER, until, funder)
                transfers.append(("earn", source, PENDING, currency, identifier, amount, at))
            else:
                lot = self._lot(currency, identifier, fate, funder, own_at)
                self._credit(currency, lot, amount, at, transfers, "earn", source, repay=False)
        for currency in dict.fromkeys(key[0] for key in sums):
            if self.state.wallets[currency].debt:
                self._repay(currency, at, transfers)
