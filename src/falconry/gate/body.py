"""A request's body, whole and within its limit, before a route sees the request.

Read here once: too large a body is refused before it is in memory, and a sender who dawdles does not keep a route, a
database or an engine waiting. A stranger, whom the gate lets through to the login only, may send no more than a form;
and all bodies together have a limit too, since a thousand large ones at once would be the end of the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from falconry.errors import FalconryError, InvalidRequest, TooManyRequests
from falconry.gate.dialects import send_refusal

SECONDS = 60.0  # that a body may take to arrive
LARGEST_FORM = 64 * 2**10  # bytes, of a stranger
TOGETHER = 256 * 2**20  # bytes of all requests that are being read or answered


class RequestTooLarge(InvalidRequest):
    """The body has more bytes than Falconry takes."""

    status = 413
    default_code = "request_too_large"


@dataclass(slots=True)
class _Share:
    """The bytes that one request has of all that are held."""

    size: int = 0


class BodyLimit:
    """ASGI middleware, behind the gate. `most` is in bytes; `larger` are paths that take so many instead."""

    def __init__(
        self, app: ASGIApp, most: int, together: int = TOGETHER, larger: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._most = most
        self._larger = larger or {}
        self._together = max(together, 4 * most, *(2 * size for size in self._larger.values()))
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        share = _Share()
        try:
            body = await self._read_in_time(scope, receive, send, share)
            if body is not None:
                await self._app(scope, _replay(body, receive), send)
        finally:
            self._held -= share.size

    async def _read_in_time(self, scope: Scope, receive: Receive, send: Send, share: _Share) -> bytes | None:
        """The body; None where it was refused, or there is nobody left to answer."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._read(scope, receive, share)
        except TimeoutError:
            await send_refusal(scope, send, InvalidRequest("The request's body did not arrive.", code="body_timeout"))
        except FalconryError as error:
            await send_refusal(scope, send, error)
        return None

    async def _read(self, scope: Scope, receive: Receive, share: _Share) -> bytes | None:
        """The body; None when the sender left. Raises RequestTooLarge, TooManyRequests."""
        most = max(self._most, self._larger.get(scope["path"], 0))
        if scope.get("state", {}).get("person") is None:
            most = min(LARGEST_FORM, self._most)
        announced = [value for name, value in scope["headers"] if name == b"content-length"]
        if announced and announced[0].isdigit() and int(announced[0][:20]) > most:
            raise _too_large(most)
        parts: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            if share.size + len(part) > most:
                raise _too_large(most)
            if self._held + len(part) > self._together:
                raise TooManyRequests(
                    "Too many large requests are being answered at this moment. Try again in a few seconds.",
                    code="too_many_bodies",
                    retry_after=2,
                )
            self._held += len(part)
            share.size += len(part)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


def _too_large(most: int) -> RequestTooLarge:
    if most < 2**20:
        kib = most // 2**10
        return RequestTooLarge(f"The form is larger than {kib} KiB.", code="form_too_large", limit_kib=kib)
    mib = most // 2**20
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
