"""What a new version changes, and what keeps a reward from being a good one, in words."""

from __future__ import annotations

from typing import Any

import pytest

from palier.engine.plan import Plan
from palier.rewards.changes import difference
from palier.rewards.quality import FINDINGS, quality
from tests.api.shop import document, program_of
from tests.rewards.shelf import reward


@pytest.mark.parametrize(
    ("before", "after", "paths", "sentence"),
    [
        ({}, {}, [], ""),
        (
            {},
            {"prices": [{"points": {"stars": "400"}}]},
            ["prices.standard.points.stars"],
            "Reward mug, price, standard, points, stars: 500 becomes 400",
        ),
        ({}, {"stock": 0}, ["stock"], "Reward mug, stock: nothing becomes 0"),
        ({"stock": 5}, {}, ["stock"], "Reward mug, stock: 5 becomes nothing"),
        (
            {},
            {"limits": {"per_member": 2}},
            ["limits.per_member"],
            "Reward mug, limits, by member: nothing becomes 2",
        ),
        (
            {},
            {"visible": {"from": "2027-01-01", "until": "2027-02-01"}},
            ["visible.from", "visible.until"],
            "Reward mug, shown, from: nothing becomes 2027-01-01",
        ),
        (
            {"variants": [{"key": "red", "name": {"en": "Red"}, "stock": 3}]},
            {"variants": [{"key": "red", "name": {"en": "Red"}, "stock": 4}, {"key": "blue", "name": {"en": "Blue"}}]},
            ["variants.red.stock", "variants.blue"],
            "Reward mug, variant, red, stock: 3 becomes 4",
        ),
        ({}, {"state": "paused"}, ["state"], "Reward mug, state: live becomes paused"),
        (
            {},
            {"name": {"en": "A mug", "fr": "Tasse"}},
            ["name.en"],
            'Reward mug, name, in English: Mug becomes "A mug"',
        ),
    ],
)  # fmt: skip
def test_every_setting_that_differs_is_said(
    before: dict[str, Any], after: dict[str, Any], paths: list[str], sentence: str
) -> None:
    found = difference(reward(**before), reward(**after))
    assert [change.path for change in found] == paths
    if found:
        assert found[0].en == sentence
        assert found[0].fr.startswith("Récompense mug, ")


def test_a_new_reward_is_one_change() -> None:
    (change,) = difference(None, reward())
    assert change.en == 'The reward "Mug" (mug) is new'
    assert change.fr == "La récompense « Tasse » (mug) est nouvelle"


GOOD: dict[str, Any] = {
    "summary": {"en": "Holds tea", "fr": "Pour le thé"},
    "picture": {"source": "/mug.webp", "alt": {"en": "A mug", "fr": "Une tasse"}},
    "category": "home",
    "tags": ["home"],
    "cost": {"amount": "4.00", "currency": "EUR"},
    "list_price": {"amount": "6.00", "currency": "EUR"},
}


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"name": {"en": "Mug"}}, ["missing_text"]),
        ({"summary": None}, ["no_summary"]),
        ({"picture": None}, ["no_picture"]),
        ({"category": None}, ["no_category"]),
        ({"tags": None}, ["no_tags"]),
        ({"visible": {"until": "2027-01-01"}}, ["no_terms"]),
        ({"cost": None}, ["cost_unknown"]),
        ({"cost": {"amount": "5.01", "currency": "EUR"}}, ["below_cost"]),
        ({"cost": {"amount": "5.00", "currency": "EUR"}}, []),
        ({"prices": [{}]}, ["free_without_limit"]),
        ({"prices": [{}], "stock": 3}, []),
        ({"list_price": {"amount": "1.66", "currency": "EUR"}}, ["too_dear"]),
        ({"gives": {"kind": "percent_off", "percent": "10"}, "cost": None}, ["unlimited_value"]),
    ],
)
def test_findings(changes: dict[str, Any], codes: list[str]) -> None:
    written = document()
    written["point_currencies"][0]["value"] = "0.01"
    found = quality(reward(**{**GOOD, **changes}), Plan(program_of(written), 1))
    assert [finding.code for finding in found] == codes
    assert all(finding.code in FINDINGS and finding.remedy for finding in found)
