"""Commands among facts that come late: granted ones stay granted, what then lacks is owed, holds may be short."""

from __future__ import annotations

from datetime import datetime

import msgspec

from palier.activities import batch, parking
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, instant
from palier.engine.facts import Fact, Reference
from palier.engine.refusals import RefusalCode
from palier.site import database
from tests.activities.program import Connection, line, member, program, published

MARCH = instant(datetime.fromisoformat("2026-03-01T10:00:00+01:00"))


def sale(number: int, at: int, amount: int) -> Fact:
    return Fact("till", f"s{number}", "sale", at, amount)


def back(number: int, sale_number: int, at: int) -> Fact:
    return Fact("till", f"r{number}", "return", at, sale=Reference("till", f"s{sale_number}"), whole=True)


def send(connection: Connection, runtime: Runtime, *facts: Fact, now: int) -> list[str]:
    return [r.status for r in batch.apply(connection, runtime, [line(fact, "c1") for fact in facts], now=now)]


def order(connection: Connection, runtime: Runtime, member_id: int, fact: Fact, now: int) -> batch.Result:
    items = [batch.command_item(0, fact, member_id)]
    return batch.attempt(connection, lambda: batch.command(connection, runtime, items, now=now))[0]


def wallet(connection: Connection, member_id: int) -> tuple[int, ...]:
    row = connection.execute(
        "select posted, pending, held, debt from wallet where member_id = %s", (member_id,)
    ).fetchone()
    connection.rollback()
    assert row is not None
    return tuple(row)


def test_redeemed_then_returned_is_owed_and_paid_by_the_next_sale(connection: Connection) -> None:
    runtime = published(connection, program())
    who = member(connection, runtime.program_id, "c1")
    assert send(connection, runtime, sale(1, MARCH, 10_000), now=MARCH) == ["applied"]
    redeem = Fact("api", "x1", "redeem", 0, points=80, currency="stars")
    assert order(connection, runtime, who, redeem, MARCH + 1).status == "applied"
    assert wallet(connection, who) == (20, 0, 0, 0)
    again = order(connection, runtime, who, redeem, MARCH + DAY)
    assert (again.status, again.replayed) == ("duplicate", "applied")
    assert send(connection, runtime, back(1, 1, MARCH + DAY), now=MARCH + DAY) == ["applied"]
    assert wallet(connection, who) == (0, 0, 0, 80)
    assert send(connection, runtime, sale(2, MARCH + 2 * DAY, 10_000), now=MARCH + 2 * DAY) == ["applied"]
    assert wallet(connection, who) == (20, 0, 0, 0)


def test_more_than_there_is_is_refused_and_claims_its_id(connection: Connection) -> None:
    runtime = published(connection, program())
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 1_000), now=MARCH)
    redeem = Fact("api", "x1", "redeem", 0, points=11, currency="stars")
    first = order(connection, runtime, who, redeem, MARCH + 1)
    assert first.refusal is not None
    assert first.refusal.code is RefusalCode.INSUFFICIENT_POINTS
    send(connection, runtime, sale(2, MARCH + 2, 1_000), now=MARCH + 2)
    again = order(connection, runtime, who, redeem, MARCH + 3)
    assert (again.status, again.replayed) == ("duplicate", "refused")
    assert wallet(connection, who) == (20, 0, 0, 0)


def test_a_late_return_leaves_a_hold_short_and_its_capture_owes(connection: Connection) -> None:
    runtime = published(connection, program())
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 5_000), sale(2, MARCH + 60, 2_000), now=MARCH + 60)
    hold = Fact("api", "h1", "hold", 0, points=60, currency="stars")
    assert order(connection, runtime, who, hold, MARCH + 100).status == "applied"
    assert wallet(connection, who) == (70, 0, 60, 0)
    # The sale of 50 was returned before the hold was made; we learn it only now.
    assert send(connection, runtime, back(1, 1, MARCH + 80), now=MARCH + DAY // 48) == ["applied"]
    assert wallet(connection, who) == (20, 0, 20, 0)
    capture = Fact("api", "c1", "capture", 0, hold=Reference("api", "h1"))
    assert order(connection, runtime, who, capture, MARCH + DAY // 40).status == "applied"
    assert wallet(connection, who) == (0, 0, 0, 40)
    row = connection.execute("select state, captured from hold where member_id = %s", (who,)).fetchone()
    connection.rollback()
    assert row == ("captured", 60)


def test_beyond_the_late_window_the_past_stays_as_it_was(connection: Connection) -> None:
    tiers = {
        "tiers": [
            {"key": "base", "name": {"en": "Base", "fr": "Base"}},
            {
                "key": "gold",
                "name": {"en": "Gold", "fr": "Or"},
                "qualify": {"all": [{"metric": "spend", "at_least": "100"}]},
            },
        ],
        "window": {"kind": "lifetime"},
    }
    document = program(tiers=tiers)
    document = program(
        tiers=tiers,
        rules=[
            {
                "key": "base",
                "name": {"en": "One star a euro", "fr": "Une étoile par euro"},
                "on": "sale",
                "currency": "stars",
                "per_spend": {"points": "1", "every": "1"},
                "tier_multipliers": {"gold": "2"},
            }
        ],
    )
    runtime = published(connection, document)
    who = member(connection, runtime.program_id, "c1")
    # At the threshold: this sale is rated at the old tier, the next at the new.
    send(connection, runtime, sale(1, MARCH, 10_000), now=MARCH)
    send(connection, runtime, sale(2, MARCH + 60 * DAY, 1_000), now=MARCH + 60 * DAY)
    assert wallet(connection, who) == (120, 0, 0, 0)
    # 61 days old: rated at the tier it would have had, and nothing after it changes.
    assert send(connection, runtime, sale(3, MARCH - DAY, 5_000), now=MARCH + 60 * DAY + 1) == ["applied"]
    assert wallet(connection, who) == (170, 0, 0, 0)
    assert connection.execute("select count(*) from activity where corrects_id is not null").fetchone() == (
        0,
    )
    connection.rollback()
    # Within the window everything after is judged again: the sale of 60 days on was gold already.
    assert send(connection, runtime, sale(4, MARCH + 59 * DAY, 1_000), now=MARCH + 60 * DAY + 2) == [
        "applied"
    ]
    assert wallet(connection, who) == (190, 0, 0, 0)


def test_a_return_of_an_import_that_missed_its_sale_is_never_too_late(connection: Connection) -> None:
    """As when two writers of an import take them at one time: it is decided again with all that came after."""
    rules = msgspec.to_builtins(program())["rules"]
    rules[0]["tier_multipliers"] = {"gold": "2"}
    gold = {"qualify": {"all": [{"metric": "spend", "at_least": "100"}]}}
    tiers = [
        {"key": "green", "name": {"en": "Green", "fr": "Vert"}},
        {"key": "gold", "name": {"en": "Gold", "fr": "Or"}, **gold},
    ]
    runtime = published(
        connection, program(rules=rules, tiers={"window": {"kind": "lifetime"}, "tiers": tiers})
    )
    who = member(connection, runtime.program_id, "c1")
    now = MARCH + 100 * DAY
    back = Fact("till", "r1", "return", MARCH + DAY, sale=Reference("till", "s1"), whole=True)
    parked = msgspec.structs.replace(line(back, "c1"), member=None)
    assert batch.apply(connection, runtime, [parked], now=now, history=True)[0].status == "parked"
    # The sale and the next one are applied by a writer that did not see the return: its row is kept from it.
    with database.connect("owner") as other:
        other.execute("create temporary table missed as select * from parked_activity")
        other.execute("delete from parked_activity")
        other.commit()
        sales = [line(sale(1, MARCH, 10_000), "c1"), line(sale(2, MARCH + 45 * DAY, 1_000), "c1")]
        answers = batch.apply(connection, runtime, sales, now=now, history=True)
        assert {answer.status for answer in answers} == {"applied"}
        assert wallet(connection, who) == (120, 0, 0, 0)
        other.execute("insert into parked_activity select * from missed")
    assert parking.settle(connection, runtime, now=now) == 1
    assert wallet(connection, who) == (10, 0, 0, 0)
