"""Files that are no good: each is refused as a whole, soon, and with its place."""

from __future__ import annotations

import io
import json
import random
import zipfile
from time import monotonic
from typing import Any

import pytest

from falconry.transfer.reading import read_file
from falconry.transfer.refusals import ImportRefused
from tests.transfer.samples import (
    chatgpt,
    encoded,
    node,
    packed,
    said,
    simple_chatgpt,
    simple_webui,
    webui,
    webui_message,
)

MOST = 2**20


def own(**values: Any) -> dict[str, Any]:
    """A file of Falconry's with one conversation."""
    moment = "2026-11-01T10:00:00+00:00"
    message = {"id": "m", "parent_id": None, "role": "user", "content": "hi", "created_at": moment}
    conversation = {"id": "c", "title": "t", "created_at": moment, "head_id": "m", "messages": [message], **values}
    return {"format": "falconry-export", "version": 1, "conversations": [conversation]}


def changed(**values: Any) -> dict[str, Any]:
    """The same, with another message."""
    file = own()
    file["conversations"][0]["messages"][0].update(values)
    return file


def refusal(raw: bytes, most: int = MOST) -> ImportRefused:
    begun = monotonic()
    with pytest.raises(ImportRefused) as caught:
        read_file(raw, most)
    assert monotonic() - begun < 5
    return caught.value


def test_the_plain_file_is_taken() -> None:
    (tree,) = read_file(encoded(own()), MOST).trees
    assert tree.messages[0].message.content == "hi"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "import_unknown"),
        (b"hello", "import_unknown"),
        (b"[]", "import_unknown"),
        (b"{}", "import_unknown"),
        (b"[1]", "import_unknown"),
        (b'[{"title": "x"}]', "import_unknown"),
        (b"[" + encoded(simple_chatgpt()) + b', {"a": 1}]', "import_unknown"),
        (b"%PDF-1.7", "import_unknown"),
        (b'{"a": ', "import_no_json"),
        (b'[{"a": NaN}]', "import_no_json"),
        (b'[{"a": 1, "a": 2}]', "import_no_json"),
        (b"[{}] and more", "import_unknown"),
        (encoded([simple_chatgpt()]) + b"x", "import_no_json"),
        (b"\xff\xfe[]", "import_no_json"),
        (b"[" * 200_000, "import_no_json"),
        (b'{"a":' * 200_000, "import_no_json"),
        (b"[" + b"9" * 10_000 + b"]", "import_no_json"),
        (b"PK\x03\x04 and so on", "import_bad_zip"),
        (packed({"readme.txt": "hello"}), "import_unknown"),
        (packed({"conversations.json": "["}), "import_no_json"),
        (packed({"conversations.json": b"[" + b" " * 3 * MOST + b"]"}), "import_too_large"),
        (b"[" + b" " * MOST + b"]", "import_too_large"),
        (encoded(own() | {"version": 2}), "import_newer"),
        (encoded(own() | {"version": "1"}), "import_wrong_value"),
        (encoded(own() | {"folders": [7]}), "import_wrong_value"),
        (encoded(own() | {"personas": [7]}), "import_wrong_value"),
    ],
)
def test_no_file_of_any_known_kind(raw: bytes, code: str) -> None:
    assert refusal(raw).code == code


@pytest.mark.parametrize(
    "values",
    [
        {"id": None},
        {"id": ""},
        {"id": 7},
        {"title": 7},
        {"title": "x" * 3000},
        {"pinned": "yes"},
        {"created_at": None},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-01T10:00:00"},
        {"created_at": "0001-01-01T00:00:00+23:59"},
        {"head_id": "elsewhere"},
        {"titled_by": "nobody"},
        {"messages": {}},
        {"messages": [7]},
        {"files": [{"id": "f"}]},
        {"version": -1},
        {"version": True},
        {"version": 2**31 - 1},
        {"updated_at": "8999-01-01T00:00:00+00:00"},
    ],
)
def test_a_wrong_value_of_a_conversation_is_named_with_its_place(values: dict[str, Any]) -> None:
    error = refusal(encoded(own(**values)))
    assert error.code == "import_wrong_value"
    assert error.details["field"] in (*values, "messages 1", "name")
    assert "#1" in str(error.details["where"])


@pytest.mark.parametrize(
    "values",
    [
        {"role": "king"},
        {"role": None},
        {"status": "running"},
        {"content": 7},
        {"content": "x" * 4_200_000},
        {"rating": 0},
        {"rating": 2},
        {"seconds": -1},
        {"usage": 7},
        {"usage": {"prompt_tokens": -1}},
        {"usage": {"prompt_tokens": 1.5}},
        {"context": {"left_out": "x"}},
        {"params": {"temperature": 9}},
        {"params": {"stop": [str(n) for n in range(17)]}},
        {"params": {"grammar": {"kind": "poem"}}},
        {"params": {"logit_bias": [[1]]}},
        {"params": {"max_tokens": 10**400}},
        {"error": {"code": "x", "message": "y", "details": {"a": []}}},
        {"error": "broken"},
        {"files": ["missing"]},
        {"finish_reason": "tired"},
        {"created_at": "2026-13-01T00:00:00Z"},
    ],
)
def test_a_wrong_value_of_a_message_is_named_with_its_place(values: dict[str, Any]) -> None:
    error = refusal(encoded(changed(**values)), 10 * MOST)
    assert error.code in ("import_wrong_value", "import_no_json")
    if error.code == "import_wrong_value":
        assert "messages 1" in str(error.details["where"])


def tree_of(*links: tuple[str, str | None]) -> bytes:
    moment = "2026-11-01T10:00:00+00:00"
    messages = [{"id": one, "parent_id": above, "role": "user", "created_at": moment} for one, above in links]
    return encoded(own(messages=messages, head_id=None))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (tree_of(("a", "b"), ("b", "a")), "import_circle"),
        (tree_of(("a", "a")), "import_circle"),
        (tree_of(("a", None), ("b", "c"), ("c", "b")), "import_circle"),
        (tree_of(("a", "z")), "import_parent_missing"),
        (tree_of(("a", None), ("a", None)), "import_same_id"),
        (encoded([chatgpt(node("a", "b", said("user", "x")), node("b", "a", said("user", "y")))]), "import_circle"),
        (encoded([webui(webui_message("a", "b", "user", "x"), webui_message("b", "a", "user", "y"))]), "import_circle"),
        (encoded([simple_chatgpt() | {"mapping": {"a": 7}}]), "import_wrong_value"),
        (encoded([simple_webui() | {"chat": {"history": {"messages": {"a": []}}}}]), "import_wrong_value"),
    ],
)
def test_what_is_no_tree(raw: bytes, code: str) -> None:
    assert refusal(raw).code == code


def test_deep_values_inside_of_a_conversation_are_refused() -> None:
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    assert refusal(encoded([simple_chatgpt() | {"x": deep}])).code == "import_too_complex"


def test_a_list_of_very_many_small_values_is_refused_before_it_is_parsed() -> None:
    raw = b'[{"mapping": {}, "x": [' + b"1," * 10_000_001 + b"1]}]"
    assert refusal(raw, 100 * MOST).code == "import_too_complex"


def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = packed({"conversations.json": b" " * 60_000_000})
    assert len(bomb) < 100_000
    assert refusal(bomb).code == "import_too_large"
    many = packed({f"conversations-{n}.json": b" " * 900_000 for n in range(50)})
    assert refusal(many).code in ("import_too_large", "import_unknown")


def test_a_zip_file_that_lies_about_its_sizes() -> None:
    raw = bytearray(packed({"conversations.json": b"[" + b" " * 5_000_000 + b"]"}))
    real = (5_000_002).to_bytes(4, "little")
    assert raw.count(real) == 2
    assert refusal(bytes(raw.replace(real, (10).to_bytes(4, "little")))).code in (
        "import_bad_zip",
        "import_no_json",
        "import_too_large",
    )


def test_an_encrypted_zip_file_is_refused() -> None:
    raw = bytearray(packed({"conversations.json": encoded([simple_chatgpt()])}))
    raw[6] |= 1
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(raw)).code == "import_bad_zip"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_file_packed_as_no_export_is_refused(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("conversations.json", encoded([simple_chatgpt()]))
    raw = file.getvalue()
    assert refusal(raw).code == "import_bad_zip"
    assert refusal(raw[:60] + bytes([raw[60] ^ 255]) + raw[61:]).code == "import_bad_zip"


def test_a_reply_of_too_many_parts_is_refused() -> None:
    parts = [node("0", None, said("user", "hello"))]
    parts += [node(str(n), str(n - 1), said("assistant", "x" * 50_000)) for n in range(1, 100)]
    assert refusal(encoded([chatgpt(*parts)]), 100 * MOST).code == "import_wrong_value"


def test_a_very_long_conversation_is_no_problem() -> None:
    links = [("0", None), *((str(n), str(n - 1)) for n in range(1, 20_000))]
    (tree,) = read_file(tree_of(*links), 10 * MOST).trees
    assert tree.messages[-1].message.depth == 19_999


def test_damaged_files_of_all_kinds_are_refused_or_read_and_nothing_else() -> None:
    rng = random.Random(1)
    files = [
        encoded(own()),
        encoded([simple_chatgpt()]),
        encoded([simple_webui()]),
        packed({"conversations.json": encoded([simple_chatgpt()])}),
    ]
    refused = 0
    for _ in range(1500):
        raw = bytearray(rng.choice(files))
        for _ in range(rng.randint(1, 4)):
            kind = rng.random()
            place = rng.randrange(len(raw))
            if kind < 0.5:
                raw[place] = rng.randrange(256)
            elif kind < 0.8:
                del raw[place : place + rng.randint(1, 30)]
            else:
                raw[place:place] = rng.choice((b'"', b"{", b"]", b"null", b"-1", b"1e999", b"\\ud800"))
        try:
            read_file(bytes(raw), MOST)
        except ImportRefused:
            refused += 1
    assert refused > 300


def test_wrong_kinds_of_values_anywhere_are_refused_or_passed_over() -> None:
    rng = random.Random(2)
    odd: list[Any] = [None, 7, -1, 1.5, "", "x", [], {}, [None], {"a": None}, True, "2026", 10**30, "\ud800\x00"]

    def spoil(value: Any) -> Any:
        if rng.random() < 0.05:
            return rng.choice(odd)
        if isinstance(value, dict):
            return {name: spoil(inner) for name, inner in value.items()}
        return [spoil(inner) for inner in value] if isinstance(value, list) else value

    for _ in range(1500):
        value = spoil(rng.choice((own(), [simple_chatgpt()], [simple_webui()])))
        try:
            read_file(json.dumps(value).encode(), MOST)
        except ImportRefused as error:
            assert error.message  # noqa: PT017
