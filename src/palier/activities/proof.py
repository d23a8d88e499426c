"""The engine's stored state held against the tables that everyone reads: a part of `palier verify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from psycopg import Connection

from palier.activities.runtime import runtime
from palier.engine.state import NEVER, decode_state
from palier.ledger.verify import Violation, register_state_check
from palier.members import refs

STATES = """
-- proof.states
-- all members: every stored state against the wallets and open lots beside it, in one statement
select p.member_id, p.state,
  (select coalesce(jsonb_object_agg(w.currency, jsonb_build_array(w.posted, w.pending, w.held, w.debt)), '{}')
   from wallet w where w.member_id = p.member_id),
  (select coalesce(jsonb_object_agg(l.lot_id::text, jsonb_build_array(l.remaining, l.held)), '{}')
   from lot l where l.member_id = p.member_id and (l.remaining > 0 or l.held > 0)),
  p.due_at is null
from progress p
where %(program)s::text is null
   or p.program_id = (select g.program_id from program g where g.key = %(program)s)
"""

SHARED: Final = """
-- proof.shared_limits
select p.key, l.key, l.used from shared_limit l join program p on p.program_id = l.program_id
where %(program)s::text is null or p.key = %(program)s
order by p.key, l.key
"""


@register_state_check
def shared_limits(connection: Connection[Any], program: str | None) -> Iterator[Violation]:
    """Of budgets, stocks of prizes and ceilings, no more is used than the most that any version allowed."""
    for key, limit, used in connection.execute(SHARED, {"program": program}).fetchall():
        known = runtime(connection, key)
        plans = [plan for _, _, plan in known.timeline.spans] if known is not None else []
        most = max((room for plan in plans if (room := plan.shared_limit(limit)) is not None), default=0)
        if used > most:
            yield Violation("state.shared_limit", f"program {key} {limit}", f"at most {most}", str(used))


@register_state_check
def engine_state(connection: Connection[Any], program: str | None) -> Iterator[Violation]:
    """Balances, pending points, debts and open lots of the engine's state are those of the tables."""
    with connection.cursor(name="engine_state") as cursor:
        cursor.itersize = 5000
        cursor.execute(STATES, {"program": program})
        for member_id, stored, wallets, lots, nothing_due in cursor:
            place = f"member {refs.encode(member_id)}"
            try:
                state = decode_state(stored)
            except msgspec.DecodeError as error:
                yield Violation("state.readable", place, "a state that the engine reads", str(error))
                continue
            found = {
                currency: [
                    sum(lot.remaining + lot.held for lot in wallet.lots),
                    sum(entry.amount for entry in wallet.pending),
                    sum(lot.held for lot in wallet.lots),
                    wallet.debt,
                ]
                for currency, wallet in state.wallets.items()
            }
            for currency in sorted(found.keys() | wallets.keys()):
                ours, theirs = found.get(currency, [0] * 4), wallets.get(currency, [0] * 4)
                if ours != theirs:
                    yield Violation("state.wallet", f"{place} {currency}", str(theirs), str(ours))
            open_lots = {
                str(lot.id): [lot.remaining, lot.held]
                for wallet in state.wallets.values()
                for lot in wallet.lots
                if lot.remaining or lot.held
            }
            for lot_id in sorted(open_lots.keys() | lots.keys()):
                if open_lots.get(lot_id) != lots.get(lot_id):
                    yield Violation(
                        "state.lot",
                        f"{place} lot {lot_id}",
                        str(lots.get(lot_id)),
                        str(open_lots.get(lot_id)),
                    )
            if nothing_due and any(
                lot.remaining and lot.lapses_at < NEVER
                for wallet in state.wallets.values()
                for lot in wallet.lots
            ):
                yield Violation("state.due", place, "an instant at which points lapse", "nothing due")
