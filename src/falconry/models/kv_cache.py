"""Bytes of what a model remembers of its slots' tokens: keys and values of each layer, or the state of recurrent ones.

The rules are llama.cpp's (`llama-kv-cache*.cpp`, `llama-memory-recurrent.cpp`, `llama-hparams.cpp`): every slot has a
cache of its own, its length is rounded up to 256 tokens, layers with a sliding window keep the window and one batch,
and recurrent layers keep a state whose size does not depend on the context.
"""

from __future__ import annotations

from falconry.models.ggml_types import TENSOR_TYPES
from falconry.models.header import Header, Value

PADDING = 256
"""Tokens to whose multiple llama.cpp rounds a cache up."""
CHECKPOINTS = 8
"""Copies of the state that the server keeps for each slot of a model whose cache cannot be cut back, so that a turn can
be tried again. `--ctx-checkpoints` of engines/llama_launch.py."""
_FLOAT = 4
_TYPES = {kind.name.lower(): kind for kind in TENSOR_TYPES.values()}

_WINDOW_PATTERNS = {"gemma2": 2, "gpt-oss": 2, "cohere2": 4, "gemma3n": 5, "gemma3": 6}
"""Of so many layers one sees everything, the last of them; the others a window. Architectures that are not here and
whose files do not say it are taken to see everything everywhere, which is the most that it can be."""
_FULL_ATTENTION_EVERY = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
"""Of so many layers the last has a KV cache and the others are recurrent; the default of `full_attention_interval`."""
_BOTH = frozenset({"falcon-h1"})
"""Architectures whose layers each have both, attention and a recurrent part."""


def kv_cache_size(header: Header, *, context_length: int, slots: int, kv_type: str = "f16", batch: int = 64) -> int:
    """Bytes of all caches.

    Args:
        context_length: tokens of one slot.
        kv_type: how keys and values are stored, as `--cache-type-k` names it.
        batch: tokens that are read in one go.

    Raises:
        KeyError: there is no such kv_type.
    """
    full = padded(context_length)
    window = header.number("attention.sliding_window") or 0
    windowed = _windowed_layers(header) if window else frozenset[int]()
    recurrent = _recurrent_layers(header)
    keys_only = header.number("attention.kv_lora_rank") is not None  # multi-head latent attention keeps one vector
    row = header.key_length + (0 if keys_only else header.value_length)
    short = min(full, padded(window + batch))
    kept = 0
    in_window = 0
    for layer, heads in enumerate(header.head_counts_kv):
        if layer in recurrent and header.architecture not in _BOTH:
            continue
        size = _stored(heads * row, kv_type)
        if layer in windowed:
            in_window += size * short
        else:
            kept += size * full
    state = len(recurrent) * _state_size(header)
    return slots * (kept + (in_window + state) * (1 + (CHECKPOINTS if in_window + state else 0)))


def padded(tokens: int) -> int:
    """A length of a cache as llama.cpp makes it."""
    return -(-tokens // PADDING) * PADDING


def _stored(numbers: int, kv_type: str) -> int:
    kind = _TYPES[kv_type]
    return -(-numbers // kind.elements) * kind.size


def _windowed_layers(header: Header) -> frozenset[int]:
    layers = range(header.block_count)
    told: Value | None = header.metadata.get(f"{header.architecture}.attention.sliding_window_pattern")
    if isinstance(told, tuple):
        return frozenset(layer for layer, windowed in zip(layers, told, strict=False) if windowed)
    every = told if isinstance(told, int) and told > 0 else _WINDOW_PATTERNS.get(header.architecture, 1)
    return frozenset(layer for layer in layers if layer % every < every - 1)


def _recurrent_layers(header: Header) -> frozenset[int]:
    layers = range(header.block_count)
    if _state_size(header) == 0:
        return frozenset()
    if header.architecture in _BOTH:
        return frozenset(layers)
    default = _FULL_ATTENTION_EVERY.get(header.architecture)
    every = header.number("full_attention_interval") or default
    if every:
        return frozenset(layer for layer in layers if (layer + 1) % every)
    return frozenset(layer for layer in layers if header.head_counts_kv[layer] == 0)


def _state_size(header: Header) -> int:
    """Bytes of one recurrent layer's state for one slot: the last columns of its convolution, and its matrix."""
    if short := header.number("shortconv.l_cache"):
        return _FLOAT * header.embedding_length * (short - 1)
    inner, states = header.number("ssm.inner_size") or 0, header.number("ssm.state_size") or 0
    groups = header.number("ssm.group_count") or 0
    columns = max((header.number("ssm.conv_kernel") or 0) - 1, 0)
    return _FLOAT * (columns * (inner + 2 * groups * states) + states * inner)
