"""Draws of sweepstakes: committed to before the first entry, drawn once, and recomputed by whoever likes.

Entries close at the instant of the draw; they are drawn a little later, when every transaction that sold one has
ended. The bytes are HMAC-SHA256 of the sweepstake's name and instant under the seed of that month, whose commitment is
public from the first entry on. The n-th prize goes to the entry at (SHA-256 of "bytes:n" as a number below 2**256,
times the entries left, over 2**256), of the entries in the order of their ids without those that have won.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection
from psycopg.types.json import Json

from palier.activities import draws
from palier.engine.clock import MINUTE, instant, moment
from palier.engine.facts import Fact

SETTLED_AFTER: Final = 2 * MINUTE
"""How long after closing it is drawn: no transaction that sold an entry lasts so long."""
SOURCE: Final = "palier:sweepstake"

ANNOUNCE: Final = """
-- sweepstakes.announce
insert into sweepstake_draw (program_id, reward_key, draw_at, period)
values (%(program)s, %(reward)s, %(at)s, %(period)s)
on conflict (program_id, reward_key, draw_at) do nothing
returning reward_key
"""

COMMIT: Final = """
-- sweepstakes.commit
insert into draw_seed (program_id, period, seed, commitment, created_at)
values (%(program)s, %(period)s, %(seed)s, %(commitment)s, %(now)s)
on conflict (program_id, period) do nothing
"""

DUE: Final = """
-- sweepstakes.due
select reward_key, draw_at, period from sweepstake_draw
where program_id = %(program)s and draw_at <= %(until)s and drawn_at is null
order by draw_at, reward_key
"""

LOCK: Final = """
-- sweepstakes.lock
select period from sweepstake_draw
where program_id = %(program)s and reward_key = %(reward)s and draw_at = %(at)s and drawn_at is null
for update
"""

ENTRIES: Final = """
-- sweepstakes.entries
-- all members: a draw is among everyone's entries
select member_id, item_id, order_id from reward_item
where program_id = %(program)s and reward_key = %(reward)s and kind = 'entry' and state = 'open'
  and valid_until = %(at)s
order by item_id, member_id
"""

SEED: Final = """
-- sweepstakes.seed
select seed from draw_seed where program_id = %(program)s and period = %(period)s
"""

DRAWN: Final = """
-- sweepstakes.drawn
update sweepstake_draw
set drawn = %(drawn)s, entries = %(entries)s, entries_sha256 = %(digest)s, winners = %(winners)s, drawn_at = %(now)s
where program_id = %(program)s and reward_key = %(reward)s and draw_at = %(at)s
"""

LOST: Final = """
-- sweepstakes.lost
-- all members: a draw is among everyone's entries
update reward_item set state = 'lost'
where program_id = %(program)s and reward_key = %(reward)s and kind = 'entry' and state = 'open'
  and valid_until = %(at)s and not (item_id = any(%(won)s::bigint[]))
"""

READ: Final = """
-- sweepstakes.read
select d.reward_key, d.draw_at, d.period, s.commitment, d.drawn, d.entries, d.entries_sha256, d.winners::text,
       d.drawn_at
from sweepstake_draw d
left join draw_seed s on s.program_id = d.program_id and s.period = d.period
where d.program_id = %(program)s and (%(reward)s::text is null or d.reward_key = %(reward)s)
order by d.draw_at desc, d.reward_key
"""


class Winner(Struct, frozen=True):
    """Who won which prize, counted from 1."""

    prize: int
    member_id: int
    item_id: int
    order_id: int


class Draw(Struct, frozen=True):
    """A sweepstake's draw. `commitment` and `drawn` are text, hexadecimal; nothing drawn yet: `drawn_at` is 0."""

    reward: str
    draw_at: int
    period: str
    commitment: str
    drawn: str = ""
    entries: int = 0
    entries_sha256: str = ""
    winners: tuple[Winner, ...] = ()
    drawn_at: int = 0


def announce(
    connection: Connection[Any], program_id: int, reward: str, at: int, period: str, *, now: int
) -> None:
    """Commits to the seed of the draw's month, with the first entry. Does not commit the transaction."""
    parameters = {"program": program_id, "reward": reward, "at": moment(at), "period": period}
    if connection.execute(ANNOUNCE, parameters).fetchone() is None:
        return
    seed = secrets.token_bytes(32)
    connection.execute(
        COMMIT, {**parameters, "seed": seed, "commitment": sha256(seed).digest(), "now": moment(now)}
    )


def winners(drawn: str, entries: Sequence[tuple[int, int, int]], prizes: int) -> list[Winner]:
    """Who wins, of entries (member, item, order) in the order of their ids. Pure: anyone can repeat it."""
    left = list(entries)
    found = []
    for prize in range(1, min(prizes, len(left)) + 1):
        number = int.from_bytes(sha256(f"{drawn}:{prize}".encode()).digest(), "big")
        member_id, item_id, order_id = left.pop(number * len(left) >> 256)
        found.append(Winner(prize, member_id, item_id, order_id))
    return found


def due(connection: Connection[Any], program_id: int, *, now: int) -> list[tuple[str, int]]:
    """Sweepstakes (reward, instant) that closed long enough ago, and are not drawn yet."""
    rows = connection.execute(DUE, {"program": program_id, "until": moment(now - SETTLED_AFTER)})
    return [(row[0], instant(row[1])) for row in rows]


def draw(
    connection: Connection[Any], program_id: int, reward: str, at: int, prizes: int, *, now: int
) -> list[Winner] | None:
    """Draws once: who won is written down before anyone is told. None where it was drawn already. Does not commit."""
    parameters: dict[str, Any] = {"program": program_id, "reward": reward, "at": moment(at)}
    row = connection.execute(LOCK, parameters).fetchone()
    if row is None:
        return None
    seed = connection.execute(SEED, {**parameters, "period": row[0]}).fetchone()
    assert seed is not None, "the seed was committed to with the first entry"
    drawn = draws.drawn(row[0], bytes(seed[0]), Fact(SOURCE, f"{reward}:{at}", "", 0))
    entries = connection.execute(ENTRIES, parameters).fetchall()
    digest = sha256("\n".join(f"{member}.{item}" for member, item, _ in entries).encode()).digest()
    won = winners(drawn, entries, prizes)
    connection.execute(
        DRAWN,
        {
            **parameters,
            "drawn": drawn,
            "entries": len(entries),
            "digest": digest,
            "winners": Json(msgspec.to_builtins(won)),
            "now": moment(now),
        },
    )
    connection.execute(LOST, {**parameters, "won": [winner.item_id for winner in won]})
    return won


def read(connection: Connection[Any], program_id: int, reward: str | None = None) -> list[Draw]:
    """The draws of a program, the latest first; of one reward where it is named."""
    return [
        Draw(
            row[0],
            instant(row[1]),
            row[2],
            bytes(row[3]).hex() if row[3] is not None else "",
            row[4] or "",
            row[5] or 0,
            bytes(row[6]).hex() if row[6] is not None else "",
            tuple(msgspec.json.decode(row[7], type=list[Winner])) if row[7] is not None else (),
            instant(row[8]) if row[8] is not None else 0,
        )
        for row in connection.execute(READ, {"program": program_id, "reward": reward})
    ]
