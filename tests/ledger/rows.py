"""Small, sound ledgers for the tests, written by SQL; and rows to plant among them."""

from datetime import UTC, datetime
from typing import Any

import psycopg

from palier.engine.state import NEVER, Lot, MemberState, PendingPoints, WalletState, encode_state

Connection = psycopg.Connection[tuple[Any, ...]]

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
PROGRAM = 1
ANN, BOB = 101, 202

# (member, activity, source, external id, type, corrects) and its transfers
# (transfer, kind, debit, credit, lot, amount, corrects)
HISTORY: list[tuple[tuple[Any, ...], list[tuple[Any, ...]]]] = [
    ((ANN, 10, "till", "t1", "sale", None), [(11, "earn", "issuance", "wallet", 7, 100, None)]),
    ((ANN, 20, "till", "t2", "sale", None), [(21, "earn", "issuance", "pending", 7, 50, None)]),
    ((ANN, 30, "palier", "r1", "released", None), [(31, "release", "pending", "wallet", 7, 20, None)]),
    ((ANN, 40, "till", "h1", "hold", None), [(41, "hold", "wallet", "hold", 7, 40, None)]),
    ((ANN, 50, "till", "c1", "capture", None), [(51, "capture", "hold", "redemption", 7, 15, None)]),
    ((ANN, 60, "till", "x1", "redeem", None), [(61, "redeem", "wallet", "redemption", 7, 10, None)]),
    ((ANN, 70, "palier", "e1", "expired", None), [(71, "expire", "wallet", "breakage", 7, 5, None)]),
    (
        (ANN, 80, "palier", "k1", "correction", 70),
        [(81, "expire", "breakage", "wallet", 7, 5, 71), (82, "expire", "wallet", "breakage", 7, 3, None)],
    ),
    (
        (ANN, 90, "till", "o1", "transfer_out", None),
        [(91, "transfer_out", "wallet", "in_transit", 7, 12, None)],
    ),
    (
        (BOB, 90, "till", "o1", "transfer_in", None),
        [(92, "transfer_in", "in_transit", "wallet", 7, 12, None)],
    ),
    (
        (BOB, 100, "till", "b1", "return", None),
        [
            (101, "debt", "debt", "issuance", None, 9, None),
            (102, "repay", "wallet", "debt", 7, 4, None),
            (103, "adjust", "adjustment", "wallet", 8, 6, None),
        ],
    ),
    ((BOB, 110, "till", "n1", "visit", None), []),
]


def states() -> dict[int, bytes]:
    """The engine's state of each member after HISTORY."""
    first = 1_772_359_200_000_000
    ann = WalletState(
        lots=[Lot(7, NEVER, NEVER, "shop", first, 120, 37, 3, 0, 25, 55)],
        pending=[PendingPoints("till", "t2", 7, NEVER, NEVER, "shop", first, False, False, 30, NEVER)],
    )
    bob = WalletState(
        lots=[
            Lot(7, NEVER, NEVER, "shop", first, 12, 0, 0, 4, 0, 8),
            Lot(8, NEVER, NEVER, "shop", first, 6, 0, 0, 0, 0, 6),
        ],
        debt=5,
    )
    return {
        member: encode_state(MemberState(wallets={"points": wallet}))
        for member, wallet in ((ANN, ann), (BOB, bob))
    }


def write(connection: Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """Execute `sql` for each row."""
    with connection.cursor() as cursor:
        cursor.executemany(sql, rows)


def add_activity(connection: Connection, activity: tuple[Any, ...], transfers: list[tuple[Any, ...]]) -> None:
    """One decision with its claim and its transfers."""
    member, activity_id, source, external_id, kind, corrects = activity
    connection.execute(
        "insert into activity values (%s, %s, %s, %s, %s, %s, %s, %s, %s, 1, '{}', null, '{}', "
        "'base', %s, %s, %s)",
        [
            *(member, activity_id, PROGRAM, source, external_id, kind, NOW, NOW, NOW),
            *(len(transfers), sum(row[5] for row in transfers), corrects),
        ],
    )
    if source != "palier":
        connection.execute(
            "insert into activity_claim values (%s, %s, %s, %s, %s, sha256('x'), 'applied', null, %s) "
            "on conflict do nothing",
            [external_id, source, PROGRAM, member, activity_id, NOW],
        )
    for row in transfers:
        add_transfer(connection, member, activity_id, *row)


def add_transfer(
    connection: Connection,
    member: int,
    activity_id: int,
    transfer_id: int,
    kind: str,
    debit: str,
    credit: str,
    lot_id: int | None,
    amount: int,
    corrects: int | None,
) -> None:
    """One row of the ledger."""
    connection.execute(
        "insert into transfer values (%s, %s, %s, %s, %s, %s, %s, 'points', %s, %s, %s, %s, 1, %s)",
        [
            *(member, transfer_id, PROGRAM, activity_id, kind, debit, credit),
            *(lot_id, amount, NOW, NOW, corrects),
        ],
    )


def add_ledger(connection: Connection) -> None:
    """A program, two members and every kind of thing that verification reads; sound. Commits."""
    with connection.transaction():
        connection.execute("insert into program values (%s, 'shop', %s)", [PROGRAM, NOW])
        for member, state in states().items():
            connection.execute(
                "insert into member values (%s, %s, 'active', %s, '{}', 'en', null)", [member, PROGRAM, NOW]
            )
            connection.execute(
                "insert into progress values (%s, %s, %s, null, %s)", [member, PROGRAM, state, NOW]
            )
        for activity, transfers in HISTORY:
            add_activity(connection, activity, transfers)
        write(
            connection,
            "insert into wallet values (%s, 'points', %s, %s, %s, %s, %s)",
            [(ANN, PROGRAM, 80, 30, 25, 0), (BOB, PROGRAM, 14, 0, 0, 5)],
        )
        write(
            connection,
            "insert into lot values (%s, %s, %s, 'points', 'shop', null, %s, %s, %s, %s, %s, %s, %s)",
            [
                (ANN, 7, PROGRAM, NOW, 120, 37, 3, 0, 25, 55),
                (BOB, 7, PROGRAM, NOW, 12, 0, 0, 4, 0, 8),
                (BOB, 8, PROGRAM, NOW, 6, 0, 0, 0, 0, 6),
            ],
        )
        connection.execute(
            "insert into hold values (%s, 40, %s, 'points', 40, 15, 'open', null, %s)", [ANN, PROGRAM, NOW]
        )
        queue(connection)


def queue(connection: Connection) -> None:
    """Announce every transfer that is neither sealed nor queued, two a queue row."""
    connection.execute(
        """
        insert into seal_queue (program_id, member_ids, transfer_ids, recorded_at)
        select program_id, array_agg(member_id order by place), array_agg(transfer_id order by place),
               min(recorded_at)
        from (
          select t.*, row_number() over (order by transfer_id) as place from transfer t
          where transfer_id not in (select unnest(transfer_ids) from block)
            and transfer_id not in (select unnest(transfer_ids) from seal_queue)
        ) waiting
        group by program_id, (place - 1) / 2 order by (place - 1) / 2
        """
    )
