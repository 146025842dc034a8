"""Pictures on the real llama.cpp, with a tiny projector of random weights: each is seen, and none for another."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image as Picture

from falconry.engines.base import Engine
from falconry.engines.llama_adapter_engine import AdapterEngine
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.errors import InvalidRequest, NotSupported
from falconry.messages import Extras, Image, Message, SamplingParams, Usage
from falconry.protocols.images import read_image
from tests.engines.random_gguf import write_adapter_for, write_projector, write_random
from tests.engines.tiny_gguf import SPECIAL, vocabulary_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES, _ = vocabulary_of(())
NO_END = tuple((NAMES.index(name), -100.0) for name in SPECIAL)
GREEDY = SamplingParams(max_tokens=12, temperature=0.0, logit_bias=NO_END)
TOKENS = 16  # that the projector makes of a picture


def picture(colour: str, kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> Image:
    file = io.BytesIO()
    Picture.new("RGB", size, colour).save(file, kind)
    return read_image(file.getvalue(), "image")


def asking(*images: Image, text: str = "What is it?") -> list[Message]:
    return [Message("user", text, images=images)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    base = write_random(folder / "seer.gguf")
    write_projector(folder / "mmproj.gguf")
    write_adapter_for(folder / "a.gguf", base, seed=1)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(models: Path) -> AsyncIterator[LlamaCppEngine]:
    engine = LlamaCppEngine(models / "seer.gguf", LlamaCppOptions(projector=models / "mmproj.gguf"))
    yield engine
    await engine.aclose()


async def ask(engine: Engine, messages: list[Message]) -> tuple[str, Usage]:
    async with aclosing(engine.generate(messages, GREEDY)) as stream:
        deltas = [delta async for delta in stream]
    usage = deltas[-1].usage
    assert usage is not None
    return "".join(delta.text for delta in deltas), usage


async def test_what_is_seen_changes_the_reply(engine: LlamaCppEngine) -> None:
    red, blue = picture("red"), picture("blue")
    said = [(await ask(engine, asking(*images)))[0] for images in ((), (red,), (blue,), (red, blue), (red,))]
    assert said[1] == said[4]
    assert len(set(said)) == 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("size", [(1, 1), (3000, 20)])
async def test_the_formats_and_sizes_that_are_let_in_are_read(
    engine: LlamaCppEngine, kind: str, size: tuple[int, int]
) -> None:
    assert (await ask(engine, asking(picture("green", kind, size))))[0]


async def test_tokens_of_pictures_are_counted_as_the_server_reads_them(engine: LlamaCppEngine) -> None:
    for images in ((), (picture("red"),), (picture("red"), picture("blue"))):
        counted = await engine.count_tokens(asking(*images))
        assert counted.exact
        assert counted.tokens == (await ask(engine, asking(*images)))[1].prompt_tokens
    without = (await engine.count_tokens(asking())).tokens
    assert (await engine.count_tokens(asking(picture("red")))).tokens == without + TOKENS


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("size", [(1, 1), (9, 300), (3000, 20)])
async def test_pictures_of_any_size_are_counted_as_they_are_read(
    engine: LlamaCppEngine, kind: str, size: tuple[int, int]
) -> None:
    messages = asking(picture("green", kind, size), picture("red"))
    assert (await engine.count_tokens(messages)).tokens == (await ask(engine, messages))[1].prompt_tokens


async def test_a_picture_is_not_read_twice_and_not_taken_for_another(engine: LlamaCppEngine) -> None:
    long = "Look at it very carefully. " * 20
    first = await ask(engine, asking(picture("red"), text=long))
    again = await ask(engine, asking(picture("red"), text=long))
    other = await ask(engine, asking(picture("purple"), text=long))
    assert again[0] == first[0] != other[0]
    assert again[1].cached_tokens > again[1].prompt_tokens - 3
    assert other[1].cached_tokens < TOKENS


async def test_pictures_of_many_at_once_do_not_mix(engine: LlamaCppEngine) -> None:
    colours = ["red", "green", "blue", "white"]
    alone = [(await ask(engine, asking(picture(colour))))[0] for colour in colours]
    at_once = await asyncio.gather(*(ask(engine, asking(picture(colour))) for colour in colours * 3))
    assert [text for text, _ in at_once] == alone * 3


async def test_an_adapter_sees_too(models: Path, engine: LlamaCppEngine) -> None:
    adapter = AdapterEngine(engine, models / "a.gguf")
    assert adapter.sees_images
    of_base, _ = await ask(engine, asking(picture("red")))
    of_adapter, _ = await ask(adapter, asking(picture("red")))
    assert of_adapter != of_base
    assert (await ask(engine, asking(picture("red"))))[0] == of_base


async def test_what_cannot_be_seen_is_refused_with_a_sentence(models: Path, engine: LlamaCppEngine) -> None:
    with pytest.raises(NotSupported, match="Send the picture as PNG or JPEG"):
        await ask(engine, asking(picture("red", "WEBP")))
    with pytest.raises(NotSupported, match="logprobs of a prompt with images"):
        async with aclosing(engine.generate(asking(picture("red")), GREEDY, Extras(prompt_logprobs=True))) as deltas:
            await anext(deltas)
    whole = picture("red")
    with pytest.raises(InvalidRequest):
        await ask(engine, asking(Image("image/png", whole.data[:40], 64, 48)))
    assert (await ask(engine, asking(whole)))[0]  # it is still there
    blind = LlamaCppEngine(models / "seer.gguf", LlamaCppOptions())
    try:
        with pytest.raises(NotSupported, match="images"):
            await ask(blind, asking(whole))
    finally:
        await blind.aclose()
