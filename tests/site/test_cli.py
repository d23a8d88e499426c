"""The command: fast to explain itself, one sentence for every refusal, never a traceback."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.commands import said as quick

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

    assert palier("version").stdout.strip() == palier("--version").stdout.strip() == __version__
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("wallett", "There is no command wallett; did you mean 'wallet'? Try `palier --help`."),
        ("wallet", "The argument ref is missing. Try `palier wallet --help`."),
        ("wallet a " + "b" * 200, f"{'b' * 80}… is too much. Try `palier wallet --help`."),
        ("plan x --nope", "There is no option --nope here. Try `palier plan --help`."),
        ("describe x --form y", "There is no option --form here; did you mean --format? Try `palier describe --help`."),
        ("plan x --language y", "--language takes one of 'en', 'fr', not 'y'. Try `palier plan --help`."),
        ("serve --port x", "--port takes a number. Try `palier serve --help`."),
        ("lint x --workers 65", "--workers takes 64 or less. Try `palier lint --help`."),
        ("lint x --workers -1", "--workers takes 0 or more. Try `palier lint --help`."),
        ("wallet x --as-of", "The option --as-of needs a value."),
        ("describe " + "x" * 300, f"{'x' * 80}… is too long for the name of a file; write another."),
    ],
)  # fmt: skip
def test_misuse_says_what_is_wrong(words: str, said: str) -> None:
    assert quick(*words.split()) == (2, "", f"{said}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["explain", ""], "The word after explain is empty; write what belongs there, or leave it out."),
        (["validate", " "], "The word after validate is empty; write what belongs there, or leave it out."),
        (["wallet", "x", "--as-of", ""], "The word after --as-of is empty; write what belongs there, or leave it out."),
        (["wallet", "x", "--as-of="], "The option --as-of needs a value."),
        (
            ["export", "", "--language", "fr"],
            "Le mot après export est vide\u202f; écrivez ce qui doit y être, ou retirez-le.",
        ),
    ],
)  # fmt: skip
def test_an_empty_word_stands_for_no_default(words: list[str], said: str) -> None:
    """A variable without a value: `--as-of "$DAY"` told of today, `validate "$FILE"` of the folder."""
    assert quick(*words) == (2, "", f"{said}\n")


def test_what_the_system_says_is_told_in_french() -> None:
    for words in (["validate", "/nowhere/program.yaml"], ["story", "/nowhere/one.story"]):
        done = palier(*words, LC_ALL="fr_FR.UTF-8")
        assert done.returncode == 2
        assert "aucun fichier ni dossier de ce nom" in done.stderr
        assert "No such file" not in done.stderr


def test_a_bad_variable_is_a_sentence_and_2() -> None:
    result = palier("health", PALIER_WEB_THREADS="many")
    assert result.returncode == 2
    assert result.stderr.startswith("PALIER_WEB_THREADS is not usable")
    assert "Traceback" not in result.stderr


def test_a_bad_variable_is_told_in_french() -> None:
    result = palier("health", PALIER_WEB_THREADS="0", LC_ALL="fr_FR.UTF-8")
    assert (result.returncode, result.stderr) == (
        2,
        "PALIER_WEB_THREADS ne peut pas servir\xa0: il faut 1 ou plus. Corrigez-la ou retirez-la.\n",
    )


@pytest.mark.parametrize("variable", ["PALIER_SECRET_KEY", "PALIER_IDENTITY_SECRET"])
def test_a_weak_secret_is_refused_before_anything_is_served(tmp_path: Path, variable: str) -> None:
    result = palier("serve", "--port", "8177", PALIER_DATA_DIR=str(tmp_path / "data"), **{variable: "short"})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{variable} is too weak")
    assert not (tmp_path / "data" / "postgresql").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write everywhere, and act as another user")
@pytest.mark.parametrize("words", ["health", "serve --port 8178"])
def test_a_data_directory_of_another_user_is_a_sentence_and_2(words: str) -> None:
    with tempfile.TemporaryDirectory(prefix="palier-theirs-", dir="/var/tmp") as directory:
        Path(directory).chmod(0o711)
        result = subprocess.run(
            [sys.executable, "-m", "palier", *words.split()],
            env={**os.environ, "PALIER_DATA_DIR": directory, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            user=65534,
            group=65534,
            extra_groups=[],
        )
    assert (result.returncode, result.stdout, result.stderr) == (
        2,
        "",
        f"The data directory {directory} cannot be written (Permission denied); run this as the user who made it, "
        "or choose another PALIER_DATA_DIR.\n",
    )


def test_a_bad_address_of_a_database_is_told_by_health() -> None:
    for wrong in (
        "mysql://someone:hunter2@shop/x",
        "postgresql://someone:hunter2@shop/x?connect_timeout=soon",
    ):
        result = palier("health", PALIER_DATABASE_URL=wrong)
        assert result.returncode == 1
        assert "PALIER_DATABASE_URL is not a PostgreSQL address; write postgresql://" in result.stderr
        assert "hunter2" not in result.stderr


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
def test_a_database_is_held_to_the_secret_of_its_members(database: str) -> None:
    """A backup that is put back without its secret would find nobody, and enrol all of them again."""
    assert palier("migrate").returncode == 0
    other = "another-secret-0123456789-abcdefghijklmnopqrstuvwxyz"
    refused = palier("migrate", PALIER_IDENTITY_SECRET=other)
    assert (refused.returncode, refused.stdout) == (2, "")
    kept = Path(os.environ["PALIER_DATA_DIR"]) / "secrets" / "identity"
    assert refused.stderr.startswith("The members of this database were enrolled by another secret: put ")
    assert str(kept) in refused.stderr.replace("\n", "")
    assert palier("migrate", PALIER_IDENTITY_SECRET=kept.read_text().strip()).returncode == 0


def test_models_and_migrations_agree(database: str) -> None:
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize("arguments", [["--help"], ["gallery"]])
def test_nobody_reads_what_it_writes(arguments: list[str]) -> None:
    """No complaint, and no status that says done or failed: what was found was not told."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "palier", *arguments],
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("buffered", [True, False])
def test_what_it_writes_finds_no_room(buffered: bool) -> None:
    unbuffered = {} if buffered else {"PYTHONUNBUFFERED": "1"}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "palier", "gallery"],
            env={**kept, **unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 2
    assert (
        result.stderr == "What was to be written is not whole: the disk is full. Make room, run it again.\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_documents_are_utf_8_under_any_locale(encoding: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "palier", "gallery", "--language", "fr"],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Les étoiles du café" in result.stdout.decode()


def test_a_command_interrupted_while_it_loads_says_so() -> None:
    code = (
        "import sys, palier.cli as cli, signal, os\n"
        "real = cli.import_module\n"
        "def slow(name): os.kill(os.getpid(), signal.SIGINT); return real(name)\n"
        "cli.import_module = slow; sys.argv = ['palier', 'version']; cli.main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (130, "Interrupted.\n")


def test_a_database_that_goes_away_is_no_failed_check(database: str) -> None:
    """1 would say that the ledger is broken."""
    code = (
        "import sys, palier.ledger.verify as module\n"
        "def report(connection, *rest): connection.execute("
        "'select pg_terminate_backend(pg_backend_pid())')\n"
        "module.report = report; from palier.cli import main; sys.argv = ['palier', 'verify']; main()"
    )
    start = "from palier.cli.session import set_up_django; set_up_django()\n"
    result = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("The database went away: ")
