"""Points by hand: reasons, what one person may at once and in a day, and the second person above a limit."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from palier.activities import adjustments, batch
from palier.activities.adjustments import Adjustment
from palier.activities.answers import Result
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY
from palier.engine.refusals import RefusalCode
from palier.ledger.verify import verify
from palier.site import database as platform_database
from palier.staff import approvals
from palier.staff.approvals import Approval, NotDecided, Person
from tests.activities.program import NOW, Connection, member, program, published
from tests.audit.race import together

ANN = Person("key:aaaaaaaaaaaa", "ann", "integration")
BEN = Person("key:bbbbbbbbbbbb", "ben", "integration")
HAND: dict[str, Any] = {
    "reasons": [
        {"key": "goodwill", "name": {"en": "Goodwill", "fr": "Geste commercial"}, "direction": "give"},
        {"key": "fraud", "name": {"en": "Fraud", "fr": "Fraude"}, "direction": "take"},
        {"key": "mistake", "name": {"en": "A mistake", "fr": "Une erreur"}},
    ],
    "limits": [{"currency": "stars", "approval_above": "100", "at_once": "500", "day": "1000"}],
    "approval_days": 3,
}


@pytest.fixture
def shop(connection: Connection) -> Runtime:
    return published(connection, program(adjustments=HAND))


@pytest.fixture
def who(connection: Connection, shop: Runtime) -> int:
    return member(connection, shop.program_id, "1")


def wanted(member_id: int, points: int, id: str = "a", code: str = "mistake", **more: Any) -> Adjustment:
    return Adjustment(member_id, "stars", points, "as told", code, more.pop("actor", "ann"), "desk", id)


def give(
    connection: Connection, shop: Runtime, asked: Adjustment, by: Person = ANN, now: int = NOW
) -> Result | Approval:
    return batch.attempt(connection, lambda: adjustments.adjust(connection, shop, asked, by=by, now=now))


def decide(
    connection: Connection, shop: Runtime, asked: Result | Approval, by: Person, *, approve: bool = True,
    now: int = NOW,
) -> Approval:  # fmt: skip
    assert isinstance(asked, Approval)
    return batch.attempt(
        connection,
        lambda: approvals.decide(
            connection, shop.program_id, asked.approval_id, approve=approve, by=by, decision="seen", now=now
        ),
    )


def spendable(connection: Connection, member_id: int) -> int:
    row = connection.execute(
        "select coalesce(sum(posted - held), 0) from wallet where member_id = %s", (member_id,)
    ).fetchone()
    connection.rollback()
    assert row is not None
    return int(row[0])


def used(connection: Connection) -> dict[str, int]:
    rows = connection.execute("select agent, sum(used) from agent_day group by agent").fetchall()
    connection.rollback()
    return {agent: int(points) for agent, points in rows}


def logged(connection: Connection) -> list[tuple[str, str]]:
    rows = connection.execute("select actor, action from audit_log order by seq").fetchall()
    connection.rollback()
    return [(actor, action) for actor, action in rows if "adjust" in action]


def test_within_the_limits_it_is_done_at_once(connection: Connection, shop: Runtime, who: int) -> None:
    result = give(connection, shop, wanted(who, 100))
    assert isinstance(result, Result)
    assert (result.status, spendable(connection, who), used(connection)) == ("applied", 100, {ANN.actor: 100})
    again = give(connection, shop, wanted(who, 100), by=BEN)
    assert isinstance(again, Result)
    assert (again.status, spendable(connection, who), used(connection)) == (
        "duplicate", 100, {ANN.actor: 100},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("points", "code", "refused", "field"),
    [
        (1, "", RefusalCode.UNKNOWN_REASON, "reason_code"),
        (1, "gift", RefusalCode.UNKNOWN_REASON, "reason_code"),
        (1, "fraud", RefusalCode.UNKNOWN_REASON, "reason_code"),
        (-1, "goodwill", RefusalCode.UNKNOWN_REASON, "reason_code"),
        (501, "mistake", RefusalCode.CAP_REACHED, "points"),
        (-501, "mistake", RefusalCode.CAP_REACHED, "points"),
    ],
)
def test_what_is_refused_leaves_nothing(
    connection: Connection, shop: Runtime, who: int, points: int, code: str, refused: RefusalCode, field: str
) -> None:
    with pytest.raises(NotDone) as error:
        give(connection, shop, wanted(who, points, code=code))
    assert (error.value.refusal.code, error.value.refusal.field) == (refused, field)
    assert error.value.refusal.remedy
    for table in ("approval", "agent_day", "activity", "activity_claim"):
        row = connection.execute(f"select count(*) from {table}").fetchone()  # type: ignore[arg-type]
        assert row == (0,), table
    connection.rollback()
    # The id is free.
    result = give(connection, shop, wanted(who, 1))
    assert isinstance(result, Result)
    assert result.status == "applied"


def test_above_the_limit_a_second_person_decides(connection: Connection, shop: Runtime, who: int) -> None:
    asked = give(connection, shop, wanted(who, 101))
    assert isinstance(asked, Approval)
    assert (asked.state, asked.expires_at, spendable(connection, who)) == ("asked", NOW + 3 * DAY, 0)
    assert asked.payload["points"] == "101"
    # Asked again it is the same request; with other content it is none.
    assert give(connection, shop, wanted(who, 101), by=BEN) == asked
    with pytest.raises(NotDone) as differs:
        give(connection, shop, wanted(who, 102))
    assert differs.value.refusal.code is RefusalCode.CONTENT_DIFFERS
    for same in (ANN, Person("key:cccccccccccc", "Ann", "integration"), Person(ANN.actor, "x", "operator")):
        with pytest.raises(NotDecided) as refused:
            decide(connection, shop, asked, same)
        assert refused.value.code == "same_person"
    assert spendable(connection, who) == 0
    done = decide(connection, shop, asked, BEN, now=NOW + 1)
    assert (done.state, done.decided_by, spendable(connection, who)) == ("approved", BEN.actor, 101)
    assert used(connection) == {ANN.actor: 101}
    replayed = give(connection, shop, wanted(who, 101))
    assert isinstance(replayed, Result)
    assert replayed.status == "duplicate"
    with pytest.raises(NotDecided) as late:
        decide(connection, shop, asked, BEN)
    assert late.value.code == "approval_decided"
    assert logged(connection) == [(ANN.actor, "adjustment.ask"), (BEN.actor, "adjustment.approve")]


def test_who_asked_may_take_it_back(connection: Connection, shop: Runtime, who: int) -> None:
    asked = give(connection, shop, wanted(who, 400))
    assert decide(connection, shop, asked, ANN, approve=False).state == "refused"
    with pytest.raises(NotDecided):
        decide(connection, shop, asked, BEN)
    again = give(connection, shop, wanted(who, 400))
    assert isinstance(again, Approval)
    assert (again.state, spendable(connection, who)) == ("refused", 0)


def test_nobody_decides_after_its_time(connection: Connection, shop: Runtime, who: int) -> None:
    asked = give(connection, shop, wanted(who, 400))
    assert isinstance(asked, Approval)
    with pytest.raises(NotDecided):
        decide(connection, shop, asked, BEN, now=asked.expires_at)
    assert approvals.expire(connection, shop.program_id, now=asked.expires_at - 1) == 0
    assert approvals.expire(connection, shop.program_id, now=asked.expires_at) == 1
    assert approvals.expire(connection, shop.program_id, now=asked.expires_at) == 0
    found = approvals.read(connection, shop.program_id, asked.approval_id)
    assert found is not None
    assert (found.state, spendable(connection, who)) == ("expired", 0)
    assert logged(connection)[-1] == ("worker", "adjustment.expire")


def test_what_cannot_be_done_when_it_is_approved_stays_asked(
    connection: Connection, shop: Runtime, who: int
) -> None:
    asked = give(connection, shop, wanted(who, -200))
    with pytest.raises(NotDone) as refused:
        decide(connection, shop, asked, BEN)
    assert refused.value.refusal.code is RefusalCode.INSUFFICIENT_POINTS
    for number in range(2):
        give(connection, shop, wanted(who, 100, f"g{number}"), by=BEN)
    assert decide(connection, shop, asked, BEN).state == "approved"
    assert spendable(connection, who) == 0


def test_a_day_of_one_person(connection: Connection, shop: Runtime, who: int) -> None:
    """Given and taken count alike; the day is the program's; others have their own."""
    midnight = shop.latest.clock.start_of_day(shop.latest.clock.local(NOW)[0] + 1)
    for number in range(5):
        give(connection, shop, wanted(who, 100, f"g{number}"), now=midnight - 1)
        give(connection, shop, wanted(who, -100, f"t{number}"), now=midnight - 1)
    with pytest.raises(NotDone) as capped:
        give(connection, shop, wanted(who, 1, "more"), now=midnight - 1)
    assert capped.value.refusal.code is RefusalCode.CAP_REACHED
    asked = give(connection, shop, wanted(who, 300, "asked"), now=midnight - 1)
    with pytest.raises(NotDone):
        decide(connection, shop, asked, BEN, now=midnight - 1)
    for by, now in ((BEN, midnight - 1), (ANN, midnight)):
        result = give(connection, shop, wanted(who, 1, f"{by.name}"), by=by, now=now)
        assert isinstance(result, Result)
        assert result.status == "applied"
    decide(connection, shop, asked, BEN, now=midnight)
    assert used(connection) == {ANN.actor: 1301, BEN.actor: 1}


@pytest.mark.parametrize("threads", [2, 8, 32])
def test_the_cap_of_a_day_is_exact_at_once(connection: Connection, threads: int) -> None:
    """40 adjustments of 60 against 1000 a day, each to another member: 16 are done."""
    shop = published(connection, program(adjustments={"limits": [{"currency": "stars", "day": "1000"}]}))
    members = [member(connection, shop.program_id, f"m{number}") for number in range(40)]

    def job(number: int) -> Callable[[Connection], str]:
        def run(inner: Connection) -> str:
            try:
                asked = wanted(members[number], 60, f"r{number}", "")
                result = give(inner, shop, asked)
                return result.status if isinstance(result, Result) else "asked"
            except NotDone as refused:
                return refused.refusal.code.value

        return run

    answers = Counter(together([job(number) for number in range(40)], threads))
    assert answers == {"applied": 16, "cap_reached": 24}
    assert used(connection) == {ANN.actor: 960}


def test_one_of_twenty_decisions_wins(connection: Connection, shop: Runtime, who: int) -> None:
    asked = give(connection, shop, wanted(who, 200))

    def job(number: int) -> Callable[[Connection], str]:
        def run(inner: Connection) -> str:
            by = Person(f"key:{number:012}", f"p{number}", "integration")
            try:
                return decide(inner, shop, asked, by, approve=number % 2 == 0).state
            except NotDecided as refused:
                return refused.code

        return run

    answers = Counter(together([job(number) for number in range(20)], 20))
    assert answers["approval_decided"] == 19
    assert answers["approved"] + answers["refused"] == 1
    assert spendable(connection, who) == 200 * answers["approved"]


def test_the_same_request_at_once_is_asked_once(connection: Connection, shop: Runtime, who: int) -> None:
    def run(inner: Connection) -> int:
        asked = give(inner, shop, wanted(who, 200))
        assert isinstance(asked, Approval)
        return asked.approval_id

    assert len(set(together([run] * 12, 12))) == 1


def test_the_table_knows_that_the_second_is_not_the_first(
    connection: Connection, superuser_connection: Connection, shop: Runtime, who: int
) -> None:
    give(connection, shop, wanted(who, 200))
    with pytest.raises(psycopg.errors.CheckViolation, match="second_person"):
        superuser_connection.execute(
            "update approval set state = 'approved', decided_by = asked_by, decided_at = asked_at"
        )


PLANTS = {
    "adjustments.by_hand": "update agent_day set used = used + 1",
    "adjustments.approved": "update approval set state = 'approved', decided_by = 'key:x', decided_name = 'ANN',"
    " decided_at = asked_at where state = 'asked'",
}


@pytest.mark.plants_violation
@pytest.mark.parametrize("invariant", PLANTS)
def test_what_staff_did_is_proved(
    connection: Connection, superuser_connection: Connection, shop: Runtime, who: int, invariant: str
) -> None:
    give(connection, shop, wanted(who, 50))
    give(connection, shop, wanted(who, 150, "b"))
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        assert verify(auditor) == []
    superuser_connection.execute(PLANTS[invariant])  # type: ignore[arg-type]
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        assert [found.invariant for found in verify(auditor)] == [invariant]
