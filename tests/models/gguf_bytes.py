"""GGUF files byte by byte, so that any of their parts can be wrong."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64, FLOAT64 = range(13)


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def text(content: str | bytes, *, length: int | None = None) -> bytes:
    """A string; `length` is what it claims to have."""
    raw = content.encode() if isinstance(content, str) else content
    return u64(len(raw) if length is None else length) + raw


def pair(key: str | bytes, kind: int, value: bytes) -> bytes:
    return text(key) + u32(kind) + value


def string(key: str, value: str | bytes) -> bytes:
    return pair(key, STRING, text(value))


def number(key: str, value: int) -> bytes:
    return pair(key, UINT32, u32(value))


def array(key: str, kind: int, values: Sequence[bytes], *, length: int | None = None) -> bytes:
    head = u32(kind) + u64(len(values) if length is None else length)
    return pair(key, ARRAY, head + b"".join(values))


def tensor(
    name: str | bytes, shape: Sequence[int], kind: int = 0, offset: int = 0, *, dimensions: int | None = None
) -> bytes:
    count = len(shape) if dimensions is None else dimensions
    return text(name) + u32(count) + b"".join(map(u64, shape)) + u32(kind) + u64(offset)


ARCHITECTURE = string("general.architecture", "llama")
PAIRS = (
    ARCHITECTURE,
    string("general.name", "Tiny"),
    number("general.file_type", 0),
    number("llama.context_length", 512),
    number("llama.embedding_length", 32),
    number("llama.block_count", 1),
    number("llama.attention.head_count", 4),
    number("llama.attention.head_count_kv", 2),
    array("tokenizer.ggml.tokens", STRING, [text(f"t{n}") for n in range(16)]),
    array("tokenizer.ggml.scores", FLOAT32, [struct.pack("<f", n) for n in range(16)]),
)
TENSORS = (tensor("token_embd.weight", (32, 16)), tensor("output_norm.weight", (32,), offset=2048))
DATA = bytes(2048 + 128)


@dataclass(frozen=True)
class File:
    """A file in its parts; what is None is what the rest demands."""

    magic: bytes = b"GGUF"
    version: int = 3
    tensor_count: int | None = None
    pair_count: int | None = None
    pairs: Sequence[bytes] = PAIRS
    tensors: Sequence[bytes] = TENSORS
    alignment: int = 32
    data: bytes = DATA

    @property
    def head(self) -> bytes:
        return b"".join(
            (
                self.magic,
                u32(self.version),
                u64(len(self.tensors) if self.tensor_count is None else self.tensor_count),
                u64(len(self.pairs) if self.pair_count is None else self.pair_count),
                *self.pairs,
                *self.tensors,
            )
        )

    def bytes(self) -> bytes:
        return self.head + bytes(-len(self.head) % self.alignment) + self.data


GOOD = File().bytes()
