"""What the tests of the programs' routes share: servers around chosen engines, and streams read to their end."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.services import Services
from tests.conftest import LiveServer, serve

HELLO = [{"role": "user", "content": "hello"}]


@asynccontextmanager
async def serving(
    services: Services, engines: Mapping[str, Callable[[], Engine]], *, queue: int = 256
) -> AsyncGenerator[LiveServer, None]:
    """A server whose models are these engines, the first one by default."""
    specs = {name: ModelSpec(name, name, "canned", make) for name, make in engines.items()}
    pool = EnginePool(specs, next(iter(specs)), loaded_models=1, queue=queue)
    try:
        async with serve(replace(services, pool=pool)) as server:
            yield server
    finally:
        await pool.aclose()


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that was read: its lines that are no events, and the data of its events, [DONE] left out."""

    comments: list[str]
    data: list[Any]
    done: bool

    def text(self, index: int = 0) -> str:
        choices = [choice for choice in self.choices() if choice["index"] == index]
        return "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices)

    def choices(self) -> list[Any]:
        return [choice for data in self.data for choice in data.get("choices", [])]


async def stream(server: LiveServer, path: str, **body: Any) -> Stream:
    """Ask for a stream and read it."""
    comments: list[str] = []
    data: list[Any] = []
    done = False
    async with server.client.stream("POST", path, json={"stream": True, **body}) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            assert not done or not line
            if line == "data: [DONE]":
                done = True
            elif line.startswith("data: "):
                data.append(json.loads(line.removeprefix("data: ")))
            elif line:
                comments.append(line)
    return Stream(comments, data, done)


async def post(server: LiveServer, path: str, **body: Any) -> httpx.Response:
    return await server.client.post(path, json=body)
