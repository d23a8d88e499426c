"""`palier verify` and `palier seal` as a user meets them."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from palier.cli import verify as commands
from palier.site.refusal import Refused
from tests.ledger.rows import Connection, add_ledger


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    commands.register(app)
    result = CliRunner().invoke(app, list(arguments), standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.return_value or 0, result.output


@pytest.fixture
def ledger(superuser_connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    # The session's server runs already, and must not be stopped with the command.
    monkeypatch.setattr("palier.cli.session.open_database", nullcontext)
    add_ledger(superuser_connection)
    return superuser_connection


def test_a_sound_ledger_is_sealed_and_verified(ledger: Connection, tmp_path: Path) -> None:
    head = tmp_path / "head.jsonl"
    assert run("seal", "--head", str(head)) == (0, f"14 transfers sealed.\n1 head added to {head}.\n")
    status, text = run("verify", "--head", str(head))
    assert status == 0
    assert "14 transfers" in text
    assert text.endswith("All hold.\n")


@pytest.mark.plants_violation
def test_the_first_violation_is_named(ledger: Connection) -> None:
    ledger.execute("update wallet set pending = 31 where member_id = 101")
    status, text = run("verify", "--program", "shop")
    assert status == 1
    assert "Broken: wallet.pending at wallet m_0000000000035 points: expected 30, found 31." in text
    status, text = run("verify", "--json")
    assert status == 1
    assert json.loads(text)["violations"][0]["invariant"] == "wallet.pending"


def test_what_is_not_there_is_refused_with_a_remedy(ledger: Connection, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no program 'nowhere'"):
        run("verify", "--program", "nowhere")
    with pytest.raises(Refused, match="palier seal --head FILE"):
        run("verify", "--head", str(tmp_path / "none"))
    (tmp_path / "head.jsonl").write_text("nonsense")
    with pytest.raises(Refused, match="line 1: not an exported head"):
        run("verify", "--head", str(tmp_path / "head.jsonl"))
