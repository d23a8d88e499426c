"""Calls of the API and work of the worker, several at once: one Idempotency-Key, one seal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from palier.ledger import seal
from palier.ledger.verify import verify
from palier.staff import session
from tests.activities.program import NOW, Connection
from tests.api.shop import Answered, Shop
from tests.audit.race import Stage, together


@pytest.fixture
def shop(scene: Callable[[Callable[[], Shop]], Shop]) -> Shop:
    return scene(Shop)


def test_one_idempotency_key_at_once_does_one_thing(shop: Shop) -> None:
    """Some are told that it is being worked on, all others get the one answer; another body is refused."""
    member = shop.enrol()
    shop.sale(member, "100")

    def call(points: str, key: str) -> Answered:
        try:
            body = {"member": member, "currency": "stars", "points": points}
            return shop.call("POST", "/redemptions", body, idempotency=key)
        finally:
            session.close()

    for number in range(8):
        answers = together([lambda inner, key=f"k{number}": call("5", key)] * 12, 12)  # type: ignore[misc]
        counted = Counter(answer.status for answer in answers)
        assert set(counted) <= {201, 409}
        done = [answer for answer in answers if answer.status == 201]
        assert len({answer.content for answer in done}) == 1
        assert sum("Idempotency-Replayed" not in answer.headers for answer in done) == 1
        assert all(answer.headers["Retry-After"] for answer in answers if answer.status == 409)
        again = call("5", f"k{number}")
        assert (again.status, again.content) == (201, done[0].content)
        call("6", f"k{number}").problem(422, "idempotency_key_reused")
    assert shop.wallet(member)["spendable"] == "60.00"


def test_several_sealers_seal_each_transfer_once(connection: Connection) -> None:
    stage = Stage(connection)
    for number in range(30):
        stage.member(f"s{number}", points=10)

    def work(inner: Connection) -> int:
        sealed = 0
        while count := seal.seal(inner, now=datetime.now(UTC)):
            inner.commit()
            sealed += count
        inner.rollback()
        return sealed

    def earn(number: int) -> object:
        return lambda inner: stage.sale(f"more-{number}", f"s{number}", 5, at=NOW)(inner) and 0

    jobs = [
        work,
        *(earn(number) for number in range(15)),
        work,
        *(earn(number) for number in range(15, 30)),
        work,
    ]
    together(jobs, 6)  # type: ignore[arg-type]
    work(connection)
    row = connection.execute("select count(*) from seal_queue").fetchone()
    assert row == (0,)
    row = connection.execute("select sum(rows), max(last_seq) from block").fetchone()
    moved = connection.execute("select count(*), 2 * count(*) from transfer").fetchone()
    assert row == moved == (60, 120)
    connection.rollback()
    assert verify(connection) == []
