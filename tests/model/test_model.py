"""Worked examples that pin the small model itself: each number here was found by hand.

If one of these fails, the model is wrong, not the engine.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from palier.engine.check import check, errors
from palier.engine.program import Program
from tests.model import cases
from tests.model.cases import DAY, HOUR, currency, named, program_of
from tests.model.model import (
    End,
    Fact,
    add_days,
    exact,
    fold,
    in_order,
    instant,
    local,
    ref,
    rounded,
    shares,
)

ONE_PER_EURO = {"points": "1", "every": "1"}


def at(text: str, zone: str = "Europe/Paris") -> int:
    """The instant of a local clock time such as "2026-03-01 10:00"."""
    return instant(datetime.fromisoformat(text), ZoneInfo(zone))


def utc(text: str) -> int:
    return at(text, "UTC")


def club(
    rules: list[dict[str, Any]] | None = None, points: dict[str, Any] | None = None, **rest: Any
) -> Program:
    """A program with one point per euro, unless told otherwise. It must mean something."""
    program = program_of(
        {
            "point_currencies": [currency(**(points or {}))],
            "rules": [rule()] if rules is None else rules,
            "activity_types": [
                named("shipped"),
                named("review", attributes={"stars": {"type": "integer"}}),
            ],
            **rest,
        }
    )
    assert errors(check(program)) == []
    return program


def rule(key: str = "spend", **settings: Any) -> dict[str, Any]:
    made = named(key, on="sale", currency="points", **settings)
    if not {"per_unit", "fixed", "multiply"} & set(settings):
        made.setdefault("per_spend", ONE_PER_EURO)
    return made


def sale(name: str, when: int | str, amount: int, **content: Any) -> Fact:
    return fact("sale", name, when, amount=amount, **content)


def fact(kind: str, name: str, when: int | str, **content: Any) -> Fact:
    moment = at(when) if isinstance(when, str) else when
    return {"type": kind, "source": "till", "id": name, "at": moment, **content}


def back(name: str, of: str, when: int | str, **content: Any) -> Fact:
    return fact("return", name, when, sale={"source": "till", "id": of}, **content)


def redeem(name: str, when: int | str, points: int) -> Fact:
    return fact("redeem", name, when, points=points, currency="points")


def hold(name: str, when: int | str, points: int) -> Fact:
    return fact("hold", name, when, points=points, currency="points")


def closing(kind: str, name: str, when: int | str, of: str) -> Fact:
    return fact(kind, name, when, hold={"source": "till", "id": of})


def end(program: Program, facts: list[Fact], as_of: int | str | None = None) -> End:
    return fold(program, facts).end(at(as_of) if isinstance(as_of, str) else as_of)


def brought(state: End) -> dict[str, int]:
    """What each activity brings, those that bring nothing left out."""
    return {name: points["points"] for (_, name), points in state.earned.items() if points["points"]}


def lots(state: End) -> dict[int | None, dict[str, int]]:
    """The lots by expiry, with the columns that are not 0."""
    return {
        expires: {column: n for column, n in lot.items() if n and column != "first_earned"}
        for (expires, _), lot in state.currencies["points"].lots.items()
    }


def posted(state: End) -> int:
    return state.currencies["points"].posted


def debt(state: End) -> int:
    return state.currencies["points"].debt


def pending(state: End) -> int:
    return state.currencies["points"].pending


# --- numbers and the calendar -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "floor", "ceiling", "half_up", "half_even"),
    [("2.5", 2, 3, 3, 2), ("3.5", 3, 4, 4, 4), ("2.4", 2, 3, 2, 2), ("2.51", 2, 3, 3, 3), ("3", 3, 3, 3, 3)],
)
def test_rounding(value: str, floor: int, ceiling: int, half_up: int, half_even: int) -> None:
    got = [rounded(exact(value, 0), mode) for mode in ("floor", "ceiling", "half_up", "half_even")]
    assert got == [floor, ceiling, half_up, half_even]


def test_shares_take_the_largest_remainder_and_ties_go_to_the_first() -> None:
    assert shares(10, [1, 1, 1]) == [4, 3, 3]
    assert shares(11, [1, 1, 1]) == [4, 4, 3]
    assert shares(100, [1, 2, 4]) == [14, 29, 57]  # 14.28, 28.57, 57.14
    assert shares(5, [0, 0]) == [0, 0]


def test_days_later_is_the_same_clock_time() -> None:
    paris = ZoneInfo("Europe/Paris")
    before = at("2026-03-28 10:00")
    assert add_days(before, 1, paris) - before == 23 * HOUR
    before = at("2026-10-24 10:00")
    assert add_days(before, 1, paris) - before == 25 * HOUR
    # 02:30 is skipped on 29 March: the offset before counts, which reads 03:30
    assert add_days(at("2026-03-28 02:30"), 1, paris) == utc("2026-03-29 01:30")
    # 02:30 comes twice on 25 October: the first
    assert add_days(at("2026-10-24 02:30"), 1, paris) == utc("2026-10-25 00:30")
    howe = ZoneInfo("Australia/Lord_Howe")  # moves by half an hour
    before = at("2026-04-04 12:00", "Australia/Lord_Howe")
    assert add_days(before, 1, howe) - before == 24 * HOUR + HOUR // 2


# --- the order of the fold --------------------------------------------------------------------------


def test_order_is_instant_then_activities_before_commands_then_source_and_id() -> None:
    facts = [
        redeem("a", "2026-01-01 10:00", 1),
        sale("z", "2026-01-01 10:00", 100),
        sale("b", "2026-01-01 10:00", 100),
        {**sale("z", "2026-01-01 10:00", 100), "source": "atm"},
        back("r", "z", "2025-12-01 10:00", amount=50),
        sale("y", "2026-01-01 09:59", 100),
        back("parked", "nobody", "2026-01-02 10:00", amount=1),
    ]
    order = [(each["source"], each["id"]) for _, each in in_order([*facts, facts[0]])]
    assert order == [
        ("till", "y"), ("atm", "z"), ("till", "b"), ("till", "z"), ("till", "r"), ("till", "a"),
    ]  # fmt: skip


def test_points_of_a_sale_can_be_spent_at_its_own_instant() -> None:
    state = end(club(), [sale("s", "2026-01-01 10:00", 5000), redeem("r", "2026-01-01 10:00", 50)])
    assert lots(state) == {None: {"earned": 50, "redeemed": 50}}
    assert debt(state) == 0


def test_a_return_dated_before_its_sale_acts_just_after_it() -> None:
    facts = [back("r", "s", "2025-12-01 10:00", amount=2000), sale("s", "2026-01-01 10:00", 5000)]
    state = end(club(), facts)
    assert brought(state) == {"s": 30}
    assert lots(state) == {None: {"earned": 50, "reversed": 20, "remaining": 30}}


def test_what_happens_later_is_not_seen_at_an_earlier_instant() -> None:
    facts = [sale("s", "2026-01-01 10:00", 5000), sale("t", "2026-02-01 10:00", 3000)]
    assert posted(end(club(), facts, "2026-01-31 10:00")) == 50
    assert posted(end(club(), facts)) == 80


# --- base and rounding ------------------------------------------------------------------------------


def test_floor_per_basket_per_line_and_carried() -> None:
    lines = [{"category": c, "sku": "x", "quantity": 1, "amount": 160, "kind": "product"} for c in "ab"]
    facts = [sale("s", "2026-01-01 10:00", 320, lines=lines), sale("t", "2026-01-02 10:00", 190)]
    for per, expected in (
        ("basket", {"s": 3, "t": 1}),
        ("line", {"s": 2, "t": 1}),
        ("carry", {"s": 3, "t": 2}),  # 3.20, then 1.90 + 0.20
    ):
        program = club([rule(rounding={"mode": "floor", "per": per})])
        assert brought(end(program, facts)) == expected, per


def test_a_returned_sale_leaves_a_negative_remainder_to_carry() -> None:
    program = club([rule(rounding={"mode": "floor", "per": "carry"})])
    facts = [
        sale("a", "2026-01-01 10:00", 160),  # 1, carries 0.60
        sale("b", "2026-01-02 10:00", 50),  # 1.10: 1, carries 0.10
        back("r", "a", "2026-01-03 10:00", amount=160),  # 0; carry 0.10 - 0.60
        sale("bb", "2026-01-03 11:00", 10),  # 0.10 - 0.50: 0, never less
        sale("c", "2026-01-04 10:00", 139),  # 1.39 - 0.40 = 0.99: 0
        sale("d", "2026-01-05 10:00", 1),  # 0.99 + 0.01 = 1
    ]
    state = end(program, facts)
    assert brought(state) == {"b": 1, "d": 1}


def test_shipping_gift_cards_tax_and_discounts() -> None:
    lines = [
        {"category": "a", "sku": "x", "quantity": 1, "amount": 6000, "kind": "product"},
        {"category": "g", "sku": "y", "quantity": 1, "amount": 3000, "kind": "gift_card"},
    ]
    facts = [sale("s", "2026-01-01 10:00", 10000, lines=lines, shipping=1000, tax=1666, discount=900)]

    def points(**base: str) -> int:
        # a point per cent shows every cent of the base
        return brought(end(club([rule(per_spend={"points": "1", "every": "0.01"}, base=base)]), facts))["s"]

    assert points() == 6000
    assert points(gift_cards="in") == 9000
    assert points(shipping="in") == 7000
    assert points(tax="out") == 6000 - 999  # 1666 x 6000 / 10000 = 999.6, floor
    assert points(discounts="ignored") == 6000 + 600  # 900 x 6000 / 9000
    assert points(tax="out", discounts="ignored", shipping="in", gift_cards="in") == 10000 - 1666 + 900


def test_lines_share_what_was_paid_when_they_do_not_add_up_to_it() -> None:
    lines = [
        {"category": c, "sku": "x", "quantity": 1, "amount": 1000, "kind": "product"} for c in ("a", "b", "b")
    ]
    wanted = rule(per_spend={"points": "1", "every": "0.01"}, lines={"field": "category", "is": "b"})
    # 2000 over three equal lines: 667, 667, 666
    assert brought(end(club([wanted]), [sale("s", "2026-01-01 10:00", 2000, lines=lines)])) == {"s": 1333}


def test_tenders_split_the_base_and_have_rates_of_their_own() -> None:
    tenders = [
        {"kind": "card", "amount": 5000},
        {"kind": "cash", "amount": 3000},
        {"kind": "points", "amount": 2000},
    ]
    facts = [sale("s", "2026-01-01 10:00", 10000, tenders=tenders)]
    assert brought(end(club(), facts)) == {"s": 80}  # the points part does not count
    assert brought(end(club([rule(tenders={"card": "2"})]), facts)) == {"s": 130}
    assert brought(end(club([rule(base={"points_part": "in"})]), facts)) == {"s": 100}


def test_per_unit_counts_the_units_of_the_lines_that_match() -> None:
    lines = [
        {"category": "wine", "sku": "x", "quantity": 3, "amount": 3000, "kind": "product"},
        {"category": "bread", "sku": "y", "quantity": 2, "amount": 400, "kind": "product"},
    ]
    program = club([rule(per_unit="2.5", lines={"field": "category", "is": "wine"})])
    facts = [
        sale("s", "2026-01-01 10:00", 3400, lines=lines),
        back("r", "s", "2026-01-02 10:00", lines=[{"line": 0, "amount": 1000}]),
    ]
    assert brought(end(program, facts[:1])) == {"s": 7}
    assert brought(end(program, facts)) == {"s": 5}


def test_nothing_for_a_sale_of_zero() -> None:
    program = club([rule("bonus", fixed="10")])
    assert brought(end(program, [sale("s", "2026-01-01 10:00", 0)])) == {}


# --- stacking and caps ------------------------------------------------------------------------------


def test_multiply_adds_to_what_earlier_rules_brought_but_not_to_bonuses() -> None:
    rules = [
        rule("spend"),
        rule("bonus", fixed="100"),
        rule("double", multiply="2"),
        rule("half_more", multiply="1.5"),
        rule("after", per_spend={"points": "1", "every": "10"}),
    ]
    # 33 + 100 + 33 + floor(16.5) + 3
    assert brought(end(club(rules), [sale("s", "2026-01-01 10:00", 3300)])) == {"s": 185}


def test_only_the_best_of_a_group_counts_the_first_on_ties() -> None:
    rules = [
        rule("tie", fixed="20", group="one", expiry={"kind": "rolling", "days": 10}),
        rule("spend", group="one"),
        rule("extra", fixed="5"),
    ]
    program = club(rules, groups=[{"key": "one", "stacking": "best"}])
    assert brought(end(program, [sale("s", "2026-01-01 10:00", 5000)])) == {"s": 55}
    state = end(program, [sale("s", "2026-01-01 10:00", 2000)])
    assert lots(state) == {
        at("2026-01-11 10:00"): {"earned": 20, "remaining": 20},
        None: {"earned": 5, "remaining": 5},
    }


def test_the_room_of_a_cap_is_used_in_the_order_of_the_document() -> None:
    rules = [
        rule("a", caps={"activity": "40"}, group="both"),
        rule("b", fixed="30", group="both"),
        rule("c", fixed="30"),
    ]
    program = club(
        rules,
        groups=[{"key": "both", "caps": {"day": "60"}}],
        caps=[{"currency": "points", "caps": {"month": "100"}}],
    )
    facts = [
        sale("s", "2026-01-01 10:00", 5000),  # 40, 20 (group), 30
        sale("t", "2026-01-01 23:59", 5000),  # group full; 10 left in the month
        sale("u", "2026-01-02 00:00", 5000),  # month full
        sale("v", "2026-02-01 00:00", 500),  # 5, 30, 30
    ]
    assert brought(end(program, facts)) == {"s": 90, "t": 10, "v": 65}


def test_a_return_frees_room_of_the_sales_own_day_for_later_sales_only() -> None:
    program = club([rule(caps={"day": "50"})])
    facts = [
        sale("a", "2026-01-01 09:00", 4000),  # 40
        sale("b", "2026-01-01 10:00", 4000),  # 10 of room
        back("r", "a", "2026-01-01 11:00", amount=3000),  # a: 10; b stays at 10
        sale("c", "2026-01-01 12:00", 4000),  # 50 - 20
        sale("d", "2026-01-02 12:00", 4000),
    ]
    assert brought(end(program, facts)) == {"a": 10, "b": 10, "c": 30, "d": 40}


def test_a_return_on_another_day_gives_that_day_no_room() -> None:
    program = club([rule(caps={"day": "50"})])
    facts = [
        sale("a", "2026-01-01 09:00", 5000),
        back("r", "a", "2026-01-02 09:00", whole=True),
        sale("b", "2026-01-02 10:00", 6000),
    ]
    assert brought(end(program, facts)) == {"b": 50}


def test_the_room_that_a_sale_saw_is_frozen_with_it() -> None:
    program = club([rule(caps={"day": "50"})])
    facts = [
        sale("a", "2026-01-01 09:00", 4500),
        sale("b", "2026-01-01 10:00", 4000),  # saw a room of 5
        back("r", "a", "2026-01-01 11:00", amount=4500),
        back("q", "b", "2026-01-01 12:00", amount=1000),  # 30 kept, but the room it saw was 5
    ]
    assert brought(end(program, facts)) == {"b": 5}


# --- conditions and time ----------------------------------------------------------------------------


def happy_hour(zone: str = "Europe/Paris") -> Program:
    when = {"field": "time", "from": "02:00", "until": "03:00"}
    return club([rule("happy", fixed="1", when=when)], time_zone=zone)


def test_a_happy_hour_lasts_two_hours_in_autumn() -> None:
    midnight = utc("2026-10-24 22:00")  # 00:00 in Paris
    facts = [sale(f"m{i:03}", midnight + i * 60_000_000, 100) for i in range(5 * 60)]
    names = sorted(brought(end(happy_hour(), facts)))
    assert len(names) == 120
    assert names[0] == "m120"
    assert names[-1] == "m239"


def test_a_happy_hour_does_not_happen_in_spring() -> None:
    midnight = utc("2026-03-28 23:00")
    facts = [sale(f"m{i:03}", midnight + i * 60_000_000, 100) for i in range(5 * 60)]
    assert brought(end(happy_hour(), facts)) == {}


def test_a_happy_hour_where_clocks_move_by_half_an_hour() -> None:
    zone = "Australia/Lord_Howe"
    autumn = at("2026-04-05", zone)  # back from 02:00 to 01:30
    facts = [sale(f"m{i:03}", autumn + i * 60_000_000, 100) for i in range(5 * 60)]
    assert len(brought(end(happy_hour(zone), facts))) == 60
    spring = at("2026-10-04", zone)  # forward from 02:00 to 02:30
    facts = [sale(f"m{i:03}", spring + i * 60_000_000, 100) for i in range(5 * 60)]
    assert len(brought(end(happy_hour(zone), facts))) == 30


def test_a_time_of_day_may_run_over_midnight() -> None:
    program = club([rule("late", fixed="1", when={"field": "time", "from": "22:00", "until": "02:00"})])
    times = (
        "2026-01-01 01:59",
        "2026-01-01 02:00",
        "2026-01-01 21:59",
        "2026-01-01 22:00",
        "2026-01-02 00:00",
    )
    assert sorted(brought(end(program, [sale(each, each, 100) for each in times]))) == [
        "2026-01-01 01:59",
        "2026-01-01 22:00",
        "2026-01-02 00:00",
    ]


def test_the_first_sale_of_a_local_month() -> None:
    program = club([rule("first", fixed="5", when={"field": "nth", "per": "month", "is": 1})])
    facts = [
        sale("a", "2026-01-31 23:59", 100),
        sale("b", "2026-02-01 00:00", 100),  # still January in UTC
        sale("c", "2026-02-02 00:00", 100),
    ]
    assert brought(end(program, facts)) == {"a": 5, "b": 5}


def test_conditions_are_judged_again_on_what_is_kept() -> None:
    rules = [rule(), rule("bonus", fixed="10", when={"field": "amount", "at_least": "50.00"})]
    facts = [sale("s", "2026-01-01 10:00", 6000), back("r", "s", "2026-01-02 10:00", amount=1000)]
    assert brought(end(club(rules), facts)) == {"s": 60}
    facts.append(back("q", "s", "2026-01-03 10:00", amount=1))
    assert brought(end(club(rules), facts)) == {"s": 49}


# --- returns ----------------------------------------------------------------------------------------


def test_more_than_is_left_is_cut() -> None:
    facts = [
        sale("s", "2026-01-01 10:00", 1000),
        back("r", "s", "2026-01-02 10:00", amount=900),
        back("q", "s", "2026-01-03 10:00", amount=900),
    ]
    state = end(club(), facts)
    assert brought(state) == {}
    assert lots(state) == {None: {"earned": 10, "reversed": 10}}
    assert debt(state) == 0


def test_parts_of_a_return_add_up_to_the_return_of_all() -> None:
    # 9.99: floor(9.99) = 9, then 6, 3, 0; a floor of each part alone would leave one
    facts = [sale("s", "2026-01-01 10:00", 999)]
    facts += [back(f"r{i}", "s", "2026-01-02 10:00", amount=333) for i in range(3)]
    assert [posted(end(club(), facts[: n + 1])) for n in range(4)] == [9, 6, 3, 0]


def test_a_return_by_amount_spreads_over_what_the_lines_still_hold() -> None:
    lines = [
        {"category": c, "sku": "x", "quantity": 1, "amount": 1000, "kind": "product"} for c in ("a", "b", "b")
    ]
    wanted = rule(per_spend={"points": "1", "every": "0.01"}, lines={"field": "category", "is": "b"})
    facts = [
        sale("s", "2026-01-01 10:00", 3000, lines=lines),
        back("r", "s", "2026-01-02 10:00", amount=1000),  # 334, 333, 333
        back("q", "s", "2026-01-03 10:00", lines=[{"line": 1, "amount": 5000}]),  # cut to 1000
    ]
    assert brought(end(club([wanted]), facts[:2])) == {"s": 1334}
    # line 1 gone, then 1000 over the two that hold 1000 each: 500 of line 2 is left
    assert brought(end(club([wanted]), facts)) == {"s": 500}


def test_when_every_line_came_back_shipping_is_no_purchase() -> None:
    lines = [{"category": "a", "sku": "x", "quantity": 1, "amount": 2000, "kind": "product"}]
    rules = [rule(base={"shipping": "in"}), rule("bonus", fixed="5")]
    facts = [
        sale("s", "2026-01-01 10:00", 2500, lines=lines, shipping=500),
        back("r", "s", "2026-01-02 10:00", lines=[{"line": 0, "amount": 2000}]),
    ]
    assert brought(end(club(rules), facts[:1])) == {"s": 30}
    assert brought(end(club(rules), facts)) == {}


def test_a_return_is_rated_at_the_tier_of_its_sale() -> None:
    program = club([rule(tier_multipliers={"gold": "2"})], tiers=gold("100", {"kind": "lifetime"}))
    facts = [
        sale("a", "2026-01-01 10:00", 10000),  # reaches gold, rated at base
        sale("b", "2026-01-02 10:00", 1000),  # gold
        back("r", "a", "2026-01-03 10:00", amount=10000),
        back("q", "b", "2026-01-04 10:00", amount=500),  # at gold still
        sale("c", "2026-01-05 10:00", 1000),  # base again
    ]
    state = end(program, facts)
    assert brought(state) == {"b": 10, "c": 10}
    assert state.tier_history == [(at("2026-01-01 10:00"), "gold"), (at("2026-01-03 10:00"), "base")]


# --- expiry -----------------------------------------------------------------------------------------


def one_lot_expires(expiry: dict[str, Any], when: str) -> int | None:
    return next(iter(lots(end(club(points={"expiry": expiry}), [sale("s", when, 1000)]))))


def test_when_lots_expire() -> None:
    assert one_lot_expires({"kind": "never"}, "2026-01-31 10:00") is None
    assert one_lot_expires({"kind": "rolling", "days": 30}, "2026-03-10 10:00") == at("2026-04-09 10:00")
    month = {"kind": "end_of_month", "after_months": 1}
    assert one_lot_expires(month, "2026-01-31 23:59") == at("2026-03-01 00:00")
    assert one_lot_expires(month, "2026-11-30 10:00") == at("2027-01-01 00:00")
    assert one_lot_expires({"kind": "end_of_month", "after_months": 0}, "2028-02-29 10:00") == at(
        "2028-03-01"
    )
    assert one_lot_expires({"kind": "end_of_year", "after_years": 1}, "2026-12-31 23:59") == at("2028-01-01")
    assert one_lot_expires({"kind": "fixed_date", "date": "2028-02-29"}, "2026-01-01 10:00") == at(
        "2028-03-01"
    )
    assert one_lot_expires({"kind": "rolling", "days": 366}, "2028-02-29 10:00") == at("2029-03-01 10:00")


def test_a_lot_can_be_spent_before_its_expiry_and_not_at_it() -> None:
    program = club(points={"expiry": {"kind": "rolling", "days": 30}})
    expires = at("2026-01-31 10:00")
    for moment, left in ((expires - 1, {"redeemed": 4, "remaining": 6}), (expires, {"expired": 10})):
        state = end(program, [sale("s", "2026-01-01 10:00", 1000), redeem("r", moment, 4)])
        assert lots(state) == {expires: {"earned": 10, **left}}
        assert debt(state) == (0 if "redeemed" in left else 4)


def test_grace_keeps_a_lot_spendable_without_moving_its_expiry() -> None:
    program = club(points={"expiry": {"kind": "rolling", "days": 30, "grace_days": 10}})
    expires = at("2026-01-31 10:00")
    facts = [sale("s", "2026-01-01 10:00", 1000), redeem("r", at("2026-02-10 10:00") - 1, 4)]
    assert lots(end(program, facts)) == {expires: {"earned": 10, "redeemed": 4, "remaining": 6}}
    assert lots(end(program, facts, "2026-02-10 10:00")) == {
        expires: {"earned": 10, "redeemed": 4, "expired": 6}
    }


def test_inactivity_moves_the_day_of_all_points_until_it_has_come() -> None:
    program = club(points={"expiry": {"kind": "inactivity", "days": 20}})
    facts = [
        sale("a", "2026-01-01 10:00", 1000),
        sale("b", "2026-01-15 10:00", 500),  # keeps a's alive until 4 February
        sale("c", "2026-02-04 10:00", 700),  # too late for both: due work comes first
    ]
    assert lots(end(program, facts)) == {
        at("2026-02-04 10:00"): {"earned": 15, "expired": 15},
        at("2026-02-24 10:00"): {"earned": 7, "remaining": 7},
    }


def test_soonest_expiry_is_spent_first_and_never_last() -> None:
    rules = [rule("for_good"), rule("short", fixed="5", expiry={"kind": "end_of_month", "after_months": 0})]
    facts = [
        sale("a", "2026-01-01 10:00", 1000),
        sale("b", "2026-02-01 10:00", 1000),
        redeem("r", "2026-02-02 10:00", 7),
    ]
    assert lots(end(club(rules), facts)) == {
        None: {"earned": 20, "redeemed": 2, "remaining": 18},
        at("2026-02-01"): {"earned": 5, "expired": 5},
        at("2026-03-01"): {"earned": 5, "redeemed": 5},
    }


# --- pending ----------------------------------------------------------------------------------------


def test_pending_points_are_released_after_local_days_and_expire_from_the_sale() -> None:
    program = club(
        points={"pending": {"kind": "days", "days": 14}, "expiry": {"kind": "rolling", "days": 30}}
    )
    facts = [sale("s", "2026-03-20 10:00", 1000)]
    released = at("2026-04-03 10:00")
    before = end(program, facts, released - 1)
    assert (pending(before), posted(before), lots(before)) == (10, 0, {})
    after = end(program, facts, released)
    assert (pending(after), posted(after)) == (0, 10)
    assert lots(after) == {at("2026-04-19 10:00"): {"earned": 10, "remaining": 10}}


def test_a_return_takes_pending_points_first() -> None:
    program = club(points={"pending": {"kind": "days", "days": 14}})
    facts = [
        sale("old", "2026-01-01 10:00", 1000),
        sale("s", "2026-02-01 10:00", 1000),
        back("r", "s", "2026-02-05 10:00", amount=600),
    ]
    state = end(program, facts)
    assert (pending(state), posted(state)) == (4, 10)
    assert lots(end(program, facts, "2026-03-01")) == {None: {"earned": 14, "remaining": 14}}


def test_points_wait_for_the_activity_that_names_their_sale() -> None:
    program = club(points={"pending": {"kind": "activity", "activity": "shipped"}})
    facts = [
        sale("a", "2026-01-01 10:00", 1000),
        sale("b", "2026-01-01 11:00", 500),
        fact("shipped", "x", "2026-01-05 10:00", sale={"source": "till", "id": "a"}),
        fact("shipped", "y", "2026-01-06 10:00", sale={"source": "till", "id": "a"}),
    ]
    state = end(program, facts)
    assert (pending(state), posted(state)) == (5, 10)


def test_pending_points_pay_no_debt_until_released() -> None:
    program = club(points={"pending": {"kind": "days", "days": 14}})
    facts = [
        redeem("lacking", "2026-01-01 09:00", 3),
        sale("s", "2026-01-01 10:00", 1000),
    ]
    assert debt(end(program, facts)) == 3
    state = end(program, facts, "2026-01-15 10:00")
    assert debt(state) == 0
    assert lots(state) == {None: {"earned": 10, "reversed": 3, "remaining": 7}}


# --- taking back ------------------------------------------------------------------------------------


def test_what_was_spent_becomes_a_debt_that_the_next_credit_pays() -> None:
    facts = [
        sale("a", "2026-01-01 10:00", 1000),
        redeem("r", "2026-01-02 10:00", 8),
        back("q", "a", "2026-01-03 10:00", amount=1000),
    ]
    state = end(club(), facts)
    assert debt(state) == 8
    assert lots(state) == {None: {"earned": 10, "redeemed": 8, "reversed": 2}}
    state = end(club(), [*facts, sale("b", "2026-01-04 10:00", 2000)])
    assert debt(state) == 0
    assert lots(state) == {None: {"earned": 30, "redeemed": 8, "reversed": 10, "remaining": 12}}
    assert debt(end(club(points={"taking_back": "write_off"}), facts)) == 0


def test_what_has_expired_is_taken_back_from_breakage() -> None:
    program = club(points={"expiry": {"kind": "rolling", "days": 30}})
    facts = [
        sale("a", "2026-01-01 10:00", 1000),
        redeem("r", "2026-01-02 10:00", 4),
        back("q", "a", "2026-03-01 10:00", amount=1000),
    ]
    state = end(program, facts)
    # 6 expired are reversed for nothing; 4 spent are owed
    assert lots(state) == {at("2026-01-31 10:00"): {"earned": 10, "redeemed": 4, "reversed": 6}}
    assert debt(state) == 4


def test_debt_is_settled_at_once_from_other_lots_in_spending_order() -> None:
    rules = [rule(expiry={"kind": "end_of_month", "after_months": 0})]
    facts = [
        sale("a", "2026-01-01 10:00", 1000),
        sale("b", "2026-02-01 10:00", 1000),
        redeem("r", "2026-01-01 11:00", 10),
        back("q", "a", "2026-02-03 10:00", amount=700),
    ]
    state = end(club(rules), facts)
    assert debt(state) == 0
    assert lots(state) == {
        at("2026-02-01"): {"earned": 10, "redeemed": 10},
        at("2026-03-01"): {"earned": 10, "reversed": 7, "remaining": 3},
    }


def test_a_lot_mate_pays_for_a_return() -> None:
    # both sales share the lot that never expires: a's points were spent, b's are taken
    facts = [
        sale("a", "2026-01-01 10:00", 1000),
        redeem("r", "2026-01-01 11:00", 10),
        sale("b", "2026-01-02 10:00", 1000),
        back("q", "a", "2026-01-03 10:00", whole=True),
    ]
    state = end(club(), facts)
    assert lots(state) == {None: {"earned": 20, "redeemed": 10, "reversed": 10}}
    assert debt(state) == 0


# --- holds and redemptions --------------------------------------------------------------------------


def test_a_hold_is_captured_released_or_runs_out() -> None:
    facts = [sale("s", "2026-01-01 10:00", 10000), hold("h", "2026-01-01 11:00", 60)]
    state = end(club(), facts)
    assert lots(state) == {None: {"earned": 100, "held": 60, "remaining": 40}}
    assert posted(state) == 100
    state = end(club(), [*facts, closing("capture", "c", "2026-01-01 11:30", "h")])
    assert lots(state) == {None: {"earned": 100, "redeemed": 60, "remaining": 40}}
    state = end(club(), [*facts, closing("release", "c", "2026-01-01 11:30", "h")])
    assert lots(state) == {None: {"earned": 100, "remaining": 100}}
    assert lots(end(club(), facts, at("2026-01-01 12:00") - 1))[None]["held"] == 60
    assert lots(end(club(), facts, "2026-01-01 12:00")) == {None: {"earned": 100, "remaining": 100}}


def test_expiry_leaves_what_is_held_until_it_comes_back() -> None:
    program = club(points={"expiry": {"kind": "rolling", "days": 30}}, hold_minutes=3 * 1440)
    expires = at("2026-01-31 10:00")
    facts = [sale("s", "2026-01-01 10:00", 1000), hold("h", "2026-01-30 10:00", 4)]
    assert lots(end(program, facts, expires)) == {expires: {"earned": 10, "held": 4, "expired": 6}}
    assert lots(end(program, facts, "2026-02-02 10:00")) == {expires: {"earned": 10, "expired": 10}}


def test_held_points_count_as_spent_for_a_return() -> None:
    facts = [
        sale("s", "2026-01-01 10:00", 1000),
        hold("h", "2026-01-01 11:00", 10),
        back("r", "s", "2026-01-01 11:10", whole=True),
    ]
    state = end(club(), facts)
    assert (debt(state), lots(state)) == (10, {None: {"earned": 10, "held": 10}})
    state = end(club(), facts, "2026-01-01 12:00")  # the hold runs out, and what comes back pays
    assert (debt(state), lots(state)) == (0, {None: {"earned": 10, "reversed": 10}})


def test_points_that_paid_come_back_pro_rata_last_taken_first() -> None:
    rules = [rule(expiry={"kind": "end_of_month", "after_months": 0})]
    facts = [
        sale("jan", "2026-01-31 10:00", 1000),  # until 1 February
        sale("feb", "2026-02-01 00:00", 1000),  # until 1 March
        sale("dec", "2025-12-31 10:00", 1000),  # gone
        redeem("early", "2026-01-31 11:00", 7),
        redeem("pay", "2026-02-02 10:00", 5),
    ]
    tenders = [
        {"kind": "points", "amount": 500, "redemption": {"source": "till", "id": "pay"}},
        {"kind": "card", "amount": 1000},
    ]
    facts.append(sale("s", "2026-02-02 10:01", 1500, tenders=tenders))  # brings 10
    facts.append(back("r", "s", "2026-02-03 10:00", amount=400))  # floor(5 x 400 / 1500) = 1
    state = end(club(rules), facts)
    # kept 1100: tenders 367 and 733, so 7 points; 3 taken back
    assert brought(state)["s"] == 7
    assert lots(state)[at("2026-03-01")] == {"earned": 20, "redeemed": 4, "reversed": 3, "remaining": 13}
    facts.append(back("q", "s", "2026-02-04 10:00", whole=True))
    assert lots(end(club(rules), facts))[at("2026-03-01")] == {"earned": 20, "reversed": 10, "remaining": 10}


def test_points_that_paid_come_back_to_the_lot_they_were_last_taken_from() -> None:
    points = {"expiry": {"kind": "end_of_month", "after_months": 0}, "return_grace_days": 7}
    tenders = [{"kind": "points", "amount": 100, "redemption": {"source": "till", "id": "pay"}}]
    rules = [rule(), rule("later", fixed="10", expiry={"kind": "end_of_year", "after_years": 0})]
    facts = [
        sale("a", "2026-01-01 10:00", 1000),  # 10 until 1 February, 10 until 1 January
        redeem("pay", "2026-01-02 10:00", 15),
        sale("s", "2026-01-02 11:00", 100, tenders=tenders),  # brings the bonus of 10
        back("r", "s", "2026-01-03 10:00", amount=40),  # 6 of 15 come back: 5 and then 1
    ]
    state = end(club(rules, points=points), facts)
    assert lots(state) == {
        at("2026-02-01"): {"earned": 10, "redeemed": 9, "remaining": 1},
        at("2027-01-01"): {"earned": 20, "remaining": 20},
    }


@pytest.mark.parametrize(
    ("grace", "expected"),
    [
        (None, {"2026-02-01": {"earned": 10, "expired": 10}}),
        (
            0,
            {
                "2026-02-01": {"earned": 10, "redeemed": 8, "expired": 2},
                "2026-03-11": {"earned": 8, "remaining": 8},
            },
        ),
        (
            7,
            {
                "2026-02-01": {"earned": 10, "redeemed": 8, "expired": 2},
                "2026-03-18": {"earned": 8, "remaining": 8},
            },
        ),
    ],
)
def test_points_that_paid_come_back_after_their_lot_lapsed(
    grace: int | None, expected: dict[str, dict[str, int]]
) -> None:
    points: dict[str, Any] = {"expiry": {"kind": "end_of_month", "after_months": 0}}
    if grace is not None:
        points["return_grace_days"] = grace
    tenders = [{"kind": "points", "amount": 100, "redemption": {"source": "till", "id": "pay"}}]
    facts = [
        sale("a", "2026-01-01 10:00", 1000),
        redeem("pay", "2026-01-02 10:00", 8),
        sale("s", "2026-01-02 11:00", 100, tenders=tenders),
        back("r", "s", "2026-03-10 10:00", whole=True),
    ]
    assert lots(end(club(points=points), facts)) == {at(day): lot for day, lot in expected.items()}


def test_adjustments() -> None:
    facts = [
        fact("adjust", "a", "2026-01-01 10:00", points=20, currency="points"),
        fact("adjust", "b", "2026-01-02 10:00", points=-5, currency="points"),
    ]
    assert lots(end(club(), facts)) == {None: {"earned": 20, "redeemed": 5, "remaining": 15}}


# --- tiers ------------------------------------------------------------------------------------------


def gold(at_least: str, window: dict[str, Any], **settings: Any) -> dict[str, Any]:
    threshold = {"all": [{"metric": "spend", "at_least": at_least}]}
    return {"tiers": [named("base"), named("gold", qualify=threshold)], "window": window, **settings}


def three(window: dict[str, Any], **settings: Any) -> dict[str, Any]:
    def spend(amount: str) -> dict[str, Any]:
        return {"all": [{"metric": "spend", "at_least": amount}]}

    tiers = [named("base"), named("silver", qualify=spend("50")), named("gold", qualify=spend("100"))]
    return {"tiers": tiers, "window": window, **settings}


def test_the_threshold_itself_is_enough_and_the_next_sale_is_at_the_new_tier() -> None:
    program = club([rule(tier_multipliers={"gold": "1.5"})], tiers=gold("100", {"kind": "lifetime"}))
    facts = [
        sale("a", "2026-01-01 10:00", 9999),
        sale("b", "2026-01-02 10:00", 1),
        sale("c", "2026-01-02 10:00", 1100),  # same instant, later by id: floor(11 x 1.5)
    ]
    assert brought(end(program, facts)) == {"a": 99, "c": 16}


def test_a_sale_leaves_a_rolling_window_at_its_clock_time() -> None:
    program = club(tiers=gold("100", {"kind": "rolling", "days": 30}))
    facts = [sale("a", "2026-03-10 10:00", 10000)]
    leaves = at("2026-04-09 10:00")  # an hour less than 30 days of 24 hours
    assert end(program, facts, leaves - 1).tier == "gold"
    state = end(program, facts, leaves)
    assert (state.tier, state.metrics) == ("base", [{"spend": 0, "points": 0, "visits": 0}])
    assert state.tier_history == [(at("2026-03-10 10:00"), "gold"), (leaves, "base")]


def test_a_calendar_tier_lasts_to_the_end_of_the_next_period() -> None:
    program = club(tiers=gold("100", {"kind": "calendar", "period": "year"}))
    facts = [sale("a", "2026-12-31 23:59", 6000), sale("b", "2026-02-01 10:00", 4000)]
    assert end(program, facts, at("2028-01-01") - 1).tier == "gold"
    assert end(program, facts, "2028-01-01").tier == "base"
    split = [sale("a", "2026-12-31 23:59", 6000), sale("b", "2027-01-01 00:00", 4000)]
    assert end(program, split).tier == "base"  # the better of two years, not their sum


def test_grace_and_keep() -> None:
    program = club(tiers=gold("100", {"kind": "rolling", "days": 30}, grace_days=5))
    facts = [sale("a", "2026-01-01 10:00", 10000)]
    assert end(program, facts, at("2026-02-05 10:00") - 1).tier == "gold"
    assert end(program, facts, "2026-02-05 10:00").tier == "base"
    again = [*facts, sale("b", "2026-02-03 10:00", 10000)]
    assert end(program, again, "2026-02-05 10:00").tier == "gold"

    ladder = gold("100", {"kind": "rolling", "days": 30})
    ladder["tiers"][1]["keep"] = {"all": [{"metric": "visits", "at_least": "1"}]}
    keeping = [sale("a", "2026-01-01 10:00", 10000), sale("b", "2026-01-20 10:00", 1)]
    assert end(club(tiers=ladder), keeping, at("2026-02-19 10:00") - 1).tier == "gold"
    assert end(club(tiers=ladder), keeping, "2026-02-19 10:00").tier == "base"


def test_soft_landing_falls_one_tier_at_a_time() -> None:
    program = club(tiers=three({"kind": "rolling", "days": 30}, soft_landing=True))
    state = end(program, [sale("a", "2026-01-01 10:00", 10000)], "2026-06-01")
    assert state.tier_history == [
        (at("2026-01-01 10:00"), "gold"),
        (at("2026-01-31 10:00"), "silver"),
        (at("2026-03-02 10:00"), "base"),
    ]
    hard = club(tiers=three({"kind": "rolling", "days": 30}))
    assert end(hard, [sale("a", "2026-01-01 10:00", 10000)], "2026-06-01").tier_history == [
        (at("2026-01-01 10:00"), "gold"),
        (at("2026-01-31 10:00"), "base"),
    ]


def test_tier_metrics_fall_from_the_instant_of_the_return_without_grace() -> None:
    program = club(tiers=gold("100", {"kind": "rolling", "days": 30}, grace_days=5))
    facts = [sale("a", "2026-01-01 10:00", 10000), back("r", "a", "2026-01-10 10:00", amount=1)]
    assert end(program, facts, at("2026-01-10 10:00") - 1).tier == "gold"
    state = end(program, facts)
    assert (state.tier, state.metrics) == ("base", [{"spend": 9999, "points": 0, "visits": 1}])
    assert end(program, facts, "2026-01-31 10:00").metrics == [{"spend": 0, "points": 0, "visits": 0}]
    # held already by its grace: the return changes nothing until the grace is over
    held = [sale("a", "2026-01-01 10:00", 10000), back("r", "a", "2026-02-01 10:00", whole=True)]
    assert end(program, held).tier == "gold"
    assert end(program, held, "2026-02-05 10:00").tier == "base"


def test_visits_and_points_as_metrics() -> None:
    threshold = {"any": [{"metric": "visits", "at_least": "2"}, {"metric": "points", "at_least": "50"}]}
    ladder = {
        "tiers": [named("base"), named("gold", qualify=threshold)],
        "window": {"kind": "lifetime"},
        "counts": ["sale", "visit"],
        "points_currency": "points",
    }
    program = club([rule(), named("hello", on="visit", currency="points", fixed="50")], tiers=ladder)
    assert end(program, [sale("a", "2026-01-01 10:00", 100)]).tier == "base"
    state = end(program, [fact("visit", "v", "2026-01-01 10:00")])
    assert (state.tier, state.metrics) == ("gold", [{"spend": 0, "points": 50, "visits": 1}])
    facts = [sale("a", "2026-01-01 10:00", 100), sale("zero", "2026-01-02 10:00", 0)]
    assert end(program, facts).tier == "base"  # nothing was bought the second time
    facts = [sale("a", "2026-01-01 10:00", 100), sale("b", "2026-01-02 10:00", 100)]
    assert end(program, facts).tier == "gold"


def test_due_work_of_an_instant_comes_before_its_activities() -> None:
    # at 31 January 10:00 gold is lost and the points expire; a sale of that instant sees both
    program = club(
        [rule(tier_multipliers={"gold": "2"})],
        points={"expiry": {"kind": "rolling", "days": 30}},
        tiers=gold("100", {"kind": "rolling", "days": 30}),
    )
    facts = [sale("a", "2026-01-01 10:00", 10000), sale("b", "2026-01-31 10:00", 1000)]
    state = end(program, facts)
    assert brought(state) == {"a": 100, "b": 10}
    assert lots(state)[at("2026-01-31 10:00")] == {"earned": 100, "expired": 100}


# --- what must hold for any history -----------------------------------------------------------------

many = settings(
    max_examples=int(os.environ.get("MODEL_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@many
@given(cases.programs(contested=True))
def test_drawn_programs_mean_something(program: Program) -> None:
    assert errors(check(program)) == []


@many
@given(st.data(), st.booleans())
def test_books_balance_at_any_instant(data: st.DataObject, contested: bool) -> None:
    program, facts = data.draw(cases.cases(contested=contested))
    instants = sorted({each["at"] for each in facts})
    as_of = data.draw(st.sampled_from(instants)) + data.draw(st.sampled_from([0, DAY, 100 * DAY]))
    state = end(program, facts, as_of)
    for key, wallet in state.currencies.items():
        for lot in wallet.lots.values():
            parts = ("redeemed", "expired", "reversed", "held", "remaining")
            assert lot["earned"] == sum(lot[part] for part in parts)
            assert all(lot[part] >= 0 for part in parts)
        assert wallet.pending >= 0
        assert wallet.debt >= 0
        if wallet.debt:  # debt is settled from anything that can be spent, at once
            for (expires, _), lot in wallet.lots.items():
                assert lot["remaining"] == 0 or (expires is not None and expires <= as_of)
        assert all(points[key] >= 0 for points in state.earned.values())


@many
@given(st.data())
def test_order_of_arrival_batches_and_repetition_change_nothing(data: st.DataObject) -> None:
    program, facts = data.draw(cases.cases(most=12))
    told = [each for batch in data.draw(cases.batches(facts)) for each in batch]
    as_of = max(each["at"] for each in facts) + DAY
    assert end(program, told, as_of) == end(program, facts, as_of)


@many
@given(st.data())
def test_returns_in_parts_come_to_the_same(data: st.DataObject) -> None:
    program, facts = data.draw(cases.cases(most=12))
    told = data.draw(cases.split_returns(facts))
    as_of = max(each["at"] for each in facts)
    whole, parts = end(program, facts, as_of), end(program, told, as_of)
    assert parts.earned == whole.earned
    assert parts.metrics == whole.metrics


@many
@given(st.data())
def test_returning_everything_reverses_everything(data: st.DataObject) -> None:
    """With every sale returned at last, sales bring nothing and count for no tier."""
    program, facts = data.draw(cases.cases(most=12))
    # Whoever has left brings nothing back.
    facts = [each for each in facts if each["type"] != "left"]
    assume(facts)
    last = max(each["at"] for each in facts) + HOUR
    sales = [each for each in facts if each["type"] == "sale"]
    told = [*facts, *(back(f"all{i}", each["id"], last, whole=True) for i, each in enumerate(sales))]
    for each, made in zip(sales, told[len(facts) :], strict=True):
        made["sale"]["source"] = each["source"]
    state = end(program, told, last)
    for each in sales:
        assert set(state.earned[ref(each)].values()) == {0}
    assert all(window["spend"] == 0 for window in state.metrics)


def test_local_time_is_the_wall_clock() -> None:
    assert local(utc("2026-10-25 01:30"), ZoneInfo("Europe/Paris")).strftime("%H:%M") == "02:30"
