"""Whatever a program sends to OpenAI's routes, it gets an answer or a refusal, and the server lives on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.process import Falconry

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
CHAT: dict[str, Any] = {
    "model": "eyas",
    "messages": [{"role": "user", "content": "hi", "name": None, "tool_calls": None, "tool_call_id": None}],
    "max_completion_tokens": 2,
    "logprobs": False,
    "top_logprobs": None,
    "tools": None,
    "tool_choice": None,
    "parallel_tool_calls": None,
    "functions": None,
    "function_call": None,
    "modalities": None,
    "audio": None,
    "web_search_options": None,
}
COMPLETION: dict[str, Any] = {"model": "eyas", "prompt": "hi", "echo": None, "logprobs": None, "best_of": None}
SAMPLING: dict[str, Any] = {
    "max_tokens": 2,
    "stream": False,
    "stream_options": None,
    "n": 1,
    "temperature": 0.5,
    "top_p": None,
    "top_k": None,
    "min_p": None,
    "typical_p": None,
    "repetition_penalty": None,
    "repeat_penalty": None,
    "presence_penalty": None,
    "frequency_penalty": None,
    "logit_bias": None,
    "stop": None,
    "seed": None,
    "response_format": None,
}
EMBEDDING: dict[str, Any] = {"model": "eyas", "input": "hi", "encoding_format": None, "dimensions": None}
SHAPES = {
    "/v1/chat/completions": {**CHAT, **SAMPLING},
    "/v1/completions": {**COMPLETION, **SAMPLING},
    "/v1/embeddings": EMBEDDING,
}

numbers = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([-(2**63) - 1, 2**31, 2**32, 2**53 + 1, 2**64, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
)
texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["auto", "none", "required", "f", "json_object", "eyas", "\ud800", "\u2028", "\x00", "1", "true"]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(texts, inner, max_size=3),
        st.fixed_dictionaries({"type": texts, "function": inner}),
        st.fixed_dictionaries({"type": st.just("json_schema"), "json_schema": inner, "value": inner}),
        st.fixed_dictionaries({"role": texts, "content": inner}),
    ),
    max_leaves=6,
)
known = st.sampled_from(
    [
        [TOOL],
        [TOOL, TOOL],
        {"type": "function", "function": {"name": "f"}},
        {"type": "json_object"},
        {"type": "json_object", "value": SCHEMA},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
        {"type": "regex", "value": "[ab]{2}"},
        {"include_usage": True},
        {"5": 100, "6": -100},
        [[5, 6], [7]],
        ["a", "b"],
        [{"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f"}}]}],
        [{"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "x"}]}],
    ]
)


@pytest.fixture(scope="module")
def falconry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Falconry]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with Falconry(folder / "data", canned=False, model="eyas") as running:
        yield running


@pytest.mark.parametrize("path", SHAPES)
def test_no_body_is_an_error_of_the_server(falconry: Falconry, path: str) -> None:
    shape = SHAPES[path]

    @settings(
        max_examples=120,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.dictionaries(st.sampled_from([*shape]), st.one_of(values, values, known), min_size=1, max_size=3))
    def ask(changes: dict[str, Any]) -> None:
        body = {**shape, **changes}
        answer = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert answer.status_code == 200 or 400 <= answer.status_code < 500, (changes, answer.text)
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert error["message"]
            assert set(error) == {"message", "type", "param", "code"}
        elif body.get("stream") is True:
            assert answer.text.endswith("data: [DONE]\n\n")
            assert '"error"' not in answer.text, (changes, answer.text)

    with falconry.client() as client:
        ask()
        answer = client.post(path, json=shape)
        assert answer.status_code == 200, answer.text


def test_no_bytes_are_an_error_of_the_server(falconry: Falconry) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(st.binary(max_size=60))
    def ask(body: bytes) -> None:
        answer = client.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500
        assert answer.json()["error"]["message"]

    with falconry.client() as client:
        ask()


@pytest.mark.parametrize(
    "body",
    ["[" * 100_000, '{"messages":' * 500, '{"a":1e999}', '{"n":NaN}', "{" + '"a":1,' * 200_000 + '"b":1}', "\ud800"],
    ids=["brackets", "nested", "infinity", "nan", "wide", "surrogate"],
)
def test_json_that_would_hurt_is_refused(falconry: Falconry, body: str) -> None:
    with falconry.client() as client:
        content = body.encode("utf-8", "surrogatepass")
        answer = client.post("/v1/completions", content=content, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert client.get("/health").status_code == 200
