"""Staff who look at members: logged once in a shift, and not at many in an hour."""

from __future__ import annotations

import pytest

from palier.activities import freezing
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime
from palier.engine.clock import HOUR
from palier.members import lookups, queries, refs
from palier.members.operations import set_status
from palier.staff.approvals import Person
from palier.staff.throttle import Throttled
from tests.activities.program import NOW, Connection, member, program, published

NADIA = Person("staff:7", "Nadia", "operator")
OMAR = Person("staff:8", "Omar", "operator")


@pytest.fixture
def shop(connection: Connection) -> Runtime:
    return published(connection, program())


def logged(connection: Connection) -> list[tuple[str, str, str, str]]:
    rows = connection.execute(
        "select actor, action, object, reason from audit_log where action like 'member.%' order by seq"
    ).fetchall()
    connection.rollback()
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def test_each_look_is_logged_once_in_a_shift(connection: Connection, shop: Runtime) -> None:
    """Finding somebody is looking at him; another person's look, and one of the next shift, are looks of their own."""
    lookups.find(connection, shop.program_id, None, "email", by=NADIA, now=NOW)
    lookups.find(connection, shop.program_id, 5, "email", by=NADIA, now=NOW)
    for who, when in ((NADIA, NOW), (NADIA, NOW + HOUR), (OMAR, NOW), (NADIA, NOW + 9 * HOUR)):
        lookups.look(connection, shop.program_id, 5, by=who, now=when)
    assert logged(connection) == [
        ("staff:7", "member.find", "nobody", "email"),
        ("staff:7", "member.find", refs.encode(5), "email"),
        ("staff:8", "member.look", refs.encode(5), ""),
        ("staff:7", "member.look", refs.encode(5), ""),
    ]


def test_nobody_looks_at_many(connection: Connection, shop: Runtime) -> None:
    """In vain or not, found or opened: beyond the most of an hour neither works, but who was seen stays to be seen."""
    for number in range(lookups.MOST_AN_HOUR):
        if number % 2:
            lookups.look(connection, shop.program_id, number, by=NADIA, now=NOW)
        else:
            lookups.find(connection, shop.program_id, None, "card", by=NADIA, now=NOW)
    for _ in range(2):
        with pytest.raises(Throttled):
            lookups.look(connection, shop.program_id, 999, by=NADIA, now=NOW)
        with pytest.raises(Throttled):
            lookups.find(connection, shop.program_id, None, "card", by=NADIA, now=NOW)
    lookups.look(connection, shop.program_id, 1, by=NADIA, now=NOW)
    lookups.look(connection, shop.program_id, 999, by=OMAR, now=NOW)
    assert len(logged(connection)) == lookups.MOST_AN_HOUR + 1
    lookups.look(connection, shop.program_id, 999, by=NADIA, now=NOW + HOUR)


def test_freezing_changes_a_member_and_nothing_of_the_ledger(connection: Connection, shop: Runtime) -> None:
    one = member(connection, shop.program_id, "c1")

    def freeze(frozen: bool) -> bool:
        done = freezing.set_frozen(connection, shop, one, frozen, reason="card lost", by=NADIA, now=NOW)
        connection.commit()
        return done

    before = connection.execute("select state, decided_at from progress").fetchall()
    assert [freeze(True), freeze(True), freeze(False), freeze(False)] == [True, False, True, False]
    assert connection.execute("select state, decided_at from progress").fetchall() == before
    ref = refs.encode(one)
    assert logged(connection) == [
        ("staff:7", "member.freeze", ref, "card lost"),
        ("staff:7", "member.unfreeze", ref, "card lost"),
    ]
    set_status(connection, shop.program_id, one, "erased")
    with pytest.raises(NotDone):
        freeze(True)


def test_identities_are_known_by_kind_alone(connection: Connection, shop: Runtime) -> None:
    one = member(connection, shop.program_id, "c1")
    found = queries.identities(connection, shop.program_id, one)
    assert [item.kind for item in found] == ["card"]
    assert queries.identities(connection, shop.program_id + 1, one) == []
    assert queries.taken_over(connection, shop.program_id, one) == []
