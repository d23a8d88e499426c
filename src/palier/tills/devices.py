"""Devices: one is expected under a one-time code, makes itself known with it, and works until it is revoked.

What a device shows with each call is a secret of 256 random bits, of which the hash alone is kept. It makes a pair of
keys whose private half never leaves it, and gives the public half, by which the server checks what it signs.
"""

# ruff: noqa: S608 -- statements are put together from the constants of this file alone

from __future__ import annotations

import hashlib
import secrets
from hmac import compare_digest
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import HOUR, MINUTE, instant, moment
from palier.engine.sentences import sentence
from palier.members import refs
from palier.site.environment import derived_key
from palier.site.ids import new_id
from palier.site.refusal import Refused
from palier.staff import throttle
from palier.staff.operations import write_log
from palier.staff.throttle import Limit
from palier.tills.refusals import TillRefusal, TillRefused

State = Literal["expected", "enrolled", "revoked"]

CODE_LASTS: Final = 30 * MINUTE
CODE_LENGTH: Final = 10
"""Characters of 32 kinds: 50 random bits, for half an hour and few tries."""
TRIES: Final = 20
"""Wrong codes from one network address in an hour."""
ALL_TRIES: Final = 300
"""Wrong codes in a program in an hour, wherever they come from."""
SEEN_EVERY: Final = 10 * MINUTE
"""How exactly it is kept when a device was seen last."""
LONGEST_NAME: Final = 60
_SECRET_BYTES: Final = 32
_NO_HASH: Final = bytes(32)
_RAW_SIGNATURE: Final = 64


class Device(Struct, frozen=True):
    """One device. Instants are microseconds UTC, 0 where there is none. `number` counts the program's devices."""

    device_id: int
    program_id: int
    number: int
    name: str
    location: str
    state: State
    public_key: bytes
    created_at: int
    created_by: str
    enrolled_at: int
    revoked_at: int
    revoked_by: str
    seen_at: int

    @property
    def ref(self) -> str:
        """The public reference."""
        return refs.encode_as("td", self.device_id)

    @property
    def source(self) -> str:
        """The source of the activities that it enters."""
        return f"till:{self.ref}"

    @property
    def signs(self) -> bool:
        """Whether it can keep entries while the network is away."""
        return bool(self.public_key)


class Expected(Struct, frozen=True):
    """A device that is expected: the code to type on it, shown this once, and until when."""

    device: Device
    code: str
    ends_at: int


_COLUMNS: Final = (
    "device_id, program_id, number, name, location, state, public_key, created_at, created_by, enrolled_at,"
    " revoked_at, revoked_by, seen_at"
)


def _device(row: tuple[Any, ...]) -> Device:
    def at(value: Any) -> int:
        return instant(value) if value is not None else 0

    return Device(
        row[0], row[1], row[2], row[3], row[4], row[5], bytes(row[6]), at(row[7]), row[8], at(row[9]),
        at(row[10]), row[11], at(row[12]),
    )  # fmt: skip


# --- enrolling --------------------------------------------------------------------------------------------


def expect(
    connection: Connection[Any], program_id: int, *, name: str, location: str, by: str, role: str, now: int
) -> Expected:
    """Expects a device and makes the code by which it makes itself known. Does not commit.

    `by` is who asks ("staff:ID", "cli:NAME"). Refuses (Refused) a name or place that is empty, long or not printable.
    """
    _check_names(name, location)
    code = _new_code()
    device_id, ends_at = new_id(), now + CODE_LASTS
    # Numbers are given under the program's lock, so that two devices expected at once have two.
    connection.execute("-- tills.number_in_turn\nselect pg_advisory_xact_lock(%s)", (program_id ^ 0x7111,))
    row = connection.execute(
        f"""
        -- tills.expect
        insert into till_device
          (device_id, program_id, number, name, location, state, code_hash, code_ends_at, secret_hash, public_key,
           created_at, created_by, enrolled_at, revoked_at, revoked_by, seen_at)
        select %(device)s, %(program)s, coalesce(max(d.number), 0) + 1, %(name)s, %(location)s, 'expected', %(hash)s,
               %(ends)s, null, '', %(now)s, %(by)s, null, null, '', null
        from till_device d where d.program_id = %(program)s
        returning {_COLUMNS}
        """,
        {
            "device": device_id,
            "program": program_id,
            "name": name.strip(),
            "location": location.strip(),
            "hash": _code_hash(program_id, code),
            "ends": moment(ends_at),
            "now": moment(now),
            "by": by,
        },
    ).fetchone()
    assert row is not None
    device = _device(row)
    write_log(connection, by, role, "till.expect", f"till:{device.ref}", at=now, reason=device.name)
    return Expected(device, _written(code), ends_at)


def _check_names(name: str, location: str) -> None:
    for what, text in ((sentence("name"), name), (sentence("location"), location)):
        if not text.strip() or len(text) > LONGEST_NAME or not text.isprintable():
            raise Refused(
                sentence(
                    "The %(what)s of a till is 1 to %(longest_name)s printable characters.",
                    what=what,
                    longest_name=LONGEST_NAME,
                )
            )


def _new_code() -> str:
    return "".join(secrets.choice(refs.ALPHABET) for _ in range(CODE_LENGTH)).upper()


def _written(code: str) -> str:
    """A code in two halves, as people read it."""
    return f"{code[: CODE_LENGTH // 2]}-{code[CODE_LENGTH // 2 :]}"


def expect_again(
    connection: Connection[Any], program_id: int, device_id: int, *, by: str, role: str, now: int
) -> Expected | None:
    """Makes a new code for a device that did not come yet, which ends the old one. Does not commit.

    None where it is unknown, enrolled or ended.
    """
    code, ends_at = _new_code(), now + CODE_LASTS
    row = connection.execute(
        f"""
        -- tills.expect_again
        update till_device set code_hash = %s, code_ends_at = %s
        where device_id = %s and program_id = %s and state = 'expected' returning {_COLUMNS}
        """,
        (_code_hash(program_id, code), moment(ends_at), device_id, program_id),
    ).fetchone()
    if row is None:
        return None
    device = _device(row)
    write_log(connection, by, role, "till.expect", f"till:{device.ref}", at=now, reason=device.name)
    return Expected(device, _written(code), ends_at)


def rename(
    connection: Connection[Any],
    device: Device,
    *,
    name: str,
    location: str,
    by: str,
    role: str,
    now: int,
) -> None:
    """Calls a device otherwise, or has its sales name another place from now on. Does not commit.

    Refuses (Refused) what `expect` refuses.
    """
    _check_names(name, location)
    called, place = name.strip(), location.strip()
    if (called, place) == (device.name, device.location):
        return
    connection.execute(
        "-- tills.rename\nupdate till_device set name = %s, location = %s where device_id = %s and program_id = %s",
        (called, place, device.device_id, device.program_id),
    )
    write_log(
        connection, by, role, "till.rename", f"till:{device.ref}", at=now,
        reason=f"{device.name}, {device.location} -> {called}, {place}",
    )  # fmt: skip


def enrol(
    connection: Connection[Any], program_id: int, code: str, public_key: bytes, *, address: str, now: int
) -> tuple[Device, str]:
    """Takes in the device on which the code was typed; it and the token to show with each call. Commits.

    `public_key` is a P-256 key as SubjectPublicKeyInfo, or empty for a device that cannot sign. Refused (TillRefused):
    wrong_code, invalid_key; and while too many codes were tried (Throttled).
    """
    prefix = f"till {program_id}"
    limits = [
        Limit(f"{prefix} enrol {hashlib.sha256(address.encode()).hexdigest()[:32]}", TRIES, HOUR),
        Limit(f"{prefix} enrol", ALL_TRIES, HOUR),
    ]
    taken = throttle.take(connection, limits, now=now)
    if public_key and _key(public_key) is None:
        raise TillRefused(TillRefusal.INVALID_KEY)
    secret = secrets.token_bytes(_SECRET_BYTES)
    row = connection.execute(
        f"""
        -- tills.enrol
        update till_device
        set state = 'enrolled', code_hash = null, code_ends_at = null, secret_hash = %(secret)s, public_key = %(key)s,
            enrolled_at = %(now)s, seen_at = %(now)s
        where code_hash = %(hash)s and program_id = %(program)s and state = 'expected' and code_ends_at > %(now)s
        returning {_COLUMNS}
        """,
        {
            "secret": hashlib.sha256(secret).digest(),
            "key": public_key,
            "hash": _code_hash(program_id, code),
            "program": program_id,
            "now": moment(now),
        },
    ).fetchone()
    if row is None:
        connection.rollback()
        raise TillRefused(TillRefusal.WRONG_CODE)
    device = _device(row)
    write_log(
        connection, device.source, "device", "till.enrol", f"till:{device.ref}", at=now, reason=device.name
    )
    connection.commit()
    throttle.give_back(connection, taken)
    return device, f"{device.ref}.{secret.hex()}"


def _code_hash(program_id: int, code: str) -> bytes:
    """The stored form of a one-time code; what people mistake for each other is read alike."""
    plain = "".join(character for character in code.lower() if character.isalnum())
    plain = plain.translate(str.maketrans("oil", "011"))
    return hashlib.blake2b(
        f"{program_id}\0{plain[:64]}".encode(), key=derived_key("till enrolment"), digest_size=32
    ).digest()


# --- being known ------------------------------------------------------------------------------------------


def known(connection: Connection[Any], program_id: int, token: str, *, now: int) -> Device:
    """The device that shows a token, enrolled or revoked: the caller looks at `state`.

    Raises TillRefused (unknown_device) for a token of no device of the program. Keeps roughly when it was seen, and
    commits that.
    """
    ref, _, secret = token.partition(".")
    device_id = refs.decode_as("td", ref)
    row = connection.execute(
        f"-- tills.device\nselect secret_hash, {_COLUMNS} from till_device where device_id = %s and program_id = %s",
        (device_id if device_id is not None else -1, program_id),
    ).fetchone()
    stored = bytes(row[0]) if row is not None and row[0] is not None else _NO_HASH
    try:
        given = hashlib.sha256(bytes.fromhex(secret)).digest()
    except ValueError:
        given = _NO_HASH[1:]
    if not compare_digest(stored, given) or row is None:
        raise TillRefused(TillRefusal.UNKNOWN_DEVICE)
    device = _device(row[1:])
    if device.state == "enrolled" and now - device.seen_at > SEEN_EVERY:
        connection.execute(
            "-- tills.seen\nupdate till_device set seen_at = %s where device_id = %s",
            (moment(now), device.device_id),
        )
        connection.commit()
    return device


def revoke(
    connection: Connection[Any], program_id: int, device_id: int, *, by: str, role: str, now: int
) -> bool:
    """Ends a device: its next call is refused. False where it is unknown or ended already. Does not commit."""
    row = connection.execute(
        """
        -- tills.revoke
        update till_device set state = 'revoked', code_hash = null, revoked_at = %s, revoked_by = %s
        where device_id = %s and program_id = %s and state <> 'revoked' returning device_id
        """,
        (moment(now), by, device_id, program_id),
    ).fetchone()
    if row is None:
        return False
    connection.execute(
        "-- tills.end_shifts\nupdate till_shift set ended_at = %s where device_id = %s and ended_at is null",
        (moment(now), device_id),
    )
    write_log(connection, by, role, "till.revoke", f"till:{refs.encode_as('td', device_id)}", at=now)
    return True


def devices(connection: Connection[Any], program_id: int) -> list[Device]:
    """All devices of a program, those that were revoked too, by their numbers."""
    rows = connection.execute(
        f"-- tills.devices\nselect {_COLUMNS} from till_device where program_id = %s order by number",
        (program_id,),
    ).fetchall()
    return [_device(row) for row in rows]


def find(connection: Connection[Any], program_id: int, named: str) -> Device | None:
    """A device by its reference or number."""
    device_id = refs.decode_as("td", named)
    return next(
        (
            device
            for device in devices(connection, program_id)
            if device.device_id == device_id or str(device.number) == named
        ),
        None,
    )


# --- what it signs ----------------------------------------------------------------------------------------


def _key(public_key: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        found = serialization.load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(found, ec.EllipticCurvePublicKey) or not isinstance(found.curve, ec.SECP256R1):
        return None
    return found


def signed(device: Device, text: bytes, signature: bytes) -> bool:
    """Whether the device signed this text (ECDSA on P-256 with SHA-256, as browsers write it: r and s)."""
    key = _key(device.public_key) if device.public_key else None
    if key is None or len(signature) != _RAW_SIGNATURE:
        return False
    half = _RAW_SIGNATURE // 2
    written = encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )
    try:
        key.verify(written, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
