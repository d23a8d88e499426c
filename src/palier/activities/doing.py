"""What members do themselves on their pages: an activity like any other, by the same intake and the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psycopg import Connection

from palier.activities import batch, wire
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.engine.clock import moment
from palier.engine.refusals import Refusal

SOURCE: Final = "portal"


def act(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    kind: str,
    attributes: Mapping[str, str | int | bool],
    *,
    id: str,
    now: int,
) -> Result:
    """Applies one activity of a member at the server's instant. Does not commit.

    `id` is its permanent id: used before, nothing happens again, and the answer tells what happened then or that it
    was something else (content_differs). Refusals are those of any activity.
    """
    sent = wire.WireActivity(
        SOURCE, id, kind, moment(now).isoformat(), channel=SOURCE, attributes=dict(attributes)
    )
    read = wire.to_fact(sent, runtime.timeline, runtime.key, now=now)
    if isinstance(read, Refusal):
        return Result(SOURCE, id, "refused", refusal=read)
    return batch.apply_within(connection, runtime, [read], now=now, known_members=[member_id])[0]
