"""What the OpenAI engine asks for beside text, and how servers that lack it are understood."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import falconry
from falconry import request_id
from falconry.engines.base import ALL_EXTRAS, ALL_SAMPLING
from falconry.engines.openai import OpenAIEngine
from falconry.errors import InvalidRequest, NotSupported
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    Grammar,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenPrompt,
    Tool,
    ToolCallDelta,
)
from falconry.protocols.grammar import portable_schema, regex_to_gbnf
from falconry.protocols.sse import DONE, encode_json
from falconry.settings import Endpoint
from tests.engines.stubs import text_chunk
from tests.engines.test_openai import Script, llama_server, opened

EYAS = Path(falconry.__file__).parent / "models" / "eyas" / "eyas.gguf"
HI = [Message("user", "Hi")]
GREEDY = SamplingParams(max_tokens=12, temperature=0.0)
WEATHER = Tool("weather", "", '{"type": "object"}')


async def deltas_of(
    engine: OpenAIEngine, prompt: Prompt, params: SamplingParams = GREEDY, extras: Extras = NO_EXTRAS
) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params, extras)) as deltas:
        return [delta async for delta in deltas]


async def text_of(engine: OpenAIEngine, prompt: Prompt, params: SamplingParams = GREEDY) -> str:
    return "".join(delta.text for delta in await deltas_of(engine, prompt, params))


def llama_cpp() -> Script:
    script = Script(owned_by="llamacpp")
    script.routes = {"/props": {"default_generation_settings": {"n_ctx": 512}}}
    return script


def chunk(**choice: Any) -> bytes:
    body: Any = text_chunk()
    body["choices"][0] |= choice
    return encode_json(body)


# What it asks


@pytest.mark.parametrize(
    ("owner", "raw", "top", "fields"),
    [
        ("vllm", False, 0, {"logprobs": True, "top_logprobs": 0}),
        ("vllm", True, 0, {"logprobs": 0}),
        ("llamacpp", False, 0, {"logprobs": True, "top_logprobs": 1}),
        ("llamacpp", True, 3, {"logprobs": 3}),
    ],
)
async def test_asks_for_logprobs(owner: str, raw: bool, top: int, fields: dict[str, object]) -> None:
    script = llama_cpp() if owner == "llamacpp" else Script(owned_by=owner)
    async with opened(script) as (engine, server):
        await deltas_of(engine, "Hi" if raw else HI, extras=Extras(top_logprobs=top))
        await deltas_of(engine, "Hi" if raw else HI)
    first, second = server.bodies("/v1/completions" if raw else "/v1/chat/completions")
    assert {name: first[name] for name in first if "logprobs" in name} == fields
    assert not any("logprobs" in name for name in second)


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
JSON = Grammar("json_schema", '{"type": "object", "properties": {"a": {"type": "integer"}}}')
PORTABLE = json.loads(portable_schema(JSON.text))
SPACED = {"x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}
STANDARD = {"response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": SCHEMA}}}


@pytest.mark.parametrize(
    ("owner", "raw", "grammar", "fields"),
    [
        ("vllm", False, JSON, STANDARD),
        ("vllm", True, JSON, STANDARD),
        ("vllm", False, Grammar("regex", "a+"), {"structured_outputs": {"regex": "a+"}, "guided_regex": "a+"}),
        ("other", False, JSON, STANDARD),
        ("other", False, Grammar("json_object"), {"response_format": {"type": "json_object"}}),
        ("other", True, JSON, None),
        ("other", False, Grammar("regex", "a+"), None),
        ("library", False, JSON, STANDARD),
        ("library", False, Grammar("regex", "a+"), None),
        ("llamacpp", True, JSON, {"json_schema": PORTABLE | SPACED}),
        ("llamacpp", False, Grammar("json_object"), {"json_schema": {"type": "object"} | SPACED}),
        ("llamacpp", False, Grammar("regex", "a"), {"grammar": regex_to_gbnf("a")}),
    ],
)
async def test_asks_for_a_shape_in_the_servers_own_words(
    owner: str, raw: bool, grammar: Grammar, fields: dict[str, object] | None
) -> None:
    script = llama_cpp() if owner == "llamacpp" else Script(owned_by=owner)
    async with opened(script) as (engine, server):
        prompt: Prompt = "Hi" if raw else HI
        if fields is None:
            with pytest.raises(NotSupported):
                await deltas_of(engine, prompt, SamplingParams(grammar=grammar))
        else:
            await deltas_of(engine, prompt, SamplingParams(grammar=grammar))
    bodies = server.bodies("/v1/completions" if raw else "/v1/chat/completions")
    known = {"response_format", "structured_outputs", "guided_regex", "json_schema", "grammar"}
    sent = [{name: body[name] for name in body if name in known} for body in bodies]
    assert sent == ([] if fields is None else [fields])


async def test_tokens_go_to_completions() -> None:
    async with opened(Script()) as (engine, server):
        await deltas_of(engine, TokenPrompt((5, 6, 7)))
    assert server.bodies("/v1/completions")[0]["prompt"] == [5, 6, 7]


@pytest.mark.parametrize(
    ("field", "params", "extras", "feature"),
    [
        ("tools", GREEDY, Extras(tools=(WEATHER,)), "tools"),
        ("tool_choice", GREEDY, Extras(tools=(WEATHER,), tool_choice="required"), "tool_choice"),
        ("logprobs", GREEDY, Extras(top_logprobs=2), "logprobs"),
        ("response_format", SamplingParams(grammar=JSON), NO_EXTRAS, "response_format"),
    ],
)
async def test_what_a_reply_cannot_do_without_is_not_left_out(
    field: str, params: SamplingParams, extras: Extras, feature: str
) -> None:
    script = Script()
    script.refusals = [(400, {"error": {"message": f"Unsupported parameter: '{field}'.", "param": field}})]
    async with opened(script) as (engine, server):
        with pytest.raises(NotSupported) as caught:
            await deltas_of(engine, HI, params, extras)
    assert caught.value.details == {"feature": feature}
    assert len(server.bodies("/v1/chat/completions")) == 1


async def test_newer_params_that_a_server_refuses_are_left_out() -> None:
    script = Script()
    script.refusals = [
        (400, {"error": {"message": "Unrecognized request arguments supplied: typical_p, logit_bias", "type": "x"}})
    ]
    params = SamplingParams(typical_p=0.5, logit_bias=((7, 1.0),), presence_penalty=0.5)
    async with opened(script) as (engine, server):
        assert await text_of(engine, HI, params) == "Lions"
        assert engine.supports == ALL_SAMPLING - {"typical_p", "logit_bias"}
    first, second = server.bodies("/v1/chat/completions")
    assert first.keys() - second.keys() == {"typical_p", "logit_bias"}
    assert second["presence_penalty"] == 0.5


async def test_the_id_of_a_request_is_passed_on() -> None:
    async with opened(Script()) as (engine, server):
        await deltas_of(engine, HI)
        token = request_id.begin("falcon-7")
        try:
            await deltas_of(engine, HI)
        finally:
            request_id.end(token)
    sent = [request.headers.get("x-request-id") for request in server.requests if request.method == "POST"]
    assert sent == [None, "falcon-7"]


# What it reads


async def test_calls_come_in_pieces() -> None:
    call: Any = {"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    frames = [
        chunk(delta={"role": "assistant", "content": None, "tool_calls": [call]}),
        chunk(delta={"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]}),
        chunk(delta={}, finish_reason="tool_calls"),
        DONE,
    ]
    async with opened(Script(frames)) as (engine, server):
        assert await engine.has_native_tools()
        deltas = await deltas_of(engine, HI, extras=Extras(tools=(WEATHER,), tool_choice="weather"))
    assert [piece for delta in deltas for piece in delta.tool_calls] == [
        ToolCallDelta(0, "c1", "weather", ""),
        ToolCallDelta(0, arguments='{"a": 1}'),
    ]
    assert deltas[-1].finish_reason == "stop"
    body = server.bodies("/v1/chat/completions")[0]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


async def test_alternatives_nobody_asked_for_are_not_given() -> None:
    entry = {"token": "Lions", "logprob": -0.5, "top_logprobs": [{"token": "Lions", "logprob": -0.5}]}
    frames = [chunk(text="Lions", logprobs={"content": [entry]}), chunk(finish_reason="stop"), DONE]
    async with opened(Script(frames)) as (engine, _):
        (first, *_) = await deltas_of(engine, "Hi", extras=Extras(top_logprobs=0))
        assert first.tokens == (Token(-1, "Lions", b"Lions", -0.5),)
        assert not (await deltas_of(engine, "Hi"))[0].tokens


async def test_vectors_have_length_one() -> None:
    script = Script()
    script.routes = {
        "/v1/embeddings": {
            "data": [{"index": 0, "embedding": [3, 4]}, {"index": 1, "embedding": [0, 0]}],
            "usage": {"prompt_tokens": 5},
        }
    }
    async with opened(script) as (engine, server):
        assert await engine.embed(["a", TokenPrompt((7,))]) == ([[0.6, 0.8], [0.0, 0.0]], 5)
    assert server.bodies("/v1/embeddings") == [{"model": "kestrel", "input": ["a", [7]], "encoding_format": "float"}]


async def test_what_a_server_has_no_route_for_is_not_supported() -> None:
    async with opened(Script()) as (engine, _):
        with pytest.raises(NotSupported, match="embeddings"):
            await engine.embed(["a"])
        with pytest.raises(NotSupported, match="tokenize"):
            await engine.tokenize("a")
        with pytest.raises(NotSupported, match="detokenize"):
            await engine.detokenize([1])
        with pytest.raises(NotSupported, match="logprobs of the prompt"):
            await deltas_of(engine, "Hi", extras=Extras(prompt_logprobs=True))
        assert engine.extras == ALL_EXTRAS - {"prompt_logprobs"}


async def test_a_missing_detokenize_does_not_cost_the_exact_count() -> None:
    script = Script(owned_by="vllm")
    script.routes = {"/tokenize": {"count": 1, "tokens": [7], "token_strs": ["Hi"]}}
    async with opened(script) as (engine, _):
        with pytest.raises(NotSupported):
            await engine.detokenize([7])
        assert (await engine.count_tokens("Hi")).exact
        assert await engine.tokenize("Hi") == [Token(7, "Hi", b"Hi")]


async def test_the_real_llama_cpp_gives_all_of_it() -> None:
    async with llama_server(EYAS) as url:
        engine = OpenAIEngine(Endpoint(name="llama", url=url), 20)
        try:
            for prompt in (HI, "Hello"):
                deltas = await deltas_of(engine, prompt, extras=Extras(top_logprobs=2))
                tokens = [token for delta in deltas for token in delta.tokens]
                text = "".join(delta.text for delta in deltas)
                assert b"".join(token.raw for token in tokens).decode() == text
                assert await engine.detokenize([token.id for token in tokens]) == text
                assert all(len(token.top) == 2 for token in tokens)
            ids = TokenPrompt(tuple(token.id for token in await engine.tokenize("Hello")))
            assert await text_of(engine, ids) == await text_of(engine, "Hello")
            yes = SamplingParams(temperature=0.0, grammar=Grammar("regex", "yes|no"))
            assert await text_of(engine, HI, yes) in ("yes", "no")
            first = (await engine.tokenize("yes", special=False))[0]
            banned = SamplingParams(
                temperature=0.0, grammar=Grammar("regex", "yes|no"), logit_bias=((first.id, -100.0),)
            )
            assert await text_of(engine, "Hello", banned) == "no"
            begins = SamplingParams(max_tokens=4, temperature=0.0, grammar=Grammar("json_object"))
            assert (await text_of(engine, "Hello", begins)).startswith("{")
            with pytest.raises(InvalidRequest):
                await deltas_of(engine, TokenPrompt((-1,)))
            with pytest.raises(NotSupported):
                await engine.embed(["Hello"])
        finally:
            await engine.aclose()
