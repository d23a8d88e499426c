"""A published program, seen through a browser's eyes."""

import time

import pytest

from palier.site import ids
from tests.api.conftest import member, own_clock, shop

__all__ = ["any_year", "member", "own_clock", "shop"]


@pytest.fixture(params=[7, 9])
def any_year(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Identifiers as they are made seven years after their beginning, and nine: a digit longer."""
    monkeypatch.setattr(ids, "_ticks", 0)
    monkeypatch.setattr(ids, "EPOCH_MS", time.time_ns() // 1_000_000 - request.param * 365 * 86_400_000)
    assert len(str(ids.new_id())) == (18 if request.param == 7 else 19)
