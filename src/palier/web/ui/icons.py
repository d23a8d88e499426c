"""The names of the drawings that come with the pages: a program may name one for a unit; any other is left out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_SPRITE = Path(__file__).parents[1] / "static" / "ui" / "icons.svg"


@cache
def known() -> frozenset[str]:
    """All of them."""
    return frozenset(re.findall(r'<symbol id="([^"]+)"', _SPRITE.read_text()))


def drawing(name: str, otherwise: str = "") -> str:
    """The name, where there is a drawing of it."""
    return name if name in known() else otherwise
