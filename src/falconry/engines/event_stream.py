"""The events of one answer, read with few wake-ups, and never without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import httpx

from falconry.engines import endpoint_errors as errors
from falconry.engines.endpoint_errors import Place
from falconry.protocols.sse import Event, EventParser, StreamTooLong

LARGEST_STREAM = 64 * 2**20
LARGEST_EVENT = 4 * 2**20
# Seconds between two reads of a stream that shows text. Reading every token by itself costs 0.67 s of CPU per 1000
# tokens (httpx 0.28, 200 tokens/s); reading what has gathered costs far less, and a reply is shown every 100 ms anyway.
# The first rests are shorter, each twice the one before: a reply that is short and fast does not end late.
FIRST_PACE, PACE = 0.002, 0.1
_FULL = 32 * 2**10


class EventStream:
    """The events of one answer, read in the background and handed out as they have gathered.

    The reader task goes on until the network has nothing more, then `read` gives all of it at once. Between two
    calls of `read` it rests, so a server that is faster than we are has to wait.

    Attributes:
        shown: set by whoever shows text; from then on reads are paced, and errors are interruptions.
        ended: nothing more will come from the network.
    """

    def __init__(self, chunks: AsyncIterator[bytes], place: Place, timeout: float) -> None:
        self.shown = False
        self._size = 0
        self._place = place
        self._timeout = timeout
        self._hurried = False
        self._paced = False
        self._pace = FIRST_PACE
        self._parser = EventParser(LARGEST_EVENT)
        self._chunks = chunks
        self._gathered: list[bytes] = []
        self._ready = asyncio.Event()
        self._wanted = asyncio.Event()
        self.ended = False
        self._failed: httpx.HTTPError | None = None
        self._last_read = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._gather())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def hurry(self, seconds: float) -> None:
        """From now on wait so many seconds at most: the finish reason is there, what follows is a courtesy."""
        self._timeout = min(self._timeout, seconds)
        self._hurried = True

    async def read(self) -> list[Event] | None:
        """The next events, at least one; None at the end of the stream.

        Raises:
            EngineInterrupted, EngineUnavailable: it broke or fell silent, after or before some text.
            EngineError: too long a line or stream, or not a stream of events.
        """
        loop = asyncio.get_running_loop()
        alive = loop.time()
        while not self.ended or self._gathered:
            lines = self._parser.lines
            try:
                async with asyncio.timeout_at(alive + self._timeout):
                    data = await self._next(loop)
                events = self._parser.feed(data)
            except TimeoutError:
                raise errors.silent(self._place, self._timeout, shown=self.shown) from None
            except StreamTooLong:
                raise errors.too_much(self._place, LARGEST_EVENT / 2**20) from None
            self._size += len(data)
            if self._size > LARGEST_STREAM:
                raise errors.too_much(self._place, LARGEST_STREAM / 2**20)
            if events:
                return events
            # Whole lines, even comments, show that the server is alive; single bytes do not.
            if self._parser.lines > lines:
                alive = loop.time()
        if isinstance(self._failed, httpx.TimeoutException):
            raise errors.silent(self._place, self._timeout, shown=self.shown)
        if self._failed is not None:
            raise errors.broken_off(self._place, errors.cause(self._failed), shown=self.shown)
        if self._size and not self._parser.lines:
            raise errors.nonsense(self._place, "something that is no event stream")
        return self._parser.finish() or None

    async def _next(self, loop: asyncio.AbstractEventLoop) -> bytes:
        """What has gathered, at least a byte unless the stream has ended."""
        rest = self._last_read + self._pace - loop.time()
        if self._paced:
            self._pace = min(PACE, self._pace * 2)
        if self._paced and not self._hurried and not self.ended and rest > 0:
            await asyncio.sleep(rest)
        self._wanted.set()
        if self.shown and self._ready.is_set():
            # The reader woke up for the first piece; what came since then takes it three rounds of the loop to
            # read: through what is parsed, to the socket, and back.
            for _ in range(3):
                await asyncio.sleep(0)
        await self._ready.wait()
        self._wanted.clear()
        self._last_read = loop.time()
        data = b"".join(self._gathered)
        self._gathered.clear()
        if not self.ended:
            self._ready.clear()
        # A full buffer means that the server is ahead of us: no rest then.
        self._paced = self.shown and len(data) < _FULL
        return data

    async def _gather(self) -> None:
        try:
            async for chunk in self._chunks:
                self._gathered.append(chunk)
                self._ready.set()
                await self._wanted.wait()
        except httpx.HTTPError as error:
            self._failed = error
        finally:
            self.ended = True
            self._ready.set()
