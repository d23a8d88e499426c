"""Guessing of codes, kept hopeless: failed tries are limited by code, by who tries, by key, and by program.

A try is counted before anything is looked up, in all its scopes together, and given back unless it fails. The
limits of one caller never close a voucher to another; when a program sees very many failures, everyone's limits in
it are halved, and whoever does not fail notices nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, TypeVar

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import MINUTE
from palier.staff import throttle
from palier.staff.throttle import Limit
from palier.vouchers import operations
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused

logger = logging.getLogger(__name__)

PER_CODE: Final = 5
"""Failed tries of one code in an hour: what keeps a PIN of six digits."""
PER_ACTOR: Final = 20
"""Failed tries of one till or person in ten minutes."""
PER_KEY: Final = 200
"""Failed tries by one API key in ten minutes, whoever it says is trying."""
PER_PROGRAM: Final = 1_000
"""Failed tries in a program in an hour beyond which the two limits above are halved."""
_HOUR: Final = 60 * MINUTE
_WINDOW: Final = 10 * MINUTE

T = TypeVar("T")


class Caller(Struct, frozen=True):
    """Who tries codes in a program: the API key (or "portal", "cli"), and the till or person behind it."""

    program_id: int
    key: str
    actor: str = ""


def guarded(
    connection: Connection[Any], caller: Caller, entered: str, operation: Callable[[], T], *, now: int
) -> T:
    """Runs an operation that looks a code up, unless too many tries have failed lately (Throttled).

    Call it outside a transaction; the operation commits or rolls back by itself. A code that is mistyped is refused
    at once and counts nowhere. What fails is an operation that raises VoucherRefused with UNKNOWN_VOUCHER: no other
    outcome is held against anyone, since it tells that the code and its proof were right.
    """
    code_hash = operations.read_code(entered)
    taken = throttle.take(connection, _limits(caller, code_hash), now=now, alert=_program(caller))
    failed = False
    try:
        return operation()
    except VoucherRefused as refused:
        failed = refused.code is VoucherRefusal.UNKNOWN_VOUCHER
        raise
    finally:
        if failed:
            if throttle.count(connection, _program(caller), now=now) == PER_PROGRAM:
                logger.warning(
                    "program %s: %s codes that do not exist were tried within an hour; the limits are halved",
                    caller.program_id,
                    PER_PROGRAM,
                )
        elif not connection.closed:
            connection.rollback()
            throttle.give_back(connection, taken)


def open_again(connection: Connection[Any], program_id: int) -> int:
    """Forgets all failed tries of a program; how many scopes were counted. Does not commit."""
    return throttle.forget(connection, f"voucher {program_id} ")


def _program(caller: Caller) -> Limit:
    return Limit(f"voucher {caller.program_id} program", PER_PROGRAM, _HOUR)


def _limits(caller: Caller, code_hash: bytes) -> list[Limit]:
    prefix = f"voucher {caller.program_id}"
    # Who tries may be told by an address or name, which is not for the database to keep.
    actor = blake2b(f"{caller.key}\0{caller.actor}".encode(), digest_size=16).hexdigest()
    return [
        Limit(f"{prefix} code {code_hash.hex()}", PER_CODE, _HOUR),
        Limit(f"{prefix} actor {actor}", PER_ACTOR, _WINDOW, PER_ACTOR // 2),
        Limit(f"{prefix} key {caller.key}", PER_KEY, _WINDOW, PER_KEY // 2),
    ]
