"""Writes of the catalogue: a new version of a reward, many of a supplier's at once, and what begins on a date.

A version never changes. What is changed live (a price, a limit, what is shown) is a new version with who and when;
one that is dated begins by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.clock import MINUTE, instant, moment
from palier.engine.conditions import Problem
from palier.engine.instants import parse_instant
from palier.engine.sentences import sentence
from palier.programs.structure import convert, faults
from palier.rewards import stock
from palier.rewards.catalogue import known
from palier.rewards.check import check
from palier.rewards.document import Reward, canonical, parts_of
from palier.rewards.listing import Listed, relist
from palier.rewards.stock import Level
from palier.site.arrays import Documents, Instants
from palier.site.ids import new_ids
from palier.staff.operations import write_log

PAST_TOLERANCE: Final = 5 * MINUTE
"""How far back a later version may begin: as long as it may take from writing an instant to applying it."""
LOADED_AT_ONCE: Final = 2_000
LONGEST_REASON: Final = 500

_decode = msgspec.json.Decoder(Reward).decode


class NotTaken(Exception):
    """The document of a reward has errors, all of which are in `problems`."""

    def __init__(self, key: str, problems: Sequence[Problem]) -> None:
        first = problems[0]
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        where = f"{key}: {first.path}" if first.path else key
        super().__init__(f"{where}: {first.message}; {first.remedy}{more}")
        self.key = key
        self.problems = tuple(problems)


class Written(Struct, frozen=True):
    """A version as it stands now. `is_new` is whether this call made it. Instants are microseconds UTC."""

    reward_id: int
    key: str
    number: int
    valid_from: int
    is_new: bool


class _Stored(Struct):
    """What is stored of a reward: its number of versions, the latest of them, and when it was first written."""

    reward_id: int
    latest: int
    sha256: str
    kind: str
    made_at: int


def put(
    connection: Connection[Any],
    runtime: Runtime,
    reward: Reward,
    *,
    by: str,
    reason: str,
    now: int,
) -> Written:
    """Writes a reward, new or as the next version of the one with its key. One transaction: its own, or the open one.

    It begins at its `effective_from`, or `now` (microseconds UTC). A document equal to the latest version changes
    nothing. Refuses (NotTaken) a document with errors, another kind of reward under the same key, and a later
    version that would begin in the past.
    """
    with connection.transaction():
        found = write(connection, runtime, [reward], by=by, reason=reason, now=now)[0]
        if isinstance(found, NotTaken):
            raise found
        if found.is_new:
            what = f"reward:{runtime.key}:{found.key}:{found.number}"
            write_log(connection, by, "operator", "reward.put", what, at=now, reason=reason)
        return found


def write(
    connection: Connection[Any],
    runtime: Runtime,
    rewards: Sequence[Reward],
    *,
    by: str,
    reason: str,
    now: int,
) -> list[Written | NotTaken]:
    """Writes rewards of different keys set by set, each like `put`, and says of each what became of it.

    They may be made of each other. Runs in the caller's transaction, and logs nothing.
    """
    program_id = runtime.program_id
    wrong = _wrong(connection, runtime, rewards)
    sound = [reward for reward in rewards if reward.key not in wrong]
    stored = _enter(connection, program_id, [reward.key for reward in sound], now)
    levels = stock.taken(connection, program_id, sound)
    answers: list[Written | NotTaken] = []
    versions: list[tuple[int, int, bytes, str, int]] = []
    for reward in rewards:
        if reward.key in wrong:
            answers.append(NotTaken(reward.key, wrong[reward.key]))
            continue
        there = stored[reward.key]
        body = canonical(reward)
        digest = sha256(body).hexdigest()
        starts = parse_instant(reward.effective_from) if reward.effective_from is not None else now
        if digest == there.sha256:
            answers.append(Written(there.reward_id, reward.key, there.latest, starts, False))
            continue
        against = _against(reward, there, starts, now) + (_of_stock(levels, reward) if starts <= now else [])
        if against:
            answers.append(NotTaken(reward.key, against))
            continue
        number = there.latest + 1
        versions.append((there.reward_id, number, body, digest, starts))
        answers.append(Written(there.reward_id, reward.key, number, starts, True))
    _insert(connection, program_id, versions, by=by, reason=reason, now=now)
    settle(connection, runtime, [version[0] for version in versions], now=now)
    return answers


def _wrong(
    connection: Connection[Any], runtime: Runtime, rewards: Sequence[Reward]
) -> dict[str, list[Problem]]:
    """The errors of rewards by key; what is made of one that has errors has one itself."""
    program = runtime.latest.document
    found: dict[str, list[Problem]] = {}
    sound: dict[str, Reward] = {}
    stored = known(connection, runtime.program_id)

    def there(key: str) -> Reward | None:
        return sound.get(key) or stored(key)

    # What is made of others is looked at last, so that it finds those that are sound.
    for reward in sorted(rewards, key=lambda item: bool(parts_of(item))):
        problems = [item for item in check(reward, program, there) if item.severity == "error"]
        if problems:
            found[reward.key] = problems
        else:
            sound[reward.key] = reward
    return found


def _enter(connection: Connection[Any], program_id: int, keys: Sequence[str], now: int) -> dict[str, _Stored]:
    """Locks the rewards with these keys; new ones are entered first, so that two who write one meet at its row."""
    if not keys:
        return {}
    connection.execute(
        _ENTER, {"program": program_id, "ids": new_ids(len(keys)), "keys": list(keys), "now": moment(now)}
    )
    rows = connection.execute(_LOCK, (program_id, list(keys))).fetchall()
    found = {row[0]: _Stored(row[1], row[2], "", "", instant(row[3])) for row in rows}
    there = {item.reward_id: item for item in found.values() if item.latest}
    if there:
        ids, numbers = list(there), [item.latest for item in there.values()]
        for reward_id, digest, kind in connection.execute(_LATEST, (ids, numbers, program_id)):
            there[reward_id].sha256, there[reward_id].kind = digest, kind
    return found


_ENTER: Final = """
-- rewards.enter
insert into reward (program_id, reward_id, key, version, latest, next_at, made_at)
select %(program)s, u.reward_id, u.key, 0, 0, null, %(now)s
from unnest(%(ids)s::bigint[], %(keys)s::text[]) as u (reward_id, key)
order by u.key
on conflict (program_id, key) do nothing
"""

_LOCK: Final = """
-- rewards.lock
select r.key, r.reward_id, r.latest, r.made_at from reward r
where r.program_id = %s and r.key = any(%s)
order by r.key
for update
"""

_LATEST: Final = """
-- rewards.latest
select v.reward_id, v.sha256, v.document -> 'gives' ->> 'kind'
from unnest(%s::bigint[], %s::bigint[]) as u (reward_id, number)
join reward_version v on v.program_id = %s and v.reward_id = u.reward_id and v.number = u.number
"""


def _against(reward: Reward, there: _Stored, starts: int, now: int) -> list[Problem]:
    """What keeps a document from following the versions that are there."""
    found = []
    if there.kind and there.kind != reward.kind:
        message = sentence("%(key)s is a %(kind)s, and orders of it are", key=reward.key, kind=there.kind)
        found.append(
            Problem("gives.kind", message, sentence("retire it, and write another key"), "contradiction")
        )
    if there.latest and starts < now - PAST_TOLERANCE:
        message = sentence(
            "%(effective_from)s is past, and orders since then name another version",
            effective_from=reward.effective_from,
        )
        found.append(
            Problem("effective_from", message, sentence("leave it out to begin now"), "contradiction")
        )
    return found


def _of_stock(levels: Mapping[str, Level], reward: Reward) -> list[Problem]:
    """What was handed out or is held of a reward cannot be more than there is."""
    short = stock.below(levels, reward)
    if short is None:
        return []
    message = sentence(
        "%(sold)s of %(key)s were handed out and %(held)s are held",
        sold=short.sold,
        key=short.key,
        held=short.held,
    )
    return [
        Problem(
            "stock",
            message,
            sentence("give at least %(value)s", value=short.held + short.sold),
            "contradiction",
        )
    ]


_INSERT: Final = """
-- rewards.insert_versions
insert into reward_version
  (program_id, reward_id, number, document, sha256, valid_from, made_by, made_at, reason)
select %(program)s, u.reward_id, u.number, u.document, u.sha256, u.valid_from, %(by)s, %(now)s, %(reason)s
from unnest(%(ids)s::bigint[], %(numbers)s::bigint[], %(documents)s::json[], %(digests)s::text[],
            %(starts)s::timestamptz[]) as u (reward_id, number, document, sha256, valid_from)
"""

_COUNTED: Final = """
-- rewards.count_versions
update reward r set latest = u.number
from unnest(%(ids)s::bigint[], %(numbers)s::bigint[]) as u (reward_id, number)
where r.program_id = %(program)s and r.reward_id = u.reward_id
"""


def _insert(
    connection: Connection[Any],
    program_id: int,
    versions: Sequence[tuple[int, int, bytes, str, int]],
    *,
    by: str,
    reason: str,
    now: int,
) -> None:
    if not versions:
        return
    ids, numbers, bodies, digests, starts = (list(column) for column in zip(*versions, strict=True))
    connection.execute(
        _INSERT,
        {
            "program": program_id,
            "ids": ids,
            "numbers": numbers,
            "documents": Documents(bodies),
            "digests": digests,
            "starts": Instants(starts),
            "by": by,
            "now": moment(now),
            "reason": reason[:LONGEST_REASON],
        },
    )
    connection.execute(_COUNTED, {"program": program_id, "ids": ids, "numbers": numbers})


# --- what holds -------------------------------------------------------------------------------------------

_HOLDS: Final = """
-- rewards.what_holds
select r.reward_id, r.made_at, r.version,
       (select v.number from reward_version v
        where v.program_id = r.program_id and v.reward_id = r.reward_id and v.valid_from <= %(now)s
        order by v.valid_from desc, v.number desc limit 1),
       (select min(v.valid_from) from reward_version v
        where v.program_id = r.program_id and v.reward_id = r.reward_id and v.valid_from > %(now)s)
from reward r
where r.program_id = %(program)s and r.reward_id = any(%(ids)s)
"""

_SETTLE: Final = """
-- rewards.settle
update reward r set version = u.version, next_at = u.next_at
from unnest(%(ids)s::bigint[], %(versions)s::bigint[], %(next)s::timestamptz[]) as u (reward_id, version, next_at)
where r.program_id = %(program)s and r.reward_id = u.reward_id
"""


def settle(connection: Connection[Any], runtime: Runtime, reward_ids: Sequence[int], *, now: int) -> None:
    """Lists what holds now of these rewards, and notes when it changes next. In the caller's transaction."""
    if not reward_ids:
        return
    program_id = runtime.program_id
    rows = connection.execute(
        _HOLDS, {"program": program_id, "ids": sorted(reward_ids), "now": moment(now)}
    ).fetchall()
    connection.execute(
        _SETTLE,
        {
            "program": program_id,
            "ids": [row[0] for row in rows],
            "versions": [row[3] or 0 for row in rows],
            "next": Instants([instant(row[4]) if row[4] is not None else None for row in rows]),
        },
    )
    begun = [row for row in rows if row[3] is not None]
    documents = connection.execute(
        """
        -- rewards.documents
        select v.reward_id, v.document::text
        from unnest(%s::bigint[], %s::bigint[]) as u (reward_id, number)
        join reward_version v on v.program_id = %s and v.reward_id = u.reward_id and v.number = u.number
        """,
        ([row[0] for row in begun], [row[3] for row in begun], program_id),
    ).fetchall()
    read = {reward_id: _decode(text) for reward_id, text in documents}
    stock.follow(connection, program_id, read.values())
    relist(
        connection,
        program_id,
        runtime.latest,
        [Listed(row[0], row[3], instant(row[1]), read[row[0]]) for row in begun],
    )


def take_effect(connection: Connection[Any], runtime: Runtime, *, now: int, limit: int = 1000) -> int:
    """Lists versions that were dated and have begun since; how many rewards. In the caller's transaction.

    The worker calls it, and so does whoever browses: nobody sees a price that holds no more.
    """
    rows = connection.execute(
        """
        -- rewards.begun
        select reward_id from reward where program_id = %s and next_at <= %s
        order by reward_id limit %s for update skip locked
        """,
        (runtime.program_id, moment(now), limit),
    ).fetchall()
    settle(connection, runtime, [row[0] for row in rows], now=now)
    return len(rows)


# --- many at once -----------------------------------------------------------------------------------------


class Refusal(Struct, frozen=True):
    """A line of a supplier's catalogue that was not taken."""

    line: int
    key: str
    path: str
    message: str
    remedy: str


class Loaded(Struct):
    """What became of the lines of a supplier's catalogue: the four add up to `sent`."""

    sent: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0


def load(
    connection: Connection[Any],
    runtime: Runtime,
    lines: Iterable[tuple[int, Any]],
    *,
    by: str,
    reason: str,
    now: Callable[[], int],
    on_refused: Callable[[Refusal], None] = lambda _: None,
    on_progress: Callable[[Loaded], None] = lambda _: None,
) -> Loaded:
    """Writes many rewards, each the number of its line and its document, some thousand to a transaction. Commits.

    Sent again, it changes nothing; cut off, it is sent again. A line with errors is told to `on_refused`, and the
    others are taken. Refuses a key that comes twice in one lot of lines.
    """
    done = Loaded()
    source = iter(lines)
    while chunk := list(islice(source, LOADED_AT_ONCE)):
        take(
            connection,
            runtime,
            chunk,
            done,
            by=by,
            reason=reason,
            now=now(),
            on_refused=on_refused,
        )
        connection.commit()
        on_progress(done)
    log_load(connection, runtime, done, by=by, reason=reason, now=now())
    connection.commit()
    return done


def log_load(
    connection: Connection[Any], runtime: Runtime, done: Loaded, *, by: str, reason: str, now: int
) -> None:
    """One row of the audit log for all that was written at once. In the caller's transaction."""
    if done.new or done.changed:
        said = f"{done.new} new, {done.changed} changed; {reason}"[:LONGEST_REASON]
        write_log(connection, by, "operator", "reward.load", f"rewards:{runtime.key}", at=now, reason=said)


def take(
    connection: Connection[Any],
    runtime: Runtime,
    lines: Sequence[tuple[int, Any]],
    done: Loaded,
    *,
    by: str,
    reason: str,
    now: int,
    on_refused: Callable[[Refusal], None],
) -> None:
    """Writes one lot of numbered lines, and counts into `done` what became of them.

    In the caller's transaction.
    """
    taken: dict[str, tuple[int, Reward]] = {}
    done.sent += len(lines)
    for number, data in lines:
        problem = _read(data, taken, number)
        if problem is not None:
            done.refused += 1
            on_refused(problem)
    answers = write(
        connection, runtime, [reward for _, reward in taken.values()], by=by, reason=reason, now=now
    )
    for answer in answers:
        if isinstance(answer, NotTaken):
            wrong = answer.problems[0]
            done.refused += 1
            on_refused(Refusal(taken[answer.key][0], answer.key, wrong.path, wrong.message, wrong.remedy))
        elif not answer.is_new:
            done.same += 1
        elif answer.number == 1:
            done.new += 1
        else:
            done.changed += 1


def _read(data: Any, taken: dict[str, tuple[int, Reward]], number: int) -> Refusal | None:
    """Takes one line, or says why not."""
    wrong = faults(data, Reward)
    if wrong:
        key = str(data.get("key", ""))[:80] if isinstance(data, dict) else ""
        return Refusal(number, key, wrong[0].path, wrong[0].message, wrong[0].remedy)
    reward = convert(data, Reward)
    if reward.key in taken:
        message = f'the key "{reward.key}" is already that of line {taken[reward.key][0]}'
        return Refusal(number, reward.key, "key", message, "give it a key of its own")
    taken[reward.key] = (number, reward)
    return None
