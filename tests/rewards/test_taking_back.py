"""Orders taken back: cancelled, refunded by unit, failed; the same lots come back with the same end."""

from __future__ import annotations

from typing import Any

import pytest

from palier.engine.clock import DAY, HOUR, moment
from palier.engine.facts import Fact
from palier.rewards.refusals import OrderRefused
from tests.activities.program import NOW, Connection, line, program
from tests.rewards.ordering import ADDRESS, Shelf, reward

STARS = {"en": {"one": "star", "other": "stars"}, "fr": {"one": "étoile", "other": "étoiles"}}
LATER = {"cancellable": "until_used"}


@pytest.fixture
def shelf(connection: Connection) -> Shelf:
    """A member with lots of two ends: 50 stars that end in 300 days, 60 in 350."""
    made = Shelf(
        connection,
        program(
            point_currencies=[{"key": "stars", "name": STARS, "expiry": {"kind": "rolling", "days": 400}}]
        ),
    )
    made.put(reward(giving_back=LATER, stock=5), reward("sent", gives={"kind": "merchandise"}, stock=5))
    made.member(points=50, at=NOW - 100 * DAY)
    earn(made, "second", 60, NOW - 50 * DAY)
    return made


def earn(shelf: Shelf, id: str, points: int, at: int) -> None:
    from palier.activities import batch

    fact = Fact("till", id, "sale", at, points * 100)
    found = batch.apply(shelf.connection, shelf.runtime, [line(fact, "a")], now=NOW)
    assert found[0].status == "applied"


def lots(shelf: Shelf) -> list[Any]:
    """The member's lots, as an auditor sees them, without what was only counted on the way."""
    rows = shelf.connection.execute(
        "select lot_id, expires_at, funder, earned, redeemed, expired, held, remaining from audit.lot order by 1"
    ).fetchall()
    shelf.connection.rollback()
    return rows


def test_a_failed_fulfilment_gives_back_the_same_lots(shelf: Shelf) -> None:
    before = lots(shelf)
    order = shelf.place("sent", quantity=5, confirm=True, address=ADDRESS).order
    assert order.state == "fulfilling"
    assert shelf.wallet() == (60, 50)
    assert lots(shelf) != before
    failed = shelf.step("fail", order, reason="broken in the warehouse").order
    assert (failed.state, failed.points[0].state) == ("failed", "free")
    assert lots(shelf) == before
    assert shelf.stock("sent") == (5, 0, 0)


def test_points_held_past_their_end_expire_when_they_come_back(shelf: Shelf) -> None:
    order = shelf.place("sent", quantity=5, confirm=True, address=ADDRESS).order
    shelf.step("fail", order, reason="late", now=NOW + 320 * DAY)
    rows = shelf.connection.execute(
        "select expired, held, remaining from audit.lot order by expires_at"
    ).fetchall()
    shelf.connection.rollback()
    assert rows == [(50, 0, 0), (0, 0, 60)]


@pytest.mark.parametrize("step", ["cancel", "refund"])
def test_what_is_taken_back_whole_leaves_no_trace_in_lots(shelf: Shelf, step: str) -> None:
    before = lots(shelf)
    order = shelf.place(quantity=5, confirm=True).order
    assert shelf.wallet() == (60, 0)
    more: dict[str, Any] = {"reason": "wrong"}
    if step == "refund":
        more["units"] = None
    after = shelf.step(step, order, **more).order
    assert after.state == ("cancelled" if step == "cancel" else "refunded")
    assert lots(shelf) == before
    assert shelf.stock() == (5, 0, 0)
    assert {item.state for item in shelf.items(order)} == {"void"}


def test_units_are_refunded_each_once_and_add_up(shelf: Shelf) -> None:
    shelf.put(
        reward("odd", prices=[{"points": {"stars": "1"}}], stock=9, giving_back={"refundable_days": 30})
    )
    order = shelf.place("odd", quantity=7, confirm=True).order
    assert shelf.wallet() == (103, 0)
    given = []
    for units in (3, 1, 3):
        before = shelf.wallet()[0]
        order = shelf.step("refund", order, units=units, reason="broken").order
        given.append(shelf.wallet()[0] - before)
    assert given == [3, 1, 3]
    assert (order.state, order.refunded_units, shelf.stock("odd")) == ("refunded", 7, (9, 0, 0))
    with pytest.raises(OrderRefused) as refused:
        shelf.step("refund", order, units=1, reason="again")
    assert refused.value.code == "order_not_open"


def test_shares_are_floored_and_the_last_brings_the_rest(connection: Connection) -> None:
    shelf = Shelf(connection, program(point_currencies=[{"key": "stars", "name": STARS, "scale": 2}]))
    shelf.put(
        reward("three", gives={"kind": "subscription", "deliveries": 3}, prices=[{"points": {"stars": "10"}}])
    )
    shelf.member()
    order = shelf.place("three", confirm=True).order
    assert order.units == 3
    given = []
    for _ in range(3):
        before = shelf.wallet()[0]
        order = shelf.step("refund", order, units=1, reason="stopped").order
        given.append(shelf.wallet()[0] - before)
    assert given == [333, 333, 334]


def test_used_units_are_refunded_only_when_asked(shelf: Shelf) -> None:
    from palier.activities import batch
    from palier.rewards import handing_out

    order = shelf.place(quantity=2, confirm=True).order
    first = shelf.items(order)[0]
    batch.attempt(
        shelf.connection,
        lambda: handing_out.use(
            shelf.connection, shelf.runtime, order.member_id, first.item_id, uses=1, now=NOW
        ),
    )
    with pytest.raises(OrderRefused, match="something of it was used"):
        shelf.step("cancel", order)
    with pytest.raises(OrderRefused, match="only 1 were not used"):
        shelf.step("refund", order, units=2, reason="no")
    assert shelf.step("refund", order, units=1, reason="no").order.state == "partly_refunded"
    assert [item.state for item in shelf.items(order)] == ["open", "void"]
    order = shelf.step("refund", order, units=1, also_used=True, restock=False, reason="no").order
    assert (order.state, shelf.stock()) == ("refunded", (5, 0, 1))


@pytest.mark.parametrize(
    ("rules", "later", "why"),
    [
        ({"cancellable": "never"}, 0, "not taken back"),
        ({}, 0, "not taken back"),
        ({**LATER, "cancellable_days": 2}, 2 * DAY, "too late"),
    ],
)
def test_rules_of_cancelling(shelf: Shelf, rules: dict[str, Any], later: int, why: str) -> None:
    shelf.put(reward("ruled", giving_back=rules))
    order = shelf.place("ruled", confirm=True).order
    before = shelf.rows()
    with pytest.raises(OrderRefused, match=why) as refused:
        shelf.step("cancel", order, now=NOW + later)
    assert refused.value.code == "not_cancellable"
    assert shelf.rows() == before


def test_rules_of_refunding(shelf: Shelf) -> None:
    shelf.put(
        reward("strict", giving_back={"refundable_days": 3}), reward("no", giving_back={"refundable_days": 0})
    )
    order = shelf.place("strict", confirm=True).order
    with pytest.raises(OrderRefused, match="are over"):
        shelf.step("refund", order, units=None, reason="x", now=NOW + 3 * DAY)
    with pytest.raises(OrderRefused, match="1 units are left"):
        shelf.step("refund", order, units=2, reason="x")
    other = shelf.place("no", confirm=True).order
    with pytest.raises(OrderRefused, match="not refunded"):
        shelf.step("refund", other, units=None, reason="x")


def test_a_place_is_cancelled_until_so_many_hours_before(shelf: Shelf) -> None:
    slot = {
        "key": "spa", "starts_at": moment(NOW + 3 * DAY).isoformat(), "ends_at": moment(NOW + 4 * DAY).isoformat(),
        "capacity": 1,
    }  # fmt: skip
    shelf.put(
        reward("spa", gives={"kind": "experience"}, slots=[slot], giving_back={**LATER, "hours_before": 24})
    )
    order = shelf.place("spa", slot="spa", confirm=True).order
    assert shelf.stock("spa@spa") == (1, 0, 1)
    with pytest.raises(OrderRefused, match="too late"):
        shelf.step("cancel", order, now=NOW + 2 * DAY)
    shelf.step("cancel", order, now=NOW + 2 * DAY - HOUR)
    assert shelf.stock("spa@spa") == (1, 0, 0)
