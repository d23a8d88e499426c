"""How people come to work here and leave: invitations by a link, the first account of an installation, closing.

Nothing here commits but the counters of tries, unless it says so.
"""

# ruff: noqa: S608 -- statements are put together from the constants of this room alone

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from psycopg import Connection

from palier.engine.clock import DAY, moment
from palier.engine.sentences import sentence
from palier.site.environment import derived_key
from palier.site.ids import new_id
from palier.site.refusal import Refused
from palier.staff import throttle
from palier.staff.accounts import (
    COLUMNS,
    Account,
    Grant,
    Language,
    account_of,
    give,
    is_empty,
    plain_address,
    read,
    refuse_last_owner,
    write_staff_log,
)
from palier.staff.signing_in import TRIES_PER_ACCOUNT, TRY_WINDOW, NotSignedIn, end_sessions, set_password
from palier.staff.throttle import Limit

LONGEST_NAME: Final = 100
INVITATION_LASTS: Final = 7 * DAY
_FIRST_LOCK: Final = 0x70616C6601


# --- invitations ----------------------------------------------------------------------------------------


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
    wanted = plain_address(email)
    if not wanted:
        raise Refused(sentence("Write an e-mail address, such as name@example.org."))
    try:
        validate_email(wanted)
    except ValidationError:
        raise Refused(
            sentence("%(email)r is no e-mail address; write one such as name@example.org.", email=email[:80])
        ) from None
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(
            sentence("A name is 1 to %(longest_name)s printable characters.", longest_name=LONGEST_NAME)
        )
    if not grants:
        raise Refused(sentence("Give the person at least one role; without one no page would open."))
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
        raise Refused(
            sentence(
                "%(wanted)s has an account already; give it the role instead of inviting again.",
                wanted=wanted,
            )
        )
    write_staff_log(connection, actor, "staff.invite", f"staff:{account_id}", at=now)
    for grant in grants:
        give(connection, account_id, grant, now=now, actor=actor)
    token = reinvite(connection, account_id, now=now)
    account = read(connection, account_id)
    assert account is not None
    return account, token


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
        select {COLUMNS} from staff_account a
        where a.invitation = %s and a.invitation_ends_at > %s and a.closed_at is null
        """,
        (sha256(token.encode()).digest(), moment(now)),
    ).fetchone()
    return account_of(row) if row is not None else None


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


# --- the first account ----------------------------------------------------------------------------------


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


# --- the end of one -------------------------------------------------------------------------------------


def close(connection: Connection[Any], account_id: int, *, now: int, actor: str) -> bool:
    """Closes an account and ends its sessions; False where it is closed. Refuses to close the last owner's."""
    refuse_last_owner(connection, account_id)
    gone = connection.execute(
        "-- staff.close_account\n"
        "update staff_account set closed_at = %s, invitation = null where account_id = %s and closed_at is null "
        "returning 1",
        (moment(now), account_id),
    ).fetchone()
    if gone is None:
        return False
    end_sessions(connection, account_id, now=now)
    write_staff_log(connection, actor, "staff.close", f"staff:{account_id}", at=now)
    return True


def reopen(connection: Connection[Any], account_id: int, *, now: int, actor: str) -> bool:
    """Opens a closed account again; False where it is open."""
    back = connection.execute(
        "-- staff.reopen_account\n"
        "update staff_account set closed_at = null where account_id = %s and closed_at is not null returning 1",
        (account_id,),
    ).fetchone()
    if back is not None:
        write_staff_log(connection, actor, "staff.reopen", f"staff:{account_id}", at=now)
    return back is not None
