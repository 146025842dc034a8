"""A request's body, whole and within its limit, before a route sees the request.

Read here once: too large a body is refused before it is in memory, and a sender who dawdles does not keep a route, a
database or an engine waiting.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from falconry.errors import FalconryError, InvalidRequest
from falconry.gate.dialects import send_refusal

SECONDS = 60.0  # that a body may take to arrive


class RequestTooLarge(InvalidRequest):
    """The body has more bytes than Falconry takes."""

    status = 413
    default_code = "request_too_large"


class BodyLimit:
    """ASGI middleware. `most` is in bytes."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(SECONDS):
                body = await self._read(scope, receive)
        except TimeoutError:
            await send_refusal(scope, send, InvalidRequest("The request's body did not arrive.", code="body_timeout"))
            return
        except FalconryError as error:
            await send_refusal(scope, send, error)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None when the sender left. Raises RequestTooLarge."""
        announced = [value for name, value in scope["headers"] if name == b"content-length"]
        if announced and announced[0].isdigit() and int(announced[0][:20]) > self._most:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._most:
                raise self._too_large()
            if not message.get("more_body", False):
                return b"".join(parts)

    def _too_large(self) -> RequestTooLarge:
        mib = self._most // 2**20
        return RequestTooLarge(f"The request is larger than {mib} MiB. Shorten it.", limit_mib=mib)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand out the body that was read, then what comes after it: the news that the asker left."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
