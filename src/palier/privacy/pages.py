"""Lists of a member that are read to their end, a page at a time: none is too long to be told whole, or let go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

PAGE = 500
"""How many rows are read at once."""

Row = TypeVar("Row")


def whole(page: Callable[[int | None, int], Sequence[Row]], number: Callable[[Row], int]) -> list[Row]:
    """Every row of a list, the latest first.

    `page` reads so many rows before a number, or the first ones; `number` is that of a row.
    """
    found: list[Row] = []
    before: int | None = None
    while True:
        part = page(before, PAGE)
        found += part
        if len(part) < PAGE:
            return found
        before = number(part[-1])
