"""The yearly dividend: who gets it, how much, exactly once, and on one rate for all."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from palier.activities import dividends, queries
from palier.activities.dividends import Sums
from palier.activities.runtime import Runtime
from palier.activities.runtime import runtime as runtime_of
from palier.activities.telling import tell
from palier.engine.clock import DAY, instant
from palier.engine.facts import Fact, Reference
from palier.site import database as platform_database
from palier.site.refusal import Refused
from tests.activities.program import Connection, member, published
from tests.activities.test_mechanics import posted, sale, send, shop, text

JUNE = instant(datetime.fromisoformat("2025-06-01T10:00:00+02:00"))
NEXT = instant(datetime.fromisoformat("2026-01-20T10:00:00+01:00"))
CASH = {
    "key": "cash",
    "kind": "cash",
    "scale": 2,
    "value": "1",
    "name": {"en": {"one": "euro", "other": "euros"}, "fr": {"one": "euro", "other": "euros"}},
}
CLUB = {
    "key": "club",
    "name": text("Club"),
    "fee": "20.00",
    "months": 12,
    "dividend": {"goal": "eligible", "currency": "cash", "least": "10.00"},
}
ELIGIBLE = {
    "key": "eligible",
    "name": text("Eligible"),
    "measure": "spend",
    "when": {"field": "membership", "is": "club"},
    "window": {"kind": "each", "period": "year"},
}


def cooperative(connection: Connection, **changes: Any) -> Runtime:
    return published(connection, shop(more=[CASH], goals=[ELIGIBLE], memberships=[{**CLUB, **changes}]))


def joins(connection: Connection, runtime: Runtime, card: str, at: int) -> int:
    who = member(connection, runtime.program_id, card)
    fee = Fact("desk", f"fee-{card}-{at}", "fee", at, 2_000, attributes={"membership": "club"})
    assert send(connection, runtime, fee, now=at, card=card)[0].status == "applied"
    return who


def pay(connection: Connection, runtime: Runtime, rate: str = "0.10", **more: Any) -> Sums:
    wanted = dividends.decided(runtime, "club", 2025, rate, NEXT)
    return dividends.run(connection, runtime, wanted, by="test", now=NEXT, **more)


def cash(connection: Connection, who: int) -> int:
    return posted(connection, who).get("cash", 0)


def test_members_at_the_end_of_the_year_get_their_share_once(connection: Connection) -> None:
    runtime = cooperative(connection)
    year = [joins(connection, runtime, f"c{number}", JUNE) for number in range(4)]
    send(connection, runtime, sale(0, JUNE + 1, 12_345), now=JUNE + 1, card="c0")
    send(connection, runtime, sale(1, JUNE + 1, 999), now=JUNE + 1, card="c1")
    send(connection, runtime, sale(2, JUNE + 1, 1_000), now=JUNE + 1, card="c2")
    # What is bought in the new year counts for the next; what comes back now counts for the old.
    send(connection, runtime, sale(3, NEXT - DAY, 5_000), now=NEXT - DAY, card="c0")
    back = Fact("till", "r", "return", NEXT - 1, amount=345, sale=Reference("till", "s0"))
    send(connection, runtime, back, now=NEXT - 1, card="c0")
    shown = pay(connection, runtime, dry_run=True)
    assert (shown.paid, shown.spend, shown.points, shown.given) == (2, 13_000, 1_300, 0)
    assert [cash(connection, who) for who in year] == [0, 0, 0, 0]
    paid = pay(connection, runtime)
    assert (paid.given, paid.paid_before, paid.finished) == (2, 0, True)
    assert [cash(connection, who) for who in year] == [1_200, 0, 100, 0]
    again = pay(connection, runtime)
    assert (again.given, again.paid_before) == (0, 2)
    assert [cash(connection, who) for who in year] == [1_200, 0, 100, 0]
    with pytest.raises(Refused, match=r"decided at 0\.10"):
        pay(connection, runtime, "0.11")
    line = queries.history(connection, runtime.program_id, year[0], before=None, limit=1)
    (story,) = tell(connection, runtime, year[0], line)
    assert "120.00 EUR x 0.10" in story.sentence("en")
    connection.rollback()


def test_a_time_zone_published_for_later_does_not_move_the_end_of_the_year(connection: Connection) -> None:
    """The year ends in the zone that is in force by then, whatever begins afterwards."""
    runtime = cooperative(connection)
    end = instant(datetime.fromisoformat("2026-01-01T00:00:00+01:00"))
    west = {**CLUB, "months": 1}
    published(
        connection,
        shop(
            more=[CASH], goals=[ELIGIBLE], memberships=[west], time_zone="America/New_York",
            effective_from="2026-06-01T00:00:00-04:00",
        ),
        now=JUNE,
    )  # fmt: skip
    found = runtime_of(connection, runtime.key)
    assert found is not None
    assert found.latest.clock.name == "America/New_York"
    connection.rollback()
    assert dividends.decided(found, "club", 2025, "0.10", end).ends_at == end
    with pytest.raises(Refused, match="has not ended"):
        dividends.decided(found, "club", 2025, "0.10", end - 1)


def test_the_share_is_rounded_down(connection: Connection) -> None:
    runtime = cooperative(connection)
    who = joins(connection, runtime, "c1", JUNE)
    send(connection, runtime, sale(1, JUNE + 1, 1_019), now=JUNE + 1)
    pay(connection, runtime, "0.015")
    assert cash(connection, who) == 15


def test_who_became_a_member_afterwards_gets_nothing(connection: Connection) -> None:
    # Spend counts for everybody here: only membership at the end of the year decides.
    goal = {key: value for key, value in ELIGIBLE.items() if key != "when"}
    runtime = published(connection, shop(more=[CASH], goals=[goal], memberships=[CLUB]))
    before = joins(connection, runtime, "c1", JUNE)
    renewed = joins(connection, runtime, "c2", JUNE)
    lapsed = joins(connection, runtime, "c3", JUNE - 300 * DAY)
    after = member(connection, runtime.program_id, "c4")
    for number in range(1, 5):
        send(connection, runtime, sale(number, JUNE + 1, 10_000), now=JUNE + 1, card=f"c{number}")
    for card in ("c2", "c3", "c4"):
        fee = Fact("desk", f"again-{card}", "fee", NEXT - DAY, 2_000, attributes={"membership": "club"})
        send(connection, runtime, fee, now=NEXT - DAY, card=card)
    assert pay(connection, runtime).given == 2
    found = [cash(connection, who) for who in (before, renewed, lapsed, after)]
    assert found == [1_000, 1_000, 0, 0]


def test_a_run_that_was_interrupted_goes_on(
    connection: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dividends, "AT_ONCE", 2)
    runtime = cooperative(connection)
    members = [joins(connection, runtime, f"c{number}", JUNE) for number in range(5)]
    for number in range(5):
        send(connection, runtime, sale(number, JUNE + 1, 2_000), now=JUNE + 1, card=f"c{number}")
    left = iter([True, False])
    begun = pay(connection, runtime, go_on=lambda: next(left))
    assert (begun.given, begun.finished) == (2, False)

    def run() -> Sums:
        with contextlib.closing(platform_database.connect("app")) as own:
            return pay(own, runtime)

    with ThreadPoolExecutor(2) as pool:
        answers = [future.result() for future in [pool.submit(run) for _ in range(2)]]
    assert sum(answer.given for answer in answers) == 3
    assert [cash(connection, who) for who in members] == [200] * 5


@pytest.mark.parametrize(
    ("membership", "year", "rate", "words"),
    [
        ("none", 2025, "0.10", "no membership"),
        ("club", 2026, "0.10", "has not ended"),
        ("club", 2025, "0", "is no rate"),
        ("club", 2025, "1.5", "is no rate"),
        ("club", 2025, "10 %", "is no rate"),
        ("club", 12, "0.10", "is no year"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    connection: Connection, membership: str, year: int, rate: str, words: str
) -> None:
    runtime = cooperative(connection)
    with pytest.raises(Refused, match=words):
        dividends.decided(runtime, membership, year, rate, NEXT)


def test_a_membership_without_a_dividend_pays_none(connection: Connection) -> None:
    plain = {key: value for key, value in CLUB.items() if key != "dividend"}
    runtime = published(connection, shop(more=[CASH], goals=[ELIGIBLE], memberships=[plain]))
    with pytest.raises(Refused, match="pays no dividend"):
        dividends.decided(runtime, "club", 2025, "0.1", NEXT)
