"""The socket we listen on: beyond loopback only with users, and on a port that is certain before all that is slow."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys

from falconry.cli.configure import origin, problem
from falconry.cli.terminal import Terminal
from falconry.settings import Settings

UNSENT = 32 * 2**10
"""Bytes of an answer that wait in the kernel, beside those that are on their way."""
ABANDONED = 60
"""Seconds after which a connection ends whose reader takes nothing of what was sent."""
TRIES = 50  # ports after the default one that are tried before any free one is taken


def open_listener(settings: Settings, terminal: Terminal, *, flags: dict[str, object] | None = None) -> socket.socket:
    """Bind and listen. When nobody chose the port and it is taken, take the next free one.

    Raises InvalidRequest: the address is unknown, or reaches beyond this machine while there are no users, or the
    chosen port is taken or not allowed. StorageError where nobody can say whether there are users.
    """
    family, address = chosen_address(settings, terminal, flags=flags)
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


def chosen_address(
    settings: Settings, terminal: Terminal, *, flags: dict[str, object] | None = None
) -> tuple[socket.AddressFamily, str]:
    """The one address to bind. Whatever the name resolves to is checked and bound, so that no name can mean two things.

    Raises InvalidRequest for everything that other machines could reach, through a tunnel as well, while nobody has to
    log in.
    """
    try:
        addresses = _addresses(settings.host)
    except (OSError, UnicodeError) as error:
        raise problem(terminal, "unknown_host", host=settings.host, origin=origin("host", terminal, flags)) from error
    if settings.share:
        require_users(settings, terminal, "share_without_users", origin=origin("share", terminal, flags))
    if not all(_is_loopback(address) for _, address in addresses):
        require_users(settings, terminal, "not_loopback", host=settings.host, origin=origin("host", terminal, flags))
    return min(addresses, key=lambda entry: entry[0] != socket.AF_INET)


def address_of(listener: socket.socket) -> str:
    """The URL under which a listener is reached; of one on all addresses, by the address that other machines see."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = _outward_address()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _outward_address() -> str:
    """This machine's address on the way to others; its loopback address where there is no way. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # reserved for documentation; connecting a datagram socket only looks
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def require_users(settings: Settings, terminal: Terminal, name: str, /, **details: str) -> None:
    """Refuse with `cli.<name>` what would let others in, while there is no user who would have to log in."""
    from falconry.storage.check import count_users  # 0.3 s of imports that a loopback address does not need

    if count_users(settings.url).all == 0:
        raise problem(terminal, name, **details)


def reaches_only_here(host: str) -> bool:
    """Whether nobody but this machine can reach an address; one that nobody knows, nobody reaches."""
    try:
        return all(_is_loopback(address) for _, address in _addresses(host))
    except (OSError, UnicodeError):
        return True


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    plain = host.strip().removeprefix("[").removesuffix("]")
    found = socket.getaddrinfo(plain or "0.0.0.0", None, type=socket.SOCK_STREAM)  # noqa: S104  # "" means that
    return [(family, str(address[0])) for family, _, _, _, address in found]


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Listen at once, not only bind: two that have bound the same port find out only when they listen."""
    # The protocol is named because asyncio sends small pieces at once (TCP_NODELAY) only where it reads TCP here:
    # without it every answer on a kept connection waited 40 ms for the other side's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port is free again at once
        _bound_what_nobody_reads(listener)
        listener.bind((address, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _bound_what_nobody_reads(listener: socket.socket) -> None:
    """Options that every connection inherits, where the system has them; throughput stays what it is.

    Without the first, the kernel takes 4 MiB for a reader that does not read, and so long a reply is generated for
    nobody. Without the second, a connection that we closed stays for as long as its reader leaves the rest unread.
    """
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, ABANDONED * 1000)


def _refusal(error: OSError, settings: Settings, terminal: Terminal) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return problem(terminal, "port_taken", port=settings.port)
    if error.errno == errno.EACCES:
        return problem(terminal, "port_forbidden", port=settings.port)
    return problem(terminal, "cannot_listen", host=settings.host, port=settings.port, reason=error.strerror or "")
