"""Many replies at once, for benchmarks.page: asked for as the pages do, through bare sockets that cost little."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from benchmarks.page_servers import Served, parse


@dataclass(frozen=True)
class Many:
    """What came of replies at once.

    Attributes:
        slowest, mean: tokens per second of a reply, as a share of its rate, from the question to its last token.
        cores: of the server, all it does included.
    """

    slowest: float
    mean: float
    cores: float
    seconds: float


class Answer:
    """The answer to a request, to be read behind its head. Streams of asyncio close when nobody keeps the writer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int | None) -> None:
        self._reader = reader
        self._writer = writer
        self._length = length

    async def json(self) -> dict[str, object]:
        found = await (self._reader.read() if self._length is None else self._reader.readexactly(self._length))
        self._writer.close()
        answer: dict[str, object] = json.loads(found)
        return answer

    async def until(self, mark: bytes) -> None:
        """Read a stream of events up to a mark."""
        rest = b""
        while data := await self._reader.read(65536):
            if mark in rest + data:
                self._writer.close()
                return
            rest = data[-len(mark) :]
        raise RuntimeError(f"the stream ended without {mark.decode()}")


async def request(url: str, method: str, path: str, body: object = None) -> Answer:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**24)
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b" 20" in answer[:14], answer.partition(b"\r\n")[0]
    length = next((int(line[15:]) for line in answer.split(b"\r\n") if line.startswith(b"content-length:")), None)
    return Answer(reader, writer, length)


async def ask(url: str, path: str, body: object) -> dict[str, object]:
    return await (await request(url, "POST", path, body)).json()


async def falconry_reply(url: str, run: str) -> float:
    """Seconds from the question until the page has the whole reply."""
    conversation = await ask(url, "/api/conversations", {})
    path = f"/view/conversations/{conversation['id']}/events"
    events = await request(url, "GET", path)
    begun = monotonic()
    body = {"content": run, "parent_id": None, "model": run, "params": {"max_tokens": 9999}}
    await ask(url, f"/api/conversations/{conversation['id']}/replies", body)
    await events.until(b"event: status")
    return monotonic() - begun


async def gradio_reply(url: str, run: str, calls: tuple[int, int]) -> float:
    """The same of ChatInterface, by the requests that its page sends; those with the history are left out."""
    clear, submit = calls
    session = secrets.token_hex(5)
    begun = monotonic()
    await ask(url, "/gradio_api/run/predict", {"data": [run], "fn_index": clear, "session_hash": session})
    body = {"data": [None, None], "event_data": None, "fn_index": submit, "session_hash": session}
    await ask(url, "/gradio_api/queue/join", body)
    events = await request(url, "GET", f"/gradio_api/queue/data?session_hash={session}")
    await events.until(b'"msg":"process_completed"')
    return monotonic() - begun


async def gradio_calls(url: str) -> tuple[int, int]:
    """The numbers of ChatInterface's events for what was typed and for the reply to it."""
    config = await (await request(url, "GET", "/config")).json()
    events: Any = config["dependencies"]
    by_name = {event["api_name"]: int(event["id"]) for event in events}
    return by_name["_clear_and_save_textbox"], by_name["_submit_fn"]


async def many(server: Served, run: str, count: int) -> Many:
    """So many replies at once.."""
    tokens, rate = parse(run)
    gradio = server.kind == "gradio"
    calls = await gradio_calls(server.url) if gradio else (0, 0)

    async def reply(run: str) -> float:
        return await (gradio_reply(server.url, run, calls) if gradio else falconry_reply(server.url, run))

    await reply("100@50")  # the first one loads what all need
    before, begun = server.cpu_seconds(), monotonic()
    replies = [
        gradio_reply(server.url, run, calls) if gradio else falconry_reply(server.url, run) for _ in range(count)
    ]
    times = await asyncio.gather(*replies)
    seconds = monotonic() - begun
    shares = [tokens / time / rate for time in times]
    return Many(min(shares), sum(shares) / count, (server.cpu_seconds() - before) / seconds, seconds)
