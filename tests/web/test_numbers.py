"""Numbers as people type them."""

from __future__ import annotations

import pytest
from django.utils import translation

from palier.web.numbers import typed


@pytest.mark.parametrize(
    ("language", "text", "read"),
    [
        ("en", "1,000", "1000"),
        ("en", "-12,345,678.90", "-12345678.90"),
        ("en", "12,5", "12.5"),
        ("en", "1234,567", "1234,567"),
        ("fr", "1 000", "1000"),
        ("fr", "1\u202f000,50", "1000.50"),
        ("fr", "12,5", "12.5"),
        ("fr", "1,000", "1,000"),
        ("fr", "-0,125", "-0.125"),
        ("fr", "1.5", "1.5"),
        ("en", "10.000", "10,000"),
        ("fr", "-1.500", "-1,500"),
        ("fr", "0.500", "0.500"),
        ("fr", "1234.500", "1234.500"),
        ("en", "abc", "abc"),
        ("en", "", ""),
    ],
)
def test_what_is_a_thousand_is_never_one(language: str, text: str, read: str) -> None:
    with translation.override(language):
        assert typed(text, 2) == read


def test_three_decimals_are_three_decimals() -> None:
    assert typed("10.005", 3) == "10.005"
