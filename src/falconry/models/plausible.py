"""Whether the numbers in a sound header can be true.

llama.cpp multiplies them, divides by them and makes buffers of them before it looks whether they fit together; with
the worst of them it ends, and with some it reads what lies behind a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from falconry.models.bad_file import bad_file
from falconry.models.header import Array, Header, Value

_LAYERS = 1024  # llama.cpp ends at more than 512
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "block_count": (1, _LAYERS),
    "context_length": (1, 2**30),
    "embedding_length": (1, 2**20),
    "feed_forward_length": (0, 2**24),
    "expert_feed_forward_length": (0, 2**24),
    "attention.head_count": (0, 2**14),  # layers of a state space have none
    "attention.head_count_kv": (0, 2**14),
    "attention.key_length": (0, 2**16),
    "attention.value_length": (0, 2**16),
    "attention.sliding_window": (0, 2**30),
    "rope.dimension_count": (0, 2**16),
    "expert_count": (0, 2**14),
    "expert_used_count": (0, 2**14),
    "vocab_size": (1, 2**24),
}
"""For each number of an architecture the least and the most that it can be; twenty times what the largest models have,
or more."""
_BESIDE_TOKENS = {"scores": ("float32",), "token_type": ("int32", "uint32")}


def check_plausible(path: Path, header: Header) -> None:
    """Raises BadModelFile."""
    for key, bounds in _BOUNDS.items():
        whole = f"{header.architecture}.{key}"
        for value in _each(header.metadata.get(whole)):
            if type(value) is not int or not bounds[0] <= value <= bounds[1]:
                raise bad_file("model_file_value", path, key=whole, value=_shown(value))
    _check_vocabulary(path, header.metadata)


def _check_vocabulary(path: Path, metadata: Mapping[str, Value]) -> None:
    """What stands beside the tokens, one for each, is as long as they are: llama.cpp does not count."""
    tokens = _length(metadata.get("tokenizer.ggml.tokens"))
    for key, types in _BESIDE_TOKENS.items():
        whole = f"tokenizer.ggml.{key}"
        value = metadata.get(whole)
        if value is None:
            continue
        if _length(value) != tokens or (isinstance(value, Array) and value.type not in types):
            raise bad_file("model_file_value", path, key=whole, value=_shown(value))


def _each(value: Value | None) -> Iterator[object]:
    """The numbers in a value: itself, or those of the layers."""
    if isinstance(value, tuple) and len(value) <= _LAYERS:
        yield from value
    elif value is not None:
        yield value


def _length(value: Value | None) -> int | None:
    """How many values a list has; None for what is none."""
    if isinstance(value, Array):
        return value.length
    return len(value) if isinstance(value, tuple) else None


def _shown(value: object) -> str:
    if isinstance(value, Array):
        return f"[{value.length} × {value.type}]"
    return f"[{len(value)}]" if isinstance(value, tuple) else str(value)[:60]
