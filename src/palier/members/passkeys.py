"""Passkeys of members: a device proves its owner by a key that never leaves it (WebAuthn, level 2).

What a ceremony begins with is kept in the browser's session and used once. A key whose count goes back was copied,
and signs nobody in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.members import refs
from palier.members.operations import whole

MOST: Final = 20
"""Passkeys that one member may have."""

LISTED: Final = """
-- members.passkeys
select credential_id, public_key, device, added_at, used_at from passkey
where member_id = any(%(members)s) and program_id = %(program)s order by added_at
"""

FIND: Final = """
-- members.passkey
select member_id, public_key, sign_count from passkey
where credential_id = %(credential)s and program_id = %(program)s
for update
"""

ADD: Final = """
-- members.add_passkey
insert into passkey (credential_id, program_id, member_id, public_key, sign_count, device, added_at, used_at)
values (%(credential)s, %(program)s, %(member)s, %(key)s, %(count)s, %(device)s, %(now)s, null)
on conflict (credential_id, program_id) do nothing
"""

USED: Final = """
-- members.passkey_used
update passkey set sign_count = %(count)s, used_at = %(now)s
where credential_id = %(credential)s and program_id = %(program)s
"""

REMOVE: Final = """
-- members.remove_passkey
delete from passkey where credential_id = %(credential)s and member_id = any(%(members)s) and program_id = %(program)s
"""


class NotProved(Exception):
    """What the device answered proves nothing: another challenge, place, key or count."""


class Site(Struct, frozen=True):
    """The place that passkeys are for: a host name, what people read, and the origins that may speak for it."""

    host: str
    name: str
    origin: str


class Passkey(Struct, frozen=True):
    """A passkey as its member sees it; `name` is the credential's id as text. Instants are microseconds UTC."""

    name: str
    device: str
    added_at: int
    used_at: int


def _server(site: Site) -> Fido2Server:
    verify: Callable[[str], bool] = lambda origin: origin == site.origin  # noqa: E731
    return Fido2Server(PublicKeyCredentialRpEntity(name=site.name, id=site.host), verify_origin=verify)


def begin_adding(
    connection: Connection[Any], site: Site, program_id: int, member_id: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the browser is asked, what is kept until it answers) to add a passkey to a member."""
    own = [AttestedCredentialData(bytes(row[1])) for row in _rows(connection, program_id, member_id)]
    options, state = _server(site).register_begin(
        PublicKeyCredentialUserEntity(
            name=site.name, id=refs.encode(member_id).encode(), display_name=site.name
        ),
        own,
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return dict(options), dict(state)


def add(
    connection: Connection[Any],
    site: Site,
    program_id: int,
    member_id: int,
    state: Mapping[str, Any],
    answer: Mapping[str, Any],
    *,
    device: str,
    now: int,
) -> None:
    """Adds the passkey that a browser answers with. Does not commit. Raises NotProved."""
    try:
        data = _server(site).register_complete(state, answer)
    except (ValueError, KeyError, TypeError) as error:
        raise NotProved(str(error)) from None
    credential = data.credential_data
    if credential is None or len(_rows(connection, program_id, member_id)) >= MOST:
        raise NotProved("too many passkeys")
    connection.execute(
        ADD,
        {
            "credential": credential.credential_id, "program": program_id, "member": member_id,
            "key": bytes(credential), "count": data.counter, "device": device[:80], "now": moment(now),
        },
    )  # fmt: skip


def begin_proving(site: Site) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the browser is asked, what is kept until it answers) of whoever wants in; it names nobody."""
    options, state = _server(site).authenticate_begin(user_verification=UserVerificationRequirement.REQUIRED)
    return dict(options), dict(state)


def prove(
    connection: Connection[Any],
    site: Site,
    program_id: int,
    state: Mapping[str, Any],
    answer: Mapping[str, Any],
    *,
    now: int,
) -> int:
    """The member whose passkey answered. Does not commit. Raises NotProved, alike for whatever is wrong."""
    try:
        told = AuthenticationResponse.from_dict(answer)
        parameters = {"credential": told.raw_id, "program": program_id, "now": moment(now)}
        row = connection.execute(FIND, parameters).fetchone()
        known = [AttestedCredentialData(bytes(row[1]))] if row is not None else []
        _server(site).authenticate_complete(state, known, told)
    except (ValueError, KeyError, TypeError) as error:
        raise NotProved(str(error)) from None
    assert row is not None
    count = told.response.authenticator_data.counter
    if count <= row[2] and (count or row[2]):
        raise NotProved("the key's count went back: it was copied")
    connection.execute(USED, {**parameters, "count": count})
    return int(row[0])


def listed(connection: Connection[Any], program_id: int, member_id: int) -> Sequence[Passkey]:
    """A member's passkeys, the oldest first."""
    return [
        Passkey(
            websafe_encode(bytes(row[0])),
            row[2],
            instant(row[3]),
            instant(row[4]) if row[4] is not None else 0,
        )
        for row in _rows(connection, program_id, member_id)
    ]


def remove(connection: Connection[Any], program_id: int, member_id: int, name: str) -> bool:
    """Removes a passkey of a member, or of whoever was merged into him; False where it is not his. Does not commit."""
    try:
        credential = websafe_decode(name)
    except (ValueError, TypeError):
        return False
    members = whole(connection, program_id, member_id)
    parameters = {"credential": credential, "members": members, "program": program_id}
    return connection.execute(REMOVE, parameters).rowcount == 1


def _rows(connection: Connection[Any], program_id: int, member_id: int) -> list[Any]:
    members = whole(connection, program_id, member_id)
    return connection.execute(LISTED, {"members": members, "program": program_id}).fetchall()
