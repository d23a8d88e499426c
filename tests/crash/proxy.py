"""A man in the middle between the platform and PostgreSQL, that cuts connections at chosen instants.

It listens on a Unix socket, speaks just enough of PostgreSQL's protocol to know which statement goes by (each
of the platform's statements bears its name in a comment), and can cut a connection before a COMMIT reaches
the server, after the server has committed but before the answer is passed on, or at any named statement.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

COMMIT: Final = "COMMIT"
CUT_BEFORE: Final = "before"
CUT_AFTER: Final = "after"

Watch = Callable[[str], str | None]
"""Told each statement's name ("COMMIT" for a commit); answers None, CUT_BEFORE or CUT_AFTER."""

_NAME = re.compile(rb"--\s*([a-z_]+\.[a-z_]+)")
_COMMIT = re.compile(rb"^\s*(--[^\n]*\n\s*)?commit\s*\0", re.IGNORECASE)
_ENDED: Final = (b"COMMIT\0", b"ROLLBACK\0")
"""What the server says when a transaction has ended."""
_PLAIN_HEAD: Final = 4
_TYPED_HEAD: Final = 5


class _Cut(Exception):
    pass


class Proxy:
    """Passes connections made to the socket in `directory` on to the server's own socket."""

    def __init__(self, directory: Path, server: Path, watch: Watch) -> None:
        self.directory = directory
        self._server = server / ".s.PGSQL.5432"
        self._watch = watch
        self._stopping = False
        path = directory / ".s.PGSQL.5432"
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            try:
                upstream.connect(str(self._server))
            except OSError:
                client.close()
                continue
            _Connection(client, upstream, self._watch).start()


class _Connection:
    """One connection: a thread each way. `_cut_at` holds what the server says last, once an end is wanted."""

    def __init__(self, client: socket.socket, upstream: socket.socket, watch: Watch) -> None:
        self._client = client
        self._upstream = upstream
        self._watch = watch
        self._prepared: dict[bytes, str] = {}
        self._cut_at: tuple[bytes, ...] = ()

    def start(self) -> None:
        threading.Thread(target=self._forward, daemon=True).start()
        threading.Thread(target=self._back, daemon=True).start()

    def close(self) -> None:
        for side in (self._client, self._upstream):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def _back(self) -> None:
        try:
            while data := self._upstream.recv(65536):
                if any(word in data for word in self._cut_at):
                    # What the server answers to the chosen statement is its last word, and nobody hears it.
                    break
                self._client.sendall(data)
        except OSError:
            pass
        finally:
            self.close()

    def _forward(self) -> None:
        try:
            self._start_up()
            while True:
                head = self._read(_TYPED_HEAD)
                body = self._read(int.from_bytes(head[1:], "big") - 4)
                name = self._look(head[:1], body)
                wanted = self._watch(name) if name else None
                if wanted == CUT_BEFORE:
                    raise _Cut
                if wanted == CUT_AFTER:
                    # A commit may be sent along with statements before it, whose answers come first.
                    self._cut_at = _ENDED if name == COMMIT else (b"",)
                self._upstream.sendall(head + body)
        except (OSError, _Cut):
            self.close()

    def _start_up(self) -> None:
        """The first message has no type; requests for encryption are answered "no" by the server itself."""
        while True:
            head = self._read(_PLAIN_HEAD)
            body = self._read(int.from_bytes(head, "big") - 4)
            self._upstream.sendall(head + body)
            code = int.from_bytes(body[:4], "big")
            if code not in (80877103, 80877104):
                return

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._client.recv(count - len(data))
            if not part:
                raise _Cut
            data += part
        return data

    def _look(self, kind: bytes, body: bytes) -> str:
        """The name of the statement that this message runs; "" for any other message."""
        name = ""
        if kind == b"Q":
            name = _named(body)
        elif kind == b"P":
            statement, _, rest = body.partition(b"\0")
            name = self._prepared[statement] = _named(rest)
            if statement:
                return ""
        elif kind == b"B":
            _, _, rest = body.partition(b"\0")
            statement = rest.partition(b"\0")[0]
            if not statement:
                return ""
            name = self._prepared.get(statement, "")
        return name


def _named(statement: bytes) -> str:
    if _COMMIT.search(statement):
        return COMMIT
    found = _NAME.search(statement)
    return found.group(1).decode() if found else ""
