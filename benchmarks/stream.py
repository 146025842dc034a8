"""What a streamed token costs the server, in a conversation of 2 messages and of 1,000.

A Falconry of its own, pages included, talks to an endpoint in this process that sends a token at a time, and one
watcher reads the page's own event stream. Figures are CPU seconds of the server's process (user and system, from
/proc) per 1000 tokens; what it uses when nothing happens is measured before and taken off.

    python -m benchmarks.stream [--tokens 2000] [--rates 50 200 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from falconry.messages import SamplingParams, StoredMessage
from falconry.storage.conversations import Conversations, new_id
from falconry.storage.database import Database
from tests.process import Falconry

TEXT = "The quick falcon looks **down** over the wide savanna.\n\nThen it dives: `300` km/h. "
WORDS = [word + " " for word in TEXT.split(" ")]


def endpoint() -> Starlette:
    """An OpenAI-compatible endpoint; its model's name says how many tokens to send and at what rate."""

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 8192}]})

    async def chat(request: Request) -> StreamingResponse:
        tokens, rate = (float(part) for part in (await request.json())["model"].split("@"))

        async def stream() -> AsyncIterator[bytes]:
            begun = monotonic()
            for n in range(int(tokens)):
                await asyncio.sleep(max(0.0, begun + n / rate - monotonic()))
                yield chunk({"delta": {"content": WORDS[n % len(WORDS)]}, "finish_reason": None})
            yield chunk({"delta": {}, "finish_reason": "stop"})
            yield b"data: [DONE]\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    return Starlette(routes=[Route("/v1/models", models), Route("/v1/chat/completions", chat, methods=["POST"])])


def chunk(choice: dict[str, object]) -> bytes:
    body = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, **choice}],
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def cpu_seconds(pid: int) -> float:
    """User and system time of one process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def fill(data_dir: Path, messages: int) -> str:
    """Write a conversation of so many messages; gives its id."""
    async with await Database.open(f"sqlite:///{data_dir / 'falconry.db'}", data_dir / "running") as database:
        store = Conversations(database)
        conversation = await store.create(f"{messages} messages")
        head: str | None = None
        for n in range(messages // 2):
            draft = StoredMessage(
                new_id(), conversation.id, None, "assistant", "", datetime.now(UTC), "running", params=SamplingParams()
            )
            _, reply = await store.append_turn(conversation.id, head, f"Question {n}, in a few words?", draft)
            text = f"Answer {n} with **some** markdown and a list:\n\n- one\n- two\n"
            await store.finish_reply(replace(reply, content=text, status="complete"))
            head = reply.id
        return conversation.id


async def measure(falconry: Falconry, conversation_id: str, tokens: int, rate: float) -> tuple[float, float, float]:
    """CPU seconds per 1000 tokens and tokens per second of one reply, and the idle load taken off (of a core)."""
    pid = falconry.process.pid
    async with httpx.AsyncClient(base_url=falconry.url, timeout=60, trust_env=False) as client:
        conversation = (await client.get(f"/api/conversations/{conversation_id}")).json()
        watching = asyncio.create_task(watch(client, conversation_id))
        await asyncio.sleep(2)
        before, begun = cpu_seconds(pid), monotonic()
        await asyncio.sleep(4)
        idle = (cpu_seconds(pid) - before) / (monotonic() - begun)
        before, begun = cpu_seconds(pid), monotonic()
        body = {
            "content": "Go.",
            "parent_id": conversation["head_id"],
            "model": f"{tokens}@{rate}",
            "params": {"max_tokens": 4096},
        }
        answer = await client.post(f"/api/conversations/{conversation_id}/replies", json=body)
        reply_id = answer.raise_for_status().json()["reply"]["id"]
        while (await client.get(f"/api/replies/{reply_id}")).json()["status"] == "running":
            await asyncio.sleep(1.0)
        seconds = monotonic() - begun
        used = cpu_seconds(pid) - before - idle * seconds
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        return used / tokens * 1000, tokens / seconds, idle


async def watch(client: httpx.AsyncClient, conversation_id: str) -> None:
    """Read what the page reads."""
    async with client.stream("GET", f"/view/conversations/{conversation_id}/events") as stream:
        async for _ in stream.aiter_bytes():
            pass


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--rates", type=float, nargs="+", default=[50, 200, 1000])
    options = parser.parse_args()
    server = uvicorn.Server(uvicorn.Config(endpoint(), port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        conversations = {count: await fill(data_dir, count) for count in (2, 1000)}
        names = [f"{options.tokens}@{rate}" for rate in options.rates]
        endpoints = [{"name": name, "url": f"http://127.0.0.1:{port}/v1", "model": name} for name in names]
        falconry = await asyncio.to_thread(Falconry, data_dir, pages=True, endpoints=json.dumps(endpoints))
        with falconry:
            print(f"{'messages':>8}{'tokens/s':>10}{'CPU s per 1000 tokens':>24}{'idle':>8}")
            for rate in options.rates:
                for count, conversation_id in conversations.items():
                    used, speed, idle = await measure(falconry, conversation_id, options.tokens, rate)
                    print(f"{count:8}{speed:10.0f}{used:24.3f}{idle:8.1%}")
            await asyncio.to_thread(falconry.stop)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main())
