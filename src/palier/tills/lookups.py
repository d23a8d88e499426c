"""Finding the member who stands at the till: by his card, his code, his phone or e-mail, exactly and no other way.

Who is not found is answered alike, whatever the reason. Every lookup counts for the shift and is kept for a year.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.activities import queries as activities
from palier.activities.queries import Wallets
from palier.activities.runtime import Runtime
from palier.engine.clock import moment
from palier.members import card, refs
from palier.members import queries as members
from palier.members.card import Shown
from palier.members.queries import IdentityError
from palier.tills import shifts
from palier.tills.devices import Device
from palier.tills.refusals import TillRefusal, TillRefused
from palier.tills.shifts import Shift

How = Literal["code", "card", "phone", "email", "ref", "enrolled"]

_NAMES: Final = ("first_name", "given_name", "name")
LONGEST: Final = 200
_PRINTED: Final = re.compile(r"(p)([0-9a-z]{4})([0-9a-z]{4})([0-9a-z]{4})", re.ASCII | re.IGNORECASE)
"""The number of a card that a till has printed, however it is typed: P-7KQ2-M4XD-9RTB."""


class Customer(Struct, frozen=True):
    """All that a till shows of a member. `own`: he is the person at the till, and somebody else serves him."""

    member_id: int
    ref: str
    first_name: str
    active: bool
    language: str
    tier: str
    wallets: Wallets
    own: bool = False


def read(text: str) -> str:
    """What was typed or scanned, as it is looked for: the letters and digits of every width, a printed card's number
    as it is printed.
    """
    plain = unicodedata.normalize("NFKC", text)[:LONGEST].strip()
    printed = _PRINTED.fullmatch(re.sub(r"[\s-]", "", plain))
    return "-".join(printed.groups()).upper() if printed is not None else plain


def find(
    connection: Connection[Any], runtime: Runtime, device: Device, shift: Shift, text: str, *, now: int
) -> Customer | None:
    """The member whom a scan or an exact entry names; None where there is none. Commits.

    Refused (TillRefused): too_many_lookups; code_used for a card's code that another till has read.
    """
    shifts.count_lookup(connection, shift, now=now)
    how, member_id, code = _named(connection, runtime, read(text), now)
    member_id = _standing(connection, runtime, member_id)
    shifts.log_lookup(connection, shift, how, member_id, now=now)
    if member_id is not None and code is not None:
        used_by = claim_code(
            connection, runtime.program_id, code, device_id=device.device_id, act="", now=now
        )
        if used_by[0] != device.device_id:
            connection.commit()
            raise TillRefused(TillRefusal.CODE_USED)
    connection.commit()
    return customer(connection, runtime, member_id, shift, now=now) if member_id is not None else None


def customer(
    connection: Connection[Any], runtime: Runtime, member_id: int, shift: Shift, *, now: int
) -> Customer | None:
    """What a till shows of a member who was found."""
    view = members.read(connection, runtime.program_id, member_id)
    standing = activities.standing(connection, runtime, member_id, now=now)
    wallets = activities.wallets(connection, runtime, member_id, now=now)
    if view is None or standing is None or wallets is None or view.status == "erased":
        return None
    name = next(
        (
            value.split()[0][:40]
            for key in _NAMES
            if isinstance(value := view.attributes.get(key), str) and value.strip()
        ),
        "",
    )
    return Customer(
        member_id,
        view.ref,
        name,
        view.status == "active",
        view.locale,
        standing.tier,
        wallets,
        member_id == shift.own_member_id,
    )


def _named(
    connection: Connection[Any], runtime: Runtime, text: str, now: int
) -> tuple[How, int | None, Shown | None]:
    """How a text names a member, and whom. Everything that is not a code or a reference is one look at hashes."""
    if card.is_code(text):
        shown = card.shown(runtime.key, text, now)
        if shown is None:
            return "code", None, None
        # One by which points may be used tells whose it is, and stays good for what it was asked for.
        return "code", shown.member_id, shown if shown.purpose == "earn" else None
    try:
        return "ref", refs.decode(text), None
    except ValueError:
        pass
    kinds: tuple[How, ...] = ("email",) if "@" in text else ("card", "phone")
    hashes: dict[bytes, How] = {}
    for kind in kinds:
        try:
            hashes[members.hashed(kind, text)] = kind
        except IdentityError:
            continue
    found = members.find_hashes(connection, runtime.program_id, hashes)
    for value_hash, kind in hashes.items():
        if value_hash in found:
            return kind, found[value_hash], None
    return kinds[0], None, None


def of_card(connection: Connection[Any], program_id: int, number: str) -> int | None:
    """The member who has a card of this number, or whose own reference a card shows without a network."""
    try:
        member_id = refs.decode(number)
    except ValueError:
        pass
    else:
        return member_id if members.read(connection, program_id, member_id) is not None else None
    try:
        return members.find(connection, program_id, {"card": read(number)})
    except IdentityError:
        return None


def _standing(connection: Connection[Any], runtime: Runtime, member_id: int | None) -> int | None:
    """The member as he stands: whoever took him over; None for one of another program, or erased."""
    if member_id is None:
        return None
    heir = members.heirs(connection, runtime.program_id, [member_id]).get(member_id)
    found = heir.member_id if heir is not None else member_id
    view = members.read(connection, runtime.program_id, found)
    return found if view is not None and view.status != "erased" else None


def claim_code(
    connection: Connection[Any], program_id: int, code: Shown, *, device_id: int, act: str, now: int
) -> tuple[int, str]:
    """Takes a card's code for a device and an act; who has it: (device, act). Does not commit."""
    values = {
        "member": code.member_id,
        "step": code.step,
        "purpose": code.purpose,
        "program": program_id,
        "device": device_id,
        "act": act,
        "now": moment(now),
    }
    connection.execute(
        """
        -- tills.claim_code
        insert into card_code_use (member_id, step, purpose, program_id, device_id, act, used_at)
        values (%(member)s, %(step)s, %(purpose)s, %(program)s, %(device)s, %(act)s, %(now)s)
        on conflict (member_id, step, purpose) do nothing
        """,
        values,
    )
    row = connection.execute(
        """
        -- tills.code_claimed
        select device_id, act from card_code_use
        where member_id = %(member)s and step = %(step)s and purpose = %(purpose)s
        """,
        values,
    ).fetchone()
    assert row is not None
    return row[0], row[1]
