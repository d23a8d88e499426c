"""A published program with members, for what is written about it."""

from tests.api.conftest import own_clock, shop

__all__ = ["own_clock", "shop"]
