"""Faults that the crash tests must catch: each is a small change to a copy of the platform.

A test of durability that never failed proves little. Each fault here is one that a reader of the code could
make, and a run of kills or cuts over the changed copy must not come out clean.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import palier

Change = tuple[str, str, str]
"""(file, text, text in its place); the text occurs exactly once."""

REPLY_BEFORE_COMMIT: Final[tuple[Change, ...]] = (
    (
        "activities/batch.py",
        "            answer = operation()\n            end()\n",
        "            answer = operation()\n"
        "            import sys\n"
        '            if "palier.api.writers" not in sys.modules:\n'
        "                end()\n",
    ),
    (
        "activities/writing.py",
        "                connection.execute(store.COMMIT)\n",
        "                import sys\n"
        '                if "palier.api.writers" not in sys.modules:\n'
        "                    connection.execute(store.COMMIT)\n",
    ),
    (
        "api/writers.py",
        "                _deliver(requests, self._answers(requests))\n",
        "                _deliver(requests, self._answers(requests))\n"
        "                time.sleep(0.05)\n"
        "                try:\n"
        "                    if self._connection is not None and not self._connection.closed:\n"
        "                        self._connection.commit()\n"
        "                except psycopg.Error:\n"
        "                    self._forget_connection()\n",
    ),
)

NO_UNIQUE_CLAIM: Final[tuple[Change, ...]] = (
    (
        "activities/store.py",
        "order by x, s\non conflict (external_id, source, program_id) do nothing\n",
        "order by x, s\n",
    ),
)

CLAIM_APART: Final[tuple[Change, ...]] = (
    (
        "activities/batch.py",
        "        if won.rowcount < len(rows):\n",
        "        self.connection.commit()\n        if won.rowcount < len(rows):\n",
    ),
)

EFFECT_BEFORE_CLAIM_IS_SETTLED: Final[tuple[Change, ...]] = (
    (
        "activities/batch.py",
        "    def _settle_claims(self) -> None:\n",
        "    def _settle_claims(self) -> None:\n        self.connection.commit()\n"
        "        self._settle_claims_apart()\n\n"
        "    def _settle_claims_apart(self) -> None:\n",
    ),
)


@contextlib.contextmanager
def copy(changes: tuple[Change, ...]) -> Iterator[Path]:
    """A folder with a copy of the platform, changed."""
    assert palier.__file__ is not None
    folder = Path(tempfile.mkdtemp(prefix="palier-plant-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(palier.__file__).parent, folder / "palier", ignore=ignored)
        for name, text, instead in changes:
            path = folder / "palier" / name
            content = path.read_text()
            assert content.count(text) == 1, f"{name} has {content.count(text)} times: {text}"
            path.write_text(content.replace(text, instead))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
