"""Page tokens: by one, a page of a shop shows where its visitor stands in a program, for a short while.

The shop's server asks for it with its API key, and puts it into the page it sends to that member. It tells a balance,
a tier and what comes next, and nothing else can be done with it. It is signed, not stored.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final, Literal

from palier.engine.clock import SECOND
from palier.members import refs
from palier.site.environment import derived_key

_PREFIX: Final = "pt1"
_LONGEST: Final = 200
_SIGNATURE: Final = 43
"""Hexadecimal digits: 172 bits."""

Why = Literal["expired", "refused"]


def make(program: str, member_id: int, ends_at: int) -> str:
    """The token that shows this member in this program until an instant (microseconds UTC, down to the second)."""
    stated = f"{_PREFIX}.{refs.encode(member_id)}.{ends_at // SECOND:x}"
    return f"{stated}.{_signature(program, stated)}"


def read(program: str, token: str, now: int) -> int | Why:
    """The member whom a token shows now; "expired" for a true one past its end, "refused" for anything else."""
    stated, _, signature = token.rpartition(".")
    parts = stated.split(".")
    if len(token) > _LONGEST or not token.isascii() or len(parts) != 3 or parts[0] != _PREFIX:
        return "refused"
    if not hmac.compare_digest(_signature(program, stated), signature):
        return "refused"
    if int(parts[2], 16) * SECOND <= now:
        return "expired"
    return refs.decode(parts[1])


def _signature(program: str, stated: str) -> str:
    key = derived_key("page token")
    return hmac.new(key, f"{program}\0{stated}".encode(), sha256).hexdigest()[:_SIGNATURE]
