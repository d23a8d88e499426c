"""How many of the points that are out will never be used: an estimate by a stated method, or why there is none.

The share of points that expired among those that came to an end (expired or redeemed) in the last whole months, at
most twelve. Its interval is twice the standard error of a ratio whose units are the months (Cochran, Sampling
Techniques, 3rd ed., section 6.4). All
integers: shares are basis points, rounded down; the interval is cut at 0 and all.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Final, Literal

from msgspec import Struct

LEAST_MONTHS: Final = 6
"""Fewer whole months than these are too little history."""
ALL: Final = 10_000

Answer = Literal["estimated", "never", "too_little_history", "nothing_redeemed"]


class Breakage(Struct, frozen=True):
    """What may never be used: `share` of points in basis points with its interval, and of what is out, `points`.

    `answer` says why there is none: the points never expire, there is too little history, or nobody has redeemed any
    yet, so that nobody knows how many would.
    """

    answer: Answer
    months: int = 0
    share: int = 0
    low: int = 0
    high: int = 0
    points: int = 0
    points_low: int = 0
    points_high: int = 0


def estimate(months: Sequence[tuple[int, int]], outstanding: int, *, ends: bool) -> Breakage:
    """From (expired, redeemed) of each month, for so many points that are out. `ends`: whether they expire at all."""
    if not ends:
        return Breakage("never", len(months))
    known = [(max(0, expired), max(0, redeemed)) for expired, redeemed in months]
    used = [(expired, expired + redeemed) for expired, redeemed in known if expired or redeemed]
    if len(used) < LEAST_MONTHS:
        return Breakage("too_little_history", len(used))
    if not any(redeemed for _, redeemed in known):
        return Breakage("nothing_redeemed", len(used))
    expired = sum(part for part, _ in used)
    ended = sum(whole for _, whole in used)
    count = len(used)
    residue = sum((part * ended - expired * whole) ** 2 for part, whole in used)
    twice = 2 * isqrt(count * residue * ALL * ALL // (count - 1)) // (ended * ended)
    share = expired * ALL // ended
    low, high = max(0, share - twice), min(ALL, share + twice)
    return Breakage(
        "estimated",
        count,
        share,
        low,
        high,
        *(max(0, outstanding) * part // ALL for part in (share, low, high)),
    )


__all__ = ["ALL", "LEAST_MONTHS", "Breakage", "estimate"]
