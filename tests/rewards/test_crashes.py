"""A step cut off at any of its statements leaves nothing; sent again with the same id, it is done once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest

from palier.activities import batch
from palier.rewards import orders
from palier.rewards.orders import Placed, Wanted
from palier.site import database
from palier.site.exchange import Answer, Exchange
from tests.activities.program import NOW, Connection
from tests.rewards.ordering import ADDRESS, Shelf, reward

BACK = {"cancellable": "until_used"}


class Cut(Exception):
    """The connection was lost."""


@contextlib.contextmanager
def cut_after(connection: Connection, statements: int) -> Iterator[Callable[[], int]]:
    """Closes the connection just before the statement of this number; what tells how many there were."""
    count = 0
    run, together = connection.execute, Exchange.ask

    def one_more() -> None:
        nonlocal count
        count += 1
        if count > statements:
            connection.close()

    def execute(*given: Any, **more: Any) -> Any:
        one_more()
        return run(*given, **more)

    def ask(asked: Exchange, statement: str, parameters: Mapping[str, Any]) -> Answer:
        one_more()
        return together(asked, statement, parameters)

    connection.execute = execute  # type: ignore[method-assign]
    Exchange.ask = ask  # type: ignore[method-assign]
    try:
        yield lambda: count
    finally:
        Exchange.ask = together  # type: ignore[method-assign]


@pytest.fixture
def shelf(connection: Connection) -> Shelf:
    made = Shelf(connection)
    made.put(
        reward("plain", stock=9, giving_back=BACK),
        reward("wash", prices=[], stock=90),
        reward("off", gives={"kind": "amount_off", "amount": "5"}, giving_back=BACK),
        reward(
            "set",
            gives={"kind": "bundle", "rewards": [{"reward": "wash"}, {"reward": "off"}]},
            giving_back=BACK,
        ),
        reward("box", gives={"kind": "mystery", "options": [{"reward": "wash"}, {"reward": "off"}]}),
        reward("sent", gives={"kind": "merchandise"}, stock=9),
    )
    made.member(points=1000)
    return made


Step = Callable[[Connection], Placed]


def place(shelf: Shelf, name: str, id: str, *, confirm: bool) -> Step:
    wanted = Wanted(name, address=orders.addresses.Address(**ADDRESS) if name == "sent" else None)

    def step(connection: Connection) -> Placed:
        return batch.attempt(
            connection,
            lambda: orders.place(
                connection, shelf.runtime, member_id=shelf.members["a"], wanted=wanted, source="shop", id=id,
                confirm=confirm, actor="test", now=NOW,
            ),
        )  # fmt: skip

    return step


def settled(shelf: Shelf, step: Step, again: Callable[[Placed], None]) -> int:
    """Runs a step with its connection cut at each statement in turn, then whole; how many statements it has."""
    statements = 0
    while True:
        before = shelf.rows(), shelf.wallet(), vouchers(shelf)
        with (
            contextlib.closing(database.connect("app")) as connection,
            cut_after(connection, statements) as seen,
        ):
            try:
                again(step(connection))
            except (psycopg.Error, Cut):
                assert (shelf.rows(), shelf.wallet(), vouchers(shelf)) == before, f"cut at {statements}"
                statements += 1
                continue
            assert seen() <= statements
            return statements


def vouchers(shelf: Shelf) -> int:
    row = shelf.connection.execute("select count(*) from voucher").fetchone()
    shelf.connection.rollback()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("name", ["set", "box"])
def test_placing_is_whole_or_not_at_all(shelf: Shelf, name: str) -> None:
    placed: list[Placed] = []
    step = place(shelf, name, f"one-{name}", confirm=True)
    assert settled(shelf, step, placed.append) > 10
    repeated = step(shelf.connection)
    assert repeated.replayed
    assert repeated.order.order_id == placed[0].order.order_id
    assert shelf.wallet()[0] == 990


@pytest.mark.parametrize("name", ["set"])
def test_confirming_is_whole_or_not_at_all(shelf: Shelf, name: str) -> None:
    order = place(shelf, name, f"two-{name}", confirm=False)(shelf.connection).order

    def step(connection: Connection) -> Placed:
        return batch.attempt(
            connection,
            lambda: orders.confirm(
                connection, shelf.runtime, order.member_id, order.order_id, actor="test", now=NOW
            ),
        )

    settled(shelf, step, lambda placed: None)
    assert shelf.order(order).state == ("fulfilling" if name == "sent" else "done")
    assert shelf.wallet() == ((990, 10) if name == "sent" else (990, 0))


@pytest.mark.parametrize(("name", "step"), [("set", "cancel"), ("sent", "fulfil")])
def test_later_steps_are_whole_or_not_at_all(shelf: Shelf, name: str, step: str) -> None:
    order = place(shelf, name, f"three-{name}", confirm=True)(shelf.connection).order
    more: dict[str, Any] = {
        "cancel": {},
        "fail": {"reason": "x"},
        "fulfil": {"by": "staff", "given": {}},
        "refund": {"units": None, "reason": "x"},
    }[step]
    operation = getattr(orders, step)

    def run(connection: Connection) -> Placed:
        found: Placed = batch.attempt(
            connection,
            lambda: operation(
                connection, shelf.runtime, order.member_id, order.order_id, actor="test", now=NOW, **more
            ),
        )
        return found

    settled(shelf, run, lambda placed: None)
    assert shelf.wallet() == ((990, 0) if step == "fulfil" else (1000, 0))
