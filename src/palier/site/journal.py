"""Files outside the database to which whole lines are added and nothing else: exported heads, receipts of erasures."""

import json
import os
from collections.abc import Iterable
from pathlib import Path


def mend(path: Path) -> None:
    """Take away what a crash or a full disk left of a last line, or end that line where it is whole.

    The next line would be added to it, and the file be unreadable from there on.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    whole = content.rfind(b"\n") + 1
    if whole == len(content):
        return
    try:
        json.loads(content[whole:])
    except ValueError:
        os.truncate(path, whole)
    else:
        append(path, [b""])


def append(path: Path, lines: Iterable[bytes], *, mode: int = 0o600) -> None:
    """Add lines and force them to disk. `mode` is that of a file made here, whatever the umask would allow beyond."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "ab") as file:
        file.writelines(line + b"\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
