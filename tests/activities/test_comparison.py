"""A draft beside the published program, over what has happened."""

from __future__ import annotations

from palier.activities.comparison import compare
from tests.activities.program import Connection, member, published
from tests.activities.test_mechanics import CAMPAIGN, MARCH, sale, send, shop


def test_what_was_not_changed_changes_nothing_for_anybody(connection: Connection) -> None:
    """Campaigns too: their rules judge once on either side."""
    document = shop(campaigns=[{name: value for name, value in CAMPAIGN.items() if name != "budget"}])
    runtime = published(connection, document)
    for number in range(3):
        member(connection, runtime.program_id, f"c{number}")
        send(connection, runtime, sale(number, MARCH), now=MARCH, card=f"c{number}")
    found = compare(connection, runtime, document, threshold=None, now=MARCH + 1, workers=1)
    assert (found.members, found.activities, found.better, found.worse) == (3, 3, 0, 0)
    assert found.draft == found.current
    assert found.current.currencies["stars"].issued == 3 * (10 + 10)
