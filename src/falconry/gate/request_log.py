"""One log line for every request, and the id that ties it to the other lines and to the endpoint's own log.

The line says which route, which status, how long and who; never a query, a header, a prompt or a key.
"""

from __future__ import annotations

import logging
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from falconry import request_id
from falconry.gate.dialects import dialect_of

logger = logging.getLogger("falconry.requests")


class RequestLog:
    """ASGI middleware, the outermost one: what the guard refuses is logged, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"x-request-id"]
        token = request_id.begin(given[0].decode("latin-1") if len(given) == 1 else None)
        headers = [(request_id.HEADER.lower().encode(), request_id.current().encode())]
        if dialect_of(scope["method"], scope["path"]) == "anthropic":  # its clients look for this name
            headers.append((b"request-id", request_id.current().encode()))
        began, status = monotonic(), 0

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        try:
            await self._app(scope, receive, with_id)
        finally:
            if logger.isEnabledFor(logging.INFO):
                _log(scope, status, monotonic() - began)
            request_id.end(token)


def _log(scope: Scope, status: int, seconds: float) -> None:
    state = scope.get("state", {})
    person = state.get("person")
    fields = {
        "method": scope["method"],
        "route": state.get("route", "-"),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "user": person.id if person is not None else "",
    }
    logger.info("%(method)s %(route)s %(status)s %(ms)s ms", fields, extra={"fields": fields})
