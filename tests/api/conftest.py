"""A shop whose program is published, with a key that may do everything."""

from collections.abc import Iterator

import pytest

from palier.api import limits
from palier.site import clock
from palier.staff import queries, session, throttle
from tests.api.shop import Shop


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that a test moved ahead does not stand still for the next one."""
    monkeypatch.setattr(clock, "_latest", 0)


@pytest.fixture
def shop(database: str) -> Iterator[Shop]:
    """A program "club", its key, and nothing else."""
    queries.forget_keys()
    session.close()
    limits._buckets.clear()
    throttle._seen.clear()
    yield Shop()
    session.close()


@pytest.fixture
def member(shop: Shop) -> str:
    """A member of the club, by reference."""
    return shop.enrol()
