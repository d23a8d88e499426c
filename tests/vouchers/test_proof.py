"""Every invariant of vouchers and pools finds the violation planted for it, and a sound room has none."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from palier.ledger.verify import verify
from palier.vouchers import operations, pools, proof
from palier.vouchers.pools import NewCode
from tests.vouchers.conftest import Desk

PLANTED: dict[str, list[str]] = {
    "voucher.uses": ["delete from voucher_use where external_id = 't1'"],
    "voucher.within_max_uses": [
        "alter table voucher drop constraint voucher_uses_in_bounds, drop constraint voucher_used_has_none_left",
        "update voucher set uses = max_uses + 1 where state = 'used'",
    ],
    "voucher.state": [
        "alter table voucher drop constraint voucher_active_has_some_left",
        "update voucher set state = 'active' where state = 'used'",
    ],
    "voucher.release_of_a_use": ["delete from voucher_use where external_id = 't2' and kind = 'use'"],
    "pool.imported": ["delete from pool_code where state = 'free'"],
    "pool.code_of_a_pool": ["update pool_code set pool_id = 7 where state = 'free'"],
    "pool.code_state": [
        "alter table pool_code drop constraint pool_code_taken_names_order",
        "update pool_code set state = 'free' where state = 'taken'",
    ],
}


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A room in which everything has happened once."""
    once, twice = desk.issue(), desk.issue(max_uses=2)
    desk.use(once.code, "t1")
    desk.use(twice.code, "t2")
    operations.release(
        desk.connection, desk.program_id, twice.voucher_ref, source="till-3", id="t2", now=desk.now
    )
    pools.create(desk.connection, desk.program_id, "gift", name="Gift", low_at=1, now=desk.now)
    lines = [NewCode(number, f"C{number}") for number in range(3)]
    pools.import_codes(desk.connection, desk.program_id, "gift", lines, now=desk.now)
    for order in ("o1", "o2"):
        assert pools.take(desk.connection, desk.program_id, "gift", order, desk.now)
    pools.reveal(desk.connection, desk.program_id, "o1", to="m_1", now=desk.now)
    desk.connection.commit()
    return desk


def test_every_invariant_has_a_planted_violation() -> None:
    assert set(PLANTED) == set(proof.INVARIANTS)


def test_a_sound_room_has_none(busy: Desk) -> None:
    assert verify(busy.connection) == []
    assert verify(busy.connection, "shop") == []


@pytest.mark.plants_violation
@pytest.mark.parametrize("invariant", PLANTED)
def test_a_planted_violation_is_found(
    busy: Desk, superuser_connection: psycopg.Connection[tuple[Any, ...]], invariant: str
) -> None:
    superuser_connection.execute("set session_replication_role = replica")
    for statement in PLANTED[invariant]:
        superuser_connection.execute(statement)
    superuser_connection.execute("insert into program values (2, 'other', now())")
    for program in (None, "shop"):
        found = verify(busy.connection, program)
        assert invariant in {violation.invariant for violation in found}
    # A code without its pool belongs to nobody else either.
    assert verify(busy.connection, "other") == []


def test_uses_cannot_be_changed(desk: Desk, owner_connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    made = desk.issue()
    desk.use(made.code, "t1")
    for connection in (desk.connection, owner_connection):
        for statement in ("update voucher_use set at = now()", "delete from voucher_use"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()
