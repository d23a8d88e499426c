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
from psycopg.abc import DumperKey, PyFormat
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.array import BaseListDumper, ListBinaryDumper

_LENGTH: Final = Struct("!i").pack
_LENGTHS: Final = tuple(_LENGTH(number) for number in range(2048))
_NULL: Final = _LENGTH(-1)
_HEAD: Final = Struct("!iiIii").pack
"""Dimensions, whether there are nulls, element type; then the one dimension: its length and lower bound."""
_INT8, _TEXT, _BYTEA, _JSON, _TIMESTAMPTZ = 20, 25, 17, 114, 1184
_ARRAYS: Final = {_INT8: 1016, _TEXT: 1009, _BYTEA: 1001, _JSON: 199, _TIMESTAMPTZ: 1185}
_FROM_1970_TO_2000: Final = 946_684_800_000_000
"""Microseconds: the server counts instants from 2000."""


class Instants(list[Any]):
    """Instants in microseconds UTC since 1970, None where there is none: sent as timestamptz[]."""


class Documents(list[Any]):
    """JSON documents as bytes, None where there is none: sent as json[]."""


@lru_cache(maxsize=1024)
def _numbers(count: int) -> Callable[..., bytes]:
    return Struct("!" + "iq" * count).pack


def _length(size: int) -> bytes:
    return _LENGTHS[size] if size < 2048 else _LENGTH(size)


class _Flat(ListBinaryDumper):
    """A flat array of one type, nulls allowed."""

    element: int

    def __init__(self, cls: type, context: Any = None) -> None:
        super().__init__(cls, context)
        self.oid = _ARRAYS[self.element]

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        return (self.cls, type(self))

    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:
        return self


class _Numbers(_Flat):
    element = _INT8

    def dump(self, obj: list[Any]) -> bytes:
        try:
            return _integers(obj, _INT8)
        except error:
            return _with_nulls(obj, _INT8, _number)


class _Texts(_Flat):
    element = _TEXT

    def dump(self, obj: list[Any]) -> bytes:
        first = obj[0]
        if type(first) is str and obj.count(first) == len(obj):
            # Half of the columns hold one text over and over: a currency, an account, a source.
            item = first.encode()
            return _HEAD(1, 0, _TEXT, len(obj), 1) + (_length(len(item)) + item) * len(obj)
        try:
            items = [item.encode() for item in obj]
        except AttributeError:
            return _with_nulls(obj, _TEXT, str.encode)
        return _joined(items, _TEXT)


class _Bytes(_Flat):
    element = _BYTEA

    def dump(self, obj: list[Any]) -> bytes:
        try:
            return _joined(obj, _BYTEA)
        except TypeError:
            return _with_nulls(obj, _BYTEA, bytes)


class _Instants(Dumper):
    format = Format.BINARY
    oid = _ARRAYS[_TIMESTAMPTZ]

    def dump(self, obj: list[Any]) -> bytes:
        try:
            return _integers([at - _FROM_1970_TO_2000 for at in obj], _TIMESTAMPTZ)
        except TypeError:
            return _with_nulls(obj, _TIMESTAMPTZ, lambda at: _number(at - _FROM_1970_TO_2000))


class _Documents(Dumper):
    format = Format.BINARY
    oid = _ARRAYS[_JSON]

    def dump(self, obj: list[Any]) -> bytes:
        first = obj[0] if obj else None
        if obj and obj.count(first) == len(obj):
            item = _NULL if first is None else _length(len(first)) + first
            return _HEAD(1, int(first is None), _JSON, len(obj), 1) + item * len(obj)
        try:
            return _joined(obj, _JSON)
        except TypeError:
            return _with_nulls(obj, _JSON, bytes)


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


def _number(value: int) -> bytes:
    try:
        return value.to_bytes(8, "big", signed=True)
    except (OverflowError, AttributeError):
        raise psycopg.DataError(f"{value!r} is no 64-bit integer") from None


def _with_nulls(obj: list[Any], element: int, packed: Callable[[Any], bytes]) -> bytes:
    parts = [_HEAD(1, 1, element, len(obj), 1)]
    for value in obj:
        if value is None:
            parts.append(_NULL)
        else:
            item = packed(value)
            parts += (_length(len(item)), item)
    return b"".join(parts)


_KINDS: Final[dict[type, type[_Flat]]] = {int: _Numbers, str: _Texts, bytes: _Bytes}


class _Lists(ListBinaryDumper):
    """Chooses by the first element; whatever is not one of the three kinds is left to the driver."""

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        kind = _KINDS.get(type(obj[0])) if obj else None
        return (self.cls, kind) if kind is not None else super().get_key(obj, format)

    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:
        kind = _KINDS.get(type(obj[0])) if obj else None
        return kind(self.cls, self._tx) if kind is not None else super().upgrade(obj, format)


def register(connection: psycopg.Connection[Any]) -> None:
    """Makes this connection send flat lists of integers, texts or bytes fast, where binary is asked for."""
    connection.adapters.register_dumper(list, _Lists)


def know(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Makes this connection send `Instants` and `Documents` as arrays of their types.

    Told to each connection: one that was made before this module was read would not have learnt it.
    """
    connection.adapters.register_dumper(Instants, _Instants)
    connection.adapters.register_dumper(Documents, _Documents)
