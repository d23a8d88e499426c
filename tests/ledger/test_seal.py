"""The chain names the block and the row of whatever was changed, and anyone can recompute it."""

from pathlib import Path

import pytest

from palier.ledger.canonical import GENESIS, Row, block_header, block_root, row_bytes, row_hash
from palier.ledger.seal import (
    Fault,
    Head,
    LedgerChanged,
    check_chain,
    export_head,
    heads,
    read_heads,
    seal,
)
from tests.ledger.rows import BOB, NOW, PROGRAM, Connection, add_ledger


@pytest.fixture
def chain(superuser_connection: Connection) -> Connection:
    """A sound ledger sealed in three blocks of 6, 6 and 2 rows."""
    superuser_connection.execute("set timezone = 'UTC'")
    add_ledger(superuser_connection)
    assert [seal(superuser_connection, PROGRAM, 5, now=NOW) for _ in range(4)] == [6, 6, 2, 0]
    assert check_chain(superuser_connection) is None
    superuser_connection.execute("set session_replication_role = replica")
    return superuser_connection


def ids(connection: Connection, number: int, row: int) -> tuple[int, int]:
    found = connection.execute(
        "select member_ids[%(row)s], transfer_ids[%(row)s] from block where number = %(number)s",
        {"row": row, "number": number},
    ).fetchone()
    assert found is not None
    return found[0], found[1]


SWAP = """
update transfer t set amount = o.amount, kind = o.kind, debit = o.debit, credit = o.credit
from transfer o where (t.transfer_id, o.transfer_id) in ((61, 71), (71, 61))
"""

TAMPERED: dict[str, tuple[list[str], int, int | None]] = {
    "edit the amount": (["update transfer set amount = amount + 1 where transfer_id = 31"], 1, 3),
    "edit the account": (["update transfer set debit = 'partner:x' where transfer_id = 11"], 1, 1),
    "edit the instant": (
        ["update transfer set effective_at = effective_at + interval '1 microsecond' where transfer_id = 61"],
        1,
        6,
    ),
    "edit the lot": (["update transfer set lot_id = 8 where transfer_id = 92"], 2, 5),
    "edit the version": (["update transfer set version = 2 where transfer_id = 102"], 3, None),
    "edit the decision": (["update transfer set activity_id = 10 where transfer_id = 91"], 2, 4),
    "forget a correction": (["update transfer set corrects_id = null where transfer_id = 81"], 2, 2),
    "delete a row": (["delete from transfer where transfer_id = 41"], 1, 4),
    "delete several rows": (["delete from transfer where transfer_id in (51, 92)"], 1, 5),
    "swap two rows": ([SWAP], 1, 6),
    "swap two places": (
        [
            "update block set transfer_ids = transfer_ids[2:2] || transfer_ids[1:1] || "
            "transfer_ids[3:] where number = 1"
        ],
        1,
        1,
    ),
    "insert into a block": (
        [
            "insert into transfer select member_id, 12, program_id, activity_id, kind, debit, "
            "credit, currency, "
            "lot_id, 1, effective_at, recorded_at, version from transfer where transfer_id = 11",
            "alter table block drop constraint block_two_postings_a_row",
            "update block set member_ids = member_ids || 101::bigint, transfer_ids = "
            "transfer_ids || 12::bigint, "
            "rows = rows + 1 where number = 2",
        ],
        2,
        7,
    ),
    "cut the middle": (["delete from block where number = 2"], 2, None),
    "cut the beginning": (["delete from block where number = 1"], 1, None),
    "write a root anew": (["update block set root = sha256('x') where number = 2"], 2, None),
    "join another chain": (["update block set prev_root = sha256('x') where number = 2"], 2, None),
    "move the seal's instant": (
        ["update block set sealed_at = sealed_at + interval '1 day' where number = 2"],
        2,
        None,
    ),
    "edit and hide the mark": (
        [
            "update transfer set amount = 99 where transfer_id = 31",
            "update block set row_marks = '' where number = 1",
        ],
        1,
        1,
    ),
}


@pytest.mark.plants_violation
@pytest.mark.parametrize("what", TAMPERED)
def test_a_change_is_named_with_its_block_and_row(chain: Connection, what: str) -> None:
    statements, block, row = TAMPERED[what]
    if what == "edit the version":
        row = next(place for place in (1, 2) if ids(chain, 3, place)[1] == 102)
    for statement in statements:
        chain.execute(statement)
    fault = check_chain(chain)
    assert fault is not None
    assert (fault.program, fault.block, fault.row) == ("shop", block, row)
    assert fault.expected != fault.found
    if row is not None:
        assert fault.transfer == ids(chain, block, row)


@pytest.mark.plants_violation
def test_a_cut_tail_is_seen_against_the_exported_head(chain: Connection, tmp_path: Path) -> None:
    exported = tmp_path / "head.jsonl"
    export_head(chain, exported)
    assert check_chain(chain, exported) is None
    chain.execute(
        "delete from transfer where transfer_id in (select unnest(transfer_ids) from block where number = 3)"
    )
    chain.execute("delete from block where number = 3")
    assert check_chain(chain) is None
    fault = check_chain(chain, exported)
    assert fault is not None
    assert fault.block == 3
    assert "tail is cut" in fault.found


@pytest.mark.plants_violation
def test_a_chain_written_anew_is_seen_against_the_exported_head(chain: Connection, tmp_path: Path) -> None:
    exported = tmp_path / "head.jsonl"
    export_head(chain, exported)
    chain.execute("update transfer set amount = 101 where transfer_id = 11")
    chain.execute(
        "insert into seal_queue (program_id, member_ids, transfer_ids, recorded_at) "
        "select program_id, member_ids, transfer_ids, sealed_at from block order by number"
    )
    chain.execute("delete from block")
    while seal(chain, PROGRAM, 5, now=NOW):
        pass
    assert check_chain(chain) is None
    fault = check_chain(chain, exported)
    assert fault is not None
    assert (fault.block, fault.row) == (3, None)


@pytest.mark.plants_violation
@pytest.mark.parametrize("column", ["amount", "debit", "currency", "lot_id", "effective_at", "version"])
def test_every_column_is_under_the_hash(chain: Connection, column: str) -> None:
    changed = {"debit": "'partner:y'", "currency": "'other'", "effective_at": "now()"}.get(
        column, f"{column} + 1"
    )
    chain.execute(f"update transfer set {column} = {changed} where transfer_id = 11")
    assert check_chain(chain) is not None


def test_sealing_stops_at_a_transfer_that_is_gone(superuser_connection: Connection) -> None:
    add_ledger(superuser_connection)
    superuser_connection.execute("update seal_queue set transfer_ids[2] = 999 where queue_id = 1")
    with pytest.raises(LedgerChanged, match="Transfer 999 of member 101"):
        seal(superuser_connection, now=NOW)
    assert superuser_connection.execute("select count(*) from block").fetchone() == (0,)
    superuser_connection.execute("update seal_queue set transfer_ids[2] = 21 where queue_id = 1")


def test_one_sealer_at_a_time(superuser_connection: Connection, connection: Connection) -> None:
    add_ledger(superuser_connection)
    connection.execute("select pg_advisory_xact_lock(7020502)")
    assert seal(superuser_connection, now=NOW) == 0
    connection.rollback()
    assert seal(superuser_connection, now=NOW) == 14


def test_the_app_role_may_seal(connection: Connection) -> None:
    add_ledger(connection)
    assert seal(connection, now=NOW) == 14
    assert check_chain(connection) is None


def test_anyone_can_recompute_the_chain(chain: Connection) -> None:
    prev_root = GENESIS
    blocks = chain.execute(
        "select program_id, number, first_seq, rows, sealed_at, root, member_ids, transfer_ids "
        "from block order by number"
    ).fetchall()
    for program_id, number, first_seq, rows, sealed_at, root, members, transfers in blocks:
        hashes = []
        for member, transfer in zip(members, transfers, strict=True):
            row = chain.execute(
                f"select {', '.join(Row._fields)} from transfer where member_id = %s and transfer_id = %s",
                [member, transfer],
            ).fetchone()
            assert row is not None
            hashes.append(row_hash(Row(*row)))
        header = block_header(prev_root, program_id, number, first_seq, rows, sealed_at)
        assert block_root(header, hashes) == root
        prev_root = root


def test_the_canonical_bytes_of_a_row() -> None:
    row = Row(1, 2, 3, 4, 500, None, None, 6, NOW, NOW, "earn", "issuance", "wallet", "étoiles")
    assert row_bytes(row).hex() == (
        "0000000000000001000000000000000200000000000000030000000000000004"
        "00000000000001f4ffffffffffffffffffffffffffffffff00000006"
        "0002eef24d4fe8000002eef24d4fe800"
        "000000046561726e0000000869737375616e636500000006"
        "77616c6c657400000008c3a9746f696c6573"
    )


def test_heads_are_appended_and_read_again(chain: Connection, tmp_path: Path) -> None:
    exported = tmp_path / "head.jsonl"
    assert export_head(chain, exported) == heads(chain) == read_heads(exported)
    assert export_head(chain, exported) == []
    assert [head.number for head in heads(chain) if isinstance(head, Head)] == [3]
    assert [head.last_seq for head in heads(chain) if isinstance(head, Head)] == [28]


def test_a_head_that_a_crash_cut_off_is_exported_again(chain: Connection, tmp_path: Path) -> None:
    exported = tmp_path / "head.jsonl"
    whole = export_head(chain, exported)
    exported.write_bytes(exported.read_bytes()[:-20])
    export_head(chain, exported)
    assert read_heads(exported) == whole
    assert exported.stat().st_mode & 0o022 == 0


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "not json",
        '{"program": "shop"}',
        "[1]",
        '{"log_seq": 1}',
        '{"log_seq": 1, "hash": "no", "at": ""}',
    ],
)
def test_a_file_that_holds_no_heads_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "head.jsonl"
    path.write_text(line)
    with pytest.raises(ValueError, match="line 1: not an exported head"):
        read_heads(path)


def test_a_fault_says_where_in_words() -> None:
    assert (
        Fault("shop", 2, 3, (BOB, 92), "", "").place
        == "program shop, block 2, row 3, transfer 92 of member 202"
    )
    assert Fault("shop", 2, None, None, "", "").place == "program shop, block 2"
