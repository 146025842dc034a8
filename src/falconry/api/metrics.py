"""GET /metrics for Prometheus, and the counting of requests."""

from __future__ import annotations

from time import monotonic

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from falconry import metrics as counting
from falconry.gate.marks import admin
from falconry.metrics import CONTENT_TYPE, Metrics


def metrics_router(metrics: Metrics) -> APIRouter:
    """The route /metrics, which TGI has too."""
    router = APIRouter(tags=["operation"])

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    @admin
    async def read() -> Response:
        """Metrics in the text format of Prometheus: TGI's names where it has one, `falconry_…` for the rest."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    return router


class CountRequests:
    """ASGI middleware, outside the guard: what that refuses is counted, too."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = monotonic(), 0
        counting.arrived()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = scope.get("state", {}).get("route")
            self._metrics.count_request(scope["method"], route, status, monotonic() - began)
