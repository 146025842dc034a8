"""The one place that talks to endpoints: keys, timeouts, limits, retries, and errors in our own words."""

from __future__ import annotations

import asyncio
import base64
import binascii
import email.utils
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from falconry.engines import endpoint_errors as errors
from falconry.engines.endpoint_errors import Place, Refused
from falconry.protocols.failures import Failure, read_failure
from falconry.protocols.sse import Event, EventParser, StreamTooLong
from falconry.settings import LOOPBACK, Endpoint

CONNECT_TIMEOUT = 10.0
RETRIES = 2
LONGEST_WAIT = 10.0
"""Seconds to wait for a busy server, each time. It may ask for more by Retry-After: then the person decides."""
LARGEST_STREAM = 64 * 2**20
LARGEST_BODY = 16 * 2**20
LARGEST_EVENT = 4 * 2**20
_LARGEST_ERROR = 64 * 2**10
_LONGEST_REASON = 300
# Seconds between two reads of a stream that shows text. Reading every token by itself costs 0.67 ms of CPU each
# (httpx 0.28, 200 tokens/s); reading what has gathered costs a twentieth of that, and nobody sees 50 ms.
PACE = 0.05


class EndpointClient:
    """HTTP to one endpoint. Loopback never goes through a proxy; redirects are never followed."""

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self.place = Place(urlsplit(endpoint.url).netloc, endpoint.model)
        self._timeout = timeout
        self._secrets, headers = _authorization(endpoint)
        self._client = httpx.AsyncClient(
            # A compressed stream is a stream that waits, and costs CPU.
            headers=headers | {"Accept-Encoding": "identity", "User-Agent": "falconry"},
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_TIMEOUT, timeout), pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=8),
            trust_env=urlsplit(endpoint.url).hostname not in LOOPBACK,
            follow_redirects=False,
        )

    async def get(self, url: str, *, timeout: float = CONNECT_TIMEOUT) -> object:
        """GET JSON. Raises as `post`."""
        return await self._json("GET", url, None, timeout)

    async def post(self, url: str, body: Mapping[str, object], *, timeout: float = CONNECT_TIMEOUT) -> object:
        """POST JSON, give the JSON of the answer. Raises Refused for other than 2xx, and EngineErrors."""
        return await self._json("POST", url, body, timeout)

    @asynccontextmanager
    async def stream(self, url: str, body: Mapping[str, object]) -> AsyncIterator[EventStream]:
        """POST JSON and read the events of the answer. Leaving the context closes the connection.

        Busy servers (429, 503) are asked again, before the first byte only.

        Raises:
            Refused: an answer other than 2xx.
            EngineUnavailable: no answer.
        """
        async with self._answer("POST", url, body, retries=RETRIES) as response:
            kind = response.headers.get("content-type", "")
            if "json" in kind or "html" in kind:
                whole = _checked_json(self.place, await self._body(response), kind)
                chunks = _once(b"data: " + json.dumps(whole).encode() + b"\n\n")
            else:
                chunks = response.aiter_bytes()
            async with EventStream(chunks, self.place, self._timeout) as events:
                yield events

    async def aclose(self) -> None:
        await self._client.aclose()

    def clean(self, text: str) -> str:
        """What a server said, fit to be shown: on one line, cut short, without the key."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"

    async def _json(self, method: str, url: str, body: Mapping[str, object] | None, timeout: float) -> object:
        timeout = min(timeout, self._timeout)
        try:
            async with asyncio.timeout(timeout), self._answer(method, url, body, retries=0) as response:
                raw = await self._body(response)
                return _checked_json(self.place, raw, response.headers.get("content-type", ""))
        except TimeoutError:
            raise errors.silent(self.place, timeout, shown=False) from None

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, body: Mapping[str, object] | None, *, retries: int
    ) -> AsyncIterator[httpx.Response]:
        while True:
            response = await self._send(method, url, body)
            try:
                if response.is_success:
                    yield response
                    return
                refused = await self._refused(response)
            finally:
                await response.aclose()
            wait = refused.retry_after if refused.retry_after is not None else 2.0**-retries
            if refused.status not in (429, 503) or not retries or wait > LONGEST_WAIT:
                raise refused
            retries -= 1
            await asyncio.sleep(wait)

    async def _send(self, method: str, url: str, body: Mapping[str, object] | None) -> httpx.Response:
        """Send, until the head of the answer is there."""
        for last in (False, True):
            try:
                request = self._client.build_request(method, url, json=body)
                async with asyncio.timeout(self._timeout):
                    return await self._client.send(request, stream=True)
            except (httpx.ConnectTimeout, httpx.ConnectError, httpx.ProxyError) as error:
                raise errors.unreachable(self.place, _why(error)) from None
            except (TimeoutError, httpx.TimeoutException):
                raise errors.silent(self.place, self._timeout, shown=False) from None
            except httpx.NetworkError as error:
                failed: httpx.HTTPError = error
            except httpx.RemoteProtocolError as error:
                failed = error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise errors.unreachable(self.place, _why(error)) from None
            # A connection that was kept open may have been closed by the server meanwhile: once more, on a new one.
            if last:
                raise errors.broken_off(self.place, _why(failed), shown=False) from None
        raise AssertionError

    async def _refused(self, response: httpx.Response) -> Refused:
        raw = await self._body(response, _LARGEST_ERROR, whole=False)
        try:
            failure = read_failure(json.loads(raw))
        except ValueError:
            failure = None
        if failure is None:
            text = raw.decode("utf-8", "replace").strip()
            failure = Failure("" if text.startswith(("<", "{", "[")) else text)
        clean = Failure(self.clean(failure.message), failure.type, failure.code, failure.param)
        return Refused(response.status_code, clean, _retry_after(response.headers))

    async def _body(self, response: httpx.Response, limit: int = LARGEST_BODY, *, whole: bool = True) -> bytes:
        """The body as far as `limit` bytes; longer ones are an error where the `whole` is needed."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > limit:
                        break
        except (TimeoutError, httpx.TimeoutException):
            raise errors.silent(self.place, self._timeout, shown=False) from None
        except httpx.HTTPError as error:
            if whole:
                raise errors.broken_off(self.place, _why(error), shown=False) from None
        if len(body) > limit and whole:
            raise errors.too_much(self.place, limit / 2**20)
        return bytes(body[:limit])


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
        if self._failed is not None:
            raise errors.broken_off(self._place, _why(self._failed), shown=self.shown)
        if self._size and not self._parser.lines:
            raise errors.nonsense(self._place, "something that is no event stream")
        return self._parser.finish() or None

    async def _next(self, loop: asyncio.AbstractEventLoop) -> bytes:
        """What has gathered, at least a byte unless the stream has ended."""
        rest = self._last_read + PACE - loop.time()
        if self.shown and not self._hurried and not self.ended and rest > 0:
            await asyncio.sleep(rest)
        self._wanted.set()
        await self._ready.wait()
        self._wanted.clear()
        self._last_read = loop.time()
        data = b"".join(self._gathered)
        self._gathered.clear()
        if not self.ended:
            self._ready.clear()
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


def _authorization(endpoint: Endpoint) -> tuple[tuple[str, ...], dict[str, str]]:
    """The texts that must never be shown, and the header. A Basic key may be `user:password` or base64 already."""
    if endpoint.api_key is None or not (key := endpoint.api_key.get_secret_value().strip()):
        return (), {}
    if endpoint.auth == "bearer":
        return (key,), {"Authorization": f"Bearer {key}"}
    token = key if _is_basic_token(key) else base64.b64encode(key.encode()).decode()
    return tuple({key, token, key.partition(":")[2] or key}), {"Authorization": f"Basic {token}"}


def _is_basic_token(key: str) -> bool:
    if ":" in key:
        return False
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _checked_json(place: Place, raw: bytes, kind: str) -> object:
    if not raw.strip():
        raise errors.nonsense(place, "an empty page")
    if raw.lstrip()[:1] == b"<" or "html" in kind:
        raise errors.nonsense(place, "a web page")
    try:
        value: object = json.loads(raw.decode("utf-8", "replace"))
    except ValueError:
        raise errors.nonsense(place, "broken JSON") from None
    return value


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds to wait: `retry-after-ms`, or Retry-After as seconds or as a date (RFC 9110, 10.2.3)."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "")
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _why(error: Exception) -> str:
    """A cause in a few words, without addresses or headers."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {cause.reason or 'failed'}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    return str(error)[:100] or type(error).__name__


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
