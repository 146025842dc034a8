"""GET /api/models and what loads and unloads: over HTTP, with models whose loading a test can hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from falconry.chat.chat import Chat
from falconry.engines.canned import CannedEngine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.errors import EngineUnavailable
from falconry.services import Services
from falconry.storage.conversations import Conversations
from tests.conftest import serve

GIB = 2**30


class Heavy(CannedEngine):
    """A model that is loaded when the test lets it be, or fails."""

    def __init__(self) -> None:
        super().__init__(rate=10_000)
        self.begun = asyncio.Event()
        self.loaded = asyncio.Event()
        self.failure: EngineUnavailable | None = None

    async def start(self) -> None:
        self.begun.set()
        await self.loaded.wait()
        if self.failure is not None:
            raise self.failure


@asynccontextmanager
async def kitchen(services: Services, **options: Any) -> AsyncGenerator[tuple[httpx.AsyncClient, EnginePool, Heavy]]:
    heavy = Heavy()

    def spec(name: str, size: int) -> ModelSpec:
        return ModelSpec(
            name, name.title(), "llama_cpp", lambda: heavy if name == "heavy" else CannedEngine(), size=size
        )

    specs = {"light": spec("light", GIB), "heavy": spec("heavy", 2 * GIB), "huge": spec("huge", 900 * GIB)}
    pool = EnginePool(specs, "light", loaded_models=None, **options)
    chat = Chat(Conversations(services.database), pool)
    try:
        async with serve(replace(services, pool=pool, chat=chat)) as live:
            yield live.client, pool, heavy
    finally:
        heavy.loaded.set()
        await chat.aclose()
        await pool.aclose()


async def models(client: httpx.AsyncClient, **headers: str) -> dict[str, dict[str, Any]]:
    answer = await client.get("/api/models", headers=headers)
    return {model["name"]: model for model in answer.json()["models"]}


async def test_the_list_says_what_each_is_and_how(services: Services) -> None:
    async with kitchen(services) as (client, _, _):
        light = (await models(client))["light"]
        assert light["state"] == "unloaded"
        assert light["default"] is True
        assert {"progress", "memory", "problem", "source", "base", "quantization", "parameters"} <= light.keys()
        assert {"context_length", "vision", "size", "supports", "title", "engine"} <= light.keys()


async def test_a_model_is_loaded_in_the_background_and_unloaded(services: Services) -> None:
    async with kitchen(services) as (client, pool, heavy):
        answer = await client.post("/api/models/load", json={"model": "heavy"})
        assert (answer.status_code, answer.json()["state"]) == (202, "loading")
        assert (await models(client))["heavy"]["state"] == "loading"
        heavy.loaded.set()
        await until(pool, "heavy", "ready")
        answer = await client.post("/api/models/unload", json={"model": "heavy"})
        assert (answer.status_code, answer.json()["state"]) == (202, "unloaded")


async def test_a_load_that_nobody_waits_for_can_be_taken_back(services: Services) -> None:
    async with kitchen(services) as (client, pool, heavy):
        await client.post("/api/models/load", json={"model": "heavy"})
        await heavy.begun.wait()
        await client.post("/api/models/unload", json={"model": "heavy"})
        assert pool.loaded() == frozenset()


async def test_a_model_in_use_is_not_unloaded(services: Services) -> None:
    async with kitchen(services) as (client, pool, _), pool.engine("light"):
        answer = await client.post("/api/models/unload", json={"model": "light"})
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "model_busy"


async def test_what_can_never_fit_is_refused_with_nothing_unloaded_for_it(services: Services) -> None:
    async with kitchen(services, free_memory=lambda: 8 * GIB) as (client, pool, _):
        async with pool.engine("light"):
            pass
        answer = await client.post("/api/models/load", json={"model": "huge"})
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "engine_out_of_memory"
        assert pool.loaded() == {"light"}


async def test_a_failed_load_is_a_mark_with_its_reason_in_the_askers_language(services: Services) -> None:
    async with kitchen(services) as (client, pool, heavy):
        heavy.failure = EngineUnavailable("No memory.", code="engine_out_of_memory", model="heavy")
        heavy.loaded.set()
        await client.post("/api/models/load", json={"model": "heavy"})
        await until(pool, "heavy", "failed")
        problem = (await models(client, **{"Accept-Language": "zh"}))["heavy"]["problem"]
        assert problem["code"] == "engine_out_of_memory"
        assert "内存" in problem["text"]
        assert (await models(client))["light"]["state"] == "unloaded"  # everything else goes on


@pytest.mark.parametrize("route", ["load", "unload"])
async def test_a_name_that_there_is_not_is_said_so(services: Services, route: str) -> None:
    async with kitchen(services) as (client, _, _):
        answer = await client.post(f"/api/models/{route}", json={"model": "nobody"})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("body", [{}, {"model": 5}, {"model": "x" * 301}, {"model": "light", "more": 1}, []])
async def test_bodies_that_are_wrong_are_refused(services: Services, body: object) -> None:
    async with kitchen(services) as (client, _, _):
        for route in ("load", "unload"):
            assert (await client.post(f"/api/models/{route}", json=body)).status_code == 400


async def test_a_message_waits_for_its_model_and_is_answered(services: Services) -> None:
    async with kitchen(services) as (client, _, heavy):
        conversation = (await client.post("/api/conversations")).json()["id"]
        path = f"/api/conversations/{conversation}/replies"
        asked = (await client.post(path, json={"content": "hello", "model": "heavy", "parent_id": None})).json()
        await heavy.begun.wait()
        async with client.stream("GET", f"/api/replies/{asked['reply']['id']}/events") as answer:
            events: list[str] = []
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    events.append(line.removeprefix("event: "))
                    heavy.loaded.set()
        assert events[0] == "loading"
        assert events[-1] == "done"
        reply = (await client.get(f"/api/replies/{asked['reply']['id']}")).json()
        assert reply["status"] == "complete"


async def test_a_message_can_be_stopped_while_its_model_is_loaded(services: Services) -> None:
    async with kitchen(services) as (client, pool, heavy):
        conversation = (await client.post("/api/conversations")).json()["id"]
        path = f"/api/conversations/{conversation}/replies"
        asked = (await client.post(path, json={"content": "hello", "model": "heavy", "parent_id": None})).json()
        await heavy.begun.wait()
        reply = (await client.post(f"/api/replies/{asked['reply']['id']}/stop")).json()
        assert reply["status"] == "stopped"
        assert pool.state("heavy").state == "loading"  # what was begun is there for the next message


async def test_a_load_that_fails_is_told_at_the_reply_and_another_model_answers(services: Services) -> None:
    async with kitchen(services) as (client, _, heavy):
        heavy.failure = EngineUnavailable("No memory.", code="engine_out_of_memory", model="heavy")
        heavy.loaded.set()
        conversation = (await client.post("/api/conversations")).json()["id"]
        path = f"/api/conversations/{conversation}/replies"
        asked = (await client.post(path, json={"content": "hello", "model": "heavy", "parent_id": None})).json()
        first = await ended(client, asked["reply"]["id"])
        assert (first["status"], first["error"]["code"]) == ("failed", "engine_out_of_memory")
        again = await client.post(f"/api/replies/{first['id']}/regenerate", json={"model": "light"})
        assert (await ended(client, again.json()["reply"]["id"]))["status"] == "complete"


async def ended(client: httpx.AsyncClient, reply_id: str) -> dict[str, Any]:
    """A reply when it has ended: its events say so."""
    async with client.stream("GET", f"/api/replies/{reply_id}/events") as answer:
        async for _ in answer.aiter_lines():
            pass
    reply: dict[str, Any] = (await client.get(f"/api/replies/{reply_id}")).json()
    return reply


async def until(pool: EnginePool, name: str, state: str) -> None:
    """Wait until a model is like that."""
    changed = asyncio.Event()
    pool.on_change.append(changed.set)
    async with asyncio.timeout(10):
        while pool.state(name).state != state:
            changed.clear()
            await changed.wait()
    pool.on_change.remove(changed.set)
