"""A shop whose program is published, with a key that may do everything."""

from collections.abc import Callable

import pytest

from palier.site import clock
from tests.api.shop import Shop


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that a test moved ahead does not stand still for the next one."""
    monkeypatch.setattr(clock, "_latest", 0)


@pytest.fixture
def shop(scene: Callable[[Callable[[], Shop]], Shop]) -> Shop:
    """A program "club", its key, and nothing else."""
    return scene(Shop)


@pytest.fixture
def member(shop: Shop) -> str:
    """A member of the club, by reference."""
    return shop.enrol()
