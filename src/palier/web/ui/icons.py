"""The names of the drawings that come with the pages: a program may name one for a unit; any other is left out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_SPRITE = Path(__file__).parents[1] / "static" / "ui" / "icons.svg"

UNITS: Final[dict[str, Promise]] = {
    "star": _("star"),
    "gem": _("gem"),
    "coins": _("coins"),
    "heart": _("heart"),
    "sparkles": _("sparkles"),
    "flame": _("flame"),
    "snowflake": _("snowflake"),
    "coffee": _("cup"),
    "gift": _("gift"),
    "ticket": _("admission ticket"),
    "stamp": _("stamp"),
    "percent": _("percent"),
    "banknote": _("banknote"),
    "award": _("rosette"),
    "medal": _("medal"),
    "trophy": _("trophy"),
    "target": _("target"),
    "footprints": _("footprints"),
    "badge-check": _("badge"),
    "layers": _("layers"),
}
"""Drawings that suit a unit, each with its word; a document may name any other of the sprite."""


@cache
def known() -> frozenset[str]:
    """All of them."""
    return frozenset(re.findall(r'<symbol id="([^"]+)"', _SPRITE.read_text()))


def drawing(name: str, otherwise: str = "") -> str:
    """The name, where there is a drawing of it."""
    return name if name in known() else otherwise
