"""What text-generation-inference's parameters mean for an engine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from falconry.api.tgi_schemas import GenerateRequest, GrammarSpec, Parameters
from falconry.engines.base import ALL_SAMPLING
from falconry.errors import InvalidRequest
from falconry.messages import Grammar, SamplingParams


def test_nothing_set_is_greedy() -> None:
    assert Parameters().to_sampling(None, ALL_SAMPLING) == SamplingParams(max_tokens=1024, temperature=0.0)


def test_no_parameters_at_all_sample_at_temperature_1() -> None:
    for parameters in (GenerateRequest(inputs="x"), GenerateRequest(inputs="x", parameters=None)):
        params = parameters.checked(stream=True).to_sampling(5, ALL_SAMPLING)
        assert params == SamplingParams(temperature=1.0, min_p=0.0, top_k=0, top_p=1.0, typical_p=1.0, seed=5)


def test_a_backend_is_not_told_what_it_does_not_know() -> None:
    params = Parameters(do_sample=True).to_sampling(5, frozenset({"top_p"}))
    assert params == SamplingParams(temperature=1.0, top_p=1.0, seed=5)


def test_everything_reaches_the_engine() -> None:
    parameters = Parameters(
        temperature=0.5, top_p=0.9, top_k=2**31, typical_p=0.8, repetition_penalty=1.1, frequency_penalty=-0.5,
        max_new_tokens=2**40, stop=["a", "b"], grammar=GrammarSpec(type="regex", value="[ab]"),
    )  # fmt: skip
    assert parameters.to_sampling(2**32, ALL_SAMPLING) == SamplingParams(
        max_tokens=1_000_000, temperature=0.5, top_p=0.9, top_k=1_000_000, min_p=0.0, typical_p=0.8,
        repetition_penalty=1.1, frequency_penalty=-0.5, stop=("a", "b"), seed=1, grammar=Grammar("regex", "[ab]"),
    )  # fmt: skip


def test_nulls_are_as_good_as_nothing() -> None:
    nulls = Parameters.model_validate(dict.fromkeys(Parameters.model_fields))
    assert nulls == Parameters()


@pytest.mark.parametrize("kind", ["json", "json_object"])
def test_a_schema_is_an_object_or_its_text(kind: str) -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    for value in (schema, json.dumps(schema)):
        grammar = Parameters.model_validate({"grammar": {"type": kind, "value": value}}).grammar
        assert grammar is not None
        assert json.loads(grammar.to_grammar().text) == schema


def closed(schema: Any) -> Any:
    grammar = Parameters.model_validate({"grammar": {"type": "json_schema", "value": {"schema": schema}}}).grammar
    assert grammar is not None
    return json.loads(grammar.to_grammar().text)


def test_objects_have_the_named_properties_and_no_others() -> None:
    inner: dict[str, Any] = {"properties": {"b": {}}}
    shut = inner | {"additionalProperties": False}
    assert closed({"properties": {"a": inner}, "$defs": {"c": inner}}) == {
        "properties": {"a": shut},
        "$defs": {"c": shut},
        "additionalProperties": False,
    }
    assert closed({"items": [inner], "enum": [inner]}) == {"items": [shut], "enum": [inner]}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"properties": {"a": {}}, "additionalProperties": True},
        {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
    ],
)
def test_objects_that_are_meant_to_be_open_stay_open(schema: Any) -> None:
    assert closed(schema) == schema


def test_a_property_may_be_called_properties() -> None:
    assert closed({"properties": {"properties": {}}})["properties"] == {"properties": {}}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        ({"temperature": -1.5}, "`temperature` must be strictly positive"),
        ({"temperature": 2.5}, "`temperature` must be <= 2.0"),
        ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"top_p": 0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"typical_p": 1.0}, "`typical_p` must be > 0.0 and < 1.0"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"max_new_tokens": -5}, "`max_new_tokens` must be strictly positive"),
        ({"truncate": 0}, "`truncate` must be strictly positive"),
        ({"repetition_penalty": 0.0}, "`repetition_penalty` must be strictly positive"),
        ({"repetition_penalty": 99}, "`repetition_penalty` must be >= 0.01 and <= 10.0"),
        ({"frequency_penalty": 2.1}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"stop": list("abcde")}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ({"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
        ({"seed": -1}, "`seed` must be >= 0"),
        ({"seed": 2**64}, "`seed` must be >= 0"),
        ({"best_of": 0}, "`best_of` must be > 0 and <= 2. Given: 0"),
        ({"best_of": 3, "do_sample": True}, "`best_of` must be > 0 and <= 2. Given: 3"),
        ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "do_sample": True, "seed": 3}, "`seed` must not be set when `best_of` > 1"),
        ({"adapter_id": "mine"}, "does not support adapter_id"),
    ],
)
def test_values_are_judged_in_tgis_words(parameters: dict[str, Any], words: str) -> None:
    request = GenerateRequest.model_validate({"inputs": "x", "parameters": parameters})
    with pytest.raises(InvalidRequest) as caught:
        request.checked(stream=False)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"best_of": 2, "do_sample": True}, "`best_of` != 1 is not supported when streaming tokens"),
        ({"decoder_input_details": True}, "`decoder_input_details` == true is not supported when streaming tokens"),
    ],
)
def test_a_stream_takes_less(parameters: dict[str, Any], words: str) -> None:
    request = GenerateRequest.model_validate({"inputs": "x", "parameters": parameters})
    request.checked(stream=False)
    with pytest.raises(InvalidRequest, match=words):
        request.checked(stream=True)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="`inputs` cannot be empty"):
        GenerateRequest(inputs="").checked(stream=False)


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": "1"},
        {"temperature": float("inf")},
        {"temperature": 10**400},
        {"top_k": 1.5},
        {"stop": "a"},
        {"stop": ["x" * 257]},
        {"details": "yes"},
        {"grammar": {"type": "yaml", "value": ""}},
        {"grammar": "json"},
        [],
    ],
)
def test_wrong_types_are_refused(parameters: Any) -> None:
    with pytest.raises(ValidationError):
        GenerateRequest.model_validate({"inputs": "x", "parameters": parameters})


def test_a_whole_float_is_an_integer_as_javascript_writes_it() -> None:
    assert Parameters.model_validate({"max_new_tokens": 20.0}).max_new_tokens == 20
