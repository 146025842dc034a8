"""Error bodies of real servers."""

from __future__ import annotations

from typing import Any

import pytest

from falconry.protocols.failures import Failure, Overflow, read_failure, read_overflow, refused_fields


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (
            {"error": {"message": "no", "type": "t", "param": "top_k", "code": "c"}},
            Failure("no", "t", "c", "top_k"),
        ),
        ({"error": {"message": "no", "type": None, "param": None, "code": 400}}, Failure("no", code="400")),
        ({"error": "Model is overloaded", "error_type": "overloaded"}, Failure("Model is overloaded", "overloaded")),
        ({"error": "no"}, Failure("no")),
        ([{"error": {"message": "no", "code": 400}}], Failure("no", code="400")),
        (
            {"object": "error", "message": "no", "type": "BadRequestError", "code": 400},
            Failure("no", "BadRequestError", "400"),
        ),
        ({"detail": "Not Found"}, Failure("Not Found")),
        (
            {"detail": [{"loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]},
            Failure("body.top_k: Extra inputs are not permitted", param="top_k"),
        ),
        ({"message": "Missing Authentication Token"}, Failure("Missing Authentication Token")),
    ],
)
def test_reads_every_shape(body: Any, failure: Failure) -> None:
    assert read_failure(body) == failure


@pytest.mark.parametrize("body", [{}, [], None, "x", {"choices": []}, {"error": None}, {"token": {"text": "error"}}])
def test_sees_no_error_where_there_is_none(body: Any) -> None:
    assert read_failure(body) is None


@pytest.mark.parametrize(
    ("words", "prompt", "limit"),
    [
        # TGI
        ("Input validation error: `inputs` must have less than 1000 tokens. Given: 1234", 1234, 1000),
        (
            (
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. "
                "Given: 1500 `inputs` tokens and 1024 `max_new_tokens`"
            ),
            1500,
            2048,
        ),
        # OpenAI
        (
            (
                "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens (4000 in the "
                "messages, 1000 in the completion). Please reduce the length of the messages or completion."
            ),
            4000,
            4097,
        ),
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            9000,
            8192,
        ),
        # vLLM
        (
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 1024. This model's maximum context length is "
                "2048 tokens and your request has 1500 input tokens (1024 > 2048 - 1500)."
            ),
            1500,
            2048,
        ),
        (
            "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
            5000,
            4096,
        ),
        # SGLang
        ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 5000, 4096),
        (
            (
                "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a "
                "total of 5000 tokens: 4000 tokens from the input messages and 1000 tokens for the completion."
            ),
            4000,
            4096,
        ),
        # llama.cpp
        (
            "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
            5000,
            4096,
        ),
        # Others
        ("prompt is too long: 200001 tokens > 200000 maximum", 200001, 200000),
        (
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            40000,
            32768,
        ),
        (
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            1200000,
            1048576,
        ),
        (
            (
                "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with "
                "context length of only 4096 tokens"
            ),
            5000,
            4096,
        ),
    ],
)
def test_reads_both_numbers_of_an_overflow(words: str, prompt: int, limit: int) -> None:
    assert read_overflow(Failure(words)) == Overflow(prompt, limit)


def test_reads_the_numbers_that_llama_cpp_gives_as_fields() -> None:
    error = {
        "code": 400,
        "message": "the request exceeds the available context size, try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 5000,
        "n_ctx": 4096,
    }
    failure = read_failure({"error": error})
    assert failure is not None
    assert read_overflow(failure) == Overflow(5000, 4096)


def test_knows_an_overflow_by_its_code() -> None:
    assert read_overflow(Failure("too much", code="context_length_exceeded")) == Overflow(None, None)


@pytest.mark.parametrize("words", ["temperature must be between 0 and 2", "Invalid length of messages", ""])
def test_other_errors_are_no_overflow(words: str) -> None:
    assert read_overflow(Failure(words)) is None


@pytest.mark.parametrize(
    "failure",
    [
        Failure("Unrecognized request argument supplied: top_k"),
        Failure("Unknown parameter: 'top_k'.", param="top_k"),
        Failure("property 'top_k' is unsupported"),
        Failure('json: unknown field "top_k"'),
        Failure("unknown field `top_k`, expected one of `messages`, `temperature`"),
        Failure("body.top_k: Extra inputs are not permitted", param="top_k"),
        Failure("The following `model_kwargs` are not used by the model: ['top_k']"),
        Failure("No.", code="unsupported_parameter", param="top_k"),
    ],
)
def test_finds_the_field_that_a_server_does_not_know(failure: Failure) -> None:
    assert refused_fields(failure, ["temperature", "top_k", "top_p"]) == {"top_k"}


@pytest.mark.parametrize(
    "failure",
    [
        Failure("`top_k` must be > 0", param="top_k"),
        Failure("Unknown parameter: 'frequency'"),
        Failure("unexpected end of input"),
    ],
)
def test_a_bad_value_is_not_an_unknown_field(failure: Failure) -> None:
    assert refused_fields(failure, ["temperature", "top_k", "top_p"]) == set()
