"""A small published program with rewards on its shelf, members with points, and orders of them."""

from __future__ import annotations

from typing import Any

import msgspec

from palier.activities import batch
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY
from palier.engine.facts import Fact
from palier.engine.program import Program
from palier.rewards import operations, orders
from palier.rewards.document import Reward
from palier.rewards.order_store import Item, Order
from palier.rewards.orders import Placed, Wanted
from tests.activities.program import BEGINNING, NOW, Connection, line, member, program, published

TEXT = {"en": "It", "fr": "Cela"}
ADDRESS = {"name": "N", "lines": ["1 rue X"], "postcode": "75001", "city": "Paris", "country": "FR"}


def reward(key: str = "mug", **more: Any) -> dict[str, Any]:
    """The document of a service for ten stars: whatever a test needs beside is given."""
    return {
        "key": key,
        "name": TEXT,
        "gives": {"kind": "service", "uses": 2},
        "prices": [{"points": {"stars": "10"}}],
        **more,
    }


def put(connection: Connection, runtime: Runtime, *documents: dict[str, Any], at: int = BEGINNING) -> None:
    """Puts rewards on the shelf, or the next version of those that are there."""
    for document in documents:
        operations.put(
            connection, runtime, msgspec.convert(document, Reward), by="test", reason="a test", now=at
        )
    connection.commit()


class Shelf:
    """A published program, its members by card, and what they order."""

    def __init__(self, connection: Connection, document: Program | None = None) -> None:
        self.connection = connection
        self.runtime = published(connection, document or program())
        self.members: dict[str, int] = {}
        self.sent = 0

    def put(self, *documents: dict[str, Any], at: int = BEGINNING) -> None:
        put(self.connection, self.runtime, *documents, at=at)

    def member(self, card: str = "a", points: int = 100, *, at: int = NOW - DAY) -> int:
        """A new member who earned these points by one sale."""
        self.members[card] = member(self.connection, self.runtime.program_id, card)
        if points:
            fact = Fact("till", f"first-{card}", "sale", at, points * 100)
            found = batch.apply(self.connection, self.runtime, [line(fact, card)], now=NOW)
            assert found[0].status == "applied", found
        return self.members[card]

    def place(
        self,
        reward: str = "mug",
        card: str = "a",
        *,
        id: str | None = None,
        confirm: bool = False,
        now: int = NOW,
        connection: Connection | None = None,
        **wanted: Any,
    ) -> Placed:
        """An order of a member, committed."""
        self.sent += 1
        own = id or f"order-{self.sent}"
        asked = msgspec.convert({"reward": reward, **wanted}, Wanted)
        using = connection or self.connection
        return batch.attempt(
            using,
            lambda: orders.place(
                using, self.runtime, member_id=self.members[card], wanted=asked, source="shop", id=own,
                confirm=confirm, actor="test", now=now,
            ),
        )  # fmt: skip

    def step(
        self, name: str, order: Order, *, now: int = NOW, connection: Connection | None = None, **more: Any
    ) -> Placed:
        """A step of an order, by the name of its operation, committed."""
        using = connection or self.connection
        operation = getattr(orders, name)
        found: Placed = batch.attempt(
            using,
            lambda: operation(
                using, self.runtime, order.member_id, order.order_id, actor="test", now=now, **more
            ),
        )
        return found

    def order(self, order: Order) -> Order:
        """An order as it is stored."""
        found = orders.find(self.connection, self.runtime, order.member_id, order.order_id)
        self.connection.rollback()
        return found

    def items(self, order: Order) -> list[Item]:
        """What a member holds from an order."""
        found = orders.order_store.items(self.connection, order.member_id, [order.order_id])
        self.connection.rollback()
        return found[order.order_id]

    def wallet(self, card: str = "a", currency: str = "stars") -> tuple[int, int]:
        """(spendable, held) of a member."""
        row = self.connection.execute(
            "select posted - held, held from wallet where member_id = %s and currency = %s",
            (self.members[card], currency),
        ).fetchone()
        self.connection.rollback()
        return (row[0], row[1]) if row is not None else (0, 0)

    def stock(self, key: str = "mug") -> tuple[int | None, int, int]:
        """(total, held, sold) of a row of stock."""
        row = self.connection.execute(
            "select total, held, sold from reward_stock where key = %s and program_id = %s",
            (key, self.runtime.program_id),
        ).fetchone()
        self.connection.rollback()
        return (row[0], row[1], row[2]) if row is not None else (None, 0, 0)

    def rows(self) -> dict[str, int]:
        """How many rows the tables of effects have."""
        found = {}
        for table in ("activity", "transfer", "activity_claim", "reward_order", "order_event", "order_claim",
                      "reward_item", "reward_stock", "order_address"):  # fmt: skip
            row = self.connection.execute(f"select count(*) from {table}").fetchone()
            assert row is not None
            found[table] = row[0]
        self.connection.rollback()
        return found
