"""LoRA adapters beside their base: found, paired by what fits, and answering through the base's one process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from falconry.engines.adapters_of import pair_adapters
from falconry.engines.endpoints import Endpoints
from falconry.engines.pool import EnginePool
from falconry.engines.shelf import Shelf, open_pool
from falconry.messages import Message, SamplingParams
from falconry.models.local import find_models
from falconry.settings import Settings
from tests.engines.random_gguf import write_adapter_for, write_random, write_reciting_adapter
from tests.engines.tiny_gguf import write_reciter

MakeSettings = Callable[..., Settings]
PIECES = [b"one ", b"two ", b"three "]


@asynccontextmanager
async def shelved(settings: Settings) -> AsyncGenerator[EnginePool]:
    endpoints = Endpoints(settings)
    pool = open_pool(settings, endpoints)
    shelf = Shelf(settings, pool, endpoints)
    shelf.open()
    try:
        await shelf.refresh()
        yield pool
    finally:
        await shelf.aclose()
        await pool.aclose()


async def reply(pool: EnginePool, name: str) -> str:
    deltas = pool.generate(name, [Message("user", "hi")], SamplingParams(max_tokens=8, temperature=0))
    return "".join([delta.text async for delta in deltas])


def folder_of(settings: Settings) -> Path:
    settings.models_folder.mkdir(parents=True)
    return settings.models_folder


async def test_an_adapter_is_a_model_of_its_own_in_its_bases_process(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None)
    folder = folder_of(settings)
    write_reciter(folder / "reciter.gguf", PIECES)
    write_reciting_adapter(folder / "backwards.gguf", PIECES, PIECES[::-1])
    async with shelved(settings) as pool:
        adapter = next(model for model in pool.models() if model.name == "backwards")
        assert adapter.base == "reciter"
        assert await reply(pool, "backwards") == "three two one "
        assert await reply(pool, "reciter") == "one two three "
        assert pool.loaded() == {"reciter"}
        assert [pool.state(name).state for name in ("backwards", "reciter")] == ["ready", "ready"]
        await pool.unload("backwards")
        assert pool.loaded() == frozenset()


async def test_an_adapter_that_fits_no_model_is_not_offered(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(model=None)
    folder = folder_of(settings)
    elsewhere = write_random(tmp_path / "other.gguf")
    write_adapter_for(folder / "lost.gguf", elsewhere)
    write_reciter(folder / "reciter.gguf", PIECES)
    async with shelved(settings) as pool:
        assert "lost" not in [model.name for model in pool.models()]


def test_of_several_bases_the_one_beside_it_is_taken(make_settings: MakeSettings, tmp_path: Path) -> None:
    beside, away = tmp_path / "beside", tmp_path / "away"
    for place, words in ((away, [b"four ", b"five ", b"sixes "]), (beside, PIECES)):
        place.mkdir()
        write_reciter(place / "base.gguf", words)
    write_reciting_adapter(beside / "backwards.gguf", PIECES, PIECES[::-1])
    found = find_models(make_settings(models=[away, beside]))
    ((adapter, base),) = pair_adapters(found).bases
    assert adapter.path.name == "backwards.gguf"
    assert base == beside / "base.gguf"
