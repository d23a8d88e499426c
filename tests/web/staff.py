"""People of the staff, signed in, for tests of the console."""

from __future__ import annotations

from typing import Any

from django.test import Client

from palier.site import clock, database
from palier.staff import accounts, admission, signing_in
from palier.staff.accounts import Account, Grant
from palier.staff.roles import Role
from palier.web.console.visits import SESSION

PASSWORD = "the cup that is never empty"


def staff(role: Role, program_id: int | None = None, *, partner: str = "", email: str = "") -> Account:
    """An account with one role, in one program or in all; made where there is none yet."""
    address = email or f"{role}-{program_id or 'all'}@example.org"
    with database.connect() as connection:
        found = accounts.find(connection, address)
        if found is None:
            found, _ = admission.invite(
                connection,
                email=address,
                name=f"A {role}",
                grants=[Grant(program_id, role, partner)],
                now=clock.now(),
                actor="test",
            )
            connection.commit()
    return found


def staff_client(role: Role, program_id: int | None = None, *, language: str = "en", **more: Any) -> Client:
    """A browser in which a person of that role is signed in, with the second factor shown."""
    account = staff(role, program_id, **more)
    client = Client(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE=language)
    with database.connect() as connection:
        session_id = signing_in.open_session(
            connection, account, face="console", address="", agent="test", now=clock.now(), proved=True
        )
        connection.commit()
    session = client.session
    session[SESSION] = session_id
    session.save()
    return client
