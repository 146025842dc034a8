"""The wire format of text-generation-inference, as we ask in it."""

from __future__ import annotations

from typing import Any

import pytest

from falconry.messages import Grammar, SamplingParams, Token
from falconry.protocols import tgi
from falconry.protocols.tgi import Frame, Info


def parameters(params: SamplingParams) -> dict[str, Any]:
    body: Any = tgi.generate_body("Hi", params, 20)
    assert body["inputs"] == "Hi"
    fields: dict[str, Any] = body["parameters"]
    assert (fields.pop("return_full_text"), fields.pop("details"), fields.pop("max_new_tokens")) == (False, True, 20)
    return fields


def test_samples_within_what_the_server_allows() -> None:
    assert parameters(SamplingParams()) == {"do_sample": True, "temperature": 0.7}
    assert parameters(SamplingParams(top_p=1.0, top_k=0)) == {"do_sample": True, "temperature": 0.7}
    everything = SamplingParams(1, 1.0, 0.9, 40, 0.1, repetition_penalty=1.2, stop=("a", "b", "c", "d", "e"), seed=3)
    assert parameters(everything) == {
        "do_sample": True,
        "temperature": 1.0,
        "top_p": 0.9,
        "top_k": 40,
        "repetition_penalty": 1.2,
        "stop": ["a", "b", "c", "d"],
        "seed": 3,
    }


@pytest.mark.parametrize("params", [SamplingParams(temperature=0.0, top_p=0.5, top_k=3), SamplingParams(top_p=0.0)])
def test_always_the_likeliest_token_is_no_sampling(params: SamplingParams) -> None:
    assert parameters(params) == {"do_sample": False}


def test_sends_the_newer_params_within_what_the_server_allows() -> None:
    params = SamplingParams(typical_p=0.5, frequency_penalty=-0.5, presence_penalty=1.0, logit_bias=((7, 1.0),))
    sampling = {"do_sample": True, "temperature": 0.7}
    assert parameters(params) == sampling | {"typical_p": 0.5, "frequency_penalty": -0.5}
    assert parameters(SamplingParams(typical_p=1.0)) == sampling
    body: Any = tgi.generate_body("Hi", SamplingParams(), 20, 3)
    assert body["parameters"]["top_n_tokens"] == 3


@pytest.mark.parametrize(
    ("grammar", "wire"),
    [
        (Grammar("regex", "a+"), {"type": "regex", "value": "a+"}),
        (Grammar("json_object"), {"type": "json", "value": {"type": "object", "properties": {}}}),
        (
            Grammar("json_schema", '{"type": "object", "properties": {"a": {}}}'),
            {"type": "json", "value": {"type": "object", "properties": {"a": {}}}},
        ),
    ],
)
def test_sends_the_shape_of_a_reply(grammar: Grammar, wire: object) -> None:
    assert parameters(SamplingParams(grammar=grammar))["grammar"] == wire


def test_reads_the_token_of_a_frame_and_its_alternatives() -> None:
    token = {"id": 5, "text": " a", "logprob": -0.5, "special": False}
    other = {"id": 6, "text": "</s>", "logprob": None, "special": True}
    assert tgi.read_tokens({"token": token, "top_tokens": [token, other]}) == (
        Token(5, " a", b" a", -0.5, top=(Token(5, " a", b" a", -0.5), Token(6, "</s>", b"", -9999.0, special=True))),
    )


def test_reads_the_tokens_of_a_whole_reply() -> None:
    tokens = [{"id": 5, "text": "a", "logprob": -0.5}, {"id": 6, "text": "b", "logprob": -1.5}]
    body: dict[str, Any] = {"generated_text": "ab", "details": {"tokens": tokens}}
    assert tgi.read_tokens(body) == (Token(5, "a", b"a", -0.5), Token(6, "b", b"b", -1.5))
    body["details"]["top_tokens"] = [[tokens[0]], []]
    assert tgi.read_tokens(body)[0].top == (Token(5, "a", b"a", -0.5),)
    assert tgi.read_tokens({"generated_text": "ab"}) == ()


def test_reads_the_tokens_of_a_prompt() -> None:
    prefill = [{"id": 1, "text": "<s>", "logprob": None}, {"id": 5, "text": "a", "logprob": -0.5}]
    body = {"details": {"prefill": prefill}}
    assert tgi.read_prefill([body]) == tgi.read_prefill(body) == (Token(1, "<s>", b"<s>"), Token(5, "a", b"a", -0.5))
    assert tgi.read_prefill({}) == ()
    assert tgi.read_tokenized([{"id": 5, "text": "a", "start": 0, "stop": 1}]) == [Token(5, "a", b"a")]
    assert tgi.read_tokenized({"error": "x"}) is None


def test_reads_older_details() -> None:
    details = {"finish_reason": "length", "generated_tokens": 3, "prefill": [{"id": 1}] * 4}
    frame = tgi.read_frame({"generated_text": "a", "details": details, "token": {"text": "a"}})
    assert frame == Frame("a", "a", "length", 3, 4)
    assert tgi.read_frame({"generated_text": "a", "details": None}) == Frame("", "a")


@pytest.mark.parametrize(
    ("body", "info"),
    [
        ({"model_id": "m", "max_input_tokens": 1023, "max_total_tokens": 1024}, Info("m", 1023, 1024)),
        ({"model_id": "m", "max_input_length": 1000, "max_total_tokens": 1512}, Info("m", 1000, 1512)),
        ({}, Info()),
        ("x", Info()),
    ],
)
def test_reads_info(body: Any, info: Info) -> None:
    assert tgi.read_info(body) == info


@pytest.mark.parametrize(
    ("body", "tokens"),
    [([{}, {}], 2), ({"tokenize_response": [{}], "templated_text": "x"}, 1), ({}, None), (None, None)],
)
def test_reads_token_counts(body: Any, tokens: int | None) -> None:
    assert tgi.read_token_count(body) == tokens
