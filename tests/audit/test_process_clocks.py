"""Processes whose clocks and counters differ: what was corrected last is what counts, whoever corrected it."""

from __future__ import annotations

import pytest

from palier.engine.facts import Fact, Reference
from palier.site import ids
from tests.activities.program import NOW, Connection, program
from tests.audit.race import Stage

SECOND = 1_000_000
RULE = {
    "key": "base",
    "name": {"en": "One star a euro", "fr": "Une étoile par euro"},
    "on": "sale",
    "currency": "stars",
    "per_spend": {"points": "1", "every": "1"},
    "caps": {"day": "25"},
}


def test_the_later_of_two_corrections_counts_whatever_the_processes_identifiers(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has made many identifiers is ahead of the others for a while; so is one whose clock is."""
    stage = Stage(connection, program(rules=[RULE]))
    stage.member("a")
    stage.sale("third", "a", 20, at=NOW)(connection)
    own = ids._ticks
    monkeypatch.setattr(ids, "_ticks", own + (60_000 << 10))
    stage.sale("second", "a", 10, at=NOW - SECOND)(connection)
    # As another process, with another node number and a counter of its own.
    monkeypatch.setattr(ids, "_ticks", own)
    monkeypatch.setattr(ids, "_node", 0)
    stage.sale("first", "a", 8, at=NOW - 2 * SECOND)(connection)
    assert stage.spendable("a") == 25
    back = Fact("till", "back", "return", NOW + SECOND, whole=True, sale=Reference("till", "third"))
    stage.send(back, "a", now=NOW + SECOND)(connection)
    assert (stage.spendable("a"), stage.debt("a")) == (18, 0)
