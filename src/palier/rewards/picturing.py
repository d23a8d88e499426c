"""The picture of a reward, changed apart from the rest of its document."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.clock import moment
from palier.engine.document import Picture
from palier.rewards import catalogue
from palier.rewards.operations import Written, put
from palier.rewards.refusals import OrderRefusal, OrderRefused


def set_picture(
    connection: Connection[Any],
    runtime: Runtime,
    key: str,
    picture: Picture | None,
    *,
    by: str,
    reason: str,
    now: int,
) -> Written:
    """Gives a reward another picture, or takes it away: a version that holds from `now` on (microseconds UTC).

    Versions that begin later are written again with it, so that it holds there too. Where it is so already nothing
    is written, and `is_new` is false. One transaction: its own, or the open one. Refuses an unknown reward
    (UNKNOWN_REWARD) and what `put` refuses (NotTaken).
    """
    with connection.transaction():
        written: Written | None = None
        present = catalogue.terms(connection, runtime.program_id, key, now)
        later = {
            version.valid_from: version.reward
            for version in catalogue.versions(connection, runtime.program_id, key)
            if version.valid_from > now
        }
        if present is None and not later:
            raise OrderRefused(
                OrderRefusal.UNKNOWN_REWARD,
                "there is no such reward",
                field="reward",
                remedy="name one of the catalogue",
            )
        whole = {0: present.reward} if present is not None else {}
        for starts, reward in sorted((whole | later).items()):
            if reward.picture == picture:
                continue
            changed = replace(
                reward, picture=picture, effective_from=moment(starts).isoformat() if starts else None
            )
            done = put(connection, runtime, changed, by=by, reason=reason, now=now)
            written = written or done
        if written is None:
            latest = next(catalogue.latest(connection, runtime.program_id, [key]))
            written = Written(latest.reward_id, key, latest.version, now, False)
        return written
