"""Server-sent events that neither outlive their reader nor wait for a stalled one.

Starlette's StreamingResponse notices a reader who left only at the next send, and waits for ever for one who stopped
reading. This one ends at once in the first case and after `STALLED` seconds in the second. The format itself is in
`falconry.protocols.sse`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from falconry.protocols.sse import comment

STALLED = 30.0  # seconds with a full buffer after which a reader is cut; it can come back and misses nothing
SILENCE = 12.0  # seconds after which a comment keeps proxies from cutting the line


class EventStream(Response):
    """A response that sends what a generator yields, and closes the generator when the reader leaves."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._until_one_ends(self._send_all(send), asker_left(receive))

    async def _until_one_ends(self, sending: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
        """Send, until all is sent or one of the others ends. Raises what sending raises."""
        tasks = [asyncio.ensure_future(work) for work in (sending, *others)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            with suppress(TimeoutError, OSError):
                async for data in self._events:
                    async with asyncio.timeout(STALLED):
                        await send({"type": "http.response.body", "body": data, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._events.aclose()


async def asker_left(receive: Receive) -> None:
    """Return when whoever asked has hung up; the request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def kept_alive(events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Pass events on, with a comment first and after every silence, for sources that cannot tell one themselves."""
    yield comment("falconry")
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([coming], timeout=SILENCE)
            if not done:
                yield comment()
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            finally:
                coming = None
            yield event
    finally:
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming
        await events.aclose()
