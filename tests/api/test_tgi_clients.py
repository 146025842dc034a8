"""Hugging Face's own client against text-generation-inference's door. (`text-generation` itself: tests/compat.)"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import IncompleteGenerationError, ValidationError

from falconry.engines.canned import CannedEngine
from falconry.engines.tgi import TGIEngine
from falconry.errors import ContextWindowExceeded
from falconry.messages import Delta, Extras, Message, SamplingParams
from falconry.services import Services, open_services
from falconry.settings import Endpoint, Settings
from tests.api.tgi import LESSON, with_engine
from tests.conftest import serve


@pytest.fixture
async def url(make_settings: Callable[..., Settings]) -> AsyncGenerator[str, None]:
    async with open_services(make_settings(model="eyas")) as services, serve(services) as live:
        yield live.url


def client(url: str) -> Any:
    return InferenceClient(url, token="x", timeout=30)


async def test_the_text_whole_and_streamed(url: str) -> None:
    def ask() -> tuple[str, str]:
        ours = client(url)
        whole = ours.text_generation(LESSON, max_new_tokens=20)
        return whole, "".join(ours.text_generation(LESSON, max_new_tokens=20, stream=True))

    whole, streamed = await asyncio.to_thread(ask)
    assert whole == streamed != ""


async def test_details_whole_and_streamed(url: str) -> None:
    def ask() -> tuple[Any, list[Any]]:
        ours = client(url)
        options = {"details": True, "max_new_tokens": 5, "stop": ["never"], "temperature": 0.8, "seed": 3}
        return ours.text_generation(LESSON, **options), list(ours.text_generation(LESSON, stream=True, **options))

    reply, frames = await asyncio.to_thread(ask)
    assert reply.details.seed == frames[-1].details.seed == 3
    assert [token.id for token in reply.details.tokens] == [frame.token.id for frame in frames]
    assert frames[-1].generated_text == reply.generated_text


async def test_the_async_client(url: str) -> None:
    async with AsyncInferenceClient(url, token="x", timeout=30) as ours:
        texts: Any = await ours.text_generation(LESSON, max_new_tokens=8, stream=True)
        assert "".join([text async for text in texts])


async def test_a_grammar(url: str) -> None:
    schema = {"properties": {"kind": {"enum": ["falcon", "owl"]}}, "required": ["kind"], "type": "object"}
    grammar = {"type": "json", "value": schema}
    text = await asyncio.to_thread(lambda: client(url).text_generation(LESSON, max_new_tokens=60, grammar=grammar))
    assert json.loads(text)["kind"] in {"falcon", "owl"}


async def test_what_the_client_does_not_check_is_its_validation_error(url: str) -> None:
    wrong: list[dict[str, Any]] = [{"temperature": 0.0}, {"top_p": 1.0}, {"best_of": 2, "seed": 3, "do_sample": True}]
    for options in wrong:
        for stream in (False, True):

            def ask(options: dict[str, Any] = options, stream: bool = stream) -> Any:
                answer = client(url).text_generation(LESSON, stream=stream, **options)
                return list(answer) if stream else answer

            with pytest.raises(ValidationError):
                await asyncio.to_thread(ask)


async def test_an_engine_that_breaks_off_is_its_incomplete_generation(services: Services) -> None:
    house = with_engine(services, CannedEngine(rate=1000, fail_after=3))
    async with serve(house) as live:
        with pytest.raises(IncompleteGenerationError):
            await asyncio.to_thread(lambda: client(live.url).text_generation("Hi"))


async def test_info_and_health(url: str) -> None:
    ours: Any = InferenceClient(url, provider="hf-inference", token="x")
    info = await asyncio.to_thread(ours.get_endpoint_info)
    assert (info["model_id"], info["max_total_tokens"]) == ("eyas", 2048)
    assert await asyncio.to_thread(ours.health_check)


async def test_our_own_engine_for_such_servers(url: str) -> None:
    engine = TGIEngine(Endpoint(name="it", url=url, kind="tgi"), 30)
    try:
        params = SamplingParams(max_tokens=40, temperature=0.0, stop=("Eyas",))
        deltas: list[Delta] = []
        async with aclosing(engine.generate(LESSON, params, Extras(top_logprobs=2))) as generation:
            deltas = [delta async for delta in generation]
        assert deltas[-1].stop_sequence == "Eyas"
        assert "Eyas" not in "".join(delta.text for delta in deltas)
        tokens = [token for delta in deltas for token in delta.tokens]
        assert all(token.id >= 0 and len(token.top) == 2 for token in tokens)
        assert deltas[-1].usage is not None
        assert deltas[-1].usage.prompt_tokens == (await engine.count_tokens(LESSON)).tokens
        assert await engine.context_length() == 2048
        assert await engine.has_chat_template()
        assert await engine.render([Message("user", "Hi")]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        with pytest.raises(ContextWindowExceeded) as caught:
            await anext(engine.generate("falcon " * 3000, params))
        assert caught.value.limit == 2048
    finally:
        await engine.aclose()
