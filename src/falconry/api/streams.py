"""Server-sent events as our routes send them (WHATWG HTML, 9.2), kept alive through proxies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

SSE_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
SILENCE = 12.0  # seconds after which a comment is sent; proxies cut idle streams after 30 or 60


def sse(event: str, data: object, *, event_id: str | None = None) -> bytes:
    """One event. JSON escapes every character that a careless parser may take for a line's end."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {event}\ndata: {json.dumps(data)}\n\n".encode()


async def alive(events: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """Pass events on, with a comment first and after every silence, and close their source when the client leaves."""
    yield b": falconry\n\n"
    pending: asyncio.Task[bytes] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([pending], timeout=SILENCE)
            if not done:
                yield b": still here\n\n"
                continue
            try:
                event = pending.result()
            except StopAsyncIteration:
                pending = None
                return
            pending = None
            yield event
    finally:
        if pending is not None:
            pending.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await pending
        await events.aclose()
