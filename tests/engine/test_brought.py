"""What mechanics and rules brought in a backtest adds up to what was issued, and is told whole."""

from __future__ import annotations

from typing import Any

import pytest

from palier.cli import brought
from palier.engine.backtest import History, Totals, backtest
from palier.engine.brought import ByRule, limit_of
from palier.engine.facts import Fact, Known, Line, Reference
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.state import NEVER
from tests.model.cases import DAY, named
from tests.model.test_model import at, club, rule

START = at("2026-01-05 10:00")
COFFEE = {
    "key": "coffee",
    "kind": "reward",
    "value": "3",
    "name": {"en": {"one": "coffee", "other": "coffees"}, "fr": {"one": "café", "other": "cafés"}},
}


def step(at: str, **settings: Any) -> dict[str, Any]:
    return {"at": at, "name": {"en": at, "fr": at}, **settings}


def shop(**settings: Any) -> Program:
    """A card of three steps, of which the second gives nothing; a streak; a wheel; a campaign with a budget."""
    plain = club()
    base = {
        "point_currencies": [{**_data(plain.point_currencies[0]), "value": "0.02"}, COFFEE],
        "goals": [
            named(
                "card",
                repeat=True,
                steps=[
                    step("1", grants=[{"currency": "coffee"}]),
                    step("2"),
                    step("3", grants=[{"currency": "coffee", "points": "2"}]),
                ],
            )
        ],
        "streaks": [named("daily", on=["sale"], zone="program")],
        "games": [
            named(
                "luck",
                kind="surprise",
                on=["sale"],
                prizes=[
                    named("cup", weight=1, stock=2, grants=[{"currency": "coffee"}]),
                    named("blank", weight=3),
                ],
            )
        ],
        "campaigns": [
            named("spring", budget={"points": "25"}, rules=[rule("spring_bonus", fixed="10")]),
        ],
    }
    return club(
        [rule(), rule("second", fixed="5", when={"field": "amount", "at_least": "8"})], **base, **settings
    )


def _data(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def sale(number: int, day: int, amount: int = 1_000) -> Known:
    fact = Fact(
        "till", f"s{number}", "sale", START + day * DAY, amount, lines=(Line("bread", amount=amount),)
    )
    return Known(fact)


def gone(number: int, day: int, amount: int = 0) -> Known:
    back = Reference("till", f"s{number}")
    fact = Fact("till", f"r{number}", "return", START + day * DAY, amount, sale=back, whole=not amount)
    return Known(fact)


def played(*members: list[Known], program: Program | None = None) -> tuple[Plan, Totals]:
    plan = Plan(program or shop(), 1)
    histories = [History(f"m{number}", knowns) for number, knowns in enumerate(members)]
    line = Timeline([(0, NEVER, plan)])
    return plan, backtest(line, histories, until=START + 60 * DAY, by_rule=True)


def test_steps_are_counted_whatever_they_give() -> None:
    plan, totals = played([sale(n, n) for n in range(4)], [sale(n, n) for n in range(10, 12)], [sale(20, 0)])
    told = brought.plain(plan, totals.mechanics, totals.members)
    steps = [(step["step"], step["round"], step["at"], step["members"]) for step in told["goals"]["card"]]
    assert steps == [(1, 1, "1", 3), (2, 1, "2", 2), (3, 1, "3", 1), (4, 2, "1", 1)]
    assert told["goals"]["card"][0]["share_percent"] == "100.00"
    assert told["granted"]["goal:card"] == {"units": {"coffee": "6"}, "worth": "18.00"}


def test_longest_runs_are_told_in_ranges() -> None:
    plan, totals = played([sale(n, n) for n in range(3)], [sale(10, 0), sale(11, 5)], [])
    told = brought.plain(plan, totals.mechanics, totals.members)["streaks"]["daily"]
    assert {part["from"]: part["members"] for part in told if part["members"]} == {0: 1, 1: 1, 2: 1}


def test_prizes_stand_beside_their_odds_and_limits_beside_their_use() -> None:
    knowns = [
        Known(
            item.fact,
            type(item.inputs)(draw=f"{n:064x}", allotted={"campaign:spring": 10, "prize:luck:cup": 1}),
        )
        for n, item in enumerate([sale(n, n) for n in range(40)])
    ]
    plan, totals = played(knowns)
    told = brought.plain(plan, totals.mechanics, totals.members)
    game = told["games"]["luck"]
    assert game["plays"] == 40
    assert [prize["odds_percent"] for prize in game["prizes"].values()] == ["25.00", "75.00"]
    assert sum(prize["won"] for prize in game["prizes"].values()) == 40
    assert told["limits"]["campaign:spring"] == {"currency": "points", "used": "400", "limit": "25"}
    assert told["limits"]["prize:luck:cup"]["limit"] == "2"
    assert told["limits"]["prize:luck:cup"]["currency"] is None


def test_rules_and_mechanics_add_up_to_what_was_issued() -> None:
    members = [sale(n, n, 700 + 50 * n) for n in range(9)]
    plan, totals = played([*members, gone(2, 20), gone(7, 21, 400), gone(7, 22)])
    for key, moved in totals.currencies.items():
        rules = sum(
            found.issued - found.reversed
            for name, found in totals.rules.items()
            if plan.rules[name].currency == key
        )
        granted = sum(units.get(key, 0) for units in totals.mechanics.granted.values())
        assert rules + granted == moved.issued - moved.reversed, key
    # 9 sales in whole euros, and 5 for those of at least 8 euros; two came back, one of them in two parts.
    assert (totals.rules["spend"].issued, totals.rules["spend"].reversed) == (79, 8 + 10)
    told = brought.plain_rules(plan, totals.rules)
    assert told["spring_bonus"]["campaign"] == "spring"
    assert told["spend"] == {
        "campaign": None,
        "currency": "points",
        "issued": "79",
        "reversed": "18",
        "worth": "1.22",
    }


def test_what_a_return_raises_is_issued() -> None:
    """A rule for small baskets meets what is kept of a large one."""
    small = rule("small", fixed="50", when={"field": "amount", "at_most": "5"})
    plan, totals = played([sale(1, 0), gone(1, 1, 600)], program=club([rule(), small]))
    assert totals.rules["small"].issued == 50
    assert (totals.rules["spend"].issued, totals.rules["spend"].reversed) == (10, 6)
    assert ByRule().totals == {}
    assert limit_of(plan, "campaign:none") == (0, "")


PARTNER = {
    "partners": [
        named(
            "baker",
            currency="points",
            agreements=[
                {"from": "2026-01-01", "issue_price": "0.01", "prepaid": "10"},
                {"from": "2026-03-10", "most_points_month": "300"},
            ],
        )
    ]
}


@pytest.mark.parametrize(
    ("key", "limit"),
    [
        ("partner:baker:2026-01-01", (1000, "points")),
        ("partner:baker:2026-03", (300, "points")),
        ("partner:baker:2026-02", (0, "points")),
        ("partner:nobody:2026-02", (0, "")),
    ],
)
def test_the_limits_of_a_partner_are_found_again(key: str, limit: tuple[int, str]) -> None:
    assert limit_of(Plan(club(**PARTNER), 1), key) == limit
