"""What time brings about: ends, lines that move up, deliveries, draws that are committed to and never rolled again."""

from __future__ import annotations

import hmac
from collections import Counter
from hashlib import sha256
from typing import Any

import pytest

from palier.engine.clock import DAY, MINUTE, moment
from palier.rewards import sweepstakes, upkeep
from palier.rewards.kinds.sets import field_drawn, number_drawn
from palier.rewards.operations import NotTaken
from palier.rewards.refusals import OrderRefused
from tests.activities.program import NOW, Connection
from tests.rewards.ordering import Shelf, reward


@pytest.fixture
def shelf(connection: Connection) -> Shelf:
    made = Shelf(connection)
    made.member()
    return made


def spa(capacity: int = 1, **more: Any) -> dict[str, Any]:
    slot = {
        "key": "one", "starts_at": moment(NOW + 3 * DAY).isoformat(), "ends_at": moment(NOW + 4 * DAY).isoformat(),
        "capacity": capacity,
    }  # fmt: skip
    return reward(
        "spa", gives={"kind": "experience", "waiting_list": True}, slots=[slot], hold_minutes=60, **more
    )


def test_reservations_end_once(shelf: Shelf) -> None:
    shelf.put(reward(hold_minutes=10, stock=2))
    orders = [shelf.place().order for _ in range(2)]
    assert upkeep.expire_due(shelf.connection, shelf.runtime, now=NOW + 10 * MINUTE - 1) == 0
    assert upkeep.expire_due(shelf.connection, shelf.runtime, now=NOW + 10 * MINUTE) == 2
    assert upkeep.expire_due(shelf.connection, shelf.runtime, now=NOW + 10 * MINUTE) == 0
    assert [shelf.order(order).state for order in orders] == ["expired", "expired"]
    assert (shelf.wallet(), shelf.stock()) == ((100, 0), (2, 0, 0))


def test_a_line_moves_up_in_its_order(shelf: Shelf) -> None:
    shelf.put(spa())
    for card in "bcd":
        shelf.member(card, points=100 if card != "b" else 10)
    first = shelf.place("spa", slot="one").order
    lined = [
        shelf.place("spa", card, slot="one", wait=True, now=NOW + n).order for n, card in enumerate("bcd")
    ]
    assert [order.state for order in lined] == ["waiting"] * 3
    assert shelf.wallet("c") == (100, 0)
    # Someone in line cannot pay any more; a place that is freed goes to the line, never past it.
    shelf.put(reward("all"))
    shelf.place("all", "b", confirm=True)
    shelf.step("release", first)
    with pytest.raises(OrderRefused, match="no place is left"):
        shelf.place("spa", slot="one")
    assert upkeep.move_lines(shelf.connection, shelf.runtime, now=NOW + MINUTE) == 2
    assert [shelf.order(order).state for order in lined] == ["released", "reserved", "waiting"]
    assert (shelf.wallet("c"), shelf.stock("spa@one")) == ((90, 10), (1, 1, 0))
    assert upkeep.move_lines(shelf.connection, shelf.runtime, now=NOW + MINUTE) == 0
    # He who moved up does not confirm: the next has the place.
    later = NOW + 61 * MINUTE
    assert upkeep.expire_due(shelf.connection, shelf.runtime, now=later) == 1
    assert upkeep.move_lines(shelf.connection, shelf.runtime, now=later) == 1
    moved = shelf.step("confirm", lined[2], now=later)
    assert (moved.order.state, shelf.wallet("c")) == ("done", (100, 0))


def test_a_line_ends_when_the_date_begins(shelf: Shelf) -> None:
    shelf.put(spa())
    shelf.member("b")
    shelf.place("spa", slot="one", confirm=True)
    waiting = shelf.place("spa", "b", slot="one", wait=True).order
    assert upkeep.expire_due(shelf.connection, shelf.runtime, now=NOW + 3 * DAY) == 1
    assert shelf.order(waiting).state == "expired"
    with pytest.raises(OrderRefused, match="the date has begun"):
        shelf.place("spa", "b", slot="one", wait=True, now=NOW + 3 * DAY)


def test_who_waits_may_leave(shelf: Shelf) -> None:
    shelf.put(spa())
    shelf.member("b")
    shelf.place("spa", slot="one")
    waiting = shelf.place("spa", "b", slot="one", wait=True).order
    assert shelf.step("cancel", waiting).order.state == "released"


def test_deliveries_are_made_on_their_day(shelf: Shelf) -> None:
    shelf.put(
        reward("wash", prices=[], stock=1),
        reward("box", gives={"kind": "subscription", "deliveries": 3, "every": "week", "reward": "wash"}),
        reward("paper", gives={"kind": "subscription", "deliveries": 2, "every": "day"}),
    )
    box, paper = shelf.place("box", confirm=True).order, shelf.place("paper", confirm=True).order
    assert upkeep.deliver(shelf.connection, shelf.runtime, now=NOW) == 2
    assert upkeep.deliver(shelf.connection, shelf.runtime, now=NOW) == 0
    held = [(item.kind, item.state) for item in shelf.items(box)]
    assert Counter(held) == {("delivery", "delivered"): 1, ("delivery", "planned"): 2, ("right", "open"): 1}
    assert [item.state for item in shelf.items(paper)] == ["preparing", "planned"]
    # None is left for the second: staff is told.
    assert upkeep.deliver(shelf.connection, shelf.runtime, now=NOW + 8 * DAY) == 2
    second = next(item for item in shelf.items(box) if item.kind == "delivery" and item.unit == 2)
    assert (second.state, second.details["not_made"]) == ("preparing", "none of it is left")


# --- draws ------------------------------------------------------------------------------------------------


def seed(shelf: Shelf, period: str) -> bytes:
    row = shelf.connection.execute("select seed from draw_seed where period = %s", (period,)).fetchone()
    shelf.connection.rollback()
    assert row is not None
    return bytes(row[0])


def mystery(*stock: int | None) -> list[dict[str, Any]]:
    options = [
        {"reward": f"r{number}", "weight": 1, **({"stock": count} if count is not None else {})}
        for number, count in enumerate(stock)
    ]
    return [
        *(reward(f"r{number}", prices=[]) for number in range(len(stock))),
        reward(
            "box", gives={"kind": "mystery", "options": options}, giving_back={"cancellable": "until_used"}
        ),
    ]


def test_a_mystery_is_drawn_by_bytes_that_anyone_can_check(shelf: Shelf) -> None:
    shelf.put(*mystery(None, None, None))
    order = shelf.place("box", quantity=5, confirm=True, id="m1").order
    details = shelf.order(order).details
    period, _, drawn = details["draw"].partition(":")
    expected = hmac.new(seed(shelf, period), b"shop\0m1", sha256).hexdigest()
    assert drawn == expected
    for nth, entry in enumerate(details["drawn"]):
        number = number_drawn(details["draw"], "box", entry["unit"], nth)
        assert entry["field"] == field_drawn(number, entry["weights"]) + 1
    assert [item.reward for item in shelf.items(order)] == [entry["reward"] for entry in details["drawn"]]
    with pytest.raises(OrderRefused, match="what was drawn stays"):
        shelf.step("cancel", order)


def test_a_repeated_call_draws_nothing_anew(shelf: Shelf) -> None:
    shelf.put(*mystery(None, None, None))
    first = shelf.place("box", confirm=True, id="m1").order.details["drawn"]
    for _ in range(5):
        again = shelf.place("box", confirm=True, id="m1")
        assert (again.replayed, again.order.details["drawn"]) == (True, first)
    # A call whose transaction was lost draws the same when it is sent again.
    drawn = []
    for _ in range(4):
        try:
            with shelf.connection.transaction(force_rollback=True):
                from palier.rewards import orders
                from palier.rewards.orders import Wanted

                placed = orders.place(
                    shelf.connection, shelf.runtime, member_id=shelf.members["a"], wanted=Wanted("box"),
                    source="shop", id="lost", confirm=True, actor="test", now=NOW,
                )  # fmt: skip
                drawn.append(placed.order.details["drawn"])
        finally:
            shelf.connection.rollback()
    assert drawn == [drawn[0]] * 4


def test_chances_come_out_no_more_often_than_there_are(shelf: Shelf) -> None:
    shelf.put(*mystery(2, 3))
    order = shelf.place("box", quantity=5, confirm=True).order
    assert Counter(item.reward for item in shelf.items(order)) == {"r0": 2, "r1": 3}
    reserved = shelf.place("box").order
    with pytest.raises(OrderRefused, match="nothing is left to draw"):
        shelf.step("confirm", reserved)
    assert shelf.order(reserved).state == "reserved"


def sweepstake(at: int, **more: Any) -> list[dict[str, Any]]:
    prizes = [{"reward": "big"}, {"reward": "small", "quantity": 2}]
    return [
        reward("big", prices=[], stock=1),
        reward("small", prices=[]),
        reward(
            "raffle",
            gives={"kind": "sweepstake", "draw_at": moment(at).isoformat(), "prizes": prizes},
            **more,
        ),
    ]


def test_a_sweepstake_is_committed_to_drawn_once_and_checked(shelf: Shelf) -> None:
    at = NOW + 90 * DAY
    shelf.put(*sweepstake(at))
    for number in range(8):
        shelf.member(f"m{number}")
    entries = [shelf.place("raffle", f"m{n}", quantity=n % 3 + 1, confirm=True).order for n in range(8)]
    (before,) = sweepstakes.read(shelf.connection, shelf.runtime.program_id)
    assert before.commitment == sha256(seed(shelf, before.period)).hexdigest()
    with pytest.raises(OrderRefused, match="the draw is closed"):
        shelf.place("raffle", now=at)
    assert upkeep.draw_sweepstakes(shelf.connection, shelf.runtime, now=at + MINUTE) == 0
    with pytest.raises(OrderRefused, match="the draw is under way"):
        shelf.step("refund", entries[0], units=None, reason="x", now=at + MINUTE)
    assert upkeep.draw_sweepstakes(shelf.connection, shelf.runtime, now=at + 3 * MINUTE) == 1
    assert upkeep.draw_sweepstakes(shelf.connection, shelf.runtime, now=at + 3 * MINUTE) == 0
    (draw,) = sweepstakes.read(shelf.connection, shelf.runtime.program_id)
    rows = shelf.connection.execute(
        "select member_id, item_id, order_id from reward_item where kind = 'entry' order by item_id, member_id"
    ).fetchall()
    states = shelf.connection.execute(
        "select kind, state, count(*) from reward_item group by 1, 2 order by 1, 2"
    ).fetchall()
    assert (draw.entries, len(draw.winners)) == (15, 3)
    assert list(draw.winners) == sweepstakes.winners(draw.drawn, rows, 3)
    told = f"{sweepstakes.SOURCE}\0raffle:{at}".encode()
    assert draw.drawn == f"{draw.period}:{hmac.new(seed(shelf, draw.period), told, sha256).hexdigest()}"
    assert states == [("entry", "lost", 12), ("entry", "won", 3), ("right", "open", 3)]
    assert shelf.stock("big") == (1, 0, 1)


def test_winners_are_as_even_as_chance() -> None:
    """Each of five entries wins about a fifth of the first prizes."""
    entries = [(n, n, n) for n in range(5)]
    won = Counter(
        sweepstakes.winners(sha256(str(n).encode()).hexdigest(), entries, 1)[0].member_id
        for n in range(20_000)
    )
    expected = 4000
    chi = sum((won[n] - expected) ** 2 / expected for n in range(5))
    assert chi < 18.5  # p = 0.001 with four degrees of freedom


# --- changing stock while it is sold ----------------------------------------------------------------------


def test_a_new_version_changes_how_many_there_are(shelf: Shelf) -> None:
    shelf.put(reward(stock=3))
    shelf.place(quantity=2)
    shelf.put(reward(stock=5), at=NOW)
    assert shelf.stock() == (5, 2, 0)
    with pytest.raises(NotTaken, match="2 are held"):
        shelf.put(reward(stock=1), at=NOW)
    shelf.connection.rollback()
    assert shelf.stock() == (5, 2, 0)
    shelf.put(reward(), at=NOW)
    assert shelf.stock() == (None, 2, 0)
