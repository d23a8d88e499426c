"""The command: fast to explain itself, one sentence for every refusal, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("django", "psycopg", "polars", "pydantic", "msgspec", "granian")
SELDOM = ("polars", "fastexcel", "httpx", "rich", "typst", "schwifty", "sepaxml")


def palier(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "palier", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_version_and_help() -> None:
    from palier import __version__

    assert palier("version").stdout.strip() == __version__
    shown = palier("--help")
    assert shown.returncode == 0
    assert "serve" in shown.stdout
    assert "migrate" in shown.stdout


@pytest.mark.guard
def test_help_loads_nothing_heavy() -> None:
    """A command module that imports a room at its top makes every command slow; import inside the command."""
    code = (
        "import sys; sys.argv = ['palier', '--help']\n"
        "from palier.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("LOADED []"), result.stdout.splitlines()[-1]


@pytest.mark.guard
def test_the_rooms_load_nothing_that_few_processes_need() -> None:
    """Every command that opens the database, and every process of `palier serve`, waits for what the rooms import."""
    code = (
        "import sys; from palier.cli.session import set_up_django; set_up_django()\n"
        f"print([name for name in {SELDOM!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]", "import it inside the function that uses it"


@pytest.mark.parametrize("arguments", [["unknown"], ["health", "--unknown"], ["serve", "--port", "99999"]])
def test_misuse_is_a_sentence_and_2(arguments: list[str]) -> None:
    result = palier(*arguments)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "--help" in result.stderr


def test_a_bad_variable_is_a_sentence_and_2() -> None:
    result = palier("health", PALIER_WEB_THREADS="many")
    assert result.returncode == 2
    assert result.stderr.startswith("PALIER_WEB_THREADS is not usable")
    assert "Traceback" not in result.stderr


def test_an_unreachable_database_is_a_sentence_and_2() -> None:
    result = palier("migrate", PALIER_DATABASE_URL="postgresql://someone:hunter2@127.0.0.1:1/none")
    assert result.returncode == 2
    assert result.stderr.startswith("The database cannot be reached")
    assert "hunter2" not in result.stderr


def test_a_defect_is_a_sentence_with_its_log(tmp_path: Path) -> None:
    code = (
        "import palier.cli.server as server\n"
        "def broken(): raise ValueError('planted')\n"
        "def register(app): app.command(name='broken')(broken); app.command(name='other')(broken)\n"
        "server.register = register\n"
        "import palier.cli as cli; cli.MODULES = ('server',)\n"
        "import sys; sys.argv = ['palier', 'broken']; cli.main()"
    )
    (tmp_path / "logs").mkdir()
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PALIER_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "ValueError: planted" in result.stderr
    (log,) = (tmp_path / "logs").iterdir()
    assert "Traceback" in log.read_text()


def test_migrations_are_complete_and_repeatable(database: str) -> None:
    assert palier("migrate").stdout.strip() == "Nothing to migrate."
    assert palier("migrate", "--check").returncode == 0


@pytest.mark.guard
def test_models_and_migrations_agree(database: str) -> None:
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
