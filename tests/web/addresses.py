"""Every address that the resolver knows: what is tried page by page is taken from here, so a new page is in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

STAND_INS = {"int": "1", "slug": "x", "str": "x", "path": "x", "uuid": "00000000-0000-4000-8000-000000000000"}
"""What is put where an address names something, by its kind."""


class Address(NamedTuple):
    """One page: its name, its address with made-up objects in it, and what it asks for."""

    name: str
    path: str
    page: Any
    objects: bool
    inside: bool


def addresses(*faces: str, program: str = "club") -> list[Address]:
    """All pages of these faces ("console", "portal", ...), "" for what is outside all of them; of none: everything."""
    found: list[Address] = []
    for one in get_resolver().url_patterns:
        if not faces or (one.namespace if isinstance(one, URLResolver) else "") in faces:
            found += _walk([one], "", "", program)
    return found


def _walk(
    patterns: list[URLPattern | URLResolver], before: str, names: str, program: str
) -> Iterator[Address]:
    for found in patterns:
        route = before + str(found.pattern)
        if isinstance(found, URLResolver):
            space = f"{names}{found.namespace}:" if found.namespace else names
            yield from _walk(found.url_patterns, route, space, program)
        else:
            yield _address(f"{names}{found.name}", route, found.callback, program)


def _address(name: str, route: str, page: Any, program: str) -> Address:
    parts, objects = [], False
    for part in route.split("/"):
        while "<" in part:
            before, _, rest = part.partition("<")
            inner, _, after = rest.partition(">")
            kind, _, called = inner.rpartition(":")
            if called == "program":
                part = f"{before}{program}{after}"
            else:
                objects = True
                part = f"{before}{STAND_INS[kind or 'str']}{after}"
        parts.append(part)
    return Address(name, "/" + "/".join(parts), page, objects, "<str:program>" in route)
