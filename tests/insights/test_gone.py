"""Who was erased, or merged into another member, leaves the figures that tell of members, on the day he goes.

After each test every invariant is verified: those of the figures recompute them from the ledger's own rows.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from palier.activities import batch, figures, merging
from palier.activities.operations import hold, redeem
from palier.activities.rerate import rerate
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY
from palier.engine.facts import Fact
from palier.insights import operations, queries
from palier.insights.queries import Compared, Insights, Period
from palier.privacy import erasure
from palier.privacy.erasure import Person
from tests.activities.program import Connection, line, member, published
from tests.insights.test_counting import MARCH, days, sealed, shop

FIRST = 20514
"""The day of MARCH, as days since 1970."""


class Club:
    """Members with cards c0, c1, ... who buy and use points, by days after MARCH."""

    def __init__(self, connection: Connection, members: int) -> None:
        self.connection = connection
        self.runtime: Runtime = published(connection, shop())
        self.members = [
            member(connection, self.runtime.program_id, f"c{number}") for number in range(members)
        ]
        self.acts = 0

    def sale(self, number: int, day: int, cents: int = 15_000) -> None:
        self.acts += 1
        at = MARCH + day * DAY
        fact = Fact("till", f"a{self.acts}", "sale", at, cents)
        batch.apply(self.connection, self.runtime, [line(fact, f"c{number}")], now=at)

    def use(self, number: int, day: int) -> None:
        self.acts += 1
        redeem(
            self.connection, self.runtime, member_id=self.members[number], currency="stars", points=1, source="portal",
            id=f"a{self.acts}", now=MARCH + day * DAY,
        )  # fmt: skip
        self.connection.commit()

    def _merging(self, do: Any, day: int, **more: Any) -> None:
        self.acts += 1
        do(
            self.connection, self.runtime, reason="the same person", actor="desk", role="owner", source="desk",
            id=f"a{self.acts}", now=MARCH + day * DAY, **more,
        )  # fmt: skip
        self.connection.commit()

    def merge(self, number: int, into: int, day: int) -> None:
        self._merging(merging.merge, day, from_id=self.members[number], into_id=self.members[into])

    def unmerge(self, number: int, day: int) -> None:
        self._merging(merging.unmerge, day, from_id=self.members[number])

    def erase(self, number: int, day: int) -> None:
        erasure.carry_out(
            self.connection, self.runtime, self.members[number], via="cli", by=Person("desk", "desk", "owner"),
            now=MARCH + day * DAY,
        )  # fmt: skip
        self.connection.commit()

    def count(self) -> None:
        sealed(self.connection)
        operations.count_all(self.connection, self.runtime, now=MARCH)

    def figures(self, day: int, length: int = 30) -> Insights:
        """Those of the `length` days up to a day."""
        found = queries.read(
            self.connection, self.runtime, Period(FIRST + day - length + 1, FIRST + day), now=MARCH
        )
        self.connection.rollback()
        return found


def test_who_goes_is_counted_no_more(connection: Connection) -> None:
    club = Club(connection, 4)
    for number in range(3):
        club.sale(number, 0)
        club.use(number, 1)
    club.count()
    before = club.figures(9)
    assert (before.members.now, before.active_30.now, before.active_90.now) == (4, 3, 3)
    assert {key: figure.now for key, figure in before.tiers.items()} == {"green": 1, "gold": 3}
    assert before.rewarded.members == 3
    club.merge(1, into=0, day=10)
    club.erase(2, day=20)
    club.count()
    assert club.figures(9) == before
    after = club.figures(25)
    # Of four members one was merged into another, one erased, and one never came.
    assert (after.members.now, after.active_30.now, after.active_90.now) == (2, 1, 1)
    assert {key: figure.now for key, figure in after.tiers.items()} == {"green": 1, "gold": 1}
    assert (after.rewarded.members, sum(after.rewarded.within.values())) == (1, 0)
    # Between the two, the merged one alone had gone.
    assert club.figures(19).active_30 == Compared(2, 0)
    assert club.figures(49).members == Compared(2, 3)
    assert club.figures(120).active_90.now == 0
    # Going is no fall from a tier.
    assert after.moves == {}
    assert_summed_up_alike(club, after)


def assert_summed_up_alike(club: Club, found: Insights) -> None:
    """The whole ledger added up at once tells of the same members, tiers and points."""
    whole = figures.figures(club.connection, club.runtime)
    club.connection.rollback()
    stars, summed = found.currencies[0], whole.currencies[0]
    assert (whole.members, whole.tiers) == (
        found.members.now, {key: figure.now for key, figure in found.tiers.items()},
    )  # fmt: skip
    assert (summed.outstanding, summed.held, summed.pending, summed.debt) == (
        str(stars.outstanding.now), str(stars.held.now), str(stars.pending.now), str(stars.debt.now),
    )  # fmt: skip


def test_what_is_held_is_outstanding(connection: Connection) -> None:
    club = Club(connection, 1)
    club.sale(0, 0)
    hold(
        connection, club.runtime, member_id=club.members[0], currency="stars", points=4, minutes=None, source="portal",
        id="h1", now=MARCH + DAY,
    )  # fmt: skip
    connection.commit()
    club.count()
    found = club.figures(2)
    stars = found.currencies[0]
    assert (stars.issued.now, stars.outstanding.now, stars.held.now) == (150, 150, 4)
    assert_summed_up_alike(club, found)


def test_who_was_erased_is_not_judged_again(connection: Connection) -> None:
    """His account is closed, and what judging asks for was forgotten: his rows, and partners' months, stay."""
    club = Club(connection, 2)
    for number in range(2):
        club.sale(number, 0)
        club.use(number, 1)
    club.erase(1, day=2)
    found = rerate(connection, club.runtime, 0, now=MARCH + 3 * DAY, post=True)
    assert (found.members, found.changed) == (1, 0)


def test_a_merge_that_is_undone_brings_the_member_back(connection: Connection) -> None:
    club = Club(connection, 2)
    club.sale(1, 0)
    club.use(1, 0)
    club.merge(1, into=0, day=5)
    club.unmerge(1, day=12)
    club.count()
    standing = [
        (found.members.now, found.active_30.now, found.tiers["gold"].now, found.rewarded.members)
        for found in map(club.figures, (4, 5, 11, 12, 29, 30))
    ]
    # While they are one the other holds the tier; he has not come himself, nor had a reward.
    assert standing == [(2, 1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0), (2, 1, 1, 1), (2, 1, 1, 1), (2, 0, 1, 1)]


@pytest.mark.parametrize("seed", range(3))
def test_who_goes_and_comes_back_is_counted_alike_in_any_pieces(connection: Connection, seed: int) -> None:
    club = Club(connection, 5)
    chance = random.Random(seed)
    merged: dict[int, int] = {}
    days_of: dict[int, int] = {}
    for day in range(0, 120, 3):
        here = [number for number in range(4) if number not in merged]
        what = chance.random()
        if what < 0.2 and len(here) > 1:
            one, other = chance.sample(here, 2)
            if one not in merged.values():
                club.merge(one, into=other, day=day)
                merged[one] = other
                days_of[one] = day
        elif what < 0.35 and any(day - days_of[one] < 30 for one in merged):
            one = next(one for one in merged if day - days_of[one] < 30)
            club.unmerge(one, day=day)
            del merged[one]
        elif what < 0.6:
            club.use(4, day) if club.acts and chance.random() < 0.2 else club.sale(4, day)
        else:
            club.sale(chance.choice(here), day)
        if chance.random() < 0.5:
            sealed(connection)
            operations.count_up(connection, club.runtime, now=MARCH, most=chance.randrange(1, 9))
    club.erase(next(number for number in range(4) if number not in merged), day=121)
    club.count()
    kept = days(connection)
    operations.recount(connection, club.runtime, now=MARCH)
    operations.count_all(connection, club.runtime, now=MARCH)
    assert days(connection) == kept
