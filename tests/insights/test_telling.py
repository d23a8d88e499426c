"""Figures as they are told: by the API and the command, and the estimate of what will never be used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.activities import batch
from palier.activities.runtime import runtime
from palier.engine.clock import DAY
from palier.engine.facts import Fact
from palier.insights import operations, queries
from palier.insights.breakage import ALL, LEAST_MONTHS, estimate
from palier.insights.queries import Compared
from palier.ledger.seal import seal
from palier.members import refs
from palier.privacy import erasure
from palier.programs.operations import publish
from palier.site import clock, database
from palier.staff.approvals import Person
from tests.activities.program import line
from tests.api.conftest import own_clock, shop
from tests.api.shop import Shop, document, now_text, program_of

__all__ = ["own_clock", "shop"]

Scene = Callable[[Callable[[], Shop]], Shop]


def count(shop: Shop) -> None:
    with database.connect() as connection:
        seal(connection, now=datetime(2026, 3, 2, tzinfo=UTC))
        connection.commit()
        found = runtime(connection, shop.key)
        assert found is not None
        operations.count_all(connection, found, now=clock.now())


def test_a_key_with_the_right_reads_what_the_ledger_says(shop: Shop) -> None:
    path = f"/programs/{shop.key}/insights"
    empty = shop.get(path).json
    assert "members" in empty, empty
    assert (empty["members"], empty["counted_at"]) == ({"now": 0, "before": None}, None)
    member = shop.enrol()
    shop.sale(member, "120.50")
    count(shop)
    told = shop.get(f"{path}?days=90").json
    assert told["members"] == told["active_30_days"] == told["sales"] == {"now": 1, "before": None}
    assert (told["spend"]["now"], told["money"]) == ("120.50", "EUR")
    stars = told["currencies"][0]
    assert stars["issued"]["now"] == stars["outstanding"]["now"] == "120.50"
    assert stars["breakage"]["answer"] == "too_little_history"
    assert told["tiers"] == [
        {"tier": "green", "members": {"now": 1, "before": None}},
        {"tier": "gold", "members": {"now": 0, "before": None}},
    ]
    assert told["rules"][1] == {
        "rule": "gift",
        "currency": "gifts",
        "times": {"now": 1, "before": None},
        "points": {"now": "1", "before": None},
        "members": 1,
    }
    assert told["from"] < told["through"]
    shop.get(f"{path}?days=31").problem(422, "malformed", "days")
    shop.get("/programs/other/insights").problem(404, "unknown_program")
    shop.get(path, token=shop.new_key(rights=["programs:read"]).token).problem(403, "forbidden")
    assert shop.get(path, token=shop.new_key(rights=["insights:read"]).token).status == 200


@pytest.mark.parametrize(
    ("months", "ends", "answer"),
    [
        ([(10, 90)] * 12, False, "never"),
        ([(10, 90)] * (LEAST_MONTHS - 1) + [(0, 0)] * 7, True, "too_little_history"),
        ([(10, 0)] * 12, True, "nothing_redeemed"),
        ([(10, 90)] * LEAST_MONTHS, True, "estimated"),
    ],
)
def test_where_nothing_can_be_said_it_is_said_why(
    months: list[tuple[int, int]], ends: bool, answer: str
) -> None:
    found = estimate(months, 1_000, ends=ends)
    assert found.answer == answer
    # The same share in each month leaves nothing uncertain.
    assert (found.share, found.low, found.high, found.points) == (
        (1_000, 1_000, 1_000, 100) if answer == "estimated" else (0, 0, 0, 0)
    )


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**9)), min_size=6, max_size=12))
def test_the_interval_is_that_of_a_ratio(months: list[tuple[int, int]]) -> None:
    """Beside the same formula in decimals: R = sum(e)/sum(t), se = sqrt(n/(n-1) sum((e - R t)^2)) / sum(t)."""
    found = estimate(months, 10**6, ends=True)
    expired, ended = sum(e for e, _ in months), sum(e + u for e, u in months)
    ratio = Decimal(expired) / ended
    squares = sum((e - ratio * (e + u)) ** 2 for e, u in months)
    twice = 2 * (Decimal(len(months)) / (len(months) - 1) * squares).sqrt() / ended * ALL
    assert abs(found.share - ratio * ALL) <= 1
    assert abs(found.low - max(Decimal(0), ratio * ALL - twice)) <= 4
    assert abs(found.high - min(Decimal(ALL), ratio * ALL + twice)) <= 4
    assert 0 <= found.low <= found.share <= found.high <= ALL


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [(110, 100, 1_000), (87_659, 100_000, -1_234), (112_349, 100_000, 1_234), (5, 0, None), (0, 7, -10_000)],
)
def test_a_change_is_cut_towards_nothing_both_ways(now: int, before: int, change: int | None) -> None:
    assert Compared(now, before).change == change


def test_who_left_in_the_period_was_there_before_it(shop: Shop) -> None:
    """Erased and merged members go from the figure of today, not from that of the beginning."""
    gone, merged, stays = shop.enrol("1"), shop.enrol("2"), shop.enrol("3")
    with database.connect("owner") as connection:
        connection.execute("update member set enrolled_at = enrolled_at - interval '200 days'")
        connection.commit()
    assert shop.post(f"/members/{stays}/merge", {"from": merged, "reason": "one person"}).status in (200, 201)
    with database.connect() as connection:
        found = runtime(connection, shop.key)
        assert found is not None
        connection.commit()
        now = clock.now()
        batch.attempt(
            connection,
            lambda: erasure.carry_out(
                connection, found, refs.decode(gone), via="cli", by=Person("cli:a", "a", "operator"), now=now
            ),
        )
    count(shop)
    with database.connect("app") as connection:
        found = runtime(connection, shop.key)
        assert found is not None
        told = queries.read(connection, found, queries.period_of(found, 30, now=clock.now()), now=clock.now())
        assert told.members == Compared(1, 3)
        then = clock.now() + 60 * DAY
        later = queries.read(connection, found, queries.period_of(found, 30, now=then), now=then)
        assert later.members == Compared(1, 1)


def valued(value: str, days: int) -> dict[str, Any]:
    """The club whose stars are worth so much, from so many days from now on."""
    plain = document()
    stars, gifts = plain["point_currencies"]
    return document(point_currencies=[{**stars, "value": value}, gifts], effective_from=now_text(days))


def test_points_are_worth_what_is_in_force_when_it_is_told(scene: Scene) -> None:
    """A value that is published for later changes nothing yet, and what was owed before stays as it was told."""
    shop = scene(first_value)
    with database.connect() as connection:
        publish(connection, program_of(valued("0.02", 10)), now=clock.now(), published_by="test")
        connection.commit()
        sent(connection, "c0", -70 * DAY)
    count(shop)
    path = f"/programs/{shop.key}/insights"
    assert shop.get(path).json["currencies"][0]["liability"] == {"now": "12.34", "before": "12.34"}
    with database.connect() as connection:
        found = runtime(connection, shop.key)
        assert found is not None
        told = []
        for days in (9, 11, 39, 41):
            now = clock.now() + days * DAY
            figures = queries.read(connection, found, queries.period_of(found, 30, now=now), now=now)
            told.append((figures.currencies[0].liability.before, figures.currencies[0].liability.now))
    # 123.45 stars at 0.10 are 12.345, at 0.02 2.469.
    assert told == [(1_234, 1_234), (1_234, 246), (1_234, 246), (246, 246)]


def first_value() -> Shop:
    shop = Shop("club", valued("0.10", -400))
    shop.enrol("c0")
    return shop


def sent(connection: psycopg.Connection[Any], card: str, ago: int) -> None:
    found = runtime(connection, "club")
    assert found is not None
    at = clock.now() + ago
    batch.apply(connection, found, [line(Fact("till", "s", "sale", at, 12_345), card)], now=at)
