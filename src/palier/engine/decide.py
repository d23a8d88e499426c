"""The decider: one member's state, one fact at a time, in order; out come decisions.

`Fold` is the one pure function of the platform in its working form: the live intake, previews, backtests and
re-decisions all feed facts to it. Facts due at an instant (release of pending points, then expiry, then a
change of tier) act before anything else at that instant, whether or not somebody asked meanwhile.
"""

from __future__ import annotations

from palier.engine.commands import Commands
from palier.engine.decisions import (
    BREAKAGE,
    WALLET,
    Decision,
    Position,
    Transfer,
    behind,
    instant_of,
    key_of,
)
from palier.engine.facts import (
    COMMANDS,
    NO_INPUTS,
    PLAYED,
    RETURN,
    Fact,
    Inputs,
    Known,
)
from palier.engine.plan import PERIODS, Plan
from palier.engine.rating import usage
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import NEVER
from palier.engine.trace import Trace


class Fold(Commands):
    """Decides facts of one member in order. `keep_records` keeps every sale for later returns (replay)."""

    __slots__ = ()

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
            at = instant_of(position)
        else:
            position = (at, 1 if kind in COMMANDS else 0, fact.source, fact.id)
        plan = self.timeline.at(at)
        if plan is None:
            return Refusal(
                RefusalCode.BEFORE_PROGRAM,
                sentence("the program had not begun at this instant"),
                "occurred_at",
                sentence("send activities dated after the first version takes effect"),
            )
        state = self.state
        if self.is_due(at):
            self.advance(at)
        if kind == RETURN:
            answer = self._return(plan, fact, at, live)
        elif kind in COMMANDS:
            answer = self._command(plan, known, at, live)
        elif (
            live
            and kind in PLAYED
            and (refused := self._refused(plan, fact, at) or self._not_for(plan, fact, inputs)) is not None
        ):
            answer = refused
        else:
            answer = self._earn(plan, fact, inputs, at, position)
        if isinstance(answer, Refusal):
            return answer
        state.last = position
        if at > state.latest:
            state.latest = at
        self.decisions.append(answer)
        return answer

    def take_room(self, fact: Fact, trace: Trace) -> None:
        """Counts as taken the room that an activity judged apart took in its own periods, and counts it there."""
        plan = self.timeline.plan_of(trace.version)
        if plan is None:
            return
        day, _ = plan.clock.local(fact.at)
        self._use(plan, usage(plan, trace.rules), day, 1)
        for window in trace.nth:
            if ":" not in window:
                number = self.period_at(plan, PERIODS[window], day)
                counter = self.state.nth.get(f"{fact.type}:{window}")
                if counter is None or number > counter[0]:
                    self.state.nth[f"{fact.type}:{window}"] = [number, 1]
                elif counter[0] == number:
                    counter[1] += 1
        for item in trace.goals:
            goal = plan.goals.get(item.goal)
            if goal is not None and goal.most_per_day >= 0:
                self.count_of_day(goal, day, item.counted)

    def is_due(self, at: int) -> bool:
        """Whether something may be due by an instant. What a version finds due before it began is due as it begins."""
        state = self.state
        return state.due_at <= at or self.timeline.next_start(max(state.latest, state.due_done)) <= at

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
        plan, begun, _ = self.timeline.span(cursor)
        if plan is not None:
            due = min(due, max(begun, self._tier_due(plan)))
            if state.streaks:
                due = min(due, max(begun, self._streak_due(plan)))
        if state.tier.key or state.streaks:
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
            state.due_done = max(state.due_done, at)
            self._idle_due(at)
            self._release_due(plan, at)
            self._holds_due(plan, at)
            self._lapse_due(plan, at)
            if state.streaks:
                self._lapse_streaks(plan, at)
            if self._tier_due(plan) <= at:
                self._review(plan, at)

    def _release_due(self, plan: Plan, at: int) -> None:
        transfers: list[Transfer] = []
        for currency, wallet in self.state.wallets.items():
            if any(entry.release_at <= at for entry in wallet.pending):
                ripe = [entry for entry in wallet.pending if entry.release_at <= at]
                wallet.pending = [entry for entry in wallet.pending if entry.release_at > at]
                self._release(currency, ripe, at, transfers)
        if transfers:
            self._due("released", at, plan, transfers, Trace(plan.version, self.state.tier.key))

    def _holds_due(self, plan: Plan, at: int) -> None:
        if not self.state.holds:
            return
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

    def _idle_due(self, at: int) -> None:
        """Ends the time without activity where it is over: what is released now comes to points that lapse."""
        for wallet in self.state.wallets.values():
            if wallet.idle_at <= at:
                for lot in wallet.lots:
                    lot.idle = False
                for entry in wallet.pending:
                    if entry.idle:
                        entry.idle = False
                        entry.expires_at, entry.lapses_at = wallet.idle_at, wallet.idle_lapses_at
                wallet.epoch += 1
                wallet.idle_at = wallet.idle_lapses_at = NEVER

    def _lapse_due(self, plan: Plan, at: int) -> None:
        transfers: list[Transfer] = []
        for currency, wallet in self.state.wallets.items():
            for lot in wallet.lots:
                if lot.remaining and not lot.idle and lot.lapses_at <= at:
                    transfers.append(("expire", WALLET, BREAKAGE, currency, lot.id, lot.remaining, at))
                    lot.expired += lot.remaining
                    lot.remaining = 0
        if transfers:
            self._due("expired", at, plan, transfers, Trace(plan.version, self.state.tier.key))
