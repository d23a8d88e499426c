"""Reads of vouchers: by reference, of a member, of an origin; and their codes, for whom they may be shown again."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant
from palier.members import queries as members
from palier.site.ciphers import decrypted
from palier.vouchers import codes, operations
from palier.vouchers.operations import FIND, SEALED, Issued, Standing, standing_of

_COLUMNS: Final = """
select code_hash, member_id, proof, proof_hash, effect::text, max_uses, uses, state, partner, valid_from, expires_at,
       origin, issued_at
from voucher
"""


def read(connection: Connection[Any], program_id: int, voucher_ref: str) -> Standing | None:
    """A voucher by its reference; None where the program has none with it."""
    key = codes.decode_ref(voucher_ref)
    row = (
        connection.execute(FIND, {"hash": key, "program": program_id}).fetchone() if key is not None else None
    )
    return standing_of(row) if row is not None else None


def state_at(found: Standing, now: int) -> str:
    """The state at an instant: a voucher whose end has passed is expired, marked or not."""
    if found.state == "active" and found.expires_at is not None and found.expires_at <= now:
        return "expired"
    return found.state


def of_member(connection: Connection[Any], program_id: int, member_id: int) -> list[Standing]:
    """A member's vouchers, and those of members who were merged into him, the oldest first."""
    own = [
        member_id,
        *(old for old, heir in members.merged(connection, program_id).items() if heir == member_id),
    ]
    rows = connection.execute(
        f"-- vouchers.of_member\n{_COLUMNS} where member_id = any(%s) and program_id = %s"
        " order by issued_at, code_hash",
        (own, program_id),
    )
    return [standing_of(row) for row in rows.fetchall()]


def code_of(
    connection: Connection[Any], program_id: int, voucher_ref: str, *, member_id: int | None
) -> Issued | None:
    """The code (and PIN) of a voucher, for its own member, or for whoever had it issued to nobody.

    None where there is no such voucher, it is another member's, or its code is kept no more.
    """
    key = codes.decode_ref(voucher_ref)
    if key is None:
        return None
    row = connection.execute(
        "-- vouchers.code_of\nselect sealed, member_id from voucher where code_hash = %s and program_id = %s",
        (key, program_id),
    ).fetchone()
    if row is None or row[0] is None or not _same(connection, program_id, row[1], member_id):
        return None
    code, pin = msgspec.json.decode(decrypted(SEALED, bytes(row[0]), key))
    return Issued(codes.grouped(code), voucher_ref, pin)


def _same(connection: Connection[Any], program_id: int, owner: int | None, asking: int | None) -> bool:
    """Whether a voucher's member is whoever asks, also after one of them was merged into the other."""
    if owner is None or asking is None or owner == asking:
        return owner == asking
    heirs = members.heirs(connection, program_id, [owner, asking])
    return operations.heir(heirs, owner) == operations.heir(heirs, asking)


class UseShown(Struct, frozen=True):
    """A use of a voucher, or (`kind` release) that it was given back. `at` is in microseconds UTC."""

    kind: str
    source: str
    id: str
    channel: str
    location: str
    actor: str
    at: int


def uses(connection: Connection[Any], program_id: int, voucher_ref: str) -> list[UseShown]:
    """What was done with a voucher, the oldest first."""
    rows = connection.execute(
        """
        -- vouchers.uses
        select kind, source, external_id, channel, location, actor, at from voucher_use
        where code_hash = %s and program_id = %s order by at, kind desc
        """,
        (codes.decode_ref(voucher_ref), program_id),
    )
    return [
        UseShown(row[0], row[1], row[2], row[3], row[4], row[5], instant(row[6])) for row in rows.fetchall()
    ]
