"""Putting a bank file on the disk: whole or not at all, for one user, never over another one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from palier.payouts.operations import Written
from palier.payouts.refusals import PayoutRefusal, PayoutRefused


def keep(folder: Path, made: Written) -> Path:
    """Writes the file into a folder; its path. Call after the commit: until then the file does not exist.

    A file of this name with the same bytes is left as it is. Refused where there is another of this name.
    """
    path = folder / made.name
    if path.exists():
        if path.read_bytes() != made.content:
            raise PayoutRefused(
                PayoutRefusal.FILE_REFUSED,
                f"{path} is another file of this name",
                remedy="move it away, and find out whose it is",
            )
        return path
    draft = folder / f".{made.name}.{secrets.token_hex(4)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(made.content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path
