"""Decisions read from their rows and told: what is told of one recomputes from what stands beside it."""

from __future__ import annotations

from palier.activities import queries
from palier.activities.telling import tell
from palier.engine.clock import DAY, HOUR
from palier.engine.facts import Fact, Reference, Tender
from tests.activities.program import Connection, member, program, published
from tests.activities.test_commands_late import MARCH, sale, send


def test_a_return_is_told_by_what_paid_its_sale(connection: Connection) -> None:
    """Of 30.00 a third was paid in points; what is kept was paid likewise, also where the return is decided anew."""
    rule = {"key": "base", "name": {"en": "Base", "fr": "Base"}, "on": "sale", "currency": "stars"}
    per_spend = {"points": "1", "every": "1"}
    runtime = published(connection, program(rules=[{**rule, "per_spend": per_spend, "caps": {"day": "100"}}]))
    who = member(connection, runtime.program_id, "c1")
    tenders = (Tender("card", 2000), Tender("points", 1000))
    sold = Fact("till", "s1", "sale", MARCH, 3000, tenders=tenders)
    back = Fact("till", "r1", "return", MARCH + DAY, 1500, sale=Reference("till", "s1"))
    send(connection, runtime, sold, back, now=MARCH + DAY)
    send(connection, runtime, sale(2, MARCH - HOUR, 9_000), now=MARCH + 2 * DAY)
    known = queries.find_activity(connection, runtime.program_id, "till", "r1")
    assert known is not None
    assert known.line is not None
    told = tell(connection, runtime, who, [known.line, *known.corrections])
    connection.rollback()
    texts = [step.text.replace("\u00a0", " ") for story in told for step in story.steps("en")]
    assert texts.count("€10.00 (card) × 1 star = 10") == 2
