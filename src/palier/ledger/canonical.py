"""The canonical bytes of a transfer, and the hashes over them: once in SQL for speed, once in Python to show.

docs/audit.md describes the same form for whoever wants to recompute it without this code.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import pack
from typing import Final, NamedTuple

GENESIS: Final = bytes(32)
"""The previous root of a program's first block."""

HASH_BYTES: Final = 32

MARK_BYTES: Final = 8
"""How much of each row's hash a block keeps to name the row that changed."""

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)

# Set-independent and fast: the binary form in which PostgreSQL sends integers and instants (big endian,
# instants as microseconds since 2000-01-01). Texts carry their length first, so that no two rows can meet in
# the same bytes; what is absent is -1, which no id takes.
ROW: Final = " || ".join(
    [
        *(
            f"int8send(t.{column})"
            for column in ("member_id", "transfer_id", "program_id", "activity_id", "amount")
        ),
        "int8send(coalesce(t.lot_id, -1))",
        "int8send(coalesce(t.corrects_id, -1))",
        "int4send(t.version)",
        "timestamptz_send(t.effective_at)",
        "timestamptz_send(t.recorded_at)",
        *(
            f"int4send(octet_length(t.{column})) || convert_to(t.{column}, 'UTF8')"
            for column in ("kind", "debit", "credit", "currency")
        ),
    ]
)
"""SQL: the canonical bytes of the row `t` of table transfer, in a database whose encoding is UTF8."""

ROW_HASH: Final = f"sha256({ROW})"
"""SQL: the hash of the row `t`."""


class Row(NamedTuple):
    """A row of table transfer, in the order of the canonical form."""

    member_id: int
    transfer_id: int
    program_id: int
    activity_id: int
    amount: int
    lot_id: int | None
    corrects_id: int | None
    version: int
    effective_at: datetime
    recorded_at: datetime
    kind: str
    debit: str
    credit: str
    currency: str


def row_bytes(row: Row) -> bytes:
    """The canonical bytes of one transfer."""
    fixed = pack(
        ">7qiqq",
        *row[:5],
        -1 if row.lot_id is None else row.lot_id,
        -1 if row.corrects_id is None else row.corrects_id,
        row.version,
        _microseconds(row.effective_at),
        _microseconds(row.recorded_at),
    )
    texts = [text.encode() for text in row[10:]]
    return fixed + b"".join(pack(">i", len(text)) + text for text in texts)


def row_hash(row: Row) -> bytes:
    """The SHA-256 of the canonical bytes of one transfer."""
    return sha256(row_bytes(row)).digest()


def block_header(
    prev_root: bytes, program_id: int, number: int, first_seq: int, rows: int, sealed_at: datetime
) -> bytes:
    """The bytes that stand before the rows' hashes in what a block's root is taken over."""
    return prev_root + pack(">qqqiq", program_id, number, first_seq, rows, _microseconds(sealed_at))


def block_root(header: bytes, row_hashes: Iterable[bytes]) -> bytes:
    """The root of a block: SHA-256 over its header and the hashes of its rows, in sealed order."""
    return sha256(header + b"".join(row_hashes)).digest()


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
