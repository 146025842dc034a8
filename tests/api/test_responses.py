"""/v1/responses, with OpenAI's own client and with raw requests."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, Literal

import httpx
import openai
import pytest
from pydantic import BaseModel

from falconry.api import answering
from falconry.errors import ContextWindowExceeded, EngineInterrupted, EngineOverloaded
from falconry.messages import Delta, Message, ToolCall
from falconry.services import Services
from tests.api.scripted import CUT, END, ScriptedEngine, asked, call, read_events, server_of
from tests.conftest import LiveServer

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
    "strict": True,
}
REPLY = (Delta("Good "), Delta("day."), END)
BREAKS = EngineInterrupted("gone")


class Bird(BaseModel):
    kind: Literal["falcon", "owl"]
    wild: bool


def client_of(server: LiveServer) -> openai.AsyncOpenAI:
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0, http_client=http)


async def post(server: LiveServer, **fields: object) -> httpx.Response:
    return await server.client.post("/v1/responses", json={"input": "Hello", **fields})


async def test_the_clients_response(services: Services) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(REPLY)}) as server, client_of(server) as client:
        response = await client.responses.create(
            model="gpt-5", input="Hello", instructions="Be short.", metadata={"a": "b"}, store=True, truncation="auto"
        )
    assert response.output_text == "Good day."
    assert response.model == "scripted", "the name of the model that answered"
    assert response.status == "completed"
    assert response.instructions == "Be short."
    assert response.metadata == {"a": "b"}
    assert response.to_dict()["store"] is False
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (7, 3, 10)
    assert response.usage.input_tokens_details.cached_tokens == 2


async def test_the_clients_stream(services: Services) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(REPLY)}) as server, client_of(server) as client:
        async with client.responses.stream(model="x", input="Hello") as stream:
            deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
            final = await stream.get_final_response()
        raw = [event.type async for event in await client.responses.create(model="x", input="Hello", stream=True)]
    assert deltas == ["Good ", "day."]
    assert final.output_text == "Good day."
    assert final.usage is not None
    assert raw[0] == "response.created"
    assert raw[-1] == "response.completed"


@pytest.mark.parametrize(
    ("script", "status"), [((END,), "completed"), ((Delta(), END), "completed"), ((CUT,), "incomplete")]
)
async def test_empty_replies_are_an_empty_text(services: Services, script: tuple[Delta, ...], status: str) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(script)}) as server, client_of(server) as client:
        response = await client.responses.create(model="x", input="Hello")
        assert (response.status, response.output_text, len(response.output)) == (status, "", 1)
        stream = await client.responses.create(model="x", input="Hello", stream=True)
        last = [event async for event in stream][-1]
    assert last.type == f"response.{status}"


async def test_thoughts_are_an_item_of_their_own(services: Services) -> None:
    engine = ScriptedEngine((Delta(thinking="I think."), *REPLY))
    async with server_of(services, {"scripted": engine}) as server, client_of(server) as client:
        async with client.responses.stream(model="x", input="Hello", reasoning={"effort": "low"}) as stream:
            final = await stream.get_final_response()
        assert [item.type for item in final.output] == ["reasoning", "message"]
        history: Any = [{"role": "user", "content": "Hello"}, *final.output, {"role": "user", "content": "And?"}]
        await client.responses.create(model="x", input=history)
    assert asked(engine) == [Message("user", "Hello"), Message("assistant", "Good day."), Message("user", "And?")]


async def test_functions_go_there_and_back(services: Services) -> None:
    script = (Delta("Let me look."), *call(0, "get_weather", '{"city": ', '"Paris"}'), *call(1, "now"), END)
    engine = ScriptedEngine(script)
    tools: Any = [WEATHER, {"type": "function", "name": "now"}]
    async with server_of(services, {"scripted": engine}) as server, client_of(server) as client:
        response = await client.responses.create(model="x", input="Hello", tools=tools)
        calls = [item for item in response.output if item.type == "function_call"]
        assert [(item.call_id, item.name, item.arguments) for item in calls] == [
            ("call_0", "get_weather", '{"city": "Paris"}'),
            ("call_1", "now", "{}"),
        ]
        async with client.responses.stream(model="x", input="Hello", tools=tools) as stream:
            pieces = [event.delta async for event in stream if event.type == "response.function_call_arguments.delta"]
            streamed = await stream.get_final_response()
        assert "".join(pieces) == '{"city": "Paris"}'
        assert [item.type for item in streamed.output] == ["message", "function_call", "function_call"]
        history: Any = [
            {"role": "developer", "content": "Be short."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
            *response.output,
            {"type": "function_call_output", "call_id": "call_0", "output": "18 degrees"},
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "noon"}]},
        ]
        await client.responses.create(model="x", input=history, tools=tools)
    assert asked(engine) == [
        Message("system", "Be short."),
        Message("user", "Hello"),
        Message(
            "assistant",
            "Let me look.",
            (ToolCall("call_0", "get_weather", '{"city": "Paris"}'), ToolCall("call_1", "now", "{}")),
        ),
        Message("tool", "18 degrees", tool_call_id="call_0"),
        Message("tool", "noon", tool_call_id="call_1"),
    ]


async def test_tool_choice_in_the_engines_words(services: Services) -> None:
    engine = ScriptedEngine(REPLY)
    only = [{"type": "function", "name": "now"}]
    async with server_of(services, {"scripted": engine}) as server:
        for choice, tools, wanted in (
            ("auto", 2, "auto"),
            ("required", 2, "required"),
            ({"type": "function", "name": "now"}, 2, "now"),
            ({"type": "allowed_tools", "mode": "required", "tools": only}, 1, "required"),
            ("none", 0, "auto"),
            (None, 2, "auto"),
        ):
            answer = await post(server, tools=[WEATHER, *only], tool_choice=choice)
            assert answer.status_code == 200, answer.text
            assert answer.json()["tool_choice"] == (choice or "auto")
            extras = engine.asked[-1][2]
            assert (len(extras.tools), extras.tool_choice) == (tools, wanted)


async def test_sampling_params_reach_the_engine(services: Services) -> None:
    engine = ScriptedEngine(REPLY)
    async with server_of(services, {"scripted": engine}) as server:
        answer = await post(server, temperature=0.5, top_p=0.9, max_output_tokens=5.0, stream=None, unknown=[1])
        assert answer.status_code == 200
        params = engine.asked[-1][1]
        assert (params.temperature, params.top_p, params.max_tokens) == (0.5, 0.9, 5)
        await post(server, include=["message.output_text.logprobs"], top_logprobs=3)
        assert engine.asked[-1][2].top_logprobs == 3
        await post(server)
        assert engine.asked[-1][2].top_logprobs is None
        assert engine.asked[-1][1].max_tokens is None


async def test_the_shape_of_a_reply_is_asked_of_the_engine(services: Services) -> None:
    engine = ScriptedEngine((Delta('{"kind": "owl", '), Delta('"wild": true}'), END))
    async with server_of(services, {"scripted": engine}) as server, client_of(server) as client:
        parsed = await client.responses.parse(model="x", input="Hello", text_format=Bird)
        assert parsed.output_parsed == Bird(kind="owl", wild=True)
        grammar = engine.asked[-1][1].grammar
        assert grammar is not None
        assert json.loads(grammar.text)["required"] == ["kind", "wild"]
        async with client.responses.stream(model="x", input="Hello", text_format=Bird) as stream:
            assert (await stream.get_final_response()).output_parsed == Bird(kind="owl", wild=True)
        await post(server, text={"format": {"type": "json_object"}})
        grammar = engine.asked[-1][1].grammar
        assert grammar is not None
        assert grammar.kind == "json_object"
        await post(server, text={"format": {"type": "text"}, "verbosity": "low"})
        assert engine.asked[-1][1].grammar is None


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"input": []}, "input"),
    ({"input": None}, "input"),
    ({"input": 5}, "input"),
    ({"max_output_tokens": -4}, "max_output_tokens"),
    ({"temperature": "hot"}, "temperature"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "fetches no picture"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "x"}]}]}, "file_id"),
    ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input_file"),
    ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "text"),
    ({"input": [{"role": "nobody", "content": "x"}]}, "role"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "item_reference"),
    ({"input": [{"type": "function_call", "call_id": "a", "name": "b", "arguments": "{}"}]}, "results"),
    ({"tools": [{"type": "web_search"}]}, "web_search"),
    ({"tools": [{"type": "function"}]}, "name"),
    ({"tools": [WEATHER, WEATHER]}, "same name"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "other"}}, "other"),
    (
        {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "tools": [{"type": "function", "name": "o"}]}},
        "tool",
    ),
    ({"tools": [WEATHER], "tool_choice": {"type": "file_search"}}, "file_search"),
    ({"tool_choice": "required"}, "tool"),
    ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "schema"),
    ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "nonsense"}}}}, "schema"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"conversation": {"id": "conv_1"}}, "conversation"),
    ({"background": True}, "background"),
    ({"prompt": {"id": "p"}}, "prompt"),
]


async def test_what_cannot_be_done_is_refused_by_name(services: Services) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(REPLY)}) as server:
        for fields, says in REFUSED:
            for streamed in (False, True):
                answer = await post(server, stream=streamed, **fields)
                assert answer.status_code == 400, (fields, answer.text)
                error = answer.json()["error"]
                assert error["type"] == "invalid_request_error"
                assert says in error["message"]


async def test_nothing_is_stored(services: Services) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(REPLY)}) as server, client_of(server) as client:
        response = await client.responses.create(model="x", input="Hello", store=True)
        for lost in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
            with pytest.raises(openai.NotFoundError):
                await lost(response.id)
        fine = await post(server, background=False, previous_response_id=None, conversation=None)
        assert fine.status_code == 200


@pytest.mark.parametrize(
    ("error", "raises"),
    [
        (ContextWindowExceeded(9000, 4096), openai.BadRequestError),
        (EngineOverloaded("busy", retry_after=3), openai.RateLimitError),
        (EngineInterrupted("gone"), openai.InternalServerError),
    ],
)
async def test_errors_before_the_first_token_are_statuses(
    services: Services, error: Any, raises: type[openai.APIStatusError]
) -> None:
    async with server_of(services, {"scripted": ScriptedEngine((error,))}) as server, client_of(server) as client:
        with pytest.raises(raises, match=error.message):
            await client.responses.create(model="x", input="Hello")
        with pytest.raises(raises, match=error.message):
            await client.responses.create(model="x", input="Hello", stream=True)


@pytest.mark.parametrize("script", [(Delta("Good"), BREAKS), (Delta("Good"),), (0.1, BREAKS)])
async def test_a_stream_that_breaks_fails_and_never_looks_finished(
    services: Services, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "PATIENCE", 0.02)
    async with server_of(services, {"scripted": ScriptedEngine(script)}) as server, client_of(server) as client:
        async with client.responses.stream(model="x", input="Hello") as stream:
            kinds = [event.type async for event in stream]
            assert kinds[0] == "response.created"
            assert kinds[-1] == "response.failed"
            assert "response.completed" not in kinds
        text = (await post(server, stream=True)).text
    assert read_events(text)[-1][1]["response"]["error"]["code"] == "server_error"


@pytest.mark.parametrize("streamed", [False, True])
async def test_leaving_stops_the_work(services: Services, streamed: bool) -> None:
    engine = ScriptedEngine((Delta("Good"), math.inf))
    async with server_of(services, {"scripted": engine}) as server:
        with pytest.raises(httpx.ReadTimeout):
            await server.client.post("/v1/responses", json={"input": "Hello", "stream": streamed}, timeout=0.5)
        async with asyncio.timeout(1):
            await engine.closed.wait()
