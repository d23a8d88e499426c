"""Vouchers and pools from the command line, as an operator runs them."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest

from palier.site import clock
from palier.vouchers import operations
from palier.vouchers.operations import Presented
from tests.activities.program import BEGINNING, Connection, program, published
from tests.commands import said as palier


@pytest.fixture
def shop(connection: Connection) -> int:
    return published(connection, program(), now=BEGINNING).program_id


def test_codes_for_print_are_written_once(connection: Connection, shop: int, tmp_path: Path) -> None:
    out = tmp_path / "flyer.csv"
    effect = '{"kind": "amount_off", "amount": "5.00"}'
    arguments = ("vouchers", "generate", "shop", "--count", "3", "--effect", effect, "--proof", "pin")
    code, said, error = palier(*arguments, "--expires", "2090-12-31", "--out", out)
    assert (code, error) == (0, "")
    assert "3 vouchers made" in said
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    rows = list(csv.DictReader(out.open()))
    assert len(rows) == 3
    shown = Presented(rows[0]["code"], pin=rows[0]["pin"])
    operations.use(connection, shop, shown, source="till", id="t1", location="paris", now=clock.now())
    connection.commit()
    code, said, _ = palier("vouchers", "show", "shop", rows[0]["voucher"])
    assert code == 0
    assert "used 1 of 1" in said
    assert "used till t1 paris" in said
    # Never over another file, and nothing is made then.
    code, _, error = palier(*arguments, "--out", out)
    assert code == 2
    assert "no voucher was made" in error
    assert connection.execute("select count(*) from voucher").fetchone() == (3,)
    connection.rollback()
    code, said, _ = palier("vouchers", "cancel", "shop", rows[1]["voucher"], "--reason", "reprint")
    assert (code, said) == (0, f"Cancelled {rows[1]['voucher']}.\n")
    log = connection.execute("select action, reason from audit_log order by seq").fetchall()
    assert log == [("voucher.generate", "3, print"), ("voucher.cancel", "reprint")]


@pytest.mark.parametrize("effect", ['{"amount": 5.5}', "[]", "{", "@nowhere.json"])
def test_effects_that_are_none(shop: int, tmp_path: Path, effect: str) -> None:
    out = tmp_path / "x.csv"
    code, _, error = palier("vouchers", "generate", "shop", "--count", "1", "--effect", effect, "--out", out)
    assert code == 2
    assert error.startswith("The effect")
    assert "Traceback" not in error
    assert not out.exists()


def test_a_pool_from_a_file(shop: int, tmp_path: Path) -> None:
    assert palier("vouchers", "pool", "list", "shop")[0] == 0
    made = palier("vouchers", "pool", "create", "shop", "cinema", "--name", "Cinema", "--low-at", "2")
    assert made[:2] == (0, "cinema: 0 free, low at 2.\n")
    file = tmp_path / "codes.csv"
    file.write_text("Card number;PIN\nA-1;11\nA-2;22\nA-1;33\n;44\n")
    for dry_run, free in ((["--dry-run"], 0), ([], 2)):
        code, said, error = palier("vouchers", "pool", "import", "shop", "cinema", file, *dry_run)
        assert code == 1
        assert ("is low" in error) == (not dry_run)
        assert "2 would be added" in said if dry_run else "2 added" in said
        assert "line 4: the same code stands on line 2" in said
        assert "line 5: the code is empty" in said
        assert said.endswith(f"cinema: {free} free.\n")
    code, said, _ = palier("vouchers", "pool", "list", "shop", "--json")
    assert code == 1
    assert [(pool["key"], pool["state"], pool["free"]) for pool in json.loads(said)] == [("cinema", "low", 2)]
    assert "A-1" not in said
    code, said, _ = palier("vouchers", "pool", "withdraw", "shop", "cinema", "--reason", "blocked")
    assert (code, said) == (0, "2 codes withdrawn.\n")


def test_what_is_not_there(shop: int, tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    file.write_text("code\nA\n")
    for arguments, said in (
        (("pool", "import", "shop", "none", file), "The program has no pool 'none'; make it"),
        (("pool", "import", "shop", "none", tmp_path / "no.csv"), "cannot be read"),
        (("show", "shop", "v_x"), "No voucher of the program has this reference."),
        (("pool", "list", "nowhere"), 'There is no program "nowhere"'),
        (
            ("pool", "create", "shop", "Big Pool", "--name", "x", "--low-at", "1"),
            "A pool's key is small letters",
        ),
    ):
        code, _, error = palier("vouchers", *arguments)
        assert code == 2
        assert said in error
    assert palier("vouchers", "unlock", "shop")[0] == 0
