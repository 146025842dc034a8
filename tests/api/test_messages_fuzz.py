"""Whatever is sent to /v1/messages and /v1/responses: an answer or a refusal in the right words, never a failure."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from falconry.services import Services, open_services
from falconry.settings import Settings
from tests.api.scripted import read_events
from tests.conftest import LiveServer, serve

_SCHEMA = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
_MESSAGES = {
    "model": "eyas",
    "max_tokens": 3,
    "stream": False,
    "system": [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "Hello"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "t", "name": "get_weather", "input": {"city": "Paris"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "18"}]},
                {"type": "text", "text": "Well?"},
            ],
        },
    ],
    "tools": [{"name": "get_weather", "description": "Weather.", "input_schema": _SCHEMA}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "stop_sequences": ["END"],
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 20,
    "metadata": {"user_id": "u"},
    "output_config": {"format": None},
}
_RESPONSES = {
    "model": "eyas",
    "max_output_tokens": 3,
    "stream": False,
    "instructions": "Be short.",
    "input": [
        {"role": "developer", "content": "Be kind."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "18"},
    ],
    "tools": [{"type": "function", "name": "get_weather", "parameters": _SCHEMA, "strict": True}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_weather"}]},
    "text": {"format": {"type": "text"}},
    "include": ["message.output_text.logprobs"],
    "top_logprobs": 2,
    "temperature": 0.5,
    "top_p": 0.9,
    "metadata": {"a": "b"},
    "parallel_tool_calls": False,
}

_WORDS = st.sampled_from(
    [
        "auto",
        "any",
        "none",
        "tool",
        "required",
        "text",
        "image",
        "json_schema",
        "assistant",
        "system",
        "tool_use",
        "$ref",
    ]
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**31, 2**64, -(2**70), 10**400, "\ud800", "\0", "<|endoftext|>"]),
    st.text(max_size=20),
    _WORDS,
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | _WORDS | st.just("type"), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a body."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*path, key)
        yield from places(child, (*path, key))


@st.composite
def changed(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """A body that is right but for one to three places."""
    result = copy.deepcopy(body)
    result["stream"] = draw(st.booleans())
    for path in draw(st.lists(st.sampled_from(list(places(body))), min_size=1, max_size=3)):
        parent: Any = result
        try:
            for key in path[:-1]:
                parent = parent[key]
            if draw(st.booleans()):
                parent[path[-1]] = draw(_JSON)
            else:
                del parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has replaced what was there
    return result


_FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
async def live(make_settings: Callable[..., Settings]) -> AsyncGenerator[LiveServer, None]:
    async with open_services(make_settings(model="eyas")) as services, serve(services) as opened:
        yield opened


async def post(live: LiveServer, path: str, body: Any) -> httpx.Response:
    """Send anything that JSON can hold, lone surrogates included."""
    raw = json.dumps(body).encode()
    return await live.client.post(path, content=raw, headers={"Content-Type": "application/json"})


async def check_alive(services: Services) -> None:
    async with services.pool.engine() as engine:
        assert (await engine.count_tokens("A falcon")).exact


def check_answer(answer: httpx.Response, last: set[str]) -> None:
    """A whole answer, or a stream that ends as one of `last`."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        assert read_events(answer.text)[-1][0] in last, answer.text
    else:
        assert answer.json()["id"]


@_FUZZ
@given(body=changed(_MESSAGES) | _JSON)
async def test_messages(live: LiveServer, body: Any) -> None:
    answer = await post(live, "/v1/messages", body)
    if answer.status_code == 200:
        check_answer(answer, {"message_stop"})
    else:
        assert answer.status_code == 400, answer.text
        error = answer.json()
        assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    counted = await post(live, "/v1/messages/count_tokens", body)
    assert counted.status_code in (200, 400), counted.text
    await check_alive(live.services)


@_FUZZ
@given(body=changed(_RESPONSES) | _JSON)
async def test_responses(live: LiveServer, body: Any) -> None:
    answer = await post(live, "/v1/responses", body)
    if answer.status_code == 200:
        check_answer(answer, {"response.completed", "response.incomplete"})
    else:
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["type"] == "invalid_request_error"
    await check_alive(live.services)
