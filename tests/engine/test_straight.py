"""The functions written out for activity types: they decide as the reference does, to the last byte.

ENGINE_EXAMPLES sets how many random cases are tried.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from palier.engine import backtest, straight
from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.facts import Fact, Inputs, Known, Line, Reference
from palier.engine.history import in_fold_order
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.state import NEVER, decode_state, encode_state
from palier.engine.trace import encode_trace
from tests.engine.histories import known_of, timeline
from tests.model import cases
from tests.model.cases import DAY, named
from tests.model.test_model import at, club, rule

EXAMPLES = int(os.environ.get("ENGINE_EXAMPLES", "300"))
START = at("2026-01-05 10:00")

many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


class ByReference(Fold):
    """A fold in which nothing is written out."""

    __slots__ = ()
    _earn = Fold._earn_by_reference


@contextmanager
def nothing_silent() -> Iterator[None]:
    with (
        mock.patch.object(straight, "silent", return_value=None),
        mock.patch.object(Fold, "_earn", Fold._earn_by_reference),
    ):
        yield


def bytes_of(decision: Decision) -> tuple[Any, ...]:
    fields = (decision.source, decision.id, decision.type, decision.at, decision.version, decision.tier)
    return (*fields, tuple(decision.transfers), encode_trace(decision.trace))


def standing_of(fold: Fold) -> Any:
    return msgspec.to_builtins(decode_state(encode_state(fold.state)))


def ladder(window: dict[str, Any], **settings: Any) -> dict[str, Any]:
    tiers = [
        named("green"),
        named("silver", qualify={"all": [{"metric": "spend", "at_least": "100"}]}),
        named("gold", qualify={"any": [{"metric": "visits", "at_least": "20"}]}),
    ]
    return {"tiers": tiers, "window": window, **settings}


def rich(**data: Any) -> Program:
    """Rules of every kind that is written out, caps on three floors, and a ladder."""
    rules = [
        rule("base", per_spend={"points": "1", "every": "1"}, tier_multipliers={"gold": "1.5"}),
        rule("bread", per_spend={"points": "2"}, lines={"field": "category", "is": "bread"}, group="food"),
        rule("bottle", per_unit="1", lines={"field": "category", "in": ["wine"]}, caps={"day": "9"}),
        rule("web", fixed="5", when={"field": "channel", "is": "web"}, caps={"week": "12"}),
        rule("monday", multiply="2", when={"field": "weekday", "is": "monday"}),
        rule("third", fixed="10", when={"field": "nth", "every": 3, "per": "month"}, group="food"),
    ]
    return club(
        rules,
        **{
            "groups": [{"key": "food", "caps": {"month": "60"}}],
            "caps": [{"currency": "points", "caps": {"day": "40", "activity": "35"}}],
            "tiers": ladder({"kind": "rolling", "days": 30}),
            **data,
        },
    )


def sales(count: int, step: int = DAY // 3, start: int = START) -> list[Known]:
    """Sales of one member with two lines each, different enough to meet every rule and every cap."""
    found = []
    for number in range(count):
        bread, wine = 100 + 211 * number % 900, 50 + 97 * number % 400
        lines = (Line("bread", "b", 1, bread), Line("wine", "w", number % 4, wine))
        channel = "web" if number % 3 else "shop"
        fact = Fact(
            "till", f"s{number}", "sale", start + number * step, bread + wine, lines=lines, channel=channel
        )
        found.append(Known(fact, activity_id=number + 1))
    return found


def compare(program: Program, knowns: list[Known], end: int) -> None:
    line = timeline(program)
    folds = Fold(line, keep_records=True), ByReference(line, keep_records=True)
    for known in in_fold_order(knowns):
        answers = [fold.decide(known) for fold in folds]
        ours, theirs = (bytes_of(each) if isinstance(each, Decision) else each for each in answers)
        assert ours == theirs
        assert standing_of(folds[0]) == standing_of(folds[1])
    for fold in folds:
        fold.advance(end)
    assert [bytes_of(each) for each in folds[0].decisions] == [bytes_of(each) for each in folds[1].decisions]
    assert standing_of(folds[0]) == standing_of(folds[1])
    for threshold in (None, backtest.Threshold("points", 25)):
        ours = backtest.play(line, knowns, until=end, settled_at=end - DAY, threshold=threshold)
        with nothing_silent():
            theirs = backtest.play(line, knowns, until=end, settled_at=end - DAY, threshold=threshold)
        assert without_nothing(ours) == without_nothing(theirs)


def without_nothing(played: backtest.Played) -> Any:
    """How a history came out, in plain form; a movement of no points is none."""
    standings = [
        ({key: n for key, n in each.moved.items() if n}, each.wallets, each.tier, each.settled_at)
        for each in (played.settled, played.end)
    ]
    counts = (played.decisions, played.passed_over, played.spend, played.reached, played.waited)
    return standings, counts


@many
@given(st.data(), st.booleans())
def test_written_out_and_reference_agree(data: st.DataObject, contested: bool) -> None:
    program, history = data.draw(cases.cases(most=12, contested=contested))
    compare(
        program,
        [known_of(told, number) for number, told in enumerate(history, start=1)],
        max(each["at"] for each in history) + 100 * DAY,
    )


@pytest.mark.parametrize(
    "window",
    [{"kind": "rolling", "days": 30}, {"kind": "calendar", "period": "month"}, {"kind": "lifetime"}],
    ids=lambda window: window["kind"],
)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"points": {"expiry": {"kind": "rolling", "days": 20}}},
        {"points": {"expiry": {"kind": "end_of_month", "after_months": 0}}},
        {"points": {"pending": {"kind": "days", "days": 2}}},
        {"groups": [{"key": "food", "stacking": "best"}]},
    ],
    ids=["plain", "expires", "expires_by_month", "waits", "best"],
)
def test_a_rich_program_agrees_over_a_clock_change(window: dict[str, Any], changes: dict[str, Any]) -> None:
    program = rich(tiers=ladder(window, grace_days=3, soft_landing=True, points_currency="points"), **changes)
    compare(program, sales(90, DAY // 2, at("2026-03-10 10:00")), at("2026-07-01 10:00"))


def mechanical(**data: Any) -> Program:
    """The rich program, with goals of every measure and streaks of one member that its sales move."""

    def goal(key: str, *at: str, **settings: Any) -> dict[str, Any]:
        steps = [
            {"at": each, "name": {"en": each, "fr": each}, "grants": [{"currency": "points"}]} for each in at
        ]
        return named(key, steps=steps, **settings)

    web = {"field": "channel", "is": "web"}
    wine = {"field": "category", "is": "wine"}
    early = {"field": "time", "from": "06:00", "until": "12:00"}
    goals = [
        goal("card", "4", when=web, repeat=True, most_per_day=1),
        goal(
            "trail", "20", "60", measure="spend", window={"kind": "each", "period": "month"}, head_start="5"
        ),
        goal(
            "cellar", "3", "6", measure="units", lines=wine, repeat=True, surplus="reset", free_unit="average"
        ),
        goal(
            "earned",
            "50",
            "90",
            measure="points",
            currency="points",
            window={"kind": "from_start", "days": 9},
        ),
        goal("kinds", "1", "2", measure="distinct", distinct="category"),
        goal("third", "2", when={"field": "nth", "every": 3, "per": "week"}),
    ]
    length = [{"at": 3, "grants": [{"currency": "points", "points": "7"}]}]
    streaks = [
        named("daily", on=["sale"], zone="program", steps=length, repeat=True),
        named("mornings", on=["sale"], period="week", least=2, when=early, steps=length),
    ]
    return rich(**{"goals": goals, "streaks": streaks, **data})


@pytest.mark.parametrize("rules", [True, False], ids=["with_rules", "without_rules"])
def test_mechanics_agree_with_returns_between(rules: bool) -> None:
    knowns = sales(60, DAY // 2)
    back = [
        Known(
            Fact(
                "till", f"b{n}", "return", sale.at + 3 * DAY, sale=Reference(sale.source, sale.id), whole=True
            )
        )
        for n, sale in enumerate(known.fact for known in knowns[3::7])
    ]
    program = mechanical()
    if not rules:
        program = msgspec.structs.replace(program, rules=[], groups=[], caps=[])
    compare(program, [*knowns, *back], START + 60 * DAY)


@pytest.mark.parametrize(
    "part",
    [
        {"streaks": [named("two", on=["sale"], of="pair", zone="program")]},
        {
            "games": [
                named(
                    "luck",
                    kind="surprise",
                    on=["sale"],
                    prizes=[named("cup", weight=1, grants=[{"currency": "points"}])],
                )
            ]
        },
        {"referral": {"on": ["sale"], "referrer": [{"currency": "points"}]}},
    ],
    ids=["pair", "surprise", "referral"],
)
def test_what_concerns_others_or_is_drawn_is_the_references(part: dict[str, Any]) -> None:
    plan = plan_of(**part)
    assert straight.told(plan, "sale") is None
    assert straight.silent(plan, "sale") is None


def test_mechanics_are_counted_without_the_reference() -> None:
    line = timeline(mechanical())
    assert straight.silent(line.spans[0][2], "sale") is None
    with mock.patch.object(Fold, "_earn_by_reference", side_effect=AssertionError("left to the reference")):
        fold = Fold(line)
        for known in sales(60):
            assert isinstance(fold.decide(known), Decision)
    causes = {grant.cause.split(":")[1] for each in fold.decisions for grant in each.trace.grants}
    assert causes == {"card", "trail", "cellar", "earned", "kinds", "third", "daily", "mornings"}


def test_what_is_common_is_decided_without_the_reference() -> None:
    """Otherwise the two would agree because nothing is written out."""
    line = timeline(rich())
    with mock.patch.object(Fold, "_earn_by_reference", side_effect=AssertionError("left to the reference")):
        fold = Fold(line)
        for known in sales(60):
            assert isinstance(fold.decide(known), Decision)
        with mock.patch.object(Fold, "decide", side_effect=AssertionError("not silent")):
            played = backtest.play(line, sales(60), until=START + 40 * DAY)
    assert played.decisions >= 60


def test_sales_that_returns_name_keep_a_record() -> None:
    knowns = sales(10)
    sale = knowns[4].fact
    back = Fact("till", "b", "return", sale.at + 1, sale=Reference(sale.source, sale.id), whole=True)
    compare(rich(), [*knowns, Known(back)], START + 40 * DAY)


def test_only_sales_are_spend() -> None:
    rent = {**rule("rent"), "on": "rent"}
    program = club([rule(), rent], activity_types=[named("rent", money=True)])
    paid = [Known(Fact("app", f"r{n}", "rent", START + n * DAY + 1, 70_000)) for n in range(4)]
    compare(program, [*paid, *sales(9)], START + 40 * DAY)
    bought = sum(known.fact.amount for known in sales(9))
    assert backtest.play(timeline(program), [*paid, *sales(9)], until=START + 40 * DAY).spend == bought


# --- what is left alone -------------------------------------------------------------------------------


def plan_of(*rules: dict[str, Any], **data: Any) -> Plan:
    return Plan(club(list(rules) or None, **data), 1)


@pytest.mark.parametrize(
    "content",
    [
        {"amount": 0},
        {"lines": (Line("bread", amount=400), Line("card", amount=600, kind="gift_card"))},
        {"lines": (Line("bread", amount=400), Line("wine", amount=500))},
        {"shipping": 2000},
    ],
    ids=["nothing", "gift_card", "shared_out", "shipping"],
)
def test_an_unusual_sale_is_left_to_the_reference(content: dict[str, Any]) -> None:
    plan = plan_of()
    function = straight.told(plan, "sale")
    assert function is not None
    fold = Fold(Timeline([(0, NEVER, plan)]))
    fold.state.tier.key = plan.levels[0]
    before = standing_of(fold)
    fact = Fact("till", "a", "sale", START, **{"amount": 1000, **content})
    assert function(fold, fact, Inputs(), START, (START, 0, "till", "a")) is None
    assert standing_of(fold) == before


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"rounding": {"per": "carry"}}, "sale"),
        ({"rounding": {"per": "line"}}, "sale"),
        ({"base": {"tax": "out"}}, "sale"),
        ({}, "unheard_of"),
    ],
)
def test_an_unusual_type_is_not_written_out(changes: dict[str, Any], kind: str) -> None:
    plan = plan_of(rule(**changes))
    assert straight.told(plan, kind) is None
    assert straight.silent(plan, kind) is None


@pytest.mark.parametrize("part", ["Rule", "PointCurrency", "TierLadder", "Caps"])
def test_a_setting_that_is_not_known_leaves_everything_to_the_reference(part: str) -> None:
    setting = {"Rule": "fixed", "PointCurrency": "scale", "TierLadder": "grace_days", "Caps": "day"}[part]
    program = club(
        [rule(fixed="3", caps={"day": "9"})],
        points={"scale": 1},
        tiers=ladder({"kind": "lifetime"}, grace_days=4),
    )
    assert straight.told(Plan(program, 1), "sale") is not None
    known = {
        kind: " ".join(name for name in names.split() if (kind.__name__, name) != (part, setting))
        for kind, names in straight._READ.items()
    }
    with mock.patch.object(straight, "_READ", known):
        assert straight.told(Plan(program, 1), "sale") is None


def test_a_part_of_the_program_that_is_not_known_is_not_passed_over() -> None:
    known = {**straight._READ, Program: straight._READ[Program].replace(" tiers", "")}
    plan = Plan(club(tiers=ladder({"kind": "lifetime"})), 1)
    with mock.patch.object(straight, "_READ", known):
        assert straight.silent(plan, "sale") is None
        assert straight.told(plan, "sale") is None


def test_memberships_that_run_are_the_references() -> None:
    line = timeline(club())
    folds = Fold(line), ByReference(line)
    for fold in folds:
        fold.state.memberships = {"club": START + 2 * DAY}
        for known in sales(9):
            fold.decide(known)
    assert [bytes_of(each) for each in folds[0].decisions] == [bytes_of(each) for each in folds[1].decisions]
    assert folds[0].decisions[0].trace.memberships == ["club"]


def test_every_name_of_a_setting_is_one() -> None:
    for kind, names in straight._READ.items():
        assert set(names.split()) <= {field.name for field in msgspec.structs.fields(kind)}


# --- the text -----------------------------------------------------------------------------------------


def test_no_text_of_a_document_enters_the_source() -> None:
    text = "'); import os #\"\n"
    on_text = {"field": "channel", "in": [text, "web"]}
    program = club(
        [
            rule("evil_key", when=on_text, fixed="1"),
            rule(when={"field": "member.note", "is": text}, lines={"field": "sku", "is": text}),
        ],
        member_attributes={"note": {"type": "text"}},
    )
    for told in (True, False):
        written = straight.source(Plan(program, 1), "sale", told=told)
        assert written is not None
        for word in ("evil", "import", "note", "points", "club", "web"):
            assert word not in written[0]


def numbered(text: str) -> str:
    """The text with its constants numbered as they come, however many there are beside them."""
    names: dict[str, str] = {}
    return re.sub(r"\b(_k|[A-Z_]+_)[0-9]+\b", lambda m: names.setdefault(m[0], f"{m[1]}{len(names)}"), text)


GOLDEN = """\
def decide(fold, fact, inputs, at, position):
    state = fold.state
    due_at = state.due_at
    standing = state.tier
    held = standing.key
    if state.memberships or standing.given: return None
    if not held: held = standing.key = STR_0
    tier = 0
    rises = False
    count = state.used.get(STR_1)
    of_used_0, used_0 = (-1, 0) if count is None else count
    if fact.tenders or inputs.acts_at or inputs.judgement is not None: return None
    amount = fact.amount
    if not amount: return None
    lines = fact.lines
    goods = amount - fact.shipping
    listed = 0
    for line in lines:
        if line.kind != 'product':
            listed = -1
            break
        paid = line.amount
        listed += paid
    if goods < 0 or (lines and listed != goods): return None
    sky = SKIES_2[at // 86400000000]
    if sky is None:
        day, minute = LOCAL_3(at)
    else:
        offset, stay = sky
        day = (at + offset) // 86400000000 + 719163
    fate, lot_id, = DAYS_4[day]
    channel = fact.channel
    now_used_0 = used_0 if of_used_0 == day else 0
    room_0 = 50 - now_used_0
    sum_0 = 0
    results = []
    raw = goods // 200
    sum_0 += raw
    results.append(RULETRACE_5(STR_6, STR_7, goods, raw, raw, raw, lot_id if raw else 0))
    if (channel == _k8):
        sum_0 += 5
        results.append(RULETRACE_5(_k8, STR_7, 1, 5, 5, 5, lot_id))
    rooms = {STR_1: room_0}
    trace = TRACE_9(7, held, '', results, rooms, {}, {}, {})
    if sum_0 > room_0:
        brought = LIMITED_10(PLAN_11, ACTIVITYPLAN_12, results, rooms)
        earned_0 = brought.get(STR_6, 0)
        earned_1 = brought.get(_k8, 0)
        sum_0 = earned_0 + earned_1
    transfers = []
    if sum_0:
        wallet = state.wallets.get(STR_7) or fold._wallet(STR_7)
        lots = wallet.lots
        lot = lots[-1] if lots else None
        if lot is None or lot.id != lot_id or lot.first_earned > at:
            lot = fold._lot(STR_7, lot_id, fate, '', at)
        if wallet.debt or lot.lapses_at <= at:
            fold._credit(STR_7, lot, sum_0, at, transfers, 'earn', 'issuance')
        else:
            if lot.lapses_at < due_at: due_at = lot.lapses_at
            lot.earned += sum_0
            lot.remaining += sum_0
            transfers.append(('earn', 'issuance', 'wallet', STR_7, lot_id, sum_0, at))
    if sum_0:
        of_used_0 = day
        used_0 = now_used_0 + sum_0
    if of_used_0 >= 0: state.used[STR_1] = [of_used_0, used_0]
    if due_at < state.due_at: state.due_at = due_at
    if rises: fold._rise(PLAN_11, at, trace)
    if fold.keep_records:
        fold.sales[KEY_OF_13(fact.source, fact.id)] = SALERECORD_14(fact, inputs, trace, position)
    return DECISION_15(fact.source, fact.id, fact.type, at, 7, standing.key, transfers, trace)
"""


def test_the_text_of_a_small_program() -> None:
    program = club(
        [
            rule(per_spend={"points": "1", "every": "2"}),
            rule("web", fixed="5", when={"field": "channel", "is": "web"}),
        ],
        caps=[{"currency": "points", "caps": {"day": "50"}}],
    )
    written = straight.source(Plan(program, 7), "sale", told=True)
    assert written is not None
    assert numbered(written[0]) == GOLDEN


def test_a_later_sale_may_leave_the_window_first() -> None:
    """In the hour that a clock repeats, what is later by the instant is earlier on the wall 30 days on."""
    night = at("2026-10-25 02:40")
    hour = DAY // 24
    first, second = night, night + 40 * (hour // 60)
    knowns = [Known(Fact("till", name, "sale", when, 6000)) for name, when in (("a", first), ("b", second))]
    program = club(tiers=ladder({"kind": "rolling", "days": 30}))
    fold = Fold(timeline(program))
    for known in knowns:
        fold.decide(known)
    assert [entry[0] - night for entry in fold.state.tier.entries] == [
        30 * DAY + hour - 20 * (hour // 60),
        30 * DAY + hour,
    ]
    compare(program, knowns, night + 40 * DAY)
