"""The engine for OpenAI-compatible servers: what it asks, what it adapts to, and what it knows of the server."""

from __future__ import annotations

import asyncio
import base64
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from falconry.engines.base import ALL_SAMPLING, Engine
from falconry.engines.openai import OpenAIEngine
from falconry.errors import ContextWindowExceeded, EngineError, FalconryError, InvalidRequest, NotSupported
from falconry.messages import Delta, Grammar, Message, Prompt, SamplingParams, TokenCount, Usage
from falconry.protocols.openai_answers import usage_body, usage_chunk
from falconry.protocols.sse import DONE, encode_json
from falconry.settings import Endpoint
from tests.engines.servers import Connection, Request, Server, serve
from tests.engines.stubs import HEAD, chat_chunk

HI = [Message("user", "Hi")]
USAGE = Usage(9, 1)
EVERYTHING = SamplingParams(20, 0.5, 0.9, 40, 0.05, repetition_penalty=1.1, stop=("a", "b", "c", "d", "e"), seed=3)


class Script:
    """A server whose /models, refusals and answer are set by the test."""

    def __init__(self, frames: list[bytes] | None = None, **model: Any) -> None:
        self.models: Any = {"data": [{"id": "kestrel"} | model, {"id": "merlin"}]}
        self.refusals: list[tuple[int, object]] = []
        self.routes: dict[str, object] = {}
        self.frames = frames or [
            encode_json(chat_chunk(role=True)),
            encode_json(chat_chunk(text="Lions")),
            encode_json(chat_chunk(finish="stop")),
            encode_json(usage_chunk(HEAD, USAGE)),
            DONE,
        ]

    async def __call__(self, request: Request, connection: Connection) -> None:
        if request.path == "/v1/models":
            await connection.json(self.models, 200 if self.models else 404)
        elif request.path in self.routes:
            await connection.json(self.routes[request.path])
        elif request.path not in ("/v1/chat/completions", "/v1/completions"):
            await connection.json({"error": "not here"}, 404)
        elif self.refusals:
            status, body = self.refusals.pop(0)
            await connection.json(body, status)
        else:
            await connection.head()
            await connection.send(b"".join(self.frames))


@asynccontextmanager
async def opened(script: Script, **values: Any) -> AsyncIterator[tuple[OpenAIEngine, Server]]:
    async with serve(script) as server:
        endpoint = Endpoint.model_validate({"name": "it", "url": f"{server.url}/v1/", **values})
        engine = OpenAIEngine(endpoint, 5)
        try:
            yield engine, server
        finally:
            await engine.aclose()


async def deltas_of(engine: Engine, prompt: Prompt, params: SamplingParams | None = None) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params or SamplingParams())) as deltas:
        return [delta async for delta in deltas]


async def text_of(engine: Engine, prompt: Prompt, params: SamplingParams | None = None) -> str:
    return "".join(delta.text for delta in await deltas_of(engine, prompt, params))


# What it asks


async def test_sends_only_what_is_set() -> None:
    async with opened(Script()) as (engine, server):
        assert await text_of(engine, HI) == "Lions"
    assert server.bodies("/v1/chat/completions") == [
        {
            "model": "kestrel",
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 1024,
            "temperature": 0.7,
            "messages": [{"role": "user", "content": "Hi"}],
        }
    ]


async def test_raw_prompts_go_to_completions_with_a_limit() -> None:
    async with opened(Script(max_model_len=100)) as (engine, server):
        await deltas_of(engine, "Hi", SamplingParams(max_tokens=None))
    (body,) = server.bodies("/v1/completions")
    assert body["prompt"] == "Hi"
    assert 90 <= body["max_tokens"] < 100


async def test_nothing_is_counted_where_the_limit_is_known() -> None:
    async with opened(Script(owned_by="vllm")) as (engine, server):
        await deltas_of(engine, "Hi", SamplingParams(max_tokens=5))
    assert [request.path for request in server.requests] == ["/v1/models", "/v1/completions"]


async def test_asks_for_the_endpoints_model_and_for_the_list_only_once() -> None:
    async with opened(Script(), model="merlin") as (engine, server):
        await deltas_of(engine, HI)
        await asyncio.gather(*(engine.context_length() for _ in range(3)))
        await deltas_of(engine, HI)
    assert [body["model"] for body in server.bodies("/v1/chat/completions")] == ["merlin", "merlin"]
    assert len(server.bodies("/v1/models")) == 1


async def test_a_server_without_a_list_still_answers() -> None:
    script = Script()
    script.models = None
    async with opened(script) as (engine, server):
        assert await text_of(engine, HI) == "Lions"
        assert await engine.context_length() is None
    assert server.bodies("/v1/chat/completions")[0]["model"] == "default"


@pytest.mark.parametrize(
    ("values", "header"),
    [
        ({}, None),
        ({"api_key": "k1"}, "Bearer k1"),
        ({"api_key": "user:pass", "auth": "basic"}, "Basic " + base64.b64encode(b"user:pass").decode()),
        ({"api_key": "dXNlcjpwYXNz", "auth": "basic"}, "Basic dXNlcjpwYXNz"),
    ],
)
async def test_sends_the_key(values: dict[str, str], header: str | None) -> None:
    async with opened(Script(), **values) as (engine, server):
        await deltas_of(engine, HI)
    assert {request.headers.get("authorization") for request in server.requests} == {header}


async def test_the_key_is_in_no_repr() -> None:
    engine = OpenAIEngine(Endpoint.model_validate({"name": "it", "url": "http://x/v1", "api_key": "secret1"}), 5)
    assert "secret1" not in repr(engine) + repr(vars(engine)) + repr(vars(engine._http))
    await engine.aclose()


async def test_loopback_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with opened(Script()) as (engine, _):
        assert await text_of(engine, HI) == "Lions"


# What it adapts to


async def test_leaves_out_the_fields_that_a_server_refuses_and_remembers() -> None:
    script = Script()
    script.refusals = [
        (400, {"error": {"message": "Unrecognized request arguments supplied: min_p, top_k", "type": "x"}}),
        (422, {"detail": [{"loc": ["body", "repetition_penalty"], "msg": "Extra inputs are not permitted"}]}),
        (400, {"error": {"message": "Unknown parameter: 'stream_options'.", "param": "stream_options"}}),
    ]
    async with opened(script) as (engine, server):
        assert engine.supports == ALL_SAMPLING
        assert await text_of(engine, HI, EVERYTHING) == "Lions"
        assert await text_of(engine, HI, EVERYTHING) == "Lions"
        refused = {"top_k", "min_p", "repetition_penalty"}
        assert engine.supports == ALL_SAMPLING - refused
    bodies = server.bodies("/v1/chat/completions")
    assert len(bodies) == 5
    assert set(bodies[-1]) == {"model", "stream", "messages", "max_tokens", "temperature", "top_p", "stop", "seed"}


async def test_newer_servers_want_max_completion_tokens() -> None:
    message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
    script = Script()
    script.refusals = [(400, {"error": {"message": message, "param": "max_tokens", "code": "unsupported_parameter"}})]
    async with opened(script) as (engine, server):
        await deltas_of(engine, HI)
        await deltas_of(engine, HI)
        assert "max_tokens" in engine.supports
    sent = [{"max_tokens", "max_completion_tokens"} & set(body) for body in server.bodies("/v1/chat/completions")]
    assert sent == [{"max_tokens"}, {"max_completion_tokens"}, {"max_completion_tokens"}]


async def test_a_bad_value_is_an_error_and_nothing_is_left_out() -> None:
    script = Script()
    script.refusals = [(400, {"error": {"message": "temperature must be below 0.4", "param": "temperature"}})]
    async with opened(script) as (engine, server):
        with pytest.raises(InvalidRequest, match=r"below 0\.4"):
            await deltas_of(engine, HI)
        assert "temperature" in engine.supports
    assert len(server.bodies("/v1/chat/completions")) == 1


async def test_asks_for_fewer_new_tokens_when_only_both_together_are_too_many() -> None:
    message = (
        "'max_tokens' or 'max_completion_tokens' is too large: 1024. This model's maximum context length is 2048 "
        "tokens and your request has 1500 input tokens (1024 > 2048 - 1500)."
    )
    script = Script()
    script.refusals = [(400, {"error": {"message": message, "type": "BadRequestError", "code": 400}})]
    async with opened(script) as (engine, server):
        assert await text_of(engine, HI) == "Lions"
    assert [body["max_tokens"] for body in server.bodies("/v1/chat/completions")] == [1024, 548]


async def test_asks_for_fewer_new_tokens_than_the_whole_context() -> None:
    """As vLLM 0.32 says it: first that the reply alone is too long, then that both together are."""
    alone = (
        "max_tokens=1024 cannot be greater than max_model_len=256. Please request fewer output tokens. "
        "(parameter=max_tokens, value=1024)"
    )
    both = (
        "'max_tokens' or 'max_completion_tokens' is too large: 255. This model's maximum context length is 256 "
        "tokens and your request has 100 input tokens (255 > 256 - 100)."
    )
    script = Script()
    script.refusals = [
        (400, {"error": {"message": message, "type": "BadRequestError", "code": 400}}) for message in (alone, both)
    ]
    async with opened(script) as (engine, server):
        assert await text_of(engine, HI) == "Lions"
    assert [body["max_tokens"] for body in server.bodies("/v1/chat/completions")] == [1024, 255, 156]


async def test_counts_what_the_server_keeps_to_itself() -> None:
    script = Script(max_model_len=64)
    script.refusals = [(400, {"error": {"message": "Too long.", "code": "context_length_exceeded"}})]
    async with opened(script) as (engine, _):
        with pytest.raises(ContextWindowExceeded) as caught:
            await deltas_of(engine, [Message("user", "word " * 200)])
    assert caught.value.prompt_tokens >= 200
    assert caught.value.limit == 64


async def test_repetition_penalty_has_another_name_in_llama_cpp() -> None:
    script = Script(owned_by="llamacpp")
    script.routes = {"/props": {"default_generation_settings": {"n_ctx": 512}}}
    async with opened(script) as (engine, server):
        await deltas_of(engine, HI, EVERYTHING)
        assert await engine.context_length() == 512
        assert engine.can_continue
    (body,) = server.bodies("/v1/chat/completions")
    assert body["repeat_penalty"] == 1.1
    assert "repetition_penalty" not in body


async def test_lm_studio_calls_the_repetition_penalty_as_llama_cpp_does() -> None:
    async with opened(Script(owned_by="organization_owner")) as (engine, server):
        await engine.context_length()
        assert engine.supports == ALL_SAMPLING - {"min_p", "typical_p"}  # known before the first reply
        await deltas_of(engine, HI, EVERYTHING)
    (body,) = server.bodies("/v1/chat/completions")
    assert body["repeat_penalty"] == 1.1


async def test_ollama_is_known_whatever_its_models_are_called() -> None:
    script = Script(id="hf.co/acme/kestrel-GGUF:Q4_K_M", owned_by="hf.co")
    script.routes = {"/api/version": {"version": "0.14.2"}}
    async with opened(script) as (engine, _):
        await engine.context_length()
        assert "min_p" not in engine.supports
    async with opened(Script(id="ft:kestrel:acme", owned_by="acme")) as (engine, _):
        await engine.context_length()
        assert engine.supports == ALL_SAMPLING


async def test_a_server_that_gives_no_shapes_is_remembered() -> None:
    script = Script()
    message = "response_format is not supported by this model"
    script.refusals = [(400, {"error": {"message": message, "param": "response_format"}})]
    async with opened(script) as (engine, _):
        with pytest.raises(NotSupported):
            await deltas_of(engine, HI, SamplingParams(grammar=Grammar("json_object")))
        assert engine.supports == ALL_SAMPLING - {"grammar"}
        assert await text_of(engine, HI) == "Lions"


async def test_a_chat_only_server_says_so() -> None:
    script = Script()
    script.refusals = [(404, {"error": {"message": "Unknown request URL"}})]
    async with opened(script) as (engine, _):
        with pytest.raises(EngineError) as caught:
            await deltas_of(engine, "Hi")
    assert caught.value.code == "endpoint_no_completions"


# What it reads


async def test_thinking_is_kept_apart() -> None:
    frames = [
        encode_json(chat_chunk(role=True)),
        encode_json(chat_chunk(thinking="Hm.")),
        encode_json(chat_chunk(text="Lions")),
        encode_json(chat_chunk(finish="stop")),
        DONE,
    ]
    async with opened(Script(frames)) as (engine, _):
        deltas = await deltas_of(engine, HI)
    assert "".join(delta.thinking for delta in deltas) == "Hm."
    assert "".join(delta.text for delta in deltas) == "Lions"
    assert deltas[-1].usage is None


async def test_usage_may_come_with_the_finish_reason() -> None:
    last = chat_chunk(text="Lions", finish="length") | {"usage": usage_body(USAGE)}
    async with opened(Script([encode_json(last)])) as (engine, _):
        assert (await deltas_of(engine, HI))[-1] == Delta("", finish_reason="length", usage=USAGE)


async def test_a_server_that_does_not_stream_is_understood() -> None:
    whole = {"choices": [{"message": {"content": "Lions"}, "finish_reason": "stop"}], "usage": usage_body(USAGE)}
    script = Script()
    script.refusals = [(200, whole)]
    async with opened(script) as (engine, _):
        deltas = await deltas_of(engine, HI)
    assert deltas == [Delta("Lions"), Delta(finish_reason="stop", usage=USAGE)]


@pytest.mark.parametrize(("reason", "code"), [("content_filter", "endpoint_filtered"), ("error", "engine_interrupted")])
async def test_a_reply_that_is_not_whole_is_an_error(reason: str, code: str) -> None:
    frame: Any = chat_chunk(text="Lions", finish="stop")
    frame["choices"][0]["finish_reason"] = reason
    seen = ""
    async with (
        opened(Script([encode_json(frame)])) as (engine, _),
        aclosing(engine.generate(HI, SamplingParams())) as deltas,
    ):
        seen += (await anext(deltas)).text
        with pytest.raises(FalconryError) as caught:
            await anext(deltas)
    assert (seen, caught.value.code) == ("Lions", code)


async def test_what_the_server_does_not_stop_at_we_do() -> None:
    frames = [encode_json(chat_chunk(text=text)) for text in ("Lions", ".\nUs", "er: and", " more")]
    async with opened(Script(frames)) as (engine, _):
        deltas = await deltas_of(engine, HI, SamplingParams(stop=("\nUser:",)))
    assert "".join(delta.text for delta in deltas) == "Lions."
    assert deltas[-1].finish_reason == "stop"


# What it knows of the server


@pytest.mark.parametrize(
    ("model", "values", "length"),
    [
        ({"max_model_len": 4096}, {}, 4096),
        ({"max_model_len": 4096}, {"context_length": 1024}, 1024),
        ({"meta": {"n_ctx_train": 2048}}, {}, 2048),
        ({"context_window": 8192}, {}, 8192),
        ({}, {}, None),
    ],
)
async def test_knows_the_context_length(model: dict[str, Any], values: dict[str, Any], length: int | None) -> None:
    async with opened(Script(**model), **values) as (engine, _):
        assert await engine.context_length() == length


async def test_an_estimate_says_so_and_learns() -> None:
    async with opened(Script()) as (engine, _):
        before = await engine.count_tokens(HI)
        assert not before.exact
        for _ in range(3):
            await deltas_of(engine, HI)
        after = await engine.count_tokens(HI)
        assert after.tokens == USAGE.prompt_tokens
        assert after.error < before.error


async def test_vllm_counts_and_continues_what_it_is_sent() -> None:
    script = Script(owned_by="vllm")
    script.routes = {"/tokenize": {"count": 7, "max_model_len": 4096, "tokens": [0] * 7}}
    begun = [*HI, Message("assistant", "Lions and")]
    async with opened(script) as (engine, server):
        assert await engine.count_tokens(begun) == TokenCount(7)
        assert engine.can_continue
        await deltas_of(engine, begun)
        assert await engine.count_tokens("Hi") == TokenCount(7)
    flags = {"add_generation_prompt": False, "continue_final_message": True}
    chat, raw = server.bodies("/tokenize")
    assert flags.items() <= chat.items()
    assert raw == {"model": "kestrel", "prompt": "Hi"}
    assert flags.items() <= server.bodies("/v1/chat/completions")[0].items()


async def test_a_count_that_a_proxy_hides_is_estimated() -> None:
    async with opened(Script(owned_by="vllm")) as (engine, server):
        assert not (await engine.count_tokens(HI)).exact
        assert not (await engine.count_tokens(HI)).exact
    assert len(server.bodies("/tokenize")) == 1


async def test_the_plain_format_is_a_matter_of_the_endpoint() -> None:
    async with opened(Script(), prompt_format="plain") as (engine, _):
        assert not await engine.has_chat_template()
    async with opened(Script()) as (engine, _):
        assert await engine.has_chat_template()
        assert not engine.can_continue


# The real llama.cpp

_SERVE = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.hostnames, params.port = sys.argv[1], ["127.0.0.1"], int(sys.argv[2])
params.n_ctx, params.n_parallel, params.verbosity, params.cache_ram_mib = 1024, 1, -1, 0
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("ready", flush=True)
sys.stdin.read()
import os
os._exit(0)
"""


@asynccontextmanager
async def llama_server(model: Path) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SERVE,
        str(model),
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            while b"ready" not in (line := await process.stdout.readline()):
                assert line, "llama.cpp did not start"
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.stdin.close()
        await process.wait()


async def test_the_real_llama_cpp(tmp_path: Path) -> None:
    from tests.engines.tiny_gguf import write_reciter

    pieces = [" 隼".encode(), *(f" w{number}".encode() for number in range(20))]
    model = write_reciter(tmp_path / "reciter.gguf", pieces)
    whole = b"".join(pieces).decode()
    greedy = SamplingParams(temperature=0.0, repetition_penalty=1.0, min_p=0.05, top_k=40)
    async with llama_server(model) as url:
        engine = OpenAIEngine(Endpoint(name="llama", url=url), 20)
        for prompt in (HI, "Hi there"):
            deltas = await deltas_of(engine, prompt, greedy)
            assert "".join(delta.text for delta in deltas) == whole
            assert deltas[-1].usage is not None
            assert await engine.count_tokens(prompt) == TokenCount(deltas[-1].usage.prompt_tokens)
        assert await engine.context_length() == 1024
        assert await engine.render(HI) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        assert engine.can_continue
        begun = [*HI, Message("assistant", " 隼 w0 w1")]
        assert await text_of(engine, begun, greedy) == whole.removeprefix(" 隼 w0 w1")
        count = await engine.count_tokens(begun)
        assert count.tokens == (await engine.count_tokens(HI)).tokens + 3
        with pytest.raises(ContextWindowExceeded) as caught:
            await deltas_of(engine, "w1 " * 2000)
        assert caught.value.limit == 1024
        assert caught.value.prompt_tokens > 2000
        await engine.aclose()
