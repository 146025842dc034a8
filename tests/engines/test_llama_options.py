"""How a local model is run changes its speed and its memory, and not what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import psutil
import pytest

from falconry.engines.draft import may_draft
from falconry.engines.llama_cpp import LlamaCppEngine
from falconry.engines.llama_options import LlamaCppOptions, as_flags, options_from
from falconry.errors import EngineUnavailable, NotSupported
from falconry.messages import Extras, Message, Prompt, SamplingParams, Usage
from falconry.models import eyas
from falconry.models.gguf import read_header
from falconry.settings import FlashAttention, KVCacheType, Settings
from tests.engines.random_gguf import write_random
from tests.engines.tiny_gguf import write_reciter

pytestmark = pytest.mark.asyncio

GREEDY = SamplingParams(max_tokens=96, temperature=0.0)
REPEATING = "The falcon flies over the cold river and looks for a fish. " * 8
CHAT = [Message("user", "What are the four seasons?")]


@asynccontextmanager
async def running(model: Path, options: LlamaCppOptions) -> AsyncIterator[LlamaCppEngine]:
    engine = LlamaCppEngine(model, options)
    try:
        yield engine
    finally:
        await engine.aclose()


async def ask(engine: LlamaCppEngine, prompt: Prompt) -> tuple[str, Usage]:
    async with aclosing(engine.generate(prompt, GREEDY)) as stream:
        deltas = [delta async for delta in stream]
    usage = deltas[-1].usage
    assert usage is not None
    return "".join(delta.text for delta in deltas), usage


async def said(model: Path, options: LlamaCppOptions) -> list[str]:
    async with running(model, options) as engine:
        return [(await ask(engine, prompt))[0] for prompt in (REPEATING, CHAT)]


@pytest.mark.parametrize(
    "options",
    [
        LlamaCppOptions(flash_attention="on"),
        LlamaCppOptions(flash_attention="off"),
        LlamaCppOptions(speculation="ngram"),
        LlamaCppOptions(slots=1, speculation="ngram", prompt_cache_mib=0),
    ],
)
async def test_greedy_replies_stay_the_same(options: LlamaCppOptions) -> None:
    assert await said(eyas.path(), options) == await said(eyas.path(), LlamaCppOptions())


async def test_what_stood_there_before_is_guessed_and_counted(tmp_path: Path) -> None:
    pieces = [f"word{number} ".encode() for number in range(12)]
    model = write_reciter(tmp_path / "reciter.gguf", pieces, endless=True)
    async with running(model, LlamaCppOptions()) as engine:
        text, plain = await ask(engine, "Say it again and again.")
    async with running(model, LlamaCppOptions(speculation="ngram")) as engine:
        again, guessed = await ask(engine, "Say it again and again.")
    assert again == text
    assert plain.drafted_tokens == 0
    assert guessed.completion_tokens == plain.completion_tokens == 96
    assert guessed.accepted_tokens == guessed.drafted_tokens > 60


async def test_no_logprobs_are_told_where_tokens_are_guessed() -> None:
    """The server would give them as 0."""
    async with running(eyas.path(), LlamaCppOptions(speculation="ngram")) as engine:
        with pytest.raises(NotSupported, match="logprobs"):
            async with aclosing(engine.generate("Hello", GREEDY, Extras(top_logprobs=1))) as deltas:
                await anext(deltas)
        assert (await ask(engine, "Hello"))[0]


async def test_a_draft_model_guesses_and_the_reply_stays_the_same(tmp_path: Path) -> None:
    model = write_random(tmp_path / "model.gguf", width=256)
    draft = write_random(tmp_path / "draft.gguf", like=None, layers=1)
    async with running(model, LlamaCppOptions()) as engine:
        alone, _ = await ask(engine, REPEATING)
    async with running(model, LlamaCppOptions(draft=draft)) as engine:
        text, usage = await ask(engine, REPEATING)
    assert text == alone
    assert usage.drafted_tokens > 0


async def test_a_draft_with_another_vocabulary_or_too_large_is_left_out(tmp_path: Path) -> None:
    model = write_random(tmp_path / "model.gguf", width=256)
    draft = write_random(tmp_path / "draft.gguf", layers=1)
    assert may_draft(draft, read_header(draft), model, read_header(model))
    assert not may_draft(model, read_header(model), draft, read_header(draft))
    assert not may_draft(draft, read_header(draft), eyas.path(), read_header(eyas.path()))
    async with running(eyas.path(), LlamaCppOptions(draft=draft)) as engine:
        _, usage = await ask(engine, CHAT)
    assert usage.drafted_tokens == 0


async def test_a_draft_that_is_no_model_is_named(tmp_path: Path) -> None:
    (draft := tmp_path / "draft.gguf").write_bytes(b"")
    async with running(eyas.path(), LlamaCppOptions(draft=draft)) as engine:
        with pytest.raises(EngineUnavailable, match=r"draft\.gguf is empty"):
            await engine.start()


async def test_keys_and_values_in_eight_bits_take_about_half_the_memory(tmp_path: Path) -> None:
    """16,384 tokens of two layers, 256 numbers each for key and value: 64 MiB in half precision."""
    model = write_random(tmp_path / "wide.gguf", width=256, context_length=16_384)
    taken: dict[str, int] = {}
    for kind in ("f16", "q8_0", "q4_0"):
        options = LlamaCppOptions(slots=2, context_length=16_384, prompt_cache_mib=0, kv_cache_type=kind)
        async with running(model, options) as engine:
            await engine.start()
            assert engine.pid is not None
            taken[kind] = psutil.Process(engine.pid).memory_full_info().uss
    cache = 2 * 2 * 16_384 * 2 * 256 * 2  # slots, layers, tokens, key and value, width, bytes
    assert taken["f16"] - taken["q8_0"] == pytest.approx(cache * (1 - 34 / 64), rel=0.1)
    assert taken["f16"] - taken["q4_0"] == pytest.approx(cache * (1 - 18 / 64), rel=0.1)


@pytest.mark.parametrize(
    ("chosen", "server", "kind", "flag"),
    [
        ("auto", None, "f16", "off"),
        ("auto", None, "q8_0", "auto"),
        ("auto", Path("llama-server"), "f16", "auto"),
        ("on", None, "f16", "on"),
        ("off", Path("llama-server"), "f16", "off"),
    ],
)
async def test_flash_attention_is_on_where_it_is_faster_or_needed(
    chosen: FlashAttention, server: Path | None, kind: KVCacheType, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    settings = Settings(flash_attention=chosen, llama_server=server, kv_cache_type=kind)
    assert options_from(settings).flash_attention == flag
    assert settings.uses_flash_attention == (flag != "off")


async def test_a_server_of_the_users_own_is_given_only_what_was_chosen() -> None:
    assert as_flags(LlamaCppOptions()) == {}
    chosen = Settings(kv_cache_type="q8_0", flash_attention="on", speculation="ngram", slots=3)
    options = options_from(chosen)
    assert options.slots == 3
    assert {"--cache-type-k": "q8_0", "--cache-type-v": "q8_0", "--flash-attn": "on"}.items() <= as_flags(
        options
    ).items()
