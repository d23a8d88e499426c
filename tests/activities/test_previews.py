"""A preview says what the intake would decide, and writes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from palier.activities import batch, wire
from palier.activities.previews import previews
from palier.activities.runtime import runtime
from palier.engine.clock import moment
from palier.engine.refusals import Refusal
from palier.members import refs
from palier.site import clock, database
from tests.api.conftest import own_clock, shop  # noqa: F401 (fixtures)
from tests.api.shop import Shop, document

EN = {"en": "x", "fr": "x"}


def richer() -> dict[str, Any]:
    """Beside the club's: a campaign with a budget, a cap of the day, a rule for a member's attribute."""
    data = document("rich")
    data["rules"] += [
        {
            "key": "vip",
            "name": EN,
            "on": "sale",
            "currency": "stars",
            "when": {"field": "member.vip", "is": True},
            "multiply": "2",
        }
    ]
    data["caps"] = [{"currency": "stars", "caps": {"day": "150"}}]
    return data


@pytest.mark.parametrize("vip", [False, True])
def test_a_preview_is_what_the_intake_decides(shop: Shop, vip: bool) -> None:  # noqa: F811
    rich = Shop("rich", richer())
    ref = rich.enrol("2802")
    if vip:
        rich.call("PATCH", f"/members/{ref}", {"attributes": {"vip": True}})
    rich.sale(ref, "40.00")
    with database.connect("app") as connection:
        found = runtime(connection, "rich")
        assert found is not None
        now = clock.now()
        amounts = ["0.01", "12.34", "100.00", "160.00", "999.99"]
        lines = []
        for number, amount in enumerate(amounts):
            read = wire.from_mapping(
                {
                    "source": "p",
                    "id": f"p{number}",
                    "type": "sale",
                    "occurred_at": moment(now).isoformat(),
                    "member": ref,
                    "amount": amount,
                }
            )
            assert not isinstance(read, Refusal)
            line = wire.to_fact(read, found.timeline, "rich", now=now)
            assert not isinstance(line, Refusal)
            lines.append(line)
        connection.rollback()
        seen = previews(connection, found, refs.decode(ref), [line.fact for line in lines], now=now)
        connection.rollback()
        for line, preview in zip(lines, seen, strict=True):
            [result] = batch.apply(connection, found, [line], now=now, dry_run=True)
            assert result.trace is not None
            decided: dict[str, int] = {}
            for rule in result.trace.rules:
                decided[rule.currency] = decided.get(rule.currency, 0) + rule.earned
            assert preview is not None
            assert preview.points == {key: points for key, points in decided.items() if points}
            assert preview.tier_reached == result.trace.tier_after
        assert seen[-1] is not None
        assert seen[-1].points["stars"] == (150 - (80 if vip else 40)) * 100, "the day's cap has room left"
        nobody = previews(connection, found, None, [line.fact for line in lines], now=now)
        assert [item.points["stars"] for item in nobody if item] == [1, 1234, 10000, 15000, 15000]
        stranger = previews(connection, found, 12345, [lines[0].fact], now=now)
        assert stranger == [None]
        connection.rollback()
        rows = connection.execute(
            "select count(*) from activity a join member m using (member_id) where m.program_id = %s",
            (found.program_id,),
        ).fetchone()
        assert rows == (1,), "nothing was written but the sale"
