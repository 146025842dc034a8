"""LoRA adapters on the real llama.cpp: each says its own, and none ever leaves a trace in another's reply."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from falconry.engines.base import Engine
from falconry.engines.llama_adapter_engine import AdapterEngine
from falconry.engines.llama_adapters import check_adapter
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.errors import AdapterMismatch, EngineUnavailable
from falconry.messages import Delta, Extras, Message, Prompt, SamplingParams
from falconry.models.gguf import read_header
from tests.engines.random_gguf import write_adapter_for, write_random, write_reciting_adapter
from tests.engines.tiny_gguf import SPECIAL, vocabulary_of, write_reciter

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREEDY = SamplingParams(max_tokens=16, temperature=0.0)
# Long enough to be worth a place in a cache of prompts.
PROMPTS = ("The quick brown fox jumps over the lazy dog. " * 6, "Something else, of about the same length. " * 6)
PIECES = [b"one ", b"two ", b"three"]
NAMES, _ = vocabulary_of(())
NO_END = tuple((NAMES.index(name), -100.0) for name in SPECIAL)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    base = write_random(folder / "base.gguf")
    write_adapter_for(folder / "a.gguf", base, seed=1)
    write_adapter_for(folder / "b.gguf", base, seed=2)
    write_reciter(folder / "reciter.gguf", PIECES)
    write_reciting_adapter(folder / "backwards.gguf", PIECES, PIECES[::-1])
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines(models: Path) -> AsyncIterator[Mapping[str, Engine]]:
    """A base with a cache of prompts, as people have it, and two adapters."""
    base = LlamaCppEngine(models / "base.gguf", LlamaCppOptions(slots=2, prompt_cache_mib=64))
    yield {"base": base, "a": AdapterEngine(base, models / "a.gguf"), "b": AdapterEngine(base, models / "b.gguf")}
    await base.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def truth(models: Path) -> Mapping[tuple[str, str], str]:
    """What each says where nothing was said before: a process of its own for every reply."""
    said: dict[tuple[str, str], str] = {}
    for name in ("base", "a", "b"):
        for prompt in PROMPTS:
            base = LlamaCppEngine(models / "base.gguf", LlamaCppOptions(slots=1, prompt_cache_mib=0))
            try:
                engine = base if name == "base" else AdapterEngine(base, models / f"{name}.gguf")
                said[name, prompt] = await ask(engine, prompt)
            finally:
                await base.aclose()
    return said


async def collect(engine: Engine, prompt: Prompt, params: SamplingParams = GREEDY) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params)) as deltas:
        return [delta async for delta in deltas]


async def ask(engine: Engine, prompt: Prompt, params: SamplingParams = GREEDY) -> str:
    return "".join(delta.text for delta in await collect(engine, prompt, params))


async def test_an_adapter_changes_what_the_model_says(models: Path) -> None:
    base = LlamaCppEngine(models / "reciter.gguf", LlamaCppOptions())
    try:
        assert await ask(base, [Message("user", "Count!")]) == "one two three"
        backwards = AdapterEngine(base, models / "backwards.gguf")
        assert await ask(backwards, [Message("user", "Count!")]) == "threetwo one "
        assert await ask(base, [Message("user", "Count!")]) == "one two three"
    finally:
        await base.aclose()


async def test_an_adapter_of_no_strength_changes_nothing(
    models: Path, engines: Mapping[str, Engine], truth: Mapping[tuple[str, str], str]
) -> None:
    assert isinstance(base := engines["base"], LlamaCppEngine)
    for prompt in PROMPTS:
        assert await ask(AdapterEngine(base, models / "a.gguf", scale=0.0), prompt) == truth["base", prompt]
        assert truth["a", prompt] != truth["base", prompt] != truth["b", prompt] != truth["a", prompt]


async def test_no_reply_shows_a_trace_of_another_adapter(
    engines: Mapping[str, Engine], truth: Mapping[tuple[str, str], str]
) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    wanted = [(rng.choice(("base", "a", "b")), rng.choice(PROMPTS)) for _ in range(60)]
    for number, (name, prompt) in enumerate(wanted):
        assert await ask(engines[name], prompt) == truth[name, prompt], f"seed {seed}, reply {number}"


async def test_replies_of_several_adapters_at_once_do_not_mix(
    engines: Mapping[str, Engine], truth: Mapping[tuple[str, str], str]
) -> None:
    wanted = [(name, prompt) for _ in range(4) for name in ("base", "a", "b") for prompt in PROMPTS]
    said = await asyncio.gather(*(ask(engines[name], prompt) for name, prompt in wanted))
    assert said == [truth[pair] for pair in wanted]


async def test_an_adapter_reads_its_own_prompt_only_once(engines: Mapping[str, Engine]) -> None:
    await collect(engines["a"], PROMPTS[0])
    usage = (await collect(engines["a"], PROMPTS[0]))[-1].usage
    assert usage is not None
    assert usage.prompt_tokens - usage.cached_tokens <= 2


async def test_the_logprobs_of_a_prompt_are_those_of_the_adapter(models: Path, engines: Mapping[str, Engine]) -> None:
    async def scores(engine: Engine) -> list[float | None]:
        extras = Extras(top_logprobs=0, prompt_logprobs=True)
        async with aclosing(engine.generate("Hello", GREEDY, extras)) as deltas:
            return [token.logprob for token in (await anext(deltas)).prompt_tokens]

    of_base, of_a, again = [await scores(engines[name]) for name in ("base", "a", "base")]
    assert of_base == again
    assert of_a != of_base


async def test_a_running_reply_ends_before_an_adapter_is_loaded(models: Path) -> None:
    base = LlamaCppEngine(models / "base.gguf", LlamaCppOptions(slots=2, prompt_cache_mib=0))
    try:
        long = SamplingParams(max_tokens=600, temperature=0.0, logit_bias=NO_END)
        async with aclosing(base.generate(PROMPTS[0], long)) as deltas:
            await anext(deltas)
            other = asyncio.create_task(ask(AdapterEngine(base, models / "a.gguf"), PROMPTS[0]))
            counted = await base.count_tokens(PROMPTS[1])  # goes on meanwhile
            last = [delta async for delta in deltas][-1]
        assert counted.tokens > 100
        assert last.finish_reason == "length"
        assert last.usage is not None
        assert last.usage.completion_tokens == 600
        assert await other
    finally:
        await base.aclose()


async def test_whoever_goes_away_while_waiting_for_a_turn_keeps_nobody_waiting(
    engines: Mapping[str, Engine], truth: Mapping[tuple[str, str], str]
) -> None:
    endless = SamplingParams(max_tokens=None, temperature=0.0, logit_bias=NO_END)
    async with aclosing(engines["a"].generate(PROMPTS[0], endless)) as deltas:
        await anext(deltas)
        waiting = asyncio.create_task(ask(engines["b"], PROMPTS[0]))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.wait((waiting,))
        assert await ask(engines["a"], PROMPTS[1]) == truth["a", PROMPTS[1]]  # beside it
    assert await ask(engines["b"], PROMPTS[1]) == truth["b", PROMPTS[1]]


async def test_an_adapter_for_another_model_is_refused_and_the_base_goes_on(models: Path) -> None:
    base = LlamaCppEngine(models / "reciter.gguf", LlamaCppOptions())
    try:
        with pytest.raises(AdapterMismatch, match="does not fit this model"):
            await ask(AdapterEngine(base, models / "a.gguf"), "Count!")
        with pytest.raises(AdapterMismatch, match="is no LoRA adapter"):
            await ask(AdapterEngine(base, models / "base.gguf"), "Count!")
        assert await ask(base, "Count!") == "one two three"
    finally:
        await base.aclose()


async def test_an_adapter_whose_file_is_gone_is_named_and_the_base_goes_on(models: Path) -> None:
    file = models / "gone.gguf"
    file.write_bytes((models / "backwards.gguf").read_bytes())
    base = LlamaCppEngine(models / "reciter.gguf", LlamaCppOptions())
    try:
        gone, other = AdapterEngine(base, file), AdapterEngine(base, models / "backwards.gguf")
        assert await ask(gone, "Count!") == "threetwo one "
        file.unlink()
        assert await ask(gone, "Count!") == "threetwo one "  # it is in memory
        assert await ask(other, "Count!") == "threetwo one "  # for which the process was started again
        with pytest.raises(EngineUnavailable, match=r"gone\.gguf cannot be read"):
            await ask(gone, "Count!")
        assert await ask(base, "Count!") == "one two three"
    finally:
        await base.aclose()


async def test_the_check_knows_what_belongs_together(models: Path) -> None:
    base, reciter = read_header(models / "base.gguf"), read_header(models / "reciter.gguf")
    check_adapter(base, read_header(models / "a.gguf"), "a")
    check_adapter(reciter, read_header(models / "backwards.gguf"), "backwards")
    falcon = read_header(write_random(models / "falcon.gguf", architecture="falcon"))
    with pytest.raises(AdapterMismatch, match="architecture llama, and this one is falcon"):
        check_adapter(falcon, read_header(models / "a.gguf"), "a")
    smaller = read_header(write_random(models / "smaller.gguf", layers=1))
    with pytest.raises(AdapterMismatch, match=r"blk\.1"):
        check_adapter(smaller, read_header(models / "a.gguf"), "a")
