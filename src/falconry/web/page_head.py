"""Puts our own first lines into the head of every page, before anything of Gradio's runs.

Gradio chooses the language once, from `navigator.language`, knows zh-CN but neither zh nor zh-HK, and offers no way to
change it; dark or light it asks of the browser. The script early.js answers both questions from the person's own
choice. The style sheet comes along, so that the page never shows unstyled.
"""

from __future__ import annotations

import json
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from falconry.i18n import Language
from falconry.web.assets import assets, base_url

# Gradio's own name and a picture from elsewhere, meant for link previews; and a base address, which the content
# security policy forbids and which nothing here needs.
_DROPPED = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>\s*|<base\s[^>]*>\s*')
MODULES = ("dom.js", "api.js")
STYLES = (
    "shell.css",
    "sidebar.css",
    "message.css",
    "composer.css",
    "options.css",
    "compare.css",
    "transfer.css",
    "people.css",
    "models.css",
    "endpoints.css",
    "prompt.css",
)


def head_lines(fallback: Language) -> bytes:
    """What comes first in the head. `fallback` is the language of a browser that speaks neither of ours."""
    base = base_url()
    early = assets()["early.js"].decode().replace('"FALLBACK"', json.dumps(fallback))
    return (
        f'<meta name="falconry-assets" content="{base}">'
        f"<script>{early}</script>"
        + "".join(f'<link rel="stylesheet" href="{base}/{name}">' for name in STYLES)
        + f'<link rel="icon" type="image/svg+xml" href="{base}/falcon.svg">'
        + "".join(f'<link rel="modulepreload" href="{base}/{name}">' for name in MODULES)
    ).encode()


class PageHead:
    """ASGI middleware: HTML pages get our first lines; all else passes untouched, streams included."""

    def __init__(self, app: ASGIApp, fallback: Language = "en") -> None:
        self._app = app
        self._lines = head_lines(fallback)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and "text/html" in Headers(scope=scope).get("accept", "")
        )
        if not wanted:
            await self._app(scope, receive, send)
            return
        # A compressed page could not be changed.
        plain = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
        await self._app({**scope, "headers": plain}, receive, _Inserting(send, self._lines))


class _Inserting:
    def __init__(self, send: Send, lines: bytes) -> None:
        self._send = send
        self._lines = lines
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            if not headers.get("content-type", "").startswith("text/html") or "content-encoding" in headers:
                await self._send(message)
                return
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        if b"<head>" not in self._body:  # a page of our own, which has all it needs (plain.py)
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": self._body})
            return
        body = _DROPPED.sub(b"", self._body).replace(b"<head>", b"<head>" + self._lines, 1)
        headers = MutableHeaders(raw=list(self._start["headers"]))
        headers["content-length"] = str(len(body))
        headers["cache-control"] = "no-cache"
        await self._send({**self._start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})
