"""Stock: how many there are of a reward, a variant, a slot, a chance, or of all orders of a period.

A row of `reward_stock` moves under its lock in the transaction of the order that moves it, after the member's lock
and in the order of keys, so nothing is ever handed out twice. A count without a row has not been used yet: its row
is made with the total of the reward's document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct
from psycopg import Connection

from palier.rewards.document import Mystery, Reward

LOCK: Final = """
-- stock.lock
select key, total, held, sold, waiting from reward_stock
where key = any(%(keys)s::text[]) and program_id = %(program)s
order by key
for update
"""

BEGIN: Final = """
-- stock.begin
insert into reward_stock (key, program_id, total, held, sold, waiting)
select k, %(program)s, t, 0, 0, 0 from unnest(%(keys)s::text[], %(totals)s::bigint[]) as u(k, t)
order by k
on conflict (key, program_id) do nothing
"""

# The totals stand in the constraint and in this condition too: what was read under the lock is what is written.
MOVE: Final = """
-- stock.move
update reward_stock s set held = s.held + u.h, sold = s.sold + u.o, waiting = s.waiting + u.w
from unnest(%(keys)s::text[], %(held)s::bigint[], %(sold)s::bigint[], %(waiting)s::bigint[]) as u(k, h, o, w)
where s.key = any(%(keys)s::text[]) and s.key = u.k and s.program_id = %(program)s
  and (s.total is null or u.h + u.o <= 0 or s.held + s.sold + u.h + u.o <= s.total)
"""

READ: Final = """
-- stock.read
select key, total, held, sold, waiting from reward_stock
where key = any(%(keys)s::text[]) and program_id = %(program)s
"""

FOLLOW: Final = """
-- stock.follow
update reward_stock s
set total = case when u.t is null then null else greatest(u.t, s.held + s.sold) end
from unnest(%(keys)s::text[], %(totals)s::bigint[]) as u(k, t)
where s.key = any(%(keys)s::text[]) and s.key = u.k and s.program_id = %(program)s
"""


class Level(Struct, frozen=True):
    """One row: `total` None is without end; `waiting` members are in line."""

    key: str
    total: int | None
    held: int = 0
    sold: int = 0
    waiting: int = 0

    @property
    def remaining(self) -> int | None:
        """How many can still be had; None: without end."""
        return None if self.total is None else self.total - self.held - self.sold


class Need(Struct, frozen=True):
    """What an order takes of one row: so many units, where the row is new of so many in all.

    `limit` is a bound besides the row's own, as of a period; `what` says of what there is none left.
    """

    units: int
    total: int | None
    limit: int | None = None
    what: Literal["reward", "variant", "slot", "chance", "period"] = "reward"


class Part(NamedTuple):
    """What a row is of: a reward, and the kind ("variant", "slot", "chance", "period"; "" for the whole) and key of
    its part.
    """

    reward: str
    kind: str = ""
    key: str = ""


_PARTS: Final = {"#": "variant", "@": "slot", "?": "chance", "!": "period"}


def part_of(row: str) -> Part:
    """What the row with this key is of."""
    for mark, kind in _PARTS.items():
        reward, found, key = row.partition(mark)
        if found:
            return Part(reward, kind, key)
    return Part(row)


def of_reward(reward: str) -> str:
    """The row of a reward."""
    return reward


def of_variant(reward: str, variant: str) -> str:
    """The row of a variant."""
    return f"{reward}#{variant}"


def of_slot(reward: str, slot: str) -> str:
    """The row of a slot."""
    return f"{reward}@{slot}"


def of_chance(reward: str, number: int) -> str:
    """The row of one of the rewards that may come out of a mystery, counted from 0."""
    return f"{reward}?{number}"


def of_period(reward: str, period: str, number: int) -> str:
    """The row of what all members together ordered in a period of a kind, by its number."""
    return f"{reward}!{period}:{number}"


def read(connection: Connection[Any], program_id: int, keys: Iterable[str]) -> dict[str, Level]:
    """Rows as they stand, without a lock; those that were not used yet are left out."""
    rows = connection.execute(READ, {"program": program_id, "keys": sorted(set(keys))})
    return {row[0]: Level(*row) for row in rows}


def of_program(
    connection: Connection[Any], program_id: int, *, after: str = "", limit: int | None = None
) -> list[Level]:
    """Rows of a program that were used already, by key, behind a key; all of them without a limit."""
    rows = connection.execute(
        """
        -- stock.of_program
        select key, total, held, sold, waiting from reward_stock
        where program_id = %(program)s and key > %(after)s
        order by key
        limit %(limit)s
        """,
        {"program": program_id, "after": after, "limit": limit},
    )
    return [Level(*row) for row in rows]


def with_parts(connection: Connection[Any], program_id: int, reward: str) -> list[Level]:
    """The rows of one reward and of its parts that were used already."""
    rows = connection.execute(
        """
        -- stock.with_parts
        select key, total, held, sold, waiting from reward_stock
        where program_id = %(program)s
          and (key = %(reward)s or (starts_with(key, %(reward)s)
               and substr(key, length(%(reward)s) + 1, 1) = any('{#,@,?,!}')))
        order by key
        """,
        {"program": program_id, "reward": reward},
    )
    return [Level(*row) for row in rows]


def lock(connection: Connection[Any], program_id: int, totals: Mapping[str, int | None]) -> dict[str, Level]:
    """Locks rows in the order of their keys, those that are new with these totals. Does not commit."""
    keys = sorted(totals)
    parameters = {"program": program_id, "keys": keys}
    found = {row[0]: Level(*row) for row in connection.execute(LOCK, parameters)}
    if len(found) < len(keys):
        connection.execute(BEGIN, {**parameters, "totals": [totals[key] for key in keys]})
        found = {row[0]: Level(*row) for row in connection.execute(LOCK, parameters)}
    return found


def short(levels: Mapping[str, Level], needs: Mapping[str, Need], *, queued: bool = False) -> str | None:
    """The first row that has too few left for these needs; None where all have enough.

    A row with members in line has nothing left for anyone else, unless the caller is the one in front (`queued`).
    """
    for key in sorted(needs):
        need, level = needs[key], levels.get(key, Level(key, needs[key].total))
        taken = level.held + level.sold + need.units
        if any(bound is not None and taken > bound for bound in (level.total, need.limit)):
            return key
        if level.waiting and not queued:
            return key
    return None


def reserve(
    connection: Connection[Any], program_id: int, needs: Mapping[str, Need], *, queued: bool = False
) -> str | None:
    """Holds units of every row, or of none: then the key of the row that has too few. Does not commit."""
    if not needs:
        return None
    levels = lock(connection, program_id, {key: need.total for key, need in needs.items()})
    lacking = short(levels, needs, queued=queued)
    if lacking is None:
        _move(connection, program_id, {key: (need.units, 0, 0) for key, need in needs.items()})
    return lacking


def sell(connection: Connection[Any], program_id: int, units: Mapping[str, int]) -> None:
    """Units that were held are handed out. Does not commit."""
    _move(connection, program_id, {key: (-count, count, 0) for key, count in units.items()})


def free(connection: Connection[Any], program_id: int, units: Mapping[str, int]) -> None:
    """Units that were held can be had again. Does not commit."""
    _move(connection, program_id, {key: (-count, 0, 0) for key, count in units.items()})


def take_back(connection: Connection[Any], program_id: int, units: Mapping[str, int]) -> None:
    """Units that were handed out can be had again. Does not commit."""
    _move(connection, program_id, {key: (0, -count, 0) for key, count in units.items()})


def hand_out(connection: Connection[Any], program_id: int, units: Mapping[str, int]) -> None:
    """Units are handed out at once, of rows that are locked and have enough. Does not commit."""
    if units:
        lock(connection, program_id, dict.fromkeys(units))
    _move(connection, program_id, {key: (0, count, 0) for key, count in units.items()})


def queue(connection: Connection[Any], program_id: int, key: str, members: int) -> None:
    """So many more (or, below 0, fewer) stand in line for a row, which is locked. Does not commit."""
    _move(connection, program_id, {key: (0, 0, members)})


def _move(connection: Connection[Any], program_id: int, moves: Mapping[str, tuple[int, int, int]]) -> None:
    keys = sorted(key for key, move in moves.items() if any(move))
    if not keys:
        return
    parameters: dict[str, Any] = {"program": program_id, "keys": keys}
    if len(keys) > 1:
        connection.execute(LOCK, parameters)
    held, sold, waiting = zip(*(moves[key] for key in keys), strict=True)
    moved = connection.execute(
        MOVE, {**parameters, "held": list(held), "sold": list(sold), "waiting": list(waiting)}
    )
    if moved.rowcount != len(keys):
        raise AssertionError(f"stock of {keys} was not locked, or does not hold what an order says it does")


def totals_of(reward: Reward) -> dict[str, int | None]:
    """How many there are in all by a reward's document, by row: of it, its variants, slots and chances."""
    found: dict[str, int | None] = {of_reward(reward.key): reward.stock}
    found.update({of_variant(reward.key, item.key): item.stock for item in reward.variants})
    found.update({of_slot(reward.key, item.key): item.capacity for item in reward.slots})
    if isinstance(reward.gives, Mystery):
        for number, chance in enumerate(reward.gives.options):
            found[of_chance(reward.key, number)] = chance.stock
    return found


def taken(connection: Connection[Any], program_id: int, rewards: Iterable[Reward]) -> dict[str, Level]:
    """The rows of rewards that were used already, locked. Does not commit."""
    keys = sorted({key for reward in rewards for key in totals_of(reward)})
    rows = connection.execute(LOCK, {"program": program_id, "keys": keys})
    return {row[0]: Level(*row) for row in rows}


def below(levels: Mapping[str, Level], reward: Reward) -> Level | None:
    """The first row of which more is held and handed out than the document has; None where there is none."""
    for key, total in totals_of(reward).items():
        level = levels.get(key)
        if level is not None and total is not None and total < level.held + level.sold:
            return level
    return None


def follow(connection: Connection[Any], program_id: int, rewards: Iterable[Reward]) -> None:
    """Sets how many there are in all as documents say that hold from now on, of rows that were used already.

    Never below what is held and handed out: a version that was dated ahead may meanwhile ask for less.
    """
    totals = {key: total for reward in rewards for key, total in totals_of(reward).items()}
    if totals:
        keys = sorted(totals)
        parameters = {"program": program_id, "keys": keys, "totals": [totals[key] for key in keys]}
        connection.execute(LOCK, parameters)
        connection.execute(FOLLOW, parameters)
