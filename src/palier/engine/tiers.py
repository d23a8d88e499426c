"""Tiers: the metrics that grant them, rising at once, falling by grace and soft landing."""

from __future__ import annotations

from bisect import insort

from palier.engine.decisions import Transfer
from palier.engine.facts import Fact
from palier.engine.grants import Grants
from palier.engine.plan import Plan
from palier.engine.state import NEVER, unpack
from palier.engine.trace import Trace


class Tiers(Grants):
    """The tier of one member; its metrics stand apart from the points that can be spent."""

    __slots__ = ()

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
            if leaves < self.state.due_at and (tier.own or tier.key) != ladder.keys[0]:
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
            unpack(tier, at)
            for leaves, spend, points, visits in tier.entries:
                if leaves > at:
                    break
                gone += 1
                tier.current[0] -= spend
                tier.current[1] -= points
                tier.current[2] -= visits
            if gone:
                del tier.entries[:gone]
            if tier.packed and not (tier.entries and tier.entries[0][0] <= tier.packed[0][0]):
                # The first entry is the next to leave, always.
                unpack(tier, tier.packed[0][0])
        elif ladder.kind == "calendar":
            number = plan.period_number(at)
            # Another zone may put an instant back into the period before: what began goes on.
            if number > tier.period:
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

    def _own_level(self, plan: Plan) -> int:
        """The tier that the member earned, which a given one may stand above."""
        ladder, tier = plan.ladder, self.state.tier
        return ladder.index.get(tier.own or tier.key, 0) if ladder is not None else 0

    def _stand_on(self, plan: Plan, key: str, at: int, trace: Trace) -> None:
        """Sets the tier that the member earned; he holds the highest of it and those given to him."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        held = tier.own = key
        for given, until in tier.given.values():
            if until > at and ladder.index.get(given, 0) > ladder.index.get(held, 0):
                held = given
        if not tier.given:
            tier.own = ""
        if held != tier.key:
            tier.key = trace.tier_after = held

    def _rise(self, plan: Plan, at: int, trace: Trace) -> bool:
        """After an activity: the member rises to what is qualified now. Whether he did."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        level = self._own_level(plan)
        # Whether the tier held is still deserved matters here only while it is held by grace.
        reached = self._qualified(plan, level, level if tier.held_until else level + 1)
        if reached < level:
            return False
        tier.held_until = 0
        if reached == level:
            return False
        tier.landed_until = 0
        self._stand_on(plan, ladder.keys[reached], at, trace)
        due = self._tier_due(plan)
        if due < self.state.due_at:
            self.state.due_at = due
        return True

    def _fall(self, plan: Plan, at: int, trace: Trace) -> None:
        """After a return: the tier falls at once to what is still qualified, unless grace or a landing holds it."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        level = self._own_level(plan)
        reached = self._qualified(plan, level)
        if reached >= level:
            self._rise(plan, at, trace)
        elif tier.landed_until > at:
            tier.held_until = max(tier.held_until, tier.landed_until)
            self.state.due_at = min(self.state.due_at, tier.held_until)
        elif not tier.held_until:
            self._stand_on(plan, ladder.keys[reached], at, trace)
            tier.landed_until = 0

    def _tier_gifts(self, plan: Plan, fact: Fact, at: int, transfers: list[Transfer], trace: Trace) -> None:
        """Gives what tiers reached for the first time bring; a tier that is given brings no gift for reaching it."""
        ladder = plan.ladder
        assert ladder is not None
        given = self.state.tiers_given
        level = self._own_level(plan)
        for number, key in enumerate(ladder.keys):
            if number <= level and key not in given and ladder.given[number]:
                given[key] = self._grant(
                    plan, ladder.given[number], f"tier:{key}", fact, at, transfers, trace
                )

    def _tier_gifts_back(
        self, plan: Plan, before: int, fact: Fact, at: int, transfers: list[Transfer], trace: Trace
    ) -> None:
        """Takes back what the tiers gave that a return has just cost, `before` being the one held until then.

        What a tier gave that was lost by time alone stays given.
        """
        ladder = plan.ladder
        assert ladder is not None
        given = self.state.tiers_given
        level = self._own_level(plan)
        for key in reversed(ladder.keys[level + 1 : before + 1]):
            if key in given:
                self._ungrant(plan, given.pop(key), f"tier:{key}", fact, at, transfers, trace)

    def _tier_due(self, plan: Plan) -> int:
        """The next instant at which the tier held may fall, or a given one ends."""
        due = self._own_tier_due(plan)
        if plan.ladder is not None:
            for _, until in self.state.tier.given.values():
                due = min(due, max(until, self.state.due_done))
        return due

    def _own_tier_due(self, plan: Plan) -> int:
        ladder, tier = plan.ladder, self.state.tier
        own = tier.own or tier.key
        if ladder is None or not own or own == ladder.keys[0]:
            return NEVER
        if own not in ladder.index:
            # A tier that this version has no more.
            return 0
        due = tier.held_until or NEVER
        if ladder.kind == "rolling" and tier.entries:
            due = min(due, tier.entries[0][0])
        elif ladder.kind == "calendar":
            due = min(due, plan.period_start(tier.period + 1))
        return due

    def _review(self, plan: Plan, at: int) -> None:
        """A due review: what is not deserved falls after its grace, and given tiers end when they are over."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        before, level = tier.key, self._own_level(plan)
        own = tier.own or tier.key
        if own not in ladder.index:
            self._roll(plan, at)
            tier.held_until = tier.landed_until = 0
            lands = self._qualified(plan, 0)
        else:
            lands = self._reviewed(plan, at, level) if self._own_tier_due(plan) <= at else level
            if lands == level and not tier.given:
                return
        trace = Trace(plan.version, before)
        if lands != level or own not in ladder.index:
            own = ladder.keys[lands]
        tier.given = {key: given for key, given in tier.given.items() if given[1] > at}
        self._stand_on(plan, own, at, trace)
        if trace.tier_after:
            self._due("tier_changed", at, plan, [], trace)

    def _reviewed(self, plan: Plan, at: int, level: int) -> int:
        """The tier to which a member falls now; the one that he earned (`level`) where he keeps it."""
        ladder, tier = plan.ladder, self.state.tier
        assert ladder is not None
        self._roll(plan, at)
        reached = self._qualified(plan, level)
        if reached >= level:
            tier.held_until = 0
            return level
        if tier.held_until > at:
            return level
        if not tier.held_until:
            until = plan.clock.add_days(at, ladder.grace_days) if ladder.grace_days else 0
            until = max(until, tier.landed_until)
            if until > at:
                tier.held_until = until
                return level
        lands = max(reached, level - 1) if ladder.soft_landing else reached
        tier.held_until = tier.landed_until = 0
        if ladder.soft_landing and lands:
            if ladder.kind == "rolling":
                tier.landed_until = plan.clock.add_days(at, ladder.window_days)
            elif ladder.kind == "calendar":
                tier.landed_until = plan.period_start(tier.period + 1)
            if lands > reached:
                tier.held_until = tier.landed_until
        return lands
