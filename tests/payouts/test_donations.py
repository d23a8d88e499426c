"""Donations: totals by beneficiary and period, and receipts that say what the order gave."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from palier.engine.clock import instant
from palier.payouts import donations
from palier.rewards.order_store import Order
from palier.site.refusal import Refused
from tests.activities.program import NOW, Connection, program, published
from tests.rewards.ordering import Shelf, reward

TREES = {
    "kind": "donation",
    "beneficiary": {"en": "Trees of *here*", "fr": "Les arbres d'ici"},
    "worth": "2.50",
}


def gift(key: str, **more: Any) -> dict[str, Any]:
    return reward(key, gives={**TREES, "receipt": True, **more})


@pytest.fixture
def shelf(connection: Connection) -> Shelf:
    made = Shelf(connection)
    made.put(gift("trees", campaign="spring"), gift("plain", receipt=False), gift("soup", worth="1",
             beneficiary={"en": "Soup", "fr": "La soupe"}))  # fmt: skip
    made.member("a", 200)
    return made


def test_totals_by_beneficiary_and_period(shelf: Shelf) -> None:
    first = shelf.place("trees", confirm=True, quantity=3).order
    shelf.place("soup", confirm=True)
    shelf.place("plain", confirm=True)
    shelf.place("trees")  # reserved: nothing is given yet

    def told(period: str) -> list[tuple[str, str | None, int, int]]:
        found = donations.totals(shelf.connection, shelf.runtime, period)
        shelf.connection.rollback()
        return [(item.campaign, item.beneficiary.en, item.donations, item.amount) for item in found]

    year = [("", "Soup", 1, 100), ("", "Trees of *here*", 1, 250), ("spring", "Trees of *here*", 3, 750)]
    assert sorted(told("2027")) == year
    assert sorted(told("2027-01")) == year
    assert told("2026") == told("2027-02") == []
    shelf.step("refund", first, units=1, reason="test")
    assert sorted(told("2027"))[2] == ("spring", "Trees of *here*", 2, 500)
    for wrong in ("27", "2027-13", "x"):
        with pytest.raises(Refused):
            donations.totals(shelf.connection, shelf.runtime, wrong)


def test_a_month_ends_where_it_did_whatever_is_published_later(shelf: Shelf) -> None:
    """Half past midnight in Paris is the first of February; in New York it is still January."""
    shelf.place("soup", confirm=True, now=instant(datetime.fromisoformat("2027-02-01T00:30:00+01:00")))
    shelf.runtime = published(
        shelf.connection,
        program(time_zone="America/New_York", effective_from="2027-06-01T00:00:00+02:00"),
        NOW,
    )
    months = [
        len(donations.totals(shelf.connection, shelf.runtime, f"2027-{month:02}")) for month in range(1, 13)
    ]
    shelf.connection.rollback()
    assert months == [0, 1, *[0] * 10]


def receipt(shelf: Shelf, order: Order, language: donations.Language = "en") -> donations.Receipt | None:
    found = donations.receipt(shelf.connection, shelf.runtime, order, language)
    shelf.connection.rollback()
    return found


def test_a_receipt_says_what_was_given(shelf: Shelf) -> None:
    order = shelf.place("trees", confirm=True, quantity=3).order
    made, french = receipt(shelf, order), receipt(shelf, order, "fr")
    assert made is not None
    assert french is not None
    assert (made.content["amount"], french.content["amount"]) == ("€7.50", "7,50\u00a0€")
    assert made.content["rows"] == [["Trees of *here*", "3", "€7.50"]]
    assert french.content["rows_total"] == ["ensemble", "3", "7,50\u00a0€"]
    assert made.pdf().startswith(b"%PDF-")
    assert made.pdf() == receipt(shelf, order).pdf()  # type: ignore[union-attr]
    assert len(french.pictures()) == 1
    shelf.step("refund", order, units=1, reason="test")
    after = receipt(shelf, order)
    assert after is not None
    assert after.content["amount"] == "€5.00"
    shelf.step("refund", order, units=2, reason="test")
    assert receipt(shelf, order) is None


def test_no_receipt_where_none_is_given(shelf: Shelf) -> None:
    assert receipt(shelf, shelf.place("plain", confirm=True).order) is None
    assert receipt(shelf, shelf.place("trees", now=NOW).order) is None
