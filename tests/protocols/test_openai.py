"""OpenAI's wire format, the asking side."""

from __future__ import annotations

from typing import Any

import pytest

from falconry.messages import Extras, Grammar, Message, SamplingParams, Token, Tool, ToolCall, ToolCallDelta, Usage
from falconry.protocols import openai
from falconry.protocols.openai import Chunk


def test_sends_only_what_is_set() -> None:
    assert openai.sampling_fields(SamplingParams()) == {"max_tokens": 1024, "temperature": 0.7}
    everything = SamplingParams(5, 0.0, 0.9, 40, 0.05, repetition_penalty=1.1, stop=("a", "b", "c", "d", "e"), seed=3)
    assert openai.sampling_fields(everything) == {
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "repetition_penalty": 1.1,
        "stop": ["a", "b", "c", "d"],
        "seed": 3,
    }


def test_sends_the_newer_params_under_their_names() -> None:
    params = SamplingParams(
        typical_p=0.5, presence_penalty=0.5, frequency_penalty=-0.5, logit_bias=((7, -100.0), (8, 1.5))
    )
    assert openai.sampling_fields(params) == {
        "max_tokens": 1024,
        "temperature": 0.7,
        "typical_p": 0.5,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "logit_bias": {"7": -100.0, "8": 1.5},
    }


def test_writes_calls_and_their_answers() -> None:
    talk = [
        Message("assistant", "", (ToolCall("c1", "weather", '{"city": "Al Ain"}'),)),
        Message("tool", "hot", tool_call_id="c1"),
    ]
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Al Ain"}'}}
    assert openai.message_list(talk) == [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "hot", "tool_call_id": "c1"},
    ]


@pytest.mark.parametrize(
    ("choice", "wire"),
    [("auto", "auto"), ("required", "required"), ("weather", {"type": "function", "function": {"name": "weather"}})],
)
def test_writes_tools_and_which_one_must_be_called(choice: str, wire: object) -> None:
    tool = Tool("weather", "What it is like", '{"type": "object"}')
    function = {"name": "weather", "description": "What it is like", "parameters": {"type": "object"}}
    assert openai.tool_fields(Extras(tools=(tool,), tool_choice=choice)) == {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": wire,
    }
    assert openai.tool_fields(Extras(tool_choice=choice)) == {}


def test_writes_the_shape_of_a_reply() -> None:
    assert openai.response_format(Grammar("json_object")) == {"type": "json_object"}
    assert openai.response_format(Grammar("json_schema", '{"type": "array"}')) == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": {"type": "array"}},
    }


@pytest.mark.parametrize(
    ("calls", "deltas"),
    [
        (
            [{"index": 1, "id": "c", "function": {"name": "f", "arguments": ""}}],
            (ToolCallDelta(1, "c", "f", ""),),
        ),
        ([{"index": 1, "function": {"arguments": '{"a'}}], (ToolCallDelta(1, arguments='{"a'),)),
        (
            [{"id": "c", "function": {"name": "f", "arguments": "{}"}}, {"id": "d", "function": {"name": "g"}}],
            (ToolCallDelta(0, "c", "f", "{}"), ToolCallDelta(1, "d", "g")),
        ),
        # TGI: arguments as an object, and a call that is not in a list.
        (
            [{"id": "0", "function": {"name": "f", "arguments": {"a": "隼"}}}],
            (ToolCallDelta(0, "0", "f", '{"a": "隼"}'),),
        ),
        ({"index": 0, "id": "", "function": {"name": "f", "arguments": "{"}}, (ToolCallDelta(0, "", "f", "{"),)),
        (["odd", {"function": None}], ()),
    ],
)
def test_reads_the_calls_of_many_servers(calls: Any, deltas: tuple[ToolCallDelta, ...]) -> None:
    assert openai.read_chunk({"choices": [{"delta": {"tool_calls": calls}}]}).tool_calls == deltas


@pytest.mark.parametrize(
    ("choice", "stop"),
    [({"stop_reason": "\nUser:"}, "\nUser:"), ({"matched_stop": "x"}, "x"), ({"stop_reason": 2}, None), ({}, None)],
)
def test_reads_which_stop_sequence_it_was(choice: dict[str, Any], stop: str | None) -> None:
    assert openai.read_chunk({"choices": [{"text": "", "finish_reason": "stop", **choice}]}).stop_sequence == stop


def test_reads_tokens_with_the_text() -> None:
    logprobs = {"content": [{"token": "a", "bytes": [97], "logprob": -1.0}]}
    for choice in ({"delta": {"content": "a"}, "logprobs": logprobs}, {"text": "a", "logprobs": logprobs}):
        assert openai.read_chunk({"choices": [choice]}) == Chunk("a", tokens=(Token(-1, "a", b"a", -1.0),))


@pytest.mark.parametrize(
    ("body", "vectors"),
    [
        (
            {
                "data": [{"index": 1, "embedding": [2, 3]}, {"index": 0, "embedding": [0, 1]}],
                "usage": {"prompt_tokens": 4},
            },
            ([[0.0, 1.0], [2.0, 3.0]], 4),
        ),
        ({"data": []}, ([], 0)),
        ({"data": [{"index": 0}]}, None),
        ({"data": [{"index": 0, "embedding": "AAAA"}]}, None),
        ({"error": "x"}, None),
        (None, None),
    ],
)
def test_reads_embeddings_in_the_order_of_the_texts(body: Any, vectors: object) -> None:
    assert openai.read_embeddings(body) == vectors


@pytest.mark.parametrize(
    ("choice", "chunk"),
    [
        ({"delta": {"role": "assistant", "content": ""}, "finish_reason": None}, Chunk()),
        ({"delta": {"content": " a"}}, Chunk(" a")),
        ({"delta": {"content": None, "reasoning_content": "hm"}}, Chunk(thinking="hm")),
        ({"delta": {"content": "", "reasoning": "hm"}}, Chunk(thinking="hm")),
        ({"delta": {}, "finish_reason": "length"}, Chunk(finish_reason="length")),
        ({"delta": {}, "finish_reason": ""}, Chunk()),
        ({"message": {"content": "whole"}, "finish_reason": "stop"}, Chunk("whole", finish_reason="stop")),
        ({"text": "raw", "finish_reason": None}, Chunk("raw")),
        (
            {
                "delta": {
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                        {"type": "text", "text": "a"},
                    ]
                }
            },
            Chunk("a", "hm"),
        ),
        (None, Chunk()),
    ],
)
def test_reads_the_chunks_of_many_servers(choice: Any, chunk: Chunk) -> None:
    assert openai.read_chunk({"choices": [choice]}) == chunk
    assert openai.read_chunk({"choices": []}) == Chunk()


@pytest.mark.parametrize(
    ("extra", "cached"),
    [
        ({}, 0),
        ({"prompt_tokens_details": {"cached_tokens": 7}}, 7),
        ({"prompt_tokens_details": None}, 0),
    ],
)
def test_reads_usage(extra: dict[str, Any], cached: int) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, **extra}
    assert openai.read_chunk({"choices": [], "usage": usage}).usage == Usage(9, 2, cached)


def test_reads_what_llama_cpp_says_about_its_cache() -> None:
    body = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}, "timings": {"cache_n": 5}}
    assert openai.read_chunk(body).usage == Usage(9, 2, 5)


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ("stop", "stop"),
        ("eos_token", "stop"),
        ("stop_sequence", "stop"),
        ("tool_calls", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("error", None),
        ("abort", None),
        ("content_filter", None),
    ],
)
def test_reads_finish_reasons(wire: str, ours: str | None) -> None:
    assert openai.read_finish(wire) == ours


@pytest.mark.parametrize(
    ("entry", "length"),
    [
        ({"max_model_len": 4096}, 4096),
        ({"context_length": 8192}, 8192),
        ({"meta": {"n_ctx_train": 2048}}, 2048),
        ({"meta": None, "max_model_len": None}, None),
        ({}, None),
    ],
)
def test_reads_the_context_length(entry: dict[str, Any], length: int | None) -> None:
    assert openai.read_context_length(entry) == length


def test_reads_the_list_of_models() -> None:
    models = openai.read_models({"data": [{"id": "a/b"}, {"id": "c"}]})
    assert [model["id"] for model in models] == ["a/b", "c"]
    assert openai.read_models({"data": [{"name": "no id"}, "x"]}) == []
    assert openai.read_models("x") == []
