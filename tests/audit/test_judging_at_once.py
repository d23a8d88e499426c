"""Publishing, rating again and freezing while activities arrive: nothing is decided by what no longer holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec
import pytest

from palier.activities import batch, operations, rerate
from palier.activities.runtime import runtime
from palier.engine.clock import MINUTE
from palier.engine.program import Program
from palier.members.operations import set_status
from palier.programs.operations import publish, rerate_judging
from palier.site import database
from tests.activities.program import BEGINNING, NOW, Connection
from tests.audit.race import Stage, transferable

PATIENCE_S = 30.0


@pytest.fixture
def stage(connection: Connection) -> Stage:
    return Stage(connection)


def twice_as_many() -> Program:
    """The next version: two stars a euro."""
    before = transferable()
    rule = {"key": "base", "name": {"en": "Two stars a euro", "fr": "Deux étoiles par euro"}, "on": "sale",
            "currency": "stars", "per_spend": {"points": "2", "every": "1"}}  # fmt: skip
    return msgspec.convert({**msgspec.to_builtins(before), "rules": [rule]}, Program)


class Beside:
    """Something that runs on a thread and a connection of its own."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.answer: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Connection], Any]) -> None:
        try:
            with closing(database.connect("app")) as connection:
                self.answer = work(connection)
        except BaseException as error:
            self.error = error

    def ends_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> Any:
        assert self.ends_within(PATIENCE_S), "it does not come back"
        if self.error is not None:
            raise self.error
        return self.answer


def judge_again(connection: Connection) -> None:
    """Lets the second version judge everything, and posts the differences."""
    rerate_judging(
        connection, "shop", from_at=BEGINNING, until_at=None, version=2, now=NOW, reason="promised earlier"
    )
    connection.commit()
    judged = runtime(connection, "shop")
    assert judged is not None
    connection.rollback()
    rerate.rerate(connection, judged, BEGINNING, now=NOW, post=True)


def test_rating_again_finds_a_batch_that_judged_by_the_old_version(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch has read what judges and nothing more when rating again begins; its member is new to it."""
    publish(stage.connection, twice_as_many(), now=NOW + MINUTE, published_by="test")
    stage.connection.commit()
    stage.runtime = runtime(stage.connection, "shop") or stage.runtime
    stage.connection.rollback()
    stage.member("old", points=10)
    stage.member("new")
    reached, go_on = threading.Event(), threading.Event()
    look = batch._Batch.look

    def pausing(self: Any) -> None:
        if threading.current_thread() is sale._thread:
            reached.set()
            assert go_on.wait(PATIENCE_S)
        look(self)

    monkeypatch.setattr(batch._Batch, "look", pausing)
    sale = Beside(stage.sale("s1", "new", 10, at=NOW - MINUTE))
    assert reached.wait(PATIENCE_S)
    again = Beside(judge_again)
    assert not again.ends_within(0.5), "rating again did not wait for a batch under way"
    go_on.set()
    assert sale.result().status == "applied"
    again.result()
    stage.runtime = runtime(stage.connection, "shop") or stage.runtime
    assert (stage.spendable("old"), stage.spendable("new")) == (20, 20)
    stage.sound()


def test_what_was_read_before_a_publication_is_judged_by_it(stage: Stage) -> None:
    """The sender's side still holds the program as it was when it read the activity."""
    stage.member("a")
    publish(stage.connection, twice_as_many(), now=NOW - MINUTE, published_by="test")
    stage.connection.commit()
    assert len(stage.runtime.stored.documents) == 1
    assert Beside(stage.sale("s1", "a", 10)).result().version == 2
    stage.runtime = runtime(stage.connection, "shop") or stage.runtime
    assert stage.spendable("a") == 20
    stage.sound()


def test_sales_that_arrive_while_all_is_rated_again(stage: Stage) -> None:
    """Batches by whatever they knew, rating again among them: in the end all is as the second version says."""
    publish(stage.connection, twice_as_many(), now=NOW + MINUTE, published_by="test")
    stage.connection.commit()
    stage.runtime = runtime(stage.connection, "shop") or stage.runtime
    stage.connection.rollback()
    cards = [f"c{number}" for number in range(40)]
    for card in cards:
        stage.member(card)

    def send(mine: list[str]) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            for card in mine:
                assert stage.sale(f"s-{card}", card, 10, at=NOW - MINUTE)(connection).status == "applied"

        return work

    senders = [Beside(send(cards[first::4])) for first in range(4)]
    again = Beside(judge_again)
    for sender in senders:
        sender.result()
    again.result()
    stage.runtime = runtime(stage.connection, "shop") or stage.runtime
    assert {card: stage.spendable(card) for card in cards} == dict.fromkeys(cards, 20)
    stage.sound()


def test_who_was_frozen_while_a_redemption_waited_spends_nothing(stage: Stage) -> None:
    """The redemption waits for the member's lock; whoever holds it freezes the member."""
    member_id = stage.member("a", points=50)
    operations.lock_member(stage.connection, member_id)
    redemption = Beside(stage.redeem("r1", "a", 20))
    assert not redemption.ends_within(0.5)
    set_status(stage.connection, stage.runtime.program_id, member_id, "frozen")
    stage.connection.commit()
    result = redemption.result()
    assert result.refusal is not None
    assert result.refusal.code.value == "member_not_active"
    assert stage.spendable("a") == 50
    set_status(stage.connection, stage.runtime.program_id, member_id, "active")
    stage.connection.commit()
    assert stage.redeem("r1", "a", 20)(stage.connection).status == "applied"
    stage.sound()
