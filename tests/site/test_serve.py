"""`palier serve`: everything up on one port, back after a kill of any part, nothing left after its end."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from palier.site import embedded

pytestmark = pytest.mark.slow
PATIENCE_S = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, f"not within {patience_s} s: {what}"
        time.sleep(0.05)


@dataclass
class Served:
    """A running `palier serve` and how to look at it."""

    directory: Path
    port: int
    process: subprocess.Popen[str]

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def healthy(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/health")[0] == 200
        return False

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, word: str) -> psutil.Process | None:
        for process in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if word in process.cmdline()[3:4]:
                    return process
        return None


def start(directory: Path, port: int) -> Served:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PALIER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "palier", "serve", "--port", str(port)],
        env={**environment, "PALIER_DATA_DIR": str(directory), "PALIER_SHARED_BUFFERS_MB": "64"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Served(directory, port, process)


def using(directory: Path) -> list[psutil.Process]:
    """Every process of the platform that belongs to `directory`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if str(directory) in " ".join(process.cmdline()) or (
                process.environ().get("PALIER_DATA_DIR") == str(directory)
            ):
                found.append(process)
    return found


@pytest.fixture
def directory() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="palier-serve-", dir="/var/tmp"))
    made.chmod(0o711)
    yield made
    for process in using(made):
        if "serve" in process.cmdline():
            process.terminate()
    embedded.Server(made).stop()
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """An installation whose database is made and migrated, and stopped again."""
    made = Path(tempfile.mkdtemp(prefix="palier-serve-", dir="/var/tmp"))
    made.chmod(0o711)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PALIER_")}
    subprocess.run(
        [sys.executable, "-m", "palier", "migrate"],
        env={**environment, "PALIER_DATA_DIR": str(made), "PALIER_SHARED_BUFFERS_MB": "64"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert embedded.Server(made).pid() is None
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def served(prepared: Path, directory: Path) -> Iterator[Served]:
    """Served on an installation that was there before; its owners and modes are copied too."""
    subprocess.run(["cp", "-a", f"{prepared}/.", str(directory)], check=True)
    with serving(directory) as running:
        yield running


@pytest.fixture
def served_first(directory: Path) -> Iterator[Served]:
    """Served where nothing was."""
    with serving(directory) as running:
        yield running


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[Served]:
    running = start(directory, free_port())
    wait_for("the first answer", running.healthy)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
    running.process.communicate(timeout=PATIENCE_S)


def test_one_port_answers_and_a_stop_leaves_nothing(served_first: Served) -> None:
    served = served_first
    status, body = served.get("/health")
    assert status == 200
    assert json.loads(body)["unsafe_settings"] == []
    # Nothing is there yet: the front page leads to the first set-up.
    assert served.get("/")[0] == 302
    status, body = served.get("/console/sign-in")
    assert status == 200
    assert b"Palier" in body
    assert served.get("/nowhere")[0] == 404
    said = served.process.stdout
    assert said is not None
    # The supervisor says so at its own pace, maybe after the first answers.
    assert any("Palier serves on http://127.0.0.1" in line for line in iter(said.readline, ""))
    served.process.send_signal(signal.SIGTERM)
    out = served.process.communicate(timeout=PATIENCE_S)[0]
    assert served.process.returncode == 0
    assert "Traceback" not in out
    assert using(served.directory) == []


def test_what_is_killed_comes_back(served: Served) -> None:
    server = embedded.Server(served.directory)
    for name in ("database", "web worker 0", "web worker 1", "web worker 2", "web", "worker"):
        if name == "database":
            old = server.pid()
        elif name.startswith("web worker"):
            # One serves, two write.
            web = served.child("web")
            assert web is not None
            wait_for("all of them", lambda web=web: len(web.children()) >= 3)
            old = web.children()[int(name[-1])].pid
        else:
            child = served.child(name)
            assert child is not None
            old = child.pid
        assert old is not None
        os.kill(old, signal.SIGKILL)
        began = time.monotonic()
        wait_for(
            f"{name} gone",
            lambda old=old: not psutil.pid_exists(old) or psutil.Process(old).status() == "zombie",
        )
        wait_for(f"{name} back", lambda: served.healthy() and served.child("worker") and served.child("web"))
        assert time.monotonic() - began < 60, name
    assert server.ready()


def test_health_is_told_while_the_database_hangs(served: Served) -> None:
    """Also where every thread of the pages waits for it."""
    pid = embedded.Server(served.directory).pid()
    assert pid is not None
    server = psutil.Process(pid)
    frozen = [server, *server.children(recursive=True)]
    callers = [socket.create_connection(("127.0.0.1", served.port), timeout=20) for _ in range(60)]
    for process in frozen:
        process.suspend()
    try:
        for caller in callers:
            caller.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        began = time.monotonic()
        status, body = served.get("/health")
        assert time.monotonic() - began < 5
    finally:
        for process in frozen:
            process.resume()
        for caller in callers:
            caller.close()
    assert (status, json.loads(body)["database"]) == (503, "unreachable")
    wait_for("the database again", served.healthy)


def test_a_second_supervisor_and_a_taken_port_are_refused(served: Served) -> None:
    second = start(served.directory, free_port())
    out = second.process.communicate(timeout=PATIENCE_S)[0]
    assert second.process.returncode == 2
    assert out.startswith(f"Another `palier serve` (process {served.process.pid}) runs on {served.directory}")
    assert len(out.strip().splitlines()) == 1

    other = Path(tempfile.mkdtemp(prefix="palier-serve-", dir="/var/tmp"))
    try:
        third = start(other, served.port)
        out = third.process.communicate(timeout=PATIENCE_S)[0]
        assert third.process.returncode == 2
        assert out.startswith(f"Port {served.port} of 127.0.0.1 cannot be served")
        assert not (other / "postgresql").exists()
    finally:
        shutil.rmtree(other, ignore_errors=True)
    assert served.healthy()


def test_a_killed_supervisor_takes_everything_along_and_can_start_again(served: Served) -> None:
    """Web and worker end with it; the worker, last to hold the database, stops it."""
    served.process.kill()
    served.process.wait()
    wait_for("nothing left", lambda: not using(served.directory))
    again = start(served.directory, served.port)
    wait_for("the first answer", again.healthy)
    again.process.terminate()
    again.process.communicate(timeout=PATIENCE_S)
    assert using(served.directory) == []


def test_a_request_under_way_is_answered_before_the_end(served: Served) -> None:
    """The head is sent, the stop begins, the body follows: the answer comes all the same."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.3)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(b"{}")
        assert connection.recv(4096).startswith(b"HTTP/1.1 ")
    served.process.communicate(timeout=PATIENCE_S)
    assert served.process.returncode == 0


def test_what_nohup_ignores_stays_ignored(directory: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from palier.site.supervisor import Supervisor\n"
        "def told(self):\n"
        "    print(signal.getsignal(signal.SIGHUP).name, signal.getsignal(signal.SIGTERM).__name__)\n"
        "    1 / 0\n"
        "Supervisor._start_database = told\n"
        f"Supervisor('127.0.0.1', {free_port()}).run()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PALIER_DATA_DIR": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.splitlines()[0] == "SIG_IGN _on_signal", result.stderr
