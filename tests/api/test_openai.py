"""OpenAI's chat route over a real server: what clients see, chunk by chunk."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from falconry.api.openai_schemas import ChatBody
from falconry.engines.base import Engine
from falconry.engines.canned import CannedEngine
from falconry.messages import NO_EXTRAS, Delta, Extras, Prompt, SamplingParams, TokenCount, ToolCallDelta, Usage
from falconry.services import Services, open_services
from falconry.settings import Settings
from tests.api.programs import HELLO, post, serving, stream
from tests.conftest import LiveServer, serve

CHAT = "/v1/chat/completions"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}, "required": ["city"]},
    },
}
NAMED = {"type": "function", "function": {"name": "weather"}}
FINISHED: dict[str, Any] = {"delta": {}, "logprobs": None, "index": 0}


@pytest.fixture
async def eyas(make_settings: Callable[..., Settings]) -> AsyncGenerator[LiveServer, None]:
    async with open_services(make_settings(model="eyas")) as services, serve(services) as live:
        yield live


class Scripted(Engine):
    """Gives the deltas that it was made with, and keeps what it was asked."""

    kind = "canned"

    def __init__(self, *deltas: Delta, native_tools: bool = False, template: bool = True) -> None:
        self.deltas = deltas
        self.asked: list[tuple[Prompt, SamplingParams, Extras]] = []
        self._native_tools = native_tools
        self._template = template

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        self.asked.append((prompt, params, extras))
        for delta in self.deltas:
            yield delta

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        return TokenCount(7)

    async def context_length(self) -> int | None:
        return None

    async def has_chat_template(self) -> bool:
        return self._template

    async def has_native_tools(self) -> bool:
        return self._native_tools


END = Delta(finish_reason="stop", usage=Usage(3, 2))


async def test_a_stream_has_one_role_one_finish_and_the_usage_at_the_end(server: LiveServer) -> None:
    asked = {"messages": HELLO, "max_tokens": 5, "temperature": 0, "stream_options": {"include_usage": True}}
    seen = await stream(server, CHAT, **asked)
    assert seen.done
    assert seen.data[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert ["role" in choice["delta"] for choice in seen.choices()].count(True) == 1
    assert seen.choices()[-1] == {**FINISHED, "finish_reason": "length"}
    assert all(choice["finish_reason"] is None for choice in seen.choices()[:-1])
    assert seen.data[-1]["choices"] == []
    assert seen.data[-1]["usage"]["completion_tokens"] == 5
    assert all(data["usage"] is None for data in seen.data[:-1])
    assert len({(data["id"], data["created"], data["model"], data["object"]) for data in seen.data}) == 1
    whole = (await post(server, CHAT, **{**asked, "stream": False, "stream_options": None})).json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": seen.text(), "refusal": None}
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"] == seen.data[-1]["usage"]


async def test_no_usage_where_none_was_asked_for(server: LiveServer) -> None:
    seen = await stream(server, CHAT, messages=HELLO, max_tokens=2)
    assert not any("usage" in data for data in seen.data)


async def test_a_name_that_nobody_configured_means_the_default_model(server: LiveServer) -> None:
    for name in ("tgi", "dummy", "gpt-4o", "http://127.0.0.1:1/v1", "", None):
        answer = await post(server, CHAT, model=name, messages=HELLO, max_tokens=1)
        assert answer.json()["model"] == "canned"


async def test_strict_models_are_strict(make_settings: Callable[..., Settings]) -> None:
    async with open_services(make_settings(strict_models=True)) as services, serve(services) as live:
        answer = await post(live, CHAT, model="gpt-4o", messages=HELLO)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_models_are_listed_the_default_first_and_found_by_name(services: Services) -> None:
    engines = {"small": CannedEngine, "acme/big-7B": CannedEngine}
    async with serving(services, engines) as live:
        listed = (await live.client.get("/v1/models")).json()
        assert [model["id"] for model in listed["data"]] == ["small", "acme/big-7B"]
        for path in ("acme/big-7B", "acme%2Fbig-7B"):
            found = await live.client.get(f"/v1/models/{path}")
            assert found.json() == listed["data"][1]
        assert (await live.client.head("/v1/models")).status_code == 200
        missing = await live.client.get("/v1/models/acme/none")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


async def test_several_choices_come_in_order_and_are_counted_together(eyas: LiveServer) -> None:
    question = [{"role": "user", "content": "Tell me about lions."}]
    body = {"messages": question, "n": 3, "max_tokens": 6, "seed": 4, "temperature": 2, "stop": []}
    first = (await post(eyas, CHAT, **body)).json()
    assert [choice["index"] for choice in first["choices"]] == [0, 1, 2]
    texts = [choice["message"]["content"] for choice in first["choices"]]
    assert len(set(texts)) > 1
    assert first["usage"]["completion_tokens"] == 18
    single = (await post(eyas, CHAT, **{**body, "n": 1})).json()
    assert first["usage"]["prompt_tokens"] == single["usage"]["prompt_tokens"]
    assert single["choices"][0]["message"]["content"] == texts[0]
    seen = await stream(eyas, CHAT, **body, stream_options={"include_usage": True})
    assert [choice["index"] for choice in seen.choices() if "role" in choice["delta"]] == [0, 1, 2]
    assert sorted(choice["index"] for choice in seen.choices() if choice["finish_reason"]) == [0, 1, 2]
    assert [seen.text(index) for index in range(3)] == texts
    assert seen.data[-1]["usage"]["completion_tokens"] == 18


async def test_the_reply_ends_before_a_stop_text(eyas: LiveServer) -> None:
    question = [{"role": "user", "content": "Tell me about lions."}]
    whole = (await post(eyas, CHAT, messages=question, temperature=0)).json()["choices"][0]["message"]["content"]
    word = whole.split()[2]
    for stop in (word, [word], ["never said", word]):
        body = {"messages": question, "temperature": 0, "stop": stop, "logprobs": True}
        choice = (await post(eyas, CHAT, **body)).json()["choices"][0]
        assert choice["message"]["content"] == whole.partition(word)[0]
        assert choice["finish_reason"] == "stop"
        tokens = "".join(entry["token"] for entry in choice["logprobs"]["content"])
        assert tokens.startswith(choice["message"]["content"].rstrip())
        assert word not in tokens


async def test_logprobs_spell_the_text(eyas: LiveServer) -> None:
    question = [{"role": "user", "content": "你好"}]
    body = {"messages": question, "temperature": 0, "max_tokens": 12, "logprobs": True, "top_logprobs": 2}
    choice = (await post(eyas, CHAT, **body)).json()["choices"][0]
    entries = choice["logprobs"]["content"]
    spelled = b"".join(bytes(entry["bytes"]) for entry in entries)
    assert spelled.decode() == choice["message"]["content"]
    assert all(len(entry["top_logprobs"]) == 2 and entry["logprob"] <= 0 for entry in entries)
    seen = await stream(eyas, CHAT, **body)
    streamed = [entry for piece in seen.choices() if piece["logprobs"] for entry in piece["logprobs"]["content"]]
    assert [entry["token"] for entry in streamed] == [entry["token"] for entry in entries]
    assert all(piece["logprobs"] for piece in seen.choices() if piece["delta"].get("content"))


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"$": 1}}},
        {"type": "json_object", "value": {"$": 1}},  # huggingface_hub
        {"type": "json", "value": {"$": 1}},  # TGI
        {"type": "json_schema", "value": {"name": "x", "schema": {"$": 1}}},  # TGI 3
        {"type": "json_object", "schema": {"$": 1}},  # llama.cpp
    ],
    ids=["openai", "hub", "tgi", "tgi3", "llama.cpp"],
)
async def test_the_reply_follows_a_schema(eyas: LiveServer, form: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
    text = json.dumps(form).replace('{"$": 1}', json.dumps(schema))
    body = {"messages": HELLO, "response_format": json.loads(text), "max_tokens": 100}
    content = (await post(eyas, CHAT, **body)).json()["choices"][0]["message"]["content"]
    assert list(json.loads(content)) == ["sure"]


async def test_the_reply_follows_a_regular_expression(eyas: LiveServer) -> None:
    body = {"messages": HELLO, "response_format": {"type": "regex", "value": "[ab]{3}!"}}
    content = (await post(eyas, CHAT, **body)).json()["choices"][0]["message"]["content"]
    assert len(content) == 4
    assert set(content[:3]) <= {"a", "b"}


async def test_a_bias_decides(eyas: LiveServer) -> None:
    body = {"messages": HELLO, "max_tokens": 3, "temperature": 0, "logit_bias": {"300": 100}}
    text = (await post(eyas, CHAT, **body)).json()["choices"][0]["message"]["content"]
    echo = (await post(eyas, "/v1/completions", prompt=[300], max_tokens=0, echo=True)).json()["choices"][0]["text"]
    assert text == echo * 3


async def test_a_required_tool_is_called_by_a_model_that_knows_none(eyas: LiveServer) -> None:
    for choice, finish in (("required", "tool_calls"), (NAMED, "stop"), ("weather", "stop")):
        body = {"messages": HELLO, "tools": [TOOL], "tool_choice": choice, "max_tokens": 120}
        whole = (await post(eyas, CHAT, **body)).json()["choices"][0]
        assert whole["finish_reason"] == finish
        assert whole["message"]["content"] is None
        (call,) = whole["message"]["tool_calls"]
        assert call["function"]["name"] == "weather"
        assert json.loads(call["function"]["arguments"])["city"] in ("Rome", "Paris")
        seen = await stream(eyas, CHAT, **body)
        pieces = [piece for choice in seen.choices() for piece in choice["delta"].get("tool_calls", [])]
        assert [("id" in piece, "name" in piece["function"]) for piece in pieces].count((True, True)) == 1
        assert "id" in pieces[0]
        arguments = "".join(piece["function"]["arguments"] for piece in pieces)
        assert json.loads(arguments)["city"] in ("Rome", "Paris")
        assert seen.choices()[-1]["finish_reason"] == finish


async def test_a_model_may_answer_without_a_call_and_tools_may_be_switched_off(services: Services) -> None:
    engine = Scripted(Delta("Hi."), END)
    async with serving(services, {"m": lambda: engine}) as live:
        for choice in ("auto", "none", None):
            body = {"messages": HELLO, "tools": [TOOL], "tool_choice": choice}
            answer = (await post(live, CHAT, **body)).json()["choices"][0]
            assert (answer["message"]["content"], answer["finish_reason"]) == ("Hi.", "stop")
    told = [str(prompt) for prompt, _, _ in engine.asked]
    assert ["weather" in prompt for prompt in told] == [True, False, True]


async def test_native_tools_are_passed_on(services: Services) -> None:
    engine = Scripted(
        Delta("Hm. ", tool_calls=(ToolCallDelta(0, "c1", "weather"),)),
        Delta(tool_calls=(ToolCallDelta(0, arguments='{"city"'), ToolCallDelta(1, "c2", "weather", "{}"))),
        Delta(tool_calls=(ToolCallDelta(0, arguments=': "Rome"}'),)),
        END,
        native_tools=True,
    )
    async with serving(services, {"m": lambda: engine}) as live:
        body = {"messages": HELLO, "tools": [TOOL], "tool_choice": NAMED}
        message = (await post(live, CHAT, **body)).json()["choices"][0]["message"]
        assert message["content"] == "Hm. "
        assert [call["id"] for call in message["tool_calls"]] == ["c1", "c2"]
        assert message["tool_calls"][0]["function"]["arguments"] == '{"city": "Rome"}'
        single = (await post(live, CHAT, **body, parallel_tool_calls=False)).json()["choices"][0]["message"]
        assert [call["id"] for call in single["tool_calls"]] == ["c1"]
    extras = engine.asked[0][2]
    assert (extras.tools[0].name, extras.tool_choice) == ("weather", "weather")


async def test_a_conversation_is_read_in_every_form_that_clients_send(services: Services) -> None:
    engine = Scripted(Delta("ok"), END, native_tools=True)
    messages = [
        {"role": "developer", "content": "A."},
        {"role": "system", "content": [{"type": "text", "text": "B"}, {"type": "text", "text": "."}]},
        {"role": "user", "content": "hi", "name": None, "tool_calls": None},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "42"}]},
        {"role": "assistant", "content": "", "refusal": "No."},
    ]
    async with serving(services, {"m": lambda: engine}) as live:
        assert (await post(live, CHAT, messages=messages)).status_code == 200
    prompt = engine.asked[0][0]
    assert not isinstance(prompt, str)
    assert [(m.role, m.content, m.tool_call_id) for m in prompt] == [  # type: ignore[union-attr]
        ("system", "A.\n\nB.", None),
        ("user", "hi", None),
        ("assistant", "", None),
        ("tool", "42", "c"),
        ("assistant", "No.", None),
    ]


async def test_a_model_without_a_template_gets_the_plain_format(services: Services) -> None:
    engine = Scripted(Delta("Hi."), Delta(finish_reason="stop", stop_sequence="\nUser:"), template=False)
    async with serving(services, {"m": lambda: engine}) as live:
        answer = (await post(live, CHAT, messages=HELLO, stop=["x"])).json()
    prompt, params, _ = engine.asked[0]
    assert prompt == "\nUser: hello\nAssistant:"
    assert params.stop[:2] == ("x", "\nUser:")
    assert answer["usage"]["total_tokens"] == 14  # the engine told nothing, so both were counted


async def test_every_option_may_be_null_and_unknown_ones_are_ignored(server: LiveServer) -> None:
    names = set(ChatBody.model_fields) - {"messages"} | {"user", "store", "service_tier", "prediction", "brand_new"}
    assert (await post(server, CHAT, messages=HELLO, **dict.fromkeys(names))).status_code == 200
    odd = {"brand_new": {"a": [1]}, "user": "me", "store": True, "reasoning_effort": "low", "max_tokens": 5.0}
    assert (await post(server, CHAT, messages=HELLO, **odd)).json()["usage"]["completion_tokens"] == 5


async def test_sampling_params_reach_the_engine_under_all_their_names(services: Services) -> None:
    engine = Scripted(Delta("ok"), END)
    given = {
        "max_completion_tokens": 9,
        "max_tokens": 4,
        "temperature": 2,
        "top_p": 1,
        "top_k": -1,
        "min_p": 0.1,
        "typical_p": 0.9,
        "repeat_penalty": 1.1,
        "presence_penalty": -2,
        "frequency_penalty": 2,
        "logit_bias": {"5": -100},
        "seed": -7,
        "stop": "x",
    }
    async with serving(services, {"m": lambda: engine}) as live:
        await post(live, CHAT, messages=HELLO, **given)
        await post(live, CHAT, messages=HELLO, seed=-1, max_tokens=2**31)
    assert engine.asked[0][1] == SamplingParams(
        max_tokens=9,
        temperature=2.0,
        top_p=1.0,
        top_k=0,
        min_p=0.1,
        typical_p=0.9,
        repetition_penalty=1.1,
        presence_penalty=-2.0,
        frequency_penalty=2.0,
        logit_bias=((5, -100.0),),
        stop=("x",),
        seed=2**32 - 8,
    )
    assert engine.asked[1][1] == SamplingParams(max_tokens=1_000_000)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "alien", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, None),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": 5}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"cat": 1}}, "logit_bias"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "code_interpreter"}]}, None),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}}, None),
        ({"response_format": {"type": "regex", "value": "(?<=a)b"}}, None),
        ({"functions": [{}]}, None),
        ({"modalities": ["text", "audio"]}, None),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_meant_is_refused_by_name(
    server: LiveServer, wrong: dict[str, Any], param: str | None
) -> None:
    for streamed in (False, True):
        answer = await post(server, CHAT, **{"messages": HELLO, "stream": streamed, **wrong})
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", param)
        assert error["message"]


async def test_a_prompt_that_cannot_fit_is_refused_with_both_numbers(services: Services) -> None:
    async with serving(services, {"m": lambda: CannedEngine(context_length=50)}) as live:
        for streamed in (False, True):
            messages = [{"role": "user", "content": "word " * 100}]
            answer = await post(live, CHAT, messages=messages, stream=streamed)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
            assert "50" in error["message"]


async def test_more_tokens_than_there_is_room_for_are_cut(services: Services) -> None:
    async with serving(services, {"m": lambda: CannedEngine(context_length=20, rate=math.inf)}) as live:
        answer = (await post(live, CHAT, messages=HELLO, max_tokens=10_000)).json()
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["total_tokens"] == 20
