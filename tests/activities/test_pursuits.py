"""What a member is after, told as of now, whether or not the worker has run."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

from palier.activities import queries
from palier.activities.pursuits import Pursuits
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, HOUR, instant
from palier.engine.facts import Fact
from tests.activities.program import Connection, member, published
from tests.activities.test_mechanics import MARCH, currency, sale, send, shop, text


def after(connection: Connection, runtime: Runtime, who: int, now: int) -> Pursuits:
    found = queries.standing(connection, runtime, who, now=now)
    connection.rollback()
    assert found is not None
    return found.pursuits


def act(kind: str, at: int, **attributes: Any) -> Fact:
    return Fact("app", f"{kind}-{at}", kind, at, attributes=attributes)


GOALS = [
    {
        "key": "monthly",
        "name": text("Monthly"),
        "icon": "mountain",
        "measure": "spend",
        "window": {"kind": "each", "period": "month"},
        "steps": [
            {"at": "50", "name": text("Half"), "grants": [{"currency": "stars", "points": "5"}]},
            {"at": "100", "name": text("There"), "grants": [{"currency": "coffee"}]},
        ],
    },
    {
        "key": "card",
        "name": text("Card"),
        "kind": "stamp_card",
        "repeat": True,
        "steps": [{"at": "3", "name": text("Free"), "grants": [{"currency": "coffee"}]}],
    },
    {
        "key": "week",
        "name": text("Week"),
        "kind": "challenge",
        "opt_in": True,
        "window": {"kind": "from_start", "days": 7},
        "steps": [{"at": "2", "name": text("Twice"), "grants": [{"currency": "stars", "points": "9"}]}],
    },
    {
        "key": "easter",
        "name": text("Easter"),
        "window": {"kind": "dates", "from": "2026-03-20", "until": "2026-04-06"},
        "steps": [{"at": "1", "name": text("Once"), "grants": [{"currency": "stars", "points": "9"}]}],
    },
]


def test_goals_are_told_in_their_measure_with_the_next_step_and_their_window(connection: Connection) -> None:
    runtime = published(connection, shop(goals=GOALS))
    who = member(connection, runtime.program_id, "c1")
    monthly, card, week, easter = after(connection, runtime, who, MARCH).goals
    assert (monthly.position, monthly.missing, monthly.decimals) == (0, 5_000, 2)
    assert (week.joining, week.state) == ("open", "open")
    assert (easter.state, easter.joining) == ("planned", "none")
    send(connection, runtime, act("opt_in", MARCH, goal="week"), now=MARCH)
    for number in range(4):
        send(connection, runtime, sale(number, MARCH + number, 1_550), now=MARCH + number)
    monthly, card, week, easter = after(connection, runtime, who, MARCH + HOUR).goals
    assert (monthly.position, monthly.missing, monthly.state) == (6_200, 3_800, "open")
    assert [step.reached for step in monthly.steps] == [True, False]
    assert monthly.steps[0].given == (("stars", 5),)
    assert monthly.ends_at == instant(datetime.fromisoformat("2026-04-01T00:00:00+02:00"))
    assert (card.position, card.missing, card.rounds) == (1, 2, 1)
    assert (week.joining, week.state, week.position, week.missing) == ("joined", "done", 4, None)
    # Nothing has run since: the month is another, the week is over, Easter has come.
    monthly, card, week, easter = after(connection, runtime, who, MARCH + 31 * DAY).goals
    assert (monthly.position, monthly.missing) == (0, 5_000)
    assert (week.state, week.missing) == ("ended", None)
    assert week.ends_at == MARCH + 7 * DAY
    assert (easter.state, easter.missing) == ("open", 1)
    assert after(connection, runtime, who, MARCH + 60 * DAY).goals[3].state == "ended"


STREAK = {
    "key": "flame",
    "name": text("Flame"),
    "on": ["sale"],
    "freeze": "spin",
    "at_risk_hours": 6,
    "steps": [{"at": 3, "grants": [{"currency": "coffee"}]}],
}


def test_a_streak_is_at_risk_and_then_lapses_without_the_worker(connection: Connection) -> None:
    runtime = published(connection, shop(streaks=[STREAK]))
    who = member(connection, runtime.program_id, "c1")
    (flame,) = after(connection, runtime, who, MARCH).streaks
    assert (flame.state, flame.length, flame.tokens, flame.missing) == ("not_begun", 0, 0, 3)
    for number in range(2):
        send(connection, runtime, sale(number, MARCH + number * DAY), now=MARCH + number * DAY)
    evening = MARCH + DAY + 12 * HOUR
    (flame,) = after(connection, runtime, who, evening).streaks
    assert (flame.state, flame.length, flame.missing) == ("running", 2, 1)
    midnight = instant(datetime.fromisoformat("2026-03-05T00:00:00+01:00"))
    assert flame.deadline == midnight
    (flame,) = after(connection, runtime, who, midnight - 6 * HOUR - 1).streaks
    assert flame.state == "running"
    (flame,) = after(connection, runtime, who, midnight - 6 * HOUR).streaks
    assert (flame.state, flame.length) == ("at_risk", 2)
    (flame,) = after(connection, runtime, who, midnight).streaks
    assert (flame.state, flame.length, flame.best) == ("lapsed", 0, 2)


WHEEL = {
    "key": "wheel",
    "name": text("Wheel"),
    "price": {"currency": "stars", "points": "5"},
    "limits": {"day": 2, "lifetime": 3},
    "active_until": "2026-03-31",
    "prizes": [
        {"key": "coffee", "name": text("Coffee"), "weight": 3, "grants": [{"currency": "coffee"}]},
        {"key": "blank", "name": text("Blank"), "weight": 17},
    ],
}
QUIZ = {
    "key": "quiz",
    "name": text("Quiz"),
    "attempts": 2,
    "questions": [
        {"text": text("One?"), "answers": [{"text": text("yes"), "right": True}, {"text": text("no")}]},
        {"text": text("Two?"), "answers": [{"text": text("yes")}, {"text": text("no"), "right": True}]},
    ],
    "steps": [{"at": "2", "name": text("All"), "grants": [{"currency": "stars", "points": "9"}]}],
}


def test_games_quizzes_memberships_badges_and_what_is_saved_for(connection: Connection) -> None:
    club = {
        "key": "club",
        "name": text("Club"),
        "fee": "20.00",
        "months": 12,
        "grants": [{"currency": "pin"}],
        "benefits": [text("Early access")],
    }
    pin = {**currency("pin", "badge"), "icon": "pin"}
    document = shop(games=[WHEEL], quizzes=[QUIZ], memberships=[club], more=[pin])
    runtime = published(connection, document)
    who = member(connection, runtime.program_id, "c1")
    told = after(connection, runtime, who, MARCH)
    assert [(game.affordable, game.plays_left) for game in told.games] == [(False, 2)]
    assert [prize.chance for prize in told.games[0].prizes] == [Fraction(3, 20), Fraction(17, 20)]
    assert (told.memberships[0].state, told.badges, told.saving) == ("none", (), None)
    send(connection, runtime, sale(1, MARCH, 2_000), now=MARCH)
    send(connection, runtime, act("play", MARCH + 1, game="wheel"), now=MARCH + 1)
    send(connection, runtime, act("quiz", MARCH + 2, quiz="quiz", answers="1,1"), now=MARCH + 2)
    fee = Fact("app", "f1", "fee", MARCH + 3, 2_000, attributes={"membership": "club"})
    send(connection, runtime, fee, now=MARCH + 3)
    wish = act("save_for", MARCH + 4, currency="stars", points=100, name="lamp")
    send(connection, runtime, wish, now=MARCH + 4)
    told = after(connection, runtime, who, MARCH + HOUR)
    assert [(game.affordable, game.plays_left) for game in told.games] == [(True, 1)]
    assert [(quiz.attempts_left, quiz.best, quiz.questions) for quiz in told.quizzes] == [(1, 1, 2)]
    (membership,) = told.memberships
    assert (membership.state, membership.fee) == ("active", 2_000)
    assert membership.ends_at == instant(datetime.fromisoformat("2027-03-02T10:00:00.000003+01:00"))
    assert [(badge.currency, badge.count, badge.earned_at) for badge in told.badges] == [
        ("pin", 1, MARCH + 3)
    ]
    assert told.saving is not None
    assert (told.saving.name, told.saving.points, told.saving.missing) == ("lamp", 100, 85)
    later = after(connection, runtime, who, MARCH + 400 * DAY)
    assert (later.games, later.memberships[0].state) == ((), "ended")
    tomorrow = after(connection, runtime, who, MARCH + DAY)
    assert [game.plays_left for game in tomorrow.games] == [2]
