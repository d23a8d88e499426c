"""Streaks: consecutive periods with enough activities, of one member or of a pair.

A run is told by its first period and how often the member acted in each since. It lapses, as due work, at the
end of the period that was missed, in the zone in which the member last acted; a freeze token saves it instead.
"""

from __future__ import annotations

from typing import Any

from palier.engine.clock import clock_of
from palier.engine.compiled import CompiledStreak, period_number, period_start
from palier.engine.decisions import REDEMPTION, WALLET, Message, Transfer
from palier.engine.facts import MADE_SOURCE, RETURN, Fact, Inputs, Reference
from palier.engine.goals import Goals
from palier.engine.plan import ActivityPlan, Plan
from palier.engine.state import (
    FROZEN,
    GRANTS_KEPT,
    NEVER,
    PERIODS_KEPT,
    RUNS_KEPT,
    Granted,
    StreakState,
)
from palier.engine.trace import StreakTrace, Trace


def complete(streak: CompiledStreak, state: StreakState, index: int) -> int:
    """1 where a period of the run has enough activities, FROZEN where a token saved it, 0 where it lacks some."""
    mine = state.counts[index]
    if mine == FROZEN:
        return FROZEN
    if mine < streak.least or (streak.pair and state.theirs[index] < streak.least):
        return 0
    return 1


def deadline(plan: Plan, streak: CompiledStreak, state: StreakState) -> int:
    """The instant at which the run lapses unless somebody acts, or NEVER where there is none."""
    if not state.counts or state.period != streak.period:
        return NEVER
    clock = clock_of(state.zone) if state.zone else plan.clock
    last = len(state.counts) - 1
    missing = state.start + last + (1 if complete(streak, state, last) else 0)
    return period_start(clock, streak.period, missing + 1)


def end_run(state: StreakState) -> None:
    """Ends the run. One that gave something is kept, so that a late return can still undo it."""
    if state.granted:
        run = StreakState(
            state.start,
            state.counts,
            state.theirs,
            reached=state.reached,
            granted=state.granted,
            period=state.period,
            length=state.length,
        )
        state.ended = [*state.ended, run][-RUNS_KEPT:]
    state.counts, state.theirs = [], []
    state.reached, state.granted, state.length = 0, [], 0


class Streaks(Goals):
    """The streaks of one member."""

    __slots__ = ()

    def _count_streaks(
        self,
        plan: Plan,
        rules: ActivityPlan,
        context: Any,
        fact: Fact,
        inputs: Inputs,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
        messages: list[Message],
    ) -> None:
        """Counts an activity for every streak that it meets, and tells the other member of each pair."""
        for streak in rules.streaks:
            match = streak.matches[fact.type]
            if match is not None and not match(context):
                continue
            if not streak.pair:
                zone = inputs.zone if streak.member_zone else ""
                state = self.state.streaks.get(streak.key)
                if state is None:
                    state = self.state.streaks[streak.key] = StreakState()
                self._act_in(plan, streak, streak.key, state, zone, fact, at, True, transfers, trace)
                continue
            for name, state in self.state.streaks.items():
                if name.startswith(f"{streak.key}:"):
                    self._act_in(plan, streak, name, state, "", fact, at, True, transfers, trace)
                    told: dict[str, str | int | bool] = {"streak": streak.key, "pair": name.partition(":")[2]}
                    identifier = f"pair_act:{name}:{fact.source}:{fact.id}"
                    own = Fact(MADE_SOURCE, identifier, "pair_act", fact.at, attributes=told)
                    messages.append(Message(state.other, own))

    def _paired(self, plan: Plan, fact: Fact) -> None:
        """Begins a streak of a pair."""
        streak = plan.streaks.get(str(fact.attributes.get("streak", "")))
        pair = str(fact.attributes.get("pair", ""))
        if streak is not None and streak.pair and fact.other_member:
            self.state.streaks.setdefault(f"{streak.key}:{pair}", StreakState(other=fact.other_member))

    def _unpaired(self, fact: Fact) -> None:
        """Ends a streak of a pair; what it gave stays given."""
        self.state.streaks.pop(f"{fact.attributes.get('streak', '')}:{fact.attributes.get('pair', '')}", None)

    def _pair_act(self, plan: Plan, fact: Fact, at: int, transfers: list[Transfer], trace: Trace) -> None:
        """The other member of a pair acted."""
        key = str(fact.attributes.get("streak", ""))
        streak = plan.streaks.get(key)
        name = f"{key}:{fact.attributes.get('pair', '')}"
        state = self.state.streaks.get(name)
        if streak is not None and state is not None:
            self._act_in(plan, streak, name, state, "", fact, at, False, transfers, trace)

    def _act_in(
        self,
        plan: Plan,
        streak: CompiledStreak,
        name: str,
        state: StreakState,
        zone: str,
        fact: Fact,
        at: int,
        mine: bool,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        clock = clock_of(zone) if zone else plan.clock
        period = period_number(clock, streak.period, clock.local(fact.at)[0])
        if state.period != streak.period:
            end_run(state)
            state.period = streak.period
        before = state.length
        end = state.start + len(state.counts)
        known = (state.zone, before, end)
        if state.counts and period < end:
            place = period - state.start
            if place < 0:
                return
        else:
            # What came too late begins nothing that would have lapsed meanwhile.
            lasts = 1 if streak.least > 1 or streak.pair else 2
            if at > fact.at and period_start(clock, streak.period, period + lasts) <= at:
                return
            if not state.counts or period > end or not complete(streak, state, len(state.counts) - 1):
                end_run(state)
                state.start, state.zone = period, zone
                before = 0
            elif len(state.counts) >= PERIODS_KEPT:
                state.start += 1
                del state.counts[0], state.theirs[0]
            state.counts.append(0)
            state.theirs.append(0)
            place = len(state.counts) - 1
        was = complete(streak, state, place)
        if was != FROZEN or (streak.least == 1 and not streak.pair):
            counts = state.counts if mine else state.theirs
            counts[place] = max(counts[place], 0) + 1
            state.length += (complete(streak, state, place) == 1) - (was == 1)
        if mine and at == fact.at:
            state.zone = zone
        after = state.length
        state.best = max(state.best, after)
        trace.streaks.append(StreakTrace(name, period, before, after))
        if after != before:
            self._reach_steps(plan, streak, name, state, streak.reached(after), fact, at, transfers, trace)
        if (state.zone, after, state.start + len(state.counts)) != known:
            self.state.due_at = min(self.state.due_at, deadline(plan, streak, state))

    def _reach_steps(
        self,
        plan: Plan,
        streak: CompiledStreak,
        name: str,
        state: StreakState,
        reached: int,
        fact: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Gives what the steps of a run give until so many stand, or takes back what those beyond gave."""
        while state.reached < reached:
            cause = f"streak:{name}:{streak.length(state.reached)}"
            lots = self._grant(plan, streak.gives(state.reached), cause, fact, at, transfers, trace)
            state.granted = [*state.granted, Granted(lots)][-GRANTS_KEPT:]
            state.reached += 1
        while state.reached > reached and state.granted:
            undone = state.granted.pop()
            state.reached -= 1
            cause = f"streak:{name}:{streak.length(state.reached)}"
            self._ungrant(plan, undone.lots, cause, fact, at, transfers, trace)

    def _uncount_streaks(
        self,
        plan: Plan,
        counted: list[StreakTrace],
        sale: Fact,
        fact: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
        messages: list[Message],
    ) -> None:
        """An activity of which nothing is kept no longer counts: a period left empty parts its run in two.

        The other member of a pair, who was told of the activity, is told that it came back.
        """
        mine = sale.type != "pair_act"
        for old in counted:
            streak = plan.streaks.get(old.streak.partition(":")[0])
            state = self.state.streaks.get(old.streak)
            if streak is None or state is None:
                continue
            if streak.pair and mine:
                named = Reference(MADE_SOURCE, f"pair_act:{old.streak}:{sale.source}:{sale.id}")
                identifier = f"undone:{old.streak}:{fact.source}:{fact.id}"
                undone = Fact(MADE_SOURCE, identifier, RETURN, at, sale=named, whole=True)
                messages.append(Message(state.other, undone))
            runs = (state, *reversed(state.ended))
            run = next(
                (
                    run
                    for run in runs
                    if run.period == streak.period and 0 <= old.period - run.start < len(run.counts)
                ),
                None,
            )
            if run is None:
                continue
            place = old.period - run.start
            counts = run.counts if mine else run.theirs
            if counts[place] <= 0:
                continue
            before = run.length
            was = complete(streak, run, place)
            counts[place] -= 1
            now = complete(streak, run, place)
            run.length += (now == 1) - (was == 1)
            clock = clock_of(state.zone) if state.zone else plan.clock
            over = run is not state or period_start(clock, streak.period, old.period + 1) <= at
            if not now and (place < len(run.counts) - 1 or over):
                self._part(plan, streak, old.streak, state, run, place, fact, at, transfers, trace)
            if max(*run.counts, *run.theirs, 0, 0) <= 0:
                run.counts, run.theirs = [], []
            after = run.length
            trace.streaks.append(StreakTrace(old.streak, old.period, before, after))
            self._reach_steps(
                plan, streak, old.streak, run, streak.reached(after), fact, at, transfers, trace
            )
            if run is not state and not run.granted:
                state.ended = [other for other in state.ended if other is not run]
            self.state.due_at = min(self.state.due_at, deadline(plan, streak, state))

    def _part(
        self,
        plan: Plan,
        streak: CompiledStreak,
        name: str,
        state: StreakState,
        run: StreakState,
        place: int,
        fact: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Parts a run at a period that was left empty: what stands is what two runs would have given.

        What came before the period is a run of its own, which is over, and keeps what it reached. What comes behind
        it goes on, with what its own steps give.
        """
        head = StreakState(run.start, run.counts[:place], run.theirs[:place], period=run.period)
        forgotten = run.length - _complete(streak, run)
        head.length = forgotten + _complete(streak, head)
        head.reached = min(streak.reached(head.length), run.reached)
        first = max(head.reached, run.reached - len(run.granted))
        head.granted = run.granted[: len(run.granted) - (run.reached - first)]
        _break_off(streak, run, place)
        if not head.reached:
            return
        run.granted = run.granted[len(head.granted) :]
        stay = 0
        while stay < min(streak.reached(run.length), len(run.granted)) and (
            streak.gives(first + stay) == streak.gives(stay)
        ):
            stay += 1
        self._reach_steps(plan, streak, name, run, first + stay, fact, at, transfers, trace)
        run.reached = stay
        if head.granted:
            place = next((index for index, one in enumerate(state.ended) if one is run), len(state.ended))
            state.ended = [*state.ended[:place], head, *state.ended[place:]][-RUNS_KEPT:]

    def _streak_due(self, plan: Plan) -> int:
        """The next instant at which a running streak lapses."""
        due = NEVER
        for name, state in self.state.streaks.items():
            streak = plan.streaks.get(name.partition(":")[0])
            if streak is not None:
                due = min(due, deadline(plan, streak, state))
        return due

    def _lapse_streaks(self, plan: Plan, at: int) -> None:
        """Ends the runs whose period was missed, or spends a freeze token for each."""
        saved: list[Transfer] = []
        saves = Trace(plan.version, self.state.tier.key)
        lapses = Trace(plan.version, self.state.tier.key)
        for name, state in self.state.streaks.items():
            streak = plan.streaks.get(name.partition(":")[0])
            if streak is None or deadline(plan, streak, state) > at:
                continue
            now = state.length
            while deadline(plan, streak, state) <= at:
                last = len(state.counts) - 1
                missed = state.start + last + (1 if complete(streak, state, last) else 0)
                if not now or not self._spend_token(plan, streak.freeze, at, saved, saves):
                    end_run(state)
                    if now:
                        lapses.streaks.append(StreakTrace(name, missed, now, 0))
                    break
                if missed > state.start + last:
                    state.counts.append(FROZEN)
                    state.theirs.append(FROZEN)
                else:
                    state.counts[-1] = state.theirs[-1] = FROZEN
                saves.streaks.append(StreakTrace(name, missed, now, now))
        if saves.streaks:
            self._due("streak_saved", at, plan, saved, saves)
        if lapses.streaks:
            self._due("streak_lapsed", at, plan, [], lapses)

    def _spend_token(
        self, plan: Plan, currency: str, at: int, transfers: list[Transfer], trace: Trace
    ) -> bool:
        """Spends one unit of a currency, in spending order; whether there was one."""
        wallet = self.state.wallets.get(currency)
        found = plan.currencies.get(currency)
        if wallet is None or found is None or wallet.spendable < 10**found.scale:
            return False
        lacking = 10**found.scale
        for lot in wallet.lots:
            part = min(lot.remaining, lacking)
            if part:
                lot.remaining -= part
                lot.redeemed += part
                lacking -= part
                trace.taken.append((lot.id, part))
                transfers.append(("redeem", WALLET, REDEMPTION, currency, lot.id, part, at))
        return True


def _break_off(streak: CompiledStreak, run: StreakState, place: int) -> None:
    """Leaves of a run what comes behind a period; periods that a token saved stand at no beginning."""
    place += 1
    while place < len(run.counts) and complete(streak, run, place) == FROZEN:
        place += 1
    run.start += place
    run.counts, run.theirs = run.counts[place:], run.theirs[place:]
    run.length = _complete(streak, run)


def _complete(streak: CompiledStreak, run: StreakState) -> int:
    """How many of the periods that a run has still are complete; those that a token saved are not counted."""
    return sum(complete(streak, run, index) == 1 for index in range(len(run.counts)))
