"""The audit contract: its columns by name, and what they say of a small ledger."""

from datetime import UTC, datetime

import pytest

from palier.ledger.seal import seal
from tests.ledger.rows import ANN, BOB, NOW, Connection, add_ledger

CONTRACT = {
    "posting": "seq transfer_id activity_id program currency account kind member_ref partner lot_id amount "
    "effective_at recorded_at program_version",
    "block": "program number first_seq last_seq rows root prev_root sealed_at",
    "balance": "program currency account member_ref posted pending held floor",
    "lot": "lot_id program currency member_ref funder earned redeemed expired reversed held "
    "remaining expires_at",
    "activity": "program source external_id payload_sha256 status activity_id occurred_at received_at",
    "decision": "activity_id program_version transfers sum",
    "consent": "member_ref purpose channel recipient state at proof",
    "voucher": "code_hash max_uses uses state",
    "log": "seq actor role action object at reason hash prev_hash",
}
ANN_REF, BOB_REF = "m_0000000000035", "m_000000000006a"


@pytest.fixture
def ledger(connection: Connection) -> Connection:
    add_ledger(connection)
    connection.commit()
    return connection


def rows(connection: Connection, sql: str) -> list[tuple[object, ...]]:
    return list(connection.execute(sql).fetchall())


@pytest.mark.parametrize("view", CONTRACT)
def test_a_view_has_the_columns_of_the_contract_in_order(connection: Connection, view: str) -> None:
    found = rows(
        connection,
        f"select column_name from information_schema.columns where table_schema = 'audit' and "
        f"table_name = '{view}' "
        "order by ordinal_position",
    )
    assert [name for (name,) in found] == CONTRACT[view].split()


def test_a_transfer_has_two_postings_that_cancel(ledger: Connection) -> None:
    assert rows(
        ledger, "select seq, account, amount, lot_id, kind from audit.posting where transfer_id = 11"
    ) == [
        (None, "issuance", -100, f"{ANN_REF}.7", "earn"),
        (None, "wallet", 100, f"{ANN_REF}.7", "earn"),
    ]
    assert rows(ledger, "select sum(amount) from audit.posting") == [(0,)]


def test_a_sealed_posting_has_its_place(ledger: Connection) -> None:
    seal(ledger, now=NOW)
    assert rows(ledger, "select seq, account from audit.posting where transfer_id = 21 order by seq") == [
        (3, "issuance"),
        (4, "pending"),
    ]
    assert rows(ledger, "select number, first_seq, last_seq, rows, prev_root from audit.block") == [
        (1, 1, 28, 14, "00" * 32)
    ]


def test_the_partner_of_a_partner_account_is_named(superuser_connection: Connection) -> None:
    add_ledger(superuser_connection)
    with superuser_connection.transaction(force_rollback=True):
        superuser_connection.execute("set session_replication_role = replica")
        superuser_connection.execute("update transfer set debit = 'partner:bakery' where transfer_id = 11")
        found = rows(
            superuser_connection, "select account, partner from audit.posting where transfer_id = 11"
        )
        assert found == [("partner:bakery", "bakery"), ("wallet", None)]


def test_balances_include_held_and_show_debt_as_owed(ledger: Connection) -> None:
    found = rows(
        ledger,
        "select member_ref, account, posted, pending, held, floor from audit.balance order by 1, 2 desc",
    )
    assert found == [
        (ANN_REF, "wallet", 80, 30, 25, 0),
        (ANN_REF, "debt", 0, 0, 0, None),
        (BOB_REF, "wallet", 14, 0, 0, 0),
        (BOB_REF, "debt", -5, 0, 0, None),
    ]


def test_a_lot_is_known_by_its_member_and_id(ledger: Connection) -> None:
    found = rows(ledger, "select lot_id, earned, redeemed, remaining from audit.lot order by 1")
    assert found == [(f"{ANN_REF}.7", 120, 37, 55), (f"{BOB_REF}.7", 12, 0, 8), (f"{BOB_REF}.8", 6, 0, 6)]


def test_an_activity_shows_its_claim(ledger: Connection) -> None:
    ledger.execute(
        "insert into activity_claim values ('t9', 'till', 1, 101, null, sha256('y'), 'refused', "
        "'insufficient', %s)",
        [NOW],
    )
    found = rows(
        ledger,
        "select source, status, activity_id, occurred_at, received_at, length(payload_sha256) "
        "from audit.activity where external_id in ('t1', 't9') order by external_id",
    )
    ledger.rollback()
    now = datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert found == [("till", "applied", 10, now, now, 64), ("till", "refused", None, None, now, 64)]


def test_a_decision_without_transfers_is_one(ledger: Connection) -> None:
    assert rows(ledger, "select transfers, sum from audit.decision where activity_id = 110") == [(0, 0)]
    assert rows(ledger, "select transfers, sum from audit.decision where activity_id = 100") == [(3, 19)]


def test_the_reference_is_the_same_in_sql_and_in_python(connection: Connection) -> None:
    from palier.members.refs import encode

    for member_id in (0, 1, 31, 32, ANN, BOB, 2**62 - 1, 2**63 - 1, 1234567890123456789):
        assert rows(connection, f"select audit.member_ref({member_id})") == [(encode(member_id),)]
