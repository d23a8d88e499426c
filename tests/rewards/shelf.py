"""A published program and rewards to put into its catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from palier.activities.runtime import Runtime, runtime
from palier.engine.clock import instant
from palier.members import operations as enrolment
from palier.programs.operations import publish
from palier.rewards.document import Reward
from palier.rewards.operations import Written, put
from tests.api.shop import document, program_of
from tests.ledger.rows import Connection

NOW = 1_798_761_600_000_000
"""2027-01-01T00:00:00Z, in microseconds."""


def program(connection: Connection, key: str = "club", **changes: Any) -> Runtime:
    """The club, published: stars of two decimals, gifts of none; tiers green and gold."""
    attributes = {
        "country": {"type": "text"},
        "interests": {"type": "text"},
        "likes_tea": {"type": "boolean"},
        "age": {"type": "integer"},
    }
    data = document(key, **{"member_attributes": attributes, **changes})
    data["point_currencies"][0]["value"] = "0.01"
    publish(connection, program_of(data), now=NOW, published_by="test")
    found = runtime(connection, key)
    assert found is not None
    return found


def reward(key: str = "mug", **changes: Any) -> Reward:
    """A mug for 500 stars."""
    data: dict[str, Any] = {
        "key": key,
        "name": {"en": "Mug", "fr": "Tasse"},
        "gives": {"kind": "merchandise"},
        "prices": [{"points": {"stars": "500"}}],
        **changes,
    }
    return msgspec.convert({name: value for name, value in data.items() if value is not None}, Reward)


def stocked(connection: Connection, found: Runtime, *rewards: Reward, now: int = NOW) -> list[Written]:
    """These rewards in the catalogue."""
    return [put(connection, found, item, by="test", reason="a test", now=now) for item in rewards]


def member(connection: Connection, found: Runtime, card: str = "1", **attributes: Any) -> int:
    """A member, by id."""
    made = enrolment.enrol(
        connection, found.program_id, [enrolment.NewMember({"card": card}, attributes)], now=NOW
    )
    assert made[0].member_id is not None
    return made[0].member_id


def at(text: str) -> int:
    """An instant in microseconds UTC."""
    from datetime import datetime

    return instant(datetime.fromisoformat(text))


def several(count: int) -> Iterator[Reward]:
    """Mugs, each dearer than the one before."""
    for number in range(count):
        yield reward(f"mug-{number:04}", prices=[{"points": {"stars": str(100 + number)}}])
