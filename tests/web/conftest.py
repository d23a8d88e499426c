"""A published program, seen through a browser's eyes."""

from tests.api.conftest import member, own_clock, shop

__all__ = ["member", "own_clock", "shop"]
