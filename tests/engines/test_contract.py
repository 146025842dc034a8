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

import pytest
import pytest_asyncio

import falconry
from falconry.engines.base import ALL_SAMPLING, Engine
from falconry.engines.canned import CannedEngine
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.engines.openai import OpenAIEngine
from falconry.engines.tgi import TGIEngine
from falconry.errors import ContextWindowExceeded
from falconry.messages import Delta, Message, Prompt, SamplingParams
from falconry.settings import Endpoint
from tests.engines.servers import serve
from tests.engines.stubs import OpenAIStub, TGIStub

# One engine for all tests of the suite: a local model takes a second to start.
pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = Path(falconry.__file__).parent / "models" / "eyas" / "eyas.gguf"
ENGINES = ["canned", "openai", "tgi", "llama_cpp"]

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


async def deltas_of(engine: Engine, prompt: Prompt, params: SamplingParams = GREEDY) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params)) as deltas:
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
