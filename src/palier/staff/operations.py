"""Writes of the staff room: keys, answers kept for repeated calls, and the log of who did what."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import DAY, moment
from palier.engine.payment_cards import holds_number
from palier.engine.sentences import sentence
from palier.site.environment import derived_key
from palier.site.refusal import Refused
from palier.staff.queries import (
    PREFIX_LENGTH,
    RIGHTS,
    SECRET_LENGTH,
    base62,
    checksum,
    forget_keys,
    token_hash,
)

LONGEST_NAME: Final = 100
ANSWERS_KEPT_FOR: Final = 30 * DAY
"""How long the answer to a call with an Idempotency-Key is kept; activity and command ids never lapse."""
_PREFIX_ALPHABET: Final = "abcdefghjkmnpqrstvwxyz0123456789"
_AUDIT_LOCK: Final = 0x70616C696572
FIRST_PREVIOUS: Final = bytes(32)
"""What the first row of the audit log names as the hash before it."""


# --- keys -------------------------------------------------------------------------------------------------


class NewKey(Struct, frozen=True):
    """A key just made. `token` is shown now and never again: only its hash is stored."""

    prefix: str
    token: str


def create_key(
    connection: Connection[Any],
    program_id: int,
    *,
    name: str,
    rights: Iterable[str],
    now: int,
    expires_at: int | None = None,
    actor: str = "system",
    partner: str = "",
) -> NewKey:
    """Makes a key for one program with some rights (RIGHTS). Instants are microseconds UTC. Does not commit.

    With a `partner`, for which the caller vouches, only what is that partner's own exists for the key. Refuses an
    empty or overlong name, an unknown right, no right at all, and an expiry that has passed.
    """
    chosen = list(dict.fromkeys(rights))
    unknown = [right for right in chosen if right not in RIGHTS]
    if unknown or not chosen:
        what = (
            sentence("%(right)r is not a right", right=unknown[0])
            if unknown
            else sentence("A key needs at least one right")
        )
        raise Refused(sentence("%(what)s; choose among %(names)s.", what=what, names=", ".join(RIGHTS)))
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(
            sentence(
                "A key's name is 1 to %(longest_name)s printable characters; say who will use it.",
                longest_name=LONGEST_NAME,
            )
        )
    if holds_number(name):
        raise Refused(
            sentence("The key's name holds the number of a payment card; name the system that will use it.")
        )
    if expires_at is not None and expires_at <= now:
        raise Refused(sentence("The key would have expired already; give it a later end, or none."))
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(PREFIX_LENGTH))
    body = f"pk_{prefix}_{base62(secrets.randbits(256), SECRET_LENGTH)}"
    token = body + checksum(body)
    connection.execute(
        """
        -- staff.create_key
        insert into api_key (prefix, hash, program_id, name, rights, partner, created_at, expires_at, revoked_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, null)
        """,
        (
            prefix,
            token_hash(token),
            program_id,
            name,
            chosen,
            partner,
            moment(now),
            moment(expires_at) if expires_at is not None else None,
        ),
    )
    write_log(connection, actor, _role(actor), "key.create", f"key:{prefix}", at=now, reason=name)
    return NewKey(prefix, token)


def revoke_key(connection: Connection[Any], prefix: str, *, now: int, actor: str = "system") -> bool:
    """Ends a key; False where it is unknown or ended already. Does not commit.

    Processes that have read it stop taking it within queries.CACHED_FOR_S of the commit.
    """
    row = connection.execute(
        """
        -- staff.revoke_key
        update api_key set revoked_at = %s where prefix = %s and revoked_at is null returning prefix
        """,
        (moment(now), prefix),
    ).fetchone()
    if row is None:
        return False
    write_log(connection, actor, _role(actor), "key.revoke", f"key:{prefix}", at=now)
    forget_keys()
    return True


def _role(actor: str) -> str:
    return "staff" if actor.startswith("staff:") else "operator"


# --- repeated calls ---------------------------------------------------------------------------------------


class Answer(Struct, frozen=True):
    """What a call is answered: HTTP status and JSON body. `replayed`: an earlier call decided it."""

    status: int
    body: bytes
    replayed: bool = False


class InFlight(Exception):
    """A call with the same Idempotency-Key is being worked on at this moment."""


class KeyReused(Exception):
    """The Idempotency-Key was used before, with another request."""


@lru_cache(maxsize=1)
def _request_key() -> bytes:
    return derived_key("hashes of repeated calls", "identity")


def once(
    connection: Connection[Any],
    key: str,
    scope: str,
    request: bytes,
    operation: Callable[[], Answer],
    *,
    now: int,
) -> Answer:
    """Runs an operation for the first call with this key and scope; answers any other with the stored answer.

    Key and answer are written in the transaction of the effect. An operation that raises leaves nothing, so
    only definite results are ever replayed. Raises InFlight and KeyReused. Does not commit.
    """
    # The lock only tells who waits; that the operation runs once is the primary key's doing.
    locked = connection.execute(
        "-- staff.is_free\nselect pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (f"{scope} {key}",)
    ).fetchone()
    if locked is None or not locked[0]:
        raise InFlight
    # Keyed: a request may hold a code or a PIN, which its plain hash would let whoever has the table try out.
    digest = hmac.new(_request_key(), request, sha256).digest()
    won = connection.execute(
        """
        -- staff.begin_once
        insert into idempotency_key (key, scope, request_sha256, status, response, created_at)
        values (%s, %s, %s, 0, 'null', %s)
        on conflict (key, scope) do nothing
        returning key
        """,
        (key, scope, digest, moment(now)),
    ).fetchone()
    if won is None:
        row = connection.execute(
            """
            -- staff.stored_answer
            select request_sha256, status, response::text from idempotency_key where key = %s and scope = %s
            """,
            (key, scope),
        ).fetchone()
        if row is None:
            raise InFlight
        if bytes(row[0]) != digest:
            raise KeyReused
        return Answer(row[1], row[2].encode(), replayed=True)
    answer = operation()
    connection.execute(
        """
        -- staff.settle_once
        update idempotency_key set status = %s, response = %s::json where key = %s and scope = %s
        """,
        (answer.status, answer.body.decode(), key, scope),
    )
    return answer


def drop_old_answers(connection: Connection[Any], *, now: int, limit: int = 10_000) -> int:
    """Forgets answers older than ANSWERS_KEPT_FOR; how many. Does not commit."""
    rows = connection.execute(
        """
        -- staff.drop_old_answers
        delete from idempotency_key i
        using (select key, scope from idempotency_key where created_at < %s limit %s) o
        where i.key = o.key and i.scope = o.scope
        """,
        (moment(now - ANSWERS_KEPT_FOR), limit),
    )
    return rows.rowcount


FORGOTTEN: Final = (
    '{"type":"urn:palier:problem:forgotten","title":"Gone","status":410,"code":"forgotten",'
    '"detail":"What this call answered named a member who was erased since. It was done, and is not done again."}'
)
"""What a repeated call is answered whose stored answer was forgotten."""

FORGET_ANSWERS: Final = """
-- staff.forget_answers
update idempotency_key i set status = 410, response = %(forgotten)s::json
from unnest(%(texts)s::text[]) as t (wanted)
where position(t.wanted in i.response::text) > 0
"""


def forget_answers(connection: Connection[Any], texts: Sequence[str]) -> int:
    """Replaces stored answers that hold one of these texts (references of members who are erased); how many.

    The call stays known: sent again, it is not done again. Reads all answers that are kept
    (ANSWERS_KEPT_FOR). Does not commit.
    """
    return connection.execute(FORGET_ANSWERS, {"forgotten": FORGOTTEN, "texts": list(texts)}).rowcount


# --- the log ----------------------------------------------------------------------------------------------


def write_log(
    connection: Connection[Any], actor: str, role: str, action: str, object: str, *, at: int, reason: str = ""
) -> None:
    """Adds a row to the audit log: who did what to what, when and why. Does not commit.

    Each row's hash covers the one before it, so rows are written one transaction after the other: for acts of
    people and administration, never for the stream of activities. No secrets, no personal values.
    """
    connection.execute("-- staff.log_in_turn\nselect pg_advisory_xact_lock(%s)", (_AUDIT_LOCK,))
    row = connection.execute(
        "-- staff.last_logged\nselect hash from audit_log order by seq desc limit 1"
    ).fetchone()
    previous = bytes(row[0]) if row is not None else FIRST_PREVIOUS
    connection.execute(
        """
        -- staff.write_log
        insert into audit_log (actor, role, action, object, at, reason, hash, prev_hash)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            actor,
            role,
            action,
            object,
            moment(at),
            reason,
            log_hash(previous, actor, role, action, object, at, reason),
            previous,
        ),
    )


def log_hash(previous: bytes, actor: str, role: str, action: str, object: str, at: int, reason: str) -> bytes:
    """The hash of a row of the log: SHA-256 over the previous row's hash and the JSON array of its columns.

    `at` is in microseconds UTC.
    """
    return sha256(previous + msgspec.json.encode([actor, role, action, object, at, reason])).digest()
