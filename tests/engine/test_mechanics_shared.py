"""What members share, and what they tell each other: budgets, stocks, partners' ceilings, friends, pairs."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from palier.engine.check import check, errors
from palier.engine.clock import instant
from palier.engine.decisions import Decision
from palier.engine.facts import MADE_SOURCE, RETURN, Fact, Inputs, Reference
from palier.engine.program import Program
from palier.engine.refusals import Refusal, RefusalCode
from tests.engine.mechanics import drawn_for
from tests.engine.world import World
from tests.model.cases import DAY, HOUR, currency, named, program_of

EXAMPLES = int(os.environ.get("MECHANICS_EXAMPLES", "60"))
START = instant(datetime(2026, 3, 30, 9, tzinfo=ZoneInfo("Europe/Paris")))
NAMES = ("m_a", "m_b", "m_c")
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


def units(key: str, points: str = "1") -> list[dict[str, str]]:
    return [{"currency": key, "points": points}]


def shared_program(referral: bool = True, offers: Any = (), **more: Any) -> Program:
    """A base rate, two campaigns with budgets, a partner with a ceiling, a surprise and a wheel with stock."""
    program = program_of(
        {
            "point_currencies": [currency("stars", value="0.01"), currency("cups", kind="reward")],
            "rules": [
                named("base", on="sale", currency="stars", per_spend={"points": "1"}),
                named(
                    "baker",
                    on="sale",
                    currency="stars",
                    per_spend={"points": "2"},
                    when={"field": "partner", "is": "bakery"},
                    funded_by="partner",
                ),
            ],
            "campaigns": [
                named(
                    "spring",
                    budget={"points": "60"},
                    rules=[
                        named("double", on="sale", currency="stars", multiply="2"),
                        named("more", on="sale", currency="stars", fixed="3"),
                    ],
                ),
                named(
                    "money",
                    budget={"money": "0.25"},
                    rules=[named("flat", on="sale", currency="stars", fixed="4")],
                ),
                *offers,
            ],
            "partners": [
                named(
                    "bakery",
                    currency="stars",
                    agreements=[
                        {
                            "from": "2026-01-01",
                            "issue_price": "0.01",
                            "prepaid": "0.90",
                            "most_points_month": "70",
                        }
                    ],
                )
            ],
            "games": [
                named(
                    "gift",
                    kind="surprise",
                    on=["sale"],
                    prizes=[
                        named("cup", weight=3, stock=4, grants=units("cups")),
                        named("none", weight=1),
                    ],
                ),
                named(
                    "wheel",
                    price={"currency": "stars", "points": "2"},
                    budget={"points": "25"},
                    prizes=[
                        named("ten", weight=2, stock=2, grants=units("stars", "10")),
                        named("five", weight=1, grants=units("stars", "5")),
                    ],
                ),
            ],
            **(
                {"referral": {"wait_days": 2, "referrer": units("stars", "20"), "friend": units("cups", "2")}}
                if referral
                else {}
            ),
            **more,
        }
    )
    found = errors(check(program))
    assert not found, found
    return program


def offer(key: str, points: str, **settings: Any) -> dict[str, Any]:
    """A campaign of the group `offer` with one rule of its name."""
    rule = named(f"{key}_rule", on="sale", currency="stars", per_spend={"points": points})
    rule |= settings.pop("rule", {})
    return named(key, exclusive="offer", rules=[rule], **settings)


OFFERS = (
    offer("first", "3", budget={"points": "40"}),
    offer("second", "2", budget={"points": "30"}),
    offer("third", "5", rule={"funded_by": "partner", "when": {"field": "partner", "is": "bakery"}}),
    offer("always", "1", rule={"when": {"field": "amount", "at_most": "10"}}),
)


class Crowd:
    """Members who buy, return and play in turn."""

    def __init__(self, draw: Any, world: World) -> None:
        self.draw = draw
        self.world = world
        self.now = START
        self.sales: list[tuple[str, Fact]] = []
        self.number = 0

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def name(self) -> str:
        self.number += 1
        return f"x{self.number:03}"

    def step(self) -> None:
        self.now += self.one_of(1, HOUR, 20 * HOUR)
        name = self.one_of(*NAMES)
        kind = self.draw(st.integers(0, 9))
        identifier = self.name()
        if kind < 6 or not self.sales:
            amount = self.one_of(0, 300, 990, 2500)
            partner = self.one_of(None, "bakery", "nobody")
            fact = Fact("till", identifier, "sale", self.now, amount, partner=partner)
            self.sales.append((name, fact))
            self.tell(name, fact)
        elif kind < 9:
            name, sale = self.one_of(*self.sales)
            self.give_back(name, sale, self.one_of({"whole": True}, {"amount": 150}, {"amount": 990}))
        else:
            fact = Fact("app", identifier, "play", self.now, attributes={"game": "wheel"})
            self.tell(name, fact, live=True)
        self.check()

    def give_back(self, name: str, sale: Fact, back: dict[str, Any]) -> None:
        fact = Fact("till", self.name(), RETURN, self.now, sale=Reference(sale.source, sale.id), **back)
        self.tell(name, fact)

    def tell(self, name: str, fact: Fact, live: bool = False) -> None:
        draw = drawn_for(fact.id) if self.world.plan.draws(fact) else ""
        answer = self.world.tell(name, fact, Inputs(draw=draw), live=live)
        assert isinstance(answer, Decision) or live, answer

    def check(self) -> None:
        world = self.world
        for key, limit in world.limits.items():
            assert 0 <= world.used.get(key, 0) <= limit, key

    def brought(self) -> Counter[str]:
        """What stands of each shared limit, by the rules and prizes of all decisions."""
        world = self.world
        found: Counter[str] = Counter()
        for name in world.members:
            for record in world.members[name].sales.values():
                for item in record.results:
                    rule = world.plan.rules[item.rule]
                    if rule.budget:
                        found[rule.budget] += item.earned
                    if world.plan.funder(rule, record.fact):
                        for key in world.plan.partner_rooms(record.fact):
                            found[key] += item.earned
                if record.fact.type == "sale" and record.kept().nothing:
                    continue
                for game, _, prize in record.trace.draws:
                    points = sum(g.points for g in record.trace.grants if g.cause == f"game:{game}:{prize}")
                    if f"prize:{game}:{prize}" in world.limits:
                        found[f"prize:{game}:{prize}"] += 1
                    if f"game:{game}" in world.limits:
                        found[f"game:{game}"] += points
        return Counter({key: amount for key, amount in found.items() if amount})


@many
@given(st.data())
@pytest.mark.parametrize("offers", [(), OFFERS])
def test_what_members_share_is_never_overrun_and_free_again_after_returns(
    offers: Any, data: st.DataObject
) -> None:
    capped = {"caps": [{"currency": "stars", "caps": {"day": "60"}}]} if offers else {}
    world = World(shared_program(offers=offers, **capped))
    crowd = Crowd(data.draw, world)
    for _ in range(data.draw(st.integers(3, 25))):
        crowd.step()
        assert Counter({k: v for k, v in world.used.items() if v}) == crowd.brought()
    world.deliver()
    for name in world.members:
        assert world.replayed_otherwise(name) == []
    for name, sale in crowd.sales:
        crowd.now += 1
        crowd.give_back(name, sale, {"whole": True})
    assert {key for key, used in world.used.items() if used} <= {"prize:wheel:ten", "game:wheel"}
    for key in ("campaign:spring", "campaign:money", "prize:gift:cup"):
        assert world.used.get(key, 0) == 0


def test_a_budget_gives_exactly_what_it_has_in_order_of_time() -> None:
    world = World(shared_program())
    earned = []
    for number in range(6):
        fact = Fact("till", f"s{number}", "sale", START + number * HOUR, 1200)
        answer = world.tell(NAMES[number % 3], fact, Inputs(draw=drawn_for("x")))
        assert isinstance(answer, Decision)
        earned.append({item.rule: item.earned for item in answer.trace.rules if item.rule != "base"})
    # 60 points: 15 each time, four times; 0.25 at 0.01: 25 points, 4 each time.
    assert [item["double"] + item["more"] for item in earned] == [15, 15, 15, 15, 0, 0]
    assert [item["flat"] for item in earned] == [4, 4, 4, 4, 4, 4]
    assert world.used["campaign:spring"] == 60
    last = Fact("till", "s9", "sale", START + 10 * HOUR, 1200)
    answer = world.tell("m_a", last, Inputs(draw=drawn_for("x")))
    assert isinstance(answer, Decision)
    assert {item.rule: item.earned for item in answer.trace.rules}["flat"] == 1
    back = Fact("till", "b", RETURN, START + 11 * HOUR, sale=Reference("till", "s0"), whole=True)
    answer = world.tell("m_a", back, Inputs())
    assert isinstance(answer, Decision)
    assert world.used["campaign:spring"] == 45
    again = Fact("till", "s10", "sale", START + 12 * HOUR, 1200)
    answer = world.tell("m_b", again, Inputs(draw=drawn_for("x")))
    assert isinstance(answer, Decision)
    assert {item.rule: item.earned for item in answer.trace.rules}["double"] == 12


def test_of_exclusive_campaigns_one_without_budget_left_leaves_its_place_to_the_next() -> None:
    offers = (
        offer("first", "3", budget={"points": "40"}),
        offer("second", "2", budget={"points": "30"}),
        offer("always", "1"),
    )
    world = World(shared_program(offers=offers))
    brought = []
    for number in range(6):
        fact = Fact("till", f"s{number}", "sale", START + number * HOUR, 1000)
        answer = world.tell(NAMES[number % 3], fact, Inputs(draw=drawn_for("x")))
        assert isinstance(answer, Decision)
        names = ("first_rule", "second_rule", "always_rule")
        brought.append([(item.rule, item.earned) for item in answer.trace.rules if item.rule in names])
    # Of 30, 20 and 10 the most; of the first's last 10 and the second's 20 the second, then what is left of all.
    assert brought == [
        [("first_rule", 30)], [("second_rule", 20)], [("first_rule", 10)], [("second_rule", 10)],
        [("always_rule", 10)], [("always_rule", 10)],
    ]  # fmt: skip
    assert [world.replayed_otherwise(name) for name in NAMES] == [[]] * 3
    back = Fact("till", "b", RETURN, START + 9 * HOUR, sale=Reference("till", "s0"), amount=500)
    answer = world.tell("m_a", back, Inputs())
    assert isinstance(answer, Decision)
    assert [(r.rule, r.earned) for r in answer.trace.rules if r.rule in names] == [("first_rule", 15)]
    assert world.used["campaign:first"] == 25


def test_a_campaign_chosen_by_its_budget_stays_chosen_when_a_cap_cuts_what_it_brings() -> None:
    offers = (offer("first", "3", budget={"points": "40"}), offer("always", "2"))
    capped = [{"currency": "stars", "caps": {"day": "32"}}]
    world = World(shared_program(offers=offers, caps=capped))
    fact = Fact("till", "s", "sale", START, 1000)
    answer = world.tell("m_a", fact, Inputs(draw=drawn_for("x")))
    assert isinstance(answer, Decision)
    assert {item.rule: item.earned for item in answer.trace.rules}["first_rule"] < 20
    assert world.replayed_otherwise("m_a") == []


def test_a_wheel_is_for_those_who_meet_its_condition() -> None:
    data: dict[str, Any] = {
        "rules": [named("base", on="sale", currency="points", per_spend={"points": "1"})],
        "tiers": {
            "tiers": [
                named("green"),
                named("gold", qualify={"all": [{"metric": "spend", "at_least": "10"}]}),
            ],
            "window": {"kind": "lifetime"},
        },
        "games": [
            named(
                "wheel",
                when={"all": [{"field": "tier", "is": "gold"}, {"field": "nth", "per": "day", "at_most": 1}]},
                prizes=[named("one", weight=1, grants=units("points"))],
            )
        ],
    }
    world = World(program_of(data))

    def play(number: int) -> Decision | Refusal:
        fact = Fact("app", f"p{number}", "play", START + number, attributes={"game": "wheel"})
        return world.tell("m_a", fact, Inputs(draw=drawn_for("x")), live=True)

    refused = play(0)
    assert isinstance(refused, Refusal)
    assert refused.code == RefusalCode.GAME_CLOSED
    world.tell("m_a", Fact("till", "s", "sale", START + 1, 1000), Inputs())
    assert isinstance(play(2), Decision)
    assert isinstance(play(3), Refusal), "one play a day"


def test_a_return_is_refused_whole_when_a_gift_of_a_goal_was_spent() -> None:
    noun = {"taking_back": "refuse", "kind": "reward"}
    world = World(
        program_of(
            {
                "point_currencies": [currency("points"), currency("cups", **noun)],
                "goals": [
                    named(
                        "card",
                        steps=[{"at": "2", "name": {"en": "2", "fr": "2"}, "grants": units("cups")}],
                    )
                ],
            }
        )
    )
    for number in range(2):
        world.tell("m_a", Fact("till", f"s{number}", "sale", START + number, 1000), Inputs())
    world.tell("m_a", Fact("app", "r", "redeem", START + 5, points=1, currency="cups"), Inputs())
    back = Fact("till", "b", RETURN, START + 9, sale=Reference("till", "s0"), whole=True)
    refused = world.tell("m_a", back, Inputs(), live=True)
    assert isinstance(refused, Refusal)
    assert refused.code == RefusalCode.POINTS_ALREADY_SPENT
    engine = world.members["m_a"]
    assert engine.state.goals["card"].window.position == 2
    assert engine.state.wallets["cups"].debt == 0
    answer = world.tell("m_a", back, Inputs())
    assert isinstance(answer, Decision), "a fact that arrives late is never refused for it"
    assert engine.state.wallets["cups"].debt == 1


def test_a_play_is_not_taken_back() -> None:
    world = World(shared_program())
    world.tell("m_a", Fact("till", "s", "sale", START, 1000), Inputs(draw=drawn_for("x")))
    play = Fact("app", "p", "play", START + 1, attributes={"game": "wheel"})
    world.tell("m_a", play, Inputs(draw=drawn_for("x")), live=True)
    back = Fact("till", "b", RETURN, START + 2, sale=Reference("app", "p"), whole=True)
    refused = world.tell("m_a", back, Inputs())
    assert isinstance(refused, Refusal)
    assert refused.code == RefusalCode.RETURN_DOES_NOT_FIT


def friends() -> World:
    world = World(shared_program())
    joined = Fact(MADE_SOURCE, "joined:m_b", "joined", START - DAY, other_member="m_a")
    answer = world.tell("m_b", joined, Inputs())
    assert isinstance(answer, Decision)
    world.deliver()
    return world


def worth(world: World, name: str, key: str = "stars") -> int:
    """What a member has of a currency, waiting points among it, less what he owes."""
    wallet = world.member(name).state.wallets.get(key)
    if wallet is None:
        return 0
    return wallet.spendable + sum(entry.amount for entry in wallet.pending) - wallet.debt


def test_a_friends_purchase_rewards_both_until_it_comes_back() -> None:
    world = friends()
    world.tell("m_b", Fact("till", "s", "sale", START, 1000), Inputs())
    world.deliver()
    assert (worth(world, "m_a"), worth(world, "m_b", "cups")) == (20, 2)
    assert world.member("m_a").state.wallets["stars"].spendable == 0
    world.member("m_a").advance(START + 2 * DAY)
    assert world.member("m_a").state.wallets["stars"].spendable == 20
    back = Fact("till", "b", RETURN, START + 3 * DAY, sale=Reference("till", "s"), whole=True)
    world.tell("m_b", back, Inputs())
    world.deliver()
    assert (worth(world, "m_a"), worth(world, "m_b", "cups")) == (0, 0)
    # The next purchase converts, and the one that came back takes no place of it.
    world.tell("m_b", Fact("till", "s2", "sale", START + 4 * DAY, 1000), Inputs())
    world.deliver()
    assert (worth(world, "m_a"), worth(world, "m_b", "cups")) == (20, 2)
    assert [world.replayed_otherwise(name) for name in world.members] == [[]] * len(world.members)


@many
@given(st.data())
def test_whenever_it_is_delivered_a_friends_purchase_comes_to_the_same(data: st.DataObject) -> None:
    """The same purchases and returns of two members, what they tell each other delivered at different times."""
    crowd = []
    now = START
    sales: list[tuple[str, Fact]] = []
    for number in range(data.draw(st.integers(2, 9))):
        now += data.draw(st.sampled_from([1, HOUR, 30 * HOUR]))
        name = data.draw(st.sampled_from(["m_a", "m_b"]))
        if sales and data.draw(st.integers(0, 2)) == 0:
            name, sale = data.draw(st.sampled_from(sales))
            back = data.draw(st.sampled_from([{"whole": True}, {"amount": 150}]))
            sale_name = Reference("till", sale.id)
            crowd.append((name, Fact("till", f"b{number}", RETURN, now, sale=sale_name, **back)))
        else:
            fact = Fact("till", f"s{number}", "sale", now, data.draw(st.sampled_from([0, 300, 2500])))
            sales.append((name, fact))
            crowd.append((name, fact))
    ends = []
    for late in (False, True):
        world = friends()
        world.used = dict.fromkeys(world.plan.budgets, 0)
        for name, fact in crowd:
            world.tell(name, fact, Inputs())
            if not late or data.draw(st.booleans()):
                world.deliver()
        world.deliver()
        for name in ("m_a", "m_b"):
            world.member(name).advance(now + 9 * DAY)
        ends.append([worth(world, name, key) for name in ("m_a", "m_b") for key in ("stars", "cups")])
        assert [world.replayed_otherwise(name) for name in world.members] == [[]] * len(world.members)
    assert ends[0] == ends[1]
