"""Reads of programs: their versions, documents, and which version judges which instant."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant
from palier.engine.program import Program
from palier.engine.sentences import sentence
from palier.engine.state import NEVER
from palier.site.refusal import Refused

_decode = msgspec.json.Decoder(Program).decode
_CACHED: Final = 64


class Version(Struct, frozen=True):
    """One published version. Instants are microseconds UTC; `is_new` is whether publishing just made it."""

    program_id: int
    key: str
    version: int
    sha256: str
    effective_from: int
    published_at: int
    published_by: str
    is_new: bool = False


class Judging(Struct, frozen=True):
    """One entry: `version` judges instants from `from_at` until before `until_at` (NEVER: without end)."""

    entry: int
    from_at: int
    until_at: int
    version: int
    recorded_at: int
    reason: str


class Timeline:
    """Which version of a program judges an instant, and the documents of all its versions.

    The last entry that covers an instant wins.
    """

    __slots__ = ("_starts", "_versions", "documents", "entries", "key", "last_entry", "program_id")

    def __init__(
        self, program_id: int, key: str, entries: tuple[Judging, ...], documents: dict[int, Program]
    ) -> None:
        self.program_id = program_id
        self.key = key
        self.entries = entries
        self.documents = documents
        self.last_entry = entries[-1].entry if entries else 0
        bounds = {entry.from_at for entry in entries} | {entry.until_at for entry in entries}
        self._starts = sorted(bounds)
        self._versions = [self._covering(start) for start in self._starts]

    def _covering(self, at: int) -> int:
        for entry in reversed(self.entries):
            if entry.from_at <= at < entry.until_at:
                return entry.version
        return 0

    def version_at(self, at: int) -> int:
        """The version that judges the instant; 0 where the program had not started."""
        index = bisect_right(self._starts, at) - 1
        return self._versions[index] if index >= 0 else 0

    def document_at(self, at: int) -> Program | None:
        """The document that judges the instant; None where the program had not started."""
        return self.documents.get(self.version_at(at))

    def breaks(self, after: int) -> tuple[int, ...]:
        """The instants later than `after` at which another version starts to judge."""
        found = []
        for index, start in enumerate(self._starts):
            before = self._versions[index - 1] if index else 0
            if start > after and start < NEVER and self._versions[index] != before:
                found.append(start)
        return tuple(found)


def find(connection: Connection[Any], key: str) -> int | None:
    """The id of the program with this key; None where there is none."""
    row = connection.execute("select program_id from program where key = %s", (key,)).fetchone()
    return int(row[0]) if row is not None else None


def identified(connection: Connection[Any], key: str) -> int:
    """The id of the program with this key. Refuses one that is not there."""
    found = find(connection, key)
    if found is None:
        raise no_program(key)
    return found


def no_program(key: str) -> Refused:
    """The refusal of a program that is not there."""
    return Refused(
        sentence('There is no program "%(key)s"; `palier programs` lists those there are.', key=key[:60])
    )


def list_programs(connection: Connection[Any]) -> list[Version]:
    """The latest version of every program, by key."""
    rows = connection.execute(
        """
        -- programs.list_programs
        select p.program_id, p.key, v.version, v.sha256, v.effective_from, v.published_at, v.published_by
        from program p
        join program_version v on v.program_id = p.program_id
        where v.version = (select max(w.version) from program_version w where w.program_id = p.program_id)
        order by p.key
        """
    ).fetchall()
    return [_version(row) for row in rows]


def list_versions(connection: Connection[Any], key: str) -> list[Version]:
    """All versions of a program, first to last; empty where there is no such program."""
    rows = connection.execute(
        """
        -- programs.list_versions
        select p.program_id, p.key, v.version, v.sha256, v.effective_from, v.published_at, v.published_by
        from program p
        join program_version v on v.program_id = p.program_id
        where p.key = %s
        order by v.version
        """,
        (key,),
    ).fetchall()
    return [_version(row) for row in rows]


def _version(row: tuple[Any, ...]) -> Version:
    return Version(row[0], row[1], row[2], row[3], instant(row[4]), instant(row[5]), row[6])


def document(connection: Connection[Any], key: str, version: int | None = None) -> Program | None:
    """The document of one version, the latest by default; None where there is none."""
    row = connection.execute(
        """
        -- programs.document
        select v.document::text
        from program p
        join program_version v on v.program_id = p.program_id
        where p.key = %s and (%s::int is null or v.version = %s::int)
        order by v.version desc
        limit 1
        """,
        (key, version, version),
    ).fetchone()
    return _decode(row[0]) if row is not None else None


_cache: OrderedDict[tuple[Any, ...], Timeline] = OrderedDict()
_cache_lock = threading.Lock()


TIMELINE_HEAD: Final = """
-- programs.timeline_head
select p.program_id, j.entry, j.recorded_at, v.sha256
from program p
join program_judging j on j.program_id = p.program_id
join program_version v on v.program_id = j.program_id and v.version = j.version
where p.key = %(key)s
order by j.entry desc
limit 1
"""
"""What a timeline is kept as. Hash and instant tell apart two entries of one number, one of them rolled back."""


def cached_timeline(known_as: tuple[Any, ...]) -> Timeline | None:
    """The timeline with this head (TIMELINE_HEAD) if this process has read it; asks no database."""
    with _cache_lock:
        found = _cache.get(known_as)
        if found is not None:
            _cache.move_to_end(known_as)
        return found


SHARE_JUDGING: Final = """
-- programs.share_judging
-- Whoever decides holds this to the end of his transaction, whoever changes what judges holds it alone.
select pg_advisory_xact_lock_shared(%(program)s)
"""

HEAD: Final = """
-- programs.head
select j.entry, j.recorded_at, (select t.told_at from program_told t where t.program_id = j.program_id)
from program_judging j where j.program_id = %(program)s order by j.entry desc limit 1
"""
"""The last entry of a timeline, and until when it was told what had been recorded (`telling.dated`)."""


def is_head(known: Timeline, row: tuple[Any, ...] | None) -> bool:
    """Whether a row of HEAD is the last entry of this timeline, so that nothing was added since it was read."""
    if row is None or not known.entries:
        return row is None and not known.entries
    last = known.entries[-1]
    return bool(row[0] == last.entry and instant(row[1]) == last.recorded_at)


def timeline(connection: Connection[Any], key: str) -> Timeline | None:
    """The program's timeline; None where there is no such program.

    Entries and versions are only ever added, so a timeline read once is kept for as long as its last entry
    is the last: a call costs one small query.
    """
    head = connection.execute(TIMELINE_HEAD, {"key": key}).fetchone()
    if head is None:
        return None
    known_as = tuple(head)
    found = cached_timeline(known_as)
    if found is not None:
        return found
    found = _load(connection, head[0], key, head[1])
    with _cache_lock:
        _cache[known_as] = found
        while len(_cache) > _CACHED:
            _cache.popitem(last=False)
    return found


def _load(connection: Connection[Any], program_id: int, key: str, last_entry: int) -> Timeline:
    rows = connection.execute(
        """
        -- programs.timeline_entries
        select entry, from_at, until_at, version, recorded_at, reason
        from program_judging
        where program_id = %s and entry <= %s
        order by entry
        """,
        (program_id, last_entry),
    ).fetchall()
    entries = tuple(
        Judging(
            row[0],
            instant(row[1]),
            instant(row[2]) if row[2] is not None else NEVER,
            row[3],
            instant(row[4]),
            row[5],
        )
        for row in rows
    )
    documents = connection.execute(
        """
        -- programs.timeline_documents
        select version, document::text from program_version where program_id = %s order by version
        """,
        (program_id,),
    ).fetchall()
    return Timeline(program_id, key, entries, {row[0]: _decode(row[1]) for row in documents})
