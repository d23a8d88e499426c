"""Points: wallets, lots, pending points and debt, and every way in which they move."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from operator import attrgetter

from palier.engine.decisions import (
    BREAKAGE,
    DEBT,
    HOLD,
    PENDING,
    WALLET,
    WRITTEN_OFF,
    Decision,
    Inherited,
    RedemptionRecord,
    SaleRecord,
    Transfer,
    issuer,
)
from palier.engine.facts import (
    OWN_SOURCE,
    Fact,
    MovedLot,
    Reference,
)
from palier.engine.plan import Fate, Plan, Timeline
from palier.engine.sentences import Both, Sentence, sentence
from palier.engine.state import NEVER, Lot, MemberState, PendingPoints, WalletState, lot_id
from palier.engine.trace import Trace
from palier.engine.words import NO_BREAK, ProgramWords

spending_order = attrgetter("expires_at", "first_earned", "funder")
Wait = tuple[int, str]
"""What pending points wait for: an instant (NEVER: none), and an activity that names the sale ("": none)."""


class Points:
    """One member's points: the lowest floor of the decider, which knows no rules."""

    __slots__ = ("decisions", "inherited", "keep_records", "redemptions", "sales", "state", "timeline")

    def __init__(
        self, timeline: Timeline, state: MemberState | None = None, *, keep_records: bool = False
    ) -> None:
        self.timeline = timeline
        self.state = state if state is not None else MemberState()
        self.decisions: list[Decision] = []
        self.keep_records = keep_records
        self.sales: dict[str, SaleRecord] = {}
        self.redemptions: dict[str, RedemptionRecord] = {}
        self.inherited: Mapping[str, Inherited] = {}

    def _wallet(self, currency: str) -> WalletState:
        wallets = self.state.wallets
        wallet = wallets.get(currency)
        if wallet is None:
            wallet = wallets[currency] = WalletState()
        return wallet

    def _find(self, wallet: WalletState, identifier: int) -> Lot | None:
        for lot in wallet.lots:
            if lot.id == identifier:
                return lot
        closed = wallet.closed.get(identifier)
        if closed is not None:
            del wallet.closed[identifier]
            insort(wallet.lots, closed, key=spending_order)
        return closed

    def _lot(self, currency: str, identifier: int, fate: Fate, funder: str, first_earned: int) -> Lot:
        wallet = self._wallet(currency)
        lot = self._find(wallet, identifier)
        if lot is None:
            expires, lapses, idle, single = fate
            if idle:
                expires, lapses = wallet.idle_at, wallet.idle_lapses_at
            lot = Lot(identifier, expires, lapses, funder, first_earned, idle=idle, single=single)
            if not wallet.lots or spending_order(wallet.lots[-1]) <= spending_order(lot):
                wallet.lots.append(lot)
            else:
                insort(wallet.lots, lot, key=spending_order)
            if not idle and lapses < self.state.due_at:
                self.state.due_at = lapses
        elif first_earned < lot.first_earned:
            # Points that waited, or came late, were earned before those that are there.
            lot.first_earned = first_earned
            wallet.lots.sort(key=spending_order)
        return lot

    def _credit(
        self,
        currency: str,
        lot: Lot,
        amount: int,
        at: int,
        transfers: list[Transfer],
        kind: str,
        source: str,
        repay: bool = True,
    ) -> None:
        lot.earned += amount
        lot.remaining += amount
        transfers.append((kind, source, WALLET, currency, lot.id, amount, at))
        self._settle(currency, lot, at, transfers, repay)

    def _settle(
        self, currency: str, lot: Lot, at: int, transfers: list[Transfer], repay: bool = True
    ) -> None:
        """After a lot received points: those of a lapsed lot expire at once; else they pay what is owed."""
        if lot.lapses_at <= at and not lot.idle:
            if lot.remaining:
                transfers.append(("expire", WALLET, BREAKAGE, currency, lot.id, lot.remaining, at))
                lot.expired += lot.remaining
                lot.remaining = 0
            return
        if lot.lapses_at < self.state.due_at:
            self.state.due_at = lot.lapses_at
        if repay and self.state.wallets[currency].debt:
            self._repay(currency, at, transfers)

    def _repay(self, currency: str, at: int, transfers: list[Transfer]) -> None:
        wallet = self.state.wallets[currency]
        for lot in wallet.lots:
            if not wallet.debt:
                return
            part = min(lot.remaining, wallet.debt)
            if part:
                lot.remaining -= part
                lot.reversed += part
                wallet.debt -= part
                transfers.append(("repay", WALLET, DEBT, currency, lot.id, part, at))

    def _pend(
        self,
        fact: Fact,
        currency: str,
        identifier: int,
        fate: Fate,
        amount: int,
        release_at: int,
        until: str,
        funder: str = "",
    ) -> None:
        expires, lapses, idle, single = fate
        self._wallet(currency).pending.append(
            PendingPoints(
                fact.source,
                fact.id,
                identifier,
                expires,
                lapses,
                funder,
                fact.at,
                idle,
                single,
                amount,
                release_at,
                until,
            )
        )
        if release_at < self.state.due_at:
            self.state.due_at = release_at

    def _release(
        self, currency: str, entries: Sequence[PendingPoints], at: int, transfers: list[Transfer]
    ) -> None:
        """Puts points that wait no longer into their lots; all of them are there before any pays what is owed."""
        for entry in entries:
            fate = (entry.expires_at, entry.lapses_at, entry.idle, entry.single)
            lot = self._lot(currency, entry.lot, fate, entry.funder, entry.first_earned)
            self._credit(currency, lot, entry.amount, at, transfers, "release", PENDING, repay=False)
        if entries and self.state.wallets[currency].debt:
            self._repay(currency, at, transfers)

    def _release_sale(self, kind: str, sale: Reference, transfers: list[Transfer], at: int) -> None:
        for currency, wallet in self.state.wallets.items():
            mine = [
                entry
                for entry in wallet.pending
                if entry.until == kind and entry.source == sale.source and entry.id == sale.id
            ]
            for entry in mine:
                wallet.pending.remove(entry)
            self._release(currency, mine, at, transfers)

    def _fate(self, plan: Plan, rule: str, earned_at: int, day: int, at: int) -> Fate:
        """The fate of points that a return brings by a rule that brought none before."""
        currency = plan.rules[rule].currency
        fate = plan.fate(plan.rules[rule].expiry, earned_at, day)
        if fate[2] and self._wallet(currency).idle_at == NEVER:
            past = self._idle_fate(plan, currency, earned_at)
            return past if past[0] <= at else fate
        return fate

    def _prolong(self, plan: Plan, currency: str, earned_at: int, at: int) -> None:
        """Moves the expiry of points that last as long as the member earns; it never moves back."""
        expiry = plan.idle.get(currency)
        if expiry is None:
            return
        wallet = self._wallet(currency)
        idle_at = plan.clock.add_days(earned_at, expiry.days)
        if idle_at <= at or NEVER > wallet.idle_at >= idle_at:
            return
        wallet.idle_at = idle_at
        wallet.idle_lapses_at = plan.lapse(idle_at, expiry.grace_days)
        for lot in wallet.lots:
            if lot.idle:
                lot.expires_at, lot.lapses_at = wallet.idle_at, wallet.idle_lapses_at
        if len(wallet.lots) > 1:
            wallet.lots.sort(key=spending_order)
        if idle_at < self.state.due_at:
            self.state.due_at = idle_at

    def _prolong_new(self, plan: Plan, currency: str, earned_at: int, at: int) -> None:
        """Starts the time without activity where no points stand under it yet."""
        if self._wallet(currency).idle_at == NEVER:
            self._prolong(plan, currency, earned_at, at)

    def _idle_fate(self, plan: Plan, currency: str, earned_at: int) -> Fate:
        """The fate of points whose time without activity had passed before they were posted."""
        expiry = plan.idle[currency]
        expires = plan.clock.add_days(earned_at, expiry.days)
        return expires, plan.lapse(expires, expiry.grace_days), False, True

    def _recoverable(self, currency: str, identifier: int, sale: Fact) -> int:
        wallet = self._wallet(currency)
        waiting = sum(
            entry.amount
            for entry in wallet.pending
            if entry.lot == identifier and entry.source == sale.source and entry.id == sale.id
        )
        lot = self._find(wallet, identifier)
        return waiting + (lot.remaining + lot.expired if lot is not None else 0)

    def _take_back(
        self,
        plan: Plan,
        currency: str,
        identifier: int,
        points: int,
        sale: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
        own: Mapping[Wait, int] | None = None,
    ) -> None:
        """Takes points back: pending ones first, then the lot's, then its expired part, then by policy.

        Of pending ones first those that wait for what `own` says, by so many at most, then any of the sale.
        """
        wallet = self._wallet(currency)
        funder = ""
        for entry, part in _waiting(wallet.pending, identifier, sale, points, own or {}):
            entry.amount -= part
            points -= part
            if not entry.amount:
                wallet.pending.remove(entry)
            transfers.append(("reverse", PENDING, issuer(entry.funder), currency, identifier, part, at))
        lot = self._find(wallet, identifier)
        if lot is not None:
            funder = lot.funder
            part = min(points, lot.remaining)
            if part:
                lot.remaining -= part
                lot.reversed += part
                points -= part
                transfers.append(("reverse", WALLET, issuer(lot.funder), currency, identifier, part, at))
            part = min(points, lot.expired)
            if part:
                lot.expired -= part
                lot.reversed += part
                points -= part
                transfers.append(("unexpire", BREAKAGE, WALLET, currency, identifier, part, at))
                transfers.append(("reverse", WALLET, issuer(lot.funder), currency, identifier, part, at))
        if points:
            self._owe(plan, currency, points, issuer(funder), at, transfers, trace)

    def _owe(
        self,
        plan: Plan,
        currency: str,
        points: int,
        creditor: str,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """What cannot be taken becomes debt, settled at once from any spendable lot; or is written off."""
        policy = plan.currencies.get(currency)
        if policy is not None and policy.taking_back == "write_off":
            trace.written_off += points
            return
        wallet = self._wallet(currency)
        wallet.debt += points
        trace.owed += points
        transfers.append(("debt", DEBT, creditor, currency, 0, points, at))
        self._repay(currency, at, transfers)

    def _give(
        self,
        plan: Plan,
        currency: str,
        identifier: int,
        points: int,
        account: str,
        at: int,
        transfers: list[Transfer],
    ) -> None:
        """Gives points that were spent to an account back to the lot they came from, or to one with grace.

        The other lot ends with the grace of the return.
        """
        wallet = self._wallet(currency)
        lot = self._find(wallet, identifier)
        day = plan.clock.local(at)[0]
        grace = plan.currencies[currency].return_grace_days
        if lot is None:
            part = min(points, wallet.debt)
            if part:
                wallet.debt -= part
                transfers.append(("restore", account, DEBT, currency, 0, part, at))
            if points > part:
                fate = plan.fate(plan.currencies[currency].expiry, at, day)
                if fate[2]:
                    self._prolong_new(plan, currency, at, at)
                identifier = lot_id(currency, wallet.epoch if fate[2] else fate[0], "", fate[2])
                new = self._lot(currency, identifier, fate, "", at)
                self._credit(currency, new, points - part, at, transfers, "regrant", account)
            return
        if grace is not None:
            end = plan.clock.start_of_day(day + 1 + grace)
            if lot.expires_at < end:
                identifier = lot_id(currency, end, lot.funder, False)
                fate = (end, plan.lapse(end, plan.grace_days(currency)), False, False)
                new = self._lot(currency, identifier, fate, lot.funder, lot.first_earned)
                self._credit(currency, new, points, at, transfers, "regrant", account)
                return
        if lot.redeemed < points:
            # The points were spent by a member that was merged into this one: the lot here never had them.
            self._credit(currency, lot, points, at, transfers, "regrant", account)
            return
        lot.redeemed -= points
        lot.remaining += points
        transfers.append(("restore", account, WALLET, currency, lot.id, points, at))
        self._settle(currency, lot, at, transfers)

    def _give_back(
        self,
        plan: Plan,
        spent: RedemptionRecord,
        skip: int,
        points: int,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Gives points of a redemption back, the last taken first, past those that went back before (`skip`)."""
        for identifier, amount in reversed(spent.taken):
            passed = min(skip, amount)
            skip -= passed
            part = min(points, amount - passed)
            points -= part
            if part and identifier != WRITTEN_OFF:
                self._give(plan, spent.currency, identifier, part, spent.account, at, transfers)
                trace.restored.append((identifier, part))

    def _free(self, currency: str, parts: list[tuple[Lot, int]], at: int, transfers: list[Transfer]) -> None:
        for lot, amount in parts:
            lot.held -= amount
            lot.remaining += amount
            transfers.append(("unhold", HOLD, WALLET, currency, lot.id, amount, at))
            self._settle(currency, lot, at, transfers)

    def choose(self, currency: str, points: int) -> tuple[MovedLot, ...]:
        """The parts of lots that a transfer of points would move, in spending order."""
        chosen = []
        for lot in self._wallet(currency).lots:
            part = min(points, lot.remaining)
            if part:
                points -= part
                chosen.append(
                    MovedLot(
                        lot.id, part, lot.expires_at, lot.lapses_at, lot.funder, lot.first_earned, lot.idle
                    )
                )
        return tuple(chosen)

    def _due(self, kind: str, at: int, plan: Plan, transfers: list[Transfer], trace: Trace) -> None:
        self.decisions.append(
            Decision(
                OWN_SOURCE, f"{kind}:{at}", kind, at, plan.version, self.state.tier.key, transfers, trace
            )
        )


def _waiting(
    pending: Sequence[PendingPoints], lot: int, sale: Fact, points: int, own: Mapping[Wait, int]
) -> list[tuple[PendingPoints, int]]:
    """How much of which pending points of a sale is taken: first of each wait its own, then of the rest in turn."""
    mine = [entry for entry in pending if (entry.lot, entry.source, entry.id) == (lot, sale.source, sale.id)]
    parts = []
    for entry in mine:
        parts.append(max(0, min(points, entry.amount, own.get((entry.release_at, entry.until), 0))))
        points -= parts[-1]
    for number, entry in enumerate(mine):
        more = min(points, entry.amount - parts[number])
        parts[number] += more
        points -= more
    return [(entry, part) for entry, part in zip(mine, parts, strict=True) if part]


def asked_for(plan: Plan, currency: str, points: int, most: int, what: Sentence) -> Sentence:
    """A sentence for a refusal: what was asked of a currency, and what there is."""
    words = [ProgramWords(plan.program, language) for language in ("en", "fr")]
    return sentence(
        "%(asked)s asked, %(most)s %(what)s",
        asked=Both(*(said.points(points, currency).replace(NO_BREAK, " ") for said in words)),
        most=Both(*(said.number(most, currency) for said in words)),
        what=what,
    )
