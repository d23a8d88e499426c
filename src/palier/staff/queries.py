"""Reads of the staff room: whose key this is, and which keys there are."""

from __future__ import annotations

import hashlib
import threading
import time
import zlib
from hmac import compare_digest
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant
from palier.site import clock

RIGHTS: Final = (
    "activities:write",
    "approvals:write",
    "insights:read",
    "members:read",
    "members:write",
    "members:merge",
    "orders:write",
    "payouts:write",
    "points:write",
    "programs:read",
    "programs:write",
    "settlements:read",
    "rewards:read",
    "rewards:write",
    "vouchers:use",
)
"""What a key may be allowed to do. `points:write` is to redeem, adjust and transfer; `members:merge` to merge
members and to undo it, and to add persons to a household or let them leave it."""

PARTNER_RIGHTS: Final = (
    "activities:write",
    "members:read",
    "points:write",
    "settlements:read",
    "vouchers:use",
)
"""The rights of which a partner's key has a use; it is answered as if nothing else existed."""

CACHED_FOR_S: Final = 4.0
"""How long a process believes what it read of a key: a revoked key stops working everywhere within this."""
_MOST_CACHED: Final = 10_000
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX_LENGTH: Final = 12
SECRET_LENGTH: Final = 43
CHECK_LENGTH: Final = 6
TOKEN_LENGTH: Final = len("pk_") + PREFIX_LENGTH + 1 + SECRET_LENGTH + CHECK_LENGTH

_NO_HASH: Final = bytes(32)


class Key(Struct, frozen=True):
    """A key that may be used now: its program (id and key) and rights. Instants are microseconds UTC.

    `partner`: the one partner whose own alone exists for it; "" for a key of the program's own.
    """

    prefix: str
    program_id: int
    program: str
    name: str
    rights: frozenset[str]
    expires_at: int | None = None
    partner: str = ""


class KeyView(Struct, frozen=True):
    """What is shown of a key: everything but its secret."""

    prefix: str
    program: str
    name: str
    rights: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    partner: str = ""


def base62(number: int, length: int) -> str:
    """The number in base 62 with at least `length` characters."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = ALPHABET[rest] + digits
    return digits.rjust(length, "0")


def checksum(text: str) -> str:
    """Six characters that follow from the rest of a key: scanners for leaked keys tell one from noise."""
    return base62(zlib.crc32(text.encode()), CHECK_LENGTH)


def prefix_of(token: str) -> str | None:
    """The public prefix of a well-formed key; None for anything else, without asking the database."""
    if len(token) != TOKEN_LENGTH or not token.isascii() or not token.startswith("pk_"):
        return None
    prefix, underscore, secret = token.removeprefix("pk_").partition("_")
    if not underscore or len(prefix) != PREFIX_LENGTH or not (prefix + secret).isalnum():
        return None
    body, check = token[:-CHECK_LENGTH], token[-CHECK_LENGTH:]
    return prefix if compare_digest(checksum(body), check) else None


def token_hash(token: str) -> bytes:
    """What is stored of a key. Its secret has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()


_lock = threading.Lock()
_cache: dict[bytes, tuple[float, Key]] = {}
"""Keys by what is stored of them: who does not hold a key cannot make its hash, nor learn of it by timing."""


def cached(header_value: str) -> Key | None:
    """The key of an Authorization header if it was read in the last seconds; asks no database."""
    token = _token(header_value)
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    found = _cache.get(token_hash(token))
    if found is None or found[0] < time.monotonic():
        return None
    return _usable(found[1])


def authenticate(connection: Connection[Any], header_value: str) -> Key | None:
    """The key that an Authorization header (`Bearer pk_...`) bears; None where it gives no access now.

    Unknown, revoked, expired and malformed keys are answered alike. A key is read again after CACHED_FOR_S.
    """
    known = cached(header_value)
    if known is not None:
        return known
    token = _token(header_value)
    prefix = prefix_of(token)
    if prefix is None:
        return None
    row = connection.execute(
        """
        -- staff.find_key
        select k.hash, k.program_id, p.key, k.name, k.rights, k.expires_at, k.partner
        from api_key k join program p on p.program_id = k.program_id
        where k.prefix = %s and k.revoked_at is null
        """,
        (prefix,),
    ).fetchone()
    stored = bytes(row[0]) if row is not None else _NO_HASH
    if not compare_digest(stored, token_hash(token)) or row is None:
        return None
    key = Key(
        prefix,
        row[1],
        row[2],
        row[3],
        frozenset(row[4]),
        instant(row[5]) if row[5] is not None else None,
        row[6],
    )
    with _lock:
        if len(_cache) >= _MOST_CACHED:
            _cache.clear()
        _cache[stored] = (time.monotonic() + CACHED_FOR_S, key)
    return _usable(key)


def _token(header_value: str) -> str:
    scheme, _, token = header_value.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _usable(key: Key) -> Key | None:
    return key if key.expires_at is None or clock.now() < key.expires_at else None


def forget_keys() -> None:
    """Makes this process read every key again at its next use."""
    with _lock:
        _cache.clear()


def list_keys(connection: Connection[Any], program: str | None = None) -> list[KeyView]:
    """All keys, or those of one program, the latest last; revoked ones too."""
    rows = connection.execute(
        """
        -- staff.list_keys
        select k.prefix, p.key, k.name, k.rights, k.created_at, k.expires_at, k.revoked_at, k.partner
        from api_key k join program p on p.program_id = k.program_id
        where %s::text is null or p.key = %s::text
        order by k.created_at, k.prefix
        """,
        (program, program),
    ).fetchall()
    return [
        KeyView(
            row[0],
            row[1],
            row[2],
            tuple(row[3]),
            instant(row[4]),
            instant(row[5]) if row[5] is not None else None,
            instant(row[6]) if row[6] is not None else None,
            row[7],
        )
        for row in rows
    ]
