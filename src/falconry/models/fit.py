"""Does a model fit into memory: what it will take, reckoned from its header before anything is loaded.

What a model takes is what its server has in memory and needs: private memory at its peak, its program, and those pages
of the model's file that are used. Weights count once, whether the engine uses them where they lie in
the file or has copied them into an order that suits the processor. The numbers below are measured on the engine's wheel
(`make bench-fit`, docs/catalog.md); the prediction is within 10 % of the measured peak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from falconry.errors import ModelTooLarge
from falconry.models.header import Array, Header
from falconry.models.kv_cache import PADDING, kv_cache_size, padded

SHORTEST_CONTEXT = 512
"""Tokens below which a conversation is no use; a shorter context is not offered."""
DEFAULT_CONTEXT = 8192
"""Tokens a slot gets of a model that could take more: its KV cache lies in memory from the start."""
BATCH, BATCH_OF_LARGE, LARGE = 64, 32, 2**30
"""Tokens read in one go, and from how many bytes of a file on fewer."""

_PROGRAM = 36 * 2**20
"""Bytes of the server without a model: its code and libraries 21 MiB, its private memory 15 MiB."""
_TOKEN, _MERGE, _CELL = 240, 205, 28
"""Bytes that the server keeps for each token of the vocabulary, each merge, and each place of the KV cache."""
_FLOAT, _HALF = 4, 2


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes that a model will take.

    Attributes:
        weights: the tensors of its file that are in use.
        kv_cache: what it remembers of its slots' tokens.
        compute: room for one batch's intermediate results.
        base: the server itself, with the vocabulary.
    """

    weights: int
    kv_cache: int
    compute: int
    base: int

    @property
    def total(self) -> int:
        return self.weights + self.kv_cache + self.compute + self.base


@dataclass(frozen=True, slots=True)
class ShorterContext:
    """The model would fit with so many tokens of context, and then take `total` bytes."""

    context_length: int
    total: int


@dataclass(frozen=True, slots=True)
class OtherQuantization:
    """The same model in another file of `size` bytes would fit, and take `total` bytes. `wanted`: what to fetch."""

    quantization: str
    size: int
    total: int
    wanted: str


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a model fits into `free` bytes, and what would fit where it does not."""

    estimate: MemoryEstimate
    free: int
    context_length: int
    shorter: ShorterContext | None = None
    smaller: OtherQuantization | None = None

    @property
    def ok(self) -> bool:
        return self.estimate.total <= self.free


@dataclass(frozen=True, slots=True)
class Alternative:
    """The same model in another quantisation: bytes of its file, and what to fetch."""

    quantization: str
    size: int
    wanted: str


def estimate_memory(
    header: Header,
    *,
    context_length: int,
    slots: int,
    kv_type: str = "f16",
    batch: int | None = None,
    flash_attention: bool = True,
    beside: int = 0,
) -> MemoryEstimate:
    """What a model will take.

    Args:
        context_length: tokens of one slot.
        kv_type: how keys and values are stored: f16, q8_0, …
        batch: tokens that are read in one go; None for what the engine takes for a model of this size.
        beside: bytes of what is loaded along with it, such as a projector.

    Raises:
        KeyError: there is no such kv_type.
    """
    batch = batch or default_batch(header.file_size)
    return MemoryEstimate(
        weights=_weights_size(header),
        kv_cache=kv_cache_size(header, context_length=context_length, slots=slots, kv_type=kv_type, batch=batch),
        compute=_compute_size(header, padded(context_length), slots, batch, flash_attention),
        base=_base_size(header, padded(context_length) * slots) + beside,
    )


def fits(
    header: Header,
    *,
    context_length: int,
    slots: int,
    free: int,
    kv_type: str = "f16",
    batch: int | None = None,
    flash_attention: bool = True,
    beside: int = 0,
    alternatives: Sequence[Alternative] = (),
) -> Fit:
    """Compare what a model will take, as `estimate_memory` has it, with `free` bytes.

    Args:
        alternatives: the same model in other quantisations, from which the largest is offered that fits.

    Raises:
        KeyError: there is no such kv_type.
    """

    def estimate(context: int) -> MemoryEstimate:
        return estimate_memory(
            header,
            context_length=context,
            slots=slots,
            kv_type=kv_type,
            batch=batch,
            flash_attention=flash_attention,
            beside=beside,
        )

    whole = estimate(context_length)
    if whole.total <= free:
        return Fit(whole, free, context_length)
    shorter = _longest(context_length, lambda context: estimate(context).total, free)
    rest = whole.total - header.file_size
    smaller = [
        OtherQuantization(other.quantization, other.size, other.size + rest, other.wanted)
        for other in alternatives
        if other.size < header.file_size and other.size + rest <= free
    ]
    return Fit(whole, free, context_length, shorter, max(smaller, key=lambda other: other.size, default=None))


def too_large(name: str, fit: Fit) -> ModelTooLarge:
    """The error that says by how much a model does not fit, and what would."""
    needed, free = _gib(fit.estimate.total), _gib(fit.free)
    details: dict[str, str | int | float] = {
        "model": name,
        "needed": fit.estimate.total,
        "needed_gib": needed,
        "free": fit.free,
        "free_gib": free,
        "context_length": fit.context_length,
    }
    shorter, smaller = "", ""
    if fit.shorter is not None:
        gib = _gib(fit.shorter.total)
        details |= {"shorter_context": fit.shorter.context_length, "shorter_gib": gib}
        shorter = f"Set context_length to {fit.shorter.context_length}, and it fits ({gib} GiB)"
    if fit.smaller is not None:
        gib = _gib(fit.smaller.total)
        details |= {
            "quantization": fit.smaller.quantization,
            "smaller_gib": gib,
            "smaller_size": fit.smaller.size,
            "wanted": fit.smaller.wanted,
        }
        smaller = f"its {fit.smaller.quantization} fits ({gib} GiB): {fit.smaller.wanted}"
    start = f"{name} needs {needed} GiB of memory, and {free} GiB are free."
    with_context = (
        f"{name} needs {needed} GiB of memory for a context of {fit.context_length} tokens, and {free} GiB are free."
    )
    if shorter and smaller:
        return ModelTooLarge(f"{with_context} {shorter}; or {smaller}.", details, code="model_too_large_both")
    if shorter:
        return ModelTooLarge(f"{with_context} {shorter}.", details, code="model_too_large_context")
    if smaller:
        message = f"{start} {smaller[0].upper()}{smaller[1:]}."
        return ModelTooLarge(message, details, code="model_too_large_quantization")
    return ModelTooLarge(f"{start} Choose a smaller model, or unload another one first.", details)


def slot_context(wished: int | None, trained: int | None) -> int:
    """Tokens of a slot: as many as are wished, else DEFAULT_CONTEXT, and never more than the model was trained with."""
    tokens = wished or DEFAULT_CONTEXT
    return min(tokens, trained or tokens)


def default_batch(size: int) -> int:
    """Tokens that the engine reads in one go, for a file of so many bytes."""
    return BATCH if size < LARGE else BATCH_OF_LARGE


def _longest(most: int, total: Callable[[int], int], free: int) -> ShorterContext | None:
    """The longest context below `most` that fits, as a multiple of what caches are rounded up to."""
    fitting, too_long = SHORTEST_CONTEXT // PADDING - 1, -(-most // PADDING)
    while too_long - fitting > 1:
        middle = (fitting + too_long) // 2
        if total(middle * PADDING) <= free:
            fitting = middle
        else:
            too_long = middle
    context = fitting * PADDING
    return ShorterContext(context, total(context)) if context >= SHORTEST_CONTEXT else None


def _compute_size(header: Header, context: int, slots: int, batch: int, flash_attention: bool) -> int:
    """Bytes for one batch's intermediate results, and for the logits of one token of each slot.

    Found by varying one size at a time on two-layer models (docs/catalog.md): the buffer holds what lives at once where
    that is most, in the feed-forward or in the attention part, and grows with the batch, exactly.
    """
    width, queries = header.embedding_length, max((*header.head_counts, 0)) * header.key_length
    values = max((*header.head_counts_kv, 0)) * header.value_length
    feed_forward = _feed_forward_length(header)
    in_parallel = header.architecture == "falcon"  # both parts read the same input
    inner = feed_forward + 6 * width if in_parallel else 3 * feed_forward + 5 * width
    attention = 5 * width + 2 * queries + (0 if flash_attention else 2 * values)
    logits = _FLOAT * header.vocabulary_size * slots
    if flash_attention:
        return logits + batch * (_FLOAT * max(inner, attention) + _HALF * context)
    scores = max((*header.head_counts, 0)) * context  # what flash attention does without
    return logits + batch * _FLOAT * (max(inner, attention + scores) + context)


def _feed_forward_length(header: Header) -> int:
    """The widest layer's; of a mixture of experts, of those that work on one token."""
    dense = max((*header.per_layer("feed_forward_length"), 0))
    experts = (header.number("expert_used_count") or 0) * (header.number("expert_feed_forward_length") or dense)
    shared = header.number("expert_shared_feed_forward_length") or 0
    return max(dense, experts + shared)


def _weights_size(header: Header) -> int:
    """Bytes of the tensors that work on every token. Of embeddings that are not the output matrix, too, single rows are
    read where they lie in the file; the rest of them is not in use."""
    sizes = {tensor.name: tensor.size for tensor in header.tensors}
    return header.weights_size - (sizes.get("token_embd.weight", 0) if "output.weight" in sizes else 0)


def _base_size(header: Header, cells: int) -> int:
    merges = header.metadata.get("tokenizer.ggml.merges")
    count = merges.length if isinstance(merges, Array) else len(merges) if isinstance(merges, tuple) else 0
    return _PROGRAM + _TOKEN * header.vocabulary_size + _MERGE * count + _CELL * cells


def _gib(size: int) -> float:
    return round(size / 2**30, 2)
