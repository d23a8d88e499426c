"""Accounts of the staff: how one signs in, what is refused, when a session ends, and that an owner remains."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.test import override_settings
from psycopg import Connection

from palier.engine.clock import DAY, HOUR, MINUTE, SECOND
from palier.site import clock, database
from palier.site import settings as shipped
from palier.site.refusal import Refused
from palier.staff import accounts, admission, factors, signing_in, throttle
from palier.staff.accounts import Account, Grant
from palier.staff.roles import ALL_RIGHTS, ROLES, rights_of
from palier.staff.signing_in import NotSignedIn
from palier.staff.throttle import Throttled

PASSWORD = "the cup that is never empty"


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    from palier.site import database as place

    with place.connect() as made:
        yield made


def person(connection: Connection[Any], email: str = "a@example.org", *grants: Grant) -> Account:
    now = clock.now()
    _, token = admission.invite(
        connection, email=email, name="A", grants=grants or [Grant(None, "owner")], now=now, actor="test"
    )
    account = admission.accept(connection, token, PASSWORD, now=now)
    connection.commit()
    return account


def sign_in(
    connection: Connection[Any], email: str, password: str, now: int, address: str = "192.0.2.1"
) -> int:
    _, session_id = signing_in.sign_in(
        connection, email, password, face="console", address=address, agent="test", now=now
    )
    connection.commit()
    return session_id


def code(secret: bytes, now: int) -> str:
    return TOTP(secret, 6, SHA1(), 30).generate(now // SECOND).decode()


def test_a_link_sets_the_password_once_and_within_its_days(connection: Connection[Any]) -> None:
    now = clock.now()
    account, token = admission.invite(
        connection, email=" A@Example.org ", name="A", grants=[Grant(None, "owner")], now=now, actor="test"
    )
    assert account.email == "a@example.org"
    with pytest.raises(NotSignedIn):
        sign_in(connection, "a@example.org", "", now)
    assert admission.invited(connection, token, now=now + 7 * DAY) is None
    admission.accept(connection, token, PASSWORD, now=now)
    with pytest.raises(NotSignedIn):
        admission.accept(connection, token, PASSWORD, now=now)
    assert sign_in(connection, "A@example.org", PASSWORD, now) > 0


@pytest.mark.parametrize(
    "password", ["short", "x" * 201, "aaaaaaaaaaaaaaaaaaaa", "a.long.address@example.org"]
)
def test_passwords_that_are_guessed_are_refused(connection: Connection[Any], password: str) -> None:
    account = person(connection, "a.long.address@example.org")
    with pytest.raises(Refused):
        signing_in.set_password(connection, account, password, now=clock.now())


def test_who_does_not_exist_and_who_errs_are_answered_alike_and_throttled(
    connection: Connection[Any],
) -> None:
    now = clock.now()
    person(connection)
    for email in ("a@example.org", "nobody@example.org"):
        for _ in range(signing_in.TRIES_PER_ACCOUNT):
            with pytest.raises(NotSignedIn):
                sign_in(connection, email, "not the password at all", now)
        with pytest.raises(Throttled):
            sign_in(connection, email, PASSWORD, now)
    throttle._seen.clear()
    assert sign_in(connection, "a@example.org", PASSWORD, now + signing_in.TRY_WINDOW) > 0


def test_what_is_shipped_slows_whoever_tries_passwords_out(connection: Connection[Any]) -> None:
    """Tests themselves keep passwords with less work (tests/passwords.py)."""
    with override_settings(PASSWORD_HASHERS=shipped.PASSWORD_HASHERS):
        account = person(connection)
        row = connection.execute(
            "select password from staff_account where account_id = %s", (account.account_id,)
        ).fetchone()
        assert row is not None
        algorithm, work, *_ = row[0].split("$")
        assert (algorithm, int(work) >= 1 << 14) == ("scrypt", True)
        assert sign_in(connection, account.email, PASSWORD, clock.now()) > 0


def test_the_second_factor_is_taken_once(connection: Connection[Any]) -> None:
    now = clock.now() // (30 * SECOND) * 30 * SECOND
    account = person(connection)
    session_id = sign_in(connection, account.email, PASSWORD, now)
    secret = factors.new_second_factor()
    with pytest.raises(NotSignedIn):
        factors.confirm_second_factor(connection, account, secret, "000", session_id=session_id, now=now)
    codes = factors.confirm_second_factor(
        connection, account, secret, code(secret, now), session_id=session_id, now=now
    )
    connection.commit()
    assert len(set(codes)) == factors.RECOVERY_CODES
    known = signing_in.signed_in(connection, session_id, now=now)
    assert known is not None
    assert known[1].proved_at == now

    later = now + 30 * SECOND
    other = sign_in(connection, account.email, PASSWORD, later)
    with pytest.raises(NotSignedIn):  # the code that set it up is used
        factors.prove_second_factor(connection, account, code(secret, now), session_id=other, now=later)
    factors.prove_second_factor(connection, account, code(secret, later), session_id=other, now=later)
    with pytest.raises(NotSignedIn):
        factors.prove_second_factor(connection, account, code(secret, later), session_id=other, now=later)
    factors.prove_second_factor(connection, account, codes[3].lower(), session_id=other, now=later)
    with pytest.raises(NotSignedIn):
        factors.prove_second_factor(connection, account, codes[3], session_id=other, now=later)
    found = accounts.read(connection, account.account_id)
    assert found is not None
    assert found.recovery_codes == factors.RECOVERY_CODES - 1


def test_codes_of_the_standard(connection: Connection[Any]) -> None:
    """RFC 6238, appendix B, at 59 s and 1111111109 s, cut to six digits."""
    for seconds, wanted in ((59, "287082"), (1_111_111_109, "081804")):
        assert factors._step_of(b"12345678901234567890", wanted, seconds * SECOND) == seconds // 30


def test_one_code_shown_by_many_at_once_is_taken_once(connection: Connection[Any]) -> None:
    now = clock.now()
    account = person(connection)
    session_id = sign_in(connection, account.email, PASSWORD, now)
    secret = factors.new_second_factor()
    factors.confirm_second_factor(
        connection, account, secret, code(secret, now - 30 * SECOND), session_id=session_id, now=now
    )
    connection.commit()
    taken: list[bool] = []

    def show() -> None:
        with database.connect() as own:
            try:
                factors.prove_second_factor(own, account, code(secret, now), session_id=session_id, now=now)
                taken.append(True)
            except NotSignedIn:
                taken.append(False)

    threads = [threading.Thread(target=show) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 7 + [True]


def test_sessions_end_by_rest_by_age_and_by_hand(connection: Connection[Any]) -> None:
    now = clock.now()
    account = person(connection)
    one, two = (sign_in(connection, account.email, PASSWORD, now) for _ in range(2))
    assert [found.session_id for found in signing_in.sessions(connection, account.account_id, now=now)] == [
        two,
        one,
    ]
    assert signing_in.signed_in(connection, one, now=now + signing_in.IDLE + 1) is None
    at = now
    while at < now + 12 * HOUR:
        assert signing_in.signed_in(connection, one, now=at) is not None
        at += HOUR
    assert signing_in.signed_in(connection, one, now=now + 12 * HOUR + MINUTE) is None
    assert not signing_in.end_session(connection, account.account_id + 1, two, now=now)
    assert signing_in.end_session(connection, account.account_id, two, now=now)
    assert signing_in.signed_in(connection, two, now=now) is None


def test_a_new_password_ends_every_session(connection: Connection[Any]) -> None:
    now = clock.now()
    account = person(connection)
    session_id = sign_in(connection, account.email, PASSWORD, now)
    signing_in.set_password(connection, account, "another sentence of mine", now=now)
    assert signing_in.signed_in(connection, session_id, now=now) is None


def test_the_last_owner_stays(connection: Connection[Any]) -> None:
    now = clock.now()
    one, two = person(connection, "one@example.org"), person(connection, "two@example.org")
    assert admission.close(connection, one.account_id, now=now, actor="test")
    with pytest.raises(Refused, match="last owner"):
        admission.close(connection, two.account_id, now=now, actor="test")
    with pytest.raises(Refused, match="last owner"):
        accounts.take_back(connection, two.account_id, Grant(None, "owner"), now=now, actor="test")
    with pytest.raises(NotSignedIn):
        sign_in(connection, one.email, PASSWORD, now)
    assert admission.reopen(connection, one.account_id, now=now, actor="test")
    assert admission.close(connection, two.account_id, now=now, actor="test")


def test_two_owners_who_leave_at_once_do_not_both_leave(connection: Connection[Any]) -> None:
    people = [person(connection, f"{name}@example.org") for name in ("one", "two")]
    gone: list[bool] = []

    def leave(account: Account) -> None:
        with database.connect() as own:
            try:
                gone.append(admission.close(own, account.account_id, now=clock.now(), actor="test"))
                own.commit()
            except Refused:
                gone.append(False)

    threads = [threading.Thread(target=leave, args=[account]) for account in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(gone) == [False, True]


def test_a_pin_unlocks_and_is_not_guessed(connection: Connection[Any]) -> None:
    now = clock.now()
    account = person(connection, "c@example.org", Grant(1, "cashier"))
    for weak in ("123", "1111", "1234", "987654", "12a4", "\u0661\u0662\u0664\u0669"):
        with pytest.raises(Refused):
            factors.set_pin(connection, account, weak, now=now)
    factors.set_pin(connection, account, "2958", now=now)
    connection.commit()
    factors.prove_pin(connection, account, "2958", place="till-1", now=now)
    for _ in range(factors.PIN_TRIES):
        with pytest.raises(NotSignedIn):
            factors.prove_pin(connection, account, "0000", place="till-1", now=now)
    with pytest.raises(Throttled):
        factors.prove_pin(connection, account, "2958", place="till-1", now=now)


def test_rights_are_those_of_the_roles_in_the_program() -> None:
    assert rights_of("owner") == ALL_RIGHTS
    assert rights_of("cashier") == {"till:use"}
    for role in ROLES:
        assert rights_of(role) <= ALL_RIGHTS
        assert role == "owner" or "staff:write" not in rights_of(role)
    grants = (Grant(7, "analyst"), Grant(7, "partner", "bakery"), Grant(8, "partner", "bakery"))
    account = Account(1, "a@example.org", "A", "en", grants, True, True, False, 0, 0, None)
    assert "insights:read" in account.rights_in(7)
    assert account.partner_in(7) == ""
    assert account.partner_in(8) == "bakery"
    assert account.rights_in(9) == frozenset()
    assert account.rights_in(None) == frozenset()


def test_secrets_are_not_in_the_table(connection: Connection[Any]) -> None:
    now = clock.now()
    account = person(connection)
    session_id = sign_in(connection, account.email, PASSWORD, now)
    secret = factors.new_second_factor()
    codes = factors.confirm_second_factor(
        connection, account, secret, code(secret, now), session_id=session_id, now=now
    )
    factors.set_pin(connection, account, "2958", now=now)
    row = connection.execute("select t::text from staff_account t").fetchone()
    assert row is not None
    for value in (PASSWORD, secret.hex(), codes[0], codes[0].replace("-", "")):
        assert value not in row[0]
