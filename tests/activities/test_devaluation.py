"""A point that is worth less from a version on: what was earned before keeps its value, once, whenever this runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from palier.activities import batch, devaluation
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, moment
from palier.engine.facts import Fact
from palier.engine.program import PointCurrency
from tests.activities.program import Connection, member, published
from tests.activities.test_mechanics import MARCH, posted, sale, send, shop, text

AT = MARCH + 10 * DAY


def worth(value: str, **more: Any) -> Any:
    stars = {
        "key": "stars",
        "value": value,
        "name": {"en": {"one": "star", "other": "stars"}, "fr": {"one": "é", "other": "é"}},
    }
    document = shop(**more)
    currencies = [msgspec.convert(stars, PointCurrency), *document.point_currencies[1:]]
    return msgspec.structs.replace(document, point_currencies=currencies)


def lowered(connection: Connection, old: str, new: str, **notice: Any) -> Runtime:
    published(connection, worth(old))
    told = {"announced_on": "2026-02-01", "text": text("A star is worth less."), "keep_value": ["stars"]}
    document = worth(new, effective_from=moment(AT).isoformat(), notice={**told, **notice})
    return published(connection, document, now=MARCH)


def test_more_points_make_up_for_the_lower_value(connection: Connection) -> None:
    runtime = lowered(connection, "0.02", "0.015")
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(3)]
    send(connection, runtime, sale(0, MARCH, 1_000), now=MARCH, card="c0")
    send(connection, runtime, sale(1, MARCH, 1_100), now=MARCH, card="c1")
    assert devaluation.keep_values(connection, runtime, by="test", now=AT - 1) == []
    # What is earned from that instant on is worth what it is worth; the run comes days later.
    send(connection, runtime, sale(2, AT, 3_000), now=AT, card="c0")
    now = AT + 3 * DAY
    (shown,) = devaluation.keep_values(connection, runtime, by="test", now=now, dry_run=True)
    assert (shown.members, shown.points) == (2, 8)
    assert [posted(connection, who).get("stars", 0) for who in members] == [40, 11, 0]
    (kept,) = devaluation.keep_values(connection, runtime, by="test", now=now)
    # 10 x 4/3 and 11 x 4/3, the difference rounded up to the point: 3.33 and 3.67.
    assert (kept.members, kept.points) == (2, 8)
    assert [posted(connection, who).get("stars", 0) for who in members] == [44, 15, 0]
    assert devaluation.keep_values(connection, runtime, by="test", now=now + DAY) == []


def test_a_run_that_was_interrupted_gives_nothing_twice(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devaluation, "AT_ONCE", 1)
    runtime = lowered(connection, "0.02", "0.01")
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(3)]
    for number in range(3):
        send(connection, runtime, sale(number, MARCH, 1_000), now=MARCH, card=f"c{number}")
    give, left = devaluation.awards.give, iter([True, False])

    def broken(*arguments: Any, **named: Any) -> Any:
        if not next(left):
            raise KeyboardInterrupt
        return give(*arguments, **named)

    monkeypatch.setattr(devaluation.awards, "give", broken)
    with pytest.raises(KeyboardInterrupt):
        devaluation.keep_values(connection, runtime, by="test", now=AT)
    monkeypatch.setattr(devaluation.awards, "give", give)
    (kept,) = devaluation.keep_values(connection, runtime, by="test", now=AT + 1)
    assert kept.members == 2
    assert [posted(connection, who)["stars"] for who in members] == [20, 20, 20]


@pytest.mark.parametrize(
    ("old", "new", "keep"), [("0.02", "0.02", ["stars"]), ("0.01", "0.02", ["stars"]), ("0.02", "0.01", [])]
)
def test_nothing_is_made_up_for_what_is_worth_as_much(
    connection: Connection, old: str, new: str, keep: list[str]
) -> None:
    runtime = lowered(connection, old, new, keep_value=keep)
    member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 1_000), now=MARCH)
    assert devaluation.keep_values(connection, runtime, by="test", now=AT) == []


def test_what_was_spent_before_is_not_made_up_for(connection: Connection) -> None:
    runtime = lowered(connection, "0.02", "0.01")
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 1_000), now=MARCH)
    spent = Fact("desk", "a1", "adjust", 0, points=-10, currency="stars", reason="spent")
    batch.command(connection, runtime, [batch.command_item(0, spent, who)], now=MARCH + DAY)
    connection.commit()
    (kept,) = devaluation.keep_values(connection, runtime, by="test", now=AT)
    assert (kept.members, posted(connection, who)) == (0, {})
