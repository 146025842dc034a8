"""/v1/messages, with Anthropic's own client and with raw requests."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import anthropic
import httpx
import pytest

from falconry.api import answering
from falconry.engines.canned import CannedEngine
from falconry.errors import ContextWindowExceeded, EngineInterrupted, EngineOverloaded
from falconry.messages import Delta, Message, ToolCall
from falconry.services import Services
from tests.api.scripted import CUT, END, ScriptedEngine, asked, call, read_events, server_of
from tests.conftest import LiveServer

HELLO: Any = [{"role": "user", "content": "Hello"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
}
RESULT = {"type": "tool_result", "tool_use_id": "a"}
REPLY = (Delta("Good "), Delta("day."), END)
DIRECT = {"caller": {"type": "direct"}}


def text_block(text: str) -> dict[str, object]:
    return {"type": "text", "text": text, "citations": None}


def client_of(server: LiveServer, key: str = "x") -> anthropic.AsyncAnthropic:
    http = anthropic.DefaultAsyncHttpxClient(trust_env=False)
    return anthropic.AsyncAnthropic(base_url=server.url, api_key=key, max_retries=0, http_client=http)


async def post(server: LiveServer, /, **fields: object) -> httpx.Response:
    return await server.client.post("/v1/messages", json={"max_tokens": 50, "messages": HELLO, **fields})


async def count(server: LiveServer, /, **fields: object) -> int:
    answer = await server.client.post("/v1/messages/count_tokens", json={"messages": HELLO, **fields})
    return int(answer.json()["input_tokens"])


async def events_of(server: LiveServer, **fields: object) -> list[tuple[str, dict[str, Any]]]:
    answer = await post(server, stream=True, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return read_events(answer.text)


async def test_the_clients_message(services: Services) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(REPLY)}) as server, client_of(server) as client:
        message = await client.messages.create(model="claude-opus", messages=HELLO, max_tokens=50)
    assert message.id.startswith("msg_")
    assert message.model == "scripted", "the name of the model that answered"
    assert [block.to_dict() for block in message.content] == [text_block("Good day.")]
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 3)


async def test_the_clients_stream(services: Services) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(REPLY)}) as server, client_of(server) as client:
        stream = client.messages.stream(model="x", messages=HELLO, max_tokens=50)
        async with stream as events:
            texts = [text async for text in events.text_stream]
            final = await events.get_final_message()
    assert texts == ["Good ", "day."]
    assert final.content[0].to_dict()["text"] == "Good day."
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 3


@pytest.mark.parametrize("script", [(END,), (Delta(), END), (CUT,)])
async def test_empty_replies_are_an_empty_text(services: Services, script: tuple[Delta, ...]) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(script)}) as server, client_of(server) as client:
        message = await client.messages.create(model="x", messages=HELLO, max_tokens=50)
        assert [block.to_dict() for block in message.content] == [text_block("")]
        async with client.messages.stream(model="x", messages=HELLO, max_tokens=50) as events:
            assert await events.get_final_text() == ""
        assert [name for name, _ in await events_of(server)] == [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]


async def test_a_stop_sequence_is_named_and_left_out(services: Services) -> None:
    engine = CannedEngine(text="one two three", rate=math.inf)
    async with server_of(services, {"bot": engine}) as server:
        whole = (await post(server, stop_sequences=["zero", " two"])).json()
        assert whole["content"] == [text_block("one")]
        assert (whole["stop_reason"], whole["stop_sequence"]) == ("stop_sequence", " two")
        events = await events_of(server, stop_sequences=["one"])
        assert events[-2][1]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "one"}
        assert "content_block_delta" not in [name for name, _ in events]


async def test_thoughts_are_blocks_of_their_own_unless_they_are_not_wanted(services: Services) -> None:
    engine = ScriptedEngine((Delta(thinking="I think."), *REPLY))
    async with server_of(services, {"scripted": engine}) as server, client_of(server) as client:
        async with client.messages.stream(
            model="x", messages=HELLO, max_tokens=50, thinking={"type": "enabled", "budget_tokens": 1024}
        ) as events:
            final = await events.get_final_message()
        assert [block.type for block in final.content] == ["thinking", "text"]
        hidden = (await post(server, thinking={"type": "disabled"})).json()
        assert hidden["content"] == [text_block("Good day.")]


async def test_tools_go_there_and_back(services: Services) -> None:
    engine = ScriptedEngine(
        (Delta("Let me look."), *call(0, "get_weather", '{"city": ', '"Paris"}'), *call(1, "now"), END)
    )
    now: Any = {"name": "now", "input_schema": {"type": "object"}}
    async with server_of(services, {"scripted": engine}) as server, client_of(server) as client:
        message = await client.messages.create(model="x", messages=HELLO, max_tokens=50, tools=[WEATHER, now])
        assert message.stop_reason == "tool_use"
        assert [block.to_dict() for block in message.content] == [
            text_block("Let me look."),
            {"type": "tool_use", "id": "call_0", "name": "get_weather", "input": {"city": "Paris"}, **DIRECT},
            {"type": "tool_use", "id": "call_1", "name": "now", "input": {}, **DIRECT},
        ]
        async with client.messages.stream(model="x", messages=HELLO, max_tokens=50, tools=[WEATHER, now]) as events:
            streamed = await events.get_final_message()
        assert streamed.to_dict()["content"] == message.to_dict()["content"]
        results: Any = [
            {"type": "tool_result", "tool_use_id": "call_0", "content": [{"type": "text", "text": "18 degrees"}]},
            {"type": "tool_result", "tool_use_id": "call_1", "content": "broken clock", "is_error": True},
            {"type": "text", "text": "Well?"},
        ]
        history: Any = [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        await client.messages.create(model="x", messages=history, max_tokens=50, tools=[WEATHER])
    assert asked(engine)[1:] == [
        Message(
            "assistant",
            "Let me look.",
            (ToolCall("call_0", "get_weather", '{"city": "Paris"}'), ToolCall("call_1", "now", "{}")),
        ),
        Message("tool", "18 degrees", tool_call_id="call_0"),
        Message("tool", "Error: broken clock", tool_call_id="call_1"),
        Message("user", "Well?"),
    ]


async def test_tool_choice_in_the_engines_words(services: Services) -> None:
    engine = ScriptedEngine(REPLY)
    async with server_of(services, {"scripted": engine}) as server:
        for choice, tools, wanted in (
            ({"type": "auto"}, 1, "auto"),
            ({"type": "any"}, 1, "required"),
            ({"type": "tool", "name": "get_weather"}, 1, "get_weather"),
            ({"type": "none"}, 0, "auto"),
            (None, 1, "auto"),
        ):
            assert (await post(server, tools=[WEATHER], tool_choice=choice)).status_code == 200
            extras = engine.asked[-1][2]
            assert (len(extras.tools), extras.tool_choice) == (tools, wanted)


async def test_one_tool_at_a_time_where_the_program_wants_that(services: Services) -> None:
    engine = ScriptedEngine((*call(0, "get_weather", "{}"), *call(1, "get_weather", "{}"), END))
    async with server_of(services, {"scripted": engine}) as server:
        choice = {"type": "auto", "disable_parallel_tool_use": True}
        message = (await post(server, tools=[WEATHER], tool_choice=choice)).json()
    assert [block["id"] for block in message["content"]] == ["call_0"]


async def test_a_model_without_tools_of_its_own_uses_them_too(server: LiveServer) -> None:
    wanted: Any = {"type": "tool", "name": "get_weather"}
    async with client_of(server) as client:
        stream = client.messages.stream(
            model="eyas", messages=HELLO, max_tokens=100, tools=[WEATHER], tool_choice=wanted
        )
        async with stream as events:
            final = await events.get_final_message()
    assert final.stop_reason == "tool_use"
    use = final.content[0]
    assert use.type == "tool_use"
    assert use.name == "get_weather"
    assert use.input["city"] in ("Paris", "Rome")


async def test_sampling_params_and_the_system_message_reach_the_engine(services: Services) -> None:
    engine = ScriptedEngine(REPLY)
    system = [
        {"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Be kind."},
    ]
    async with server_of(services, {"scripted": engine}) as server:
        answer = await post(
            server, system=system, temperature=0.5, top_p=0.9, top_k=20, stop_sequences=["END"], max_tokens=10**7,
            metadata={"user_id": "u"}, stream=None, unknown=[1],
        )  # fmt: skip
        assert answer.status_code == 200
    params = engine.asked[-1][1]
    assert (params.temperature, params.top_p, params.top_k, params.stop) == (0.5, 0.9, 20, ("END",))
    assert params.max_tokens == 1_000_000
    assert asked(engine) == [Message("system", "Be short.\nBe kind."), Message("user", "Hello")]


async def test_the_shape_of_a_reply_is_asked_of_the_engine(services: Services) -> None:
    engine = ScriptedEngine(REPLY)
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    async with server_of(services, {"scripted": engine}) as server:
        form = {"type": "json_schema", "schema": schema}
        shapes: list[dict[str, object]] = [
            {"output_config": {"format": form, "effort": "low"}},
            {"output_format": form},
        ]
        for fields in shapes:
            assert (await post(server, **fields)).status_code == 200
            grammar = engine.asked[-1][1].grammar
            assert grammar is not None
            assert json.loads(grammar.text) == schema
        bad = await post(server, output_config={"format": {"type": "json_schema", "schema": {"type": "nonsense"}}})
        assert bad.status_code == 400


async def test_turns_of_one_role_are_one_turn_and_thoughts_are_not_read_again(services: Services) -> None:
    engine = ScriptedEngine(REPLY)
    messages = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "d"}]},
        {"role": "user", "content": "e"},
    ]  # fmt: skip
    async with server_of(services, {"scripted": engine}) as server:
        assert (await post(server, messages=messages)).status_code == 200
    assert asked(engine) == [Message("user", "a\n\nb\nc"), Message("assistant", "d"), Message("user", "e")]


async def test_a_last_message_of_the_assistant_is_continued(services: Services) -> None:
    engine = CannedEngine(text="one two three", rate=math.inf)
    messages = [*HELLO, {"role": "assistant", "content": [{"type": "text", "text": "one two"}]}]
    async with server_of(services, {"bot": engine, "scripted": ScriptedEngine(REPLY)}) as server:
        assert (await post(server, messages=messages)).json()["content"] == [text_block(" three")]
        refused = await post(server, messages=messages, model="scripted")
        assert refused.status_code == 400
        assert "continuing" in refused.json()["error"]["message"]


async def test_tokens_are_counted_as_a_reply_reports_them(services: Services) -> None:
    async with server_of(services, {}) as server, client_of(server) as client:
        counted = await client.messages.count_tokens(model="x", messages=HELLO, system="Be short.")
        reply = await client.messages.create(model="x", messages=HELLO, system="Be short.", max_tokens=1)
        start = (await events_of(server, system="Be short."))[0][1]
    assert counted.input_tokens == reply.usage.input_tokens == start["message"]["usage"]["input_tokens"]
    assert counted.input_tokens > 3


async def test_tools_count_too(services: Services) -> None:
    async with server_of(services, {}) as server:
        assert await count(server, tools=[WEATHER]) > await count(server)


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"messages": []}, "messages"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": None}, "max_tokens"),
    ({"temperature": "hot"}, "temperature"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "image"),
    ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "document"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "text"),
    ({"messages": [{"role": "user", "content": [{"type": ["text"]}]}]}, "type"),
    ({"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b"}]}]}, "tool_use"),
    ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b"}]}]}, "results"),
    ({"messages": [{"role": "user", "content": [{**RESULT, "content": [{"type": "image"}]}]}]}, "image"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search_20250305"),
    ({"tools": [{"name": "a"}]}, "input_schema"),
    ({"tools": [WEATHER, WEATHER]}, "same name"),
    ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}}, "other"),
    ({"tool_choice": {"type": "any"}}, "tool"),
    ({"mcp_servers": [{"url": "http://x"}]}, "mcp_servers"),
    ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
]


async def test_what_cannot_be_done_is_refused_by_name(services: Services) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(REPLY)}) as server:
        for fields, says in REFUSED:
            for streamed in (False, True):
                answer = await post(server, stream=streamed, **fields)
                assert answer.status_code == 400, (fields, answer.text)
                error = answer.json()
                assert error["type"] == "error"
                assert error["error"]["type"] == "invalid_request_error"
                assert says in error["error"]["message"]


@pytest.mark.parametrize(
    ("error", "raises"),
    [
        (ContextWindowExceeded(9000, 4096), anthropic.BadRequestError),
        (EngineOverloaded("busy", retry_after=3), anthropic.RateLimitError),
        (EngineInterrupted("gone"), anthropic.InternalServerError),
    ],
)
async def test_errors_before_the_first_token_are_statuses(
    services: Services, error: Any, raises: type[anthropic.APIStatusError]
) -> None:
    async with server_of(services, {"scripted": ScriptedEngine((error,))}) as server, client_of(server) as client:
        with pytest.raises(raises, match=error.message):
            await client.messages.create(model="x", messages=HELLO, max_tokens=5)
        with pytest.raises(raises, match=error.message):
            await client.messages.create(model="x", messages=HELLO, max_tokens=5, stream=True)


BREAKS = EngineInterrupted("gone")


@pytest.mark.parametrize("script", [(Delta("Good"), BREAKS), (Delta("Good"),), (0.1, BREAKS)])
async def test_a_stream_that_breaks_raises_and_never_looks_finished(
    services: Services, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "PATIENCE", 0.02)
    async with server_of(services, {"scripted": ScriptedEngine(script)}) as server, client_of(server) as client:
        with pytest.raises(anthropic.APIStatusError):
            async for _ in await client.messages.create(model="x", messages=HELLO, max_tokens=5, stream=True):
                pass
        events = await events_of(server)
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["type"] == "api_error"
    assert "message_stop" not in [name for name, _ in events]


async def test_answers_and_errors_have_an_id_where_the_client_looks_for_it(services: Services) -> None:
    async with server_of(services, {"scripted": ScriptedEngine(REPLY)}) as server, client_of(server) as client:
        message = await client.messages.create(model="x", messages=HELLO, max_tokens=5)
        assert message._request_id
        with pytest.raises(anthropic.BadRequestError) as caught:
            await client.messages.create(model="x", messages=[], max_tokens=5)
        assert caught.value.request_id


@pytest.mark.parametrize("streamed", [False, True])
async def test_leaving_stops_the_work(services: Services, streamed: bool) -> None:
    engine = ScriptedEngine((Delta("Good"), math.inf))
    async with server_of(services, {"scripted": engine}) as server:
        request = {"max_tokens": 50, "messages": HELLO, "stream": streamed}
        with pytest.raises(httpx.ReadTimeout):
            await server.client.post("/v1/messages", json=request, timeout=0.5)
        async with asyncio.timeout(1):
            await engine.closed.wait()


async def test_a_key_is_sent_as_anthropics_client_sends_it(server: LiveServer) -> None:
    people = server.services.people
    user = await people.add_user("ada", "correct horse")
    right = await people.create_key(user.id, "ci", ["inference"])
    wrong = await people.create_key(user.id, "notes", ["conversations"])
    async with client_of(server, right.key) as client:
        assert (await client.messages.create(model="x", messages=HELLO, max_tokens=5)).content
    for key, error in (("x", anthropic.AuthenticationError), (wrong.key, anthropic.PermissionDeniedError)):
        async with client_of(server, key) as client:
            with pytest.raises(error):
                await client.messages.create(model="x", messages=HELLO, max_tokens=5)
