"""Writing expiry and nothing else: what most due work is, in a few columns that are the same for every lot.

The generic writing (`activities.writing`) would leave the same rows; it takes three times as long for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from psycopg import Connection

from palier.activities import store
from palier.engine.clock import moment
from palier.engine.decisions import Decision
from palier.engine.state import NEVER, MemberState, encode_state
from palier.engine.trace import Trace, encode_trace
from palier.site.arrays import Documents, Instants
from palier.site.exchange import Exchange, exchange
from palier.site.ids import new_ids

EXPIRED: Final = "expired"
"""The type of the decisions that are written here: each moves points from lots to breakage at one instant."""

INSERT_ACTIVITIES: Final = """
-- lapses.insert_activities
insert into activity
  (member_id, activity_id, program_id, source, external_id, type, occurred_at, acts_at, recorded_at, version,
   payload, trace, tier, transfer_count, transfer_sum)
select m, a, %(program)s, 'palier', 'expired:' || z, 'expired', e, e, %(now)s, v, '{}', r, g, n, q
from (select unnest(%(members)b::bigint[]) as m, unnest(%(activities)b::bigint[]) as a,
             unnest(%(named)b::bigint[]) as z, unnest(%(effective)b::timestamptz[]) as e,
             unnest(%(versions)b::bigint[]) as v, unnest(%(traces)b::json[]) as r, unnest(%(tiers)b::text[]) as g,
             unnest(%(counts)b::bigint[]) as n, unnest(%(sums)b::bigint[]) as q) as u
"""

INSERT_TRANSFERS: Final = """
-- lapses.insert_transfers
insert into transfer
  (member_id, transfer_id, program_id, activity_id, kind, debit, credit, currency, lot_id, amount,
   effective_at, recorded_at, version)
select m, i, %(program)s, a, 'expire', 'wallet', 'breakage', y, l, q,
       e, %(now)s, v
from (select unnest(%(members)b::bigint[]) as m, unnest(%(transfers)b::bigint[]) as i,
             unnest(%(activities)b::bigint[]) as a, unnest(%(currencies)b::text[]) as y,
             unnest(%(lots)b::bigint[]) as l, unnest(%(amounts)b::bigint[]) as q,
             unnest(%(effective)b::timestamptz[]) as e, unnest(%(versions)b::bigint[]) as v) as u
"""

LAPSE_LOTS: Final = """
-- lapses.lapse_lots
update lot w set expired = w.expired + u.q, remaining = w.remaining - u.q
from (select unnest(%(members)b::bigint[]) as m, unnest(%(lots)b::bigint[]) as l,
             unnest(%(amounts)b::bigint[]) as q) as u
where w.member_id = any(%(distinct)b) and w.member_id = u.m and w.lot_id = u.l
"""

LAPSE_WALLETS: Final = """
-- lapses.lapse_wallets
update wallet w set posted = w.posted - u.q
from (select unnest(%(members)b::bigint[]) as m, unnest(%(currencies)b::text[]) as y,
             unnest(%(amounts)b::bigint[]) as q) as u
where w.member_id = any(%(distinct)b) and w.member_id = u.m and w.currency = u.y
"""


@lru_cache(maxsize=1024)
def _trace(version: int, tier: str) -> bytes:
    return encode_trace(Trace(version, tier))


class Lapses:
    """Collects what expiry did to members, column by column, and writes it; members in ascending order."""

    def __init__(self) -> None:
        self.progress: tuple[list[int], list[bytes], Instants] = ([], [], Instants())
        self.activities: list[tuple[int, int, int, bytes, str, int, int]] = []
        self.transfers: list[tuple[int, int, str, int, int, int, int]] = []
        self.wallets: dict[tuple[int, str], int] = {}

    def takes(self, member_id: int, state: MemberState, decisions: Sequence[Decision]) -> bool:
        """Takes what due work decided of one member; False where it is not expiry alone, once for each lot."""
        for decision in decisions:
            if decision.type != EXPIRED:
                return False
        lots = [transfer[4] for decision in decisions for transfer in decision.transfers]
        if len(lots) > 1 and len(set(lots)) < len(lots):
            return False
        wallets = self.wallets
        for decision in decisions:
            version, total = decision.version, 0
            place = len(self.activities)
            for _, _, _, currency, lot, amount, at in decision.transfers:
                total += amount
                self.transfers.append((member_id, place, currency, lot, amount, at, version))
                key = (member_id, currency)
                wallets[key] = wallets.get(key, 0) + amount
            tier = decision.tier
            self.activities.append(
                (member_id, decision.at, version, _trace(version, tier), tier, len(decision.transfers), total)
            )
        members, states, due = self.progress
        members.append(member_id)
        states.append(encode_state(state))
        due.append(state.due_at if state.due_at < NEVER else None)
        return True

    def write(self, connection: Connection[Any], program_id: int, now: int) -> None:
        """Writes what was taken, each table once."""
        members, states, due = self.progress
        if not members:
            return
        common = {"program": program_id, "now": moment(now), "distinct": members}
        with exchange(connection) as server:
            if self.activities:
                self._lapse(server, common)
            server.ask(store.UPDATE_PROGRESS, {**common, "members": members, "states": states, "due": due})

    def _lapse(self, server: Exchange, common: dict[str, Any]) -> None:
        activity_ids = new_ids(len(self.activities))
        transfer_ids = new_ids(len(self.transfers))
        members, effective, versions, traces, tiers, counts, sums = map(
            list, zip(*self.activities, strict=True)
        )
        server.ask(
            INSERT_ACTIVITIES,
            {
                **common,
                "members": members,
                "activities": activity_ids,
                "named": effective,
                "effective": Instants(effective),
                "versions": versions,
                "traces": Documents(traces),
                "tiers": tiers,
                "counts": counts,
                "sums": sums,
            },
        )
        decided = {"activity_members": members, "activities": activity_ids}
        members, places, currencies, lots, amounts, effective, versions = map(
            list, zip(*self.transfers, strict=True)
        )
        moved = {**common, "members": members, "lots": lots, "amounts": amounts, "transfers": transfer_ids}
        server.ask(
            INSERT_TRANSFERS,
            {
                **moved,
                "activities": [activity_ids[place] for place in places],
                "currencies": currencies,
                "effective": Instants(effective),
                "versions": versions,
            },
        )
        server.ask(store.QUEUE_SEAL, {**moved, **decided})
        server.ask(LAPSE_LOTS, moved)
        owners, names = map(list, zip(*self.wallets, strict=True))
        server.ask(
            LAPSE_WALLETS,
            {**common, "members": owners, "currencies": names, "amounts": list(self.wallets.values())},
        )
