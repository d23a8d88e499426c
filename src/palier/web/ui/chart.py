"""Charts as SVG text, drawn on the server: bars across, bars upright, lines with intervals, each with its table.

Labels stand beside what they name, bars start at nothing, the subject has the accent and what it is compared with is
grey. A chart is read as one sentence (`described`) and as a table (`head`, `rows`), which the page always offers.
Coordinates are integers; colours are classes of chart.css, so that a strict content policy and both themes hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from django.utils.safestring import SafeString

WIDTH: Final = 640
"""The width of a drawing in its own units: at this width its text has 14 px."""
NARROW: Final = 340
"""The width of the drawing for phones and narrow columns, whose text would be too small in the other."""
_LETTER: Final = 8
"""More than the mean width of a letter at 14 px: labels that are cut by it never run into their bar."""
_BARS: Final = 80
"""What is kept for bars where labels and figures would take it all."""
_ROW: Final = 30
_PAIR: Final = 44
_UPRIGHT: Final = 180
_LABELS: Final = 12
"""More labels than these do not fit under upright bars and lines: some are left out, the first and last never."""
_LONGEST: Final = 14
"""Letters of a label under a line."""

Said = Callable[[int], str]
"""How a value is told, in the reader's language: `words.number`, `words.money`, ..."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label and value (any integer unit), and the same of what it is compared with, drawn grey."""

    label: str
    value: int
    beside: int | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a line: its label (a day), its value (None: a gap), the interval in which it may lie."""

    label: str
    value: int | None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, written at its end, and its points; all lines of a chart have the same labels."""

    name: str
    points: tuple[Point, ...]
    subject: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with all that must stand around it. `{% chart found %}` shows it (library ui).

    It is drawn twice, `narrow` for where there is little room; one of the two is shown. `described` is the answer in
    one sentence; `source` says where the figures come from and what they mean.
    """

    title: str
    described: str
    drawing: SafeString
    narrow: SafeString
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    source: str = ""


def across(
    bars: Sequence[Bar],
    *,
    title: str,
    described: str,
    said: Said,
    head: tuple[str, ...],
    source: str = "",
) -> Chart:
    """Bars from left to right, one under the other: the choice where labels are words.

    `head` names the columns of the table: of labels, of values, and, where bars have one, of `beside`.
    """
    wide, narrow = (_across(bars, width, described, said, head) for width in (WIDTH, NARROW))
    return Chart(title, described, wide, narrow, head, _rows(bars, said), source)


def _across(bars: Sequence[Bar], width: int, described: str, said: Said, head: tuple[str, ...]) -> SafeString:
    values = [value for bar in bars for value in (bar.value, bar.beside) if value is not None]
    low, high = min([0, *values]), max([0, *values])
    right = max((len(said(value)) for value in values), default=0) * _LETTER + 12
    # What is below nothing is told on the left of its bar.
    told = 2 * right if low < 0 else right
    longest = max((len(bar.label) for bar in bars), default=0) * _LETTER
    left = max(24, min(longest, width * 2 // 5, width - told - _BARS) + 8) + told - right
    room = max(20, width - left - right)
    span = max(1, high - low)
    nought = left + room * -low // span
    step = _PAIR if any(bar.beside is not None for bar in bars) else _ROW
    height = step * len(bars) + 4
    parts = [_open(width, height, described)]
    for index, bar in enumerate(bars):
        top = index * step + 4
        two = bar.beside is not None
        label = _short(bar.label, (left - 8 - (right if low < 0 else 0)) // _LETTER)
        parts.append(f"<g><title>{_told(bar, said, head)}</title>")
        parts.append(_text(0, top + (22 if two else 16), label, "label"))
        parts.append(_lying(bar.value, "subject", top + 2, 18, nought, room, span, said))
        if bar.beside is not None:
            parts.append(_lying(bar.beside, "rest", top + 22, 14, nought, room, span, said))
        parts.append("</g>")
    parts.append(f'<line class="axis" x1="{nought}" y1="0" x2="{nought}" y2="{height}"/></svg>')
    return _safe(parts)


def _lying(value: int, kind: str, top: int, thick: int, nought: int, room: int, span: int, said: Said) -> str:
    wide = room * abs(value) // span
    if value and not wide:
        wide = 1
    start = nought - wide if value < 0 else nought
    middle = top + thick - (4 if thick > 14 else 2)
    if value < 0:
        figure = _text(start - 6, middle, said(value), f"figure {kind}", "end")
    else:
        figure = _text(start + wide + 6, middle, said(value), f"figure {kind}")
    return f'<rect class="{kind}" x="{start}" y="{top}" width="{wide}" height="{thick}" rx="2"/>{figure}'


def bars(
    bars: Sequence[Bar],
    *,
    title: str,
    described: str,
    said: Said,
    head: tuple[str, ...],
    source: str = "",
) -> Chart:
    """Upright bars side by side: the choice where labels are in an order of their own, such as days or amounts."""
    wide, narrow = (_bars(bars, width, described, said, head) for width in (WIDTH, NARROW))
    return Chart(title, described, wide, narrow, head, _rows(bars, said), source)


def _bars(bars: Sequence[Bar], width: int, described: str, said: Said, head: tuple[str, ...]) -> SafeString:
    values = [value for bar in bars for value in (bar.value, bar.beside) if value is not None]
    low, high = min([0, *values]), max([0, *values])
    span = max(1, high - low)
    count = max(1, len(bars))
    pitch = width // count
    head_room, foot = 22, 26
    nought = head_room + _UPRIGHT * high // span
    bottom = head_room + _UPRIGHT
    height = bottom + foot
    named = _kept(count, _room_for([bar.label for bar in bars], width))
    pairs = any(bar.beside is not None for bar in bars)
    most = max((len(said(value)) for value in values), default=0) * _LETTER
    parts = [_open(width, height, described)]
    for index, bar in enumerate(bars):
        wide = max(1, min(56, pitch * 7 // 10) // (2 if pairs else 1))
        middle = index * pitch + pitch // 2
        x = middle - (wide if pairs else wide // 2)
        parts.append(f"<g><title>{_told(bar, said, head)}</title>")
        both = pairs and most <= pitch // 2
        at, anchor = (middle - 2, "end") if both else (x + wide // 2, "middle")
        figure = said(bar.value) if most <= pitch else ""
        parts.append(_upright(bar.value, "subject", x, wide, nought, span, (figure, at, anchor)))
        if bar.beside is not None:
            figure = said(bar.beside) if both else ""
            shown = (figure, middle + 2, "start")
            parts.append(_upright(bar.beside, "rest", middle, wide, nought, span, shown))
        if index in named:
            label = _short(bar.label, max(3, width // len(named) // _LETTER - 1))
            parts.append(_text(middle, height - 8, label, "label", "middle"))
        parts.append("</g>")
    parts.append(f'<line class="axis" x1="0" y1="{nought}" x2="{width}" y2="{nought}"/></svg>')
    return _safe(parts)


def _upright(
    value: int, kind: str, x: int, wide: int, nought: int, span: int, shown: tuple[str, int, str]
) -> str:
    """A bar with its figure, told where it stands: (text, x, anchor); no text where there is no room for it."""
    tall = _UPRIGHT * abs(value) // span
    if value and not tall:
        tall = 1
    top = nought if value < 0 else nought - tall
    figure, at, anchor = shown
    if figure:
        figure = _text(at, top + tall + 15 if value < 0 else top - 6, figure, f"figure {kind}", anchor)
    return f'<rect class="{kind}" x="{x}" y="{top}" width="{wide}" height="{tall}" rx="2"/>{figure}'


def lines(
    lines: Sequence[Line],
    *,
    title: str,
    described: str,
    said: Said,
    head: tuple[str, ...],
    source: str = "",
) -> Chart:
    """Lines over the same labels, each with its name at its end, and the intervals of its points as a band.

    In the narrow drawing the names stand above. `head` names the columns of the table: of labels, then of each line;
    intervals stand behind their value.
    """
    wide, narrow = (_lines(lines, width, described, said) for width in (WIDTH, NARROW))
    labels = max((line.points for line in lines), key=len, default=())
    rows = tuple(
        (label.label, *(_cell(line, index, said) for line in lines)) for index, label in enumerate(labels)
    )
    return Chart(title, described, wide, narrow, head, rows, source)


def _lines(lines: Sequence[Line], width: int, described: str, said: Said) -> SafeString:
    count = max((len(line.points) for line in lines), default=0)
    values = [
        value
        for line in lines
        for point in line.points
        for value in (point.value, point.low, point.high)
        if value is not None
    ]
    low, high, ticks = scale(min([0, *values]), max([0, *values]))
    left = max(len(said(tick)) for tick in ticks) * _LETTER + 8
    above = width < WIDTH
    names = max((len(line.name) for line in lines), default=0) * _LETTER
    right = 8 if above else min(names, width // 4) + 12
    room = max(80, width - left - right)
    top = 10 + (20 * len(lines) if above else 0)
    height = top + _UPRIGHT + 30

    def x(index: int) -> int:
        return left + (room * index // (count - 1) if count > 1 else room // 2)

    def y(value: int) -> int:
        return top + _UPRIGHT - _UPRIGHT * (value - low) // max(1, high - low)

    parts = [_open(width, height, described)]
    for tick in ticks:
        kind = "axis" if tick == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{left}" y1="{y(tick)}" x2="{left + room}" y2="{y(tick)}"/>')
        parts.append(_text(left - 8, y(tick) + 5, said(tick), "tick", "end"))
    labels = max((line.points for line in lines), key=len, default=())
    for index in sorted(_kept(count, _room_for([point.label for point in labels], room))):
        # The labels of both ends stay within the drawing.
        anchor = "start" if index == 0 and count > 1 else "end" if index == count - 1 > 0 else "middle"
        parts.append(_text(x(index), height - 6, _short(labels[index].label, _LONGEST), "label", anchor))
    ends: list[int] = []
    for place, line in enumerate(sorted(lines, key=lambda item: item.subject)):
        kind = "subject" if line.subject else "rest"
        for run in _runs(line.points):
            band = [
                (x(index), y(point.low), y(point.high))
                for index, point in run
                if point.low is not None and point.high is not None
            ]
            if len(band) > 1:
                around = [(at, upper) for at, _, upper in band] + [(at, lower) for at, lower, _ in band[::-1]]
                parts.append(f'<polygon class="band {kind}" points="{_path(around)}"/>')
            corners = [(x(index), y(point.value or 0)) for index, point in run]
            if len(corners) > 1:
                parts.append(f'<polyline class="{kind}" points="{_path(corners)}"/>')
            else:
                parts.append(f'<circle class="{kind}" cx="{corners[0][0]}" cy="{corners[0][1]}" r="3"/>')
        last = [(index, point.value) for index, point in enumerate(line.points) if point.value is not None]
        if last and above:
            at = 14 + 20 * (len(lines) - 1 - place)
            parts.append(f'<polyline class="{kind}" points="{left},{at - 5} {left + 16},{at - 5}"/>')
            parts.append(_text(left + 24, at, _short(line.name, room // _LETTER - 3), f"name {kind}"))
        elif last:
            at = y(last[-1][1])
            while any(abs(at - other) < 16 for other in ends):
                at += 4
            ends.append(at)
            name = _short(line.name, (right - 8) // _LETTER)
            parts.append(_text(x(last[-1][0]) + 8, at + 5, name, f"name {kind}"))
    parts.append("</svg>")
    return _safe(parts)


def scale(low: int, high: int) -> tuple[int, int, tuple[int, ...]]:
    """Round values between which all lie, nothing among them, and 2 to 6 ticks: steps of 1, 2 or 5 times a power."""
    span = max(1, high - low)
    step = next(
        factor * 10**power
        for power in range(len(str(span)) + 1)
        for factor in (1, 2, 5)
        if span <= 4 * factor * 10**power
    )
    first, last = low // step, -(-high // step)
    last = max(last, first + 1)
    return first * step, last * step, tuple(step * number for number in range(first, last + 1))


def _cell(line: Line, index: int, said: Said) -> str:
    point = line.points[index] if index < len(line.points) else None
    if point is None or point.value is None:
        return "–"
    if point.low is None or point.high is None:
        return said(point.value)
    return f"{said(point.value)} ({said(point.low)} – {said(point.high)})"


def _runs(points: Sequence[Point]) -> list[list[tuple[int, Point]]]:
    """Points without a gap between them."""
    runs: list[list[tuple[int, Point]]] = [[]]
    for index, point in enumerate(points):
        if point.value is not None:
            runs[-1].append((index, point))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _room_for(labels: Sequence[str], wide: int) -> int:
    """How many labels stand side by side in this width without touching: 2 at least, a dozen at most."""
    longest = min(max((len(label) for label in labels), default=1), _LONGEST)
    return max(2, min(_LABELS, wide // ((longest + 4) * _LETTER)))


def _kept(count: int, most: int) -> set[int]:
    """Which of so many labels are shown."""
    if count <= most:
        return set(range(count))
    return {(count - 1) * number // (most - 1) for number in range(most)}


def _told(bar: Bar, said: Said, head: tuple[str, ...]) -> str:
    beside = ""
    if bar.beside is not None:
        name = f" ({head[2]})" if len(head) > 2 else ""
        beside = f" · {said(bar.beside)}{name}"
    return escape(f"{bar.label}: {said(bar.value)}{beside}")


def _rows(bars: Sequence[Bar], said: Said) -> tuple[tuple[str, ...], ...]:
    two = any(bar.beside is not None for bar in bars)
    return tuple(
        (bar.label, said(bar.value), *([said(bar.beside) if bar.beside is not None else "–"] if two else []))
        for bar in bars
    )


def _open(width: int, height: int, described: str) -> str:
    kind = "wide" if width == WIDTH else "narrow"
    return (
        f'<svg class="chart {kind}" role="img" viewBox="0 0 {width} {height}" '
        f'aria-label="{escape(described, quote=True)}">'
    )


def _text(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _path(corners: Sequence[tuple[int, int]]) -> str:
    return " ".join(f"{x},{y}" for x, y in corners)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(1, most - 1)].rstrip() + "…"


def _safe(parts: Sequence[str]) -> SafeString:
    # Every text that came from outside went through `escape`; all else is made here.
    return SafeString("".join(parts))


__all__ = ["NARROW", "WIDTH", "Bar", "Chart", "Line", "Point", "Said", "across", "bars", "lines", "scale"]
