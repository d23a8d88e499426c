"""Grants: units of point currencies that mechanics give, and how they are taken back."""

from __future__ import annotations

from palier.engine.compiled import Given
from palier.engine.decisions import ISSUANCE, PENDING, Transfer
from palier.engine.facts import Fact
from palier.engine.plan import Plan
from palier.engine.points import Points
from palier.engine.state import NEVER, lot_id
from palier.engine.trace import GrantTrace, Trace


class Grants(Points):
    """Gives and takes back what mechanics bring."""

    __slots__ = ()

    def _grant(
        self,
        plan: Plan,
        given: Given,
        cause: str,
        fact: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
        *,
        wait_days: int = 0,
        worth: int = 0,
    ) -> list[tuple[str, int, int]]:
        """Gives units, earned at `at`, that wait so many days; (currency, lot, points) of each."""
        lots = []
        day = plan.clock.local(at)[0]
        for currency, points in given:
            if not points:
                continue
            fate = plan.fate(plan.currencies[currency].expiry, at, day)
            if fate[2]:
                self._prolong_new(plan, currency, at, at)
            identifier = lot_id(currency, self._wallet(currency).epoch if fate[2] else fate[0], "", fate[2])
            release_at = plan.clock.add_days(at, wait_days) if wait_days else 0
            trace.grants.append(GrantTrace(cause, currency, points, identifier, bool(release_at), worth))
            if release_at:
                self._pend(fact, currency, identifier, fate, points, release_at or NEVER, "")
                transfers.append(("earn", ISSUANCE, PENDING, currency, identifier, points, at))
            else:
                lot = self._lot(currency, identifier, fate, "", at)
                self._credit(currency, lot, points, at, transfers, "earn", ISSUANCE)
            lots.append((currency, identifier, points))
        return lots

    def _ungrant(
        self,
        plan: Plan,
        lots: list[tuple[str, int, int]],
        cause: str,
        fact: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Takes units back: those of `fact` that still wait first, then the lot's, then by policy."""
        for currency, identifier, points in reversed(lots):
            if currency in plan.currencies:
                trace.grants.append(GrantTrace(cause, currency, -points, identifier))
                self._take_back(plan, currency, identifier, points, fact, at, transfers, trace)
