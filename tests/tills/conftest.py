"""A published program, and a till in it."""

import pytest

from tests.api.conftest import member, own_clock, shop
from tests.api.shop import Shop
from tests.tills.counter import Counter

__all__ = ["member", "own_clock", "shop"]


@pytest.fixture
def till(shop: Shop) -> Counter:
    """An enrolled device at which somebody works."""
    return Counter(shop)
