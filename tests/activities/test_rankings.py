"""Rankings: places by an index, ties, pseudonyms, opting out, prizes once, and the copies held against the state."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from palier.activities import awards, batch, merging, rankings
from palier.activities.rankings import Awarded, Ranking
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, instant
from palier.engine.facts import Fact, Reference
from palier.ledger.verify import verify
from palier.members.operations import set_ranked
from palier.site import database as platform_database
from palier.site.refusal import Refused
from tests.activities.program import Connection, member, published
from tests.activities.test_mechanics import MARCH, posted, sale, send, shop, text

GOAL = {
    "key": "spend",
    "name": text("Spend"),
    "measure": "spend",
    "window": {"kind": "each", "period": "month"},
}
BOARD = {
    "key": "top",
    "name": text("Top"),
    "goal": "spend",
    "shown": 3,
    "prizes": [
        {"through": 1, "grants": [{"currency": "stars", "points": "100"}]},
        {"through": 3, "grants": [{"currency": "stars", "points": "10"}]},
    ],
}
APRIL = MARCH + 31 * DAY


def board(connection: Connection, *amounts: int, **changes: Any) -> tuple[Runtime, list[int]]:
    runtime = published(connection, shop(goals=[GOAL], leaderboards=[{**BOARD, **changes}]))
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(len(amounts))]
    for number, amount in enumerate(amounts):
        send(connection, runtime, sale(number, MARCH + number, amount), now=MARCH + number, card=f"c{number}")
    return runtime, members


def look(connection: Connection, runtime: Runtime, now: int = MARCH + DAY, **asked: Any) -> Ranking:
    found = rankings.ranking(connection, runtime, "top", now=now, **asked)
    connection.rollback()
    assert found is not None
    return found


def places(found: Ranking, members: list[int]) -> list[tuple[int, int, int]]:
    return [(place.rank, members.index(place.member_id), place.value) for place in found.places]


def test_equal_measures_share_the_better_rank(connection: Connection) -> None:
    runtime, members = board(connection, 500, 900, 900, 100)
    found = look(connection, runtime, member_id=members[3])
    assert places(found, members) == [(1, 1, 900), (1, 2, 900), (3, 0, 500)]
    assert found.own is not None
    assert (found.own.rank, found.own.value, found.period.name) == (4, 100, "2026-03")
    assert look(connection, runtime, now=APRIL).places == ()


def test_or_who_was_first_stands_above(connection: Connection) -> None:
    runtime, members = board(connection, 500, 900, 900, ties="earliest")
    assert places(look(connection, runtime), members) == [(1, 1, 900), (2, 2, 900), (3, 0, 500)]
    own = look(connection, runtime, member_id=members[2]).own
    assert own is not None
    assert own.rank == 2


def test_returns_and_late_sales_move_places_as_they_would_have_stood(connection: Connection) -> None:
    runtime, members = board(connection, 500, 900)
    back = Fact("till", "r", "return", MARCH + DAY, amount=600, sale=Reference("till", "s1"))
    send(connection, runtime, back, now=back.at, card="c1")
    assert places(look(connection, runtime), members) == [(1, 0, 500), (2, 1, 300)]
    # A sale of March that comes in April, after one of April, counts in March.
    send(connection, runtime, sale(10, APRIL, 50), now=APRIL, card="c1")
    send(connection, runtime, sale(11, MARCH - 5, 400), now=APRIL, card="c1")
    assert places(look(connection, runtime, now=APRIL, period="2026-03"), members) == [
        (1, 1, 700),
        (2, 0, 500),
    ]
    assert places(look(connection, runtime, now=APRIL), members) == [(1, 1, 50)]
    gone = Fact("till", "r2", "return", APRIL + 1, sale=Reference("till", "s10"), whole=True)
    send(connection, runtime, gone, now=APRIL + 1, card="c1")
    assert look(connection, runtime, now=APRIL).places == ()
    rankings.rebuild(connection, runtime, by="test", now=APRIL)


def test_a_merged_members_place_is_added_to_that_of_who_took_over(connection: Connection) -> None:
    runtime, members = board(connection, 500, 900, 1000)
    rankings.rebuild(connection, runtime, by="test", now=MARCH + DAY)
    asked: dict[str, Any] = {
        "from_id": members[0],
        "reason": "one",
        "actor": "desk",
        "role": "staff",
        "source": "desk",
    }
    after = MARCH + DAY
    batch.attempt(
        connection,
        lambda: merging.merge(connection, runtime, into_id=members[1], id="m", now=after, **asked),
    )
    assert places(look(connection, runtime, after), members) == [(1, 1, 1400), (2, 2, 1000)]
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        assert list(verify(auditor)) == []
    batch.attempt(connection, lambda: merging.unmerge(connection, runtime, id="u", now=after + DAY, **asked))
    assert places(look(connection, runtime, after + DAY), members) == [(1, 2, 1000), (2, 1, 900), (3, 0, 500)]


def test_who_does_not_want_to_be_ranked_is_not_there(connection: Connection) -> None:
    runtime, members = board(connection, 500, 900)
    set_ranked(connection, runtime.program_id, members[1], False, now=MARCH)
    connection.commit()
    found = look(connection, runtime, member_id=members[1])
    assert (places(found, members), found.own) == ([(1, 0, 500)], None)


def test_pseudonyms_are_kept_and_tell_nothing() -> None:
    names = {rankings.pseudonym(1, number) for number in range(2_000)}
    assert len(names) == 2_000
    assert rankings.pseudonym(1, 7) == rankings.pseudonym(1, 7) != rankings.pseudonym(2, 7)
    assert all(len(name) == 11 and name[5] == "-" for name in names)


@pytest.mark.parametrize(
    ("kind", "name"), [("day", "2026-03-01"), ("week", "2020-W53"), ("month", "2026-12"),
                       ("quarter", "2026-Q4"), ("year", "2026")],
)  # fmt: skip
def test_periods_are_read_as_they_are_written(connection: Connection, kind: str, name: str) -> None:
    runtime = published(connection, shop())
    clock = runtime.latest.clock
    period = rankings.period_named(clock, kind, name)
    assert (period.name, rankings.period_of(clock, kind, period.number)) == (name, period)
    assert period.starts_at < period.ends_at
    for wrong in ("", "2026-13", "2026-W54", "2026-Q5", "2026-02-30", "20a6", name + "x"):
        with pytest.raises(ValueError, match="write the"):
            rankings.period_named(clock, kind, wrong)


def test_prizes_are_given_once_however_many_give_them(connection: Connection, database: str) -> None:
    runtime, members = board(connection, 500, 900, 900, 100)

    def award() -> Awarded:
        with contextlib.closing(platform_database.connect("app")) as own:
            return rankings.award(own, runtime, "top", "2026-03", by="test", now=APRIL)

    with ThreadPoolExecutor(3) as pool:
        answers = [future.result() for future in [pool.submit(award) for _ in range(3)]]
    assert sorted(answer.before for answer in answers) == [False, True, True]
    assert [posted(connection, who)["stars"] for who in members] == [15, 109, 109, 1]
    # What comes later changes the ranking, and no prize.
    send(connection, runtime, sale(20, MARCH, 5_000), now=APRIL + 1, card="c3")
    assert rankings.award(connection, runtime, "top", "2026-03", by="test", now=APRIL + 2).before
    assert posted(connection, members[3]) == {"stars": 51}


def test_the_worker_gives_them_a_day_after_the_end(connection: Connection) -> None:
    runtime, members = board(connection, 500)
    assert rankings.complete(connection, runtime, now=APRIL)
    assert not rankings.complete(connection, runtime, now=APRIL)
    begins = instant(datetime.fromisoformat("2026-04-01T00:00:00+02:00"))
    # February has ended, with nobody in it; March not for a day yet.
    assert rankings.award_ended(connection, runtime, now=begins + DAY - 1) == 1
    assert posted(connection, members[0]) == {"stars": 5}
    assert rankings.award_ended(connection, runtime, now=begins + DAY) == 1
    assert rankings.award_ended(connection, runtime, now=APRIL) == 0
    assert posted(connection, members[0]) == {"stars": 105}


def test_what_cannot_be_awarded_is_refused(connection: Connection) -> None:
    runtime, _ = board(connection, 500)
    for key, period, words in (
        ("none", "2026-03", "no leaderboard"),
        ("top", "2026-3", "is no period"),
        ("top", "2026-04", "has not ended"),
    ):
        with pytest.raises(Refused, match=words):
            rankings.award(connection, runtime, key, period, by="test", now=APRIL)
    connection.rollback()
    assert awards.read(connection, runtime.program_id, "prize", "top", "2026-04") is None


@pytest.mark.plants_violation
@pytest.mark.parametrize("plant", ["update goal_progress set value = value + 1", "delete from goal_progress"])
def test_a_copy_that_differs_is_found(
    connection: Connection, superuser_connection: Connection, plant: str
) -> None:
    runtime, _ = board(connection, 500)
    rankings.rebuild(connection, runtime, by="test", now=APRIL)
    superuser_connection.execute(plant)  # type: ignore[arg-type]
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        assert [found.invariant for found in verify(auditor)] == ["state.ranking"]
    rankings.rebuild(connection, runtime, by="test", now=APRIL)
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        assert list(verify(auditor)) == []


def test_a_board_of_a_later_version_ranks_who_was_there_before(connection: Connection) -> None:
    steps = [{"at": "1000", "name": text("Far"), "grants": [{"currency": "coffee"}]}]
    goal = {**GOAL, "steps": steps}
    runtime = published(connection, shop(goals=[goal]))
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 700), now=MARCH)
    runtime = published(connection, shop(goals=[goal], leaderboards=[BOARD]), now=MARCH + 1)
    assert look(connection, runtime).places == ()
    assert rankings.complete(connection, runtime, now=MARCH + 2)
    found = look(connection, runtime)
    assert (places(found, [who]), found.complete) == ([(1, 0, 700)], True)
