"""Instants as documents write them."""

from __future__ import annotations

import pytest

from palier.engine.clock import moment
from palier.engine.instants import parse_instant


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:00-05:00",
        "0001-01-01T00:00:00+05:00",
        "0000-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00",
        "２０26-01-01T00:00:00Z",
    ],
)
def test_what_is_no_instant_everywhere_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"instant|day|month|year"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["9998-12-31T23:59:59.999999-14:00", "0002-01-01T00:00:00+14:00"])
def test_the_first_and_the_last_are_in_years(text: str) -> None:
    assert moment(parse_instant(text)).year in (1, 9999)
