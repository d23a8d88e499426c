"""A published program, its members, and what is known of them."""

from tests.api.conftest import member, own_clock, shop

__all__ = ["member", "own_clock", "shop"]
