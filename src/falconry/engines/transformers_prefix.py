"""What was read for the last request and stands at the beginning of this one need not be read again.

`transformers serve` begins each time from nothing, and a conversation is the same beginning with a little more to it,
turn after turn. Not for linear attention (Mamba, and its hybrids), whose state cannot be taken back, and which must
read a prompt in one go; behind a sliding window only what goes on exactly where the last reply ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import transformers


class Prefix:
    """The key-value cache of the last generation, and the tokens it was made of.

    Attributes:
        usable: whether the model has such a cache.
        kept: tokens of the prompt that the current generation did not read.
    """

    def __init__(self, model: Any) -> None:
        self._config = model.config.get_text_config(decoder=True)
        attention = model._supports_default_dynamic_cache() and not model.config.is_encoder_decoder
        self.usable = bool(attention) and transformers.DynamicCache(config=self._config).is_croppable
        self.kept = 0
        self._ids: list[int] = []
        self._cache: Any = None

    @contextmanager
    def reuse(self, ids: Sequence[int], streamer: Any) -> Iterator[Any]:
        """A cache that holds the beginning of `ids`, to be filled further; None for models with another kind.

        The last token is always read anew: its logits choose the first new one.
        """
        if not self.usable:
            yield None
            return
        self.kept = min(_common(self._ids, ids), len(ids) - 1)
        cache, self._cache = self._cache, None
        if cache is None or not _cut(cache, self.kept):
            cache, self.kept = transformers.DynamicCache(config=self._config), 0
        self._ids = [*ids]
        put, first = streamer.put, True

        def noting(value: Any) -> None:
            nonlocal first
            put(value)
            if not first:  # that one is the prompt
                self._ids += value.tolist()
            first = False

        streamer.put = noting
        try:
            yield cache
        finally:
            # Stopped in the middle of the network, its first layers have read more than its last.
            length = min((layer.get_seq_length() for layer in cache.layers), default=0)
            self._ids = self._ids[:length]
            self._cache = cache

    def forget(self) -> None:
        self._ids, self._cache = [], None


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens at the beginning are the same."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))


def _cut(cache: Any, length: int) -> bool:
    """Leave so many tokens in it; False where that cannot be, and then it is of no more use."""
    if not length or not cache.layers:
        return False
    spare = [layer.get_seq_length() - length for layer in cache.layers]
    if min(spare) < 0:
        return False
    try:
        for layer, tokens in zip(cache.layers, spare, strict=True):
            if tokens:
                layer.crop(-tokens)
    except RuntimeError:  # of a sliding window that has slid on
        return False
    return True
