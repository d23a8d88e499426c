"""Rolling windows of members who buy very often: what lies between the ends is packed, and nothing changes by it."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from palier.engine import state as states
from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.facts import Known
from palier.engine.state import NEVER, MemberState, TierState, decode_state, encode_state, unpack
from palier.engine.trace import encode_trace
from tests.engine.histories import timeline
from tests.engine.test_fold import START, known, of
from tests.model.cases import named
from tests.model.test_model import club

HOUR = 3_600_000_000


def frequent(seed: int) -> list[Known]:
    """Sales some hours apart over half a year, with gaps, and returns of some of them weeks later."""
    draw = random.Random(seed)
    moment, found, sold = START, [], []
    for number in range(600):
        moment += draw.choice([0, 1, 2, 5, 9, 30]) * HOUR + draw.randrange(1, HOUR)
        if number % 150 == 149:
            moment += 40 * 24 * HOUR
        if sold and draw.random() < 0.15:
            name = sold.pop(draw.randrange(len(sold)))
            found.append(known("return", f"back-{name}", moment, sale=of(name), whole=True))
        else:
            found.append(known("sale", f"s{number}", moment, amount=draw.randrange(100, 9_000)))
            sold.append(f"s{number}")
    return found


def ladder(window: dict[str, Any], silver: str, gold: str) -> dict[str, Any]:
    steps = (("silver", silver), ("gold", gold))
    return {
        "tiers": [
            named("base"),
            *(named(key, qualify={"all": [{"metric": "spend", "at_least": least}]}) for key, least in steps),
        ],
        "window": window,
    }


@pytest.mark.parametrize("least", [("300", "900"), ("1500", "2500"), ("90000", "99000")])
@pytest.mark.parametrize("seed", range(3))
def test_a_packed_window_decides_as_one_that_is_not(
    monkeypatch: pytest.MonkeyPatch, seed: int, least: tuple[str, str]
) -> None:
    monkeypatch.setattr(states, "MOST_ENTRIES", 10)
    monkeypatch.setattr(states, "ENTRIES_KEPT", 3)
    program = club(tiers=ladder({"kind": "rolling", "days": 30}, *least))
    plain, packed = (Fold(timeline(program), keep_records=True) for _ in range(2))
    most = 0
    for item in frequent(seed):
        one, other = plain.decide(item), packed.decide(item)
        assert isinstance(one, Decision)
        assert isinstance(other, Decision)
        assert encode_trace(one.trace) == encode_trace(other.trace)
        tier = packed.state.tier
        assert tier.current == plain.state.tier.current
        assert packed.state.due_at == plain.state.due_at
        assert [entry[0] for entry in tier.entries[:1]] == [
            entry[0] for entry in plain.state.tier.entries[:1]
        ]
        if len(tier.entries) > states.MOST_ENTRIES:
            states._pack(tier)
        most = max(most, len(tier.packed))
        packed.state.tier = msgspec.msgpack.decode(msgspec.msgpack.encode(tier), type=TierState)
    assert most > 3
    unpack(packed.state.tier, NEVER)
    assert packed.state.tier == plain.state.tier


def test_what_is_stored_of_a_member_with_many_sales_is_read_without_them() -> None:
    entries = [(START + number, 100, 1, 1) for number in range(states.MOST_ENTRIES + 1)]
    stored = encode_state(MemberState(tier=TierState(current=[100, 1, 1], entries=list(entries))))
    tier = decode_state(stored).tier
    assert len(tier.entries) == 2 * states.ENTRIES_KEPT
    unpack(tier, START + states.ENTRIES_KEPT - 1)
    assert len(tier.packed) == 1
    unpack(tier, START + states.ENTRIES_KEPT)
    assert (tier.entries, tier.packed) == (entries, [])
