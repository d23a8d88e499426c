"""Guessing: counted before it is looked up, refused past the limits, and nobody else's trouble."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest

from palier.engine.clock import MINUTE
from palier.staff import throttle
from palier.staff.throttle import Limit, Throttled
from palier.vouchers import codes, guesses, operations
from palier.vouchers.guesses import Caller
from palier.vouchers.operations import Presented
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused
from tests.activities.program import Connection
from tests.audit.race import together
from tests.vouchers.conftest import Desk

HOUR = 60 * MINUTE


def attempt(
    connection: Connection, desk: Desk, caller: Caller, code: str, *, now: int = 0, pin: str = ""
) -> str:
    """What came of checking a code: found, the refusal's code, or throttled."""

    def look() -> str:
        found = operations.check(connection, desk.program_id, Presented(code, pin=pin), now=now or desk.now)
        return f"found {found.voucher_ref}"

    try:
        return guesses.guarded(connection, caller, code, look, now=now or desk.now)
    except VoucherRefused as refused:
        return refused.code.value
    except Throttled:
        return "throttled"


def wrong() -> str:
    return codes.new_code(codes.PROVEN)


def caller(desk: Desk, key: str = "key", actor: str = "till-1") -> Caller:
    return Caller(desk.program_id, key, actor)


def test_the_counters_wait_for_no_disk(connection: Connection) -> None:
    limit = Limit("s", 5, HOUR)
    throttle._add(connection, [limit], HOUR)
    assert connection.execute("show synchronous_commit").fetchone() == ("off",)
    connection.commit()
    assert connection.execute("show synchronous_commit").fetchone() != ("off",)


def test_a_limit_counts_in_all_scopes_or_none(connection: Connection) -> None:
    wide, narrow = Limit("b", 10, HOUR), Limit("a", 2, HOUR)
    for _ in range(2):
        throttle.take(connection, [wide, narrow], now=HOUR)
    with pytest.raises(Throttled) as error:
        throttle.take(connection, [wide, narrow], now=HOUR + 60_000_000)
    assert error.value.wait_s == 3_540
    rows = connection.execute("select scope, taken from throttle order by scope").fetchall()
    assert rows == [("a", 2), ("b", 2)]
    connection.rollback()
    # Its window begins anew with the first try after it.
    taken = throttle.take(connection, [wide, narrow], now=2 * HOUR)
    assert connection.execute("select distinct taken from throttle").fetchall() == [(1,)]
    connection.rollback()
    throttle.give_back(connection, taken)
    assert connection.execute("select distinct taken from throttle").fetchall() == [(0,)]
    connection.rollback()
    # What was counted in a window that has ended is not given back to the next.
    again = throttle.take(connection, [wide], now=2 * HOUR)
    throttle.take(connection, [wide], now=3 * HOUR)
    throttle.give_back(connection, again)
    assert connection.execute("select taken from throttle where scope = 'b'").fetchone() == (1,)
    assert throttle.drop_ended(connection, now=4 * HOUR) == 2
    connection.commit()


@pytest.mark.parametrize("threads", [8, 32])
def test_no_more_than_the_limit_are_counted_however_many_try_at_once(desk: Desk, threads: int) -> None:
    limits = [Limit("one", 5, HOUR), Limit("two", 1_000, HOUR)]

    def job(connection: Connection) -> bool:
        try:
            throttle.take(connection, limits, now=desk.now)
        except Throttled:
            return False
        return True

    assert Counter(together([job] * 500, threads)) == {True: 5, False: 495}


def test_a_limit_that_reads_first_is_caught(desk: Desk) -> None:
    """The fault: the count is read, and written afterwards. The test above would see it."""

    def job(connection: Connection) -> bool:
        row = connection.execute("select taken from throttle where scope = 'one'").fetchone()
        if row is not None and row[0] >= 5:
            connection.rollback()
            return False
        throttle.count(connection, Limit("one", 5, HOUR), now=desk.now)
        return True

    assert sum(together([job] * 500, 32)) > 5


def test_a_scope_seen_full_is_not_asked_about_for_a_moment(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now)
    limit = Limit("s", 1, HOUR)
    taken = throttle.take(connection, [limit], now=HOUR)

    def refused(at: int = HOUR) -> bool:
        try:
            throttle.give_back(connection, throttle.take(connection, [limit], now=at))
        except Throttled:
            return True
        return False

    assert refused()
    throttle.give_back(connection, taken)
    assert refused()
    # Not beyond its window, and not for longer than the moment.
    assert not refused(2 * HOUR)
    now += throttle.SEEN_FOR_S
    assert not refused(2 * HOUR)
    held = throttle.take(connection, [limit], now=2 * HOUR)
    assert refused(2 * HOUR)
    throttle.give_back(connection, held)
    assert throttle.forget(connection, "s") == 1
    connection.commit()
    assert not refused(2 * HOUR)


def test_a_till_that_guesses_is_stopped_and_nobody_else(desk: Desk) -> None:
    made = desk.issue(max_uses=100)
    bad, good = caller(desk), caller(desk, actor="till-2")
    outcomes = Counter(attempt(desk.connection, desk, bad, wrong()) for _ in range(60))
    assert outcomes == {"unknown_voucher": guesses.PER_ACTOR, "throttled": 60 - guesses.PER_ACTOR}
    # Not even a right code is looked up for it now; another till goes on.
    assert attempt(desk.connection, desk, bad, made.code) == "throttled"
    assert attempt(desk.connection, desk, good, made.code).startswith("found")
    later = desk.now + 10 * MINUTE
    assert attempt(desk.connection, desk, bad, made.code, now=later).startswith("found")


def test_a_key_that_invents_tills_is_stopped(desk: Desk) -> None:
    made = desk.issue()
    outcomes = Counter(
        attempt(desk.connection, desk, caller(desk, actor=f"till-{number}"), wrong())
        for number in range(guesses.PER_KEY + 50)
    )
    assert outcomes == {"unknown_voucher": guesses.PER_KEY, "throttled": 50}
    assert attempt(desk.connection, desk, caller(desk, "another"), made.code).startswith("found")


def test_right_codes_cost_nothing(desk: Desk) -> None:
    """Also when the voucher is used up: who knows code and proof is not guessing."""
    made, spent = desk.issue(), desk.issue()
    desk.use(spent.code, "t1")
    who = caller(desk)
    for _ in range(guesses.PER_ACTOR + 5):
        assert attempt(desk.connection, desk, who, made.code).startswith("found")
        assert attempt(desk.connection, desk, who, spent.code) == VoucherRefusal.VOUCHER_USED_UP
    for _ in range(guesses.PER_ACTOR + 5):
        assert attempt(desk.connection, desk, who, "0000-0000-00001") == VoucherRefusal.MISTYPED_CODE


def test_a_pin_has_five_tries_whoever_tries(desk: Desk) -> None:
    made = desk.issue(proof="pin")
    pins = [f"{(int(made.pin) + 1 + number) % 10**6:06d}" for number in range(9)]
    outcomes = [
        attempt(desk.connection, desk, caller(desk, f"key-{number}"), made.code, pin=pin)
        for number, pin in enumerate(pins)
    ]
    assert outcomes == ["unknown_voucher"] * guesses.PER_CODE + ["throttled"] * 4
    assert attempt(desk.connection, desk, caller(desk, "k"), made.code, pin=made.pin) == "throttled"
    later = desk.now + HOUR
    assert attempt(desk.connection, desk, caller(desk, "k"), made.code, pin=made.pin, now=later).startswith(
        "found"
    )


def test_a_pin_has_five_tries_at_one_moment_too(desk: Desk) -> None:
    made = desk.issue(proof="pin")

    def job(number: int) -> Callable[[Connection], str]:
        pin = f"{(int(made.pin) + 1 + number) % 10**6:06d}"
        return lambda connection: attempt(connection, desk, caller(desk, f"key-{number}"), made.code, pin=pin)

    outcomes = Counter(together([job(number) for number in range(200)], 32))
    assert outcomes == {"unknown_voucher": guesses.PER_CODE, "throttled": 200 - guesses.PER_CODE}


def test_a_program_under_attack_is_strict_and_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guesses, "PER_PROGRAM", 40)
    made = desk.issue(max_uses=100)
    for number in range(40):
        attempt(desk.connection, desk, caller(desk, f"key-{number}"), wrong())
    assert [r.levelname for r in caplog.records if r.name == guesses.logger.name] == ["WARNING"]
    bad = caller(desk, "key-x")
    outcomes = Counter(attempt(desk.connection, desk, bad, wrong()) for _ in range(30))
    assert outcomes["unknown_voucher"] == guesses.PER_ACTOR // 2
    for _ in range(50):
        assert attempt(desk.connection, desk, caller(desk, "shop"), made.code).startswith("found")
    # An operator may open everything again.
    assert guesses.open_again(desk.connection, desk.program_id) > 40
    desk.connection.commit()
    assert attempt(desk.connection, desk, bad, made.code).startswith("found")


def test_no_name_of_who_tries_is_kept(desk: Desk) -> None:
    attempt(desk.connection, desk, caller(desk, actor="ann@example.org"), wrong())
    rows = desk.connection.execute("select scope from throttle").fetchall()
    assert len(rows) == 4
    assert "ann" not in repr(rows)


@pytest.mark.slow
def test_a_hundred_thousand_guesses(desk: Desk) -> None:
    """By 50 stolen keys for a day: none is found, few are looked up, and the shop goes on."""
    live = [
        *operations.issue_many(
            desk.connection, desk.program_id, 5_000, effect={}, max_uses=1_000, origin="t", proof="pin",
            now=desk.now,
        ),
        desk.issue(max_uses=1_000),
    ]  # fmt: skip
    desk.connection.commit()
    shop = caller(desk, "shop", "till-1")
    outcomes: Counter[str] = Counter()
    served = 0
    number = 0
    for key in range(50):
        for _ in range(2_000):
            number += 1
            who = caller(desk, f"stolen-{key}", f"till-{number % 7}")
            outcome = attempt(desk.connection, desk, who, codes.new_code(codes.PROVEN), pin="123456")
            outcomes[outcome.split()[0]] += 1
            if number % 250 == 0:
                served += attempt(desk.connection, desk, shop, live[-1].code).startswith("found")
    assert outcomes.total() == 100_000
    assert outcomes["found"] == 0
    assert outcomes["unknown_voucher"] <= 50 * 7 * guesses.PER_ACTOR
    assert outcomes["throttled"] == 100_000 - outcomes["unknown_voucher"]
    assert served == 400


@pytest.mark.slow
def test_a_hundred_thousand_guesses_past_the_limits(desk: Desk) -> None:
    """Were every one of them looked up, none would be found among 100,000 live vouchers."""
    for _ in range(10):
        operations.issue_many(
            desk.connection, desk.program_id, 10_000, effect={}, origin="t", proof="pin", now=desk.now
        )
    desk.connection.commit()
    hashes = [codes.hashed(codes.new_code(codes.PROVEN)) for _ in range(100_000)]
    row = desk.connection.execute(
        "select count(*) from voucher where code_hash = any(%s)", (hashes,)
    ).fetchone()
    assert row == (0,)


def test_a_wrong_code_and_a_wrong_proof_take_as_long(desk: Desk) -> None:
    """The middle of many, in turn: what they differ by is far below what a network hides."""
    made = desk.issue(proof="pin")
    samples: dict[str, list[float]] = {"unknown": [], "pin": []}
    for _ in range(400):
        for name, code in (("unknown", wrong()), ("pin", made.code)):
            started = time.perf_counter()
            with pytest.raises(VoucherRefused):
                operations.check(desk.connection, desk.program_id, Presented(code, pin="0"), now=desk.now)
            samples[name].append(time.perf_counter() - started)
    middle = {name: sorted(found)[len(found) // 2] for name, found in samples.items()}
    assert abs(middle["unknown"] - middle["pin"]) < 0.25 * max(middle.values()), middle
