"""One code at many tills at one moment: used as often as it may be, and two faults that this would catch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from palier.activities import batch
from palier.ledger.verify import verify
from palier.site import database
from palier.vouchers import codes, operations, pools
from palier.vouchers.operations import Issued, Presented, Use
from palier.vouchers.pools import NewCode
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused
from tests.activities.program import Connection
from tests.audit.race import deadlocks, together
from tests.vouchers.conftest import Desk

Using = Callable[[Connection, Desk, str, str], None]


def properly(connection: Connection, desk: Desk, code: str, id: str) -> None:
    """A use as every caller makes it."""

    def act() -> Use:
        return operations.use(
            connection, desk.program_id, Presented(code), source="till", id=id, now=desk.now
        )

    batch.attempt(connection, act)  # type: ignore[arg-type]


def read_then_write(connection: Connection, desk: Desk, code: str, id: str) -> None:
    """The fault: how often it was used is read, and written back with one more."""
    key = codes.hashed(codes.read(code))
    row = connection.execute("select uses, max_uses from voucher where code_hash = %s", (key,)).fetchone()
    assert row is not None
    if row[0] >= row[1]:
        connection.rollback()
        raise VoucherRefused(VoucherRefusal.VOUCHER_USED_UP, "used")
    _add_use(connection, desk, key, id)
    connection.execute(
        "update voucher set uses = %s, state = %s where code_hash = %s",
        (row[0] + 1, "used" if row[0] + 1 == row[1] else "active", key),
    )
    connection.commit()


def flag_after_commit(connection: Connection, desk: Desk, code: str, id: str) -> None:
    """The fault: the use is committed, and the voucher marked in a transaction after it."""
    key = codes.hashed(codes.read(code))
    row = connection.execute("select state from voucher where code_hash = %s", (key,)).fetchone()
    assert row is not None
    if row[0] != "active":
        connection.rollback()
        raise VoucherRefused(VoucherRefusal.VOUCHER_USED_UP, "used")
    _add_use(connection, desk, key, id)
    connection.commit()
    time.sleep(0.001)
    connection.execute(
        "update voucher set uses = least(uses + 1, max_uses), state = case when uses + 1 >= max_uses then 'used'"
        " else 'active' end where code_hash = %s",
        (key,),
    )
    connection.commit()


def _add_use(connection: Connection, desk: Desk, key: bytes, id: str) -> None:
    connection.execute(
        "insert into voucher_use select %s, %s, %s, 'till', 'use', '', '', '', now()",
        (key, desk.program_id, id),
    )


def race(desk: Desk, vouchers: list[Issued], tries: int, threads: int, using: Using) -> Counter[str]:
    """Every voucher tried so often, in turn, by all threads together; how often each was used."""

    def job(number: int) -> Callable[[Connection], str]:
        made = vouchers[number % len(vouchers)]

        def run(connection: Connection) -> str:
            try:
                using(connection, desk, made.code, f"t{number}")
            except VoucherRefused as refused:
                return "" if refused.code is VoucherRefusal.VOUCHER_USED_UP else refused.code.value
            return made.voucher_ref

        return run

    served = together([job(number) for number in range(tries * len(vouchers))], threads)
    return Counter(ref for ref in served if ref)


@pytest.mark.parametrize("threads", [2, 8, 32])
@pytest.mark.parametrize("max_uses", [1, 7])
def test_a_code_is_used_as_often_as_it_may_be(desk: Desk, threads: int, max_uses: int) -> None:
    for _ in range(5):
        made = desk.issue(max_uses=max_uses)
        assert race(desk, [made], 40, threads, properly) == {made.voucher_ref: max_uses}


@pytest.mark.parametrize("threads", [8, 32])
def test_two_codes_in_turn(desk: Desk, threads: int) -> None:
    for _ in range(5):
        pair = [desk.issue(max_uses=3), desk.issue(max_uses=3)]
        assert race(desk, pair, 20, threads, properly) == {made.voucher_ref: 3 for made in pair}


@pytest.mark.plants_violation
@pytest.mark.parametrize("fault", [read_then_write, flag_after_commit])
def test_the_race_catches_a_planted_fault(desk: Desk, fault: Using) -> None:
    used = []
    for _ in range(10):
        made = desk.issue()
        used.append(race(desk, [made], 40, 32, fault)[made.voucher_ref])
    assert max(used) > 1, used
    desk.connection.rollback()
    found = {violation.invariant for violation in verify(desk.connection)}
    assert "voucher.uses" in found


def test_one_use_sent_by_many_is_one(desk: Desk) -> None:
    for number in range(10):
        made = desk.issue(max_uses=5)

        def send(connection: Connection, code: str = made.code, id: str = f"t{number}") -> bool:
            def act() -> Use:
                return operations.use(
                    connection, desk.program_id, Presented(code), source="till", id=id, now=desk.now
                )

            used: Use = batch.attempt(connection, act)  # type: ignore[arg-type, assignment]
            return used.replayed

        assert sorted(together([send] * 16, 16)) == [False] + [True] * 15


def test_uses_and_releases_at_once(desk: Desk) -> None:
    """Whatever order they come in, the uses that stand are those that were made and not given back."""
    made = desk.issue(max_uses=10)
    before = deadlocks(desk.connection)

    def use(number: int) -> Callable[[Connection], tuple[str, bool]]:
        def run(connection: Connection) -> tuple[str, bool]:
            try:
                properly(connection, desk, made.code, f"t{number}")
            except VoucherRefused:
                return (f"t{number}", False)
            return (f"t{number}", True)

        return run

    def give_back(number: int) -> Callable[[Connection], tuple[str, bool]]:
        def run(connection: Connection) -> tuple[str, bool]:
            def act() -> Use:
                return operations.release(
                    connection,
                    desk.program_id,
                    made.voucher_ref,
                    source="till",
                    id=f"t{number}",
                    now=desk.now,
                )

            try:
                batch.attempt(connection, act)  # type: ignore[arg-type]
            except VoucherRefused:
                return (f"-t{number}", False)
            return (f"-t{number}", True)

        return run

    jobs = [job(number) for number in range(60) for job in (use, give_back)]
    outcomes = dict(together(jobs, 16))
    standing = sum(outcomes[f"t{n}"] for n in range(60)) - sum(outcomes[f"-t{n}"] for n in range(60))
    row = desk.connection.execute("select uses from voucher").fetchone()
    assert row is not None
    assert row[0] == standing
    assert 0 <= standing <= 10
    desk.connection.commit()
    assert deadlocks(desk.connection) == before


def test_a_use_given_back_while_another_is_refused(desk: Desk) -> None:
    """Used up when it was counted, free when it was looked at why: it is used, or refused with a reason."""
    made = desk.issue()
    desk.use(made.code, "first", source="till")

    class Between:
        """A connection on which the first use is given back right after the count of the second."""

        given_back = False

        def execute(self, statement: str, values: Any) -> Any:
            answer = own.execute(statement, values)
            if statement == operations.COUNT_USE and not self.given_back:
                self.given_back = True
                operations.release(
                    desk.connection,
                    desk.program_id,
                    made.voucher_ref,
                    source="till",
                    id="first",
                    now=desk.now,
                )
                desk.connection.commit()
            return answer

    with closing(database.connect("app")) as own:
        between: Any = Between()
        found = operations.use(
            between, desk.program_id, Presented(made.code), source="till", id="second", now=desk.now
        )
        own.commit()
    assert (found.uses_left, found.replayed, between.given_back) == (0, False, True)


@pytest.mark.parametrize("threads", [8, 32])
def test_a_pools_codes_go_to_one_order_each(desk: Desk, threads: int) -> None:
    pools.create(desk.connection, desk.program_id, "gift", name="Gift", low_at=5, now=desk.now)
    lines = [NewCode(number, f"CODE-{number}") for number in range(50)]
    pools.import_codes(desk.connection, desk.program_id, "gift", lines, now=desk.now)
    desk.connection.commit()

    def take(number: int) -> Callable[[Connection], str]:
        def run(connection: Connection) -> str:
            order = f"order-{number}"
            found = pools.take(connection, desk.program_id, "gift", order, desk.now)
            connection.commit()
            if found is None:
                return ""
            seen = pools.reveal(connection, desk.program_id, order, to="m_1", now=desk.now)
            connection.commit()
            return seen.code

        return run

    taken = [code for code in together([take(n) for n in range(80)], threads) if code]
    assert sorted(taken) == sorted(f"CODE-{number}" for number in range(50))
