"""Writing what was decided: each table once per batch, from arrays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import store
from palier.activities.answers import NotDone
from palier.activities.copies import Copies
from palier.activities.runtime import Runtime
from palier.engine.clock import moment
from palier.engine.decisions import Decision, Transfer
from palier.engine.facts import MERGING, NO_INPUTS, OWN_SOURCE, Fact, Inputs, encode_inputs
from palier.engine.history import Correction
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import NEVER, MemberState, encode_state
from palier.engine.trace import Trace, encode_trace
from palier.site.arrays import Documents, Instants
from palier.site.exchange import Exchange, exchange
from palier.site.ids import new_ids

MOST_POINTS: Final = 10**15
"""The most minor units that one activity may move and a wallet may hold: the database counts in 64 bits, and adds up
the figures of thousands of such members in them."""
_MUCH: Final = 10**12
"""Nobody comes to MOST_POINTS by less than this at a time."""


class TooMany(NotDone):
    """More points would come together than can be kept, by the lines of these indexes (none: not by what was sent)."""

    def __init__(self, lines: Collection[int]) -> None:
        super().__init__(
            Refusal(
                RefusalCode.INVALID_AMOUNT,
                sentence("it would bring more points than can be kept"),
                "amount",
                sentence("check the amounts and quantities"),
            )
        )
        self.lines = lines


class Item(Struct):
    """One line on its way through a batch."""

    index: int
    fact: Fact
    payload: bytes
    sha256: bytes
    member_id: int = 0
    activity_id: int = 0
    inputs: Inputs = NO_INPUTS
    sale_id: int = 0
    live: bool = False
    unparked: bool = False
    not_before: int = 0


class Work(Struct):
    """What a member's decisions write."""

    member_id: int
    state: MemberState
    decisions: list[tuple[int, Decision]] = []
    corrections: list[tuple[int, Correction]] = []


_LOT_EFFECTS = {
    # kind: (side that is the wallet or hold, earned, redeemed, expired, reversed, held)
    "earn": (1, 0, 0, 0, 0),
    "release": (1, 0, 0, 0, 0),
    "transfer_in": (1, 0, 0, 0, 0),
    "merge_out": (0, 1, 0, 0, 0),
    "merge_in": (1, 0, 0, 0, 0),
    "regrant": (1, 0, 0, 0, 0),
    "redeem": (0, 1, 0, 0, 0),
    "transfer_out": (0, 1, 0, 0, 0),
    "restore": (0, -1, 0, 0, 0),
    "expire": (0, 0, 1, 0, 0),
    "unexpire": (0, 0, -1, 0, 0),
    "reverse": (0, 0, 0, 1, 0),
    "repay": (0, 0, 0, 1, 0),
    "hold": (0, 0, 0, 0, 1),
    "unhold": (0, 0, 0, 0, -1),
    "capture": (0, 1, 0, 0, -1),
}


def lot_effect(transfer: Transfer) -> tuple[int, int, int, int, int] | None:
    """What one unit of a transfer does to its lot: (earned, redeemed, expired, reversed, held); None: nothing."""
    kind, debit, credit = transfer[0], transfer[1], transfer[2]
    if kind == "adjust":
        return (1, 0, 0, 0, 0) if credit == "wallet" else (0, 1, 0, 0, 0) if debit == "wallet" else None
    if debit in ("wallet", "hold") or credit in ("wallet", "hold"):
        return _LOT_EFFECTS[kind]
    return None


def write(
    connection: Connection[Any],
    runtime: Runtime,
    works: Iterable[Work],
    items: dict[int, Item],
    now: int,
) -> None:
    """Writes what was decided: activities, transfers, wallets, lots, holds, progress, and the seal's queue."""
    writer = Writer(runtime, items, now)
    writer.take(works)
    writer.write(connection)


def check(runtime: Runtime, works: Iterable[Work], now: int) -> None:
    """Raises TooMany where what was decided anew is more than can be kept. Writes nothing."""
    writer = Writer(runtime, {}, now)
    writer.take(works)
    writer.check()


class Writer:
    """Collects the rows of a batch and writes each table once."""

    def __init__(self, runtime: Runtime, items: dict[int, Item], now: int) -> None:
        self.runtime = runtime
        self.items = items
        self.now = now
        self.activities: list[tuple[Any, ...]] = []
        self.transfers: list[tuple[Any, ...]] = []
        self.wallets: dict[tuple[int, str], list[int]] = {}
        self.lots: dict[tuple[int, int], list[Any]] = {}
        self.new_holds: list[tuple[Any, ...]] = []
        self.ended_holds: list[tuple[Any, ...]] = []
        self.progress: list[tuple[int, bytes, int | None]] = []
        self.copies = Copies(runtime.ranked)
        self.vast = False
        self.vast_lines: set[int] = set()

    def take(self, works: Iterable[Work]) -> None:
        """Lays out what is to be written of these members, each of whom is taken once."""
        for work in works:
            self._member(work)

    def write(self, connection: Connection[Any], at_the_end: Callable[[], None] | None = None) -> None:
        """Writes what was taken, each table once.

        With `at_the_end` this ends the transaction: it is committed, and `at_the_end` done while the database works.
        """
        self.check()
        with exchange(connection) as server:
            self._send(server)
            if at_the_end is not None:
                # Where a write before it fails, the server passes it over like all that follows.
                server.ask(store.COMMIT, {})
                server.send()
                at_the_end()

    def check(self) -> None:
        """Raises TooMany where what was taken is more than can be kept."""
        if self.vast:
            raise TooMany(self.vast_lines)

    def _member(self, work: Work) -> None:
        touched: dict[str, set[int]] = {}
        before, most = self.vast, 0
        large: list[tuple[int, int]] = []
        for identifier, decision in work.decisions:
            item = self.items.get(identifier)
            moved = self._decision(work.member_id, identifier, decision, 0, touched)
            most = max(most, moved)
            if moved > _MUCH and item is not None and not item.unparked:
                large.append((moved, item.index))
            self._hold(work.member_id, decision, item)
        for identifier, correction in work.corrections:
            most = max(most, self._correction(work.member_id, identifier, correction, touched))
        if most > _MUCH:
            self._bound(work.state, large)
        if self.vast:
            sent = [self.items[identifier] for identifier, _ in work.decisions if identifier in self.items]
            lines = {item.index for item in sent if not item.unparked}
            if not before and not lines & self.vast_lines:
                # It is what they change of others that is vast.
                self.vast_lines |= lines
            # Nothing will be written, and what is vast cannot be packed.
            return
        self._lots(work, touched)
        state = work.state
        if self.copies.goals:
            goals = {(item.goal, item.window) for _, made in work.decisions for item in made.trace.goals}
            merged = any(made.type in MERGING for _, made in work.decisions)
            self.copies.take(work.member_id, state, goals, anew=merged or bool(work.corrections))
        due = state.due_at if state.due_at < NEVER else None
        self.progress.append((work.member_id, encode_state(state), due))

    def _bound(self, state: MemberState, large: Sequence[tuple[int, int]]) -> None:
        """Marks the last of a member's large lines, by what each moves, until what he has without them can be kept."""
        beyond = _most_kept(state) - MOST_POINTS
        self.vast |= beyond > 0
        beyond -= sum(moved for moved, index in large if index in self.vast_lines)
        for moved, index in reversed(large):
            if beyond <= 0:
                break
            if index not in self.vast_lines:
                self.vast_lines.add(index)
                beyond -= moved

    def _decision(
        self, member_id: int, identifier: int, decision: Decision, corrects: int, touched: dict[str, set[int]]
    ) -> int:
        """Lays out a decision; how much it moves."""
        item = self.items.get(identifier)
        total = 0
        for transfer in decision.transfers:
            total += transfer[5]
            self._transfer(member_id, identifier, transfer, decision.version, 0, touched)
        if total > MOST_POINTS:
            self.vast = True
            if item is not None and not item.unparked:
                self.vast_lines.add(item.index)
            return total
        own = decision.source == OWN_SOURCE
        self.activities.append(
            (
                member_id,
                identifier,
                decision.source,
                decision.id,
                decision.type,
                decision.at if own else item.fact.at if item is not None else decision.at,
                decision.at,
                decision.version,
                b"{}" if item is None else item.payload,
                None if item is None or item.inputs is NO_INPUTS else encode_inputs(item.inputs),
                encode_trace(decision.trace),
                decision.tier,
                len(decision.transfers),
                total,
                corrects,
                item.sale_id if item is not None else 0,
            )
        )
        return total

    def _transfer(
        self,
        member_id: int,
        activity_id: int,
        transfer: Transfer,
        version: int,
        corrects: int,
        touched: dict[str, set[int]],
    ) -> None:
        kind, debit, credit, currency, lot, amount, at = transfer
        sign = -1 if corrects else 1
        if corrects:
            self.transfers.append(
                (member_id, activity_id, kind, credit, debit, currency, lot, amount, at, version, corrects)
            )
        else:
            self.transfers.append(
                (member_id, activity_id, kind, debit, credit, currency, lot, amount, at, version, 0)
            )
        wallet = self.wallets.get((member_id, currency))
        if wallet is None:
            wallet = self.wallets[(member_id, currency)] = [0, 0, 0, 0]
        moved = sign * amount
        if debit == "wallet":
            wallet[0] -= moved
        elif debit == "pending":
            wallet[1] -= moved
        elif debit == "hold":
            wallet[0] -= moved
            wallet[2] -= moved
        elif debit == "debt":
            wallet[3] += moved
        if credit == "wallet":
            wallet[0] += moved
        elif credit == "pending":
            wallet[1] += moved
        elif credit == "hold":
            wallet[0] += moved
            wallet[2] += moved
        elif credit == "debt":
            wallet[3] -= moved
        effect = lot_effect(transfer)
        if effect is None:
            return
        row = self.lots.get((member_id, lot))
        if row is None:
            row = self.lots[(member_id, lot)] = [currency, "", None, None, 0, 0, 0, 0, 0, 0]
            touched.setdefault(currency, set()).add(lot)
        row[4] += moved * effect[0]
        row[5] += moved * effect[1]
        row[6] += moved * effect[2]
        row[7] += moved * effect[3]
        row[8] += moved * effect[4]
        row[9] += moved * (effect[0] - effect[1] - effect[2] - effect[3] - effect[4])

    def _correction(
        self, member_id: int, identifier: int, correction: Correction, touched: dict[str, set[int]]
    ) -> int:
        """A correction is a decision of its own that names the one it corrects; how much it moves."""
        decision = correction.decision
        total = 0
        version = decision.version if decision is not None else 0
        for transfer_id, transfer in correction.undo:
            total += transfer[5]
            self._transfer(member_id, identifier, transfer, version, transfer_id, touched)
        for transfer in correction.post:
            total += transfer[5]
            self._transfer(member_id, identifier, transfer, version, 0, touched)
        if total > 2 * MOST_POINTS:
            self.vast = True
            return total
        trace = decision.trace if decision is not None else Trace(version)
        at = decision.at if decision is not None else self.now
        self.activities.append(
            (
                member_id,
                identifier,
                OWN_SOURCE,
                f"correction:{identifier}",
                "correction",
                at,
                at,
                decision.version if decision is not None else 0,
                b"{}",
                None if correction.allotted is None else encode_inputs(Inputs(allotted=correction.allotted)),
                encode_trace(trace),
                decision.tier if decision is not None else "",
                len(correction.undo) + len(correction.post),
                total,
                correction.activity_id,
                0,
            )
        )
        return total

    def _lots(self, work: Work, touched: dict[str, set[int]]) -> None:
        """Fills in the fate of the lots that moved, and of those whose expiry moves with activity."""
        for currency, wallet in work.state.wallets.items():
            wanted = touched.get(currency, ())
            for lot in wallet.lots:
                if lot.id in wanted or lot.idle:
                    row = self.lots.get((work.member_id, lot.id))
                    if row is None:
                        row = self.lots[(work.member_id, lot.id)] = [
                            currency,
                            "",
                            None,
                            None,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                        ]
                    row[1], row[3] = lot.funder, lot.first_earned
                    row[2] = lot.expires_at if lot.expires_at < NEVER else None

    def _hold(self, member_id: int, decision: Decision, item: Item | None) -> None:
        """Keeps the readable row of a hold: made by its decision, ended by a capture, release or expiry."""
        for hold_id, standing, captured in decision.trace.holds:
            if standing == "open":
                assert item is not None
                fact = item.fact
                until = (
                    fact.hold_until or decision.at + self.runtime.at(decision.at).hold_minutes * 60_000_000
                )
                self.new_holds.append((member_id, hold_id, fact.currency, fact.points, until, decision.at))
            else:
                self.ended_holds.append((member_id, hold_id, captured, standing))

    def _send(self, server: Exchange) -> None:
        parameters: dict[str, Any] = {"program": self.runtime.program_id, "now": moment(self.now)}
        moved: tuple[list[int], list[int]] = [], []
        if self.activities:
            names = (
                "members activities sources ids types occurred acts versions payloads inputs traces tiers counts"
                " sums corrects sales"
            )
            server.ask(store.INSERT_ACTIVITIES, {**parameters, **_columns(names, self.activities)})
            server.push()
        if self.transfers:
            names = (
                "members activities kinds debits credits currencies lots amounts effective versions corrects"
            )
            ids = new_ids(len(self.transfers))
            columns = _columns(names, self.transfers)
            server.ask(store.INSERT_TRANSFERS, {**parameters, **columns, "transfers": ids})
            moved = columns["members"], ids
        if self.activities:
            self._announce(server, parameters, *moved)
        self._balances(server, parameters)
        if self.new_holds:
            columns = _columns("members holds currencies amounts expires created", sorted(self.new_holds))
            server.ask(store.INSERT_HOLDS, {**parameters, **columns})
        if self.ended_holds:
            columns = _columns("members holds captured states", sorted(self.ended_holds))
            server.ask(store.UPDATE_HOLDS, {**parameters, **columns})
        if self.progress:
            columns = _columns("members states due", self.progress)
            server.ask(store.UPDATE_PROGRESS, {**parameters, **columns})
        self.copies.write(server, self.runtime.program_id)

    def _balances(self, server: Exchange, parameters: dict[str, Any]) -> None:
        """Wallets and lots: most only rise, which is cheaper to write."""
        raised: list[tuple[Any, ...]] = []
        moved: list[tuple[Any, ...]] = []
        for key, row in sorted(self.wallets.items()):
            (raised if min(row) >= 0 and row[2] <= row[0] else moved).append((*key, *row))
        names = "members currencies posted pending held debt"
        for statement, rows in ((store.RAISE_WALLETS, raised), (store.MOVE_WALLETS, moved)):
            if rows:
                server.ask(statement, {**parameters, **_columns(names, rows)})
        raised, moved = [], []
        for place, lot in sorted(self.lots.items()):
            # A lot that is not in the member's state keeps its fate.
            (raised if lot[3] is not None and min(lot[4:]) >= 0 else moved).append((*place, *lot))
        names = (
            "members lots currencies funders expires first earned redeemed expired reversed held remaining"
        )
        for statement, rows in ((store.RAISE_LOTS, raised), (store.MOVE_LOTS, moved)):
            if rows:
                server.ask(statement, {**parameters, **_columns(names, rows)})

    def _announce(
        self,
        server: Exchange,
        parameters: dict[str, Any],
        members: list[int],
        transfers: list[int],
    ) -> None:
        """One row for the sealer: what is to be sealed, and what is to be counted after that."""
        decided = {
            "activity_members": [row[0] for row in self.activities],
            "activities": [row[1] for row in self.activities],
        }
        server.ask(store.QUEUE_SEAL, {**parameters, "members": members, "transfers": transfers, **decided})


def _most_kept(state: MemberState) -> int:
    """The most minor units of one point currency that a member has had of his lots, waits for and owes."""
    kept = (
        sum(lot.earned for lot in wallet.lots) + sum(entry.amount for entry in wallet.pending) + wallet.debt
        for wallet in state.wallets.values()
    )
    return max(kept, default=0)


_ARRAYS: Final[dict[str, type[list[Any]]]] = {
    **dict.fromkeys(("payloads", "inputs", "traces"), Documents),
    **dict.fromkeys(("occurred", "acts", "effective", "expires", "first", "due", "created"), Instants),
}
"""Columns that are no integers, texts or bytes, and the arrays they travel in."""


def _columns(names: str, rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows turned into one array per column."""
    return {
        name: _ARRAYS.get(name, list)(column)
        for name, column in zip(names.split(), zip(*rows, strict=True), strict=True)
    }
