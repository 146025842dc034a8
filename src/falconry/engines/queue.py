"""Whose turn it is: so many replies at once, and between people in turn.

First come, first served would let one person with fifty requests keep everybody else waiting for all fifty. Here the
next place goes to whoever has the fewest replies in the works, and among those to whoever was served longest ago. And
of several places nobody with a name takes the last free one as a second place, so that the next person can begin at
once. The one person of a Falconry without logins has no name, and gets them all.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

from falconry.errors import EngineOverloaded

SHORTEST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds that somebody who is turned away is told to wait


class FairQueue:
    """Places for replies that are written at the same time.

    Args:
        places: how many; None for as many as ask.
        longest: how many may wait at most; further ones are turned away.
    """

    def __init__(self, places: int | None, longest: int) -> None:
        self._places = places
        self._longest = longest
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._served: dict[str, int] = {}
        self._clock = count()
        self._seconds = 1.0  # that a reply takes, on average over the last few

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def running(self) -> int:
        return self._running.total()

    @asynccontextmanager
    async def place(self, owner: str) -> AsyncGenerator[None, None]:
        """A place of one's own inside the context. Raises EngineOverloaded when too many wait already."""
        await self._enter(owner)
        began = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._seconds += 0.2 * (asyncio.get_running_loop().time() - began - self._seconds)
            self._leave(owner)

    async def _enter(self, owner: str) -> None:
        if not self._waiting and self._may_begin(owner):
            self._begin(owner)
            return
        if self.waiting >= self._longest:
            raise EngineOverloaded(
                "Too many requests are waiting for this model. Try again in a moment.",
                code="queue_full",
                retry_after=self._expected_wait(),
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        self._wake()  # somebody else may wait who may not begin, while this one may
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(owner, turn)
            else:
                self._leave(owner)  # the place was given in the same moment
            raise

    def _may_begin(self, owner: str) -> bool:
        if self._places is None:
            return True
        free = self._places - self.running
        last_of_several = free == 1 < self._places
        return free > 0 and not (last_of_several and owner and self._running[owner])

    def _begin(self, owner: str) -> None:
        self._running[owner] += 1
        self._served[owner] = next(self._clock)

    def _leave(self, owner: str) -> None:
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        self._wake()

    def _wake(self) -> None:
        """Give the free places to those whose turn it is."""
        while able := [owner for owner in self._waiting if self._may_begin(owner)]:
            owner = min(able, key=lambda name: (self._running[name], self._served.get(name, -1)))
            turn = self._waiting[owner][0]
            self._forget(owner, turn)
            if not turn.cancelled():  # one who has left, and whose task has not run since
                self._begin(owner)
                turn.set_result(None)
        if not self._waiting and not self._running:
            self._served.clear()

    def _forget(self, owner: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(owner)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[owner]

    def _expected_wait(self) -> float:
        seconds = self._seconds * self.waiting / (self._places or 1)
        return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)
