"""Whatever the order, the split, the repetition and the lanes: the same end state, and a sound ledger."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier.activities import batch
from palier.activities.answers import counts
from palier.engine.facts import COMMANDS, Known
from palier.engine.history import fold
from palier.engine.state import NEVER, MemberState, decode_state, unpack
from palier.ledger.verify import verify
from tests.activities.program import NOW, Connection, line, member, published
from tests.engine.histories import fact_of
from tests.model.cases import cases

_numbers = itertools.count(1)


def standing(state: MemberState) -> dict[str, Any]:
    """A state without what may differ: lots that hold nothing, the lower bound of the next due instant, and whether
    the entries of a window are packed."""
    unpack(state.tier, NEVER)
    state.tier.entries.sort()
    plain = msgspec.to_builtins(state)
    wallets = {}
    for key, wallet in state.wallets.items():
        lots = sorted(
            (lot.id, lot.expires_at, lot.lapses_at, lot.first_earned, lot.held, lot.remaining, lot.idle)
            for lot in wallet.lots
            if lot.held or lot.remaining
        )
        pending = sorted((e.source, e.id, e.lot, e.amount, e.release_at, e.until) for e in wallet.pending)
        wallets[key] = (lots, pending, wallet.debt, wallet.epoch, wallet.idle_at)
    used = {key: value for key, value in state.used.items() if value[1]}
    return {
        "wallets": wallets,
        "used": used,
        "carry": state.carry,
        "nth": state.nth,
        "tier": plain[8],
        "last": state.last,
    }


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_arrival_ends_alike(connection: Connection, data: Any) -> None:
    document, history = data.draw(cases(most=10))
    number = next(_numbers)
    document = msgspec.structs.replace(document, key=f"p{number}")
    facts = [
        msgspec.structs.replace(
            fact, tenders=tuple(msgspec.structs.replace(tender, redemption=None) for tender in fact.tenders)
        )
        for told in history
        if (fact := fact_of(told)).type not in COMMANDS
    ]
    runtime = published(connection, document)
    card = f"card{number}"
    member_id = member(connection, runtime.program_id, card)
    arriving = data.draw(st.permutations(facts))
    again = data.draw(st.lists(st.sampled_from(facts), max_size=3)) if facts else []
    lines = [line(fact, card) for fact in [*arriving, *again]]
    lanes = data.draw(st.integers(1, 3))
    sent = 0
    batch.lanes = lambda ids: [part for n in range(lanes) if (part := [i for i in ids if i % lanes == n])]
    try:
        while lines:
            size = data.draw(st.integers(1, len(lines)))
            results = batch.apply(connection, runtime, lines[:size], now=NOW, history=True)
            assert sum(counts(results).values()) == size
            assert not [r for r in results if r.status == "refused"], results
            sent += size
            lines = lines[size:]
    finally:
        batch.lanes = batch.one_lane
    row = connection.execute("select state from progress where member_id = %s", (member_id,)).fetchone()
    assert row is not None
    stored = decode_state(row[0])
    whole = fold(runtime.timeline, [Known(fact) for fact in facts])
    whole.advance(stored.due_done)
    assert standing(stored) == standing(whole.state)
    assert verify(connection, document.key) == []
    connection.rollback()
