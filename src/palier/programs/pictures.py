"""Pictures of a program: taken in, read by their address, known to be there, and taken away.

A picture's address holds its program's key and the hash of its bytes: what stands there never changes, and nobody
comes upon one whose address no document told him. Documents name pictures by their address; where one is named that is
not stored here (a document of another installation), pages draw something in its place.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from palier.connectors.pictures import Use, drawn
from palier.engine.clock import moment
from palier.engine.document import Picture
from palier.engine.sentences import sentence
from palier.site.refusal import Refused
from palier.staff.operations import write_log

MOST: Final = 6_000
"""Pictures of one program: every reward of the largest catalogue may have one, and some are changed."""
Form = Literal["small", "medium", "large", "icon"]
_ENDINGS: Final[dict[Form, str]] = {
    "large": ".webp",
    "medium": "-480.webp",
    "small": "-96.webp",
    "icon": "-icon.png",
}
_FORMS: Final[dict[str, Form]] = {ending: form for form, ending in _ENDINGS.items()}
_ADDRESS: Final = re.compile(r"/pictures/([a-z][a-z0-9_]{0,47})/([0-9a-f]{64})\.webp")
_FILE: Final = re.compile(r"([0-9a-f]{64})(\.webp|-480\.webp|-96\.webp|-icon\.png)")
_KNOWN_FOR_S: Final = 300.0
_MOST_KNOWN: Final = 20_000


class Kept(Struct, frozen=True):
    """A picture that is stored: its address, hash, and the width and height of its largest size in points.

    `is_new` is whether this call stored it.
    """

    source: str
    sha256: str
    width: int
    height: int
    has_icon: bool = False
    is_new: bool = False

    def address(self, form: Form) -> str:
        """The address of one of its sizes."""
        return self.source.removesuffix(_ENDINGS["large"]) + _ENDINGS[form]


def address(program: str, digest: str, form: Form = "large") -> str:
    """Where a picture of a program is; that of its largest size is the one that documents name."""
    return f"/pictures/{program}/{digest}{_ENDINGS[form]}"


def digest_of(program: str, source: str) -> str | None:
    """The hash in an address that documents name; None where it is of another program, or of no picture of Palier."""
    found = _ADDRESS.fullmatch(source)
    return found[2] if found is not None and found[1] == program else None


def part_of(file: str) -> tuple[str, Form] | None:
    """The hash and size that the last part of an address names; None for anything else."""
    found = _FILE.fullmatch(file)
    return (found[1], _FORMS[found[2]]) if found is not None else None


# --- writing ----------------------------------------------------------------------------------------------


def keep(
    connection: Connection[Any],
    program_id: int,
    program: str,
    raw: bytes,
    *,
    use: Use,
    by: str,
    role: str,
    now: int,
    declared: str = "",
) -> Kept:
    """Stores a file as a picture of a program, and logs who brought it. The same picture is stored once.

    Runs in the caller's transaction. Refuses what `drawn` refuses (NotAPicture), and more than MOST pictures.
    """
    picture = drawn(raw, use, declared)
    parts = (picture.small, picture.medium, picture.large, picture.icon)
    digest = sha256(b"".join(parts)).hexdigest()
    count = connection.execute(
        "-- programs.pictures_count\nselect count(*) from picture where program_id = %s", (program_id,)
    ).fetchone()
    if count is not None and count[0] >= MOST:
        raise Refused(
            sentence(
                "%(program)s has %(most)s pictures already; take away some that are shown no "
                "more: `palier programs forget-picture`.",
                program=program,
                most=MOST,
            )
        )
    row = connection.execute(
        """
        -- programs.keep_picture
        insert into picture
          (program_id, sha256, width, height, small, medium, large, icon, made_at, made_by)
        values (%s, %s, %s, %s, %b, %b, %b, %b, %s, %s)
        on conflict (program_id, sha256) do nothing
        returning 1
        """,
        (program_id, digest, picture.width, picture.height, *parts, moment(now), by),
    ).fetchone()
    if row is not None:
        write_log(connection, by, role, "picture.keep", f"picture:{program}:{digest}", at=now)
    return Kept(
        address(program, digest), digest, picture.width, picture.height, bool(picture.icon), row is not None
    )


def forget(
    connection: Connection[Any], program_id: int, program: str, source: str, *, by: str, reason: str, now: int
) -> bool:
    """Takes a picture away for good, such as one that must not be shown; whether it was there. Logged.

    Documents that name it stay as they are: pages draw something in its place. Browsers that have it keep it.
    Runs in the caller's transaction. Refuses what is no address of a picture of this program.
    """
    digest = digest_of(program, source)
    if digest is None:
        raise Refused(
            sentence(
                '"%(source)s" is no address of a picture of %(program)s; write it as documents '
                "do: /pictures/%(program)s/….webp.",
                source=source[:120],
                program=program,
            )
        )
    row = connection.execute(
        """
        -- programs.forget_picture
        delete from picture where program_id = %s and sha256 = %s returning 1
        """,
        (program_id, digest),
    ).fetchone()
    with _lock:
        _known.pop((program_id, digest), None)
    if row is not None:
        write_log(
            connection, by, "operator", "picture.forget", f"picture:{program}:{digest}", at=now, reason=reason
        )
    return row is not None


# --- reading ----------------------------------------------------------------------------------------------


def body(connection: Connection[Any], program: str, digest: str, form: Form) -> bytes | None:
    """The bytes of one size of a picture; None where there is no such picture, or no such size of it."""
    row = connection.execute(
        SQL(
            """
            -- programs.picture
            select i.{form} from picture i
            join program p on p.program_id = i.program_id
            where p.key = %s and i.sha256 = %s
            """
        ).format(form=Identifier(form)),
        (program, digest),
    ).fetchone()
    return bytes(row[0]) if row is not None and row[0] else None


_known: dict[tuple[int, str], tuple[float, Kept]] = {}
_lock = threading.Lock()


def known(
    connection: Connection[Any], program_id: int, program: str, named: Iterable[Picture | None]
) -> dict[str, Kept]:
    """Those of the pictures that documents name which are stored, by the address they are named by.

    One question for all. That a picture is there is remembered for some minutes: pages ask for the same ones.
    """
    wanted: dict[str, str] = {}
    for item in named:
        digest = digest_of(program, item.source) if item is not None else None
        if item is not None and digest is not None:
            wanted[item.source] = digest
    found: dict[str, Kept] = {}
    with _lock:
        until = time.monotonic()
        for source, digest in wanted.items():
            held = _known.get((program_id, digest))
            if held is not None and held[0] > until:
                found[source] = held[1]
    missing = {digest: source for source, digest in wanted.items() if source not in found}
    if not missing:
        return found
    rows = connection.execute(
        """
        -- programs.known_pictures
        select sha256, width, height, icon <> '' from picture where program_id = %s and sha256 = any(%s)
        """,
        (program_id, list(missing)),
    ).fetchall()
    with _lock:
        if len(_known) > _MOST_KNOWN:
            _known.clear()
        for digest, width, height, has_icon in rows:
            kept = Kept(address(program, digest), digest, width, height, has_icon)
            _known[program_id, digest] = (time.monotonic() + _KNOWN_FOR_S, kept)
            found[missing[digest]] = kept
    return found
