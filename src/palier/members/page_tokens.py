"""Page tokens: by one, a page of a shop shows where its visitor stands in a program, for a short while.

The shop's server asks for it with its API key, and puts it into the page it sends to that member. It tells a balance,
a tier and what comes next, and nothing else can be done with it. It is signed, not stored: so that those that are out
can be ended, each is signed with its program's generation, and raising that ends them all.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any, Final, Literal

from psycopg import Connection

from palier.engine.clock import SECOND, moment
from palier.members import refs
from palier.site.environment import derived_key
from palier.staff.operations import write_log

_PREFIX: Final = "pt1"
_LONGEST: Final = 200
_SIGNATURE: Final = 43
"""Hexadecimal digits: 172 bits."""

Why = Literal["expired", "refused"]


def generation(connection: Connection[Any], program_id: int) -> int:
    """The generation with which a program's page tokens are signed now."""
    row = connection.execute(
        "-- members.token_generation\nselect generation from page_token_generation where program_id = %s",
        (program_id,),
    ).fetchone()
    return int(row[0]) if row is not None else 0


def end_all(connection: Connection[Any], program_id: int, *, by: str, role: str, now: int) -> int:
    """Ends every page token of a program that is out; the new generation. Does not commit.

    `by` and `role` say who did, for the audit log. Pages that are open show what everybody may see until they are
    loaded anew, with new tokens.
    """
    row = connection.execute(
        """
        -- members.end_tokens
        insert into page_token_generation (program_id, generation, raised_at, raised_by) values (%s, 1, %s, %s)
        on conflict (program_id) do update
        set generation = page_token_generation.generation + 1, raised_at = excluded.raised_at,
            raised_by = excluded.raised_by
        returning generation
        """,
        (program_id, moment(now), by),
    ).fetchone()
    assert row is not None
    write_log(
        connection,
        by,
        role,
        "widget.end_tokens",
        f"program:{program_id}",
        at=now,
        reason=f"generation {row[0]}",
    )
    return int(row[0])


def make(program: str, generation: int, member_id: int, ends_at: int) -> str:
    """The token that shows this member in this program until an instant (microseconds UTC, down to the second)."""
    stated = f"{_PREFIX}.{refs.encode(member_id)}.{ends_at // SECOND:x}"
    return f"{stated}.{_signature(program, generation, stated)}"


def read(program: str, generation: int, token: str, now: int) -> int | Why:
    """The member whom a token shows now; "expired" for a true one past its end, "refused" for anything else.

    One of an earlier generation is refused.
    """
    stated, _, signature = token.rpartition(".")
    parts = stated.split(".")
    if len(token) > _LONGEST or not token.isascii() or len(parts) != 3 or parts[0] != _PREFIX:
        return "refused"
    if not hmac.compare_digest(_signature(program, generation, stated), signature):
        return "refused"
    if int(parts[2], 16) * SECOND <= now:
        return "expired"
    return refs.decode(parts[1])


def _signature(program: str, generation: int, stated: str) -> str:
    key = derived_key("page token")
    signed = f"{program}\0{generation}\0{stated}".encode()
    return hmac.new(key, signed, sha256).hexdigest()[:_SIGNATURE]
