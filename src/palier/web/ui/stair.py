"""The stair: landings on a rising line, those reached filled, the present one standing out. An SVG as text.

One drawing for tiers, goals, streaks and stamp cards; it is read as text too (`role="img"` with a description).
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final, Literal

WIDTH: Final = 360
MOST_LANDINGS: Final = 5
"""More than these do not fit a phone: the drawing then shows those around the present one."""
_LEFT: Final = 14
_RIGHT: Final = 14
_RISE: Final = 26
_TOP: Final = 18
_UNDER: Final = 30


@dataclass(frozen=True, slots=True)
class Landing:
    """One landing: its name, and where the member stands with it."""

    name: str
    state: Literal["reached", "present", "ahead"]


def window(landings: list[Landing], most: int = MOST_LANDINGS) -> list[Landing]:
    """At most `most` landings around the present one, with as much of what lies ahead as fits."""
    if len(landings) <= most:
        return landings
    # Where nothing is left ahead, the last is where one stands.
    at = next((i for i, landing in enumerate(landings) if landing.state != "reached"), len(landings) - 1)
    first = max(0, min(at - 1, len(landings) - most))
    return landings[first : first + most]


def stair(landings: list[Landing], described: str, *, share: tuple[int, int] = (0, 1)) -> str:
    """The drawing. `share` is how far from the present landing to the next (part, whole); `described` is read aloud.

    No landings give an empty text.
    """
    shown = window(landings)
    if not shown:
        return ""
    count = len(shown)
    height = _TOP + _RISE * (count - 1) + _UNDER
    tread = (WIDTH - _LEFT - _RIGHT) // count
    points: list[tuple[int, int]] = []
    level = height - _UNDER
    corners: list[tuple[int, int]] = []
    for index in range(count):
        left, right = _LEFT + index * tread, _LEFT + (index + 1) * tread
        y = level - index * _RISE
        corners += [(left, y), (right, y)]
        points.append(((left + right) // 2, y))
    present = next((i for i, landing in enumerate(shown) if landing.state == "present"), -1)
    walked: list[tuple[int, int]] = []
    if present >= 0:
        middle, y = points[present]
        walked = [*corners[: 2 * present + 1], (middle, y)]
        if present + 1 < count and share[0] > 0:
            # From the middle of this landing, over the riser, to the middle of the next.
            goal = points[present + 1]
            far = tread * min(share[0], share[1]) // max(1, share[1])
            edge = corners[2 * present + 1]
            if middle + far <= edge[0]:
                walked.append((middle + far, y))
            else:
                walked += [edge, corners[2 * present + 2], (min(middle + far, goal[0]), goal[1])]
    elif shown[-1].state == "reached":
        walked = [*corners[:-1], points[-1]]
    parts = [
        f'<svg class="stair" role="img" viewBox="0 0 {WIDTH} {height}" '
        f'aria-label="{escape(described, quote=True)}">',
        f'<polyline class="way" points="{_path(corners)}"/>',
    ]
    if walked:
        parts.append(f'<polyline class="done" points="{_path(walked)}"/>')
    for (x, y), landing in zip(points, shown, strict=True):
        size = 9 if landing.state == "present" else 7
        parts.append(f'<circle class="landing {landing.state}" cx="{x}" cy="{y}" r="{size}"/>')
        left, anchor, label = x, "middle", landing.name
        if len(landing.name) > max(6, tread // 8):
            # A long name begins at its riser and goes on under the next landing, where there is nothing else.
            room = tread if x == points[-1][0] else tread * 3 // 2
            left, anchor, label = x - tread // 2 + 6, "start", _short(landing.name, room // 7)
        parts.append(
            f'<text class="{landing.state}" x="{left}" y="{y + 26}" text-anchor="{anchor}" aria-hidden="true">'
            f"{escape(label)}</text>"
        )
    parts.append("</svg>")
    return "".join(parts)


def _path(corners: list[tuple[int, int]]) -> str:
    return " ".join(f"{x},{y}" for x, y in corners)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
