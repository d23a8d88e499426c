"""Commands: redemptions, holds, adjustments and transfers, decided on what is then known."""

from __future__ import annotations

from typing import Final

from palier.engine.decisions import (
    ADJUSTMENT,
    BREAKAGE,
    HOLD,
    IN_TRANSIT,
    ISSUANCE,
    WALLET,
    Decision,
    RedemptionRecord,
    SaleRecord,
    Transfer,
    key_of,
    paid_with,
    used_with,
)
from palier.engine.facts import (
    LEFT,
    MERGING,
    Fact,
    Known,
    Reference,
)
from palier.engine.merging import Merging
from palier.engine.plan import Plan
from palier.engine.points import asked_for
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import NEVER, HoldState, Lot, MemberState, lot_id
from palier.engine.trace import Trace

_OF_POINTS: Final = frozenset(
    {"redeem", "hold", "refund", "adjust", "transfer_out", "transfer_in", "dividend"}
)
"""Commands that name a point currency."""


class Commands(Merging):
    """What somebody asks to be done with points. Once granted, it is a fact."""

    __slots__ = ()

    def _command(self, plan: Plan, known: Known, at: int, live: bool) -> Decision | Refusal:
        fact = known.fact
        refusal = unfit(plan, fact, at) if live else None
        if refusal is not None:
            return refusal
        tier = self.state.tier
        if not tier.key:
            tier.key = plan.levels[0]
        trace = Trace(plan.version, tier.key, reason=fact.reason)
        transfers: list[Transfer] = []
        if fact.type in MERGING:
            refusal = self._merge(plan, fact, at, transfers, trace)
        elif fact.type == LEFT:
            self._leave(at, transfers, trace)
            refusal = None
        elif fact.type == "prize":
            refusal = self._award(plan, fact, at, transfers, trace)
        elif fact.type == "grant_tier":
            self._grant_tier(plan, fact, at, trace)
        elif fact.type == "revoke_tier":
            refusal = self._revoke_tier(plan, fact, at, live, trace)
        elif fact.type in ("capture", "release"):
            refusal = self._close_hold(plan, fact, at, live, transfers, trace)
        elif fact.type == "refund":
            refusal = self._refund(plan, fact, at, live, transfers, trace)
        elif fact.type in ("transfer_in", "dividend") or (fact.type == "adjust" and fact.points > 0):
            self._receive(plan, fact, at, transfers)
            refusal = None
        else:
            refusal = self._spend(plan, known, at, live, transfers, trace)
        if refusal is not None:
            return refusal
        return Decision(fact.source, fact.id, fact.type, at, plan.version, tier.key, transfers, trace)

    def _spend(
        self, plan: Plan, known: Known, at: int, live: bool, transfers: list[Transfer], trace: Trace
    ) -> Refusal | None:
        """Takes points from the lots in spending order (a transfer: from the lots fixed when it was decided)."""
        fact = known.fact
        currency = fact.currency
        points = abs(fact.points)
        wallet = self._wallet(currency)
        if live and points > wallet.spendable:
            return Refusal(
                RefusalCode.INSUFFICIENT_POINTS,
                asked_for(plan, currency, points, wallet.spendable, sentence("can be spent")),
                "points",
                sentence("ask for no more than the spendable balance"),
            )
        kind, creditor = {
            "redeem": ("redeem", used_with(fact.partner)),
            "hold": ("hold", HOLD),
            "adjust": ("adjust", ADJUSTMENT),
            "transfer_out": ("transfer_out", IN_TRANSIT),
        }[fact.type]
        lacking = points
        if fact.moved:
            sources = [(self._find(wallet, item.lot), item.amount) for item in fact.moved]
        else:
            sources = [(lot, lot.remaining) for lot in wallet.lots]
        for lot, most in sources:
            if not lacking:
                break
            part = min(lacking, most, lot.remaining) if lot is not None else 0
            if lot is None or not part:
                continue
            lacking -= part
            lot.remaining -= part
            if fact.type == "hold":
                lot.held += part
            else:
                lot.redeemed += part
            trace.taken.append((lot.id, part))
            transfers.append((kind, WALLET, creditor, currency, lot.id, part, at))
        key = key_of(fact.source, fact.id)
        if fact.type == "hold":
            until = fact.hold_until or at + plan.hold_minutes * 60_000_000
            self.state.holds[key] = HoldState(currency, list(trace.taken), until, points, known.activity_id)
            trace.holds = [(known.activity_id, "open", 0)]
            if until < self.state.due_at:
                self.state.due_at = until
            return None
        if lacking:
            self._owe(plan, currency, lacking, creditor, at, transfers, trace)
        if fact.type == "redeem":
            self.redemptions[key] = RedemptionRecord(currency, paid_with(trace), at, creditor)
        return None

    def _leave(self, at: int, transfers: list[Transfer], trace: Trace) -> None:
        """Ends a membership: what is held is freed, what waits comes, all of it lapses, and nothing counts any more.

        What is owed stays owed.
        """
        state = self.state
        for hold in state.holds.values():
            trace.holds.append((hold.hold_id, "released", 0))
            wallet = self._wallet(hold.currency)
            freed: list[tuple[Lot, int]] = []
            for identifier, amount in hold.taken:
                lot = self._find(wallet, identifier)
                assert lot is not None, "a held lot is never dropped"
                freed.append((lot, amount))
            self._free(hold.currency, freed, at, transfers)
        for currency, wallet in state.wallets.items():
            waiting, wallet.pending = wallet.pending, []
            self._release(currency, waiting, at, transfers)
            for lot in wallet.lots:
                if lot.remaining:
                    transfers.append(("expire", WALLET, BREAKAGE, currency, lot.id, lot.remaining, at))
                    lot.expired += lot.remaining
                    lot.remaining = 0
            wallet.idle_at = wallet.idle_lapses_at = NEVER
        empty = MemberState()
        for name in state.__struct_fields__:
            if name not in ("last", "latest", "due_done", "wallets"):
                setattr(state, name, getattr(empty, name))

    def _close_hold(
        self, plan: Plan, fact: Fact, at: int, live: bool, transfers: list[Transfer], trace: Trace
    ) -> Refusal | None:
        assert fact.hold is not None
        key = key_of(fact.hold.source, fact.hold.id)
        hold = self.state.holds.get(key)
        if hold is None:
            if not live:
                return None
            return Refusal(
                RefusalCode.HOLD_CLOSED,
                sentence("the hold is not open any more"),
                "hold",
                sentence("create a new hold if needed"),
            )
        points = 0 if fact.type == "release" else fact.points or hold.amount
        if live and points > hold.amount:
            return Refusal(
                RefusalCode.INSUFFICIENT_POINTS,
                asked_for(plan, hold.currency, points, hold.amount, sentence("are held")),
                "points",
                sentence("capture no more than is held"),
            )
        del self.state.holds[key]
        wallet = self._wallet(hold.currency)
        account = used_with(fact.partner)
        lacking = points
        freed: list[tuple[Lot, int]] = []
        for identifier, amount in hold.taken:
            lot = self._find(wallet, identifier)
            assert lot is not None, "a held lot is never dropped"
            part = min(lacking, amount)
            if part:
                lacking -= part
                lot.held -= part
                lot.redeemed += part
                trace.taken.append((identifier, part))
                transfers.append(("capture", HOLD, account, hold.currency, identifier, part, at))
            if amount > part:
                freed.append((lot, amount - part))
        trace.holds = [(hold.hold_id, "captured" if points else "released", points)]
        self._free(hold.currency, freed, at, transfers)
        if lacking:
            self._owe(plan, hold.currency, lacking, account, at, transfers, trace)
        if fact.type == "capture":
            self.redemptions[key] = RedemptionRecord(hold.currency, paid_with(trace), at, account)
        return None

    def _refund(
        self, plan: Plan, fact: Fact, at: int, live: bool, transfers: list[Transfer], trace: Trace
    ) -> Refusal | None:
        """Gives points of a redemption back to the lots they came from, in all never more than it took."""
        assert fact.undoes is not None
        spent = self.redemptions.get(key_of(fact.undoes.source, fact.undoes.id))
        if spent is None:
            if not live:
                return None
            return Refusal(
                RefusalCode.REFUND_DOES_NOT_FIT,
                sentence("nothing of this redemption is spent"),
                "redemption",
                sentence("release a hold that is open; of one that is over, nothing is left to give back"),
            )
        sale = self._paid_by(fact.undoes)
        if live and sale is not None:
            return Refusal(
                RefusalCode.REDEMPTION_ALREADY_USED,
                sentence("the redemption has paid a sale"),
                "redemption",
                sentence("send the return of the sale: it gives the points back with the goods"),
            )
        by_returns = 0
        if sale is not None and sale.fact.amount:
            whole = sale.fact.amount
            by_returns = spent.points * (whole - sale.kept().amount) // whole
        given = spent.given(by_returns)
        if live and fact.points > spent.points - given:
            return Refusal(
                RefusalCode.REFUND_DOES_NOT_FIT,
                asked_for(
                    plan, spent.currency, fact.points, spent.points - given, sentence("are left to give back")
                ),
                "points",
                sentence("ask for no more than is left of the redemption"),
            )
        spent.refunded += fact.points
        self._give_back(plan, spent, given, spent.given(by_returns) - given, at, transfers, trace)
        return None

    def _paid_by(self, redemption: Reference) -> SaleRecord | None:
        """The sale that names a redemption among its tenders, of the sales that are at hand."""
        for record in self.sales.values():
            if any(tender.redemption == redemption for tender in record.fact.tenders):
                return record
        return None

    def _grant_tier(self, plan: Plan, fact: Fact, at: int, trace: Trace) -> None:
        """Gives a tier until an instant: what the member earns by himself goes on beneath it.

        A version that has no such tier gives nothing for what was granted.
        """
        key, until = str(fact.attributes.get("tier", "")), int(fact.attributes.get("until", 0))
        if plan.ladder is None or key not in plan.ladder.index:
            return
        tier = self.state.tier
        own = tier.own or tier.key
        tier.given[key_of(fact.source, fact.id)] = (key, until)
        self._stand_on(plan, own, at, trace)
        self.state.due_at = min(self.state.due_at, until)

    def _revoke_tier(self, plan: Plan, fact: Fact, at: int, live: bool, trace: Trace) -> Refusal | None:
        """Takes a given tier back; what the member earned by himself he keeps."""
        assert fact.undoes is not None
        tier = self.state.tier
        own = tier.own or tier.key
        if tier.given.pop(key_of(fact.undoes.source, fact.undoes.id), None) is None:
            if not live:
                return None
            return Refusal(
                RefusalCode.TIER_NOT_GIVEN,
                sentence("the tier is over, or was taken back already"),
                "tier",
                sentence("there is nothing left to take back"),
            )
        if plan.ladder is not None:
            self._stand_on(plan, own, at, trace)
        return None

    def _award(
        self, plan: Plan, fact: Fact, at: int, transfers: list[Transfer], trace: Trace
    ) -> Refusal | None:
        """Gives what a rank of a leaderboard wins."""
        board = plan.leaderboards.get(str(fact.attributes.get("leaderboard", "")))
        rank = int(str(fact.attributes.get("rank", 0)))
        for through, given in board or ():
            if rank <= through:
                cause = f"prize:{fact.attributes['leaderboard']}:{rank}"
                self._grant(plan, given, cause, fact, at, transfers, trace)
                break
        return None

    def _receive(self, plan: Plan, fact: Fact, at: int, transfers: list[Transfer]) -> None:
        """Credits an adjustment by the currency's expiry, or moved lots with the fate they had."""
        currency = fact.currency
        kind, source = {
            "adjust": ("adjust", ADJUSTMENT),
            "dividend": ("earn", ISSUANCE),
            "transfer_in": ("transfer_in", IN_TRANSIT),
        }[fact.type]
        wallet = self._wallet(currency)
        if not fact.moved:
            fate = plan.fate(plan.currencies[currency].expiry, at, plan.clock.local(at)[0])
            if fate[2]:
                self._prolong_new(plan, currency, at, at)
            identifier = lot_id(currency, wallet.epoch if fate[2] else fate[0], "", fate[2])
            lot = self._lot(currency, identifier, fate, "", at)
            self._credit(currency, lot, fact.points, at, transfers, kind, source)
            return
        for item in fact.moved:
            # Moved points keep their expiry: what another member does no longer moves it.
            fate = (item.expires_at, item.lapses_at, False, False)
            identifier = lot_id(currency, item.expires_at, item.funder, False)
            lot = self._lot(currency, identifier, fate, item.funder, item.first_earned)
            self._credit(currency, lot, item.amount, at, transfers, kind, source)


def unfit(plan: Plan, fact: Fact, at: int) -> Refusal | None:
    """The refusal of a command that names what the program does not have at an instant; it settles no id."""
    if fact.type == "grant_tier":
        key = str(fact.attributes.get("tier", ""))
        if plan.ladder is None or key not in plan.ladder.index:
            return Refusal(
                RefusalCode.UNKNOWN_TIER,
                sentence("the program has no tier %(key)r", key=key),
                "tier",
                sentence("use one of: %(names)s", names=", ".join(plan.levels))
                if plan.ladder is not None
                else sentence("the program has no tiers; leave it out"),
            )
        if int(fact.attributes.get("until", 0)) <= at:
            return Refusal(
                RefusalCode.INVALID_INSTANT,
                sentence("the tier would be over already"),
                "until",
                sentence("name a later instant"),
            )
    if fact.type in _OF_POINTS and fact.currency not in plan.currencies:
        return Refusal(
            RefusalCode.UNKNOWN_POINT_CURRENCY,
            sentence("the program has no point currency %(currency)r", currency=fact.currency),
            "currency",
            sentence("use one of: %(names)s", names=", ".join(plan.currencies)),
        )
    if fact.type in ("redeem", "hold") and fact.partner and not plan.takes(fact.partner, fact.currency, at):
        return Refusal(
            RefusalCode.UNKNOWN_PARTNER,
            sentence("no partner of this name takes these points now"),
            "partner",
            sentence("name a partner of the program with an agreement in force, or leave it out"),
        )
    return None
