"""What time it is: the one place that reads the server's clock.

PALIER_CLOCK_OFFSET_S moves it, for tests and sandboxes; due work then needs no confirmation.
"""

import time

from palier.site.environment import environment

_latest = 0


def offset() -> int:
    """The microseconds by which this process's clock is moved; 0 in production."""
    return environment().clock_offset_s * 1_000_000


def now() -> int:
    """The server's instant in microseconds since 1970; never less than this process was told before."""
    global _latest
    _latest = max(_latest, time.time_ns() // 1000 + offset())
    return _latest
