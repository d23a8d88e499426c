"""Everything at once: spends, repetitions, crossing batches, deadlines, enrolments, parked returns, transfers."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import psycopg
import pytest

from palier.activities import batch, due, parking, queries, store
from palier.activities.answers import Result
from palier.engine.clock import MINUTE
from palier.engine.facts import Fact, Reference, Tender
from palier.members.operations import NewMember, enrol
from tests.activities.program import BEGINNING, NOW, Connection, line
from tests.audit.race import DAY, Job, Stage, deadlocks, plain, refused, together, transferable


@pytest.fixture
def stage(connection: Connection) -> Stage:
    return Stage(connection)


# --- spending ---------------------------------------------------------------------------------------------


def spend(stage: Stage, threads: int, name: str = "a") -> None:
    """Fifty at once ask for 10 of 100 points: ten are served."""
    stage.member(name, points=100)
    results = together([stage.redeem(f"spend-{name}-{n}", name, 10) for n in range(50)], threads)
    statuses = Counter(result.status for result in results)
    assert statuses == {"applied": 10, "refused": 40}
    assert set(refused(results)) == {"insufficient_points"}
    assert (stage.spendable(name), stage.debt(name)) == (0, 0)


@pytest.mark.parametrize("threads", [2, 8, 32])
def test_parallel_spends_never_oversell(stage: Stage, threads: int) -> None:
    for number in range(3):
        spend(stage, threads, f"round-{number}")


@pytest.mark.parametrize("threads", [2, 8, 32])
def test_spends_among_everything_else(connection: Connection, threads: int) -> None:
    """Earns, late earns, returns, expiry and transfers beside the spends: no point made, none lost."""
    stage = Stage(connection, transferable(expiry={"kind": "rolling", "days": 400}))
    chance = random.Random(threads)
    cards = ["a", "b", "c"]
    for card in cards:
        stage.member(card, points=100)
        stage.sale(f"old-{card}", card, 40, at=NOW - 400 * DAY + MINUTE)(connection)
    jobs: list[Job[Result]] = []
    for number in range(25):
        card = cards[number % 3]
        other = cards[(number + 1) % 3]
        jobs += [
            stage.redeem(f"spend-{number}", card, 10),
            stage.sale(f"sale-{number}", card, 7, at=NOW - number * 1000),
            stage.sale(f"late-{number}", card, 3, at=NOW - 2 * DAY - number * 1000),
            stage.transfer(f"gift-{number}", card, other, 5),
        ]
        if number < 3:
            back = Fact(
                "till", f"back-{number}", "return", NOW, 5000, sale=Reference("till", f"first-{card}")
            )
            jobs.append(stage.send(back, card))
    chance.shuffle(jobs)
    ids = sorted(stage.members.values())

    def expire(inner: Connection) -> Result:
        due.advance(inner, stage.runtime, ids, NOW + MINUTE, now=NOW + MINUTE)
        return Result("palier", "due", "applied")

    for place in (10, 40, 70, 71):
        jobs.insert(place, expire)
    results = together(jobs, threads)
    assert set(refused(results)) <= {"insufficient_points"}
    expire(connection)
    served = [result for result in results if result.status == "applied"]
    assert sum(result.id.startswith(("sale-", "late-")) for result in served) == 50
    spent = 10 * sum(result.id.startswith("spend-") for result in served)
    row = connection.execute("select coalesce(sum(amount), 0) from transfer where kind = 'expire'").fetchone()
    back = connection.execute(
        "select coalesce(sum(amount), 0) from transfer where kind = 'unexpire'"
    ).fetchone()
    assert row is not None
    assert back is not None
    balance = sum(stage.spendable(card) - stage.debt(card) for card in cards)
    assert balance == 3 * 140 + 25 * 10 - 150 - spent - (int(row[0]) - _undone(connection)) + int(back[0])


def _undone(connection: Connection) -> int:
    """Points of expiries that corrections took back, counted twice: once as posted, once as undone."""
    row = connection.execute(
        "select coalesce(sum(amount), 0) from transfer where kind = 'expire' and corrects_id is not null"
    ).fetchone()
    assert row is not None
    return 2 * int(row[0])


def test_two_returns_of_one_sale_give_back_no_more_than_it(stage: Stage) -> None:
    for number in range(20):
        card = f"r{number}"
        stage.member(card, points=100)
        jobs = [
            stage.send(
                Fact(
                    "till",
                    f"back-{card}-{part}",
                    "return",
                    NOW,
                    6000,
                    sale=Reference("till", f"first-{card}"),
                ),
                card,
            )
            for part in range(4)
        ]
        results = together(jobs, 4)
        assert [result.status for result in results] == ["applied"] * 4
        assert (stage.spendable(card), stage.debt(card)) == (0, 0)


def test_one_redemption_pays_one_sale(stage: Stage) -> None:
    for number in range(20):
        card = f"p{number}"
        stage.member(card, points=100)
        stage.redeem(f"redeem-{number}", card, 50)(stage.connection)
        paid = (Tender("points", 500, Reference("till", f"redeem-{number}")), Tender("cash", 500))
        jobs = [stage.sale(f"paid-{number}-{n}", card, 10, tenders=paid) for n in range(2)]
        results = together(jobs, 2)
        assert sorted(result.status for result in results) == ["applied", "refused"], results
        assert refused(results) == ["redemption_already_used"]


# --- one id -----------------------------------------------------------------------------------------------


def repeat(stage: Stage, ids: int = 5, threads: int = 16) -> None:
    """A hundred identical posts of each id: one is applied, the others are told the same."""
    stage.member("a")
    for number in range(ids):
        jobs = [stage.sale(f"same-{number}", "a", 10, at=NOW - number * MINUTE)] * 100
        results = together(jobs, threads)
        assert Counter(result.status for result in results) == {"applied": 1, "duplicate": 99}
        assert len({plain(result, stage.runtime) for result in results}) == 1
    assert stage.spendable("a") == 10 * ids


def test_identical_posts_are_applied_once(stage: Stage) -> None:
    repeat(stage)


def test_identical_commands_are_applied_once(stage: Stage) -> None:
    stage.member("a", points=1000)
    for number in range(5):
        results = together([stage.redeem(f"same-{number}", "a", 10)] * 60, 16)
        assert Counter(result.status for result in results) == {"applied": 1, "duplicate": 59}
        assert len({plain(result, stage.runtime) for result in results}) == 1
    assert stage.spendable("a") == 950
    results = together([stage.redeem("too-much", "a", 5000)] * 40, 16)
    assert Counter(result.status for result in results) == {"refused": 1, "duplicate": 39}
    assert {result.replayed for result in results if result.status == "duplicate"} == {"refused"}


def test_identical_posts_within_batches(stage: Stage) -> None:
    """Batches that share most of their ids, in any order, at once: each id once."""
    stage.member("a")
    stage.member("b")
    chance = random.Random(5)
    facts = [(Fact("till", f"x{n}", "sale", NOW - n, 100), "ab"[n % 2]) for n in range(40)]

    def job(lines: list[tuple[Fact, str]]) -> Job[list[Result]]:
        return lambda inner: batch.apply(
            inner, stage.runtime, [line(fact, card) for fact, card in lines], now=NOW
        )

    answers = together([job(chance.sample(facts, 30)) for _ in range(32)], 8)
    applied = [result.id for results in answers for result in results if result.status == "applied"]
    assert len(applied) == len(set(applied))
    assert all(result.status in ("applied", "duplicate") for results in answers for result in results)
    assert stage.spendable("a") + stage.spendable("b") == len(applied)


def test_one_id_with_other_content_is_refused(stage: Stage) -> None:
    stage.member("a")
    for number in range(10):
        jobs = [stage.sale(f"other-{number}", "a", 10 + n % 2, at=NOW) for n in range(16)]
        results = together(jobs, 16)
        won = next(n for n, result in enumerate(results) if result.status == "applied")
        for n, result in enumerate(results):
            if n % 2 == won % 2:
                assert result.status == ("applied" if n == won else "duplicate")
            else:
                assert result.status == "refused"
        assert set(refused(results)) == {"content_differs"}


def test_one_id_for_two_members_is_one_members(stage: Stage) -> None:
    for number in range(10):
        cards = [f"x{number}", f"y{number}"]
        for card in cards:
            stage.member(card)
        fact = Fact("till", f"whose-{number}", "sale", NOW, 1000)
        results = together([stage.send(fact, cards[n % 2]) for n in range(8)], 8)
        won = next(n for n, result in enumerate(results) if result.status == "applied")
        for n, result in enumerate(results):
            same = n % 2 == won % 2
            assert result.status == ("applied" if n == won else "duplicate" if same else "refused"), result
        assert set(refused(results)) == {"content_differs"}
        assert stage.spendable(cards[won % 2]) == 10
        assert stage.spendable(cards[1 - won % 2]) == 0
        both = [line(msgspec.structs.replace(fact, id=f"beside-{number}"), card) for card in cards]
        beside = batch.apply(stage.connection, stage.runtime, both, now=NOW)
        assert [result.status for result in beside] == ["applied", "refused"]


# --- crossing ---------------------------------------------------------------------------------------------


def test_crossing_batches_do_not_deadlock(stage: Stage, superuser_connection: Connection) -> None:
    """Members and ids in opposite orders, transfers both ways and due work across them."""
    cards = [f"m{n}" for n in range(12)]
    for card in cards:
        stage.member(card, points=100)
    chance = random.Random(3)
    ids = list(stage.members.values())

    def mixed(number: int) -> Job[list[Result]]:
        order = cards if number % 2 else cards[::-1]
        facts = [(Fact("till", f"{number}-{n}", "sale", NOW, 100), card) for n, card in enumerate(order)]
        shared = [(Fact("till", f"shared-{card}", "sale", NOW, 100), card) for card in order]
        lines = [line(fact, card) for fact, card in facts + shared]

        def job(inner: Connection) -> list[Result]:
            return batch.apply(inner, stage.runtime, lines, now=NOW)

        return job

    def gift(number: int) -> Job[list[Result]]:
        sender, receiver = chance.sample(cards, 2)
        moving = stage.transfer(f"gift-{number}", sender, receiver, 1)
        return lambda inner: [moving(inner)]

    def work(number: int) -> Job[list[Result]]:
        shuffled = chance.sample(ids, len(ids))

        def job(inner: Connection) -> list[Result]:
            due.advance(inner, stage.runtime, shuffled, NOW, now=NOW)
            return []

        return job

    before = deadlocks(superuser_connection)
    jobs: list[Job[list[Result]]] = []
    for number in range(40):
        jobs += [mixed(number), gift(number)]
        if number % 4 == 0:
            jobs.append(work(number))
    answers = together(jobs, 8)
    assert deadlocks(superuser_connection) == before
    assert not refused([result for results in answers for result in results])
    shared = [
        r for results in answers for r in results if r.id.startswith("shared-") and r.status == "applied"
    ]
    assert len(shared) == len(cards)
    assert sum(stage.spendable(card) for card in cards) == 12 * 100 + 40 * 12 + 12


# --- deadlines --------------------------------------------------------------------------------------------


def deadline(stage: Stage, rounds: int) -> Counter[str]:
    """Capture against expiry at the deadline: one of them, in each round."""
    outcomes: Counter[str] = Counter()
    for number in range(rounds):
        card = f"h{number}"
        member_id = stage.member(card, points=100)
        held = stage.command("hold", f"hold-{number}", member_id=member_id, points=60, minutes=1)
        made = held(stage.connection)
        assert made.status == "applied"
        found = queries.redemption(
            stage.connection, stage.runtime.program_id, member_id, made.activity_id, now=NOW
        )
        assert found is not None
        stage.connection.rollback()
        until = found.expires_at

        def capture(inner: Connection, found=found, number=number, until=until) -> str:  # type: ignore[no-untyped-def]
            from palier.activities import operations

            result = batch.attempt(
                inner,
                lambda: operations.capture(
                    inner,
                    stage.runtime,
                    found,
                    points=None,
                    source="till",
                    id=f"take-{number}",
                    now=until - 1,
                ),
            )
            return "captured" if result.status == "applied" else refused([result])[0]

        def expire(inner: Connection, member_id=member_id, until=until) -> str:  # type: ignore[no-untyped-def]
            return f"expired {due.advance(inner, stage.runtime, [member_id], until, now=until)}"

        answers = together([capture, expire] if number % 2 else [expire, capture], 2)
        outcome = " and ".join(sorted(answers))
        outcomes[outcome] += 1
        assert outcome in ("captured and expired 0", "expired 1 and hold_closed"), outcome
        captured = outcome.startswith("captured")
        row = stage.connection.execute(
            "select state, captured from hold where member_id = %s and hold_id = %s",
            (member_id, made.activity_id),
        ).fetchone()
        assert row == (("captured", 60) if captured else ("expired", 0))
        assert stage.spendable(card) == (40 if captured else 100)
    return outcomes


def test_a_hold_ends_once_at_its_deadline(stage: Stage) -> None:
    assert sum(deadline(stage, 40).values()) == 40


def fall_due(stage: Stage, members: int, workers: int = 2) -> None:
    """Several workers do the same due work at once: it is done once."""
    for number in range(members):
        stage.member(f"d{number}")
        stage.sale(f"old-{number}", f"d{number}", 10, at=NOW - 39 * DAY)(stage.connection)
    until = NOW + 5 * DAY

    def job(inner: Connection) -> int:
        return due.advance_all(inner, stage.runtime, until, now=until)

    assert sum(together([job] * workers, workers)) == members
    row = stage.connection.execute(
        "select count(*), sum(amount) from transfer where kind = 'expire'"
    ).fetchone()
    assert row == (members, 10 * members)
    assert all(stage.spendable(f"d{number}") == 0 for number in range(members))


def test_due_work_by_several_workers_is_done_once(connection: Connection) -> None:
    fall_due(Stage(connection, transferable(expiry={"kind": "rolling", "days": 40})), 40, 3)


def expire_and_spend(stage: Stage, rounds: int) -> None:
    """Points are spent and fall due at one instant: never more than there were."""
    for number in range(rounds):
        card = f"e{number}"
        member_id = stage.member(card)
        stage.sale(f"old-{number}", card, 100, at=NOW - 39 * DAY)(stage.connection)
        until = NOW + 2 * DAY

        def expire(inner: Connection, member_id=member_id, until=until) -> int:  # type: ignore[no-untyped-def]
            due.advance(inner, stage.runtime, [member_id], until, now=until)
            return 0

        def take(job: Job[Result]) -> Job[int]:
            return lambda inner: 30 * (job(inner).status == "applied")

        jobs = [expire, *(take(stage.redeem(f"take-{number}-{n}", card, 30)) for n in range(5))]
        spent = sum(together(jobs, 6))
        row = stage.connection.execute(
            "select coalesce(sum(amount), 0) from transfer where member_id = %s and kind = 'expire'",
            (member_id,),
        ).fetchone()
        assert row is not None
        assert spent + row[0] == 100
        assert (stage.spendable(card), stage.debt(card)) == (0, 0)


def test_expiry_takes_only_what_was_not_spent(connection: Connection) -> None:
    expire_and_spend(Stage(connection, transferable(expiry={"kind": "rolling", "days": 40})), 20)


# --- who --------------------------------------------------------------------------------------------------


def test_parallel_enrolment_of_one_identity_makes_one_member(stage: Stage) -> None:
    for number in range(10):
        identities = [
            {"card": f"n{number}", "email": f"n{number}@example.org"},
            {"card": f"n{number}"},
            {"email": f"n{number}@example.org", "card": f"n{number}"},
        ]

        def job(inner: Connection, given: dict[str, str]) -> tuple[int, bool, str]:
            answer = enrol(inner, stage.runtime.program_id, [NewMember(given)], now=BEGINNING)[0]
            inner.commit()
            return answer.member_id, answer.created, answer.problem

        alike = identities[0] if number % 2 else identities[1]
        results = together([lambda inner, alike=alike: job(inner, alike)] * 16, 16)  # type: ignore[misc]
        assert len({member_id for member_id, _, _ in results}) == 1
        assert sum(created for _, created, _ in results) == 1
        mixed = [
            {"card": f"q{number}", "phone": f"+331{number:08}"},
            {"phone": f"+331{number:08}", "email": f"q{number}@example.org"},
        ]
        results = together([lambda inner, given=mixed[n % 2]: job(inner, given) for n in range(8)], 8)  # type: ignore[misc]
        assert len({member_id for member_id, _, _ in results if member_id}) == 1
        assert sum(created for _, created, _ in results) == 1
    rows = stage.connection.execute("select count(*), count(distinct member_id) from identity").fetchone()
    members = stage.connection.execute("select count(*) from member").fetchone()
    assert rows is not None
    assert members is not None
    assert rows[1] == members[0]


# --- returns before their sales ---------------------------------------------------------------------------


def park_and_settle(stage: Stage, rounds: int, workers: int = 2) -> int:
    """A sale and its return in two transactions at one instant, then several workers settle; how many parked."""
    parked = 0
    for number in range(rounds):
        card = f"k{number}"
        stage.member(card)
        back = Fact(
            "till", f"back-{number}", "return", NOW, whole=True, sale=Reference("till", f"sale-{number}")
        )
        results = together([stage.send(back, card), stage.sale(f"sale-{number}", card, 10, at=NOW - 1)], 2)
        assert results[0].status in ("applied", "parked")
        assert results[1].status == "applied"
        parked += results[0].status == "parked"

    def settle(inner: Connection) -> int:
        return parking.settle(inner, stage.runtime, now=NOW)

    together([settle] * workers, workers)
    left = stage.connection.execute("select count(*) from parked_activity").fetchone()
    assert left == (0,)
    for number in range(rounds):
        assert (stage.spendable(f"k{number}"), stage.debt(f"k{number}")) == (0, 0)
    row = stage.connection.execute("select count(*) from activity where type = 'return'").fetchone()
    assert row == (rounds,)
    claims = stage.connection.execute(
        "select status, count(*) from activity_claim group by status"
    ).fetchall()
    assert claims == [("applied", 2 * rounds)]
    return parked


def test_a_return_and_its_sale_at_one_instant_are_settled(stage: Stage) -> None:
    park_and_settle(stage, 40)


def test_parked_returns_are_settled_once_by_several_workers(stage: Stage) -> None:
    """As if each return had missed its sale: parked while the sale was not seen, then found by two workers."""
    for number in range(20):
        card = f"s{number}"
        stage.member(card)
        missed = Fact(
            "till", f"back-{number}", "return", NOW, whole=True, sale=Reference("till", f"sale-{number}")
        )
        seen: list[str] = []

        def park(inner: Connection, fact=missed, card=card, seen=seen) -> str:  # type: ignore[no-untyped-def]
            seen.append(stage.send(fact, card)(inner).status)
            return seen[-1]

        _miss(stage, park, stage.sale(f"sale-{number}", card, 10, at=NOW - 1))
        assert seen == ["parked"]

    def settle(inner: Connection) -> int:
        return parking.settle(inner, stage.runtime, now=NOW)

    settled = together([settle] * 3, 3)
    assert sum(settled) == 20, settled
    for number in range(20):
        assert (stage.spendable(f"s{number}"), stage.debt(f"s{number}")) == (0, 0)


def _miss(stage: Stage, park: Job[str], sale: Job[Result]) -> None:
    """Runs the sale's whole transaction between a return's look for it and its parking."""
    from contextlib import closing

    from palier.site import database

    with closing(database.connect("app")) as inner:
        original = batch._Batch.look

        def look(self: batch._Batch) -> None:
            batch._Batch.look = original  # type: ignore[method-assign]
            assert sale(stage.connection).status == "applied"
            original(self)

        batch._Batch.look = look  # type: ignore[method-assign]
        try:
            park(inner)
        finally:
            batch._Batch.look = original  # type: ignore[method-assign]


# --- from member to member --------------------------------------------------------------------------------


def test_transfers_twice_in_parallel_conserve_points(stage: Stage) -> None:
    """The same card emptied to another twice at once; then both ways at once; then one request doubled."""
    for number in range(15):
        a, b = f"a{number}", f"b{number}"
        stage.member(a, points=100)
        stage.member(b)
        results = together([stage.transfer(f"all-{number}-{n}", a, b, 100) for n in range(2)], 2)
        assert sorted(result.status for result in results) == ["applied", "refused"]
        assert (stage.spendable(a), stage.spendable(b)) == (0, 100)
        together([stage.transfer(f"there-{number}", b, a, 50), stage.transfer(f"back-{number}", a, b, 50)], 2)
        assert stage.spendable(a) + stage.spendable(b) == 100
        before = stage.spendable(a)
        results = together([stage.transfer(f"once-{number}", b, a, 10)] * 4, 4)
        assert Counter(result.status for result in results) == {"applied": 1, "duplicate": 3}
        assert stage.spendable(a) == before + 10
        assert stage.spendable(a) + stage.spendable(b) == 100


def test_a_frozen_wallet_of_transfers_in_a_ring(stage: Stage, superuser_connection: Connection) -> None:
    """Five members give each other points in a ring, all at once, for many rounds: the sum stands."""
    cards = [f"c{n}" for n in range(5)]
    for card in cards:
        stage.member(card, points=20)
    before = deadlocks(superuser_connection)
    jobs = [
        stage.transfer(f"ring-{turn}-{n}", cards[n], cards[(n + 1) % 5], 15)
        for turn in range(12)
        for n in range(5)
    ]
    results = together(jobs, 10)
    assert set(refused(results)) <= {"insufficient_points"}
    assert deadlocks(superuser_connection) == before
    assert sum(stage.spendable(card) for card in cards) == 100
    assert all(stage.debt(card) == 0 for card in cards)


# --- what these tests must catch --------------------------------------------------------------------------


def without_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK", store.LOCK.replace("for no key update", ""))


CAUGHT = (AssertionError, psycopg.Error)


@pytest.mark.plants_violation
def test_spends_without_the_lock_are_caught(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    without_lock(monkeypatch)

    def rounds() -> None:
        for number in range(10):
            spend(stage, 8, f"round-{number}")
            stage.sound()

    with pytest.raises(CAUGHT):
        rounds()


@pytest.mark.plants_violation
def test_expiry_without_the_lock_is_caught(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(connection, transferable(expiry={"kind": "rolling", "days": 40}))
    locked = due.advance

    def unlocked(*arguments: object, **options: object) -> int:
        with monkeypatch.context() as planted:
            without_lock(planted)
            return locked(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(due, "advance", unlocked)

    def rounds() -> None:
        expire_and_spend(stage, 40)
        stage.sound()

    with pytest.raises(CAUGHT):
        rounds()


@pytest.mark.plants_violation
def test_a_hold_that_expires_without_the_lock_is_caught(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_lock(monkeypatch)

    def rounds() -> None:
        deadline(stage, 60)
        stage.sound()

    with pytest.raises(CAUGHT):
        rounds()


@pytest.mark.plants_violation
def test_ids_that_are_not_unique_are_caught(
    stage: Stage, superuser_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    conflict = "on conflict (external_id, source, program_id) do nothing"
    assert conflict in store.CLAIM
    monkeypatch.setattr(store, "CLAIM", store.CLAIM.replace(conflict, ""))
    superuser_connection.execute("alter table activity_claim drop constraint activity_claim_pkey")
    with pytest.raises(CAUGHT):
        repeat(stage, 1)
    violations = {violation.invariant for violation in _violations(stage)}
    assert any("claim" in name or "activity" in name for name in violations), violations


@pytest.mark.plants_violation
def test_a_dropped_constraint_is_caught(stage: Stage, superuser_connection: Connection) -> None:
    superuser_connection.execute("alter table activity_claim drop constraint activity_claim_pkey")
    with pytest.raises(CAUGHT):
        repeat(stage, 1)


@pytest.mark.plants_violation
def test_a_look_before_the_claim_is_caught(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding duplicates by reading first, without ON CONFLICT, fails when they come at once."""
    conflict = "on conflict (external_id, source, program_id) do nothing"
    monkeypatch.setattr(store, "CLAIM", store.CLAIM.replace(conflict, ""))
    with pytest.raises(CAUGHT):
        repeat(stage, 1)


@pytest.mark.plants_violation
def test_a_two_step_transfer_is_caught(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading what can be given in one step and giving it in another, without a lock over both."""
    without_lock(monkeypatch)

    def rounds() -> None:
        for number in range(20):
            a, b = f"a{number}", f"b{number}"
            stage.member(a, points=100)
            stage.member(b)
            results = together([stage.transfer(f"all-{number}-{n}", a, b, 100) for n in range(4)], 4)
            assert sum(result.status == "applied" for result in results) == 1
            stage.sound()

    with pytest.raises(CAUGHT):
        rounds()


def _violations(stage: Stage) -> list[tuple[str, str, str, str]]:
    from palier.ledger.verify import verify

    stage.connection.rollback()
    return list(verify(stage.connection))
