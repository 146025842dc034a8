"""HEAD is answered where GET is, everywhere: load balancers and monitors ask so.

FastAPI's routes take GET alone, and what they do not take would go on to the pages, which answer for paths that are
not theirs. So the application sees a GET whose asker leaves as soon as the headers are there: a stream ends at once.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from falconry.event_stream import asker_left


class HeadAsGet:
    """ASGI middleware, the innermost one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        told = asyncio.Event()

        async def headers_only(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                told.set()

        asked = False

        async def receive_or_leave() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            return await _first_of(receive, told)

        await self._app({**scope, "method": "GET"}, receive_or_leave, headers_only)


async def _first_of(receive: Receive, told: asyncio.Event) -> Message:
    """Wait until the asker has left, or has been told all there is."""
    leaving = asyncio.ensure_future(asker_left(receive))
    telling = asyncio.ensure_future(told.wait())
    try:
        await asyncio.wait({leaving, telling}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        telling.cancel()
    return {"type": "http.disconnect"}
