"""Given tiers: they stand above what a member earns, and change nothing of it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.facts import Fact, Inputs, Known, Reference
from palier.engine.history import fold
from palier.engine.program import Program
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.state import decode_state, encode_state
from tests.engine.histories import knowns_of, timeline
from tests.engine.test_against_model import both
from tests.model.cases import DAY, named
from tests.model.model import Fact as Told
from tests.model.test_model import at, club, fact, rule, sale

START = at("2026-01-05 10:00")


def ladder(**more: Any) -> dict[str, Any]:
    def step(key: str, euros: str, **gives: Any) -> dict[str, Any]:
        return named(key, qualify={"all": [{"metric": "spend", "at_least": euros}]}, **gives)

    return {
        "tiers": [named("base"), step("silver", "50"), step("gold", "100")],
        "window": {"kind": "rolling", "days": 30},
        **more,
    }


def tiered(**more: Any) -> Program:
    return club([rule(tier_multipliers={"silver": "2", "gold": "3"})], tiers=ladder(**more))


def lent(name: str, when: int, tier: str, until: int) -> Told:
    return fact("grant_tier", name, when, attributes={"tier": tier, "until": until})


def taken(name: str, of: str, when: int) -> Told:
    return fact("revoke_tier", name, when, undoes={"source": "till", "id": of})


def test_it_judges_until_it_ends() -> None:
    told = [
        lent("g", START, "gold", START + 10 * DAY),
        sale("a", START + DAY, 1000),
        sale("b", START + 10 * DAY, 1000),
    ]
    end = both(tiered(), told)
    assert {name: points["points"] for (_, name), points in end["earned"].items()} == {"a": 30, "b": 10}
    assert end["tier_history"] == [(START, "gold"), (START + 10 * DAY, "base")]


def test_what_was_earned_goes_on_beneath_it() -> None:
    """Silver is reached under a given gold, kept when that ends, and lost when its own sales leave the window."""
    told = [lent("g", START, "gold", START + 10 * DAY), sale("a", START + DAY, 6000)]
    end = both(tiered(), told, START + 60 * DAY)
    assert end["tier_history"] == [
        (START, "gold"),
        (START + 10 * DAY, "silver"),
        (START + 31 * DAY, "base"),
    ]


def test_it_starts_no_grace_and_ends_none() -> None:
    """Who earned gold and keeps it by grace keeps it so long, whatever was given meanwhile."""
    told = [sale("a", START, 10000), lent("g", START + 20 * DAY, "gold", START + 32 * DAY)]
    end = both(tiered(grace_days=7), told, START + 60 * DAY)
    assert end["tier_history"] == [(START, "gold"), (START + 37 * DAY, "base")]
    assert both(tiered(grace_days=7), told[1:], START + 60 * DAY)["tier_history"] == [
        (START + 20 * DAY, "gold"),
        (START + 32 * DAY, "base"),
    ]


def test_of_several_the_highest_counts_and_a_lower_one_is_not_seen() -> None:
    told = [
        sale("a", START, 6000),
        lent("low", START + 1, "base", START + 300 * DAY),
        lent("s", START + 2, "silver", START + 50 * DAY),
        lent("g", START + 3, "gold", START + 5 * DAY),
        taken("t", "g", START + 4 * DAY),
        taken("again", "g", START + 4 * DAY + 1),
    ]
    end = both(tiered(), told, START + 60 * DAY)
    assert end["tier_history"] == [
        (START, "silver"),
        (START + 3, "gold"),
        (START + 4 * DAY, "silver"),
        (START + 50 * DAY, "base"),
    ]


def test_a_given_tier_brings_no_gift_for_reaching_it() -> None:
    gift = {"currency": "points", "points": "7"}
    program = club(
        [rule()],
        tiers={
            "tiers": [
                named("base"),
                named("gold", qualify={"all": [{"metric": "visits", "at_least": "1"}]}, grants=[gift]),
            ],
            "window": {"kind": "lifetime"},
        },
    )
    engine = fold(timeline(program), knowns_of([lent("g", START, "gold", START + DAY)]))
    assert engine.state.tier.key == "gold"
    assert engine.state.wallets == {}
    both_ways = knowns_of([lent("g", START, "gold", START + DAY), sale("a", START + 1, 100)])
    engine = fold(timeline(program), both_ways)
    assert engine.state.wallets["points"].spendable == 8, "reaching it by oneself does"


def test_what_cannot_be_given_or_taken_is_refused_live() -> None:
    engine = Fold(timeline(tiered()))

    def ask(name: str, kind: str, **content: Any) -> Decision | Refusal:
        return engine.decide(Known(Fact("desk", name, kind, START, **content), Inputs(), 1), live=True)

    def code(answer: Decision | Refusal) -> RefusalCode:
        assert isinstance(answer, Refusal)
        assert answer.message
        assert answer.remedy
        return answer.code

    named_tier: dict[str, str | int | bool] = {"tier": "iron", "until": START + DAY}
    assert code(ask("a", "grant_tier", attributes=named_tier)) is RefusalCode.UNKNOWN_TIER
    over: dict[str, str | int | bool] = {"tier": "gold", "until": START}
    assert code(ask("b", "grant_tier", attributes=over)) is RefusalCode.INVALID_INSTANT
    undone = Reference("desk", "a")
    assert code(ask("c", "revoke_tier", undoes=undone)) is RefusalCode.TIER_NOT_GIVEN
    bare = Fold(timeline(club()))
    made = Fact("desk", "a", "grant_tier", START, attributes={"tier": "gold", "until": START + DAY})
    assert code(bare.decide(Known(made, Inputs(), 1), live=True)) is RefusalCode.UNKNOWN_TIER


def test_a_state_of_before_is_read() -> None:
    """States written before tiers could be given have fewer fields."""
    engine = Fold(timeline(tiered()))
    engine.decide(Known(Fact("till", "a", "sale", START, 6000), Inputs(), 1))
    import msgspec

    raw = msgspec.msgpack.decode(encode_state(engine.state))
    position = next(n for n, part in enumerate(raw) if isinstance(part, list) and part[:1] == ["silver"])
    raw[position] = raw[position][:7]
    assert decode_state(msgspec.msgpack.encode(raw)).tier == engine.state.tier


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_once_it_is_over_all_is_as_if_it_had_not_been(data: st.DataObject) -> None:
    """With rules that do not ask for the tier, a given one changes nothing but the tier that is held."""
    program = club([rule()], tiers=ladder(grace_days=data.draw(st.sampled_from([0, 5]))))
    sales = [
        sale(f"s{n}", START + data.draw(st.integers(0, 80)) * DAY, data.draw(st.integers(1, 120)) * 100)
        for n in range(data.draw(st.integers(1, 5)))
    ]
    gifts = [
        lent(f"g{n}", begins, data.draw(st.sampled_from(["silver", "gold"])), begins + lasts * DAY)
        for n, (begins, lasts) in enumerate(
            (START + data.draw(st.integers(0, 80)) * DAY + 7, data.draw(st.integers(1, 40)))
            for _ in range(data.draw(st.integers(1, 3)))
        )
    ]
    ends = both(program, sales + gifts, START + 150 * DAY)
    never = both(program, sales, START + 150 * DAY)
    assert (ends["tier"], ends["metrics"], ends["points"]) == (
        never["tier"],
        never["metrics"],
        never["points"],
    )
