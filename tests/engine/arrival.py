"""Facts of one member as they arrive, decided on the stored state and posted to a ledger held in memory.

It does what the intake does with a database, with the engine's own pieces: what comes in order is decided on
the stored state; what does not has the whole history folded anew, and the differences posted as corrections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from palier.engine.decide import Fold
from palier.engine.decisions import (
    DEBT,
    HOLD,
    PENDING,
    WALLET,
    Decision,
    RedemptionRecord,
    SaleRecord,
    Transfer,
    key_of,
    paid_with,
)
from palier.engine.facts import COMMANDS, RETURN, SALE, Fact, Known, Reference
from palier.engine.history import Posted, differences, fold, in_fold_order
from palier.engine.plan import Timeline
from palier.engine.refusals import Refusal
from palier.engine.state import NEVER, Lot, MemberState, decode_state, encode_state, lots_given, unpack
from palier.engine.trace import Trace, decode_trace, encode_trace

COLUMNS = ("earned", "redeemed", "expired", "reversed", "held", "remaining")

# What one unit of a transfer does to its lot: earned, redeemed, expired, reversed, held.
EFFECTS: dict[tuple[str, str, str], tuple[int, int, int, int, int]] = {
    ("earn", "issuance", WALLET): (1, 0, 0, 0, 0),
    ("release", PENDING, WALLET): (1, 0, 0, 0, 0),
    ("regrant", "redemption", WALLET): (1, 0, 0, 0, 0),
    ("transfer_in", "in_transit", WALLET): (1, 0, 0, 0, 0),
    ("merge_in", "in_transit", WALLET): (1, 0, 0, 0, 0),
    ("adjust", "adjustment", WALLET): (1, 0, 0, 0, 0),
    ("redeem", WALLET, "redemption"): (0, 1, 0, 0, 0),
    ("transfer_out", WALLET, "in_transit"): (0, 1, 0, 0, 0),
    ("merge_out", WALLET, "in_transit"): (0, 1, 0, 0, 0),
    ("adjust", WALLET, "adjustment"): (0, 1, 0, 0, 0),
    ("restore", "redemption", WALLET): (0, -1, 0, 0, 0),
    ("expire", WALLET, "breakage"): (0, 0, 1, 0, 0),
    ("unexpire", "breakage", WALLET): (0, 0, -1, 0, 0),
    ("reverse", WALLET, "issuance"): (0, 0, 0, 1, 0),
    ("repay", WALLET, DEBT): (0, 0, 0, 1, 0),
    ("hold", WALLET, HOLD): (0, 0, 0, 0, 1),
    ("unhold", HOLD, WALLET): (0, 0, 0, 0, -1),
    ("capture", HOLD, "redemption"): (0, 1, 0, 0, -1),
}
NO_LOT = {
    ("earn", "issuance", PENDING),
    ("reverse", PENDING, "issuance"),
    ("debt", DEBT, "issuance"),
    ("debt", DEBT, "redemption"),
    ("debt", DEBT, "adjustment"),
    ("debt", DEBT, "in_transit"),
    ("restore", "redemption", DEBT),
}


def side(account: str) -> str:
    """An account as the tables above name it: points that a partner funds come from its own issuance."""
    return "issuance" if account.startswith("partner:") else account


class Books:
    """Wallets and lots as sums of transfers, in the shape of their tables."""

    def __init__(self) -> None:
        self.accounts: Counter[tuple[str, str]] = Counter()
        self.lots: dict[tuple[str, int], list[int]] = {}

    def post(self, transfer: Transfer, sign: int = 1) -> None:
        kind, debit, credit, currency, lot, amount, _ = transfer
        assert amount > 0
        self.accounts[currency, debit] -= sign * amount
        self.accounts[currency, credit] += sign * amount
        sides = (kind, side(debit), side(credit))
        effect = EFFECTS.get(sides)
        if effect is None:
            assert sides in NO_LOT, transfer
            return
        assert lot
        row = self.lots.setdefault((currency, lot), [0] * 6)
        for column, change in enumerate((*effect, effect[0] - effect[1] - effect[2] - effect[3] - effect[4])):
            row[column] += sign * change * amount

    def check(self) -> None:
        """Nothing of a member is below zero, lots add up, and the wallet is what its lots hold."""
        posted: Counter[str] = Counter()
        held: Counter[str] = Counter()
        for (currency, lot), row in self.lots.items():
            assert min(row) >= 0, (currency, lot, dict(zip(COLUMNS, row, strict=True)))
            assert row[0] == sum(row[1:])
            posted[currency] += row[5]
            held[currency] += row[4]
        for currency in {currency for currency, _ in self.accounts}:
            assert self.accounts[currency, WALLET] == posted[currency]
            assert self.accounts[currency, HOLD] == held[currency]
            assert self.accounts[currency, PENDING] >= 0
            assert self.accounts[currency, DEBT] <= 0


class Row:
    """A stored decision: the fact and its first trace, what stands of its transfers, and its trace now."""

    def __init__(self, known: Known | None, decision: Decision) -> None:
        self.known = known
        self.source, self.id, self.type = decision.source, decision.id, decision.type
        self.transfers: list[tuple[int, Transfer]] = []
        self.trace = b""


class Member:
    """One member behind the intake."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.state = encode_state(MemberState())
        self.rows: dict[str, Row] = {}
        self.parked: list[Known] = []
        self.books = Books()
        self.refolds = 0
        self._number = 0

    # --- arriving -------------------------------------------------------------------------------------

    def arrive(self, known: Known) -> None:
        """Takes one fact. What is known already changes nothing; a return waits for its sale."""
        fact = known.fact
        key = key_of(fact.source, fact.id)
        if key in self.rows or any(known.fact is other.fact for other in self.parked):
            return
        if (
            fact.type == RETURN
            and fact.sale is not None
            and key_of(fact.sale.source, fact.sale.id) not in self.rows
        ):
            self.parked.append(known)
            return
        items = [known]
        if fact.type not in (*COMMANDS, RETURN):
            own = Reference(fact.source, fact.id)
            items += [other for other in self.parked if other.fact.sale == own]
            self.parked = [other for other in self.parked if other.fact.sale != own]
        self._decide(in_fold_order(items))
        self.books.check()

    def advance(self, until: int) -> None:
        """Does due work, as the worker does."""
        state = decode_state(self.state)
        engine = Fold(self.timeline, state)
        engine.advance(until)
        self._write(engine.decisions, {}, engine.state)
        self.books.check()

    def _decide(self, items: list[Known]) -> None:
        state = decode_state(self.state)
        looks_back = any(item.fact.type == RETURN or item.fact.undoes is not None for item in items)
        engine = Fold(self.timeline, state, keep_records=looks_back and len(items) > 1)
        self._load_records(engine, items)
        given = {key_of(item.fact.source, item.fact.id): item for item in items}
        if self._in_order(engine, items):
            for item in items:
                answer = engine.decide(item)
                assert not isinstance(answer, Refusal), answer
            self._write(engine.decisions, given, engine.state)
        else:
            self._refold(given, state.due_done)

    def _in_order(self, engine: Fold, items: Sequence[Known]) -> bool:
        last = engine.state.last
        if (items[0].inputs.acts_at or items[0].fact.at) < engine.state.due_done:
            return False
        trial = dict(engine.sales)
        for item in items:
            fact = item.fact
            position = engine.position(fact, item.inputs)
            if fact.type != RETURN:
                engine.sales[key_of(fact.source, fact.id)] = SaleRecord(fact, item.inputs, Trace(1), position)
            if position <= last:
                engine.sales = trial
                return False
            last = position
        engine.sales = trial
        return True

    def _load_records(self, engine: Fold, items: Sequence[Known]) -> None:
        """Sales that returns name, with what came back so far, and the redemptions that paid them.

        Also the redemptions that refunds name, and the sales that those paid.
        """
        for item in items:
            if item.fact.type == SALE and len(items) > 1:
                for tender in item.fact.tenders:
                    if tender.redemption is not None:
                        self._load_lots(engine, self._load_redemption(engine, tender.redemption))
            if item.fact.type == RETURN and item.fact.sale is not None:
                self._load_sale(engine, item.fact.sale)
                self._load_lots(engine, lots_given(engine.state))
            if item.fact.undoes is not None:
                self._load_lots(engine, self._load_redemption(engine, item.fact.undoes))
                for row in list(self.rows.values()):
                    fact = row.known.fact if row.known is not None else None
                    if fact is not None and any(t.redemption == item.fact.undoes for t in fact.tenders):
                        self._load_sale(engine, Reference(fact.source, fact.id))

    def _load_sale(self, engine: Fold, sale: Reference) -> None:
        row = self.rows.get(key_of(sale.source, sale.id))
        if row is None or row.known is None:
            return
        fact, inputs = row.known.fact, row.known.inputs
        position = (inputs.acts_at or fact.at, 0, fact.source, fact.id)
        record = SaleRecord(fact, inputs, decode_trace(row.trace), position)
        mine = [
            (other.known, decode_trace(other.trace))
            for other in self.rows.values()
            if other.known is not None and other.type == RETURN and other.known.fact.sale == sale
        ]
        traces = {id(known): trace for known, trace in mine}
        for known in in_fold_order(known for known, _ in mine):
            record.replay(known.fact, traces[id(known)])
        engine.sales[key_of(fact.source, fact.id)] = record
        wanted = {rule.lot for rule in [*record.trace.rules, *record.results] if rule.lot}
        wanted |= {grant.lot for grant in record.trace.grants} | lots_given(engine.state)
        for tender in fact.tenders:
            if tender.redemption is not None:
                wanted |= self._load_redemption(engine, tender.redemption)
        self._load_lots(engine, wanted)

    def _load_redemption(self, engine: Fold, named: Reference) -> set[int]:
        for row in self.rows.values():
            fact = row.known.fact if row.known is not None else None
            if fact is None or fact.type not in ("redeem", "capture"):
                continue
            if (fact.hold or Reference(fact.source, fact.id)) == named:
                taken = paid_with(decode_trace(row.trace))
                currency = fact.currency or self._currency_of(fact)
                record = RedemptionRecord(currency, taken, fact.at)
                record.refunded = sum(
                    other.known.fact.points
                    for other in self.rows.values()
                    if other.known is not None and other.known.fact.undoes == named
                )
                engine.redemptions[key_of(named.source, named.id)] = record
                return {lot for lot, _ in taken if lot > 0}
        return set()

    def _currency_of(self, capture: Fact) -> str:
        assert capture.hold is not None
        row = self.rows[key_of(capture.hold.source, capture.hold.id)]
        assert row.known is not None
        return row.known.fact.currency

    def _load_lots(self, engine: Fold, wanted: set[int]) -> None:
        plan = self.timeline.spans[-1][2]
        for (currency, identifier), row in self.books.lots.items():
            wallet = engine.state.wallets.get(currency)
            if identifier not in wanted or wallet is None or any(lot.id == identifier for lot in wallet.lots):
                continue
            expires, funder, first = self.fates[currency, identifier]
            lapses = plan.lapse(expires, plan.grace_days(currency)) if expires < 1 << 62 else expires
            wallet.closed[identifier] = Lot(identifier, expires, lapses, funder, first, *row)

    # --- posting --------------------------------------------------------------------------------------

    @property
    def fates(self) -> dict[tuple[str, int], tuple[int, str, int]]:
        return self._fates

    _fates: dict[tuple[str, int], tuple[int, str, int]]

    def _post(self, row: Row, transfers: Sequence[Transfer]) -> None:
        for transfer in transfers:
            self._number += 1
            row.transfers.append((self._number, transfer))
            self.books.post(transfer)

    def _write(self, decisions: Sequence[Decision], given: dict[str, Known], state: MemberState) -> None:
        for decision in decisions:
            key = key_of(decision.source, decision.id)
            row = self.rows[key] = Row(given.get(key), decision)
            row.trace = encode_trace(decision.trace)
            self._post(row, decision.transfers)
        self._keep(state)

    def _keep(self, state: MemberState) -> None:
        fates = self.__dict__.setdefault("_fates", {})
        for currency, wallet in state.wallets.items():
            for lot in wallet.lots:
                fates[currency, lot.id] = (lot.expires_at, lot.funder, lot.first_earned)
        self.state = encode_state(state)

    def _refold(self, given: dict[str, Known], due_done: int) -> None:
        self.refolds += 1
        knowns = [row.known for row in self.rows.values() if row.known is not None]
        engine = fold(self.timeline, [*knowns, *given.values()])
        engine.advance(due_done)
        standing = [
            Posted(number, row.source, row.id, row.type, tuple(row.transfers), decode_trace(row.trace))
            for number, row in enumerate(self.rows.values(), start=1)
        ]
        by_number = dict(enumerate(list(self.rows.values()), start=1))
        for correction in differences(standing, engine.decisions):
            decision = correction.decision
            if correction.activity_id:
                row = by_number[correction.activity_id]
            else:
                assert decision is not None
                key = key_of(decision.source, decision.id)
                row = self.rows[key] = Row(given.get(key), decision)
            for number, transfer in correction.undo:
                row.transfers.remove((number, transfer))
                self.books.post(transfer, -1)
            self._post(row, correction.post)
            row.trace = encode_trace(decision.trace if decision is not None else Trace(0))
        self._keep(engine.state)

    def standing(self) -> dict[str, list[Transfer]]:
        """What stands of each decision that moved something, in a fixed order."""
        return {
            key: sorted(transfer for _, transfer in row.transfers)
            for key, row in self.rows.items()
            if row.transfers
        }


def summary(state: MemberState) -> dict[str, Any]:
    """A state without what may differ: lots that hold nothing, and the lower bound of the next due work."""
    wallets = {}
    for currency, wallet in state.wallets.items():
        lots = [
            (
                lot.id,
                lot.expires_at,
                lot.lapses_at,
                lot.funder,
                lot.first_earned,
                lot.held,
                lot.remaining,
                lot.idle,
            )
            for lot in wallet.lots
            if lot.held or lot.remaining
        ]
        pending = sorted(
            (
                entry.source,
                entry.id,
                entry.lot,
                entry.expires_at,
                entry.lapses_at,
                entry.amount,
                entry.release_at,
            )
            for entry in wallet.pending
        )
        if lots or pending or wallet.debt or wallet.epoch:
            wallets[currency] = (
                lots,
                pending,
                wallet.debt,
                wallet.epoch,
                wallet.idle_at,
                wallet.idle_lapses_at,
            )
    tier = state.tier
    unpack(tier, NEVER)
    return {
        "last": tuple(state.last),
        "latest": state.latest,
        "due_done": state.due_done,
        "wallets": wallets,
        "used": {key: list(counter) for key, counter in state.used.items()},
        "carry": {key: tuple(value) for key, value in state.carry.items()},
        "nth": {key: list(counter) for key, counter in state.nth.items()},
        "tier": (
            tier.key,
            list(tier.current),
            list(tier.previous),
            tier.held_until,
            tier.landed_until,
            tier.period,
            tier.own,
            dict(tier.given),
        ),
        "entries": sorted(tuple(entry) for entry in tier.entries),
        "holds": {
            key: (hold.currency, [tuple(part) for part in hold.taken], hold.until)
            for key, hold in state.holds.items()
        },
        "goals": {key: to_builtins(goal) for key, goal in state.goals.items()},
        "streaks": {key: to_builtins(streak) for key, streak in state.streaks.items()},
        "tiers_given": {key: [tuple(lot) for lot in lots] for key, lots in state.tiers_given.items()},
        "memberships": dict(state.memberships),
        "fees": to_builtins(state.fees),
        "referral": state.referral,
        "saving": state.saving,
        "quizzes": {key: tuple(quiz) for key, quiz in state.quizzes.items()},
        "won_at": dict(state.won_at),
    }
