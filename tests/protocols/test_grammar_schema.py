"""JSON schemas: what is refused and where, what is written for the engine, and what it costs to find out."""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falconry.errors import InvalidRequest
from falconry.i18n import error_text
from falconry.protocols.grammar import check_schema
from tests.protocols.schemas import HONEST, Person, Tree, allows, portable, random_schema

SEVEN = {"type": "integer", "multipleOf": 7}
A, N, NULL = {"type": "integer"}, {"type": "number"}, {"type": "null"}


def refused(schema: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        check_schema(schema if isinstance(schema, str) else json.dumps(schema))
    return caught.value


@pytest.mark.parametrize("name", HONEST)
def test_schemas_of_real_programs_pass(name: str) -> None:
    check_schema(json.dumps(HONEST[name]))


def test_what_is_written_for_an_engine_is_a_schema_again() -> None:
    for schema in HONEST.values():
        again = portable(portable(schema))
        assert portable(again) == again


def test_a_value_of_the_written_schema_is_one_of_the_model() -> None:
    person = {
        "id": "12345678-1234-1234-1234-123456789abc",
        "name": "Ada",
        "born": "2001-02-03",
        "address": {"street": "x", "zip_code": "12345"},
        "pet": {"kind": "dog", "name": "Rex"},
        "ratio": 0.5,
        "by_colour": {"red": 1, "蓝": 2},
        "place": [1.0, 2],
    }
    written = portable(HONEST["person"])
    assert allows(written, person, written)
    assert Person.model_validate(person).by_colour
    for name, wrong in (("born", 3), ("place", [1]), ("pet", {"kind": "cow"}), ("by_colour", {"pink": 1}), ("x", 1)):
        assert not allows(written, person | {name: wrong}, written), name
    tree = {"value": 1, "children": [{"value": 2, "children": []}], "parent": None}
    written = portable(HONEST["tree"])
    assert allows(written, tree, written)
    assert Tree.model_validate(tree).children[0].value == 2


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({}, {}),
        (True, {}),
        ({"title": "x", "x-guidance": {"lenient": True}, "$id": "odd id"}, {}),
        ({"type": ["string", "null"], "maxLength": 3}, {"anyOf": [{"type": "string", "maxLength": 3}, NULL]}),
        ({"type": ["integer", "number"]}, {"type": "number"}),
        ({"const": "a", "enum": ["a", "b"]}, {"enum": ["a"]}),
        ({"enum": ["a", 1, None], "type": "string"}, {"enum": ["a"]}),
        ({"oneOf": [A, A, NULL]}, {"anyOf": [A, NULL]}),
        ({"anyOf": [{"anyOf": [A, NULL]}, {"type": "string"}]}, {"anyOf": [A, NULL, {"type": "string"}]}),
        ({"allOf": [A, {"minimum": 3}, {"maximum": 7}]}, A | {"minimum": 3, "maximum": 7}),
        ({"$ref": "#/$defs/a", "minimum": 3, "$defs": {"a": A}}, A | {"minimum": 3, "maximum": 10**15 - 1}),
        (A | {"exclusiveMaximum": 5}, A | {"minimum": 1 - 10**15, "maximum": 4}),
        ({"$ref": "#/definitions/人~1", "definitions": {"人/": A}}, {"$ref": "#/$defs/d0", "$defs": {"d0": A}}),
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 2**63}, A | {"minimum": 1, "maximum": 10**15 - 1}),
        ({"type": "integer", "minimum": 0.5, "exclusiveMaximum": 9.5}, A | {"minimum": 1, "maximum": 9}),
        (SEVEN | {"minimum": 10, "maximum": 701}, SEVEN | {"minimum": 14, "maximum": 700}),
        (N | {"exclusiveMinimum": 0, "maximum": 1e300}, N | {"maximum": 1e9, "exclusiveMinimum": 0}),
        ({"type": "string", "maxLength": 2000}, {"type": "string", "maxLength": 1900}),
        ({"items": A, "maxItems": 10**9}, {"type": "array", "items": A, "maxItems": 1900}),
        ({"type": "string", "maxLength": 10_000}, {"type": "string", "maxLength": 10_000}),
        ({"type": "string", "format": "password"}, {"type": "string"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"pattern": "^\\d$"}, {"type": "string", "pattern": "^[0-9]$"}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"items": False}, {"type": "array", "items": {"type": "null"}, "maxItems": 0}),
        ({"items": [A], "additionalItems": False}, {"type": "array", "prefixItems": [A], "minItems": 1, "maxItems": 1}),
        ({"type": "object"}, {"type": "object"}),
        ({"type": "object", "additionalProperties": A}, {"type": "object", "additionalProperties": A}),
        (
            {"properties": {"a": A}, "additionalProperties": True},
            {"type": "object", "properties": {"a": A}, "required": [], "additionalProperties": True},
        ),
        (
            # Others cannot be told from this one without escaping, which llama.cpp forgets.
            {"properties": {"a]": A}, "additionalProperties": True, "required": ["a]"]},
            {"type": "object", "properties": {"a]": A}, "required": ["a]"], "additionalProperties": False},
        ),
        (
            {"propertyNames": {"enum": ["a", "b"]}, "additionalProperties": A},
            {"type": "object", "properties": {"a": A, "b": A}, "required": [], "additionalProperties": False},
        ),
    ],
)  # fmt: skip
def test_is_written_in_the_words_that_engines_share(schema: object, written: dict[str, Any]) -> None:
    assert portable(schema) == written


@pytest.mark.parametrize(
    ("schema", "place", "problem"),
    [
        ("[]", "#", "a JSON object"),
        ("false", "#", "allows nothing"),
        ('{"enum": ["\\ud800"]}', "#", "surrogate"),
        ('"\ud800"', "#", "surrogate"),
        ({"type": "foo"}, "#/type", "one of null, boolean"),
        ({"type": []}, "#/type", "the name of a type"),
        ({"type": {"a": 1}}, "#/type", "the name of a type"),
        ({"properties": {"a/b": {"properties": {"~": None}}}}, "#/properties/a~1b/properties/~0", "a JSON object"),
        ({"properties": []}, "#/properties", "by name"),
        ({"properties": {"a": A}, "required": ["b"]}, "#/required", "'b' is no property"),
        ({"properties": {"a": A}, "required": "a"}, "#/required", "list of names"),
        ({"properties": {"a": False}, "required": ["a"]}, "#/properties/a", "allows nothing"),
        ({"additionalProperties": 3}, "#/additionalProperties", "it is a schema"),
        ({"type": "object", "minProperties": 1}, "#", "minProperties"),
        ({"type": "object", "propertyNames": {"pattern": "^a"}}, "#/propertyNames", "only list names"),
        ({"items": {"uniqueItems": True}}, "#/items", "uniqueItems cannot be kept"),
        ({"not": A}, "#", "not cannot be kept"),
        ({"if": A, "then": A}, "#", "cannot be kept"),
        ({"patternProperties": {"^a": A}}, "#", "patternProperties cannot be kept"),
        ({"$dynamicRef": "#x"}, "#", "cannot be kept"),
        ({"minItems": 5, "maxItems": 3, "items": A}, "#", "more than maxItems"),
        ({"minItems": 3, "prefixItems": [A]}, "#/prefixItems", "more items than are listed"),
        ({"minItems": 1, "items": False}, "#", "none are allowed"),
        ({"minLength": 5, "maxLength": 3}, "#", "more than maxLength"),
        ({"minLength": -1}, "#/minLength", "whole number"),
        ({"maxLength": 1.5}, "#/maxLength", "whole number"),
        ({"maxLength": True}, "#/maxLength", "whole number"),
        ({"maxLength": "3"}, "#/maxLength", "whole number"),
        ({"pattern": 3}, "#/pattern", "a text"),
        ({"pattern": "("}, "#/pattern", "missing )"),
        ({"pattern": "^a$", "maxLength": 3}, "#", "beside pattern"),
        ({"format": 3}, "#/format", "a text"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "#", "no number"),
        ({"type": "integer", "minimum": 0.5, "maximum": 0.7}, "#", "no number"),
        ({"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 10}, "#", "no number"),
        ({"type": "number", "minimum": 2, "exclusiveMaximum": 2}, "#", "no number"),
        ({"minimum": None}, "#/minimum", "a number"),
        ({"exclusiveMinimum": True, "minimum": 1}, "#/exclusiveMinimum", "a number"),
        ({"type": "integer", "multipleOf": 0}, "#/multipleOf", "whole number"),
        ({"type": "integer", "multipleOf": 999983}, "#/multipleOf", "whole number"),
        ({"enum": []}, "#/enum", "no value"),
        ({"enum": {"a": 1}}, "#/enum", "a list"),
        ({"enum": [1], "type": "string"}, "#/enum", "no value"),
        ({"const": 1, "enum": [True]}, "#/enum", "no value"),
        ({"anyOf": []}, "#/anyOf", "allows nothing"),
        ({"anyOf": "x"}, "#/anyOf", "a list"),
        ({"anyOf": [A], "oneOf": [A]}, "#", "use anyOf alone"),
        ({"anyOf": [A], "properties": {}}, "#", "properties cannot stand beside anyOf"),
        ({"anyOf": [A, {"items": {"type": "x"}}]}, "#/anyOf/1/items/type", "one of"),
        ({"allOf": []}, "#/allOf", "a list of 1 to"),
        ({"allOf": [A, {"type": "string"}]}, "#", "different things about type"),
        ({"$ref": 5}, "#/$ref", "a text"),
        ({"$ref": "#/$defs/a"}, "#", "leads nowhere"),
        ({"$ref": "#/$defs/a", "$defs": {"a": 3}}, "#", "no schema"),
        ({"$ref": "https://example.org/a.json"}, "#", "not inside this schema"),
        ({"$ref": "#"}, "#", "refers to itself"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}, "#/$defs/a", "itself"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, A]}}}, "#/$defs/a", "refers to itself"),
        ({"allOf": [{"$ref": "#"}, {"title": "x"}, A]}, "#", "itself"),
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "#", "without an end"),
        ({"items": {"$ref": "#"}, "minItems": 1}, "#", "without an end"),
        ({"propertyNames": {"$ref": "#"}}, "#/propertyNames", "only list names"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_its_place(schema: object, place: str, problem: str) -> None:
    error = refused(schema)
    assert error.code in ("invalid_schema", "invalid_json")
    assert (error.details["place"], error.code) == (place, "invalid_schema")
    assert problem in str(error)
    assert str(error.details["place"]) in error_text(error.as_dict(), "zh")


def chain(count: int, body: str) -> str:
    """Definitions that each refer to the next one, twice."""
    defs = [f'"d{number}": {body.replace("NEXT", f"#/$defs/d{number + 1}")}' for number in range(count)]
    return f'{{"$ref": "#/$defs/d0", "$defs": {{{", ".join(defs)}, "d{count}": {{"type": "integer"}}}}}}'


def diamond(count: int) -> str:
    """Two definitions that each refer to two, that each refer to the same two …"""
    both = [[f"a{number}", f"b{number}"] for number in range(count + 1)]
    defs = {
        name: {"anyOf": [{"$ref": f"#/$defs/{to}"} for to in both[at + 1]]} for at in range(count) for name in both[at]
    }
    return json.dumps({"$ref": "#/$defs/a0", "$defs": defs | dict.fromkeys(both[count], A)})


TWICE = '{"$ref": "NEXT"}, {"$ref": "NEXT"}'
LARGE = {
    "bytes": {"description": "x" * 100_000},
    "depth": '{"items":' * 30 + "{}" + "}" * 30,
    "parts": {"properties": {str(number): A for number in range(2000)}},
    "values": {"enum": list(range(1001))},
    "ways": {"enum": list(range(900))},
    "long values": {"enum": ["\n" * 3000 + str(number) for number in range(9)] * 9},
    "least": {"minItems": 501, "items": A},
    "length": {"maxLength": 10**7},
    "lengths": {"properties": {str(number): {"maxLength": 1000} for number in range(10)}},
    "integer": {"type": "integer", "minimum": 10**16},
    "number": {"type": "number", "minimum": 1e300},
    "optional": {"properties": {str(number): A for number in range(201)}},
    "parallel": {"anyOf": [{"properties": {f"{a}{b}": A for b in range(20)}} for a in range(40)]},
    "pattern": {"pattern": "^(a{1,50}){1,50}$"},
    "nullable pattern": {"pattern": "^(a?b?c?){60}$"},
    "chain of alternatives": diamond(40),
    "chain of references": chain(300, '{"$ref": "NEXT"}'),
    "copies": chain(40, f'{{"properties": {{"a": {{"allOf": [{TWICE}, {{"title": "x"}}]}}}}}}'),
    "merges": chain(40, f'{{"allOf": [{TWICE}, {{"title": "x"}}]}}'),
    "open": "[" * 60_000,
    "digits": f'{{"minimum": {"9" * 5000}}}',
}


@pytest.mark.parametrize("name", LARGE)
def test_what_would_take_long_is_refused_soon(name: str) -> None:
    start = perf_counter()
    assert refused(LARGE[name]).code in ("schema_too_large", "invalid_schema", "too_deep", "invalid_json")
    assert perf_counter() - start < 1


@given(st.integers(0, 10**9))
@settings(max_examples=200, deadline=None)
def test_nonsense_is_written_or_refused(seed: int) -> None:
    try:
        written = portable(random_schema(seed))
    except InvalidRequest:
        return
    assert written == {} or written.keys() & {"type", "enum", "anyOf", "$ref"}


KEYWORDS = st.sampled_from(
    ("type", "properties", "items", "anyOf", "allOf", "enum", "$ref", "required", "pattern", "minimum", "maxItems")
) | st.sampled_from(("additionalProperties", "propertyNames", "format", "const", "prefixItems", "nullable"))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(("object", "#", "array"))


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYWORDS, inner)))
@settings(max_examples=500, deadline=None)
def test_keywords_of_any_type_are_read_or_refused(schema: object) -> None:
    try:
        written = portable(schema)
    except InvalidRequest:
        return
    assert isinstance(written, dict)
