"""Identifiers made by the application: 63-bit integers, so that a cluster needs no central counter.

Layout: 41 bits of milliseconds since 2020 | 12 bits of node | 10 bits of counter. One process never repeats
or goes back, whatever its clock does. No order between processes may be read from them, unless the later one
stayed ahead of the earlier (`stay_ahead`).
"""

import os
import secrets
import threading
import time
from typing import Any, Final

import psycopg

EPOCH_MS: Final = 1_577_836_800_000
NODES: Final = 1 << 12
_COUNTER_BITS: Final = 10
_NODE_SHIFT: Final = _COUNTER_BITS
_TIME_SHIFT: Final = 22
_PER_MS: Final = 1 << _COUNTER_BITS
_LAST_MS: Final = (1 << 41) - 1
_LONGEST: Final = len(str((1 << 63) - 1))

_lock = threading.Lock()
_node = secrets.randbelow(NODES)
# Milliseconds and counter in one number: the next id is always the successor of this, or a later millisecond.
_ticks = 0


def new_id() -> int:
    """A new identifier, unique and greater than every one this process made before. Thread safe."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[int]:
    """`count` new identifiers, ascending. Beyond 1,024 a millisecond they borrow from the next."""
    global _ticks
    with _lock:
        now = (time.time_ns() // 1_000_000 - EPOCH_MS) << _COUNTER_BITS
        first = max(now, _ticks + 1)
        _ticks = first + count - 1
        node = _node << _NODE_SHIFT
    if _ticks >> _COUNTER_BITS > _LAST_MS:
        raise OverflowError("the clock is past the last instant an identifier can hold (September 2089)")
    return [
        (tick >> _COUNTER_BITS) << _TIME_SHIFT | node | (tick & (_PER_MS - 1))
        for tick in range(first, first + count)
    ]


def read_id(text: str) -> int | None:
    """The identifier that a text is, as an address or a form bears it; None for anything else."""
    # Nineteen digits from July 2027 on.
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST):
        return None
    found = int(text)
    return found if found < 1 << 63 else None


def stay_ahead(identifier: int) -> None:
    """Makes every identifier of this process from now on greater than this one, which another process made.

    For rows whose order is read from their identifiers: whoever adds one calls this with the last that is
    there, since that one's process may be ahead of this one's clock.
    """
    global _ticks
    with _lock:
        _ticks = max(_ticks, identifier >> _TIME_SHIFT << _COUNTER_BITS | _PER_MS - 1)


def take_node(connection: psycopg.Connection[Any]) -> int:
    """Take this process's node number from the database's sequence; until then it is random.

    A process that makes many identifiers calls it once at its start. Commits nothing.
    """
    global _node
    row = connection.execute("select nextval('node_number')").fetchone()
    assert row is not None
    with _lock:
        _node = int(row[0]) % NODES
    return _node


def _after_fork() -> None:
    """A forked child must not go on with its parent's node, nor with a lock held elsewhere."""
    global _lock, _node
    _lock = threading.Lock()
    _node = secrets.randbelow(NODES)


os.register_at_fork(after_in_child=_after_fork)
