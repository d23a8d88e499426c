"""Codes of vouchers: made, written for people, read back, and turned into what is stored of them.

A code is random characters of Crockford's base32 and one check character. Where the code alone is the proof it has
26 of them (130 bits); where a second proof comes with it, a member or a PIN, 12 (60 bits). Only its HMAC under the
instance's secret is stored.

The check character is the one for which the code, as a polynomial over the field of 32 elements, is zero at a
generator: one wrong character, or two exchanged ones wherever they stand, never give a right code (for lengths below
32), so that typing mistakes are told before anything is looked up.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

from palier.site.environment import derived_key

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ALONE: Final = 26
"""Random characters of a code that is the whole proof: 130 bits."""
PROVEN: Final = 12
"""Random characters of a code that a second proof comes with: 60 bits."""
LENGTHS: Final = (PROVEN + 1, ALONE + 1)
PIN_DIGITS: Final = 6
HASH_BYTES: Final = 20
LONGEST_ENTRY: Final = 200
"""Characters that may be entered for a code, separators included."""

_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
_FOLDED: Final = str.maketrans("OIL", "011")
_PRIMITIVE: Final = 0b100101  # x^5 + x^2 + 1
_GROUP: Final = 4
_REF: Final = "v_"
_REF_LENGTH: Final = len(_REF) + HASH_BYTES * 8 // 5


class Mistyped(ValueError):
    """What was entered is no code: a typing mistake, told without looking anything up."""


def _check_value(values: Sequence[int]) -> int:
    """The value of the check character behind these: what is left at the field's generator."""
    rest = 0
    for value in (*values, 0):
        rest <<= 1
        if rest & 32:
            rest ^= _PRIMITIVE
        rest ^= value
    return rest


def new_code(length: int = ALONE) -> str:
    """A new code of `length` random characters and its check character, without separators."""
    number = secrets.randbits(5 * length)
    values = [number >> 5 * place & 31 for place in range(length)]
    return "".join(ALPHABET[value] for value in (*values, _check_value(values)))


def new_pin() -> str:
    """A new PIN of PIN_DIGITS digits."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"


def grouped(code: str) -> str:
    """A code as people read it: groups of four with dashes; a last single character joins the group before."""
    groups = [code[start : start + _GROUP] for start in range(0, len(code), _GROUP)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = ["".join(groups[-2:])]
    return "-".join(groups)


def read(entered: str) -> str:
    """The code that somebody entered: case, spaces, dashes and full-width characters aside, o is 0, i and l are 1.

    Raises Mistyped for what has another length, a character that codes do not have, or a wrong check character.
    """
    if len(entered) > LONGEST_ENTRY:
        raise Mistyped(f"a code has {LENGTHS[0]} or {LENGTHS[1]} characters")
    text = unicodedata.normalize("NFKC", entered).upper()
    kept = [c for c in text if not c.isspace() and unicodedata.category(c) != "Pd" and c not in "._"]
    code = "".join(kept).translate(_FOLDED)
    if len(code) not in LENGTHS:
        raise Mistyped(f"a code has {LENGTHS[0]} or {LENGTHS[1]} characters; {len(code)} were entered")
    if any(character not in _VALUES for character in code):
        raise Mistyped("a code has digits and letters other than u")
    if _check_value([_VALUES[character] for character in code[:-1]]) != _VALUES[code[-1]]:
        raise Mistyped("a character of the code is wrong, or two are exchanged")
    return code


# --- what is stored ---------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _key(purpose: str) -> bytes:
    return derived_key(purpose, "identity")


def hashed(code: str) -> bytes:
    """What is stored of a code, and finds its voucher."""
    return hmac.new(_key("voucher codes"), code.encode(), sha256).digest()[:HASH_BYTES]


def pin_hash(code_hash: bytes, pin: str) -> bytes:
    """What is stored of a voucher's PIN. It is few digits: what keeps it is the secret, and the few tries."""
    return hmac.new(_key("voucher pins"), code_hash + pin.encode(), sha256).digest()


def encode_ref(code_hash: bytes) -> str:
    """The public reference of a voucher: it finds the voucher, and is no proof that somebody has the code."""
    number = int.from_bytes(code_hash)
    digits = (ALPHABET[number >> shift & 31] for shift in range(HASH_BYTES * 8 - 5, -1, -5))
    return _REF + "".join(digits).lower()


def decode_ref(ref: str) -> bytes | None:
    """What a public reference stands for; None for a text that is none."""
    digits = ref[len(_REF) :].upper()
    if len(ref) != _REF_LENGTH or not ref.lower().startswith(_REF) or any(c not in _VALUES for c in digits):
        return None
    number = 0
    for character in digits:
        number = number << 5 | _VALUES[character]
    return number.to_bytes(HASH_BYTES)
