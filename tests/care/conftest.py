"""A published program, and its members."""

from tests.api.conftest import member, own_clock, shop

__all__ = ["member", "own_clock", "shop"]
