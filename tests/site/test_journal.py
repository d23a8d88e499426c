"""Files of whole lines: what a crash left of one is taken away, and nobody else may write them."""

import os
import stat
from pathlib import Path

import pytest

from palier.site import journal


@pytest.mark.parametrize(
    ("left", "mended"),
    [
        (b"", b""),
        (b'{"n": 1}\n', b'{"n": 1}\n'),
        (b'{"n": 1}\n{"n": ', b'{"n": 1}\n'),
        (b'{"n": 1}\n{"name": "caf\xc3', b'{"n": 1}\n'),
        (b'{"n"', b""),
        (b'{"n": 1}\n{"n": 2}', b'{"n": 1}\n{"n": 2}\n'),
    ],
)
def test_a_line_that_was_cut_off_is_taken_away(tmp_path: Path, left: bytes, mended: bytes) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(left)
    journal.mend(path)
    assert path.read_bytes() == mended
    journal.append(path, [b'{"n": 3}'])
    assert path.read_bytes() == mended + b'{"n": 3}\n'


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    journal.mend(tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_nobody_else_may_write_it_under_any_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0)
    try:
        journal.append(tmp_path / "lines.jsonl", [b"{}"], mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "lines.jsonl").stat().st_mode) == mode
