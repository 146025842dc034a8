"""What the header of a GGUF file says: its metadata and the list of its tensors, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias

from falconry.models.ggml_types import FILE_TYPE_GUESSED, FILE_TYPES

Kind: TypeAlias = Literal["model", "adapter", "projector", "other"]

_ENCODERS = frozenset(
    {"bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert"}
    | {"gemma-embedding", "llama-embed", "t5encoder", "wavtokenizer-dec"}
)
"""Architectures that make vectors or sounds and write no text."""


@dataclass(frozen=True, slots=True)
class Array:
    """A long array, of which only this is kept.

    Attributes:
        type: of its elements: "string", "float32", …
        offset: in bytes, where its elements begin in the file.
    """

    type: str
    length: int
    offset: int


Value: TypeAlias = bool | int | float | str | tuple[bool | int | float | str, ...] | Array
"""A value of the metadata; short arrays are tuples."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its shape with the dimension first that changes fastest, the name of its type, its bytes, and where
    they begin after the header."""

    name: str
    shape: tuple[int, ...]
    type: str
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """A GGUF file's header, checked. Of a model in several files it is the first one's, with the tensors of all.

    Attributes:
        data_offset: in bytes, where the tensors begin (in the first file).
        file_size: bytes of all files.
        parts: of how many files the model consists.
    """

    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    data_offset: int
    file_size: int
    parts: int = 1

    @property
    def architecture(self) -> str:
        """The family of networks, such as "llama" or "falcon"; "" where a file that is no model names none."""
        return self.text("general.architecture") or ""

    @property
    def kind(self) -> Kind:
        """What the file is good for; "other" for what is no part of a chat: encoders, bare vocabularies, …"""
        told = self.text("general.type")
        if told == "adapter" or "adapter.type" in self.metadata:
            return "adapter"
        if told == "mmproj" or self.architecture == "clip":
            return "projector"
        if told not in (None, "model") or not self.tensors or self._makes_vectors:
            return "other"
        return "model"

    @property
    def _makes_vectors(self) -> bool:
        """Whether it is for search: what it reads becomes one vector, or one figure."""
        return self.architecture in _ENCODERS or bool(self.number("pooling_type"))

    @property
    def name(self) -> str | None:
        """The model's name as its makers give it."""
        return self.text("general.name")

    @property
    def parameters(self) -> int:
        return sum(prod(tensor.shape) for tensor in self.tensors)

    @property
    def weights_size(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def quantization(self) -> str | None:
        """Such as "Q4_K_M": what the file says of itself, else the type that most of its bytes have."""
        told = self.metadata.get("general.file_type")
        if isinstance(told, int) and (known := FILE_TYPES.get(told & ~FILE_TYPE_GUESSED)) is not None:
            return known
        sizes: Counter[str] = Counter()
        for tensor in self.tensors:
            sizes[tensor.type] += tensor.size
        return sizes.most_common(1)[0][0] if sizes else None

    @property
    def context_length(self) -> int | None:
        """Tokens that the model was trained with."""
        return self.number("context_length")

    @property
    def block_count(self) -> int:
        """Layers."""
        return self.number("block_count") or 0

    @property
    def embedding_length(self) -> int:
        return self.number("embedding_length") or 0

    @property
    def head_counts(self) -> tuple[int, ...]:
        """Attention heads of each layer."""
        return self.per_layer("attention.head_count") or (0,) * self.block_count

    @property
    def head_counts_kv(self) -> tuple[int, ...]:
        """Heads of each layer whose keys and values are kept: those of `head_counts`, where the file names no other.
        Layers without a KV cache have 0."""
        return self.per_layer("attention.head_count_kv") or self.head_counts

    @property
    def key_length(self) -> int:
        """Numbers of one head's key."""
        return self.number("attention.key_length") or self._head_length

    @property
    def value_length(self) -> int:
        return self.number("attention.value_length") or self._head_length

    @property
    def _head_length(self) -> int:
        return self.embedding_length // max((*self.head_counts, 1))

    @property
    def vocabulary_size(self) -> int:
        """Tokens that the model knows; 0 where the file does not say."""
        match self.metadata.get("tokenizer.ggml.tokens"):
            case Array(length=length):
                return length
            case tuple() as tokens:
                return len(tokens)
        return self.number("vocab_size") or 0

    @property
    def chat_template(self) -> str | None:
        return self.text("tokenizer.chat_template")

    @property
    def license(self) -> str | None:
        return self.text("general.license") or self.text("general.license.name")

    def text(self, key: str) -> str | None:
        """A value that is text, and not empty."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) and value else None

    def number(self, key: str) -> int | None:
        """A whole number ≥ 0 of the model's architecture: `block_count` stands in the file as `llama.block_count`."""
        return _whole(self.metadata.get(f"{self.architecture}.{key}"))

    def per_layer(self, key: str) -> tuple[int, ...]:
        """The same for a number that each layer may have of its own: one a layer; () where there is none."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            numbers = tuple(_whole(one) or 0 for one in value[: self.block_count])
            return numbers + (0,) * (self.block_count - len(numbers))
        number = _whole(value)
        return (number,) * self.block_count if number is not None else ()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
