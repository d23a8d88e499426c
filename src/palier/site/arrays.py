"""Long arrays of numbers, texts and bytes as parameters, in the binary form that PostgreSQL takes.

The platform writes sets, never rows: a batch sends some hundred thousand array elements. The driver packs
them one call at a time; packing a flat array whole takes a fifth of that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct, error
from typing import Any, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_LENGTH: Final = Struct("!i").pack
_LENGTHS: Final = tuple(_LENGTH(number) for number in range(2048))
_NULL: Final = _LENGTH(-1)
_HEAD: Final = Struct("!iiIii").pack
"""Dimensions, whether there are nulls, element type; then the one dimension: its length and lower bound."""
_INT8, _TEXT, _BYTEA, _JSON, _TIMESTAMPTZ = 20, 25, 17, 114, 1184
_ARRAYS: Final = {_INT8: 1016, _TEXT: 1009, _JSON: 199, _TIMESTAMPTZ: 1185}
_FROM_1970_TO_2000: Final = 946_684_800_000_000
"""Microseconds: the server counts instants from 2000."""


class Numbers(list[Any]):
    """Integers, None where there is none: sent as bigint[]."""


class Texts(list[Any]):
    """Texts, None where there is none: sent as text[]."""


class Instants(list[Any]):
    """Instants in microseconds UTC since 1970, None where there is none: sent as timestamptz[]."""


class Documents(list[Any]):
    """JSON documents as bytes, None where there is none: sent as json[]."""


@lru_cache(maxsize=1024)
def _numbers(count: int) -> Callable[..., bytes]:
    return Struct("!" + "iq" * count).pack


def _length(size: int) -> bytes:
    return _LENGTHS[size] if size < 2048 else _LENGTH(size)


def numbers(values: list[Any]) -> bytes:
    """A bigint[]."""
    try:
        return _integers(values, _INT8)
    except error:
        return _with_nulls(values, _INT8, number)


def texts(values: list[Any]) -> bytes:
    """A text[]."""
    first = values[0] if values else None
    if type(first) is str and values.count(first) == len(values):
        # Half of the columns hold one text over and over: a currency, an account, a source.
        return _repeated(first.encode(), len(values), _TEXT)
    try:
        items = [item.encode() for item in values]
    except AttributeError:
        return _with_nulls(values, _TEXT, str.encode)
    return _joined(items, _TEXT)


def octets(values: list[Any]) -> bytes:
    """A bytea[]."""
    try:
        return _joined(values, _BYTEA)
    except TypeError:
        return _with_nulls(values, _BYTEA, bytes)


def instants(values: list[Any]) -> bytes:
    """A timestamptz[] of microseconds since 1970."""
    try:
        return _integers([at - _FROM_1970_TO_2000 for at in values], _TIMESTAMPTZ)
    except TypeError:
        return _with_nulls(values, _TIMESTAMPTZ, lambda at: number(at - _FROM_1970_TO_2000))


def documents(values: list[Any]) -> bytes:
    """A json[]."""
    if values and values.count(values[0]) == len(values):
        return _repeated(values[0], len(values), _JSON)
    try:
        return _joined(values, _JSON)
    except TypeError:
        return _with_nulls(values, _JSON, bytes)


def number(value: int) -> bytes:
    """A bigint. Raises psycopg.DataError where it is none."""
    try:
        return value.to_bytes(8, "big", signed=True)
    except (OverflowError, AttributeError):
        raise psycopg.DataError(f"{value!r} is no 64-bit integer") from None


def _integers(values: list[int], element: int) -> bytes:
    fields = [8] * (2 * len(values))
    fields[1::2] = values
    return _HEAD(1, 0, element, len(values), 1) + _numbers(len(values))(*fields)


def _joined(items: list[bytes], element: int) -> bytes:
    parts: list[bytes] = [b""] * (2 * len(items))
    try:
        parts[::2] = [_LENGTHS[len(item)] for item in items]
    except IndexError:
        parts[::2] = [_LENGTH(len(item)) for item in items]
    parts[1::2] = items
    return _HEAD(1, 0, element, len(items), 1) + b"".join(parts)


def _repeated(item: bytes | None, times: int, element: int) -> bytes:
    one = _NULL if item is None else _length(len(item)) + item
    return _HEAD(1, int(item is None), element, times, 1) + one * times


def _with_nulls(values: list[Any], element: int, packed: Callable[[Any], bytes]) -> bytes:
    parts = [_HEAD(1, 1, element, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            item = packed(value)
            parts += (_length(len(item)), item)
    return b"".join(parts)


def _dumper(element: int, packed: Callable[[list[Any]], bytes]) -> type[Dumper]:
    class Packed(Dumper):
        format = Format.BINARY
        oid = _ARRAYS[element]

        def dump(self, obj: list[Any]) -> bytes:
            return packed(obj)

    return Packed


_DUMPERS: Final = {
    Numbers: _dumper(_INT8, numbers),
    Texts: _dumper(_TEXT, texts),
    Instants: _dumper(_TIMESTAMPTZ, instants),
    Documents: _dumper(_JSON, documents),
}


def know(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Makes this connection send the lists of this module as arrays of their types.

    Told to each connection: one that was made before this module was read would not have learnt it.
    """
    for kind, dumper in _DUMPERS.items():
        connection.adapters.register_dumper(kind, dumper)
