"""Re-rating: the past judged again, by the version that should have judged it, and the differences posted.

The machinery is that of a late activity: each member's facts are folded anew and compared with the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities import batch, store
from palier.activities.runtime import Runtime, settled_from
from palier.activities.writing import check
from palier.engine.clock import moment
from palier.engine.decisions import Transfer
from palier.engine.state import decode_state
from palier.members import refs

CHUNK: Final = 200

AFFECTED: Final = """
-- rerate.affected
-- all members: whoever is here and had something decided from an instant on
select distinct a.member_id from activity a
where a.program_id = %(program)s and a.acts_at >= %(from)s and a.member_id > %(after)s
  and not exists (select 1 from member m where m.member_id = a.member_id and m.status in ('erased', 'merged'))
order by a.member_id
limit %(limit)s
"""


class MemberDifference(Struct, frozen=True):
    """What re-rating changes for one member: corrections, and the change of points by currency (minor units)."""

    member_id: int
    ref: str
    corrections: int
    points: dict[str, int]
    tier_before: str
    tier_after: str


class Rerated(Struct):
    """What re-rating changes in all."""

    members: int = 0
    changed: int = 0
    corrections: int = 0
    points: dict[str, int] = {}
    differences: list[MemberDifference] = []


def rerate(
    connection: Connection[Any],
    runtime: Runtime,
    from_at: int,
    *,
    now: int,
    post: bool,
    keep: int = 50,
    on_progress: Callable[[int], None] | None = None,
) -> Rerated:
    """Judges again every member with decisions from `from_at` on, by the timeline as `runtime` has it.

    Not who was merged into another, whose history is the other's, nor who was erased: what it asks for was forgotten.

    With `post` the differences are posted, member by member in transactions of CHUNK, each difference as a
    correction that names what it corrects; without, nothing is written. Run again, it finds nothing to do.
    At most `keep` members' differences are kept for showing, the largest first.
    """
    total = Rerated()
    # A preview takes back each chunk's use of shared limits: the next one is told of it.
    promised: Counter[str] = Counter()
    after = -1
    while True:
        rows = connection.execute(
            AFFECTED, {"program": runtime.program_id, "from": moment(from_at), "after": after, "limit": CHUNK}
        ).fetchall()
        connection.rollback()
        member_ids = [row[0] for row in rows]
        if not member_ids:
            break
        after = member_ids[-1]
        differences, used = _chunk(connection, runtime, member_ids, now, post, promised)
        if not post:
            promised.update(used)
        for difference in differences:
            total.changed += 1
            total.corrections += difference.corrections
            for currency, points in difference.points.items():
                total.points[currency] = total.points.get(currency, 0) + points
            total.differences.append(difference)
        total.members += len(member_ids)
        total.differences.sort(key=lambda item: -sum(abs(points) for points in item.points.values()))
        del total.differences[keep:]
        if on_progress is not None:
            on_progress(len(member_ids))
    return total


def _chunk(
    connection: Connection[Any],
    runtime: Runtime,
    member_ids: list[int],
    now: int,
    post: bool,
    promised: Mapping[str, int],
) -> tuple[list[MemberDifference], Counter[str]]:
    """What changes for members, and what they use of shared limits."""

    def once() -> tuple[list[MemberDifference], Counter[str]]:
        found: list[MemberDifference] = []
        used: Counter[str] = Counter()
        program, at = settled_from(connection, runtime, now) if post else (runtime, now)
        for lane in batch.lanes(member_ids):
            locked = connection.execute(store.LOCK, {"members": sorted(lane)}).fetchall()
            works = [batch.Work(member_id, decode_state(state)) for member_id, state in locked]
            before = {work.member_id: work.state.tier.key for work in works}
            used.update(batch.decide_again(connection, program, works, now=at, promised=promised))
            changed = []
            for work in works:
                difference = _difference(work, before[work.member_id])
                if difference is not None:
                    found.append(difference)
                    changed.append(work)
            if post:
                batch.write(connection, program, changed, {}, at)
            else:
                check(program, changed, now)
        if not post:
            connection.rollback()
        return found, used

    return batch.attempt(connection, once)


def _difference(work: batch.Work, tier_before: str) -> MemberDifference | None:
    if not work.corrections and not work.decisions:
        return None
    points: dict[str, int] = {}
    for _, decision in work.decisions:
        for transfer in decision.transfers:
            _add(points, transfer, 1)
    for _, correction in work.corrections:
        for _, transfer in correction.undo:
            _add(points, transfer, -1)
        for transfer in correction.post:
            _add(points, transfer, 1)
    return MemberDifference(
        work.member_id,
        refs.encode(work.member_id),
        len(work.corrections),
        {currency: minor for currency, minor in points.items() if minor},
        tier_before,
        work.state.tier.key,
    )


_OWN = frozenset({"wallet", "pending", "hold", "debt"})


def _add(points: dict[str, int], transfer: Transfer, sign: int) -> None:
    """Adds what a transfer brings to the member or takes from him, all his accounts together."""
    _, debit, credit, currency, _, amount, _ = transfer
    change = (amount if credit in _OWN else 0) - (amount if debit in _OWN else 0)
    if change:
        points[currency] = points.get(currency, 0) + sign * change
