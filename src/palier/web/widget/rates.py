"""How often one network address may ask the widget's address: counted in this process, so that refusing costs nothing.

A page asks once, and once more for each change of its prices; a shop's visitors often share an address.
"""

from __future__ import annotations

import threading
import time
from typing import Final

MOST: Final = 300
"""Questions of one address in WINDOW_S."""
WINDOW_S: Final = 60
_MOST_KNOWN: Final = 20_000

_lock = threading.Lock()
_asked: dict[str, tuple[int, int]] = {}
"""By address: the window that is counted, and how many questions came in it."""


def wait(address: str) -> int:
    """Counts a question; 0 where it is to be answered, else the seconds until the next will be."""
    now = time.monotonic()
    window = int(now // WINDOW_S)
    with _lock:
        known, count = _asked.get(address, (window, 0))
        count = count + 1 if known == window else 1
        if len(_asked) >= _MOST_KNOWN and address not in _asked:
            _asked.clear()
        _asked[address] = (window, count)
    return 0 if count <= MOST else max(1, round((window + 1) * WINDOW_S - now))


def forget() -> None:
    """Forgets what was counted."""
    with _lock:
        _asked.clear()
