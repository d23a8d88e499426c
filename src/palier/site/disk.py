"""Room on the disk of the data directory: writes are refused before PostgreSQL has none left.

A full disk stops PostgreSQL until someone starts it again. Below the floor nothing new is written while all that
is there can still be read; when space returns, so do writes, by themselves.
"""

import threading
import time
from shutil import disk_usage
from typing import Final, Literal

from palier.site import database
from palier.site.environment import environment

BELIEVED_FOR_S: Final = 1.0
"""How long one reading holds: a process asks the system at most this often."""
RETRY_AFTER_S: Final = 30
DETAIL: Final = (
    "The disk is nearly full and nothing is written; reads go on. The same request may be repeated."
)
MEGABYTE: Final = 1_000_000

State = Literal["ok", "low", "full", "unknown"]

_lock = threading.Lock()
_read_at = float("-inf")
_free: int | None = None


def free_bytes() -> int | None:
    """Bytes that may still be written beside the embedded database; None for one elsewhere, or unreadable."""
    global _read_at, _free
    if time.monotonic() - _read_at < BELIEVED_FOR_S:
        return _free
    with _lock:
        if time.monotonic() - _read_at >= BELIEVED_FOR_S:
            try:
                _free = disk_usage(environment().directory).free if database.is_embedded() else None
            except OSError:
                _free = None
            _read_at = time.monotonic()
    return _free


def forget() -> None:
    """Has the next question read the disk again."""
    global _read_at
    _read_at = float("-inf")


def state() -> State:
    """`full` below PALIER_DISK_FLOOR_MB, `low` below PALIER_DISK_WARN_MB, `unknown` where it cannot be read."""
    free = free_bytes()
    if free is None:
        return "unknown"
    settings = environment()
    if free < settings.disk_floor_mb * MEGABYTE:
        return "full"
    return "low" if free < settings.disk_warn_mb * MEGABYTE else "ok"


def full() -> bool:
    """Whether writes are to be refused now."""
    return state() == "full"
