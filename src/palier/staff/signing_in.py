"""Signing in: passwords, and the sessions that they open.

A password is checked with a slow hash whether or not the account exists, every try is counted in the database before
it is made, and a session opens pages only once the second factor was shown (`factors`). Nothing here commits but the
counters of tries, unless it says so.
"""

# ruff: noqa: S608 -- statements are put together from the constants of this room alone

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import DAY, HOUR, MINUTE, instant, moment
from palier.engine.sentences import sentence
from palier.site.environment import derived_key
from palier.site.ids import new_id
from palier.site.refusal import Refused
from palier.staff import throttle
from palier.staff.accounts import COLUMNS, Account, account_of, plain_address, write_staff_log
from palier.staff.throttle import Limit

Face = Literal["console", "till"]

SHORTEST_PASSWORD: Final = 15
LONGEST_PASSWORD: Final = 200
IDLE: Final = 2 * HOUR
"""How long a session of the console rests before it ends by itself; one of a till is locked by its PIN instead."""
LASTS: Final[dict[Face, int]] = {"console": 12 * HOUR, "till": 16 * HOUR}
"""How long a session lasts at the most, whatever is done in it: a working day."""
TRIES_PER_ACCOUNT: Final = 10
TRIES_PER_ADDRESS: Final = 100
TRY_WINDOW: Final = 15 * MINUTE
_SEEN_EVERY: Final = MINUTE


class Session(Struct, frozen=True):
    """Where an account is signed in. `proved_at`: when the second factor was shown last, None before."""

    session_id: int
    account_id: int
    face: Face
    address: str
    agent: str
    created_at: int
    seen_at: int
    proved_at: int | None
    ended_at: int | None


class NotSignedIn(Exception):
    """The proof is not right: wrong, used before, or of nobody. One exception for all, so that nothing is learnt."""


# --- passwords ------------------------------------------------------------------------------------------


def set_password(connection: Connection[Any], account: Account, password: str, *, now: int) -> None:
    """Sets a password; every session and link of the account ends.

    Refuses fewer than SHORTEST_PASSWORD or more than LONGEST_PASSWORD characters, a common password, and one that is
    the person's own address or name. There is no rule on its composition.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refused(
            sentence(
                "A password has %(shortest_password)s to %(longest_password)s characters; a sentence is a good one.",
                shortest_password=SHORTEST_PASSWORD,
                longest_password=LONGEST_PASSWORD,
            )
        )
    plain = password.casefold().strip()
    try:
        CommonPasswordValidator().validate(password)
    except ValidationError:
        raise Refused(
            sentence("This password is one of the most used; take a sentence of your own.")
        ) from None
    if plain in (account.email, account.name.casefold()) or len(set(plain)) < 5:
        raise Refused(sentence("This password is guessed at once; take a sentence of your own."))
    connection.execute(
        "-- staff.set_password\n"
        "update staff_account set password = %s, invitation = null, invitation_ends_at = null where account_id = %s",
        (make_password(password), account.account_id),
    )
    end_sessions(connection, account.account_id, now=now)
    write_staff_log(connection, account.actor, "staff.password", account.actor, at=now)


def fits(given: str, stored: str) -> bool:
    """Whether a password or PIN is the one whose hash is stored; False, after as long, where none is ("")."""
    return check_password(given, stored or _no_password()) and bool(stored)


@lru_cache(maxsize=1)
def _no_password() -> str:
    """The hash of no password: what is checked for an address that has no account, so that both take as long."""
    return make_password(secrets.token_urlsafe(32))


def known_browser(email: str) -> str:
    """What a browser keeps after a whole sign-in, so that strangers' tries do not count against it."""
    nonce = secrets.token_hex(8)
    return f"{nonce}.{_of_browser(plain_address(email), nonce)}"


def _of_browser(email: str, nonce: str) -> str:
    return hmac.new(derived_key("known browser"), f"{email}\0{nonce}".encode(), sha256).hexdigest()


def _tries_of(email: str, known: str) -> str:
    """Under which name tries are counted: of a browser in which this account was signed in before, or of all others."""
    nonce, _, mark = known.partition(".")
    own = hmac.compare_digest(_of_browser(email, nonce[:16]).encode(), mark.encode())
    return f"staff {sha256(email.encode()).hexdigest()}{f' by {nonce[:16]}' if own else ''}"


def sign_in(
    connection: Connection[Any],
    email: str,
    password: str,
    *,
    face: Face,
    address: str,
    agent: str,
    now: int,
    known: str = "",
) -> tuple[Account, int]:
    """Opens a session, which opens no page before the second factor was shown: the account and the session's id.

    `known` is what `known_browser` gave this browser: its tries are counted apart, so that nobody who tries addresses
    from elsewhere keeps a person out.

    Raises NotSignedIn where address and password do not belong together or the account is closed, and Throttled
    after too many tries. Commits the count of tries.
    """
    wanted = plain_address(email)
    tries = throttle.take(
        connection,
        [
            Limit(_tries_of(wanted, known), TRIES_PER_ACCOUNT, TRY_WINDOW),
            Limit(f"staff from {sha256(address.encode()).hexdigest()}", TRIES_PER_ADDRESS, TRY_WINDOW),
        ],
        now=now,
    )
    row = connection.execute(
        f"-- staff.account_to_sign_in\nselect {COLUMNS}, a.password from staff_account a where a.email = %s",
        (wanted,),
    ).fetchone()
    stored = row[11] if row is not None and row[11] else ""
    right = fits(password[:LONGEST_PASSWORD], stored)
    if row is None or not right or row[9] is not None:
        connection.rollback()
        raise NotSignedIn
    connection.rollback()
    throttle.give_back(connection, tries)
    account = account_of(row)
    return account, open_session(connection, account, face=face, address=address, agent=agent, now=now)


# --- sessions -------------------------------------------------------------------------------------------


def open_session(
    connection: Connection[Any],
    account: Account,
    *,
    face: Face,
    address: str,
    agent: str,
    now: int,
    proved: bool = False,
) -> int:
    """Opens a session for whom the caller knows; `proved` where a second factor was shown already."""
    session_id = new_id()
    connection.execute(
        """
        -- staff.open_session
        insert into staff_session (session_id, account_id, face, address, agent, created_at, seen_at, proved_at,
                                   ended_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, null)
        """,
        (
            session_id,
            account.account_id,
            face,
            address[:45],
            "".join(c for c in agent if c.isprintable())[:200],
            moment(now),
            moment(now),
            moment(now) if proved else None,
        ),
    )
    write_staff_log(connection, account.actor, "staff.sign_in", f"session:{session_id}", at=now, reason=face)
    return session_id


def signed_in(connection: Connection[Any], session_id: int, *, now: int) -> tuple[Account, Session] | None:
    """Who a session is of; None where it has ended, rested too long, or its account is closed. May write and commit.

    When the session was seen is kept to the minute.
    """
    row = connection.execute(
        f"""
        -- staff.signed_in
        select {COLUMNS}, s.session_id, s.account_id, s.face, s.address, s.agent, s.created_at, s.seen_at,
               s.proved_at, s.ended_at
        from staff_session s join staff_account a on a.account_id = s.account_id
        where s.session_id = %s and s.ended_at is null and a.closed_at is null
        """,
        (session_id,),
    ).fetchone()
    if row is None:
        return None
    found = _session(row[11:])
    if now - found.created_at > LASTS[found.face] or (found.face == "console" and now - found.seen_at > IDLE):
        return None
    if now - found.seen_at > _SEEN_EVERY:
        connection.rollback()
        connection.execute(
            "-- staff.seen\nupdate staff_session set seen_at = %s where session_id = %s",
            (moment(now), session_id),
        )
        connection.commit()
    return account_of(row), found


def _session(row: Sequence[Any]) -> Session:
    return Session(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        instant(row[5]),
        instant(row[6]),
        instant(row[7]) if row[7] is not None else None,
        instant(row[8]) if row[8] is not None else None,
    )


def sessions(connection: Connection[Any], account_id: int, *, now: int) -> list[Session]:
    """Where an account is signed in now, the latest first."""
    rows = connection.execute(
        """
        -- staff.list_sessions
        select session_id, account_id, face, address, agent, created_at, seen_at, proved_at, ended_at
        from staff_session where account_id = %s and ended_at is null and created_at > %s
        order by created_at desc limit 100
        """,
        (account_id, moment(now - max(LASTS.values()))),
    ).fetchall()
    found = [_session(row) for row in rows]
    return [
        one
        for one in found
        if now - one.created_at <= LASTS[one.face] and (one.face != "console" or now - one.seen_at <= IDLE)
    ]


def end_session(connection: Connection[Any], account_id: int, session_id: int, *, now: int) -> bool:
    """Ends a session of this account; False where it has none such."""
    gone = connection.execute(
        "-- staff.end_session\nupdate staff_session set ended_at = %s "
        "where session_id = %s and account_id = %s and ended_at is null returning 1",
        (moment(now), session_id, account_id),
    ).fetchone()
    return gone is not None


def end_sessions(connection: Connection[Any], account_id: int, *, now: int, but: int = 0) -> int:
    """Ends all sessions of an account but one; how many."""
    return connection.execute(
        "-- staff.end_sessions\nupdate staff_session set ended_at = %s "
        "where account_id = %s and session_id <> %s and ended_at is null",
        (moment(now), account_id, but),
    ).rowcount


def drop_old_sessions(connection: Connection[Any], *, now: int) -> int:
    """Forgets sessions that have been over for thirty days; how many."""
    return connection.execute(
        "-- staff.drop_old_sessions\ndelete from staff_session where created_at < %s",
        (moment(now - 30 * DAY),),
    ).rowcount
