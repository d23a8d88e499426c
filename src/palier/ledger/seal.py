"""Sealing: committed transfers are taken, in the order they were announced, into a chain of hashed blocks.

The hot path only queues; a single sealer does this a little later, per program. The head of the chain is
exported to a file outside the database, which is what makes a cut tail visible.
"""

# ruff: noqa: S608 -- statements are put together from the constants of this room alone

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

from palier.ledger.canonical import GENESIS, HASH_BYTES, MARK_BYTES, ROW_HASH, block_header, block_root
from palier.site import journal
from palier.site.arrays import Numbers
from palier.staff.log import LogHead, log_head

BLOCK_ROWS: Final = 4096
"""The most transfers one block takes."""

# One sealer at a time: a convenience that spares work. What guards the chain is the key (program, number).
_SEALER: Final = 7_020_502

QUEUED_PROGRAMS = """
-- programs with something to seal
select distinct program_id from seal_queue where %(program_id)s::bigint is null or program_id = %(program_id)s
order by program_id
"""

QUEUED = """
-- the oldest queue rows of a program
select queue_id, member_ids, transfer_ids from seal_queue where program_id = %s order by queue_id limit %s
"""

LAST_BLOCK = """
-- the block that the next one follows
select number, last_seq, root from block where program_id = %s order by number desc limit 1
"""

HASH_ROWS = f"""
-- hashes of transfers in the given order, all in one value
-- all members: a block holds the transfers of whichever members were active; each is found by its key
select string_agg({ROW_HASH}, ''::bytea order by given.place)
from unnest(%(member_ids)s::bigint[], %(transfer_ids)s::bigint[]) with ordinality
  as given (member_id, transfer_id, place)
join transfer t on t.member_id = given.member_id and t.transfer_id = given.transfer_id
  and t.program_id = %(program_id)s
"""

MISSING_ROWS = """
-- queued transfers that do not exist
-- all members: as above
select given.member_id, given.transfer_id
from unnest(%(member_ids)s::bigint[], %(transfer_ids)s::bigint[]) with ordinality
  as given (member_id, transfer_id, place)
left join transfer t on t.member_id = given.member_id and t.transfer_id = given.transfer_id
  and t.program_id = %(program_id)s
where t.transfer_id is null
order by given.place
"""

INSERT_BLOCK = """
-- one link of the chain
insert into block (program_id, number, first_seq, last_seq, rows, root, prev_root, row_marks, member_ids,
                   transfer_ids, sealed_at)
values (%(program_id)s, %(number)s, %(first_seq)s, %(last_seq)s, %(rows)s, %(root)s, %(prev_root)s,
        %(row_marks)s, %(member_ids)s, %(transfer_ids)s, %(sealed_at)s)
"""

COUNT_LATER = """
-- what has been sealed is now to be counted
insert into uncounted (program_id, what, member_ids, row_ids)
select q.program_id, part.what, part.member_ids, part.row_ids
from seal_queue q cross join lateral (values
  ('transfer', q.member_ids, q.transfer_ids), ('activity', q.activity_members, q.activity_ids)
) as part (what, member_ids, row_ids)
where q.queue_id = any(%s) and part.row_ids <> '{}'
order by q.queue_id
"""

DELETE_QUEUED = """
-- what has been sealed leaves the queue
delete from seal_queue where queue_id = any(%s)
"""

SEALED_PROGRAMS = """
-- programs that have a chain, whether or not the program itself is still known
select distinct b.program_id, coalesce(p.key, b.program_id::text) as key
from block b left join program p on p.program_id = b.program_id
where %(key)s::text is null or p.key = %(key)s
order by key
"""

BLOCKS = """
-- a stretch of a program's chain
select number, first_seq, last_seq, rows, root, prev_root, row_marks, member_ids, transfer_ids, sealed_at
from block where program_id = %s and number > %s order by number limit %s
"""

BLOCK_ROW_HASHES = f"""
-- hashes of the transfers of some blocks, recomputed; null where a transfer is gone
-- all members: a block holds the transfers of whichever members were active
select given.place, {ROW_HASH}
from unnest(%(member_ids)s::bigint[], %(transfer_ids)s::bigint[]) with ordinality
  as given (member_id, transfer_id, place)
left join transfer t on t.member_id = given.member_id and t.transfer_id = given.transfer_id
  and t.program_id = %(program_id)s
order by given.place
"""

HEADS = """
-- the newest block of each program
select distinct on (b.program_id) p.key, b.number, b.last_seq, b.root, b.sealed_at
from block b join program p on p.program_id = b.program_id
order by b.program_id, b.number desc
"""

ROOT = """
-- the root of one block
select b.last_seq, b.root from block b join program p on p.program_id = b.program_id
where p.key = %s and b.number = %s
"""


class LedgerChanged(Exception):
    """A queued transfer is not in the ledger; nothing was sealed. A defect or an intrusion."""


class Head(NamedTuple):
    """The end of a program's chain at some moment: enough to show later that nothing before it changed."""

    program: str
    number: int
    last_seq: int
    root: str
    sealed_at: str


class Fault(NamedTuple):
    """The first place at which a chain is broken: `row` counts from 1, `transfer` is (member, transfer)."""

    program: str
    block: int
    row: int | None
    transfer: tuple[int, int] | None
    expected: str
    found: str

    @property
    def place(self) -> str:
        """The place in words: program, block, row and the transfer that stands there."""
        words = f"program {self.program}, block {self.block}"
        if self.row is not None and self.transfer is not None:
            member_id, transfer_id = self.transfer
            words += f", row {self.row}, transfer {transfer_id} of member {member_id}"
        return words


def seal(
    connection: psycopg.Connection[Any],
    program_id: int | None = None,
    limit: int = 65_536,
    *,
    now: datetime,
) -> int:
    """Seal up to about `limit` queued transfers of one program, or of each; returns how many were sealed.

    One transaction a program: either its blocks stand and its queue rows are gone, or neither. Returns 0 at
    once when another sealer is at work. Raises LedgerChanged when a queued transfer does not exist.
    """
    with connection.transaction():
        if not _alone(connection):
            return 0
        programs = connection.execute(QUEUED_PROGRAMS, {"program_id": program_id}).fetchall()
    return sum(_seal_program(connection, program, limit, now) for (program,) in programs)


def _alone(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("select pg_try_advisory_xact_lock(%s)", [_SEALER]).fetchone()
    return row is not None and bool(row[0])


def _seal_program(connection: psycopg.Connection[Any], program_id: int, limit: int, now: datetime) -> int:
    with connection.transaction():
        if not _alone(connection):
            return 0
        queue_ids: list[int] = []
        members: list[int] = []
        transfers: list[int] = []
        # Rows are of very different size (one sale, or an import's batch): read on until the limit is full.
        for queue_id, member_ids, transfer_ids in connection.execute(QUEUED, [program_id, limit]).fetchall():
            if len(members) >= limit:
                break
            queue_ids.append(queue_id)
            members += member_ids
            transfers += transfer_ids
        last = connection.execute(LAST_BLOCK, [program_id]).fetchone()
        number, last_seq, prev_root = last if last is not None else (0, 0, GENESIS)
        for start in range(0, len(members), BLOCK_ROWS):
            number += 1
            block: dict[str, Any] = {
                "program_id": program_id,
                "number": number,
                "first_seq": last_seq + 1,
                "prev_root": prev_root,
                "member_ids": Numbers(members[start : start + BLOCK_ROWS]),
                "transfer_ids": Numbers(transfers[start : start + BLOCK_ROWS]),
                "sealed_at": now,
            }
            rows = len(block["member_ids"])
            (joined,) = _one(connection.execute(HASH_ROWS, block, binary=True))
            hashes = _split(joined or b"")
            if len(hashes) != rows:
                member_id, transfer_id = _one(connection.execute(MISSING_ROWS, block))
                raise LedgerChanged(
                    f"Transfer {transfer_id} of member {member_id} was announced for sealing and is not in "
                    "the ledger; run palier verify."
                )
            root = block_root(block_header(prev_root, program_id, number, last_seq + 1, rows, now), hashes)
            row_marks = b"".join(row_hash[:MARK_BYTES] for row_hash in hashes)
            last_seq += 2 * rows
            connection.execute(
                INSERT_BLOCK,
                {**block, "last_seq": last_seq, "rows": rows, "root": root, "row_marks": row_marks},
            )
            prev_root = root
        connection.execute(COUNT_LATER, [Numbers(queue_ids)])
        connection.execute(DELETE_QUEUED, [Numbers(queue_ids)])
    return len(members)


def _split(joined: bytes) -> list[bytes]:
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]


def _one(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row


def heads(connection: psycopg.Connection[Any]) -> list[Head | LogHead]:
    """The newest block of each program that has one, and the newest row of the audit log."""
    found: list[Head | LogHead] = [
        Head(program, number, last_seq, root.hex(), sealed_at.isoformat())
        for program, number, last_seq, root, sealed_at in connection.execute(HEADS)
    ]
    log = log_head(connection)
    return [*found, log] if log is not None else found


def export_head(connection: psycopg.Connection[Any], path: Path) -> list[Head | LogHead]:
    """Append the heads that `path` does not hold yet, one JSON object a line, and force them to disk.

    Only ever appends, so an older head stays when the database is turned back. Returns what was added. Keep
    the file where whoever can change the database cannot change it.
    """
    journal.mend(path)
    known = set(read_heads(path)) if path.exists() else set()
    new = [head for head in heads(connection) if head not in known]
    if new:
        # They hold nothing secret; whoever keeps a copy may read them.
        journal.append(path, (json.dumps(head._asdict()).encode() for head in new), mode=0o644)
    return new


def read_heads(path: Path) -> list[Head | LogHead]:
    """The heads that `export_head` wrote. Refuses a file that is not one with ValueError naming the line."""
    found: list[Head | LogHead] = []
    for line_number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            content = json.loads(line)
            head = LogHead(**content) if "log_seq" in content else Head(**content)
            bytes.fromhex(head.hash if isinstance(head, LogHead) else head.root)
        except (TypeError, ValueError):
            raise ValueError(
                f"{path}, line {line_number}: not an exported head; expected the JSON object that "
                "`palier seal --head` writes"
            ) from None
        found.append(head)
    return found


def check_chain(
    connection: psycopg.Connection[Any], head: Path | None = None, program: str | None = None
) -> Fault | None:
    """Recompute every block from the ledger's rows; the first one that differs, or None.

    With `head`, an exported file, each head in it must still be a block of the chain: this is what sees a cut
    tail and a chain that was written anew.
    """
    programs = connection.execute(SEALED_PROGRAMS, {"key": program}).fetchall()
    for program_id, key in programs:
        fault = _check_program(connection, program_id, key)
        if fault is not None:
            return fault
    if head is None:
        return None
    chains = (item for item in read_heads(head) if isinstance(item, Head))
    kept = sorted(item for item in chains if program is None or item.program == program)
    return next((fault for item in kept if (fault := _check_head(connection, item))), None)


def _check_head(connection: psycopg.Connection[Any], head: Head) -> Fault | None:
    row = connection.execute(ROOT, [head.program, head.number]).fetchone()
    if row is None:
        return Fault(
            head.program, head.number, None, None, f"root {head.root}", "no such block: the tail is cut"
        )
    last_seq, root = row
    if root.hex() != head.root or last_seq != head.last_seq:
        return Fault(
            head.program,
            head.number,
            None,
            None,
            f"root {head.root} at seq {head.last_seq}",
            f"root {root.hex()} at seq {last_seq}",
        )
    return None


def _blocks(connection: psycopg.Connection[Any], program_id: int) -> Iterator[list[Any]]:
    after = 0
    while stretch := connection.execute(BLOCKS, [program_id, after, 16]).fetchall():
        yield stretch
        after = stretch[-1][0]


def _check_program(connection: psycopg.Connection[Any], program_id: int, key: str) -> Fault | None:
    expected_number, expected_seq, expected_prev = 1, 1, GENESIS
    for stretch in _blocks(connection, program_id):
        member_ids = [member for block in stretch for member in block[7]]
        transfer_ids = [transfer for block in stretch for transfer in block[8]]
        if any(len(block[7]) != block[3] or len(block[8]) != block[3] for block in stretch):
            bad = next(b for b in stretch if len(b[7]) != b[3] or len(b[8]) != b[3])
            return Fault(key, bad[0], None, None, f"{bad[3]} rows", f"{len(bad[7])} and {len(bad[8])} ids")
        hashes = [
            row_hash
            for _, row_hash in connection.execute(
                BLOCK_ROW_HASHES,
                {
                    "member_ids": Numbers(member_ids),
                    "transfer_ids": Numbers(transfer_ids),
                    "program_id": program_id,
                },
                binary=True,
            )
        ]
        start = 0
        for (
            number,
            first_seq,
            last_seq,
            rows,
            root,
            prev_root,
            marks,
            members,
            transfers,
            sealed_at,
        ) in stretch:
            ours = hashes[start : start + rows]
            start += rows
            if number != expected_number:
                return Fault(key, expected_number, None, None, f"block {expected_number}", f"block {number}")
            for row, (row_hash, member, transfer) in enumerate(zip(ours, members, transfers, strict=True), 1):
                mark = marks[(row - 1) * MARK_BYTES : row * MARK_BYTES]
                if row_hash is None:
                    return Fault(
                        key, number, row, (member, transfer), f"hash {mark.hex()}..", "no such transfer"
                    )
                if row_hash[:MARK_BYTES] != mark:
                    found = f"hash {row_hash[:MARK_BYTES].hex()}.."
                    return Fault(key, number, row, (member, transfer), f"hash {mark.hex()}..", found)
            place = (prev_root, first_seq, last_seq)
            expected_place = (expected_prev, expected_seq, expected_seq + 2 * rows - 1)
            if place != expected_place:
                return Fault(key, number, None, None, _place(*expected_place), _place(*place))
            recomputed = block_root(
                block_header(prev_root, program_id, number, first_seq, rows, sealed_at), ours
            )
            if recomputed != root:
                return Fault(key, number, None, None, f"root {recomputed.hex()}", f"root {root.hex()}")
            expected_number, expected_seq, expected_prev = number + 1, last_seq + 1, root
    return None


def _place(prev_root: bytes, first_seq: int, last_seq: int) -> str:
    return f"postings {first_seq} to {last_seq} after root {prev_root.hex()}"
