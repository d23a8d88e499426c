"""A brand's accent made readable: darkened for paper, lightened for the dark theme, until the contrast holds.

Contrast is that of WCAG 2.2 (relative luminance, success criterion 1.4.3). Colours are three whole numbers from 0
to 255; luminance is counted in whole parts of a hundred million, so that every machine draws the same.
"""

from __future__ import annotations

import re
from typing import Final

Colour = tuple[int, int, int]

PAPER: Final[Colour] = (0xF2, 0xF0, 0xEA)
"""The darkest ground that text in the accent stands on in the light theme."""
NIGHT: Final[Colour] = (0x1A, 0x22, 0x2B)
"""The lightest ground of the dark theme."""
WHITE: Final[Colour] = (255, 255, 255)
BLACK: Final[Colour] = (0x0D, 0x12, 0x18)
_SCALE: Final = 10**8
_STEPS: Final = 64

_HEX: Final = re.compile(r"#?([0-9a-fA-F]{6})")


def parse(text: str) -> Colour:
    """A colour written `#rrggbb`. ValueError for anything else."""
    found = _HEX.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no colour; write it as #1c5d45")
    value = int(found[1], 16)
    return value >> 16, value >> 8 & 255, value & 255


def written(colour: Colour) -> str:
    """The colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _linear(channel: int) -> int:
    share = channel / 255
    # The transfer curve of sRGB has no whole-number form; it is rounded once, here.
    straight = share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
    return round(straight * _SCALE)


def luminance(colour: Colour) -> int:
    """Relative luminance, 0 to 10^8."""
    red, green, blue = map(_linear, colour)
    return (2126 * red + 7152 * green + 722 * blue) // 10_000


def contrast_reaches(one: Colour, other: Colour, tenths: int) -> bool:
    """Whether two colours are at least `tenths`/10 : 1 apart."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    offset = _SCALE // 20
    return 10 * (light + offset) >= tenths * (dark + offset)


def _mixed(colour: Colour, towards: Colour, step: int) -> Colour:
    red, green, blue = (
        (own * (_STEPS - step) + goal * step) // _STEPS for own, goal in zip(colour, towards, strict=True)
    )
    return red, green, blue


def readable_on(colour: Colour, ground: Colour, towards: Colour) -> Colour:
    """The colour, moved `towards` another by as little as gives text in it 4.5 : 1 on `ground`."""
    for step in range(_STEPS + 1):
        moved = _mixed(colour, towards, step)
        if contrast_reaches(moved, ground, 45):
            return moved
    return towards


def soft(colour: Colour, ground: Colour) -> Colour:
    """A tint for grounds: an eighth of the colour on `ground`."""
    return _mixed(colour, ground, _STEPS * 7 // 8)


def theme(accent: str) -> str:
    """The style sheet that puts a brand's accent into both themes. ValueError for what is no colour."""
    given = parse(accent)
    light = readable_on(given, PAPER, BLACK)
    dark = readable_on(given, NIGHT, WHITE)

    def rules(colour: Colour, on_accent: Colour, tint: Colour) -> str:
        # The tint may not take the readability of the accent that is written on it.
        tint = tint if contrast_reaches(colour, tint, 45) else on_accent
        return (
            f":root{{--accent:{written(colour)};--on-accent:{written(on_accent)};"
            f"--accent-soft:{written(tint)}}}"
        )

    return (
        rules(light, WHITE, soft(light, WHITE))
        + f"@media (prefers-color-scheme: dark){{{rules(dark, BLACK, soft(dark, NIGHT))}}}"
    )
