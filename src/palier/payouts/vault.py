"""Bank details at rest: AES-256-GCM under a key that is not in the database.

The key follows from the installation's identity secret, which is kept outside the database and never changes. What a
sealed text is about (the member, or the pay-out) is authenticated with it, so that it opens nowhere else.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from palier.site.environment import derived_key

_VERSION: Final = b"\x01"
_NONCE: Final = 12


class Destination(Struct, frozen=True):
    """Where money goes: an IBAN without spaces and the name of its holder."""

    iban: str
    holder: str


class Unreadable(Exception):
    """What is stored was sealed under another secret, about something else, or was changed."""


@lru_cache(maxsize=1)
def _cipher() -> AESGCM:
    return AESGCM(derived_key("bank details", "identity"))


def seal(destination: Destination, about: str) -> bytes:
    """The destination as it is stored; `about` is needed again to open it."""
    nonce = secrets.token_bytes(_NONCE)
    return _VERSION + nonce + _cipher().encrypt(nonce, msgspec.json.encode(destination), about.encode())


def unseal(sealed: bytes, about: str) -> Destination:
    """The destination of a sealed text. Raises Unreadable for one that is not about this."""
    if sealed[:1] != _VERSION:
        raise Unreadable("bank details of an unknown form")
    nonce, text = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        return msgspec.json.decode(_cipher().decrypt(nonce, text, about.encode()), type=Destination)
    except InvalidTag:
        raise Unreadable(f"bank details of {about} do not open: another secret, or changed") from None
