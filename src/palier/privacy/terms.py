"""Terms: what a member accepted when he joined, and what he was told of since.

What is accepted is the program's page in plain words, of one version and in one language; its hash is kept, so that
anybody can show later which words they were.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.clock import instant, moment
from palier.engine.describe import describe, plain_text
from palier.programs.changes import Told, changes
from palier.programs.queries import list_versions
from palier.site.ids import new_id

_LOOKED_AT: Final = 20
"""How many of the latest versions a member is told of at most."""

ADD: Final = """
-- privacy.accept_terms
insert into terms_acceptance (member_id, acceptance_id, program_id, kind, version, document_sha256, language, sha256,
                              via, at)
values (%(member)s, %(acceptance)s, %(program)s, %(kind)s, %(version)s, %(document)s, %(language)s, %(sha256)s,
        %(via)s, %(now)s)
"""

LISTED: Final = """
-- privacy.acceptances
select kind, version, document_sha256, language, sha256, via, at from terms_acceptance
where member_id = %(member)s and program_id = %(program)s order by acceptance_id
"""


class Acceptance(Struct, frozen=True):
    """That a member accepted a version, or took note of it; hashes are hexadecimal, `at` in microseconds UTC."""

    kind: str
    version: int
    document_sha256: str
    language: str
    sha256: str
    via: str
    at: int


def page_hash(runtime: Runtime, language: str) -> bytes:
    """The hash of the page in plain words of the latest version, as it is shown in a language."""
    return sha256(plain_text(describe(runtime.latest.program, language)).encode()).digest()


def accept(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    *,
    kind: Literal["accepted", "acknowledged"],
    language: str,
    via: str,
    now: int,
) -> None:
    """Notes that a member accepts the latest version, or takes note of it. Does not commit."""
    version = list_versions(connection, runtime.key)[-1]
    connection.execute(
        ADD,
        {
            "member": member_id,
            "acceptance": new_id(),
            "program": runtime.program_id,
            "kind": kind,
            "version": version.version,
            "document": version.sha256,
            "language": language,
            "sha256": page_hash(runtime, language),
            "via": via,
            "now": moment(now),
        },
    )


def listed(connection: Connection[Any], program_id: int, member_id: int) -> list[Acceptance]:
    """What a member accepted and took note of, the first first."""
    rows = connection.execute(LISTED, {"member": member_id, "program": program_id}).fetchall()
    return [
        Acceptance(row[0], row[1], row[2], row[3], bytes(row[4]).hex(), row[5], instant(row[6]))
        for row in rows
    ]


def unseen(
    connection: Connection[Any], runtime: Runtime, member_id: int, enrolled_at: int, language: str
) -> list[Told]:
    """Versions that read differently and that the member has not taken note of, the latest first.

    Who never accepted one is told of those that were published since he joined.
    """
    known = listed(connection, runtime.program_id, member_id)
    latest = max((acceptance.version for acceptance in known), default=0)
    if latest >= runtime.latest.version:
        return []
    return [
        told
        for told in changes(connection, runtime.key, language, _LOOKED_AT)
        if told.version.version > latest and told.reads and (known or told.version.published_at > enrolled_at)
    ]
