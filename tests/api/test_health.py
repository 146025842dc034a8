"""/health and /ready: what each fails for, and what neither does."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from time import monotonic

import pytest

from falconry.api import health
from falconry.engines.llama_cpp import LlamaCppEngine
from falconry.messages import SamplingParams
from falconry.services import Services, open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve

LONG = SamplingParams(max_tokens=400, temperature=0)


async def test_alive_and_ready(server: LiveServer) -> None:
    assert (await server.client.get("/health")).json()["status"] == "ok"
    ready = await server.client.get("/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "model": "canned"})
    for path in ("/health", "/ready"):
        head = await server.client.head(path)
        assert (head.status_code, head.content) == (200, b"")


async def test_without_its_database_it_lives_but_is_not_ready(server: LiveServer) -> None:
    with sqlite3.connect(server.services.settings.data_dir / "falconry.db") as database:
        database.executescript(
            "PRAGMA foreign_keys=OFF; DROP TABLE messages; DROP TABLE conversations; DROP TABLE users;"
        )
    assert (await server.client.get("/health")).status_code == 200
    ready = await server.client.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["error"]["code"] == "storage_error"


@asynccontextmanager
async def busy(services: Services, waiting: int) -> AsyncGenerator[None, None]:
    """A model with one place writes; so many others wait for it."""
    async with aclosing(services.pool.generate("eyas", "One day", LONG)) as writing:
        await anext(writing)
        others = [services.pool.generate("eyas", "One day", LONG) for _ in range(waiting)]
        tasks = [asyncio.ensure_future(anext(other)) for other in others]
        while sum(work.began is None for work in services.pool.work) < waiting:  # noqa: ASYNC110 - a matter of turns
            await asyncio.sleep(0)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_full_queue_is_work_and_no_failure(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(model="eyas", slots=1, queue_size=2)
    async with open_services(settings) as services, serve(services) as server, busy(services, 2):
        assert (await server.client.get("/ready")).status_code == 200
        assert (await server.client.get("/health")).status_code == 200


async def test_an_engine_that_hangs_is_not_ready_and_the_answer_comes_in_time(
    make_settings: Callable[..., Settings],
) -> None:
    async with open_services(make_settings(model="eyas")) as services, serve(services) as server:
        assert (await server.client.get("/ready")).status_code == 200
        async with services.pool.engine("eyas") as engine:
            assert isinstance(engine, LlamaCppEngine)
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGSTOP)
            begun = monotonic()
            ready = await server.client.get("/ready")
            assert monotonic() - begun < 2
            assert (ready.status_code, ready.json()["error"]["code"]) == (503, "model_silent")
            assert (await server.client.get("/health")).status_code == 200
            os.kill(engine.pid, signal.SIGCONT)
        assert (await server.client.get("/ready")).status_code == 200


async def test_silence_while_others_wait(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SILENT", -1.0)  # any pause is too long
    async with open_services(make_settings(model="eyas", slots=1)) as services, serve(services) as server:
        async with busy(services, 0):
            assert (await server.client.get("/ready")).status_code == 200
        async with busy(services, 1):
            error = (await server.client.get("/ready")).json()["error"]
        assert (error["code"], error["details"]["model"]) == ("engine_stalled", "eyas")
