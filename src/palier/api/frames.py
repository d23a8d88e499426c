"""What web processes and writers tell each other over a private socket: frames of MessagePack."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
import psutil

from palier.site import embedded
from palier.site.environment import environment
from palier.staff.queries import Key

WRITERS: Final = 2
"""Processes that write: while one waits for the database the other decides."""
PLACE: Final = "PALIER_INTAKE_SOCKETS"
"""Tells web processes where the writers are; set by the process that keeps both."""
_LENGTH: Final = 4

encode: Final = msgspec.msgpack.Encoder().encode


class Sent(msgspec.Struct, array_like=True):
    """A request on its way to a writer: its number with this web process, whose it is, and its body unread."""

    number: int
    key: Key
    dry_run: bool
    body: bytes


class Answered(msgspec.Struct, array_like=True, frozen=True):
    """What a request came to: an HTTP status, after how many seconds to come again (0: no need), a body."""

    number: int
    status: int
    retry_s: int
    body: bytes


read_sent: Final = msgspec.msgpack.Decoder(list[Sent]).decode
read_answered: Final = msgspec.msgpack.Decoder(list[Answered]).decode


def frame(items: list[Sent] | list[Answered]) -> bytes:
    """Items as one frame: its length, then what it holds."""
    content = encode(items)
    return len(content).to_bytes(_LENGTH, "big") + content


def problem(status: int, code: str, detail: str, **more: str) -> bytes:
    """A problem document (RFC 9457)."""
    content = {
        "type": f"urn:palier:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **{name: value for name, value in more.items() if value},
    }
    return msgspec.json.encode(content)


A_BODY: Final = "send one activity, or an array of them, as JSON in UTF-8"
"""What to do about a body that is neither."""
UNKNOWN_OUTCOME: Final = problem(
    503, "try_again", "The outcome is not known; send the same activities again, with the same ids."
)


class Frames:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def take(self, more: bytes) -> Iterator[bytes]:
        """The frames that these bytes complete, without their lengths."""
        self._bytes += more
        start = 0
        while len(self._bytes) - start >= _LENGTH:
            end = start + _LENGTH + int.from_bytes(self._bytes[start : start + _LENGTH], "big")
            if end > len(self._bytes):
                break
            yield bytes(self._bytes[start + _LENGTH : end])
            start = end
        del self._bytes[:start]


def address(number: int) -> str:
    """The socket of the writer of this number."""
    return f"{os.environ.get(PLACE, '')}.{number}"


def listen() -> list[socket.socket]:
    """The sockets of this process's writers, listening, for the process that keeps them.

    They stand in a folder that nobody else may enter; what processes that are gone left there is removed.
    """
    beside = embedded.socket_directory(environment().directory.expanduser().absolute())
    folder = embedded.private_directory(beside.with_name(f"{beside.name}-intake"))
    for old in folder.iterdir():
        if not old.stem.isdigit() or not psutil.pid_exists(int(old.stem)):
            old.unlink(missing_ok=True)
    os.environ[PLACE] = str(folder / str(os.getpid()))
    listeners = []
    for number in range(WRITERS):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        Path(address(number)).unlink(missing_ok=True)
        listener.bind(address(number))
        listener.listen(64)
        listeners.append(listener)
    return listeners
