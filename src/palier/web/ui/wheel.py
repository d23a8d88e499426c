"""A wheel of fortune drawn with its true odds: each field as wide as its chance. An SVG as text.

Drawn so that the field that was won stands on top: the turn to it is a style sheet's, and no script is needed.
"""

from __future__ import annotations

import math
from fractions import Fraction
from html import escape
from typing import Final

_PLACES: Final = 6_000
"""Points of the rim, by their number; a field begins and ends at one of them."""
_RADIUS: Final = 150
_CENTRE: Final = 160


def wheel(fields: list[tuple[str, Fraction]], won: int, described: str) -> str:
    """The drawing of fields (name, chance) that add up to 1; `won` counts from 0, `described` is read aloud."""
    starts = [sum((chance for _, chance in fields[:index]), Fraction(0)) for index in range(len(fields) + 1)]
    middle = (starts[won] + starts[won + 1]) / 2
    degrees = -int(360 * middle)
    parts = [
        f'<svg class="wheel" role="img" viewBox="0 0 320 330" aria-label="{escape(described, quote=True)}">',
        '<g class="turning">',
        f'<g transform="rotate({degrees} {_CENTRE} {_CENTRE})">',
    ]
    for index, (_name, chance) in enumerate(fields):
        kind = "won" if index == won else ("odd" if index % 2 else "even")
        if chance == 1:
            parts.append(f'<circle class="field {kind}" cx="{_CENTRE}" cy="{_CENTRE}" r="{_RADIUS}"/>')
            continue
        first, last = _rim(starts[index]), _rim(starts[index + 1])
        large = 1 if chance > Fraction(1, 2) else 0
        parts.append(
            f'<path class="field {kind}" d="M{_CENTRE} {_CENTRE}L{first[0]} {first[1]}'
            f'A{_RADIUS} {_RADIUS} 0 {large} 1 {last[0]} {last[1]}Z"/>'
        )
    parts.append('</g></g><path class="pin" d="M160 24 150 2h20Z"/></svg>')
    return "".join(parts)


def _rim(share: Fraction) -> tuple[str, str]:
    """A point of the rim, so far round from the top, to a tenth."""
    angle = 2 * math.pi * float(share)
    return (
        f"{_CENTRE + _RADIUS * math.sin(angle):.1f}",
        f"{_CENTRE - _RADIUS * math.cos(angle):.1f}",
    )
