"""Whatever passes the checks compiles, decides, is told in plain words and is linted: nothing is left to chance.

Documents are made from the one with every mechanic in it: parts taken out, settings added, values put in the place
of others. Most are refused by the checks; those that are not must work with any activity.
"""

from __future__ import annotations

import copy
import random
from typing import Any, Final

import msgspec
import pytest

from palier.engine.check import check, errors
from palier.engine.clock import DAY
from palier.engine.decide import Fold
from palier.engine.facts import Fact, Inputs, Known, Line, Reference, Tender
from palier.engine.lint import lint
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program, canonical
from palier.engine.state import NEVER
from tests.engine.documents import full

START: Final = 1_772_600_000_000_000
"""In March 2026, when the document with every mechanic takes effect."""

TEXTS: Final = (
    *("0", "1", "2", "0.5", "1.00", "3", "7", "10", "49.99", "120.505", "1000000"),
    *("day", "week", "month", "quarter", "year", "lifetime", "rolling", "calendar", "never", "each", "dates"),
    *(
        "from_start",
        "end_of_month",
        "end_of_year",
        "inactivity",
        "activity",
        "days",
        "member",
        "program",
        "pair",
    ),
    *("activities", "spend", "units", "points", "distinct", "category", "sku", "partner", "location"),
    *(
        "roll_over",
        "reset",
        "cheapest",
        "average",
        "wheel",
        "scratch_card",
        "surprise",
        "cash",
        "reward",
        "badge",
    ),
    *(
        "token",
        "debt",
        "write_off",
        "refuse",
        "add",
        "best",
        "floor",
        "ceiling",
        "half_even",
        "basket",
        "line",
    ),
    *(
        "carry",
        "in",
        "out",
        "deducted",
        "ignored",
        "visits",
        "stars",
        "euros",
        "freezes",
        "coffees",
        "explorer",
    ),
    *(
        "sale",
        "visit",
        "rent",
        "review",
        "fee",
        "joined",
        "birthday",
        "friend_joined",
        "green",
        "gold",
        "coop",
    ),
    *(
        "ten_coffees",
        "journey",
        "eligible",
        "bakery",
        "2026-03-29",
        "2026-12-31",
        "02:30",
        "23:59",
        "evenings",
    ),
)
PARTS: Final = (
    "campaigns",
    "goals",
    "streaks",
    "games",
    "quizzes",
    "memberships",
    "partners",
    "leaderboards",
    "referral",
)
NUMBERS: Final = (0, 1, 2, 3, 6, 7, 12, 23, 28, 31, 365)
SETTINGS: Final[tuple[tuple[str, Any], ...]] = (
    ("when", {"field": "amount", "at_least": "5"}),
    ("when", {"field": "membership", "is": "coop"}),
    ("when", {"field": "count", "of": "visit", "per": "month", "at_least": 1}),
    ("when", {"not": {"field": "nth", "every": 2, "per": "week"}}),
    ("lines", {"field": "category", "in": ["coffee", "bread"]}),
    ("repeat", True),
    ("most_rounds", 2),
    ("surplus", "reset"),
    ("head_start", "1"),
    ("opt_in", True),
    ("most_per_day", 2),
    ("free_unit", "average"),
    ("distinct", "day"),
    ("measure", "distinct"),
    ("measure", "units"),
    ("measure", "points"),
    ("currency", "stars"),
    ("window", {"kind": "from_start", "days": 9}),
    ("window", {"kind": "each", "period": "week"}),
    ("window", {"kind": "dates", "from": "2026-03-10", "until": "2026-04-10"}),
    ("grants", [{"currency": "stars", "points": "3"}, {"currency": "freezes"}]),
    ("steps", []),
    ("caps", {"activity": "3", "month": "20"}),
    ("budget", {"points": "25"}),
    ("budget", {"money": "2.50"}),
    ("limits", {"week": 3}),
    ("price", {"currency": "freezes"}),
    ("cool_down_days", 2),
    ("stock", 2),
    ("freeze", "freezes"),
    ("least", 2),
    ("period", "week"),
    ("of", "pair"),
    ("zone", "program"),
    ("expiry", {"kind": "rolling", "days": 20, "grace_days": 2}),
    ("expiry", {"kind": "inactivity", "days": 11}),
    ("expiry", {"kind": "end_of_month", "after_months": 0}),
    ("pending", {"kind": "days", "days": 3}),
    ("pending", {"kind": "activity", "activity": "review"}),
    ("taking_back", "refuse"),
    ("scale", 2),
    ("value", "0.02"),
    ("group", "extra"),
    ("exclusive", "evenings"),
    ("tier_multipliers", {"gold": "1.5"}),
    ("tenders", {"card": "2"}),
    ("rounding", {"mode": "floor", "per": "carry"}),
    ("funded_by", "partner"),
    ("withdraws", "review"),
    ("keep", {"any": [{"metric": "visits", "at_least": "1"}]}),
    ("grace_days", 3),
    ("soft_landing", True),
    ("attempts", 2),
    ("wait_days", 0),
    ("most", 1),
    ("paused", True),
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document, the outermost first."""
    found = [path]
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += places(value, (*path, key))
    return found


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def change(data: dict[str, Any], dice: random.Random) -> None:
    """One change, of which nothing says that it makes sense."""
    path = dice.choice(places(data)[1:])
    around, key = at(data, path[:-1]), path[-1]
    value = around[key]
    kind = dice.randrange(4)
    if isinstance(value, dict) and kind:
        name, setting = dice.choice(SETTINGS)
        value[name] = copy.deepcopy(setting)
    elif isinstance(value, list) and value and kind:
        if kind == 1:
            value.append(copy.deepcopy(dice.choice(value)))
        elif kind == 2:
            value.reverse()
        else:
            value.pop(dice.randrange(len(value)))
    elif kind == 0:
        del around[key]
    elif isinstance(value, bool):
        around[key] = not value
    elif isinstance(value, int):
        around[key] = dice.choice(NUMBERS)
    elif isinstance(value, str):
        around[key] = dice.choice(TEXTS)


def sound(data: dict[str, Any]) -> bool:
    """Whether the types and the checks find no error."""
    try:
        return not errors(check(msgspec.convert(data, Program)))
    except msgspec.ValidationError:
        return False


def made(dice: random.Random) -> Program:
    """A changed document in which the checks find no error: a change that they refuse is taken back."""
    data = full()
    for name in dice.sample(PARTS, dice.randrange(4)):
        smaller = {key: value for key, value in data.items() if key != name}
        data = smaller if sound(smaller) else data
    for _ in range(dice.choice((3, 6, 12, 24))):
        before = copy.deepcopy(data)
        change(data, dice)
        if not sound(data):
            data = before
    return msgspec.convert(data, Program)


def facts(document: Program, dice: random.Random) -> list[Known]:
    """Activities of every type, in the order in which they happen; many of them make little sense."""
    kinds = ["sale", "sale", "sale", "visit", "visit", "fee", "opt_in", "opt_out", "save_for", "play", "quiz"]
    kinds += [
        "paired",
        "pair_act",
        "joined",
        "birthday",
        "anniversary",
        "friend_joined",
        "friend_converted",
        "return",
    ]
    kinds += [kind.key for kind in document.activity_types]
    names = {
        "goal": [goal.key for goal in document.goals],
        "game": [game.key for game in document.games],
        "quiz": [quiz.key for quiz in document.quizzes],
        "membership": [membership.key for membership in document.memberships],
        "streak": [streak.key for streak in document.streaks],
        "currency": [currency.key for currency in document.point_currencies],
    }
    found: list[Known] = []
    brought: list[tuple[str, str]] = []
    moment = START
    for number in range(dice.randint(5, 40)):
        moment += dice.choice((0, 1, DAY // 24, DAY, DAY, 8 * DAY))
        kind = dice.choice(kinds)
        attributes: dict[str, str | int | bool] = {
            name: dice.choice(keys) for name, keys in names.items() if keys and kind not in ("sale", "visit")
        }
        attributes |= {
            "answers": dice.choice(("1", "2", "", "x,9")),
            "points": 7,
            "pair": "1-2",
            "referrer": "m2",
        }
        carried = {} if kind in ("sale", "visit") else attributes
        fact = Fact("till", f"{number:03}", kind, moment, attributes=carried)
        if kind in ("sale", "fee", "rent"):
            cents = dice.choice((0, 1, 499, 2000, 5000, 12345))
            lines = (
                (Line("coffee", "espresso", 3, cents // 2), Line("bread", "loaf", 1, cents - cents // 2))
                if kind == "sale" and dice.random() < 0.7
                else ()
            )
            tenders = (Tender("card", cents),) if cents and dice.random() < 0.5 else ()
            fact = msgspec.structs.replace(
                fact,
                amount=cents,
                lines=lines,
                tenders=tenders,
                partner=dice.choice((None, "bakery", "books", "who")),
            )
        takes = {item.key: item.withdraws for item in document.activity_types if item.withdraws}
        if kind == "return" or kind in takes:
            of = [identifier for type_, identifier in brought if type_ == takes.get(kind, "sale")]
            if not of:
                continue
            fact = msgspec.structs.replace(
                fact, sale=Reference("till", dice.choice(of)), whole=True, attributes={}
            )
        brought.append((kind, fact.id))
        inputs = Inputs(
            member={"age": dice.choice((18, 70))},
            zone=dice.choice(("", "Asia/Tokyo", "America/New_York")),
            draw=f"{dice.getrandbits(256):064x}",
            allotted={},
        )
        found.append(Known(fact, inputs))
    return found


def plays(document: Program, dice: random.Random) -> None:
    plan = Plan(document, 1)
    fold = Fold(Timeline([(0, NEVER, plan)]), keep_records=True)
    for known in facts(document, dice):
        fold.decide(known, live=dice.random() < 0.5)
        for wallet in fold.state.wallets.values():
            assert all(lot.remaining >= 0 for lot in wallet.lots)
    fold.advance(START + 900 * DAY)


@pytest.mark.parametrize("seed", range(20))
def test_what_passes_the_checks_works(seed: int) -> None:
    dice = random.Random(seed)
    for number in range(6):
        document = made(dice)
        try:
            plays(document, dice)
            if number == 0:
                lint(document)  # tells it in plain words too
        except Exception as error:
            error.add_note(f"the document: {canonical(document).decode()}")
            raise


def test_changes_do_change_documents() -> None:
    """Without changes that survive the checks the test above would try one document again and again."""
    dice = random.Random(1)
    assert len({canonical(made(dice)) for _ in range(40)}) > 36
