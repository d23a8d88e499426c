"""How fast one key may call: a generous bucket of tokens per key and process."""

from __future__ import annotations

import threading
import time
from typing import Final

from palier.site.environment import environment

BURST_S: Final = 2.0
"""A key that was quiet may at once use the tokens of this many seconds."""
_MOST_KEYS: Final = 10_000

_lock = threading.Lock()
_buckets: dict[str, tuple[float, float]] = {}


def allow(prefix: str, cost: float = 1.0) -> float | None:
    """Takes `cost` tokens of a key; None when it may go on, else the seconds to wait for them.

    The rate is PALIER_API_RATE tokens a second in this process. A refused call takes nothing.
    """
    rate = environment().api_rate
    most = rate * BURST_S
    cost = min(cost, most)
    now = time.monotonic()
    with _lock:
        left, then = _buckets.get(prefix, (most, now))
        left = min(most, left + (now - then) * rate)
        if left < cost:
            return (cost - left) / rate
        if len(_buckets) >= _MOST_KEYS and prefix not in _buckets:
            _buckets.clear()
        _buckets[prefix] = (left - cost, now)
    return None
