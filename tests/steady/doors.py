"""The programs' routes, one for each protocol, and raw sockets at them: what must hold, must hold for all of them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Verdict: TypeAlias = Literal["finished", "failed", "broken"]


@dataclass(frozen=True, slots=True)
class Door:
    """A route that generates, whole and as a stream.

    Attributes:
        ask: the body for a prompt and so many tokens.
        shape: what makes the reply one of JSON, this text in quotes.
        names_model: a request may choose its model.
    """

    name: str
    path: str
    ask: Callable[[str, int], Json]
    shape: Callable[[str], Json]
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


def _format(text: str) -> Json:
    schema = {"name": "m", "schema": {"enum": [text]}}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _text_format(text: str) -> Json:
    return {"text": {"format": {"type": "json_schema", "name": "m", "schema": {"enum": [text]}}}}


def _output_config(text: str) -> Json:
    return {"output_config": {"format": {"type": "json_schema", "schema": {"enum": [text]}}}}


def _grammar(text: str) -> Json:
    return {"parameters": {"max_new_tokens": 64, "grammar": {"type": "regex", "value": f'"{text}"'}}}


DOORS = (
    Door("chat", "/v1/chat/completions", _messages, _format),
    Door("completions", "/v1/completions", _text, _format),
    Door("responses", "/v1/responses", _response, _text_format),
    Door("messages", "/v1/messages", _messages, _output_config),
    Door("tgi", "/", _inputs, _grammar, names_model=False),
)
WAYS = [(door, stream) for door in DOORS for stream in (False, True)]


def frames_of(stream: str) -> list[Json]:
    """The data of a stream's events; a last one that is cut off is left out."""
    frames: list[Json] = []
    for line in stream.splitlines():
        if line.startswith("data: {"):
            with suppress(ValueError):
                frames.append(json.loads(line.removeprefix("data: ")))
    return frames


def text_of(stream: str) -> str:
    """The text that a stream has shown so far, in whichever protocol."""
    return "".join(_piece(frame) for frame in frames_of(stream))


def _piece(frame: Json) -> str:
    if "token" in frame:
        return "" if frame["token"]["special"] else str(frame["token"]["text"])
    if frame.get("type") == "response.output_text.delta":
        return str(frame["delta"])
    if frame.get("type") == "content_block_delta":
        return str(frame["delta"].get("text", ""))
    return "".join(each.get("text") or each.get("delta", {}).get("content") or "" for each in frame.get("choices", []))


def verdict(stream: str) -> Verdict:
    """How a client sees the end of a stream: by the last event of its protocol, by an error, or not at all."""
    frames = frames_of(stream)
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
