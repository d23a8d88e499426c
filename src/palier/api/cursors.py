"""Cursors of pages: opaque to callers, and refused when they were not made here."""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256

from palier.members.refs import LENGTH, decode, encode
from palier.site.environment import derived_key

_CHECK_LENGTH = 8


@lru_cache(maxsize=1)
def _key() -> bytes:
    return derived_key("page cursors")


def _check(text: str) -> str:
    return hmac.new(_key(), text.encode(), sha256).hexdigest()[:_CHECK_LENGTH]


def encode_cursor(position: int) -> str:
    """The cursor of a page that begins after a position."""
    text = encode(position).removeprefix("m_")
    return text + _check(text)


def decode_cursor(cursor: str) -> int | None:
    """The position of a cursor; None for a text that is none."""
    text, check = cursor[:-_CHECK_LENGTH], cursor[-_CHECK_LENGTH:]
    if not cursor.isascii() or not hmac.compare_digest(_check(text), check):
        return None
    try:
        return decode(f"m_{text}")
    except ValueError:
        return None


def encode_places(*places: int) -> str:
    """The cursor of a page that begins after a place told by several numbers."""
    text = "".join(encode(place).removeprefix("m_") for place in places)
    return text + _check(text)


def decode_places(cursor: str, count: int) -> tuple[int, ...] | None:
    """The numbers of a cursor; None for a text that is none of so many."""
    text, check = cursor[:-_CHECK_LENGTH], cursor[-_CHECK_LENGTH:]
    if not cursor.isascii() or not hmac.compare_digest(_check(text), check) or len(text) != count * LENGTH:
        return None
    try:
        return tuple(decode(f"m_{text[start : start + LENGTH]}") for start in range(0, len(text), LENGTH))
    except ValueError:
        return None
