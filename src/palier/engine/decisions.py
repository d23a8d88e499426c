"""Decisions and what they are made from: positions, transfers, and the records that returns build on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from palier.engine.facts import (
    SALE,
    Fact,
    Inputs,
    ReturnedLine,
)
from palier.engine.rating import Basket
from palier.engine.state import Lot
from palier.engine.trace import GoalTrace, GrantTrace, RuleTrace, Trace

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


def issues(account: str) -> bool:
    """Whether points come from an account when they are earned: the program's own, or a partner's."""
    return plain_account(account) == ISSUANCE


OWED, WRITTEN_OFF = 0, -1
"""In place of a lot, in what a redemption took: points that no lot gave."""

Transfer = tuple[str, str, str, str, int, int, int]
"""(kind, debit, credit, currency, lot id, amount, effective at)."""


class Message(Struct, frozen=True):
    """A fact that a decision brings about for another member, named by his reference."""

    member: str
    fact: Fact


class Decision(Struct, gc=False):
    """One decision: what it moved and why. `source` is the platform's own for due work.

    `messages` are the facts that it brings about for other members, `freed` what a return gives back of the limits
    that all members share.
    """

    source: str
    id: str
    type: str
    at: int
    version: int
    tier: str
    transfers: list[Transfer]
    trace: Trace
    messages: list[Message] = []
    freed: dict[str, int] = {}


def issuer(funder: str) -> str:
    """The account from which points come: the program's own, or that of the partner that funds them."""
    return f"partner:{funder}" if funder else ISSUANCE


def used_with(partner: str | None) -> str:
    """The account to which used points go: the program's own, or that of the partner where they were used."""
    return f"partner:{partner}:used" if partner else REDEMPTION


def plain_account(account: str) -> str:
    """The program's account in whose place a partner's stands; any other account as it is."""
    if not account.startswith("partner:"):
        return account
    return REDEMPTION if account.endswith(":used") else ISSUANCE


def key_of(source: str, identifier: str) -> str:
    """One string for a permanent id, for use as a dictionary key."""
    return f"{source}\0{identifier}"


def behind(sale: Position, own: Position) -> Position:
    """The position of a return: its own, or just behind its sale when it is dated at or before it."""
    return own if own[0] > sale[0] else (*sale, own[0], own[2], own[3])  # type: ignore[operator]


class SaleRecord:
    """A sale as its returns need it: the fact, what it saw, and what has come back since."""

    __slots__ = (
        "basket",
        "brought",
        "budgets",
        "fact",
        "goals",
        "inputs",
        "money_back",
        "position",
        "results",
        "returned",
        "trace",
        "withdrawn",
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
        self.goals: list[GoalTrace] = trace.goals
        self.budgets: dict[str, int] = trace.budgets
        self.withdrawn = False

    def moved(self, lots: Mapping[int, int]) -> SaleRecord:
        """The same sale for the member that took over, with the lots where its points are there."""
        trace = msgspec.structs.replace(
            self.trace, rules=renamed(self.trace.rules, lots), grants=renamed(self.trace.grants, lots)
        )
        record = SaleRecord(self.fact, self.inputs, trace, self.position)
        record.returned, record.money_back = list(self.returned), self.money_back
        record.results, record.withdrawn = renamed(self.results, lots), self.withdrawn
        record.goals, record.budgets = self.goals, self.budgets
        return record

    def replay(self, fact: Fact, trace: Trace) -> None:
        """Takes note of a return of this sale that was decided before."""
        self._give_back(fact)
        self.results = trace.rules
        self.goals = trace.goals
        self.budgets = trace.budgets
        self.trace = with_carry(self.trace, trace.carry_out)

    def _give_back(self, fact: Fact) -> None:
        if fact.whole:
            self.money_back += self.fact.amount
            self.withdrawn = True
        else:
            self.returned.extend(fact.returned)
            self.money_back += fact.amount

    def kept(self) -> Basket:
        """What is kept of the sale after all that came back so far."""
        if self.basket is None:
            self.basket = Basket(self.fact)
        if self.fact.amount or self.fact.type == SALE:
            return self.basket.kept(self.returned, self.money_back)
        # What has no money is kept as it is, or withdrawn as a whole.
        kept = Basket(self.fact)
        kept.nothing = self.withdrawn
        return kept

    def direct(self) -> list[GrantTrace]:
        """What the activity gave by itself: for being a fee, a quiz, a play or a conversion."""
        counted = ("goal:", "streak:", "tier:")
        return [item for item in self.trace.grants if not item.cause.startswith(counted) and item.points > 0]


class RedemptionRecord:
    """A redemption as what gives its points back needs it: the lots it took, in order, and its account.

    `refunded` is what refunds asked to give back in all, which granted ones may do beyond what it took.
    """

    __slots__ = ("account", "at", "currency", "refunded", "taken")

    def __init__(
        self, currency: str, taken: Sequence[tuple[int, int]], at: int, account: str = REDEMPTION
    ) -> None:
        self.currency = currency
        self.taken = list(taken)
        self.at = at
        self.account = account
        self.refunded = 0

    @property
    def points(self) -> int:
        """All that it took, owed and written off included."""
        return sum(amount for _, amount in self.taken)

    def given(self, by_returns: int) -> int:
        """How much has gone back in all, where returns of the sale that it paid call for `by_returns` of it."""
        return min(self.points, by_returns + self.refunded)


class Inherited(Struct, frozen=True):
    """What a member that was merged into another leaves beside its standing: its sales and redemptions as their
    returns need them, by `key_of`, and (currency, lot) of all it ever had, with nothing in them."""

    sales: dict[str, SaleRecord] = {}
    redemptions: dict[str, RedemptionRecord] = {}
    lots: list[tuple[str, Lot]] = []


Traced = TypeVar("Traced", RuleTrace, GrantTrace)


def renamed(traced: Sequence[Traced], lots: Mapping[int, int]) -> list[Traced]:
    """Traces whose lots are those of the member that took over."""
    return [msgspec.structs.replace(item, lot=lots.get(item.lot, item.lot)) for item in traced]


def instant_of(position: Position) -> int:
    """The instant at which a fact acts."""
    at = position[0]
    assert isinstance(at, int)
    return at


def with_carry(trace: Trace, carry_out: dict[str, tuple[int, int]]) -> Trace:
    """The sale's trace, its left-over remainders replaced by those of what is kept."""
    return msgspec.structs.replace(trace, carry_out=carry_out)


def paid_with(trace: Trace) -> list[tuple[int, int]]:
    """What a redemption took, in order: (lot, amount), then what became debt (lot 0) or was let go (lot -1)."""
    parts = list(trace.taken)
    if trace.owed:
        parts.append((OWED, trace.owed))
    if trace.written_off:
        parts.append((WRITTEN_OFF, trace.written_off))
    return parts
