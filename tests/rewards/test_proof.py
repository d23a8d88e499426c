"""Every invariant of orders and stock has a planted violation that `palier verify` names."""

from __future__ import annotations

import pytest

from palier.engine.clock import DAY, moment
from palier.ledger.verify import verify
from palier.rewards.proof import INVARIANTS
from tests.activities.program import NOW, Connection
from tests.rewards.ordering import Shelf, reward

PLANTS = {
    "stock.held": "update reward_stock set held = held + 1 where key = 'mug'",
    "stock.sold": "update reward_stock set sold = sold - 1 where key = 'mug'",
    "stock.within": "alter table reward_stock drop constraint reward_stock_not_oversold;"
    " update reward_stock set total = 1 where key = 'mug'",
    "stock.waiting": "update reward_stock set waiting = 0 where key = 'spa@one'",
    "order.points": "update reward_order set points = replace(points::text, '\"points\":10', '\"points\":9')::json",
    "order.standing": "update hold set state = 'released' where state = 'open'",
    "order.items": "update reward_item set state = 'void'",
    "order.events": "update reward_order set state = 'failed', stock_held = '{}', points = '[]'"
    " where state = 'reserved'",
    "order.claim": "delete from order_claim",
}


@pytest.fixture
def shelf(connection: Connection) -> Shelf:
    """An order that is done, one reserved, one that waits."""
    made = Shelf(connection)
    slot = {
        "key": "one", "starts_at": moment(NOW + DAY).isoformat(), "ends_at": moment(NOW + 2 * DAY).isoformat(),
        "capacity": 1,
    }  # fmt: skip
    made.put(reward(stock=5), reward("spa", gives={"kind": "experience", "waiting_list": True}, slots=[slot]))
    made.member()
    made.member("b")
    made.place(confirm=True, quantity=2)
    made.place()
    made.place("spa", slot="one")
    made.place("spa", "b", slot="one", wait=True)
    return made


@pytest.mark.plants_violation
@pytest.mark.parametrize("name", sorted(INVARIANTS))
def test_what_breaks_it_is_named(shelf: Shelf, superuser_connection: Connection, name: str) -> None:
    assert verify(shelf.connection) == []
    shelf.connection.rollback()
    superuser_connection.execute("set session_replication_role = replica")
    for statement in PLANTS[name].split(";"):
        superuser_connection.execute(statement)
    found = {violation.invariant for violation in verify(shelf.connection)}
    shelf.connection.rollback()
    assert name in found
