"""From what a person pastes as a URL to the places where a server's API may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from falconry.errors import InvalidRequest
from falconry.metadata_address import is_metadata_address

LONGEST_URL = 2000

# Where hosted services keep the API that is OpenAI's; whoever pastes the host alone means this.
_HOSTED: Mapping[str, str] = {
    "api.openai.com": "/v1",
    "router.huggingface.co": "/v1",
    "openrouter.ai": "/api/v1",
    "api.groq.com": "/openai/v1",
    "api.mistral.ai": "/v1",
    "api.deepseek.com": "/v1",
    "api.together.xyz": "/v1",
    "api.fireworks.ai": "/inference/v1",
    "api.deepinfra.com": "/v1/openai",
    "api.moonshot.cn": "/v1",
    "api.siliconflow.cn": "/v1",
    "api.x.ai": "/v1",
    "api.cerebras.ai": "/v1",
    "dashscope.aliyuncs.com": "/compatible-mode/v1",
    "dashscope-intl.aliyuncs.com": "/compatible-mode/v1",
    "open.bigmodel.cn": "/api/paas/v4",
    "ark.cn-beijing.volces.com": "/api/v3",
    "generativelanguage.googleapis.com": "/v1beta/openai",
}
# Routes that people paste together with the base. The longest first, so that nothing is left of one.
_TAILS = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/responses",
    "/models",
    "/generate_stream",
    "/generate",
    "/chat_tokenize",
    "/tokenize",
    "/api/generate",
    "/api/chat",
    "/api/tags",
    "/api/v0",
    "/api",
    "/info",
    "/health",
    "/docs",
    "/props",
)
_VERSIONED = re.compile(r"/v\d+[a-z]*$")
_BAD_HOST = "its host or port is written wrongly"
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look for a server.

    Attributes:
        origin: scheme, host and port: what a key is bound to.
        bases: where `/models` and `/chat/completions` may be, the likeliest first.
        roots: where a server's own routes may be, such as `/info`.
        hosted: a service whose base is known, which has no routes of its own worth asking for.
    """

    origin: str
    bases: tuple[str, ...]
    roots: tuple[str, ...]
    hosted: bool = False


def read_url(text: str, *, keyed: bool = False) -> list[Place]:
    """The places that a URL may mean, the likeliest first: two where it lacks a scheme, otherwise one.

    Args:
        keyed: a key goes along, which must not travel in the clear to a public host that nobody wrote `http://` for.

    Raises InvalidRequest for what can be none.
    """
    cleaned = _cleaned(text)
    if not cleaned or len(cleaned) > LONGEST_URL or " " in cleaned or not cleaned.isprintable():
        raise _bad_url(cleaned, "it is empty, too long, or has blanks or signs that cannot be seen")
    if _SCHEME.match(cleaned):
        return [_place(cleaned)]
    try:
        host = urlsplit(f"//{cleaned}").hostname or ""
    except ValueError:  # brackets, or letters that are others than they seem
        raise _bad_url(cleaned, _BAD_HOST) from None
    if is_private_name(host):
        return [_place(f"http://{cleaned}"), _place(f"https://{cleaned}")]
    places = [_place(f"https://{cleaned}")]
    return places if keyed else [*places, _place(f"http://{cleaned}")]


def with_scheme(text: str) -> str:
    """A URL as a person gives it, as it is kept where nobody answered that would tell more. `read_url` takes it."""
    cleaned = _cleaned(text).partition("#")[0]
    return cleaned if _SCHEME.match(cleaned) else f"http://{cleaned}"


def _cleaned(text: str) -> str:
    """Without what people copy along."""
    return text.strip().strip("\"'`<>").strip()


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, the port written out: what a key is bound to."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = (parts.hostname or "").lower()
    return f"{parts.scheme.lower()}://{f'[{host}]' if ':' in host else host}:{port}"


def is_private_name(host: str) -> bool:
    """Whether a host is this machine or in a private network, as far as its name tells."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa", ".localhost"))
    return address.is_private or address.is_loopback


def _place(url: str) -> Place:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad_url(url, _BAD_HOST) from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise _bad_url(url, "it must begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(
            "Leave name and password out of the URL, and give them as the key, as user:password.",
            code="endpoint_key_in_url",
        )
    if parts.query:
        raise _bad_url(url.partition("?")[0], "it must not have a question mark and what follows it")
    if is_metadata_address(host):
        raise metadata_address(host)
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme.lower()}://{shown}" + (f":{port}" if port is not None else "")
    path = _without_route(parts.path)
    known = _HOSTED.get(host)
    if known is not None:
        bases = [origin + (path if path not in ("", "/v1") else known)]
    elif _VERSIONED.search(path) or path.endswith("/openai"):
        bases = [origin + path]
    else:
        bases = [f"{origin}{path}/v1", origin + path]
    roots = [base.removesuffix("/v1") for base in bases]
    if known is None and path not in ("", "/v1"):
        bases.append(f"{origin}/v1")  # what was pasted may be the path of a page of the same server
        roots.append(origin)
    return Place(origin, tuple(dict.fromkeys(bases)), tuple(dict.fromkeys(roots)), hosted=known is not None)


def _without_route(path: str) -> str:
    path = re.sub("/{2,}", "/", path).rstrip("/")
    for tail in _TAILS:
        if path.endswith(tail) and not path.endswith("/openapi"):
            return path.removesuffix(tail).rstrip("/")
    return path


def metadata_address(host: str) -> InvalidRequest:
    return InvalidRequest(
        f"{host} is where a cloud tells a machine its own secrets, not a model server. Give another URL.",
        code="endpoint_metadata_address",
        host=host,
    )


def _bad_url(url: str, reason: str) -> InvalidRequest:
    shown = "".join(letter if letter.isprintable() else "?" for letter in url[:200])
    return InvalidRequest(
        f"“{shown}” is no URL of a server: {reason}. It looks like http://localhost:8000/v1.",
        code="endpoint_bad_url",
        url=shown,
        reason=reason,
    )
