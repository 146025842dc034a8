"""What OpenAI's clients read of us, byte by byte."""

from __future__ import annotations

import json
import math
import struct
from base64 import b64decode
from typing import Any

import pytest

from falconry.errors import ContextWindowExceeded, EngineOverloaded, FalconryError, InvalidRequest, NotAuthenticated
from falconry.messages import Token, ToolCall, ToolCallDelta, Usage
from falconry.protocols import openai_answers as answers
from falconry.protocols.openai import Chunk, read_chunk, read_models
from falconry.protocols.openai_answers import ChatChunks, Head, TextChunks

HEAD = Head("chatcmpl-1", "kes/trel", 1_700_000_000)
WORD = Token(7, " a", b" a", -0.5, top=(Token(7, " a", b" a", -0.5), Token(8, " b", b" b", -math.inf)))


def data(event: bytes) -> Any:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert event.isascii()
    return json.loads(event.removeprefix(b"data: "))


def test_every_chunk_of_a_chat_has_the_same_envelope() -> None:
    chunks = ChatChunks(HEAD, 2)
    envelope = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "kes/trel",
        "system_fingerprint": "falconry",
    }
    empty = {"index": 2, "logprobs": None, "finish_reason": None}
    for event, choice in (
        (chunks.role(), {"delta": {"role": "assistant", "content": "", "refusal": None}}),
        (chunks.text('"\u2028\n'), {"delta": {"content": '"\u2028\n'}}),
        (chunks.thinking("hm"), {"delta": {"reasoning_content": "hm"}}),
        (chunks.finish("tool_calls"), {"delta": {}, "finish_reason": "tool_calls"}),
    ):
        assert data(event) == envelope | {"choices": [{**empty, **choice}]}


def test_the_usage_is_null_in_every_chunk_where_it_was_asked_for_and_whole_in_the_last() -> None:
    assert data(ChatChunks(HEAD, null_usage=True).text("a"))["usage"] is None
    assert data(TextChunks(HEAD, null_usage=True).text("a"))["usage"] is None
    last = answers.usage_chunk(HEAD, Usage(3, 2, 1))
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    }
    assert answers.usage_chunk(HEAD, Usage(), chat=False)["object"] == "text_completion"


def test_what_is_written_can_be_read() -> None:
    assert read_chunk(data(ChatChunks(HEAD).text("a"))) == Chunk("a")
    assert read_chunk(data(TextChunks(HEAD).finish("length"))) == Chunk(finish_reason="length")
    assert read_chunk(data(ChatChunks(HEAD).thinking("b"))) == Chunk(thinking="b")
    models = read_models(answers.model_list(["a/b", "c"], 1))
    assert [model["id"] for model in models] == ["a/b", "c"]


def test_a_call_is_named_once_and_its_arguments_are_text() -> None:
    chunks = ChatChunks(HEAD)
    first = data(chunks.calls([ToolCallDelta(0, "call_1", "add")]))["choices"][0]["delta"]["tool_calls"]
    assert first == [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": ""}}]
    then = data(chunks.calls([ToolCallDelta(0, arguments='{"a"')]))["choices"][0]["delta"]["tool_calls"]
    assert then == [{"index": 0, "function": {"arguments": '{"a"'}}]


def test_a_message_with_calls_has_no_text() -> None:
    choice: Any = answers.chat_choice(0, "", "tool_calls", calls=[ToolCall("c", "add", "{}")])
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "add", "arguments": "{}"}
    silent: Any = answers.chat_choice(0, "", "stop")
    assert silent["message"] == {"role": "assistant", "content": "", "refusal": None}


@pytest.mark.parametrize(
    ("text", "tokens", "shown"),
    [
        (" a", [WORD, Token(1, "<|end|>", special=True)], 1),
        (" a", [WORD, Token(9, "\n", b"\n")], 1),  # the stop sequence
        ("", [Token(9, "\n", b"\n")], 0),
        ("é", [Token(3, "\ufffd", b"\xc3"), Token(4, "\ufffd", b"\xa9")], 2),
        (" ", [WORD], 0),  # stopped within the token
        (" a a", [WORD, WORD], 2),
    ],
)
def test_only_tokens_of_the_text_are_shown(text: str, tokens: list[Token], shown: int) -> None:
    assert answers.ShownTokens().take(text, tokens) == tuple(tokens[:shown])


def test_a_token_may_come_after_its_text() -> None:
    shown = answers.ShownTokens()
    assert shown.take(" ", []) == ()
    assert shown.take("a a", [WORD, WORD]) == (WORD, WORD)


def test_logprobs_of_a_chat() -> None:
    entry = {"token": " a", "logprob": -0.5, "bytes": [32, 97]}
    assert answers.chat_logprobs([WORD], 0)["content"] == [{**entry, "top_logprobs": []}]
    top = [entry, {"token": " b", "logprob": -9999.0, "bytes": [32, 98]}]
    assert answers.chat_logprobs([WORD], 2)["content"] == [{**entry, "top_logprobs": top}]


def test_logprobs_of_a_completion_are_columns() -> None:
    start = Token(1, "<s>", special=True)
    half = Token(3, "\ufffd", b"\xe4", -1.0)
    other = Token(4, "\ufffd\ufffd", b"\xbd\xa0", -2.0)
    logprobs = answers.text_logprobs("你 a", [start, half, other, WORD], 1, offset=10)
    assert logprobs == {
        "tokens": ["<s>", "bytes:\\xe4", "bytes:\\xbd\\xa0", " a"],
        "token_logprobs": [None, -1.0, -2.0, -0.5],
        "top_logprobs": [None, {"bytes:\\xe4": -1.0}, {"bytes:\\xbd\\xa0": -2.0}, {" a": -0.5}],
        "text_offset": [10, 10, 11, 11],
    }


def test_a_special_token_counts_where_it_stands_in_the_text() -> None:
    mark = Token(1, "<s>", special=True)
    assert answers.text_logprobs("<s> a", [mark, WORD], 0)["text_offset"] == [0, 3]


def test_the_chosen_token_is_among_its_alternatives() -> None:
    unlikely = Token(5, "x", b"x", -7.0, top=(WORD,))
    assert answers.text_logprobs("x", [unlikely], 1)["top_logprobs"] == [{" a": -0.5, "x": -7.0}]
    assert answers.text_logprobs("x", [unlikely], 0)["top_logprobs"] == [{"x": -7.0}]


def test_base64_is_little_endian_floats() -> None:
    body: Any = answers.embeddings_body("m", [[1.0, -0.5]], 3, base64=True)
    assert struct.unpack("<2f", b64decode(body["data"][0]["embedding"])) == (1.0, -0.5)
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    plain: Any = answers.embeddings_body("m", [[1.0], [2.0]], 3, base64=False)
    assert [entry["embedding"] for entry in plain["data"]] == [[1.0], [2.0]]
    assert [entry["index"] for entry in plain["data"]] == [0, 1]


@pytest.mark.parametrize(
    ("error", "kind", "code", "param"),
    [
        (InvalidRequest("no", field="stop", code="invalid_field"), "invalid_request_error", "invalid_field", "stop"),
        (NotAuthenticated("who?"), "authentication_error", "invalid_api_key", None),
        (EngineOverloaded("busy"), "rate_limit_error", "engine_overloaded", None),
        (ContextWindowExceeded(9, 8), "invalid_request_error", "context_length_exceeded", None),
        (FalconryError("oh"), "server_error", "internal_error", None),
    ],
)
def test_errors_are_objects(error: FalconryError, kind: str, code: str, param: str | None) -> None:
    body: Any = answers.error_body(error)
    assert body["error"].pop("message").endswith(error.message)
    assert body["error"] == {"type": kind, "param": param, "code": code}
    assert body["error_type"] in ("validation", "generation")
