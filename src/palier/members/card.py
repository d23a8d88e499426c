"""The membership card: a signed code that changes every half minute, for the till to read.

A code says what it is for. One that identifies (`earn`) proves nothing else; one by which the member agrees to use
points or a reward (`use`) he asks for himself, on his own phone. The signature keeps a picture of either from being
used later: a code is good for the half minute it was made in and the one after it.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct

from palier.engine.clock import SECOND
from palier.members import refs
from palier.site.environment import derived_key

Purpose = Literal["earn", "use"]

LASTS: Final = 30 * SECOND
_PREFIXES: Final[dict[Purpose, str]] = {"earn": "PAL1", "use": "PALU"}
_SIGNATURE: Final = 16


class Shown(Struct, frozen=True):
    """What a code says: whose card it is, which half minute it was made in, and what for."""

    member_id: int
    step: int
    purpose: Purpose


def code(program: str, member_id: int, now: int, purpose: Purpose = "earn") -> str:
    """What the card shows at an instant: `PAL1.REFERENCE.NUMBER.SIGNATURE`, in capitals for a small QR code."""
    number = now // LASTS
    ref = refs.encode(member_id).upper()
    return f"{_PREFIXES[purpose]}.{ref}.{number:X}.{_signature(program, ref, number, purpose)}"


def is_code(text: str) -> bool:
    """Whether a text has the form of a code, right or not."""
    parts = text.strip().upper().split(".")
    return len(parts) == 4 and parts[0] in _PREFIXES.values()


def shown(program: str, text: str, now: int, *, slack: int = 0) -> Shown | None:
    """What a code says if a card shows it now, or showed it half a minute ago; None for anything else.

    `slack`: by how many half minutes the clock of whoever read it may differ, either way.
    """
    parts = text.strip().upper().split(".")
    purpose = next((key for key, prefix in _PREFIXES.items() if prefix == parts[0]), None)
    if len(parts) != 4 or purpose is None or len(text) > 100:
        return None
    try:
        number = int(parts[2], 16)
        member_id = refs.decode(parts[1].lower())
    except ValueError:
        return None
    if not -slack <= now // LASTS - number <= 1 + slack:
        return None
    right = _signature(program, parts[1], number, purpose)
    if not hmac.compare_digest(right.encode(), parts[3].encode()):
        return None
    return Shown(member_id, number, purpose)


def read(program: str, text: str, now: int) -> int | None:
    """The member whose card identifies him so now, or did half a minute ago; None for anything else."""
    found = shown(program, text, now)
    return found.member_id if found is not None and found.purpose == "earn" else None


def _signature(program: str, ref: str, number: int, purpose: Purpose) -> str:
    key = derived_key("membership card")
    # What identifies is signed as it always was; what is for something else says so.
    said = f"{program}\0{ref}\0{number}" if purpose == "earn" else f"{program}\0{ref}\0{number}\0{purpose}"
    return hmac.new(key, said.encode(), sha256).hexdigest()[:_SIGNATURE].upper()
