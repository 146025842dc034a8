"""Addresses that a download may lead to: public ones. The name is looked up once, and that address is connected to.

Whoever asks for a model only names it; where its bytes come from, a server says by its redirects. Without this check
such a server could have us ask whatever listens in our own network, a cloud's metadata for instance.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from falconry.models import download_errors as errors

_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
# Of one network each, whatever the standard library of a Python says: RFC 3879, RFC 8215, RFC 4291 (::a.b.c.d).
_LOCAL = tuple(map(ip_network, ("fec0::/10", "64:ff9b:1::/48", "::/96")))


async def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises DownloadFailed where one of them is not public, or there is none."""
    addresses = await look_up(host, port)
    if not all(map(is_public, addresses)):
        raise errors.address_refused(host)
    return addresses


async def look_up(host: str, port: int) -> list[str]:
    """All addresses of a host, the preferred one first. Raises TemporaryFailure where there is none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
    except (OSError, UnicodeError) as error:
        raise errors.unreachable(host, getattr(error, "strerror", None) or "its name is unknown") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet, and not to this machine, its network or a cloud's inside."""
    parsed = ip_address(address.partition("%")[0])
    if any(parsed in network for network in _LOCAL):
        return False
    inner = _inner(parsed) if isinstance(parsed, IPv6Address) else None
    return all(one.is_global and not one.is_multicast for one in (parsed, inner) if one is not None)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is packed into one of IPv6."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
