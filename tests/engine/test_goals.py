"""Goals at the edges: ends of periods in the program's zone, rounds and surplus, day's caps, cards, versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palier.engine.clock import instant
from palier.engine.decide import Fold
from palier.engine.facts import RETURN, Fact, Inputs, Known, Line, Reference, ReturnedLine
from palier.engine.history import fold, inputs_of_late
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.state import NEVER, Window, decode_state
from tests.engine.arrival import Member
from tests.model.cases import currency, named, program_of


def at(text: str, zone: str = "Europe/Paris") -> int:
    return instant(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def steps(*thresholds: str, key: str = "cups") -> list[dict[str, Any]]:
    return [
        {"at": each, "name": {"en": each, "fr": each}, "grants": [{"currency": key, "points": "1"}]}
        for each in thresholds
    ]


def document(*goals: dict[str, Any], **rest: Any) -> Program:
    cups = currency("cups", kind="reward", **rest.pop("cups", {}))
    return program_of({"point_currencies": [currency("points"), cups], "goals": list(goals), **rest})


class Story:
    """One member's sales by a program of goals."""

    def __init__(self, *versions: Program, since: int = 0) -> None:
        spans = [(0, NEVER, Plan(versions[0], 1))]
        spans += [(since, NEVER, Plan(later, 2)) for later in versions[1:]]
        self.line = Timeline(spans)
        self.knowns: list[Known] = []

    def sale(self, when: int, amount: int = 100, *lines: Line, name: str = "") -> str:
        name = name or f"s{len(self.knowns)}"
        amount = sum(line.amount for line in lines) or amount
        self.knowns.append(Known(Fact("till", name, "sale", when, amount, lines=lines)))
        return name

    def back(self, name: str, when: int) -> None:
        fact = Fact("till", f"b{len(self.knowns)}", RETURN, when, sale=Reference("till", name), whole=True)
        self.knowns.append(Known(fact))

    def end(self, until: int = 0) -> Fold:
        engine = fold(self.line, self.knowns)
        if until:
            engine.advance(until)
        return engine

    def window(self, goal: str = "card") -> Window:
        return self.end().state.goals[goal].window

    def cups(self) -> int:
        wallet = self.end().state.wallets.get("cups")
        return wallet.spendable - wallet.debt if wallet is not None else 0


# The last instant of a period and the first of the next, in the program's zone.
ENDS = [
    ("day", "2026-03-30T00:00"),
    ("day", "2026-10-26T00:00"),
    ("week", "2026-03-30T00:00"),
    ("month", "2026-03-01T00:00"),
    ("month", "2028-03-01T00:00"),
    ("quarter", "2026-04-01T00:00"),
    ("year", "2027-01-01T00:00"),
]


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(("period", "start"), ENDS)
def test_a_window_ends_with_its_period_in_the_programs_zone(period: str, start: str, zone: str) -> None:
    window = {"kind": "each", "period": period}
    program = document(named("card", window=window, steps=steps("2")), time_zone=zone)
    edge = at(start, zone)
    apart = Story(program)
    apart.sale(edge - 1)
    apart.sale(edge)
    assert (apart.window().position, apart.cups()) == (1, 0)
    together = Story(program)
    together.sale(edge - 2)
    together.sale(edge - 1)
    together.sale(edge)
    assert (together.window().position, together.cups()) == (1, 1)


def test_dates_are_local_and_the_last_is_in() -> None:
    window = {"kind": "dates", "from": "2026-03-29", "until": "2026-03-29"}
    story = Story(document(named("card", window=window, steps=steps("5"))))
    for when in ("2026-03-28T23:59:59", "2026-03-29T00:00", "2026-03-29T23:59:59", "2026-03-30T00:00"):
        story.sale(at(when))
    assert story.window().position == 2


def test_a_window_from_its_start_ends_at_the_same_time_of_day() -> None:
    window = {"kind": "from_start", "days": 1}
    story = Story(document(named("card", window=window, steps=steps("2"))))
    story.sale(at("2026-03-28T12:00"))
    story.sale(at("2026-03-29T12:00") - 1)  # 23 hours later, less an instant
    assert story.cups() == 1
    story.sale(at("2026-03-29T12:00"))
    assert story.window().position == 1


def test_a_late_return_reaches_a_window_that_is_over() -> None:
    story = Story(document(named("card", window={"kind": "each", "period": "day"}, steps=steps("2"))))
    first = story.sale(at("2026-03-02T10:00"))
    story.sale(at("2026-03-02T11:00"))
    story.sale(at("2026-03-03T10:00"))
    assert story.cups() == 1
    story.back(first, at("2026-03-09T10:00"))
    assert story.cups() == 0


def test_what_reset_drops_uses_no_room_of_the_day() -> None:
    goal = named("card", measure="units", repeat=True, surplus="reset", most_per_day=4, steps=steps("5"))
    story = Story(document(goal))
    coffee = Line("coffee", "c", 4, 400)
    story.sale(at("2026-03-02T10:00"), 0, coffee)
    second = story.sale(at("2026-03-03T10:00"), 0, coffee)
    assert (story.window().position, story.cups()) == (5, 1)
    # One of four counted: three more may count that day, and after its return all four.
    story.sale(at("2026-03-03T11:00"), 0, coffee)
    assert story.window().position == 8
    story.back(second, at("2026-03-03T12:00"))
    assert (story.window().position, story.cups()) == (7, 1)
    story.sale(at("2026-03-03T13:00"), 0, coffee)
    assert story.window().position == 8


def test_one_activity_fills_a_card_a_thousand_times_at_most_and_comes_back_whole() -> None:
    """Each time is decided by itself: a mistyped quantity is not ten million of them."""
    story = Story(document(named("card", measure="units", repeat=True, steps=steps("5"))))
    story.sale(at("2026-03-02T10:00"), 0, Line("coffee", "c", 7, 700))
    wrong = story.sale(at("2026-03-02T11:00"), 0, Line("coffee", "c", 1_000_000_000, 400))
    assert (story.window().position, story.cups()) == (5007, 1001)
    story.back(wrong, at("2026-03-02T12:00"))
    assert (story.window().position, story.cups()) == (7, 1)


def test_distinct_values_that_several_activities_brought_stay_until_the_last_comes_back() -> None:
    lines = {"field": "category", "in": ["tea", "rye"]}
    goal = named("kinds", measure="distinct", distinct="category", lines=lines, steps=steps("1", "2"))
    story = Story(document(goal))
    mixed = (Line("tea", "t", 1, 300), Line("soap", "s", 1, 400))
    first = story.sale(at("2026-03-02T10:00"), 0, *mixed)
    second = story.sale(at("2026-03-02T11:00"), 0, *mixed)
    sale = Reference("till", first)
    tea = (ReturnedLine(0, 300),)
    story.knowns.append(Known(Fact("till", "tea", RETURN, at("2026-03-02T12:00"), sale=sale, returned=tea)))
    story.knowns.append(Known(Fact("till", "soap", RETURN, at("2026-03-02T13:00"), sale=sale, amount=100)))
    assert (story.window("kinds").position, story.cups()) == (1, 1)
    story.back(second, at("2026-03-03T12:00"))
    window = story.window("kinds")
    assert (window.position, window.seen, story.cups()) == (0, {}, 0)


def test_distinct_values_behind_the_last_step_are_dropped_where_it_resets() -> None:
    goal = named(
        "kinds", measure="distinct", distinct="category", repeat=True, surplus="reset", steps=steps("2")
    )
    story = Story(document(goal))
    story.sale(at("2026-03-02T10:00"), 0, Line("tea", "t", 1, 300))
    three = [Line(kind, kind, 1, 300) for kind in ("rye", "oat", "nut")]
    name = story.sale(at("2026-03-02T11:00"), 0, *three)
    assert (story.window("kinds").position, story.window("kinds").seen) == (2, {"tea": 1, "rye": 1})
    story.back(name, at("2026-03-02T12:00"))
    assert (story.window("kinds").position, story.cups()) == (1, 0)


def worths(story: Story) -> list[int]:
    return [
        item.worth for decision in story.end().decisions for item in decision.trace.grants if item.points > 0
    ]


def test_a_free_unit_is_worth_the_units_that_filled_its_own_card() -> None:
    """The units that a head start stood for fill no card of units that came later."""
    goal = named("card", measure="units", repeat=True, head_start="2", free_unit="cheapest", steps=steps("5"))
    story = Story(document(goal))
    cheap = Line("coffee", "c", 1, 100)
    story.sale(at("2026-03-02T10:00"), 0, Line("coffee", "c", 3, 900), cheap)
    story.sale(at("2026-03-02T12:00"), 0, Line("coffee", "c", 4, 1200))
    assert worths(story) == [300, 100]


def test_a_unit_that_came_back_does_not_cheapen_the_card() -> None:
    goal = named("card", measure="units", free_unit="cheapest", steps=steps("3"))
    story = Story(document(goal))
    cheap = story.sale(at("2026-03-02T10:00"), 0, Line("tea", "t", 1, 100))
    story.sale(at("2026-03-02T11:00"), 0, Line("coffee", "c", 1, 300))
    story.back(cheap, at("2026-03-02T12:00"))
    story.sale(at("2026-03-02T13:00"), 0, Line("coffee", "c", 2, 600))
    assert worths(story) == [300]


@pytest.mark.parametrize("parts", [(2577,), (608, 1969), (1969, 608)])
def test_an_amount_that_came_back_in_parts_leaves_the_units_that_one_return_leaves(
    parts: tuple[int, ...],
) -> None:
    """Units are told by the price at which they were sold, and not by what a return before has left of it."""
    goal = named(
        "card",
        measure="units",
        surplus="roll_over",
        head_start="1",
        most_per_day=3,
        free_unit="average",
        lines={"field": "category", "is": "coffee"},
        steps=steps("5"),
    )
    story = Story(document(goal))
    story.sale(
        at("2026-03-02T10:00"), 0, Line("coffee", "c", 3, 900), Line("book", "b", 4, 6000), name="first"
    )
    story.sale(at("2026-03-04T10:00"), 0, Line("coffee", "c", 2, 600), Line("coffee", "c", 4, 720))
    for n, amount in enumerate(parts):
        sale = Reference("till", "first")
        story.knowns.append(
            Known(Fact("till", f"r{n}", RETURN, at(f"2026-03-05T1{n}:00"), sale=sale, amount=amount))
        )
    window = story.window()
    assert (window.position, window.units) == (6, [(180, 1)])


def test_another_version_moves_its_steps_and_not_the_place() -> None:
    since = at("2026-03-10T00:00")
    story = Story(
        document(named("card", steps=steps("4"))), document(named("card", steps=steps("2", "4"))), since=since
    )
    names = [story.sale(at(f"2026-03-0{day}T10:00")) for day in (1, 2, 3)]
    story.sale(at("2026-03-11T10:00"))
    assert (story.window().position, story.window().reached, story.cups()) == (4, 2, 2)
    # A return of what the first version judged is measured by it; which steps stand, the present one says.
    story.back(names[0], at("2026-03-12T10:00"))
    assert (story.window().position, story.window().reached, story.cups()) == (3, 1, 1)


@pytest.mark.parametrize("later", ["year", "day", "lifetime"])
def test_another_version_may_count_in_other_windows(later: str) -> None:
    since = at("2026-03-10T00:00")
    window = {"kind": "lifetime"} if later == "lifetime" else {"kind": "each", "period": later}
    story = Story(
        document(named("card", window={"kind": "each", "period": "month"}, steps=steps("2"))),
        document(named("card", window=window, steps=steps("2"))),
        since=since,
    )
    first = story.sale(at("2026-03-09T10:00"))
    story.sale(at("2026-03-11T10:00"))
    assert story.window().position == 1
    story.back(first, at("2026-03-11T10:30"))
    story.sale(at("2026-03-11T11:00"))
    assert (story.window().position, story.cups()) == (2, 1)


def test_what_comes_too_late_counts_within_the_cap_of_its_own_day() -> None:
    goal = named("card", most_per_day=1, steps=steps("9"))
    line = Timeline([(0, NEVER, Plan(document(goal, late_window_days=1), 1))])
    known = [Known(Fact("till", f"s{day}", "sale", at(f"2026-03-{day:02}T10:00"), 100)) for day in (2, 20)]
    engine = fold(line, known)
    assert engine.state.goals["card"].window.position == 2

    def late(day: int) -> None:
        fact = Fact("till", f"late{day}", "sale", at(f"2026-03-{day:02}T12:00"), 100)
        inputs = inputs_of_late(line, known, fact, engine.state, Inputs())
        assert inputs.judgement is not None
        engine.decide(Known(fact, inputs))

    late(2)
    assert engine.state.goals["card"].window.position == 2, "that day had counted already"
    late(3)
    assert engine.state.goals["card"].window.position == 3
    engine.decide(Known(Fact("till", "again", "sale", at("2026-03-20T13:00"), 100)))
    assert engine.state.goals["card"].window.position == 3, "and so has the 20th"


DAY_LIMITS = {
    "memberships": [named("coop", fee="20.00")],
    "rules": [
        named("plain", on="sale", currency="points", per_spend={"points": "1"}, caps={"day": "5"}),
        named(
            "members",
            on="sale",
            currency="points",
            fixed="4",
            caps={"day": "6"},
            when={"field": "membership", "is": "coop"},
        ),
        named(
            "first",
            on="sale",
            currency="points",
            fixed="50",
            when={"field": "nth", "per": "day", "at_most": 1},
        ),
    ],
}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(3, 4), st.integers(100, 400)), max_size=2),
    st.lists(st.tuples(st.integers(3, 4), st.integers(100, 400)), min_size=1, max_size=6),
    st.booleans(),
)
def test_several_that_come_too_late_share_their_days_room(
    on_time: list[tuple[int, int]], too_late: list[tuple[int, int]], opt_in: bool
) -> None:
    """Sales of a day told in their order, the last of them too late, bring and count what they would in time."""
    goal = named("card", most_per_day=2, opt_in=opt_in, steps=steps("99"))
    line = Timeline([(0, NEVER, Plan(document(goal, late_window_days=1, **DAY_LIMITS), 1))])

    def sales(kind: str, parts: list[tuple[int, int]], hour: int) -> list[Fact]:
        return [
            Fact("till", f"{kind}{number}", "sale", at(f"2026-03-{day:02}T{hour}:00") + number, amount)
            for number, (day, amount) in enumerate(sorted(parts))
        ]

    before = [
        Fact("web", "f", "fee", at("2026-03-01T10:00"), 2000, attributes={"membership": "coop"}),
        Fact("web", "o", "opt_in", at("2026-03-01T11:00"), attributes={"goal": "card"}),
        *sales("s", on_time, 10),
    ]
    later = sales("l", too_late, 12)

    def came_to(engine: Fold) -> Any:
        earned = {
            decision.id: [(item.rule, item.earned) for item in decision.trace.rules if item.earned]
            for decision in engine.decisions
            if decision.type == "sale"
        }
        return engine.state.goals["card"].window.position if "card" in engine.state.goals else 0, earned

    known = [Known(fact) for fact in before]
    in_time = fold(line, [*known, *(Known(fact) for fact in later)])
    known.append(Known(Fact("app", "end", "opt_out", at("2026-03-20T10:00"), attributes={"goal": "other"})))
    for fact in later:
        engine = fold(line, known)
        inputs = inputs_of_late(line, known, fact, engine.state, Inputs())
        assert inputs.judgement is not None
        known.append(Known(fact, inputs))
    assert came_to(fold(line, known)) == came_to(in_time)


def test_a_tiers_gift_stays_when_time_alone_took_the_tier() -> None:
    tiers = {
        "tiers": [
            named("green"),
            named("silver", qualify={"all": [{"metric": "spend", "at_least": "10"}]}),
            named(
                "gold",
                qualify={"all": [{"metric": "spend", "at_least": "50"}]},
                grants=[{"currency": "cups", "points": "1"}],
            ),
        ],
        "window": {"kind": "rolling", "days": 10},
    }
    story = Story(document(tiers=tiers))
    gold = story.sale(at("2026-03-01T10:00"), 6000)
    assert story.cups() == 1
    silver = story.sale(at("2026-04-01T10:00"), 1500)
    assert (story.end().state.tier.key, story.cups()) == ("silver", 1)
    story.back(silver, at("2026-04-02T10:00"))
    assert (story.end().state.tier.key, story.cups()) == ("green", 1)
    undone = Story(document(tiers=tiers))
    undone.sale(at("2026-03-01T10:00"), 6000, name=gold)
    undone.back(gold, at("2026-03-02T10:00"))
    assert undone.cups() == 0


FEES = ("2026-01-01", "2026-06-01", "2029-03-01")


@pytest.mark.parametrize(
    ("months", "back", "expected"),
    [
        (None, (), "life"),
        (None, (0,), "life"),
        (None, (1,), "life"),
        (None, (1, 0), "life"),
        (None, (0, 1, 2), None),
        # The third begins anew, long after the others ended: it lasts a year whatever becomes of them.
        (12, (), "2030-03-01"),
        (12, (0,), "2030-03-01"),
        (12, (1, 0), "2030-03-01"),
        (12, (2,), "2028-01-01"),
        (12, (2, 0), "2027-06-01"),
    ],
)
def test_a_fee_that_comes_back_leaves_what_the_others_pay_for(
    months: int | None, back: tuple[int, ...], expected: str | None
) -> None:
    story = Story(document(memberships=[named("coop", fee="20.00", months=months)]))
    for number, day in enumerate(FEES):
        attributes: dict[str, str | int | bool] = {"membership": "coop"}
        fee = Fact("web", f"f{number}", "fee", at(f"{day}T10:00"), 2000, attributes=attributes)
        story.knowns.append(Known(fee))
    for place, number in enumerate(back):
        when = at("2029-03-02T10:00") + place
        named_fee = Reference("web", f"f{number}")
        story.knowns.append(Known(Fact("web", f"b{number}", RETURN, when, sale=named_fee, whole=True)))
    end = story.end().state.memberships.get("coop")
    if end == NEVER or end is None:
        assert expected == ("life" if end == NEVER else None)
    else:
        found = datetime.fromtimestamp(end // 10**6, ZoneInfo("Europe/Paris"))
        assert found.date().isoformat() == expected


def test_a_membership_is_as_long_as_the_fees_that_stand() -> None:
    program = document(memberships=[named("coop", fee="20.00", months=12)])

    def ends(*back: int) -> str | None:
        story = Story(program)
        for number, day in enumerate(("2026-01-01", "2026-06-01", "2026-12-01")):
            attributes: dict[str, str | int | bool] = {"membership": "coop"}
            fee = Fact("web", f"f{number}", "fee", at(f"{day}T10:00"), 2000, attributes=attributes)
            story.knowns.append(Known(fee))
        for place, number in enumerate(back):
            when = at("2026-12-02T10:00") + place
            named_fee = Reference("web", f"f{number}")
            story.knowns.append(Known(Fact("web", f"b{number}", RETURN, when, sale=named_fee, whole=True)))
        end = story.end().state.memberships.get("coop")
        return (
            None
            if end is None
            else datetime.fromtimestamp(end // 10**6, ZoneInfo("Europe/Paris")).date().isoformat()
        )

    assert ends() == "2029-01-01"
    # Without the first, the second begins it.
    assert (ends(0), ends(1), ends(2)) == ("2028-06-01", "2028-01-01", "2028-01-01")
    assert ends(0, 1) == ends(1, 0)
    assert ends(0, 1, 2) is None
    assert ends(2, 1, 0) is None
    assert ends(1, 0, 2) is None


def test_a_gift_that_expired_costs_the_member_nothing() -> None:
    """In order or anew, a return reaches a lot that the standing no longer holds; see lots_given."""
    program = document(named("card", steps=steps("2")), cups={"expiry": {"kind": "rolling", "days": 3}})
    story = Story(program)
    first = story.sale(at("2026-03-02T10:00"))
    story.sale(at("2026-03-02T11:00"))
    story.sale(at("2026-03-08T11:00"), name="later")
    story.back(first, at("2026-03-09T10:00"))
    story.back("later", at("2026-03-09T11:00"))
    in_order = Member(story.line)
    for known in story.knowns:
        in_order.arrive(known)
    assert in_order.refolds == 0
    for state in (story.end().state, decode_state(in_order.state)):
        assert (state.wallets["cups"].spendable, state.wallets["cups"].debt) == (0, 0)
