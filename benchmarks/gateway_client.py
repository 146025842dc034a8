"""A client that costs as little as it can: one protocol object per connection, bytes searched and not parsed.

It must not be the bottleneck of benchmarks.gateway: Python's HTTP clients need more time for a token than what is
measured there.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

TOKEN = b" tok"
"""What every token of the paced upstream begins with."""
_CONTENT = re.compile(rb'"content":\s*"[^"]')
_COUNT = re.compile(rb'"completion_tokens":\s*(\d+)')
OK = b"HTTP/1.1 200"
_TAIL = 4096
SECONDS = 60


@dataclass(frozen=True)
class Stream:
    """One streamed reply.

    Attributes:
        first: seconds until the first text.
        last: seconds until the last byte.
        tokens: by the server's own count, 0 where it gave none.
        marks: how often TOKEN was in the text.
        body: all bytes, where they were kept.
        whole: status 200, and [DONE] exactly once.
    """

    first: float
    last: float
    tokens: int
    marks: int
    body: bytes
    whole: bool


class Connection(asyncio.Protocol):
    """One connection that is used again and again, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[Stream] | None = None
        self._keep = False
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._done is not None and not self._done.done():
            self._finish()

    async def ask(self, request: bytes, *, keep: bool = False) -> Stream:
        """Send a request and wait for the end of its answer."""
        assert self._transport is not None
        self._done = asyncio.get_running_loop().create_future()
        self._first, self._marks, self._keep = 0.0, 0, keep
        self._head, self._tail, self._parts = b"", b"", list[bytes]()
        self._begun = perf_counter()
        self._transport.write(request)
        try:
            return await asyncio.wait_for(self._done, SECONDS)
        except TimeoutError:
            raise TimeoutError(f"no end after {SECONDS} s: {self._head[:300]!r} … {self._tail[-300:]!r}") from None

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        if self._done is None or self._done.done():
            return
        if not self._first:
            self._head += data
            if _CONTENT.search(self._head):
                self._first = now - self._begun
        self._marks += (self._tail[-len(TOKEN) + 1 :] + data).count(TOKEN)
        self._tail = (self._tail + data)[-_TAIL:]
        if self._keep:
            self._parts.append(data)
        if self._tail.endswith(b"\r\n0\r\n\r\n") or not self._head.startswith(OK[: len(self._head)]):
            self._finish()

    def _finish(self) -> None:
        assert self._done is not None
        counts = _COUNT.findall(self._tail)
        body = b"".join(self._parts)
        ok = self._head.startswith(OK) and self._tail.count(b"data: [DONE]") == 1
        took = perf_counter() - self._begun
        tokens = int(counts[-1]) if counts else 0
        self._done.set_result(Stream(self._first, took, tokens, self._marks, body, ok))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(url: str) -> Connection:
    parts = urlsplit(url)
    made: Callable[[], Connection] = Connection
    assert parts.hostname is not None
    assert parts.port is not None
    _, connection = await asyncio.get_running_loop().create_connection(made, parts.hostname, parts.port)
    return connection


def chat_request(url: str, model: str, text: str, **options: object) -> bytes:
    """The bytes of a streamed chat completion that tells its usage."""
    body = json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            **options,
        }
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Bearer x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def text_of(stream: Stream) -> str:
    """The text of a stream whose bytes were kept: the chunks of HTTP and the frames taken off."""
    _, _, rest = stream.body.partition(b"\r\n\r\n")
    plain = bytearray()
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        plain += rest[:length]
        rest = rest[length + 2 :]
    text = ""
    for line in plain.decode().split("\n"):
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
    return text
