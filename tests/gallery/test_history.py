"""Every program of the gallery over a sample of a grocery's year, with returns: no point is lost, nothing passed over.

The figures of docs/gallery-figures.md come of the same readings, over the whole of it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bench import gallery as figures
from palier.activities.backtest import Order, judges_by, over_file
from palier.engine.amounts import from_minor
from palier.engine.backtest import CurrencyTotals, Totals
from palier.programs import gallery

HOUSEHOLDS = 25
ENTRIES = gallery.entries()


@pytest.fixture(scope="module")
def households() -> dict[str, list[figures.Activity]]:
    sample = figures.baskets(HOUSEHOLDS)
    assert len(sample) >= HOUSEHOLDS
    return sample


def returns(bought: list[figures.Activity], reading: figures.Reading) -> list[figures.Activity]:
    """A return of each seventh basket that is worth anything: whole, or of its first line."""
    back = []
    for number, basket in enumerate(bought):
        if number % 7 == 3 and basket["amount"] != "0.00":
            line = from_minor(int(basket["lines"][0]["amount"].replace(".", "")) * reading.times, 2)
            what: dict[str, Any] = (
                {"returned": [{"line": 1, "amount": line}]} if number % 2 else {"whole": True}
            )
            told = {key: basket[key] for key in ("source", "member")}
            told |= {"id": f"r-{basket['id']}", "type": "return", "occurred_at": bought[-1]["occurred_at"]}
            back.append({**told, **what, "sale": {"source": basket["source"], "id": basket["id"]}})
    return back


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_no_point_is_lost_and_nothing_passed_over(
    entry: gallery.Entry, households: dict[str, list[figures.Activity]]
) -> None:
    reading = figures.READINGS.get(entry.key, figures.PLAIN)
    program = figures.read(entry)
    sent = figures.history(households, reading)
    parts = []
    for name, bodies in sent.members:
        back = returns(households[name], reading)
        parts.append((name, [*bodies, msgspec.json.encode(back)] if back else bodies))
    sent = msgspec.structs.replace(sent, members=parts)
    count = sum(len(msgspec.json.decode(body)) for _, bodies in sent.members for body in bodies)
    watched = figures.play(program, sent, workers=1)
    assert (watched.activities, watched.passed_over) == (count, 0)
    assert watched.members == len(households)
    assert figures.unbalanced(watched) == {}
    brought = any(item.issued for item in watched.currencies.values()) or any(
        watched.mechanics.steps.values()
    )
    # Only dividends are decided by people afterwards; there, what was paid for is what there is to see.
    brought = brought or bool(watched.mechanics.paying)
    assert brought == (entry.key not in figures.SKIPPED)
    # Unwatched, common activities are decided by functions that make no decisions: the sums are the same.
    alone = over_file(sent, Order(judges_by(program), 0), now=figures.NOW, workers=1)
    assert plain(alone) == plain(watched)


def plain(totals: Totals) -> Any:
    return [
        msgspec.to_builtins(item)
        for item in (totals.currencies, totals.mechanics, totals.tiers, totals.spend)
    ]


def test_points_that_are_nowhere_are_found() -> None:
    totals = Totals(currencies={"points": CurrencyTotals(issued=10, expired=3, spendable=8, debt=1)})
    assert figures.unbalanced(totals) == {}
    totals.currencies["points"].spendable = 7
    assert figures.unbalanced(totals) == {"points": 1}


def test_the_page_has_every_program() -> None:
    page = figures.PAGE.read_text(encoding="utf-8")
    for entry in ENTRIES:
        mark = f"- `{entry.key}` " if entry.key in figures.SKIPPED else f"\n## {entry.key}\n"
        assert mark in page, f"run `make gallery-figures`: {entry.key} is missing"
    assert set(figures.SKIPPED) | set(figures.READINGS) <= {entry.key for entry in ENTRIES}
