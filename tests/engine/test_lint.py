"""The linter: every finding by one change of a document or history that shows it, and the score of complexity."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palier.engine.backtest import CurrencyTotals, History, Totals, backtest
from palier.engine.clock import DAY
from palier.engine.complexity import complexity
from palier.engine.facts import Fact, Known, Reference
from palier.engine.lint import NAMES, Finding, Report, lint, looked, pages
from palier.engine.observe import Seen, TierSeen
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.state import NEVER
from palier.programs import files
from tests.engine.documents import full, plain, program, text
from tests.engine.test_check import put

ROOT = Path(__file__).parents[2]
START = 1_767_222_000_000_000
"""2026-01-01 in Paris."""


def told(made: Program, **settings: Any) -> Report:
    return lint(made, **settings)


def named(report: Report) -> set[tuple[str, str]]:
    return {(finding.name, finding.path) for finding in report.findings}


def sound() -> dict[str, Any]:
    """A document in which the linter finds nothing but that no history was played."""
    data = plain()
    noun = {"one": "cup", "other": "cups"}
    data["description"] = text("One star for each euro.")
    data["member_attributes"] = {}
    data["point_currencies"] = [
        {**data["point_currencies"][0], "value": "0.05"},
        {"key": "cups", "name": {"en": noun, "fr": noun}, "kind": "reward"},
    ]
    data["rules"] = [data["rules"][0]]
    del data["groups"]
    del data["tiers"]
    data["goals"] = [
        {
            "key": "cups",
            "name": text("Cups"),
            "kind": "challenge",
            "steps": [
                {"at": "5", "name": text("5"), "grants": [{"currency": "stars", "points": "10"}]},
                {"at": "10", "name": text("10"), "grants": [{"currency": "stars", "points": "20"}]},
            ],
        }
    ]
    return data


def bonus(key: str, **settings: Any) -> dict[str, Any]:
    return {"key": key, "name": text(key), "on": "sale", "currency": "stars", "fixed": "5", **settings}


def amount(**bounds: str) -> dict[str, Any]:
    return {"field": "amount", **bounds}


GAME: dict[str, Any] = {
    "key": "wheel",
    "name": text("Wheel"),
    "prizes": [
        {"key": "win", "name": text("Win"), "weight": 1, "grants": [{"currency": "cups"}]},
        {"key": "blank", "name": text("Blank"), "weight": 9},
    ],
}
LADDER: dict[str, Any] = {
    "tiers": [
        {"key": "low", "name": text("Low"), "benefits": [text("Tea")]},
        *(
            {
                "key": f"level{at}",
                "name": text(f"Level {at}"),
                "qualify": {"all": [{"metric": "spend", "at_least": at}]},
            }
            for at in ("100", "200", "900")
        ),
    ],
    "window": {"kind": "lifetime"},
}


def changed(*changes: tuple[str, Any]) -> Program:
    data = sound()
    for where, value in changes:
        put(where, value)(data)
    return program(data)


@pytest.mark.parametrize(
    ("changes", "name", "path"),
    [
        ([("point_currencies.0.value", "0.009")], "return_low", "rules"),
        ([("goals.0.steps.1.grants.0.points", "10")], "step_not_bigger", "goals[0].steps[1]"),
        (
            [("games", [{**GAME, "prizes": [GAME["prizes"][0], {**GAME["prizes"][1], "weight": 50}]}])],
            "hardly_wins",
            "games[0].prizes",
        ),
        ([("rules.0.per_spend", {"points": "3", "every": "7"})], "many_sums", "rules"),
        (
            [("rules.0.per_spend", {"points": "3", "every": "7"}), ("rules.0.caps", {"activity": "9"})],
            "many_sums",
            "rules",
        ),
        ([("rules.0.when", amount(at_least="20")), ("goals", [])], "minimum_spend", "rules[0].when"),
        ([("goals.0.steps.0.at", "8")], "first_step_far", "goals[0].steps[0]"),
        (
            [("activity_types.0.key", "survey"), ("rules.0", bonus("asked", on="survey")), ("goals", [])],
            "survey_only",
            "rules[0]",
        ),
        (
            [
                ("activity_types.0.key", "survey"),
                ("rules.0.when", {"field": "count", "of": "survey", "per": "lifetime", "at_least": 1}),
            ],
            "survey_gate",
            "rules[0].when",
        ),
        (
            [("activity_types.0.key", "share"), ("rules.+", bonus("shared", on="share"))],
            "share_unlimited",
            "rules[1].caps",
        ),
        ([("description", None)], "not_described", "description"),
        ([("goals.0.opt_in", True)], "opt_in_needed", "goals[0].opt_in"),
        (
            [
                ("member_attributes.size", {"type": "text"}),
                ("rules.+", bonus("big", when={"field": "member.size", "is": "xl"})),
            ],
            "attribute_unexplained",
            "member_attributes.size",
        ),
        (
            [("member_attributes.size", {"type": "text", "description": text("For gifts")})],
            "attribute_unused",
            "member_attributes.size",
        ),
        (
            [("games", [{**GAME, "prizes": [{**GAME["prizes"][0], "stock": 5}, GAME["prizes"][1]]}])],
            "odds_fall",
            "games[0].prizes[0].stock",
        ),
        ([("games", [{**GAME, "price": {"currency": "stars"}}])], "paid_draw", "games[0].price"),
        ([("point_currencies.1.kind", "points"), ("point_currencies.1.value", "1")], "only_money", ""),
        ([("rules.+", bonus("again", name={"en": "b", "fr": "BASE"}))], "same_name", "rules[1].name"),
        (
            [
                ("rules.+", bonus("fifty", when=amount(at_least="50"))),
                ("rules.+", bonus("hundred", when=amount(at_least="100"))),
            ],
            "overlap",
            "rules[2].when",
        ),
        (
            [("goals.+", {**sound()["goals"][0], "key": "cups_too", "name": text("More")})],
            "overlap",
            "goals[1].steps",
        ),
        ([("point_currencies.0.value", None)], "value_unsaid", "point_currencies[0].value"),
        ([("rules.0.when", {"field": "segment", "is": "big_spenders"})], "term_undefined", "rules[0].when"),
        ([("goals.0.steps.1.at", "30")], "steps_far", "goals[0].steps[1]"),
        ([("tiers", LADDER)], "steps_far", "tiers.tiers[3]"),
        ([("goals.0.kind", "goal")], "nothing_new", ""),
        (
            [("point_currencies.0.expiry", {"kind": "rolling", "days": 365})],
            "no_grace",
            "point_currencies[0].expiry",
        ),
        (
            [("rules.0.expiry", {"kind": "rolling", "days": 89, "grace_days": 9})],
            "short_life",
            "rules[0].expiry",
        ),
        (
            [("member_attributes.email_home", {"type": "text", "description": text("x")})],
            "personal_attribute",
            "member_attributes.email_home",
        ),
        (
            [("adjustments", {"limits": [{"currency": "cups", "at_once": "5"}]})],
            "hand_unlimited",
            "point_currencies[0]",
        ),
        (
            [
                (
                    "rules",
                    [
                        bonus(f"r{number}", when=amount(at_least="5", at_most=str(9 + number)))
                        for number in range(11)
                    ],
                )
            ],
            "many_rules",
            "rules",
        ),
    ],
)
def test_what_a_document_shows(changes: list[tuple[str, Any]], name: str, path: str) -> None:
    assert named(told(changed())) == {("never_played", "")}
    report = told(changed(*changes))
    assert (name, path) in named(report), report.findings
    finding = next(item for item in report.findings if item.name == name)
    assert (finding.code, finding.severity) == NAMES[name]
    assert finding.reason
    assert finding.remedy
    assert_in_french(finding)


def assert_in_french(finding: Finding) -> None:
    """Told in French too: other words, the same figures, and never the English ones."""
    assert finding.said("en") == (finding.reason, finding.remedy)
    for english, french in zip(finding.said("en"), finding.said("fr"), strict=True):
        assert french != english
        assert not re.search(r"\b(the|of|is|are|and|before|every|with)\b", re.sub(r"«.*?»", "", french)), (
            french
        )
        figures = re.findall(r"\d+(?:\.\d+)?", english)
        assert sorted(figures) == sorted(re.findall(r"\d+(?:\.\d+)?", french.replace(",", "."))), french


def test_a_page_that_is_hard_to_read() -> None:
    hard = "Incomprehensible administrative particularities notwithstanding contractual obligations. "
    made = changed(("description", {"en": hard * 30, "fr": "Un point."}))
    assert ("hard_to_read", "") in named(told(made))


def test_bounds_are_not_crossed_by_touching_them() -> None:
    for changes in (
        [("point_currencies.0.value", "0.01")],
        [("goals.0.steps.1.at", "20")],
        [("rules.0.expiry", {"kind": "rolling", "days": 90, "grace_days": 9})],
        [
            ("rules.+", bonus("fifty", when=amount(at_least="50", below="100"))),
            ("rules.+", bonus("hundred", when=amount(at_least="100"))),
        ],
        [
            ("rules.+", bonus("fifty", group="one", when=amount(at_least="50"))),
            ("rules.+", bonus("hundred", group="one", when=amount(at_least="100"))),
            ("groups", [{"key": "one", "stacking": "best"}]),
        ],
    ):
        assert named(told(changed(*changes))) == {("never_played", "")}, changes


# --- complexity ---------------------------------------------------------------------------------------


def score(made: Program) -> int:
    return complexity(made, {}).score


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ([("referral", {"friend": [{"currency": "stars"}]})], 2),  # a concept; 14 days are the third number
        ([("point_currencies.1.kind", "points")], 3 + 2 - 2),  # a currency more; points are known already
        ([("rules.0.when", {"all": [amount(above="1"), {"field": "channel", "is": "shop"}]})], 2),
        ([("rules.0.caps", {"day": "10"})], 2),
        ([("goals.0.most_per_day", 2)], 2),
        ([("rules.0.per_spend", {"points": "3", "every": "7"})], 3),
        ([("tiers", {**LADDER, "tiers": LADDER["tiers"][:2]})], 2 + 1),
    ],
)
def test_each_part_adds_to_the_score(changes: list[tuple[str, Any]], more: int) -> None:
    if changes[0][0] == "point_currencies.1.kind":
        more = 3  # a reward is no concept, and points are one already
    assert score(changed(*changes)) - score(changed()) == more


def test_everything_at_once_is_complex() -> None:
    everything = program(full())
    found = complexity(everything, pages(everything))
    assert found.level == "complex"
    assert {part.name for part in found.parts if part.points} >= {
        "concepts",
        "exceptions",
        "conditions",
        "numbers",
    }
    assert ("complex", "") in named(told(everything))


@pytest.mark.parametrize(
    ("simple", "harder"), [("cafe_stars", "coins_marketplace"), ("simple_points", "grocery")]
)
def test_the_gallery_stands_in_its_order(simple: str, harder: str) -> None:
    documents = []
    for key in (simple, harder):
        path = ROOT / "gallery" / key / "program.yaml"
        if not path.exists():
            pytest.skip(f"{key} is not in the gallery yet")
        found = files.read(path).program
        assert found is not None
        documents.append(told(found).complexity)
    assert 2 * documents[0].score <= documents[1].score
    assert documents[0].level == "simple"
    assert documents[1].level == "complex"


# --- change -------------------------------------------------------------------------------------------


def with_notice(announced: str, *changes: tuple[str, Any]) -> Program:
    notice = {"announced_on": announced, "text": text("It changes")}
    return changed(("effective_from", "2026-03-01T00:00:00+01:00"), ("notice", notice), *changes)


@pytest.mark.parametrize(
    ("change", "name", "path"),
    [
        (("point_currencies.0.value", "0.04"), "value_cut", "point_currencies[0].value"),
        (
            ("point_currencies.0.expiry", {"kind": "rolling", "days": 999, "grace_days": 9}),
            "harsher",
            "point_currencies[0].expiry",
        ),
        (("rules.0.per_spend.every", "2"), "harsher", "rules[0]"),
        (("rules.0.key", "other"), "harsher", "rules"),
        (("goals.0.steps.1.at", "11"), "harsher", "goals[0].steps[1]"),
        (("goals.0.key", "other"), "harsher", "goals"),
    ],
)
def test_what_gets_worse_is_announced(change: tuple[str, Any], name: str, path: str) -> None:
    before = changed()
    report = told(changed(change), before=before)
    assert named(report) == {(name, path), ("never_played", "")}
    assert report.count("error") == (name == "value_cut")
    assert named(told(with_notice("2026-01-30", change), before=before)) == {("never_played", "")}
    late = told(with_notice("2026-01-31", change), before=before)
    assert named(late) == {("notice_short", "notice.announced_on"), ("never_played", "")}
    assert named(told(before, before=changed(change))) <= {
        ("never_played", ""),
        ("harsher", "rules"),
        ("harsher", "goals"),
    }


FIRST: dict[str, Any] = {"field": "nth", "per": "lifetime", "is": 1}


@pytest.mark.parametrize(
    ("change", "name", "path"),
    [
        (("rules.0.when", FIRST), "counts_anew", "rules[0].when"),
        (("rules.0.when", {"not": {**FIRST, "per": "year"}}), "counts_anew", "rules[0].when"),
        (("goals.0.when", {"field": "count", "of": "visit", "per": "month", "is": 1}), "counts_anew", "goals[0].when"),
        (("rules.0.when", {**FIRST, "per": "day"}), "", ""),
        (("rules.0.caps", {"month": "100"}), "cap_anew", "rules[0].caps.month"),
        (("rules.0.caps", {"day": "100"}), "", ""),
        (("caps", [{"currency": "stars", "caps": {"lifetime": "100"}}]), "cap_anew", "caps[0].caps.lifetime"),
        (("time_zone", "America/New_York"), "zone_moves", "time_zone"),
    ],
)  # fmt: skip
def test_what_begins_anew_with_a_version_is_told(change: tuple[str, Any], name: str, path: str) -> None:
    before, after = changed(), changed(change)
    assert named(told(after, before=before)) == {("never_played", ""), *([(name, path)] if name else [])}
    # What was counted before goes on, and a new program has no before.
    assert named(told(after, before=after)) == named(told(after)) == {("never_played", "")}


def test_what_members_lose_with_a_tier_is_told() -> None:
    data = plain()
    data["rules"] = [{name: value for name, value in data["rules"][0].items() if name != "tier_multipliers"}]
    data.pop("groups", None)
    before = program(data)
    gone = data["tiers"]["tiers"].pop()
    lost = [f for f in told(program(data), before=before).findings if f.path == "tiers.tiers"]
    name = gone["name"]
    assert [(finding.name, *finding.said("en")[:1], *finding.said("fr")[:1]) for finding in lost] == [
        (
            "harsher",
            f'"{name["en"]}" is gone, who holds it loses it',
            f"« {name['fr']} » n'y est plus, qui le détient le perd",
        )
    ]


def test_a_paid_membership_that_goes_is_told() -> None:
    before = program(plain() | {"memberships": [{"key": "plus", "name": {"en": "Plus"}, "fee": "10"}]})
    lost = [f for f in told(program(plain()), before=before).findings if f.path == "memberships"]
    assert [(finding.name, *finding.said("en")[:1], *finding.said("fr")[:1]) for finding in lost] == [
        (
            "harsher",
            '"Plus" is gone, who has paid for it loses it',
            "« Plus » n'y est plus, qui l'a payée la perd",
        )
    ]


def test_names_are_those_that_members_read() -> None:
    """Sentences call points, goals and tiers by their names, each in its language; keys stand in the path."""
    loaf = {"en": {"one": "free loaf", "other": "free loaves"}, "fr": {"one": "pain", "other": "pains"}}
    goal = {**sound()["goals"][0], "opt_in": True, "name": {"en": "Three aisles", "fr": "Trois rayons"}}
    ladder = {**LADDER, "tiers": [{**LADDER["tiers"][0], "name": {"en": "Copper", "fr": "Cuivre"}}]}
    made = changed(
        ("point_currencies.1", {"key": "free_loaf", "name": loaf, "value": "4.5"}),
        ("adjustments", {"limits": [{"currency": "stars", "approval_above": "50"}]}),
        ("member_attributes", {"shoe": {"type": "text"}}),
        ("goals.0", goal),
        ("tiers", ladder),
        ("point_currencies.0.value", "0.001"),
    )
    findings = {finding.name: finding for finding in told(made).findings}
    assert [findings[name].said("fr")[0] for name in (
        "hand_unlimited", "opt_in_needed", "attribute_unexplained", "return_low",
    )] == [
        "les pains valent de l'argent, et se donnent à la main sans limite",
        "« Trois rayons » ne compte que pour les inscrits : qui n'en sait rien n'a rien",
        "on ne dit pas pourquoi l'attribut shoe est demandé",
        "d'après ses taux, 0,10 % de ce qui est dépensé revient au niveau « Cuivre »",
    ]  # fmt: skip
    assert findings["hand_unlimited"].path == "point_currencies[1]"
    assert findings["hand_unlimited"].said("en") == (
        "free loaves are worth money, and may be given by hand without limit",
        "give them a limit, or an amount above which a second person approves",
    )
    assert findings["return_low"].reason == 'by its rates 0.10 % of what is spent comes back in "Copper"'


def test_a_program_that_never_changes() -> None:
    stale = told(changed(), now=START + 541 * DAY, since=START)
    assert ("stale", "effective_from") in named(stale)
    assert ("stale", "effective_from") not in named(told(changed(), now=START + 540 * DAY, since=START))


# --- history ------------------------------------------------------------------------------------------


def history(made: Program, sales: dict[str, list[tuple[int, int]]], days: int = 365) -> Totals:
    """A backtest of sales: member -> (day, cents)."""
    timeline = Timeline([(0, NEVER, Plan(made, 1))])
    histories = [
        History(
            member,
            [
                Known(Fact("till", f"{member}-{number}", "sale", START + day * DAY, amount=cents))
                for number, (day, cents) in enumerate(own)
            ],
        )
        for member, own in sales.items()
    ]
    return backtest(timeline, histories, until=START + days * DAY, looked=looked(made))


def seen(change: Callable[[Totals, Seen], None]) -> Totals:
    """A history in which nothing is found, changed."""
    found = Seen(
        sales=1000,
        sales_without=250,
        tiers={"": TierSeen(100_000, {"stars": 200})},
        active=100,
        reached={"goal:cups:1": 50, "goal:cups:2": 80},
        quarter=80,
        quarter_before=100,
        asked=100,
        waits=[*range(1, 51), *([91] * 49)],
    )
    totals = Totals(members=100, activities=1000, seen=found)
    totals.currencies["stars"] = CurrencyTotals(issued=1000, expired=300)
    change(totals, found)
    return totals


def test_a_history_without_findings() -> None:
    assert named(told(changed(), history=seen(lambda totals, found: None))) == set()


def _waits(totals: Totals, found: Seen) -> None:
    found.waits = [*range(1, 50), *([91] * 49)]


def _few(totals: Totals, found: Seen) -> None:
    found.waits = found.waits[:40]


@pytest.mark.parametrize(
    ("change", "name", "path"),
    [
        (lambda totals, found: found.tiers[""].points.update(stars=19), "return_low", "rules"),
        (_waits, "first_reward_late", ""),
        (_few, "first_reward_late", ""),
        (lambda totals, found: setattr(found, "sales_without", 261), "sales_without", "rules"),
        (lambda totals, found: found.reached.update({"goal:cups:1": 4}), "too_hard", "goals[0].steps[0]"),
        (lambda totals, found: found.reached.update({"goal:cups:2": 81}), "too_easy", "goals[0].steps[1]"),
        (lambda totals, found: setattr(found, "quarter", 79), "interest_fades", ""),
        (
            lambda totals, found: setattr(totals.currencies["stars"], "expired", 301),
            "much_expires",
            "point_currencies[0].expiry",
        ),
    ],
)
def test_what_a_history_shows(change: Callable[[Totals, Seen], None], name: str, path: str) -> None:
    assert named(told(changed(), history=seen(change))) == {(name, path)}


def test_a_higher_tier_that_brings_less() -> None:
    made = changed(("tiers", {**LADDER, "tiers": LADDER["tiers"][:3]}))

    def change(totals: Totals, found: Seen) -> None:
        found.tiers = {
            "low": TierSeen(100_000, {"stars": 400}),
            "level100": TierSeen(100_000, {"stars": 399}),
        }
        found.held = {"level100": 50, "level200": 50}

    assert named(told(made, history=seen(change))) == {("return_falls", "tiers.tiers[1]")}


def test_cash_that_is_never_paid_out() -> None:
    noun = {"one": "euro", "other": "euros"}
    cash = {
        "key": "euros",
        "name": {"en": noun, "fr": noun},
        "kind": "cash",
        "scale": 2,
        "value": "1",
        "pay_out_from": "10",
    }
    made = changed(("point_currencies.+", cash))

    def earned(cents: int) -> Totals:
        return seen(lambda totals, found: totals.currencies.update(euros=CurrencyTotals(issued=cents * 100)))

    assert named(told(made, history=earned(1000))) == set()
    assert named(told(made, history=earned(999))) == {("pay_out_far", "point_currencies[2].pay_out_from")}


def test_a_history_is_watched_as_it_is_played() -> None:
    made = changed()
    totals = history(
        made,
        {
            # 100 stars at 0.05 are worth 5: reached on day 30; five sales in the last year
            "a": [(10, 6000), (20, 40), (30, 4000), (300, 50), (310, 100)],
            "b": [(10, 100)],
            "late": [(350, 20000)],
        },
    )
    found = totals.seen
    assert found is not None
    assert (found.sales, found.sales_without) == (7, 2)
    assert (found.asked, found.waits) == (2, [20])
    assert (found.active, found.reached) == (3, {"goal:cups:1": 1})
    assert (found.quarter, found.quarter_before) == (1, 0)
    assert found.tiers[""].spend == 30290
    assert found.tiers[""].points == {"stars": 60 + 40 + 1 + 10 + 1 + 200}
    report = told(made, history=totals)
    shown = {item.name: item.value for item in report.shown}
    assert shown["first reward"] == "50 % of members"
    assert shown["first reward, p50"] == "20 days"
    assert shown["first reward, p75"] == "not reached"
    assert shown["reached cups, step 1"] == "33 %"
    assert shown["effective return"] == "5.15 %"


def test_steps_are_reached_in_any_round() -> None:
    """A long-standing member is in a later round of his card, and a streak's steps are told by their length."""
    grants = [{"currency": "stars", "points": "1"}]
    streak = {"key": "weekly", "name": text("Weekly"), "on": ["sale"], "period": "week"}
    steps = [{"at": 3, "grants": grants}, {"at": 5, "grants": grants}]
    card = {"key": "cups", "name": text("Cups"), "repeat": True}
    card["steps"] = [{"at": "4", "name": text("Cup"), "grants": grants}]
    made = changed(("goals", [card]), ("streaks", [{**streak, "repeat": True, "steps": steps}]))
    totals = history(made, {"a": [(1, 100)] * 4 + [(400 + 7 * week, 100) for week in range(12)]}, days=500)
    assert totals.seen is not None
    assert totals.seen.reached == {"goal:cups:1": 1, "streak:weekly:3": 1, "streak:weekly:5": 1}
    shown = {item.name: item.value for item in told(made, history=totals).shown}
    assert (
        shown["reached cups, step 1"] == shown["reached weekly, 3"] == shown["reached weekly, 5"] == "100 %"
    )


def test_parts_of_a_history_add_up() -> None:
    made = changed()
    members = {f"m{number}": [(number, 700 * number), (number + 40, 9000)] for number in range(1, 9)}
    whole = history(made, members)
    parts = Totals()
    for number in range(1, 9):
        parts.merge(history(made, {f"m{number}": members[f"m{number}"]}))
    assert parts.seen == whole.seen


def test_a_return_counts_against_its_tier() -> None:
    made = changed()
    timeline = Timeline([(0, NEVER, Plan(made, 1))])
    sale = Fact("till", "1", "sale", START, amount=10_000)
    back = Fact("till", "2", "return", START + DAY, sale=Reference("till", "1"), whole=True)
    totals = backtest(
        timeline, [History("a", [Known(sale), Known(back)])], until=START + 9 * DAY, looked=looked(made)
    )
    assert totals.seen is not None
    assert totals.seen.tiers[""] == TierSeen(0, {"stars": 0})


# --- documentation ------------------------------------------------------------------------------------


@pytest.mark.guard
@pytest.mark.parametrize("page", ["docs/guides/lint.md", "docs/fr/programme-solide.md"])
def test_every_finding_is_documented(page: str) -> None:
    written = (ROOT / page).read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (FM-\d\d) \|", written, re.M))
    assert rows == {name: code for name, (code, _) in NAMES.items()}
