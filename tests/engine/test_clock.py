"""The calendar of the engine: nights when clocks change, ends of months, and zones far from UTC."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palier.engine.clock import DAY, EPOCH_DAY, HOUR, MINUTE, LocalClock, instant, moment
from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.facts import Fact, Known
from palier.engine.history import fold
from tests.engine.histories import timeline
from tests.model import model
from tests.model.cases import program_of
from tests.model.test_model import club, rule

ZONES = (
    "Europe/Paris",
    "America/Martinique",
    "Indian/Reunion",
    "Pacific/Noumea",
    "Pacific/Tahiti",
    "Australia/Lord_Howe",
    "UTC",
)
STRANGE = ("America/St_Johns", "Pacific/Apia", "Africa/Casablanca", "Pacific/Chatham", "Antarctica/Troll")


def utc(text: str) -> int:
    return instant(datetime.fromisoformat(text + "+00:00"))


def happy_minutes(zone: str, start: str, end: str, hour_from: str, hour_until: str) -> int:
    """How many whole minutes between two instants a happy hour lasts, by asking the engine at each minute."""
    happy = {"field": "time", "from": hour_from, "until": hour_until}
    program = club([rule("happy", fixed="1", when=happy)], time_zone=zone)
    engine = Fold(timeline(program))
    minutes = range(utc(start), utc(end), MINUTE)
    for number, at in enumerate(minutes):
        answer = engine.decide(Known(Fact("till", f"{number:05}", "sale", at, amount=100)))
        assert isinstance(answer, Decision)
    return engine.state.wallets["points"].spendable if "points" in engine.state.wallets else 0


@pytest.mark.parametrize(
    ("zone", "day", "hour", "minutes"),
    [
        ("Europe/Paris", "2026-10-25", ("02:00", "03:00"), 120),
        ("Europe/Paris", "2026-03-29", ("02:00", "03:00"), 0),
        ("Europe/Paris", "2026-03-28", ("02:00", "03:00"), 60),
        ("Europe/Paris", "2026-10-25", ("01:30", "02:30"), 90),
        ("Australia/Lord_Howe", "2026-04-05", ("01:00", "02:00"), 90),
        ("Australia/Lord_Howe", "2026-10-04", ("02:00", "03:00"), 30),
        ("America/Martinique", "2026-10-25", ("02:00", "03:00"), 60),
        ("Indian/Reunion", "2026-03-29", ("02:00", "03:00"), 60),
        ("Pacific/Noumea", "2026-10-25", ("02:00", "03:00"), 60),
        ("Pacific/Tahiti", "2026-03-29", ("02:00", "03:00"), 60),
        ("UTC", "2026-10-25", ("02:00", "03:00"), 60),
    ],
)
def test_a_happy_hour_lasts_as_long_as_the_clock_on_the_wall_says(
    zone: str, day: str, hour: tuple[str, str], minutes: int
) -> None:
    at_home = ZoneInfo(zone)
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), at_home)
    end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), at_home)
    texts = [moment(instant(each)).replace(tzinfo=None).isoformat() for each in (start, end)]
    assert happy_minutes(zone, texts[0], texts[1], *hour) == minutes


EXPIRIES = [
    # zone, earned (UTC), expiry, expires (UTC)
    ("Europe/Paris", "2026-01-31T22:59:59", ("end_of_month", 0), "2026-01-31T23:00:00"),
    ("Europe/Paris", "2026-01-31T23:00:00", ("end_of_month", 0), "2026-02-28T23:00:00"),
    ("Europe/Paris", "2026-01-31T12:00:00", ("end_of_month", 1), "2026-02-28T23:00:00"),
    ("Europe/Paris", "2027-11-30T12:00:00", ("end_of_month", 3), "2028-02-29T23:00:00"),
    ("Europe/Paris", "2026-02-28T12:00:00", ("end_of_month", 1), "2026-03-31T22:00:00"),
    ("Europe/Paris", "2026-12-31T22:59:59", ("end_of_year", 0), "2026-12-31T23:00:00"),
    ("Europe/Paris", "2026-12-31T23:00:00", ("end_of_year", 0), "2027-12-31T23:00:00"),
    ("Europe/Paris", "2028-02-28T12:00:00", ("rolling", 1), "2028-02-29T12:00:00"),
    ("Europe/Paris", "2028-02-29T12:00:00", ("rolling", 366), "2029-03-01T12:00:00"),
    ("Europe/Paris", "2026-03-28T01:30:00", ("rolling", 1), "2026-03-29T01:30:00"),  # 02:30 is skipped: 03:30
    ("Europe/Paris", "2026-10-24T00:30:00", ("rolling", 1), "2026-10-25T00:30:00"),  # the first 02:30
    ("Europe/Paris", "2026-10-24T10:00:00", ("rolling", 1), "2026-10-25T11:00:00"),
    ("America/Martinique", "2026-02-01T03:59:59", ("end_of_month", 0), "2026-02-01T04:00:00"),
    ("America/Martinique", "2026-02-01T04:00:00", ("end_of_month", 0), "2026-03-01T04:00:00"),
    ("Indian/Reunion", "2028-01-31T20:00:00", ("end_of_month", 0), "2028-02-29T20:00:00"),
    ("Pacific/Noumea", "2026-12-31T13:00:00", ("end_of_year", 0), "2027-12-31T13:00:00"),
    ("Pacific/Tahiti", "2028-02-29T09:59:59", ("end_of_month", 0), "2028-03-01T10:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T14:45:00", ("rolling", 1), "2026-04-05T15:15:00"),
    ("Australia/Lord_Howe", "2026-10-02T15:40:00", ("rolling", 1), "2026-10-03T15:40:00"),  # 02:10 skipped
    ("UTC", "2027-12-31T23:59:59", ("end_of_month", 2), "2028-03-01T00:00:00"),
]


@pytest.mark.parametrize(("zone", "earned", "expiry", "expires"), EXPIRIES)
def test_when_points_expire(zone: str, earned: str, expiry: tuple[str, int], expires: str) -> None:
    kind, number = expiry
    setting = {"end_of_month": "after_months", "end_of_year": "after_years", "rolling": "days"}[kind]
    program = club(points={"expiry": {"kind": kind, setting: number}}, time_zone=zone)
    sale = Known(Fact("till", "s", "sale", utc(earned), amount=1000))
    engine = fold(timeline(program), [sale])
    (lot,) = engine.state.wallets["points"].lots
    assert moment(lot.expires_at) == moment(utc(expires))
    engine.advance(lot.expires_at - 1)
    assert engine.state.wallets["points"].spendable == 10
    engine.advance(lot.expires_at)
    assert engine.decisions[-1].at == lot.expires_at
    assert engine.state.wallets["points"].spendable == 0


def test_expiry_is_dated_by_its_instant_however_late_the_work_is_done() -> None:
    program = club(points={"expiry": {"kind": "rolling", "days": 30}})
    sale = Known(Fact("till", "s", "sale", utc("2026-01-01T12:00:00"), amount=1000))
    early, late = fold(timeline(program), [sale]), fold(timeline(program), [sale])
    for day in range(40):
        early.advance(utc("2026-01-01T12:00:00") + day * DAY)
    late.advance(utc("2026-06-01T00:00:00"))
    assert early.decisions == late.decisions


# --- the calendar beside the library's --------------------------------------------------------------

moments = st.integers(utc("2000-01-01T00:00:00"), utc("2060-01-01T00:00:00"))
zones = st.sampled_from(ZONES + STRANGE)


@st.composite
def near_turns(draw: st.DrawFn, name: str) -> int:
    """An instant, often close to one at which the zone's offset changes."""
    at = draw(moments)
    if draw(st.booleans()):
        zone = ZoneInfo(name)
        for _ in range(400):
            if moment(at).astimezone(zone).utcoffset() != moment(at + DAY).astimezone(zone).utcoffset():
                break
            at += DAY
        at += draw(st.integers(-30, 30)) * HOUR
        at += draw(st.sampled_from([0, -1, 1, 30 * MINUTE, 59 * MINUTE]))
    return at


many = settings(max_examples=400, deadline=None)


@many
@given(st.data(), zones)
def test_local_days_and_minutes(data: st.DataObject, name: str) -> None:
    at = data.draw(near_turns(name))
    clock = LocalClock(name)
    wall = moment(at).astimezone(ZoneInfo(name))
    for _ in range(2):  # the second time from what was kept
        assert clock.local(at) == (wall.date().toordinal(), wall.hour * 60 + wall.minute)
    number = wall.date().toordinal()
    week, month, year = clock.calendar(number)
    assert (month, year) == (wall.year * 12 + wall.month - 1, wall.year)
    assert (
        clock.calendar(number - wall.weekday())[0] == week == clock.calendar(number - wall.weekday() + 6)[0]
    )


@many
@given(st.data(), zones, st.one_of(st.integers(0, 3), st.integers(0, 800)))
def test_days_later(data: st.DataObject, name: str, days: int) -> None:
    at = data.draw(near_turns(name))
    clock = LocalClock(name)
    for _ in range(2):
        found = clock.add_days(at, days)
        if days:
            assert found == model.add_days(at, days, ZoneInfo(name))


@many
@given(zones, st.dates(date(2000, 1, 2), date(2060, 1, 1)))
def test_starts_of_days_and_months(name: str, day: date) -> None:
    clock = LocalClock(name)
    zone = ZoneInfo(name)
    start = clock.start_of_day(day.toordinal())
    wall = moment(start).astimezone(zone)
    if name != "Pacific/Apia" or day != date(2011, 12, 30):  # a day that never was
        assert wall.date() == day
        assert moment(start - 1).astimezone(zone).date() < day
    first = clock.start_of_month(day.year * 12 + day.month - 1)
    assert first == model.month_start(day.year, day.month, zone)
    assert date(1970, 1, 1).toordinal() == EPOCH_DAY


@pytest.mark.parametrize("name", ["Pacific/Apia", "Pacific/Fakaofo"])
def test_times_of_a_day_that_was_left_out_are_those_of_the_day_after(name: str) -> None:
    """30 December 2011, hour by hour: each is a day later than that of the 29th, and the same as that of the 31st."""
    clock = LocalClock(name)
    for hour in range(24):
        before, after = (clock.at_wall(utc(f"2011-12-{day}T{hour:02}:00:00")) for day in (29, 31))
        assert after - before == DAY
        assert clock.at_wall(utc(f"2011-12-30T{hour:02}:00:00")) == after
        assert clock.add_days(before, 1) == after


def test_every_hour_of_the_changing_nights_of_many_years() -> None:
    """Straight through two years, hour by hour, without keeping anything between."""
    for name in ZONES:
        clock, zone = LocalClock(name), ZoneInfo(name)
        for at in range(utc("2026-01-01T00:00:00"), utc("2027-01-02T00:00:00"), HOUR):
            wall = moment(at).astimezone(zone)
            assert clock.local(at) == (wall.date().toordinal(), wall.hour * 60 + wall.minute)


def test_days_and_caps_are_those_of_the_programs_zone() -> None:
    """The same three instants are one day, two days or other two by where the program is."""
    counts = {}
    for zone in ("Europe/Paris", "Pacific/Tahiti", "Pacific/Noumea"):
        program = club([rule(caps={"day": "10"})], time_zone=zone)
        times = ("2026-06-30T21:59:59", "2026-06-30T22:00:00", "2026-07-01T10:00:00")
        facts = [Known(Fact("till", str(n), "sale", utc(at), amount=1000)) for n, at in enumerate(times)]
        counts[zone] = [
            sum(item.earned for item in decision.trace.rules)
            for decision in fold(timeline(program), facts).decisions
        ]
    assert counts == {
        "Europe/Paris": [10, 10, 0],
        "Pacific/Tahiti": [10, 0, 10],
        "Pacific/Noumea": [10, 0, 0],
    }


def test_a_program_keeps_its_zone() -> None:
    assert program_of({"time_zone": "Pacific/Noumea"}).time_zone == "Pacific/Noumea"
