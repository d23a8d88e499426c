"""Every invariant finds the violation planted for it, and a sound ledger has none."""

from contextlib import closing

import psycopg
import pytest

from palier.ledger import seal, verify
from palier.ledger.invariants import INVARIANTS
from palier.ledger.verify import Violation
from palier.site import database
from tests.ledger.rows import ANN, BOB, NOW, PROGRAM, Connection, add_ledger, add_transfer, queue

PLAIN = "set session_replication_role = replica"
"""Triggers off, as whoever has every right may do."""


def drop(table: str, constraint: str) -> str:
    return f"alter table {table} drop constraint {constraint}"


FIRST_TRANSFER = "where member_id = 101 and transfer_id = 11"
PLANTED: dict[str, list[str]] = {
    "posting.balanced": [
        "create or replace view audit.posting as select null::bigint as seq, transfer_id, activity_id, "
        "'shop'::text as program, currency, credit as account, kind, "
        "audit.member_ref(member_id) as member_ref, "
        "null::text as partner, null::text as lot_id, amount, effective_at, recorded_at, "
        "version as program_version from transfer"
    ],
    "transfer.accounts": [f"update transfer set kind = 'restore' {FIRST_TRANSFER}"],
    "transfer.amount": [
        drop("transfer", "transfer_amount_positive"),
        f"update transfer set amount = -1 {FIRST_TRANSFER}",
    ],
    "transfer.decision": [f"update transfer set activity_id = 999 {FIRST_TRANSFER}"],
    "correction.names_its_original": ["update transfer set amount = 6 where transfer_id = 81"],
    "correction.once": [
        "drop index transfer_corrected_once",
        "update transfer set corrects_id = 71, debit = 'breakage', credit = 'wallet' where transfer_id = 82",
    ],
    "wallet.posted": ["update wallet set posted = posted + 1 where member_id = 101"],
    "wallet.pending": ["update wallet set pending = pending + 1 where member_id = 101"],
    "wallet.held": ["update wallet set held = held - 1 where member_id = 101"],
    "wallet.debt": ["update wallet set debt = debt - 1 where member_id = 202"],
    "wallet.lots": ["update lot set earned = earned + 1, remaining = remaining + 1 where member_id = 101"],
    "wallet.not_negative": [
        drop("wallet", "wallet_pending_floor"),
        "update wallet set pending = -1 where member_id = 101",
    ],
    "lot.columns": ["update lot set redeemed = redeemed - 1, expired = expired + 1 where member_id = 101"],
    "lot.adds_up": [drop("lot", "lot_adds_up"), "update lot set earned = earned + 1 where member_id = 101"],
    "lot.not_negative": [
        drop("lot", "lot_not_negative"),
        "update lot set expired = -1, remaining = remaining + 4 where member_id = 101",
    ],
    "hold.open": ["update hold set state = 'released'"],
    "activity.closed": ["update activity set transfer_sum = transfer_sum + 1 where activity_id = 10"],
    "activity.member": ["delete from member where member_id = 202"],
    "claim.decision": ["delete from activity where activity_id = 110"],
    "activity.claim": ["delete from activity_claim where external_id = 't1'"],
    "activity.once": ["update activity set external_id = 't1' where activity_id = 20"],
    "transit.cancels": ["update transfer set amount = 13 where transfer_id = 92"],
    "merge.cancels": ["update transfer set kind = 'merge_out' where transfer_id = 91"],
    "merge.leaves_nothing": ["update member set status = 'merged' where member_id = 101"],
    "progress.exists": ["delete from progress where member_id = 202"],
    "seal.exists": ["delete from transfer where transfer_id = 61"],
    "seal.once": [
        "insert into seal_queue (program_id, member_ids, transfer_ids, recorded_at) values (1, "
        "'{101}', '{11}', now())"
    ],
    "seal.covers": [
        "insert into activity select member_id, 300, program_id, 'palier', null, type, occurred_at, acts_at, "
        "recorded_at, version, payload, inputs, trace, tier, 1, 5 from activity where activity_id = 10",
        "insert into transfer select member_id, 301, program_id, 300, kind, debit, 'pending', "
        "currency, lot_id, 5, "
        "effective_at, recorded_at, version from transfer where transfer_id = 11",
    ],
    "seal.queue": [
        "insert into seal_queue (program_id, member_ids, transfer_ids, recorded_at) values (1, "
        "'{101}', '{9}', now())"
    ],
    "block.chain": ["update block set root = prev_root"],
    "log.chain": [
        "insert into audit_log (actor, role, action, object, at, reason, hash, prev_hash) values ('ann', "
        "'operator', 'key.create', 'key:x', now(), '', sha256('x'), decode(repeat('00', 32), 'hex'))"
    ],
}


@pytest.fixture
def ledger(superuser_connection: Connection) -> Connection:
    """A sound ledger, sealed, open to a superuser."""
    superuser_connection.execute("set timezone = 'UTC'")
    add_ledger(superuser_connection)
    assert seal.seal(superuser_connection, now=NOW) == 14
    return superuser_connection


def test_a_sound_ledger_has_no_violation(ledger: Connection) -> None:
    assert verify.verify(ledger) == []
    assert verify.verify(ledger, "shop") == []
    report = verify.report(ledger)
    assert report.rows["transfers"] == 14
    assert len(report.invariants) >= len(INVARIANTS) + 2


def test_an_unsealed_ledger_has_no_violation_either(connection: Connection) -> None:
    add_ledger(connection)
    assert verify.verify(connection) == []


def test_the_auditor_may_verify(connection: Connection) -> None:
    add_ledger(connection)
    connection.commit()
    with closing(database.connect("auditor")) as auditor:
        assert verify.verify(auditor) == []


def test_every_invariant_has_a_planted_violation() -> None:
    assert set(PLANTED) == {*INVARIANTS, "block.chain", "log.chain"}


@pytest.mark.plants_violation
@pytest.mark.parametrize("invariant", PLANTED)
def test_a_planted_violation_is_found(ledger: Connection, invariant: str) -> None:
    with ledger.transaction():
        ledger.execute(PLAIN)
        for statement in PLANTED[invariant]:
            ledger.execute(statement)
        ledger.execute("reset session_replication_role")
    for program in (None, "shop"):
        found = verify.verify(ledger, program)
        assert invariant in {violation.invariant for violation in found}
        assert all(violation.place and violation.expected != violation.found for violation in found)


def test_another_program_is_not_blamed(ledger: Connection) -> None:
    ledger.execute("insert into program values (2, 'other', now())")
    ledger.execute(PLAIN)
    ledger.execute("update wallet set posted = posted + 1 where member_id = 101")
    assert verify.verify(ledger, "other") == []
    ledger.execute("update wallet set posted = posted - 1 where member_id = 101")


def test_an_unknown_program_is_refused(ledger: Connection) -> None:
    with pytest.raises(ValueError, match="no program 'nowhere'"):
        verify.verify(ledger, "nowhere")


@pytest.mark.plants_violation
def test_a_registered_check_of_state_takes_part(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_state_checks", [])

    @verify.register_state_check
    def progress(connection: Connection, program: str | None) -> list[Violation]:
        return [Violation("state.wallet", f"program {program}", "1", "2")]

    verify.register_state_check(progress)
    assert verify.verify(ledger, "shop") == [Violation("state.wallet", "program shop", "1", "2")]


def test_a_correction_may_not_be_corrected(superuser_connection: Connection) -> None:
    add_ledger(superuser_connection)
    with pytest.raises(psycopg.errors.UniqueViolation):
        add_transfer(superuser_connection, ANN, 80, 83, "expire", "breakage", "wallet", 7, 5, 71)


def test_what_was_queued_is_sealed_once(superuser_connection: Connection) -> None:
    add_ledger(superuser_connection)
    assert seal.seal(superuser_connection, PROGRAM, 5, now=NOW) == 6
    assert seal.seal(superuser_connection, PROGRAM + 1, now=NOW) == 0
    assert seal.seal(superuser_connection, now=NOW) == 8
    assert seal.seal(superuser_connection, now=NOW) == 0
    queue(superuser_connection)
    assert seal.seal(superuser_connection, now=NOW) == 0
    places = superuser_connection.execute("select array_agg(seq order by seq) from audit.posting").fetchone()
    assert places == (list(range(1, 29)),)
    assert (
        BOB in superuser_connection.execute("select member_ids from block where number = 2").fetchall()[0][0]
    )
