"""Tokens with their logprobs in the shapes of many servers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from falconry.messages import Token
from falconry.protocols.logprobs import LEAST, finite, read_tokens


@pytest.mark.parametrize(
    ("value", "logprob"),
    [
        (-1.5, -1.5),
        (0, 0.0),
        (-math.inf, LEAST),
        (math.nan, LEAST),
        (-1e30, LEAST),
        (None, LEAST),
        ("x", LEAST),
        (True, LEAST),
    ],
)
def test_a_logprob_can_always_be_written_as_json(value: object, logprob: float) -> None:
    assert finite(value) == logprob


@pytest.mark.parametrize(
    ("entry", "token"),
    [
        # llama.cpp
        ({"id": 7, "token": "a", "bytes": [97], "logprob": -1.0, "top_logprobs": []}, Token(7, "a", b"a", -1.0)),
        ({"id": 2, "token": "", "bytes": [], "logprob": -1.0}, Token(2, "", b"", -1.0, special=True)),
        ({"id": 9, "token": "\ufffd", "bytes": [189], "logprob": None}, Token(9, "\ufffd", b"\xbd", LEAST)),
        # OpenAI, vLLM
        ({"token": "a", "bytes": [97], "logprob": -1.0}, Token(-1, "a", b"a", -1.0)),
        # TGI
        ({"token": "隼", "logprob": -1.0}, Token(-1, "隼", "隼".encode(), -1.0)),
        ({}, Token(-1, "", b"", LEAST, special=True)),
    ],
)
def test_reads_the_tokens_of_a_chat(entry: Any, token: Token) -> None:
    assert read_tokens({"content": [entry]}) == (token,)


def test_reads_the_alternatives_of_a_chat() -> None:
    top = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}, "odd"]
    (token,) = read_tokens({"content": [{"token": "b", "logprob": -1.5, "top_logprobs": top}]})
    assert [(other.text, other.logprob) for other in token.top] == [("a", -0.5), ("b", -1.5)]


def test_reads_the_columns_of_a_completion() -> None:
    tokens = read_tokens(
        {"tokens": ["a", "b"], "token_logprobs": [None, -1.5], "top_logprobs": [None, {"b": -1.5, "c": -0.5}]}
    )
    assert [(token.text, token.raw, token.logprob) for token in tokens] == [("a", b"a", None), ("b", b"b", -1.5)]
    assert [(other.text, other.logprob) for other in tokens[1].top] == [("c", -0.5), ("b", -1.5)]


@pytest.mark.parametrize(
    "logprobs", [None, [], {}, {"content": None}, {"tokens": ["a"]}, {"tokens": "a", "token_logprobs": [1]}]
)
def test_what_is_no_logprobs_has_no_tokens(logprobs: object) -> None:
    assert read_tokens(logprobs) == ()
