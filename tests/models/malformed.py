"""Malformed model files: each with a name, its bytes, and the code of what is to be said of it."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from tests.models.gguf_bytes import (
    ARCHITECTURE,
    ARRAY,
    BOOL,
    DATA,
    FLOAT32,
    FLOAT64,
    GOOD,
    PAIRS,
    STRING,
    TENSORS,
    UINT8,
    UINT32,
    UINT64,
    File,
    array,
    number,
    pair,
    string,
    tensor,
    text,
    u32,
    u64,
)

HUGE = (2**16, 2**31, 2**32 - 1, 2**32, 2**48, 2**63 - 1, 2**63, 2**64 - 1)


@dataclass(frozen=True)
class Malformed:
    name: str
    content: bytes
    code: str


def corpus() -> list[Malformed]:
    """All of them; of each name there is one."""
    files = [*_cut(), *_frames(), *_counts(), *_lengths(), *_values(), *_alignments(), *_numbers()]
    return [*files, *_dimensions(), *_tensor_types(), *_offsets(), *_twice(), *_splits(), *_other_kinds()]


def _with(*pairs: bytes) -> bytes:
    return File(pairs=(*PAIRS, *pairs)).bytes()


def _tensors(*tensors: bytes, data: bytes = DATA) -> bytes:
    return File(tensors=tensors, data=data).bytes()


def _cut() -> Iterator[Malformed]:
    """Cut off at forty places all over the header, and in the data."""
    head = len(File().head)
    for n in range(40):
        length = 4 + (head - 4) * n // 40
        yield Malformed(f"cut at {length}", GOOD[:length], "model_file_truncated")
    for left_out in (1, 128, 2048):
        yield Malformed(f"data short of {left_out}", GOOD[:-left_out], "model_file_truncated")
    yield Malformed("header only", File().head, "model_file_truncated")


def _frames() -> Iterator[Malformed]:
    for version in (0, 1, 4, 99, 2**31, 2**32 - 1):
        yield Malformed(f"version {version}", File(version=version).bytes(), "model_file_version")
    for version in (1, 2, 3):
        swapped = struct.unpack("<I", struct.pack(">I", version))[0]
        yield Malformed(f"big-endian {version}", File(version=swapped).bytes(), "model_file_big_endian")
    for magic in (b"GGUf", b"FUGG", b"\0\0\0\0", b"GGU\0"):
        yield Malformed(f"magic {magic!r}", File(magic=magic).bytes(), "model_file_unknown")


def _counts() -> Iterator[Malformed]:
    for count in HUGE:
        if count > 100_000:
            yield Malformed(f"{count} tensors", File(tensor_count=count).bytes(), "model_file_many_tensors")
        yield Malformed(f"{count} values", File(pair_count=count).bytes(), "model_file_many_values")
    yield Malformed("one tensor more", File(tensor_count=3, data=b"").bytes(), "model_file_truncated")
    yield Malformed("99,999 tensors", File(tensor_count=99_999, data=b"").bytes(), "model_file_truncated")
    yield Malformed("9,999 values", File(pair_count=9_999, tensors=(), data=b"").bytes(), "model_file_truncated")
    strings = array("x", STRING, [], length=2**21 + 1)
    yield Malformed("two million texts", _with(strings), "model_file_many_texts")


def _lengths() -> Iterator[Malformed]:
    for length in HUGE:
        key = text("x", length=length) + u32(UINT32) + u32(1)
        yield Malformed(f"key of {length}", _with(key), "model_file_text_length")
        if length > 4 * 2**20:
            value = pair("x", STRING, text("x", length=length))
            yield Malformed(f"text of {length}", _with(value), "model_file_text_length")
            words = array("x", STRING, [text("x", length=length)] * 2000)
            yield Malformed(f"word of {length}", _with(words), "model_file_text_length")
            few = array("x", STRING, [text("x", length=length)])
            yield Malformed(f"one word of {length}", _with(few), "model_file_text_length")
        name = text("x", length=length) + u32(1) + u64(32) + u32(0) + u64(0)
        yield Malformed(f"tensor's name of {length}", _tensors(name), "model_file_text_length")
    yield Malformed("tensor's name of 64", _tensors(tensor("x" * 64, (32,))), "model_file_text_length")
    yield Malformed(
        "text longer than the file", _with(pair("x", STRING, text("", length=10**6))), "model_file_truncated"
    )
    words = array("x", STRING, [text("", length=10**6)] * 2000)
    yield Malformed("words longer than the file", _with(words), "model_file_truncated")
    endless = array("x", STRING, [b""], length=2**20)
    content = File(pairs=(*PAIRS, endless), tensors=(), data=bytes(800)).bytes()
    yield Malformed("a million texts in a small file", content, "model_file_truncated")


def _values() -> Iterator[Malformed]:
    for kind in (13, 14, 255, 2**31, 2**32 - 1):
        yield Malformed(f"value of type {kind}", _with(pair("x", kind, u64(1))), "model_file_value_type")
        yield Malformed(f"list of type {kind}", _with(array("x", kind, [u64(1)])), "model_file_value_type")
    yield Malformed("list of lists", _with(array("x", ARRAY, [u32(UINT8) + u64(1) + b"x"])), "model_file_nesting")
    deep = b"".join(u32(ARRAY) + u64(1) for _ in range(100_000))
    yield Malformed("list 100,000 deep", _with(pair("x", ARRAY, deep)), "model_file_nesting")
    for length in (10**6, 2**31):
        for kind in (UINT8, BOOL, FLOAT64):
            numbers = array("x", kind, [b""], length=length)
            yield Malformed(f"list of {length} × type {kind}", _with(numbers), "model_file_truncated")
    for length in (2**32, 2**61, 2**63, 2**64 - 1):
        for kind in (UINT8, FLOAT64):
            numbers = array("x", kind, [b""], length=length)
            yield Malformed(f"list of {length} × type {kind}", _with(numbers), "model_file_truncated")
    without = File(pairs=PAIRS[1:])
    yield Malformed("no architecture", without.bytes(), "model_file_missing_key")
    for name, value in (
        ("empty", string("general.architecture", "")),
        ("a number", number("general.architecture", 3)),
        ("a list", array("general.architecture", STRING, [text("llama")])),
    ):
        yield Malformed(f"architecture {name}", File(pairs=(value, *PAIRS[1:])).bytes(), "model_file_missing_key")
    yield Malformed("nothing", File(pairs=(), tensors=(), data=b"").bytes(), "model_file_missing_key")


def _alignments() -> Iterator[Malformed]:
    for alignment in (0, 3, 5, 33, 100, 2**31 - 1, 2**32 - 1):
        yield Malformed(f"alignment {alignment}", _with(number("general.alignment", alignment)), "model_file_value")
    for name, value in (
        ("text", string("general.alignment", "32")),
        ("list", array("general.alignment", UINT32, [u32(32)])),
        ("fraction", pair("general.alignment", FLOAT32, struct.pack("<f", 32))),
        ("2**63 + 1", pair("general.alignment", UINT64, u64(2**63 + 1))),
    ):
        yield Malformed(f"alignment as {name}", _with(value), "model_file_value")
    large = pair("general.alignment", UINT64, u64(2**63))
    yield Malformed("alignment 2**63", _with(large), "model_file_offset")
    larger = number("general.alignment", 128)
    yield Malformed("another alignment than the tensors", _with(larger), "model_file_truncated")


def _numbers() -> Iterator[Malformed]:
    for key, values in (
        ("block_count", (0, 1025, 2**31, 2**32 - 1)),
        ("context_length", (0, 2**31, 2**32 - 1)),
        ("embedding_length", (0, 2**21, 2**32 - 1)),
        ("attention.head_count", (2**15, 2**32 - 1)),
        ("attention.head_count_kv", (2**15, 2**32 - 1)),
    ):
        others = tuple(one for one in PAIRS if not one.startswith(text(f"llama.{key}")))
        for value in values:
            content = File(pairs=(*others, number(f"llama.{key}", value))).bytes()
            yield Malformed(f"{key} {value}", content, "model_file_value")
        content = File(pairs=(*others, string(f"llama.{key}", "many"))).bytes()
        yield Malformed(f"{key} as text", content, "model_file_value")
    layers = array("llama.feed_forward_length", UINT32, [u32(2**31)] * 4)
    yield Malformed("a layer's number", _with(layers), "model_file_value")
    tokens = File(pairs=(*PAIRS[:-1], array("tokenizer.ggml.scores", FLOAT32, [bytes(4)] * 15)))
    yield Malformed("fewer scores than tokens", tokens.bytes(), "model_file_value")
    types = array("tokenizer.ggml.token_type", UINT32, [u32(1)] * 17)
    yield Malformed("more types than tokens", _with(types), "model_file_value")


def _dimensions() -> Iterator[Malformed]:
    for dimensions in (5, 6, 255, 2**31, 2**32 - 1):
        content = _tensors(tensor("x", (1, 1, 1, 1, 1, 1)[: min(dimensions, 6)], dimensions=dimensions))
        yield Malformed(f"{dimensions} dimensions", content, "model_file_dimensions")
    for shape in (
        (0,),
        (32, 0),
        (2**48 + 1,),
        (2**63,),
        (2**64 - 1,),
        (2**32, 2**32),
        (2**16, 2**16, 2**16, 2**16),
        (2**63, 2),
        (2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 1),
        (2**32, 2**31, 2),  # 2**64: nothing in 64 bits
    ):
        yield Malformed(f"shape {shape}", _tensors(tensor("x", shape)), "model_file_dimensions")
    for kind, width in ((2, 31), (8, 33), (12, 32), (14, 255), (16, 128), (39, 16), (40, 32), (41, 64)):
        content = _tensors(tensor("x", (width, 4), kind))
        yield Malformed(f"{width} in blocks of type {kind}", content, "model_file_dimensions")
    yield Malformed("4 TB of tensors", _tensors(tensor("x", (2**20, 2**20))), "model_file_truncated")


def _tensor_types() -> Iterator[Malformed]:
    for kind in (4, 5, 31, 32, 33, 36, 37, 38, 42, 100, 255, 2**31, 2**32 - 1):
        yield Malformed(f"tensor type {kind}", _tensors(tensor("x", (256,), kind)), "model_file_tensor_type")


def _offsets() -> Iterator[Malformed]:
    for offset in (1, 31, 32, 2**31, 2**32, 2**63, 2**64 - 32, 2**64 - 1):
        content = _tensors(tensor("x", (32,), offset=offset))
        yield Malformed(f"first at {offset}", content, "model_file_offset")
    for offset in (0, 1, 64, 127, 129, 160, 2**40, 2**64 - 128):
        content = _tensors(tensor("x", (32,)), tensor("y", (32,), offset=offset))
        yield Malformed(f"second at {offset}", content, "model_file_offset")
    yield Malformed("the other way round", _tensors(*reversed(TENSORS)), "model_file_offset")


def _twice() -> Iterator[Malformed]:
    yield Malformed("a key twice", _with(string("general.name", "Other")), "model_file_duplicate")
    yield Malformed("the architecture twice", _with(ARCHITECTURE), "model_file_duplicate")
    content = _tensors(tensor("x", (32,)), tensor("x", (32,), offset=128))
    yield Malformed("a tensor twice", content, "model_file_duplicate")


def _splits() -> Iterator[Malformed]:
    for count, code in (
        (2, "model_file_part_missing"),
        (65_535, "model_file_many_parts"),
        (2**32 - 1, "model_file_many_parts"),
    ):
        content = _with(number("split.no", 0), number("split.count", count))
        yield Malformed(f"one of {count}", content, code)
    later = _with(number("split.no", 1), number("split.count", 2))
    yield Malformed("a later part", later, "model_file_not_first")
    lost = _with(number("split.count", 2))
    yield Malformed("a part without a number", lost, "model_file_not_first")


class Evil:
    """What makes a pickle dangerous."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch canary",)


def _other_kinds() -> Iterator[Malformed]:
    for protocol in range(6):
        evil = pickle.dumps(Evil(), protocol)
        yield Malformed(f"pickle {protocol}", evil, "model_file_pickle")
        weights = pickle.dumps({"weight": [0.0] * 8}, protocol)
        yield Malformed(f"dictionary in pickle {protocol}", weights, "model_file_pickle")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil()))
        archive.writestr("archive/data/0", bytes(64))
    yield Malformed("PyTorch's zip", packed.getvalue(), "model_file_pickle")
    legacy = b"".join(pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    yield Malformed("PyTorch's old form", legacy, "model_file_pickle")
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("model.gguf", GOOD)
    yield Malformed("a zip", plain.getvalue(), "model_file_archive")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 4\n"
    yield Malformed("a Git LFS pointer", pointer.encode(), "model_file_lfs_pointer")
    for page in (
        b"<!DOCTYPE html><html>",
        b"\n\n<html><body>Not found",
        b"\xef\xbb\xbf<!doctype HTML>",
        b"<?xml version",
    ):
        yield Malformed(f"page {page[:12]!r}", page + b" " * 4000, "model_file_web_page")
    for magic in (b"lmgg", b"tjgg", b"fmgg", b"ggml"):
        yield Malformed(f"old format {magic!r}", magic + bytes(4000), "model_file_old_format")
    for magic in (b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c"):
        yield Malformed(f"packed {magic!r}", magic + bytes(4000), "model_file_archive")
    for content in (b"\x7fELF" + bytes(999), b"\x89PNG\r\n", b"{}", b"hello", bytes(5000), b"G", b"GGU", b"\n"):
        yield Malformed(f"other {content[:6]!r} {len(content)}", content, "model_file_unknown")
    yield Malformed("empty", b"", "model_file_empty")
