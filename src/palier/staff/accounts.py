"""Accounts of the staff: who a person is, by what he proves it, what he may do where, and where he is signed in.

A password is checked with a slow hash whether or not the account exists, every try is counted in the database before
it is made, and a session opens pages only once the second factor was shown: a time-based code (RFC 6238) that is
taken once, or one of the recovery codes. Nothing here commits but the counters of tries, unless it says so.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import DAY, HOUR, MINUTE, SECOND, instant, moment
from palier.site.ciphers import decrypted, encrypted
from palier.site.environment import derived_key
from palier.site.ids import new_id
from palier.site.refusal import Refused
from palier.staff import throttle
from palier.staff.approvals import Person
from palier.staff.operations import write_log
from palier.staff.roles import ROLES, Role, rights_of
from palier.staff.throttle import Limit

Face = Literal["console", "till"]
Language = Literal["en", "fr"]

SHORTEST_PASSWORD: Final = 15
LONGEST_PASSWORD: Final = 200
LONGEST_NAME: Final = 100
PIN_DIGITS: Final = (4, 8)
INVITATION_LASTS: Final = 7 * DAY
IDLE: Final = 2 * HOUR
"""How long a session of the console rests before it ends by itself; one of a till is locked by its PIN instead."""
LASTS: Final[dict[Face, int]] = {"console": 12 * HOUR, "till": 16 * HOUR}
"""How long a session lasts at the most, whatever is done in it: a working day."""
TRIES_PER_ACCOUNT: Final = 10
TRIES_PER_ADDRESS: Final = 100
TRY_WINDOW: Final = 15 * MINUTE
PIN_TRIES: Final = 5
RECOVERY_CODES: Final = 10
STEP: Final = 30 * SECOND
_SEEN_EVERY: Final = MINUTE
_EVERY_PROGRAM: Final = 0
_FIRST_LOCK: Final = 0x70616C6601


class Grant(Struct, frozen=True):
    """A role in one program (`program_id`), or in all of them (None); `partner` for the role partner alone."""

    program_id: int | None
    role: Role
    partner: str = ""


class Account(Struct, frozen=True):
    """A person of the staff. Instants are microseconds UTC."""

    account_id: int
    email: str
    name: str
    language: Language
    grants: tuple[Grant, ...]
    has_password: bool
    has_second_factor: bool
    has_pin: bool
    recovery_codes: int
    created_at: int
    closed_at: int | None

    @property
    def actor(self) -> str:
        """Who he is in the audit log."""
        return f"staff:{self.account_id}"

    @property
    def person(self) -> Person:
        """Who he is where a second person decides: his address is his alone."""
        return Person(self.actor, self.email, "staff")

    def grants_in(self, program_id: int | None) -> tuple[Grant, ...]:
        """His grants that hold in a program; with None, those that hold in all."""
        return tuple(grant for grant in self.grants if grant.program_id in (None, program_id))

    def rights_in(self, program_id: int | None) -> frozenset[str]:
        """What he may do in a program; with None, what he may do in every one."""
        found: frozenset[str] = frozenset()
        for grant in self.grants_in(program_id):
            found |= rights_of(grant.role)
        return found

    def partner_in(self, program_id: int) -> str:
        """The one partner whose own alone exists for him in a program; "" where he has another role there."""
        grants = self.grants_in(program_id)
        if not grants or any(grant.role != "partner" for grant in grants):
            return ""
        return grants[0].partner


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


_ACCOUNT: Final = """
a.account_id, a.email, a.name, a.language, a.password <> '', a.second_factor is not null, a.pin <> '',
cardinality(a.recovery), a.created_at, a.closed_at,
coalesce((select json_agg(json_build_array(g.program_id, g.role, g.partner) order by g.program_id, g.role)
          from staff_grant g where g.account_id = a.account_id), '[]'::json)
"""


def _account(row: Sequence[Any]) -> Account:
    return Account(
        row[0],
        row[1],
        row[2],
        row[3],
        tuple(Grant(program or None, role, partner) for program, role, partner in row[10]),
        row[4],
        row[5],
        row[6],
        row[7],
        instant(row[8]),
        instant(row[9]) if row[9] is not None else None,
    )


# --- who there is -----------------------------------------------------------------------------------------


def listed(connection: Connection[Any], program_id: int | None = None) -> list[Account]:
    """All accounts, or those that work in one program, by name; closed ones last."""
    rows = connection.execute(
        f"""
        -- staff.list_accounts
        select {_ACCOUNT} from staff_account a
        where %(program)s::bigint is null or exists (
          select 1 from staff_grant g where g.account_id = a.account_id and g.program_id in (0, %(program)s))
        order by a.closed_at is not null, lower(a.name), a.account_id
        """,
        {"program": program_id},
    ).fetchall()
    return [_account(row) for row in rows]


def read(connection: Connection[Any], account_id: int) -> Account | None:
    """One account; None where there is none."""
    row = connection.execute(
        f"-- staff.read_account\nselect {_ACCOUNT} from staff_account a where a.account_id = %s",
        (account_id,),
    ).fetchone()
    return _account(row) if row is not None else None


def find(connection: Connection[Any], email: str) -> Account | None:
    """The account of an address; None where there is none."""
    row = connection.execute(
        f"-- staff.find_account\nselect {_ACCOUNT} from staff_account a where a.email = %s", (_email(email),)
    ).fetchone()
    return _account(row) if row is not None else None


def is_empty(connection: Connection[Any]) -> bool:
    """Whether nobody has an account yet, so that the first one may be made."""
    row = connection.execute(
        "-- staff.any_account\nselect not exists (select 1 from staff_account)"
    ).fetchone()
    return row is not None and bool(row[0])


# --- making and changing accounts -------------------------------------------------------------------------


def invite(
    connection: Connection[Any],
    *,
    email: str,
    name: str,
    grants: Sequence[Grant],
    now: int,
    actor: str,
    language: Language = "en",
) -> tuple[Account, str]:
    """Makes an account without a password, and the token of the link by which the person sets one; shown once.

    Refuses an address that has an account, an empty or overlong name, and no grant at all.
    """
    wanted = _email(email)
    try:
        validate_email(wanted)
    except ValidationError:
        raise Refused(f"{email[:80]!r} is no e-mail address; write one such as name@example.org.") from None
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(f"A name is 1 to {LONGEST_NAME} printable characters.")
    if not grants:
        raise Refused("Give the person at least one role; without one no page would open.")
    account_id = new_id()
    made = connection.execute(
        """
        -- staff.create_account
        insert into staff_account (account_id, email, name, language, password, pin, second_factor,
                                   second_factor_step, recovery, invitation, invitation_ends_at, created_at, closed_at)
        values (%s, %s, %s, %s, '', '', null, 0, '{}', null, null, %s, null)
        on conflict (email) do nothing returning account_id
        """,
        (account_id, wanted, name.strip(), language, moment(now)),
    ).fetchone()
    if made is None:
        raise Refused(f"{wanted} has an account already; give it the role instead of inviting again.")
    _log(connection, actor, "staff.invite", f"staff:{account_id}", at=now)
    for grant in grants:
        give(connection, account_id, grant, now=now, actor=actor)
    token = reinvite(connection, account_id, now=now)
    account = read(connection, account_id)
    assert account is not None
    return account, token


# --- the first account ------------------------------------------------------------------------------------


def set_up_code() -> str:
    """The code that shows, while nobody has an account, that one may read what the server prints: 60 bits.

    It follows from the installation's secret, so that it need not be kept; once there is an account it opens nothing.
    """
    text = base64.b32encode(derived_key("first set-up")[:8]).decode()
    return "-".join(text[at : at + 4] for at in range(0, 12, 4))


def make_first(
    connection: Connection[Any],
    *,
    code: str,
    email: str,
    name: str,
    password: str,
    language: Language,
    address: str,
    now: int,
) -> Account:
    """Makes the owner of an empty installation, for whoever has the code that its server prints.

    Raises NotSignedIn for a wrong code and where somebody has an account already, which is answered alike; Throttled
    after too many tries from anywhere; refuses what `invite` and `set_password` refuse. Commits the count of tries.
    """
    tries = throttle.take(
        connection,
        [
            Limit("first set-up", 5 * TRIES_PER_ACCOUNT, TRY_WINDOW),
            Limit(f"first set-up from {sha256(address.encode()).hexdigest()}", TRIES_PER_ACCOUNT, TRY_WINDOW),
        ],
        now=now,
    )
    # Two who come at the same moment: the second waits, and finds the account of the first.
    connection.execute("-- staff.first_in_turn\nselect pg_advisory_xact_lock(%s)", (_FIRST_LOCK,))
    plain = "".join(code.split()).replace("-", "").upper()
    right = hmac.compare_digest(plain.encode(), set_up_code().replace("-", "").encode())
    if not right or not is_empty(connection):
        connection.rollback()
        raise NotSignedIn
    account, token = invite(
        connection, email=email, name=name, grants=[Grant(None, "owner")], language=language, now=now,
        actor="set-up",
    )  # fmt: skip
    accept(connection, token, password, now=now)
    connection.commit()
    throttle.give_back(connection, tries)
    return account


def reinvite(connection: Connection[Any], account_id: int, *, now: int) -> str:
    """A new link's token, which ends an older one: for the first password, or one that was forgotten."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        "-- staff.keep_invitation\n"
        "update staff_account set invitation = %s, invitation_ends_at = %s where account_id = %s",
        (sha256(token.encode()).digest(), moment(now + INVITATION_LASTS), account_id),
    )
    return token


def invited(connection: Connection[Any], token: str, *, now: int) -> Account | None:
    """Whom a link invites; None where it is unknown, used or over."""
    row = connection.execute(
        f"""
        -- staff.find_invitation
        select {_ACCOUNT} from staff_account a
        where a.invitation = %s and a.invitation_ends_at > %s and a.closed_at is null
        """,
        (sha256(token.encode()).digest(), moment(now)),
    ).fetchone()
    return _account(row) if row is not None else None


def accept(connection: Connection[Any], token: str, password: str, *, now: int) -> Account:
    """Sets the password of whom a link invites and ends the link, and all his sessions.

    Raises NotSignedIn for a link that is unknown, used or over; refuses a password as `set_password` does.
    """
    account = invited(connection, token, now=now)
    if account is None:
        raise NotSignedIn
    # Whoever comes at the same moment waits here, and finds the link used.
    held = connection.execute(
        "-- staff.hold_invitation\n"
        "select 1 from staff_account where account_id = %s and invitation = %s for update",
        (account.account_id, sha256(token.encode()).digest()),
    ).fetchone()
    if held is None:
        raise NotSignedIn
    set_password(connection, account, password, now=now)
    return account


def set_password(connection: Connection[Any], account: Account, password: str, *, now: int) -> None:
    """Sets a password; every session and link of the account ends.

    Refuses fewer than SHORTEST_PASSWORD or more than LONGEST_PASSWORD characters, a common password, and one that is
    the person's own address or name. There is no rule on its composition.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refused(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; a sentence is a good one."
        )
    plain = password.casefold().strip()
    try:
        CommonPasswordValidator().validate(password)
    except ValidationError:
        raise Refused("This password is one of the most used; take a sentence of your own.") from None
    if plain in (account.email, account.name.casefold()) or len(set(plain)) < 5:
        raise Refused("This password is guessed at once; take a sentence of your own.")
    connection.execute(
        "-- staff.set_password\n"
        "update staff_account set password = %s, invitation = null, invitation_ends_at = null where account_id = %s",
        (make_password(password), account.account_id),
    )
    end_sessions(connection, account.account_id, now=now)
    _log(connection, account.actor, "staff.password", account.actor, at=now)


def give(connection: Connection[Any], account_id: int, grant: Grant, *, now: int, actor: str) -> None:
    """Gives a role. Refuses an unknown role, a partner's role without its partner, and the reverse."""
    if grant.role not in ROLES:
        raise Refused(f"{grant.role!r} is no role; choose among {', '.join(ROLES)}.")
    if (grant.role == "partner") != bool(grant.partner):
        raise Refused("The role partner, and it alone, names the partner whose statements the person sees.")
    if grant.role == "partner" and grant.program_id is None:
        raise Refused("A partner belongs to one program; name it.")
    connection.execute(
        """
        -- staff.give_role
        insert into staff_grant (account_id, program_id, role, partner, granted_at, granted_by)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (account_id, program_id, role) do update set partner = excluded.partner
        """,
        (account_id, grant.program_id or _EVERY_PROGRAM, grant.role, grant.partner, moment(now), actor),
    )
    where = grant.program_id if grant.program_id is not None else "all"
    _log(
        connection,
        actor,
        "staff.give",
        f"staff:{account_id}",
        at=now,
        reason=f"{grant.role} in {where}",
    )


def take_back(connection: Connection[Any], account_id: int, grant: Grant, *, now: int, actor: str) -> bool:
    """Takes a role back; False where the person has it not. Refuses to leave all programs without an owner."""
    if grant.role == "owner" and grant.program_id is None:
        _refuse_last_owner(connection, account_id)
    gone = connection.execute(
        "-- staff.take_role\n"
        "delete from staff_grant where account_id = %s and program_id = %s and role = %s returning 1",
        (account_id, grant.program_id or _EVERY_PROGRAM, grant.role),
    ).fetchone()
    if gone is None:
        return False
    where = grant.program_id if grant.program_id is not None else "all"
    _log(
        connection,
        actor,
        "staff.take",
        f"staff:{account_id}",
        at=now,
        reason=f"{grant.role} in {where}",
    )
    return True


def close(connection: Connection[Any], account_id: int, *, now: int, actor: str) -> bool:
    """Closes an account and ends its sessions; False where it is closed. Refuses to close the last owner's."""
    _refuse_last_owner(connection, account_id)
    gone = connection.execute(
        "-- staff.close_account\n"
        "update staff_account set closed_at = %s, invitation = null where account_id = %s and closed_at is null "
        "returning 1",
        (moment(now), account_id),
    ).fetchone()
    if gone is None:
        return False
    end_sessions(connection, account_id, now=now)
    _log(connection, actor, "staff.close", f"staff:{account_id}", at=now)
    return True


def reopen(connection: Connection[Any], account_id: int, *, now: int, actor: str) -> bool:
    """Opens a closed account again; False where it is open."""
    back = connection.execute(
        "-- staff.reopen_account\n"
        "update staff_account set closed_at = null where account_id = %s and closed_at is not null returning 1",
        (account_id,),
    ).fetchone()
    if back is not None:
        _log(connection, actor, "staff.reopen", f"staff:{account_id}", at=now)
    return back is not None


def prefer_language(connection: Connection[Any], account_id: int, language: Language) -> None:
    """Keeps the language in which the person reads."""
    connection.execute(
        "-- staff.prefer_language\nupdate staff_account set language = %s where account_id = %s",
        (language, account_id),
    )


def _refuse_last_owner(connection: Connection[Any], account_id: int) -> None:
    """Owners of all programs are locked, so that the last two cannot leave at the same moment."""
    owners = connection.execute(
        """
        -- staff.lock_owners
        select a.account_id from staff_account a join staff_grant g on g.account_id = a.account_id
        where g.program_id = 0 and g.role = 'owner' and a.closed_at is null
        order by a.account_id for update of a
        """
    ).fetchall()
    if [row[0] for row in owners] == [account_id]:
        raise Refused("This is the last owner of all programs; make another person owner first.")


# --- signing in -------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _no_password() -> str:
    """The hash of no password: what is checked for an address that has no account, so that both take as long."""
    return make_password(secrets.token_urlsafe(32))


def known_browser(email: str) -> str:
    """What a browser keeps after a whole sign-in, so that strangers' tries do not count against it."""
    nonce = secrets.token_hex(8)
    return f"{nonce}.{_of_browser(_email(email), nonce)}"


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
    wanted = _email(email)
    tries = throttle.take(
        connection,
        [
            Limit(_tries_of(wanted, known), TRIES_PER_ACCOUNT, TRY_WINDOW),
            Limit(f"staff from {sha256(address.encode()).hexdigest()}", TRIES_PER_ADDRESS, TRY_WINDOW),
        ],
        now=now,
    )
    row = connection.execute(
        f"-- staff.account_to_sign_in\nselect {_ACCOUNT}, a.password from staff_account a where a.email = %s",
        (wanted,),
    ).fetchone()
    stored = row[11] if row is not None and row[11] else ""
    right = check_password(password[:LONGEST_PASSWORD], stored or _no_password())
    if row is None or not stored or not right or row[9] is not None:
        connection.rollback()
        raise NotSignedIn
    connection.rollback()
    throttle.give_back(connection, tries)
    account = _account(row)
    return account, open_session(connection, account, face=face, address=address, agent=agent, now=now)


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
    _log(connection, account.actor, "staff.sign_in", f"session:{session_id}", at=now, reason=face)
    return session_id


def signed_in(connection: Connection[Any], session_id: int, *, now: int) -> tuple[Account, Session] | None:
    """Who a session is of; None where it has ended, rested too long, or its account is closed. May write and commit.

    When the session was seen is kept to the minute.
    """
    row = connection.execute(
        f"""
        -- staff.signed_in
        select {_ACCOUNT}, s.session_id, s.account_id, s.face, s.address, s.agent, s.created_at, s.seen_at,
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
    return _account(row), found


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


# --- the second factor ------------------------------------------------------------------------------------


def new_second_factor() -> bytes:
    """A secret for an authenticator: 160 random bits, kept nowhere until it is confirmed."""
    return secrets.token_bytes(20)


def second_factor_link(account: Account, secret: bytes) -> str:
    """What the authenticator's picture says (otpauth:)."""
    return _totp(secret).get_provisioning_uri(account.email, "Palier")


def second_factor_text(secret: bytes) -> str:
    """The secret for whoever types it, in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def confirm_second_factor(
    connection: Connection[Any], account: Account, secret: bytes, code: str, *, session_id: int, now: int
) -> list[str]:
    """Keeps a secret whose code was shown, proves the session, and returns the recovery codes, shown this once.

    Raises NotSignedIn for a wrong code.
    """
    step = _step_of(secret, code, now)
    if step is None:
        raise NotSignedIn
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    connection.execute(
        """
        -- staff.keep_second_factor
        update staff_account set second_factor = %s, second_factor_step = %s, recovery = %s where account_id = %s
        """,
        (
            encrypted("second factors", secret, account.account_id.to_bytes(8, "big")),
            step,
            [_recovery_hash(code) for code in codes],
            account.account_id,
        ),
    )
    _prove(connection, session_id, now)
    _log(connection, account.actor, "staff.second_factor", account.actor, at=now)
    return codes


def prove_second_factor(
    connection: Connection[Any], account: Account, code: str, *, session_id: int, now: int
) -> None:
    """Takes a code of the authenticator, or a recovery code, once, and proves the session.

    Raises NotSignedIn for a wrong or used code, Throttled after too many tries. Commits the count of tries.
    """
    tries = throttle.take(
        connection, [Limit(f"staff code {account.account_id}", TRIES_PER_ACCOUNT, TRY_WINDOW)], now=now
    )
    plain = "".join(code.split()).replace("-", "").upper()
    taken = (
        _take_code(connection, account, plain, now)
        if plain.isdecimal()
        else connection.execute(
            """
            -- staff.take_recovery_code
            update staff_account set recovery = array_remove(recovery, %(code)s::bytea)
            where account_id = %(account)s and %(code)s::bytea = any(recovery) returning 1
            """,
            {"code": _recovery_hash(plain), "account": account.account_id},
        ).fetchone()
        is not None
    )
    if not taken:
        connection.rollback()
        raise NotSignedIn
    _prove(connection, session_id, now)
    connection.commit()
    throttle.give_back(connection, tries)


def forget_second_factor(connection: Connection[Any], account_id: int, *, now: int, actor: str) -> None:
    """Forgets a lost authenticator: the person sets up another at his next sign-in. Ends his sessions."""
    connection.execute(
        "-- staff.forget_second_factor\n"
        "update staff_account set second_factor = null, recovery = '{}' where account_id = %s",
        (account_id,),
    )
    end_sessions(connection, account_id, now=now)
    _log(connection, actor, "staff.forget_second_factor", f"staff:{account_id}", at=now)


def prove_again(
    connection: Connection[Any], account: Account, password: str, code: str, *, session_id: int, now: int
) -> None:
    """Takes the password and a code of the second factor once more, before something that cannot be undone easily.

    The session is proved anew. Raises NotSignedIn, which does not say what of it was wrong, and Throttled after too
    many tries. Commits.
    """
    tries = throttle.take(
        connection, [Limit(f"staff again {account.account_id}", TRIES_PER_ACCOUNT, TRY_WINDOW)], now=now
    )
    row = connection.execute(
        "-- staff.read_password\nselect password from staff_account where account_id = %s and closed_at is null",
        (account.account_id,),
    ).fetchone()
    stored = row[0] if row is not None else ""
    right = check_password(password[:LONGEST_PASSWORD], stored or _no_password())
    connection.rollback()
    if not stored or not right:
        raise NotSignedIn
    prove_second_factor(connection, account, code, session_id=session_id, now=now)
    throttle.give_back(connection, tries)


def new_recovery_codes(connection: Connection[Any], account: Account, *, now: int) -> list[str]:
    """New recovery codes, which end the old ones; shown this once."""
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    connection.execute(
        "-- staff.keep_recovery_codes\nupdate staff_account set recovery = %s where account_id = %s",
        ([_recovery_hash(code) for code in codes], account.account_id),
    )
    _log(connection, account.actor, "staff.recovery_codes", account.actor, at=now)
    return codes


def _take_code(connection: Connection[Any], account: Account, code: str, now: int) -> bool:
    row = connection.execute(
        "-- staff.read_second_factor\nselect second_factor from staff_account where account_id = %s",
        (account.account_id,),
    ).fetchone()
    if row is None or row[0] is None:
        return False
    secret = decrypted("second factors", bytes(row[0]), account.account_id.to_bytes(8, "big"))
    step = _step_of(secret, code, now)
    if step is None:
        return False
    # The step only rises, so that a code seen over a shoulder is not taken again.
    return (
        connection.execute(
            "-- staff.take_step\nupdate staff_account set second_factor_step = %(step)s "
            "where account_id = %(account)s and second_factor_step < %(step)s returning 1",
            {"step": step, "account": account.account_id},
        ).fetchone()
        is not None
    )


def _prove(connection: Connection[Any], session_id: int, now: int) -> None:
    connection.execute(
        "-- staff.prove_session\nupdate staff_session set proved_at = %s where session_id = %s",
        (moment(now), session_id),
    )


def _totp(secret: bytes) -> TOTP:
    # Authenticators know no other hash; what matters here is the key's length.
    return TOTP(secret, 6, SHA1(), STEP // SECOND)  # noqa: S303


def _step_of(secret: bytes, code: str, now: int) -> int | None:
    """The step whose code this is, of the present one and its neighbours; None where it is of none."""
    plain = "".join(code.split()).encode("ascii", "replace")
    for step in (now // STEP, now // STEP - 1, now // STEP + 1):
        try:
            _totp(secret).verify(plain, step * (STEP // SECOND))
        except InvalidToken:
            continue
        return step
    return None


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(10)).decode()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def _recovery_hash(code: str) -> bytes:
    """Eighty random bits: a fast hash is enough."""
    return sha256(code.replace("-", "").encode()).digest()


# --- the PIN ----------------------------------------------------------------------------------------------


def set_pin(connection: Connection[Any], account: Account, pin: str, *, now: int) -> None:
    """Sets the PIN by which a till is unlocked again; it opens nothing where nobody has signed in before.

    Refuses what is not PIN_DIGITS digits, one digit repeated, and digits in a row.
    """
    least, most = PIN_DIGITS
    if not (pin.isascii() and pin.isdecimal() and least <= len(pin) <= most):
        raise Refused(f"A PIN is {least} to {most} digits.")
    row = "01234567890123456789"
    if len(set(pin)) == 1 or pin in row or pin in row[::-1]:
        raise Refused("This PIN is guessed at once; take digits that are neither alike nor in a row.")
    connection.execute(
        "-- staff.set_pin\nupdate staff_account set pin = %s where account_id = %s",
        (make_password(_peppered(pin)), account.account_id),
    )
    _log(connection, account.actor, "staff.pin", account.actor, at=now)


def forget_pin(connection: Connection[Any], account_id: int, *, now: int, actor: str) -> int:
    """Forgets a PIN: the person signs in with the password at the next till and chooses another.

    Ends his sessions at tills, and returns how many. Nobody sets a PIN for somebody else, who would not be alone to
    know it.
    """
    connection.execute(
        "-- staff.forget_pin\nupdate staff_account set pin = '' where account_id = %s", (account_id,)
    )
    ended = connection.execute(
        "-- staff.end_till_sessions\nupdate staff_session set ended_at = %s "
        "where account_id = %s and face = 'till' and ended_at is null",
        (moment(now), account_id),
    ).rowcount
    _log(connection, actor, "staff.forget_pin", f"staff:{account_id}", at=now)
    return ended


def prove_pin(connection: Connection[Any], account: Account, pin: str, *, place: str, now: int) -> None:
    """Checks the PIN of an account at a `place` (a till). After PIN_TRIES wrong ones the person signs in anew.

    Raises NotSignedIn for a wrong PIN, Throttled after too many. Commits the count of tries.
    """
    tries = throttle.take(
        connection,
        [
            Limit(f"pin {account.account_id}", PIN_TRIES, TRY_WINDOW),
            Limit(f"pin at {place}", 4 * PIN_TRIES, TRY_WINDOW),
        ],
        now=now,
    )
    row = connection.execute(
        "-- staff.read_pin\nselect pin from staff_account where account_id = %s and closed_at is null",
        (account.account_id,),
    ).fetchone()
    stored = row[0] if row is not None else ""
    right = check_password(_peppered(pin[:100]), stored or _no_password())
    connection.rollback()
    if not stored or not right:
        raise NotSignedIn
    throttle.give_back(connection, tries)


def _peppered(pin: str) -> str:
    """So few digits are tried out in a moment by whoever holds the table; he does not hold this key."""
    return hmac.new(derived_key("staff pins", "identity"), pin.encode(), sha256).hexdigest()


def _log(
    connection: Connection[Any], actor: str, action: str, object: str, *, at: int, reason: str = ""
) -> None:
    role = "staff" if actor.startswith("staff:") else "operator"
    write_log(connection, actor, role, action, object, at=at, reason=reason)


def _email(email: str) -> str:
    return email.strip().casefold()[:254]
