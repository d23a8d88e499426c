"""Synthetic activities, the same for the same seed."""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CATEGORIES = ("GROCERY", "PRODUCE", "MEAT", "DELI", "FUEL")
CHANNELS = ("store", "store", "store", "web", "app")
SOURCE = "bench"
START = datetime(2026, 1, 1, 8, tzinfo=UTC)


def member(number: int) -> str:
    """The external id of the synthetic member of that number."""
    return f"member-{number:08d}"


def sales(
    count: int,
    *,
    members: int,
    seed: int = 1,
    zipf: float | None = None,
    lines: int = 1,
    start: datetime = START,
    step_ms: int = 1000,
    prefix: str = "s",
    currency: str = "EUR",
    partner: str | None = None,
) -> Iterator[dict[str, Any]]:
    """`count` sales in wire form, `step_ms` apart, with ids `prefix`-0, `prefix`-1 and so on.

    Members are drawn evenly, or by Zipf's law with exponent `zipf` (the member of rank r is drawn with
    weight r**-zipf; 1.0 is the classic). `lines` category lines share the amount exactly.
    """
    draw = random.Random(seed)
    steps = list(accumulate((rank + 1) ** -zipf for rank in range(members))) if zipf else []
    for index in range(count):
        chosen = (
            min(bisect_left(steps, draw.random() * steps[-1]), members - 1)
            if steps
            else draw.randrange(members)
        )
        cents = draw.randrange(100, 15_000)
        sale: dict[str, Any] = {
            "source": SOURCE,
            "id": f"{prefix}-{index}",
            "type": "sale",
            "member": {"external_id": member(chosen)},
            "occurred_at": (start + timedelta(milliseconds=index * step_ms))
            .isoformat()
            .replace("+00:00", "Z"),
            "amount": decimal(cents),
            "currency": currency,
            "channel": draw.choice(CHANNELS),
            "location": f"shop-{draw.randrange(50)}",
            "lines": [],
        }
        if partner is not None:
            sale["partner"] = partner
        for left in range(lines, 0, -1):
            share = cents // left
            cents -= share
            sale["lines"].append(
                {
                    "category": draw.choice(CATEGORIES),
                    "quantity": draw.randrange(1, 5),
                    "amount": decimal(share),
                }
            )
        yield sale


def decimal(cents: int) -> str:
    """Cents as a decimal string."""
    return f"{cents // 100}.{cents % 100:02d}"
