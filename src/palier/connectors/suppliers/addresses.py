"""Which addresses a call may go to: none inside the own network, unless a setting allows them.

A name is resolved once, every address it has is checked, and the call goes to one of these very addresses: a name
that answers something else the second time gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

from palier.site.environment import Network

Address: TypeAlias = IPv4Address | IPv6Address

_NAT64: Final = ip_network("64:ff9b::/96")
_SPECIAL: Final = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "2001::/23")))
"""Networks of the registries of special addresses that some versions of Python call global."""
_REMEDY: Final = "name its network in PALIER_PRIVATE_NETWORKS if it is yours"


class NotAllowed(Exception):
    """A name that does not resolve, or an address where calls may not go; the text says which and why."""


def innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 address only wraps (mapped, 6to4, Teredo, NAT64), else itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address.teredo is not None:
            return address.teredo[1]
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_own(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether the address is inside one of the networks that the setting allows."""
    plain = innermost(address)
    return any(plain in network for network in allowed if network.version == plain.version)


def check(text: str, allowed: Sequence[Network] = ()) -> Address:
    """The address, where calls may go to it; raises NotAllowed where they may not."""
    address = ip_address(text.partition("%")[0])
    plain = innermost(address)
    if is_own(address, allowed):
        return address
    special = any(plain in network for network in _SPECIAL if network.version == plain.version)
    if special or not plain.is_global or plain.is_multicast or plain.is_reserved:
        raise NotAllowed(f"{text} is an address inside a private network; {_REMEDY}")
    return address


def resolve(host: str, port: int, allowed: Sequence[Network] = ()) -> list[Address]:
    """The addresses of a host, all of them allowed; raises NotAllowed where one is not, or none is found."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        told = getattr(error, "strerror", None) or "no such name"
        raise NotAllowed(f"{host} is not found ({told})") from None
    return [check(str(entry[4][0]), allowed) for entry in found]
