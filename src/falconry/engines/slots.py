"""Which slot of the server writes which reply: the free one that has already read the most of the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from falconry.messages import Prompt, TokenPrompt

_IMAGE = 2000
"""Characters that a picture is worth; it takes some hundred tokens."""
_PIECE = 64
"""Tokens that are compared at once."""


@dataclass(slots=True)
class _Slot:
    """`read` is what its last prompt was made of: hash and characters of each part."""

    number: int
    read: Mapping[int, int] = field(default_factory=dict)
    last_used: int = -1


class Slots:
    """Gives out slots, one user each; who comes when all are taken waits here, first come, first served.

    llama-server compares only how two prompts begin. A conversation whose oldest turns no longer fit begins
    differently, goes to any slot and is read again from the start, which takes minutes; in its own slot the KV cache
    of the turns that stayed is shifted to their new place.
    """

    def __init__(self, number: int) -> None:
        self._free = [_Slot(index) for index in range(number)]
        self._turn = asyncio.Semaphore(number)
        self._clock = count()

    @asynccontextmanager
    async def take(self, prompt: Prompt, reader: Hashable = None) -> AsyncGenerator[int, None]:
        """The number of a slot that is ours inside the context.

        `reader`: what read it makes no sense to another one, such as an adapter that changes the model.
        """
        parts = {hash((reader, part)): size for part, size in _parts(prompt).items()}
        async with self._turn:
            slot = max(self._free, key=lambda slot: (_shared(parts, slot.read), -slot.last_used))
            self._free.remove(slot)
            slot.read, slot.last_used = parts, next(self._clock)
            try:
                yield slot.number
            finally:
                self._free.append(slot)


def _parts(prompt: Prompt) -> dict[int, int]:
    """Lines of a raw prompt, messages of a conversation; not the system message, which many have in common."""
    if isinstance(prompt, TokenPrompt):
        pieces = [prompt.ids[start : start + _PIECE] for start in range(0, len(prompt.ids), _PIECE)]
        return {hash(piece): len(piece) for piece in pieces}
    if isinstance(prompt, str):
        return {hash(line): len(line) for line in prompt.splitlines()}
    return {
        hash((message.content, message.images)): len(message.content) + _IMAGE * len(message.images)
        for message in prompt
        if message.role != "system"
    }


def _shared(parts: Mapping[int, int], read: Mapping[int, int]) -> int:
    return sum(size for part, size in parts.items() if part in read)
