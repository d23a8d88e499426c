"""Cursors of pages: opaque to callers, each for the one list that it was made for.

A cursor holds where a page ends, signed together with whose list it is of, its address and its filters: in another
list the same numbers would be another place, and lines would be left out in silence.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from django.http import HttpRequest

from palier.api.problems import Problem
from palier.members.refs import LENGTH, decode, encode
from palier.site.environment import derived_key
from palier.staff.queries import Key

_CHECK_LENGTH: Final = 8
_FREE: Final = frozenset(("cursor", "limit"))
"""Of a list's parameters, what may differ from page to page."""


@lru_cache(maxsize=1)
def _key() -> bytes:
    return derived_key("page cursors")


def read_cursor(request: HttpRequest, cursor: str | None, count: int) -> tuple[int, ...] | None:
    """The numbers of the place after which a page begins; None for the first page.

    Raises the problem of a cursor that is none, or is of another list.
    """
    if cursor is None:
        return None
    text, check = cursor[:-_CHECK_LENGTH], cursor[-_CHECK_LENGTH:]
    made_here = cursor.isascii() and hmac.compare_digest(_check(_asked(request), text), check)
    if not made_here or len(text) != count * LENGTH:
        raise Problem(
            422, "malformed", "This is not the cursor of a page of this list.",
            field="cursor", remedy="take `next` of the page before as it is, and keep the other parameters",
        )  # fmt: skip
    return tuple(decode(f"m_{text[start : start + LENGTH]}") for start in range(0, len(text), LENGTH))


def write_cursor(request: HttpRequest, *places: int) -> str:
    """The cursor of the page of this list that begins after a place."""
    return cursor_of(_asked(request), *places)


def cursor_of(asked: str, *places: int) -> str:
    """The cursor of the page that begins after a place, of the list that was asked for so (`list_asked`)."""
    text = "".join(encode(place).removeprefix("m_") for place in places)
    return text + _check(asked, text)


def list_asked(program_id: int, partner: str | None, path: str, query: Mapping[str, list[str]]) -> str:
    """A list of a program, or of one of its partners, by its address and filters."""
    filters = "&".join(
        f"{quote(name)}={quote(value)}"
        for name, values in sorted(query.items())
        if name not in _FREE
        for value in values
    )
    return f"{program_id} {partner or ''} {path}?{filters}"


def _asked(request: HttpRequest) -> str:
    key: Key = request.auth  # type: ignore[attr-defined]
    return list_asked(key.program_id, key.partner, request.path, dict(request.GET.lists()))


def _check(asked: str, text: str) -> str:
    return hmac.new(_key(), f"{asked} {text}".encode(), sha256).hexdigest()[:_CHECK_LENGTH]
