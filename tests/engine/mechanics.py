"""Random programs of mechanics, and random histories of one member of them, for the properties of the engine.

`programs()` draws a document with goals, streaks, games, quizzes, a referral, memberships, gifts of tiers and
activity types of its own; `histories(program)` the facts of one member, returns of all kinds among them. Limits
that members share, and what members send each other, are in `test_mechanics_shared`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from palier.engine.check import check, errors
from palier.engine.clock import instant
from palier.engine.facts import (
    FRIEND_CONVERTED,
    MADE_SOURCE,
    RETURN,
    Fact,
    Inputs,
    Known,
    Line,
    Reference,
    ReturnedLine,
)
from palier.engine.program import Program, WindowLifetime
from tests.model.cases import DAY, HOUR, currency, named, program_of

Draw = Callable[[st.SearchStrategy[Any]], Any]

ZONES = ("Europe/Paris", "Asia/Tokyo", "America/New_York")
START = instant(datetime(2026, 3, 26, 10, tzinfo=ZoneInfo("Europe/Paris")))
"""Two days before the spring night, in the last week of a quarter."""
PRICES = {"coffee": (250, 300, 180), "bread": (400, 120), "book": (1500,)}


def given(key: str, points: str = "1") -> list[dict[str, str]]:
    return [{"currency": key, "points": points}]


def step(at: str, key: str, points: str = "1") -> dict[str, Any]:
    return {"at": at, "name": {"en": at, "fr": at}, "grants": given(key, points)}


def point_currencies(draw: Draw) -> list[dict[str, Any]]:
    expiry = draw(
        st.sampled_from(
            [
                {"kind": "never"},
                {"kind": "rolling", "days": 6},
                {"kind": "end_of_month", "after_months": 0, "grace_days": 2},
                {"kind": "inactivity", "days": 5},
            ]
        )
    )
    short = draw(st.sampled_from([{"kind": "never"}, {"kind": "rolling", "days": 3, "grace_days": 1}]))
    policy = draw(st.sampled_from(["debt", "debt", "write_off"]))
    return [
        currency("stars", expiry=expiry, taking_back=policy, value="0.01"),
        currency(
            "cups", kind="reward", expiry=short, taking_back=draw(st.sampled_from(["debt", "write_off"]))
        ),
        currency("medals", kind="badge"),
        currency("tokens", kind="token"),
    ]


def goals(draw: Draw) -> list[dict[str, Any]]:
    """Some of the goals of a shop, each with a drawn window, rounds and surplus."""
    windows: list[dict[str, Any]] = [
        {"kind": "lifetime"},
        {"kind": "each", "period": "day"},
        {"kind": "each", "period": "week"},
        {"kind": "each", "period": "month"},
        {"kind": "each", "period": "quarter"},
        {"kind": "from_start", "days": 4},
        {"kind": "dates", "from": "2026-03-28", "until": "2026-04-02"},
    ]

    def settings(**fixed: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"window": draw(st.sampled_from(windows)), **fixed}
        if draw(st.booleans()):
            found["repeat"] = True
            found["surplus"] = draw(st.sampled_from(["reset", "roll_over"]))
            if draw(st.booleans()):
                found["most_rounds"] = 2
        if draw(st.integers(0, 3)) == 0:
            found["opt_in"] = True
        return found

    card = named("card", measure="units", lines={"field": "category", "is": "coffee"}, **settings())
    card["steps"] = [step("2", "stars", "3"), step("5", "cups")]
    if draw(st.booleans()):
        card["head_start"] = "1"
    if card["window"] != {"kind": "each", "period": "day"} and draw(st.booleans()):
        card["most_per_day"] = 3
    card["free_unit"] = draw(st.sampled_from(["cheapest", "average"]))
    spend = named("journey", measure="spend", **settings())
    spend["on"] = draw(st.sampled_from([["sale"], ["sale", "rent"]]))
    spend["steps"] = [step("10.00", "stars", "7"), step("24.50", "cups"), step("60.00", "medals")]
    if draw(st.booleans()):
        spend["when"] = {"field": "amount", "at_least": "3.00"}
    points = named("collector", measure="points", currency="stars", **settings())
    points["steps"] = [step("15", "medals"), step("40", "tokens", "2")]
    kinds = named("kinds", measure="distinct", distinct="category", **settings())
    kinds["steps"] = [step("2", "cups"), step("3", "medals")]
    places = named("days", measure="distinct", distinct="day", on=["visit", "sale"], **settings())
    if places["window"] == {"kind": "each", "period": "day"}:
        places["window"] = {"kind": "each", "period": "week"}
    places["steps"] = [step("3", "stars", "9")]
    visits = named("visits", on=["visit", "review", "sale"], **settings())
    visits["steps"] = [step("2", "tokens"), step("4", "stars", "2")]
    if visits["window"] != {"kind": "each", "period": "day"} and draw(st.booleans()):
        visits["most_per_day"] = 1
    measured = named("turnover", measure="spend", window={"kind": "each", "period": "month"})
    every = [card, spend, points, kinds, places, visits]
    chosen = draw(st.sets(st.integers(0, 5), min_size=2, max_size=4))
    return [every[number] for number in sorted(chosen)] + [measured]


def streaks(draw: Draw) -> list[dict[str, Any]]:
    found = []
    for key in ("daily", "again")[: draw(st.integers(1, 2))]:
        each = named(key, on=draw(st.sampled_from([["visit"], ["sale", "visit"]])))
        each["period"] = draw(st.sampled_from(["day", "day", "day", "week", "month"]))
        each["least"] = draw(st.sampled_from([1, 1, 2]))
        each["zone"] = draw(st.sampled_from(["member", "program"]))
        if draw(st.booleans()):
            each["freeze"] = "tokens"
        each["repeat"] = draw(st.booleans())
        each["steps"] = [
            {"at": 2, "grants": given("stars", "4")},
            {"at": 3, "grants": given("tokens")},
        ]
        found.append(each)
    return found


@st.composite
def programs(draw: Draw) -> Program:
    rules = [
        named("base", on="sale", currency="stars", per_spend={"points": "1"}),
        named("written", on="review", currency="stars", fixed="6"),
    ]
    if draw(st.booleans()):
        rules.append(
            named(
                "late", on="sale", currency="stars", fixed="2", when={"field": "nth", "per": "day", "is": 2}
            )
        )
    data: dict[str, Any] = {
        "time_zone": draw(st.sampled_from(["Europe/Paris", "America/New_York"])),
        "late_window_days": draw(st.sampled_from([31, 400])),
        "point_currencies": point_currencies(draw),
        "activity_types": [
            named("review"),
            named("review_removed", withdraws="review"),
            named("rent", money=True),
        ],
        "rules": rules,
        "caps": [{"currency": "stars", "caps": {"day": "25"}}] if draw(st.booleans()) else [],
        "goals": goals(draw),
        "streaks": streaks(draw),
        "games": [
            named(
                "luck",
                kind="surprise",
                on=["sale"],
                when={"field": "amount", "at_least": "4.00"},
                cool_down_days=draw(st.sampled_from([0, 2])),
                prizes=[
                    named("cup", weight=1, grants=given("cups")),
                    named("nothing", weight=1),
                ],
            ),
            named(
                "wheel",
                price={"currency": "stars", "points": "2"},
                limits={"day": 2},
                prizes=[named("ten", weight=1, grants=given("stars", "10")), named("blank", weight=2)],
            ),
        ],
        "quizzes": [
            named(
                "beans",
                attempts=2,
                questions=[
                    {
                        "text": {"en": "Q", "fr": "Q"},
                        "answers": [
                            {"text": {"en": "A", "fr": "A"}, "right": True},
                            {"text": {"en": "B", "fr": "B"}},
                        ],
                    }
                ]
                * 2,
                steps=[step("1", "stars", "3"), step("2", "medals")],
            )
        ],
        "referral": {
            "when": {"field": "amount", "at_least": "5.00"},
            "within_days": draw(st.sampled_from([0, 5])),
            "wait_days": draw(st.sampled_from([0, 3])),
            "most": draw(st.sampled_from([1, 5])),
            "referrer": given("stars", "20"),
            "friend": given("cups"),
        },
        "memberships": [named("coop", fee="20.00", months=1, grants=given("cups", "2"))],
        "tiers": {
            "tiers": [
                named("green"),
                named(
                    "gold",
                    qualify={"all": [{"metric": "spend", "at_least": "25.00"}]},
                    grants=given("cups"),
                ),
                named(
                    "black",
                    qualify={"all": [{"metric": "spend", "at_least": "60.00"}]},
                    grants=given("medals"),
                ),
            ],
            "window": draw(
                st.sampled_from(
                    [
                        {"kind": "lifetime"},
                        {"kind": "rolling", "days": 5},
                        {"kind": "calendar", "period": "month"},
                    ]
                )
            ),
        },
    }
    program = program_of(data)
    found = errors(check(program))
    assert not found, found
    return program


def lifetime() -> WindowLifetime:
    return WindowLifetime()


def drawn_for(identifier: str) -> str:
    """Bytes drawn for an activity, the same whenever it is told."""
    return f"2026-03:{sha256(identifier.encode()).hexdigest()}"


class Teller:
    """Makes up the facts of one member."""

    def __init__(self, draw: Draw, program: Program) -> None:
        self.draw = draw
        self.program = program
        self.knowns: list[Known] = []
        self.opting = [goal.key for goal in program.goals if goal.opt_in]

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def instant(self) -> int:
        return int(
            START
            + self.draw(st.integers(0, 9)) * DAY
            + self.one_of(0, 1, 12 * HOUR, 13 * HOUR, 14 * HOUR, 14 * HOUR - 1, 22 * HOUR)
        )

    def add(self, fact: Fact, draw: str = "") -> Fact:
        zone = self.one_of("", *ZONES)
        self.knowns.append(Known(fact, Inputs(zone=zone, draw=draw), len(self.knowns) + 1))
        return fact

    def name(self) -> str:
        return f"f{len(self.knowns):02}"

    def sale(self) -> None:
        lines = []
        for _ in range(self.draw(st.integers(0, 3))):
            category = self.one_of(*PRICES)
            quantity = self.draw(st.integers(1, 4))
            lines.append(Line(category, category, quantity, quantity * self.one_of(*PRICES[category])))
        amount = sum(line.amount for line in lines) or self.one_of(0, 350, 1200, 2600)
        fact = Fact("till", self.name(), "sale", self.instant(), amount, lines=tuple(lines))
        self.add(fact, drawn_for(fact.id))

    def simple(self, kind: str, **content: Any) -> None:
        self.add(Fact("web", self.name(), kind, self.instant(), **content))

    def act(self, kind: str, **attributes: str) -> None:
        fact = Fact("web", self.name(), kind, self.instant(), attributes=dict(attributes))
        self.add(fact, drawn_for(fact.id) if kind == "play" else "")

    def back(self) -> None:
        """A return of a sale, a rent, a fee, a review or a conversion, dated before or after it."""
        kinds = ("sale", "sale", "sale", "rent", "fee", "review", "visit", FRIEND_CONVERTED)
        there = [known.fact for known in self.knowns if known.fact.type in kinds]
        if not there:
            return self.sale()
        fact = self.one_of(*there)
        at = self.one_of(fact.at, fact.at - HOUR, fact.at + 30 * HOUR, self.instant(), fact.at + 5 * DAY)
        sale = Reference(fact.source, fact.id)
        back: dict[str, Any] = {"whole": True}
        if fact.amount and self.draw(st.booleans()):
            back = {"amount": self.one_of(100, 480, fact.amount)}
            if fact.lines and self.draw(st.booleans()):
                line = self.draw(st.integers(0, len(fact.lines) - 1))
                back = {"returned": (ReturnedLine(line, quantity=self.one_of(1, 2)),)}
        self.add(Fact("till", self.name(), RETURN, at, sale=sale, **back))
        return None

    def any(self) -> None:
        kind = self.draw(st.integers(0, 23))
        if kind < 7:
            self.sale()
        elif kind < 12:
            self.back()
        elif kind < 16:
            self.simple("visit")
        elif kind == 16:
            self.simple("review")
        elif kind == 17:
            self.simple("rent", amount=self.one_of(700, 3000))
        elif kind == 18:
            self.act("play", game="wheel")
        elif kind == 19:
            self.act("quiz", quiz="beans", answers=self.one_of("1,1", "1,2", "2,2"))
        elif kind == 20:
            fee = {"membership": "coop"}
            self.simple("fee", amount=2000, attributes=fee)
        elif kind == 21 and self.opting:
            self.act(self.one_of("opt_in", "opt_in", "opt_out"), goal=self.one_of(*self.opting))
        elif kind == 22:
            at = self.instant()
            name = f"{FRIEND_CONVERTED}:till:{self.name()}"
            self.add(Fact(MADE_SOURCE, name, FRIEND_CONVERTED, at))
        else:
            points = self.one_of(1, 5)
            key = self.one_of("stars", "cups", "tokens")
            self.add(Fact("desk", self.name(), "redeem", self.instant(), points=points, currency=key))


@st.composite
def histories(draw: Draw, program: Program, most: int = 12) -> list[Known]:
    """Facts of one member, in no order."""
    teller = Teller(draw, program)
    if teller.opting and draw(st.booleans()):
        for number, key in enumerate(teller.opting):
            at = START - DAY + number
            teller.add(Fact("web", teller.name(), "opt_in", at, attributes={"goal": key}))
    if draw(st.booleans()):
        teller.add(Fact(MADE_SOURCE, "joined:me", "joined", START - HOUR, other_member="m_friend"))
    for _ in range(draw(st.integers(2, most))):
        teller.any()
    return teller.knowns
