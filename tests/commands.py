"""The `palier` command as a person runs it: each call is a process of its own that loads all of Palier.

Only the libraries are loaded already. A process that stands by for all calls of a worker has imported them (nothing of
Palier, and Django is not set up), and forks for each call: what a command imports, opens and leaves is its own, and it
spares the two seconds that a new interpreter would load the same libraries for. Where the interpreter itself is the
subject, tests start one (tests/site/test_cli.py).
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final

LIBRARIES: Final = (
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.ciphers.aead",
    "django.contrib.auth.hashers",
    "django.contrib.sessions.backends.base",
    "django.core.management",
    "django.core.validators",
    "django.db.backends.postgresql.base",
    "django.db.models",
    "django.forms",
    "django.http",
    "django.template",
    "django.urls",
    "fido2.server",
    "msgspec",
    "psutil",
    "psycopg_pool",
    "pydantic_settings",
    "rich.progress",
    "rich.table",
    "schwifty",
    "structlog",
    "typer",
    "yaml",
)
"""What most commands load. Nothing that starts threads when it is imported: they would not be there after a fork."""

PATIENCE_S: Final = 120.0


def palier(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `palier WORDS`, with further variables in its environment; its exit code and what it said."""
    global _standby
    if _standby is None:
        _standby = _Standby()
    return _standby.run([str(word) for word in words], {**os.environ, **variables})


def said(*words: str | Path) -> tuple[int, str, str]:
    """Runs `palier WORDS`: exit code, standard output, standard error."""
    done = palier(*words)
    return done.returncode, done.stdout, done.stderr


class _Standby:
    """This side of the process that stands by."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__)), str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self._line.settimeout(PATIENCE_S)
        atexit.register(self._end)

    def run(self, words: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        asked = {"words": words, "environment": dict(environment), "folder": os.getcwd()}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
            with tempfile.TemporaryFile() as told:
                told.write(json.dumps(asked).encode())
                told.seek(0)
                socket.send_fds(self._line, [b"run"], [out.fileno(), error.fileno(), told.fileno()])
            pid = int(self._line.recv(64))
            try:
                code = int(self._line.recv(64))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self._line.recv(64)
                raise AssertionError(f"palier {words} was not done within {PATIENCE_S} s") from None
            return subprocess.CompletedProcess(words, code, _text(out), _text(error))

    def _end(self) -> None:
        self._line.close()
        self._process.wait(10)


_standby: _Standby | None = None


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


# --- the process that stands by ---------------------------------------------------------------------------


def _stand_by(line: socket.socket) -> dict[str, Any] | None:
    """Forks for each call until the line is closed: None then, and what to run in the child of a call."""
    for name in LIBRARIES:
        import_module(name)
    while True:
        word, files, _, _ = socket.recv_fds(line, 16, 3)
        if not word:
            return None
        child = os.fork()
        if not child:
            line.close()
            for file, place in zip(files, (1, 2), strict=False):
                os.dup2(file, place)
            with os.fdopen(files[2], "rb") as told:
                found: dict[str, Any] = json.load(told)
            for file in files[:2]:
                os.close(file)
            return found
        for file in files:
            os.close(file)
        line.send(str(child).encode())
        line.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


if __name__ == "__main__":
    del sys.path[0]  # this folder: no library is in it
    asked = _stand_by(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        sys.path.insert(0, asked["folder"])
        sys.argv[1:] = asked["words"]
        runpy.run_module("palier", run_name="__main__", alter_sys=True)
