"""Who fulfils from outside: the suppliers of a program, their documents and secrets, and how they are reached."""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.connectors.suppliers import mapping
from palier.connectors.suppliers.contract import Money
from palier.connectors.suppliers.mapping import SupplierDocument
from palier.engine.amounts import to_minor
from palier.engine.clock import SECOND, instant, moment
from palier.engine.currencies import exponent
from palier.engine.sentences import sentence
from palier.programs.source import MAX_BYTES, SourceError, read_json, read_yaml
from palier.programs.structure import faults
from palier.site import ciphers, clock
from palier.site.environment import environment, networks
from palier.site.refusal import Refused
from palier.staff.operations import write_log

if TYPE_CHECKING:
    from palier.connectors.suppliers.http import HttpSupplier

VARIABLE: Final = "PALIER_SUPPLIER_{key}_{name}"
LONGEST_SECRET: Final = 8192
_SHOWN: Final = 10
_PURPOSE: Final = "supplier secrets"

PUT: Final = """
-- suppliers.put
insert into supplier (program_id, key, document, sha256, secrets, paused, changed_at, changed_by)
values (%(program)s, %(key)s, %(document)s::json, %(sha256)s, null, false, %(now)s, %(by)s)
on conflict (program_id, key) do update
set document = excluded.document, sha256 = excluded.sha256, changed_at = excluded.changed_at,
    changed_by = excluded.changed_by
where supplier.sha256 <> excluded.sha256
returning key
"""

READ: Final = """
-- suppliers.read
select s.program_id, p.key, s.key, s.document::text, s.secrets, s.paused
from supplier s join program p on p.program_id = s.program_id
where (%(program)s::bigint is null or s.program_id = %(program)s)
  and (%(key)s::text is null or s.key = %(key)s)
order by p.key, s.key
"""

SET_SECRETS: Final = """
-- suppliers.set_secrets
update supplier set secrets = %(secrets)s, changed_at = %(now)s, changed_by = %(by)s
where program_id = %(program)s and key = %(key)s
"""

PAUSE: Final = """
-- suppliers.pause
update supplier set paused = %(paused)s, changed_at = %(now)s, changed_by = %(by)s
where program_id = %(program)s and key = %(key)s and paused <> %(paused)s
returning key
"""

HEALTH: Final = """
-- suppliers.health
select failures, rests_until, reason, balance_minor, balance_currency, balance_at
from supplier_health where program_id = %(program)s and key = %(key)s
"""

FAILED: Final = """
-- suppliers.failed
insert into supplier_health (program_id, key, failures, rests_until, reason)
values (%(program)s, %(key)s, 1, %(until)s, %(reason)s)
on conflict (program_id, key) do update
set failures = supplier_health.failures + 1, rests_until = excluded.rests_until, reason = excluded.reason
"""

ANSWERED: Final = """
-- suppliers.answered
update supplier_health set failures = 0, rests_until = null, reason = ''
where program_id = %(program)s and key = %(key)s and failures > 0
"""

BALANCE: Final = """
-- suppliers.balance
insert into supplier_health (program_id, key, failures, rests_until, reason, balance_minor, balance_currency,
                             balance_at)
values (%(program)s, %(key)s, 0, null, '', %(minor)s, %(currency)s, %(now)s)
on conflict (program_id, key) do update
set balance_minor = excluded.balance_minor, balance_currency = excluded.balance_currency,
    balance_at = excluded.balance_at
"""


class Configured(Struct, frozen=True):
    """A supplier of a program, with its secrets readable: never shown, never logged."""

    program_id: int
    program: str
    key: str
    document: SupplierDocument
    secrets: dict[str, str]
    paused: bool


class Health(Struct, frozen=True):
    """How a supplier is doing: failures one after the other, until when it is left alone, its last known balance."""

    failures: int = 0
    rests_until: int = 0
    reason: str = ""
    balance: Money | None = None
    balance_at: int = 0


# --- documents --------------------------------------------------------------------------------------------


def read(path: Path) -> SupplierDocument:
    """A supplier's document from a file in YAML or JSON. Refuses one that cannot be used, naming place and remedy."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused(
            sentence(
                "%(path)s cannot be read (%(strerror)s); name a supplier's document.",
                path=path,
                strerror=error,
            )
        ) from None
    try:
        found = read_json(raw) if path.suffix.lower() == ".json" else read_yaml(raw)
    except SourceError as error:
        raise Refused(
            sentence(
                "%(path)s:%(line)s: %(message)s; %(remedy)s.",
                path=path,
                line=error.place.line,
                message=error.message,
                remedy=error.remedy,
            )
        ) from None
    problems = faults(found.data, SupplierDocument)
    document = None
    if not problems:
        document = msgspec.convert(found.data, SupplierDocument)
        problems = mapping.check(document)
    if problems or document is None:
        told = [
            f"{path}:{found.place(problem.path).line}: {problem.path}: {problem.message}; {problem.remedy}."
            for problem in problems[:_SHOWN]
        ]
        raise Refused("\n".join(told))
    return document


def encoded(document: SupplierDocument) -> bytes:
    """The document as it is stored: canonical JSON."""
    return msgspec.json.encode(document, order="deterministic")


def put(
    connection: Connection[Any], program_id: int, document: SupplierDocument, *, by: str, now: int
) -> bool:
    """Sets a supplier up, or changes its document; whether anything changed. Does not commit.

    Orders under way go on by the new document.
    """
    stored = encoded(document)
    digest = sha256(stored).hexdigest()
    changed = connection.execute(
        PUT,
        {
            "program": program_id,
            "key": document.key,
            "document": stored.decode(),
            "sha256": digest,
            "now": moment(now),
            "by": by,
        },
    ).fetchone()
    if changed is None:
        return False
    name = f"supplier:{program_id}/{document.key}"
    write_log(connection, by, "operator", "supplier.put", name, at=now, reason=digest)
    return True


# --- reading ----------------------------------------------------------------------------------------------


def listed(
    connection: Connection[Any], program_id: int | None = None, key: str | None = None
) -> list[Configured]:
    """The suppliers of a program, or of all."""
    rows = connection.execute(READ, {"program": program_id, "key": key}).fetchall()
    return [
        Configured(
            row[0],
            row[1],
            row[2],
            msgspec.json.decode(row[3], type=SupplierDocument),
            _readable(row[0], row[2], row[4]),
            row[5],
        )
        for row in rows
    ]


def find(connection: Connection[Any], program_id: int, key: str) -> Configured | None:
    """One supplier of a program; None where there is none of this key."""
    found = listed(connection, program_id, key)
    return found[0] if found else None


def needed(connection: Connection[Any], program_id: int, key: str) -> Configured:
    """One supplier of a program. Refuses a key that is none, naming those there are."""
    found = find(connection, program_id, key)
    if found is None:
        known = ", ".join(each.key for each in listed(connection, program_id)) or "none"
        raise Refused(
            sentence(
                'The program has no supplier "%(key)s"; its suppliers: %(known)s. `palier '
                "suppliers apply PROGRAM FILE` sets one up.",
                key=key[:60],
                known=known,
            )
        )
    return found


def missing_secrets(found: Configured) -> list[str]:
    """The names of secrets that are neither kept nor in the environment."""
    return [name for name in names_of(found.document) if not _secret(found, name)]


def _secret(found: Configured, name: str) -> str | None:
    variable = VARIABLE.format(key=found.key.upper(), name=name)
    return os.environ.get(variable) or found.secrets.get(name)


def reached(found: Configured) -> HttpSupplier:
    """The supplier, ready to be asked. A secret of the environment goes before the stored one."""
    # Loads an HTTP client, for which processes that ask no supplier would wait.
    from palier.connectors.suppliers.http import HttpSupplier

    return HttpSupplier(
        found.document,
        partial(_secret, found),
        now_s=lambda: clock.now() // SECOND,
        allowed=networks(environment().private_networks or ""),
    )


# --- secrets, pauses --------------------------------------------------------------------------------------


def _place(program_id: int, key: str) -> bytes:
    return f"supplier {program_id} {key}".encode()


def _readable(program_id: int, key: str, stored: Any) -> dict[str, str]:
    if stored is None:
        return {}
    found: dict[str, str] = msgspec.json.decode(
        ciphers.decrypted(_PURPOSE, bytes(stored), _place(program_id, key)), type=dict[str, str]
    )
    return found


def set_secret(
    connection: Connection[Any], program_id: int, key: str, name: str, value: str, *, by: str, now: int
) -> None:
    """Keeps a secret of a supplier, encrypted; an empty value forgets it. Does not commit.

    Refuses a supplier that is not there, a name that its document does not use, and a value that cannot be sent.
    """
    found = needed(connection, program_id, key)
    used = names_of(found.document)
    if name not in used:
        told = ", ".join(used) or "none"
        raise Refused(
            sentence(
                'The document of %(key)s uses no secret "%(name)s"; it uses: %(told)s.',
                key=key,
                name=name[:60],
                told=told,
            )
        )
    if not value.isprintable() or len(value) > LONGEST_SECRET:
        raise Refused(
            sentence(
                "A secret is one line of at most %(longest_secret)s printable characters.",
                longest_secret=LONGEST_SECRET,
            )
        )
    secrets = {**found.secrets, name: value}
    if not value:
        del secrets[name]
    connection.execute(
        SET_SECRETS,
        {
            "program": program_id,
            "key": key,
            "secrets": ciphers.encrypted(_PURPOSE, msgspec.json.encode(secrets), _place(program_id, key)),
            "now": moment(now),
            "by": by,
        },
    )
    write_log(
        connection, by, "operator", "supplier.secret", f"supplier:{program_id}/{key}", at=now, reason=name
    )


def names_of(document: SupplierDocument) -> list[str]:
    """The names of the secrets that a document uses."""
    own = document.authentication
    if own is None:
        return []
    return [name for part in ("user", "secret", "key") if (name := getattr(own, part, None))]


def pause(
    connection: Connection[Any], program_id: int, key: str, paused: bool, *, by: str, now: int, reason: str
) -> bool:
    """Asks a supplier nothing more, or again; whether that is a change. Does not commit."""
    needed(connection, program_id, key)
    parameters = {"program": program_id, "key": key, "paused": paused, "now": moment(now), "by": by}
    if connection.execute(PAUSE, parameters).fetchone() is None:
        return False
    action = "supplier.pause" if paused else "supplier.resume"
    write_log(connection, by, "operator", action, f"supplier:{program_id}/{key}", at=now, reason=reason)
    return True


# --- how it is doing --------------------------------------------------------------------------------------


def health(connection: Connection[Any], program_id: int, key: str) -> Health:
    """How a supplier is doing."""
    row = connection.execute(HEALTH, {"program": program_id, "key": key}).fetchone()
    if row is None:
        return Health()
    return Health(
        row[0],
        instant(row[1]) if row[1] is not None else 0,
        row[2],
        Money(row[3], row[4]) if row[3] is not None else None,
        instant(row[5]) if row[5] is not None else 0,
    )


def note_failure(connection: Connection[Any], program_id: int, key: str, *, until: int, reason: str) -> None:
    """One more failure: nothing is asked until an instant (0: at once). Does not commit."""
    connection.execute(
        FAILED,
        {"program": program_id, "key": key, "until": moment(until) if until else None, "reason": reason},
    )


def note_answer(connection: Connection[Any], program_id: int, key: str) -> None:
    """The supplier answers again. Does not commit."""
    connection.execute(ANSWERED, {"program": program_id, "key": key})


def note_balance(connection: Connection[Any], program_id: int, key: str, balance: Money, *, now: int) -> None:
    """What is left with the supplier. Does not commit."""
    connection.execute(
        BALANCE,
        {
            "program": program_id,
            "key": key,
            "minor": balance.minor,
            "currency": balance.currency,
            "now": moment(now),
        },
    )


def is_low(document: SupplierDocument, balance: Money) -> bool:
    """Whether a balance is below what the document calls low."""
    if document.low_balance is None or balance.currency != document.currency:
        return False
    return balance.minor < to_minor(document.low_balance, exponent(balance.currency))
