"""What the fold promises of one member: whole returns, refusals, late activities, and the same bytes anywhere."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.facts import Fact, Inputs, Known, Line, Reference, ReturnedLine, Tender
from palier.engine.history import fold, judge_late
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.state import NEVER, encode_state
from palier.engine.trace import encode_trace
from tests.engine.arrival import Books, summary
from tests.engine.histories import timeline
from tests.model.cases import DAY, currency, named
from tests.model.test_model import at, club, rule

START = at("2026-01-05 10:00")


def known(kind: str, name: str, when: int | str, **content: Any) -> Known:
    moment = at(when) if isinstance(when, str) else when
    source = "desk" if kind in ("redeem", "hold", "capture", "release", "adjust", "transfer_out") else "till"
    return Known(Fact(source, name, kind, moment, **content), Inputs(), 1)


def redeemed(name: str, when: int | str, points: int) -> Known:
    return known("redeem", name, when, currency="points", points=points)


def of(name: str, source: str = "till") -> Reference:
    return Reference(source, name)


def applied(answer: Decision | Refusal) -> Decision:
    assert isinstance(answer, Decision), answer
    return answer


def refused(answer: Decision | Refusal) -> RefusalCode:
    assert isinstance(answer, Refusal), answer
    assert answer.message
    assert answer.remedy
    return answer.code


# --- whole returns ----------------------------------------------------------------------------------

WINE = (
    Line("wine", "s1", 3, 2999),
    Line("bread", "s2", 1, 333),
    Line("card", "s3", 1, 1000, "gift_card"),
)
PARTS: dict[str, dict[str, Any]] = {
    "line": {"returned": (ReturnedLine(0, 1500),)},
    "units": {"returned": (ReturnedLine(0, 0, 1), ReturnedLine(1, 0, 1))},
    "amount": {"amount": 777},
    "more than there is": {"returned": (ReturnedLine(1, 400), ReturnedLine(0, 5000))},
    "whole": {"whole": True},
}


def rich() -> Program:
    """Every part of a program that a return has to undo."""
    silver = named("silver", qualify={"any": [{"metric": "spend", "at_least": "20"}]})
    return club(
        [
            rule("base", per_spend={"points": "1.25", "every": "1"}, tier_multipliers={"silver": "1.5"}),
            rule("carried", per_spend={"points": "1", "every": "7"}, rounding={"per": "carry"}, group="one"),
            rule(
                "lines",
                rounding={"per": "line", "mode": "half_up"},
                lines={"field": "category", "is": "wine"},
            ),
            rule("units", per_unit="2.5", caps={"day": "9", "month": "12"}),
            rule("bonus", fixed="11", when={"field": "amount", "at_least": "10"}),
            rule("double", multiply="2", when={"field": "nth", "is": 1, "per": "month"}),
        ],
        groups=[{"key": "one", "caps": {"week": "5"}}],
        caps=[{"currency": "points", "caps": {"year": "400"}}],
        points={"expiry": {"kind": "end_of_month", "after_months": 1}},
        tiers={
            "tiers": [named("base"), silver],
            "window": {"kind": "rolling", "days": 30},
            "points_currency": "points",
        },
    )


@pytest.mark.parametrize("meanwhile", ["nothing", "redeemed", "expired"])
def test_a_whole_return_in_any_parts_and_order_leaves_nothing_of_the_sale(meanwhile: str) -> None:
    line = timeline(rich())
    tenders = (Tender("points", 1000, of("pay", "desk")), Tender("card", 3822))
    sale = known(
        "sale", "s", START, amount=4822, tax=804, shipping=490, discount=250, lines=WINE, tenders=tenders
    )
    before = [
        known("adjust", "start", START - DAY, currency="points", points=40),
        redeemed("pay", START - 1, 33),
    ]
    after = {"nothing": 1, "redeemed": 1, "expired": 90}[meanwhile]
    spent = [redeemed("spend", START + 1, 20)] if meanwhile == "redeemed" else []
    ends = set()
    for order in itertools.permutations(PARTS):
        returns = [
            known("return", f"r{number}", START + (after + number) * DAY, sale=of("s"), **PARTS[name])
            for number, name in enumerate(order)
        ]
        engine = fold(line, [*before, sale, *spent, *returns])
        state = engine.state
        books = Books()
        for decision in engine.decisions:
            for transfer in decision.transfers:
                books.post(transfer)
        books.check()
        record = engine.sales["till\0s"]
        assert record.kept().amount == 0
        assert record.results == []
        assert all(counter[1] == 0 for counter in state.used.values())
        assert all(carried[0] == 0 for carried in state.carry.values())
        assert state.nth["sale:month"][1] == 0
        assert sum(entry[1] for entry in state.tier.entries) == 0
        assert state.tier.key == "base"
        wallet = state.wallets["points"]
        owed = {"nothing": 40, "redeemed": 20, "expired": 0}[meanwhile]
        assert wallet.spendable - wallet.debt == owed
        ends.add((wallet.spendable, wallet.debt))
    assert len(ends) == 1


def test_what_paid_comes_back_once_and_to_its_lots() -> None:
    line = timeline(club(points={"expiry": {"kind": "rolling", "days": 90}}))
    facts = [
        known("sale", "a", START, amount=1000),
        known("sale", "b", START + DAY, amount=1000),
        redeemed("pay", START + 2 * DAY, 15),
        known(
            "sale",
            "s",
            START + 2 * DAY + 1,
            amount=2000,
            tenders=(Tender("points", 2000, of("pay", "desk")),),
        ),
    ]
    first = fold(line, facts)
    lots = [(lot.id, lot.redeemed) for lot in first.state.wallets["points"].lots]
    assert [spent for _, spent in lots] == [10, 5]
    facts += [
        known("return", f"r{n}", START + (3 + n) * DAY, sale=of("s"), amount=amount)
        for n, amount in enumerate((400, 900, 700, 5000))
    ]
    engine = fold(line, facts)
    given = [d.trace.restored for d in engine.decisions if d.type == "return"]
    # floor(15 x 400 / 2000) = 3, floor(15 x 1300 / 2000) = 9, 15; the second lot was taken last
    assert given == [[(lots[1][0], 3)], [(lots[1][0], 2), (lots[0][0], 4)], [(lots[0][0], 6)], []]
    assert [d.trace.cut for d in engine.decisions if d.type == "return"] == [0, 0, 0, 5000]
    assert [lot.redeemed for lot in engine.state.wallets["points"].lots if lot.earned] == [0, 0]


# --- refusals ---------------------------------------------------------------------------------------


def live(program: Program | None = None) -> Fold:
    engine = Fold(timeline(program or club()), keep_records=True)
    applied(engine.decide(known("sale", "s", START, amount=1000, lines=(Line("wine", "s1", 1, 1000),))))
    return engine


REFUSED: list[tuple[RefusalCode, Known]] = [
    (RefusalCode.INSUFFICIENT_POINTS, redeemed("r", START + DAY, 11)),
    (RefusalCode.INSUFFICIENT_POINTS, known("hold", "r", START + DAY, currency="points", points=11)),
    (RefusalCode.INSUFFICIENT_POINTS, known("adjust", "r", START + DAY, currency="points", points=-11)),
    (RefusalCode.INSUFFICIENT_POINTS, known("transfer_out", "r", START + DAY, currency="points", points=11)),
    (RefusalCode.UNKNOWN_POINT_CURRENCY, known("redeem", "r", START + DAY, currency="miles", points=1)),
    (RefusalCode.UNKNOWN_POINT_CURRENCY, known("adjust", "r", START + DAY, currency="miles", points=1)),
    (RefusalCode.HOLD_CLOSED, known("capture", "r", START + DAY, hold=of("h", "desk"))),
    (RefusalCode.HOLD_CLOSED, known("release", "r", START + DAY, hold=of("h", "desk"))),
    (RefusalCode.UNKNOWN_SALE, known("return", "r", START + DAY, sale=of("other"), whole=True)),
    (
        RefusalCode.RETURN_DOES_NOT_FIT,
        known("return", "r", START + DAY, sale=of("s"), returned=(ReturnedLine(1, 5),)),
    ),
]


@pytest.mark.parametrize(("code", "asked"), REFUSED, ids=lambda value: getattr(value, "value", None))
def test_a_refusal_moves_nothing(code: RefusalCode, asked: Known) -> None:
    engine = live()
    engine.advance(START + DAY)
    before = summary(engine.state)
    count = len(engine.decisions)
    assert refused(engine.decide(asked, live=True)) == code
    assert (summary(engine.state), len(engine.decisions)) == (before, count)


def test_nothing_is_decided_before_the_program_began() -> None:
    engine = Fold(Timeline([(START, NEVER, Plan(club(), 1))]))
    early = known("sale", "s", START - 1, amount=100)
    assert refused(engine.decide(early)) == RefusalCode.BEFORE_PROGRAM
    applied(engine.decide(known("sale", "t", START, amount=100)))


def test_a_capture_takes_no_more_than_was_held() -> None:
    engine = live()
    applied(engine.decide(known("hold", "h", START + 1, currency="points", points=6), live=True))
    more = known("capture", "c", START + 2, hold=of("h", "desk"), points=7)
    assert refused(engine.decide(more, live=True)) == RefusalCode.INSUFFICIENT_POINTS
    applied(engine.decide(known("capture", "d", START + 2, hold=of("h", "desk"), points=4), live=True))
    assert engine.state.wallets["points"].spendable == 6


def test_a_live_return_of_spent_points_is_refused_whole_and_a_late_one_never() -> None:
    program = club(points={"taking_back": "refuse"})
    returned = known("return", "r", START + DAY, sale=of("s"), amount=500)
    for alive in (True, False):
        engine = live(program)
        applied(engine.decide(redeemed("p", START + 1, 7), live=True))
        answer = engine.decide(returned, live=alive)
        if alive:
            assert refused(answer) == RefusalCode.POINTS_ALREADY_SPENT
            assert engine.sales["till\0s"].kept().amount == 1000
            assert engine.state.wallets["points"].spendable == 3
            applied(engine.decide(known("return", "q", START + DAY, sale=of("s"), amount=300), live=True))
        else:
            applied(answer)
            assert engine.state.wallets["points"].debt == 2


def test_granted_commands_are_never_refused_by_what_came_before_them_late() -> None:
    engine = fold(timeline(club()), [known("sale", "s", START, amount=1000), redeemed("r", START + 1, 25)])
    assert engine.state.wallets["points"].debt == 15
    assert engine.decisions[-1].trace.owed == 15


# --- beyond the late window -------------------------------------------------------------------------


def two_versions() -> Timeline:
    first = club(
        [
            rule("base", caps={"day": "30"}, tier_multipliers={"gold": "2"}),
            rule("first", fixed="7", when={"field": "nth", "is": 1, "per": "day"}),
        ],
        tiers={
            "tiers": [named("base"), named("gold", qualify={"all": [{"metric": "spend", "at_least": "10"}]})],
            "window": {"kind": "rolling", "days": 30},
        },
        points={"expiry": {"kind": "rolling", "days": 365}},
    )
    second = club([rule("base", per_spend={"points": "5", "every": "1"})])
    change = at("2026-06-01 00:00")
    return Timeline([(0, change, Plan(first, 1)), (change, NEVER, Plan(second, 2))])


def test_what_comes_too_late_is_judged_by_its_own_instant() -> None:
    line = two_versions()
    now = at("2026-09-01 12:00")
    knowns = [
        known("sale", "a", "2026-03-01 10:00", amount=1000),  # 10 and 7; gold from here to 31 March
        known("sale", "b", "2026-03-02 10:00", amount=500),  # 10 and 7, at gold; 20 of the day are left
        known("sale", "now", now, amount=100),
    ]
    late = Fact("till", "late", "sale", at("2026-03-02 15:00"), amount=1500)
    inputs = judge_late(line, knowns, late, now + 1, Inputs())
    assert inputs.acts_at == now + 1
    judged = inputs.judgement
    assert judged is not None
    assert (judged.version, judged.tier, judged.nth) == (1, "gold", {"day": 2})
    assert judged.rooms == {"rule:base:day": 20}
    engine = fold(line, [*knowns, Known(late, inputs)])
    decision = engine.decisions[-1]
    assert (decision.id, decision.at, decision.version, decision.trace.late) == ("late", now + 1, 1, True)
    (result,) = decision.trace.rules
    assert (result.multiplied, result.earned, result.limit) == (30, 20, "rule:base:day")
    lots = engine.state.wallets["points"].lots
    assert [lot.expires_at for lot in lots if lot.id == result.lot] == [at("2027-03-02 15:00")]
    # another late one finds the room that the first took, and the same ordinal
    other = judge_late(
        line, [*knowns, Known(late, inputs)], Fact("till", "z", "sale", late.at + 1), now + 1, Inputs()
    )
    assert other.judgement is not None
    assert other.judgement.rooms == {"rule:base:day": 0}


def test_what_comes_too_late_and_has_expired_expires_at_once() -> None:
    line = timeline(club(points={"expiry": {"kind": "rolling", "days": 30}}))
    knowns = [known("sale", "now", "2026-09-01 12:00", amount=100)]
    late = Fact("till", "late", "sale", at("2026-03-01 10:00"), amount=1000)
    inputs = judge_late(line, knowns, late, at("2026-09-01 12:00") + 1, Inputs())
    engine = fold(line, [*knowns, Known(late, inputs)])
    assert [transfer[0] for transfer in engine.decisions[-1].transfers] == ["earn", "expire"]
    assert engine.state.wallets["points"].spendable == 1


def test_what_comes_too_late_neither_prolongs_nor_shortens_a_life_by_activity() -> None:
    line = timeline(club(points={"expiry": {"kind": "inactivity", "days": 60}}))
    now = at("2026-09-01 12:00")
    late = Fact("till", "late", "sale", at("2026-03-01 10:00"), amount=1000)
    knowns = [known("sale", "now", now, amount=100)]
    engine = fold(line, [*knowns, Known(late, judge_late(line, knowns, late, now + 1, Inputs()))])
    wallet = engine.state.wallets["points"]
    assert (wallet.idle_at, wallet.spendable) == (at("2026-10-31 12:00"), 11)
    # with nothing left alive, the time of the late one had passed
    visit = [known("visit", "v", now)]
    engine = fold(line, [*visit, Known(late, judge_late(line, visit, late, now + 1, Inputs()))])
    assert [transfer[0] for transfer in engine.decisions[-1].transfers] == ["earn", "expire"]


def test_moved_points_keep_their_expiry_and_funder() -> None:
    line = timeline(club(points={"expiry": {"kind": "inactivity", "days": 60}}))
    giver = Fold(line)
    applied(giver.decide(known("sale", "s", START, amount=1000)))
    moved = giver.choose("points", 4)
    out = known("transfer_out", "o", START + 1, currency="points", points=4, moved=moved)
    assert [transfer[:3] for transfer in applied(giver.decide(out, live=True)).transfers] == [
        ("transfer_out", "wallet", "in_transit")
    ]
    taker = Fold(line)
    applied(taker.decide(known("sale", "t", START + 30 * DAY, amount=100)))
    into = Known(Fact("desk", "i", "transfer_in", START + 31 * DAY, points=4, currency="points", moved=moved))
    applied(taker.decide(into))
    applied(taker.decide(known("sale", "u", START + 40 * DAY, amount=100)))
    fates = [(lot.expires_at, lot.first_earned, lot.remaining) for lot in taker.state.wallets["points"].lots]
    assert fates == [(START + 60 * DAY, START, 4), (at("2026-04-15 10:00"), START + 30 * DAY, 2)]


# --- the same bytes anywhere ------------------------------------------------------------------------


def told() -> bytes:
    """Traces, transfers and state of a long history, the same numbers each time."""
    chance = random.Random(7)
    line = timeline(rich())
    facts: list[Known] = []
    for number in range(300):
        when = START + number * 7 * 3600 * 1_000_000 + chance.randrange(10**9)
        kind = chance.choice(["sale"] * 6 + ["return"] * 3 + ["redeem", "hold"])
        sales = [fact for fact in facts if fact.fact.type == "sale"]
        if kind == "return" and sales:
            of_sale = chance.choice(sales[-20:]).fact
            content: dict[str, Any] = {
                "sale": Reference(of_sale.source, of_sale.id),
                "amount": chance.randrange(1, 3000),
            }
            facts.append(known("return", f"f{number}", when, **content))
        elif kind in ("redeem", "hold"):
            facts.append(known(kind, f"f{number}", when, currency="points", points=chance.randrange(1, 60)))
        else:
            amount = chance.randrange(1, 5000)
            facts.append(known("sale", f"f{number}", when, amount=amount, lines=WINE, tax=amount // 6))
    engine = fold(line, facts)
    engine.advance(START + 500 * DAY)
    texts = [(d.id, d.at, d.tier, d.transfers, encode_trace(d.trace).decode()) for d in engine.decisions]
    return json.dumps(texts).encode() + encode_state(engine.state)


def test_the_same_bytes_under_any_hash_seed_and_time_zone() -> None:
    expected = told().hex()
    script = "from tests.engine.test_fold import told; print(told().hex())"
    root = Path(__file__).parents[2]
    for seed, zone in (("0", "UTC"), ("1", "Asia/Kolkata"), ("4711", "America/St_Johns")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"}
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected, (seed, zone)


def test_points_with_a_scale_and_another_currency_stay_apart() -> None:
    program = club(
        [rule(), {**rule("cash", per_spend={"points": "0.015", "every": "1"}), "currency": "cash"}],
        point_currencies=[currency(), currency("cash", scale=2)],
    )
    engine = fold(timeline(program), [known("sale", "s", START, amount=1999)])
    assert {key: wallet.spendable for key, wallet in engine.state.wallets.items()} == {
        "points": 19,
        "cash": 29,
    }
