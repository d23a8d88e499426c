"""A member's standing between two decisions: all that deciding the next activity needs, and no more.

The structures are mutable and compact; one member's state is stored as MessagePack arrays. The tables
`wallet` and `lot` hold the same amounts for everyone else to read, and are reconciled against it.
"""

from __future__ import annotations

from bisect import insort
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from zlib import compress, decompress

import msgspec
from msgspec import Struct

NEVER = 1 << 62
"""An instant that does not come."""
GRANTS_KEPT = 60
"""How many grants of one goal or streak a return can still undo."""
FROZEN = -1
"""In place of a period's count: a freeze token saved it."""
PERIODS_KEPT = 400
"""How many periods of a running streak a return can still reach; those before stay complete."""
RUNS_KEPT = 12
"""How many ended runs of a streak a return can still reach, of those that gave something."""


class Lot(Struct, array_like=True, gc=False):
    """What a wallet holds with one fate: earned = redeemed + expired + reversed + held + remaining.

    `expires_at` is NEVER for points without end. `lapses_at` is the end of the grace. An `idle` lot's expiry
    moves with the member's activity: its instants are those of the wallet. A `single` lot has a fate that no
    other earning shares.
    """

    id: int
    expires_at: int
    lapses_at: int
    funder: str
    first_earned: int
    earned: int = 0
    redeemed: int = 0
    expired: int = 0
    reversed: int = 0
    held: int = 0
    remaining: int = 0
    idle: bool = False
    single: bool = False


class PendingPoints(Struct, array_like=True, gc=False):
    """Points earned by one sale and not yet released; the lot they will go to is settled already.

    They wait for the instant `release_at`, or for an activity of type `until` that names the sale.
    """

    source: str
    id: str
    lot: int
    expires_at: int
    lapses_at: int
    funder: str
    first_earned: int
    idle: bool
    single: bool
    amount: int
    release_at: int
    until: str = ""


class WalletState(Struct, array_like=True):
    """One point currency of one member. Lots stand in spending order. `debt` is what is owed (>= 0)."""

    lots: list[Lot] = []
    pending: list[PendingPoints] = []
    debt: int = 0
    epoch: int = 0
    idle_at: int = NEVER
    idle_lapses_at: int = NEVER
    closed: dict[int, Lot] = {}

    @property
    def spendable(self) -> int:
        """Points that can be spent now, in minor units."""
        return sum(lot.remaining for lot in self.lots)


class HoldState(Struct, array_like=True):
    """Points set aside: which (lot, amount), in the order taken, and until when. `amount` was asked for;
    `hold_id` is the platform's id of the activity that made it."""

    currency: str
    taken: list[tuple[int, int]]
    until: int
    amount: int
    hold_id: int = 0


class TierState(Struct, array_like=True):
    """The tier held (by key) and its metrics: [spend, points, visits] in minor units and counts.

    `entries` (rolling windows): [leaves_at, spend, points, visits], by leaving instant. Of very many, those between
    the first and the last are `packed` until they are about to leave: (the first's leaving instant, their bytes).
    `held_until`: a tier that is not deserved is kept by grace or soft landing until that instant (0: not
    held). `landed_until`: a tier landed on softly is kept at least until then, deserved meanwhile or not.
    `given`: what gave it -> (a tier that was given, the instant at which that ends). While there is any, `own` is the
    tier that the member earned, by which he rises and falls, and `key` the highest of it and those given.
    """

    key: str = ""
    period: int = 0
    current: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    previous: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    entries: list[tuple[int, int, int, int]] = []
    held_until: int = 0
    landed_until: int = 0
    own: str = ""
    given: dict[str, tuple[str, int]] = {}
    packed: list[tuple[int, bytes]] = []


class Granted(Struct, array_like=True):
    """What one step gave: (currency, lot, points) of each grant, and the (price, units) that filled the round."""

    lots: list[tuple[str, int, int]] = []
    units: list[tuple[int, int]] = []


class Window(Struct, array_like=True):
    """One window of a goal: its number, the position reached, how many steps were granted, and the latest of them.

    `counted_at` is the instant of the latest activity that moved the position on.
    `seen`: distinct value -> how many activities brought it. `units`: (price, units) not yet used up by a round.
    `granted` holds the newest grants, GRANTS_KEPT of them, or all that the last activity brought: older ones are
    settled for good.
    """

    number: int = 0
    position: int = 0
    reached: int = 0
    granted: list[Granted] = []
    seen: dict[str, int] = {}
    units: list[tuple[int, int]] = []
    counted_at: int = 0


class GoalState(Struct, array_like=True):
    """A goal of one member: the open window, closed ones that gave something or measure only, the day's count.

    `joined` says that the member opted in; `began` is when a window counted from its start did. `kind` is that of
    the windows whose numbers these are: another version of the goal may count by others.
    """

    window: Window = msgspec.field(default_factory=Window)
    closed: list[Window] = []
    joined: bool = False
    began: int = 0
    day: int = 0
    counted: int = 0
    kind: str = ""


class StreakState(Struct, array_like=True):
    """A running streak: activities in each period from `start` on (FROZEN where a token saved it).

    `theirs` counts those of the other member of a pair. `zone` is the one in which the last activity's day was
    told. `period` is the kind of its periods, `length` how many of them are complete, those that a token saved
    not counted. `ended` has the latest runs that gave something and are over.
    """

    start: int = 0
    counts: list[int] = []
    theirs: list[int] = []
    zone: str = ""
    best: int = 0
    reached: int = 0
    granted: list[Granted] = []
    other: str = ""
    period: str = ""
    length: int = 0
    ended: list[StreakState] = []


class Fee(Struct, array_like=True):
    """A payment for a membership that stands: when, the months it covers (0: for life), and its activity.

    Fees that a merge brought run beside the member's own, as the chain of their member (`chain`; "" is the
    member's own). A row with `joins` stands for the merge: that chain is joined to this one, the later end counts.
    """

    at: int
    months: int
    activity: str
    chain: str = ""
    joins: str | None = None


class MemberState(Struct, array_like=True):
    """The state of one member.

    `last` is the position of the last fact decided: (acts_at, rank, source, id, ...); `due_done` the latest
    instant at which due work acted; `due_at` a lower bound of the next. `used`: cap -> [period, amount];
    `carry`: rule -> (remainder, denominator); `nth`: counter -> [period, count].
    `memberships`: membership -> the instant at which it ends. `tiers_given`: tier -> what reaching it gave.
    `referral`: (who brought this member, when he joined, the activity that converted him or ""). `saving`: what
    the member saves for: (currency, points, name). `quizzes`: quiz -> (attempts, best score). `won_at`: game ->
    the last win. `took_over`: references of members that were merged into this one. `fees`: membership -> the fees
    that stand, as they were paid.

    The facts of a merge keep a state for good: fields are only ever added, at the end, with a default.
    """

    last: tuple[int | str, ...] = ()
    latest: int = 0
    due_done: int = 0
    due_at: int = NEVER
    wallets: dict[str, WalletState] = {}
    used: dict[str, list[int]] = {}
    carry: dict[str, tuple[int, int]] = {}
    nth: dict[str, list[int]] = {}
    tier: TierState = msgspec.field(default_factory=TierState)
    holds: dict[str, HoldState] = {}
    memberships: dict[str, int] = {}
    goals: dict[str, GoalState] = {}
    streaks: dict[str, StreakState] = {}
    tiers_given: dict[str, list[tuple[str, int, int]]] = {}
    referral: tuple[str, int, str] | None = None
    saving: tuple[str, int, str] | None = None
    quizzes: dict[str, tuple[int, int]] = {}
    won_at: dict[str, int] = {}
    took_over: list[str] = []
    fees: dict[str, list[Fee]] = {}


@lru_cache(maxsize=65536)
def lot_id(currency: str, fate: int, funder: str, idle: bool) -> int:
    """The id of a lot: a function of what makes it one (currency, expiry instant or idle epoch, funder)."""
    text = f"{currency}\0{'idle' if idle else 'at'}\0{fate}\0{funder}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def lots_given(state: MemberState) -> set[int]:
    """The lots of what goals, streaks and tiers gave and a return may still take back."""
    steps = [
        step for goal in state.goals.values() for part in (goal.window, *goal.closed) for step in part.granted
    ]
    for streak in state.streaks.values():
        steps += [step for run in (streak, *streak.ended) for step in run.granted]
    return {lot for lots in (*(s.lots for s in steps), *state.tiers_given.values()) for _, lot, _ in lots}


MOST_ENTRIES: Final = 192
"""So many entries of a rolling window are stored one by one; of more, those in between are packed."""
ENTRIES_KEPT: Final = 32
"""Entries at either end that are not packed: the next to leave, and the latest to come."""


def _pack(tier: TierState) -> None:
    between = slice(ENTRIES_KEPT, -ENTRIES_KEPT)
    entries = tier.entries[between]
    first = before = entries[0][0]
    steps = []
    for leaves, *moved in entries:
        steps.append((leaves - before, *moved))
        before = leaves
    insort(tier.packed, (first, compress(_encoder.encode(steps), 1)))
    del tier.entries[between]


def unpack(tier: TierState, until: int) -> None:
    """Brings back, in place, all packed entries among which one leaves the window by an instant."""
    while tier.packed and tier.packed[0][0] <= until:
        leaves, data = tier.packed.pop(0)
        for step, spend, points, visits in _entries.decode(decompress(data)):
            leaves += step
            tier.entries.append((leaves, spend, points, visits))
        tier.entries.sort()


_encoder = msgspec.msgpack.Encoder()
_entries = msgspec.msgpack.Decoder(list[tuple[int, int, int, int]])
_decoder = msgspec.msgpack.Decoder(MemberState)


def encode_state(state: MemberState) -> bytes:
    """The stored form. Lots that hold nothing and will receive nothing are left out: their rows remain."""
    if len(state.tier.entries) > MOST_ENTRIES:
        _pack(state.tier)
    now = max(state.latest, state.due_done)
    for wallet in state.wallets.values():
        wallet.closed = {}
        wallet.lots = [
            lot
            for lot in wallet.lots
            if lot.remaining or lot.held or not (lot.single or lot.lapses_at <= now)
        ]
    return _encoder.encode(state)


def copied(state: MemberState) -> MemberState:
    """A state of its own with the same content."""
    return _decoder.decode(_encoder.encode(state))


def decode_state(data: bytes) -> MemberState:
    """The state from its stored form."""
    return _decoder.decode(data)
