"""What can be chosen, and how it changes while Falconry runs: real files, real folders."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from falconry.engines import transformers_launch
from falconry.engines.endpoints import Endpoints
from falconry.engines.offered import offer
from falconry.engines.pool import EnginePool
from falconry.engines.shelf import Shelf, chosen_pool, open_pool
from falconry.errors import ModelNotFound, ModelTooLarge
from falconry.messages import Message, SamplingParams
from falconry.models.local import find_models
from falconry.settings import Endpoint, Settings
from tests.engines.empty_folder import write_empty_folder
from tests.engines.tiny_gguf import write_reciter

MakeSettings = Callable[..., Settings]
PIECES = [b"falcon ", b"kestrel ", b"hobby "]


@asynccontextmanager
async def shelved(settings: Settings) -> AsyncGenerator[tuple[Shelf, EnginePool]]:
    endpoints = Endpoints(settings)
    pool = open_pool(settings, endpoints)
    shelf = Shelf(settings, pool, endpoints)
    shelf.open()
    try:
        yield shelf, pool
    finally:
        await shelf.aclose()
        await pool.aclose()


def names(pool: EnginePool) -> list[str]:
    return [model.name for model in pool.models()]


def default(pool: EnginePool) -> str:
    return pool.resolve(None)


async def reply(pool: EnginePool, name: str) -> str:
    deltas = pool.generate(name, [Message("user", "hi")], SamplingParams(max_tokens=8))
    return "".join([delta.text async for delta in deltas])


async def test_what_the_settings_name_can_be_chosen_before_anybody_has_looked(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("b.gguf", "a.gguf", "split-00001-of-00002.gguf", "split-00002-of-00002.gguf", "notes.txt"):
        (folder / name).touch()
    settings = make_settings(
        model=None,
        models=[tmp_path / "falcon3-7b.gguf", folder],
        endpoints=[Endpoint(name="tiiuae/falcon", url="http://127.0.0.1:1/v1"), Endpoint(name="a", url="http://x/v1")],
    )
    pool = open_pool(settings)
    assert names(pool) == ["falcon3-7b", "a", "b", "split", "tiiuae/falcon", "a (2)", "eyas", "canned"]
    assert default(pool) == "falcon3-7b"


async def test_a_folder_in_safetensors_is_the_same_model_before_and_after_a_look(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_empty_folder(tmp_path / "org" / "tiny")
    settings = make_settings(models=[folder])
    before = offer(settings, []).specs["org/tiny"]
    after = offer(settings, [], await asyncio.to_thread(find_models, settings)).specs["org/tiny"]
    assert (before.kind, before.path, before.source) == ("transformers", folder, "settings")
    assert before.identity == after.identity
    assert before.needs is not None
    assert before.needs() > 100 * 2**20  # torch is large
    # Where the extra is not installed, the model is there, with what to do about it.
    monkeypatch.setattr(transformers_launch, "installed", lambda name: False)
    problem = offer(settings, []).specs["org/tiny"].problem
    assert problem is not None
    assert problem.code == "transformers_missing"


def test_the_size_of_a_model_is_that_of_its_files(make_settings: MakeSettings, tmp_path: Path) -> None:
    for name, size in (("whole.gguf", 30), ("split-00001-of-00002.gguf", 10), ("split-00002-of-00002.gguf", 5)):
        (tmp_path / name).write_bytes(bytes(size))
    files = [tmp_path / "whole.gguf", tmp_path / "split-00001-of-00002.gguf", tmp_path / "missing.gguf"]
    endpoint = Endpoint(name="far", url="http://127.0.0.1:1/v1")
    models = open_pool(make_settings(model=None, models=files, endpoints=[endpoint])).models()
    assert [model.size for model in models[:4]] == [30, 15, None, None]


async def test_the_lessons_endpoint_appears_by_itself(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None, canned=False, hf_api_key=SecretStr("k"), hf_api_base="http://127.0.0.1:9")
    models = open_pool(settings).models()
    assert [(m.engine, m.default) for m in models] == [("tgi", True), ("llama_cpp", False)]


async def test_what_lies_in_falconrys_folder_is_found_and_answers(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None)
    settings.models_folder.mkdir(parents=True)
    write_reciter(settings.models_folder / "bird.gguf", PIECES)
    async with shelved(settings) as (shelf, pool):
        assert "bird" not in names(pool)  # the start waits for no disk
        await shelf.refresh()
        bird = next(model for model in pool.models() if model.name == "bird")
        assert (bird.source, bird.quantization, bird.context_length) == ("falconry", "F16", 4096)
        assert bird.parameters
        assert default(pool) == "eyas"  # what was only found never becomes the default
        assert await reply(pool, "bird") == "falcon kestrel hobby "


async def test_a_file_that_is_gone_can_no_longer_be_chosen(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None)
    settings.models_folder.mkdir(parents=True)
    file = write_reciter(settings.models_folder / "bird.gguf", PIECES)
    async with shelved(settings) as (shelf, pool):
        await shelf.refresh()
        assert await reply(pool, "bird")
        file.unlink()
        await shelf.refresh()
        with pytest.raises(ModelNotFound, match="bird"):
            pool.resolve("bird")
        assert pool.loaded() == frozenset()  # nobody used it, so its memory is back


async def test_a_file_that_was_replaced_is_loaded_anew(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(model=None)
    settings.models_folder.mkdir(parents=True)
    file = write_reciter(settings.models_folder / "bird.gguf", PIECES)
    async with shelved(settings) as (shelf, pool):
        await shelf.refresh()
        assert await reply(pool, "bird") == "falcon kestrel hobby "
        other = write_reciter(tmp_path / "bird.gguf", [b"owl "])
        shutil.move(other, file)
        await shelf.refresh()
        assert await reply(pool, "bird") == "owl "


async def test_what_did_not_change_stays_loaded(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None)
    async with shelved(settings) as (shelf, pool):
        async with pool.engine("eyas") as before:
            pass
        await shelf.refresh()
        async with pool.engine("eyas") as after:
            assert after is before


async def test_those_who_ask_during_a_look_share_the_next(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def find(_settings: Settings) -> list[object]:
        nonlocal looks
        looks += 1
        return []

    monkeypatch.setattr("falconry.engines.shelf.find_models", find)
    settings = make_settings(model=None)
    pool = open_pool(settings)
    shelf = Shelf(settings, pool, Endpoints(settings))
    await asyncio.gather(*(shelf.refresh() for _ in range(20)))
    assert looks <= 2
    await pool.aclose()


# -- the default


@pytest.mark.parametrize("content", [None, b"", b"GGUF\x03\x00\x00\x00", b"\x80\x04PK pickled"])
async def test_a_default_that_is_missing_or_broken_is_a_mark_and_eyas_answers(
    make_settings: MakeSettings, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "bird.gguf"
    if content is not None:
        file.write_bytes(content)
    async with shelved(make_settings(model="bird", models=[file])) as (shelf, pool):
        await shelf.refresh()
        bird = next(model for model in pool.models() if model.name == "bird")
        assert bird.state == "failed"
        assert bird.problem
        assert default(pool) == "eyas"
        assert await reply(pool, "eyas")


async def test_a_default_that_is_still_being_fetched_becomes_it_when_it_is_there(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings(model="bird")
    async with shelved(settings) as (shelf, pool):
        await shelf.refresh()
        assert default(pool) == "eyas"
        missing = pool.models()[0]
        assert (missing.name, missing.state) == ("bird", "failed")
        assert missing.problem is not None
        assert missing.problem["code"] == "model_not_found"
        assert [record.levelname for record in caplog.records] == ["WARNING"]  # it is told at the terminal, too, once
        settings.models_folder.mkdir(parents=True)
        write_reciter(settings.models_folder / "bird.gguf", PIECES)
        await shelf.refresh()
        assert default(pool) == "bird"
        assert [model.name for model in pool.models()].count("bird") == 1


async def test_commands_that_end_are_told_of_a_name_that_there_is_not(make_settings: MakeSettings) -> None:
    settings = make_settings(model="falcon-900b")
    with pytest.raises(ModelNotFound, match="eyas"):
        chosen_pool(settings)
    async with shelved(settings) as (shelf, _):
        with pytest.raises(ModelNotFound, match="falcon-900b"):
            await shelf.require_default()


async def test_commands_that_end_find_what_lies_on_the_disk(make_settings: MakeSettings) -> None:
    settings = make_settings(model="bird")
    settings.models_folder.mkdir(parents=True)
    write_reciter(settings.models_folder / "bird.gguf", PIECES)
    assert default(chosen_pool(settings)) == "bird"


async def test_a_broken_file_that_was_found_is_not_offered(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None)
    settings.models_folder.mkdir(parents=True)
    (settings.models_folder / "bad.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    async with shelved(settings) as (shelf, pool):
        await shelf.refresh()
        assert "bad" not in names(pool)
        assert [local.name for local in shelf.local() if local.problem] == ["bad"]


# -- endpoints


async def test_an_endpoint_that_did_not_answer_is_a_mark_and_can_be_asked(
    make_settings: MakeSettings,
) -> None:
    gone = Endpoint(name="gone", url="http://127.0.0.1:1/v1")
    settings = make_settings(model=None, endpoints=[gone])
    endpoints = Endpoints(settings)
    pool = open_pool(settings, endpoints)
    shelf = Shelf(settings, pool, endpoints)
    shelf.open()
    try:
        await endpoints.refresh()
        model = next(model for model in pool.models() if model.name == "gone")
        assert model.state == "failed"
        assert model.problem
        assert [other.state for other in pool.models() if other.name != "gone"] == ["unloaded", "ready"]
    finally:
        await shelf.aclose()
        await pool.aclose()


async def test_nothing_is_told_where_nothing_has_changed(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None)
    settings.models_folder.mkdir(parents=True)
    write_reciter(settings.models_folder / "bird.gguf", PIECES)
    async with shelved(settings) as (shelf, pool):
        await shelf.refresh()
        told: list[str] = []
        pool.on_change.append(lambda: told.append("pool"))
        shelf.on_change.append(lambda: told.append("shelf"))
        await shelf.refresh()
        assert told == []
        write_reciter(settings.models_folder / "owl.gguf", [b"owl "])
        await shelf.refresh()
        assert set(told) == {"pool", "shelf"}


async def test_what_a_model_will_need_is_told_before_it_is_loaded(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None)
    settings.models_folder.mkdir(parents=True)
    file = write_reciter(settings.models_folder / "bird.gguf", PIECES)
    async with shelved(settings) as (shelf, pool):
        await shelf.refresh()
        bird = next(model for model in pool.models() if model.name == "bird")
        assert bird.needs is not None
        assert bird.needs > file.stat().st_size
        assert bird.memory is None


async def test_what_is_too_large_is_refused_with_the_numbers(make_settings: MakeSettings) -> None:
    settings = make_settings(model=None, memory_limit_mib=64)
    settings.models_folder.mkdir(parents=True)
    write_reciter(settings.models_folder / "eagle.gguf", PIECES, feed_forward=40_000)
    async with shelved(settings) as (shelf, pool):
        await shelf.refresh()
        with pytest.raises(ModelTooLarge) as raised:
            await pool.load("eagle")
        assert raised.value.code.startswith("model_too_large")
        assert float(raised.value.details["needed"]) > float(raised.value.details["free"])
        assert pool.loaded() == frozenset()
        assert await reply(pool, "eyas")  # everything else goes on
