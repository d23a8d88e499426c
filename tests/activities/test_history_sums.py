"""The amounts of a member's history are what each decision changed, so they add up to what he has.

As on a bank's statement: a point that waits, is set aside or is owed counts once, when it comes or goes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from palier.activities import queries
from palier.activities.telling import tell
from palier.engine.clock import instant
from palier.engine.story import play
from tests.activities.program import Connection
from tests.docs.stories import DatabaseStage, Example

MAY = instant(datetime.fromisoformat("2026-05-01T00:00:00+02:00"))
NAME = {"en": {"one": "star", "other": "stars"}, "fr": {"one": "étoile", "other": "étoiles"}}
DOCUMENT: dict[str, Any] = {
    "palier": 1,
    "key": "corner",
    "name": {"en": "Corner shop", "fr": "Épicerie"},
    "time_zone": "Europe/Paris",
    "currency": "EUR",
    "point_currencies": [{"key": "stars", "name": NAME, "transferable": True}],
    "adjustments": {"reasons": [{"key": "goodwill", "name": {"en": "Goodwill", "fr": "Geste"}}]},
    "rules": [
        {
            "key": "base", "name": {"en": "Base", "fr": "Base"}, "on": "sale", "currency": "stars",
            "per_spend": {"points": "1", "every": "1"},
        }
    ],
}  # fmt: skip

STORIES: dict[str, tuple[str, str, list[int]]] = {
    "what waits counts when it is earned, not again when it comes": (
        "points: {pending: {kind: days, days: 2}}",
        """
2026-03-01 10:00  sale s1 42.00
2026-03-02 10:00  return s1 2.00
2026-03-05 10:00  look
""",
        [42, -2, 0],
    ),
    "what is set aside is still there": (
        "",
        """
2026-03-01 10:00  sale s1 50.00
2026-03-02 10:00  hold h1 30
2026-03-02 10:10  capture h1 10
2026-03-02 11:00  hold h2 5
""",
        [50, 0, -10, 0],
    ),
    "what had expired is not lost a second time": (
        "points: {expiry: {kind: rolling, days: 30}}",
        """
2026-03-01 10:00  sale s1 50.00
2026-04-10 10:00  look
2026-04-11 10:00  return s1 whole
""",
        [50, -50, 0],
    ),
    "what is owed counts when it is owed, not again when it is paid": (
        "",
        """
2026-03-01 10:00  sale s1 50.00
2026-03-02 10:00  redeem 40
2026-03-03 10:00  return s1 whole
2026-03-04 10:00  sale s2 30.00
2026-03-05 10:00  sale s3 30.00
""",
        [50, -40, -50, 30, 30],
    ),
    "a correction is the difference": (
        "rule: {caps: {day: '50'}}",
        """
2026-03-10 18:00  sale evening 40.00
2026-03-10 09:00  sale morning 30.00
""",
        [30, 40, -20],
    ),
    "points by hand pay what is owed; whoever leaves gives up what is left": (
        "",
        """
2026-03-01 10:00  sale s1 50.00
2026-03-02 10:00  redeem 40
2026-03-03 10:00  return s1 whole
2026-03-04 10:00  adjust 45 goodwill
2026-03-05 10:00  leave
""",
        [50, -40, -50, 45, -5],
    ),
}


@pytest.mark.parametrize("title", STORIES)
def test_the_amounts_of_a_history_add_up_to_what_there_is(connection: Connection, title: str) -> None:
    head, text, amounts = STORIES[title]
    example = Example(DOCUMENT)
    stage = DatabaseStage(connection, example.change(head), example)
    play(text, stage, "en")
    (member_id,) = stage.members.values()
    found = queries.wallets(connection, stage.runtime, member_id, now=MAY)
    assert found is not None
    wallet = found.wallets["stars"]
    lines = queries.history(connection, stage.runtime.program_id, member_id, before=None, limit=50)[::-1]
    told = tell(connection, stage.runtime, member_id, lines)
    moved = [story.said("en").moved.get("stars", 0) for story in told]
    assert moved == amounts
    assert sum(moved) == wallet.spendable + wallet.pending + wallet.held - wallet.debt
