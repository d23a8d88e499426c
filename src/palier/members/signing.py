"""Codes by which a person shows that an e-mail address or phone is his: short, short-lived, few tries.

A code is kept as a keyed hash under the contact's own hash; neither is stored in clear. What is asked for a contact
that no member has is answered exactly as for one that a member has.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Any, Final, Literal

from psycopg import Connection

from palier.engine.clock import DAY, HOUR, MINUTE, moment
from palier.members.queries import hashed, normalized
from palier.site.environment import derived_key, environment
from palier.staff import throttle
from palier.staff.throttle import Limit

DIGITS: Final = 6
LASTS: Final = 10 * MINUTE
TRIES: Final = 5
"""Wrong codes after which a new one must be asked for: one chance in 200,000 for whoever guesses."""
PER_CONTACT: Final = 5
PER_CONTACT_ANYWHERE: Final = 20
PER_ADDRESS: Final = 60
"""Codes asked for in an hour: for one contact from one network address, for it from all, and for all from one.

A stranger who asks for somebody's codes uses up his own address's share: from the member's there is one still.
"""

Kind = Literal["email", "phone"]

_KEEP: Final = """
-- members.keep_code
insert into sign_in_code (contact_hash, program_id, code_hash, expires_at, tries_left)
values (%(contact)s, %(program)s, %(code)s, %(ends)s, %(tries)s)
on conflict (contact_hash, program_id) do update
set code_hash = excluded.code_hash, expires_at = excluded.expires_at, tries_left = excluded.tries_left
"""

_TRY: Final = """
-- members.try_code
update sign_in_code set tries_left = tries_left - 1
where contact_hash = %(contact)s and program_id = %(program)s and tries_left > 0 and expires_at > %(now)s
returning code_hash
"""

_DROP: Final = """
-- members.drop_code
delete from sign_in_code where contact_hash = %(contact)s and program_id = %(program)s and code_hash = %(code)s
returning 1
"""

_DROP_OLD: Final = """
-- members.drop_old_codes
delete from sign_in_code where (contact_hash, program_id) in (
  select contact_hash, program_id from sign_in_code where expires_at < %s limit 1000)
"""


def kind_of(contact: str) -> Kind:
    """What a contact is: an e-mail address has an @."""
    return "email" if "@" in contact else "phone"


def ask(connection: Connection[Any], program_id: int, contact: str, address: str, *, now: int) -> str:
    """A new code for a contact, which takes the place of an older one. Commits.

    `address` is where the request came from. Raises IdentityError for what is no e-mail address or phone,
    Throttled when too many codes were asked for.
    """
    kind = kind_of(contact)
    own = hashed(kind, contact)
    place = sha256(address.encode()).hexdigest()
    limits = [
        Limit(f"code {program_id} {own.hex()} from {place}", PER_CONTACT, HOUR),
        Limit(f"code {program_id} {own.hex()}", PER_CONTACT_ANYWHERE, HOUR),
        Limit(f"code {program_id} from {place}", PER_ADDRESS, HOUR),
    ]
    if kind == "phone":
        # Each costs money: whoever asks for many numbers finds an end.
        limits.append(Limit(f"sms {program_id}", environment().sms_daily, DAY))
    throttle.take(connection, limits, now=now)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    connection.execute(
        _KEEP,
        {
            "contact": own,
            "program": program_id,
            "code": _hash(program_id, own, code),
            "ends": moment(now + LASTS),
            "tries": TRIES,
        },
    )
    connection.execute(_DROP_OLD, (moment(now - HOUR),))
    connection.commit()
    return code


def prove(connection: Connection[Any], program_id: int, contact: str, code: str, *, now: int) -> bool:
    """Whether the code is the one asked for last for this contact, still good and not used. Commits.

    A try is counted before it is looked at, so that no number of tries at one moment is more than TRIES. The right
    code serves once.
    """
    own = hashed(kind_of(contact), contact)
    parameters = {"contact": own, "program": program_id, "now": moment(now)}
    row = connection.execute(_TRY, parameters).fetchone()
    connection.commit()
    if row is None:
        return False
    stored = bytes(row[0])
    if not hmac.compare_digest(stored, _hash(program_id, own, code.strip())):
        return False
    used = connection.execute(_DROP, {**parameters, "code": stored}).fetchone()
    connection.commit()
    return used is not None


def shown(contact: str) -> str:
    """The contact as its owner knows it and nobody else learns it: `a…@example.org`, `… 42`."""
    text = normalized(kind_of(contact), contact)
    if "@" in text:
        name, _, domain = text.partition("@")
        return f"{name[:1]}…@{domain}"
    return f"… {text[-2:]}"


def _hash(program_id: int, contact_hash: bytes, code: str) -> bytes:
    key = derived_key("sign-in code")
    return hmac.new(key, b"\0".join((str(program_id).encode(), contact_hash, code.encode())), sha256).digest()
