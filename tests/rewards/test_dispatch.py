"""Dispatches: sent at least once under one name, recorded once, and by nobody who was too slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from random import Random
from typing import Any

import msgspec
import pytest

from palier.connectors.suppliers.contract import (
    Absent,
    Declined,
    NotKnown,
    Order,
    Standing,
    TryLater,
    Unit,
)
from palier.connectors.suppliers.mapping import SupplierDocument
from palier.connectors.suppliers.sample import TOKEN
from palier.engine.clock import HOUR, SECOND
from palier.rewards import dispatch, forwarding, suppliers
from palier.rewards.dispatch import Dispatch, judged
from palier.site import database
from tests.activities.program import NOW
from tests.connectors.sample_supplier import Running, running
from tests.rewards.supplied import BOOKS, Stage, fresh

# The messages of these tests are of no stored order; test_fulfilment.py has those that are.
pytestmark = pytest.mark.plants_violation

# --- the way of a dispatch --------------------------------------------------------------------------------


def test_a_dispatch_is_delivered_with_its_codes_readable_only_through_the_platform(stage: Stage) -> None:
    order_id = stage.enqueue(quantity=2)
    stage.run()
    found = stage.sight(order_id)
    assert (found.state, found.attempts, found.cost) == ("delivered", 1, dispatch.Money(1900, "EUR"))
    assert stage.orders.fulfilled_ == [order_id]
    units = dispatch.units_of(stage.connection, order_id)[0]
    cards = stage.at_supplier(order_id)[0]["cards"]
    assert [unit.code for unit in units] == [card["code"] for card in cards]
    row = stage.connection.execute("select units from dispatch where order_id = %s", (order_id,)).fetchone()
    assert row is not None
    assert all(card["code"].encode() not in bytes(row[0]) for card in cards)


def test_a_dispatch_that_is_rolled_back_with_its_order_is_never_sent(stage: Stage) -> None:
    dispatch.enqueue(
        stage.connection,
        stage.program_id,
        member_id=1,
        order_id=5,
        supplier="sample",
        order=Order("", BOOKS),
        now=stage.now,
    )
    stage.connection.rollback()
    stage.run()
    assert stage.at_supplier(5) == []


def test_the_same_order_is_written_once(stage: Stage) -> None:
    order_id = stage.enqueue()
    stage.enqueue(order_id)
    row = stage.connection.execute(
        "select count(*) from dispatch where order_id = %s", (order_id,)
    ).fetchone()
    assert row == (1,)


@pytest.mark.parametrize(
    "does", ["lost", "half", "garbage", "error_after", "dropped", "error", "slow", "later"]
)
def test_whatever_goes_wrong_there_is_one_order_and_it_is_fulfilled_once(stage: Stage, does: str) -> None:
    stage.set_up(deadline_s=1)
    stage.sample.behave(does, times=2, seconds=3)
    order_id = stage.enqueue()
    stage.run(rounds=4)
    assert stage.sight(order_id).state == "delivered"
    assert len(stage.at_supplier(order_id)) == 1
    assert stage.orders.fulfilled_ == [order_id]
    assert stage.orders.failed_ == []


@pytest.mark.parametrize("does", ["refuse", "out_of_stock"])
def test_a_definite_no_fails_the_order(stage: Stage, does: str) -> None:
    stage.sample.behave(does)
    order_id = stage.enqueue()
    stage.run()
    assert stage.sight(order_id).state == "refused"
    assert [found[:2] for found in stage.orders.failed_] == [(order_id, False)]
    stage.run(rounds=2)
    assert stage.at_supplier(order_id) == []


def test_a_pending_order_is_looked_after_until_it_is_delivered(stage: Stage) -> None:
    stage.sample.behave("pending", seconds=1)
    order_id = stage.enqueue()
    stage.run()
    assert stage.sight(order_id).state == "accepted"
    assert stage.orders.fulfilled_ == []
    threading.Event().wait(1.2)
    stage.run(rounds=2)
    assert stage.sight(order_id).state == "delivered"
    assert stage.orders.fulfilled_ == [order_id]


def test_an_order_that_is_turned_down_later_fails(stage: Stage) -> None:
    stage.sample.behave("fail_later", seconds=0)
    order_id = stage.enqueue()
    stage.run()
    threading.Event().wait(0.3)
    stage.run(rounds=2)
    assert stage.sight(order_id).state == "refused"
    assert len(stage.orders.failed_) == 1


def test_a_no_to_a_repeated_question_is_no_answer_to_the_first(stage: Stage) -> None:
    stage.sample.behave("lost")
    stage.sample.behave("strict", times=0)
    order_id = stage.enqueue()
    stage.run(rounds=3)
    # The supplier refuses the repeated reference; a look shows that the first was heard.
    assert stage.sight(order_id).state == "delivered"
    assert stage.orders.fulfilled_ == [order_id]
    assert stage.orders.failed_ == []


def test_who_cannot_be_asked_twice_is_looked_at_first(stage: Stage) -> None:
    stage.set_up(repeat="look_first", settles_s=60)
    stage.sample.behave("lost")
    stage.sample.behave("forget", times=0)
    stage.sample.behave("dropped", on="status")
    order_id = stage.enqueue()
    stage.run(rounds=4)
    assert stage.sight(order_id).state == "delivered"
    assert len(stage.at_supplier(order_id)) == 1


def test_who_is_looked_at_first_and_has_nothing_is_asked_again_when_that_is_settled(stage: Stage) -> None:
    stage.set_up(repeat="look_first", settles_s=7200)
    stage.sample.behave("dropped")
    order_id = stage.enqueue()
    stage.run(rounds=2)
    assert stage.sight(order_id).state == "unknown"
    assert stage.at_supplier(order_id) == []
    stage.run(rounds=4)
    assert stage.sight(order_id).state == "delivered"
    assert len(stage.at_supplier(order_id)) == 1


def test_who_can_never_be_asked_twice_is_left_to_a_person(stage: Stage) -> None:
    stage.set_up(repeat="never")
    stage.sample.behave("lost")
    order_id = stage.enqueue()
    stage.run(rounds=3)
    assert stage.sight(order_id).state == "dead"
    assert len(stage.at_supplier(order_id)) == 1
    assert stage.orders.fulfilled_ == stage.orders.failed_ == []


def test_after_the_last_attempt_it_waits_for_a_person_and_can_be_sent_again(stage: Stage) -> None:
    stage.set_up(retries=[1, 1])
    stage.sample.behave("error", times=0)
    order_id = stage.enqueue()
    stage.run(rounds=6)
    found = stage.sight(order_id)
    assert (found.state, found.attempts, found.reason) == (
        "dead",
        3,
        "the supplier answers 500: something broke",
    )
    stage.sample.calm()
    assert dispatch.revive(stage.connection, found.dispatch_id, now=stage.now)
    assert not dispatch.revive(stage.connection, found.dispatch_id, now=stage.now)
    stage.connection.commit()
    stage.run(rounds=2)
    assert stage.sight(order_id).state == "delivered"
    assert stage.orders.fulfilled_ == [order_id]


def test_the_schedule_is_kept_with_jitter(stage: Stage) -> None:
    stage.set_up(retries=[10, 100])
    stage.sample.behave("error", times=0)
    order_id = stage.enqueue()
    stage.run()
    wait = stage.sight(order_id).next_at - stage.now
    assert 10 * SECOND <= wait <= 12 * SECOND
    asked = stage.sample.call("GET", "/sample/orders")["calls"]["place"]
    stage.now += 9 * SECOND
    stage.run()
    assert stage.sample.call("GET", "/sample/orders")["calls"]["place"] == asked


def test_an_address_is_told_only_where_something_is_sent(stage: Stage) -> None:
    goods, card = stage.enqueue(sku="GOODS-LAMP", sent=True), stage.enqueue()
    stage.run()
    assert stage.at_supplier(goods)[0]["delivery"] == {"name": "Somebody", "city": "Nîmes", "country": "FR"}
    assert stage.at_supplier(card)[0]["delivery"] == {}
    row = stage.connection.execute("select string_agg(payload::text, '') from dispatch").fetchone()
    assert row is not None
    assert "Somebody" not in row[0]


# --- calling off ------------------------------------------------------------------------------------------


def test_what_was_not_sent_is_called_off_at_once(stage: Stage) -> None:
    order_id = stage.enqueue()
    assert dispatch.call_off(stage.connection, stage.program_id, order_id, now=stage.now) == "cancelled"
    stage.connection.commit()
    stage.run(rounds=2)
    assert stage.sight(order_id).state == "cancelled"
    assert stage.at_supplier(order_id) == []


def test_what_is_pending_is_called_off_with_the_supplier(stage: Stage) -> None:
    stage.sample.behave("pending", seconds=60)
    order_id = stage.enqueue()
    stage.run()
    assert dispatch.call_off(stage.connection, stage.program_id, order_id, now=stage.now) == "asked"
    stage.connection.commit()
    stage.run()
    assert stage.sight(order_id).state == "cancelled"
    assert [found[:2] for found in stage.orders.failed_] == [(order_id, True)]


def test_what_was_delivered_meanwhile_is_delivered(stage: Stage) -> None:
    stage.sample.behave("lost")
    order_id = stage.enqueue()
    stage.run()
    assert dispatch.call_off(stage.connection, stage.program_id, order_id, now=stage.now) == "asked"
    stage.connection.commit()
    stage.run(rounds=3)
    assert stage.sight(order_id).state == "delivered"
    assert stage.orders.fulfilled_ == [order_id]
    assert stage.orders.failed_ == []


def test_what_never_arrived_is_called_off_when_that_is_settled(stage: Stage) -> None:
    stage.set_up(settles_s=1800)
    stage.sample.behave("dropped")
    order_id = stage.enqueue()
    stage.run()
    dispatch.call_off(stage.connection, stage.program_id, order_id, now=stage.now)
    stage.connection.commit()
    stage.run()
    assert stage.sight(order_id).state == "unknown"
    stage.run(rounds=2)
    assert stage.sight(order_id).state == "cancelled"


# --- orders of several parts ------------------------------------------------------------------------------


def test_an_order_of_several_parts_is_fulfilled_with_the_last(stage: Stage) -> None:
    stage.sample.behave("error")
    order_id = stage.enqueue()
    stage.enqueue(order_id, part=1, sku="CARD-SPA-50")
    stage.run()
    assert stage.orders.fulfilled_ == []
    stage.run(rounds=2)
    assert stage.orders.fulfilled_ == [order_id]
    assert len(stage.at_supplier(order_id)) == 2


def test_a_part_that_fails_calls_the_others_off(stage: Stage) -> None:
    order_id = stage.enqueue(sku="NOT-SOLD")
    stage.set_up(at_once=1)
    stage.enqueue(order_id, part=1)
    stage.run()
    assert [found.state for found in dispatch.of_orders(stage.connection, [order_id])[order_id]] == [
        "refused",
        "cancelled",
    ]
    assert len(stage.orders.failed_) == 1


def test_an_order_delivered_in_part_is_left_to_a_person(stage: Stage) -> None:
    stage.set_up(at_once=1)
    order_id = stage.enqueue()
    stage.enqueue(order_id, part=1, sku="NOT-SOLD")
    stage.run(rounds=2)
    states = {found.part: found.state for found in dispatch.of_orders(stage.connection, [order_id])[order_id]}
    assert states == {0: "delivered", 1: "dead"}
    assert stage.orders.fulfilled_ == stage.orders.failed_ == []


# --- who was too slow -------------------------------------------------------------------------------------


class Paused:
    """A supplier whose worker falls asleep after its answer, until it is woken."""

    def __init__(self, supplier: Any) -> None:
        self._supplier = supplier
        self.asleep = threading.Event()
        self.wake = threading.Event()

    def place(self, order: Order) -> Any:
        answer = self._supplier.place(order)
        self.asleep.set()
        self.wake.wait(30)
        return answer


@contextmanager
def asleep(stage: Stage) -> Iterator[None]:
    """A worker has its answer and sleeps, for the length of a block; then it wakes and records."""
    paused = Paused(stage.sample.supplier())
    late = threading.Thread(target=stage.courier(paused).run)
    late.start()
    try:
        assert paused.asleep.wait(30)
        yield
    finally:
        paused.wake.set()
        late.join(30)


def test_a_worker_that_wakes_late_writes_nothing(stage: Stage) -> None:
    order_id = stage.enqueue()
    with asleep(stage):
        stage.run()
        assert stage.orders.fulfilled_ == []  # Nobody else has it while it is taken.
        stage.now += forwarding.lease_s(stage.configured.document) * SECOND
        stage.run()
        assert stage.orders.fulfilled_ == [order_id]
    assert stage.orders.fulfilled_ == [order_id]
    assert len(stage.at_supplier(order_id)) == 1
    assert stage.sight(order_id).attempts == 2


def test_what_was_taken_and_never_recorded_is_asked_again_as_unsure(stage: Stage) -> None:
    order_id = stage.enqueue()
    taken = dispatch.claim(stage.connection, stage.program_id, "sample", now=stage.now, lease_s=60, limit=10)
    assert [(found.order_id, found.unsure) for found in taken] == [(order_id, False)]
    again = dispatch.claim(
        stage.connection, stage.program_id, "sample", now=stage.now + 61 * SECOND, lease_s=60, limit=10
    )
    assert [(found.order_id, found.unsure, found.token) for found in again] == [(order_id, True, 2)]


def test_two_workers_take_each_message_once(stage: Stage) -> None:
    orders = [stage.enqueue() for _ in range(40)]
    taken: list[int] = []

    def take() -> None:
        with closing(database.connect("app")) as connection:
            while found := dispatch.claim(
                connection, stage.program_id, "sample", now=stage.now, lease_s=600, limit=3
            ):
                taken.extend(each.order_id for each in found)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(taken) == sorted(orders)


def test_a_message_that_is_committed_late_is_sent_all_the_same(stage: Stage) -> None:
    with closing(database.connect("app")) as slow:
        dispatch.enqueue(
            slow,
            stage.program_id,
            member_id=1,
            order_id=(early := fresh()),
            supplier="sample",
            order=Order("", BOOKS),
            now=stage.now,
        )
        later = stage.enqueue()
        stage.run()
        slow.commit()
    stage.run()
    assert stage.orders.fulfilled_ == [later, early]


# --- one supplier and the others --------------------------------------------------------------------------


def test_a_supplier_that_is_dead_rests_and_is_then_asked_one_thing(stage: Stage) -> None:
    stage.sample.behave("error", times=0)
    for _ in range(20):
        stage.enqueue()
    asked = stage.sample.call("GET", "/sample/orders")["calls"].get("place", 0)
    stage.run()
    health = suppliers.health(stage.connection, stage.program_id, "sample")
    stage.connection.commit()
    assert health.failures >= 3
    assert health.rests_until > stage.now
    first = stage.sample.call("GET", "/sample/orders")["calls"]["place"] - asked
    assert first <= 3 + stage.configured.document.at_once
    stage.run()
    assert stage.sample.call("GET", "/sample/orders")["calls"]["place"] - asked == first
    stage.run(rounds=2)
    assert stage.sample.call("GET", "/sample/orders")["calls"]["place"] - asked == first + 1
    stage.sample.calm()
    stage.run(rounds=8)
    assert len(stage.orders.fulfilled_) == 20
    assert suppliers.health(stage.connection, stage.program_id, "sample").failures == 0


def test_a_slow_supplier_takes_nothing_from_another(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_SUPPLIER_OTHER_TOKEN", TOKEN)
    with running() as other:
        stage.sample.behave("slow", times=0, seconds=4)
        for _ in range(8):
            stage.enqueue()
        suppliers.put(
            stage.connection, stage.program_id, other.document(key="other"), by="test", now=stage.now
        )
        dispatch.enqueue(
            stage.connection,
            stage.program_id,
            member_id=1,
            order_id=(quick := fresh()),
            supplier="other",
            order=Order("", BOOKS),
            now=stage.now,
        )
        stage.connection.commit()
        monkeypatch.setattr(forwarding.clock, "now", lambda: stage.now)
        couriers = forwarding.Couriers(lambda: database.connect("app"), stage.orders)
        assert couriers.begin(stage.connection) == 2
        assert couriers.begin(stage.connection) == 0
        for _ in range(100):
            if stage.orders.fulfilled_:
                break
            threading.Event().wait(0.02)
        assert stage.orders.fulfilled_ == [quick]
        stage.sample.calm()
        couriers.wait(30)
        assert len(stage.orders.fulfilled_) == 9


def test_a_supplier_that_is_paused_is_asked_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding.clock, "now", lambda: stage.now)
    stage.enqueue()
    assert suppliers.pause(
        stage.connection, stage.program_id, "sample", True, by="test", now=stage.now, reason="trial"
    )
    stage.connection.commit()
    assert forwarding.Couriers(lambda: database.connect("app"), stage.orders).begin(stage.connection) == 0


# --- judging, without a supplier --------------------------------------------------------------------------


def message(**more: Any) -> Dispatch:
    return Dispatch(
        **{
            "dispatch_id": 1, "program_id": 1, "member_id": 1, "order_id": 1, "part": 0, "supplier": "sample",
            "request_id": "1", "order": Order("1", BOOKS), "sent": False, "state": "sent", "attempts": 1,
            "unsure": False, "cancel_wanted": False, "token": 1, "reference": "", "reason": "", "sent_at": 0, **more,
        }
    )  # fmt: skip


def sample_document(**changes: Any) -> SupplierDocument:
    return Running(1).document(**changes)


@pytest.mark.parametrize(
    ("question", "answer", "more", "state", "unsure"),
    [
        ("place", Standing("delivered"), {}, "delivered", False),
        ("place", Standing("accepted"), {}, "accepted", False),
        ("place", Standing("refused"), {}, "refused", False),
        ("place", Declined("no"), {}, "refused", False),
        ("place", Declined("no"), {"unsure": True}, "dead", True),
        ("place", TryLater("busy"), {}, "queued", False),
        ("place", TryLater("busy"), {"unsure": True}, "unknown", True),
        ("place", NotKnown("?"), {}, "unknown", True),
        ("place", NotKnown("?"), {"attempts": 99}, "dead", True),
        ("status", Absent(), {"unsure": True, "sent_at": NOW}, "unknown", True),
        ("status", Absent(), {"unsure": True, "sent_at": NOW - HOUR}, "queued", False),
        ("status", Absent(), {"state": "accepted"}, "dead", True),
        ("status", NotKnown("?"), {"state": "accepted"}, "accepted", False),
        ("status", Declined("unsupported"), {"state": "accepted"}, "accepted", False),
        ("cancel", Standing("cancelled"), {}, "cancelled", False),
        ("cancel", Standing("delivered"), {}, "delivered", False),
        ("cancel", Declined("late"), {"state": "accepted"}, "accepted", False),
        ("cancel", Absent(), {"sent_at": NOW}, "unknown", True),
    ],
)
def test_what_each_answer_makes_of_a_dispatch(
    question: Any, answer: Any, more: dict[str, Any], state: str, unsure: bool
) -> None:
    found = judged(message(**more), question, answer, sample_document(), now=NOW, chance=Random(1))
    assert (found.state, found.unsure) == (state, unsure)
    if state in ("queued", "unknown"):
        assert found.next_at >= NOW


def test_units_are_sealed_for_their_request_alone(stage: Stage) -> None:
    stage.enqueue(order_id=11)
    stage.enqueue(order_id=12)
    stage.run()
    stage.connection.execute(
        "update dispatch set units = (select units from dispatch where order_id = 11) where order_id = 12"
    )
    with pytest.raises(Exception, match="cannot be read"):
        dispatch.units_of(stage.connection, 12)
    assert isinstance(dispatch.units_of(stage.connection, 11)[0][0], Unit)
    stage.connection.rollback()


def test_a_late_answer_does_not_undo_what_was_recorded_since(stage: Stage) -> None:
    order_id = stage.enqueue()
    stage.sample.behave("later", seconds=0)
    with asleep(stage):
        stage.now += forwarding.lease_s(stage.configured.document) * SECOND
        stage.sample.behave("pending", seconds=60)
        stage.run()
    assert stage.sight(order_id).state == "accepted"


# --- planted faults: each is one that a reader of the code could make, and none goes unseen ----------------


def id_watermark(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken is what has a higher number than the last that was taken."""
    behind = "and dispatch_id > (select coalesce(max(dispatch_id), 0) from dispatch where attempts > 0)"
    monkeypatch.setattr(
        dispatch, "CLAIM", dispatch.CLAIM.replace("  order by next_at", f"  {behind}\n  order by next_at")
    )


def new_request_id_on_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sending has a name of its own."""
    ask = forwarding.ask

    def renamed(supplier: Any, found: Dispatch, document: SupplierDocument) -> Any:
        name = f"{found.request_id}-{found.attempts}"
        other = msgspec.structs.replace(found.order, request_id=name)
        return ask(supplier, msgspec.structs.replace(found, order=other), document)

    monkeypatch.setattr(forwarding, "ask", renamed)


def fulfilled_before_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent is taken to be delivered."""
    judge = dispatch.judged

    def hopeful(found: Dispatch, asked: Any, answer: Any, *arguments: Any, **named: Any) -> dispatch.Step:
        if isinstance(answer, NotKnown):
            answer = Standing("delivered")
        return judge(found, asked, answer, *arguments, **named)

    monkeypatch.setattr(forwarding, "judged", hopeful)


def a_no_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the first question was answered is not looked at."""
    judge = dispatch.judged

    def forgetful(found: Dispatch, *arguments: Any, **named: Any) -> dispatch.Step:
        return judge(msgspec.structs.replace(found, unsure=False), *arguments, **named)

    monkeypatch.setattr(forwarding, "judged", forgetful)


def no_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has an answer records it."""
    monkeypatch.setattr(
        dispatch, "RECORD", dispatch.RECORD.replace("and token = %(token)s", "and %(token)s > 0")
    )


def taken_without_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken by one is not kept from another."""
    monkeypatch.setattr(
        dispatch,
        "CLAIM",
        dispatch.CLAIM.replace("(claimed_until is null or claimed_until <= %(now)s)", "true"),
    )


@pytest.mark.parametrize(
    ("plant", "test"),
    [
        (id_watermark, test_a_message_that_is_committed_late_is_sent_all_the_same),
        (new_request_id_on_retry, lambda stage: one_order_after(stage, "lost")),
        (fulfilled_before_success, lambda stage: one_order_after(stage, "dropped")),
        (a_no_is_a_no, test_a_no_to_a_repeated_question_is_no_answer_to_the_first),
        (no_fence, test_a_late_answer_does_not_undo_what_was_recorded_since),
        (taken_without_a_lock, test_a_worker_that_wakes_late_writes_nothing),
    ],
)
def test_planted_faults_are_caught(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, plant: Any, test: Any
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test(stage)


def one_order_after(stage: Stage, does: str) -> None:
    """However often it is sent, it is one order there, and it is fulfilled when it is there."""
    stage.sample.behave(does)
    order_id = stage.enqueue()
    stage.run()
    assert len(stage.at_supplier(order_id)) >= len(stage.orders.fulfilled_)
    stage.run(rounds=3)
    assert len(stage.at_supplier(order_id)) == 1
    assert stage.orders.fulfilled_ == [order_id]


@pytest.mark.parametrize("does", ["lost", "dropped"])
def test_one_order_after(stage: Stage, does: str) -> None:
    one_order_after(stage, does)
