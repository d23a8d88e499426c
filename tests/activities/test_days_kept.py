"""The days on which birthdays of 29 February are kept: exactly one in each year, by either policy."""

from __future__ import annotations

from datetime import date

import pytest

from palier.activities.occasions import days_kept
from palier.engine.plan import Plan
from tests.model.cases import program_of

CASES = [
    ("february_28", 2026, "02-28"),
    ("february_28", 2028, "02-29"),
    ("february_28", 2100, "02-28"),
    ("march_1", 2026, "03-01"),
    ("march_1", 2028, "02-29"),
    ("march_1", 2100, "03-01"),
]


@pytest.mark.parametrize(("policy", "year", "expected"), CASES)
def test_29_february_is_kept_once_a_year(policy: str, year: int, expected: str) -> None:
    plan = Plan(program_of({"leap_day": policy}), 1)
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    kept = [day for day in range(first, last + 1) if "02-29" in days_kept(plan, day)]
    assert [date.fromordinal(day).strftime("%m-%d") for day in kept] == [expected]
    # Every other birthday is kept on its own day, and those of the day that stands in are kept as well.
    for day in range(first, last + 1):
        own = date.fromordinal(day).strftime("%m-%d")
        assert days_kept(plan, day)[0] == own
        assert len(days_kept(plan, day)) == 1 + (day in kept and own != "02-29")
