"""One embedded PostgreSQL for a whole test session, one database for each test that asks for one.

Every worker of pytest-xdist shares the server; the process that began the session stops it at the end. Each
test with the fixture `database` finds what migrations leave and nothing else (tests/databases.py), and after it every
invariant of the ledger is verified: a test that plants a violation has the mark `plants_violation`.
"""

import contextlib
import fcntl
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Any

# Nothing of what is loaded and collected is garbage: looking for it costs a third of the start (`pytest_collection`).
gc.disable()

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
from django.conf import settings as django_settings  # noqa: E402
from django.db import connections  # noqa: E402
from django.utils import translation  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from palier.ledger.verify import verify  # noqa: E402
from palier.site import database as platform_database  # noqa: E402
from palier.site import disk, embedded  # noqa: E402
from tests.databases import Database, Made  # noqa: E402

# How fast examples are made says something of the machine, nothing of the code.
settings.register_profile("palier", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("palier")

django.setup()

# Only now that the rooms are there.
from palier.api import limits  # noqa: E402
from palier.jobs import tasks  # noqa: E402
from palier.staff import queries as keys  # noqa: E402
from palier.staff import session, throttle  # noqa: E402
from palier.web.widget import views as widget  # noqa: E402

django_settings.PASSWORD_HASHERS = ["tests.passwords.LightScrypt"]

TEMPLATE = "palier_template"
Connection = psycopg.Connection[tuple[Any, ...]]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _sweep()
        config.stash[_session_lock] = _hold(Path(os.environ["PALIER_DATA_DIR"]))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _remove(Path(os.environ["PALIER_DATA_DIR"]))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What was loaded and collected is there to the end: set apart, it is not looked through again and again."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each worker begins with its share of the long ones: none is left to one while the others have ended.

    Workers are given equal runs of the list, and take over what others have not begun.
    """
    workers = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    if workers == 1:
        return
    long = [item for item in items if _is_long(item)]
    short = [item for item in items if not _is_long(item)]
    bounds = [len(short) * place // workers for place in range(workers + 1)]
    items[:] = [
        item
        for place in range(workers)
        for item in (*long[place::workers], *short[bounds[place] : bounds[place + 1]])
    ]


def _is_long(item: pytest.Item) -> bool:
    """Whether it takes seconds: it is marked so, or a browser visits what is served."""
    return item.get_closest_marker("slow") is not None or "opened" in getattr(item, "fixturenames", ())


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
    _forget()
    own_database.fresh()
    yield own_database.name
    _forget()
    if request.node.get_closest_marker("plants_violation") is None:
        _verify(own_database.auditor())


@pytest.fixture
def scene(database: str, own_database: Database) -> Callable[[Callable[[], Made]], Made]:
    """`scene(make)` is what `make()` makes in the empty database; its rows are brought back, not made anew."""
    return own_database.scene


def _forget() -> None:
    """What this process keeps of a database ends with it: the next one gives the same numbers to others.

    So do the disk that a test filled, and the language of the last page that was asked for.
    """
    connections.close_all()
    session.close()
    keys.forget_keys()
    limits._buckets.clear()
    throttle._seen.clear()
    widget._kept.clear()
    tasks._kept.clear()
    tasks._seen_at = None
    disk.forget()
    translation.deactivate()


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
