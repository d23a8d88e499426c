"""Whatever the order of arrival: the same end state, and a ledger that stands as the fold has it."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from palier.engine.decisions import key_of
from palier.engine.history import fold
from palier.engine.state import decode_state, encode_state
from tests.engine.arrival import Member, summary
from tests.engine.histories import knowns_of, timeline
from tests.model import cases
from tests.model.cases import DAY

EXAMPLES = int(os.environ.get("ARRIVAL_EXAMPLES", "150"))
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


@many
@given(st.data())
def test_any_order_of_arrival_comes_to_the_same(data: st.DataObject) -> None:
    program, history = data.draw(
        cases.cases(most=int(os.environ.get("MOST", "6")), contested=data.draw(st.booleans()))
    )
    line = timeline(program)
    knowns = knowns_of(history)
    last = max(known.fact.at for known in knowns) + data.draw(st.sampled_from([0, DAY, 400 * DAY]))
    whole = fold(line, knowns)
    whole.advance(last)
    expected = {
        key_of(decision.source, decision.id): sorted(decision.transfers)
        for decision in whole.decisions
        if decision.transfers
    }
    ends = summary(decode_state(encode_state(whole.state)))
    orders = [knowns, sorted(knowns, key=lambda known: known.fact.at)]
    orders += [data.draw(st.permutations(knowns)) for _ in range(3)]
    for order in orders:
        member = Member(line)
        for number, known in enumerate(order):
            member.arrive(known)
            if number % 3 == 2:
                member.arrive(order[0])
        member.advance(last)
        assert summary(decode_state(member.state)) == ends
        assert member.standing() == expected
