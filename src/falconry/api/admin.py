"""How Falconry is doing, for admins: once, or every second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from falconry.event_stream import EventStream
from falconry.figures import Figures
from falconry.gate.marks import admin
from falconry.protocols.sse import encode_json
from falconry.services import Services

INTERVAL = 1.0  # seconds


def admin_router(services: Services, figures: Figures) -> APIRouter:
    """The routes /api/admin/stats and /api/admin/events."""
    router = APIRouter(prefix="/api/admin", tags=["administration"])

    @router.get("/stats")
    @admin
    async def stats() -> dict[str, Any]:
        """What runs, how fast, and the last five minutes as a curve; times in seconds, memory in bytes."""
        return figures.now()

    @router.get("/events")
    @admin
    async def events() -> Response:
        """The same every second, as events `figures`."""
        return EventStream(_events(figures, services.stopping))

    return router


async def _events(figures: Figures, stopping: asyncio.Event) -> AsyncGenerator[bytes, None]:
    while not stopping.is_set():
        yield encode_json(figures.now(), event="figures")
        with suppress(TimeoutError):
            async with asyncio.timeout(INTERVAL):
                await stopping.wait()
