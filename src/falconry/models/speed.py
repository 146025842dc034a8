"""How many tokens a second a model will write here: for each one it reads all weights that work on it, so the memory's
speed sets the pace.

    seconds for a token = bytes read / (SHARE · bandwidth) + LAYER · layers

`bandwidth` is what `falconry.models.machine.measure_bandwidth` gives: of plain reading, by all cores. SHARE and LAYER
are from measurements on the engine's wheel (`make bench-speed`, docs/catalog.md), where this is within 25 % of what
models of real shapes do.
"""

from __future__ import annotations

from falconry.models.header import Header
from falconry.models.kv_cache import kv_cache_size

SHARE = 0.62
"""Of the bandwidth that the engine reaches: it computes with what it reads."""
LAYER = 0.17e-3
"""Seconds that the threads lose in each layer, where they wait for each other."""
_TOKENS = 1024
"""Tokens of a conversation whose keys and values are read along."""


def tokens_per_second(header: Header, bandwidth: float) -> float:
    """Tokens that one reply gets in a second, by the processor. `bandwidth` is in bytes per second."""
    seconds = bytes_per_token(header) / (SHARE * bandwidth) + LAYER * header.block_count
    return 1 / seconds


def bytes_per_token(header: Header) -> int:
    """Bytes of weights, keys and values that are read for one token in a conversation of ordinary length.

    Of the embeddings one row is read, and of a mixture of experts those that are chosen.
    """
    experts = max(header.number("expert_count") or 0, 1)
    used = min(header.number("expert_used_count") or 1, experts)
    has_output = any(tensor.name == "output.weight" for tensor in header.tensors)
    weights = 0
    for tensor in header.tensors:
        if tensor.name == "token_embd.weight" and has_output:
            continue
        chosen = len(tensor.shape) > 2 and tensor.shape[2] == experts > 1
        weights += tensor.size * used // experts if chosen else tensor.size
    return weights + kv_cache_size(header, context_length=_TOKENS, slots=1)
