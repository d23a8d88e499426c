"""Every check of the mechanics: one change of a sound document, with the one problem that it makes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import palier
from palier.engine.check import CODES, check
from palier.engine.plan import Plan
from tests.engine.documents import full, program, text
from tests.engine.test_check import put

Case = tuple[str, Any, str, str]

CURRENCIES: list[Case] = [
    ("point_currencies.3.icon", "Snow flake", "point_currencies[3].icon", "icon"),
    ("point_currencies.2.scale", 3, "point_currencies[2].scale", "cash"),
    ("point_currencies.2.value", "2", "point_currencies[2].value", "cash"),
    ("point_currencies.2.pay_out_from", "1.005", "point_currencies[2].pay_out_from", "too_many_decimals"),
    ("point_currencies.0.pay_out_from", "1", "point_currencies[0].pay_out_from", "no_effect"),
    ("point_currencies.4.scale", 1, "point_currencies[4].scale", "contradiction"),
    ("activity_types.2.withdraws", "reviews", "activity_types[2].withdraws", "unknown_reference"),
    ("activity_types.2.withdraws", "review_removed", "activity_types[2].withdraws", "contradiction"),
    ("activity_types.2.withdraws", "sale", "activity_types[2].withdraws", "reserved_name"),
    ("activity_types.1.withdraws", "review_removed", "activity_types[1].withdraws", "contradiction"),
    (
        "activity_types.1.attributes",
        {"amount": {"type": "integer"}},
        "activity_types[1].attributes.amount",
        "reserved_name",
    ),
    ("rules.1.on", "review_removed", "rules[1].on", "contradiction"),
    ("rules.1.on", "play", "rules[1].on", "reserved_name"),
    ("rules.2.currency", "cash", "rules[2].funded_by", "contradiction"),
    ("tiers.tiers.1.grants.0.currency", "coffee", "tiers.tiers[1].grants[0].currency", "unknown_reference"),
    ("tiers.tiers.1.grants.0.points", "0", "tiers.tiers[1].grants[0].points", "zero"),
    ("tiers.tiers.1.grants.0.points", "1.5", "tiers.tiers[1].grants[0].points", "too_many_decimals"),
    (
        "tiers.tiers.1.grants",
        [{"currency": "coffees"}, {"currency": "coffees"}],
        "tiers.tiers[1].grants[1].currency",
        "duplicate_key",
    ),
]

BY_HAND: list[Case] = [
    ("adjustments", {}, "adjustments", "no_effect"),
    ("adjustments.reasons.0.name", {"en": "x"}, "adjustments.reasons[0].name.fr", "missing_text"),
    (
        "adjustments.reasons",
        [{"key": "a", "name": text("A")}, {"key": "a", "name": text("A")}],
        "adjustments.reasons[1].key",
        "duplicate_key",
    ),
    ("adjustments.limits.0.currency", "moons", "adjustments.limits[0].currency", "unknown_reference"),
    ("adjustments.limits.1.currency", "stars", "adjustments.limits[1].currency", "duplicate_key"),
    ("adjustments.limits.0", {"currency": "stars"}, "adjustments.limits[0]", "no_effect"),
    ("adjustments.limits.0.day", "0", "adjustments.limits[0].day", "zero"),
    ("adjustments.limits.1.day", "100.005", "adjustments.limits[1].day", "too_many_decimals"),
    ("adjustments.limits.0.day", "499", "adjustments.limits[0].at_once", "contradiction"),
    ("adjustments.limits.0.at_once", "100", "adjustments.limits[0].approval_above", "contradiction"),
    (
        "adjustments.limits",
        [{"currency": "stars", "day": "5"}],
        "adjustments.approval_days",
        "no_effect",
    ),
]

CAMPAIGNS: list[Case] = [
    ("campaigns.0.name", {"en": "x"}, "campaigns[0].name.fr", "missing_text"),
    ("campaigns.1.key", "happy_hour", "campaigns[1].key", "duplicate_key"),
    ("campaigns.0.rules.0.key", "base", "campaigns[0].rules[0].key", "duplicate_key"),
    ("campaigns.1.rules.0.key", "evening", "campaigns[1].rules[0].key", "duplicate_key"),
    ("campaigns.0.rules.0.on", "rent", "campaigns[0].rules[0].multiply", "contradiction"),
    ("campaigns.0.active_from", "2026-07-01", "campaigns[0].active_until", "contradiction"),
    ("campaigns.0.active_from", "1 July", "campaigns[0].active_from", "date"),
    (
        "campaigns.0.audience",
        {"field": "amount", "at_least": "1.00"},
        "campaigns[0].audience.field",
        "condition",
    ),
    (
        "campaigns.0.audience",
        {"field": "nth", "is": 1, "per": "day"},
        "campaigns[0].audience.field",
        "condition",
    ),
    ("campaigns.0.calendar", {}, "campaigns[0].calendar", "no_effect"),
    ("campaigns.0.calendar.weekdays", [], "campaigns[0].calendar.weekdays", "contradiction"),
    (
        "campaigns.0.calendar.weekdays",
        ["monday", "monday"],
        "campaigns[0].calendar.weekdays",
        "duplicate_key",
    ),
    ("campaigns.0.calendar.from", "25:00", "campaigns[0].calendar.from", "time"),
    ("campaigns.0.calendar.from", "24:00", "campaigns[0].calendar.from", "time"),
    ("campaigns.0.calendar.until", "7pm", "campaigns[0].calendar.until", "time"),
    ("campaigns.0.calendar.until", "17:00", "campaigns[0].calendar.until", "contradiction"),
    ("campaigns.1.calendar.until", "00:00", "campaigns[1].calendar.until", "contradiction"),
    ("campaigns.0.budget", {}, "campaigns[0].budget", "missing"),
    ("campaigns.0.budget.points", "5", "campaigns[0].budget", "contradiction"),
    ("campaigns.0.budget.money", "0.00", "campaigns[0].budget.money", "zero"),
    ("campaigns.0.budget.money", "0.001", "campaigns[0].budget.money", "too_many_decimals"),
    ("campaigns.1.budget.points", "0.5", "campaigns[1].budget.points", "too_many_decimals"),
    ("campaigns.1.exclusive", "mornings", "campaigns[0].exclusive", "no_effect"),
    ("campaigns.0.rules.0.group", "extra", "campaigns[0].rules[0].group", "contradiction"),
]

GOALS: list[Case] = [
    ("goals.1.key", "ten_coffees", "goals[1].key", "duplicate_key"),
    ("goals.0.icon", "Cup!", "goals[0].icon", "icon"),
    ("goals.0.on", [], "goals[0].on", "missing"),
    ("goals.4.on", ["sale", "sale"], "goals[4].on[1]", "duplicate_key"),
    ("goals.4.on.1", "visits", "goals[4].on[1]", "unknown_reference"),
    ("goals.4.on.1", "return", "goals[4].on[1]", "reserved_name"),
    ("goals.4.on.1", "expired", "goals[4].on[1]", "reserved_name"),
    ("goals.4.on.1", "review_removed", "goals[4].on[1]", "contradiction"),
    ("goals.4.when", {"field": "amount", "at_least": "5"}, "goals[4].when.field", "condition"),
    ("goals.0.lines", {"field": "tier", "is": "gold"}, "goals[0].lines.field", "condition"),
    ("goals.6.on.1", "visit", "goals[6].on[1]", "contradiction"),
    ("goals.0.on", ["sale", "visit"], "goals[0].on[1]", "contradiction"),
    ("goals.2.currency", None, "goals[2].currency", "missing"),
    ("goals.2.currency", "star", "goals[2].currency", "unknown_reference"),
    ("goals.2.steps.0.at", "1.5", "goals[2].steps[0].at", "too_many_decimals"),
    ("goals.3.distinct", None, "goals[3].distinct", "missing"),
    ("goals.3.steps.0.at", "3", "goals[3].steps[0].at", "contradiction"),
    ("goals.3.most_per_day", 1, "goals[3].most_per_day", "contradiction"),
    ("goals.4.currency", "stars", "goals[4].currency", "no_effect"),
    ("goals.4.distinct", "day", "goals[4].distinct", "no_effect"),
    ("goals.4.base", {"tax": "out"}, "goals[4].base", "no_effect"),
    ("goals.4.free_unit", "average", "goals[4].free_unit", "no_effect"),
    ("goals.4.lines", {"field": "sku", "is": "1"}, "goals[4].lines", "no_effect"),
    ("goals.4.most_rounds", 2, "goals[4].most_rounds", "no_effect"),
    ("goals.4.surplus", "reset", "goals[4].surplus", "no_effect"),
    ("goals.0.most_rounds", 1, "goals[0].most_rounds", "contradiction"),
    ("goals.6.repeat", True, "goals[6].repeat", "no_effect"),
    ("goals.6.head_start", "1", "goals[6].head_start", "no_effect"),
    ("goals.0.head_start", "10", "goals[0].head_start", "contradiction"),
    ("goals.0.head_start", "2.5", "goals[0].head_start", "too_many_decimals"),
    ("goals.5.window.from", "2026-05-01", "goals[5].window.until", "contradiction"),
    ("goals.5.window.until", "2026-04-31", "goals[5].window.until", "date"),
    ("goals.1.steps.1.at", "50", "goals[1].steps[1].at", "order"),
    ("goals.1.steps.1.at", "9.99", "goals[1].steps[1].at", "order"),
    ("goals.1.steps.1.at", "120.505", "goals[1].steps[1].at", "too_many_decimals"),
    ("goals.1.steps.0.at", "0", "goals[1].steps[0].at", "zero"),
    ("goals.1.steps.0.name", {"en": "x"}, "goals[1].steps[0].name.fr", "missing_text"),
    (
        "goals.1.steps.0.grants.0.currency",
        "gold",
        "goals[1].steps[0].grants[0].currency",
        "unknown_reference",
    ),
    ("goals.4.steps", [], "goals[4].steps", "no_effect"),
    (
        "goals.4",
        {
            "key": "spring",
            "name": text("x"),
            "most_per_day": 1,
            "window": {"kind": "each", "period": "week"},
            "steps": [{"at": "8", "name": text("8"), "grants": [{"currency": "stars"}]}],
        },
        "goals[4].steps[0].at",
        "contradiction",
    ),
]

STREAKS: list[Case] = [
    ("streaks.1.freeze", "freezes", "streaks[1].freeze", "contradiction"),
    ("streaks.1.key", "daily", "streaks[1].key", "duplicate_key"),
    ("streaks.0.icon", "a-b", "streaks[0].icon", "icon"),
    ("streaks.0.on", ["vist"], "streaks[0].on[0]", "unknown_reference"),
    ("streaks.0.when", {"field": "amount", "above": "1"}, "streaks[0].when.field", "condition"),
    ("streaks.1.zone", "member", "streaks[1].zone", "contradiction"),
    ("streaks.0.freeze", "frozen_yogurt", "streaks[0].freeze", "unknown_reference"),
    ("streaks.0.freeze", "coffees", "streaks[0].freeze", "contradiction"),
    ("streaks.0.at_risk_hours", 24, "streaks[0].at_risk_hours", "contradiction"),
    ("streaks.0.steps.1.at", 3, "streaks[0].steps[1].at", "order"),
    ("streaks.0.steps.1.grants", [], "streaks[0].steps[1].grants", "missing"),
    ("streaks.1.repeat", True, "streaks[1].repeat", "no_effect"),
]

GAMES: list[Case] = [
    ("games.1.key", "wheel", "games[1].key", "duplicate_key"),
    ("games.0.prizes.1.key", "ten", "games[0].prizes[1].key", "duplicate_key"),
    ("games.0.prizes.1.stock", 3, "games[0].prizes[1].stock", "no_effect"),
    ("games.1.prizes.0.grants", [], "games[1].prizes", "missing"),
    ("games.0.on", ["sale"], "games[0].on", "contradiction"),
    ("games.1.on", [], "games[1].on", "missing"),
    ("games.1.price", {"currency": "stars"}, "games[1].price", "contradiction"),
    ("games.0.price.points", "0", "games[0].price.points", "zero"),
    ("games.0.when", {"field": "amount", "above": "1"}, "games[0].when.field", "condition"),
    ("games.0.limits", {}, "games[0].limits", "no_effect"),
    ("games.0.limits.day", 11, "games[0].limits.day", "contradiction"),
    ("games.0.budget", {"money": "1", "points": "1"}, "games[0].budget", "contradiction"),
    ("games.0.active_from", "2027-01-01", "games[0].active_until", "contradiction"),
    (
        "games.0.prizes.1",
        {"key": "blank", "name": text("x"), "weight": 1, "grants": [{"currency": "coffees"}]},
        "games[0].budget",
        "contradiction",
    ),
    ("games.1.budget", {"money": "10"}, "games[1].budget.money", "missing"),
    ("quizzes.0.questions.0.answers.0.right", False, "quizzes[0].questions[0].answers", "missing"),
    (
        "quizzes.0.questions.0.answers.1.text",
        {"en": "B"},
        "quizzes[0].questions[0].answers[1].text.fr",
        "missing_text",
    ),
    ("quizzes.0.steps.0.at", "2", "quizzes[0].steps[0].at", "contradiction"),
    ("quizzes.0.steps.0.at", "0.5", "quizzes[0].steps[0].at", "too_many_decimals"),
    ("quizzes.0.steps", [], "quizzes[0].steps", "no_effect"),
]

REST: list[Case] = [
    ("referral.on", ["friend_converted"], "referral.on[0]", "reserved_name"),
    ("referral.on", ["purchase"], "referral.on[0]", "unknown_reference"),
    ("referral.on", ["sale", "joined"], "referral.when.field", "condition"),
    ("referral.friend.0.points", "0.5", "referral.friend[0].points", "too_many_decimals"),
    ("point_currencies.0.expiry", {"kind": "rolling", "days": 14}, "referral.referrer[0]", "contradiction"),
    ("memberships.0.fee", "20.005", "memberships[0].fee", "too_many_decimals"),
    ("memberships.0.benefits.0", {"fr": "x"}, "memberships[0].benefits[0].en", "missing_text"),
    ("memberships.0.dividend.goal", "eligibles", "memberships[0].dividend.goal", "unknown_reference"),
    ("memberships.0.dividend.goal", "ten_coffees", "memberships[0].dividend.goal", "contradiction"),
    ("memberships.0.dividend.currency", "coffees", "memberships[0].dividend.currency", "contradiction"),
    ("memberships.0.dividend.currency", "cash", "memberships[0].dividend.currency", "missing"),
    ("memberships.0.dividend.least", "0", "memberships[0].dividend.least", "zero"),
    ("goals.6.window", {"kind": "each", "period": "month"}, "memberships[0].dividend.goal", "contradiction"),
    ("partners.1.key", "bakery", "partners[1].key", "duplicate_key"),
    ("partners.1.currency", "star", "partners[1].currency", "unknown_reference"),
    ("partners.0.agreements.1.from", "2026-01-01", "partners[0].agreements[1].from", "order"),
    ("partners.0.agreements.1.from", "2025-12-31", "partners[0].agreements[1].from", "order"),
    ("partners.0.agreements.1.from", "July", "partners[0].agreements[1].from", "date"),
    ("partners.0.agreements.1.issue_price", "0", "partners[0].agreements[1].prepaid", "contradiction"),
    ("partners.0.agreements.1.prepaid", "0.001", "partners[0].agreements[1].prepaid", "too_many_decimals"),
    (
        "partners.0.agreements.1.most_points_month",
        "0",
        "partners[0].agreements[1].most_points_month",
        "zero",
    ),
    ("leaderboards.0.goal", "trip", "leaderboards[0].goal", "unknown_reference"),
    ("leaderboards.0.goal", "collector", "leaderboards[0].goal", "contradiction"),
    ("leaderboards.0.prizes.1.through", 1, "leaderboards[0].prizes[1].through", "order"),
    ("leaderboards.0.prizes.1.grants", [], "leaderboards[0].prizes[1].grants", "missing"),
    ("leaderboards.0.shown", 2, "leaderboards[0].shown", "contradiction"),
    ("notice.announced_on", "2026-03-01", "notice.announced_on", "contradiction"),
    ("notice.announced_on", "soon", "notice.announced_on", "date"),
    ("notice.keep_value", ["star"], "notice.keep_value[0]", "unknown_reference"),
    ("notice.keep_value", ["stars", "stars"], "notice.keep_value[1]", "duplicate_key"),
    ("notice.keep_value", ["coffees"], "notice.keep_value[0]", "contradiction"),
    ("effective_from", None, "effective_from", "missing"),
]


ALSO: dict[tuple[str, str], set[tuple[str, str]]] = {
    ("activity_types.1.withdraws", "review_removed"): {("goals[6].on[1]", "contradiction")},
    ("campaigns.1.exclusive", "mornings"): {("campaigns[1].exclusive", "no_effect")},
    ("goals.1.key", "ten_coffees"): {("leaderboards[0].goal", "unknown_reference")},
    ("memberships.0.dividend.goal", "eligibles"): {("goals[6].steps", "no_effect")},
    ("memberships.0.dividend.goal", "ten_coffees"): {("goals[6].steps", "no_effect")},
}
"""What a change makes wrong elsewhere too."""


def test_the_full_document_has_no_problem() -> None:
    assert check(program(full())) == []


@pytest.mark.parametrize(
    ("where", "value", "path", "code"), CURRENCIES + BY_HAND + CAMPAIGNS + GOALS + STREAKS + GAMES + REST
)
def test_one_change_makes_one_problem(where: str, value: Any, path: str, code: str) -> None:
    data = full()
    put(where, value)(data)
    problems = check(program(data))
    found = {(problem.path, problem.code) for problem in problems}
    assert (path, code) in found
    assert all(problem.message and problem.remedy and problem.code in CODES for problem in problems)
    assert found - {(path, code)} == ALSO.get((where, str(value)), set()), problems


def test_two_exclusive_campaigns_need_one_rule_each_of_one_currency() -> None:
    data = full()
    data["campaigns"][1]["rules"].append({**data["campaigns"][1]["rules"][0], "key": "second"})
    assert [(p.path, p.code) for p in check(program(data))] == [("campaigns[1].rules", "contradiction")]
    data = full()
    data["campaigns"][1]["rules"][0]["currency"] = "cash"
    assert [p.path for p in check(program(data))] == ["campaigns[1].exclusive"]


def test_a_budget_counts_one_currency() -> None:
    data = full()
    del data["campaigns"][1]["exclusive"], data["campaigns"][0]["exclusive"]
    rules = data["campaigns"][1]["rules"]
    rules.append({**rules[0], "key": "second", "currency": "cash"})
    assert [p.path for p in check(program(data))] == ["campaigns[1].budget"]


def test_neither_side_of_a_referral_receives_anything() -> None:
    data = full()
    data["referral"] = {}
    assert [(p.path, p.code) for p in check(program(data))] == [("referral.referrer", "missing")]


def test_a_notice_goes_by_the_local_date() -> None:
    data = full()
    # In Paris it is the 2nd already.
    data["effective_from"] = "2026-03-01T23:30:00Z"
    data["notice"]["announced_on"] = "2026-03-01"
    assert check(program(data)) == []


@pytest.mark.guard
def test_every_code_is_known_and_used() -> None:
    """The codes written in the checks are those of the table, and none of the table is left over."""
    source = Path(palier.__file__).parent
    files = [
        source / "engine" / f"{name}.py" for name in ("check", "check_mechanics", "checker", "conditions")
    ]
    files += [source / "programs" / f"{name}.py" for name in ("structure", "files")]
    texts = {
        node.value
        for path in files
        for part in ast.parse(path.read_text(encoding="utf-8")).body
        if not (
            isinstance(part, ast.AnnAssign)
            and isinstance(part.target, ast.Name)
            and part.target.id == "CODES"
        )
        for node in ast.walk(part)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(CODES) <= texts
    given = set()
    for path in files[:3]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "add"
            ):
                code = node.args[1] if len(node.args) > 1 else None
                if isinstance(code, ast.Constant):
                    given.add(code.value)
    assert given <= set(CODES)


def test_the_full_document_compiles() -> None:
    Plan(program(full()), 1)
