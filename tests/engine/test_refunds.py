"""Refunds: points of a redemption go back to the lots they came from, in any parts, and never twice."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.facts import Fact, Inputs, Known, Line, Reference, Tender
from palier.engine.history import fold
from palier.engine.program import Program
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.state import decode_state, encode_state
from tests.engine.arrival import Member, summary
from tests.engine.histories import knowns_of, timeline
from tests.engine.test_against_model import both, lots
from tests.model.cases import DAY
from tests.model.model import Fact as Told
from tests.model.test_model import at, back, closing, club, fact, hold, redeem, rule, sale

START = at("2026-01-31 10:00")
MONTHLY = {"expiry": {"kind": "end_of_month", "after_months": 1}}


def refund(name: str, of: str, when: int | str, points: int) -> Told:
    return fact("refund", name, when, undoes={"source": "till", "id": of}, points=points, currency="points")


def paid(name: str, of: str, when: str, amount: int, part: int) -> Told:
    tenders = [
        {"kind": "points", "amount": part, "redemption": {"source": "till", "id": of}},
        {"kind": "card", "amount": amount - part},
    ]
    return sale(name, when, amount, tenders=tenders)


def spent(program: Program, *parts: int) -> list[Told]:
    """30 points until March and 20 until April, of which 40 are used and so much is given back."""
    told = [
        sale("january", START, 3000),
        sale("february", START + DAY, 2000),
        redeem("r", START + 2 * DAY, 40),
    ]
    return told + [refund(f"b{n}", "r", START + 3 * DAY + n, points) for n, points in enumerate(parts)]


# --- worked examples, on which engine and model agree -----------------------------------------------


def test_the_last_taken_come_back_first_with_their_own_end() -> None:
    program = club(points=MONTHLY)
    march, april = at("2026-03-01 00:00"), at("2026-04-01 00:00")
    assert lots(both(program, spent(program, 15), START + 4 * DAY)) == {
        march: {"earned": 30, "redeemed": 25, "remaining": 5},
        april: {"earned": 20, "remaining": 20},
    }
    assert lots(both(program, spent(program, 15, 25), START + 4 * DAY)) == {
        march: {"earned": 30, "remaining": 30},
        april: {"earned": 20, "remaining": 20},
    }


def test_what_comes_back_to_lapsed_points_expires_at_once_or_has_the_grace_of_returns() -> None:
    told = [*spent(club(points=MONTHLY)), refund("late", "r", "2026-03-05 12:00", 40)]
    end = both(club(points=MONTHLY), told, "2026-03-05 12:00")
    assert lots(end)[at("2026-03-01 00:00")] == {"earned": 30, "expired": 30}
    assert lots(end)[at("2026-04-01 00:00")] == {"earned": 20, "remaining": 20}
    end = both(club(points={**MONTHLY, "return_grace_days": 5}), told, "2026-03-05 12:00")
    assert lots(end)[at("2026-03-11 00:00")] == {"earned": 30, "remaining": 30}


def test_a_granted_refund_gives_back_no_more_than_was_spent() -> None:
    end = both(club(points=MONTHLY), spent(club(points=MONTHLY), 30, 30, 1), START + 4 * DAY)
    assert sum(lot.get("remaining", 0) for lot in lots(end).values()) == 50


def test_a_captured_hold_is_refunded_by_its_own_name() -> None:
    told = [
        sale("s", START, 5000),
        hold("h", START + 1, 30),
        {**closing("capture", "c", START + 2, "h"), "points": 20},
        refund("b", "h", START + 3, 12),
    ]
    assert lots(both(club(), told)) == {None: {"earned": 50, "redeemed": 8, "remaining": 42}}


def test_returns_and_refunds_together_give_back_what_was_spent_once() -> None:
    """The sale came after the refund: of its 20 points 15 were back already."""
    told = [
        sale("s1", START, 5000),
        redeem("r", START + 1, 20),
        refund("b", "r", START + 2, 15),
        paid("s2", "r", "2026-02-01 10:00", 3000, 2000),
        back("half", "s2", "2026-02-02 10:00", amount=1500),
        back("rest", "s2", "2026-02-03 10:00", amount=1500),
    ]
    program = club([rule(when={"field": "amount", "at_least": "50"})])
    assert lots(both(program, told[:4])) == {None: {"earned": 50, "redeemed": 5, "remaining": 45}}
    for known in (told[:5], told):
        assert lots(both(program, known)) == {None: {"earned": 50, "remaining": 50}}


def test_debt_that_a_redemption_left_is_paid_by_its_refund() -> None:
    """A return of before the redemption leaves 10 owed: what is given back pays that first."""
    told = [
        sale("s", START, 5000),
        back("late", "s", START + 1, amount=1000),
        redeem("r", START + 2, 50),
        refund("b", "r", START + 3, 10),
    ]
    end = both(club(), told)
    assert (end["points"]["debt"], lots(end)) == (
        0,
        {None: {"earned": 50, "redeemed": 40, "reversed": 10}},
    )


# --- live -------------------------------------------------------------------------------------------


def live(program: Program | None = None) -> Fold:
    engine = Fold(timeline(program or club()), keep_records=True)
    lines = (Line("wine", "s1", 1, 5000),)
    decide(engine, Fact("till", "s", "sale", START, 5000, lines=lines))
    decide(engine, Fact("desk", "r", "redeem", START + 1, points=20, currency="points"))
    return engine


def decide(engine: Fold, fact: Fact) -> Decision | Refusal:
    return engine.decide(Known(fact, Inputs(), 1), live=True)


def asked(name: str, when: int, points: int, of: str = "r") -> Fact:
    return Fact("desk", name, "refund", when, points=points, currency="points", undoes=Reference("desk", of))


def code(answer: Decision | Refusal) -> RefusalCode:
    assert isinstance(answer, Refusal)
    assert answer.message
    assert answer.remedy
    return answer.code


def test_a_refund_past_what_is_left_is_refused_and_moves_nothing() -> None:
    engine = live()
    assert isinstance(decide(engine, asked("a", START + 2, 15)), Decision)
    before = summary(engine.state)
    assert code(decide(engine, asked("b", START + 3, 6))) is RefusalCode.REFUND_DOES_NOT_FIT
    assert summary(engine.state) == before
    assert isinstance(decide(engine, asked("c", START + 3, 5)), Decision)
    assert code(decide(engine, asked("d", START + 4, 1))) is RefusalCode.REFUND_DOES_NOT_FIT
    assert engine.state.wallets["points"].spendable == 50


def test_nothing_is_given_back_of_what_is_not_spent() -> None:
    engine = live()
    decide(engine, Fact("desk", "h", "hold", START + 2, points=5, currency="points"))
    assert code(decide(engine, asked("a", START + 3, 5, of="h"))) is RefusalCode.REFUND_DOES_NOT_FIT
    decide(engine, Fact("desk", "x", "release", START + 4, hold=Reference("desk", "h")))
    assert code(decide(engine, asked("b", START + 5, 5, of="h"))) is RefusalCode.REFUND_DOES_NOT_FIT
    assert code(decide(engine, asked("c", START + 5, 5, of="none"))) is RefusalCode.REFUND_DOES_NOT_FIT


def test_a_redemption_that_paid_a_sale_is_not_refunded_beside_its_returns() -> None:
    engine = live()
    tenders = (Tender("points", 2000, Reference("desk", "r")), Tender("card", 1000))
    decide(engine, Fact("till", "paid", "sale", START + 2, 3000, tenders=tenders))
    assert code(decide(engine, asked("a", START + 3, 20))) is RefusalCode.REDEMPTION_ALREADY_USED
    decide(engine, Fact("till", "b", "return", START + 4, sale=Reference("till", "paid"), whole=True))
    assert code(decide(engine, asked("c", START + 5, 1))) is RefusalCode.REDEMPTION_ALREADY_USED
    assert engine.state.wallets["points"].spendable == 50


def test_points_used_with_a_partner_come_back_from_its_account() -> None:
    price = {"from": "2026-01-01", "issue_price": "0.01", "burn_price": "0.01"}
    partner: dict[str, Any] = {
        "key": "bakery", "name": {"en": "Bakery", "fr": "Fournil"}, "currency": "points", "agreements": [price],
    }  # fmt: skip
    engine = live(club(partners=[partner]))
    used = Fact("desk", "u", "redeem", START + 2, points=6, currency="points", partner="bakery")
    decide(engine, used)
    answer = decide(engine, asked("a", START + 3, 4, of="u"))
    assert isinstance(answer, Decision)
    assert [row[:3] for row in answer.transfers] == [("restore", "partner:bakery:used", "wallet")]


# --- properties -------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 70)), min_size=1, max_size=6),
    st.integers(1, 400),
    st.lists(st.integers(1, 100), min_size=1, max_size=5),
    st.sampled_from([MONTHLY, {"expiry": {"kind": "rolling", "days": 90}}, {"scale": 2}]),
)
def test_redeemed_and_given_back_in_any_parts_is_as_if_nothing_was_spent(
    sales: list[tuple[int, int]], asked_for: int, weights: list[int], points: dict[str, Any]
) -> None:
    """Lots and all, while no lot has lapsed meanwhile; what is left after each part is what was not given back."""
    program = club(points=points)
    told = [sale(f"s{n}", START + n * DAY // 4, euros * 100) for n, (euros, _) in enumerate(sales)]
    earned = sum(euros for euros, _ in sales) * 10 ** points.get("scale", 0)
    total = min(asked_for, earned)
    now = START + 3 * DAY
    whole = sum(weights)
    marks = [total * part // whole for part in accumulate(weights)]
    parts = [mark - before for mark, before in zip(marks, [0, *marks], strict=False)]
    refunds = [refund(f"b{n}", "r", now + 1 + n, part) for n, part in enumerate(parts) if part]
    history = [*told, redeem("r", now, total), *refunds]
    ends = fold(timeline(program), knowns_of(history))
    ends.advance(now + DAY)
    never = fold(timeline(program), knowns_of(told))
    never.advance(now + DAY)
    for wallet in (ends.state.wallets, never.state.wallets):
        assert wallet["points"].spendable == earned
    assert summary(ends.state)["wallets"] == summary(never.state)["wallets"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_refunds_in_any_order_of_arrival(data: st.DataObject) -> None:
    """Beside returns, and with a sale that the redemption paid: the ledger stands as the fold has it."""
    told = [
        sale("s1", START, 5000),
        sale("s2", START + 40 * DAY, 3000),
        redeem("r", START + 41 * DAY, 60),
        refund("b1", "r", START + 42 * DAY, data.draw(st.integers(1, 70))),
        paid("p", "r", "2026-03-15 10:00", 9000, 6000),
        back("q", "p", "2026-03-16 10:00", amount=data.draw(st.integers(1, 9000))),
        refund("b2", "r", START + 60 * DAY, data.draw(st.integers(1, 70))),
        back("z", "s1", "2026-02-10 10:00", whole=True),
    ]
    policy = data.draw(st.sampled_from(["debt", "write_off"]))
    program = club(points={**MONTHLY, "taking_back": policy})
    knowns = knowns_of(told)
    line = timeline(program)
    whole = fold(line, knowns)
    last = START + 100 * DAY
    whole.advance(last)
    ends = summary(decode_state(encode_state(whole.state)))
    member = Member(line)
    for known in data.draw(st.permutations(knowns)):
        member.arrive(known)
    member.advance(last)
    assert summary(decode_state(member.state)) == ends


def test_a_return_takes_back_what_a_rule_brought_that_no_version_has_any_more() -> None:
    """As where another version has taken the place of the one that judged the sale."""
    engine = Fold(timeline(club()), keep_records=True)
    sold, back_again = knowns_of([sale("s", START, 1000), back("b", "s", START + DAY, whole=True)])
    assert isinstance(engine.decide(sold), Decision)
    (record,) = engine.sales.values()
    record.trace.version = 99
    for item in record.results:
        item.rule = "former"
    assert isinstance(engine.decide(back_again), Decision)
    assert engine.state.wallets["points"].spendable == 0
