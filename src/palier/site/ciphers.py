"""Values that the database keeps encrypted: AES-256-GCM under keys that never enter it.

Each purpose has its own key, derived from the secret that must never change (`environment.secret("identity")`):
whoever holds the database, or a copy of it, reads nothing. What is encrypted is bound to its place, so that one
row's value cannot be put into another's.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from palier.site.environment import derived_key

_FORM: Final = b"\x01"
"""How the rest is written: a nonce of 12 bytes, then ciphertext and tag. Another form gets another byte."""
_NONCE: Final = 12


class Unreadable(Exception):
    """What is stored is not what was encrypted for this purpose and place under this instance's secret."""


@lru_cache(maxsize=16)
def _cipher(purpose: str) -> AESGCM:
    return AESGCM(derived_key(f"encrypted {purpose}", "identity"))


def encrypted(purpose: str, value: bytes, place: bytes) -> bytes:
    """`value`, readable again only for the same purpose and place."""
    nonce = secrets.token_bytes(_NONCE)
    return _FORM + nonce + _cipher(purpose).encrypt(nonce, value, place)


def decrypted(purpose: str, stored: bytes, place: bytes) -> bytes:
    """What was encrypted. Raises Unreadable where it was changed, moved, or made under another secret."""
    if stored[:1] != _FORM or len(stored) <= 1 + _NONCE:
        raise Unreadable("an encrypted value has an unknown form")
    try:
        return _cipher(purpose).decrypt(stored[1 : 1 + _NONCE], stored[1 + _NONCE :], place)
    except InvalidTag:
        raise Unreadable(
            "an encrypted value cannot be read; is PALIER_IDENTITY_SECRET the one it was written under?"
        ) from None
