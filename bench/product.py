"""The product's benches: each a function of the conditions that returns one value per round.

A measure is registered under its name in MEASURES; `targets.py` says what it is compared with. Values are
rates per second, or milliseconds where the target says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.floors import Conditions

MEASURES: dict[str, Callable[[Conditions], list[float]]] = {}
