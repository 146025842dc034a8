"""A small HTTP server over real sockets, whose handlers decide about every byte."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class Connection:
    """One answer. `gone` is set when the client hangs up."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.gone = asyncio.Event()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are, and wait until they are on their way."""
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Status", f"content-type: {kind}", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def json(self, value: object, status: int = 200, **headers: str) -> None:
        await self.head(status, "application/json", **headers)
        await self.send(json.dumps(value).encode())

    def reset(self) -> None:
        """Hang up with a TCP reset."""
        self._writer.transport.abort()


Handler: TypeAlias = Callable[[Request, Connection], Awaitable[None]]


@dataclass
class Server:
    url: str
    requests: list[Request] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    def bodies(self, path: str) -> list[Any]:
        return [request.body for request in self.requests if request.path == path]


@asynccontextmanager
async def serve(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve one request per connection on a free port of the loopback."""
    tasks: set[asyncio.Task[None]] = set()
    served = Server("")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        connection = Connection(writer)
        watcher: asyncio.Task[None] | None = None
        try:
            request = await _read(reader)
            served.requests.append(request)
            served.connections.append(connection)
            watcher = asyncio.create_task(_watch(reader, connection))
            await handler(request, connection)
        except (ConnectionError, asyncio.IncompleteReadError):
            connection.gone.set()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            if watcher is not None:
                watcher.cancel()
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()[:2]
    served.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        async with server:
            yield served
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _read(reader: asyncio.StreamReader) -> Request:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = lines[0].split(" ")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(raw) if raw else None)


async def _watch(reader: asyncio.StreamReader, connection: Connection) -> None:
    with suppress(ConnectionError):
        await reader.read()
    connection.gone.set()
