"""The program's calendar: instants (integer microseconds, UTC) to local days and back, exactly.

Python compares two aware times of one zone by wall clock, which goes wrong on both DST nights; so every
comparison here is between UTC instants, and the zone only answers "what is the offset at this instant".
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH_DAY = date(1970, 1, 1).toordinal()
_SLOT = 15 * MINUTE
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(microseconds=1)


def instant(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // _STEP


def moment(at: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=at)


def is_zone(name: str) -> bool:
    """Whether there is such a time zone. What a machine is set to is none, nor is what counts leap seconds."""
    if name in ("localtime", "posixrules", "Factory") or name.startswith(("posix/", "right/")):
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a path, a folder, or an unknown name
        return False
    return True


class LocalClock:
    """One time zone. `calendar(day)` gives (week, month, year) numbers that order and compare periods."""

    __slots__ = ("_calendar", "_calm", "_offsets", "_periods", "name", "zone")

    def __init__(self, name: str) -> None:
        self.name = name
        self.zone = ZoneInfo(name)
        self._offsets: dict[int, int | None] = {}
        self._calm: dict[int, int | None] = {}
        self._calendar: dict[int, tuple[int, int, int]] = {}
        self._periods: dict[int, tuple[int, int, int, int, int]] = {}

    def _offset_exact(self, at: int) -> int:
        offset = moment(at).astimezone(self.zone).utcoffset()
        assert offset is not None
        return offset // _STEP

    def offset(self, at: int) -> int:
        """Microseconds to add to UTC for local time at this instant."""
        slot = at // _SLOT
        try:
            known = self._offsets[slot]
        except KeyError:
            # An offset that is the same at both ends of a quarter of an hour holds in between.
            first = self._offset_exact(slot * _SLOT)
            known = first if first == self._offset_exact((slot + 1) * _SLOT - 1) else None
            if len(self._offsets) > 200_000:
                self._offsets.clear()
            self._offsets[slot] = known
        return self._offset_exact(at) if known is None else known

    def calm(self, day: int) -> int | None:
        """The offset that holds from the UTC day before `day` (days since 1970) to the one after; None: it changes."""
        try:
            return self._calm[day]
        except KeyError:
            start = day * DAY
            offsets = {self._offset_exact(start + hours * HOUR) for hours in range(-24, 49)}
            found = self._calm[day] = offsets.pop() if len(offsets) == 1 else None
            return found

    def local(self, at: int) -> tuple[int, int]:
        """(ordinal of the local day, minute of that day on the wall clock)."""
        offset = self.calm(at // DAY)
        day, rest = divmod(at + (self.offset(at) if offset is None else offset), DAY)
        return day + EPOCH_DAY, rest // MINUTE

    def calendar(self, day: int) -> tuple[int, int, int]:
        """(week, month, year) numbers of a day ordinal: weeks start on Monday; month = 12 x year + month - 1."""
        found = self._calendar.get(day)
        if found is None:
            when = date.fromordinal(day)
            found = self._calendar[day] = ((day - 1) // 7, when.year * 12 + when.month - 1, when.year)
        return found

    def periods(self, day: int) -> tuple[int, int, int, int, int]:
        """The numbers of the periods in which a day lies: (day, week, month, year, 0 for the whole of time)."""
        found = self._periods.get(day)
        if found is None:
            found = self._periods[day] = (day, *self.calendar(day), 0)
        return found

    def at_wall(self, wall: int) -> int:
        """The instant of a local wall-clock time given as microseconds since 1970 in local reckoning.

        A time that occurs twice is its first occurrence; a time that the clock skips is moved forward by
        the length of the gap (02:30 in a spring gap is 03:30).
        """
        # No zone was ever 16 hours from UTC, and none changes twice within 32.
        before, after = self.offset(wall - 16 * HOUR), self.offset(wall + 16 * HOUR)
        if before == after:
            return wall - before
        early, late = wall - max(before, after), wall - min(before, after)
        if self.offset(early) == max(before, after):
            return early
        if self.offset(late) == min(before, after):
            return late
        return wall - before

    def start_of_day(self, day: int) -> int:
        """The first instant of a local day."""
        return self.at_wall((day - EPOCH_DAY) * DAY)

    def start_of_month(self, month: int) -> int:
        """The first instant of a month number (12 x year + month - 1)."""
        return self.start_of_day(date(month // 12, month % 12 + 1, 1).toordinal())

    def add_days(self, at: int, days: int) -> int:
        """The same local clock time `days` local days later (see `at_wall` for skipped and doubled times)."""
        there = at + days * DAY
        known = self._calm
        before, after = known.get(at // DAY), known.get(there // DAY)
        if before is None or after is None:
            before, after = self.calm(at // DAY), self.calm(there // DAY)
        if before is not None and after is not None:
            return there + before - after
        return self.at_wall(at + self.offset(at) + days * DAY)


_clocks: dict[str, LocalClock] = {}


def clock_of(zone: str) -> LocalClock:
    """The calendar of a time zone, kept: what it has found out of a day is known to whoever asks next."""
    clock = _clocks.get(zone)
    if clock is None:
        clock = _clocks[zone] = LocalClock(zone)
    return clock
