"""Answers of generations to programs: errors as real statuses where that is possible, and no work for nobody.

A stream's status is decided before its first byte. So a stream waits for the first event, and what goes wrong until
then (too long a prompt, too many requests, something unsupported) is an HTTP error. It does not wait longer than the
asker's patience: then it begins with a comment, and later errors become events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from falconry.api.errors import surprise
from falconry.errors import FalconryError
from falconry.event_stream import SILENCE, STALLED, EventStream, asker_left
from falconry.protocols.sse import comment, dump_json

PATIENCE = 0.8
"""Seconds until a stream begins without its first event: clients and proxies want a first byte within a second."""
_PER_CHARACTER = 1e-6
"""Seconds more for each character of the prompt: that two megabytes do not fit is known after one or two seconds."""


class AskerLeft(Exception):
    """Nobody is there any more to be answered."""


def json_response(body: object, headers: Mapping[str, str] | None = None) -> Response:
    """JSON in ASCII, without NaN: some clients and checkers stumble over anything else."""
    return Response(dump_json(body), media_type="application/json", headers=headers)


async def answer_whole(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """The answer that `work` makes; it is cancelled at once when the asker hangs up."""
    task = asyncio.ensure_future(work)
    try:
        await _unless_left(request, task, None)
        return task.result()
    except AskerLeft:
        return _nothing()
    finally:
        await _cancel(task)


async def answer_stream(
    request: Request,
    events: AsyncGenerator[bytes, None],
    failure: Callable[[FalconryError], bytes],
    *,
    characters: int = 0,
) -> Response:
    """A stream of events, and comments while there are none.

    Args:
        events: raises FalconryError where something goes wrong; closed when the asker leaves.
        failure: the last event (or events) of a stream that has begun, for an error.
        characters: length of the prompt.

    Raises:
        FalconryError: something went wrong before the first event.
    """
    first = asyncio.ensure_future(anext(events))
    try:
        await _unless_left(request, first, PATIENCE + characters * _PER_CHARACTER)
        if first.done() and (error := first.exception()) is not None and not isinstance(error, StopAsyncIteration):
            raise error
    except BaseException as error:
        await _cancel(first)
        await events.aclose()
        if isinstance(error, AskerLeft):
            return _nothing()
        raise
    return ProgramStream(events, first, failure)


class ProgramStream(EventStream):
    """See `answer_stream`. An event costs one send here and no task, since 200 streams share one core."""

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        first: asyncio.Future[bytes],
        failure: Callable[[FalconryError], bytes],
    ) -> None:
        super().__init__(events)
        self._first = first
        self._failure = failure
        self._sent = 0.0
        self._sending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._sent = asyncio.get_running_loop().time()
        await self._until_one_ends(self._send_all(send), asker_left(receive), self._watch(send))

    async def _send_all(self, send: Send) -> None:
        try:
            with suppress(OSError):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                if not self._first.done():
                    await self._send(send, comment("falconry"))
                await self._send_events(send)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await _cancel(self._first)
            await self._events.aclose()

    async def _send_events(self, send: Send) -> None:
        try:
            await self._send(send, await self._first)
            async for data in self._events:
                await self._send(send, data)
        except StopAsyncIteration:
            pass
        except FalconryError as error:
            await self._send(send, self._failure(error))
        except OSError:
            raise
        except Exception as error:
            await self._send(send, self._failure(surprise(error, "a stream")))

    async def _send(self, send: Send, data: bytes) -> None:
        self._sending = True
        await send({"type": "http.response.body", "body": data, "more_body": True})
        self._sending = False
        self._sent = asyncio.get_running_loop().time()

    async def _watch(self, send: Send) -> None:
        """Send a comment after every silence; return when the reader has stalled for too long."""
        loop = asyncio.get_running_loop()
        while True:
            limit = STALLED if self._sending else SILENCE
            if (left := self._sent + limit - loop.time()) > 0:
                await asyncio.sleep(left)
            elif self._sending:
                return
            else:
                await self._send(send, comment())


async def _unless_left(request: Request, work: asyncio.Future[Any], timeout: float | None) -> None:
    """Wait for the work, so many seconds at most. Raises AskerLeft."""
    leaving = asyncio.ensure_future(asker_left(request.receive))
    try:
        await asyncio.wait({work, leaving}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done() and not work.done():
            raise AskerLeft
    finally:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)


async def _cancel(work: asyncio.Future[Any]) -> None:
    """End a piece of work whose outcome nobody wants any more."""
    if not work.done():
        work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def _nothing() -> Response:
    """The answer that nobody reads; the status is nginx' word for it, for the log."""
    return Response(status_code=499)
