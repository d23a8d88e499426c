"""The decider: one member's state, one fact at a time, in order; out come decisions.

`Fold` is the one pure function of the platform in its working form: the live intake, previews, backtests and
re-decisions all feed facts to it. Facts due at an instant (release of pending points, then expiry, then a
change of tier) act before anything else at that instant, whether or not somebody asked meanwhile.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from palier.engine.amounts import from_minor
from palier.engine.facts import (
    COMMANDS,
    NO_INPUTS,
    OWN_SOURCE,
    RETURN,
    SALE,
    Fact,
    Inputs,
    Known,
    Line,
    MovedLot,
    Reference,
    ReturnedLine,
    Tender,
)
from palier.engine.plan import MONTH, PERIODS, PLAIN_BASE, ActivityPlan, CompiledRule, Fate, Plan, Timeline
from palier.engine.rating import Basket, Rated, rate, scaled, usage
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.state import NEVER, HoldState, Lot, MemberState, PendingPoints, WalletState, lot_id
from palier.engine.trace import RuleTrace, Trace

Position = tuple[int | str, ...]
"""Where a fact stands in the fold: (acts_at, rank, source, id), longer for a return behind its sale."""

WALLET, PENDING, HOLD, DEBT = "wallet", "pending", "hold", "debt"
ISSUANCE, REDEMPTION, BREAKAGE, ADJUSTMENT, IN_TRANSIT = (
    "issuance",
    "redemption",
    "breakage",
    "adjustment",
    "in_transit",
)

OWED, WRITTEN_OFF = 0, -1
"""In place of a lot, in what a redemption took: points that no lot gave."""

Transfer = tuple[str, str, str, str, int, int, int]
"""(kind, debit, credit, currency, lot id, amount, effective at)."""

_spending_order = attrgetter("expires_at", "first_earned", "funder")


class Decision(Struct, gc=False):
    """One decision: what it moved and why. `source` is the platform's own for due work."""

    source: str
    id: str
    type: str
    at: int
    version: int
    tier: str
    transfers: list[Transfer]
    trace: Trace


class SaleRecord:
    """A sale as its returns need it: the fact, what it saw, and what has come back since."""

    __slots__ = (
        "basket",
        "brought",
        "fact",
        "inputs",
        "money_back",
        "position",
        "results",
        "returned",
        "trace",
    )

    def __init__(self, fact: Fact, inputs: Inputs, trace: Trace, position: Position) -> None:
        self.fact = fact
        self.inputs = inputs
        self.trace = trace
        self.position = position
        self.returned: list[ReturnedLine] = []
        self.money_back = 0
        self.basket: Basket | None = None
        self.results: list[RuleTrace] = trace.rules

    def replay(self, fact: Fact, trace: Trace) -> None:
        """Takes note of a return of this sale that was decided before."""
        self._give_back(fact)
        self.results = trace.rules
        self.trace = _with_carry(self.trace, trace.carry_out)

    def _give_back(self, fact: Fact) -> None:
        if fact.whole:
            self.money_back += self.fact.amount
        else:
            self.returned.extend(fact.returned)
            self.money_back += fact.amount

    def kept(self) -> Basket:
        """What is kept of the sale after all that came back so far."""
        if self.basket is None:
            self.basket = Basket(self.fact)
        return self.basket.kept(self.returned, self.money_back)


class RedemptionRecord:
    """A redemption as the return of its part payment needs it: the lots it took, in order."""

    __slots__ = ("at", "currency", "taken")

    def __init__(self, currency: str, taken: Sequence[tuple[int, int]], at: int) -> None:
        self.currency = currency
        self.taken = list(taken)
        self.at = at


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
    minute: int
    nth: Callable[[str], int]
    partner: str | None
    quantity: int
    segments: frozenset[str]
    tenders: Sequence[Tender]
    tier: int
    weekday: int


_NOBODY: frozenset[str] = frozenset()


def key_of(source: str, identifier: str) -> str:
    """One string for a permanent id, for use as a dictionary key."""
    return f"{source}\0{identifier}"


def behind(sale: Position, own: Position) -> Position:
    """The position of a return: its own, or just behind its sale when it is dated at or before it."""
    return own if own[0] > sale[0] else (*sale, own[0], own[2], own[3])  # type: ignore[operator]


class Fold:
    """Decides facts of one member in order. `keep_records` keeps every sale for later returns (replay)."""

    __slots__ = ("_context", "decisions", "keep_records", "redemptions", "sales", "state", "timeline")

    def __init__(
        self, timeline: Timeline, state: MemberState | None = None, *, keep_records: bool = False
    ) -> None:
        self.timeline = timeline
        self.state = state if state is not None else MemberState()
        self.decisions: list[Decision] = []
        self.keep_records = keep_records
        self.sales: dict[str, SaleRecord] = {}
        self.redemptions: dict[str, RedemptionRecord] = {}
        self._context = _Context()

    # --- positions ------------------------------------------------------------------------------------

    def position(self, fact: Fact, inputs: Inputs = NO_INPUTS) -> Position:
        """Where the fact stands: by its instant, or just behind its sale when a return is not after it."""
        at = inputs.acts_at or fact.at
        own: Position = (at, 1 if fact.type in COMMANDS else 0, fact.source, fact.id)
        if fact.type == RETURN and fact.sale is not None:
            record = self.sales.get(key_of(fact.sale.source, fact.sale.id))
            if record is not None:
                return behind(record.position, own)
        return own

    def in_order(self, position: Position) -> bool:
        """Whether a fact at this position comes after all that was decided."""
        at = position[0]
        assert isinstance(at, int)
        return position > self.state.last and at >= self.state.due_done

    # --- deciding -------------------------------------------------------------------------------------

    def decide(self, known: Known, *, live: bool = False) -> Decision | Refusal:
        """Decides one fact that comes in order, after the due work up to its instant.

        `live` judges commands on what is known now: what is not there is refused. Without it, commands
        are facts that were granted: what is lacking becomes debt.
        """
        fact, inputs = known.fact, known.inputs
        kind = fact.type
        at = inputs.acts_at or fact.at
        position: Position
        if kind == RETURN:
            position = self.position(fact, inputs)
            at = _instant_of(position)
        else:
            position = (at, 1 if kind in COMMANDS else 0, fact.source, fact.id)
        plan = self.timeline.at(at)
        if plan is None:
            return Refusal(
                RefusalCode.BEFORE_PROGRAM,
                "the program had not begun at this instant",
                "occurred_at",
                "send activities dated after the first version takes effect",
            )
        state = self.state
        if state.due_at <= at:
            self.advance(at)
        if kind == RETURN:
            answer = self._return(plan, fact, at, live)
        elif kind in COMMANDS:
            answer = self._command(plan, known, at, live)
        else:
            answer = self._earn(plan, fact, inputs, at, position)
        if isinstance(answer, Refusal):
            return answer
        state.last = position
        if at > state.latest:
            state.latest = at
        self.decisions.append(answer)
        return answer

    # --- earning --------------------------------------------------------------------------------------

    def _earn(self, plan: Plan, fact: Fact, inputs: Inputs, at: int, position: Position) -> Decision:
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
        if rules is not None and rules.rules and (fact.amount or fact.type != SALE):
            day, minute = judged.clock.local(fact.at)
            level = judged.ladder.index.get(held, 0) if judged.ladder is not None else 0
            self._set_context(fact, inputs, basket, level, day, minute, rules)
            if judgement is None:
                if rules.nth:
                    trace.nth = self._count(judged, rules, fact.type, day)
                if rules.caps:
                    trace.rooms = self.rooms_at(judged, rules, day)
                if rules.carries:
                    trace.carry = self.carried_by(rules)
            else:
                trace.late = True
                trace.nth, trace.rooms, trace.carry = judgement.nth, judgement.rooms, judgement.carry
            self._context.nth = trace.nth.__getitem__
            rated = rate(judged, rules, self._context, basket, fact.at, level, trace.rooms, trace.carry)
            trace.carry_out = rated.carry_out
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
        if fact.type in plan.releasing and fact.sale is not None:
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
                self._rise(plan, at, trace)
            elif points:
                self._measure(plan, fact.at, at, 0, points, 0)
                self._rise(plan, at, trace)
        if self.keep_records and fact.type == SALE:
            self.sales[key_of(fact.source, fact.id)] = SaleRecord(fact, inputs, trace, position)
        return Decision(fact.source, fact.id, fact.type, at, judged.version, tier.key, transfers, trace)

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
            elif sign > 0:
                used[key] = [number, points]

    def take_room(self, known: Known) -> None:
        """Counts as taken the room that an activity judged apart took in its own periods."""
        judgement = known.inputs.judgement
        plan = self.timeline.plan_of(judgement.version) if judgement is not None else None
        if plan is None:
            return
        trial = Fold(self.timeline)
        decision = trial.decide(known)
        if isinstance(decision, Decision):
            day, _ = plan.clock.local(known.fact.at)
            self._use(plan, usage(plan, decision.trace.rules), day, 1)

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
        return ordinals

    def _uncount(self, plan: Plan, trace: Trace, kind: str, day: int) -> None:
        """An activity of which nothing is kept is no longer counted, for later ones of its periods."""
        for window in trace.nth:
            counter = self.state.nth.get(f"{kind}:{window}")
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
        sums: dict[tuple[str, int, int, str], list[Any]] = {}
        for result in trace.rules:
            earned = result.earned
            if not earned:
                continue
            currency = result.currency
            rule = rules[result.rule]
            if idle:
                self._prolong(plan, currency, own_at, at)
            fate, identifier = plan.destination(rule, own_at, day, month)
            if not identifier:
                wallet = self._wallet(currency)
                if wallet.idle_at == NEVER:
                    fate = self._idle_fate(plan, currency, own_at)
                identifier = lot_id(currency, wallet.epoch if fate[2] else fate[0], "", fate[2])
            result.lot = identifier
            release_at = 0
            if rule.pending_days:
                release_at = plan.clock.add_days(own_at, rule.pending_days)
                if release_at <= at:
                    release_at = 0
            until = rule.pending_until
            if release_at or until:
                result.pending = True
            key = (currency, identifier, release_at, until)
            entry = sums.get(key)
            if entry is None:
                sums[key] = [earned, fate]
            else:
                entry[0] += earned
        for (currency, identifier, release_at, until), (amount, fate) in sums.items():
            if release_at or until:
                self._pend(fact, currency, identifier, fate, amount, release_at or NEVER, until)
                transfers.append(("earn", ISSUANCE, PENDING, currency, identifier, amount, at))
            else:
                lot = self._lot(currency, identifier, fate, "", own_at)
                self._credit(currency, lot, amount, at, transfers, "earn", ISSUANCE, repay=False)
        for currency in dict.fromkeys(key[0] for key in sums):
            if self.state.wallets[currency].debt:
                self._repay(currency, at, transfers)

    def _pend(
        self, fact: Fact, currency: str, identifier: int, fate: Fate, amount: int, release_at: int, until: str
    ) -> None:
        expires, lapses, idle, single = fate
        self._wallet(currency).pending.append(
            PendingPoints(
                fact.source,
                fact.id,
                identifier,
                expires,
                lapses,
                "",
                fact.at,
                idle,
                single,
                amount,
                release_at,
                until,
            )
        )
        if release_at < self.state.due_at:
            self.state.due_at = release_at

    def _wallet(self, currency: str) -> WalletState:
        wallets = self.state.wallets
        wallet = wallets.get(currency)
        if wallet is None:
            wallet = wallets[currency] = WalletState()
        return wallet

    def _find(self, wallet: WalletState, identifier: int) -> Lot | None:
        for lot in wallet.lots:
            if lot.id == identifier:
                return lot
        closed = wallet.closed.get(identifier)
        if closed is not None:
            del wallet.closed[identifier]
            insort(wallet.lots, closed, key=_spending_order)
        return closed

    def _lot(self, currency: str, identifier: int, fate: Fate, funder: str, first_earned: int) -> Lot:
        wallet = self._wallet(currency)
        lot = self._find(wallet, identifier)
        if lot is None:
            expires, lapses, idle, single = fate
            if idle:
                expires, lapses = wallet.idle_at, wallet.idle_lapses_at
            lot = Lot(identifier, expires, lapses, funder, first_earned, idle=idle, single=single)
            if not wallet.lots or _spending_order(wallet.lots[-1]) <= _spending_order(lot):
                wallet.lots.append(lot)
            else:
                insort(wallet.lots, lot, key=_spending_order)
            if not idle and lapses < self.state.due_at:
                self.state.due_at = lapses
        elif first_earned < lot.first_earned:
            # Points that waited, or came late, were earned before those that are there.
            lot.first_earned = first_earned
            wallet.lots.sort(key=_spending_order)
        return lot

    def _credit(
        self,
        currency: str,
        lot: Lot,
        amount: int,
        at: int,
        transfers: list[Transfer],
        kind: str,
        source: str,
        repay: bool = True,
    ) -> None:
        lot.earned += amount
        lot.remaining += amount
        transfers.append((kind, source, WALLET, currency, lot.id, amount, at))
        self._settle(currency, lot, at, transfers, repay)

    def _settle(
        self, currency: str, lot: Lot, at: int, transfers: list[Transfer], repay: bool = True
    ) -> None:
        """After a lot received points: those of a lapsed lot expire at once; else they pay what is owed."""
        if lot.lapses_at <= at and not lot.idle:
            if lot.remaining:
                transfers.append(("expire", WALLET, BREAKAGE, currency, lot.id, lot.remaining, at))
                lot.expired += lot.remaining
                lot.remaining = 0
            return
        if lot.lapses_at < self.state.due_at:
            self.state.due_at = lot.lapses_at
        if repay and self.state.wallets[currency].debt:
            self._repay(currency, at, transfers)

    def _repay(self, currency: str, at: int, transfers: list[Transfer]) -> None:
        wallet = self.state.wallets[currency]
        for lot in wallet.lots:
            if not wallet.debt:
                return
            part = min(lot.remaining, wallet.debt)
            if part:
                lot.remaining -= part
                lot.reversed += part
                wallet.debt -= part
                transfers.append(("repay", WALLET, DEBT, currency, lot.id, part, at))

    def _prolong(self, plan: Plan, currency: str, earned_at: int, at: int) -> None:
        """Moves the expiry of points that last as long as the member earns; it never moves back."""
        expiry = plan.idle.get(currency)
        if expiry is None:
            return
        wallet = self._wallet(currency)
        idle_at = plan.clock.add_days(earned_at, expiry.days)
        if idle_at <= at or NEVER > wallet.idle_at >= idle_at:
            return
        wallet.idle_at = idle_at
        wallet.idle_lapses_at = plan.lapse(idle_at, expiry.grace_days)
        for lot in wallet.lots:
            if lot.idle:
                lot.expires_at, lot.lapses_at = wallet.idle_at, wallet.idle_lapses_at
        if len(wallet.lots) > 1:
            wallet.lots.sort(key=_spending_order)
        if idle_at < self.state.due_at:
            self.state.due_at = idle_at

    def _idle_fate(self, plan: Plan, currency: str, earned_at: int) -> Fate:
        """The fate of points whose time without activity had passed before they were posted."""
        expiry = plan.idle[currency]
        expires = plan.clock.add_days(earned_at, expiry.days)
        return expires, plan.lapse(expires, expiry.grace_days), False, True

    def _release(self, currency: str, entry: PendingPoints, at: int, transfers: list[Transfer]) -> None:
        fate = (entry.expires_at, entry.lapses_at, entry.idle, entry.single)
        lot = self._lot(currency, entry.lot, fate, entry.funder, entry.first_earned)
        self._credit(currency, lot, entry.amount, at, transfers, "release", PENDING)

    def _release_sale(self, kind: str, sale: Reference, transfers: list[Transfer], at: int) -> None:
        for currency, wallet in self.state.wallets.items():
            mine = [
                entry
                for entry in wallet.pending
                if entry.until == kind and entry.source == sale.source and entry.id == sale.id
            ]
            for entry in mine:
                wallet.pending.remove(entry)
                self._release(currency, entry, at, transfers)

    # --- returns --------------------------------------------------------------------------------------

    def _return(self, plan: Plan, fact: Fact, at: int, live: bool) -> Decision | Refusal:
        assert fact.sale is not None
        record = self.sales.get(key_of(fact.sale.source, fact.sale.id))
        if record is None:
            return Refusal(
                RefusalCode.UNKNOWN_SALE,
                "the sale is not known",
                "sale",
                "send the sale, or check its source and id",
            )
        if any(item.line >= len(record.fact.lines) for item in fact.returned):
            return Refusal(
                RefusalCode.RETURN_DOES_NOT_FIT,
                f"the sale has {len(record.fact.lines)} lines",
                "returned",
                "name lines of the sale, counted from 1, or return an amount",
            )
        state = self.state
        judged = self.timeline.plan_of(record.trace.version) or plan
        before = record.kept()
        old_results = record.results
        undo = (list(record.returned), record.money_back)
        record._give_back(fact)
        after = record.kept()
        own_at = record.fact.at
        day, _ = judged.clock.local(own_at)
        trace = Trace(judged.version, record.trace.tier, late=record.trace.late, nth=record.trace.nth)
        trace.returned = record.fact.amount - after.amount
        trace.cut = max(0, _asked(record, fact) - (before.amount - after.amount))
        rated = self._rate_kept(judged, record, after, day, at)
        old_by, new_by = _by_lot(old_results), _by_lot(rated.results)
        falls = [
            (key, old_by[key] - new_by.get(key, 0)) for key in old_by if old_by[key] > new_by.get(key, 0)
        ]
        rises = [
            (key, new_by[key] - old_by.get(key, 0)) for key in new_by if new_by[key] > old_by.get(key, 0)
        ]
        sale = record.fact
        if live:
            for (currency, identifier), points in falls:
                policy = plan.currencies.get(currency)
                if policy is not None and policy.taking_back == "refuse":
                    spent = points - self._recoverable(currency, identifier, sale)
                    if spent > 0:
                        record.returned, record.money_back = undo
                        return Refusal(
                            RefusalCode.POINTS_ALREADY_SPENT,
                            _asked_for(
                                plan, currency, points, points - spent, "are still there to take back"
                            ),
                            "sale",
                            "let the member earn them back, or settle the return outside the program",
                        )
        record.results = trace.rules = rated.results
        trace.carry, trace.carry_out, trace.rooms = record.trace.carry, rated.carry_out, record.trace.rooms
        transfers: list[Transfer] = []
        if not record.trace.late:
            self._use(judged, _less(usage(judged, old_results), usage(judged, rated.results)), day, -1)
            self._move_carry(record, rated)
            if after.nothing and not before.nothing:
                self._uncount(judged, record.trace, SALE, day)
        record.trace = _with_carry(record.trace, rated.carry_out)
        for (currency, identifier), points in falls:
            self._take_back(plan, currency, identifier, points, sale, at, transfers, trace)
        brought = {item.rule: item.earned for item in old_results}
        for (currency, identifier), points in rises:
            item = next(
                item
                for item in rated.results
                if (item.currency, item.lot) == (currency, identifier)
                and item.earned > brought.get(item.rule, 0)
            )
            self._bring(judged, sale, item, old_results, points, at, day, transfers)
        self._restore(plan, record, before, after, at, transfers, trace)
        ladder = plan.ladder
        if ladder is not None:
            gained = sum(r.earned for r in rated.results if r.currency == ladder.points_currency)
            lost = sum(r.earned for r in old_results if r.currency == ladder.points_currency)
            visits = spend = 0
            if SALE in ladder.counts:
                visits = -1 if after.nothing and not before.nothing else 0
                spend = after.spend(ladder.base) - before.spend(ladder.base)
            self._measure(plan, own_at, at, spend, gained - lost, visits)
            self._fall(plan, at, trace)
        key = state.tier.key
        return Decision(fact.source, fact.id, fact.type, at, judged.version, key, transfers, trace)

    def _bring(
        self,
        plan: Plan,
        sale: Fact,
        item: RuleTrace,
        old_results: Sequence[RuleTrace],
        points: int,
        at: int,
        day: int,
        transfers: list[Transfer],
    ) -> None:
        """Credits what a rule brings more on what is kept; it waits as long as the sale's own points do."""
        currency = item.currency
        rule = plan.rules[item.rule]
        release_at = plan.clock.add_days(sale.at, rule.pending_days) if rule.pending_days else 0
        for entry in self._wallet(currency).pending:
            if (
                (entry.lot, entry.source, entry.id) == (item.lot, sale.source, sale.id)
                and entry.until == rule.pending_until
                and entry.release_at == (release_at or NEVER)
            ):
                entry.amount += points
                item.pending = True
                transfers.append(("earn", ISSUANCE, PENDING, currency, item.lot, points, at))
                return
        fate = self._fate(plan, item.rule, sale.at, day, at)
        if fate[2]:
            self._prolong_new(plan, currency, sale.at, at)
        fresh = not any(old.rule == item.rule and old.pending for old in old_results)
        if release_at > at or (rule.pending_until and fresh):
            item.pending = True
            self._pend(sale, currency, item.lot, fate, points, release_at or NEVER, rule.pending_until)
            transfers.append(("earn", ISSUANCE, PENDING, currency, item.lot, points, at))
            return
        lot = self._lot(currency, item.lot, fate, "", sale.at)
        self._credit(currency, lot, points, at, transfers, "earn", ISSUANCE)

    def _fate(self, plan: Plan, rule: str, earned_at: int, day: int, at: int) -> Fate:
        """The fate of points that a return brings by a rule that brought none before."""
        currency = plan.rules[rule].currency
        fate = plan.fate(plan.rules[rule].expiry, earned_at, day)
        if fate[2] and self._wallet(currency).idle_at == NEVER:
            past = self._idle_fate(plan, currency, earned_at)
            return past if past[0] <= at else fate
        return fate

    def _prolong_new(self, plan: Plan, currency: str, earned_at: int, at: int) -> None:
        """Starts the time without activity where no points stand under it yet."""
        if self._wallet(currency).idle_at == NEVER:
            self._prolong(plan, currency, earned_at, at)

    def _rate_kept(self, judged: Plan, record: SaleRecord, kept: Basket, day: int, at: int) -> Rated:
        """The sale rated again on what is kept, with all that it saw."""
        rules = judged.activities.get(SALE)
        if rules is None or kept.nothing:
            return Rated()
        trace, fact = record.trace, record.fact
        level = judged.ladder.index.get(trace.tier, 0) if judged.ladder is not None else 0
        self._set_context(fact, record.inputs, kept, level, day, judged.clock.local(fact.at)[1], rules)
        self._context.nth = trace.nth.__getitem__
        rated = rate(judged, rules, self._context, kept, fact.at, level, trace.rooms, trace.carry)
        lots = {item.rule: item for item in record.results}
        for item in rated.results:
            known = lots.get(item.rule)
            if known is not None and known.lot:
                item.lot, item.pending = known.lot, known.pending
            elif item.earned:
                fate = self._fate(judged, item.rule, fact.at, day, at)
                epoch = self._wallet(item.currency).epoch
                item.lot = lot_id(item.currency, epoch if fate[2] else fate[0], "", fate[2])
        return rated

    def _move_carry(self, record: SaleRecord, rated: Rated) -> None:
        """The member's carried remainder moves by the change of what this sale left over."""
        old, brought = record.trace.carry_out, record.trace.carry
        for rule in sorted(old.keys() | rated.carry_out.keys()):
            denominator = (old if rule in old else rated.carry_out)[rule][1]
            change = _left_over(brought, rated.carry_out, rule) - _left_over(brought, old, rule)
            now = scaled(self.state.carry.get(rule), denominator)
            self.state.carry[rule] = (now[0] + change, denominator)

    def _recoverable(self, currency: str, identifier: int, sale: Fact) -> int:
        wallet = self._wallet(currency)
        waiting = sum(
            entry.amount
            for entry in wallet.pending
            if entry.lot == identifier and entry.source == sale.source and entry.id == sale.id
        )
        lot = self._find(wallet, identifier)
        return waiting + (lot.remaining + lot.expired if lot is not None else 0)

    def _take_back(
        self,
        plan: Plan,
        currency: str,
        identifier: int,
        points: int,
        sale: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Takes points back: pending ones first, then the lot's, then its expired part, then by policy."""
        wallet = self._wallet(currency)
        for entry in list(wallet.pending):
            if points and entry.lot == identifier and entry.source == sale.source and entry.id == sale.id:
                part = min(points, entry.amount)
                entry.amount -= part
                points -= part
                if not entry.amount:
                    wallet.pending.remove(entry)
                transfers.append(("reverse", PENDING, ISSUANCE, currency, identifier, part, at))
        lot = self._find(wallet, identifier)
        if lot is not None:
            part = min(points, lot.remaining)
            if part:
                lot.remaining -= part
                lot.reversed += part
                points -= part
                transfers.append(("reverse", WALLET, ISSUANCE, currency, identifier, part, at))
            part = min(points, lot.expired)
            if part:
                lot.expired -= part
                lot.reversed += part
                points -= part
                transfers.append(("unexpire", BREAKAGE, WALLET, currency, identifier, part, at))
                transfers.append(("reverse", WALLET, ISSUANCE, currency, identifier, part, at))
        if points:
            self._owe(plan, currency, points, ISSUANCE, at, transfers, trace)

    def _owe(
        self,
        plan: Plan,
        currency: str,
        points: int,
        creditor: str,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """What cannot be taken becomes debt, settled at once from any spendable lot; or is written off."""
        policy = plan.currencies.get(currency)
        if policy is not None and policy.taking_back == "write_off":
            trace.written_off += points
            return
        wallet = self._wallet(currency)
        wallet.debt += points
        trace.owed += points
        transfers.append(("debt", DEBT, creditor, currency, 0, points, at))
        self._repay(currency, at, transfers)

    def _restore(
        self,
        plan: Plan,
        record: SaleRecord,
        before: Basket,
        after: Basket,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Gives back the points that paid a part of the sale, pro rata to what came back in all."""
        whole = record.fact.amount
        for tender in record.fact.tenders:
            if tender.redemption is None or not whole:
                continue
            spent = self.redemptions.get(key_of(tender.redemption.source, tender.redemption.id))
            if spent is None:
                continue
            total = sum(amount for _, amount in spent.taken)
            skip = total * (whole - before.amount) // whole
            points = total * (whole - after.amount) // whole - skip
            for identifier, amount in reversed(spent.taken):
                passed = min(skip, amount)
                skip -= passed
                part = min(points, amount - passed)
                if part and identifier == WRITTEN_OFF:
                    points -= part
                elif part:
                    points -= part
                    self._give(plan, spent.currency, identifier, part, at, transfers)
                    trace.restored.append((identifier, part))

    def _give(
        self, plan: Plan, currency: str, identifier: int, points: int, at: int, transfers: list[Transfer]
    ) -> None:
        """Gives spent points back to the lot they came from, or to one that ends with the return's grace."""
        wallet = self._wallet(currency)
        lot = self._find(wallet, identifier)
        day = plan.clock.local(at)[0]
        grace = plan.currencies[currency].return_grace_days
        if lot is None:
            part = min(points, wallet.debt)
            if part:
                wallet.debt -= part
                transfers.append(("restore", REDEMPTION, DEBT, currency, 0, part, at))
            if points > part:
                fate = plan.fate(plan.currencies[currency].expiry, at, day)
                if fate[2]:
                    self._prolong_new(plan, currency, at, at)
                identifier = lot_id(currency, wallet.epoch if fate[2] else fate[0], "", fate[2])
                new = self._lot(currency, identifier, fate, "", at)
                self._credit(currency, new, points - part, at, transfers, "regrant", REDEMPTION)
            return
        if grace is not None and not lot.idle:
            end = plan.clock.start_of_day(day + 1 + grace)
            if lot.expires_at < end:
                identifier = lot_id(currency, end, lot.funder, False)
                new = self._lot(currency, identifier, (end, end, False, False), lot.funder, lot.first_earned)
                self._credit(currency, new, points, at, transfers, "regrant", REDEMPTION)
                return
        lot.redeemed -= points
        lot.remaining += points
        transfers.append(("restore", REDEMPTION, WALLET, currency, lot.id, points, at))
        self._settle(currency, lot, at, transfers)

    # --- commands -------------------------------------------------------------------------------------

    def _command(self, plan: Plan, known: Known, at: int, live: bool) -> Decision | Refusal:
        fact = known.fact
        tier = self.state.tier
        if not tier.key:
            tier.key = plan.levels[0]
        trace = Trace(plan.version, tier.key, reason=fact.reason)
        transfers: list[Transfer] = []
        if fact.type in ("capture", "release"):
            refusal = self._close_hold(plan, fact, at, live, transfers, trace)
        elif fact.currency not in plan.currencies:
            return Refusal(
                RefusalCode.UNKNOWN_POINT_CURRENCY,
                f"the program has no point currency {fact.currency!r}",
                "currency",
                "use one of: " + ", ".join(plan.currencies),
            )
        elif fact.type == "transfer_in" or (fact.type == "adjust" and fact.points > 0):
            self._receive(plan, fact, at, transfers)
            refusal = None
        else:
            refusal = self._spend(plan, known, at, live, transfers, trace)
        if refusal is not None:
            return refusal
        return Decision(fact.source, fact.id, fact.type, at, plan.version, tier.key, transfers, trace)

    def _spend(
        self, plan: Plan, known: Known, at: int, live: bool, transfers: list[Transfer], trace: Trace
    ) -> Refusal | None:
        """Takes points from the lots in spending order (a transfer: from the lots fixed when it was decided)."""
        fact = known.fact
        currency = fact.currency
        points = abs(fact.points)
        wallet = self._wallet(currency)
        if live and points > wallet.spendable:
            return Refusal(
                RefusalCode.INSUFFICIENT_POINTS,
                _asked_for(plan, currency, points, wallet.spendable, "can be spent"),
                "points",
                "ask for no more than the spendable balance",
            )
        kind, creditor = {
            "redeem": ("redeem", REDEMPTION),
            "hold": ("hold", HOLD),
            "adjust": ("adjust", ADJUSTMENT),
            "transfer_out": ("transfer_out", IN_TRANSIT),
        }[fact.type]
        lacking = points
        if fact.moved:
            sources = [(self._find(wallet, item.lot), item.amount) for item in fact.moved]
        else:
            sources = [(lot, lot.remaining) for lot in wallet.lots]
        for lot, most in sources:
            if not lacking:
                break
            part = min(lacking, most, lot.remaining) if lot is not None else 0
            if lot is None or not part:
                continue
            lacking -= part
            lot.remaining -= part
            if fact.type == "hold":
                lot.held += part
            else:
                lot.redeemed += part
            trace.taken.append((lot.id, part))
            transfers.append((kind, WALLET, creditor, currency, lot.id, part, at))
        key = key_of(fact.source, fact.id)
        if fact.type == "hold":
            until = fact.hold_until or at + plan.hold_minutes * 60_000_000
            self.state.holds[key] = HoldState(currency, list(trace.taken), until, points, known.activity_id)
            trace.holds = [(known.activity_id, "open", 0)]
            if until < self.state.due_at:
                self.state.due_at = until
            return None
        if lacking:
            self._owe(plan, currency, lacking, creditor, at, transfers, trace)
        if fact.type == "redeem":
            self.redemptions[key] = RedemptionRecord(currency, paid_with(trace), at)
        return None

    def _close_hold(
        self, plan: Plan, fact: Fact, at: int, live: bool, transfers: list[Transfer], trace: Trace
    ) -> Refusal | None:
        assert fact.hold is not None
        key = key_of(fact.hold.source, fact.hold.id)
        hold = self.state.holds.get(key)
        if hold is None:
            if not live:
                return None
            return Refusal(
                RefusalCode.HOLD_CLOSED,
                "the hold is not open any more",
                "hold",
                "create a new hold if needed",
            )
        points = 0 if fact.type == "release" else fact.points or hold.amount
        if live and points > hold.amount:
            return Refusal(
                RefusalCode.INSUFFICIENT_POINTS,
                _asked_for(plan, hold.currency, points, hold.amount, "are held"),
                "points",
                "capture no more than is held",
            )
        del self.state.holds[key]
        wallet = self._wallet(hold.currency)
        lacking = points
        freed: list[tuple[Lot, int]] = []
        for identifier, amount in hold.taken:
            lot = self._find(wallet, identifier)
            assert lot is not None, "a held lot is never dropped"
            part = min(lacking, amount)
            if part:
                lacking -= part
                lot.held -= part
                lot.redeemed += part
                trace.taken.append((identifier, part))
                transfers.append(("capture", HOLD, REDEMPTION, hold.currency, identifier, part, at))
            if amount > part:
                freed.append((lot, amount - part))
        trace.holds = [(hold.hold_id, "captured" if points else "released", points)]
        self._free(hold.currency, freed, at, transfers)
        if lacking:
            self._owe(plan, hold.currency, lacking, REDEMPTION, at, transfers, trace)
        if fact.type == "capture":
            self.redemptions[key] = RedemptionRecord(hold.currency, paid_with(trace), at)
        return None

    def _free(self, currency: str, parts: list[tuple[Lot, int]], at: int, transfers: list[Transfer]) -> None:
        for lot, amount in parts:
            lot.held -= amount
            lot.remaining += amount
            transfers.append(("unhold", HOLD, WALLET, currency, lot.id, amount, at))
            self._settle(currency, lot, at, transfers)

    def _receive(self, plan: Plan, fact: Fact, at: int, transfers: list[Transfer]) -> None:
        """Credits an adjustment by the currency's expiry, or moved lots with the fate they had."""
        currency = fact.currency
        kind, source = ("adjust", ADJUSTMENT) if fact.type == "adjust" else ("transfer_in", IN_TRANSIT)
        wallet = self._wallet(currency)
        if not fact.moved:
            fate = plan.fate(plan.currencies[currency].expiry, at, plan.clock.local(at)[0])
            if fate[2]:
                self._prolong_new(plan, currency, at, at)
            identifier = lot_id(currency, wallet.epoch if fate[2] else fate[0], "", fate[2])
            lot = self._lot(currency, identifier, fate, "", at)
            self._credit(currency, lot, fact.points, at, transfers, kind, source)
            return
        for item in fact.moved:
            # Moved points keep their expiry: what another member does no longer moves it.
            fate = (item.expires_at, item.lapses_at, False, False)
            identifier = lot_id(currency, item.expires_at, item.funder, False)
            lot = self._lot(currency, identifier, fate, item.funder, item.first_earned)
            self._credit(currency, lot, item.amount, at, transfers, kind, source)

    def choose(self, currency: str, points: int) -> tuple[MovedLot, ...]:
        """The parts of lots that a transfer of points would move, in spending order."""
        chosen = []
        for lot in self._wallet(currency).lots:
            part = min(points, lot.remaining)
            if part:
                points -= part
                chosen.append(
                    MovedLot(
                        lot.id, part, lot.expires_at, lot.lapses_at, lot.funder, lot.first_earned, lot.idle
                    )
                )
        return tuple(chosen)

    # --- tiers ----------------------------------------------------------------------------------------

    def _measure(self, plan: Plan, own_at: int, at: int, spend: int, points: int, visits: int) -> None:
        """Adds to the tier's metrics from `at` on; it leaves the window with the sale's own instant."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        if ladder.kind == "rolling":
            if tier.entries and tier.entries[0][0] <= at:
                self._roll(plan, at)
            leaves = plan.clock.add_days(own_at, ladder.window_days)
            if leaves <= at:
                return
            entry = (leaves, spend, points, visits)
            if tier.entries and tier.entries[-1][0] > leaves:
                insort(tier.entries, entry)
            else:
                tier.entries.append(entry)
            if leaves < self.state.due_at and tier.key != ladder.keys[0]:
                self.state.due_at = leaves
            totals = tier.current
        elif ladder.kind == "calendar":
            self._roll(plan, at)
            number = tier.period if own_at == at else plan.period_number(own_at)
            if number == tier.period:
                totals = tier.current
            elif number == tier.period - 1:
                totals = tier.previous
            else:
                return
        else:
            totals = tier.current
        totals[0] += spend
        totals[1] += points
        totals[2] += visits

    def _roll(self, plan: Plan, at: int) -> None:
        """Brings the metrics to an instant: what has left the window is taken off, periods turn over."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        if ladder.kind == "rolling":
            gone = 0
            for leaves, spend, points, visits in tier.entries:
                if leaves > at:
                    break
                gone += 1
                tier.current[0] -= spend
                tier.current[1] -= points
                tier.current[2] -= visits
            if gone:
                del tier.entries[:gone]
        elif ladder.kind == "calendar":
            number = plan.period_number(at)
            if number != tier.period:
                tier.previous = tier.current if number == tier.period + 1 else [0, 0, 0]
                tier.current = [0, 0, 0]
                tier.period = number

    def _qualified(self, plan: Plan, level: int, least: int = 1) -> int:
        """The highest tier that the metrics grant (for tiers up to the one held: that they keep), else 0.

        Tiers below `least` are not looked at.
        """
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        calendar = ladder.kind == "calendar"
        for number in range(len(ladder.keys) - 1, max(least, 1) - 1, -1):
            test = ladder.keep[number] if number <= level else ladder.reach[number]
            if test(tier.current) or (calendar and test(tier.previous)):
                return number
        return 0

    def _rise(self, plan: Plan, at: int, trace: Trace) -> None:
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        level = ladder.index.get(tier.key, 0)
        # Whether the tier held is still deserved matters here only while it is held by grace.
        reached = self._qualified(plan, level, level if tier.held_until else level + 1)
        if reached < level:
            return
        tier.held_until = 0
        if reached > level:
            tier.landed_until = 0
            tier.key = trace.tier_after = ladder.keys[reached]
            due = self._tier_due(plan)
            if due < self.state.due_at:
                self.state.due_at = due

    def _fall(self, plan: Plan, at: int, trace: Trace) -> None:
        """After a return: the tier falls at once to what is still qualified, unless grace or a landing holds it."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        level = ladder.index.get(tier.key, 0)
        reached = self._qualified(plan, level)
        if reached >= level:
            self._rise(plan, at, trace)
        elif tier.landed_until > at:
            tier.held_until = max(tier.held_until, tier.landed_until)
            self.state.due_at = min(self.state.due_at, tier.held_until)
        elif not tier.held_until:
            tier.key = trace.tier_after = ladder.keys[reached]
            tier.landed_until = 0

    def _tier_due(self, plan: Plan) -> int:
        """The next instant at which the tier held may fall."""
        ladder, tier = plan.ladder, self.state.tier
        if ladder is None or tier.key not in ladder.index or tier.key == ladder.keys[0]:
            return NEVER
        due = tier.held_until or NEVER
        if ladder.kind == "rolling" and tier.entries:
            due = min(due, tier.entries[0][0])
        elif ladder.kind == "calendar":
            due = min(due, plan.period_start(tier.period + 1))
        return due

    def _review(self, plan: Plan, at: int) -> None:
        """A due review: whoever no longer qualifies keeps the tier through the grace, then falls."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        self._roll(plan, at)
        level = ladder.index.get(tier.key, 0)
        reached = self._qualified(plan, level)
        if reached >= level:
            tier.held_until = 0
            return
        if tier.held_until > at:
            return
        if not tier.held_until:
            until = plan.clock.add_days(at, ladder.grace_days) if ladder.grace_days else 0
            until = max(until, tier.landed_until)
            if until > at:
                tier.held_until = until
                return
        lands = max(reached, level - 1) if ladder.soft_landing else reached
        tier.held_until = tier.landed_until = 0
        if ladder.soft_landing and lands:
            if ladder.kind == "rolling":
                tier.landed_until = plan.clock.add_days(at, ladder.window_days)
            elif ladder.kind == "calendar":
                tier.landed_until = plan.period_start(tier.period + 1)
            if lands > reached:
                tier.held_until = tier.landed_until
        before, tier.key = tier.key, ladder.keys[lands]
        self._due("tier_changed", at, plan, [], Trace(plan.version, before, tier.key))

    # --- due work -------------------------------------------------------------------------------------

    def _due(self, kind: str, at: int, plan: Plan, transfers: list[Transfer], trace: Trace) -> None:
        self.decisions.append(
            Decision(
                OWN_SOURCE, f"{kind}:{at}", kind, at, plan.version, self.state.tier.key, transfers, trace
            )
        )

    def next_due(self) -> int:
        """The next instant at which something is due for this member, or NEVER."""
        state = self.state
        due = NEVER
        for wallet in state.wallets.values():
            for entry in wallet.pending:
                due = min(due, entry.release_at)
            for lot in wallet.lots:
                if lot.remaining and not lot.idle:
                    due = min(due, lot.lapses_at)
            due = min(due, wallet.idle_at)
        for hold in state.holds.values():
            due = min(due, hold.until)
        cursor = max(state.latest, state.due_done)
        plan = self.timeline.at(cursor)
        if plan is not None:
            due = min(due, self._tier_due(plan))
        if state.tier.key:
            due = min(due, self.timeline.next_start(cursor))
        return due

    def advance(self, until: int) -> None:
        """Does the due work of every instant up to and including `until`, in order."""
        state = self.state
        while True:
            at = self.next_due()
            if at > until:
                state.due_at = at
                return
            plan = self.timeline.at(at)
            assert plan is not None
            state.due_done = at
            self._release_due(plan, at)
            self._holds_due(plan, at)
            self._lapse_due(plan, at)
            if self._tier_due(plan) <= at:
                self._review(plan, at)

    def _release_due(self, plan: Plan, at: int) -> None:
        transfers: list[Transfer] = []
        for currency, wallet in self.state.wallets.items():
            if any(entry.release_at <= at for entry in wallet.pending):
                ripe = [entry for entry in wallet.pending if entry.release_at <= at]
                wallet.pending = [entry for entry in wallet.pending if entry.release_at > at]
                for entry in ripe:
                    self._release(currency, entry, at, transfers)
        if transfers:
            self._due("released", at, plan, transfers, Trace(plan.version, self.state.tier.key))

    def _holds_due(self, plan: Plan, at: int) -> None:
        transfers: list[Transfer] = []
        trace = Trace(plan.version, self.state.tier.key)
        for key in [key for key, hold in self.state.holds.items() if hold.until <= at]:
            hold = self.state.holds.pop(key)
            trace.holds.append((hold.hold_id, "expired", 0))
            wallet = self._wallet(hold.currency)
            parts = []
            for identifier, amount in hold.taken:
                lot = self._find(wallet, identifier)
                assert lot is not None, "a held lot is never dropped"
                parts.append((lot, amount))
            self._free(hold.currency, parts, at, transfers)
        if trace.holds:
            self._due("hold_expired", at, plan, transfers, trace)

    def _lapse_due(self, plan: Plan, at: int) -> None:
        transfers: list[Transfer] = []
        for currency, wallet in self.state.wallets.items():
            if wallet.idle_at <= at:
                for lot in wallet.lots:
                    lot.idle = False
                for entry in wallet.pending:
                    if entry.idle:
                        entry.idle = False
                        entry.expires_at, entry.lapses_at = wallet.idle_at, wallet.idle_lapses_at
                wallet.epoch += 1
                wallet.idle_at = wallet.idle_lapses_at = NEVER
            for lot in wallet.lots:
                if lot.remaining and not lot.idle and lot.lapses_at <= at:
                    transfers.append(("expire", WALLET, BREAKAGE, currency, lot.id, lot.remaining, at))
                    lot.expired += lot.remaining
                    lot.remaining = 0
        if transfers:
            self._due("expired", at, plan, transfers, Trace(plan.version, self.state.tier.key))


def _instant_of(position: Position) -> int:
    at = position[0]
    assert isinstance(at, int)
    return at


def _asked_for(plan: Plan, currency: str, points: int, most: int, what: str) -> str:
    found = plan.currencies.get(currency)
    scale = found.scale if found is not None else 0
    return f"{from_minor(points, scale)} {currency} asked, {from_minor(most, scale)} {what}"


# --- small pieces -----------------------------------------------------------------------------------------


def _left_over(brought: dict[str, tuple[int, int]], left: dict[str, tuple[int, int]], rule: str) -> int:
    """By how much a sale changed the carried remainder: what it left less what it was brought."""
    if rule not in left:
        return 0
    return left[rule][0] - scaled(brought.get(rule), left[rule][1])[0]


def _with_carry(trace: Trace, carry_out: dict[str, tuple[int, int]]) -> Trace:
    """The sale's trace, its left-over remainders replaced by those of what is kept."""
    return msgspec.structs.replace(trace, carry_out=carry_out)


def _by_lot(results: Sequence[RuleTrace]) -> dict[tuple[str, int], int]:
    sums: dict[tuple[str, int], int] = {}
    for item in results:
        if item.earned:
            key = (item.currency, item.lot)
            sums[key] = sums.get(key, 0) + item.earned
    return sums


def _less(old: dict[str, tuple[int, int]], new: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    return {
        key: (period, points - new.get(key, (0, 0))[1])
        for key, (period, points) in {**{k: (v[0], 0) for k, v in new.items()}, **old}.items()
    }


def _asked(record: SaleRecord, fact: Fact) -> int:
    """The money a return asks to give back."""
    asked = fact.amount
    basket = record.basket
    assert basket is not None
    for item in fact.returned:
        line = record.fact.lines[item.line]
        asked += item.amount
        if item.quantity and line.quantity:
            asked += basket.held[item.line] * item.quantity // line.quantity
    return asked


def paid_with(trace: Trace) -> list[tuple[int, int]]:
    """What a redemption took, in order: (lot, amount), then what became debt (lot 0) or was let go (lot -1)."""
    parts = list(trace.taken)
    if trace.owed:
        parts.append((OWED, trace.owed))
    if trace.written_off:
        parts.append((WRITTEN_OFF, trace.written_off))
    return parts
