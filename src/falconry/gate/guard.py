"""The outermost layer: decides who may knock at all, and what every answer carries.

It reads the raw scope, before any framework has interpreted it, and stands in front of every route, Gradio's own
included:

- `Host` must be exactly one of ours: a loopback name, the address that the connection came to, or one of the settings.
  A page elsewhere that points its own name at this machine (DNS rebinding) is turned away, and so is an empty, missing,
  doubled or malformed header.
- A browser's request from another site is refused (`Sec-Fetch-Site`, and `Origin` where a browser does not send it),
  but for a link that a person follows to a page, and for the programs' routes from origins that the settings name.
- A path that is not plain (backslash, control characters, `//`, dot segments, encoded slashes) is refused, so that
  no two layers can read it differently; so are two keys, and a body with two ways to tell where it ends.
- Answers carry the content security policy and its companions, and no cache keeps what is not a file.

Programs send no Origin and no Sec-Fetch headers and are not hindered.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from falconry.errors import FalconryError, InvalidRequest, NotAllowed
from falconry.gate.dialects import dialect_of, send_refusal

# Gradio's front end compiles templates and styles its components inline; everything else is our own origin.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
        "form-action 'self'",
    )
)
SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
SANDBOX = "default-src 'none'; sandbox"
"""For what people have uploaded, on top of our policy: a document of nobody's, which loads and does nothing."""
_OURS = frozenset(name for name, _ in SECURITY_HEADERS)
_STRICTER = (b"content-security-policy", SANDBOX.encode())
_HOST = re.compile(rb"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:(?P<port>[0-9]{1,5}))?")
_MODEL_PATH = re.compile(rb"/v1/models/[a-z0-9_:@+-][a-z0-9._:@+-]*(?:%2f[a-z0-9_:@+-][a-z0-9._:@+-]*)+")
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Guard:
    """ASGI middleware. See the module.

    Args:
        allowed_hosts: names, each `host` or `host:port`, beside the loopback ones; looked at for every request, so
            that one may be added. A loopback name is right with any port, since the port belongs to this machine:
            tunnels and containers change it.
        allowed_origins: origins, `https://app.example.org`, whose pages may use the programs' routes, with a key.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str] = (), allowed_origins: Iterable[str] = ()) -> None:
        self._app = app
        self._origins = frozenset(origin.lower().rstrip("/").encode() for origin in allowed_origins)
        self._names = frozenset(name.encode() for name in _LOOPBACK_NAMES)
        self._hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except FalconryError as error:
            # Closed, since where the next request begins may be what is not clear.
            await send_refusal(scope, _with_headers(send, (b"connection", b"close")), error)
            return
        # Gradio would write this name into its pages; what the proxy is called stands in Host.
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"x-forwarded-host"]
        await self._app(scope, receive, _with_headers(send))

    def _check(self, scope: Scope) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._check_host(headers, scope.get("server"))
        _check_doubles(headers)
        _check_path(scope)
        self._check_site(scope, headers)

    def _check_host(self, headers: list[tuple[bytes, bytes]], server: tuple[str, int] | None) -> None:
        hosts = _values(headers, b"host")
        if len(hosts) != 1 or not self._is_ours(hosts[0], server[0] if server else ""):
            raise NotAllowed(
                "This address is not one of Falconry's. Open it as http://127.0.0.1 with its port, "
                "or name the host in FALCONRY_ALLOWED_HOSTS.",
                code="host_not_allowed",
            )

    def _is_ours(self, host: bytes, address: str) -> bool:
        """Whether a host is one of ours. `address` is where this very connection ended: a number cannot be rebound."""
        host = host.lower()
        match = _HOST.fullmatch(host)
        if match is None or int(match["port"] or 0) > 65535:
            return False
        if match["name"] in self._names or match["name"] == _in_url(address):
            return True
        hosts = {name.lower().encode() for name in self._hosts}
        return host in hosts or match["name"] in hosts

    def _check_site(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> None:
        """Refuse what a browser sends on behalf of another site."""
        site = _values(headers, b"sec-fetch-site")
        origin = _values(headers, b"origin")
        host = _values(headers, b"host")[0].lower()
        foreign = any(value not in (b"same-origin", b"none") for value in site)
        foreign = foreign or len(origin) > 1 or any(not _same_origin(value, host) for value in origin)
        if not foreign or self._is_allowed_origin(scope, origin):
            return
        followed_link = (
            scope["type"] == "http"
            and scope["method"] in ("GET", "HEAD")
            and _values(headers, b"sec-fetch-mode") == [b"navigate"]
            and _values(headers, b"sec-fetch-dest") == [b"document"]
        )
        if not followed_link:
            raise NotAllowed("Requests from other sites are refused.", code="cross_site")

    def _is_allowed_origin(self, scope: Scope, origin: list[bytes]) -> bool:
        if scope["type"] != "http" or len(origin) != 1 or origin[0].lower() not in self._origins:
            return False
        method = scope["method"]
        if method == "OPTIONS":
            method = _values(scope["headers"], b"access-control-request-method")[0:1] or [b"GET"]
            method = method[0].decode("latin-1")
        return dialect_of(method, scope["path"]) != "falconry"


def _in_url(address: str) -> bytes:
    """An IP address as it stands in a URL."""
    return f"[{address}]".encode() if ":" in address else address.encode()


def _same_origin(origin: bytes, host: bytes) -> bool:
    scheme, separator, rest = origin.lower().partition(b"://")
    return bool(separator) and scheme in (b"http", b"https") and rest == host


def _check_doubles(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse what a proxy in front of us may have read otherwise: who asks, and where the request ends."""
    for name in (b"authorization", b"x-api-key"):
        if len(_values(headers, name)) > 1:
            raise InvalidRequest(
                f"The header {name.decode()} came twice. Send one API key.", code="doubled_header", name=name.decode()
            )
    if _values(headers, b"transfer-encoding") and _values(headers, b"content-length"):
        raise InvalidRequest(
            "The request has both Content-Length and Transfer-Encoding. Send one of them.", code="two_lengths"
        )


def _check_path(scope: Scope) -> None:
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    lowered = raw.lower()
    bad = (
        not raw.startswith(b"/")
        or b"//" in raw
        or any(byte < 0x21 or byte == 0x5C or byte == 0x7F for byte in raw)
        or any(code in lowered for code in (b"%2f", b"%5c", b"%00", b"%2e"))
        or any(segment in (b".", b"..") for segment in raw.split(b"/"))
    )
    # OpenAI's clients escape the slashes in a model's name.
    if bad and not _MODEL_PATH.fullmatch(lowered):
        raise InvalidRequest("The path is malformed.", code="bad_path")


def _values(headers: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value.strip() for key, value in headers if key.lower() == name]


def _with_headers(send: Send, *more: tuple[bytes, bytes]) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", [])
            kept = [(key, value) for key, value in given if key.lower() not in _OURS or (key, value) == _STRICTER]
            # What JSON says is somebody's own, and browsers and proxies keep what does not forbid it.
            if _values(given, b"content-type")[:1] == [b"application/json"] and not _values(given, b"cache-control"):
                kept.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*kept, *SECURITY_HEADERS, *more]}
        await send(message)

    return wrapped
