"""Streaks at the edges of the calendar: both nights of clock changes, leap days, travel, new years, freezes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from palier.engine.clock import HOUR, instant
from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.facts import RETURN, Fact, Inputs, Known, Reference
from palier.engine.history import fold
from palier.engine.plan import Plan, Timeline
from palier.engine.state import FROZEN, NEVER, PERIODS_KEPT, StreakState
from tests.model.cases import currency, named, program_of

PARIS = "Europe/Paris"


def at(text: str, zone: str = PARIS, later: bool = False) -> int:
    """The instant of a local time; `later`: the second of two that are called the same."""
    wall = datetime.fromisoformat(text)
    return instant(wall.replace(tzinfo=ZoneInfo(zone), fold=1 if later else 0))


class Story:
    """One member's visits by a program of one streak."""

    def __init__(self, home: str = PARIS, tokens: int = 0, versions: Any = None, **streak: Any) -> None:
        self.line = Timeline([(0, NEVER, Plan(self.document(home, **streak), 1))])
        if versions is not None:
            since, other = versions
            self.line = Timeline(
                [(0, since, self.line.spans[0][2]), (since, NEVER, Plan(self.document(home, **other), 2))]
            )
        self.knowns: list[Known] = []
        if tokens:
            gift = Fact("desk", "gift", "adjust", at("2020-01-01"), points=tokens, currency="tokens")
            self.knowns.append(Known(gift))

    def document(self, home: str, **streak: Any) -> Any:
        steps = streak.pop("steps", [{"at": 2, "grants": [{"currency": "stars", "points": "5"}]}])
        return program_of(
            {
                "time_zone": home,
                "point_currencies": [currency("stars"), currency("tokens", kind="token")],
                "streaks": [named("daily", **streak, steps=steps)],
            }
        )

    def visit(self, when: int, zone: str = "", name: str = "") -> str:
        name = name or f"v{len(self.knowns)}"
        self.knowns.append(Known(Fact("app", name, "visit", when), Inputs(zone=zone)))
        return name

    def back(self, name: str, when: int) -> None:
        fact = Fact("app", f"b{name}", RETURN, when, sale=Reference("app", name), whole=True)
        self.knowns.append(Known(fact))

    def until(self, when: int) -> Fold:
        engine = fold(self.line, self.knowns, until=when)
        engine.advance(when)
        return engine

    def state(self, when: int) -> StreakState:
        return self.until(when).state.streaks["daily"]

    def length(self, when: int) -> int:
        return self.state(when).length

    def ends(self, when: int) -> list[tuple[str, int]]:
        """What ended or was saved until then, and when."""
        found = self.until(when).decisions
        return [(item.type, item.at) for item in found if item.type.startswith("streak_")]

    def stars(self, when: int) -> int:
        wallet = self.until(when).state.wallets.get("stars")
        return wallet.spendable - wallet.debt if wallet is not None else 0


# zone, last day before, day of the change, its hours, first instant after the two days that must be acted in
NIGHTS = [
    (PARIS, "2026-03-28", "2026-03-29", 23, "2026-03-31"),
    (PARIS, "2026-10-24", "2026-10-25", 25, "2026-10-27"),
    ("America/New_York", "2026-03-07", "2026-03-08", 23, "2026-03-10"),
    ("America/New_York", "2026-10-31", "2026-11-01", 25, "2026-11-03"),
]


@pytest.mark.parametrize(("zone", "before", "change", "hours", "end"), NIGHTS)
def test_a_day_of_23_or_25_hours_is_a_day(zone: str, before: str, change: str, hours: int, end: str) -> None:
    start = at(change, zone)
    lapse = at(end, zone)
    assert (lapse - start) // HOUR == hours + 24
    story = Story(zone)
    story.visit(at(f"{before}T23:59:59", zone))
    story.visit(start + hours * HOUR - 1)
    assert story.length(lapse - 1) == 2
    assert story.stars(lapse - 1) == 5
    assert story.ends(lapse - 1) == []
    assert story.ends(lapse) == [("streak_lapsed", lapse)]
    early = Story(zone)
    early.visit(at(f"{before}T23:59:59", zone))
    early.visit(start + hours * HOUR)
    # The last microsecond of the day was missed: what comes an instant later begins anew.
    assert early.ends(start + hours * HOUR) == [("streak_lapsed", start + hours * HOUR)]
    assert early.length(start + hours * HOUR) == 1


def test_both_hours_of_an_autumn_night_are_one_day() -> None:
    story = Story(least=2)
    story.visit(at("2026-10-25T02:30"))
    story.visit(at("2026-10-25T02:30", later=True))
    assert story.state(at("2026-10-25T12:00")).counts == [2]
    assert story.length(at("2026-10-25T12:00")) == 1


def test_29_february_is_a_day_of_its_own() -> None:
    story = Story()
    for day in ("2028-02-28", "2028-02-29", "2028-03-01"):
        story.visit(at(f"{day}T10:00"))
    assert story.length(at("2028-03-01T10:00")) == 3
    without = Story()
    for day in ("2028-02-28", "2028-03-01"):
        without.visit(at(f"{day}T10:00"))
    assert without.ends(at("2028-03-01T10:00")) == [("streak_lapsed", at("2028-03-01"))]
    common = Story()
    for day in ("2026-02-28", "2026-03-01"):
        common.visit(at(f"{day}T10:00"))
    assert common.length(at("2026-03-01T10:00")) == 2


def test_a_month_streak_counts_months_of_any_length() -> None:
    story = Story(period="month")
    for day in ("2028-01-31", "2028-02-01", "2028-03-31"):
        story.visit(at(f"{day}T23:00"))
    assert story.length(at("2028-04-30T23:59")) == 3
    assert story.ends(at("2028-05-01")) == [("streak_lapsed", at("2028-05-01"))]


def test_a_week_streak_runs_over_new_year() -> None:
    story = Story(period="week")
    # Weeks from Monday: 21 to 27 December, 28 December to 3 January (53 of 2026), 4 to 10 January.
    for day in ("2026-12-27", "2026-12-31", "2027-01-03", "2027-01-04"):
        story.visit(at(f"{day}T12:00"))
    assert story.length(at("2027-01-04T12:00")) == 3
    assert story.state(at("2027-01-04T12:00")).counts == [1, 2, 1]
    lapse = at("2027-01-18")
    assert story.ends(lapse - 1) == []
    assert story.ends(lapse) == [("streak_lapsed", lapse)]


def test_moving_from_paris_to_tokyo_and_back() -> None:
    tokyo = "Asia/Tokyo"
    story = Story()
    story.visit(at("2026-05-01T22:00"), PARIS)
    # 22:00 in Paris on the 1st is 05:00 in Tokyo on the 2nd. The next day there ends while it is 17:00 in Paris.
    story.visit(at("2026-05-02T23:59", tokyo), tokyo)
    assert story.length(at("2026-05-02T23:59", tokyo)) == 2
    assert story.ends(at("2026-05-04", tokyo) - 1) == []
    story.visit(at("2026-05-03T00:30", tokyo), tokyo)
    # At home again it is still the 2nd, which counts already: nothing is lost, and nothing counts twice.
    home = at("2026-05-02T23:00")
    assert home > at("2026-05-03T00:30", tokyo)
    story.visit(home, PARIS)
    assert story.length(home) == 3
    assert story.state(home).counts == [1, 2, 1]
    # The run goes by the days of Paris from now on: it ends with the 4th there, not in Tokyo.
    assert story.ends(at("2026-05-05", tokyo)) == []
    assert story.ends(at("2026-05-05")) == [("streak_lapsed", at("2026-05-05"))]


def test_a_streak_in_the_programs_zone_does_not_move() -> None:
    story = Story(zone="program")
    story.visit(at("2026-05-01T10:00"), "Asia/Tokyo")
    story.visit(at("2026-05-02T23:00"), "Asia/Tokyo")
    assert story.length(at("2026-05-02T23:00")) == 2
    assert story.ends(at("2026-05-04")) == [("streak_lapsed", at("2026-05-04"))]


def test_a_token_is_used_at_the_deadline_and_not_before() -> None:
    story = Story(tokens=1, freeze="tokens")
    story.visit(at("2026-03-27T10:00"))
    deadline = at("2026-03-29")
    assert story.until(deadline - 1).state.wallets["tokens"].spendable == 1
    saved = story.until(deadline)
    assert saved.state.wallets["tokens"].spendable == 0
    assert story.ends(deadline) == [("streak_saved", deadline)]
    assert saved.state.streaks["daily"].counts == [1, FROZEN]
    # 23 hours later the second missed day has no token.
    second = at("2026-03-30")
    assert second - deadline == 23 * HOUR
    assert story.ends(second) == [("streak_saved", deadline), ("streak_lapsed", second)]
    kept = Story(tokens=1, freeze="tokens")
    kept.visit(at("2026-03-27T10:00"))
    kept.visit(at("2026-03-29T00:00"))
    assert kept.length(deadline) == 2, "a saved day is not counted, and breaks nothing"
    assert kept.stars(deadline) == 5
    exact = Story(tokens=1, freeze="tokens")
    exact.visit(at("2026-03-27T10:00"))
    exact.visit(deadline - 1)
    assert exact.ends(deadline) == []
    assert exact.until(deadline).state.wallets["tokens"].spendable == 1


def test_a_token_that_expires_at_the_deadline_saves_nothing() -> None:
    story = Story(tokens=0, freeze="tokens")
    program = program_of(
        {
            "point_currencies": [
                currency("stars"),
                currency("tokens", kind="token", expiry={"kind": "fixed_date", "date": "2026-03-28"}),
            ],
            "streaks": [named("daily", freeze="tokens")],
        }
    )
    story.line = Timeline([(0, NEVER, Plan(program, 1))])
    story.knowns.append(Known(Fact("desk", "gift", "adjust", at("2026-01-01"), points=1, currency="tokens")))
    story.visit(at("2026-03-27T10:00"))
    assert story.ends(at("2026-03-29")) == [("streak_lapsed", at("2026-03-29"))]


def test_what_comes_back_of_a_run_that_is_over_takes_its_gift_back() -> None:
    story = Story()
    first = story.visit(at("2026-03-02T10:00"))
    story.visit(at("2026-03-03T10:00"))
    story.visit(at("2026-03-20T10:00"))
    assert story.stars(at("2026-03-20T10:00")) == 5
    story.back(first, at("2026-03-21T10:00"))
    assert story.stars(at("2026-03-21T10:00")) == 0
    assert story.length(at("2026-03-21T10:00")) == 1


def test_what_comes_back_of_yesterday_ends_the_run_at_once() -> None:
    """Nothing is dated before the return that brought it about."""
    story = Story()
    story.visit(at("2026-03-02T10:00"))
    second = story.visit(at("2026-03-03T10:00"))
    story.back(second, at("2026-03-04T09:00"))
    engine = story.until(at("2026-03-09"))
    instants = [decision.at for decision in engine.decisions]
    assert instants == sorted(instants)
    assert engine.state.streaks["daily"].counts == []
    assert story.stars(at("2026-03-04T09:00")) == 0


GIFTS = [{"at": 2, "grants": [{"currency": "stars", "points": "5"}]},
         {"at": 4, "grants": [{"currency": "stars", "points": "20"}]}]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "steps", "repeat", "back", "before", "after"),
    [
        # What the days before had earned stays, on whichever side of it the run goes on.
        (3, GIFTS, False, 2, 5, 5),
        (4, GIFTS, False, 2, 25, 5),
        (4, GIFTS, False, 3, 25, 5),
        (4, GIFTS, False, 0, 25, 5),
        # Both parts are as long as a step: each gives what it would have given alone.
        (5, GIFTS, False, 2, 25, 10),
        (7, GIFTS, False, 2, 25, 30),
        # Every second day gives: of five days with a gap in the middle two gave, of four with a gap none is lost twice.
        (5, GIFTS[:1], True, 2, 10, 10),
        (4, GIFTS[:1], True, 1, 10, 5),
    ],
)
def test_a_period_that_comes_back_parts_the_run(
    days: int, steps: Any, repeat: bool, back: int, before: int, after: int
) -> None:
    """It is as if the period had been missed: the member has what two runs give, and returns in it come to the same."""
    whole, missed = Story(steps=steps, repeat=repeat), Story(steps=steps, repeat=repeat)
    first = at("2026-03-02T10:00")
    names = []
    for day in range(days):
        names.append(whole.visit(first + day * 24 * HOUR))
        if day != back:
            missed.visit(first + day * 24 * HOUR, name=names[-1])
    later = first + days * 24 * HOUR
    assert whole.stars(later) == before
    whole.back(names[back], later)
    assert whole.stars(later) == missed.stars(later) == after
    assert whole.length(later) == missed.length(later)
    # The rest comes back, in turn: nothing is left.
    for number, name in enumerate(names):
        if number != back:
            whole.back(name, later + number + 1)
    assert whole.stars(later + days) == 0


def test_a_token_that_saved_a_period_goes_on_saving_it() -> None:
    """Acting, further west, in a period that a token saved does not make it an incomplete one."""
    story = Story(tokens=1, freeze="tokens", least=2)
    tokyo, york = "Asia/Tokyo", "America/New_York"
    for name in ("a", "b"):
        story.visit(at("2026-05-01T10:00", tokyo) + ord(name), tokyo)
    saved_at = at("2026-05-03", tokyo)
    assert story.ends(saved_at) == [("streak_saved", saved_at)]
    story.visit(at("2026-05-02T20:00", york), york)
    for name in ("a", "b"):
        story.visit(at("2026-05-03T20:00", york) + ord(name), york)
    assert story.state(at("2026-05-03T21:00", york)).counts == [2, FROZEN, 2]
    assert story.length(at("2026-05-03T21:00", york)) == 2


def test_a_long_streak_stays_short_in_the_state() -> None:
    story = Story(steps=[{"at": 3, "grants": [{"currency": "stars"}]}], repeat=True)
    engine = Fold(story.line, keep_records=True)
    days = PERIODS_KEPT + 100
    first = at("2026-01-01T10:00")
    clock = story.line.spans[0][2].clock
    for day in range(days):
        answer = engine.decide(Known(Fact("app", f"v{day}", "visit", clock.add_days(first, day))))
        assert isinstance(answer, Decision)
    state = engine.state.streaks["daily"]
    assert state.length == state.best == days
    assert len(state.counts) == PERIODS_KEPT
    assert engine.state.wallets["stars"].spendable == days // 3


def test_another_version_may_count_other_periods() -> None:
    since = at("2026-03-10")
    story = Story(versions=(since, {"period": "week"}))
    story.visit(at("2026-03-08T10:00"))
    story.visit(at("2026-03-09T10:00"))
    story.visit(at("2026-03-10T10:00"))
    story.visit(at("2026-03-16T10:00"))
    assert story.length(at("2026-03-16T10:00")) == 2
    assert story.stars(at("2026-03-16T10:00")) == 10
    assert story.state(at("2026-03-16T10:00")).period == "week"


def pair() -> Timeline:
    program = program_of(
        {
            "point_currencies": [currency("stars")],
            "streaks": [
                named(
                    "duo",
                    of="pair",
                    zone="program",
                    steps=[{"at": 2, "grants": [{"currency": "stars", "points": "5"}]}],
                )
            ],
        }
    )
    return Timeline([(0, NEVER, Plan(program, 1))])


def test_a_pair_keeps_its_streak_when_both_act_and_learns_of_returns() -> None:
    line = pair()
    mine = Fold(line, keep_records=True)
    theirs = Fold(line, keep_records=True)
    attributes: dict[str, str | int | bool] = {"streak": "duo", "pair": "p1"}
    start = at("2026-03-01T10:00")
    for engine, other in ((mine, "m_b"), (theirs, "m_a")):
        engine.decide(
            Known(Fact("palier:made", "paired", "paired", start, attributes=attributes, other_member=other))
        )
    for day in (1, 2):
        when = start + day * 24 * HOUR
        done = mine.decide(Known(Fact("app", f"a{day}", "visit", when)))
        assert isinstance(done, Decision)
        [message] = done.messages
        assert message.member == "m_b"
        theirs.decide(Known(message.fact))
        answer = theirs.decide(Known(Fact("app", f"b{day}", "visit", when + 1)))
        assert isinstance(answer, Decision)
        mine.decide(Known(answer.messages[0].fact))
    for engine in (mine, theirs):
        assert engine.state.streaks["duo:p1"].length == 2
        assert engine.state.wallets["stars"].spendable == 5
    back = Fact("app", "back", RETURN, start + 49 * HOUR, sale=Reference("app", "a2"), whole=True)
    undone = mine.decide(Known(back))
    assert isinstance(undone, Decision)
    assert mine.state.wallets["stars"].spendable == 0
    [message] = undone.messages
    assert message.member == "m_b"
    answer = theirs.decide(Known(message.fact))
    assert isinstance(answer, Decision)
    state = theirs.state.streaks["duo:p1"]
    assert (state.counts, state.theirs, state.length) == ([1, 1], [1, 0], 1)
    assert theirs.state.wallets["stars"].spendable == 0


def test_what_comes_back_breaks_the_run_before_it_and_not_behind() -> None:
    story = Story()
    names = [story.visit(at(f"2026-03-0{day}T10:00")) for day in (2, 3, 4, 5)]
    story.back(names[1], at("2026-03-05T12:00"))
    assert story.length(at("2026-03-05T12:00")) == 2
    story.visit(at("2026-03-06T10:00"))
    state = story.state(at("2026-03-06T10:00"))
    assert (state.counts, state.length) == ([1, 1, 1], 3)
    assert story.ends(at("2026-03-08")) == [("streak_lapsed", at("2026-03-08"))]


def test_what_a_streak_gives_is_named_by_the_length_that_gives_it() -> None:
    story = Story(repeat=True)
    names = [story.visit(at(f"2026-03-0{day}T10:00")) for day in range(2, 8)]
    story.back(names[5], at("2026-03-07T12:00"))
    grants = [
        grant for decision in story.until(at("2026-03-07T12:00")).decisions for grant in decision.trace.grants
    ]
    assert [(grant.cause, grant.points) for grant in grants] == [
        ("streak:daily:2", 5),
        ("streak:daily:4", 5),
        ("streak:daily:6", 5),
        ("streak:daily:6", -5),
    ]
