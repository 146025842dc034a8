"""HTTP to a process of our own on a Unix socket (or loopback): one request per connection, read in few wake-ups.

A library that reads every event when it comes costs 0.4 s of CPU per 1000 tokens, most of it for waking up and for
parsing in Python; this reader rests between reads and takes what has gathered (docs/design.md has the numbers). It
knows what llama-server sends, HTTP/1.1 with a length or in chunks, and must not be pointed at anything else.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

_READ_SIZE = 256 * 1024
_MAX_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Address:
    """Where the process listens: `host` is the path of a Unix socket, or an address with `port` and `key`."""

    host: str
    port: int = 0
    key: str = ""


class BrokenStream(ConnectionError):
    """The other side went away before its answer was complete."""


class Response:
    """The answer to one request; its body can be read once, inside the context of `request`.

    Attributes:
        pause: seconds between two reads of the body, to be set by whoever reads it, also in between.
    """

    def __init__(self, status: int, connection: socket.socket, body: _Body, rest: bytes) -> None:
        self.status = status
        self.pause = 0.0
        self._connection = connection
        self._body = body
        self._rest = rest

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Raises BrokenStream, OSError."""
        loop = asyncio.get_running_loop()
        data = self._rest
        while True:
            if block := self._body.feed(data):
                yield block
                if self.pause:
                    await asyncio.sleep(self.pause)
            if self._body.complete:
                return
            # Tries at once and only then waits: after the rest, what has come is taken without another wake-up.
            data = await loop.sock_recv(self._connection, _READ_SIZE)
            if not data:
                raise BrokenStream("the answer broke off")

    async def read(self) -> bytes:
        """The whole body. Raises BrokenStream, OSError."""
        return b"".join([block async for block in self.blocks()])

    async def json(self) -> Any:
        """The whole body, parsed. Raises BrokenStream, OSError, ValueError."""
        return json.loads(await self.read())


@asynccontextmanager
async def request(address: Address, method: str, path: str, body: object = None) -> AsyncGenerator[Response, None]:
    """Send a request and wait for the head of the answer. Leaving the context hangs up.

    Raises OSError when nobody listens, BrokenStream when the other side goes away.
    """
    loop = asyncio.get_running_loop()
    unix = address.host.endswith(".sock")
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, address.host if unix else (address.host, address.port))
        await loop.sock_sendall(connection, _encode(address, method, path, body))
        head, rest = await _read_head(connection)
        lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        chunked = "chunked" in fields.get("transfer-encoding", "")
        body_length = None if chunked else int(fields.get("content-length", 0))
        yield Response(int(lines[0].split()[1]), connection, _Body(body_length), rest)


def _encode(address: Address, method: str, path: str, body: object) -> bytes:
    # Lone surrogates have no UTF-8: they become question marks instead of an error.
    content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {len(content)}"]
    if content:
        lines.append("Content-Type: application/json")
    if address.key:
        lines.append(f"Authorization: Bearer {address.key}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + content


async def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    loop = asyncio.get_running_loop()
    data = b""
    while b"\r\n\r\n" not in data:
        more = await loop.sock_recv(connection, _READ_SIZE)
        if not more or len(data) > _MAX_HEAD:
            raise BrokenStream("no answer")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


class _Body:
    """Takes the framing off a body: `length` bytes, or chunks where that is None (RFC 9112, section 7.1)."""

    def __init__(self, length: int | None) -> None:
        self._left = length
        self._data = b""
        self.complete = length == 0

    def feed(self, data: bytes) -> bytes:
        if self._left is not None:
            self._left -= len(data)
            self.complete = self._left <= 0
            return data
        self._data += data
        at, parts = 0, []
        while (end := self._data.find(b"\r\n", at)) >= 0:
            size = int(self._data[at:end].partition(b";")[0], 16)
            if size == 0:
                self.complete = True
                break
            start, stop = end + 2, end + 2 + size
            if len(self._data) < stop + 2:
                break
            parts.append(self._data[start:stop])
            at = stop + 2
        self._data = self._data[at:]
        return b"".join(parts)
