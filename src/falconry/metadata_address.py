"""Where clouds tell a machine its own secrets: no model server, so a URL that leads there is an attack or a slip."""

from __future__ import annotations

import socket
import unicodedata
from ipaddress import ip_address, ip_network

_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data"})
_NETWORKS = tuple(map(ip_network, ("169.254.0.0/16", "fe80::a9fe:a9fe/128", "fd00:ec2::254/128", "100.100.100.200/32")))


def is_metadata_address(host: str) -> bool:
    """Whether a host, as a name or an address in any spelling, is a cloud's metadata service or link-local (IPv4)."""
    # ①⑥⑨.254.169.254 is an address as well, once it was made a name of the internet's (UTS 46 begins with NFKC).
    name = unicodedata.normalize("NFKC", host).strip("[]").partition("%")[0].rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        try:  # 2852039166, 0xa9fea9fe and 169.254.43518 are all understood by the C library
            address = ip_address(socket.inet_aton(name))
        except (OSError, UnicodeError):
            return name in _NAMES
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in _NETWORKS)
