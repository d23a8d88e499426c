"""`palier serve`: one process that keeps database, web and worker alive, and ends them in order."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

import psycopg
import structlog

from palier.engine.sentences import sentence
from palier.site import database, embedded
from palier.site.environment import ensure_directory, environment, secret
from palier.site.parent import SUPERVISED
from palier.site.refusal import Refused

log = structlog.get_logger("palier.serve")

DRAIN_S: Final = 20.0
_POLL_S: Final = 0.1
_SHORTEST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 15.0
# A process that lived this long had started well: the next failure is a new one.
_SETTLED_S: Final = 20.0
_TRIES_TO_START: Final = 3


@dataclass(slots=True)
class Child:
    """One kept process: started again after a pause that doubles while it keeps failing."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches the supervisor alone, which then ends its children in order.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "palier", *self.arguments],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, SUPERVISED: "yes"},
        )
        self.started_at = time.monotonic()

    def keep(self) -> None:
        """Start it when it is not there and its pause is over."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                if self.failures and now - self.started_at > _SETTLED_S:
                    self.failures = 0
                return
            self.kill()
            self.process = None
            self.failures += 1
            pause_s = _pause_s(self.failures)
            self.due_at = now + pause_s
            log.warning("ended", process=self.name, code=code, again_in_s=pause_s)
        if now >= self.due_at:
            self.start()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it and all it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass(slots=True)
class Supervisor:
    """Keeps the platform's processes. `run` returns when it was told to stop and everything has ended."""

    host: str
    port: int
    on_ready: Callable[[str], None] = lambda address: None
    children: list[Child] = field(default_factory=list)
    _signals: int = 0
    _database_failures: int = 0
    _database_due_at: float = 0.0

    def run(self) -> None:
        """Start all, keep all, stop all. Refuses a taken port, a second supervisor, an unsafe database."""
        with contextlib.ExitStack() as held:
            held.enter_context(_only_supervisor(environment().directory))
            refuse_taken_port(self.host, self.port)
            # One that is weak or cannot be read is said now rather than at the first request that needs it.
            secret("key")
            secret("identity")
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                # What was started with `nohup` outlives its terminal.
                if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._on_signal)
            try:
                self._start_database()
                self.children = [
                    Child("web", ["web", "--host", self.host, "--port", str(self.port)]),
                    Child("worker", ["worker"]),
                ]
                self._keep()
            finally:
                self._stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _start_database(self) -> None:
        if database.is_embedded():
            embedded.ensure_running()
        _migrate()
        for setting in database.refuse_unsafe():
            log.warning("unsafe setting accepted", setting=setting)

    def _keep(self) -> None:
        web = self.children[0]
        ready = False
        while not self._signals:
            self._keep_database()
            for child in self.children:
                child.keep()
            if not ready and web.alive and _answers(self.host, self.port):
                ready = True
                self.on_ready(f"http://{_in_address(self.host)}:{self.port}")
            if not ready and web.failures >= _TRIES_TO_START:
                raise Refused(
                    sentence(
                        "The web process ended %(failures)s times while starting; its reason is above.",
                        failures=web.failures,
                    )
                )
            time.sleep(_POLL_S)

    def _keep_database(self) -> None:
        """Start the embedded server again when it is gone; connections find it at the same socket."""
        if not database.is_embedded() or time.monotonic() < self._database_due_at:
            return
        server = embedded.Server(environment().directory)
        if server.pid() is not None:
            self._database_failures = 0
            return
        log.warning("ended", process="database")
        try:
            embedded.start()
            log.info("restarted", process="database", pid=server.pid())
        except (Refused, psycopg.Error, OSError) as error:
            self._database_failures += 1
            pause_s = _pause_s(self._database_failures)
            self._database_due_at = time.monotonic() + pause_s
            log.error("database not restarted", reason=str(error), again_in_s=pause_s)

    def _stop(self) -> None:
        """Children first, with time to finish; then what is left of them; the database last."""
        for child in self.children:
            child.signal(signal.SIGTERM)
        asked = self._signals
        until = time.monotonic() + DRAIN_S
        # A second signal means now.
        while (
            any(child.alive for child in self.children)
            and time.monotonic() < until
            and self._signals <= asked
        ):
            time.sleep(0.05)
        for child in self.children:
            child.kill()
        if database.is_embedded() and not embedded.release():
            log.info("the database stays up for other processes")


def _migrate() -> None:
    """Bring the tables up to date, in a process that ends: the supervisor itself stays small."""
    if not database.is_embedded():
        # Someone else's database is changed when its operator says so.
        result = subprocess.run([sys.executable, "-m", "palier", "migrate", "--check"], check=False)
        if result.returncode:
            raise Refused(
                sentence("The database lacks migrations; run `palier migrate`, then `palier serve` again.")
            )
        database.hold_to_secret(note=True)
        return
    result = subprocess.run(
        [sys.executable, "-m", "palier", "migrate"], stdout=subprocess.DEVNULL, check=False
    )
    if result.returncode:
        raise Refused(sentence("The database could not be migrated; its reason is above."))


@contextlib.contextmanager
def _only_supervisor(directory: Path) -> Iterator[None]:
    ensure_directory(directory, 0o711 if os.geteuid() == 0 else 0o700)
    with embedded.open_lock(directory / "supervisor.lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = file.read().strip() or "unknown"
            raise Refused(
                sentence(
                    "Another `palier serve` (process %(other)s) runs on %(directory)s; stop that one first.",
                    other=other,
                    directory=directory,
                )
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


def refuse_taken_port(host: str, port: int) -> None:
    """Refuse an address that cannot be served now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise Refused(
            sentence(
                "Port %(port)s of %(host)s cannot be served (%(why)s); choose another with --port.",
                port=port,
                host=host,
                why=error,
            )
        ) from None


def _answers(host: str, port: int) -> bool:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    try:
        with socket.create_connection((reachable, port), timeout=0.2):
            return True
    except OSError:
        return False


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _pause_s(failures: int) -> float:
    return min(_SHORTEST_PAUSE_S * float(2 ** min(failures - 1, 16)), _LONGEST_PAUSE_S)
