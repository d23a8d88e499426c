"""A program with the sample supplier, its dispatches, and a clock that moves when it is told to."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from psycopg import Connection

from palier.connectors.suppliers.contract import Order, Standing
from palier.connectors.suppliers.sample import TOKEN
from palier.engine.clock import HOUR
from palier.rewards import dispatch, suppliers
from palier.rewards.dispatch import Dispatch
from palier.rewards.forwarding import Courier
from palier.site import database
from tests.activities.program import NOW, program, published
from tests.connectors.sample_supplier import Running

BOOKS = "CARD-BOOKS-10"
_numbers = itertools.count(1_000)


def fresh() -> int:
    """An order's id that the sample supplier has not seen."""
    return next(_numbers)


@dataclass
class Noted:
    """Orders that only note what becomes of them."""

    fulfilled_: list[int] = field(default_factory=list)
    failed_: list[tuple[int, bool, str]] = field(default_factory=list)
    problem: str = ""

    def address(self, connection: Connection[Any], dispatch: Dispatch) -> dict[str, str]:
        return {"name": "Somebody", "city": "Nîmes", "country": "FR"}

    def lock(self, connection: Connection[Any], dispatch: Dispatch) -> None:
        connection.execute("select 1")

    def fulfilled(
        self, connection: Connection[Any], dispatch: Dispatch, standing: Standing, *, now: int
    ) -> str:
        self.fulfilled_.append(dispatch.order_id)
        return self.problem

    def failed(
        self, connection: Connection[Any], dispatch: Dispatch, *, cancelled: bool, reason: str, now: int
    ) -> None:
        self.failed_.append((dispatch.order_id, cancelled, reason))


class Stage:
    """A program with the sample supplier, dispatches for it, and a clock that moves when it is told to."""

    def __init__(self, connection: Connection[Any], sample: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connection = connection
        self.sample = sample
        self.program_id = published(connection, program()).program_id
        self.now = NOW
        self.orders = Noted()
        monkeypatch.setenv("PALIER_SUPPLIER_SAMPLE_TOKEN", TOKEN)
        self.set_up()

    def set_up(self, **changes: Any) -> None:
        suppliers.put(
            self.connection, self.program_id, self.sample.document(**changes), by="test", now=self.now
        )
        self.connection.commit()
        self.configured = suppliers.needed(self.connection, self.program_id, "sample")
        self.connection.commit()

    def enqueue(self, order_id: int | None = None, part: int = 0, sent: bool = False, **more: Any) -> int:
        order_id = order_id or fresh()
        dispatch.enqueue(
            self.connection,
            self.program_id,
            member_id=1,
            order_id=order_id,
            part=part,
            supplier="sample",
            order=Order(**{"request_id": "", "sku": BOOKS, **more}),
            now=self.now,
            sent=sent,
        )
        self.connection.commit()
        return order_id

    def courier(self, supplier: Any = None) -> Courier:
        return Courier(
            self.configured,
            lambda: database.connect("app"),
            self.orders,
            supplier=supplier or self.sample.supplier(**self.changes()),
            now=lambda: self.now,
        )

    def changes(self) -> dict[str, Any]:
        kept: dict[str, Any] = msgspec.to_builtins(self.configured.document)
        return {**kept, "base_url": f"http://127.0.0.1:{self.sample.port}/v1"}

    def run(self, rounds: int = 1, step: int = HOUR) -> None:
        """Has a courier run, so many times with time between."""
        for number in range(rounds):
            self.now += step if number else 0
            self.courier().run()

    def sight(self, order_id: int) -> dispatch.Sight:
        found = dispatch.of_orders(self.connection, [order_id])[order_id]
        self.connection.commit()
        return found[0]

    def at_supplier(self, order_id: int) -> list[dict[str, Any]]:
        return [found for found in self.sample.orders() if found["reference"].split("-")[0] == str(order_id)]
