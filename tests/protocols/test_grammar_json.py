"""Bodies as JSON: strict, bounded, and hardly slower than without."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falconry.errors import InvalidRequest
from falconry.protocols.json_limits import check_json, loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_reads_what_json_is(value: object) -> None:
    assert loads(json.dumps(value).encode()) == value


@given(st.binary(max_size=50) | st.text('[]{}":,0123456789eE+-.NaInfity\\ud8 ', max_size=50).map(str.encode))
def test_nonsense_is_read_or_refused(raw: bytes) -> None:
    try:
        value = loads(raw)
    except InvalidRequest:
        return
    json.dumps(value, allow_nan=False)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "Expecting value, line 1, column 1"),
        (b'{"a": 1,}', "line 1, column"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b'"\xed\xa0\x80"', "byte 1 is not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[NaN]", "NaN or Infinity"),
        (b"-Infinity", "NaN or Infinity"),
        (b"[1e999]", "NaN or Infinity"),
        (b"-" + b"9" * 400 + b".0", "NaN or Infinity"),
        (b"9" * 5000, "too large"),
        (b"{} {}", "Extra data"),
    ],
)
def test_what_is_no_json_is_refused(raw: bytes, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem) as caught:
        loads(raw)
    assert caught.value.code == "invalid_json"


def test_a_lone_surrogate_is_let_through() -> None:
    assert loads(b'"\\ud83d"') == "\ud83d"


@pytest.mark.parametrize("raw", [b"[" * 65 + b"]" * 65, b"[" * 10**6, b'{"a":' * 10**5, b"[" * 10**5 + b"]" * 10**5])
def test_what_is_nested_too_deep_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        loads(raw)
    assert caught.value.code == "too_deep"
    assert caught.value.details == {"limit": 64}


def test_the_deepest_that_is_allowed() -> None:
    loads(b"[" * 64 + b"]" * 64)
    check_json({"a": [{}]}, depth=3)
    check_json("text", depth=0)
    with pytest.raises(InvalidRequest):
        check_json({"a": [{}]}, depth=2)


def test_lists_and_objects_are_counted() -> None:
    check_json([[], {}, "", 1], nodes=3)
    with pytest.raises(InvalidRequest) as caught:
        check_json([[], {}, [1]], nodes=3)
    assert caught.value.code == "too_many_values"
    with pytest.raises(InvalidRequest):
        loads(b"[" + b"[]," * 10**6 + b"1]")


def test_an_object_has_so_many_keys() -> None:
    check_json({"a": {"b": 1, "c": 2}}, nodes=2)
    with pytest.raises(InvalidRequest) as caught:
        check_json([{"b": 1, "c": 2, "d": 3}], nodes=2)
    assert (caught.value.code, caught.value.details) == ("too_many_keys", {"limit": 2})
