"""The one place that talks to endpoints: keys, timeouts, limits, retries, and errors in our own words."""

from __future__ import annotations

import asyncio
import base64
import binascii
import email.utils
import json
import re
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from falconry import request_id
from falconry.engines import endpoint_errors as errors
from falconry.engines.endpoint_errors import Place, Refused
from falconry.engines.event_stream import EventStream
from falconry.protocols.failures import Failure, read_failure
from falconry.request_id import HEADER
from falconry.settings import LOOPBACK, Endpoint

CONNECT_TIMEOUT = 10.0
RETRIES = 2
LONGEST_WAIT = 10.0
"""Seconds to wait for a busy server, each time. It may ask for more by Retry-After: then the person decides."""
LARGEST_BODY = 16 * 2**20
_LARGEST_ERROR = 64 * 2**10
_LONGEST_REASON = 300
_DAY = 86_400.0
_PIECE = 256 * 2**10  # bytes that are decompressed at once
_ANY_ZLIB = 32 + zlib.MAX_WBITS  # gzip's head or zlib's
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class EndpointClient:
    """HTTP to one endpoint. Loopback never goes through a proxy; redirects are never followed: they would take the key
    to wherever the server says.

    Args:
        timeout: seconds of silence after which the endpoint counts as dead.
        retries: how often a busy server is asked again before a stream.
    """

    def __init__(self, endpoint: Endpoint, timeout: float, *, retries: int = RETRIES) -> None:
        self.place = Place(urlsplit(endpoint.url).netloc, endpoint.model)
        self._timeout = timeout
        self._retries = retries
        self._secrets, headers = _authorization(endpoint)
        local = urlsplit(endpoint.url).hostname in LOOPBACK
        self._client = httpx.AsyncClient(
            # A compressed stream is a stream that waits, and costs CPU.
            # A key that somebody wrote with other letters is for the server to refuse, not for us to fall over.
            headers=httpx.Headers(
                headers | {"Accept-Encoding": "identity", "User-Agent": "falconry"}, encoding="utf-8"
            ),
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_TIMEOUT, timeout), pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=8),
            trust_env=not local,
            # Reading the certificates takes 30 ms; plain HTTP to this machine never needs them.
            verify=not (local and endpoint.url.startswith("http://")),
            follow_redirects=False,
        )

    async def get(self, url: str, *, timeout: float = CONNECT_TIMEOUT, limit: int | None = None) -> object:
        """GET JSON of at most `limit` bytes. Raises as `post`."""
        return await self._json("GET", url, None, timeout, limit)

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
        async with self._answer("POST", url, body, retries=self._retries) as response:
            kind = response.headers.get("content-type", "")
            if "json" in kind or "html" in kind:
                whole = _checked_json(self.place, await self._body(response), kind)
                chunks = _once(b"data: " + json.dumps(whole).encode() + b"\n\n")
            else:
                chunks = self._chunks(response)
            async with EventStream(chunks, self.place, self._timeout) as events:
                yield events

    async def aclose(self) -> None:
        await self._client.aclose()

    def clean(self, text: str) -> str:
        """What a server said, fit to be shown: on one line, cut short, without the key."""
        text = text.encode("utf-8", "replace").decode()  # a lone surrogate could be sent to nobody
        for secret in self._secrets:
            text = text.replace(secret.get_secret_value(), "***")
        text = " ".join(text.split())
        return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"

    async def _json(
        self, method: str, url: str, body: Mapping[str, object] | None, timeout: float, limit: int | None = None
    ) -> object:
        timeout = min(timeout, self._timeout)
        try:
            async with asyncio.timeout(timeout), self._answer(method, url, body, retries=0) as response:
                raw = await self._body(response, limit or LARGEST_BODY)
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
                known = {HEADER: current} if (current := request_id.current()) else None
                request = self._client.build_request(method, url, json=body, headers=known)
                async with asyncio.timeout(self._timeout):
                    return await self._client.send(request, stream=True)
            except (httpx.ConnectTimeout, httpx.ConnectError, httpx.ProxyError) as error:
                raise errors.connection_failed(self.place, error) from None
            except (TimeoutError, httpx.TimeoutException):
                raise errors.silent(self.place, self._timeout, shown=False) from None
            except httpx.NetworkError as error:
                failed: httpx.HTTPError = error
            except httpx.RemoteProtocolError as error:
                failed = error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise errors.unreachable(self.place, errors.cause(error)) from None
            # A connection that was kept open may have been closed by the server meanwhile: once more, on a new one.
            if last:
                raise errors.broken_off(self.place, errors.cause(failed), shown=False) from None
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
        there = response.headers.get("location")
        location = errors.location(str(response.url), self.clean(there)) if there else None
        return Refused(response.status_code, clean, _retry_after(response.headers), location)

    async def _body(self, response: httpx.Response, limit: int = LARGEST_BODY, *, whole: bool = True) -> bytes:
        """The body as far as `limit` bytes; longer ones are an error where the `whole` is needed."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                async with aclosing(self._chunks(response)) as chunks:
                    async for chunk in chunks:
                        body += chunk
                        if len(body) > limit:
                            break
        except (TimeoutError, httpx.TimeoutException):
            raise errors.silent(self.place, self._timeout, shown=False) from None
        except httpx.HTTPError as error:
            if whole:
                raise errors.broken_off(self.place, errors.cause(error), shown=False) from None
        if len(body) > limit and whole:
            raise errors.too_much(self.place, limit / 2**20)
        return bytes(body[:limit])

    @staticmethod
    async def _chunks(response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. One that is compressed all the same is read in small pieces: httpx would make 64 MiB
        of 64 KiB at once, in which nobody else is served. Raises httpx.HTTPError."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("", "identity"):
            async for chunk in response.aiter_raw():
                yield chunk
            return
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise httpx.DecodingError("it compresses its answer, which nobody asked for")
        decoder = zlib.decompressobj(_ANY_ZLIB)
        async for chunk in response.aiter_raw():
            while chunk:
                try:
                    piece = decoder.decompress(chunk, _PIECE)
                except zlib.error:
                    raise httpx.DecodingError("its answer is compressed, and damaged") from None
                chunk = decoder.unconsumed_tail
                if piece:
                    yield piece
                await asyncio.sleep(0)


def _authorization(endpoint: Endpoint) -> tuple[tuple[SecretStr, ...], dict[str, str]]:
    """The texts that must never be shown, and the header. A Basic key may be `user:password` or base64 already."""
    if endpoint.api_key is None or not (key := endpoint.api_key.get_secret_value().strip()):
        return (), {}
    if endpoint.auth == "bearer":
        return (SecretStr(key),), {"Authorization": f"Bearer {key}"}
    token = key if _is_basic_token(key) else base64.b64encode(key.encode()).decode()
    plain = base64.b64decode(token).decode("utf-8", "replace") if _is_basic_token(token) else key
    password = plain.partition(":")[2] or key
    return tuple(map(SecretStr, (key, token, plain, password))), {"Authorization": f"Basic {token}"}


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
        text = raw.decode("utf-8", "replace")
        value: object = json.loads(text)
        if _SURROGATE.search(text):  # a lone one could be stored and sent to nobody; pairs stay what they are
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise errors.nonsense(place, "broken JSON") from None
    return value


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds to wait: `retry-after-ms`, or Retry-After as seconds or as a date (RFC 9110, 10.2.3)."""
    try:
        if "retry-after-ms" in headers:
            return _bearable(float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "")
        if value.replace(".", "", 1).isdigit():
            return _bearable(float(value))
        return _bearable(email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _bearable(seconds: float) -> float:
    """A day at most, also of infinity."""
    return max(0.0, min(seconds, _DAY))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
