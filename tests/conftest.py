"""One embedded PostgreSQL for a whole test session, one database for each test that asks for one.

Every worker of pytest-xdist shares the server; the process that began the session stops it at the end. Each
test with the fixture `database` finds what migrations leave and nothing else (tests/databases.py), and after it every
invariant of the ledger is verified: a test that plants a violation has the mark `plants_violation`.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

# Read by the platform at its import, so set before anything of it is imported.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
FOLDERS = Path("/var/tmp")
os.environ.pop("PALIER_DATABASE_URL", None)
if "PALIER_TEST_SESSION" not in os.environ:
    _directory = Path(tempfile.mkdtemp(prefix="palier-test-", dir=FOLDERS))
    # PostgreSQL runs as another user when the tests run as root: it must get through.
    _directory.chmod(0o711)
    os.environ["PALIER_TEST_SESSION"] = os.environ["PALIER_DATA_DIR"] = str(_directory)
os.environ["PALIER_DATABASE_NAME"] = f"palier_{WORKER}"
# Tests lose nothing when the machine stops; what is tested for durability starts a server of its own.
os.environ["PALIER_ACCEPT_DATA_LOSS"] = "yes-i-understand"
os.environ["PALIER_SHARED_BUFFERS_MB"] = "128"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")

import django  # noqa: E402
import psycopg  # noqa: E402
import pytest  # noqa: E402
from django.db import connections  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from palier.ledger.verify import verify  # noqa: E402
from palier.site import database as platform_database  # noqa: E402
from palier.site import embedded  # noqa: E402
from tests.databases import Database  # noqa: E402

# How fast examples are made says something of the machine, nothing of the code.
settings.register_profile("palier", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("palier")

django.setup()

TEMPLATE = "palier_template"
Connection = psycopg.Connection[tuple[Any, ...]]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _sweep()
        config.stash[_session_lock] = _hold(Path(os.environ["PALIER_DATA_DIR"]))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _remove(Path(os.environ["PALIER_DATA_DIR"]))


_session_lock = pytest.StashKey[IO[str]]()


def _hold(directory: Path) -> IO[str]:
    held = (directory / "session.lock").open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


def _sweep() -> None:
    """Remove what sessions that were killed left behind: their lock is free."""
    for lock in FOLDERS.glob("palier-test-*/session.lock"):
        with contextlib.suppress(OSError), lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock.parent)


def _remove(directory: Path) -> None:
    embedded.Server(directory).stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> embedded.Server:
    """The session's server, with a migrated template in it."""
    directory = Path(os.environ["PALIER_DATA_DIR"])
    # Races of 128 connections, and what other workers of the session have.
    found = embedded.start(
        directory, settings={"fsync": "off", "max_connections": "300", "autovacuum": "off"}
    )
    with (directory / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = directory / "template.made"
        if not made.exists():
            subprocess.run(
                [sys.executable, "-m", "palier", "migrate"],
                env={**os.environ, "PALIER_DATABASE_NAME": TEMPLATE},
                check=True,
            )
            made.touch()
    return found


@pytest.fixture(scope="session")
def own_database(server: embedded.Server) -> Iterator[Database]:
    """This worker's database."""
    made = Database(server, os.environ["PALIER_DATABASE_NAME"], TEMPLATE)
    yield made
    made.close()


@pytest.fixture
def database(own_database: Database, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database with nothing in it, also Django's; its name. Verified after the test."""
    connections.close_all()
    own_database.fresh()
    yield own_database.name
    connections.close_all()
    if request.node.get_closest_marker("plants_violation") is None:
        _verify(own_database.auditor())


def _verify(connection: Connection) -> None:
    """Fail the test if what it left in the ledger breaks an invariant."""
    try:
        violations = list(verify(connection))
    finally:
        connection.rollback()
    assert not violations, f"the ledger is not sound after this test: {violations[:5]}"


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """A connection as the run-time role to the test's database."""
    with contextlib.closing(platform_database.connect("app")) as opened:
        yield opened


@pytest.fixture
def owner_connection(database: str) -> Iterator[Connection]:
    """A connection as the owner of the tables."""
    with contextlib.closing(platform_database.connect("owner")) as opened:
        yield opened


@pytest.fixture
def superuser_connection(server: embedded.Server, database: str) -> Iterator[Connection]:
    """A connection that may do anything, for planting what nobody may do. Autocommit."""
    with contextlib.closing(psycopg.connect(server.dsn(database), autocommit=True)) as opened:
        yield opened
