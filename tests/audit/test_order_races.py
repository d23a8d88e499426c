"""Orders at once: stock, limits and lines are exact; of many who end one order, one does."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from palier.activities import batch, due
from palier.activities.answers import Result
from palier.engine.clock import DAY, MINUTE, moment
from palier.engine.facts import Fact, Reference
from palier.engine.state import MemberState
from palier.rewards import order_store, orders, stock, upkeep
from palier.rewards.order_store import Order
from palier.rewards.orders import Placed, Wanted
from palier.rewards.refusals import OrderRefused
from tests.activities.program import NOW, Connection, line, member, program
from tests.audit.race import Job, Stage, deadlocks, together
from tests.rewards.ordering import put, reward

STARS = {"en": {"one": "star", "other": "stars"}, "fr": {"one": "étoile", "other": "étoiles"}}
TAKEN_BACK = {"cancellable": "until_used"}


class Counted(Stage):
    """A stage with a catalogue, and jobs that order."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(
            connection,
            program(
                point_currencies=[{"key": "stars", "name": STARS, "expiry": {"kind": "rolling", "days": 400}}]
            ),
        )

    def put(self, *documents: dict[str, Any]) -> None:
        put(self.connection, self.runtime, *documents)

    def members_with(self, count: int, points: int, prefix: str = "m") -> list[str]:
        """So many members with points, earned in one batch."""
        cards = [f"{prefix}{number}" for number in range(count)]
        for card in cards:
            self.members[card] = member(self.connection, self.runtime.program_id, card)
        facts = [Fact("till", f"first-{card}", "sale", NOW - DAY, points * 100) for card in cards]
        results = batch.apply(
            self.connection,
            self.runtime,
            [line(fact, card) for fact, card in zip(facts, cards, strict=True)],
            now=NOW,
        )
        assert {result.status for result in results} == {"applied"}
        return cards

    def place(
        self, reward: str, card: str, id: str, *, confirm: bool = True, now: int = NOW, **wanted: Any
    ) -> Job[str]:
        """What became of an order: its state, or the code of its refusal."""

        def job(connection: Connection) -> str:
            def once() -> Placed:
                return orders.place(
                    connection, self.runtime, member_id=self.members[card],
                    wanted=Wanted(reward, **wanted), source="shop", id=id, confirm=confirm, actor="test",
                    now=now,
                )  # fmt: skip

            return told(lambda: batch.attempt(connection, once).order)

        return job

    def step(self, name: str, order: Order, *, now: int = NOW, **more: Any) -> Job[str]:
        operation = getattr(orders, name)

        def job(connection: Connection) -> str:
            def once() -> Placed:
                found: Placed = operation(
                    connection, self.runtime, order.member_id, order.order_id, actor="test", now=now, **more
                )
                return found

            return told(lambda: batch.attempt(connection, once).order)

        return job

    def placed(self, reward: str, card: str, id: str, **more: Any) -> Order:
        """An order that was made beforehand."""
        assert self.place(reward, card, id, **more)(self.connection) in ("done", "reserved", "waiting")
        row = self.connection.execute(
            "select member_id, order_id from order_claim where external_id = %s", (id,)
        ).fetchone()
        assert row is not None
        found = orders.find(self.connection, self.runtime, *row)
        self.connection.rollback()
        return found

    def stock(self, key: str) -> tuple[int | None, int, int]:
        level = stock.read(self.connection, self.runtime.program_id, [key])[key]
        self.connection.rollback()
        return level.total, level.held, level.sold


def told(act: Callable[[], Order]) -> str:
    """The state of the order that came of it, or the code of the refusal."""
    try:
        return act().state
    except OrderRefused as refused:
        return refused.code.value


@pytest.fixture
def stage(connection: Connection) -> Counted:
    return Counted(connection)


def scarce(
    stage: Counted,
    threads: int,
    members: int = 200,
    there: int = 10,
    *,
    mixed: bool = True,
    name: str = "t",
) -> None:
    """So many members want what there is little of, while they earn, return, redeem and points expire."""
    rare = f"{name}rare"
    stage.put(reward(rare, stock=there, limits={"per_member": 1}), reward("other"))
    cards = stage.members_with(members, 30, name)
    jobs: list[Job[Any]] = [stage.place(rare, card, f"rare-{card}") for card in cards]
    chance = random.Random(threads)
    ids = sorted(stage.members[card] for card in cards)
    if mixed:
        for number, card in enumerate(cards[::4]):
            back = Fact("till", f"back-{card}", "return", NOW, 500, sale=Reference("till", f"first-{card}"))
            jobs += [
                stage.sale(f"sale-{card}", card, 3, at=NOW - number * 1000),
                stage.sale(f"late-{card}", card, 2, at=NOW - 2 * DAY),
                stage.send(back, card),
                stage.redeem(f"spend-{card}", card, 5),
                stage.place("other", card, f"other-{card}", confirm=False),
            ]

        def expire(inner: Connection) -> Result:
            due.advance(inner, stage.runtime, ids, NOW + MINUTE, now=NOW + MINUTE)
            upkeep.expire_due(inner, stage.runtime, now=NOW)
            return Result("palier", "due", "applied")

        jobs += [expire] * 4
    chance.shuffle(jobs)
    results = together(jobs, threads)
    outcomes = Counter(result for result in results if isinstance(result, str))
    outcomes -= Counter({"reserved": members // 4 if mixed else 0})
    assert outcomes == {"done": there, "out_of_stock": members - there}, outcomes
    assert stage.stock(rare) == (there, 0, there)


@pytest.mark.parametrize("threads", [2, 8, 32])
def test_of_two_hundred_ten_are_served(stage: Counted, threads: int) -> None:
    scarce(stage, threads)
    stage.sound()
    assert deadlocks(stage.connection) == 0


@pytest.mark.slow
def test_of_two_hundred_ten_are_served_by_a_crowd(stage: Counted) -> None:
    scarce(stage, 128)
    stage.sound()


@pytest.mark.crash
@pytest.mark.parametrize("threads", [2, 8, 32, 128])
def test_round_after_round(connection: Connection, threads: int) -> None:
    """The long form, with `make crash`: PALIER_CRASH_ORDERS rounds (20) at each number of threads."""
    stage = Counted(connection)
    for number in range(int(os.environ.get("PALIER_CRASH_ORDERS", "20"))):
        scarce(stage, threads, name=f"r{number}-")
    stage.sound()


def test_of_twenty_who_cancel_one_does(stage: Counted) -> None:
    stage.put(reward("mug", stock=5, giving_back=TAKEN_BACK))
    stage.members_with(1, 100, "a")
    for number in range(10):
        order = stage.placed("mug", "a0", f"o{number}")
        results = together([stage.step("cancel", order)] * 20, 20)
        assert Counter(results) == {"cancelled": 1, "order_not_open": 19}
        assert (stage.spendable("a0"), stage.stock("mug")) == (100, (5, 0, 0))
    stage.sound()


def test_every_way_to_end_an_order_at_once(stage: Counted) -> None:
    """Confirm, release, fail, expiry and cancel of one reservation: one of them, and the points fit it.

    There is stock and there are points for as many rounds, whoever wins them.
    """
    rounds = 15
    stage.put(reward("mug", stock=rounds, hold_minutes=10))
    stage.members_with(1, 10 * rounds, "a")
    spent = 0
    for number in range(rounds):
        order = stage.placed("mug", "a0", f"o{number}", confirm=False)
        end = order.expires_at

        def expire(inner: Connection, wanted: Order = order, at: int = end) -> str:
            done = batch.attempt(
                inner,
                lambda: orders.expire(
                    inner, stage.runtime, wanted.member_id, wanted.order_id, actor="worker", now=at
                ),
            )
            return "expired" if done else "order_not_open"

        jobs: list[Job[str]] = [
            stage.step("confirm", order, now=end - 1),
            stage.step("release", order, now=end - 1),
            stage.step("fail", order, now=end - 1, reason="test"),
            stage.step("cancel", order, now=end - 1),
            expire,
            expire,
        ]
        random.Random(number).shuffle(jobs)
        results = Counter(together(jobs, 6))
        assert results["order_not_open"] + results["not_cancellable"] == 5, results
        spent += 10 * results["done"]
        assert stage.spendable("a0") == 10 * rounds - spent
    assert stage.stock("mug")[1] == 0
    stage.sound()


def test_units_are_refunded_once_each(stage: Counted) -> None:
    stage.put(reward("mug", stock=20))
    stage.members_with(1, 100, "a")
    order = stage.placed("mug", "a0", "o", quantity=8)
    results = together([stage.step("refund", order, units=1, reason="test")] * 20, 20)
    assert Counter(results) == {"partly_refunded": 7, "refunded": 1, "order_not_open": 12}
    assert (stage.spendable("a0"), stage.stock("mug")) == (100, (20, 0, 0))
    stage.sound()


def test_one_id_is_one_order(stage: Counted) -> None:
    stage.put(reward("mug", stock=50))
    stage.members_with(2, 100, "a")
    for number in range(5):
        results = together([stage.place("mug", "a0", f"o{number}")] * 20, 20)
        assert Counter(results) == {"done": 20}
        results = together([stage.place("mug", "a1", f"o{number}")] * 4, 4)
        assert Counter(results) == {"content_differs": 4}
    assert (stage.spendable("a0"), stage.stock("mug")) == (50, (50, 0, 5))
    stage.sound()


def test_limits_of_members_and_periods_are_exact(stage: Counted) -> None:
    stage.put(
        reward("two", limits={"per_member": 2}),
        reward("seven", limits={"per_period": {"n": 7, "period": "day"}}),
    )
    cards = stage.members_with(20, 100, "a")
    results = together([stage.place("two", "a0", f"two-{n}") for n in range(20)], 20)
    assert Counter(results) == {"done": 2, "limit_reached": 18}
    results = together([stage.place("seven", card, f"seven-{card}") for card in cards], 20)
    assert Counter(results) == {"done": 7, "limit_reached": 13}
    stage.sound()


def test_points_are_not_spent_twice_on_orders_and_redemptions(stage: Counted) -> None:
    stage.put(reward("mug"))
    stage.members_with(1, 100, "a")
    jobs: list[Job[Any]] = [stage.place("mug", "a0", f"o{n}", confirm=bool(n % 2)) for n in range(20)]
    jobs += [stage.redeem(f"r{n}", "a0", 10) for n in range(20)]
    random.Random(1).shuffle(jobs)
    results = together(jobs, 32)
    served = sum(
        result in ("done", "reserved") if isinstance(result, str) else result.status == "applied"
        for result in results
    )
    assert served == 10
    assert stage.spendable("a0") == 0
    stage.sound()


def test_sets_that_cross_each_other_do_not_lock_each_other_out(stage: Counted) -> None:
    part = [{"reward": "x"}, {"reward": "y"}]
    stage.put(
        reward("x", prices=[], stock=500),
        reward("y", prices=[], stock=500),
        reward("xy", gives={"kind": "bundle", "rewards": part}),
        reward("yx", gives={"kind": "bundle", "rewards": part[::-1]}),
        reward("draw", gives={"kind": "mystery", "options": part}),
    )
    cards = stage.members_with(40, 100, "a")
    names = ["xy", "yx", "draw"]
    jobs = [
        stage.place(names[n % 3], card, f"{card}-{n}", confirm=n % 2 == 0) for card in cards for n in range(3)
    ]
    random.Random(2).shuffle(jobs)
    assert set(together(jobs, 32)) == {"done", "reserved"}
    stage.sound()
    assert deadlocks(stage.connection) == 0


def test_a_line_and_cancellations_at_once(stage: Counted) -> None:
    """Places are freed while others order, wait and move up: never more seats than there are, and none is lost."""
    slot = {
        "key": "s", "starts_at": moment(NOW + 5 * DAY).isoformat(), "ends_at": moment(NOW + 6 * DAY).isoformat(),
        "capacity": 4,
    }  # fmt: skip
    stage.put(
        reward(
            "spa", gives={"kind": "experience", "waiting_list": True}, slots=[slot], giving_back=TAKEN_BACK
        )
    )
    cards = stage.members_with(24, 100, "a")
    first = [stage.placed("spa", card, f"first-{card}", slot="s") for card in cards[:4]]
    jobs: list[Job[Any]] = [
        stage.place("spa", card, f"wait-{card}", slot="s", wait=True) for card in cards[4:]
    ]
    jobs += [stage.step("cancel", order) for order in first]

    def move(inner: Connection) -> str:
        upkeep.move_lines(inner, stage.runtime, now=NOW)
        return "moved"

    jobs += [move] * 6
    random.Random(3).shuffle(jobs)
    results = Counter(together(jobs, 16))
    assert results["cancelled"] == 4
    upkeep.move_lines(stage.connection, stage.runtime, now=NOW)
    total, held, sold = stage.stock("spa@s")
    assert (total, held + sold) == (4, 4)
    rows = stage.connection.execute("select state, count(*) from reward_order group by 1").fetchall()
    stage.connection.rollback()
    states = dict(rows)
    assert states["cancelled"] == 4
    assert states.get("done", 0) + states.get("reserved", 0) == 4
    assert states["waiting"] == 16
    stage.sound()


# --- planted faults ---------------------------------------------------------------------------------------


@pytest.mark.plants_violation
def test_stock_that_is_read_and_then_written_oversells(
    stage: Counted, owner_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: without the lock, the condition and the check, more are served than there are."""
    owner_connection.execute("alter table reward_stock drop constraint reward_stock_not_oversold")
    owner_connection.commit()
    monkeypatch.setattr(stock, "LOCK", stock.LOCK.replace("for update", ""))
    monkeypatch.setattr(stock, "MOVE", stock.MOVE.partition("  and (s.total is null")[0])

    def rounds() -> None:
        for number in range(10):
            scarce(stage, 32, members=60, there=5, mixed=False, name=f"plant{number}-")
            stage.sound()

    with pytest.raises(AssertionError):
        rounds()


@pytest.mark.plants_violation
def test_cancelling_without_the_lock_is_caught(stage: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without the member's lock, and the state in the condition, one order is cancelled several times."""
    stage.put(reward("mug", stock=50, giving_back=TAKEN_BACK))
    stage.members_with(1, 1000, "a")
    made = [stage.placed("mug", "a0", f"o{number}") for number in range(10)]
    monkeypatch.setattr(orders, "locked", lambda connection, runtime, member_id: (runtime, MemberState()))
    monkeypatch.setattr(order_store, "UPDATE", order_store.UPDATE.replace(" and state = %(before)s", ""))

    def rounds() -> None:
        for order in made:
            results = Counter(together([stage.step("cancel", order)] * 20, 20))
            assert results == {"cancelled": 1, "order_not_open": 19}, results
            stage.sound()

    with pytest.raises((AssertionError, psycopg.Error)):
        rounds()
