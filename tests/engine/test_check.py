"""Every check of a program document: one change that is refused, with its path, code and severity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from palier.engine.check import check, errors
from palier.engine.instants import parse_instant
from palier.engine.program import Program
from tests.engine.documents import plain, program, text
from tests.model.cases import programs


def test_the_sample_has_no_problem() -> None:
    assert check(program()) == []


@settings(max_examples=60, deadline=None)
@given(programs())
def test_random_programs_have_no_error(made: Program) -> None:
    assert errors(check(made)) == []


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change that sets what the dotted path names; numbers are indexes, `+` appends."""

    def change(data: dict[str, Any]) -> None:
        *way, last = path.split(".")
        part: Any = data
        for name in way:
            part = part[int(name)] if isinstance(part, list) else part.setdefault(name, {})
        if isinstance(part, list):
            if last == "+":
                part.append(value)
            else:
                part[int(last)] = value
        elif value is None:
            del part[last]
        else:
            part[last] = value

    return change


def rule(**settings: Any) -> dict[str, Any]:
    return {"key": "more", "name": text("More"), "on": "sale", "currency": "stars", **settings}


RATE = {"points": "1"}
SPEND = {"metric": "spend", "at_least": "200"}


@pytest.mark.parametrize(
    ("where", "value", "path", "code"),
    [
        # the head
        ("name", {"en": "Club"}, "name.fr", "missing_text"),
        ("names", {"category": {"FUEL": {"en": "fuel"}}}, "names.category.FUEL.fr", "missing_text"),
        ("name", {"en": "x" * 201, "fr": "y"}, "name.en", "too_long"),
        ("languages", [], "languages", "missing_text"),
        ("time_zone", "Europe/Pari", "time_zone", "unknown_time_zone"),
        ("time_zone", "../etc/passwd", "time_zone", "unknown_time_zone"),
        ("time_zone", "localtime", "time_zone", "unknown_time_zone"),
        ("time_zone", "posixrules", "time_zone", "unknown_time_zone"),
        ("time_zone", "right/Europe/Paris", "time_zone", "unknown_time_zone"),
        ("currency", "EUX", "currency", "unknown_currency"),
        ("effective_from", "2026-01-01", "effective_from", "date"),
        ("effective_from", "2026-01-01T00:00:00", "effective_from", "date"),
        # point currencies
        ("point_currencies.1.key", "stars", "point_currencies[1].key", "duplicate_key"),
        (
            "point_currencies.0.name",
            {"en": {"one": "a", "other": "b"}},
            "point_currencies[0].name.fr",
            "missing_text",
        ),
        (
            "point_currencies.0.expiry",
            {"kind": "fixed_date", "date": "2026-02-30"},
            "point_currencies[0].expiry.date",
            "date",
        ),
        (
            "point_currencies.0.pending",
            {"kind": "activity", "activity": "sale"},
            "point_currencies[0].pending.activity",
            "unknown_reference",
        ),
        # attributes and activity types
        ("activity_types.0.key", "sale", "activity_types[0].key", "reserved_name"),
        ("activity_types.0.key", "redeem", "activity_types[0].key", "reserved_name"),
        ("activity_types.0.key", "expired", "activity_types[0].key", "reserved_name"),
        (
            "activity_types.0.attributes.date",
            {"type": "date"},
            "activity_types[0].attributes.date",
            "reserved_name",
        ),
        (
            "member_attributes.size",
            {"type": "integer", "choices": ["1"]},
            "member_attributes.size.choices",
            "contradiction",
        ),
        (
            "member_attributes.size",
            {"type": "text", "choices": ["a", "a"]},
            "member_attributes.size.choices",
            "duplicate_key",
        ),
        # references of rules
        ("rules.0.currency", "star", "rules[0].currency", "unknown_reference"),
        ("rules.1.group", "extras", "rules[1].group", "unknown_reference"),
        ("rules.0.on", "reveiw", "rules[0].on", "unknown_reference"),
        ("rules.0.on", "return", "rules[0].on", "reserved_name"),
        ("rules.0.on", "adjust", "rules[0].on", "reserved_name"),
        (
            "rules.0.tier_multipliers",
            {"golden": "2"},
            "rules[0].tier_multipliers.golden",
            "unknown_reference",
        ),
        ("rules.1.key", "base", "rules[1].key", "duplicate_key"),
        # effects
        ("rules.+", rule(), "rules[2]", "one_effect"),
        ("rules.+", rule(fixed="1", per_unit="1"), "rules[2].fixed", "one_effect"),
        ("rules.+", rule(fixed="1.5"), "rules[2].fixed", "too_many_decimals"),
        ("rules.+", rule(fixed="0"), "rules[2].fixed", "zero"),
        ("rules.+", rule(per_spend={"points": "0.00"}), "rules[2].per_spend.points", "zero"),
        ("rules.+", rule(per_spend={"points": "1", "every": "0"}), "rules[2].per_spend.every", "zero"),
        (
            "rules.+",
            rule(per_spend={"points": "1", "every": "0.005"}),
            "rules[2].per_spend.every",
            "too_many_decimals",
        ),
        ("rules.+", rule(on="review", per_spend=RATE), "rules[2].per_spend", "contradiction"),
        ("rules.+", rule(on="visit", per_unit="1"), "rules[2].per_unit", "contradiction"),
        ("rules.+", rule(multiply="1"), "rules[2].multiply", "no_effect"),
        ("rules.+", rule(currency="cash", multiply="2"), "rules[2].multiply", "contradiction"),
        ("rules.0", rule(multiply="2"), "rules[0].multiply", "contradiction"),
        # what does not go with an effect
        ("rules.1.tenders", {"cash": "1"}, "rules[1].tenders", "no_effect"),
        ("rules.1.tier_multipliers", {"gold": "2"}, "rules[1].tier_multipliers", "no_effect"),
        ("rules.0.tier_multipliers", {"gold": "1.00"}, "rules[0].tier_multipliers", "no_effect"),
        ("rules.0.tier_multipliers", {}, "rules[0].tier_multipliers", "no_effect"),
        ("rules.1.lines", {"field": "sku", "is": "1"}, "rules[1].lines", "no_effect"),
        ("rules.1.base", {"tax": "out"}, "rules[1].base", "no_effect"),
        ("rules.1.rounding", {"mode": "ceiling"}, "rules[1].rounding", "no_effect"),
        ("rules.0.rounding", {"mode": "ceiling", "per": "carry"}, "rules[0].rounding.mode", "contradiction"),
        ("rules.0.expiry", {"kind": "inactivity", "days": 3}, "rules[0].expiry.kind", "contradiction"),
        # conditions, with the exact path
        ("rules.0.when", {"field": "amount", "at_least": "1.234"}, "rules[0].when.at_least", "condition"),
        (
            "rules.0.lines",
            {"all": [{"field": "tier", "is": "gold"}]},
            "rules[0].lines.all[0].field",
            "condition",
        ),
        # times
        ("rules.0.active_from", "2026-13-01", "rules[0].active_from", "date"),
        ("rules.0.active_until", "2026-01-01T00:00:00", "rules[0].active_until", "date"),
        # caps
        ("rules.0.caps", {"day": "0"}, "rules[0].caps.day", "zero"),
        ("rules.0.caps", {"day": "0.5"}, "rules[0].caps.day", "too_many_decimals"),
        ("rules.0.caps", {}, "rules[0].caps", "no_effect"),
        ("caps", [{"currency": "star", "caps": {"day": "1"}}], "caps[0].currency", "unknown_reference"),
        (
            "caps",
            [{"currency": "stars", "caps": {"day": "1"}}, {"currency": "stars", "caps": {"year": "9"}}],
            "caps[1].currency",
            "duplicate_key",
        ),
        ("rules.+", rule(currency="cash", fixed="1", group="extra"), "groups[0]", "contradiction"),
        # tiers
        ("tiers.tiers", [], "tiers.tiers", "tiers"),
        ("tiers.tiers.0.qualify", {"all": [SPEND]}, "tiers.tiers[0].qualify", "tiers"),
        ("tiers.tiers.1.qualify", None, "tiers.tiers[1]", "tiers"),
        ("tiers.tiers.1.qualify", {}, "tiers.tiers[1].qualify", "tiers"),
        ("tiers.tiers.1.qualify", {"all": [SPEND], "any": [SPEND]}, "tiers.tiers[1].qualify", "tiers"),
        ("tiers.tiers.1.qualify", {"all": []}, "tiers.tiers[1].qualify.all", "tiers"),
        (
            "tiers.tiers.1.qualify.all",
            [SPEND, SPEND],
            "tiers.tiers[1].qualify.all[1].metric",
            "duplicate_key",
        ),
        (
            "tiers.tiers.1.qualify.all",
            [{"metric": "points", "at_least": "5"}],
            "tiers.tiers[1].qualify.all[0].metric",
            "tiers",
        ),
        (
            "tiers.tiers.1.qualify.all",
            [{"metric": "visits", "at_least": "1.5"}],
            "tiers.tiers[1].qualify.all[0].at_least",
            "too_many_decimals",
        ),
        (
            "tiers.tiers.+",
            {"key": "top", "name": text("Top"), "qualify": {"all": [{"metric": "spend", "at_least": "50"}]}},
            "tiers.tiers[2].qualify",
            "tiers",
        ),
        (
            "tiers.tiers.+",
            {
                "key": "top",
                "name": text("Top"),
                "qualify": {"all": [{"metric": "spend", "at_least": "100.00"}]},
            },
            "tiers.tiers[2].qualify",
            "tiers",
        ),
        (
            "tiers.tiers.+",
            {"key": "gold", "name": text("x"), "qualify": {"all": [SPEND]}},
            "tiers.tiers[2].key",
            "duplicate_key",
        ),
        ("tiers.counts", ["vist"], "tiers.counts[0]", "unknown_reference"),
        ("tiers.counts", ["visit"], "tiers.tiers[1].qualify.all[0].metric", "contradiction"),
        ("tiers.points_currency", "coins", "tiers.points_currency", "unknown_reference"),
    ],
)
def test_refused(where: str, value: Any, path: str, code: str) -> None:
    data = plain()
    put(where, value)(data)
    problems = errors(check(program(data)))
    assert (path, code) in [(problem.path, problem.code) for problem in problems], problems
    assert all(problem.message and problem.remedy for problem in problems)


@pytest.mark.parametrize(
    ("expiry", "days"),
    [
        ({"kind": "rolling", "days": 10}, 10),
        ({"kind": "rolling", "days": 10, "grace_days": 5}, 15),
        # Earned as the month begins, it lasts 31 days at most; as a leap year does, 366.
        ({"kind": "end_of_month", "after_months": 0}, 31),
        ({"kind": "end_of_month", "after_months": 1, "grace_days": 3}, 65),
        ({"kind": "end_of_year", "after_years": 0}, 366),
    ],
)
def test_points_that_wait_as_long_as_they_live(expiry: dict[str, Any], days: int) -> None:
    data = plain()
    data["point_currencies"][0]["expiry"] = expiry
    data["rules"][0]["pending"] = {"kind": "days", "days": days - 1}
    assert not check(program(data))
    data["rules"][0]["pending"]["days"] = days
    assert [(problem.path, problem.code) for problem in check(program(data))] == [
        ("rules[0].pending.days", "contradiction")
    ]


def test_a_rule_that_ends_before_it_starts() -> None:
    data = plain()
    data["rules"][0] |= {"active_from": "2026-05-02", "active_until": "2026-05-01"}
    assert [problem.path for problem in check(program(data))] == ["rules[0].active_until"]
    data["rules"][0] |= {"active_from": "2026-05-01"}
    assert check(program(data)) == []  # a date as the end is included


@pytest.mark.parametrize(
    ("where", "value", "path"),
    [
        ("rules.0.caps", {"day": "100", "month": "50"}, "rules[0].caps.day"),
        ("rules.1.caps", {"day": "4"}, "rules[1].caps.day"),
        ("rules.0.rounding", {"per": "line"}, "rules[0].rounding.per"),
        ("groups.+", {"key": "unused"}, "groups[1]"),
        ("tiers.points_currency", "stars", "tiers.points_currency"),
        ("tiers.tiers.1.keep", {"all": [SPEND]}, "tiers.tiers[1].keep"),
    ],
)
def test_warned(where: str, value: Any, path: str) -> None:
    data = plain()
    put(where, value)(data)
    problems = check(program(data))
    assert [(problem.path, problem.severity) for problem in problems] == [(path, "warning")]


def test_a_language_that_is_not_declared_needs_no_text() -> None:
    data = plain()
    data["languages"] = ["en"]
    data["name"] = {"en": "Club"}
    assert check(program(data)) == []


def test_large_thresholds_are_compared_exactly() -> None:
    data = plain()
    data["tiers"]["tiers"][1]["qualify"] = {"all": [{"metric": "spend", "at_least": "90000000000"}]}
    data["rules"][0]["caps"] = {"day": "9000000000000", "year": "9000000000001"}
    assert check(program(data)) == []
    data["rules"][0]["caps"] = {"day": "99999999999999"[:13] + ".0", "year": "10"}
    assert [problem.severity for problem in check(program(data))] == ["warning"]


def test_a_factor_of_1_beside_others_may_be_written() -> None:
    data = plain()
    data["rules"][0]["tier_multipliers"] = {"green": "1", "gold": "1.5"}
    assert check(program(data)) == []


@pytest.mark.parametrize(
    ("where", "value", "message", "remedy"),
    [
        ("rules.0.caps", {"day": "0"}, "a cap of 0 lets nothing through", "write an amount above 0"),
        (
            "tiers.tiers.1.qualify.all",
            [{"metric": "visits", "at_least": "2.5"}],
            '"2.5" is too fine: visits have no decimals',
            "write a whole number",
        ),
        (
            "tiers.tiers.1.qualify.all",
            [{"metric": "spend", "at_least": "2.555"}],
            '"2.555" is too fine: amounts in EUR have at most 2 decimals',
            "round it",
        ),
        (
            "rules.0.caps",
            {"day": "0.5"},
            '"0.5" is too fine: points of this currency have no decimals',
            "round it, or raise the scale",
        ),
    ],
)
def test_what_is_wrong_is_said_as_it_is(where: str, value: Any, message: str, remedy: str) -> None:
    data = plain()
    put(where, value)(data)
    told = [(problem.message, problem.remedy) for problem in check(program(data))]
    assert len(told) == 1
    assert told[0][0] == message
    assert told[0][1].startswith(remedy)


def test_an_activity_type_that_is_declared_nowhere() -> None:
    data = plain()
    data["activity_types"] = []
    data["point_currencies"][0]["pending"] = {"kind": "activity", "activity": "delivered"}
    problem = check(program(data))[0]
    assert (problem.message, problem.remedy) == (
        'there is no declared activity type "delivered"',
        "declare it first",
    )


# --- what is over before the version starts -----------------------------------------------------------------

STARTS = "2026-06-01T00:00:00+02:00"
GONE = {"kind": "fixed_date", "date": "2026-05-31"}


def told(data: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(problem.path, problem.code, problem.severity) for problem in check(program(data))]


def test_what_ended_before_the_version_starts_is_told() -> None:
    data = plain() | {"effective_from": STARTS}
    data["rules"][1]["active_until"] = "2026-05-31"
    assert told(data) == [("rules[1].active_until", "no_effect", "warning")]
    data["rules"][1]["active_until"] = "2026-06-01"
    assert told(data) == []
    campaign = {
        "key": "spring",
        "name": text("Spring"),
        "active_until": "2026-05-01",
        "rules": [rule(key="spring_bonus", fixed="1", expiry=GONE)],
    }
    data["campaigns"] = [campaign]
    assert told(data) == [("campaigns[0].active_until", "no_effect", "warning")]
    data["effective_from"] = None
    assert told(data) == []
    # Where no instant is named the version starts as it is published.
    june = parse_instant(STARTS)
    found = check(program(data), june)
    assert [(one.path, one.severity) for one in found] == [("campaigns[0].active_until", "warning")]
    data["campaigns"] = []
    data["point_currencies"][0]["expiry"] = GONE
    found = check(program(data), june)
    assert [(one.path, one.severity) for one in found] == [("point_currencies[0].expiry.date", "warning")]
    assert check(program(data), june - 1) == []


def test_points_that_are_gone_as_they_come() -> None:
    data = plain() | {"effective_from": STARTS}
    data["rules"].append(rule(key="summer", fixed="1", expiry=GONE))
    path = "rules[2].expiry.date"
    assert told(data) == [(path, "contradiction", "warning")]  # other stars last
    data["rules"][2]["expiry"] = GONE | {"grace_days": 1}
    assert told(data) == []

    # A currency of which nothing lasts cannot have been meant; one that nothing brings any more may stay.
    data["rules"].pop()
    data["point_currencies"][0]["expiry"] = GONE
    path = "point_currencies[0].expiry.date"
    assert told(data) == [(path, "contradiction", "error")]
    data["rules"].append(rule(key="lasting", fixed="1", expiry={"kind": "never"}))
    assert told(data) == [(path, "contradiction", "warning")]
    data["rules"] = [rule(key="other", currency="cash", fixed="1")]
    data["groups"] = []
    assert told(data) == []
    data["tiers"]["tiers"][1]["grants"] = [{"currency": "stars"}]
    assert told(data) == [(path, "contradiction", "error")]


def test_a_rule_that_has_run_does_not_bring_what_is_gone() -> None:
    """A later version of a running program keeps what it had: nothing of it is refused."""
    data = plain() | {"effective_from": STARTS}
    data["point_currencies"][0]["expiry"] = GONE
    for item in data["rules"]:
        item["active_until"] = "2026-05-31"
    assert {(path, severity) for path, _, severity in told(data)} == {
        ("rules[0].active_until", "warning"),
        ("rules[1].active_until", "warning"),
    }
