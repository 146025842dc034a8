"""OpenAI's wire format, from both sides."""

from __future__ import annotations

from typing import Any

import pytest

from falconry.errors import EngineOverloaded, InvalidRequest
from falconry.messages import SamplingParams, Usage
from falconry.protocols import openai
from falconry.protocols.openai import Chunk

HEAD = openai.Head("chatcmpl-1", "kestrel", 1_700_000_000)


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


def test_reads_the_list_of_models_it_writes() -> None:
    models = openai.read_models(openai.model_list(["a/b", "c"], 1))
    assert [model["id"] for model in models] == ["a/b", "c"]
    assert openai.read_models({"data": [{"name": "no id"}, "x"]}) == []
    assert openai.read_models("x") == []


def test_writes_chunks_that_it_reads() -> None:
    first = openai.chat_chunk(HEAD, role=True)
    assert first == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "kestrel",
        "choices": [
            {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        ],
    }
    assert openai.read_chunk(openai.chat_chunk(HEAD, text="a", thinking="b", finish="stop")) == Chunk("a", "b", "stop")
    assert openai.read_chunk(openai.text_chunk(HEAD, text="a", finish="length")) == Chunk("a", "", "length")
    assert openai.read_chunk(openai.usage_chunk(HEAD, Usage(1, 2, 1))) == Chunk(usage=Usage(1, 2, 1))


def test_writes_errors_as_objects() -> None:
    assert openai.error_body(InvalidRequest("no")) == {
        "error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "invalid_request"},
        "error_type": "validation",
    }
    assert "EngineOverloaded" not in str(openai.error_body(EngineOverloaded("busy")))
