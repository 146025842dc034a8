"""Which type each matrix gets when llama.cpp quantises a model: `Q4_K_M` is a mix, not a type.

The rules are those of `llama_tensor_get_type` in llama.cpp's `src/llama-quant.cpp`, for the quantisations that the
catalogue speaks of. Sizes computed with them are within 2 % of published files (docs/catalog.md).
"""

from __future__ import annotations

from dataclasses import dataclass

QUANTIZATIONS = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")
"""From the smallest to the best."""
_BASE = {"Q4_K_M": "Q4_K", "Q5_K_M": "Q5_K", "Q6_K": "Q6_K", "Q8_0": "Q8_0"}
_BLOCK = 256
"""Elements of a block of the K types; rows that are no multiple of it get another type."""
_FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
_MANY_LAYERS_OF_70B = 80


@dataclass(frozen=True, slots=True)
class Place:
    """Where a matrix stands: its part in llama.cpp's words ("attn_v", "ffn_down", "output", …), its layer of how many,
    and its columns."""

    part: str
    layer: int
    layers: int
    columns: int


def tensor_type(quantization: str, place: Place, *, architecture: str, tied: bool) -> str:
    """The type of one matrix.

    Args:
        tied: whether the embeddings are the output matrix, too.

    Raises:
        KeyError: a quantisation that is not in QUANTIZATIONS.
    """
    base = _BASE[quantization]
    chosen = base
    if place.part == "output" or (place.part == "token_embd" and tied):
        chosen = base if base == "Q8_0" else "Q8_0" if architecture == "falcon" else "Q6_K"
    elif quantization in ("Q4_K_M", "Q5_K_M"):
        chosen = _of_the_mix(base, place, architecture)
    return _FALLBACK.get(chosen, chosen) if place.columns % _BLOCK else chosen


def _of_the_mix(base: str, place: Place, architecture: str) -> str:
    better = {"Q4_K": "Q5_K", "Q5_K": "Q6_K"}[base]
    if place.part == "attn_qkv":
        return better
    if place.part == "attn_v":
        if _gets_more_bits(place):
            return "Q6_K"
        return "Q5_K" if place.layers == _MANY_LAYERS_OF_70B else base
    if place.part == "ffn_down":
        if architecture == "falcon" and base == "Q4_K":
            if place.layer < place.layers // 16:
                return "Q6_K"
            return "Q5_K" if _gets_more_bits(place) else "Q4_K"
        return "Q6_K" if _gets_more_bits(place) else base
    return base


def _gets_more_bits(place: Place) -> bool:
    """The first and the last eighth of the layers, and every third one between."""
    eighth = place.layers // 8
    return place.layer < eighth or place.layer >= 7 * place.layers // 8 or (place.layer - eighth) % 3 == 2
