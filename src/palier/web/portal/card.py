"""The membership card: a signed code that changes every half minute, for the till to read.

A card identifies at the till; it is no proof of anything else. The signature keeps a picture of it from being used
later: a code is good for the half minute it was made in and the one after it.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final

from palier.engine.clock import SECOND
from palier.members import refs
from palier.site.environment import derived_key

LASTS: Final = 30 * SECOND
_PREFIX: Final = "PAL1"
_SIGNATURE: Final = 16


def code(program: str, member_id: int, now: int) -> str:
    """What the card shows at an instant: `PAL1.REFERENCE.NUMBER.SIGNATURE`, in capitals for a small QR code."""
    number = now // LASTS
    ref = refs.encode(member_id).upper()
    return f"{_PREFIX}.{ref}.{number:X}.{_signature(program, ref, number)}"


def read(program: str, text: str, now: int) -> int | None:
    """The member whose card shows this now, or showed it half a minute ago; None for anything else."""
    parts = text.strip().upper().split(".")
    if len(parts) != 4 or parts[0] != _PREFIX:
        return None
    try:
        number = int(parts[2], 16)
        member_id = refs.decode(parts[1].lower())
    except ValueError:
        return None
    if not 0 <= now // LASTS - number <= 1:
        return None
    right = _signature(program, parts[1], number)
    return member_id if hmac.compare_digest(right.encode(), parts[3].encode()) else None


def _signature(program: str, ref: str, number: int) -> str:
    key = derived_key("membership card")
    return hmac.new(key, f"{program}\0{ref}\0{number}".encode(), sha256).hexdigest()[:_SIGNATURE].upper()
