"""Merging: two members are found to be one, and all that one of them was goes to the other.

Both sides are facts that carry the whole standing that moves, so folding either history again gives the same. What
was owed stays owed and what expired stays expired, each on the other side, so that no sum changes; nothing is
given, taken or paid by a merge itself.
"""

from __future__ import annotations

from math import lcm

from palier.engine.compiled import START, CompiledGoal, CompiledStreak
from palier.engine.decisions import (
    BREAKAGE,
    DEBT,
    IN_TRANSIT,
    PENDING,
    WALLET,
    RedemptionRecord,
    Transfer,
)
from palier.engine.facts import Fact, Whole
from palier.engine.goals import CLOSED_KEPT, is_kept
from palier.engine.plan import Plan
from palier.engine.points import spending_order
from palier.engine.refusals import Refusal
from palier.engine.returns import Returns
from palier.engine.state import (
    FROZEN,
    GRANTS_KEPT,
    NEVER,
    RUNS_KEPT,
    Fee,
    GoalState,
    Granted,
    Lot,
    MemberState,
    PendingPoints,
    StreakState,
    WalletState,
    Window,
    copied,
    lot_id,
    unpack,
)
from palier.engine.streaks import complete, deadline
from palier.engine.trace import Trace

Lots = dict[int, int]
"""The lot of the member that goes -> where its points are with the one that takes over, where that is not plain."""


def home(lot: int, currency: str, expires_at: int, funder: str, idle: bool, epoch: int, lots: Lots) -> int:
    """The lot with the same fate at the member that takes over, noted where it has another id."""
    there = lot_id(currency, epoch if idle else expires_at, funder, idle)
    if idle or there != lot:
        lots[lot] = there
    return there


class Merging(Returns):
    """Hands over all that a member has and was, or takes it over."""

    __slots__ = ()

    def _merge(
        self, plan: Plan, fact: Fact, at: int, transfers: list[Transfer], trace: Trace
    ) -> Refusal | None:
        if fact.type == "merge_out" and fact.brings is not None:
            self._hand_over(fact.brings, at, transfers)
        elif fact.type == "merge_in" and fact.brings is not None:
            self._take_over(plan, fact, fact.brings, at, transfers, trace)
        return None

    def _hand_over(self, whole: Whole, at: int, transfers: list[Transfer]) -> None:
        """Empties this member: what it has goes, and it counts for nothing any more."""
        state = self.state
        for item in whole.lapsed:
            transfers.append(("unexpire", BREAKAGE, WALLET, item.currency, item.lot, item.amount, at))
            transfers.append(("merge_out", WALLET, IN_TRANSIT, item.currency, item.lot, item.amount, at))
            for lot in self._wallet(item.currency).lots:
                if lot.id == item.lot:
                    lot.expired -= item.amount
                    lot.redeemed += item.amount
        for currency, wallet in state.wallets.items():
            for lot in wallet.lots:
                if lot.remaining:
                    transfers.append(("merge_out", WALLET, IN_TRANSIT, currency, lot.id, lot.remaining, at))
                    lot.redeemed += lot.remaining
                    lot.remaining = 0
            for entry in wallet.pending:
                transfers.append(("merge_out", PENDING, IN_TRANSIT, currency, entry.lot, entry.amount, at))
            if wallet.debt:
                transfers.append(("merge_out", IN_TRANSIT, DEBT, currency, 0, wallet.debt, at))
            wallet.pending, wallet.debt = [], 0
            wallet.idle_at = wallet.idle_lapses_at = NEVER
        empty = MemberState()
        for name in state.__struct_fields__:
            if name not in ("last", "latest", "due_done", "wallets"):
                setattr(state, name, getattr(empty, name))

    # --- taking over ----------------------------------------------------------------------------------

    def _take_over(
        self, plan: Plan, fact: Fact, whole: Whole, at: int, transfers: list[Transfer], trace: Trace
    ) -> None:
        theirs = copied(whole.state)
        lots: Lots = {}
        for currency, wallet in theirs.wallets.items():
            self._take_wallet(currency, wallet, at, transfers, lots)
        for item in whole.lapsed:
            there = home(item.lot, item.currency, item.expires_at, item.funder, False, 0, lots)
            fate = (item.expires_at, item.lapses_at, False, False)
            lot = self._lot(item.currency, there, fate, item.funder, item.first_earned)
            lot.earned += item.amount
            lot.expired += item.amount
            transfers.append(("merge_in", IN_TRANSIT, WALLET, item.currency, there, item.amount, at))
            transfers.append(("expire", WALLET, BREAKAGE, item.currency, there, item.amount, at))
        trace.renamed = sorted(lots.items())
        self._inherit(fact, lots)
        self._take_counts(theirs)
        self._take_tier(plan, theirs, at, trace)
        for key, given in theirs.tiers_given.items():
            self.state.tiers_given.setdefault(key, _moved_grants(given, lots))
        for key, goal_state in theirs.goals.items():
            goal = plan.goals.get(key)
            if goal is not None:
                self._take_goal(goal, goal_state, lots)
        for name, running in theirs.streaks.items():
            streak = plan.streaks.get(name.partition(":")[0])
            if streak is not None and running.other != self._own(fact):
                self._take_streak(plan, streak, name, running, lots)
        for name in [n for n, running in self.state.streaks.items() if running.other == fact.other_member]:
            # The two were a pair: one member cannot be.
            del self.state.streaks[name]
        self._take_rest(fact, theirs)

    def _own(self, fact: Fact) -> str:
        """The reference of the member that takes over, as the fact tells it."""
        return str(fact.attributes.get("into", ""))

    def _take_wallet(
        self, currency: str, theirs: WalletState, at: int, transfers: list[Transfer], lots: Lots
    ) -> None:
        mine = self._wallet(currency)
        state = self.state
        if theirs.idle_at < NEVER and (mine.idle_at == NEVER or theirs.idle_at > mine.idle_at):
            # Both earned for one: the later of the two ends counts.
            mine.idle_at, mine.idle_lapses_at = theirs.idle_at, theirs.idle_lapses_at
            for lot in mine.lots:
                if lot.idle:
                    lot.expires_at, lot.lapses_at = mine.idle_at, mine.idle_lapses_at
            mine.lots.sort(key=spending_order)
        for lot in theirs.lots:
            there = home(lot.id, currency, lot.expires_at, lot.funder, lot.idle, mine.epoch, lots)
            if lot.remaining:
                fate = (lot.expires_at, lot.lapses_at, lot.idle, lot.single)
                own = self._lot(currency, there, fate, lot.funder, lot.first_earned)
                own.earned += lot.remaining
                own.remaining += lot.remaining
                transfers.append(("merge_in", IN_TRANSIT, WALLET, currency, there, lot.remaining, at))
                state.due_at = min(state.due_at, own.lapses_at)
        for entry in theirs.pending:
            there = home(entry.lot, currency, entry.expires_at, entry.funder, entry.idle, mine.epoch, lots)
            mine.pending.append(
                PendingPoints(
                    entry.source,
                    entry.id,
                    there,
                    entry.expires_at,
                    entry.lapses_at,
                    entry.funder,
                    entry.first_earned,
                    entry.idle,
                    entry.single,
                    entry.amount,
                    entry.release_at,
                    entry.until,
                )
            )
            transfers.append(("merge_in", IN_TRANSIT, PENDING, currency, there, entry.amount, at))
            state.due_at = min(state.due_at, entry.release_at)
        if theirs.debt:
            mine.debt += theirs.debt
            transfers.append(("merge_in", DEBT, IN_TRANSIT, currency, 0, theirs.debt, at))
        state.due_at = min(state.due_at, mine.idle_at)

    def _inherit(self, fact: Fact, lots: Lots) -> None:
        """Takes over the sales and redemptions that later returns may name, and the fates of their lots."""
        left = self.inherited.get(f"{fact.source}\0{fact.id}")
        if left is None:
            return
        for currency, lot in left.lots:
            if lot.id not in lots:
                home(lot.id, currency, lot.expires_at, lot.funder, False, 0, lots)
            there = lots.get(lot.id, lot.id)
            wallet = self._wallet(currency)
            if there not in wallet.closed and all(own.id != there for own in wallet.lots):
                wallet.closed[there] = Lot(there, lot.expires_at, lot.lapses_at, lot.funder, lot.first_earned)
        for key, record in left.sales.items():
            self.sales.setdefault(key, record.moved(lots))
        for key, spent in left.redemptions.items():
            taken = [(lots.get(lot, lot), amount) for lot, amount in spent.taken]
            moved = RedemptionRecord(spent.currency, taken, spent.at, spent.account)
            moved.refunded = spent.refunded
            self.redemptions.setdefault(key, moved)

    def _take_counts(self, theirs: MemberState) -> None:
        """Room under caps and ordinals: what both used counts, in the later of their periods."""
        for own, other in ((self.state.used, theirs.used), (self.state.nth, theirs.nth)):
            for key, (period, amount) in other.items():
                counter = own.get(key)
                if counter is None or counter[0] < period:
                    own[key] = [period, amount]
                elif counter[0] == period:
                    counter[1] += amount
        for rule, (numerator, denominator) in theirs.carry.items():
            known = self.state.carry.get(rule)
            if known is None:
                self.state.carry[rule] = (numerator, denominator)
                continue
            common = lcm(known[1], denominator)
            total = known[0] * (common // known[1]) + numerator * (common // denominator)
            self.state.carry[rule] = (total, common)

    def _take_tier(self, plan: Plan, theirs: MemberState, at: int, trace: Trace) -> None:
        """The metrics of both count, and the higher tier is held, or a higher one still that they reach."""
        ladder = plan.ladder
        if ladder is None:
            return
        mine, other = self.state.tier, theirs.tier
        self._roll(plan, at)
        self.state.tier = other
        self._roll(plan, at)
        self.state.tier = mine
        mine.current = [ours + more for ours, more in zip(mine.current, other.current, strict=True)]
        mine.previous = [ours + more for ours, more in zip(mine.previous, other.previous, strict=True)]
        for tier in (mine, other):
            unpack(tier, NEVER)
        mine.entries = sorted([*mine.entries, *other.entries])
        own, theirs_own = mine.own or mine.key, other.own or other.key
        level, above = ladder.index.get(own, 0), ladder.index.get(theirs_own, 0)
        if above > level:
            own = theirs_own
            mine.held_until, mine.landed_until = other.held_until, other.landed_until
        elif above == level:
            if not (mine.held_until and other.held_until):
                mine.held_until = 0
            mine.held_until = max(mine.held_until, other.held_until) if mine.held_until else 0
            mine.landed_until = max(mine.landed_until, other.landed_until)
        mine.given.update(other.given)
        self._stand_on(plan, own, at, trace)
        self._rise(plan, at, trace)
        self.state.due_at = min(self.state.due_at, self._tier_due(plan))

    # --- goals and streaks ----------------------------------------------------------------------------

    def _take_goal(self, goal: CompiledGoal, theirs: GoalState, lots: Lots) -> None:
        """Positions in the same window add up; a step that both had reached counts once and stays given twice."""
        for window in (theirs.window, *theirs.closed):
            for granted in window.granted:
                granted.lots = _moved_grants(granted.lots, lots)
        mine = self.state.goals.get(goal.key)
        if mine is not None and theirs.kind != goal.numbered:
            # Windows of an earlier version, that have no place in this one's.
            return
        if mine is None or mine.kind != goal.numbered:
            self.state.goals[goal.key] = theirs
            return
        mine.joined = mine.joined or theirs.joined
        if theirs.day > mine.day:
            mine.day, mine.counted = theirs.day, theirs.counted
        elif theirs.day == mine.day:
            mine.counted += theirs.counted
        windows = {window.number: window for window in (*mine.closed, mine.window)}
        newest = max(mine.window.number, theirs.window.number)
        if goal.window == START and mine.window.number != theirs.window.number:
            # Windows that count from a beginning of their own: the one further on stays open.
            ahead = max((mine, theirs), key=lambda state: (state.window.position, state.began))
            newest, mine.began = ahead.window.number, ahead.began
        for window in (*theirs.closed, theirs.window):
            known = windows.get(window.number)
            if known is None:
                windows[window.number] = window
            else:
                _add_window(goal, known, window)
        mine.window = windows.pop(newest)
        closed = [windows[number] for number in sorted(windows) if is_kept(goal, windows[number])]
        mine.closed = closed[-CLOSED_KEPT:]

    def _take_streak(
        self, plan: Plan, streak: CompiledStreak, name: str, theirs: StreakState, lots: Lots
    ) -> None:
        """Periods of both runs count for one; what is consecutive up to the latest is the run."""
        for run in (theirs, *theirs.ended):
            for granted in run.granted:
                granted.lots = _moved_grants(granted.lots, lots)
        mine = self.state.streaks.get(name)
        if mine is None:
            self.state.streaks[name] = mine = theirs
        else:
            best, ended = max(mine.best, theirs.best), [*mine.ended, *theirs.ended]
            if not mine.counts or mine.period != streak.period:
                self.state.streaks[name] = mine = theirs
            elif theirs.counts and theirs.period == streak.period:
                _add_run(streak, mine, theirs)
            mine.best = max(best, mine.length)
            mine.ended = sorted(ended, key=lambda run: run.start)[-RUNS_KEPT:]
        self.state.due_at = min(self.state.due_at, deadline(plan, streak, mine))

    def _take_rest(self, fact: Fact, theirs: MemberState) -> None:
        state = self.state
        for key, ends in theirs.memberships.items():
            state.memberships[key] = max(state.memberships.get(key, 0), ends)
            beside = [_beside(fee, fact.other_member) for fee in theirs.fees.get(key, [])]
            joined = Fee(fact.at, 0, "", "", fact.other_member)
            state.fees[key] = [*state.fees.get(key, []), *beside, joined]
        brought = theirs.referral
        if state.referral is not None and state.referral[0] == fact.other_member:
            state.referral = None
        if state.referral is None and brought is not None and brought[0] != self._own(fact):
            state.referral = brought
        if state.saving is None:
            state.saving = theirs.saving
        for key, (attempts, best) in theirs.quizzes.items():
            known = state.quizzes.get(key, (0, -1))
            state.quizzes[key] = (known[0] + attempts, max(known[1], best))
        for key, won_at in theirs.won_at.items():
            state.won_at[key] = max(state.won_at.get(key, 0), won_at)
        state.took_over = [*state.took_over, fact.other_member, *theirs.took_over]


def _moved_grants(given: list[tuple[str, int, int]], lots: Lots) -> list[tuple[str, int, int]]:
    return [(currency, lots.get(lot, lot), points) for currency, lot, points in given]


def _beside(fee: Fee, member: str) -> Fee:
    """A fee of a member that was merged into another, where it runs beside the other's."""

    def chain(name: str) -> str:
        return f"{member}/{name}" if name else member

    joins = None if fee.joins is None else chain(fee.joins)
    return Fee(fee.at, fee.months, fee.activity, chain(fee.chain), joins)


def _add_window(goal: CompiledGoal, mine: Window, theirs: Window) -> None:
    """Adds one member's place in a window to the other's; the head start counts once."""
    mine.position += theirs.position - goal.head_start
    for key, count in theirs.seen.items():
        if key in mine.seen:
            mine.position -= 1
        mine.seen[key] = mine.seen.get(key, 0) + count
    mine.units = [*mine.units, *theirs.units]
    mine.counted_at = max(mine.counted_at, theirs.counted_at)
    stands = max(
        mine.reached, theirs.reached, min(mine.reached + theirs.reached, goal.reached(mine.position))
    )
    mine.granted = _kept(mine.granted, theirs.granted, stands)
    mine.reached = stands


def _kept(mine: list[Granted], theirs: list[Granted], stands: int) -> list[Granted]:
    """Of what two members' steps gave, what a return can still undo: no more than steps that stand."""
    most = min(stands, GRANTS_KEPT)
    return [*theirs, *mine][-most:] if most else []


def _add_run(streak: CompiledStreak, mine: StreakState, theirs: StreakState) -> None:
    # Periods that are no longer kept one by one were complete.
    before_kept = {run.start: run.length - _complete(streak, run) for run in (mine, theirs)}
    periods: dict[int, tuple[int, int]] = {}
    for run in (mine, theirs):
        for place, (own, other) in enumerate(zip(run.counts, run.theirs, strict=True)):
            before = periods.get(run.start + place)
            if before is None or before[0] == FROZEN:
                periods[run.start + place] = (own, other)
            elif own != FROZEN:
                periods[run.start + place] = (before[0] + own, before[1] + other)
    last = max(periods)
    first = last
    while first - 1 in periods:
        trial = StreakState(0, [periods[first - 1][0]], [periods[first - 1][1]])
        if not complete(streak, trial, 0):
            break
        first -= 1
    mine.start = first
    mine.counts = [periods[number][0] for number in range(first, last + 1)]
    mine.theirs = [periods[number][1] for number in range(first, last + 1)]
    mine.length = _complete(streak, mine) + before_kept.get(first, 0)
    now = streak.reached(mine.length)
    stands = max(mine.reached, theirs.reached, min(mine.reached + theirs.reached, now))
    mine.granted = _kept(mine.granted, theirs.granted, stands)
    mine.reached = stands


def _complete(streak: CompiledStreak, run: StreakState) -> int:
    return sum(complete(streak, run, place) == 1 for place in range(len(run.counts)))
