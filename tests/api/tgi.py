"""Helpers of the tests of text-generation-inference's door."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx

from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.services import Services

LESSON = "System:You are Eyas, a helpful falcon.\nUser: Hello, who are you?\nAssistant:"


def with_engine(services: Services, engine: Engine) -> Services:
    """The same house with one engine of the test's own."""
    spec = ModelSpec("bird", "bird", engine.kind, lambda: engine)
    return replace(services, pool=EnginePool({"bird": spec}, "bird", loaded_models=1))


async def generate(client: httpx.AsyncClient, inputs: str, **parameters: Any) -> Any:
    """The answer of /generate, with details."""
    body = {"inputs": inputs, "parameters": {"details": True, **parameters}}
    answer = await client.post("/generate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def stream(client: httpx.AsyncClient, inputs: str, path: str = "/", **parameters: Any) -> list[Any]:
    """The frames of a stream, with details."""
    body = {"inputs": inputs, "stream": True, "parameters": {"details": True, **parameters}}
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return frames_in(answer.text)


def frames_in(text: str) -> list[Any]:
    return [json.loads(line.removeprefix("data:")) for line in text.splitlines() if line.startswith("data:")]


def shown(tokens: list[Any]) -> str:
    return "".join(token["text"] for token in tokens if not token["special"])
