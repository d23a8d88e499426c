"""What the run-time role may not do to the ledger, statement by statement; and what no role may do."""

import psycopg
import pytest

from palier.engine.clock import instant
from palier.ledger.seal import seal
from palier.staff.operations import write_log
from tests.ledger.rows import NOW, Connection, add_ledger

REFUSED_TO_APP = [
    "update transfer set amount = 1 where member_id = 101",
    "delete from transfer where member_id = 101",
    "truncate transfer",
    "alter table transfer disable trigger all",
    "alter table transfer drop constraint transfer_amount_positive",
    "drop trigger transfer_no_change on transfer",
    "drop index transfer_corrected_once",
    "drop table transfer cascade",
    "insert into transfer select * from transfer on conflict (member_id, transfer_id) do update "
    "set amount = 1",
    "merge into transfer t using member m on m.member_id = t.member_id when matched then delete",
    "create trigger quiet before insert on transfer for each row execute function palier_refuse_change()",
    "update activity set transfer_sum = 0 where member_id = 101",
    "delete from activity where member_id = 101",
    "truncate activity cascade",
    "alter table activity add column hidden integer",
    "drop trigger activity_no_change on activity",
    "update block set root = prev_root",
    "delete from block",
    "truncate block",
    "update program_version set document = '{}'",
    "delete from program_version",
    "update program_judging set until_at = null",
    "delete from activity_claim where external_id = 't1'",
    "truncate activity_claim",
    "update activity_claim set payload_sha256 = '' where external_id = 't1'",
    "update activity_claim set external_id = 't9' where external_id = 't1'",
    "update audit_log set reason = ''",
    "delete from audit_log",
    "delete from wallet where member_id = 101",
    "delete from lot where member_id = 101",
    "update member set program_id = 2 where member_id = 101",
    "update seal_queue set transfer_ids = '{}'",
    "create or replace function palier_refuse_change() returns trigger language plpgsql as "
    "'begin return null; end'",
    "create or replace view audit.posting as select 1",
    "drop schema audit cascade",
    "set session_replication_role = replica",
    "set role palier_owner",
]

REFUSED_BY_CHECK = {
    "one-sided": ("earn", "issuance", "breakage", 7, 5),
    "of nothing": ("earn", "issuance", "wallet", 7, 0),
    "negative": ("earn", "issuance", "wallet", 7, -5),
    "to itself": ("earn", "wallet", "wallet", 7, 5),
    "of no known kind": ("gift", "issuance", "wallet", 7, 5),
    "from no known account": ("earn", "nowhere", "wallet", 7, 5),
    "of no lot": ("earn", "issuance", "wallet", None, 5),
}

APPEND_ONLY = ["transfer", "activity", "block", "audit_log"]


@pytest.fixture
def ledger(connection: Connection) -> Connection:
    """A sound, sealed ledger, as the run-time role sees it."""
    add_ledger(connection)
    seal(connection, now=NOW)
    write_log(connection, "a", "owner", "x", "y", at=instant(NOW))
    connection.commit()
    return connection


@pytest.mark.parametrize("statement", REFUSED_TO_APP)
def test_the_run_time_role_may_not(ledger: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ledger.execute(statement)
    ledger.rollback()


@pytest.mark.parametrize("what", REFUSED_BY_CHECK)
def test_a_row_that_cannot_be_true_is_refused(ledger: Connection, what: str) -> None:
    kind, debit, credit, lot, amount = REFUSED_BY_CHECK[what]
    with pytest.raises(psycopg.errors.CheckViolation):
        ledger.execute(
            "insert into transfer values (101, 999, 1, 10, %s, %s, %s, 'points', %s, %s, %s, %s, 1, null)",
            [kind, debit, credit, lot, amount, NOW, NOW],
        )
    ledger.rollback()


@pytest.mark.parametrize(
    "change",
    [
        "posted = -1, held = 0",
        "pending = -1",
        "held = -1",
        "debt = -1",
        "held = posted + 1",
    ],
)
def test_a_balance_below_its_floor_is_refused(ledger: Connection, change: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        ledger.execute(f"update wallet set {change} where member_id = 101")
    ledger.rollback()


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["update {} set {} = {}", "delete from {}", "truncate {} cascade"])
def test_even_a_superuser_must_first_remove_the_guard(
    ledger: Connection, superuser_connection: Connection, table: str, statement: str
) -> None:
    column = {"transfer": "amount", "activity": "transfer_sum", "block": "rows", "audit_log": "reason"}[table]
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        superuser_connection.execute(statement.format(table, column, column))


@pytest.mark.parametrize("table", ["transfer", "wallet", "block", "activity_claim", "audit.posting"])
def test_the_auditor_reads_and_writes_nothing(ledger: Connection, table: str) -> None:
    from contextlib import closing

    from palier.site import database

    with closing(database.connect("auditor")) as auditor:
        assert auditor.execute(f"select count(*) from {table}").fetchone() != (0,)
        for statement in (f"delete from {table}", f"insert into {table} select * from {table}"):
            with pytest.raises(
                (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)
            ):
                auditor.execute(statement)
            auditor.rollback()
        for hidden in ("api_key", "identity", "idempotency_key"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                auditor.execute(f"select 1 from {hidden}")
            auditor.rollback()
