"""The programs' routes, one for each protocol, and raw sockets at them: what must hold, must hold for all of them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Verdict: TypeAlias = Literal["finished", "failed", "broken"]


@dataclass(frozen=True, slots=True)
class Door:
    """A route that generates, whole and as a stream.

    Attributes:
        model: the name of the body's field for it; None where the protocol names none.
    """

    name: str
    path: str
    ask: Callable[[str, int], Json]
    names_model: bool = True

    def body(self, prompt: str, tokens: int, *, stream: bool, model: str | None = None) -> Json:
        named = {"model": model} if model is not None and self.names_model else {}
        return {**self.ask(prompt, tokens), **named, "stream": stream}


def _messages(prompt: str, tokens: int) -> Json:
    return {"messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, "temperature": 0}


def _text(prompt: str, tokens: int) -> Json:
    return {"prompt": prompt, "max_tokens": tokens, "temperature": 0}


def _response(prompt: str, tokens: int) -> Json:
    return {"input": prompt, "max_output_tokens": max(tokens, 16), "temperature": 0}


def _inputs(prompt: str, tokens: int) -> Json:
    return {"inputs": prompt, "parameters": {"max_new_tokens": tokens}}


DOORS = (
    Door("chat", "/v1/chat/completions", _messages),
    Door("completions", "/v1/completions", _text),
    Door("responses", "/v1/responses", _response),
    Door("messages", "/v1/messages", _messages),
    Door("tgi", "/", _inputs, names_model=False),
)
WAYS = [(door, stream) for door in DOORS for stream in (False, True)]


def verdict(stream: str) -> Verdict:
    """How a client sees the end of a stream: by the last event of its protocol, by an error, or not at all."""
    frames = [json.loads(data) for line in stream.splitlines() if (data := line.removeprefix("data: ")).startswith("{")]
    if any(_is_failure(frame) for frame in frames):
        return "failed"
    return "finished" if any(_is_end(frame) for frame in frames) else "broken"


def _is_failure(frame: Json) -> bool:
    return bool(frame.get("error")) or frame.get("type") in ("error", "response.failed")


def _is_end(frame: Json) -> bool:
    return (
        any(choice["finish_reason"] for choice in frame.get("choices", []))
        or frame.get("type") in ("message_stop", "response.completed", "response.incomplete")
        or frame.get("generated_text") is not None
    )


def assert_told(status: int, text: str) -> None:
    """It is an error that the client sees as one, and no reply that looks finished."""
    if status == 200:
        assert verdict(text) == "failed", text[-500:]
    else:
        assert status in (424, 500, 502, 503, 529), (status, text)  # 424 and 500 are TGI's words, 529 is Anthropic's
        assert "error" in text


class Caller:
    """One request on a connection of its own, read byte by byte, and hung up whenever it pleases."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:] if line)

    async def rest(self) -> bytes:
        """Everything until the other side hangs up, or the end of a chunked body."""
        data = b""
        while not data.endswith(b"\r\n0\r\n\r\n") and (more := await self.reader.read(65536)):
            data += more
        return data

    def hang_up(self) -> None:
        """At once, as a process that is killed does."""
        self._writer.transport.abort()


def request_bytes(path: str, body: Mapping[str, Any], **headers: str) -> bytes:
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


@asynccontextmanager
async def calling(
    url: str, path: str, body: Mapping[str, Any], *, receive_buffer: int | None = None, **headers: str
) -> AsyncGenerator[Caller, None]:
    """A request that was sent. `receive_buffer`: bytes that the kernel takes for somebody who does not read."""
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, address(url))
    reader, writer = await asyncio.open_connection(sock=connection, limit=2**20)
    caller = Caller(reader, writer)
    try:
        writer.write(request_bytes(path, body, **headers))
        yield caller
    finally:
        caller.hang_up()
