"""JSON bodies are read strictly, the same way on every route: with their content type, and within limits."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from falconry.errors import InvalidRequest
from falconry.protocols.json_limits import loads

_UNSET = object()


class UnsupportedMediaType(InvalidRequest):
    """The body is announced as something that is not JSON."""

    status = 415
    default_code = "unsupported_media_type"


class StrictRequest(Request):
    """A request whose JSON is checked before anybody looks at it."""

    _value: object = _UNSET

    async def json(self) -> Any:
        """The body. Raises UnsupportedMediaType, and InvalidRequest for what is no JSON or nested too deeply."""
        if self._value is _UNSET:
            kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json" and not kind.endswith("+json"):
                raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
            self._value = loads(await self.body())
        return self._value


class StrictRoute(APIRoute):
    """A route whose requests are strict ones; give it to a router as `route_class`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            checked = StrictRequest(request.scope, request.receive)
            if self.body_field is not None and await checked.body():
                await checked.json()  # FastAPI would turn what this raises into a sentence that says nothing
            return await handle(checked)

        return strict
