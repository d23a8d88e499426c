"""The audit log's own chain: whatever is changed in it, `palier verify` names the row."""

from pathlib import Path

import pytest

from palier.ledger import verify
from palier.ledger.seal import export_head
from palier.staff.log import LogHead, check_log, log_head
from palier.staff.operations import write_log
from tests.ledger.rows import Connection

AT = 1_770_000_000_123_456
PLAIN = "set session_replication_role = replica"
"""Triggers off, as whoever has every right may do."""


@pytest.fixture
def log(superuser_connection: Connection) -> Connection:
    """Five rows, with texts that could be cut differently into columns."""
    for number in range(1, 6):
        with superuser_connection.transaction():
            write_log(
                superuser_connection, f"ann{number}", "operator", "key.create", f"key:é{number}",
                at=AT + number, reason="für \"den\" Café\\laden",
            )  # fmt: skip
    superuser_connection.execute(PLAIN)
    return superuser_connection


def fault_of(log: Connection, *kept: LogHead) -> str | None:
    with log.transaction():
        fault = check_log(log, kept)
    if fault is None:
        return None
    assert fault.expected != fault.found
    return fault.place


def test_a_log_as_it_was_written_holds(log: Connection) -> None:
    newest = log_head(log)
    assert newest is not None
    assert newest.log_seq == 5
    assert fault_of(log) is None
    assert fault_of(log, newest) is None
    assert verify.verify(log) == []


TAMPERED = {
    "actor": ("update audit_log set actor = 'bob' where seq = 3", 3),
    "role": ("update audit_log set role = 'admin' where seq = 3", 3),
    "action": ("update audit_log set action = 'key.revoke' where seq = 5", 5),
    "object": ("update audit_log set object = 'key:x' where seq = 1", 1),
    "instant": ("update audit_log set at = at + interval '1 microsecond' where seq = 2", 2),
    "reason": ("update audit_log set reason = '' where seq = 4", 4),
    "hash": ("update audit_log set hash = sha256('x') where seq = 4", 4),
    "first removed": ("delete from audit_log where seq = 1", 2),
    "middle removed": ("delete from audit_log where seq = 3", 4),
    "added": (
        "insert into audit_log (seq, actor, role, action, object, at, reason, hash, prev_hash) "
        "select 6, actor, role, action, object, at, reason, hash, prev_hash from audit_log where seq = 5",
        6,
    ),
    "moved": ("update audit_log set seq = case seq when 2 then 103 else 102 end where seq in (2, 3)", 4),
    "text moved between columns": ("update audit_log set actor = 'ann2o', role = 'perator' where seq = 2", 2),
}


@pytest.mark.plants_violation
@pytest.mark.parametrize("what", TAMPERED)
def test_a_change_is_named_with_its_row(log: Connection, what: str) -> None:
    statement, seq = TAMPERED[what]
    log.execute(statement)
    assert fault_of(log) == f"audit log, row {seq}"
    assert {violation.invariant for violation in verify.verify(log)} == {"log.chain"}


@pytest.mark.plants_violation
def test_a_cut_tail_is_seen_against_an_exported_head(log: Connection, tmp_path: Path) -> None:
    exported = tmp_path / "heads.jsonl"
    assert [head for head in export_head(log, exported) if isinstance(head, LogHead)] == [log_head(log)]
    assert export_head(log, exported) == []
    assert verify.report(log, head=exported).violations == []
    log.execute("delete from audit_log where seq = 5")
    assert verify.verify(log) == [], "nothing in the database tells that there was more"
    found = verify.report(log, head=exported).violations
    assert [(item.invariant, item.place) for item in found] == [("log.chain", "audit log, row 5")]
    assert "tail is cut" in found[0].found


@pytest.mark.plants_violation
def test_a_log_written_anew_is_seen_against_an_exported_head(log: Connection) -> None:
    newest = log_head(log)
    assert newest is not None
    log.execute("delete from audit_log where seq >= 4")
    log.execute("alter table audit_log alter column seq restart with 4")
    for number in (4, 5):
        with log.transaction():
            write_log(log, "eve", "operator", "key.create", f"key:{number}", at=AT + number)
    assert fault_of(log) is None
    assert fault_of(log, newest) == "audit log, row 5"
