"""What docs/audit.md says is what the database does."""

import re
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from palier.ledger.invariants import KIND_ACCOUNTS
from palier.ledger.models import KINDS
from palier.ledger.seal import seal
from palier.staff.operations import log_hash
from tests.ledger.rows import NOW, Connection, add_ledger
from tests.ledger.test_audit_views import CONTRACT

TEXT = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()


def test_the_program_in_the_text_recomputes_the_chain(connection: Connection) -> None:
    add_ledger(connection)
    seal(connection, now=NOW)
    found = re.search(r"```python\n(.*?)```", TEXT, re.S)
    assert found is not None
    code: dict[str, Any] = {}
    exec(found[1], code)
    with connection.cursor(row_factory=dict_row) as cursor:
        (block,) = cursor.execute("select * from block").fetchall()
        rows = {row["transfer_id"]: row for row in cursor.execute("select * from transfer").fetchall()}
    hashes = [code["row_hash"](rows[transfer]) for transfer in block["transfer_ids"]]
    assert code["block_root"](bytes(32), block, hashes) == block["root"]


def test_the_program_in_the_text_recomputes_the_log() -> None:
    found = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    code: dict[str, Any] = {}
    exec(found[1], code)
    columns = ("ann", "operator", "key.create", 'é"\\/\x7f\t', 1_770_000_000_123_456, "Café")
    assert code["log_hash"](bytes(32), *columns) == log_hash(bytes(32), *columns)


def test_every_view_and_kind_is_described() -> None:
    for view, columns in CONTRACT.items():
        row = re.search(rf"^\| `audit\.{view}` \|.*\| `(.*)` \|$", TEXT, re.M)
        assert row is not None, f"docs/audit.md does not describe audit.{view}; add its row"
        assert row[1].split(", ") == columns.split()
    for kind in KINDS:
        assert f"| `{kind}` |" in TEXT, (
            f"docs/audit.md does not describe transfers of kind {kind}; add its row"
        )
    assert set(KIND_ACCOUNTS) == set(KINDS)
