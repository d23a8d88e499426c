"""Returns: what is kept of a sale is rated again, and the difference is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Final

from palier.engine.decisions import (
    PENDING,
    Decision,
    Message,
    SaleRecord,
    Transfer,
    instant_of,
    issuer,
    key_of,
    with_carry,
)
from palier.engine.earning import Earning
from palier.engine.facts import ACTS, FEE, FRIEND_CONVERTED, SALE, Fact
from palier.engine.plan import Plan
from palier.engine.points import Wait, asked_for
from palier.engine.rating import Basket, Rated, Shared, marked, rate, scaled, usage, within_limits
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import NEVER, lot_id, lots_given
from palier.engine.trace import RuleTrace, Trace

UNDOING_NOTHING: Final = ACTS - {FEE}
"""What is done and cannot be taken back: a play is played."""


class Returns(Earning):
    """Returns of sales, in any order and split; the end is the same."""

    __slots__ = ()

    def _return(self, plan: Plan, fact: Fact, at: int, live: bool) -> Decision | Refusal:
        assert fact.sale is not None
        record = self.sales.get(key_of(fact.sale.source, fact.sale.id))
        if record is None:
            return Refusal(
                RefusalCode.UNKNOWN_SALE,
                sentence("the sale is not known"),
                "sale",
                sentence("send the sale, or check its source and id"),
            )
        if any(item.line >= len(record.fact.lines) for item in fact.returned):
            return Refusal(
                RefusalCode.RETURN_DOES_NOT_FIT,
                sentence("the sale has %(count)s lines", count=len(record.fact.lines)),
                "returned",
                sentence("name lines of the sale, counted from 1, or return an amount"),
            )
        if not record.fact.amount and record.fact.type != SALE and not fact.whole:
            return Refusal(
                RefusalCode.RETURN_DOES_NOT_FIT,
                sentence("what it names has no amount"),
                "whole",
                sentence("take it back as a whole"),
            )
        if record.fact.type in UNDOING_NOTHING:
            return Refusal(
                RefusalCode.RETURN_DOES_NOT_FIT,
                sentence("an activity of type %(type)s cannot be taken back", type=record.fact.type),
                "sale",
                sentence("name a sale, a fee, or another activity that brought something"),
            )
        if live and (refusal := self._grants_spent(plan, record, fact, at)) is not None:
            return refusal
        state = self.state
        level = self._own_level(plan)
        judged = self.timeline.plan_of(record.trace.version) or plan
        before = record.kept()
        old_results = record.results
        undo = (list(record.returned), record.money_back, record.withdrawn)
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
                        record.returned, record.money_back, record.withdrawn = undo
                        return Refusal(
                            RefusalCode.POINTS_ALREADY_SPENT,
                            asked_for(
                                plan,
                                currency,
                                points,
                                points - spent,
                                sentence("are still there to take back"),
                            ),
                            "sale",
                            sentence(
                                "let the member earn them back, or settle the return outside the program"
                            ),
                        )
        record.results = trace.rules = rated.results
        trace.carry, trace.carry_out, trace.rooms = record.trace.carry, rated.carry_out, record.trace.rooms
        trace.budgets = _kept_budgets(judged, sale, record.budgets, rated, after.nothing)
        transfers: list[Transfer] = []
        if not record.trace.late:
            self._use(judged, _less(usage(judged, old_results), usage(judged, rated.results)), day, -1)
            self._move_carry(record, rated)
            if after.nothing and not before.nothing:
                self._uncount(judged, record.trace, sale.type, day)
        record.trace = with_carry(record.trace, rated.carry_out)
        freed = {key: was - trace.budgets.get(key, 0) for key, was in record.budgets.items()}
        record.budgets = trace.budgets
        for (currency, identifier), points in falls:
            own = _by_wait(judged, sale, currency, identifier, old_results)
            for wait, kept in _by_wait(judged, sale, currency, identifier, rated.results).items():
                own[wait] = own.get(wait, 0) - kept
            self._take_back(plan, currency, identifier, points, sale, at, transfers, trace, own)
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
        messages: list[Message] = []
        self._undo_mechanics(plan, judged, record, before, after, fact, at, day, transfers, trace, messages)
        ladder = plan.ladder
        if ladder is not None:
            # What the sale counted was measured by the ladder of the version in force as it acted.
            acting = self.timeline.at(instant_of(record.position))
            measure = acting.ladder if acting is not None else None
            if measure is not None:
                gained = sum(r.earned for r in rated.results if r.currency == measure.points_currency)
                lost = sum(r.earned for r in old_results if r.currency == measure.points_currency)
                visits = spend = 0
                if sale.type in measure.counts:
                    visits = -1 if after.nothing and not before.nothing else 0
                    spend = after.spend(measure.base) - before.spend(measure.base)
                self._measure(plan, own_at, at, spend, gained - lost, visits)
            self._fall(plan, at, trace)
            if ladder.gives:
                self._tier_gifts_back(plan, level, fact, at, transfers, trace)
        record.goals = trace.goals
        trace.told = [(message.member, message.fact.id) for message in messages]
        key = state.tier.key
        return Decision(
            fact.source, fact.id, fact.type, at, judged.version, key, transfers, trace, messages, freed
        )

    def _grants_spent(self, plan: Plan, record: SaleRecord, fact: Fact, at: int) -> Refusal | None:
        """Why a return cannot be taken live: what a mechanic gave is spent, of a currency that then refuses.

        Which steps fall is known only by trying the return, on a copy.
        """
        refusing = {key for key, item in plan.currencies.items() if item.taking_back == "refuse"}
        if not refusing or not (lots_given(self.state) or record.direct()):
            return None
        trial = type(self)(self.timeline, deepcopy(self.state))
        trial.sales = {key_of(record.fact.source, record.fact.id): deepcopy(record)}
        trial.redemptions = deepcopy(self.redemptions)
        decision = trial._return(plan, fact, at, False)
        if isinstance(decision, Decision):
            for kind, _, _, currency, _, points, _ in decision.transfers:
                if kind == "debt" and currency in refusing:
                    return Refusal(
                        RefusalCode.POINTS_ALREADY_SPENT,
                        asked_for(plan, currency, points, 0, sentence("are still there to take back")),
                        "sale",
                        sentence("let the member earn them back, or settle the return outside the program"),
                    )
        return None

    def _undo_mechanics(
        self,
        plan: Plan,
        judged: Plan,
        record: SaleRecord,
        before: Basket,
        after: Basket,
        fact: Fact,
        at: int,
        day: int,
        transfers: list[Transfer],
        trace: Trace,
        messages: list[Message],
    ) -> None:
        """What goals, streaks and what it gave by itself lose with what comes back of an activity."""
        sale = record.fact
        if record.goals:
            self._recount_goals(
                plan, judged, self._context, sale, record.goals, before, after, trace.rules, fact, at, day,
                transfers, trace,
            )  # fmt: skip
        gone = after.nothing and not before.nothing
        undone = "referral" if self._unconvert(judged, self._context, sale, gone, fact, at, messages) else ""
        for item in reversed(record.direct()):
            own = item.cause != "referral" or sale.type == FRIEND_CONVERTED
            if item.cause == undone or (gone and own):
                lots = [(item.currency, item.lot, item.points)]
                self._ungrant(plan, lots, item.cause, sale, at, transfers, trace)
        if not gone:
            return
        if sale.type == FRIEND_CONVERTED:
            self._friend_lost(plan, record)
        if record.trace.streaks:
            counted = record.trace.streaks
            self._uncount_streaks(plan, counted, sale, fact, at, transfers, trace, messages)
        if record.trace.membership is not None:
            self._leave_membership(judged, sale, record.trace.membership[0])
        self._unwin(sale, record.trace)

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
        funder = plan.funder(rule, sale)
        source = issuer(funder)
        release_at = plan.clock.add_days(sale.at, rule.pending_days) if rule.pending_days else 0
        for entry in self._wallet(currency).pending:
            if (
                (entry.lot, entry.source, entry.id) == (item.lot, sale.source, sale.id)
                and entry.until == rule.pending_until
                and entry.release_at == (release_at or NEVER)
            ):
                entry.amount += points
                item.pending = True
                transfers.append(("earn", source, PENDING, currency, item.lot, points, at))
                return
        fate = self._fate(plan, item.rule, sale.at, day, at)
        if fate[2]:
            self._prolong_new(plan, currency, sale.at, at)
        fresh = not any(old.rule == item.rule and old.pending for old in old_results)
        if release_at > at or (rule.pending_until and fresh):
            item.pending = True
            self._pend(
                sale, currency, item.lot, fate, points, release_at or NEVER, rule.pending_until, funder
            )
            transfers.append(("earn", source, PENDING, currency, item.lot, points, at))
            return
        lot = self._lot(currency, item.lot, fate, funder, sale.at)
        self._credit(currency, lot, points, at, transfers, "earn", source)

    def _rate_kept(self, judged: Plan, record: SaleRecord, kept: Basket, day: int, at: int) -> Rated:
        """The sale rated again on what is kept, with all that it saw."""
        rules = judged.activities.get(record.fact.type)
        if rules is None or kept.nothing:
            return Rated()
        trace, fact = record.trace, record.fact
        level = judged.ladder.index.get(trace.tier, 0) if judged.ladder is not None else 0
        self._set_context(fact, record.inputs, kept, level, day, judged.clock.local(fact.at)[1], rules)
        self._context.nth = trace.nth.__getitem__
        self._context.memberships = frozenset(trace.memberships)
        shared = Shared(fact, {**record.budgets, **marked(trace.chosen)}) if rules.shared else None
        rated = rate(judged, rules, self._context, kept, fact.at, level, trace.rooms, trace.carry, shared)
        if rules.shared:
            within_limits(judged, fact, rated.results, record.budgets)
        lots = {item.rule: item for item in record.results}
        for item in rated.results:
            known = lots.get(item.rule)
            if known is not None and known.lot:
                item.lot, item.pending = known.lot, known.pending
            elif item.earned:
                fate = self._fate(judged, item.rule, fact.at, day, at)
                epoch = self._wallet(item.currency).epoch
                funder = judged.funder(judged.rules[item.rule], fact)
                item.lot = lot_id(item.currency, epoch if fate[2] else fate[0], funder, fate[2])
        return rated

    def _move_carry(self, record: SaleRecord, rated: Rated) -> None:
        """The member's carried remainder moves by the change of what this sale left over."""
        old, brought = record.trace.carry_out, record.trace.carry
        for rule in sorted(old.keys() | rated.carry_out.keys()):
            denominator = (old if rule in old else rated.carry_out)[rule][1]
            change = _left_over(brought, rated.carry_out, rule) - _left_over(brought, old, rule)
            now = scaled(self.state.carry.get(rule), denominator)
            self.state.carry[rule] = (now[0] + change, denominator)

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
            # What a refund gave back before the sale came is not given back by its return again.
            given = spent.given(spent.points * (whole - before.amount) // whole)
            due = spent.given(spent.points * (whole - after.amount) // whole)
            self._give_back(plan, spent, given, due - given, at, transfers, trace)


def _kept_budgets(plan: Plan, sale: Fact, used: dict[str, int], rated: Rated, gone: bool) -> dict[str, int]:
    """What of the shared limits an activity still uses by what is kept of it; prizes stay won with any of it."""
    kept = {key: amount for key, amount in used.items() if key.startswith(("prize:", "game:")) and not gone}
    for item in rated.results:
        rule = plan.rules[item.rule]
        for key in used:
            if key == rule.budget or (key.startswith("partner:") and plan.funder(rule, sale)):
                kept[key] = kept.get(key, 0) + item.earned
    return kept


def _left_over(brought: dict[str, tuple[int, int]], left: dict[str, tuple[int, int]], rule: str) -> int:
    """By how much a sale changed the carried remainder: what it left less what it was brought."""
    if rule not in left:
        return 0
    return left[rule][0] - scaled(brought.get(rule), left[rule][1])[0]


def _by_lot(results: Sequence[RuleTrace]) -> dict[tuple[str, int], int]:
    sums: dict[tuple[str, int], int] = {}
    for item in results:
        if item.earned:
            key = (item.currency, item.lot)
            sums[key] = sums.get(key, 0) + item.earned
    return sums


def _by_wait(
    plan: Plan, sale: Fact, currency: str, lot: int, results: Sequence[RuleTrace]
) -> dict[Wait, int]:
    """What rules bring to a lot, by what it waits for before it is there; rules that the version lacks left out."""
    sums: dict[Wait, int] = {}
    for item in results:
        rule = plan.rules.get(item.rule)
        if rule is not None and (item.currency, item.lot) == (currency, lot):
            release_at = plan.clock.add_days(sale.at, rule.pending_days) if rule.pending_days else NEVER
            wait = (release_at, rule.pending_until)
            sums[wait] = sums.get(wait, 0) + item.earned
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
