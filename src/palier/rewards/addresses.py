"""Addresses that orders are sent to: encrypted, kept apart from the order, and gone with the member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.rewards.order_store import Order
from palier.site.ciphers import decrypted, encrypted

PURPOSE: Final = "addresses of orders"

INSERT: Final = """
-- orders.keep_address
insert into order_address (member_id, order_id, program_id, sealed)
values (%(member)s, %(order)s, %(program)s, %(sealed)s)
"""

READ: Final = """
-- orders.address
select order_id, sealed from order_address where member_id = %(member)s and order_id = any(%(orders)s)
"""

THERE: Final = """
-- orders.address_there
select 1 from order_address where member_id = %(member)s and order_id = %(order)s
"""

ERASE: Final = """
-- orders.erase_addresses
delete from order_address where member_id = %(member)s and program_id = %(program)s
"""


class Address(Struct, frozen=True, omit_defaults=True):
    """Where something is sent. `country` is an ISO 3166 code of two capitals."""

    name: str
    lines: tuple[str, ...]
    postcode: str
    city: str
    country: str
    phone: str = ""


_decode = msgspec.json.Decoder(Address).decode


def _place(member_id: int, order_id: int) -> bytes:
    return f"{member_id}.{order_id}".encode()


def keep(connection: Connection[Any], order: Order, address: Address) -> None:
    """Stores the address of an order, encrypted. Does not commit."""
    sealed = encrypted(PURPOSE, msgspec.json.encode(address), _place(order.member_id, order.order_id))
    connection.execute(
        INSERT,
        {
            "member": order.member_id,
            "order": order.order_id,
            "program": order.program_id,
            "sealed": sealed,
        },
    )


def read(connection: Connection[Any], member_id: int, order_id: int) -> Address | None:
    """Where an order is sent; None where it has no address, or the member was erased."""
    return read_all(connection, member_id, [order_id]).get(order_id)


def read_all(connection: Connection[Any], member_id: int, order_ids: Sequence[int]) -> dict[int, Address]:
    """Where orders of a member are sent, by order; without those that have no address."""
    return {
        order_id: _decode(decrypted(PURPOSE, bytes(sealed), _place(member_id, order_id)))
        for order_id, sealed in connection.execute(READ, {"member": member_id, "orders": list(order_ids)})
    }


def there(connection: Connection[Any], order: Order) -> bool:
    """Whether an order has an address, without reading it."""
    return (
        connection.execute(THERE, {"member": order.member_id, "order": order.order_id}).fetchone() is not None
    )


def erase(connection: Connection[Any], program_id: int, member_id: int) -> int:
    """Forgets where anything was sent to a member; how many addresses. Does not commit."""
    return connection.execute(ERASE, {"member": member_id, "program": program_id}).rowcount
