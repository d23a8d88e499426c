"""Instants and local dates as written in a document, read exactly."""

from __future__ import annotations

import re
from datetime import datetime

from palier.engine.clock import LocalClock, instant
from palier.engine.conditions import DATE, day_ordinal

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)

ENDS = ("0000", "0001", "9999")
"""Years in which an instant may lie outside of all years somewhere else."""


def parse_instant(text: str) -> int:
    """Microseconds UTC of an instant written with its offset, such as "2026-01-01T00:00:00+01:00".

    Raises ValueError for anything else, an instant without offset included.
    """
    if not _INSTANT.fullmatch(text) or text[:4] in ENDS:
        raise ValueError(f"{text[:40]!r} is no instant with its offset")
    return instant(datetime.fromisoformat(text.upper()))


def starts_at(text: str, clock: LocalClock) -> int:
    """The first instant meant by a local date (its start) or an instant. Raises ValueError."""
    return clock.start_of_day(day_ordinal(text)) if DATE.fullmatch(text) else parse_instant(text)


def ends_at(text: str, clock: LocalClock) -> int:
    """The first instant no longer meant: the end of a local date (itself included), or an instant."""
    return clock.start_of_day(day_ordinal(text) + 1) if DATE.fullmatch(text) else parse_instant(text)
