"""What a person shows beside the password: the second factor, recovery codes, and the PIN that opens a locked till.

The second factor is a time-based code (RFC 6238) that is taken once, or one of the recovery codes. Nothing here commits
but the counters of tries, unless it says so.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth.hashers import make_password
from psycopg import Connection

from palier.engine.clock import SECOND, moment
from palier.engine.sentences import sentence
from palier.site.ciphers import decrypted, encrypted
from palier.site.environment import derived_key
from palier.site.refusal import Refused
from palier.staff import throttle
from palier.staff.accounts import Account, write_staff_log
from palier.staff.signing_in import (
    LONGEST_PASSWORD,
    TRIES_PER_ACCOUNT,
    TRY_WINDOW,
    NotSignedIn,
    end_sessions,
    fits,
)
from palier.staff.throttle import Limit

RECOVERY_CODES: Final = 10
STEP: Final = 30 * SECOND
PIN_DIGITS: Final = (4, 8)
PIN_TRIES: Final = 5


# --- the second factor ----------------------------------------------------------------------------------


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
    write_staff_log(connection, account.actor, "staff.second_factor", account.actor, at=now)
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
    write_staff_log(connection, actor, "staff.forget_second_factor", f"staff:{account_id}", at=now)


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
    right = fits(password[:LONGEST_PASSWORD], stored)
    connection.rollback()
    if not right:
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
    write_staff_log(connection, account.actor, "staff.recovery_codes", account.actor, at=now)
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


# --- the PIN --------------------------------------------------------------------------------------------


def set_pin(connection: Connection[Any], account: Account, pin: str, *, now: int) -> None:
    """Sets the PIN by which a till is unlocked again; it opens nothing where nobody has signed in before.

    Refuses what is not PIN_DIGITS digits, one digit repeated, and digits in a row.
    """
    least, most = PIN_DIGITS
    if not (pin.isascii() and pin.isdecimal() and least <= len(pin) <= most):
        raise Refused(sentence("A PIN is %(least)s to %(most)s digits.", least=least, most=most))
    row = "01234567890123456789"
    if len(set(pin)) == 1 or pin in row or pin in row[::-1]:
        raise Refused(
            sentence("This PIN is guessed at once; take digits that are neither alike nor in a row.")
        )
    connection.execute(
        "-- staff.set_pin\nupdate staff_account set pin = %s where account_id = %s",
        (make_password(_peppered(pin)), account.account_id),
    )
    write_staff_log(connection, account.actor, "staff.pin", account.actor, at=now)


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
    write_staff_log(connection, actor, "staff.forget_pin", f"staff:{account_id}", at=now)
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
    right = fits(_peppered(pin[:100]), stored)
    connection.rollback()
    if not right:
        raise NotSignedIn
    throttle.give_back(connection, tries)


def _peppered(pin: str) -> str:
    """So few digits are tried out in a moment by whoever holds the table; he does not hold this key."""
    return hmac.new(derived_key("staff pins", "identity"), pin.encode(), sha256).hexdigest()
