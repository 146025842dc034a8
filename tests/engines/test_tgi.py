"""The engine for text-generation-inference: old servers and new ones, gateways in front, and TGI's own habits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from falconry.engines.canned import CannedEngine
from falconry.engines.tgi import TGIEngine
from falconry.errors import ContextWindowExceeded, EngineError, InvalidRequest, NotSupported
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    Grammar,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenCount,
    Tool,
    ToolCallDelta,
    Usage,
)
from falconry.protocols.sse import encode_json
from falconry.settings import Endpoint, Settings
from tests.engines.servers import Connection, Request, Server, serve
from tests.engines.stubs import TGIStub, last_frame, token_frame

HI = [Message("user", "Hi")]
PLAIN = "System:Be kind.\nUser: Which animals live on the savanna?\nAssistant:"


class Script:
    """A TGI whose routes, refusals and frames are set by the test; what is not there is a 404 without a body."""

    def __init__(self, *frames: dict[str, Any]) -> None:
        self.frames = frames
        self.routes: dict[str, object] = {}
        self.statuses: dict[str, int] = {}
        self.refusals: list[tuple[int, object]] = []
        self.stream_route = "/generate_stream"

    async def __call__(self, request: Request, connection: Connection) -> None:
        if request.path in self.routes:
            await connection.json(self.routes[request.path], self.statuses.get(request.path, 200))
        elif request.path != self.stream_route:
            await connection.head(self.statuses.get(request.path, 404), "text/plain")
        elif self.refusals:
            status, body = self.refusals.pop(0)
            await connection.json(body, status)
        else:
            await connection.head()
            await connection.send(b"".join(encode_json(frame) for frame in self.frames))


@asynccontextmanager
async def opened(handler: Script | TGIStub, **values: Any) -> AsyncIterator[tuple[TGIEngine, Server]]:
    async with serve(handler) as server:
        endpoint = Endpoint.model_validate({"name": "it", "url": server.url, "kind": "tgi", **values})
        engine = TGIEngine(endpoint, 5)
        try:
            yield engine, server
        finally:
            await engine.aclose()


async def deltas_of(
    engine: TGIEngine, prompt: Prompt, params: SamplingParams | None = None, extras: Extras = NO_EXTRAS
) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params or SamplingParams(), extras)) as deltas:
        return [delta async for delta in deltas]


async def text_of(engine: TGIEngine, prompt: Prompt, params: SamplingParams | None = None) -> str:
    return "".join(delta.text for delta in await deltas_of(engine, prompt, params))


def reply(*texts: str, finish: str = "eos_token", whole: str | None = None, last: str = "") -> list[dict[str, Any]]:
    """Frames of a reply; its last token is `last`, or the end of text."""
    frames = [token_frame(index + 1, text) for index, text in enumerate(texts)]
    everything = "".join(texts) + last if whole is None else whole
    end = last or "<|endoftext|>"
    return [
        *frames,
        last_frame(len(texts) + 1, end, everything, finish, input_length=9, special=not last),
    ]


# The lesson's way: a plain prompt, a Basic key, an old server


async def test_the_lessons_endpoint_works_from_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(TGIStub(CannedEngine(rate=10_000, text=" Lions."), chat=False)) as server:
        monkeypatch.setenv("HF_API_FALCOM_BASE", server.url)
        monkeypatch.setenv("HF_API_KEY", "dXNlcjpwYXNz")
        (endpoint,) = Settings().all_endpoints()
        engine = TGIEngine(endpoint, 5)
        assert not await engine.has_chat_template()
        assert await text_of(engine, PLAIN, SamplingParams(stop=("\nUser:", "<|endoftext|>"))) == " Lions."
        await engine.aclose()
    request = server.requests[-1]
    assert request.path == "/generate_stream"
    assert request.headers["authorization"] == "Basic dXNlcjpwYXNz"
    assert request.body["inputs"] == PLAIN


async def test_a_gateway_may_offer_nothing_but_the_base_url() -> None:
    script = Script(*reply(" Lions"))
    script.stream_route = "/"
    script.statuses = {"/generate_stream": 403}
    async with opened(script) as (engine, server):
        assert await text_of(engine, PLAIN) == " Lions"
        assert await text_of(engine, PLAIN) == " Lions"
    assert [request.path for request in server.requests] == ["/generate_stream", "/", "/"]
    assert server.bodies("/")[0]["stream"] is True


async def test_a_base_url_that_does_not_stream_is_understood() -> None:
    script = Script()
    script.stream_route = ""
    script.routes = {"/": [{"generated_text": " Lions", "details": {"finish_reason": "length", "generated_tokens": 1}}]}
    async with opened(script) as (engine, _):
        deltas = await deltas_of(engine, PLAIN)
    assert "".join(delta.text for delta in deltas) == " Lions"
    assert deltas[-1].finish_reason == "length"


# What it asks


async def test_temperature_0_is_sent_as_no_sampling() -> None:
    async with opened(Script(*reply(" Lions"))) as (engine, server):
        await deltas_of(engine, PLAIN, SamplingParams(max_tokens=20, temperature=0.0, top_p=1.0, seed=4))
    assert server.bodies("/generate_stream") == [
        {
            "inputs": PLAIN,
            "parameters": {
                "do_sample": False,
                "max_new_tokens": 20,
                "seed": 4,
                "return_full_text": False,
                "details": True,
            },
        }
    ]


async def test_as_many_tokens_as_fit_are_counted() -> None:
    script = Script(*reply(" Lions"))
    script.routes = {"/info": {"max_total_tokens": 100}, "/tokenize": [{}] * 30}
    async with opened(script) as (engine, server):
        await deltas_of(engine, PLAIN, SamplingParams(max_tokens=None))
    assert server.bodies("/generate_stream")[0]["parameters"]["max_new_tokens"] == 70


async def test_messages_go_to_the_chat_route_with_what_it_knows() -> None:
    async with opened(TGIStub(CannedEngine(rate=10_000))) as (engine, server):
        assert await engine.has_chat_template()
        known = {"max_tokens", "temperature", "top_p", "frequency_penalty", "stop", "seed", "grammar"}
        assert engine.supports == known
        await deltas_of(engine, HI, SamplingParams(5, 0.0, 1.0, 40, 0.1, repetition_penalty=1.2, stop=("a",), seed=3))
    (body,) = server.bodies("/v1/chat/completions")
    assert body == {
        "model": "tgi",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.0,
        "stop": ["a"],
        "seed": 3,
        "max_tokens": 5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


# What it reads


async def test_special_tokens_are_not_shown() -> None:
    frames = [token_frame(1, "<s>", special=True), *reply(" Lions")]
    async with opened(Script(*frames)) as (engine, _):
        deltas = await deltas_of(engine, PLAIN)
    assert "".join(delta.text for delta in deltas) == " Lions"
    assert deltas[-1] == Delta(finish_reason="stop", usage=Usage(9, 2))


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (reply(" Lions", last=" roar"), " Lions roar"),
        (reply(" Lions", whole=" Lions roar"), " Lions roar"),
        (reply(" Lions", " roar", whole="Lions roar!"), " Lions roar!"),
        (reply(" Lions", whole="Something else"), " Lions"),
        (reply(whole="Lions"), "Lions"),
    ],
    ids=["a token of its own", "only in the whole text", "whole text stripped", "whole text differs", "no tokens"],
)
async def test_the_last_token_is_never_lost(frames: list[dict[str, Any]], text: str) -> None:
    async with opened(Script(*frames)) as (engine, _):
        assert await text_of(engine, PLAIN) == text


async def test_the_stop_text_that_tgi_keeps_is_not_shown() -> None:
    frames = reply(" Lions", ".\n", "User", finish="stop_sequence", last=":")
    async with opened(Script(*frames)) as (engine, _):
        deltas = await deltas_of(engine, PLAIN, SamplingParams(stop=("\nUser:",)))
    assert "".join(delta.text for delta in deltas) == " Lions."
    assert deltas[-1] == Delta(finish_reason="stop", usage=Usage(9, 4), stop_sequence="\nUser:")


@pytest.mark.parametrize(("max_tokens", "reason"), [(2, "length"), (50, "stop")])
async def test_without_details_the_count_of_tokens_tells_why_it_ended(max_tokens: int, reason: str) -> None:
    frames = [token_frame(1, " Lions"), token_frame(2, " roar") | {"generated_text": " Lions roar"}]
    async with opened(Script(*frames)) as (engine, _):
        deltas = await deltas_of(engine, PLAIN, SamplingParams(max_tokens=max_tokens))
    assert (deltas[-1].finish_reason, deltas[-1].usage) == (reason, None)


# What programs want beside the text

WEATHER = Tool("weather")


async def test_tokens_have_their_ids_and_logprobs() -> None:
    first = {"id": 5, "text": " Lions", "logprob": -0.5, "special": False}
    end = {"id": 11, "text": "<|endoftext|>", "logprob": -1.5, "special": True}
    details = {"finish_reason": "eos_token", "generated_tokens": 2, "seed": None}
    frames: list[dict[str, Any]] = [
        {"index": 1, "token": first, "top_tokens": [first, end], "generated_text": None, "details": None},
        {"index": 2, "token": end, "top_tokens": [end], "generated_text": " Lions", "details": details},
    ]
    async with opened(Script(*frames)) as (engine, server):
        deltas = await deltas_of(engine, PLAIN, extras=Extras(top_logprobs=2))
        assert not any(delta.tokens for delta in await deltas_of(engine, PLAIN))
    lions, last = Token(5, " Lions", b" Lions", -0.5), Token(11, "<|endoftext|>", b"", -1.5, special=True)
    tokens = [token for delta in deltas for token in delta.tokens]
    assert tokens == [replace(lions, top=(lions, last)), replace(last, top=(last,))]
    asked = [body["parameters"].get("top_n_tokens") for body in server.bodies("/generate_stream")]
    assert asked == [2, None]


async def test_a_base_url_that_does_not_stream_gives_its_tokens_too() -> None:
    script = Script()
    script.stream_route = ""
    details = {"finish_reason": "length", "tokens": [{"id": 5, "text": " Lions", "logprob": -0.5, "special": False}]}
    script.routes = {"/": [{"generated_text": " Lions", "details": details}]}
    async with opened(script) as (engine, _):
        deltas = await deltas_of(engine, PLAIN, extras=Extras(top_logprobs=0))
    assert [token for delta in deltas for token in delta.tokens] == [Token(5, " Lions", b" Lions", -0.5)]


async def test_a_shape_is_asked_for_on_both_routes() -> None:
    grammar = Grammar("regex", "yes|no")
    async with opened(TGIStub(CannedEngine(rate=10_000))) as (engine, server):
        await deltas_of(engine, PLAIN, SamplingParams(grammar=grammar))
        await deltas_of(engine, HI, SamplingParams(grammar=grammar, frequency_penalty=0.5, typical_p=0.5))
    assert server.bodies("/generate_stream")[0]["parameters"]["grammar"] == {"type": "regex", "value": "yes|no"}
    (body,) = server.bodies("/v1/chat/completions")
    assert body["response_format"] == {"type": "regex", "value": "yes|no"}
    assert body["frequency_penalty"] == 0.5
    assert "typical_p" not in body


async def test_tools_go_to_the_chat_route_and_their_arguments_may_be_an_object() -> None:
    call = {"id": "0", "type": "function", "function": {"name": "weather", "arguments": {"city": "Al Ain"}}}
    script = Script()
    script.stream_route = "/v1/chat/completions"
    script.frames = ({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]},)
    async with opened(script) as (engine, server):
        deltas = await deltas_of(engine, HI, extras=Extras(tools=(WEATHER,)))
        with pytest.raises(NotSupported):
            await deltas_of(engine, PLAIN, extras=Extras(tools=(WEATHER,)))
    assert [piece for delta in deltas for piece in delta.tool_calls] == [
        ToolCallDelta(0, "0", "weather", '{"city": "Al Ain"}')
    ]
    assert server.bodies("/v1/chat/completions")[0]["tool_choice"] == "auto"


async def test_it_has_tools_where_it_chats() -> None:
    async with opened(TGIStub(CannedEngine())) as (engine, _):
        assert await engine.has_native_tools()
    async with opened(Script()) as (engine, _):
        assert not await engine.has_native_tools()


async def test_what_an_older_server_does_not_tell_is_not_supported() -> None:
    async with opened(Script(*reply(" Lions"))) as (engine, _):
        with pytest.raises(NotSupported, match="tokenize"):
            await engine.tokenize("a")
        for prompt in (PLAIN, HI):
            with pytest.raises(NotSupported, match="logprobs of the prompt"):
                await deltas_of(engine, prompt, extras=Extras(prompt_logprobs=True))


# Validation: as HTTP 422, or as a frame in a stream that began with 200

TOO_LONG = "Input validation error: `inputs` must have less than 1000 tokens. Given: 1234"
TOGETHER = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. "
    "Given: 1500 `inputs` tokens and 1024 `max_new_tokens`"
)


def as_status(script: Script, words: str) -> None:
    script.refusals = [(422, {"error": words, "error_type": "validation"})]


def as_frame(script: Script, words: str) -> None:
    script.refusals = [(200, {"error": words, "error_type": "validation"})]


WAYS = pytest.mark.parametrize("refuse", [as_status, as_frame])


@WAYS
async def test_too_long_a_prompt_has_both_numbers(refuse: Callable[[Script, str], None]) -> None:
    script = Script()
    refuse(script, TOO_LONG)
    async with opened(script) as (engine, _):
        with pytest.raises(ContextWindowExceeded) as caught:
            await deltas_of(engine, PLAIN)
    assert (caught.value.prompt_tokens, caught.value.limit) == (1234, 1000)


@WAYS
async def test_fewer_new_tokens_are_asked_for_when_only_both_are_too_many(
    refuse: Callable[[Script, str], None],
) -> None:
    script = Script(*reply(" Lions"))
    refuse(script, TOGETHER)
    async with opened(script) as (engine, server):
        assert await text_of(engine, PLAIN) == " Lions"
    asked = [body["parameters"]["max_new_tokens"] for body in server.bodies("/generate_stream")]
    assert asked == [1024, 548]


@WAYS
async def test_other_validation_is_an_invalid_request(refuse: Callable[[Script, str], None]) -> None:
    script = Script()
    refuse(script, "Input validation error: `repetition_penalty` must be strictly positive")
    async with opened(script) as (engine, _):
        with pytest.raises(InvalidRequest, match="strictly positive"):
            await deltas_of(engine, PLAIN)


# What it knows of the server


@pytest.mark.parametrize(
    ("info", "values", "length"),
    [
        ({"max_total_tokens": 2048, "max_input_length": 1024}, {}, 2048),
        ({"max_total_tokens": 2048}, {"context_length": 512}, 512),
        ({}, {}, None),
    ],
)
async def test_knows_the_context_length(info: object, values: dict[str, Any], length: int | None) -> None:
    script = Script()
    script.routes = {"/info": info}
    async with opened(script, **values) as (engine, server):
        assert await engine.context_length() == length
        assert await engine.context_length() == length
    assert len(server.requests) == (0 if values else 1)


async def test_counts_and_renders_by_the_servers_own_routes() -> None:
    async with opened(TGIStub(CannedEngine())) as (engine, _):
        assert await engine.count_tokens("one two") == TokenCount(2)
        assert await engine.count_tokens(HI) == await CannedEngine().count_tokens(HI)
        assert await engine.render(HI) == "user: Hi\nassistant:"


async def test_an_older_server_is_estimated_and_asked_only_once() -> None:
    async with opened(Script()) as (engine, server):
        assert not (await engine.count_tokens(PLAIN)).exact
        assert not (await engine.count_tokens(PLAIN)).exact
        assert await engine.render(HI) is None
    assert len(server.bodies("/tokenize")) == 1


@pytest.mark.parametrize(
    ("routes", "statuses", "template"),
    [
        ({"/chat_tokenize": {"tokenize_response": [{}], "templated_text": "x"}}, {}, True),
        (
            {"/chat_tokenize": {"error": "Template error", "error_type": "template_error"}},
            {"/chat_tokenize": 422},
            False,
        ),
        ({"/v1/chat/completions": {"choices": []}}, {}, True),
        (
            {"/v1/chat/completions": {"error": "template not found", "error_type": "template_error"}},
            {"/v1/chat/completions": 422},
            False,
        ),
        ({}, {}, False),
    ],
    ids=["tokenizes chats", "no template", "only chats", "chats without template", "none of it"],
)
async def test_knows_whether_there_is_a_chat_template(
    routes: dict[str, object], statuses: dict[str, int], template: bool
) -> None:
    script = Script()
    script.routes, script.statuses = routes, statuses
    async with opened(script) as (engine, server):
        assert await engine.has_chat_template() is template
        asked = len(server.requests)
        assert await engine.has_chat_template() is template
        assert len(server.requests) == asked


async def test_the_plain_format_needs_no_question() -> None:
    async with opened(TGIStub(CannedEngine()), prompt_format="plain") as (engine, server):
        assert not await engine.has_chat_template()
    assert server.requests == []


async def test_a_wrong_key_is_not_taken_for_a_missing_template() -> None:
    script = Script()
    script.statuses = {"/chat_tokenize": 401}
    async with opened(script) as (engine, _):
        with pytest.raises(EngineError) as caught:
            await engine.has_chat_template()
    assert caught.value.code == "endpoint_key_refused"
