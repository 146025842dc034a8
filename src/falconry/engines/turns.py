"""Work of one kind at a time: what is of the same kind runs together, the rest waits, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """Lets in whoever is of the kind that is running, as long as nobody waits, and one kind after another where not."""

    def __init__(self) -> None:
        self._kind: Hashable = None
        self._running = 0
        self._waiting: deque[tuple[Hashable, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, kind: Hashable) -> AsyncGenerator[None, None]:
        """Inside, only work of this kind runs."""
        if self._running and (self._waiting or kind != self._kind):
            await self._wait(kind)
        else:
            self._kind = kind
            self._running += 1
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, kind: Hashable) -> None:
        entry = (kind, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            await entry[1]
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
                self._admit()
            else:  # it was let in at the same moment
                self._leave()
            raise

    def _leave(self) -> None:
        self._running -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and (not self._running or self._waiting[0][0] == self._kind):
            self._kind, future = self._waiting.popleft()
            self._running += 1
            future.set_result(None)
