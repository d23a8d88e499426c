"""Mechanics, whatever happens: the order of arrival, splits, duplicates and returns change nothing that stays."""

from __future__ import annotations

import os
from collections import Counter

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from palier.engine.decide import Fold
from palier.engine.decisions import key_of
from palier.engine.explain import Told, lines, sentence
from palier.engine.facts import (
    COMMANDS,
    RETURN,
    Fact,
    Known,
    Reference,
    decode_fact,
    decode_inputs,
    encode_fact,
    encode_inputs,
)
from palier.engine.history import fold
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.state import NEVER, decode_state, encode_state
from palier.engine.trace import encode_trace
from tests.engine import mechanics
from tests.engine.arrival import Books, Member, summary
from tests.model.cases import DAY

EXAMPLES = int(os.environ.get("MECHANICS_EXAMPLES", "50"))
MOST = int(os.environ.get("MECHANICS_MOST", "12"))
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


def line_of(program: Program) -> Timeline:
    return Timeline([(0, NEVER, Plan(program, 1))])


def drawn(data: st.DataObject) -> tuple[Program, list[Known]]:
    program = data.draw(mechanics.programs())
    return program, data.draw(mechanics.histories(program, MOST))


def last_of(knowns: list[Known]) -> int:
    return max(known.fact.at for known in knowns)


def moved(engine: Fold) -> dict[str, list[tuple[object, ...]]]:
    return {
        key_of(decision.source, decision.id): sorted(decision.transfers)
        for decision in engine.decisions
        if decision.transfers
    }


@many
@given(st.data())
def test_any_order_of_arrival_comes_to_the_same(data: st.DataObject) -> None:
    program, knowns = drawn(data)
    line = line_of(program)
    last = last_of(knowns) + data.draw(st.sampled_from([0, DAY, 60 * DAY]))
    whole = fold(line, knowns)
    whole.advance(last)
    keys = [key_of(decision.source, decision.id) for decision in whole.decisions]
    assert len(keys) == len(set(keys))
    instants = [decision.at for decision in whole.decisions]
    assert instants == sorted(instants)
    expected = moved(whole)
    ends = summary(decode_state(encode_state(whole.state)))
    orders = [knowns, sorted(knowns, key=lambda known: known.fact.at)]
    orders += [data.draw(st.permutations(knowns)) for _ in range(2)]
    for order in orders:
        member = Member(line)
        for number, known in enumerate(order):
            member.arrive(known)
            if number % 3 == 2:
                member.arrive(order[0])
        member.advance(last)
        assert summary(decode_state(member.state)) == ends
        assert member.standing() == expected


@many
@given(st.data())
def test_what_is_recorded_decides_the_same_bytes_again(data: st.DataObject) -> None:
    program, knowns = drawn(data)
    last = last_of(knowns) + 3 * DAY
    ends = []
    for line in (line_of(program), line_of(msgspec.convert(msgspec.to_builtins(program), Program))):
        again = [
            Known(decode_fact(encode_fact(k.fact)), decode_inputs(encode_inputs(k.inputs)), k.activity_id)
            for k in knowns
        ]
        engine = fold(line, again)
        engine.advance(last)
        traces = [(item.source, item.id, encode_trace(item.trace)) for item in engine.decisions]
        ends.append((encode_state(engine.state), traces))
    assert ends[0] == ends[1]


@many
@given(st.data())
def test_every_decision_is_told_in_both_languages(data: st.DataObject) -> None:
    program, knowns = drawn(data)
    line = line_of(program)
    engine = fold(line, knowns)
    engine.advance(last_of(knowns) + 60 * DAY)
    plan = line.spans[0][2]
    facts = {key_of(known.fact.source, known.fact.id): known.fact for known in knowns}
    ends = {lot.id: lot.expires_at for wallet in engine.state.wallets.values() for lot in wallet.lots}
    for item in engine.decisions:
        fact = facts.get(key_of(item.source, item.id))
        told = Told(item.type, item.trace, item.at, item.transfers, fact, ends)
        for language in ("en", "fr"):
            assert sentence(told, plan, language)
            for part in lines(told, plan, language):
                assert "{" not in part.text


def whole_returns(knowns: list[Known], at: int) -> list[Known]:
    """A full return of each activity that can be taken back."""
    never = (*COMMANDS, RETURN, "opt_in", "opt_out", "play", "quiz", "joined")
    return [
        Known(Fact("desk", f"z{number:02}", RETURN, at + number, sale=named, whole=True))
        for number, known in enumerate(knowns)
        if known.fact.type not in never
        for named in [Reference(known.fact.source, known.fact.id)]
    ]


@many
@given(st.data())
def test_a_full_return_of_everything_leaves_nothing(data: st.DataObject) -> None:
    program, knowns = drawn(data)
    # A tier's gift stays with what time alone took, and a token spent is spent.
    knowns = [known for known in knowns if known.fact.type not in ("play", "quiz", "redeem")]
    knowns = [known for known in knowns if known.fact.type != RETURN]
    if not knowns:
        return
    wide = msgspec.structs.replace(
        program,
        tiers=msgspec.structs.replace(program.tiers, window=mechanics.lifetime()),
        streaks=[msgspec.structs.replace(streak, freeze=None) for streak in program.streaks],
    )
    line = line_of(wide)
    back = whole_returns(knowns, last_of(knowns) + data.draw(st.sampled_from([1, DAY, 10 * DAY])))
    order = data.draw(st.permutations(range(len(back))))
    back = [
        Known(msgspec.structs.replace(back[i].fact, at=back[place].fact.at)) for place, i in enumerate(order)
    ]
    engine = fold(line, [*knowns, *back])
    engine.advance(last_of([*knowns, *back]) + 60 * DAY)
    state = engine.state
    for key, wallet in state.wallets.items():
        assert (key, wallet.spendable, wallet.debt, wallet.pending) == (key, 0, 0, [])
        for lot in wallet.lots:
            assert lot.earned == lot.reversed, key
    plan = line.spans[0][2]
    for key, goal in state.goals.items():
        for window in (goal.window, *goal.closed):
            assert window.position == plan.goals[key].head_start
            assert (window.reached, window.granted, window.seen, window.units) == (0, [], {}, [])
    for streak in state.streaks.values():
        assert (streak.counts, streak.length, streak.reached, streak.granted) == ([], 0, 0, [])
        assert streak.ended == []
    assert (state.memberships, state.won_at, state.tiers_given) == ({}, {}, {})
    assert state.referral is None or state.referral[2] == ""
    assert all(counter[1] == 0 for counter in state.used.values())


@many
@given(st.data())
def test_returns_in_any_split_come_to_the_same(data: st.DataObject) -> None:
    """One return of an amount, or several of its parts right after each other."""
    program, knowns = drawn(data)
    knowns = [known for known in knowns if known.fact.type != RETURN]
    sales = [known.fact for known in knowns if known.fact.amount > 1 and known.fact.type == "sale"]
    if not sales:
        return
    sale = data.draw(st.sampled_from(sales))
    line = line_of(program)
    at = max(sale.at, data.draw(st.sampled_from([sale.at, last_of(knowns)]))) + 1
    if any(at <= known.fact.at <= at + 1 for known in knowns):
        # What lies between the parts would find the room of caps that the first has freed.
        at = last_of(knowns) + 1
    total = data.draw(st.integers(1, sale.amount))
    cut = data.draw(st.integers(0, total))
    ends = []
    for parts in ([total], [part for part in (cut, total - cut) if part]):
        back = [
            Known(
                Fact(
                    "desk",
                    f"z{number}",
                    RETURN,
                    at + number - len(parts) + 2,
                    sale=Reference(sale.source, sale.id),
                    amount=part,
                )
            )
            for number, part in enumerate(parts)
        ]
        engine = fold(line, [*knowns, *back])
        engine.advance(last_of(knowns) + 5 * DAY)
        found = summary(decode_state(encode_state(engine.state)))
        del found["last"]
        leaving: Counter[tuple[int, int]] = Counter()
        for leaves, *metrics in found["entries"]:
            leaving.update({(leaves, number): amount for number, amount in enumerate(metrics)})
        found["entries"] = leaving
        ends.append(found)
    assert ends[0] == ends[1]


@many
@given(st.data())
def test_transfers_add_up_to_wallets_and_lots(data: st.DataObject) -> None:
    program, knowns = drawn(data)
    engine = fold(line_of(program), knowns)
    engine.advance(last_of(knowns) + 40 * DAY)
    books = Books()
    for decision in engine.decisions:
        for transfer in decision.transfers:
            books.post(transfer)
        books.check()
    for key, wallet in engine.state.wallets.items():
        for lot in wallet.lots:
            row = [lot.earned, lot.redeemed, lot.expired, lot.reversed, lot.held, lot.remaining]
            assert books.lots.get((key, lot.id), [0] * 6) == row
        assert books.accounts[key, "wallet"] == wallet.spendable
        assert -books.accounts[key, "debt"] == wallet.debt
        assert books.accounts[key, "pending"] == sum(entry.amount for entry in wallet.pending)
