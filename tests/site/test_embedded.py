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


@pytest.mark.parametrize("name", ["postgresql/postmaster.pid", "run/.s.PGSQL.5432.lock"])
def test_a_pid_file_that_names_another_program_does_not_stop_it(directory: Path, name: str) -> None:
    """After a restart of a container the old number is another program, of the same user; PostgreSQL alone would
    refuse. So it would while a killed postmaster has no parent that waits for it."""
    server = embedded.start(directory)
    pid_file = directory / name
    content = pid_file.read_text().split("\n", 1)
    server.stop()
    other = subprocess.Popen(["sleep", "60"], **embedded._as_user(embedded._run_user()))
    try:
        pid_file.write_text(f"{other.pid}\n{content[1]}")
        assert server.pid() is None
        assert embedded.start(directory).ready()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("left", ["", "\n", "\0\0\0\0", "garbage\n", "99999999999999999999\n"])
def test_a_pid_file_that_a_power_cut_left_unreadable_does_not_stop_it(directory: Path, left: str) -> None:
    server = embedded.start(directory)
    server.stop()
    (server.cluster / "postmaster.pid").write_text(left)
    assert embedded.start(directory).ready()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_disk_too_small_for_a_cluster_is_named_as_that(directory: Path) -> None:
    disk = directory / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m,mode=711", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with pytest.raises(Refused, match=r"could not make its cluster in .*: .*No space left on device\.$"):
            embedded.start(disk / "data")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


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


@pytest.mark.parametrize("name", ["l'été, a\\b\nc\"", os.fsdecode(b"\xe9t\xe9")])
def test_a_path_that_settings_or_addresses_would_misread(directory: Path, name: str) -> None:
    odd = directory / name
    place = embedded.socket_directory(odd)
    try:
        server = embedded.start(odd)
        with psycopg.connect(server.dsn(os.environ["PALIER_DATABASE_NAME"], "palier_app")) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        embedded.release(odd)
        embedded.Server(odd).stop()
        shutil.rmtree(place, ignore_errors=True)


def test_accents_and_spaces_keep_the_socket_inside() -> None:
    assert embedded.socket_directory(Path("/srv/données à part")) == Path("/srv/données à part/run")


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is taken on")
def test_who_runs_it_is_asked_of_the_system_not_of_variables(directory: Path) -> None:
    """`setpriv` and many containers leave USER as it was."""
    name = pwd.getpwnam("nobody").pw_name
    own = directory / "nobody"
    own.mkdir()
    os.chown(own, pwd.getpwnam(name).pw_uid, -1)
    code = (
        f"import os, pathlib; from palier.site import embedded; os.setuid({pwd.getpwnam(name).pw_uid});"
        f"d = pathlib.Path({str(own)!r}); print(embedded.start(d).ready()); embedded.release(d)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "USER": "root", "LOGNAME": "root", "PALIER_DATA_DIR": str(own)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "True", result.stderr


def test_a_user_without_a_name_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.os, "geteuid", lambda: 54321)
    with pytest.raises(Refused, match=r"user id 54321 has none .* PALIER_DATABASE_URL"):
        embedded._run_user()


@pytest.mark.parametrize(("number", "when"), [(signal.SIGINT, "spawned"), (signal.SIGTERM, "ready")])
def test_a_command_that_is_ended_leaves_no_server(directory: Path, number: signal.Signals, when: str) -> None:
    code = (
        "import sys, os, time; from palier.site import embedded\n"
        "def told(kept):\n"
        "    def call(*arguments, **options):\n"
        "        found = kept(*arguments, **options)\n"
        "        print('now', flush=True); time.sleep(30); return found\n"
        "    return call\n"
        f"name = {'_spawn' if when == 'spawned' else 'bootstrap'!r}\n"
        "setattr(embedded, name, told(getattr(embedded, name)))\n"
        "sys.argv = ['palier', 'programs']; from palier.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PALIER_DATA_DIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    time.sleep(0.5)
    assert embedded.Server(directory).pid() is None


def test_a_connection_error_is_told_by_its_first_line() -> None:
    error = psycopg.OperationalError(
        'connection to server on socket "/x" failed: No such file\n\tIs the server running locally?'
    )
    assert embedded.reason(error) == 'connection to server on socket "/x" failed: No such file'
    several = psycopg.OperationalError(
        "Multiple connection attempts failed. All failures were:\n- host: 'a': one\n- host: 'b': two"
    )
    assert embedded.reason(several) == "host: 'a': one; host: 'b': two"


def test_a_new_database_of_ones_own_is_asked_prepared_and_refused(directory: Path) -> None:
    """An own server plays one that has no role of the platform yet, as `docs/operations.md` begins with one."""
    server = embedded.start(directory)
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as maker:
        for role in embedded.ROLES:
            maker.execute(f"alter role {role} rename to former_{role}")
        maker.execute("create database shop template template0")
        maker.execute(
            "create database latin template template0 encoding 'LATIN1' locale_provider libc locale 'C'"
        )

    def run(base: str, *arguments: str) -> tuple[int, str]:
        address = f"postgresql://postgres@/{base}?host={embedded.socket_directory(directory)}"
        result = subprocess.run(
            [sys.executable, "-m", "palier", *arguments],
            env={**os.environ, "PALIER_DATABASE_URL": address, "PALIER_ACCEPT_DATA_LOSS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.returncode, result.stdout + result.stderr

    assert run("shop", "programs") == (2, "The database is not prepared yet; run `palier migrate`.\n")
    code, said = run("shop", "migrate", "--check")
    assert code == 1
    assert "ledger.0001" in said
    code, said = run("latin", "migrate")
    assert code == 2
    assert "encoding is LATIN1 and must be UTF8" in said
    with psycopg.connect(server.dsn("latin")) as connection:
        assert connection.execute("select count(*) from pg_class where relname = 'member'").fetchone() == (0,)
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as maker:
        roles = maker.execute("select count(*) from pg_roles where rolname = 'palier_app'").fetchone()
        assert roles == (0,)
    assert run("shop", "migrate")[0] == 0
    assert run("shop", "migrate", "--check") == (0, "Nothing to migrate.\n")
    assert "There is no program yet" in run("shop", "programs")[1]
