"""What the local engine says and counts, on the real llama.cpp with a model whose reply is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.errors import ContextWindowExceeded, EngineUnavailable, InvalidRequest
from falconry.messages import Delta, Message, Prompt, SamplingParams
from tests.engines.tiny_gguf import write_reciter

GREEDY = SamplingParams(max_tokens=64, temperature=0.0)
# Two characters are cut into their bytes, and "stop" is spread over three tokens.
PIECES = [
    "你".encode(), "好".encode()[:1], "好".encode()[1:2], "好".encode()[2:], "，Falcon".encode(), b"! One s",
    b"to", b"p. ", "🦅".encode()[:2], "🦅".encode()[2:], "再见".encode(), b"\n\n", b"end",
]  # fmt: skip
REPLY = b"".join(PIECES).decode()
QUESTION = [Message("user", "Hello?")]
PROMPTS: list[Prompt] = [
    QUESTION,
    [Message("system", "你是一只猎鹰。"), Message("user", "你好！")],
    [Message("user", "one"), Message("assistant", "two"), Message("user", "<|im_end|> \x00\u2028 🦅 <b>&amp;")],
    [Message("user", ""), Message("assistant", "你好，")],
    "Hello, falcon 你好 <|im_start|>",
    "\n \t",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_reciter(folder / "reciter.gguf", PIECES)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(models: Path) -> AsyncIterator[LlamaCppEngine]:
    engine = LlamaCppEngine(models / "reciter.gguf", LlamaCppOptions(slots=2, prompt_cache_mib=16))
    yield engine
    await engine.aclose()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def collect(engine: LlamaCppEngine, prompt: Prompt, params: SamplingParams = GREEDY) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params)) as deltas:
        return [delta async for delta in deltas]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_counts_what_the_server_reports(engine: LlamaCppEngine, prompt: Prompt) -> None:
    count = await engine.count_tokens(prompt)
    usage = (await collect(engine, prompt))[-1].usage
    assert usage is not None
    assert count.exact
    assert count.tokens == usage.prompt_tokens


@pytest.mark.parametrize("prompt", [QUESTION, "Hello"])
async def test_characters_cut_into_tokens_come_whole(engine: LlamaCppEngine, prompt: Prompt) -> None:
    deltas = await collect(engine, prompt)
    assert text_of(deltas) == REPLY
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens == len(PIECES) + 1  # and the end of the turn


@pytest.mark.parametrize("stop", ["stop", "你好", "好，F", "🦅再", "p. 🦅"])
@pytest.mark.parametrize("prompt", [QUESTION, "Hello"])
async def test_nothing_of_a_stop_sequence_is_shown(engine: LlamaCppEngine, prompt: Prompt, stop: str) -> None:
    deltas = await collect(engine, prompt, SamplingParams(temperature=0.0, stop=("never", stop)))
    assert text_of(deltas) == REPLY[: REPLY.index(stop)]
    assert deltas[-1].finish_reason == "stop"


async def test_what_only_begins_a_stop_sequence_is_shown_also_when_the_reply_is_cut_there(
    engine: LlamaCppEngine,
) -> None:
    whole = text_of(await collect(engine, QUESTION, SamplingParams(temperature=0.0, max_tokens=9)))
    for characters in range(1, 5):
        begun = (whole[-characters:] + "and no more",)
        deltas = await collect(engine, QUESTION, SamplingParams(temperature=0.0, max_tokens=9, stop=begun))
        assert text_of(deltas) == whole
        assert deltas[-1].finish_reason == "length"


async def test_what_only_begins_a_stop_sequence_is_shown(engine: LlamaCppEngine) -> None:
    deltas = await collect(engine, QUESTION, SamplingParams(temperature=0.0, stop=("end of all",)))
    assert text_of(deltas) == REPLY


async def test_max_tokens_end_a_reply_by_length(engine: LlamaCppEngine) -> None:
    deltas = await collect(engine, QUESTION, SamplingParams(temperature=0.0, max_tokens=1))
    assert text_of(deltas) == "你"
    assert deltas[-1].finish_reason == "length"


async def test_a_partial_reply_is_continued(engine: LlamaCppEngine) -> None:
    deltas = await collect(engine, [*QUESTION, Message("assistant", "你好，Falcon")])
    assert text_of(deltas) == "! One stop. 🦅再见\n\nend"


async def test_a_full_context_ends_a_reply_by_length(models: Path) -> None:
    words = [f"w{number} ".encode() for number in range(20)]
    model = write_reciter(models / "short.gguf", words, endless=True, context_length=256)
    engine = LlamaCppEngine(model, LlamaCppOptions(slots=1, prompt_cache_mib=0))
    try:
        last = (await collect(engine, QUESTION, SamplingParams(max_tokens=None)))[-1]
        assert last.usage is not None
        assert await engine.context_length() == 256
        assert 250 <= last.usage.prompt_tokens + last.usage.completion_tokens <= 256
        assert last.finish_reason == "length"
    finally:
        await engine.aclose()


async def test_the_same_beginning_is_not_read_twice(engine: LlamaCppEngine) -> None:
    question = [Message("user", "word " * 200)]
    await collect(engine, question)
    usage = (await collect(engine, question))[-1].usage
    assert usage is not None
    assert usage.cached_tokens >= usage.prompt_tokens - 2


async def test_dropping_the_middle_of_a_conversation_reuses_the_rest(engine: LlamaCppEngine) -> None:
    turns = [
        Message(role, f"{role} says {number} " * 20)
        for number in range(4)
        for role in ("user", "assistant")
    ]  # fmt: skip
    system, last = Message("system", "Be brief."), Message("user", "And now?")
    await collect(engine, [system, *turns, last])
    usage = (await collect(engine, [system, *turns[4:], last]))[-1].usage
    assert usage is not None
    assert usage.prompt_tokens - usage.cached_tokens < 64


async def test_parallel_replies_do_not_mix(engine: LlamaCppEngine) -> None:
    replies = await asyncio.gather(*(collect(engine, f"{number} asks") for number in range(6)))
    assert {text_of(deltas) for deltas in replies} == {REPLY}


@pytest.mark.parametrize("prompt", ["a " * 3000, [Message("user", "吗" * 3000)]])
async def test_a_prompt_that_is_too_long_says_both_numbers(engine: LlamaCppEngine, prompt: Prompt) -> None:
    tokens = (await engine.count_tokens(prompt)).tokens
    with pytest.raises(ContextWindowExceeded) as caught:
        await collect(engine, prompt)
    assert (caught.value.prompt_tokens, caught.value.limit) == (tokens, 4096)


async def test_what_is_somewhat_too_long_is_still_counted(engine: LlamaCppEngine) -> None:
    prompt = [Message("user", "吗" * 20_000)]
    assert (await engine.count_tokens(prompt)).tokens == 60_000 + (
        await engine.count_tokens([Message("user", "")])
    ).tokens


@pytest.mark.parametrize("text", ["a", "two words ", "你好"])
async def test_megabytes_are_refused_within_two_seconds(engine: LlamaCppEngine, text: str) -> None:
    prompt = [Message("user", text * (2_000_000 // len(text)))]
    async with asyncio.timeout(2):
        assert (await engine.count_tokens(prompt)).tokens > 4096
    async with asyncio.timeout(2):
        with pytest.raises(ContextWindowExceeded) as caught:
            await collect(engine, prompt)
    assert caught.value.prompt_tokens > caught.value.limit == 4096


async def test_long_runs_of_one_character_do_not_crash_a_recursive_tokenizer(models: Path) -> None:
    model = write_reciter(models / "falcon.gguf", PIECES, pre="falcon", context_length=200_000)
    engine = LlamaCppEngine(model, LlamaCppOptions(context_length=150_000, slots=1, prompt_cache_mib=0))
    try:
        assert (await engine.count_tokens("!" * 120_000)).tokens == 120_000
        assert 139_000 < (await engine.count_tokens("!" * 140_000)).tokens < 150_000
        with pytest.raises(InvalidRequest, match="Break it up"):
            await collect(engine, "!" * 140_000)
    finally:
        await engine.aclose()


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(max_tokens=1_000_000, top_k=0, top_p=0.0, min_p=1.0, repetition_penalty=0.01, seed=0),
        SamplingParams(temperature=2.0, top_k=1_000_000, top_p=1.0, min_p=0.0, repetition_penalty=10.0),
        SamplingParams(seed=2**32 - 2, stop=tuple(f"{number:0256}" for number in range(16))),
    ],
)
async def test_the_limits_of_all_params_are_taken(engine: LlamaCppEngine, params: SamplingParams) -> None:
    assert (await collect(engine, QUESTION, params))[-1].finish_reason in ("stop", "length")


@pytest.mark.parametrize("prompt", ["", "\ud800", "\x00", [Message("user", "\udfff\x00")]])
async def test_odd_text_is_answered(engine: LlamaCppEngine, prompt: Prompt) -> None:
    assert (await collect(engine, prompt))[-1].finish_reason == "stop"


async def test_render_shows_what_the_template_makes(engine: LlamaCppEngine) -> None:
    assert await engine.render(QUESTION) == "<|im_start|>user\nHello?<|im_end|>\n<|im_start|>assistant\n"


async def test_a_model_without_a_template_says_so(models: Path, engine: LlamaCppEngine) -> None:
    model = write_reciter(models / "base.gguf", PIECES, chat_template=None)
    assert await engine.has_chat_template()
    assert not await LlamaCppEngine(model, LlamaCppOptions()).has_chat_template()


async def test_thinking_comes_apart_from_the_text(models: Path) -> None:
    pieces = [b"<think>", b"\n\n", b"hm ", b"so", b"\n\n\n", b"</think>", b"\n\n\n\n", b"Yes."]
    template = (
        "{%- for message in messages -%}{{- '<|im_start|>' + message.role + '\n' -}}"
        "{%- if message.reasoning_content -%}"
        "{{- '<think>\n' + message.reasoning_content + '\n</think>\n\n' -}}{%- endif -%}"
        "{{- message.content + '<|im_end|>\n' -}}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
    )
    model = write_reciter(models / "thinker.gguf", pieces, chat_template=template)
    engine = LlamaCppEngine(model, LlamaCppOptions(slots=1, prompt_cache_mib=0))
    try:
        deltas = await collect(engine, QUESTION)
        assert "".join(delta.thinking for delta in deltas).strip() == "hm so"
        assert text_of(deltas).strip() == "Yes."
    finally:
        await engine.aclose()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "bad.gguf is empty"),
        (b"GGUF", "bad.gguf is not complete"),
        (b"not a model at all" * 100, "neither GGUF nor safetensors"),
        (None, "bad.gguf is not complete"),
    ],
)
async def test_a_bad_file_gives_one_clear_sentence(models: Path, content: bytes | None, words: str) -> None:
    bad = models / "bad.gguf"
    bad.write_bytes((models / "reciter.gguf").read_bytes()[:600_000] if content is None else content)
    engine = LlamaCppEngine(bad, LlamaCppOptions())
    with pytest.raises(EngineUnavailable, match=words) as caught:
        await engine.start()
    assert str(models) not in caught.value.message
    assert "\n" not in caught.value.message
    await engine.aclose()


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    engine = LlamaCppEngine(tmp_path / "none.gguf", LlamaCppOptions())
    with pytest.raises(EngineUnavailable, match=r"none\.gguf cannot be read: No such file"):
        await collect(engine, "Hello")
