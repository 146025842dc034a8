"""The socket we listen on: loopback only, and on a port that is certain before anything slow begins."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from falconry.cli.configure import origin, problem
from falconry.cli.terminal import Terminal
from falconry.settings import Settings

TRIES = 50  # ports after the default one that are tried before any free one is taken


def open_listener(settings: Settings, terminal: Terminal, *, flags: dict[str, object] | None = None) -> socket.socket:
    """Bind and listen. When nobody chose the port and it is taken, take the next free one.

    Raises InvalidRequest: the address is not loopback, is unknown, or the chosen port is taken or not allowed.
    """
    family, address = loopback_address(settings, terminal, flags=flags)
    if "port" in settings.model_fields_set:
        try:
            return _listen(family, address, settings.port)
        except OSError as error:
            raise _refusal(error, settings, terminal) from error
    for port in (*range(settings.port, min(settings.port + TRIES, 65536)), 0):
        try:
            return _listen(family, address, port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise _refusal(error, settings, terminal) from error
    raise problem(terminal, "port_taken", port=settings.port)


def loopback_address(
    settings: Settings, terminal: Terminal, *, flags: dict[str, object] | None = None
) -> tuple[socket.AddressFamily, str]:
    """The one address to bind. Whatever the name resolves to is checked and bound, so that no name can mean two things.

    Raises InvalidRequest for everything that other machines could reach: there are no logins yet.
    """
    host = settings.host.strip().removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)  # noqa: S104  # "" means that
    except (OSError, UnicodeError) as error:
        raise problem(terminal, "unknown_host", host=settings.host, origin=origin("host", terminal, flags)) from error
    addresses = [(family, str(address[0])) for family, _, _, _, address in found]
    if not all(_is_loopback(address) for _, address in addresses):
        raise problem(terminal, "not_loopback", host=settings.host, origin=origin("host", terminal, flags))
    return min(addresses, key=lambda entry: entry[0] != socket.AF_INET)


def address_of(listener: socket.socket) -> str:
    """The URL under which a listener is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Listen at once, not only bind: two that have bound the same port find out only when they listen."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port is free again at once
        listener.bind((address, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _refusal(error: OSError, settings: Settings, terminal: Terminal) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return problem(terminal, "port_taken", port=settings.port)
    if error.errno == errno.EACCES:
        return problem(terminal, "port_forbidden", port=settings.port)
    return problem(terminal, "cannot_listen", host=settings.host, port=settings.port, reason=error.strerror or "")
