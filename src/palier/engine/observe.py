"""What members met in a history played through a program: return by tier, the first reward, steps reached."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from palier.engine.clock import DAY
from palier.engine.decisions import WALLET, Decision, issues
from palier.engine.facts import RETURN, SALE, Fact

YEAR_DAYS = 365
QUARTER_DAYS = 91


class Looked(Struct, frozen=True):
    """What is looked for. `rewards` are point currencies of which the first unit is a reward; `price` is that of a
    first reward in minor units of `currency` (0: none). Members first seen within `known_days` of the end are not
    asked how long they waited: they may still be on their way. `rounds`: "goal:KEY" -> how many steps a round of it
    has, "streak:KEY" -> the length of its last step."""

    rewards: frozenset[str] = frozenset()
    currency: str = ""
    price: int = 0
    known_days: int = 90
    rounds: Mapping[str, int] = {}


class TierSeen(Struct):
    """Sales judged in one tier: money in minor units, less returns, and points issued for them by currency."""

    spend: int = 0
    points: dict[str, int] = {}


class Seen(Struct):
    """What all members met; parts of different members add up.

    The last year is the 365 days before the end. `active` had an activity in it, `reached` (cause of a grant,
    such as "goal:KEY:STEP" in any round) and `held` (tier) count the members of whom that holds in it. `quarter` and
    `quarter_before` had one in the last 91 days, and in the 91 before; of the latter only those known by then.
    `asked` were known long enough to have had a first reward, `waits` are the days of those who had one.
    """

    sales: int = 0
    sales_without: int = 0
    tiers: dict[str, TierSeen] = {}
    active: int = 0
    spend: int = 0
    reached: dict[str, int] = {}
    held: dict[str, int] = {}
    quarter: int = 0
    quarter_before: int = 0
    asked: int = 0
    waits: list[int] = []

    def merge(self, other: Seen) -> None:
        """Adds what other members met."""
        for name in ("sales", "sales_without", "active", "spend", "quarter", "quarter_before", "asked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for key, part in other.tiers.items():
            mine = self.tiers.setdefault(key, TierSeen())
            mine.spend += part.spend
            _add(mine.points, part.points)
        _add(self.reached, other.reached)
        _add(self.held, other.held)
        self.waits = sorted([*self.waits, *other.waits])


def _add(mine: dict[str, int], other: dict[str, int]) -> None:
    for key, count in other.items():
        mine[key] = mine.get(key, 0) + count


class Watch:
    """Looks at one member's decisions as they are made; `finish` adds what was seen."""

    __slots__ = (
        "first_at",
        "last_year",
        "looked",
        "reached",
        "seen",
        "spendable",
        "tiers",
        "until",
        "waited",
        "when",
    )

    def __init__(self, seen: Seen, looked: Looked, until: int) -> None:
        self.seen, self.looked, self.until = seen, looked, until
        self.last_year = until - YEAR_DAYS * DAY
        self.first_at = 0
        self.when: set[int] = set()
        self.waited = -1
        self.spendable = 0
        self.reached: set[str] = set()
        self.tiers: set[str] = set()

    def activity(self, fact: Fact, decision: Decision, returned: int) -> None:
        """A fact that came from outside; `returned` is the money that it gave back."""
        self.first_at = self.first_at or fact.at
        if fact.at <= self.until:
            self.when.add((self.until - fact.at) // (QUARTER_DAYS * DAY))
            if fact.at > self.last_year:
                self.when.add(-1)
        if fact.type not in (SALE, RETURN):
            return
        seen = self.seen
        tier = seen.tiers.setdefault(decision.trace.tier, TierSeen())
        money = fact.amount if fact.type == SALE else -returned
        tier.spend += money
        if fact.at > self.last_year:
            seen.spend += money
        brought = False
        for _, debit, credit, currency, _, amount, _ in decision.transfers:
            issued = amount * (issues(debit) - issues(credit))
            if issued:
                tier.points[currency] = tier.points.get(currency, 0) + issued
                brought = brought or issued > 0
        if fact.type == SALE and fact.amount > 0:
            seen.sales += 1
            seen.sales_without += not brought

    def decision(self, decision: Decision) -> None:
        """Every decision, in order, whatever brought it about."""
        for _, debit, credit, currency, _, amount, _ in decision.transfers:
            if currency == self.looked.currency:
                self.spendable += amount * ((credit == WALLET) - (debit == WALLET))
            if self.waited < 0 and credit == WALLET and currency in self.looked.rewards:
                self._first(decision.at)
        if self.waited < 0 and self.looked.price and self.spendable >= self.looked.price:
            self._first(decision.at)
        if decision.at > self.last_year:
            self.tiers |= {decision.tier, decision.trace.tier}
            self.reached |= {self._step(grant.cause) for grant in decision.trace.grants if grant.points > 0}

    def _step(self, cause: str) -> str:
        """The cause of a grant, of whichever round of a goal or streak, and with whomever of a pair."""
        kind, _, rest = cause.partition(":")
        if kind not in ("goal", "streak"):
            return cause
        key, number = rest.partition(":")[0], int(rest.rpartition(":")[2])
        most = self.looked.rounds.get(f"{kind}:{key}", number)
        return f"{kind}:{key}:{(number - 1) % most + 1 if kind == 'goal' else min(number, most)}"

    def _first(self, at: int) -> None:
        self.waited = max(0, at - (self.first_at or at)) // DAY

    def finish(self, tier: str) -> None:
        """Adds the member, who ends in this tier."""
        seen = self.seen
        if not self.first_at:
            return
        if -1 in self.when:
            seen.active += 1
            for key in {*self.tiers, tier} - {""}:
                seen.held[key] = seen.held.get(key, 0) + 1
            for cause in self.reached:
                seen.reached[cause] = seen.reached.get(cause, 0) + 1
        if self.first_at < self.until - QUARTER_DAYS * DAY:
            seen.quarter += 0 in self.when
            seen.quarter_before += 1 in self.when
        if self.first_at <= self.until - self.looked.known_days * DAY:
            seen.asked += 1
            if self.waited >= 0:
                seen.waits.append(self.waited)


__all__ = ["Looked", "Seen", "TierSeen", "Watch"]
