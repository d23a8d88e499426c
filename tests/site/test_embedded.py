"""The embedded server: safe, private, shared, and back after every kind of end."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from palier.site import database as platform
from palier.site import embedded
from palier.site.refusal import Refused


@pytest.fixture
def directory() -> Iterator[Path]:
    """A data directory of its own, with safe settings, stopped and removed at the end."""
    made = Path(tempfile.mkdtemp(prefix="palier-own-", dir="/var/tmp"))
    made.chmod(0o711)
    yield made
    embedded.Server(made).stop()
    shutil.rmtree(made, ignore_errors=True)


def test_a_new_cluster_is_safe_and_private(directory: Path) -> None:
    server = embedded.start(directory)
    name = os.environ["PALIER_DATABASE_NAME"]
    with psycopg.connect(server.dsn(name, "palier_app"), options="-c TimeZone=UTC") as connection:
        assert platform.unsafe_settings(connection) == []
        row = connection.execute(
            "select current_setting('listen_addresses'), current_setting('max_connections')"
        )
        assert row.fetchone() == ("", "100")
    postmaster = psutil.Process(server.pid())
    assert [c for c in postmaster.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
    assert stat.S_IMODE((directory / "run").stat().st_mode) == 0o700
    assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700
    if os.geteuid() == 0:
        assert pwd.getpwuid(postmaster.uids().effective).pw_name == embedded.SYSTEM_USER


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_gets_no_connection(directory: Path) -> None:
    """Even one that gets at the socket: the operating system says who he is."""
    server = embedded.start(directory)
    (directory / "run").chmod(0o755)
    (directory / "run" / ".s.PGSQL.5432").chmod(0o777)
    child = os.fork()
    if child == 0:
        said = "let in"
        try:
            nobody = pwd.getpwnam("nobody")
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            psycopg.connect(server.dsn("postgres", "palier_app"))
        except psycopg.OperationalError as error:
            said = str(error)
        os._exit(0 if "Peer authentication failed" in said else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_starting_twice_is_one_server(directory: Path) -> None:
    first = embedded.start(directory).pid()
    assert embedded.start(directory).pid() == first


def test_many_processes_start_one_server(directory: Path) -> None:
    code = (
        "import pathlib; from palier.site import embedded;"
        f"print(embedded.start(pathlib.Path({str(directory)!r})).pid())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert len({process.communicate(timeout=60)[0] for process in started}) == 1


def test_it_starts_again_after_a_kill_with_what_was_committed(directory: Path) -> None:
    server = embedded.start(directory)
    with psycopg.connect(server.dsn("postgres")) as connection:
        connection.execute("create table kept (id int)")
    for number in range(3):
        with psycopg.connect(server.dsn("postgres")) as connection:
            connection.execute("insert into kept values (%s)", [number])
        old = server.pid()
        assert old is not None
        os.kill(old, signal.SIGKILL)
        while server.pid() is not None:
            time.sleep(0.01)
        began = time.monotonic()
        embedded.start(directory)
        assert time.monotonic() - began < 10
        assert server.pid() != old
    with psycopg.connect(server.dsn("postgres")) as connection:
        assert connection.execute("select array_agg(id order by id) from kept").fetchone() == ([0, 1, 2],)


def test_a_pid_file_that_names_another_program_does_not_stop_it(directory: Path) -> None:
    """After a restart of a container the old number is another program; PostgreSQL alone would refuse."""
    server = embedded.start(directory)
    pid_file = server.cluster / "postmaster.pid"
    content = pid_file.read_text().split("\n", 1)
    server.stop()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        pid_file.write_text(f"{other.pid}\n{content[1]}")
        assert server.pid() is None
        assert embedded.start(directory).ready()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_an_interrupted_first_start_leaves_nothing_in_the_way(directory: Path) -> None:
    draft = directory / "postgresql.partial"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    assert embedded.start(directory).ready()


def test_another_major_version_is_refused_untouched(directory: Path) -> None:
    server = embedded.start(directory)
    server.stop()
    version = server.cluster / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(Refused, match="made by PostgreSQL 17 and this release carries 18"):
        embedded.start(directory)
    version.write_text("18\n")


def test_an_unusable_setting_is_refused_with_its_reason(directory: Path) -> None:
    with pytest.raises(Refused, match=r"did not start: configuration file .* contains errors"):
        embedded.start(directory, settings={"shared_buffers": "'many'"})


def test_the_last_to_release_stops_it(directory: Path) -> None:
    server = embedded.start(directory)
    code = (
        f"import pathlib; from palier.site import embedded; d = pathlib.Path({str(directory)!r});"
        "embedded.start(d); print(embedded.release(d))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "False"
    assert server.ready()
    assert embedded.release(directory) is True
    assert server.pid() is None
    assert embedded.release(directory) is False


def test_a_long_path_has_its_socket_elsewhere(directory: Path) -> None:
    long = directory / ("d" * 90)
    place = embedded.socket_directory(long)
    assert place != long / "run"
    assert len(str(place / ".s.PGSQL.5432")) < 100
    try:
        assert embedded.start(long).ready()
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    finally:
        embedded.Server(long).stop()
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="the copy is made for root only")
def test_programs_in_a_closed_folder_are_copied_not_opened(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_open_to_all", lambda program: False)
    server = embedded.start(directory)
    assert str(directory / "programs") in psutil.Process(server.pid()).exe()


def test_a_flipped_byte_is_found_not_served(directory: Path) -> None:
    """Data checksums are really on."""
    server = embedded.start(directory)
    with psycopg.connect(server.dsn("postgres")) as connection:
        connection.execute(
            "create table t as select n, repeat('x', 100) as pad from generate_series(1, 1000) n"
        )
        row = connection.execute("select pg_relation_filepath('t')").fetchone()
        assert row is not None
    server.stop()
    with (server.cluster / str(row[0])).open("r+b") as file:
        file.seek(8192 + 4000)
        byte = file.read(1)
        file.seek(8192 + 4000)
        file.write(bytes([byte[0] ^ 0x40]))
    embedded.start(directory)
    with psycopg.connect(server.dsn("postgres")) as connection, pytest.raises(psycopg.errors.DataCorrupted):
        connection.execute("select count(*) from t where pad <> ''")
