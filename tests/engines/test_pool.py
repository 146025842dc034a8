from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from falconry.engines.base import ALL_SAMPLING
from falconry.engines.canned import CannedEngine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.engines.shelf import open_pool
from falconry.errors import ModelNotFound
from falconry.settings import Endpoint, Settings
from tests.engines.servers import Connection, Request, serve

MakeSettings = Callable[..., Settings]


class Tracked(CannedEngine):
    """Knows whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


def local_pool(names: str, most: int) -> tuple[EnginePool, list[Tracked]]:
    """A pool of local models with one-letter names; the engines it made, in order."""
    made: list[Tracked] = []

    def make() -> Tracked:
        made.append(Tracked())
        return made[-1]

    specs = {name: ModelSpec(name, name, "llama_cpp", make) for name in names}
    return EnginePool(specs, names[0], loaded_models=most), made


async def use(pool: EnginePool, name: str) -> None:
    async with pool.engine(name):
        pass


async def test_an_engine_is_made_once_and_shared() -> None:
    pool, made = local_pool("a", 1)
    async with pool.engine("a") as first, pool.engine() as second:
        assert first is second
    assert len(made) == 1


async def test_the_least_recently_used_model_makes_room() -> None:
    pool, made = local_pool("abc", 2)
    for name in "aba":
        await use(pool, name)
    await use(pool, "c")
    assert [engine.closed for engine in made] == [False, True, False]


async def test_a_busy_model_is_never_unloaded_and_the_next_one_waits_for_it() -> None:
    pool, made = local_pool("ab", 1)
    async with pool.engine("a"):
        waiting = asyncio.create_task(use(pool, "b"))
        await asyncio.sleep(0)
        assert not made[0].closed
        assert not waiting.done()
    await waiting
    assert made[0].closed


async def test_endpoints_take_no_room() -> None:
    made: list[Tracked] = []

    def make() -> Tracked:
        made.append(Tracked())
        return made[-1]

    specs = {name: ModelSpec(name, name, "openai", make) for name in "abc"}
    pool = EnginePool(specs, "a", loaded_models=1)
    for name in "abc":
        await use(pool, name)
    assert [engine.closed for engine in made] == [False, False, False]
    await pool.aclose()
    assert [engine.closed for engine in made] == [True, True, True]


def test_an_unknown_name_is_said_so() -> None:
    pool, _ = local_pool("a", 1)
    with pytest.raises(ModelNotFound, match="no/such"):
        pool.resolve("no/such")


async def test_what_an_endpoint_takes_is_asked_before_its_first_use(make_settings: MakeSettings) -> None:
    async with serve(Ollama()) as server:
        there = Endpoint(name="there", url=f"{server.url}/v1")
        gone = Endpoint(name="gone", url="http://127.0.0.1:1/v1")
        pool = open_pool(make_settings(model=None, endpoints=[there, gone]))
        try:
            assert "min_p" not in await pool.supports("there")
            assert await pool.supports("gone") == ALL_SAMPLING  # nobody knows better
            assert await pool.supports("eyas") == ALL_SAMPLING
            assert "eyas" not in pool.loaded()
        finally:
            await pool.aclose()
    with pytest.raises(ModelNotFound):
        await pool.supports("nothing")


class Ollama:
    """As much of it as tells what it is."""

    async def __call__(self, request: Request, connection: Connection) -> None:
        if request.path == "/v1/models":
            await connection.json({"data": [{"id": "qwen3:8b", "owned_by": "library"}]})
        else:
            await connection.json({"error": "not found"}, 404)
