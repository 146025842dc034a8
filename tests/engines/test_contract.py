"""What every engine promises, tested over all of them.

The engines behind a URL speak over real sockets to a server of their protocol; llama.cpp runs the built-in model.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

import falconry
from falconry.engines.base import ALL_EXTRAS, ALL_SAMPLING, Engine
from falconry.engines.canned import CannedEngine
from falconry.engines.llama_adapter_engine import AdapterEngine
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.engines.openai import OpenAIEngine
from falconry.engines.tgi import TGIEngine
from falconry.errors import ContextWindowExceeded, NotSupported
from falconry.messages import NO_EXTRAS, Delta, Extras, Message, Prompt, SamplingParams, TokenPrompt, Tool
from falconry.settings import Endpoint
from tests.engines.random_gguf import write_adapter_for
from tests.engines.servers import serve
from tests.engines.stubs import OpenAIStub, TGIStub

# One engine for all tests of the suite: a local model takes a second to start.
pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = Path(falconry.__file__).parent / "models" / "eyas" / "eyas.gguf"
ENGINES = ["canned", "openai", "tgi", "llama_cpp", "adapter"]

ENGLISH = [Message("system", "You are kind."), Message("user", "Tell me about falcons.")]
CHINESE = [Message("user", "请介绍一下你自己。")]
RAW = "System:You are kind.\nUser: Tell me about falcons.\nAssistant:"
PROMPTS = [pytest.param(ENGLISH, id="messages"), pytest.param(RAW, id="raw")]
GREEDY = SamplingParams(max_tokens=48, temperature=0.0)


@dataclass
class Case:
    engine: Engine
    # Waits until the backend knows that nobody listens any more.
    freed: Callable[[], Awaitable[object]] | None = None


@asynccontextmanager
async def open_case(name: str, canned: CannedEngine) -> AsyncIterator[Case]:
    """The engine of that name, over the canned one where there is no model."""
    async with AsyncExitStack() as stack:
        if name == "canned":
            case = Case(canned)
        elif name == "llama_cpp":
            case = Case(LlamaCppEngine(MODEL, LlamaCppOptions()))
        elif name == "adapter":
            base = LlamaCppEngine(MODEL, LlamaCppOptions())
            stack.push_async_callback(base.aclose)
            folder = stack.enter_context(TemporaryDirectory())
            case = Case(AdapterEngine(base, write_adapter_for(Path(folder) / "adapter.gguf", MODEL, strength=0.05)))
        else:
            stub = OpenAIStub(canned) if name == "openai" else TGIStub(canned)
            server = await stack.enter_async_context(serve(stub))
            if name == "openai":
                endpoint = Endpoint(name="stub", url=f"{server.url}/v1")
                engine: Engine = OpenAIEngine(endpoint, 10)
            else:
                engine = TGIEngine(Endpoint(name="stub", url=server.url, kind="tgi"), 10)
            case = Case(engine, lambda: server.connections[-1].gone.wait())
        stack.push_async_callback(case.engine.aclose)
        yield case


@pytest_asyncio.fixture(params=ENGINES, scope="module", loop_scope="module")
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    async with open_case(request.param, CannedEngine(seed=1, rate=math.inf)) as opened:
        yield opened


@pytest_asyncio.fixture(params=ENGINES, scope="module", loop_scope="module")
async def endless(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    """An engine that would go on for long if nobody stopped it."""
    canned = CannedEngine(rate=math.inf, text="falcon " * 500_000, context_length=1_000_000)
    async with open_case(request.param, canned) as opened:
        yield opened


async def deltas_of(
    engine: Engine, prompt: Prompt, params: SamplingParams = GREEDY, extras: Extras = NO_EXTRAS
) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params, extras)) as deltas:
        return [delta async for delta in deltas]


async def text_of(engine: Engine, prompt: Prompt, params: SamplingParams = GREEDY) -> str:
    return "".join(delta.text for delta in await deltas_of(engine, prompt, params))


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_streams_text_and_ends_with_finish_reason_and_usage(case: Case, prompt: Prompt) -> None:
    deltas = await deltas_of(case.engine, prompt)
    assert "".join(delta.text for delta in deltas).strip()
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish_reason in ("stop", "length")
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens > 0


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_max_tokens_ends_it_by_length(case: Case, prompt: Prompt) -> None:
    deltas = await deltas_of(case.engine, prompt, SamplingParams(max_tokens=3, temperature=0.0))
    assert deltas[-1].finish_reason == "length"
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens == 3


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_no_part_of_a_stop_sequence_is_shown(case: Case, prompt: Prompt) -> None:
    whole = await text_of(case.engine, prompt)
    stop = whole[8:13]
    params = SamplingParams(max_tokens=48, temperature=0.0, stop=("", stop, "\nUser:"))
    deltas = await deltas_of(case.engine, prompt, params)
    assert "".join(delta.text for delta in deltas) == whole[: whole.index(stop)]
    assert deltas[-1].finish_reason == "stop"


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_the_stop_sequence_that_ended_it_is_named(case: Case, prompt: Prompt) -> None:
    stop = (await text_of(case.engine, prompt))[8:13]
    params = SamplingParams(max_tokens=48, temperature=0.0, stop=("\nUser:", stop))
    assert (await deltas_of(case.engine, prompt, params))[-1].stop_sequence == stop
    assert (await deltas_of(case.engine, prompt))[-1].stop_sequence is None


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("top", [0, 2])
async def test_tokens_spell_the_text_they_come_with(case: Case, prompt: Prompt, top: int) -> None:
    plain = await deltas_of(case.engine, prompt)
    deltas = await deltas_of(case.engine, prompt, GREEDY, Extras(top_logprobs=top))
    tokens = [token for delta in deltas for token in delta.tokens]
    text = "".join(delta.text for delta in deltas)
    assert text == "".join(delta.text for delta in plain)
    assert b"".join(token.raw for token in tokens).decode() == text
    assert all(token.logprob is not None and -9999 <= token.logprob <= 0 for token in tokens)
    assert all(len(token.top) <= top for token in tokens)
    assert not any(token.special for token in tokens[:-1])
    so_far = b""
    for delta in deltas:
        so_far += b"".join(token.raw for token in delta.tokens)
        assert text.encode().startswith(so_far)
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens >= sum(not token.special for token in tokens)
    assert not any(delta.tokens for delta in plain)


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_the_last_tokens_spell_the_stop_sequence_too(case: Case, prompt: Prompt) -> None:
    whole = await text_of(case.engine, prompt)
    stop = whole[8:13]
    params = SamplingParams(max_tokens=48, temperature=0.0, stop=(stop,))
    deltas = await deltas_of(case.engine, prompt, params, Extras(top_logprobs=1))
    spelled = b"".join(token.raw for delta in deltas for token in delta.tokens).decode()
    assert spelled.startswith(whole[: whole.index(stop) + len(stop)])
    assert whole.startswith(spelled)


async def test_what_it_cannot_give_is_refused_before_anything_is_generated(case: Case) -> None:
    await case.engine.context_length()
    wishes = {
        "tools": Extras(tools=(Tool("weather"),)),
        "top_logprobs": Extras(top_logprobs=1),
        "prompt_logprobs": Extras(prompt_logprobs=True),
    }
    # A raw prompt has no place for tools, whatever the engine can.
    for name in ALL_EXTRAS - case.engine.extras | {"tools"}:
        deltas = case.engine.generate(RAW, GREEDY, wishes[name])
        with pytest.raises(NotSupported):
            await anext(deltas)


async def test_tokens_are_answered_like_the_text_they_are(case: Case) -> None:
    tokens = await case.engine.tokenize(RAW)
    assert "".join(token.text for token in tokens) == RAW
    prompt = TokenPrompt(tuple(token.id for token in tokens))
    if case.engine.kind in ("canned", "tgi"):
        with pytest.raises(NotSupported, match="token ids"):
            await deltas_of(case.engine, prompt)
        with pytest.raises(NotSupported, match="detokenize"):
            await case.engine.detokenize(prompt.ids)
        return
    assert await case.engine.detokenize(prompt.ids) == RAW
    assert await text_of(case.engine, prompt) == await text_of(case.engine, RAW)
    assert await case.engine.count_tokens(prompt) == await case.engine.count_tokens(RAW)


async def test_the_logprobs_of_a_prompt_come_before_the_reply(case: Case) -> None:
    extras = Extras(prompt_logprobs=True)
    first, *others = await deltas_of(case.engine, RAW, GREEDY, extras)
    assert "".join(token.text for token in first.prompt_tokens) == RAW
    assert len(first.prompt_tokens) == (await case.engine.count_tokens(RAW)).tokens
    assert first.prompt_tokens[0].logprob is None
    assert all(token.logprob is not None and token.logprob <= 0 for token in first.prompt_tokens[1:])
    assert not any(delta.prompt_tokens for delta in others)
    assert "".join(delta.text for delta in others) == await text_of(case.engine, RAW)


async def test_characters_stay_whole(case: Case) -> None:
    deltas = await deltas_of(case.engine, CHINESE)
    assert any("\u4e00" <= character <= "\u9fff" for delta in deltas for character in delta.text)
    assert not any("\ufffd" in delta.text for delta in deltas)


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_an_exact_count_is_what_the_backend_reports(case: Case, prompt: Prompt) -> None:
    count = await case.engine.count_tokens(prompt)
    deltas = await deltas_of(case.engine, prompt, SamplingParams(max_tokens=1))
    assert deltas[-1].usage is not None
    assert count.exact
    assert count.tokens == deltas[-1].usage.prompt_tokens


async def test_closing_frees_the_backend_within_a_second(endless: Case) -> None:
    generator = endless.engine.generate(ENGLISH, SamplingParams(max_tokens=None))
    await anext(generator)
    async with asyncio.timeout(1):
        await generator.aclose()
        if endless.freed is not None:
            await endless.freed()


async def test_cancelling_frees_the_backend_within_a_second(endless: Case) -> None:
    started = asyncio.Event()

    async def read() -> None:
        async with aclosing(endless.engine.generate(ENGLISH, SamplingParams(max_tokens=None))) as deltas:
            async for _ in deltas:
                started.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(read())
    await started.wait()
    async with asyncio.timeout(1):
        task.cancel()
        await asyncio.wait([task])
        if endless.freed is not None:
            await endless.freed()


async def test_answers_several_at_the_same_time(case: Case) -> None:
    alone = await text_of(case.engine, ENGLISH)
    together = await asyncio.gather(*(text_of(case.engine, ENGLISH) for _ in range(4)))
    assert together == [alone] * 4


async def test_temperature_0_repeats_the_answer(case: Case) -> None:
    assert await text_of(case.engine, CHINESE) == await text_of(case.engine, CHINESE)


async def test_a_seed_repeats_the_answer(case: Case) -> None:
    params = SamplingParams(max_tokens=32, temperature=1.0, seed=11)
    assert await text_of(case.engine, ENGLISH, params) == await text_of(case.engine, ENGLISH, params)


@pytest.mark.parametrize("raw", [False, True])
async def test_too_long_a_prompt_is_refused_with_both_numbers(case: Case, raw: bool) -> None:
    limit = await case.engine.context_length()
    assert limit is not None
    text = "falcon " * (limit + 10)
    prompt: Prompt = text if raw else [Message("user", text)]
    with pytest.raises(ContextWindowExceeded) as caught:
        await deltas_of(case.engine, prompt)
    assert caught.value.prompt_tokens >= limit
    assert caught.value.limit == limit


async def test_continues_an_assistant_message_where_it_says_so(case: Case) -> None:
    await case.engine.context_length()
    if case.engine.can_continue:
        whole = await text_of(case.engine, ENGLISH)
        half = whole[: len(whole) // 2].rstrip()
        rest = await text_of(case.engine, [*ENGLISH, Message("assistant", half)])
        assert not rest.startswith(half[:12])
        assert rest.strip()


async def test_describes_itself(case: Case) -> None:
    assert await case.engine.has_chat_template()
    assert case.engine.supports <= ALL_SAMPLING
    assert case.engine.extras <= ALL_EXTRAS
    assert {"max_tokens", "temperature", "stop", "seed"} <= case.engine.supports
    rendered = await case.engine.render(ENGLISH)
    assert rendered is None or "Tell me about falcons." in rendered


@pytest.mark.parametrize("name", ENGINES)
async def test_closes_twice(name: str) -> None:
    async with open_case(name, CannedEngine(rate=math.inf)) as case:
        await text_of(case.engine, ENGLISH, SamplingParams(max_tokens=1))
        await case.engine.aclose()
        await case.engine.aclose()


async def test_a_stream_at_full_speed_is_whole() -> None:
    text = "".join(f"{number} 隼 " for number in range(5000))
    canned = CannedEngine(rate=math.inf, text=text, context_length=100_000)
    async with serve(OpenAIStub(canned)) as server:
        engine = OpenAIEngine(Endpoint(name="stub", url=f"{server.url}/v1"), 10)
        assert await text_of(engine, RAW, SamplingParams(max_tokens=None)) == text
        await engine.aclose()
