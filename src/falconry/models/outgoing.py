"""The one place that fetches from the hub and where it leads to: hosts, redirects, addresses, the token, time limits.

The rules:

- The token goes to the hub's own origin and nowhere else, whatever redirects say.
- A redirect leads to https://; to http:// only where the hub itself is a mirror without TLS, and stays on its host.
- Hosts that the settings name may be in a private network. All others have to have public addresses, and the address
  that was checked is the one that is connected to.
- Nothing is remembered from one answer to the next: no cookies, no connections.
"""

from __future__ import annotations

import email.utils
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from pydantic import SecretStr

from falconry.models import download_errors as errors
from falconry.models.addresses import public_addresses

TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as silent."""
CONNECT_TIMEOUT = 10.0
MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_SIZE = re.compile(r"[0-9]{1,18}")  # 2**63 bytes are more than any disk has, and more digits no number to Python


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer, at the end of all redirects; its body is still to be read.

    Attributes:
        host: who answers.
        at_hub: whether that is the hub itself, and not a store that it led to.
        linked_etag, linked_size: what the hub said of the file before it led on (X-Linked-Etag, X-Linked-Size).
    """

    response: httpx.Response
    host: str
    at_hub: bool
    linked_etag: str | None = None
    linked_size: int | None = None
    timeout: float = TIMEOUT

    @property
    def status(self) -> int:
        return self.response.status_code

    def header(self, name: str) -> str | None:
        value: str | None = self.response.headers.get(name)
        return value

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait by Retry-After, given as seconds or as a date (RFC 9110, 10.2.3)."""
        value = self.header("retry-after") or ""
        try:
            if value.replace(".", "", 1).isdigit():
                return float(value)
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        except (ValueError, TypeError, OverflowError, OSError):
            return None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises TemporaryFailure when it stops."""
        try:
            async for chunk in self.response.aiter_raw():
                yield chunk
        except httpx.TimeoutException:
            raise errors.stalled(self.host, self.timeout) from None
        except (httpx.HTTPError, httpx.StreamError):
            raise errors.broken_off(self.host) from None


class Outgoing:
    """Requests for models.

    Args:
        hub: the hub's URL.
        hosts: further hosts that the settings name, `host` or `host:port`.
        token: for the hub.
        timeout: seconds without a byte.
    """

    def __init__(
        self, hub: str, *, hosts: frozenset[str] = frozenset(), token: SecretStr | None = None, timeout: float = TIMEOUT
    ) -> None:
        self._hub = urlsplit(hub)
        self._hosts = hosts
        self._token = token
        self._timeout = timeout
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> AsyncIterator[Answer]:
        """Ask, follow where it leads, and give the answer, whatever its status.

        Raises DownloadFailed: TemporaryFailure for what may go better the next time.
        """
        linked: httpx.Headers | None = None
        for _ in range(MOST_REDIRECTS + 1):
            place = self._place(url)
            client, addresses = await self._client(place)
            async with client:
                response = await self._send(client, place, addresses, headers or {})
                try:
                    where = response.headers.get("location")
                    if response.status_code not in _REDIRECTS or not where:
                        answer = Answer(
                            response, place.hostname or "", self._is_hub(place), *_linked(linked), self._timeout
                        )
                        yield answer
                        return
                    if self._is_hub(place) and linked is None and "x-linked-size" in response.headers:
                        linked = response.headers
                finally:
                    await response.aclose()
            url = self._next(place, where)
        raise errors.too_many_redirects(urlsplit(url).hostname or "")

    def _place(self, url: str) -> SplitResult:
        place = urlsplit(url)
        if not place.hostname or place.scheme not in ("https", "http"):
            raise errors.bad_redirect(place.hostname or "")
        return place

    def _next(self, place: SplitResult, where: str) -> str:
        """The URL that a redirect leads to."""
        host = place.hostname or ""
        try:
            there = urlsplit(urljoin(place.geturl(), where))
            _ = there.port
        except ValueError:
            raise errors.bad_redirect(host) from None
        plain = self._hub.scheme == "http" and there.hostname == self._hub.hostname
        if there.scheme != "https" and not (there.scheme == "http" and (plain or self._is_named(there))):
            raise errors.bad_redirect(host)
        if there.username or there.password or (place.scheme == "https" and there.scheme != "https"):
            raise errors.bad_redirect(host)
        return there.geturl()

    def _is_hub(self, place: SplitResult) -> bool:
        return (place.scheme, place.hostname, _port(place)) == (self._hub.scheme, self._hub.hostname, _port(self._hub))

    def _is_named(self, place: SplitResult) -> bool:
        """Whether the settings name this host, so that it may be a private one."""
        return place.hostname == self._hub.hostname or bool({place.hostname, place.netloc.lower()} & self._hosts)

    async def _client(self, place: SplitResult) -> tuple[httpx.AsyncClient, list[str]]:
        """A client for one request, and the addresses to connect to; none where a proxy or the settings vouch."""
        host = place.hostname or ""
        proxied = place.scheme in getproxies() and not proxy_bypass(host)
        # A proxy looks names up itself, and reaches what its owner lets it reach.
        addresses = [] if proxied or self._is_named(place) else await public_addresses(host, _port(place))
        if self._tls is None and place.scheme == "https":
            self._tls = httpx.create_ssl_context()  # 30 ms, and certificates of one's own by SSL_CERT_FILE
        client = httpx.AsyncClient(
            verify=self._tls or False,
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=proxied,
            follow_redirects=False,
        )
        return client, addresses

    async def _send(
        self,
        client: httpx.AsyncClient,
        place: SplitResult,
        addresses: list[str],
        headers: Mapping[str, str],
    ) -> httpx.Response:
        host = place.hostname or ""
        own = {"User-Agent": "falconry", "Accept-Encoding": "identity", **headers}
        if self._token is not None and self._is_hub(place):
            own["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        if addresses:
            own["Host"] = place.netloc
        try:
            for last, url in _last_marked([_at(place, address) for address in addresses] or [_at(place, None)]):
                # The certificate has to be the name's, also where an address is connected to.
                extensions = {"sni_hostname": host} if addresses else {}
                request = client.build_request("GET", url, headers=own, extensions=extensions)
                try:
                    return await client.send(request, stream=True)
                except (httpx.ConnectTimeout, httpx.ConnectError):
                    if last:
                        raise
        except (httpx.ConnectTimeout, httpx.ConnectError, httpx.ProxyError) as error:
            raise errors.unreachable(host, _reason(error)) from None
        except httpx.TimeoutException:
            raise errors.stalled(host, self._timeout) from None
        except httpx.InvalidURL:
            raise errors.bad_redirect(host) from None
        except httpx.HTTPError:
            raise errors.broken_off(host) from None
        raise AssertionError


def _at(place: SplitResult, address: str | None) -> str:
    """The URL with its host replaced by an address that has been checked."""
    if address is None:
        return place._replace(fragment="").geturl()
    netloc = f"[{address}]" if ":" in address else address
    return place._replace(fragment="", netloc=f"{netloc}:{_port(place)}").geturl()


def _last_marked(urls: list[str]) -> Iterator[tuple[bool, str]]:
    for number, url in enumerate(urls, 1):
        yield number == len(urls), url


def _port(place: SplitResult) -> int:
    return place.port or (443 if place.scheme == "https" else 80)


def _linked(headers: httpx.Headers | None) -> tuple[str | None, int | None]:
    if headers is None:
        return None, None
    size = headers.get("x-linked-size", "")
    etag = headers.get("x-linked-etag", "").removeprefix("W/").strip('"')
    return etag or None, read_size(size)


def read_size(text: str) -> int | None:
    """A number of bytes in a header; None for what is none."""
    return int(text) if _SIZE.fullmatch(text) else None


def _reason(error: BaseException) -> str:
    """The innermost cause in the system's own words: `Connection refused`, `certificate has expired`."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    text = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
    return str(text)[:200] or type(error).__name__
